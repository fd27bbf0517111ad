"""The order of checks of rules.md, section 2, as tables of small functions: the first that refuses decides.

    30 (the reader's) -> 97/89 terminal -> 03 merchant -> not signed on -> MAC        GATE, every message
    -> key (identity.rule)                                                           originals only
    -> closed batch -> type 12/40 -> amount 13/61 -> card 14/15/54
    -> original 25/12/64 -> PIN                                                      BODY, originals only
    -> funds (the issuer's word, an event of its own)

A refusal at the gate leaves no transaction: the next delivery is decided afresh.
"""

from __future__ import annotations

from hmac import compare_digest

from host.engine import batches, provisioning
from host.engine.case import Case as Case
from host.engine.case import Check as Check
from host.engine.effects import EFFECTS
from specs.codes import Refusal
from specs.errors import SecurityError
from specs.luhn import luhn_ok
from specs.operation import VOIDS, Card, Kind
from specs.profile import KeyScheme
from specs.security import MAC_ALGORITHMS, pin_from_block

#: What may be said without being signed on.
_WITHOUT_SIGN_ON = frozenset({Kind.SIGN_ON, Kind.SIGN_OFF, Kind.ECHO, Kind.DOWNLOAD})
#: Kinds that take an earlier one back whole: NAC may send them with 0, and no limit is asked.
_TAKE_BACK = VOIDS | {Kind.PRE_AUTH_VOID}


def first_refusal(case: Case, checks: tuple[tuple[str, Check], ...]) -> Refusal | None:
    """The first refusal in the order of the table; None when all pass."""
    for _, check in checks:
        refusal = check(case)
        if refusal is not None:
            return refusal
    return None


# ---- the gate


def known_terminal(case: Case) -> Refusal | None:
    """97 (89): a TID that is not provisioned; under `auto` it is made instead."""
    found = provisioning.terminal(case.draft, case.request)
    if isinstance(found, Refusal):
        return found
    case.terminal = found
    return None


def known_merchant(case: Case) -> Refusal | None:
    """03: a MID that is not provisioned or not this terminal's; under `auto` the terminal moves to it."""
    found = provisioning.merchant_of(case.draft, case.request, case.known_terminal)
    if isinstance(found, Refusal):
        return found
    case.terminal = found
    return None


def signed_on(case: Case) -> Refusal | None:
    """A terminal of a dialect with sign-on must be signed on; not asked of what comes before it."""
    if not case.profile.requires_sign_on or case.operation.kind in _WITHOUT_SIGN_ON:
        return None
    if case.operation.kind is Kind.OTHER and not case.request.mac.required:
        return None  # downloads and the like come before the sign-on as well as after it
    return None if case.known_terminal.signed_on else Refusal.NOT_SIGNED_ON


def good_mac(case: Case) -> Refusal | None:
    """Under the current key; or under an old one as long as the new one was never used (FC 23)."""
    terminal, evidence = case.known_terminal, case.request.mac
    case.key = terminal.key_in_use
    if not case.profile.mac or not evidence.required:
        return None
    if evidence.received is None:
        return Refusal.BAD_MAC
    algorithm = MAC_ALGORITHMS[case.profile.mac]
    for key in filter(None, (terminal.mak, *terminal.old_mak.split())):
        try:
            expected = algorithm(bytes.fromhex(key), evidence.covered)
        except SecurityError:  # a key that does not fit the algorithm verifies nothing
            continue
        if compare_digest(expected, evidence.received):
            case.key = key
            return None
    return Refusal.BAD_MAC


GATE: tuple[tuple[str, Check], ...] = (
    ("97/89 terminal", known_terminal),
    ("03 merchant", known_merchant),
    ("not signed on", signed_on),
    ("MAC", good_mac),
)


# ---- the body of an original


def open_batch(case: Case) -> Refusal | None:
    """The batch that the item goes into, or why it cannot: a closed or unknown number (rules.md, section 4)."""
    found = batches.item_batch(case.draft, case.request, case.known_terminal)
    if isinstance(found, Refusal):
        return found
    case.batch = found
    case.carried = batches.is_carried(case.draft, case.request, case.known_terminal, found)
    return None


def offered_type(case: Case) -> Refusal | None:
    """40: a kind that this host does not book, or an advice of what is only ever asked for (a sale by 0220)."""
    effect = EFFECTS.get(case.kind)
    if effect is None or (case.operation.advice and not effect.advice):
        return Refusal.NOT_OFFERED
    return None


def good_amount(case: Case) -> Refusal | None:
    """13: zero, a cash part or tip above the whole, or another currency than the terminal's (no code of the lists is
    nearer); 61: over the limit.

    A NAC void may carry 0: its original has the amount. A void is never over a limit that its sale passed.
    """
    operation, kind = case.operation, case.kind
    if kind is Kind.BALANCE:
        return None
    zero_allowed = kind in _TAKE_BACK and case.profile.key_scheme is not KeyScheme.WIRE_BATCH
    if not operation.amount and not zero_allowed:
        return Refusal.INVALID_AMOUNT
    amount = operation.amount or 0
    if max(operation.cash or 0, operation.tip or 0) > amount:
        return Refusal.INVALID_AMOUNT
    currency = case.known_terminal.currency
    if operation.currency and currency and operation.currency != currency:
        return Refusal.INVALID_AMOUNT
    too_much = kind not in _TAKE_BACK and amount > case.draft.ctx.settings.amount_max
    return Refusal.OVER_LIMIT if too_much else None


def good_card(case: Case) -> Refusal | None:
    """14: no number or a wrong check digit; 54: the month printed on the card is over.

    What names an original needs neither card nor valid date: the money goes where it came from.
    """
    card, effect = case.operation.card, EFFECTS[case.kind]
    if card is None or not card.pan:
        return Refusal.INVALID_CARD if effect.card else None
    if not luhn_ok(card.pan):
        return Refusal.INVALID_CARD
    expired = effect.expires and "" < expiry_of(card) < case.draft.ctx.month
    return Refusal.EXPIRED_CARD if expired else None


def expiry_of(card: Card) -> str:
    """YYMM from the message, else from track 2; "" when neither tells."""
    expiry = card.expiry or card.track2.replace("=", "D").partition("D")[2][:4]
    return expiry if len(expiry) == 4 and expiry.isdigit() else ""


def original(case: Case) -> Refusal | None:
    """25 not found, 12 not possible (any more), 61 and 64 amounts that do not fit: each kind has its own check."""
    names = EFFECTS[case.kind].names
    return names(case) if names is not None else None


def readable_pin(case: Case) -> Refusal | None:
    """99 (81): the PIN block is not ISO 9564 format 0 under the PIK. Whether the PIN is right, the issuer says."""
    block, terminal = case.operation.pin_block, case.known_terminal
    if block is None:
        return None
    if not terminal.pik:
        case.draft.note("PIN not looked at: this terminal has no PIN key")
        return None
    pan = case.operation.card.pan if case.operation.card else ""
    for number in (pan, None) if pan else (None,):  # DE 53 digit 1: with or without the card number
        try:
            case.pin = pin_from_block(block, number, bytes.fromhex(terminal.pik))
        except SecurityError:
            continue
        return None
    return Refusal.PIN_UNREADABLE


BODY: tuple[tuple[str, Check], ...] = (
    ("closed batch", open_batch),
    ("type 12/40", offered_type),
    ("amount 13/61", good_amount),
    ("card 14/15/54", good_card),
    ("original 25/12/61/64", original),
    ("PIN", readable_pin),
)
