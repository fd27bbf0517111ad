"""The table of purchases: the three numbers of each, its class, and who is out how much."""

from __future__ import annotations

from functools import partial

from terminal_sim.lab.report import words
from terminal_sim.lab.report.html import Child, Html, el, join
from terminal_sim.lab.report.pieces import cell, chips, number, table
from terminal_sim.lab.report.shape import PurchaseShape, RunShape

NOTHING = "—"


def purchases(run: RunShape) -> Html | None:
    """Each purchase with its three numbers, its class and who is out how much."""
    if not run["purchases"]:
        return None
    heads = ["Purchase", *map(number, ("Amount", "Debited", "Settled", "Delivered")), "Class"]
    heads += [
        el("th", party.capitalize(), scope="col", cls=f"n{' first' if party == 'cardholder' else ''}")
        for party in words.PARTIES
    ]
    rows = [_purchase(run, purchase) for purchase in run["purchases"]]
    total = [_share(run["money"][party], run["currency"], party) for party in words.PARTIES]  # type: ignore[literal-required]
    rows.append(el("tr", el("th", "Together", scope="row", colspan=6), *total, cls="sum"))
    note = el("p", "+ has too much, − is out of pocket; the four add up to zero.", cls="quiet")
    return join((table("Purchases, and who is out how much", heads, rows, "money"), note))


def _purchase(run: RunShape, purchase: PurchaseShape) -> Html:
    currency, amount = run["currency"], purchase["amount"]
    delivered = NOTHING if purchase["delivered"] is None else f"{purchase['delivered']} ×"
    reason = el("span", f" {purchase['reason']}", cls="quiet") if purchase["reason"] else None
    shares = [_share(purchase["money"][party], currency, party) for party in words.PARTIES]  # type: ignore[literal-required]
    return el(
        "tr",
        el("td", el("b", purchase["name"])),
        cell("Amount", words.money(amount, currency)),
        cell("Debited", *_times(purchase["debited"], amount, currency)),
        cell("Settled", *_times(purchase["settled"], amount, currency)),
        cell("Delivered", delivered),
        el("td", chips(purchase["classes"]), reason, cls="class"),
        *shares,
        cls=None if purchase["classes"] in (["clean"], ["late"]) else "struck",
    )


def _times(value: int, amount: int, currency: str) -> list[Child]:
    """ "268.00 1 ×": the sum, and how often it is the purchase's amount."""
    whole = amount and value % amount == 0
    return [words.money(value, currency), el("span", f" {value // amount} ×" if whole else " ≠", cls="quiet")]


def _share(value: int, currency: str, party: str) -> Html:
    place = "n first" if party == words.PARTIES[0] else "n"
    sign = "" if not value else " plus" if value > 0 else " minus"
    return cell(party.capitalize(), words.signed(value, partial(words.money, currency=currency)), cls=place + sign)
