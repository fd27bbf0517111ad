"""The keys of the till: every order that may go to the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from terminal_sim.commands import shared
from terminal_sim.commands.shared import (
    Amount,
    AsJson,
    CardOption,
    EntryOption,
    Folder,
    MaybeAmount,
    PinOption,
    RrnOption,
    StanOption,
    act,
    faulty,
    minor,
    part,
    reference,
)

if TYPE_CHECKING:
    from specs.operation import Card
    from terminal_sim.state import Memory

DATE_DIGITS = 4
AUTH_CODE_MAX = 6


# --- the day ----------------------------------------------------------------------------------------------------------


def signon(folder: Folder, as_json: AsJson = False) -> None:
    """Sign on: working keys and batch number (签到)."""
    from terminal_sim.moves import SignOn

    act(folder, lambda _: SignOn(), as_json)


def signoff(folder: Folder, as_json: AsJson = False) -> None:
    """Sign off (签退)."""
    from terminal_sim.moves import SignOff

    act(folder, lambda _: SignOff(), as_json)


def echo(folder: Folder, as_json: AsJson = False) -> None:
    """Is the host there? (回响测试)"""
    from terminal_sim.moves import Echo

    act(folder, lambda _: Echo(), as_json)


def download(
    folder: Folder,
    what: Annotated[str, typer.Argument(metavar="[parameters|ca-keys|ic-parameters|status]")] = "parameters",
    as_json: AsJson = False,
) -> None:
    """Fetch parameters or keys, or send the terminal's status (参数下载、状态上送)."""
    from terminal_sim.moves import Download

    known = ("parameters", "ca-keys", "ic-parameters", "status")
    if what not in known:
        faulty(f"download {what}: one of {', '.join(known)}")
    act(folder, lambda _: Download(what), as_json)


def send(folder: Folder, as_json: AsJson = False) -> None:
    """Send what is stored: offline sales, tips, adjustments, advices (离线上送)."""
    from terminal_sim.moves import SendStored

    act(folder, lambda _: SendStored(), as_json)


def settle(
    folder: Folder,
    auto_signoff: Annotated[bool, typer.Option("--auto-signoff", help="Sign off behind it, this time.")] = False,
    detail: Annotated[bool, typer.Option("--detail", help="Print the list of its transactions too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Close the batch (批结算): 0 agreed, 1 closed with exceptions or refused, 3 unanswered."""
    from terminal_sim.moves import End, Settle, SignOff

    memory, result = shared.run(folder, lambda _: Settle(), as_json)
    if result.end in (End.AGREED, End.NOT_AGREED):
        if detail:
            _print_detail(memory, result.batch, as_json)
        if auto_signoff and memory.signed_on:
            memory, _ = shared.run(folder, lambda _: SignOff(), as_json)
    shared.end(memory, result, as_json)


def _print_detail(memory: Memory, batch: str, as_json: bool) -> None:
    from terminal_sim import reprints
    from terminal_sim.wire import wire_for

    slip = reprints.detail_slip(memory, wire_for(memory.config.connect).name, batch)
    if slip is not None:
        shared.Screen(as_json).print(slip)


# --- selling ----------------------------------------------------------------------------------------------------------


def balance(
    folder: Folder, card: CardOption = "", entry: EntryOption = "swipe", pin: PinOption = "", as_json: AsJson = False
) -> None:
    """Ask for the card's balance (余额查询)."""
    from terminal_sim.moves import Balance

    act(folder, lambda _: Balance(*_card_and_pin(card, entry, pin)), as_json)


def sale(
    folder: Folder,
    amount: Amount,
    card: CardOption = "",
    entry: EntryOption = "swipe",
    pin: PinOption = "",
    tip: Annotated[str, typer.Option("--tip", metavar="N", help="The tip in AMOUNT (NAC, ISO 87).")] = "",
    cash: Annotated[str, typer.Option("--cash", metavar="N", help="The cash handed out, part of AMOUNT.")] = "",
    chip_refuses: Annotated[
        bool, typer.Option("--chip-refuses", help="The chip says no after the host's yes.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Sell (消费)."""
    from specs.operation import Entry
    from terminal_sim.moves import Sale

    def order(_: Memory) -> Sale:
        whole = minor(amount)
        read, keyed = _card_and_pin(card, entry, pin)
        parts = part(tip, "--tip", whole), part(cash, "--cash", whole)
        if sum(parts) >= whole:
            faulty("--tip and --cash: together less than AMOUNT")
        if chip_refuses and read.entry not in (Entry.CHIP, Entry.TAP):
            faulty("--chip-refuses: only with --entry chip or tap")
        return Sale(whole, read, *parts, pin=keyed, chip_refuses=chip_refuses)

    act(folder, order, as_json)


def preauth(
    folder: Folder,
    amount: Amount,
    card: CardOption = "",
    entry: EntryOption = "swipe",
    pin: PinOption = "",
    increment: Annotated[bool, typer.Option("--increment", help="Add to a reservation of the card.")] = False,
    stan: Annotated[str, typer.Option("--stan", metavar="N", help="--increment: the reservation's STAN.")] = "",
    auth_code: Annotated[str, typer.Option("--auth-code", metavar="A", help="--increment: or its code.")] = "",
    as_json: AsJson = False,
) -> None:
    """Reserve (预授权), or add to a reservation (追加预授权)."""
    from terminal_sim.moves import PreAuth

    def order(_: Memory) -> PreAuth:
        if (stan or auth_code) and not increment:
            faulty("preauth: --stan and --auth-code go with --increment")
        read, keyed = _card_and_pin(card, entry, pin)
        named = shared.stan6(stan), _auth_code(auth_code)
        return PreAuth(minor(amount), read, keyed, increment, *named)

    act(folder, order, as_json)


def offline_sale(
    folder: Folder,
    amount: Amount,
    card: CardOption = "",
    entry: EntryOption = "swipe",
    auth_code: Annotated[str, typer.Option("--auth-code", metavar="A", help="Of a phone approval.")] = "",
    as_json: AsJson = False,
) -> None:
    """Sell without asking the host (离线结算); it is told later."""
    from terminal_sim.moves import OfflineSale

    act(
        folder,
        lambda _: OfflineSale(minor(amount), _card_and_pin(card, entry, "")[0], _auth_code(auth_code)),
        as_json,
    )


# --- about an earlier one ---------------------------------------------------------------------------------------------


def void(
    folder: Folder, amount: MaybeAmount = "", stan: StanOption = "", rrn: RrnOption = "", as_json: AsJson = False
) -> None:
    """Cancel a sale, refund or completion of the open batch (撤销), always the whole of it."""
    from terminal_sim.moves import Void

    def order(memory: Memory) -> Void:
        named = reference(stan, rrn, "void")
        row = memory.row(stan=named[0], rrn=named[1])
        if amount and row is not None and minor(amount) != row.amount:
            faulty(f"AMOUNT {amount}: a void takes back the whole, {row.amount}; leave it out")
        return Void(*named)

    act(folder, order, as_json)


def preauth_void(folder: Folder, stan: StanOption = "", rrn: RrnOption = "", as_json: AsJson = False) -> None:
    """Drop a reservation (预授权撤销)."""
    from terminal_sim.moves import PreAuthVoid

    act(folder, lambda _: PreAuthVoid(*reference(stan, rrn, "preauth-void")), as_json)


def refund(
    folder: Folder,
    amount: MaybeAmount = "",
    stan: StanOption = "",
    rrn: RrnOption = "",
    card: CardOption = "",
    entry: EntryOption = "swipe",
    date: Annotated[str, typer.Option("--date", metavar="MMDD", help="Day of the sale; any if absent.")] = "",
    as_json: AsJson = False,
) -> None:
    """Give money back for an earlier sale (退货): of this terminal by --stan, of any by --rrn and --card."""
    from terminal_sim.moves import Refund
    from terminal_sim.reprints import find

    def order(memory: Memory) -> Refund:
        if stan and rrn:
            faulty("refund: give --stan or --rrn, one of the two")
        if not (stan or rrn or card):
            faulty("refund: give --stan, --rrn, or --card for one without a sale")
        if date and not (date.isascii() and date.isdigit() and len(date) == DATE_DIGITS):
            faulty(f"--date {date}: four digits, MMDD")
        named = shared.stan6(stan), shared.checked_rrn(rrn)
        row = find(memory, stan=named[0], rrn=named[1])
        if not amount and row is None:
            faulty("refund: AMOUNT is missing, and the sale is not in this terminal's books")
        whole = minor(amount) if amount or row is None else row.amount
        return Refund(whole, _card_and_pin(card, entry, "")[0] if card else None, *named, date=date)

    act(folder, order, as_json)


def complete(
    folder: Folder,
    amount: MaybeAmount = "",
    stan: StanOption = "",
    rrn: RrnOption = "",
    advice: Annotated[bool, typer.Option("--advice", help="Tell the host afterwards (通知).")] = False,
    as_json: AsJson = False,
) -> None:
    """Take money on a reservation (预授权完成): all of it, or AMOUNT."""
    from terminal_sim.moves import Complete

    def order(_: Memory) -> Complete:
        return Complete(*reference(stan, rrn, "complete"), amount=minor(amount) if amount else None, advice=advice)

    act(folder, order, as_json)


def adjust(folder: Folder, amount: Amount, stan: StanOption = "", rrn: RrnOption = "", as_json: AsJson = False) -> None:
    """Another total for a sale of the open batch (结算调整); AMOUNT is the new total."""
    from terminal_sim.moves import Adjust

    act(folder, lambda _: Adjust(*reference(stan, rrn, "adjust"), amount=minor(amount)), as_json)


def tip(folder: Folder, amount: Amount, stan: StanOption = "", rrn: RrnOption = "", as_json: AsJson = False) -> None:
    """A tip on top of a sale of the open batch (小费); AMOUNT is the tip."""
    from terminal_sim.moves import Adjust

    act(folder, lambda _: Adjust(*reference(stan, rrn, "tip"), tip=minor(amount)), as_json)


# --- arguments --------------------------------------------------------------------------------------------------------


def _card_and_pin(card: str, entry: str, pin: str) -> tuple[Card, str]:
    from terminal_sim.cards import DEFAULT, card_from, pin_from

    read = card_from(card or DEFAULT, entry)
    return read, pin_from(pin, read)


def _auth_code(text: str) -> str:
    if text and not (text.isascii() and text.isalnum() and len(text) <= AUTH_CODE_MAX):
        _bad_auth_code(text)
    return text


def _bad_auth_code(text: str) -> NoReturn:
    faulty(f"--auth-code {text}: up to six letters or digits")
