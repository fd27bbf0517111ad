"""Which line a host reads: each as its bytes come, or one to the end of its frame before another."""

from __future__ import annotations

from terminal_sim.lab.world.reading import EachAsItComes, OneAtATime, Piece


class Lines:
    """Frames of «(…)»: what was read, and the line that is inside one."""

    def __init__(self) -> None:
        self.read: list[tuple[int, str]] = []
        self.inside = 0

    def take(self, piece: Piece) -> None:
        text = piece.data.decode()
        self.read.append((piece.line, text))
        self.inside = 0 if text.endswith(")") else piece.line


def piece(line: int, text: str) -> Piece:
    return Piece(line, f"T{line:07d}", "cup", text.encode())


def test_the_reference_reads_whatever_comes() -> None:
    lines = Lines()
    reading = EachAsItComes(lines.take)
    for one in (piece(1, "("), piece(2, "(b)"), piece(1, "a)")):
        reading.hear(one)
    assert lines.read == [(1, "("), (2, "(b)"), (1, "a)")]


def test_others_wait_in_order_until_the_frame_is_whole() -> None:
    lines = Lines()
    reading = OneAtATime(lines.take, lambda: lines.inside)
    for one in (piece(1, "("), piece(2, "("), piece(3, "(c)"), piece(2, "b)"), piece(1, "a)")):
        reading.hear(one)
    assert lines.read == [(1, "("), (1, "a)"), (2, "("), (2, "b)"), (3, "(c)")]


def test_the_end_of_a_line_lets_the_others_in() -> None:
    lines = Lines()
    reading = OneAtATime(lines.take, lambda: lines.inside)
    reading.hear(piece(1, "("))
    reading.hear(piece(2, "(b)"))
    assert lines.read == [(1, "(")]
    lines.inside = 0
    reading.go_on()
    assert lines.read == [(1, "("), (2, "(b)")]


def test_what_nobody_has_read_dies_with_the_process() -> None:
    lines = Lines()
    reading = OneAtATime(lines.take, lambda: lines.inside)
    reading.hear(piece(1, "("))
    reading.hear(piece(2, "(b)"))
    reading.forget()
    lines.inside = 0
    reading.go_on()
    assert lines.read == [(1, "(")]
