"""UnionPay POS: which message is which transaction, and the presence of its data elements (cup.md 4 and 6.1)."""

from __future__ import annotations

from functools import lru_cache

from specs.codes import Refusal
from specs.dialect import Dialect
from specs.errors import DecodeError
from specs.families.table import Row, Signs, base_mti, by_mti, classify, knows_mti, missing, reversals_of, unreadable
from specs.message import Message
from specs.mti import AUTHORISATION, FINANCIAL, REVERSAL
from specs.operation import Kind, Unreadable
from specs.subfields import cup as sub

NAME = "cup"

# --- transactions (cup.md 4) and the presence of their elements (cup.md 6.1); DE 64 is the caller's ---

_MONEY = (3, 4, 11, 22, 25, 41, 42, 49, 60)
_CARD = (2, 14, 23, 26, 35, 52, 53, 55)
_NETWORK = (41, 42, 60)

_FINANCIAL_ROWS = (
    # A condition code or 60.1 of something built later; before the plain rows, which take any condition code.
    Row("instalment sale", "0200", processing="00", condition="64", type_code="22", reversible=True),
    Row("loyalty sale", "0200", processing="00", condition="65", type_code="22", reversible=True),
    Row("loyalty void", "0200", processing="20", condition="65", type_code="23", reversible=True),
    Row(
        *("balance inquiry", "0200", Kind.BALANCE, "31"),
        type_code="01",
        required=(3, 11, 22, 25, 41, 42, 49, 60),
        optional=_CARD,
    ),
    Row(
        *("sale", "0200", Kind.SALE, "00"),
        type_code="22",
        reversible=True,
        required=_MONEY,
        optional=_CARD,
    ),
    # DE 37 «must agree when sent» (rules.md 1), so it may be absent.
    Row(
        *("void", "0200", Kind.VOID, "20"),
        type_code="23",
        reversible=True,
        required=(*_MONEY, 61),
        optional=(*_CARD, 37, 38),
    ),
    Row("refund", "0220", processing="20", type_code="25"),
    Row("pre-authorization", "0100", processing="03", type_code="10", reversible=True),
    Row("pre-authorization void", "0100", processing="20", type_code="11", reversible=True),
    Row("completion", "0200", processing="00", type_code="20", reversible=True),
    Row("completion void", "0200", processing="20", type_code="21", reversible=True),
    Row("completion advice", "0220", processing="00", type_code="24"),
    Row("offline sale advice", "0220", processing="00", type_code="30"),
    Row("settlement adjustment", "0220", processing="00", type_code="32"),
    Row("tip", "0220", processing="00", type_code="34"),
    Row("IC offline sale", "0200", processing="00", type_code="36"),
    Row("loyalty inquiry", "0200", type_code="03"),
    Row("electronic-cash refund", "0220", type_code="27"),
    *(
        Row(name, mti, type_code=code)
        for mti in ("0200", "0220")
        for codes, name in (
            (("40", "41", "42", "45", "46", "47", "51"), "e-purse or electronic-cash load"),
            (("48",), "mag-stripe top-up"),
            (("53", "54"), "appointment"),
        )
        for code in codes
    ),
)

_DOWNLOADS = {
    "RSA transfer of the master key": ("350", "351", "352"),
    "parameter download": ("360", "361"),
    "terminal status": ("362",),
    "CA public keys": ("370", "371", "372", "373"),
    "IC parameters": ("380", "381", "382", "383"),
    "blacklist": ("390", "391"),
    "contactless parameters": ("394", "395"),
    "BIN list": ("396", "397", "398", "399"),
    "loyalty log-on": ("401",),
    "master key download": ("420",),
}

_MANAGEMENT_ROWS = (
    *(
        Row(
            *("sign-on", "0800", Kind.SIGN_ON),
            function=function,
            key_layout=layout,
            required=(11, *_NETWORK, 63),
            optional=(62,),
        )
        for function, layout in (("003", 40), ("001", 24), ("004", 60))
    ),
    Row("sign-on with SM4 keys", "0800", function="005"),
    Row("sign-on with SM4 keys", "0800", function="006"),
    Row("sign-off", "0820", Kind.SIGN_OFF, function="002", required=(11, *_NETWORK)),
    Row("echo test", "0820", Kind.ECHO, function="301", required=_NETWORK, optional=(11,)),
    *(
        Row(name, mti, function=function)
        for mti in ("0800", "0820")
        for name, functions in _DOWNLOADS.items()
        for function in functions
    ),
    Row("settlement", "0500", Kind.SETTLE, function="201", required=(11, *_NETWORK, 48, 49, 63)),
    Row("batch upload", "0320", Kind.UPLOAD, function="201", required=(11, *_NETWORK, 48)),
    *(
        Row(
            "batch upload end",
            "0320",
            Kind.UPLOAD_END,
            function=code,
            balanced=code == "207",
            required=(11, *_NETWORK, 48),
        )
        for code in ("202", "207")
    ),
    *(Row("upload of an IC transaction", "0320", function=code) for code in ("203", "204", "205", "206")),
    Row("upload of an advice copy", "0320", function="000"),
    Row("IC script result", "0620", function="951"),
)

ROWS = (
    *_FINANCIAL_ROWS,
    *reversals_of(_FINANCIAL_ROWS, required=(3, 4, 11, 22, 25, 39, 41, 42, 49, 60), optional=(2, 14, 23, 38, 55)),
    *_MANAGEMENT_ROWS,
)

_MONEY_CLASSES = (AUTHORISATION, FINANCIAL, REVERSAL)
_INDEX = by_mti(ROWS)


@lru_cache(maxsize=8192)
def private_of(value: str) -> sub.Private60:
    """DE 60 in its parts; every terminal sends the same few values all day. Raises: DecodeError."""
    return sub.parse_de60(value)


def classified(message: Message, dialect: Dialect) -> Row | Unreadable:
    """The row of a request: told by DE 3 digits 1-2 and 60.1 when it moves money, else by 60.3."""
    mti = base_mti(message)
    if mti is None or not knows_mti(_INDEX, message):
        return classify(message, _INDEX, Signs())
    if (fault := missing(message, (60,), dialect)) is not None:
        return fault
    try:
        private = private_of(message[60])
    except DecodeError as error:
        return unreadable(message, Refusal.FORMAT, 60, error.expected, error.got)
    if mti.message_class not in _MONEY_CLASSES:
        return classify(message, _INDEX, Signs(function=private.function))
    if (fault := missing(message, (3,), dialect)) is not None:
        return fault
    return classify(message, _INDEX, Signs(message[3], message.get(25), private.type_code))


def tracks_encrypted(message: Message) -> bool:
    """Whether DE 35 and 36 are under the track key: DE 53 digit 3 is 1 (cup.md 5.3)."""
    return (message.get(53) or "")[2:3] == "1"
