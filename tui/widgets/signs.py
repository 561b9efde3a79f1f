"""The program's signs: one glyph for each health, and bars of use. Shape first, colour second."""

from __future__ import annotations

from collections.abc import Mapping

from tui.systems.model import Claim, Health
from tui.text import SIGNS
from tui.widgets.ink import Piece

#: One glyph for each health.
GLYPHS: Mapping[Health, str] = {health: SIGNS[health.value] for health in Health}

#: Fractions from which a bar is drawn as a warning, and as full.
NEARLY_FULL, FULL = 0.80, 0.95


def sign(health: Health) -> Piece:
    """The glyph of a health in its ink."""
    return GLYPHS[health], health.value


def bar(fraction: float | None, width: int = 6) -> tuple[Piece, ...]:
    """A bar `━━━╸····` of `width + 2` cells: a line as long as what is used, dots for the rest; all dots when unknown.

    Thin, so that the bars of neighbouring lines do not run into one another, and told apart by shape alone.
    """
    cells = width + 2
    if fraction is None:
        return (("·" * cells, "bar-rest"),)
    fraction = min(max(fraction, 0.0), 1.0)
    halves = round(fraction * cells * 2)
    if fraction > 0 and halves == 0:
        halves = 1
    filled = "━" * (halves // 2) + "╸" * (halves % 2)
    ink = "bar-full" if fraction >= FULL else "bar-warn" if fraction >= NEARLY_FULL else "bar"
    return (filled, ink), ("·" * (cells - len(filled)), "bar-rest")


def use(claim: Claim, width: int = 6) -> tuple[Piece, ...]:
    """Bar and percentage of a claim's use; `?` when it is not known, `~` before a figure that is not its own alone."""
    if claim.usage is None:
        return (*bar(None, width), (" ?", "unknown"))
    percent = f"{claim.usage.fraction * 100:.0f}%"
    if claim.usage.shared:
        return (*bar(claim.usage.fraction, width), (f" ~{percent}", "dim"))
    return (*bar(claim.usage.fraction, width), (f" {percent}", ""))
