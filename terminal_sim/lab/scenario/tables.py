"""Every key of a scenario file, a row each: the reader, the JSON schema and docs/scenarios.md follow these tables.

Source: failure-catalogue.md, section 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from terminal_sim.lab.scenario import names
from terminal_sim.lab.scenario.kinds import Key

SWITCHES = "switches"
STEP_EXPECT = (
    Key("end", "words-or-word", "how the step ends", names=names.ends),
    Key("code", "code", "the response code"),
)
PROFILES = ("HC", "TC")
_THE_WORLDS = names.misplaced_bug("«bugs» of «world»")
_A_TERMINALS = names.misplaced_bug("«bugs» of a terminal")
_HOST_BUGS, _TERMINAL_BUGS = names.misplaced_bug("«host_bugs»"), names.misplaced_bug("«bugs»")
WORLD = (
    Key("dialect", "word", "of all terminals that say no other", default="cup", names=names.dialects),
    Key(
        "profile",
        "word",
        "approval = capture (HC), or at the settlement (TC)",
        default="HC",
        names=lambda: PROFILES,
    ),
    Key("start", "start", "the host's local time when it begins", default="2026-03-02T09:00"),
    Key("cutoff", "time-of-day", "when the host's day ends; «» midnight", default="23:00"),
    Key("holidays", "dates", "no working days: due dates of payouts move, and there are none yet"),
    Key("timeout", "seconds", "how long a terminal waits for an answer", default="30"),
    Key("settle_timeout", "seconds", "the same for 0500, 0520 and 0320", default="60"),
    Key("issuer_timeout", "seconds", "how long the host waits for the issuer", default="20"),
    Key("seed", "count", "of keys and RRNs; the same seed, the same run", default="7"),
    Key(SWITCHES, "switches", "the host's habits (rules.md), by name"),
    Key("bugs", "words", "planted bugs of the host", names=names.host_bugs, elsewhere=_A_TERMINALS),
    Key(
        "unknown_cards",
        "word",
        "a card that is no test card: an ordinary one, or 14",
        default="accept",
        names=lambda: ("accept", "refuse"),
    ),
)
TERMINAL = (
    Key("tid", "tid", "terminal id", needed=True),
    Key("unit", "name", "how the file calls it, where two units have one TID", default="the TID"),
    Key("mid", "mid", "merchant id", default="123456789012345"),
    Key("firmware", "word", "how it comes back after a power cut", default="reference", names=names.firmware),
    Key("bugs", "words", "planted bugs of the terminal", names=names.bugs, elsewhere=_THE_WORLDS),
    Key("dialect", "word", "what it speaks", default="as the world", names=names.dialects),
    Key("stan", "serial", "the last STAN that it has taken", default="000000"),
    Key("batch", "serial", "its open batch", default="000001"),
    Key("auto_settle", "time-of-day", "when it settles by itself; «» never"),
    Key("config", "settings", "its set-up, by name"),
)
OPERATOR = (
    Key("on_unknown", "word", "in doubt", default="query-then-rekey", names=names.habits),
    Key("max_tries", "times", "attempts of one purchase", default="3"),
    Key("rekey_on", "name", "the unit at which it is keyed again (rekey-on)"),
)
SETTLED = (
    Key("tid", "tid", "terminal id", needed=True),
    Key("batch", "serial", "its number", needed=True),
    Key("count", "count", "items that stand", needed=True),
    Key("amount", "net", "their net", needed=True),
)
PURCHASE = (
    Key("debited", "multiple", "what the issuer took"),
    Key("settled", "multiple", "what stands in closed batches"),
    Key("delivered", "multiple", "how often goods were handed over"),
)
EXPECT = (
    Key("class", "words-or-word", "the tags of the run, all of them", names=names.classes),
    Key("settled", "tables", "the closed batches that hold anything, all of them", keys=SETTLED),
    Key("exceptions", "words", "reasons on the host's lists, one each, in any order", names=names.reasons),
    Key("findings", "words", "invariants that are broken; without this key none may be", names=names.findings),
    Key("purchases", "table-of-tables", "intent -> figures, in multiples of its amount", keys=PURCHASE),
    Key("shown", "texts", "pieces of text that a screen shows"),
    Key("not_shown", "texts", "pieces of text that no screen shows"),
    Key(
        "steps",
        "table-of-tables",
        "step -> its end; for variants, where `expect` of the steps does not hold",
        keys=STEP_EXPECT,
    ),
)
NOT_VARIED = frozenset({"bugs", "holidays"})
"""Keys of the world that a variant does not change: bugs are `host_bugs`."""
VARIANT = (
    Key("name", "name", "stands in every report beside the slug", needed=True),
    Key(
        "bugs", "words", "planted bugs of the terminals, instead of the file's", names=names.bugs, elsewhere=_HOST_BUGS
    ),
    Key(
        "host_bugs",
        "words",
        "planted bugs of the host, instead of the file's",
        names=names.host_bugs,
        elsewhere=_TERMINAL_BUGS,
    ),
    Key("units", "texts", "the units that have the bugs", default="all"),
    Key("world", "table", "what is other in the world", keys=tuple(k for k in WORLD if k.name not in NOT_VARIED)),
    Key("operator", "table", "what is other with the operator", keys=OPERATOR),
    Key("expect", "table", "its own end; nothing of the file's holds", keys=EXPECT),
)
STEP = (
    Key("id", "name", "how others name it", needed=True),
    Key("at", "moment", "when it begins", default="as soon as the step before is over"),
    Key("do", "word", "what is done", needed=True, names=names.deeds),
    Key("tid", "text", "the terminal: its unit or TID", default="the only one, or that of `of`"),
    Key("intent", "name", "the purchase that it is part of"),
    Key("times", "times", "how often, one after the other; the further ones are called ID-2, ID-3, …", default="1"),
    Key("expect", "table", "how it ends", keys=STEP_EXPECT),
)
TOP = (
    Key("case", "count", "its number in the catalogue", default="0, none"),
    Key("title", "text", "a few words"),
    Key("waiting", "text", "why it cannot be played yet"),
    Key("world", "table", "the surroundings", keys=WORLD),
    Key("terminals", "tables", "the units", needed=True, keys=TERMINAL),
    Key("steps", "steps", "what is done", needed=True),
    Key("faults", "faults", "what goes wrong"),
    Key("operator", "table", "the operator's habits", keys=OPERATOR),
    Key("expect", "table", "how it must end", keys=EXPECT),
    Key("variants", "tables", "further runs of the same file", keys=VARIANT),
)

# ---- what a step needs, by its deed

TERMINAL_WORKS, HOST_WORKS, NOBODY_WORKS = "terminal", "host", "nobody"


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that a step may do. at: who needs a terminal named: TERMINAL_WORKS for what is done there, HOST_WORKS
    for what the host does about one, NOBODY_WORKS. of: what the step that `of` names must do. one_of: exactly one of
    these is given; any_of: at least one. intent: whether it may be part of a purchase."""

    name: str
    meaning: str
    args: tuple[Key, ...] = ()
    at: str = TERMINAL_WORKS
    of: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    intent: bool = False


_AMOUNT = Key("amount", "amount", "minor units, the whole", needed=True)
_CARD = Key("card", "card", "what is put in", default="credit1", names=names.cards)
_ENTRY = Key("entry", "word", "how it is read", default="swipe", names=names.entries)
_PIN = Key("pin", "text", "what is keyed; «card»: the card's own")
_OF = Key("of", "name", "the earlier step that it is about", needed=True)
_MAYBE_OF = replace(_OF, needed=False)
_STAN = Key("stan", "serial", "or a STAN, whatever has it")
_NAMED = (_MAYBE_OF, _STAN)
_BY = ("of", "stan")
_PART = replace(_AMOUNT, needed=False)
_AUTH = Key("auth_code", "text", "of a phone approval")
_SOLD = ("sale", "offline-sale", "complete", "refund", "void", "adjust", "tip", "recover")
WHICH = ("last", "settlement", "detail")
_DEEDS = (
    Deed(
        "sale",
        "sell",
        (
            *(_AMOUNT, _CARD, _ENTRY, _PIN),
            Key("tip", "amount", "part of the amount"),
            Key("cash", "amount", "part of the amount"),
            Key("chip_refuses", "switch", "the card says no after the host's yes", default="false"),
        ),
        intent=True,
    ),
    Deed("offline-sale", "sell without asking the host", (_AMOUNT, _CARD, _ENTRY, _AUTH), intent=True),
    Deed(
        "preauth",
        "reserve; with `of` add to a reservation",
        (_AMOUNT, _CARD, _ENTRY, _PIN, _MAYBE_OF),
        of=("preauth",),
        intent=True,
    ),
    Deed(
        "complete",
        "take money on a reservation, all of it or `amount`",
        (*_NAMED, _PART, Key("advice", "switch", "tell the host afterwards", default="false")),
        of=("preauth",),
        one_of=_BY,
        intent=True,
    ),
    Deed("preauth-void", "drop a reservation", _NAMED, of=("preauth",), one_of=_BY, intent=True),
    Deed(
        "refund",
        "give money back: for an earlier sale, or to a card without one",
        (_AMOUNT, *_NAMED, _CARD, _ENTRY),
        of=_SOLD,
        any_of=("of", "stan", "card"),
        intent=True,
    ),
    Deed("void", "cancel", _NAMED, of=_SOLD, one_of=_BY, intent=True),
    Deed("adjust", "another total", (_AMOUNT, *_NAMED), of=_SOLD, one_of=_BY, intent=True),
    Deed("tip", "a tip on top", (_AMOUNT, *_NAMED), of=_SOLD, one_of=_BY, intent=True),
    Deed("balance", "ask for the card's balance", (_CARD, _ENTRY, _PIN)),
    Deed("signon", "sign on: keys, date, batch number"),
    Deed("signoff", "sign off"),
    Deed("echo", "is the host there?"),
    Deed("settle", "close the batch"),
    Deed("send-stored", "send what is stored"),
    Deed("boot", "power off and on"),
    Deed("recover", "ask the host, then do one of reprint, sell again, wait", (_MAYBE_OF,), of=_SOLD, intent=True),
    Deed(
        "reprint",
        "print again: the slip of a step, or `which`",
        (_MAYBE_OF, Key("which", "word", "the slip", default="last", names=lambda: WHICH)),
        of=(*_SOLD, "preauth"),
        intent=True,
    ),
    Deed("clear-rev", "the supervisor deletes the reversal that is owed"),
    Deed("force-settle", "the service menu clears the journal, nothing is sent"),
    Deed(
        "swap",
        "another, empty unit takes its place",
        (
            Key("stan", "serial", "the last STAN that it has taken", default="000000"),
            Key("batch", "serial", "its open batch", default="000001"),
        ),
    ),
    Deed(
        "restore",
        "the flash is put back as it was before the step `of`",
        (_OF, Key("numbers", "switch", "its STAN goes on behind all that were taken since", default="true")),
    ),
    Deed("wipe-row", "the journal loses the row of a step", (_OF,), of=_SOLD),
    Deed(
        "force-close",
        "somebody at the host closes the terminal's open batch",
        (Key("reason", "text", "why", default="back office"),),
        at=HOST_WORKS,
    ),
    Deed("reset-terminal", "the host forgets the terminal's numbers", at=HOST_WORKS),
    Deed("cutoff", "the host's day ends now", at=NOBODY_WORKS),
    Deed(
        "restart-host",
        "the host stops and starts",
        (Key("seconds", "seconds", "how long it is away", default="1"),),
        at=NOBODY_WORKS,
    ),
    Deed("wait", "nobody does anything", (Key("seconds", "seconds", "how long", needed=True),), at=NOBODY_WORKS),
)
DEED: Mapping[str, Deed] = {deed.name: deed for deed in _DEEDS}
STARTING = frozenset({"sale", "offline-sale", "preauth", "complete", "refund", "recover"})
"""Deeds that can be the first of a purchase: an intent without one of them buys nothing."""


def step_keys(do: str) -> tuple[Key, ...]:
    """The keys of a step: those of every step, and those of its deed."""
    deed = DEED[do]
    without = {"tid"} if deed.at == NOBODY_WORKS else set()
    without |= set() if deed.intent else {"intent"}
    return (*(key for key in STEP if key.name not in without), *deed.args)
