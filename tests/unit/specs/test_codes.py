"""Response codes against the tables of response-codes.md and rules.md section 8."""

from __future__ import annotations

import pytest

from specs import codes
from specs.codes import FAMILIES, Refusal

CUP_DOCUMENT = """\
00 A 交易成功
01 C 请持卡人与发卡银行联系
02 C 请持卡人与发卡银行联系
03 C 无效商户
04 D 此卡被没收
05 C 持卡人认证失败
06 C 交易失败，请联系发卡机构
10 A 交易成功，但为部分承兑
11 A 成功，VIP客户
12 C 无效交易
13 B 无效金额
14 B 无效卡号
15 C 此卡无对应发卡方
19 C 交易失败，请联系发卡机构
20 C 交易失败，请联系发卡机构
21 C 该卡未初始化或睡眠卡
22 C 操作有误，或超出交易允许天数
23 C 交易失败
25 C 没有原始交易，请联系发卡方
30 C 请重试
34 D 作弊卡，吞卡
36 C 此卡有误，请换卡重试
38 D 密码错误次数超限
40 C 发卡方不支持的交易类型
41 D 挂失卡，请没收
43 D 被窃卡，请没收
45 C 请使用芯片卡
51 C 可用余额不足
54 C 该卡已过期
55 C 密码错
57 C 不允许此卡交易
58 C 发卡方不允许该卡在本终端进行此交易
59 C 卡片校验错
61 C 交易金额超限
62 C 受限制的卡
64 C 交易金额与原交易不匹配
65 C 超出消费次数限制
68 C 交易超时，请重试
75 C 密码错误次数超限
76 C 账户不可用
90 C 系统日切，请稍后重试
91 C 发卡方状态不正常，请稍后重试
92 C 发卡方线路异常，请稍后重试
94 C 拒绝，重复交易，请稍后重试
96 C 拒绝，交换中心异常，请稍后重试
97 D 终端未登记
98 E 发卡方超时
99 B PIN格式错，请重新签到
A0 B MAC校验错，请重新签到
A1 C 转账货币不一致
A2,A4,A5,A6 A 交易成功，请向发卡行确认
A3 C 账户不正确
A7 C 安全处理失败
"""
"""Codes, category, display text, as response-codes.md prints them."""

CUP_ROWS = [
    (code, category, text)
    for listed, category, text in (line.split(" ", 2) for line in CUP_DOCUMENT.splitlines())
    for code in listed.split(",")
]


@pytest.mark.parametrize(("code", "category", "text"), CUP_ROWS)
def test_cup_texts_and_categories_are_those_of_the_document(code: str, category: str, text: str) -> None:
    row = codes.response_code("cup", code)
    assert (row.text, row.category) == (text, category)
    assert codes.text("cup", code, "zh") == text


def test_cup_has_no_row_beside_the_document() -> None:
    assert set(codes.RESPONSE_CODES["cup"]) == {code for code, _, _ in CUP_ROWS}


@pytest.mark.parametrize(
    ("family", "approved"),
    [
        ("cup", {"00", "10", "11", "A2", "A4", "A5", "A6"}),
        ("nac", {"00", "08", "10", "11", "16"}),
        ("iso87", {"00", "08", "10", "11", "16"}),
    ],
)
def test_approved_are_exactly_those_of_the_rules(family: str, approved: set[str]) -> None:
    """rules.md 8, last line: one code too many here and a declined sale counts as paid."""
    every_code = {f"{n:02d}" for n in range(100)} | {f"A{n}" for n in range(10)} | {"", "0", "ZZ"}
    assert {code for code in every_code if codes.is_approved(family, code)} == approved


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_are_whole(family: str) -> None:
    for code, row in codes.RESPONSE_CODES[family].items():
        assert row.code == code
        assert len(code) == 2
        assert row.meaning
        assert row.text


@pytest.mark.parametrize(("family", "rows"), list(zip(FAMILIES, codes.RESPONSE_TABLES, strict=True)))
def test_no_code_stands_twice(family: str, rows: tuple[codes.ResponseCode, ...]) -> None:
    assert len(rows) == len(codes.RESPONSE_CODES[family])


def test_texts() -> None:
    assert codes.text("cup", "51") == "insufficient funds"
    assert codes.text("nac", "95") == "reconcile error, upload the batch"
    assert codes.text("nac", "54", "zh") == "该卡已过期"
    assert codes.text("cup", "ZZ", "zh") == "未知错误/交易失败"
    assert codes.response_code("cup", "ZZ").category == "C"


@pytest.mark.parametrize(
    ("family", "code", "action"),
    [
        ("cup", "00", "print"),
        ("cup", "10", "collect-rest"),
        ("cup", "99", "sign-on"),
        ("cup", "A0", "sign-on"),
        ("cup", "38", "retain-card"),
        ("cup", "41", "retain-card"),
        ("cup", "45", "insert-card"),
        ("cup", "22", "settle"),
        ("cup", "51", "show"),
        ("nac", "95", "upload-batch"),
        ("nac", "A0", "show"),
        ("iso87", "41", "retain-card"),
    ],
)
def test_actions(family: str, code: str, action: str) -> None:
    assert codes.response_code(family, code).action == action


class TestRefusals:
    @pytest.mark.parametrize("family", FAMILIES)
    @pytest.mark.parametrize("refusal", Refusal)
    def test_every_reason_has_a_listed_code_that_is_no_approval(self, family: str, refusal: Refusal) -> None:
        code = codes.for_refusal(family, refusal)
        assert not codes.is_approved(family, code)
        assert code in codes.RESPONSE_CODES[family]

    @pytest.mark.parametrize(
        ("refusal", "cup", "nac", "iso87"),
        [
            ("format", "30", "30", "30"),
            ("unknown-terminal", "97", "89", "58"),
            ("unknown-merchant", "03", "03", "03"),
            ("bad-mac", "A0", "63", "63"),
            ("duplicate", "94", "94", "94"),
            ("advice-conflict", "12", "12", "12"),
            ("original-reversed", "12", "12", "12"),
            ("unknown-type", "12", "12", "12"),
            ("not-offered", "40", "40", "40"),
            ("invalid-amount", "13", "13", "13"),
            ("over-limit", "61", "61", "61"),
            ("invalid-card", "14", "14", "14"),
            ("no-such-issuer", "15", "15", "15"),
            ("expired-card", "54", "54", "54"),
            ("original-not-found", "25", "25", "25"),
            ("amount-differs", "64", "64", "64"),
            ("void-not-possible", "12", "12", "12"),
            ("refund-over-original", "64", "64", "64"),
            ("completion-over-limit", "61", "61", "61"),
            ("already-completed", "12", "12", "12"),
            ("adjust-not-possible", "12", "12", "12"),
            ("wrong-pin", "55", "55", "55"),
            ("pin-tries", "75", "75", "75"),
            ("pin-unreadable", "99", "81", "81"),
            ("funds", "51", "51", "51"),
            ("issuer-down", "91", "91", "91"),
            ("issuer-silent", "98", "91", "91"),
            ("own-trouble", "96", "96", "96"),
        ],
    )
    def test_the_table_of_the_rules(self, refusal: str, cup: str, nac: str, iso87: str) -> None:
        assert tuple(codes.for_refusal(family, Refusal(refusal)) for family in FAMILIES) == (cup, nac, iso87)

    def test_cells_with_a_dash(self) -> None:
        assert codes.for_refusal("cup", Refusal.NOT_SIGNED_ON) == "A0"
        assert codes.for_refusal("cup", Refusal.CLOSED_BATCH) == "22"
        assert codes.for_refusal("nac", Refusal.CLOSED_BATCH) == "80"
        assert codes.for_refusal("iso87", Refusal.NOT_SIGNED_ON) == "58"


class TestSets:
    @pytest.mark.parametrize(
        ("family", "expected"),
        [("cup", "00 25 12 94"), ("nac", "00 25 12 94 21 78"), ("iso87", "00 25 12 94")],
    )
    def test_what_ends_a_reversal(self, family: str, expected: str) -> None:
        """«Any answer counts» is a planted firmware bug, so no other code may stand here."""
        assert codes.REVERSAL_ACK[family] == set(expected.split())

    def test_the_others(self) -> None:
        assert codes.UPLOAD_ACK == codes.ADVICE_DELIVERED == {"00", "94"}
        assert sorted(codes.TRANSIENT) == ["68", "91", "96", "98"]
        assert sorted(codes.FORMAT_IDENTITY_KEY) == ["03", "30", "63", "89", "97", "99", "A0"]
        assert {reason.value for reason in codes.ReversalReason} == {"98", "A0", "06"}

    def test_a_host_never_says_to_an_advice_what_the_terminal_takes_for_delivered(self) -> None:
        """rules.md 2: 94 to an advice whose content the host does not have would lose it."""
        for family in FAMILIES:
            assert codes.for_refusal(family, Refusal.ADVICE_CONFLICT) not in codes.ADVICE_DELIVERED
