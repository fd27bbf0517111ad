"""What the terminal can do: one module a job, one row of RULES each.

A job is started once. It sends one request at a time; each request ends in an answer that fits or in a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from terminal_sim import moves
from terminal_sim.jobs import (
    balance,
    certificates,
    complete,
    download,
    echo,
    offline,
    preauth,
    refund,
    reversal,
    sale,
    script,
    service,
    settle,
    signoff,
    signon,
    stored,
    upload,
    void,
)
from terminal_sim.turn import Turn
from terminal_sim.wire import Answer, Failure


@dataclass(frozen=True, slots=True)
class Rules:
    """The three moments of a job; each takes the turn and the job, the last two also what happened."""

    start: Callable[[Turn, Any], None]
    on_answer: Callable[[Turn, Any, Answer], None]
    on_failure: Callable[[Turn, Any, Failure], None]


RULES: Mapping[type[moves.Job], Rules] = {
    moves.SignOn: Rules(signon.start, signon.on_answer, signon.on_failure),
    moves.SignOff: Rules(signoff.start, signoff.on_answer, signoff.on_failure),
    moves.Echo: Rules(echo.start, echo.on_answer, echo.on_failure),
    moves.Balance: Rules(balance.start, balance.on_answer, balance.on_failure),
    moves.Sale: Rules(sale.start, sale.on_answer, sale.on_failure),
    moves.Void: Rules(void.start, void.on_answer, void.on_failure),
    moves.Refund: Rules(refund.start, refund.on_answer, refund.on_failure),
    moves.PreAuth: Rules(preauth.start, preauth.on_answer, preauth.on_failure),
    moves.PreAuthVoid: Rules(preauth.start_void, preauth.on_void_answer, preauth.on_void_failure),
    moves.Complete: Rules(complete.start, complete.on_answer, complete.on_failure),
    moves.OfflineSale: Rules(offline.start, offline.on_answer, offline.on_failure),
    moves.Adjust: Rules(offline.start_adjust, offline.on_answer, offline.on_failure),
    moves.SendStored: Rules(stored.start, stored.on_answer, stored.on_failure),
    moves.SendScript: Rules(script.start, script.on_answer, script.on_failure),
    moves.Download: Rules(download.start, download.on_answer, download.on_failure),
    moves.Reverse: Rules(reversal.start, reversal.on_answer, reversal.on_failure),
    moves.Settle: Rules(settle.start, settle.on_answer, settle.on_failure),
    moves.ClearReversal: Rules(service.start_clear, service.on_answer, service.on_failure),
    moves.ForceSettle: Rules(service.start_settle, service.on_answer, service.on_failure),
    moves.SendCertificates: Rules(certificates.start, certificates.on_answer, certificates.on_failure),
    moves.Upload: Rules(upload.start, upload.on_answer, upload.on_failure),
    moves.UploadEnd: Rules(upload.start_end, upload.on_end_answer, upload.on_end_failure),
}
