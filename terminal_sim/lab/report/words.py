"""What reports say in words: the classes and who loses by them, faults, steps, money and moments. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from specs.errors import SpecError
from specs.money import format_amount
from terminal_sim.lab.scenario import times

if TYPE_CHECKING:
    from specs.faults import Fault
    from terminal_sim.lab.report.shape import ExplorationShape, MoneyShape
    from terminal_sim.lab.scenario.model import StepSpec

MINUS = "−"
CLEAN = "clean"


@dataclass(frozen=True, slots=True)
class Tag:
    """An outcome class. letter: for the matrix, so that it can be read without colour. tone: of its colour."""

    name: str
    letter: str
    tone: str
    meaning: str


TAGS: tuple[Tag, ...] = (
    Tag("DC", "D", "bad", "the cardholder was charged twice"),
    Tag("CNSale", "P", "bad", "the cardholder paid for nothing"),
    Tag("CNS", "N", "bad", "the cardholder was charged and it was not settled"),
    Tag("SNF", "F", "bad", "goods were handed over and the shop gets nothing for them"),
    Tag("SNC", "C", "bad", "the shop gets money that the cardholder was never charged"),
    Tag("DS", "S", "bad", "the shop gets the money twice"),
    Tag("AMT", "A", "bad", "an amount is wrong"),
    Tag("STUCK", "X", "bad", "a terminal can no longer sell or settle"),
    Tag("TM", "T", "bad", "the totals of terminal and host do not agree"),
    Tag("late", "L", "late", "all is right in the end, after the promised day"),
    Tag(CLEAN, "·", "clean", "nobody lost anything"),
)
"""The worst first. Source: failure-catalogue.md, section 2."""
BY_NAME: Mapping[str, Tag] = {tag.name: tag for tag in TAGS}
_RANK: Mapping[str, int] = {tag.name: rank for rank, tag in enumerate(TAGS)}
UNKNOWN = Tag("?", "?", "bad", "a class that this page does not know")

LOSING = frozenset(
    {
        *("drop", "down", "refuse", "reset", "fin", "half-open", "truncate", "cross"),
        *("silence", "outage", "lose-after-issuer"),
    }
)
"""Actions after which a frame does not arrive, or not as a message, where it was going."""
LATE = frozenset({"delay", "late", "reorder", "drip", "coalesce"})
"""Actions after which it arrives later."""

PARTIES: tuple[str, ...] = ("cardholder", "merchant", "acquirer", "issuer")
_SHORT_OF: Mapping[str, str] = {
    "cardholder": "the cardholder is out",
    "merchant": "the merchant is out",
    "acquirer": "the acquirer is out",
    "issuer": "the issuer is out",
}


# ---- classes


def tag(name: str) -> Tag:
    """The class of a name; one that is not in the catalogue is shown as itself."""
    return BY_NAME.get(name, Tag(name, UNKNOWN.letter, UNKNOWN.tone, UNKNOWN.meaning))


def worst_first(classes: Iterable[str]) -> list[str]:
    """Names of classes, the worst first."""
    return sorted(set(classes), key=lambda name: (_RANK.get(name, -1), name))


def by_rank(ends: Iterable[str]) -> list[str]:
    """Ends, each of one class or of several with blanks between, the worst first."""
    return sorted(ends, key=lambda end: (_RANK.get(worst(end.split()).name, -1), end))


def worst(classes: Iterable[str]) -> Tag:
    """The worst of several classes; `clean` of none."""
    return tag(next(iter(worst_first(classes)), CLEAN))


def meaning(classes: Sequence[str]) -> str:
    """What several classes say together: "the cardholder paid for nothing; the totals … do not agree"."""
    return "; ".join(tag(name).meaning for name in worst_first(classes)) or tag(CLEAN).meaning


# ---- money


def money(minor: int, currency: str) -> str:
    """An amount for people, with a true minus: -26800 -> "−268.00"."""
    try:
        text = format_amount(minor, currency)
    except SpecError:
        text = str(minor)
    return text.replace("-", MINUS)


def signed(minor: int, shown: Callable[[int], str]) -> str:
    """Who is out how much: "+268.00", "−268.00", and "0" where nobody is. shown: how an amount is written."""
    if not minor:
        return "0"
    return f"{'+' if minor > 0 else ''}{shown(minor)}"


def losses(shares: MoneyShape, currency: str) -> str:
    """Who is out how much and who has it, in one clause; "" when nobody is."""
    worth = {name: int(shares[name]) for name in PARTIES}  # type: ignore[literal-required]
    out = [f"{_SHORT_OF[name]} {money(-amount, currency)}" for name, amount in worth.items() if amount < 0]
    has = [f"the {name} has {money(amount, currency)} too much" for name, amount in worth.items() if amount > 0]
    return ", ".join(out + has)


# ---- moments


def clock(start: str, seconds: float) -> str:
    """The time of day at so many seconds after the start; with the date's distance where the day is another one."""
    begin = datetime.fromisoformat(start)
    at = begin + timedelta(seconds=seconds)
    days = (at.date() - begin.date()).days
    return f"{at:%H:%M:%S}" + (f" +{days}d" if days else "")


def span(seconds: float) -> str:
    """A wait: 0.4 -> "0.4 s", 30 -> "30 s", 600 -> "10 min", 46800 -> "13 h"; a second unit where it counts."""
    tenths = round(seconds, 1)
    if tenths < 10 and tenths != int(tenths):
        return f"{tenths:.1f} s"
    whole = round(seconds)
    for size, unit, smaller, name in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            big, rest = divmod(whole, size)
            part = rest // smaller if big < 10 else 0
            return f"{big} {unit}" + (f" {part} {name}" if part else "")
    return f"{whole} s"


# ---- faults and steps


def fault_text(fault: Fault, start: str) -> str:
    """One fault in a line: "wire/H>T0000001/0210#1: delay, seconds 35". start: of its world."""
    parts = [fault.action]
    parts += [f"{name} {value}" for name, value in fault.params.items()]
    if when := _window(fault, start):
        parts.append(when)
    parts += [f"only {name} {value}" for name, value in fault.match.items()]
    if fault.phase:
        parts.append(fault.phase)
    if fault.probability < 1:
        parts.append(f"chance {fault.probability:g}, seed {fault.seed}")
    if fault.times != 1 and "#" not in fault.at:
        parts.append(f"{fault.times} times" if fault.times else "every time")
    return f"{fault.at}: {', '.join(parts)}"


def _window(fault: Fault, start: str) -> str:
    """ "from step S for 10 min", "from 14:03 until day2 00:30"; "" without one."""
    said = [f"from {_moment(fault.since, start)}"] if fault.since else []
    if fault.until.startswith("+") and _is_number(fault.until[1:]):
        said.append(f"for {span(float(fault.until))}")
    elif fault.until:
        said.append(f"until {_moment(fault.until, start)}")
    return " ".join(said)


def _moment(text: str, start: str) -> str:
    """ "step S", or the clock: "14:03", "day2 00:30"."""
    if text.startswith("step:"):
        return f"step {text.removeprefix('step:')}"
    if not _is_number(text):
        return text
    said = times.written(float(round(float(text))), datetime.fromisoformat(start))
    return said.removeprefix("day1 ") if isinstance(said, str) else f"{text} s"


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()


def schedule(faults: Sequence[Fault], start: str) -> list[str]:
    """A schedule, one fault a line; [] when there is none. start: of its world."""
    return [fault_text(fault, start) for fault in faults]


def step_text(step: StepSpec, shown: Callable[[int], str]) -> str:
    """What a step does: "sale 268.00, credit1", "void of A", "settle". shown: how an amount is written."""
    args = dict(step.args)
    parts = [step.do]
    amount = args.pop("amount", None)
    if isinstance(amount, int) and not isinstance(amount, bool):
        parts[0] += f" {shown(amount)}"
    if of := args.pop("of", None):
        parts[0] += f" of {of}"
    if card := args.pop("card", None):
        parts.append(str(card))
    waits = args.pop("seconds", None)
    if isinstance(waits, int | float) and not isinstance(waits, bool):
        parts[0] += f" {span(waits)}"
    parts += [f"{name} {value}" for name, value in args.items() if name not in ("pin", "currency")]
    return ", ".join(parts)


_STOPPED = {"time limit": "the time limit", "interrupted": "Ctrl-C"}


def stopped(found: ExplorationShape) -> str:
    """That an exploration was cut short, by what and how far it was; "" = it went to its end."""
    if not found["stopped"]:
        return ""
    done, firsts = found["counts"]["singles"], found["firsts"]
    far = f"{done:,} of {many(firsts, 'first fault')}" if firsts else many(found["counts"]["random"], "random schedule")
    return f"stopped by {_STOPPED.get(found['stopped'], found['stopped'])}: {far}"


def short(text: str, most: int) -> str:
    """A text of at most so many characters."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def many(number: int, noun: str) -> str:
    """A number and its noun: "1 run", "1,204 runs"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
