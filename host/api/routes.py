"""The paths under /api/v1 and at the root: each handler reads parameters, asks desk or control, answers."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from host.api.control import Control
from host.api.problems import Problem
from host.desk import LIMIT_MAX, Desk
from host.faults import FaultError
from host.issuer.scripts import ScriptError
from host.limits import DAYS_MAX

WAIT_MAX_S = 300.0
_POLL_S = 0.05

api = APIRouter(prefix="/api/v1")
root = APIRouter()

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="how many items at most")]
After = Annotated[str, Query(max_length=40, description="the `next` of the page before")]
Order = Annotated[Literal["oldest", "newest"], Query(description="which come first")]
Text = Annotated[str | None, Query(max_length=64)]
Json = dict[str, Any]


def _desk(request: Request) -> Desk:
    desk = request.app.state.desk
    assert isinstance(desk, Desk)
    return desk


def _control(request: Request) -> Control:
    control = request.app.state.control
    assert isinstance(control, Control)
    return control


def _given(**filters: object) -> dict[str, object]:
    return {key: value for key, value in filters.items() if value is not None}


def _found(shape: Json | None, what: str, key: str) -> Json:
    if shape is None:
        raise Problem(404, "not-found", f"there is no {what} {key!r}", "path")
    return shape


class Strict(BaseModel):
    """A request body: unknown keys are refused, so a typing error never passes in silence."""

    model_config = ConfigDict(extra="forbid")


# ---- the root


@root.get("/healthz")
async def healthz() -> Json:
    """The process answers."""
    return {"status": "ok"}


@root.get("/readyz")
async def readyz(request: Request) -> JSONResponse:
    """Everything listens and the store takes writes; 503 with the reasons when not."""
    reasons = _control(request).not_ready()
    body = {"status": "ready" if not reasons else "not ready", "reasons": reasons}
    return JSONResponse(body, status_code=200 if not reasons else 503)


@root.get("/version")
async def version(request: Request) -> Json:
    """Name and version of this program, and what it runs on."""
    return _control(request).version()


@root.get("/metrics")
async def metrics(request: Request) -> PlainTextResponse:
    """Prometheus text."""
    text = await run_in_threadpool(_control(request).metrics)
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4; charset=utf-8")


# ---- terminals, transactions, batches


@api.get("/terminals")
def terminals(request: Request) -> Json:
    """Every terminal ever seen or configured, with its open batch, pending work and alarms; keys never show."""
    return _desk(request).terminals()


@api.get("/terminals/{tid}")
def terminal(request: Request, tid: str) -> Json:
    """One terminal by its id (DE 41); 404 when it never spoke and is not configured."""
    return _found(_desk(request).terminal(tid), "terminal", tid)


class TerminalSet(Strict):
    """mid: merchant id, at most 15 characters; a new terminal needs one. tmk: master key, 16 or 32 hex digits; test
    keys only. request: what a CUP terminal is asked to do in every answer until it has done it (header digit 6):
    0 nothing, 1 parameter download, 2 status, 3 sign on, 4 download CA public keys, 5 download IC parameters."""

    mid: str | None = Field(default=None, min_length=1, max_length=15, pattern="^[ -~]+$")
    tmk: str | None = Field(default=None, pattern="^([0-9A-Fa-f]{16}|[0-9A-Fa-f]{32})$")
    request: str | None = Field(default=None, pattern="^[0-5]$")


@api.put("/terminals/{tid}")
def put_terminal(
    request: Request, response: Response, tid: Annotated[str, Path(pattern="^[ -~]{8}$")], body: TerminalSet
) -> Json:
    """Make a terminal known (provisioning «strict» serves no other), change its merchant or master key, or ask it to
    do something."""
    made = _control(request).put_terminal(tid, body.mid, body.tmk.upper() if body.tmk else None, body.request)
    if made:
        response.status_code = 201
        response.headers["Location"] = f"/api/v1/terminals/{tid}"
    return _found(_desk(request).terminal(tid), "terminal", tid)


@api.post("/terminals/{tid}/journal", status_code=201)
async def take_journal(request: Request, response: Response, tid: str) -> Json:
    """A terminal's own journal (JSON lines, specs.journal), to compare with the host's books."""
    raw = await request.body()
    response.headers["Location"] = f"/api/v1/terminals/{tid}"
    return await run_in_threadpool(_control(request).take_journal, tid, raw)


@api.get("/transactions")
def transactions(
    request: Request,
    tid: Text = None,
    stan: Text = None,
    rrn: Text = None,
    batch: Text = None,
    state: Text = None,
    kind: Text = None,
    amount: Annotated[int | None, Query(ge=0)] = None,
    date: Text = None,
    limit: Limit = 100,
    after: After = "",
    order: Order = "oldest",
) -> Json:
    """Transactions that fit all filters given. batch: the number on the wire; amount in minor units."""
    where = _given(tid=tid, stan=stan, rrn=rrn, batch=batch, state=state, kind=kind, amount=amount, business_date=date)
    return _desk(request).transactions(where, after, limit, newest=order == "newest")


@api.get("/transactions/{txn}")
def transaction(request: Request, txn: str) -> Json:
    """One transaction with its time line, its money and its answer in words."""
    return _found(_desk(request).transaction(txn), "transaction", txn)


@api.get("/batches")
def batches(
    request: Request,
    tid: Text = None,
    state: Text = None,
    limit: Limit = 100,
    after: After = "",
    order: Order = "oldest",
) -> Json:
    """Batches with the totals of both sides as the last settlement saw them."""
    return _desk(request).batches(_given(tid=tid, state=state), after, limit, newest=order == "newest")


@api.get("/batches/{batch}")
def batch(request: Request, batch: str) -> Json:
    """One batch with its items, what was uploaded, and each exception with its reason."""
    return _found(_desk(request).batch(batch), "batch", batch)


class CloseByHand(Strict):
    """Who closes, and why: both stand with the batch for ever."""

    user: str = Field(min_length=1, max_length=40, pattern="^[^\\x00-\\x1f]+$")
    reason: str = Field(min_length=1, max_length=200, pattern="^[^\\x00-\\x1f]+$")


@api.post("/batches/{batch}/close")
def close_batch(
    request: Request,
    batch: str,
    body: CloseByHand,
    idempotency_key: Annotated[str, Header(min_length=1, max_length=100)],
) -> Json:
    """Close a batch by hand, from the host's books and what was uploaded; 409 when it is not open, or its terminal has
    a request in flight. The same Idempotency-Key again gives the same answer and closes nothing twice."""
    return _control(request).close_batch(batch, body.user, body.reason, idempotency_key)


@api.get("/unsettled")
def unsettled(request: Request, tid: Text = None) -> Json:
    """Charged but not settled: each transaction, and why."""
    return _desk(request).unsettled(tid)


@api.get("/findings")
def findings(request: Request) -> Json:
    """Invariants that do not hold in the books, with evidence; empty when the books are right."""
    return _desk(request).findings()


@api.get("/alarms")
def alarms(request: Request, tid: Text = None, limit: Limit = 100, after: After = "", order: Order = "newest") -> Json:
    """What a person should look at: of terminals, and of the host itself (tid "")."""
    return _desk(request).alarms(_given(tid=tid), after, limit, newest=order == "newest")


# ---- messages


@api.get("/messages")
def messages(
    request: Request,
    tid: Text = None,
    mti: Text = None,
    stan: Text = None,
    limit: Limit = 100,
    after: After = "",
    order: Order = "oldest",
) -> Json:
    """Frames in and out, decoded and masked, with notes on what does not fit the dialect."""
    return _desk(request).messages(_given(tid=tid, mti=mti, stan=stan), after, limit, newest=order == "newest")


class Match(Strict):
    """Keys that a message must have; those not given are not compared."""

    tid: str | None = None
    mti: str | None = None
    kind: str | None = None
    stan: str | None = None
    direction: Literal["in", "out"] | None = None
    response_code: str | None = None
    rrn: str | None = None
    fate: str | None = None

    def columns(self) -> dict[str, object]:
        """Column of the message log -> the value it must have."""
        given = self.model_dump(exclude_none=True)
        return {("code" if key == "response_code" else key): value for key, value in given.items()}


class Verify(Strict):
    """count: how many messages must fit, no more and no fewer."""

    match: Match
    count: int = Field(default=1, ge=0)


@api.post("/messages/verify")
def verify(request: Request, body: Verify) -> Json:
    """Were there exactly `count` such messages? ok says so; near misses show what differs in one key."""
    match = body.match.columns()
    hits, near = _desk(request).hits(match), _desk(request).near_misses(match)
    return {
        "ok": len(hits) == body.count,
        "expected": body.count,
        "matched": len(hits),
        "items": hits[-LIMIT_MAX:],
        "near_misses": near,
    }


@api.get("/messages/wait")
async def wait(
    request: Request,
    tid: Text = None,
    mti: Text = None,
    kind: Text = None,
    stan: Text = None,
    direction: Text = None,
    response_code: Text = None,
    fate: Text = None,
    count: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 1,
    timeout: Annotated[float, Query(ge=0, le=WAIT_MAX_S)] = 10.0,
) -> JSONResponse:
    """Long poll: until `count` such messages are there (200), or the timeout passed (408, with near misses)."""
    match = _given(tid=tid, mti=mti, kind=kind, stan=stan, direction=direction, code=response_code, fate=fate)
    deadline = time.monotonic() + timeout
    while True:
        hits = await run_in_threadpool(_desk(request).hits, match)
        if len(hits) >= count:
            return JSONResponse({"ok": True, "matched": len(hits), "items": hits[-LIMIT_MAX:], "near_misses": []})
        if time.monotonic() >= deadline or await request.is_disconnected():
            near = await run_in_threadpool(_desk(request).near_misses, match)
            body = {"ok": False, "matched": len(hits), "items": hits, "near_misses": near}
            return JSONResponse(body, status_code=408)
        await asyncio.sleep(_POLL_S)


@api.get("/messages/{message}")
def message(request: Request, message: str) -> Json:
    """One frame, decoded and masked, with its notes."""
    return _found(_desk(request).message(message), "message", message)


# ---- faults, clock, reset, shutdown


@api.get("/faults")
def faults(request: Request) -> Json:
    """The fault rules and how often each has struck."""
    return {"items": [f.to_json() for f in _control(request).faults.list()], "next": None}


@api.post("/faults", status_code=201)
def add_fault(request: Request, response: Response, body: Annotated[Json, Body()]) -> Json:
    """Set a fault rule (docs/faults.md); 422 names the key that is wrong."""
    try:
        fault = _control(request).faults.add(body)
    except FaultError as error:
        raise Problem(422, "bad-fault", error.why, error.where) from error
    response.headers["Location"] = f"/api/v1/faults/{fault.id}"
    return fault.to_json()


@api.delete("/faults", status_code=204)
def clear_faults(request: Request) -> Response:
    """Remove all fault rules: from now on every answer goes out as it is."""
    _control(request).faults.clear()
    return Response(status_code=204)


@api.delete("/faults/{fault}", status_code=204)
def remove_fault(request: Request, fault: int) -> Response:
    """Remove one fault rule; what it has delayed still comes."""
    if not _control(request).faults.remove(fault):
        raise Problem(404, "not-found", f"there is no fault {fault}", "path")
    return Response(status_code=204)


# ---- issuer scripts


class ScriptSet(Strict):
    """card: the name or number of a test card with a chip. commands: hex, one command each (CLA INS P1 P2 …). times: in
    how many answers."""

    card: str = Field(min_length=1, max_length=40)
    commands: list[str] = Field(min_length=1, max_length=16)
    times: int = Field(default=1, ge=1)


@api.get("/issuer/scripts")
def scripts(request: Request) -> Json:
    """The scripts asked for, and how often each has gone out."""
    return {"items": [s.to_json() for s in _control(request).scripts.list()], "next": None}


@api.post("/issuer/scripts", status_code=201)
def add_script(request: Request, response: Response, body: ScriptSet) -> Json:
    """The next approved chip answer of this card carries the script (tag 72); its result comes as 0620 and stands in
    the transaction's `chip`."""
    try:
        script = _control(request).scripts.add(body.card, body.commands, body.times)
    except ScriptError as error:
        raise Problem(422, "bad-script", error.why, f"body{error.where}") from error
    response.headers["Location"] = f"/api/v1/issuer/scripts/{script.id}"
    return script.to_json()


@api.delete("/issuer/scripts/{script}", status_code=204)
def remove_script(request: Request, script: int) -> Response:
    """Take a script back; what has gone out is out."""
    if not _control(request).scripts.remove(script):
        raise Problem(404, "not-found", f"there is no script {script}", "path")
    return Response(status_code=204)


class ClockSet(Strict):
    """now: RFC 3339 with offset; running false freezes it."""

    now: str | None = None
    running: bool | None = None


class Advance(Strict):
    """One of the two. seconds: at most a year; until: RFC 3339."""

    seconds: float | None = Field(default=None, ge=0, le=366 * 86_400)
    until: str | None = None


@api.get("/clock")
def clock(request: Request) -> Json:
    """The host's time and business date."""
    return _control(request).clock_shape()


@api.put("/clock")
def set_clock(request: Request, body: ClockSet) -> Json:
    """Set, run or freeze the clock; 409 for a step back, since booked times never change order."""
    return _control(request).set_clock(body.now, body.running)


@api.post("/clock/advance")
def advance_clock(request: Request, body: Advance) -> Json:
    """Move the clock on; deadlines that this passes are acted on at once."""
    if (body.seconds is None) == (body.until is None):
        raise Problem(422, "validation", "give either seconds or until", "body")
    return _control(request).advance_clock(body.seconds, body.until)


class Reset(Strict):
    """keep_history: a new epoch as after a re-flash, in place of clearing (scope terminal or merchant)."""

    scope: Literal["all", "terminal", "merchant"]
    id: str | None = None
    keep_history: bool = False


@api.post("/reset", status_code=204)
def reset(request: Request, body: Reset) -> Response:
    """Clears books, messages, faults, findings; keeps merchants, terminals, keys."""
    if body.scope != "all" and not body.id:
        raise Problem(422, "validation", f"scope {body.scope} needs an id", "body/id")
    if body.scope == "all" and body.keep_history:
        raise Problem(422, "validation", "a new epoch is a terminal's or a merchant's", "body/keep_history")
    _control(request).reset(body.scope, body.id or "", keep_history=body.keep_history)
    return Response(status_code=204)


class Prune(Strict):
    """rows: keep so many of the newest messages; days: keep those of so many days. At least one of them."""

    rows: Annotated[int, Field(ge=1)] | None = None
    days: Annotated[int, Field(ge=1, le=DAYS_MAX)] | None = None


@api.post("/messages/prune")
def prune_messages(request: Request, body: Prune) -> Json:
    """Drops old messages from the log, never the books nor what open batches need as evidence."""
    if body.rows is None and body.days is None:
        raise Problem(422, "validation", "give rows, days or both", "body")
    return {"gone": _control(request).prune(body.rows or 0, body.days or 0)}


@api.post("/shutdown", status_code=202)
async def shutdown(request: Request) -> Json:
    """As SIGTERM: stop accepting, answer what is decided, commit, end."""
    _control(request).shutdown()
    return {"status": "shutting down"}
