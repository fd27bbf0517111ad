"""What is printed: the slips of a sale or void (签购单) and of a settlement (结算总计单).

A slip is made from what is journaled and stored with it in one write; printing and reprinting only repeat it. Card
numbers show their first six and last four digits, the expiry nothing. Source: flows.md section 10.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from specs.masking import mask_pan
from specs.money import currency, format_amount
from specs.operation import Entry, Kind, Verdict
from specs.totals import Totals
from terminal_sim.paper import RULE, centred, columns, field
from terminal_sim.state import Archived, Config, Row, RowState, Slip

DUPLICATE = "****重打印/DUPLICATED****"
_SIDES = {"domestic": "内卡 DOMESTIC", "foreign": "外卡 FOREIGN"}

# key -> (Chinese and English for CUP, English for the others)
_LABELS: Mapping[str, tuple[str, str]] = {
    "merchant": ("商户名称 MERCHANT", "MERCHANT"),
    "mid": ("商户编号 MERCHANT NO", "MERCHANT NO"),
    "tid": ("终端编号 TERMINAL NO", "TERMINAL NO"),
    "operator": ("操作员号 OPERATOR", "OPERATOR"),
    "issuer": ("发卡行 ISSUER", "ISSUER"),
    "acquirer": ("收单行 ACQUIRER", "ACQUIRER"),
    "pan": ("卡号 CARD NO", "CARD NO"),
    "expiry": ("有效期 EXP DATE", "EXP DATE"),
    "kind": ("交易类型 TYPE", "TYPE"),
    "batch": ("批次号 BATCH NO", "BATCH NO"),
    "stan": ("凭证号 VOUCHER NO", "TRACE NO"),
    "invoice": ("票据号 INVOICE NO", "INVOICE NO"),
    "original": ("原凭证号 ORIG VOUCHER", "ORIG TRACE NO"),
    "auth": ("授权码 AUTH NO", "APPROVAL CODE"),
    "rrn": ("参考号 REFER NO", "REFER NO"),
    "code": ("应答码 RESP CODE", "RESP CODE"),
    "time": ("日期/时间 DATE/TIME", "DATE/TIME"),
    "amount": ("金额 AMOUNT", "AMOUNT"),
    "signature": ("持卡人签名 SIGNATURE", "CARDHOLDER SIGNATURE"),
    "merchant-copy": ("商户存根 MERCHANT COPY", "MERCHANT COPY"),
    "cardholder-copy": ("持卡人存根 CARDHOLDER COPY", "CARDHOLDER COPY"),
    "sale-slip": ("签购单 SALES SLIP", "SALES SLIP"),
    "settlement-slip": ("结算总计单 SETTLEMENT", "SETTLEMENT"),
    "result": ("对账结果 RESULT", "RESULT"),
    "net": ("净额 NET", "NET"),
    "agreed": ("对账平 AGREED", "AGREED"),
    "not-agreed": ("对账不平 NOT AGREED", "NOT AGREED"),
    "error": ("对账出错 ERROR", "ERROR"),
    "refused": ("上送被拒 UPLOAD REFUSED", "UPLOAD REFUSED"),
    "counts": ("终端/主机 TERMINAL / HOST", "TERMINAL / HOST"),
}
_KINDS: Mapping[Kind, tuple[str, str]] = {
    Kind.SALE: ("消费/SALE", "SALE"),
    Kind.VOID: ("消费撤销/VOID", "VOID"),
    Kind.REFUND: ("退货/REFUND", "REFUND"),
}
_GROUPS = {"debit": "借记 DEBIT", "credit": "贷记 CREDIT", "sales": "SALES", "refunds": "REFUNDS"}
_ENTRY_LETTERS = {Entry.SWIPE: " /S", Entry.MANUAL: " /M", Entry.CHIP: " /I", Entry.TAP: " /C", Entry.QR: " /Q"}
_SIGN = {Kind.SALE: 1, Kind.VOID: -1, Kind.REFUND: -1}


def _label(family: str, key: str) -> str:
    return _LABELS[key][0 if family == "cup" else 1]


def transaction(config: Config, family: str, row: Row) -> Slip:
    """The slip of an approved sale or void: one copy with a signature line for the merchant, one for the cardholder."""
    body = _transaction_lines(config, family, row)
    signature = [_label(family, "signature"), "", "", RULE]
    copies = (
        [*body, *signature, centred(_label(family, "merchant-copy"))],
        [*body, centred(_label(family, "cardholder-copy"))],
    )
    return Slip(_KINDS[row.kind][1], tuple(_text(lines) for lines in copies))


def _transaction_lines(config: Config, family: str, row: Row) -> list[str]:
    entries = {
        "pan": mask_pan(row.pan) + _ENTRY_LETTERS.get(row.entry, ""),
        "expiry": "**/**" if row.expiry else "",
        "issuer": row.issuer.strip(),
        "acquirer": row.acquirer.strip(),
        "kind": _KINDS[row.kind][0 if family == "cup" else 1],
        "batch": row.batch,
        "stan": row.stan,
        "invoice": row.invoice if family == "nac" else "",
        "original": row.original_stan,
        "auth": row.auth_code,
        "rrn": row.rrn,
        "code": row.response_code,
        "time": _time(row.at),
    }
    lines = [*_head(config, family, "sale-slip"), RULE]
    for key, value in entries.items():
        lines += field(_label(family, key), value) if value else []
    return [
        *lines,
        RULE,
        *field(_label(family, "amount"), _money(config, -row.amount if row.kind is Kind.VOID else row.amount)),
        RULE,
    ]


def _head(config: Config, family: str, title: str) -> list[str]:
    lines = [centred(_label(family, title)), RULE]
    for key, value in (("merchant", config.merchant_name), ("mid", config.mid), ("tid", config.tid)):
        lines += field(_label(family, key), value)
    return [*lines, *field(_label(family, "operator"), config.operator)]


def _time(at: str) -> str:
    """MMDDhhmmss for people; the wire has no year."""
    return f"{at[:2]}-{at[2:4]} {at[4:6]}:{at[6:8]}:{at[8:10]}" if len(at) == 10 else ""


def _money(config: Config, minor: int) -> str:
    return f"{currency(config.currency).alpha} {format_amount(minor, config.currency)}"


def _text(lines: Iterable[str]) -> str:
    return "".join(line.rstrip() + "\n" for line in lines)


# --- settlement -----------------------------------------------------------------------------------------------------


def settlement(config: Config, family: str, closed: Archived, sides: tuple[tuple[str, str], ...]) -> Slip:
    """The totals of a closed batch. Voided items are left out here, unlike in the totals on the wire."""
    lines = [*_head(config, family, "settlement-slip"), *field(_label(family, "batch"), closed.batch)]
    if when := _time(closed.at):
        lines += field(_label(family, "time"), when)
    lines.append(RULE)
    for name, verdict in sides or (("", closed.result),):
        rows = [row for row in closed.rows if not sides or row.foreign == (name == "foreign")]
        lines += [
            *field(_SIDES.get(name) or _label(family, "result"), _label(family, _verdict_key(verdict))),
            *_kind_lines(config, family, rows),
        ]
    lines += [RULE, *field(_label(family, "net"), _money(config, _net(closed.rows)))]
    if closed.result != "agreed" and closed.host_totals is not None:
        lines += [RULE, _label(family, "counts"), *_both(config, closed.totals, closed.host_totals)]
    if rejected := [row for row in closed.rows if row.rejected]:
        lines += [RULE, _label(family, "refused")]
        lines += [
            columns(f"  {row.stan}", row.rejected, format_amount(row.amount, config.currency)) for row in rejected
        ]
    return Slip("SETTLEMENT", (_text([*lines, RULE]),))


def _verdict_key(verdict: str) -> str:
    return {Verdict.AGREED: "agreed", Verdict.CLOSED_OTHER: "error", "agreed": "agreed"}.get(verdict, "not-agreed")


def _counting(rows: Iterable[Row]) -> list[Row]:
    """Neither reversed nor voided, and no voids: what the merchant has sold."""
    return [row for row in rows if row.state is RowState.JOURNALED and row.kind is not Kind.VOID]


def _kind_lines(config: Config, family: str, rows: Iterable[Row]) -> list[str]:
    """One line a kind with count and amount; kinds without items are not printed."""
    counting, lines = _counting(rows), []
    for kind, names in _KINDS.items():
        amounts = [row.amount for row in counting if row.kind is kind]
        if amounts:
            name = "  " + names[0 if family == "cup" else 1]
            lines.append(columns(name, str(len(amounts)), format_amount(sum(amounts), config.currency)))
    return lines


def _net(rows: Iterable[Row]) -> int:
    return sum(_SIGN[row.kind] * row.amount for row in _counting(rows))


def _both(config: Config, ours: Totals, theirs: Totals) -> list[str]:
    """The sums that differ, ours above the host's."""
    lines = []
    for mine in ours.sums:
        host = theirs.get(mine.side, mine.group)
        if (mine.count, mine.amount) != (host.count, host.amount):
            lines.append(
                " ".join(part for part in (_SIDES.get(mine.side, ""), _GROUPS.get(mine.group, mine.group)) if part)
            )
            for name, total in (("  T", mine), ("  H", host)):
                lines.append(columns(name, str(total.count), format_amount(total.amount, config.currency)))
    return lines


# --- again ----------------------------------------------------------------------------------------------------------


def duplicate(slip: Slip) -> Slip:
    """The same slip with the mark in its first line, and else byte for byte the same (failure-catalogue case 78)."""
    return replace(slip, copies=tuple(f"{centred(DUPLICATE)}\n{copy}" for copy in slip.copies))


def on_paper(slip: Slip) -> str:
    """All copies one below the other, with a tear line between them."""
    return "\n".join(slip.copies)
