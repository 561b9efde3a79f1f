"""The first line of a console: what it says longer, shorter or not at all, as there is room. Pieces only."""

from __future__ import annotations

from dataclasses import dataclass

from tui.kube.times import clock
from tui.widgets.columns import fit, width_of
from tui.widgets.ink import Piece


@dataclass(frozen=True, slots=True)
class Part:
    """Something that the first line says, longer or shorter; what has a higher rank gives way first."""

    long: tuple[Piece, ...]
    short: tuple[Piece, ...]
    rank: int = 0


def standing(sign: str, ink: str, state: str, since: float, *, stands: bool) -> tuple[list[Piece], list[Piece]]:
    """Since when a connection is what it is, for the right side: long and short.

    Args:
        sign: of its phase.
        ink: of the sign.
        state: the phase, in words.
        since: seconds of the wall clock.
        stands: whether it is a connection: then the time says enough.
    """
    tone, at = "" if ink == "ready" else ink, clock(since)
    said = "connected" if stands else state
    short: Piece = (f"{at} ", tone) if stands else (f"{state} ", ink)
    return [(f"{sign} ", ink), (f"{said} since {at} ", tone)], [(f"{sign} ", ink), short]


def laid(
    title: list[Piece], parts: list[Part], right_long: list[Piece], right_short: list[Piece], width: int
) -> list[Piece]:
    """As much as there is room for: all long, all short, then without what matters least."""
    shortened: set[int] = set()
    left_out: set[int] = set()
    order = sorted(range(len(parts)), key=lambda at: -parts[at].rank)
    right = right_long
    steps = [("right", 0), *(("short", at) for at in order), *(("out", at) for at in order)]
    while True:
        line = [*title]
        for at, part in enumerate(parts):
            if at not in left_out:
                line += part.short if at in shortened else part.long
        if pieces_width(line) + pieces_width(right) + 2 <= width or not steps:
            break
        what, at = steps.pop(0)
        if what == "right":
            right = right_short
        elif what == "short":
            shortened.add(at)
        else:
            left_out.add(at)
    return fit((*fit(tuple(line), max(0, width - pieces_width(right))), *right), width)


def pieces_width(pieces: list[Piece]) -> int:
    """Cells that they take."""
    return sum(width_of(text) for text, _ in pieces)
