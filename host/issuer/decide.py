"""The issuer's decisions on its own books. Pure: (working set, ask, card, context) -> IssuerDecision.

A leg is idempotent by (transaction, leg number): what was done stands in an IssuerLeg, and a repeat is answered from
there. Its book has two kinds of accounts, and every entry sums to zero:

    cardholder:HASH     what the cardholder owes the issuer (debit balance)
    issuer-clearing     what the issuer owes acquirers (credit balance; the acquirer keeps the mirror image)

What is held is no money yet and has no entry: it is `IssuerAccount.held`, and lessens what is available,
limit - debited - held. An undo takes back exactly what its leg did to both. The two ends of one hold may cross on the
way when the issuer was away: until the owed one has come, `held` may be short of the sum of the holds.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from hashlib import blake2b

from host.engine.context import Context
from host.engine.draft import Draft
from host.engine.events import Ask, IssuerAnswer, IssuerDecision
from host.engine.working import WorkingSet
from host.issuer import chip
from host.issuer.cards import CardIndex
from host.issuer.scripts import Script
from host.rows import IssuerAccount, IssuerLeg, Leg, Posting
from specs.bins import Bins
from specs.codes import Refusal
from specs.values import replace

BOOK = "issuer"
CLEARING = "issuer-clearing"
DEBIT, CREDIT, HOLD, RELEASE, INQUIRY = "debit", "credit", "hold", "release", "inquiry"
DEBIT_AGAIN, HOLD_AGAIN = "debit-again", "hold-again"
OWING = "owing"
"""Leg.state of a leg that the acquirer owes: it has answered for it already, so it is never refused."""

UNDONE = "undone"
"""IssuerLeg.code of a leg that was undone before it came: a 0420 that overtook its request (FC 6, at this link)."""
PARTIAL = "partial"
PARTIAL_CODE = "10"
"""DE 39 of a partial approval, in every family: what the ARPC of one covers."""
PIN_TRIES_MAX = 3
"""Wrong PINs in a row; after them every PIN is 75, also the right one."""

NO_LIMIT = -1
NOMINAL_BALANCE = 100_000_000
"""Minor units: a card without a limit has no balance, and an inquiry shows this less what it owes."""


@dataclass(frozen=True, slots=True)
class _Move:
    """What a leg's amount does to the card: signs on what it owes and on what is held. asked: may be refused."""

    debited: int = 0
    held: int = 0
    asked: bool = False


_MOVES = {
    DEBIT: _Move(debited=+1, asked=True),
    CREDIT: _Move(debited=-1),
    HOLD: _Move(held=+1, asked=True),
    RELEASE: _Move(held=-1),
    INQUIRY: _Move(asked=True),
    DEBIT_AGAIN: _Move(debited=+1),
    HOLD_AGAIN: _Move(held=+1),
}
_STATUS_REFUSAL = {
    "expired": Refusal.EXPIRED_CARD.value,
    "stolen": Refusal.STOLEN_CARD.value,
    "lost": Refusal.LOST_CARD.value,
}
REFUSE = "refuse"
"""Settings.unknown_cards: a card that is neither listed nor in a configured BIN is 14."""


@dataclass(frozen=True, slots=True)
class CardData:
    """What the message to the issuer says of the card beside its hash. pan: masked."""

    pan: str
    organisation: str


@dataclass(frozen=True, slots=True)
class Known:
    """What the issuer knows before it looks into its books. script: one that waits for this card's chip."""

    cards: CardIndex
    bins: Bins = field(default_factory=Bins)
    script: Script | None = None


def answer(ws: WorkingSet, ask: Ask, card: CardData, known: Known, ctx: Context) -> IssuerDecision:
    """Answer one message over the link: the leg itself, or with `ask.undo` the 0420 that takes it back.

    ws holds the card's account and the legs of the transaction as far as they exist. The rows are to be committed, in
    a transaction of the issuer's own, before the answer leaves.
    """
    draft = Draft(ws, ctx)
    try:
        if ask.undo:
            return _undo(draft, ask.leg)
        before = ws.issuer_leg(ask.leg.txn_id, ask.leg.number)
        if before is not None:
            return _repeat(draft, ask.leg, before)
        account = ws.account(ask.leg.pan_hash) or draft.put(_new_account(draft, ask.leg, card, known))
        return _first(draft, ask, account, card, known)
    except BaseException:
        draft.discard()
        raise


def _first(draft: Draft, ask: Ask, account: IssuerAccount, data: CardData, known: Known) -> IssuerDecision:
    """A leg never seen: decide it, do it, remember it."""
    leg, card = ask.leg, known.cards.get(ask.leg.pan_hash)
    looked = chip.look(ask, card)
    stranger = draft.ctx.settings.unknown_cards == REFUSE and card is None and not known.bins.holds(data.pan)
    refusal, approved, account = _judge(
        draft,
        ask,
        account,
        of_card=Refusal.INVALID_CARD.value if stranger else _STATUS_REFUSAL.get(account.status, ""),
        of_chip=looked.refusal,
        partial=card is not None and card.partial,
    )
    code = refusal or (PARTIAL if approved < leg.amount else "")
    done = draft.put(_leg_row(draft, leg, approved, code, released=0 if refusal else leg.release))
    account = _move(draft, account, leg, done, +1, leg.purpose)
    return _with_chip(_said(draft, leg, done, account), ask, looked, known.script)


def _with_chip(said: IssuerDecision, ask: Ask, looked: chip.Looked, script: Script | None) -> IssuerDecision:
    """The same answer with what the chip's data came to, and on a yes with the issuer's own data for the card."""
    if looked is chip.NOTHING:
        return said
    scripts = (script,) if script is not None and looked.key is not None and said.answer.approved else ()
    data = b""
    if said.answer.approved:
        code = PARTIAL_CODE if said.answer.refusal == PARTIAL else ask.yes
        data = chip.answer_data(ask, looked, code, tuple(one.value for one in scripts))
    told = replace(said.answer, arqc=looked.result, chip=data, note=looked.note)
    return replace(said, answer=told, scripts=tuple(one.id for one in scripts))


def _judge(
    draft: Draft, ask: Ask, account: IssuerAccount, *, of_card: str, of_chip: str, partial: bool
) -> tuple[str, int, IssuerAccount]:
    """(refusal or "", approved amount, account). Order: the card, its chip, its PIN, its funds (rules.md, section 2).

    Only what is asked for may be refused: money going back, and what is owed, always passes. What draws on an earlier
    hold of the same card has its funds.
    """
    leg = ask.leg
    if leg.state == OWING or not _MOVES[leg.purpose].asked:
        return "", leg.amount, account
    if of_card or of_chip:
        return of_card or of_chip, 0, account
    wrong_pin, account = _pin(draft, ask, account)
    if wrong_pin:
        return wrong_pin, 0, account
    if leg.purpose == INQUIRY or leg.release > 0 or account.limit == NO_LIMIT or leg.amount <= _left(account):
        return "", leg.amount, account
    if partial and ask.partial and _left(account) > 0:
        return "", _left(account), account
    return Refusal.FUNDS.value, 0, account


def _pin(draft: Draft, ask: Ask, account: IssuerAccount) -> tuple[str, IssuerAccount]:
    """Check the PIN that came with it: (refusal or "", account). No PIN entered: nothing to check."""
    if not (ask.pin and account.pin_hash):
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
        if account is not None:
            _move(draft, account, leg, known, -1, "undo")
        known = draft.put(replace(known, undone=True))
    return IssuerDecision(
        puts=draft.puts, answer=IssuerAnswer(leg.id, leg.txn_id, "undo", True, known.approved_amount, ""), leg=known
    )


def _said(draft: Draft, leg: Leg, done: IssuerLeg, account: IssuerAccount | None) -> IssuerDecision:
    approved = done.code in ("", PARTIAL)
    refusal = done.code if approved else _refusal(done.code)
    balance = _balance(account) if approved and leg.purpose == INQUIRY and account is not None else -1
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


def _move(draft: Draft, account: IssuerAccount, leg: Leg, done: IssuerLeg, sign: int, reason: str) -> IssuerAccount:
    """What a leg did (sign +1), or what it did taken back (-1): at most one entry, by which the cardholder owes more or
    less and so does the issuer to acquirers, and what is held."""
    move = _MOVES[done.purpose]
    amount = sign * move.debited * done.approved_amount
    held = sign * (move.held * done.approved_amount - done.released)
    if amount:
        first, second, at = draft.new_id(Posting), draft.new_id(Posting), draft.now
        owed = f"cardholder:{account.pan_hash}"
        draft.put(Posting(first, first, BOOK, owed, amount, leg.currency, leg.txn_id, 0, reason, at))
        draft.put(Posting(second, first, BOOK, CLEARING, -amount, leg.currency, leg.txn_id, 0, reason, at))
    elif not held:
        return account
    return draft.put(replace(account, debited=account.debited + amount, held=account.held + held))


def _new_account(draft: Draft, leg: Leg, data: CardData, known: Known) -> IssuerAccount:
    """The account of a card at its first use: as the test card says, else an ordinary card without a limit, of the
    class of its BIN (the first six digits, which a masked number still shows)."""
    card = known.cards.get(leg.pan_hash)
    limit, status, card_class = NO_LIMIT, "ok", known.bins.card_class(data.pan) if data.pan else "credit"
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


def _leg_row(draft: Draft, leg: Leg, approved: int, code: str, *, released: int = 0, undone: bool = False) -> IssuerLeg:
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
        released=released,
    )


def _left(account: IssuerAccount) -> int:
    """What is available; only of a card with a limit."""
    return account.limit - account.debited - max(0, account.held)


def _balance(account: IssuerAccount) -> int:
    """What a balance answer shows; never negative, since the field has no room for it in every dialect."""
    limit = NOMINAL_BALANCE if account.limit == NO_LIMIT else account.limit
    return max(0, limit - account.debited - max(0, account.held))
