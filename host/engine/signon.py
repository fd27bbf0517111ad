"""Sign-on (log-on) with or without new working keys, sign-off, echo.

Source: rules.md, section 4; security.md, section 1; failure-catalogue 23, 26, 31, 46, 47.
"""

from __future__ import annotations

from host.engine import batches, closing, download, identity, outcomes, provisioning
from host.engine.checks import Case
from host.engine.draft import Draft
from host.engine.events import Decision
from host.rows import Terminal, TxnState
from specs.security import KEY_LAYOUTS, WorkingKeys, wrap_keys
from specs.values import replace

_PIK_BYTES = {24: 8, 40: 16, 60: 16}
_MAK_BYTES = 8
"""One block, second half of its slot zero: what terminals use with single DES (security.md, section 1)."""
_TDK_BYTES = 16
_UNUSED_MAX = 3
"""Keys of sign-ons in a row that are kept beside the one last used; a terminal with an older one is told A0."""
_HELD_UP = frozenset({TxnState.TOMBSTONE, TxnState.REVERSED})
RESET_ALARM = "terminal-reset"
TWO_UNITS = "two-serials"


def sign_on(case: Case) -> Decision:
    """New keys, the clock and the open batch's number.

    The old MAK is good until the new one is first used: the 0810 may be lost, and the terminal then goes on with what
    it has (FC 23). A crash before the commit: the terminal got no answer and still has its old keys, as has the host. A
    crash after it: the host has both, the terminal one of them.
    """
    draft, operation = case.draft, case.operation
    terminal = case.known_terminal
    if _starts_again(case, terminal):
        if draft.ws.unfinished_legs(terminal.tid):
            # The old epoch's batch cannot close while one of its items is at the issuer: at most the issuer timeout.
            return Decision(waits_tid=True)
        terminal = _new_epoch(case, terminal)
    terminal = replace(terminal, restart_stan=operation.stan if _may_start_again(case, terminal) else "")
    terminal = provisioning.seen(draft, case.request, terminal, case.key)
    terminal = _same_unit(draft, terminal, operation.serial.strip())
    terminal = download.done(draft, terminal, download.SIGN_ON_AGAIN)
    adopt = operation.batch if draft.ctx.settings.provisioning == provisioning.AUTO else None
    number = batches.current_number(draft, terminal, adopt)
    terminal, keys = _with_new_keys(draft, terminal, operation.key_layout)
    return Decision(outcome=outcomes.of_service(draft.ctx, operation, batch=number, keys=keys))


def sign_off(case: Case) -> Decision:
    """After it only a sign-on is possible; keys die with it."""
    terminal = provisioning.seen(case.draft, case.request, case.known_terminal, case.key)
    case.draft.put(replace(terminal, signed_on=False, old_mak=""))
    return Decision(outcome=outcomes.of_service(case.draft.ctx, case.operation))


def echo(case: Case) -> Decision:
    """The line works. NAC's test 990000 is one; it opens no batch and changes no key."""
    provisioning.seen(case.draft, case.request, case.known_terminal, case.key)
    return Decision(outcome=outcomes.of_service(case.draft.ctx, case.operation))


def _with_new_keys(draft: Draft, terminal: Terminal, layout: int) -> tuple[Terminal, bytes | None]:
    """Signed on; with a layout asked for, new keys too: (the terminal's new row, DE 62 of the answer)."""
    if layout not in KEY_LAYOUTS:
        return draft.put(replace(terminal, signed_on=True)), None
    new_key = draft.ctx.new_key
    keys = WorkingKeys(
        pik=new_key(_PIK_BYTES[layout]), mak=new_key(_MAK_BYTES), tdk=new_key(_TDK_BYTES) if layout == 60 else None
    )
    # Of sign-ons in a row the terminal may have missed any: it has the key it last used, or that of an answer it got.
    last_used, *unused = (*terminal.old_mak.split(), terminal.mak)
    signed = replace(
        terminal,
        signed_on=True,
        pik=keys.pik.hex().upper(),
        mak=keys.mak.hex().upper(),
        tdk=keys.tdk.hex().upper() if keys.tdk else "",
        old_mak=" ".join((last_used, *unused[-_UNUSED_MAX:])) if terminal.signed_on else "",
    )
    return draft.put(signed), wrap_keys(bytes.fromhex(terminal.tmk), keys, layout)


def _same_unit(draft: Draft, terminal: Terminal, serial: str) -> Terminal:
    """Another serial number than last time means two units under one TID, which mix up their batches (FC 47)."""
    if not serial or serial == terminal.serial:
        return terminal
    if terminal.serial and not terminal.restart_stan:  # a re-flash may bring another unit
        text = f"two serials under one TID: {serial} signs on where {terminal.serial} did before"
        draft.alarm(terminal.tid, TWO_UNITS, text)
    return draft.put(replace(terminal, serial=serial))


def _looks_for_resets(case: Case) -> bool:
    """`terminal_reset = "epoch"` with provisioning auto; strict keeps (rules.md, section 4)."""
    settings = case.draft.ctx.settings
    return settings.terminal_reset == "epoch" and settings.provisioning == provisioning.AUTO


def _starts_again(case: Case, terminal: Terminal) -> bool:
    return _looks_for_resets(case) and provisioning.starts_again(terminal.last_stan, case.operation.stan)


def _may_start_again(case: Case, terminal: Terminal) -> bool:
    return _looks_for_resets(case) and provisioning.may_start_again(terminal.last_stan, case.operation.stan)


def told(case: Case) -> Decision | None:
    """A message after a sign-on that may have been that of a re-flashed terminal: it tells, or says nothing of it.

    What is tombstoned or reversed under its key is a copy that was held up, and no sign. The reset waits for what is at
    the issuer, and the message with it; a crash before its commit leaves the question open.
    """
    draft, terminal, stan = case.draft, case.known_terminal, case.operation.stan
    verdict = provisioning.tells(terminal, stan)
    if verdict is None:
        return None
    if verdict:
        match = identity.find(draft.ws, terminal, case.request, draft.ctx.now)
        if match is not None and match.txn.state in _HELD_UP:
            return None
        if draft.ws.unfinished_legs(terminal.tid):
            return Decision(waits_tid=True)
        first = terminal.restart_stan
        closed = closing.close_for_reset(draft, terminal)
        text = f"signed on with STAN {first} after {terminal.last_stan} and goes on with {stan}: taken for re-flashed"
        text += f", epoch {terminal.epoch + 1}"
        draft.alarm(terminal.tid, RESET_ALARM, text, batch_id=closed.id if closed else 0)
        terminal = replace(terminal, epoch=terminal.epoch + 1, last_stan=first)
    case.terminal = draft.put(replace(terminal, restart_stan=""))
    return None


def _new_epoch(case: Case, terminal: Terminal) -> Terminal:
    """Keys and tombstones of earlier epochs leave the search; what was open is closed with exceptions."""
    draft, stan = case.draft, case.operation.stan
    closed = closing.close_for_reset(draft, terminal)
    text = f"signed on with STAN {stan} after {terminal.last_stan}: taken for re-flashed, epoch {terminal.epoch + 1}"
    draft.alarm(terminal.tid, RESET_ALARM, text, batch_id=closed.id if closed else 0)
    return draft.put(replace(terminal, epoch=terminal.epoch + 1, last_stan="", signed_on=False, old_mak="", serial=""))
