"""The order of checks of rules.md, section 2, as tables of small functions: the first that refuses decides.

    30 (the reader's) -> 97/89 terminal -> 03 merchant -> not signed on -> MAC        GATE, every message
    -> key (identity.rule)                                                           originals only
    -> closed batch -> type 12/40 -> amount 13/61 -> card 14/15/54
    -> original 25/12/64 -> PIN                                                      BODY, originals only
    -> funds (the issuer's word, an event of its own)

A refusal at the gate leaves no transaction: the next delivery is decided afresh.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hmac import compare_digest

from host.engine import batches, originals, provisioning
from host.engine.draft import Draft
from host.engine.events import Request
from host.engine.identity import LIVE_BATCH
from host.rows import Batch, Terminal, Txn, TxnState
from specs.codes import Refusal
from specs.errors import SecurityError
from specs.luhn import luhn_ok
from specs.operation import Card, Kind, Operation
from specs.profile import KeyScheme, Profile
from specs.security import MAC_ALGORITHMS, pin_from_block

#: What may be said without being signed on.
_WITHOUT_SIGN_ON = frozenset({Kind.SIGN_ON, Kind.SIGN_OFF, Kind.ECHO})
_OFFERED = frozenset({Kind.BALANCE, Kind.SALE, Kind.VOID})
_WITH_AMOUNT = frozenset({Kind.SALE, Kind.VOID})
_WITH_CARD = frozenset({Kind.SALE, Kind.BALANCE})


@dataclass(slots=True)
class Case:
    """One request on its way through the checks, with what they found: the later ones and the decision use it.

    key: hex of the MAK that verified the request and so signs the answer. pin: clear digits, never stored or shown.
    """

    draft: Draft
    request: Request
    terminal: Terminal | None = None
    key: str = ""
    batch: Batch | None = None
    original: Txn | None = None
    pin: str = field(default="", repr=False)

    @property
    def operation(self) -> Operation:
        """What the message asks."""
        return self.request.operation

    @property
    def profile(self) -> Profile:
        """The switches of its dialect."""
        return self.request.profile

    @property
    def known_terminal(self) -> Terminal:
        """The terminal; only for checks behind the one that finds it."""
        assert self.terminal is not None, "asked for the terminal before the gate"
        return self.terminal


Check = Callable[[Case], Refusal | None]


def first_refusal(case: Case, checks: tuple[tuple[str, Check], ...]) -> Refusal | None:
    """The first refusal in the order of the table; None when all pass."""
    return next((refusal for _, check in checks if (refusal := check(case)) is not None), None)


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
    return None


def offered_type(case: Case) -> Refusal | None:
    """Advices (0220) and refunds are known and not offered here yet: 40."""
    if case.operation.kind not in _OFFERED or case.operation.advice:
        return Refusal.NOT_OFFERED
    return None


def good_amount(case: Case) -> Refusal | None:
    """13: zero, or another currency than the terminal's (no code of the lists is nearer); 61: over the limit.

    A NAC void may carry 0: its original has the amount. A void is never over a limit that its sale passed.
    """
    operation = case.operation
    if operation.kind not in _WITH_AMOUNT:
        return None
    zero_allowed = operation.kind is Kind.VOID and case.profile.key_scheme is not KeyScheme.WIRE_BATCH
    if not operation.amount and not zero_allowed:
        return Refusal.INVALID_AMOUNT
    currency = case.known_terminal.currency
    if operation.currency and currency and operation.currency != currency:
        return Refusal.INVALID_AMOUNT
    too_much = operation.kind is Kind.SALE and (operation.amount or 0) > case.draft.ctx.settings.amount_max
    return Refusal.OVER_LIMIT if too_much else None


def good_card(case: Case) -> Refusal | None:
    """14: no number or a wrong check digit; 54: the month printed on the card is over. A void needs no valid date."""
    card, kind = case.operation.card, case.operation.kind
    if card is None or not card.pan:
        return Refusal.INVALID_CARD if kind in _WITH_CARD else None
    if not luhn_ok(card.pan):
        return Refusal.INVALID_CARD
    expiry = expiry_of(card)
    expired = kind in _WITH_CARD and expiry != "" and expiry < case.draft.ctx.now.strftime("%y%m")
    return Refusal.EXPIRED_CARD if expired else None


def expiry_of(card: Card) -> str:
    """YYMM from the message, else from track 2; "" when neither tells."""
    from_track = card.track2.replace("=", "D").partition("D")[2][:4]
    expiry = card.expiry or from_track
    return expiry if len(expiry) == 4 and expiry.isdigit() else ""


def original(case: Case) -> Refusal | None:
    """25 not found, 12 no longer voidable, 64 another amount (rules.md, section 8)."""
    if case.operation.kind is not Kind.VOID:
        return None
    ws, terminal = case.draft.ws, case.known_terminal
    found = originals.named_by_void(ws, terminal, case.request)
    if found is None:
        return Refusal.ORIGINAL_NOT_FOUND
    batch = ws.get(Batch, found.batch_id)
    batch_open = batch is not None and batch.state in LIVE_BATCH
    being_voided = any(
        other.original_id == found.id and other.kind == Kind.VOID and other.state is TxnState.PENDING
        for leg in ws.unfinished_legs(terminal.tid)
        if (other := ws.txn(leg.txn_id)) is not None
    )
    if found.kind != Kind.SALE or found.state is not TxnState.CAPTURED or not batch_open or being_voided:
        return Refusal.VOID_NOT_POSSIBLE
    said = {case.operation.amount, case.operation.original.amount if case.operation.original else None}
    if said - {None, 0, found.approved_amount}:
        return Refusal.AMOUNT_DIFFERS
    case.original = found
    return None


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
    ("original 25/12/64", original),
    ("PIN", readable_pin),
)
