"""The list of keys: only what is on screen is looked at, and what is not in memory is asked for."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.consoles.bucket.listing import Listing, Order
from tui.consoles.bucket.words import moment, name_below, size
from tui.services.bucket.model import Entry
from tui.text import one_line
from tui.widgets.columns import fit
from tui.widgets.ink import Piece, inks, paper
from tui.widgets.notice import wrap
from tui.widgets.strips import strip_of

#: From these widths on there is room for times, and for them whole.
TIMES, WHOLE, CLASSES = 46, 60, 92
#: Columns of a size, of a version's beginning, of a storage class.
SIZE, VERSION, CLASS = 8, 10, 12
#: Lines before the last known one from which the next page is asked for, if that is less than half of them: who holds
#: page down is through with the thousand keys of a page before a busy store has answered.
AHEAD = 500
_ARROWS = {False: "▲", True: "▼"}


class KeyList(ScrollView, can_focus=True):
    """Keys of one listing.

    Attributes:
        listing: what it shows; None for nothing.
        prefix: what the names are shown without.
        cursor: the line that is marked.
        marks: keys and versions that were chosen.
        versions: whether a column for them is shown.
        said: what stands there while there is nothing.
    """

    ALLOW_SELECT = False
    HELP: ClassVar[str] = """Keys
Folders are what keys have in common up to a slash. enter opens a folder or shows an object's beginning; left or
backspace goes up. space marks keys, for all that is done with them at once; / filters and o sorts what is in memory
(the last line says how much that is), f searches everything below. Pages are read as you go; end reads on."""
    COMPONENT_CLASSES: ClassVar[set[str]] = {"keys--header"}
    DEFAULT_CSS: ClassVar[str] = """
    KeyList {
        height: 1fr; overflow-x: hidden; overflow-y: auto; scrollbar-size: 1 1;
        & > .keys--header { color: $foreground-muted; text-style: bold; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open", id="keys.open"),
        Binding("right,l", "open", "Open", show=False, id="keys.into"),
        Binding("left,h,backspace", "up", "Up", id="keys.up"),
        Binding("up,k", "move(-1)", "Line up", show=False, id="keys.previous"),
        Binding("down,j", "move(1)", "Line down", show=False, id="keys.next"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="keys.page-up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="keys.page-down"),
        Binding("home,g", "edge(0)", "First", show=False, id="keys.first"),
        Binding("end,G", "edge(1)", "Last", show=False, id="keys.last"),
        Binding("space", "mark", "Mark", id="keys.mark"),
        Binding("asterisk", "mark_all", "Mark all", show=False, id="keys.mark-all"),
    ]

    class Opened(Message):
        """A line was opened."""

        def __init__(self, entry: Entry) -> None:
            super().__init__()
            self.entry = entry

    class Left(Message):
        """One wants to go up."""

    class Wanted(Message):
        """A line is on screen that is not in memory, or the end is near."""

        def __init__(self, at: int) -> None:
            super().__init__()
            self.at = at

    class Moved(Message):
        """Another line is marked, or other keys are chosen."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.auto_links = False
        self.listing: Listing | None = None
        self.prefix = ""
        self.cursor = 0
        self.marks: dict[tuple[str, str], Entry] = {}
        self.versions = False
        self.said: tuple[Piece, ...] = ()

    # --- what it shows

    def show(self, listing: Listing | None, prefix: str, *, versions: bool = False, at: int = 0) -> None:
        """Another listing."""
        self.listing, self.prefix, self.versions = listing, prefix, versions
        self.cursor = at
        self.marks = {}
        self.look()
        self.scroll_to(y=max(0, at - self._page // 2), animate=False, force=True)
        self.post_message(self.Moved())

    def look(self) -> None:
        """The listing has grown, or is arranged in another way."""
        lines = len(self.listing) if self.listing is not None else 0
        self.cursor = max(0, min(self.cursor, lines - 1))
        more = int(self.listing is not None and not self.listing.whole)
        height = Size(0, lines + 1 + more)
        if height != self.virtual_size:
            self.virtual_size = height
        self.refresh()
        self._want()

    def say(self, *paragraphs: Piece) -> None:
        """Words in the place of keys, wrapped."""
        if paragraphs != self.said:
            self.said = paragraphs
            self.refresh()

    @property
    def entry(self) -> Entry | None:
        """What the cursor is on."""
        return self.listing.line(self.cursor) if self.listing is not None else None

    @property
    def chosen(self) -> list[Entry]:
        """What is marked; without marks, what the cursor is on."""
        if self.marks:
            return list(self.marks.values())
        return [self.entry] if self.entry is not None else []

    @property
    def _page(self) -> int:
        return max(1, self.size.height - 1)

    # --- drawing

    def render_line(self, y: int) -> Strip:
        """The header, or one line."""
        width, ground = self.size.width, Style(bgcolor=self.background_colors[1].rich_color)
        styles = inks(self.app)
        if y == 0:
            look = ground + self.get_component_rich_style("keys--header", partial=True)
            return strip_of(fit(tuple(self._header(width)), width), styles, look, width)
        at = self.scroll_offset.y + y - 1
        listing = self.listing
        if listing is None or (not len(listing) and listing.whole) or not listing.begun:
            lines = [(f" {line}", ink) for text, ink in self.said for line in wrap(text, max(1, width - 2))]
            return strip_of(lines[y - 1 : y], styles, ground, width)
        if at >= len(listing):
            words = self._foot() if at == len(listing) and not listing.whole else ""
            return strip_of([(words, "dim")], styles, ground, width)
        entry = listing.line(at)
        pieces = [("   …", "dim")] if entry is None else self._pieces(entry, width)
        if at == self.cursor:
            if self.has_focus:
                ground = ground + (paper(self.app, "cursor") or Style(reverse=True))
            pieces[0] = ("▌", "accent")
        return strip_of(fit(tuple(pieces), width), styles, ground, width)

    def _foot(self) -> str:
        listing = self.listing
        assert listing is not None  # noqa: S101  (asked before)
        if listing.arranged:
            return f"   … of the {listing.resident:,} keys in memory; there are more, which end reads"
        return f"   … {listing.read:,} read so far"

    def _columns(self, width: int) -> tuple[int, int]:
        """Cells for the name and for the time."""
        time = 0 if width < TIMES else (10 if width < WHOLE else 19)
        rest = SIZE + 1 + (time + 2 if time else 0) + (VERSION + 2 if self.versions else 0)
        rest += CLASS + 2 if width >= CLASSES else 0
        return max(8, width - 3 - rest), time

    def _header(self, width: int) -> list[Piece]:
        name, time = self._columns(width)
        order, down = (self.listing.order, self.listing.descending) if self.listing is not None else (Order.NAME, False)

        def title(text: str, of: Order) -> str:
            return f"{text}{_ARROWS[down]}" if order is of else text

        told: list[Piece] = [("   ", ""), *fit(title("NAME", Order.NAME), name, ink="header")]
        told += [*fit(title("SIZE", Order.SIZE), SIZE, "right", "header"), (" ", "header")]
        if time:
            told += [
                (" ", ""),
                *fit(title("MODIFIED UTC" if time > 12 else "MODIFIED", Order.MODIFIED), time, ink="header"),
                (" ", ""),
            ]
        if self.versions:
            told += [(" ", ""), *fit("VERSION", VERSION, ink="header"), (" ", "")]
        if width >= CLASSES:
            told += [(" ", ""), *fit("CLASS", CLASS, ink="header")]
        return told

    def _pieces(self, entry: Entry, width: int) -> list[Piece]:
        name, time = self._columns(width)
        marked = (entry.key, entry.version) in self.marks
        ink = "dim" if entry.deleted or not entry.latest else ("accent" if entry.folder else "")
        told: list[Piece] = [(" ", ""), ("✓" if marked else " ", "accent"), (" ", "")]
        told += fit(name_below(entry.key, self.prefix), name, ink=ink)
        amount = "" if entry.folder else ("deleted" if entry.deleted else size(entry.size or 0))
        told += [*fit(amount, SIZE, "right", "warn" if entry.deleted else ""), (" ", "")]
        if time:
            told += [(" ", ""), *fit(moment(entry.modified)[:time], time, ink="dim"), (" ", "")]
        if self.versions:
            version = ("● " if entry.latest else "  ") + one_line(entry.version or "null")
            told += [(" ", ""), *fit(version, VERSION, ink="" if entry.latest else "dim"), (" ", "")]
        if width >= CLASSES:
            told += [(" ", ""), *fit(one_line(entry.storage), CLASS, ink="dim")]
        return told

    # --- moving

    def _want(self) -> None:
        """Asks for what is on screen and not in memory, or soon will be."""
        listing = self.listing
        if listing is None:
            return
        top, bottom = self.scroll_offset.y, self.scroll_offset.y + self._page
        lines = len(listing)
        ahead = max(self._page, min(AHEAD, lines // 2))
        near = max(bottom, self.cursor) + ahead >= lines
        # A filter or an order is for what is in memory: with few lines to show it would read a million keys through.
        if near and not listing.whole and not listing.arranged:
            self.post_message(self.Wanted(-1))
        for at in (top, min(bottom, lines - 1), self.cursor):
            if 0 <= at < lines and listing.line(at) is None:
                self.post_message(self.Wanted(at))
                return

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """What comes into view may have to be read."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self._want()

    def _go(self, at: int) -> None:
        lines = len(self.listing) if self.listing is not None else 0
        at = max(0, min(at, lines - 1))
        if at != self.cursor:
            self.cursor = at
            top = self.scroll_offset.y
            if at < top:
                self.scroll_to(y=at, animate=False, force=True)
            elif at >= top + self._page:
                self.scroll_to(y=at - self._page + 1, animate=False, force=True)
            self.refresh()
            self.post_message(self.Moved())
        self._want()

    def go_to(self, key: str, version: str = "") -> None:
        """Marks the line of a key, if it is in memory."""
        at = self.listing.place_of(key, version) if self.listing is not None else -1
        if at >= 0:
            self._go(at)

    def action_move(self, by: int) -> None:
        """A line up or down."""
        self._go(self.cursor + by)

    def action_page(self, by: int) -> None:
        """A page up or down."""
        self._go(self.cursor + by * self._page)

    def action_edge(self, last: int) -> None:
        """The first line, or the last one that is known; from there it is read on."""
        lines = len(self.listing) if self.listing is not None else 0
        if last and self.listing is not None and self.cursor >= lines - 1 and not self.listing.whole:
            self.post_message(self.Wanted(-1))
        self._go(lines - 1 if last else 0)

    def action_open(self) -> None:
        """Opens the line."""
        if self.entry is not None:
            self.post_message(self.Opened(self.entry))

    def action_up(self) -> None:
        """Goes up."""
        self.post_message(self.Left())

    def action_mark(self) -> None:
        """Marks the line, or takes the mark away, and goes on."""
        if (entry := self.entry) is not None:
            at = (entry.key, entry.version)
            if self.marks.pop(at, None) is None:
                self.marks[at] = entry
            self._go(self.cursor + 1)
            self.refresh()
            self.post_message(self.Moved())

    def action_mark_all(self) -> None:
        """Marks all that is in memory and shown; marked already, takes all marks away."""
        listing = self.listing
        if listing is None:
            return
        if self.marks:
            self.marks = {}
        else:
            self.marks = {(one.key, one.version): one for one in listing.shown()}
        self.refresh()
        self.post_message(self.Moved())

    def on_click(self, event: events.Click) -> None:
        """Marks a line; the marked one is opened."""
        at = self.scroll_offset.y + event.y - 1
        if event.y and self.listing is not None and 0 <= at < len(self.listing):
            if at == self.cursor and event.chain > 1:
                self.action_open()
            self._go(at)

    def on_focus(self) -> None:
        """The cursor shows."""
        self.refresh()

    def on_blur(self) -> None:
        """The cursor shows less."""
        self.refresh()

    def on_resize(self) -> None:
        """More or less is on screen."""
        self.look()
