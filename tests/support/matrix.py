"""The matrix operation × dialect as data: what is done at the terminal, and what the wire, the books and the totals
must then be. Every figure is worked out by hand from the steps and rules.md, section 5.

Each cell ends with a settlement; where a cell would leave nothing to settle, a sale of 10.00 stands in it.

Messages are written MTI/DE 3/60.1 in CUP (60.3 of management messages), MTI/DE 3 in NAC, and in ISO 87 MTI/DE 3 with
/90 behind it when DE 90 names an original, MTI/DE 70 of management messages; +DE 25 when it is not 00.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from terminal_sim.cards import card_from
from terminal_sim.moves import (
    Adjust,
    Balance,
    Complete,
    Download,
    Echo,
    End,
    OfflineSale,
    Order,
    PreAuth,
    PreAuthVoid,
    Refund,
    Sale,
    SendStored,
    Settle,
    SignOff,
    SignOn,
    Void,
)

DIALECTS = ("cup", "nac", "iso87")

Sums = frozenset[tuple[str, str, int, int]]
"""(side, group, count, amount) of every sum that is not zero."""


def cup(
    debit: tuple[int, int] = (0, 0), credit: tuple[int, int] = (0, 0), foreign_debit: tuple[int, int] = (0, 0)
) -> Sums:
    """DE 48 of the 0500."""
    named = {("domestic", "debit"): debit, ("domestic", "credit"): credit, ("foreign", "debit"): foreign_debit}
    return _sums(named)


def nac(sales: tuple[int, int] = (0, 0), refunds: tuple[int, int] = (0, 0)) -> Sums:
    """DE 63 of the 0500."""
    return _sums({("all", "sales"): sales, ("all", "refunds"): refunds})


def iso(
    debits: tuple[int, int] = (0, 0),
    debit_reversals: tuple[int, int] = (0, 0),
    credits_: tuple[int, int] = (0, 0),
    credit_reversals: tuple[int, int] = (0, 0),
) -> Sums:
    """DE 76/88, 77/89, 74/86, 75/87 of the 0500."""
    named = {("all", "debits"): debits, ("all", "debit-reversals"): debit_reversals}
    return _sums(named | {("all", "credits"): credits_, ("all", "credit-reversals"): credit_reversals})


def _sums(named: Mapping[tuple[str, str], tuple[int, int]]) -> Sums:
    return frozenset((side, group, *sums) for (side, group), sums in named.items() if sums != (0, 0))


def plain(count: int, amount: int) -> dict[str, Sums]:
    """Domestic sales that nothing happened to: the same figures in every dialect."""
    return {"cup": cup((count, amount)), "nac": nac((count, amount)), "iso87": iso((count, amount))}


# ---- steps


@dataclass(frozen=True, slots=True)
class Named:
    """What earlier steps left: STANs by name, and the card numbers of this dialect's own test cards."""

    dialect: str
    stans: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.stans[name]


@dataclass(frozen=True, slots=True)
class Step:
    """One key press. lost: the host drops the answer to a message of this kind, once. amount: what was approved."""

    order: Callable[[Named], Order]
    name: str = ""
    end: End = End.APPROVED
    code: str | None = None
    amount: int | None = None
    lost: str = ""
    says: str = ""
    script: bool = False
    """The issuer sends a script to the card with this answer."""


def sale(
    amount: int,
    name: str = "sale",
    /,
    *,
    card: str = "credit1",
    entry: str = "swipe",
    pin: str = "",
    tip: int = 0,
    cash: int = 0,
    **how: Any,
) -> Step:
    """card: a test card, or «own-…»: one of this dialect alone (see OWN_CARDS)."""

    def order(named: Named) -> Order:
        return Sale(amount, card_from(own(card, named.dialect), entry), tip, cash, pin)

    return Step(order, name, **({"amount": amount} | how))


def plain_order(order: Order, end: End = End.OK, **how: Any) -> Step:
    """An order that names nothing."""
    return Step(lambda named: order, end=end, **how)


def void(of: str = "sale", /, **how: Any) -> Step:
    return Step(lambda named: Void(named[of]), "void", **how)


def refund(amount: int, of: str = "sale", /, **how: Any) -> Step:
    return Step(lambda named: Refund(amount, stan=named[of]), "refund", **({"amount": amount} | how))


def preauth(amount: int, /, **how: Any) -> Step:
    card = card_from("credit1", "swipe")
    return Step(lambda named: PreAuth(amount, card), "auth", **({"amount": amount} | how))


def increment(amount: int, /, **how: Any) -> Step:
    card = card_from("credit1", "swipe")

    def order(named: Named) -> Order:
        return PreAuth(amount, card, increment=True, stan=named["auth"])

    return Step(order, "increment", **({"amount": amount} | how))


def preauth_void(**how: Any) -> Step:
    return Step(lambda named: PreAuthVoid(named["auth"]), "auth-void", **how)


def complete(amount: int, /, *, advice: bool = False, **how: Any) -> Step:
    def order(named: Named) -> Order:
        return Complete(named["auth"], amount=amount, advice=advice)

    return Step(order, "completion", **({"amount": amount} | how))


def offline(amount: int, entry: str = "swipe", /, **how: Any) -> Step:
    card = card_from("credit1", entry)
    return Step(lambda named: OfflineSale(amount, card), "offline", **({"amount": amount} | how))


def tip(tip_: int, total: int, of: str = "sale") -> Step:
    return Step(lambda named: Adjust(named[of], tip=tip_), "tip", amount=total)


def adjust(total: int, of: str = "sale") -> Step:
    return Step(lambda named: Adjust(named[of], amount=total), "adjust", amount=total)


def send(lost: str = "") -> Step:
    return Step(lambda named: SendStored(), end=End.OK, lost=lost)


OTHER = sale(1000, "other")
"""The sale that gives a cell something to settle."""

OWN_CARDS = {
    "own-partial": {"cup": "6217000000000006", "nac": "6217000000000014", "iso87": "6217000000000022"},
    "own-balance": {"cup": "6217000000000030", "nac": "6217000000000048", "iso87": "6217000000000055"},
    "own-pin": {"cup": "6217000000000063", "nac": "6217000000000071", "iso87": "6217000000000089"},
}
"""Cards with a limit or a counter: one for each dialect, so that no cell has to do with another's."""
OWN_PIN = "2468"
OWN_SETTINGS = {
    "own-partial": "balance = 5000\npartial = true",
    "own-balance": "balance = 12345",
    "own-pin": f'pin = "{OWN_PIN}"',
}


def own(card: str, dialect: str) -> str:
    """The number of a card of this dialect alone; other names as they are."""
    return OWN_CARDS[card][dialect] if card in OWN_CARDS else card


def configuration() -> str:
    """closeout.toml with the cards above."""
    tables = []
    for name, pans in OWN_CARDS.items():
        for dialect, pan in pans.items():
            head = f'[[card]]\nname = "{name}-{dialect}"\npan = "{pan}"\nexpiry = "3012"\nclass = "debit"\n'
            tables.append(head + OWN_SETTINGS[name] + "\n")
    return "\n".join(tables)


# ---- cells


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of the matrix. wire, books, totals: dialect -> what must be; books may be the same for all («*»).

    wire: the requests from the first step to before the settlement. books: GET /transactions, «kind state settlement
    amount» each. chip_items: chip records that go up although the totals agree (CUP, NAC). no: dialect -> (what the
    terminal says, why the dialect has no message for it); the step at `refused_at` is then refused at the terminal.
    note: what else is to be known of a dialect's cell.
    """

    operation: str
    steps: tuple[Step, ...]
    wire: Mapping[str, str]
    books: Mapping[str, str]
    totals: Mapping[str, Sums]
    no: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    chip_items: int = 0
    entry: str = ""
    note: Mapping[str, str] = field(default_factory=dict)
    refused_at: int = -1

    def books_of(self, dialect: str) -> list[str]:
        text = self.books.get(dialect) or self.books["*"]
        return [line.strip() for line in text.split(",")]


_SALE = {"cup": "0200/000000/22", "nac": "0200/000000", "iso87": "0200/000000"}
_NO_TRANSACTION = "has no such transaction"
_SOLD = "sale captured settled"
_OTHER = f"{_SOLD} 1000"


def _wire(cup_: str, nac_: str, iso_: str) -> dict[str, str]:
    """«S» stands for a plain sale."""
    texts = {"cup": cup_, "nac": nac_, "iso87": iso_}
    return {d: " ".join(_SALE[d] if word == "S" else word for word in text.split()) for d, text in texts.items()}


def _entry(entry: str, **how: Any) -> Cell:
    return Cell(
        f"sale, {entry}",
        (sale(12300, card="qr1" if entry == "qr" else "credit1", entry=entry),),
        _SALE,
        {"*": f"{_SOLD} 12300"},
        plain(1, 12300),
        entry=entry,
        **how,
    )


NO_NAC_SIGN_OFF = (_NO_TRANSACTION, "nac.md section 4 has a log-on and no log-off")
NO_DOWNLOAD = (_NO_TRANSACTION, "downloads are UnionPay's (cup.md 5.10); key downloads elsewhere are a vendor's own")

MANAGEMENT = (
    Cell(
        "sign-on",
        (plain_order(SignOn()), OTHER),
        _wire("0800/003 S", "0800/920000 S", "0800/001 S"),
        {"*": _OTHER},
        plain(1, 1000),
    ),
    Cell(
        "sign-off",
        (OTHER, plain_order(Settle(), End.AGREED), plain_order(SignOff())),
        _wire("S 0500/201 0320/207 0820/002", "S 0500/920000", "S 0500 0800/002"),
        {"*": _OTHER},
        plain(1, 1000),
        no={"nac": NO_NAC_SIGN_OFF},
    ),
    Cell(
        "echo",
        (plain_order(Echo()), OTHER),
        _wire("0820/301 S", "0800/990000 S", "0800/301 S"),
        {"*": _OTHER},
        plain(1, 1000),
    ),
    Cell(
        "parameter download",
        (OTHER, plain_order(Download("parameters"))),
        _wire("S 0800/360 0800/361", "S", "S"),
        {"*": _OTHER},
        plain(1, 1000),
        no={"nac": NO_DOWNLOAD, "iso87": NO_DOWNLOAD},
    ),
    Cell(
        "CA key download",
        (OTHER, plain_order(Download("ca-keys"))),
        _wire("S 0820/372 0800/370* 0800/371", "S", "S"),
        {"*": _OTHER},
        plain(1, 1000),
        no={"nac": NO_DOWNLOAD, "iso87": NO_DOWNLOAD},
    ),
    Cell(
        "IC parameter download",
        (OTHER, plain_order(Download("ic-parameters"))),
        _wire("S 0820/382 0800/380* 0800/381", "S", "S"),
        {"*": _OTHER},
        plain(1, 1000),
        no={"nac": NO_DOWNLOAD, "iso87": NO_DOWNLOAD},
    ),
    Cell(
        "status upload",
        (OTHER, plain_order(Download("status"))),
        _wire("S 0820/362", "S", "S"),
        {"*": _OTHER},
        plain(1, 1000),
        no={"nac": NO_DOWNLOAD, "iso87": NO_DOWNLOAD},
    ),
    Cell(
        "balance",
        (
            Step(
                lambda named: Balance(card_from(own("own-balance", named.dialect), "swipe")),
                end=End.APPROVED,
                says="123.45",
            ),
            OTHER,
        ),
        _wire("0200/310000/01 S", "0100/310000 S", "0100/310000 S"),
        {"*": f"balance declined none 0, {_OTHER}"},
        plain(1, 1000),
    ),
)

_NO_PARTS = ("has no tip or cash back here", "cup.md section 4: neither; a tip is a message of its own (60.1 = 34)")
_NO_KEY = ("no key to encrypt a PIN with", "no message here brings working keys, so nothing can encrypt the PIN")

SALES = (
    _entry("swipe"),
    _entry("manual"),
    _entry("chip", chip_items=1),
    _entry("tap", chip_items=1),
    _entry("fallback"),
    _entry("qr"),
    Cell(
        "script result",
        (sale(12300, entry="chip", script=True), OTHER),
        _wire("S 0620/000000/951 S", "S S", "S 0620/000000/90 S"),
        {"*": f"{_SOLD} 12300, {_OTHER}"},
        plain(2, 13300),
        entry="chip",
        chip_items=1,
        note={"nac": "no message for a script's result (nac.md section 4): nothing is sent and nothing owed"},
    ),
    Cell(
        "sale with PIN",
        (OTHER, sale(7700, card="own-pin", pin=OWN_PIN)),
        _wire("S S", "S", "S"),
        {"cup": f"{_OTHER}, {_SOLD} 7700", "*": _OTHER},
        plain(1, 1000) | {"cup": cup((2, 8700))},
        no={"nac": _NO_KEY, "iso87": _NO_KEY},
    ),
    Cell(
        "sale with a wrong PIN, locked at the fourth",
        (
            OTHER,
            *(sale(7700, card="own-pin", pin="1111", end=End.DECLINED, code="55", amount=None) for _ in range(3)),
            sale(7700, card="own-pin", pin=OWN_PIN, end=End.DECLINED, code="75", amount=None),
        ),
        _wire("S S S S S", "S", "S"),
        {"cup": ", ".join([_OTHER, *["sale declined none 7700"] * 4]), "*": _OTHER},
        plain(1, 1000),
        no={"nac": _NO_KEY, "iso87": _NO_KEY},
        refused_at=1,
    ),
    Cell(
        "sale, foreign card",
        (sale(3000, card="foreign1"),),
        _SALE,
        {"*": f"{_SOLD} 3000"},
        plain(1, 3000) | {"cup": cup(foreign_debit=(1, 3000))},
    ),
    Cell(
        "partial approval",
        (sale(8000, card="own-partial", end=End.PARTIAL, code="10", amount=5000),),
        _SALE,
        {"*": f"{_SOLD} 5000"},
        plain(1, 5000),
    ),
    Cell(
        "declined",
        (sale(5000, card="stolen", end=End.DECLINED, code="43", amount=None), OTHER),
        _wire("S S", "S S", "S S"),
        {"*": f"sale declined none 5000, {_OTHER}"},
        plain(1, 1000),
    ),
    Cell(
        "cash back",
        (OTHER, sale(9000, cash=4000)),
        _wire("S", "S 0200/090000", "S 0200/090000"),
        {"cup": _OTHER, "*": f"{_OTHER}, cash-back captured settled 9000"},
        plain(2, 10000) | {"cup": cup((1, 1000))},
        no={"cup": _NO_PARTS},
    ),
    Cell(
        "tip in the sale",
        (OTHER, sale(11000, tip=1000)),
        _wire("S", "S S", "S S"),
        {"cup": _OTHER, "*": f"{_OTHER}, {_SOLD} 11000"},
        plain(2, 12000) | {"cup": cup((1, 1000))},
        no={"cup": _NO_PARTS},
    ),
)

_VOIDED = "sale voided none"
_NO_REFUND_VOID = ("no message voids one here", "cup.md section 4 voids purchases and completions only")

VOIDS_AND_REFUNDS = (
    Cell(
        "void",
        (sale(5000), void(amount=5000), OTHER),
        _wire("S 0200/200000/23 S", "S 0200/020000 S", "S 0200/020000/90 S"),
        {"*": f"{_VOIDED} 5000, void captured settled 5000, {_OTHER}"},
        {"cup": cup((2, 6000), (1, 5000)), "nac": nac((1, 1000)), "iso87": iso((2, 6000), (1, 5000))},
    ),
    Cell(
        "void, all that was sold",
        (sale(5000), void(amount=5000)),
        _wire("S 0200/200000/23", "S 0200/020000", "S 0200/020000/90"),
        {"*": f"{_VOIDED} 5000, void captured settled 5000"},
        {"cup": cup((1, 5000), (1, 5000)), "nac": nac(), "iso87": iso((1, 5000), (1, 5000))},
    ),
    Cell(
        "void of a refund",
        (sale(5000), refund(2000), void("refund", amount=2000)),
        _wire("S 0220/200000/25", "S 0200/200000 0200/220000", "S 0200/200000/90 0200/220000/90"),
        {
            "cup": f"{_SOLD} 5000, refund captured settled 2000",
            "*": f"{_SOLD} 5000, refund voided none 2000, void captured settled 2000",
        },
        {
            "cup": cup((1, 5000), (1, 2000)),
            "nac": nac((1, 5000)),
            "iso87": iso((1, 5000), credits_=(1, 2000), credit_reversals=(1, 2000)),
        },
        no={"cup": _NO_REFUND_VOID},
    ),
    Cell(
        "refund, the sale named",
        (sale(5000), refund(2000)),
        _wire("S 0220/200000/25", "S 0200/200000", "S 0200/200000/90"),
        {"*": f"{_SOLD} 5000, refund captured settled 2000"},
        {
            "cup": cup((1, 5000), (1, 2000)),
            "nac": nac((1, 5000), (1, 2000)),
            "iso87": iso((1, 5000), credits_=(1, 2000)),
        },
    ),
    Cell(
        "refund, no sale named",
        (sale(5000), Step(lambda named: Refund(2000, card_from("credit1", "swipe")), "refund", amount=2000)),
        _wire("S", "S 0200/200000", "S 0200/200000"),
        {"cup": f"{_SOLD} 5000", "*": f"{_SOLD} 5000, refund captured settled 2000"},
        {"cup": cup((1, 5000)), "nac": nac((1, 5000), (1, 2000)), "iso87": iso((1, 5000), credits_=(1, 2000))},
        no={"cup": ("name the sale by STAN, or by RRN and date", "its 0220 names RRN or DE 61 (rules.md section 1)")},
    ),
)

_AUTH = _wire("0100/030000/10+06", "0100/300000+06", "0100/000000")
_NO_INCREMENT = ("has no message for an increment", "nac.md section 4 has none")

PRE_AUTHS = (
    Cell(
        "pre-auth",
        (preauth(10000), OTHER),
        _wire(f"{_AUTH['cup']} S", f"{_AUTH['nac']} S", f"{_AUTH['iso87']} S"),
        {"*": f"pre-auth authorised none 10000, {_OTHER}"},
        plain(1, 1000),
    ),
    Cell(
        "pre-auth increment",
        (OTHER, preauth(10000), increment(5000)),
        _wire(f"S {_AUTH['cup']} 0100/030000/10+60", f"S {_AUTH['nac']}", f"S {_AUTH['iso87']} 0100/000000/90"),
        {
            "nac": f"{_OTHER}, pre-auth authorised none 10000",
            "*": f"{_OTHER}, pre-auth authorised none 10000, pre-auth-increment authorised none 5000",
        },
        plain(1, 1000),
        no={"nac": _NO_INCREMENT},
    ),
    Cell(
        "pre-auth void",
        (preauth(10000), preauth_void(amount=10000), OTHER),
        _wire(
            f"{_AUTH['cup']} 0100/200000/11+06 S",
            f"{_AUTH['nac']} 0100/020000+06 S",
            f"{_AUTH['iso87']} 0100/020000/90 S",
        ),
        {"*": f"pre-auth voided none 10000, pre-auth-void captured none 10000, {_OTHER}"},
        plain(1, 1000),
    ),
    Cell(
        "completion by request",
        (preauth(10000), complete(9000)),
        _wire(
            f"{_AUTH['cup']} 0200/000000/20+06", f"{_AUTH['nac']} 0200/000000+06", f"{_AUTH['iso87']} 0200/000000/90+06"
        ),
        {"*": "pre-auth captured none 10000, completion captured settled 9000"},
        plain(1, 9000),
    ),
    Cell(
        "completion by advice",
        (preauth(10000), complete(11500, advice=True), send()),
        _wire(
            f"{_AUTH['cup']} 0220/000000/24+06", f"{_AUTH['nac']} 0220/000000+06", f"{_AUTH['iso87']} 0220/000000/90+06"
        ),
        {"*": "pre-auth captured none 10000, completion-advice captured settled 11500"},
        plain(1, 11500),
    ),
    Cell(
        "completion of an increased pre-auth",
        (preauth(10000), increment(5000), complete(15000)),
        _wire(
            f"{_AUTH['cup']} 0100/030000/10+60 0200/000000/20+06",
            "",
            f"{_AUTH['iso87']} 0100/000000/90 0200/000000/90+06",
        ),
        {"*": "pre-auth captured none 10000, pre-auth-increment captured none 5000, completion captured settled 15000"},
        plain(1, 15000),
    ),
    Cell(
        "completion void",
        (preauth(10000), complete(10000), void("completion", amount=10000), OTHER),
        _wire(
            f"{_AUTH['cup']} 0200/000000/20+06 0200/200000/21+06 S",
            f"{_AUTH['nac']} 0200/000000+06 0200/020000 S",
            f"{_AUTH['iso87']} 0200/000000/90+06 0200/020000/90 S",
        ),
        {
            "cup": "pre-auth authorised none 10000, completion voided none 10000, "
            f"completion-void captured settled 10000, {_OTHER}",
            "*": f"pre-auth authorised none 10000, completion voided none 10000, void captured settled 10000, {_OTHER}",
        },
        {"cup": cup((2, 11000), (1, 10000)), "nac": nac((1, 1000)), "iso87": iso((2, 11000), (1, 10000))},
    ),
)

ADVICES = (
    Cell(
        "offline sale",
        (offline(4000), send()),
        _wire("0220/000000/30", "0220/000000", "0220/000000"),
        {"*": "offline-sale captured settled 4000"},
        plain(1, 4000),
    ),
    Cell(
        "offline sale, chip",
        (offline(4000, "chip"), send()),
        _wire("0200/000000/36", "0220/000000", "0220/000000"),
        {"*": "offline-sale captured settled 4000"},
        plain(1, 4000),
    ),
    Cell(
        "void of an offline sale",
        (offline(4000), void("offline", amount=4000), OTHER),
        _wire("0220/000000/30 0200/200000/23 S", "0220/000000 0200/020000 S", "0220/000000 0200/020000/90 S"),
        {"*": f"offline-sale voided none 4000, void captured settled 4000, {_OTHER}"},
        {"cup": cup((2, 5000), (1, 4000)), "nac": nac((1, 1000)), "iso87": iso((2, 5000), (1, 4000))},
    ),
    Cell(
        "adjust",
        (sale(10000), adjust(12000), send()),
        _wire("S 0220/000000/32", "S 0220/020000", "S 0220/000000/90"),
        {"*": f"{_SOLD} 10000, adjust captured settled 12000"},
        plain(1, 12000),
    ),
    Cell(
        "tip",
        (sale(10000), tip(1000, 11000), send()),
        _wire("S 0220/000000/34", "S 0220/020000", "S 0220/000000/90"),
        {"*": f"{_SOLD} 10000, tip captured settled 11000"},
        plain(1, 11000),
    ),
    Cell(
        "void of a tipped sale",
        (sale(10000), tip(1000, 11000), void(amount=11000), OTHER),
        _wire("S 0220/000000/34 0200/200000/23 S", "S 0220/020000 0200/020000 S", "S 0220/000000/90 0200/020000/90 S"),
        {"*": f"{_VOIDED} 10000, tip voided none 11000, void captured settled 11000, {_OTHER}"},
        {"cup": cup((2, 12000), (1, 11000)), "nac": nac((1, 1000)), "iso87": iso((2, 12000), (1, 11000))},
    ),
)


# ---- answers that are lost


def _lost(
    operation: str, before: tuple[Step, ...], what: Step, after: tuple[Step, ...] = (OTHER,), **cell: Any
) -> Cell:
    return Cell(f"reversal of a lost {operation}", (*before, what, *after), **cell)


def _gone(kind: str) -> dict[str, Any]:
    return {"lost": kind, "end": End.UNKNOWN, "amount": None}


_NOT_REVERSED = ("", "an advice, which is repeated and never reversed (rules.md section 3)")

LOST = (
    _lost(
        "sale",
        (),
        sale(5000, **_gone("sale")),
        wire=_wire("S 0400/000000/22 S", "S 0400/000000 S", "S 0420/000000/90 S"),
        books={"*": f"sale reversed none 5000, {_OTHER}"},
        totals=plain(1, 1000) | {"iso87": iso((2, 6000), (1, 5000))},
    ),
    _lost(
        "cash back",
        (),
        sale(9000, cash=4000, **_gone("cash-back")),
        wire=_wire("", "0200/090000 0400/090000 S", "0200/090000 0420/090000/90 S"),
        books={"*": f"cash-back reversed none 9000, {_OTHER}"},
        totals=plain(1, 1000) | {"iso87": iso((2, 10000), (1, 9000))},
    ),
    _lost(
        "void",
        (sale(5000),),
        void(**_gone("void")),
        wire=_wire(
            "S 0200/200000/23 0400/200000/23 S",
            "S 0200/020000 0400/020000 S",
            "S 0200/020000/90 0420/020000/90 S",
        ),
        books={"*": f"{_SOLD} 5000, void reversed none 5000, {_OTHER}"},
        totals=plain(2, 6000),
    ),
    _lost(
        "refund",
        (sale(5000),),
        refund(2000, **_gone("refund")),
        wire=_wire("", "S 0200/200000 0400/200000 S", "S 0200/200000/90 0420/200000/90 S"),
        books={"*": f"{_SOLD} 5000, refund reversed none 2000, {_OTHER}"},
        totals={"nac": nac((2, 6000)), "iso87": iso((2, 6000), credits_=(1, 2000), credit_reversals=(1, 2000))},
    ),
    _lost(
        "void of a refund",
        (sale(5000), refund(2000)),
        void("refund", **_gone("void")),
        wire=_wire(
            "",
            "S 0200/200000 0200/220000 0400/220000 S",
            "S 0200/200000/90 0200/220000/90 0420/220000/90 S",
        ),
        books={"*": f"{_SOLD} 5000, refund captured settled 2000, void reversed none 2000, {_OTHER}"},
        totals={"nac": nac((2, 6000), (1, 2000)), "iso87": iso((2, 6000), credits_=(1, 2000))},
    ),
    _lost(
        "pre-auth",
        (),
        preauth(10000, **_gone("pre-auth")),
        wire=_wire(
            f"{_AUTH['cup']} 0400/030000/10+06 S",
            f"{_AUTH['nac']} 0400/300000+06 S",
            f"{_AUTH['iso87']} 0420/000000/90 S",
        ),
        books={"*": f"pre-auth reversed none 10000, {_OTHER}"},
        totals=plain(1, 1000),
    ),
    _lost(
        "increment",
        (preauth(10000),),
        increment(5000, **_gone("pre-auth-increment")),
        (complete(10000),),
        wire=_wire(
            f"{_AUTH['cup']} 0100/030000/10+60 0400/030000/10+60 0200/000000/20+06",
            "",
            f"{_AUTH['iso87']} 0100/000000/90 0420/000000/90 0200/000000/90+06",
        ),
        books={
            "*": "pre-auth captured none 10000, pre-auth-increment reversed none 5000, "
            "completion captured settled 10000"
        },
        totals=plain(1, 10000),
    ),
    _lost(
        "pre-auth void",
        (preauth(10000),),
        preauth_void(**_gone("pre-auth-void")),
        (complete(10000),),
        wire=_wire(
            f"{_AUTH['cup']} 0100/200000/11+06 0400/200000/11+06 0200/000000/20+06",
            f"{_AUTH['nac']} 0100/020000+06 0400/020000+06 0200/000000+06",
            f"{_AUTH['iso87']} 0100/020000/90 0420/020000/90 0200/000000/90+06",
        ),
        books={
            "*": "pre-auth captured none 10000, pre-auth-void reversed none 10000, completion captured settled 10000"
        },
        totals=plain(1, 10000),
    ),
    _lost(
        "completion",
        (preauth(10000),),
        complete(9000, **_gone("completion")),
        (complete(10000),),
        wire=_wire(
            f"{_AUTH['cup']} 0200/000000/20+06 0400/000000/20+06 0200/000000/20+06",
            f"{_AUTH['nac']} 0200/000000+06 0400/000000+06 0200/000000+06",
            f"{_AUTH['iso87']} 0200/000000/90+06 0420/000000/90+06 0200/000000/90+06",
        ),
        books={"*": "pre-auth captured none 10000, completion reversed none 9000, completion captured settled 10000"},
        totals=plain(1, 10000) | {"iso87": iso((2, 19000), (1, 9000))},
    ),
    _lost(
        "completion void",
        (preauth(10000), complete(10000)),
        void("completion", **_gone("completion-void")),
        wire=_wire(
            f"{_AUTH['cup']} 0200/000000/20+06 0200/200000/21+06 0400/200000/21+06 S",
            f"{_AUTH['nac']} 0200/000000+06 0200/020000 0400/020000 S",
            f"{_AUTH['iso87']} 0200/000000/90+06 0200/020000/90 0420/020000/90 S",
        ),
        books={
            "cup": "pre-auth captured none 10000, completion captured settled 10000, "
            f"completion-void reversed none 10000, {_OTHER}",
            "*": f"pre-auth captured none 10000, completion captured settled 10000, void reversed none 10000, {_OTHER}",
        },
        totals=plain(2, 11000),
    ),
)


def _again(advice: str, before: tuple[Step, ...], what: Step, kind: str, **cell: Any) -> Cell:
    """The first 0230 is lost; the advice goes again as it was (ISO 87: as 0221), and counts once."""
    return Cell(f"{advice} advice, its first 0230 lost", (*before, what, send(lost=kind)), **cell)


REPEATED = (
    _again(
        "offline sale",
        (),
        offline(4000),
        "offline-sale",
        wire=_wire("0220/000000/30 0220/000000/30", "0220/000000 0220/000000", "0220/000000 0221/000000"),
        books={"*": "offline-sale captured settled 4000"},
        totals=plain(1, 4000),
    ),
    _again(
        "tip",
        (sale(10000),),
        tip(1000, 11000),
        "tip",
        wire=_wire("S 0220/000000/34 0220/000000/34", "S 0220/020000 0220/020000", "S 0220/000000/90 0221/000000/90"),
        books={"*": f"{_SOLD} 10000, tip captured settled 11000"},
        totals=plain(1, 11000),
    ),
    _again(
        "adjust",
        (sale(10000),),
        adjust(8000),
        "adjust",
        wire=_wire("S 0220/000000/32 0220/000000/32", "S 0220/020000 0220/020000", "S 0220/000000/90 0221/000000/90"),
        books={"*": f"{_SOLD} 10000, adjust captured settled 8000"},
        totals=plain(1, 8000),
    ),
    _again(
        "completion",
        (preauth(10000),),
        complete(10000, advice=True),
        "completion-advice",
        wire=_wire(
            f"{_AUTH['cup']} 0220/000000/24+06 0220/000000/24+06",
            f"{_AUTH['nac']} 0220/000000+06 0220/000000+06",
            f"{_AUTH['iso87']} 0220/000000/90+06 0221/000000/90+06",
        ),
        books={"*": "pre-auth captured none 10000, completion-advice captured settled 10000"},
        totals=plain(1, 10000),
    ),
    Cell(
        "refund advice, its first 0230 lost",
        (sale(5000), refund(2000, **_gone("refund")), OTHER),
        {"cup": "0200/000000/22 0220/200000/25 0220/200000/25 0200/000000/22"},
        {"*": f"{_SOLD} 5000, refund captured settled 2000, {_OTHER}"},
        {"cup": cup((2, 6000), (1, 2000))},
    ),
)

CELLS = (*MANAGEMENT, *SALES, *VOIDS_AND_REFUNDS, *PRE_AUTHS, *ADVICES, *LOST, *REPEATED)

NO_CELL: Mapping[tuple[str, str], str] = {
    ("completion of an increased pre-auth", "nac"): _NO_INCREMENT[1],
    ("reversal of a lost cash back", "cup"): _NO_PARTS[1],
    ("reversal of a lost refund", "cup"): _NOT_REVERSED[1],
    ("reversal of a lost void of a refund", "cup"): _NO_REFUND_VOID[1],
    ("reversal of a lost increment", "nac"): _NO_INCREMENT[1],
    ("refund advice, its first 0230 lost", "nac"): "a refund is a request here, and reversed",
    ("refund advice, its first 0230 lost", "iso87"): "a refund is a request here, and reversed",
}
"""Cells whose operation has no message either, for the reason of the cell that is refused at the terminal above."""
