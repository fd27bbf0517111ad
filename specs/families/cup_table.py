"""UnionPay POS: which message is which transaction, and the presence of its data elements (cup.md 4 and 6.1)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from specs.codes import Refusal
from specs.dialect import Dialect
from specs.errors import DecodeError
from specs.families.table import (
    ROWS_KEPT_MAX,
    Row,
    Signs,
    base_mti,
    by_mti,
    classify,
    knows_mti,
    missing,
    reversals_of,
    told_shortly,
    unreadable,
)
from specs.masking import mask_text
from specs.message import Message
from specs.mti import AUTHORISATION, FILE, FINANCIAL, REVERSAL, Mti
from specs.operation import Kind, Unreadable, UploadForm
from specs.subfields import cup as sub

NAME = "cup"

# --- transactions (cup.md 4) and the presence of their elements (cup.md 6.1); DE 64 is the caller's ---

_MONEY = (3, 4, 11, 22, 25, 41, 42, 49, 60)
_ADVISED = (3, 4, 11, 22, 25, 41, 42, 60, 63)
"""Completion advice, offline sale, tip: their column leaves DE 49 to the terminal."""
_CARD = (2, 14, 23, 26, 35, 52, 53, 55)
_CARD_NO_CHIP = (2, 14, 23, 26, 35, 52, 53)
_CARD_ADVISED = (2, 14, 23, 35, 49, 53, 55)
_NETWORK = (41, 42, 60)

_FINANCIAL_ROWS = (
    # A condition code or 60.1 of its own; before the plain rows, which take any condition code: 08 and 18 (MOTO) too.
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
    # DE 37 «must agree when sent» (rules.md 1), so it may be absent; so may that of a completion void.
    Row(
        *("void", "0200", Kind.VOID, "20"),
        type_code="23",
        reversible=True,
        required=(*_MONEY, 61),
        optional=(*_CARD_NO_CHIP, 37, 38),
    ),
    # Named by DE 37, else by DE 61 (rules.md 1): the reader wants one of them.
    Row(
        *("refund", "0220", Kind.REFUND, "20"),
        type_code="25",
        required=(*_MONEY, 63),
        optional=(*_CARD_NO_CHIP, 37, 38, 61),
    ),
    Row(
        *("incremental pre-authorization", "0100", Kind.PRE_AUTH_INCREMENT, "03", "60"),
        type_code="10",
        reversible=True,
        required=_MONEY,
        optional=(*_CARD, 38, 61),
    ),
    Row(
        *("pre-authorization", "0100", Kind.PRE_AUTH, "03"),
        type_code="10",
        reversible=True,
        required=_MONEY,
        optional=_CARD,
    ),
    Row(
        *("pre-authorization void", "0100", Kind.PRE_AUTH_VOID, "20"),
        type_code="11",
        reversible=True,
        required=(*_MONEY, 38, 61),
        optional=(2, 14, 26, 35, 37, 52, 53),
    ),
    Row(
        *("completion", "0200", Kind.COMPLETION, "00"),
        type_code="20",
        reversible=True,
        required=(*_MONEY, 38, 61),
        optional=_CARD_NO_CHIP,
    ),
    Row(
        *("completion void", "0200", Kind.COMPLETION_VOID, "20"),
        type_code="21",
        reversible=True,
        required=(*_MONEY, 61),
        optional=(2, 14, 26, 35, 37, 38, 52, 53),
    ),
    Row(
        *("completion advice", "0220", Kind.COMPLETION_ADVICE, "00"),
        type_code="24",
        required=(*_ADVISED, 61),
        optional=(*_CARD_ADVISED, 38),
    ),
    Row(
        *("offline sale advice", "0220", Kind.OFFLINE_SALE, "00"),
        type_code="30",
        required=_ADVISED,
        optional=(*_CARD_ADVISED, 38, 61),
    ),
    Row(
        *("settlement adjustment", "0220", Kind.ADJUST, "00"),
        type_code="32",
        required=(*_ADVISED, 61),
        optional=(*_CARD_ADVISED, 37, 38, 48),
    ),
    Row(
        *("tip", "0220", Kind.TIP, "00"),
        type_code="34",
        required=(*_ADVISED, 48, 61),
        optional=(*_CARD_ADVISED, 37, 38),
    ),
    Row(
        *("IC offline sale", "0200", Kind.OFFLINE_SALE, "00"),
        type_code="36",
        required=_MONEY,
        optional=(*_CARD, 38, 63),
    ),
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

_DOWNLOADS = (
    ("parameter download", "0800", ("360", "361")),
    ("terminal status", "0820", ("362",)),
    ("CA public keys", "0800", ("370", "371")),
    ("CA public keys", "0820", ("372",)),
    ("IC parameters", "0800", ("380", "381")),
    ("IC parameters", "0820", ("382",)),
)
DOWNLOADS = frozenset(function for _, _, functions in _DOWNLOADS for function in functions)
"""60.3 of what is served. Each is taken under either MTI; the terminal sends the one above."""
_OTHER_MTI = {"0800": "0820", "0820": "0800"}

_NOT_OFFERED = {
    "RSA transfer of the master key": ("350", "351", "352"),
    "CA public keys with SM2": ("373",),
    "IC parameters with SM2": ("383",),
    "blacklist": ("390", "391"),
    "contactless parameters": ("394", "395"),
    "BIN list": ("396", "397", "398", "399"),
    "loyalty log-on": ("401",),
    "master key download": ("420",),
}

COPY = "000"
"""60.3 of an upload copy: that of the 0220 itself, which may also end before it."""
CHIP_UPLOADS: Mapping[tuple[UploadForm, bool], str] = {
    (UploadForm.TC, True): "203",
    (UploadForm.FAILED, True): "204",
    (UploadForm.TC, False): "205",
    (UploadForm.FAILED, False): "206",
}
"""What became of the card, whether the settlement balanced -> 60.3 (cup.md 5.8)."""

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
        Row(name, told, Kind.DOWNLOAD, function=function, required=_NETWORK, optional=(11, 62))
        for name, mti, functions in _DOWNLOADS
        for told in (mti, _OTHER_MTI[mti])
        for function in functions
    ),
    *(
        Row(name, mti, function=function)
        for mti in ("0800", "0820")
        for name, functions in _NOT_OFFERED.items()
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
    # What an item lacks shows when it is compared: any readable one is taken (rules.md 6, «upload»).
    *(
        Row(
            *("upload of an IC transaction", "0320", Kind.TC_UPLOAD),
            function=function,
            balanced=balanced,
            required=(11, *_NETWORK),
            optional=(2, 4, 22, 23, 55, 62) if form is UploadForm.TC else (2, 3, 22, 23, 25, 55, 62),
        )
        for (form, balanced), function in CHIP_UPLOADS.items()
    ),
    Row("upload of an advice copy", "0320", Kind.UPLOAD, function=COPY, required=(4, 11, *_NETWORK)),
    Row(
        *("IC script result", "0620", Kind.SCRIPT_RESULT),
        function="951",
        required=(11, *_NETWORK, 55),
        optional=(2, 3, 4, 22, 23, 25, 37, 38, 49, 61),
    ),
)

ROWS = (
    *_FINANCIAL_ROWS,
    *reversals_of(_FINANCIAL_ROWS, required=(3, 4, 11, 22, 25, 39, 41, 42, 49, 60), optional=(2, 14, 23, 38, 55)),
    *_MANAGEMENT_ROWS,
)

_MONEY_CLASSES = (AUTHORISATION, FINANCIAL, REVERSAL)
_INDEX = by_mti(ROWS)


def private_of(value: str) -> sub.Private60:
    """DE 60 in its parts. Raises: DecodeError.

    Every terminal sends the same few values all day, so they are kept; but nothing that may hold a card number.
    """
    return _private_of(value) if mask_text(value) == value else sub.parse_de60(value)


_private_of = lru_cache(maxsize=8192)(sub.parse_de60)


def classified(message: Message, dialect: Dialect) -> Row | Unreadable:
    """The row of a request: told by DE 3 digits 1-2 and 60.1 when it moves money, else by 60.3."""
    return _known(message, dialect) or classified_with_care(message, dialect)


def _known(message: Message, dialect: Dialect) -> Row | None:
    """The row, looked up by all that tells it; None where the careful road is to say what the message is.

    Of a doubtful message nothing is kept: its digits may be those of a card.
    """
    fields = message.fields
    private, processing, condition = fields.get(60, ""), fields.get(3), fields.get(25)
    if len(private) < _HEAD_OF_60 or not (private.isascii() and private.isdigit()):
        return None
    if message.doubtful or not told_shortly(processing, condition):
        return None
    return _row_of(dialect, message.mti, processing, condition, private[:2], private[_HEAD_OF_60:11])


_HEAD_OF_60 = 8
"""Digits of 60.1 and 60.2; behind them stands 60.3."""


@lru_cache(maxsize=ROWS_KEPT_MAX)
def _row_of(
    dialect: Dialect, mti: str, processing: str | None, condition: str | None, type_code: str, function: str
) -> Row | None:
    """The row of every message that has these; None when it has none that can be served."""
    told = {3: processing, 25: condition, 60: f"{type_code}000000{function}"}
    found = classified_with_care(Message(mti).with_fields(told), dialect)
    return found if isinstance(found, Row) else None


def classified_with_care(message: Message, dialect: Dialect) -> Row | Unreadable:
    """See `classified`, which must say the same of every message."""
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
        return classify(message, _INDEX, Signs(function=_function(mti, private)))
    if (fault := missing(message, (3,), dialect)) is not None:
        return fault
    return classify(message, _INDEX, Signs(message[3], message.get(25), private.type_code))


def _function(mti: Mti, private: sub.Private60) -> str | None:
    """60.3; an upload without one is the copy of a 0220 whose DE 60 was that short."""
    return COPY if private.function is None and mti.message_class == FILE else private.function


def tracks_encrypted(message: Message) -> bool:
    """Whether DE 35 and 36 are under the track key: DE 53 digit 3 is 1 (cup.md 5.3)."""
    return (message.get(53) or "")[2:3] == "1"
