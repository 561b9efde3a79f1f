"""The line below a result: how much of it is here, how it is sorted and filtered, where the cursor is."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from tui.text import one_line
from tui.widgets.columns import fit, width_of
from tui.widgets.ink import Cell, Piece, inks
from tui.widgets.strips import strip_of

#: Seconds for which a word on what was just done stands there.
TOLD = 4.0


class Foot(Widget):
    """Draws two texts, the left one whole as far as it goes; repaints only when they change."""

    ALLOW_SELECT = False
    DEFAULT_CSS: ClassVar[str] = "Foot { height: 1; background: $panel; }"

    def __init__(self) -> None:
        super().__init__()
        self.auto_links = False
        self._left: tuple[Piece, ...] = ()
        self._right: tuple[Piece, ...] = ()
        self._told: tuple[Piece, ...] = ()
        self._timer: Timer | None = None

    def show(self, left: tuple[Piece, ...], right: tuple[Piece, ...] = ()) -> None:
        """Says something else."""
        if (left, right) != (self._left, self._right):
            self._left, self._right = left, right
            self.refresh()

    def tell(self, text: str, *, ink: str = "accent", seconds: float = TOLD) -> None:
        """Says something for a while; 0 seconds: until something else is told or `hush`."""
        if self._timer is not None:
            self._timer.stop()
        self._told = ((one_line(text), ink),)
        self._timer = self.set_timer(seconds, self.hush) if seconds else None
        self.refresh()

    def hush(self) -> None:
        """Goes back to the usual."""
        if self._told:
            self._told = ()
            self.refresh()

    @property
    def text(self) -> str:
        """What stands there."""
        return self.render_line(0).text.strip()

    def render_line(self, y: int) -> Strip:
        """The line."""
        width = self.size.width
        ground = Style(bgcolor=self.background_colors[1].rich_color)
        left: Cell = ((" ", ""), *(self._told or self._left))
        room = width - width_of(left) - 3
        right = (
            fit((*self._right, (" ", "")), min(room, width_of(self._right) + 1), keep="end")
            if room > 6 and not self._told
            else []
        )
        taken = sum(width_of(text) for text, _ in right)
        return strip_of([*fit(left, width - taken), *right], inks(self.app), ground, width)
