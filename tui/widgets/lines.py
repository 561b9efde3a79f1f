"""Lines of inked text to read (facts, causes, documents): wrapped or scrolled sideways, searched, never edited."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import get_character_cell_size
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.css.scalar import Scalar
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.text import safe
from tui.widgets.columns import fit, width_of
from tui.widgets.ink import Cell, Piece, inks, plain
from tui.widgets.strips import strip_of

Pieces = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line; where it is wrapped, what follows is indented by `hang` cells, in which `lead` is repeated."""

    cell: Cell = ""
    hang: int = 0
    lead: Pieces = ()


class Lines(ScrollView, can_focus=True):
    """A read-only text that repaints only the lines that changed and keeps its place when they do.

    Attributes:
        wrap: whether long lines are continued below, or run on to the right.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    Lines {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size: 1 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "by(-1)", "Line up", show=False, id="lines.up"),
        Binding("down,j", "by(1)", "Line down", show=False, id="lines.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="lines.page-up"),
        Binding("pagedown,space", "page(1)", "Page down", show=False, id="lines.page-down"),
        Binding("home,g", "edge(0)", "Top", show=False, id="lines.top"),
        Binding("end,G", "edge(1)", "Bottom", show=False, id="lines.bottom"),
    ]

    def __init__(self, *, wrap: bool = True, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.auto_links = False
        self.wrap = wrap
        self._lines: tuple[Line, ...] = ()
        self._visual: list[Pieces] = []
        self._starts: list[int] = []
        self._width = 0
        self._sought = ""
        self._matches: list[int] = []
        self._match = -1

    # --- what it shows

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines, before wrapping."""
        return self._lines

    @property
    def text(self) -> str:
        """All of it without inks."""
        return "\n".join(plain(line.cell) for line in self._lines)

    def set_lines(self, lines: Sequence[Line], *, top: bool = False) -> None:
        """Shows these lines.

        Args:
            lines: what to show.
            top: True for another text, which is read from its start; otherwise the place is kept.
        """
        now = tuple(lines)
        if now == self._lines and not top:
            return
        self._lines = now
        if self._sought:
            self._seek()
        self._rebuild()
        if top and self.scroll_offset != (0, 0):
            self.scroll_to(0, 0, animate=False, force=True)

    def set_wrap(self, wrap: bool) -> None:
        """Wraps long lines, or lets them run on to the right."""
        self.wrap = wrap
        self.scroll_to(0, animate=False, force=True)
        self._rebuild()

    # --- searching

    @property
    def found(self) -> tuple[int, int]:
        """Which match is shown, counted from 1 (0: none), and how many lines match."""
        return self._match + 1, len(self._matches)

    def find(self, text: str) -> int:
        """Marks a text wherever it stands, whatever its case, and goes to the first match at or below the top line.

        Returns:
            How many lines have it.
        """
        self._sought = text.casefold()
        self._match = -1
        self._seek()
        self._rebuild()
        if self._matches:
            top = self.scroll_offset.y
            below = (at for at, line in enumerate(self._matches) if self._starts[line] >= top)
            self._show_match(next(below, 0))
        return len(self._matches)

    def find_next(self, step: int) -> None:
        """Goes to the next (1) or the previous (-1) match, round the ends."""
        if self._matches:
            self._show_match((self._match + step) % len(self._matches))

    def _seek(self) -> None:
        self._matches = (
            [at for at, line in enumerate(self._lines) if self._sought in plain(line.cell).casefold()]
            if self._sought
            else []
        )
        self._match = min(self._match, len(self._matches) - 1)

    def _show_match(self, match: int) -> None:
        self._match = match
        y = self._starts[self._matches[match]]
        height = max(1, self.size.height)
        if not self.scroll_offset.y <= y < self.scroll_offset.y + height:
            self.scroll_to(y=max(0, y - height // 3), animate=False, force=True)
        self.refresh()

    # --- drawing

    def _rebuild(self) -> None:
        """Wraps everything and repaints the visible lines that came out different."""
        width = self.size.width
        if width <= 0:
            self._width = 0
            return
        before, self._width = self._visual, width
        self._visual, self._starts = [], []
        for line in self._lines:
            self._starts.append(len(self._visual))
            pieces = _marked(line.cell, self._sought)
            # One cell is the mark's, one the scroll bar's, which comes and goes.
            self._visual += _wrapped(pieces, max(1, width - 2), line.hang, line.lead) if self.wrap else [pieces]
        wide = 0 if self.wrap else max((width_of(pieces) for pieces in self._visual), default=0) + 1
        size = Size(wide, len(self._visual))
        if size != self.virtual_size:
            self.virtual_size = size
        top = self.scroll_offset.y
        changed = [
            Region(0, line, self.size.width, 1)
            for line in range(self.size.height)
            if _at(before, top + line) != _at(self._visual, top + line)
        ]
        if changed:
            self.refresh(*changed)

    def on_resize(self) -> None:
        """Another width wraps differently."""
        if self.size.width != self._width:
            self._rebuild()
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """One visible line; the one that holds the match shown has a mark at its left."""
        width = self.size.width
        ground = Style(bgcolor=self.background_colors[1].rich_color)
        at = self.scroll_offset.y + y
        pieces = _at(self._visual, at)
        if pieces is None:
            return Strip.blank(width, ground)
        here = self._match >= 0 and at == self._starts[self._matches[self._match]]
        mark: Piece = ("▌" if here else " ", "title")
        styles = inks(self.app)
        if self.wrap:
            return strip_of([mark, *fit(pieces, max(0, width - 2))], styles, ground, width)
        whole = strip_of(
            [mark, *((safe(text), ink) for text, ink in pieces)], styles, ground, max(width, width_of(pieces) + 1)
        )
        x = self.scroll_offset.x
        return whole.crop_extend(x, x + width, ground)

    # --- moving

    def action_by(self, lines: int) -> None:
        """Scrolls by lines."""
        self.scroll_to(y=self.scroll_offset.y + lines, animate=False, force=True)

    def action_page(self, pages: int) -> None:
        """Scrolls by screenfuls."""
        self.scroll_to(y=self.scroll_offset.y + pages * max(1, self.size.height - 1), animate=False, force=True)

    def action_edge(self, end: int) -> None:
        """Scrolls to the top (0) or the bottom (1)."""
        self.scroll_to(y=self.max_scroll_y if end else 0, animate=False, force=True)

    def action_sideways(self, cells: int) -> None:
        """Scrolls lines that run on to the right."""
        self.scroll_to(self.scroll_offset.x + cells, animate=False, force=True)


class Words(Lines, can_focus=False):
    """A few lines, as high as they are; nobody scrolls them."""

    def _rebuild(self) -> None:
        super()._rebuild()
        height = max(1, len(self._visual))
        if self._width and self.styles.height != Scalar.from_number(height):
            self.styles.height = height


def _at(lines: Sequence[Pieces], index: int) -> Pieces | None:
    return lines[index] if 0 <= index < len(lines) else None


def _marked(cell: Cell, sought: str) -> Pieces:
    """The pieces of a line with every occurrence of a text as a piece of its own in the ink for matches."""
    pieces: Pieces = ((cell, ""),) if isinstance(cell, str) else cell
    if not sought or sought not in plain(cell).casefold():
        return pieces
    marked: list[Piece] = []
    for text, ink in pieces:
        folded = text.casefold()
        at = 0
        # Case folding can change a text's length (ß); positions would then be off, and the piece stays unmarked.
        while len(folded) == len(text) and (found := folded.find(sought, at)) >= 0:
            marked += [(text[at:found], ink), (text[found : found + len(sought)], "match")]
            at = found + len(sought)
        marked.append((text[at:], ink))
    return tuple(piece for piece in marked if piece[0])


def _wrapped(pieces: Pieces, width: int, hang: int, lead: Pieces = ()) -> list[Pieces]:
    """A line cut into lines of at most `width` cells, between words where there are any."""
    if width_of(pieces) <= width:
        return [pieces]
    hang = min(hang, max(0, width - 10))
    start = fit(lead, hang) if hang else []
    lines: list[Pieces] = []
    line: list[tuple[str, str]] = []
    taken = 0
    for word, ink in _words(pieces):
        for part in _cut(word, max(1, width - hang)):
            size = width_of(part)
            if taken + size > width and line:
                lines.append(_joined(line))
                line, taken = list(start), hang
                if part.isspace():
                    continue
            line.append((part, ink))
            taken += size
    lines.append(_joined(line))
    return lines


def _words(pieces: Pieces) -> Iterator[Piece]:
    """Words and the spaces between them, each in its ink."""
    for raw, ink in pieces:
        text = safe(raw)
        start = 0
        for at in range(1, len(text) + 1):
            if at == len(text) or (text[at] == " ") != (text[at - 1] == " "):
                yield text[start:at], ink
                start = at


def _cut(word: str, width: int) -> Iterator[str]:
    """A word in parts of at most `width` cells."""
    part, taken = "", 0
    for char in word:
        size = get_character_cell_size(char)
        if taken + size > width and part:
            yield part
            part, taken = "", 0
        part += char
        taken += size
    yield part


def _joined(pieces: Sequence[Piece]) -> Pieces:
    joined: list[Piece] = []
    for text, ink in pieces:
        if joined and joined[-1][1] == ink:
            joined[-1] = (joined[-1][0] + text, ink)
        else:
            joined.append((text, ink))
    return tuple(joined)
