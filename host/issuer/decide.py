"""The issuer's decisions on its own books. Pure: (working set, ask, card, context) -> IssuerDecision.

A leg is idempotent by (transaction, leg number): what was done stands in an IssuerLeg, and a repeat is answered from
there. Its book has two kinds of accounts, and every entry sums to zero:

    cardholder:HASH     what the cardholder owes the issuer (debit balance)
    issuer-clearing     what the issuer owes acquirers (credit balance; the acquirer keeps the mirror image)
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from hashlib import blake2b

from host.engine.context import Context
from host.engine.draft import Draft
from host.engine.events import Ask, IssuerAnswer, IssuerDecision
from host.engine.working import WorkingSet
from host.issuer.cards import CardIndex
from host.rows import IssuerAccount, IssuerLeg, Leg, Posting
from specs.codes import Refusal
from specs.testcards import TestCard

BOOK = "issuer"
CLEARING = "issuer-clearing"
DEBIT, CREDIT, DEBIT_AGAIN, INQUIRY = "debit", "credit", "debit-again", "inquiry"

UNDONE = "undone"
"""IssuerLeg.code of a leg that was undone before it came: a 0420 that overtook its request (FC 6, at this link)."""
PARTIAL = "partial"
PIN_TRIES_MAX = 3
"""Wrong PINs in a row; after them every PIN is 75, also the right one."""

NO_LIMIT = -1
NOMINAL_BALANCE = 100_000_000
"""Minor units: a card without a limit has no balance, and an inquiry shows this less what it owes."""

_SIGN = {DEBIT: +1, DEBIT_AGAIN: +1, CREDIT: -1, INQUIRY: 0}
"""Purpose -> direction of the amount on the cardholder's account."""
_STATUS_REFUSAL = {"expired": Refusal.EXPIRED_CARD, "stolen": Refusal.STOLEN_CARD, "lost": Refusal.LOST_CARD}


@dataclass(frozen=True, slots=True)
class CardData:
    """What the message to the issuer says of the card beside its hash. pan: masked."""

    pan: str
    organisation: str


def answer(ws: WorkingSet, ask: Ask, card: CardData, cards: CardIndex, ctx: Context) -> IssuerDecision:
    """Answer one message over the link: the leg itself, or with `ask.undo` the 0420 that takes it back.

    ws holds the card's account and the legs of the transaction as far as they exist. The rows are to be committed, in
    a transaction of the issuer's own, before the answer leaves.
    """
    draft = Draft(ws, ctx)
    try:
        if ask.undo:
            return _undo(draft, ask.leg)
        known = ws.issuer_leg(ask.leg.txn_id, ask.leg.number)
        if known is not None:
            return _repeat(draft, ask.leg, known)
        account = ws.account(ask.leg.pan_hash) or draft.put(_new_account(draft, ask.leg, card, cards))
        refusal, account = _pin(draft, ask, account)
        return _first(draft, ask.leg, account, cards.get(ask.leg.pan_hash), refusal)
    except BaseException:
        draft.discard()
        raise


def _first(draft: Draft, leg: Leg, account: IssuerAccount, card: TestCard | None, wrong_pin: str) -> IssuerDecision:
    """A leg never seen: decide it, do it, remember it. Order: the card, its PIN, its funds (rules.md, section 2)."""
    refusal, approved = _judge(leg, account, partial=card is not None and card.partial, wrong_pin=wrong_pin)
    if not refusal and _SIGN[leg.purpose]:
        account = _move(draft, account, leg, _SIGN[leg.purpose] * approved, leg.purpose)
    code = refusal or (PARTIAL if approved < leg.amount else "")
    done = draft.put(_leg_row(draft, leg, approved, code, undone=False))
    return _said(draft, leg, done, account)


def _pin(draft: Draft, ask: Ask, account: IssuerAccount) -> tuple[str, IssuerAccount]:
    """Check the PIN that came with a debit or inquiry: (refusal or "", account). No PIN entered: nothing to check."""
    checked = ask.leg.purpose in (DEBIT, INQUIRY) and account.status == "ok"
    if not (checked and ask.pin and account.pin_hash):
        return "", account
    if account.pin_tries >= PIN_TRIES_MAX:
        return Refusal.PIN_TRIES.value, account
    right = hmac.compare_digest(pin_digest(account.pan_hash, ask.pin), account.pin_hash)
    tries = 0 if right else account.pin_tries + 1
    if tries != account.pin_tries:
        account = draft.put(replace(account, pin_tries=tries))
    return "" if right else Refusal.WRONG_PIN.value, account


def pin_digest(hash_of_card: str, pin: str) -> str:
    """What the issuer keeps of a PIN; keyed by the card so that equal PINs look different."""
    return blake2b(pin.encode("ascii"), key=hash_of_card.encode("ascii"), digest_size=16).hexdigest()


def _judge(leg: Leg, account: IssuerAccount, *, partial: bool, wrong_pin: str) -> tuple[str, int]:
    """(refusal or "", approved amount). Only a debit may be refused: money going back, or owed again, always passes."""
    if leg.purpose not in (DEBIT, INQUIRY):
        return "", leg.amount
    if account.status in _STATUS_REFUSAL:
        return _STATUS_REFUSAL[account.status].value, 0
    if wrong_pin:
        return wrong_pin, 0
    if leg.purpose == INQUIRY or account.limit == NO_LIMIT or leg.amount <= _left(account):
        return "", leg.amount
    if partial and _left(account) > 0:
        return "", _left(account)
    return Refusal.FUNDS.value, 0


def _repeat(draft: Draft, leg: Leg, known: IssuerLeg) -> IssuerDecision:
    """The same leg again: the same answer, nothing done; once undone it is refused for good."""
    account = draft.ws.account(known.pan_hash)
    if known.undone:
        known = replace(known, code=UNDONE, approved_amount=0)
    return _said(draft, leg, known, account)


def _undo(draft: Draft, leg: Leg) -> IssuerDecision:
    """Take a leg back once, however often it is asked; an unknown one is remembered as undone, should it still come."""
    known = draft.ws.issuer_leg(leg.txn_id, leg.number)
    if known is None:
        known = draft.put(_leg_row(draft, leg, 0, UNDONE, undone=True))
    elif not known.undone:
        account = draft.ws.account(known.pan_hash)
        moved = _SIGN[known.purpose] * known.approved_amount
        if moved:
            assert account is not None, "a leg that moved money has an account"
            _move(draft, account, leg, -moved, "undo")
        known = draft.put(replace(known, undone=True))
    return IssuerDecision(
        puts=draft.puts, answer=IssuerAnswer(leg.id, leg.txn_id, "undo", True, known.approved_amount, ""), leg=known
    )


def _said(draft: Draft, leg: Leg, done: IssuerLeg, account: IssuerAccount | None) -> IssuerDecision:
    approved = done.code in ("", PARTIAL)
    refusal = done.code if approved else _refusal(done.code)
    shown = account is not None and approved and leg.purpose == INQUIRY
    balance = _balance(account) if account is not None and shown else -1
    return IssuerDecision(
        puts=draft.puts,
        answer=IssuerAnswer(
            leg.id, leg.txn_id, leg.purpose, approved, done.approved_amount if approved else 0, refusal, balance
        ),
        leg=done,
    )


def _refusal(code: str) -> str:
    """What a stored code says to the acquirer; a leg that was undone first never was a transaction."""
    return Refusal.DO_NOT_HONOUR.value if code == UNDONE else code


def _move(draft: Draft, account: IssuerAccount, leg: Leg, amount: int, reason: str) -> IssuerAccount:
    """One entry: the cardholder owes `amount` more (less, when negative), and so does the issuer to acquirers."""
    if amount == 0:
        return account
    lines = ((f"cardholder:{account.pan_hash}", amount), (CLEARING, -amount))
    entry_id = 0
    for name, value in lines:
        row_id = draft.new_id(Posting)
        entry_id = entry_id or row_id
        draft.put(Posting(row_id, entry_id, BOOK, name, value, leg.currency, leg.txn_id, 0, reason, draft.now))
    return draft.put(replace(account, debited=account.debited + amount))


def _new_account(draft: Draft, leg: Leg, data: CardData, cards: CardIndex) -> IssuerAccount:
    """The account of a card at its first use: as the test card says, else an ordinary credit card without a limit."""
    card = cards.get(leg.pan_hash)
    limit, status, card_class = NO_LIMIT, "ok", "credit"
    if card is not None:
        limit = NO_LIMIT if card.balance is None else card.balance
        status = "stolen" if card.stolen else "lost" if card.lost else "expired" if card.expired else "ok"
        card_class = card.card_class
    return IssuerAccount(
        id=draft.new_id(IssuerAccount),
        pan_hash=leg.pan_hash,
        pan=data.pan,
        organisation=card.organisation if card is not None else data.organisation,
        card_class=card_class,
        status=status,
        limit=limit,
        debited=0,
        pin_hash=pin_digest(leg.pan_hash, card.pin) if card is not None and card.pin else "",
        pin_tries=0,
    )


def _leg_row(draft: Draft, leg: Leg, approved: int, code: str, *, undone: bool) -> IssuerLeg:
    return IssuerLeg(
        id=draft.new_id(IssuerLeg),
        txn_id=leg.txn_id,
        number=leg.number,
        purpose=leg.purpose,
        amount=leg.amount,
        approved_amount=approved,
        code=code,
        pan_hash=leg.pan_hash,
        undone=undone,
        at=draft.now,
    )


def _left(account: IssuerAccount) -> int:
    return account.limit - account.debited


def _balance(account: IssuerAccount) -> int:
    """What a balance answer shows; never negative, since the field has no room for it in every dialect."""
    limit = NOMINAL_BALANCE if account.limit == NO_LIMIT else account.limit
    return max(0, limit - account.debited)
