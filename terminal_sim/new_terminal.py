"""A new terminal from the operator's words, checked before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from specs.money import CURRENCIES
from terminal_sim.errors import ConfigError
from terminal_sim.operators import documented_operators
from terminal_sim.slip_texts import LANGUAGES
from terminal_sim.state import PROFILES, REFERENCE, TEST_TMK, Config, Memory
from terminal_sim.wire import wire_for

TID_CHARACTERS = 8
MID_CHARACTERS = 15
TMK_DIGITS = (16, 32)
CONNECT_TIMEOUT_S_MAX = 10.0


def new_memory(
    tid: str,
    mid: str,
    connect: str,
    api: str = "",
    tmk: str = "",
    merchant: str = "TEST MERCHANT",
    operator: str = "01",
    currency: str = "156",
    *,
    timeout_s: float = 30.0,
    settle_empty: bool = False,
    language: str = "",
    auto_signoff: bool = False,
    test_mode: bool = False,
    operators: bool = False,
    profile: str = REFERENCE,
    bugs: Sequence[str] = (),
) -> Memory:
    """The flash of a terminal that has never spoken. operators: set up the documented test operators.

    Raises: ConfigError naming the argument.
    """
    wire_for(connect)
    _characters("--tid", tid, TID_CHARACTERS)
    _characters("--mid", mid, MID_CHARACTERS)
    if tmk and not (len(tmk) in TMK_DIGITS and all(digit in "0123456789abcdefABCDEF" for digit in tmk)):
        raise ConfigError("--tmk: 16 or 32 hex digits")
    if not 1 <= len(operator) <= 3 or not operator.isascii():
        raise ConfigError("--operator: 1 to 3 characters")
    if currency not in CURRENCIES:
        raise ConfigError(f"--currency {currency}: not in the table")
    if language and language not in LANGUAGES:
        raise ConfigError(f"--language {language}: one of {', '.join(LANGUAGES)}")
    if profile not in PROFILES:
        raise ConfigError(f"--profile {profile}: one of {', '.join(PROFILES)}")
    _known(bugs)
    if timeout_s <= 0:
        raise ConfigError("--timeout: more than 0 seconds")
    if api and (urlsplit(api).scheme not in ("http", "https") or not urlsplit(api).netloc):
        raise ConfigError(f"--api {api}: http://ADDR:PORT")
    return Memory(
        Config(
            tid=tid,
            mid=mid,
            connect=connect,
            api=api,
            tmk=tmk.upper() or TEST_TMK,
            merchant_name=merchant,
            operator=operator,
            currency=currency,
            timeout_s=float(timeout_s),
            settle_timeout_s=2.0 * timeout_s,
            connect_timeout_s=min(CONNECT_TIMEOUT_S_MAX, timeout_s),
            settle_empty=settle_empty,
            language=language,
            auto_signoff=auto_signoff,
            test_mode=test_mode,
            profile=profile,
            bugs=tuple(dict.fromkeys(bugs)),
        ),
        operators=documented_operators() if operators else (),
    )


def _known(bugs: Sequence[str]) -> None:
    if not bugs:
        return
    from terminal_sim.bugs import with_bugs

    try:
        with_bugs(bugs)
    except ConfigError as error:
        raise ConfigError(f"--bug: {error}") from None


def _characters(name: str, value: str, size: int) -> None:
    if len(value) != size or not value.isascii() or not value.isprintable():
        raise ConfigError(f"{name} {value!r}: {size} printable ASCII characters")
