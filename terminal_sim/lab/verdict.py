"""The verdict over two books that were kept independently: the terminal's journal and the host's ledger.

`judge` holds them against each other item by item (host.checker.compare) and asks of every difference whether the host
has listed it as an exception with a reason, and of every listed exception whether it is a difference (E1 of the failure
catalogue). ISO 87 has no items on the wire: there a figure that is listed explains the items of its batch. `lines`
prints that. Both are pure; fetching the books is the caller's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from host.checker.archives import ends
from host.checker.books import HostBooks, totals_of
from host.checker.compare import Comparison, Pair
from host.checker.compare import Verdict as Word
from host.checker.differences import FIGURES, MEMBERSHIP, Listed, explanation, named_by
from host.rows import Batch, BatchState, TxnState
from specs.journal import ArchivedBatch, TerminalBook
from specs.money import format_amount
from terminal_sim.lab.ladder import WIDTH, totals_text

_NOTHING = "—"


@dataclass(frozen=True, slots=True)
class Item:
    """One item as both ends have it. reason: of the exception that explains a difference, "" when none does."""

    pair: Pair
    reason: str = ""
    detail: str = ""

    @property
    def same(self) -> bool:
        """Whether both books say the same of it."""
        return self.pair.verdict is Word.SAME

    @property
    def right(self) -> bool:
        """Equal at both ends, or different with a reason."""
        return self.same or bool(self.reason)


@dataclass(frozen=True, slots=True)
class BatchView:
    """One batch of the host beside the terminal's archived one (None: it has none of this number)."""

    host: Batch
    terminal: ArchivedBatch | None


@dataclass(frozen=True, slots=True)
class Undone:
    """A sale or void that the host has reversed and of which the terminal holds no row.

    acked: DE 39 with which the terminal was told that it is undone, "" when it knows of no such thing.
    """

    batch: str
    stan: str
    kind: str
    amount: int
    acked: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the two books come to. trouble: whatever is wrong beside the items, each in one sentence."""

    tid: str
    currency: str
    items: tuple[Item, ...]
    batches: tuple[BatchView, ...]
    comparison: Comparison
    undone: tuple[Undone, ...]
    trouble: tuple[str, ...]

    @property
    def agree(self) -> bool:
        """Whether every item is as the day foresees and nothing else went wrong."""
        return not self.trouble and all(item.right for item in self.items)

    @property
    def exceptions(self) -> tuple[Item, ...]:
        """The items of which the books say different things."""
        return tuple(item for item in self.items if not item.same)

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        wrong = [item for item in self.items if not item.right]
        if not self.agree:
            parts = [f"{_name(item.pair)} is {item.pair.verdict} without a reason" for item in wrong]
            return f"{self.tid}: the books do NOT agree: " + "; ".join([*parts, *self.trouble])
        equal = len(self.items) - len(self.exceptions)
        undone = f", {_many(len(self.undone), 'reversal')} on both sides" if self.undone else ""
        if not self.exceptions:
            return f"{self.tid}: books agree: {_many(equal, 'item')}, all equal{undone}"
        listed = "; ".join(f"{_name(item.pair)}: {item.reason}" for item in self.exceptions)
        differ = _many(len(self.exceptions), "difference")
        return (
            f"{self.tid}: books agree: {_many(equal, 'item')} equal{undone}; {differ}, explained by the host's list"
            + (f" of exceptions ({listed})")
        )


def judge(books: HostBooks, terminal: TerminalBook, findings: Sequence[str] = ()) -> Judgement:
    """Compare one terminal's book with the host's.

    findings: invariants that the host's own checker found broken, as text. Every one of them makes the books disagree.
    """
    (both,) = ends(books, {terminal.tid: terminal})
    comparison, listed = both.comparison, Listed.of(books, terminal.tid)
    items = tuple(_item(books, listed, pair) for pair in comparison.rows)
    by_number = {closed.batch: closed for closed in terminal.archived}
    matched = {m.batch.id: m.archived for m in both.matched}
    own_numbers = books.family_of(terminal.tid) == "iso87"  # the terminal's number is not on the wire
    batches = tuple(
        BatchView(b, matched.get(b.id) or (None if own_numbers else by_number.get(b.number)))
        for b in books.batches_by_tid.get(terminal.tid, ())
    )
    undone = tuple(_undone(books, terminal, comparison))
    trouble = [
        *_unexplained(books, terminal.tid, listed, items, undone),
        *_unfinished(terminal),
        *(f"the host has reversed STAN {u.stan}, the terminal knows nothing of it" for u in undone if not u.acked),
        *(text for view in batches for text in _batch_trouble(view, items)),
        *(f"invariant broken: {finding}" for finding in findings),
    ]
    currency = next((t.currency for t in books.txns_by_tid.get(terminal.tid, ()) if t.currency), "156")
    return Judgement(terminal.tid, currency, items, batches, comparison, undone, tuple(trouble))


def _undone(books: HostBooks, terminal: TerminalBook, comparison: Comparison) -> Iterable[Undone]:
    """What a lost answer left: reversed at the host, in no row of the terminal, which only remembers the reversal."""
    paired = {pair.txn_id for pair in comparison.rows}
    acks = {event.stan: event.code for event in terminal.events if event.event == "rev-cleared" and event.code}
    for txn in books.txns_by_tid.get(terminal.tid, ()):
        if txn.state is TxnState.REVERSED and txn.id not in paired:
            batch = books.batch_by_id.get(txn.batch_id)
            number = txn.wire_batch or (batch.number if batch else "")
            yield Undone(number, txn.stan, str(txn.kind), txn.amount, acks.get(txn.stan, ""))


def _item(books: HostBooks, listed: Listed, pair: Pair) -> Item:
    return Item(pair) if pair.verdict is Word.SAME else Item(pair, *explanation(books, listed, pair))


def _unexplained(
    books: HostBooks, tid: str, listed: Listed, items: Sequence[Item], undone: Sequence[Undone]
) -> Iterable[str]:
    """E1 from the other side: what is listed must be a difference, or have been one until it was reversed. Figures are
    the dialogue's own, and what only counts elsewhere may be equal at both ends."""
    mended = {(u.batch, u.stan) for u in undone}
    differing = {e.id for item in items if not item.same for e in named_by(books, listed, item.pair)}
    for entry in books.exceptions:
        if entry.tid != tid or entry.id in differing or entry.reason in FIGURES | MEMBERSHIP:
            continue
        if tuple(entry.item_key.split("/")[-2:]) not in mended:
            yield f"the host lists {entry.item_key or 'an item'} as {entry.reason}, but there is no such difference"


def _unfinished(terminal: TerminalBook) -> Iterable[str]:
    if terminal.pending_reversal:
        yield f"the terminal still owes the reversal of STAN {terminal.pending_reversal}"
    if terminal.frozen:
        yield f"the terminal has not finished the settlement of batch {terminal.batch}"


def _batch_trouble(view: BatchView, items: Sequence[Item]) -> Iterable[str]:
    """Both ends must say of a batch whether it is closed, and whether it agreed."""
    host, mine = view.host, view.terminal
    exceptions = any(not item.same and item.pair.counts and item.pair.batch == host.number for item in items)
    if host.state is BatchState.DISPUTED:
        yield f"batch {host.number} is still disputed at the host"
    elif host.state is BatchState.OPEN and mine is not None:
        yield f"batch {host.number} is closed at the terminal and open at the host"
    elif host.state is not BatchState.OPEN and mine is None and not host.forced:
        yield f"batch {host.number} is closed at the host and not at the terminal"
    if mine is not None and mine.result == "agreed" and exceptions:
        yield f"batch {host.number}: the terminal's slip says agreed, but the items differ"


# ---- text


def lines(judgement: Judgement) -> list[str]:
    """The table, the totals of both sides, the exceptions with their reasons, and the sentence; at most WIDTH wide."""
    table = [f"{'BATCH':8}{'STAN':8}{'KIND':19}{'TERMINAL':>20}  {'HOST':>20}  VERDICT"]
    rows = [((i.pair.batch, i.pair.stan), _row(i, judgement.currency)) for i in judgement.items]
    rows += [((u.batch, u.stan), _undone_row(u, judgement.currency)) for u in judgement.undone]
    table += [text for _, text in sorted(rows)]
    table.append("")
    for view in judgement.batches:
        table += _batch(view, judgement.currency)
    table += _net(judgement)
    for item in judgement.exceptions:
        reason = f"{item.reason}: {item.detail}" if item.reason else "NO REASON"
        table += folded(f"exception: {_name(item.pair)}: {reason}")
    return [line.rstrip() for line in [*table, "", *folded(judgement.sentence)]]


def _row(item: Item, currency: str) -> str:
    pair = item.pair
    verdict = "same" if item.same else f"{pair.verdict}{'' if item.reason else '  ✗'}"
    left = _side(pair.terminal_state, pair.terminal_amount, currency)
    right = _side(pair.host_state, pair.host_amount, currency)
    return f"{pair.batch:8}{pair.stan:8}{pair.kind:19}{left:>20}  {right:>20}  {verdict}"


def _undone_row(undone: Undone, currency: str) -> str:
    left = f"reversal acked {undone.acked}" if undone.acked else _NOTHING
    right = _side("reversed", undone.amount, currency)
    word = "same" if undone.acked else "✗"
    return f"{undone.batch:8}{undone.stan:8}{undone.kind:19}{left:>20}  {right:>20}  {word}"


def _side(state: str, amount: int, currency: str) -> str:
    return f"{format_amount(amount, currency)} {state:>9}" if state else _NOTHING


def _batch(view: BatchView, currency: str) -> list[str]:
    """What each end says of a batch, and the totals that each counted by itself."""
    host, mine = view.host, view.terminal
    if mine is None and host.state is BatchState.OPEN and host.running in ("", "{}"):
        return []  # the next batch, empty at both ends
    result = f"terminal: {mine.result}" if mine else "terminal: open"
    answered = totals_of(host.answered)
    claimed = totals_of(host.claimed)
    found = [f"batch {host.number}   {result}   host: {host.state}"]
    if mine is not None:
        found.append(f"  totals of the terminal  {totals_text(mine.totals, currency)}")
    elif claimed is not None:
        found.append(f"  claimed by the terminal {totals_text(claimed, currency)}")
    if answered is not None:
        found.append(f"  totals of the host      {totals_text(answered, currency)}")
    return [part for line in found for part in folded(line, indent=26)]


def _net(judgement: Judgement) -> list[str]:
    both = judgement.comparison
    left = format_amount(both.terminal_net, judgement.currency)
    right = format_amount(both.host_net, judgement.currency)
    difference = both.host_net - both.terminal_net
    gap = f"   difference {format_amount(difference, judgement.currency)}" if difference else "   equal"
    return [f"net, all batches   terminal {left}   host {right}{gap}"]


def _name(pair: Pair) -> str:
    return f"batch {pair.batch} STAN {pair.stan} {pair.kind}"


def _many(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def folded(text: str, indent: int = 4) -> list[str]:
    """Cut at blanks so that no line is wider than WIDTH."""
    found: list[str] = []
    rest = text
    while len(rest) > WIDTH:
        cut = rest.rfind(" ", indent + 1, WIDTH)
        cut = cut if cut > indent else WIDTH
        found.append(rest[:cut])
        rest = " " * indent + rest[cut:].lstrip()
    return [*found, rest]
