"""A line of a console's own: the head, what goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.ink import Piece, inks
from tui.widgets.strips import strip_of


class OneLine(Widget):
    """A line that is made anew when it is looked at, and repainted only when it came out different."""

    ALLOW_SELECT = False
    DEFAULT_CSS: ClassVar[str] = """
    OneLine { height: 1; background: $panel; }
    OneLine#activity { background: $surface; }
    """

    def __init__(self, make: Callable[[int], list[Piece]], *, id: str) -> None:
        """Shows nothing yet.

        Args:
            make: the pieces for a width in cells.
            id: of the widget.
        """
        super().__init__(id=id)
        self.auto_links = False
        self._make = make
        self._pieces: list[Piece] = []

    @property
    def text(self) -> str:
        """What it says."""
        return "".join(text for text, _ in self._pieces)

    def look(self) -> None:
        """Repaints it if it would say something else."""
        pieces = self._make(self.size.width) if self.size.width else []
        if pieces != self._pieces:
            self._pieces = pieces
            self.refresh()

    def on_resize(self) -> None:
        """More or less fits."""
        self._pieces = []
        self.look()

    def render_line(self, y: int) -> Strip:
        """The line."""
        ground = Style(bgcolor=self.background_colors[1].rich_color)
        return strip_of(self._pieces, inks(self.app), ground, self.size.width)
