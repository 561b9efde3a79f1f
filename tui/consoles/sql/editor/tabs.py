"""The line of buffers above the editor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.text import one_line
from tui.widgets.columns import width_of
from tui.widgets.ink import Piece, inks
from tui.widgets.strips import strip_of

#: Cells of one name at most.
_LONGEST = 24


@dataclass(frozen=True, slots=True)
class BufferTab:
    """What stands for a buffer: its name, and whether it differs from its file."""

    name: str
    changed: bool = False
    secret: bool = False


class BufferTabs(Widget):
    """Names of the buffers, the open one marked; where they are too many, those around it."""

    ALLOW_SELECT = False
    DEFAULT_CSS: ClassVar[str] = "BufferTabs { height: 1; background: $panel; }"

    class Chosen(Message):
        """A name was clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self) -> None:
        super().__init__()
        self.auto_links = False
        self._tabs: tuple[BufferTab, ...] = ()
        self._current = 0
        self._note: Piece = ("", "")

    def show(self, tabs: Sequence[BufferTab], current: int, note: Piece = ("", "")) -> None:
        """Shows these names; at the right a note of a few words. What is the same costs nothing."""
        now = (tuple(tabs), current, note)
        if now != (self._tabs, self._current, self._note):
            self._tabs, self._current, self._note = now
            self.refresh()

    def _places(self) -> list[tuple[int, int, list[Piece]]]:
        """Index, width and pieces of each name that fits, left to right, so that the current one is among them."""
        drawn = [self._tab(index, tab) for index, tab in enumerate(self._tabs)]
        sizes = [sum(width_of(text) for text, _ in pieces) for pieces in drawn]
        room = self.size.width - width_of(self._note[0]) - 3
        first = 0
        while first < self._current and sum(sizes[first : self._current + 1]) > room:
            first += 1
        return [(index, sizes[index], drawn[index]) for index in range(first, len(drawn))]

    def _tab(self, index: int, tab: BufferTab) -> list[Piece]:
        name = one_line(tab.name)
        name = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
        here = index == self._current
        marks: list[Piece] = [(" ●" if tab.changed else "", "warn"), (" '…'" if tab.secret else "", "warn")]
        return [("▌" if here else " ", "accent"), (name, "strong" if here else "dim"), *marks, (" ", "")]

    def render_line(self, y: int) -> Strip:
        """The line."""
        width = self.size.width
        ground = Style(bgcolor=self.background_colors[1].rich_color)
        note = width_of(self._note[0])
        pieces: list[Piece] = []
        room = max(0, width - note - 1)
        left = 0
        places = self._places()
        for index, size, tab in places:
            if left + size > room:
                pieces.append(("…", "dim"))
                left += 1
                break
            if index == places[0][0] and index:
                pieces.append(("…", "dim"))
                left += 1
            pieces += tab
            left += size
        if note and left + note < width:
            pieces += [(" " * (width - left - note - 1), ""), self._note, (" ", "")]
        return strip_of(pieces, inks(self.app), ground, width)

    def on_click(self, event: events.Click) -> None:
        """Goes to the buffer under the pointer."""
        left = 0
        for index, size, _ in self._places():
            left += size
            if event.x < left:
                self.post_message(self.Chosen(index))
                return
