"""A line of words over the key line: what has just been done, for as long as one needs to read it."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.columns import fit, width_of
from tui.widgets.ink import Cell, inks
from tui.widgets.strips import strip_of


class NoteLine(Widget):
    """The last line of a screen for a while. It has no focus and moves nothing."""

    ALLOW_SELECT = False
    DEFAULT_CSS: ClassVar[str] = "NoteLine { dock: bottom; height: 1; background: $surface; }"

    def __init__(self, cell: Cell, keys: Cell = "") -> None:
        """Says something.

        Args:
            cell: what; cut where there is no room.
            keys: what can be done about it.
        """
        super().__init__()
        self.auto_links = False
        self._cell, self._keys = cell, keys

    def render_line(self, y: int) -> Strip:
        """The line."""
        width = self.size.width
        ground = Style(bgcolor=self.background_colors[1].rich_color)
        room = max(0, width - 2 - width_of(self._keys))
        said = fit(self._cell, min(room, width_of(self._cell)))
        return strip_of([(" ", ""), *said, *fit(self._keys, width_of(self._keys))], inks(self.app), ground, width)
