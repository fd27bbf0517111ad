"""The rows behind specs.codes: what each response code means in each family.

A new response code is a row here; nothing else in specs changes. Source: protocol/response-codes.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Category(StrEnum):
    """What a code says about the transaction (protocol/response-codes.md)."""

    APPROVED = "A"
    RETRY = "B"
    """Failed; the terminal may try again, after a sign-on where the action says so."""
    FINAL = "C"
    """Failed, no retry."""
    OPERATOR = "D"
    """Failed, and a person must act: retain the card, register the terminal."""
    UNKNOWN = "E"
    """Failed, and what the issuer did is not known."""


class Action(StrEnum):
    """What the terminal does with the answer."""

    PRINT = "print"
    SHOW = "show"
    RETAIN_CARD = "retain-card"
    SIGN_ON = "sign-on"
    INSERT_CARD = "insert-card"
    COLLECT_REST = "collect-rest"
    REENTER_PIN = "re-enter-pin"
    SETTLE = "settle"
    UPLOAD_BATCH = "upload-batch"


@dataclass(frozen=True, slots=True)
class ResponseCode:
    """One value of DE 39. Shape: code two characters, meaning English, text what the terminal displays in Chinese."""

    code: str
    meaning: str
    text: str
    category: Category
    action: Action

    @property
    def approved(self) -> bool:
        """Money moves (or an inquiry was answered)."""
        return self.category is Category.APPROVED


def _row(code: str, meaning: str, text: str, category: Category, action: Action | None = None) -> ResponseCode:
    usual = Action.PRINT if category is Category.APPROVED else Action.SHOW
    return ResponseCode(code, meaning, text, category, action or usual)


A, B, C, D, E = Category

CUP_ROWS = (
    _row("00", "approved", "交易成功", A),
    _row("01", "refer to issuer", "请持卡人与发卡银行联系", C),
    _row("02", "refer to issuer, special condition", "请持卡人与发卡银行联系", C),
    _row("03", "invalid merchant", "无效商户", C),
    _row("04", "pick up card", "此卡被没收", D, Action.RETAIN_CARD),
    _row("05", "do not honour / cardholder authentication failed", "持卡人认证失败", C),
    _row("06", "error", "交易失败，请联系发卡机构", C),
    _row("10", "partial approval", "交易成功，但为部分承兑", A, Action.COLLECT_REST),
    _row("11", "approved, VIP", "成功，VIP客户", A),
    _row("12", "invalid transaction", "无效交易", C),
    _row("13", "invalid amount", "无效金额", B),
    _row("14", "invalid card number", "无效卡号", B),
    _row("15", "no such issuer", "此卡无对应发卡方", C),
    _row("19", "re-enter", "交易失败，请联系发卡机构", C),
    _row("20", "invalid answer", "交易失败，请联系发卡机构", C),
    _row("21", "card not initialised / dormant", "该卡未初始化或睡眠卡", C),
    _row(
        "22",
        "operation error, past the permitted days or settle first",
        "操作有误，或超出交易允许天数",
        C,
        Action.SETTLE,
    ),
    _row("23", "fee not accepted", "交易失败", C),
    _row("25", "original not found", "没有原始交易，请联系发卡方", C),
    _row("30", "format error", "请重试", C),
    _row("34", "fraud, retain", "作弊卡，吞卡", D, Action.RETAIN_CARD),
    _row("36", "restricted, wrong card", "此卡有误，请换卡重试", C),
    _row("38", "PIN tries exceeded, retain", "密码错误次数超限", D, Action.RETAIN_CARD),
    _row("40", "function not supported", "发卡方不支持的交易类型", C),
    _row("41", "lost card", "挂失卡，请没收", D, Action.RETAIN_CARD),
    _row("43", "stolen card", "被窃卡，请没收", D, Action.RETAIN_CARD),
    _row("45", "use the chip", "请使用芯片卡", C, Action.INSERT_CARD),
    _row("51", "insufficient funds", "可用余额不足", C),
    _row("54", "expired card", "该卡已过期", C),
    _row("55", "wrong PIN", "密码错", C, Action.REENTER_PIN),
    _row("57", "not permitted to card", "不允许此卡交易", C),
    _row("58", "not permitted to terminal", "发卡方不允许该卡在本终端进行此交易", C),
    _row("59", "suspected fraud / card check failed", "卡片校验错", C),
    _row("61", "amount limit", "交易金额超限", C),
    _row("62", "restricted card", "受限制的卡", C),
    _row("64", "amount differs from original", "交易金额与原交易不匹配", C),
    _row("65", "count limit", "超出消费次数限制", C),
    _row("68", "answer too late / timeout", "交易超时，请重试", C),
    _row("75", "PIN tries exceeded", "密码错误次数超限", C),
    _row("76", "invalid account", "账户不可用", C),
    _row("90", "day cut-over", "系统日切，请稍后重试", C),
    _row("91", "issuer not available", "发卡方状态不正常，请稍后重试", C),
    _row("92", "route or line problem", "发卡方线路异常，请稍后重试", C),
    _row("94", "duplicate", "拒绝，重复交易，请稍后重试", C),
    _row("96", "switch error", "拒绝，交换中心异常，请稍后重试", C),
    _row("97", "terminal not registered", "终端未登记", D),
    _row("98", "issuer timeout", "发卡方超时", E),
    _row("99", "PIN format error", "PIN格式错，请重新签到", B, Action.SIGN_ON),
    _row("A0", "MAC error", "MAC校验错，请重新签到", B, Action.SIGN_ON),
    _row("A1", "transfer currency mismatch", "转账货币不一致", C),
    _row("A2", "approved, confirm with issuer", "交易成功，请向发卡行确认", A),
    _row("A4", "approved, confirm with issuer", "交易成功，请向发卡行确认", A),
    _row("A5", "approved, confirm with issuer", "交易成功，请向发卡行确认", A),
    _row("A6", "approved, confirm with issuer", "交易成功，请向发卡行确认", A),
    _row("A3", "account wrong", "账户不正确", C),
    _row("A7", "security processing failed", "安全处理失败", C),
)

UNKNOWN_CODE = _row("", "unknown code, transaction failed", "未知错误/交易失败", C)

_ISO_COMMON = (
    _row("00", "approved", "交易成功", A),
    _row("01", "refer to issuer", "请持卡人与发卡银行联系", C),
    _row("02", "refer to issuer, special condition", "请持卡人与发卡银行联系", C),
    _row("03", "invalid merchant", "无效商户", C),
    _row("04", "pick up card", "此卡被没收", D, Action.RETAIN_CARD),
    _row("05", "do not honour", "不予承兑", C),
    _row("06", "error", "交易失败，请联系发卡机构", C),
    _row("07", "pick up card, special condition", "特殊条件下没收卡", D, Action.RETAIN_CARD),
    _row("08", "honour with identification", "核对持卡人身份后承兑", A),
    _row("09", "request in progress", "请求正在处理中", C),
    _row("10", "partial approval", "交易成功，但为部分承兑", A, Action.COLLECT_REST),
    _row("11", "approved, VIP", "成功，VIP客户", A),
    _row("12", "invalid transaction", "无效交易", C),
    _row("13", "invalid amount", "无效金额", C),
    _row("14", "invalid card number", "无效卡号", C),
    _row("15", "no such issuer", "此卡无对应发卡方", C),
    _row("16", "approved, update track 3", "成功，更新第三磁道", A),
    _row("17", "customer cancellation", "持卡人取消交易", C),
    _row("18", "customer dispute", "持卡人有争议", C),
    _row("19", "re-enter transaction", "请重新输入交易", B),
    _row("20", "invalid response", "无效应答", C),
    _row("21", "no action taken, no transactions", "未采取措施，无交易", C),
    _row("22", "suspected malfunction", "怀疑操作有误", C),
    _row("23", "unacceptable transaction fee", "不可接受的手续费", C),
    _row("24", "file update not supported", "不支持文件更新", C),
    _row("25", "original not found", "没有原始交易", C),
    _row("26", "duplicate file record, replaced", "文件记录重复，旧记录已替换", C),
    _row("27", "file update field error", "文件更新域出错", C),
    _row("28", "file locked", "文件被锁定", C),
    _row("29", "file update failed", "文件更新不成功", C),
    _row("30", "format error", "格式错误", C),
    _row("31", "bank not supported", "交换中心不支持的银行", C),
    _row("32", "completed partially", "部分完成", C),
    _row("33", "expired card, pick up", "过期卡，请没收", D, Action.RETAIN_CARD),
    _row("34", "suspected fraud, pick up", "作弊卡，吞卡", D, Action.RETAIN_CARD),
    _row("35", "contact acquirer, pick up", "请与收单方联系，没收卡", D, Action.RETAIN_CARD),
    _row("36", "restricted card, pick up", "受限制的卡，请没收", D, Action.RETAIN_CARD),
    _row("37", "call acquirer security, pick up", "请联系收单方安全部门，没收卡", D, Action.RETAIN_CARD),
    _row("38", "PIN tries exceeded, pick up", "密码错误次数超限，请没收", D, Action.RETAIN_CARD),
    _row("39", "no credit account", "无贷记账户", C),
    _row("40", "function not supported", "请求的功能不支持", C),
    _row("41", "lost card", "挂失卡，请没收", D, Action.RETAIN_CARD),
    _row("42", "no universal account", "无此账户", C),
    _row("43", "stolen card", "被窃卡，请没收", D, Action.RETAIN_CARD),
    _row("44", "no investment account", "无投资账户", C),
    _row("51", "insufficient funds", "可用余额不足", C),
    _row("52", "no cheque account", "无支票账户", C),
    _row("53", "no savings account", "无储蓄账户", C),
    _row("54", "expired card", "该卡已过期", C),
    _row("55", "wrong PIN", "密码错", C, Action.REENTER_PIN),
    _row("56", "no card record", "无此卡记录", C),
    _row("57", "not permitted to card", "不允许此卡交易", C),
    _row("58", "not permitted to terminal", "不允许终端进行此交易", C),
    _row("59", "suspected fraud", "有作弊嫌疑", C),
    _row("60", "contact acquirer", "请与收单方联系", C),
    _row("61", "amount limit", "交易金额超限", C),
    _row("62", "restricted card", "受限制的卡", C),
    _row("63", "security violation", "违反安全规定", C),
    _row("64", "amount differs from original", "交易金额与原交易不匹配", C),
    _row("65", "count limit", "超出交易次数限制", C),
    _row("66", "call acquirer security", "请联系收单方安全部门", C),
    _row("67", "hard capture", "捕捉卡（没收）", D, Action.RETAIN_CARD),
    _row("68", "answer too late", "交易超时，请重试", C),
    _row("75", "PIN tries exceeded", "密码错误次数超限", C),
    _row("76", "invalid product, no original", "无效产品或无原交易", C),
    _row("79", "CVV2 declined", "CVV2校验失败", C),
    _row("81", "PIN cryptographic error", "PIN加密错误", C),
    _row("88", "call for authorization", "请致电授权中心", C),
    _row("90", "day cut-over", "系统日切，请稍后重试", C),
    _row("91", "issuer or switch not available", "发卡方状态不正常，请稍后重试", C),
    _row("92", "no route", "找不到路由，请稍后重试", C),
    _row("93", "violation of law, cannot complete", "交易违法，不能完成", C),
    _row("94", "duplicate", "重复交易", C),
    _row("96", "system malfunction", "系统异常，请稍后重试", C),
    _row("98", "national use", "保留给国家使用", C),
    _row("99", "national use", "保留给国家使用", C),
)

NAC_ROWS = (
    *_ISO_COMMON,
    _row("77", "reconcile error", "对账不平", C),
    _row("78", "trace not found", "找不到流水号", C),
    _row("80", "batch not found", "找不到批次", C),
    _row("85", "batch not found", "找不到批次", C),
    _row("89", "bad terminal id", "终端号错误", D),
    _row("95", "reconcile error, upload the batch", "对账不平，请批上送", C, Action.UPLOAD_BATCH),
    _row("97", "national use", "保留给国家使用", C),
)

ISO87_ROWS = (
    *_ISO_COMMON,
    _row("95", "outside the settlement window", "不在结算时间内", C),
    _row("97", "totals reset", "总计已清零", C),
)
