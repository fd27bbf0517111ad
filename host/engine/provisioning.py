"""Who may speak: terminals and merchants, provisioned on first contact or by configuration only.

auto: merchant and terminal appear with their first message, with the documented test master key; the first batch adopts
the number of that message (batches.py). strict: an unknown terminal is 97 (89), an unknown or another merchant 03.
"""

from __future__ import annotations

from host.engine.draft import Draft
from host.engine.events import Request
from host.rows import Merchant, Terminal
from specs.codes import Refusal
from specs.values import replace

AUTO = "auto"
_LAST_BEFORE_WRAP = 999_000
_REUSE_DISTANCE = 50
"""Out-of-order and repeated messages stay within this many numbers of the newest (rules.md, section 4)."""
TELLING_STANS_MAX = 5
"""A re-flashed terminal goes on from 000001: the first message after its sign-on has one of these numbers."""


def terminal(draft: Draft, request: Request) -> Terminal | Refusal:
    """The terminal that speaks: known, or new when provisioning is auto."""
    operation, settings = request.operation, draft.ctx.settings
    found = draft.ws.terminal(operation.tid)
    if found is not None:
        return found
    if settings.provisioning != AUTO or not operation.tid:
        return Refusal.UNKNOWN_TERMINAL
    draft.note("terminal is new here: provisioned with the documented test key")
    # Lost in a crash before the commit, it is made again by the same message's next delivery.
    return draft.put(
        Terminal(
            id=draft.new_id(Terminal),
            tid=operation.tid,
            mid=operation.mid,
            dialect=request.dialect,
            provisioned=AUTO,
            signed_on=False,
            tmk=settings.test_tmk,
            pik="",
            mak="",
            tdk="",
            old_mak="",
            epoch=1,
            last_stan="",
            last_seen=draft.now,
            currency="",
        )
    )


def merchant_of(draft: Draft, request: Request, terminal: Terminal) -> Terminal | Refusal:
    """The terminal under the merchant that its message names.

    A message without DE 42 speaks for the terminal's own merchant. In auto a terminal that came by itself may move.
    """
    mid, strict = request.operation.mid, draft.ctx.settings.provisioning != AUTO
    if not mid:
        return terminal
    if draft.ws.merchant(mid) is None:
        if strict:
            return Refusal.UNKNOWN_MERCHANT
        currency = request.operation.currency or draft.ctx.settings.currency
        draft.put(Merchant(draft.new_id(Merchant), mid, mid, currency, AUTO))
    if terminal.mid == mid:
        return terminal
    if terminal.mid and (strict or terminal.provisioned != AUTO):
        return Refusal.UNKNOWN_MERCHANT
    if terminal.mid:
        draft.note(f"terminal moved from merchant {terminal.mid} to {mid}")
    return draft.put(replace(terminal, mid=mid))


def seen(draft: Draft, request: Request, terminal: Terminal, key: str) -> Terminal:
    """Remember that an admitted message came: when, its STAN, and which key it used."""
    operation = request.operation
    old_mak, spent = terminal.old_mak, terminal.spent_mak
    if request.mac.required:
        # FC 23: from its first use on the new key stands alone; an old one that is used is the one the terminal has.
        # Lost in a crash before the commit, the others are good a little longer, and the next message ends them.
        spent = terminal.old_mak.partition(" ")[0] or spent if key == terminal.mak else spent
        old_mak = "" if key == terminal.mak else key
    return draft.put(
        replace(
            terminal,
            dialect=request.dialect,
            last_seen=draft.now,
            last_stan=newest_stan(terminal.last_stan, operation.stan),
            currency=terminal.currency or operation.currency,
            old_mak=old_mak,
            spent_mak=spent,
        )
    )


def newest_stan(last: str, stan: str) -> str:
    """The highest STAN seen, following the wrap from above 999000; reversals and copies carry older ones."""
    if not stan.isdigit():
        return last
    if not last:
        return stan
    old, new = int(last), int(stan)
    wrapped = old > _LAST_BEFORE_WRAP and old - new > _REUSE_DISTANCE
    return stan if new > old or wrapped else last


def starts_again(last: str, stan: str) -> bool:
    """Whether a sign-on with this STAN means a re-flashed terminal (rules.md, section 4, `terminal_reset`): more than
    50 below the last; a wrap from above 999000 aside. The same number twice is case 49, not a reset.
    """
    return _comparable(last, stan) and int(last) - int(stan) > _REUSE_DISTANCE


def may_start_again(last: str, stan: str) -> bool:
    """Whether a sign-on with this STAN may mean one: 000001 after a higher one that is less than 50 above.

    The first sign-on of a young terminal, held up on the way or delivered twice, looks the same, and closing the
    batch for it would part a day that goes on. So the next message tells: see `tells`.
    """
    return _comparable(last, stan) and int(stan) == 1 and 0 < int(last) - int(stan) <= _REUSE_DISTANCE


def tells(terminal: Terminal, stan: str) -> bool | None:
    """What a message after such a sign-on says of it: True = re-flashed, since it goes on from that sign-on's number;
    False = it goes on from where the terminal was; None = nothing."""
    if not (terminal.restart_stan and stan.isdigit() and terminal.last_stan):
        return None
    if int(stan) > int(terminal.last_stan):
        return False
    return True if int(terminal.restart_stan) < int(stan) <= TELLING_STANS_MAX else None


def _comparable(last: str, stan: str) -> bool:
    return bool(last) and stan.isdigit() and int(last) <= _LAST_BEFORE_WRAP
