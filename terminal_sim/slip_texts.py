"""The words on slips: Chinese, English, or both, as the terminal was set up.

Both languages stand on one line, Chinese first, as UnionPay slips have them; slips of the other families are English
unless the set-up says otherwise. Source: flows.md section 10.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from specs.operation import Entry, Kind
from terminal_sim.state import Config

LANGUAGES = ("zh", "en", "both")
DUPLICATE = "****重打印/DUPLICATED****"
TESTING = "***测试/TESTING,凭证无效***"
"""Both marks are the same in every language: whoever holds the slip must be able to read them."""

Words = tuple[str, str]
"""Chinese, English."""

_LABELS: Mapping[str, Words] = {
    "merchant": ("商户名称", "MERCHANT"),
    "mid": ("商户编号", "MERCHANT NO"),
    "tid": ("终端编号", "TERMINAL NO"),
    "operator": ("操作员号", "OPERATOR"),
    "issuer": ("发卡行", "ISSUER"),
    "acquirer": ("收单行", "ACQUIRER"),
    "pan": ("卡号", "CARD NO"),
    "expiry": ("有效期", "EXP DATE"),
    "kind": ("交易类型", "TYPE"),
    "batch": ("批次号", "BATCH NO"),
    "stan": ("凭证号", "VOUCHER NO"),
    "invoice": ("票据号", "INVOICE NO"),
    "original": ("原凭证号", "ORIG VOUCHER"),
    "auth": ("授权码", "AUTH NO"),
    "rrn": ("参考号", "REFER NO"),
    "code": ("应答码", "RESP CODE"),
    "time": ("日期/时间", "DATE/TIME"),
    "amount": ("金额", "AMOUNT"),
    "cash": ("返现", "CASH BACK"),
    "tip": ("小费", "TIP"),
    "total": ("总计", "TOTAL"),
    "signature": ("持卡人签名", "SIGNATURE"),
    "merchant-copy": ("商户存根", "MERCHANT COPY"),
    "cardholder-copy": ("持卡人存根", "CARDHOLDER COPY"),
    "sale-slip": ("签购单", "SALES SLIP"),
    "settlement-slip": ("结算总计单", "SETTLEMENT"),
    "detail-slip": ("交易明细单", "DETAIL LIST"),
    "fault-slip": ("故障报告单,非凭证联", "FAULT: NO VOUCHER"),
    "reversal-owed": ("冲正未完成", "REVERSAL NOT DONE"),
    "result": ("对账结果", "RESULT"),
    "net": ("净额", "NET"),
    "agreed": ("对账平", "AGREED"),
    "not-agreed": ("对账不平", "NOT AGREED"),
    "error": ("对账出错", "ERROR"),
    "refused": ("上送被拒", "UPLOAD REFUSED"),
    "counts": ("终端/主机", "TERMINAL / HOST"),
    "claimed": ("对账总额", "RECONCILED"),
    "none": ("无交易", "NO TRANSACTIONS"),
    "domestic": ("内卡", "DOMESTIC"),
    "foreign": ("外卡", "FOREIGN"),
    "debit": ("借记", "DEBIT"),
    "credit": ("贷记", "CREDIT"),
    "sales": ("消费", "SALES"),
    "refunds": ("退货", "REFUNDS"),
    "debits": ("借记", "DEBITS"),
    "credits": ("贷记", "CREDITS"),
    "debit-reversals": ("借记冲正", "DEBIT REVERSALS"),
    "credit-reversals": ("贷记冲正", "CREDIT REVERSALS"),
    "voided": ("已撤销", "VOIDED"),
    "reversed": ("已冲正", "REVERSED"),
    "rejected": ("被拒", "REJECTED"),
    "adjusted": ("已调整", "ADJUSTED"),
    "stored": ("待上送", "TO BE SENT"),
}
"""All labels. Those of a row's state are the words of RowState."""

_ELSEWHERE: Mapping[str, str] = {
    "stan": "TRACE NO",
    "original": "ORIG TRACE NO",
    "auth": "APPROVAL CODE",
    "signature": "CARDHOLDER SIGNATURE",
}
"""English outside CUP, where terminals call these otherwise."""

KINDS: Mapping[Kind, Words] = {
    Kind.SALE: ("消费", "SALE"),
    Kind.CASH_BACK: ("消费返现", "CASH BACK"),
    Kind.VOID: ("消费撤销", "VOID"),
    Kind.REFUND: ("退货", "REFUND"),
    Kind.PRE_AUTH: ("预授权", "PRE-AUTH"),
    Kind.PRE_AUTH_INCREMENT: ("追加预授权", "PRE-AUTH INCREMENT"),
    Kind.PRE_AUTH_VOID: ("预授权撤销", "PRE-AUTH VOID"),
    Kind.COMPLETION: ("完成", "AUTH COMPLETE"),
    Kind.COMPLETION_ADVICE: ("完成(通知)", "AUTH SETTLEMENT"),
    Kind.COMPLETION_VOID: ("完成撤销", "COMPLETE VOID"),
    Kind.OFFLINE_SALE: ("离线", "OFFLINE"),
    Kind.ADJUST: ("调整", "ADJUST"),
    Kind.TIP: ("小费", "TIP"),
}
"""Every kind that gives a row; in the order of a settlement slip's lines."""
_VOID_OF_REFUND: Words = ("退货撤销", "VOID REFUND")

ENTRY_LETTERS: Mapping[Entry, str] = {
    Entry.SWIPE: " /S",
    Entry.MANUAL: " /M",
    Entry.CHIP: " /I",
    Entry.TAP: " /C",
    Entry.QR: " /Q",
    Entry.FALLBACK: " /F",
}


@dataclass(frozen=True, slots=True)
class Wording:
    """One terminal's way to word its slips. language: one of LANGUAGES."""

    family: str
    language: str

    @classmethod
    def of(cls, config: Config, family: str) -> Wording:
        """As the set-up says; by default both languages in CUP, English elsewhere."""
        return cls(family, config.language or ("both" if family == "cup" else "en"))

    def label(self, key: str) -> str:
        """A label: «凭证号 VOUCHER NO»."""
        chinese, english = _LABELS[key]
        return self._said(chinese, english if self.family == "cup" else _ELSEWHERE.get(key, english), " ")

    def kind(self, kind: Kind, of: Kind | None = None) -> str:
        """A kind of transaction: «消费/SALE». of: what a void takes back."""
        words = _VOID_OF_REFUND if (kind, of) == (Kind.VOID, Kind.REFUND) else KINDS[kind]
        return self._said(*words, "/")

    def _said(self, chinese: str, english: str, between: str) -> str:
        return {"zh": chinese, "en": english}.get(self.language, f"{chinese}{between}{english}")
