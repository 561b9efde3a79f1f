"""Under the dense table: the members of the selected workload."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from tui.screens.overview import pane
from tui.screens.overview.arrange import MAX_WIDTH
from tui.screens.overview.members import members as members_of
from tui.systems.model import Workload, brief
from tui.text import one_line
from tui.widgets.columns import fit, width_of
from tui.widgets.ink import Piece, inks
from tui.widgets.signs import sign
from tui.widgets.strips import strip_of


def lines(workload: Workload, width: int, height: int, now: float, *, stale: bool = False) -> list[list[Piece]]:
    """A rule with the workload's name, its members with their claims, what else there is to say, as far as it fits."""
    left: list[Piece] = [
        ("── ", "frame"),
        sign(workload.health),
        (f" {one_line(workload.name)}", "strong"),
        (f" · {workload.title} ", "dim"),
    ]
    right = one_line(pane.packaging(workload))
    rest = width - sum(width_of(text) for text, _ in left) - width_of(right) - 5
    if rest < 0:
        right, rest = "", rest + width_of(right) + 2
    rule: list[Piece] = [*left, ("─" * max(0, rest), "frame"), (f" {right} " if right else "", "dim"), ("───", "frame")]
    drawn = [fit(tuple(rule), width)]
    told = [*pane.passing(workload), *pane.notes(workload)]
    reason = "; ".join(filter(None, (pane.unknown_use(workload), one_line(brief(workload.stands_in)))))
    room = height - 1
    kept = min(len(told), max(1, room // 3)) if told else 0
    members = members_of(workload, min(width - 2, MAX_WIDTH), now, max(1, room - kept))
    drawn += [[(" ", ""), *line, (" ", "")] for line in members]
    drawn += [fit((("  ", ""), *note), width) for note in told]
    if reason and len(drawn) < height:
        drawn.append(fit(((f"  {reason}", "dim"),), width))
    drawn = drawn[:height]
    if stale:
        drawn = [[(text, "frame" if ink == "frame" else "dim") for text, ink in line] for line in drawn]
    return drawn


class Preview(Widget):
    """Draws the members of one workload; `show` repaints when they look different."""

    ALLOW_SELECT = False
    DEFAULT_CSS: ClassVar[str] = "Preview { height: 8; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.auto_links = False
        self._shown: tuple[Workload | None, float, bool] = (None, 0.0, False)
        self._lines: list[list[Piece]] = []

    def show(self, workload: Workload | None, now: float, *, stale: bool = False) -> None:
        """Shows a workload, or nothing."""
        self._shown = (workload, now, stale)
        self._set()

    def on_resize(self) -> None:
        """The lines are set anew."""
        self._set()

    def _set(self) -> None:
        workload, now, stale = self._shown
        told = lines(workload, self.size.width, self.size.height, now, stale=stale) if workload is not None else []
        if told != self._lines:
            self._lines = told
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line."""
        ground = Style(bgcolor=self.background_colors[1].rich_color)
        line = self._lines[y] if y < len(self._lines) else []
        return strip_of(line, inks(self.app), ground, self.size.width)
