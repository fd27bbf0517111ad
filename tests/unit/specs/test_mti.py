"""The four digits. Expected answers: iso87.md section 3, iso93.md section 1, rules.md section 2."""

from __future__ import annotations

import pytest

from specs.errors import DecodeError, EncodeError
from specs.mti import Mti


@pytest.mark.parametrize(
    ("request_mti", "answer"),
    [
        ("0100", "0110"),
        ("0200", "0210"),
        ("0220", "0230"),
        ("0221", "0230"),
        ("0320", "0330"),
        ("0400", "0410"),
        ("0401", "0410"),
        ("0420", "0430"),
        ("0421", "0430"),
        ("0500", "0510"),
        ("0502", "0512"),
        ("0522", "0532"),
        ("0523", "0532"),
        ("0800", "0810"),
        ("0820", "0830"),
        ("1804", "1814"),
        ("1420", "1430"),
    ],
)
def test_the_answer(request_mti: str, answer: str) -> None:
    assert str(Mti.parse(request_mti).response()) == answer


@pytest.mark.parametrize("mti", ["0210", "0230", "1240"])
def test_no_answer_to_answers_and_notifications(mti: str) -> None:
    with pytest.raises(EncodeError):
        Mti.parse(mti).response()


@pytest.mark.parametrize(("mti", "repeat"), [("0400", "0401"), ("0420", "0421"), ("0421", "0421"), ("0302", "0303")])
def test_the_repeat(mti: str, repeat: str) -> None:
    parsed = Mti.parse(mti)
    assert str(parsed.repeat()) == repeat
    assert parsed.repeat().is_repeat
    assert parsed.is_repeat == (mti == repeat)


@pytest.mark.parametrize(
    ("mti", "asks", "advice", "answer", "message_class"),
    [
        ("0200", True, False, False, 2),
        ("0220", False, True, False, 2),
        ("0210", False, False, True, 2),
        ("0430", False, False, True, 4),
        ("0320", False, True, False, 3),
        ("1240", False, False, False, 2),
        ("0920", False, True, False, 9),
    ],
)
def test_what_kind(mti: str, asks: bool, advice: bool, answer: bool, message_class: int) -> None:
    m = Mti.parse(mti)
    assert (m.is_request, m.is_advice, m.is_answer, m.message_class) == (asks, advice, answer, message_class)
    assert str(m) == mti


@pytest.mark.parametrize("text", ["", "020", "02000", "02A0", "9200", "0000", "0290", "0206", "٠٢٠٠", "²200"])
def test_what_is_no_mti(text: str) -> None:
    with pytest.raises(DecodeError):
        Mti.parse(text)
