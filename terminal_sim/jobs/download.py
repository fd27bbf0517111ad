"""Downloads of CUP (cup.md 5.10): terminal parameters, CA keys, IC parameters; and the upload of the terminal's status.

A list comes in pages, then each entry by itself, then an end message. What has come is kept on flash only when all of
it has: a cut in between loses nothing that was there before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from specs import downloads
from specs.errors import DecodeError
from specs.operation import Kind
from terminal_sim.jobs import plain
from terminal_sim.moves import Download, End, Result
from terminal_sim.state import Config, Memory
from terminal_sim.turn import Turn
from terminal_sim.wire import Answer, Failure

ITEMS_MAX = 99
"""A list request counts what it has in two digits."""


@dataclass(frozen=True, slots=True)
class _Stages:
    """60.3 of the messages of one download. first: what begins it. entry, end: "" where there is none."""

    first: str
    entry: str = ""
    end: str = ""
    digit: str = ""
    """Header digit 6 that asks for it."""


STAGES: Mapping[str, _Stages] = {
    "parameters": _Stages("360", end="361", digit="1"),
    "ca-keys": _Stages("372", "370", "371", digit="4"),
    "ic-parameters": _Stages("382", "380", "381", digit="5"),
    "status": _Stages("362", digit="2"),
}
ASKED_BY = {stages.digit: what for what, stages in STAGES.items()}
"""Header digit 6 -> what to download (cup.md section 1); 3 asks for a sign-on."""


def refusal(job: Download) -> str:
    """Why the terminal itself will not, "" when it will."""
    return "" if job.what in STAGES else f"download: one of {', '.join(STAGES)}"


def start(turn: Turn, job: Download) -> None:
    """Send the message of the stage; none of them takes a STAN (flows.md section 0)."""
    stages = STAGES[job.what]
    job = job if job.stage else replace(job, stage=stages.first)
    operation = turn.operation(Kind.DOWNLOAD, stan="", function=job.stage, data=_data(job, stages))
    turn.send(job, operation)


def _data(job: Download, stages: _Stages) -> bytes:
    if job.stage == stages.entry:
        return bytes.fromhex(job.wanted[0])
    return downloads.list_request(job.listed) if stages.entry and job.stage == stages.first else b""


def on_answer(turn: Turn, job: Download, answer: Answer) -> None:
    """The next stage, or everything kept in one write."""
    if not turn.wire.approved(answer.code):
        plain.declined(turn, answer.code, f"download of {job.what}")
        return
    try:
        following = _after(job, answer.outcome.data or b"")
        if following is None:
            _keep(turn, job)
            return
    except DecodeError as error:
        text = f"download of {job.what}: the answer cannot be read ({error.expected})"
        turn.show(text)
        turn.stop(Result(End.UNKNOWN, text))
        return
    turn.then(following)
    turn.finish()


def _after(job: Download, data: bytes) -> Download | None:
    """The job as it goes on; None when this was the last message. Raises: DecodeError."""
    stages = STAGES[job.what]
    if job.stage == stages.end or not stages.end:
        return None
    if not stages.entry:
        downloads.parse_parameters(data)  # before the host is told that they have come
        return replace(job, stage=stages.end, got=(data.hex(),))
    if job.stage == stages.first:
        page = downloads.parse_list(data)
        wanted = (*job.wanted, *(item.hex() for item in page.items))[:ITEMS_MAX]
        if page.more and page.items and len(wanted) < ITEMS_MAX:
            return replace(job, wanted=wanted, listed=len(wanted))
        return replace(job, stage=stages.entry if wanted else stages.end, wanted=wanted)
    got = (*job.got, data[1:].hex().upper()) if _PARSERS[job.what](data) else job.got
    left = job.wanted[1:]
    return replace(job, stage=stages.entry if left else stages.end, wanted=left, got=got)


_PARSERS: Mapping[str, Callable[[bytes], object]] = {
    "ca-keys": downloads.parse_key,
    "ic-parameters": downloads.parse_ic_parameters,
}


def _keep(turn: Turn, job: Download) -> None:
    memory = turn.memory
    if ASKED_BY.get(memory.download) == job.what:
        memory = replace(memory, download="0")
    # A cut before this write: the terminal works as before, and what the host asked for is still noted. After it: done.
    turn.save("key-store", _with(memory, job))
    text = f"download of {job.what}: {'sent' if job.what == 'status' else f'{_count(turn, job)} kept'}"
    turn.show(text)
    turn.finish(Result(End.OK, text))


def _with(memory: Memory, job: Download) -> Memory:
    """The memory with what came, in place of what there was."""
    match job.what:
        case "parameters":
            told = downloads.parse_parameters(bytes.fromhex(job.got[0]))
            return replace(memory, parameters=told, config=applied(memory.config, dict(told)))
        case "ca-keys":
            return replace(memory, ca_keys=job.got)
        case "ic-parameters":
            return replace(memory, ic_parameters=job.got)
    return memory


def applied(config: Config, told: Mapping[str, str]) -> Config:
    """The set-up with what the parameters say of it: 19 the largest tip, 21 auto sign-off, 22 the merchant's name."""
    percent = told.get("19", "")
    return replace(
        config,
        tip_percent=int(percent) if percent.isdigit() and told.get("18", "1") == "1" else config.tip_percent,
        auto_signoff=told["21"] == "1" if "21" in told else config.auto_signoff,
        merchant_name=told.get("22") or config.merchant_name,
    )


def _count(turn: Turn, job: Download) -> int:
    return len(turn.memory.parameters) if job.what == "parameters" else len(job.got)


def on_failure(turn: Turn, job: Download, failure: Failure) -> None:
    """Nothing is kept; what the host asked for stays noted."""
    plain.no_answer(turn, failure, f"download of {job.what}")
