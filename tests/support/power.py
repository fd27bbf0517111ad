"""Power cuts as data: which order is cut, what stands before it, and a terminal on a folder whose power fails.

Every order is a boot from the folder, as each call of `terminal-sim` is; the line is real TCP to a real host. After the
cut the day goes on as a shopkeeper would: sign on where that is needed, sell once more, settle until nothing is left.
"""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from specs.endpoint import parse
from specs.journal import TerminalBook
from specs.operation import Entry
from specs.totals import Totals
from terminal_sim.book import book
from terminal_sim.cards import card_from
from terminal_sim.clock import SystemClock
from terminal_sim.driver import Driver
from terminal_sim.errors import PowerCut
from terminal_sim.flash import DESK_STEPS, STEPS, WHENS, CutPower, DirFlash, Power, SteadyPower
from terminal_sim.lab.api import Api
from terminal_sim.link import TcpLine
from terminal_sim.moves import (
    Adjust,
    Balance,
    Boot,
    Complete,
    Download,
    Echo,
    End,
    OfflineSale,
    Order,
    PreAuth,
    PreAuthVoid,
    Refund,
    Result,
    Sale,
    SendStored,
    Settle,
    SignOff,
    SignOn,
    Void,
)
from terminal_sim.new_terminal import new_memory
from terminal_sim.state import Memory
from terminal_sim.terminal import Terminal
from terminal_sim.wire import wire_for
from tests.support import matrix
from tests.support.matrix import (
    Named,
    Step,
    adjust,
    complete,
    increment,
    offline,
    plain_order,
    preauth,
    preauth_void,
    refund,
    sale,
    send,
    tip,
    void,
)
from tests.support.tcp_till import ANSWER_S, Screen

DIALECTS = matrix.DIALECTS
SETTLES_MAX = 6
AGAIN = 1000
"""Of the sale behind the cut; no scene has that amount. It may take a STAN that the cut order did not get to."""
SCRIPT = "841E000000"
"""APPLICATION BLOCK, EMV book 3, 6.5.1."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A step whose power fails there: what a later order then finds owed."""

    step: Step
    at: str
    when: str


@dataclass(frozen=True, slots=True)
class Spoilt:
    """The frozen figures are spoilt on the flash, 1.00 more in each sum: a dispute over rows that are right."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The back office closes the batch, and the terminal does not know."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One order that is cut. before: what stands when it begins. moves: the order has a transaction of its own, whose
    fate is looked up at the host. disputed: its batch ends not agreed, although no item differs."""

    name: str
    step: Step
    before: tuple[Step | Broken | Spoilt | Closed, ...] = ()
    families: tuple[str, ...] = DIALECTS
    moves: bool = True
    disputed: bool = False


def _chip_refused(amount: int) -> Step:
    card = card_from("credit1", "chip")
    return Step(lambda named: Sale(amount, card, chip_refuses=True), "refused", end=End.NOT_SENT)


SETTLE = Step(lambda named: Settle(), end=End.AGREED)
_SOLD = sale(5000)
_STORED = (_SOLD, offline(4000), tip(500, 5500))

SCENES = (
    Scene("sign-on", plain_order(SignOn()), moves=False),
    Scene("echo", plain_order(Echo()), moves=False),
    Scene("sign-off", plain_order(SignOff()), families=("cup", "iso87"), moves=False),
    Scene("download", plain_order(Download("parameters")), families=("cup",), moves=False),
    Scene("balance", Step(lambda named: Balance(card_from("credit1", "swipe"))), moves=False),
    Scene("sale", sale(5000)),
    Scene("sale, chip", sale(5000, entry="chip")),
    Scene("sale, declined", sale(5000, card="stolen", end=End.DECLINED, amount=None)),
    Scene("sale, the chip says no", _chip_refused(5000)),
    Scene("cash back", sale(9000, cash=4000), families=("nac", "iso87")),
    Scene("void", void(), (_SOLD,)),
    Scene("refund", refund(2000), (_SOLD,)),
    Scene("void of a refund", void("refund"), (_SOLD, refund(2000)), ("nac", "iso87")),
    Scene("pre-auth", preauth(7000)),
    Scene("pre-auth increment", increment(500), (preauth(7000),), ("cup", "iso87")),
    Scene("pre-auth void", preauth_void(), (preauth(7000),)),
    Scene("completion", complete(7000), (preauth(7000),)),
    Scene("completion void", void("completion"), (preauth(7000), complete(7000))),
    Scene("completion advice", complete(7000, advice=True), (preauth(7000),)),
    Scene("offline sale", offline(4000)),
    Scene("tip", tip(500, 5500), (_SOLD,)),
    Scene("adjust", adjust(6000), (_SOLD,)),
    Scene("send what is stored", send(), _STORED, moves=False),
    Scene("sale behind a reversal", sale(6000, "second"), (Broken(_SOLD, "recv", "after"),)),
    Scene("sale behind stored items", sale(6000, "second"), _STORED),
    Scene("sale behind a lost refund", sale(6000, "second"), (_SOLD, Broken(refund(2000), "recv", "after")), ("cup",)),
    Scene(
        "sale behind a script result",
        sale(6000, "second"),
        (sale(5000, entry="chip", script=True),),
        ("cup", "iso87"),
    ),
    Scene("settle, agreed", SETTLE, (_SOLD,), moves=False),
    Scene("settle behind a reversal", SETTLE, (_SOLD, Broken(sale(6000, "lost"), "recv", "after")), moves=False),
    Scene("settle with stored items", SETTLE, _STORED, moves=False),
    Scene("settle with a chip sale", SETTLE, (_SOLD, sale(6000, "chip", entry="chip")), moves=False),
    Scene(
        "settle, disputed",
        SETTLE,
        (_SOLD, sale(6000, "second"), offline(4000), send(), Broken(SETTLE, "freeze", "after"), Spoilt()),
        moves=False,
        disputed=True,
    ),
    Scene(
        "settle after a forced close",
        SETTLE,
        (_SOLD, Closed(), sale(6000, "second")),
        ("nac",),
        moves=False,
        disputed=True,
    ),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cut: the nth time that the order reaches the step."""

    scene: Scene
    dialect: str
    step: str
    when: str
    nth: int

    def __str__(self) -> str:
        return f"{self.scene.name}, {self.dialect}: {self.step}.{self.when} #{self.nth}"


class CountedPower(SteadyPower):
    """Never fails, and remembers which steps were reached."""

    def __init__(self) -> None:
        self.reached: Counter[tuple[str, str]] = Counter()

    def at(self, step: str, when: str) -> None:
        super().at(step, when)
        self.reached[step, when] += 1

    def steps(self) -> dict[str, int]:
        """How often each step was reached, in their order; a step has a before and an after."""
        for step in (*STEPS, *DESK_STEPS):
            before, after = (self.reached[step, when] for when in WHENS)
            assert before == after, f"{step}: {before} times begun and {after} times done"
        return {step: self.reached[step, "before"] for step in STEPS if self.reached[step, "before"]}


@dataclass
class PowerTill:
    """A terminal in a folder. connect: a listener URL."""

    folder: Path
    connect: str
    tid: str
    mid: str
    timeout_s: float = ANSWER_S
    number: int = 0
    stans: dict[str, str] = field(default_factory=dict)
    screen: Screen = field(default_factory=Screen)

    def __post_init__(self) -> None:
        self.wire = wire_for(self.connect)
        self._clock = SystemClock()
        memory = new_memory(self.tid, self.mid, self.connect, timeout_s=self.timeout_s)
        DirFlash(self.folder).create(memory)

    @property
    def path(self) -> Path:
        """Its flash."""
        return DirFlash(self.folder).path

    def waits(self, seconds: float) -> None:
        """How long it waits for an answer from now on."""
        self._set(timeout_s=seconds, settle_timeout_s=seconds)

    def connect_to(self, url: str) -> None:
        """Whom it calls from now on."""
        self.connect = url
        self._set(connect=url)

    def _set(self, **config: Any) -> None:
        memory = self.memory
        with DirFlash(self.folder) as flash:
            flash.save("operator", replace(memory, config=replace(memory.config, **config)))

    def seconds(self) -> float:
        """Its clock."""
        return self._clock.monotonic()

    @property
    def dialect(self) -> str:
        return self.wire.name

    @property
    def memory(self) -> Memory:
        return DirFlash(self.folder).load()

    def book(self) -> TerminalBook:
        return book(self.memory)

    def order(self, step: Step) -> Order:
        return step.order(Named(self.dialect, self.stans))

    def press(self, order: Order | None, power: Power | None = None, flash: DirFlash | None = None) -> Result | None:
        """Power on, do one order, power off; None: the power failed."""
        endpoint = parse(self.connect)
        line = TcpLine(endpoint, self._clock, connect_timeout_s=ANSWER_S, tries=1)
        flash = flash or DirFlash(self.folder, power)
        try:
            with flash:
                terminal = Terminal(self.wire, flash.load())
                return Driver(terminal, flash, line, self._clock, self.screen).run(Boot(order))
        except PowerCut:
            return None
        finally:
            line.close()

    def sign_on(self) -> PowerTill:
        """Where the dialect asks for it and nobody is."""
        if self.wire.profile.requires_sign_on and not self.memory.signed_on:
            assert self.ended(SignOn()).end is End.OK
        return self

    def ended(self, order: Order) -> Result:
        """An order that no cut disturbs."""
        result = self.press(order)
        assert result is not None
        return result

    def prepare(self, scene: Scene, api: Api) -> None:
        """Everything before the order that is cut."""
        self.sign_on()
        for part in scene.before:
            match part:
                case Broken(step, at, when):
                    self.stans[step.name] = self.memory.next_stan()
                    assert self.press(self.order(step), CutPower(at, when)) is None, "that step is not reached"
                case Spoilt():
                    self._spoil()
                case Closed():
                    force_close(api, self.tid)
                case Step():
                    if part.script:
                        api.ask("POST", "/issuer/scripts", {"card": "credit1", "commands": [SCRIPT]})
                    result = self.ended(self.order(part))
                    assert result.end is part.end, result
                    self.stans[part.name] = result.stan

    def _spoil(self) -> None:
        memory = self.memory
        assert memory.settlement is not None
        sums = tuple(replace(s, amount=s.amount + 100) if s.count else s for s in memory.settlement.totals.sums)
        with DirFlash(self.folder) as flash:
            flash.save("freeze", replace(memory, settlement=replace(memory.settlement, totals=Totals(sums))))

    def close_anyhow(self) -> bool:
        """Sell once more and settle, however that ends; whether each settlement agreed."""
        self.sign_on()
        self.ended(Sale(AGAIN, card_from("credit1", "swipe")))
        ends = []
        for _ in range(SETTLES_MAX):
            self.sign_on()
            ends.append(self.ended(Settle()).end)
            if ends[-1] is End.NOTHING:
                return set(ends) <= {End.AGREED, End.NOTHING}
        raise AssertionError(f"never closed: {ends}")

    def finish(self, *, agreed: bool = True) -> None:
        """The day goes on and is closed. agreed: what every settlement must come to; else one does not."""
        self.sign_on()
        again = Sale(AGAIN, card_from("credit1", "swipe"))
        sold = self.ended(again)
        if sold.end is End.DECLINED and not self.memory.signed_on:  # the host had heard the sign-off, and says so
            sold = self.sign_on().ended(again)
        settling = self.memory.settlement is not None
        assert sold.end is (End.REFUSED_LOCALLY if settling else End.APPROVED), sold.text
        for _ in range(SETTLES_MAX):
            ended = self.ended(Settle())
            if ended.end is End.NOTHING:
                break
            assert ended.end is End.AGREED or (not agreed and ended.end is End.NOT_AGREED), ended.text
        memory = self.memory
        assert (memory.rows, memory.pending, memory.settlement, memory.script) == ((), None, None, None)
        results = [archived.result for archived in memory.archive]
        assert results.count("not-agreed") == (not agreed), results


def force_close(api: Api, tid: str, reason: str = "test") -> dict[str, Any]:
    """The back office closes the terminal's open batch; the batch as it is then."""
    (batch,) = [b for b in api.items("/batches", tid=tid) if b["state"] in ("open", "disputed")]
    body = json.dumps({"user": "desk", "reason": reason}).encode()
    request = urllib.request.Request(f"{api.base}/api/v1/batches/{batch['id']}/close", data=body, method="POST")
    request.add_header("Content-Type", "application/json")
    request.add_header("Idempotency-Key", f"{tid}-{batch['id']}")
    with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
        closed: dict[str, Any] = json.load(answer)
    return closed


def scenes() -> Iterator[tuple[Scene, str]]:
    """Every scene in each of its dialects."""
    for scene in SCENES:
        for dialect in scene.families:
            yield scene, dialect


def words_of(order: Order) -> tuple[str, ...]:
    """What is typed for it, the folder left out: ACTION, then the rest."""
    found = _words(order)
    return tuple(str(word) for word in found if word != "")


def _words(order: Any) -> tuple[object, ...]:
    match order:
        case SignOn() | SignOff() | Echo() | Settle():
            return (type(order).__name__.lower(),)
        case SendStored():
            return ("send",)
        case Download(what):
            return "download", what
        case Balance():
            return "balance", *_card(order)
        case Sale():
            cash = ("--cash", order.cash) if order.cash else ()
            return "sale", order.amount, *_card(order), *cash, "--chip-refuses" if order.chip_refuses else ""
        case Void():
            return "void", "--stan", order.stan
        case Refund():
            return "refund", order.amount, "--stan", order.stan
        case PreAuth():
            more = ("--increment", "--stan", order.stan) if order.increment else ()
            return "preauth", order.amount, *_card(order), *more
        case PreAuthVoid():
            return "preauth-void", "--stan", order.stan
        case Complete():
            return "complete", order.amount, "--stan", order.stan, "--advice" if order.advice else ""
        case OfflineSale():
            return "offline-sale", order.amount, *_card(order)
        case Adjust():
            if order.tip:
                return "tip", order.tip, "--stan", order.stan
            return "adjust", order.amount, "--stan", order.stan
    raise AssertionError(f"no words for {order!r}")


_ENTRIES: Mapping[Entry, str] = {Entry.SWIPE: "swipe", Entry.CHIP: "chip"}


def _card(order: Any) -> tuple[str, ...]:
    return "--card", order.card.pan, "--entry", _ENTRIES[order.card.entry]
