"""Why a check said no, for the people at the bench: which data element, what was expected, what came.

Asked only once a check has refused; one row a refusal. What is shown is safe: amounts, numbers of terminals and
batches, MACs (a cryptogram under a test key tells nothing of it) and check values, never a key or card data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from host.engine.case import Case
from host.engine.events import Remark
from host.engine.references import given, ref_of, rrn_of
from host.rows import Terminal
from specs.codes import Refusal
from specs.errors import SecurityError
from specs.kinds import ADJUSTMENTS, VOIDS, Kind
from specs.profile import KeyScheme
from specs.security import MAC_ALGORITHMS, kcv

_BLANK = "blanks"


def refusal(case: Case, why: Refusal) -> None:
    """Leave the remark beside the message; some refusals say enough by themselves."""
    remark = _REMARKS.get(why, _nothing)(case)
    if remark is not None:
        case.draft.note(remark)


def unseen(case: Case) -> None:
    """A reversal that names nothing: which of its elements did, and whose transactions are looked at."""
    case.draft.note(_original(case, _reversal_names(case)))


def _nothing(_case: Case) -> Remark | None:
    return None


# ---- the gate


def _terminal(case: Case) -> Remark:
    return Remark(41, "a terminal that is provisioned", case.operation.tid.strip() or _BLANK)


def _merchant(case: Case) -> Remark:
    """Another merchant than the terminal's own, or one that nobody provisioned."""
    own = case.terminal.mid if case.terminal else ""
    expected = f"{own}, the terminal's own merchant" if own else "a merchant that is provisioned"
    return Remark(42, expected, case.operation.mid.strip() or _BLANK)


def _sign_on(case: Case) -> Remark:
    return Remark(0, "a sign-on before it", f"{case.kind.value} of a terminal that is not signed on")


def _mac(case: Case) -> Remark:
    """The MAC that the key in force gives, and what else would have given the one that came."""
    terminal, evidence = case.known_terminal, case.request.mac
    key, name = terminal.mak or terminal.key_in_use, case.profile.mac
    got = evidence.received.hex().upper() if evidence.received else "none" if evidence.received is None else "no hex"
    expected = _computed(name, key, evidence.covered) if evidence.received is not None else None
    # Without a MAC the bitmap is another one, so there is nothing to compute it over.
    shown = expected.hex().upper() if expected else f"a MAC by {name}"
    words = [f"check value of the key {_check_value(key)}"] if key else ["the terminal has no MAC key"]
    words += [f"would fit {fitting}" for fitting in _fitting(case)]
    return Remark(case.request.mac.de, shown, got, "; ".join(words))


def _fitting(case: Case) -> Iterator[str]:
    """Every other algorithm and key that gives exactly the MAC that came; of algorithms that are one under this key,
    the first."""
    evidence, terminal = case.request.mac, case.known_terminal
    if not evidence.received:
        return
    for name, key in _keys(terminal, case.draft.ctx.settings.test_tmk):
        halves = ((name, key), (f"{name}, first half", key[:_SINGLE])) if len(key) > _SINGLE else ((name, key),)
        for shape, used in halves:
            fits = (a for a in _TITLES if _computed(a, used, evidence.covered) == evidence.received)
            if algorithm := next(fits, ""):
                yield f"{_TITLES[algorithm]} under {shape} (check value {_check_value(used)})"
                break


_SINGLE = 16
"""Hex digits of a single-length key."""


def _keys(terminal: Terminal, test_key: str) -> Iterator[tuple[str, str]]:
    """What a terminal may have taken for its MAC key, each once: (name, hex)."""
    named = (
        ("the MAK", terminal.mak),
        *((f"an earlier MAK ({n} sign-on{'s' if n > 1 else ''} ago)", key) for n, key in _earlier(terminal)),
        ("the PIN key", terminal.pik),
        ("the track key", terminal.tdk),
        ("the master key", terminal.tmk),
        ("the documented test key", test_key),
    )
    seen: set[str] = set()
    for name, key in named:
        if key and key not in seen:
            seen.add(key)
            yield name, key


def _earlier(terminal: Terminal) -> Iterator[tuple[int, str]]:
    yield from enumerate(reversed([*terminal.spent_mak.split(), *terminal.old_mak.split()]), start=1)


_TITLES: Mapping[str, str] = {
    "cup-ecb": "the CUP ECB MAC",
    "cup-ecb-3des": "the CUP ECB MAC with 3DES",
    "x9.9": "X9.9",
    "x9.9-ascii": "X9.9 as ASCII",
    "x9.19": "X9.19",
    "x9.19-ascii": "X9.19 as ASCII",
    "cup-cbc": "the CUP CBC MAC",
}
"""Every algorithm in words; of two that are one under a single-length key, the better known stands first."""
assert _TITLES.keys() == MAC_ALGORITHMS.keys()


def _computed(algorithm: str, key: str, covered: bytes) -> bytes | None:
    """None where the key does not fit the algorithm."""
    try:
        return MAC_ALGORITHMS[algorithm](bytes.fromhex(key), covered)
    except SecurityError:
        return None


def _check_value(key: str) -> str:
    return kcv(bytes.fromhex(key)).hex().upper()


# ---- the body


def _amount(case: Case) -> Remark:
    """In the order in which checks.good_amount asks."""
    operation, currency = case.operation, case.known_terminal.currency
    amount, part = operation.amount or 0, max(operation.cash or 0, operation.tip or 0)
    if part > amount:
        return Remark(54, f"a part of at most {amount} minor units", str(part))
    if amount and operation.currency and operation.currency != currency:
        return Remark(49, f"{currency}, the terminal's currency", operation.currency)
    return Remark(4, "an amount above 0", str(amount))


def _limit(case: Case) -> Remark:
    return Remark(4, f"at most {case.draft.ctx.settings.amount_max} minor units", str(case.operation.amount))


def _card(case: Case) -> Remark:
    card = case.operation.card
    got = "one with a wrong check digit" if card and card.pan else "none"
    return Remark(_card_de(case), "a card number with a right check digit", got)


def _expiry(case: Case) -> Remark:
    return Remark(_card_de(case, 14), "a card that is still valid", "one whose month is over")


def _card_de(case: Case, typed: int = 2) -> int:
    return 35 if case.operation.card and case.operation.card.track2 else typed


def _batch(case: Case) -> Remark:
    open_one = case.draft.ws.open_batch(case.known_terminal.tid)
    expected = f"batch {open_one.number}, the open one" if open_one else "the number of the open batch"
    return Remark(60, expected, f"batch {case.operation.batch}")


def _not_found(case: Case) -> Remark | None:
    return _original(case, _names(case))


def _original(case: Case, named: tuple[int, str]) -> Remark:
    """Whose transactions were looked at: an original of another terminal is never touched (rules.md, section 1)."""
    de, got = named
    whose = f"terminal {case.known_terminal.tid.strip()}"
    if case.kind not in VOIDS | ADJUSTMENTS | {Kind.REVERSAL}:
        whose += " or its merchant"
    return Remark(de, f"the name of a transaction of {whose}", f"{got}: none has it")


def _names(case: Case) -> tuple[int, str]:
    """The element by which this dialect names an original, and its safe value."""
    ref, scheme = ref_of(case.request), case.profile.key_scheme
    rrn = rrn_of(case.operation)
    if scheme is KeyScheme.WIRE_BATCH:
        return (61, f"batch {ref.batch}, STAN {ref.stan}") if given(ref.stan) else (37, f"RRN {rrn}")
    if scheme is KeyScheme.LOCAL_TIME and given(ref.stan):
        return 90, f"STAN {ref.stan}"
    if rrn:
        return 37, f"RRN {rrn}"
    return 62, f"invoice {ref.invoice or case.operation.invoice}"


def _reversal_names(case: Case) -> tuple[int, str]:
    """A reversal names by its own STAN but in ISO 87, where DE 90 does when it is given."""
    ref, operation = ref_of(case.request), case.operation
    if case.profile.key_scheme is KeyScheme.LOCAL_TIME and given(ref.stan):
        return 90, f"STAN {ref.stan}"
    batch = f"batch {operation.batch}, " if operation.batch else ""
    return 11, f"{batch}STAN {operation.stan}"


_REMARKS: Mapping[Refusal, Callable[[Case], Remark | None]] = {
    Refusal.UNKNOWN_TERMINAL: _terminal,
    Refusal.UNKNOWN_MERCHANT: _merchant,
    Refusal.NOT_SIGNED_ON: _sign_on,
    Refusal.BAD_MAC: _mac,
    Refusal.CLOSED_BATCH: _batch,
    Refusal.UNKNOWN_BATCH: _batch,
    Refusal.INVALID_AMOUNT: _amount,
    Refusal.OVER_LIMIT: _limit,
    Refusal.INVALID_CARD: _card,
    Refusal.EXPIRED_CARD: _expiry,
    Refusal.ORIGINAL_NOT_FOUND: _not_found,
}
