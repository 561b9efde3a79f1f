"""The grid of panes: one widget that draws all of them, line by line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Final

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.screens.overview import pane
from tui.screens.overview.arrange import Arrangement, Band, arrange, column_counts, pane_width
from tui.screens.overview.members import Need, Shape, shape, steady
from tui.screens.overview.order import grouped
from tui.systems.model import Kind, Workload
from tui.widgets.ink import Piece, inks
from tui.widgets.strips import strip_of

#: The headings of the groups.
HEADINGS: Mapping[Kind, str] = {
    Kind.DATABASE: "DATABASES",
    Kind.OBJECT_STORE: "OBJECT STORES",
    Kind.QUEUE: "QUEUES",
    Kind.OTHER: "OTHER",
}
#: Panes whose inside is at least this wide have their columns in common.
SHARED: Final = 58
#: With more workloads than this each pane is drawn for itself.
FEW: Final = 100
_NOWHERE = Arrangement((), {}, (), 0, 0)


class GridView(ScrollView, can_focus=True):
    """All workloads as panes in columns, grouped by kind.

    It is given the workloads in order and keeps only how they look: what is on screen is compared with what should be,
    and the lines that differ are repainted. Panes out of sight cost their height and nothing else.

    Attributes:
        badges: what stands on the lower edge of a pane, by workload; shown with the next workloads.
        console: whether there is a console for a workload, by its key.
    """

    ALLOW_SELECT = False
    HELP: ClassVar[str] = (
        "Overview, grid\n"
        "A pane for each stateful workload, grouped by kind. Its frame names workload and system, and the namespace at "
        "the right. Then one line for each member: its ordinal, its sign, its role (▲ takes writes), its phase where "
        "it is not plainly running, restarts (↻), age and node; at the right its claim with size and use. "
        "The lower edge says why use is not known. In the sandbox, it or the second line says what stands in for what "
        "the images name (Valkey for Redis)."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "go(0, -1)", "Pane above", show=False, id="grid.up"),
        Binding("down,j", "go(0, 1)", "Pane below", show=False, id="grid.down"),
        Binding("left,h", "go(-1, 0)", "Pane before", show=False, id="grid.left"),
        Binding("right,l", "go(1, 0)", "Pane after", show=False, id="grid.right"),
        Binding("home,g", "edge(0)", "First pane", show=False, id="grid.first"),
        Binding("end,G", "edge(-1)", "Last pane", show=False, id="grid.last"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="grid.page-up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="grid.page-down"),
        Binding("enter", "open", "Open", id="grid.open"),
    ]

    class Opened(Message):
        """A pane was opened, by key or by a click on the selected one."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    class Moved(Message):
        """Another pane has the cursor."""

        def __init__(self, key: str | None) -> None:
            super().__init__()
            self.key = key

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.auto_links = False
        self.cursor_key: str | None = None
        self._order: Sequence[Workload] = ()
        self._workloads: dict[str, Workload] = {}
        self._heights: dict[str, tuple[Workload, int, int]] = {}
        self._arranged = _NOWHERE
        self._stale = False
        self._now = 0.0
        self._columns = 0
        self._needs: dict[str, tuple[Workload, Need]] = {}
        self._shape: Shape | None = None
        self._letters: Mapping[str, str] = {}
        self.badges: Mapping[str, tuple[Piece, ...]] = {}
        self.console: Callable[[str], bool] = lambda _: False
        self._panes: dict[str, tuple[tuple[pane.Look, float, Workload], tuple[tuple[Piece, ...], ...]]] = {}
        self._drawn: dict[int, tuple[Piece, ...]] = {}

    # --- what it shows

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of all panes in reading order."""
        return self._arranged.keys

    @property
    def order(self) -> Sequence[Workload]:
        """The workloads in the order they were given."""
        return self._order

    def set_workloads(self, order: Sequence[Workload], now: float, *, stale: bool = False) -> None:
        """Shows these workloads in this order; the cursor stays on its workload, or goes to the one in its place.

        Args:
            order: sorted within each kind.
            now: seconds of the wall clock, for ages.
            stale: whether they may be out of date.
        """
        before = self._arranged.keys
        self._order, self._now, self._stale = order, now, stale
        self._workloads = {workload.key: workload for workload in order}
        self._panes = {key: value for key, value in self._panes.items() if key in self._workloads}
        self._arrange()
        if self.cursor_key not in self._workloads:
            at = before.index(self.cursor_key) if self.cursor_key in before else 0
            keys = self._arranged.keys
            self._select(keys[min(at, len(keys) - 1)] if keys else None)
        self._sync()

    def update(self, changed: Sequence[Workload], now: float, *, stale: bool = False) -> None:
        """Shows other values of workloads that are there already, in the same order."""
        self._now, self._stale = now, stale
        other = [workload for workload in changed if self._workloads.get(workload.key) is not workload]
        if other:
            self._workloads.update({workload.key: workload for workload in other})
            self._order = [self._workloads[workload.key] for workload in self._order]
            width = self._arranged.pane_width
            if any(self._height(workload.key) != pane.height(workload, width) for workload in other):
                self._arrange(keep=True)
            else:
                self._form()
        self._sync()

    def _height(self, key: str) -> int:
        known = self._heights.get(key)
        return known[2] if known is not None else 0

    def show_letters(self, letters: Mapping[str, str]) -> None:
        """Shows a letter on each of these panes, for jumping; none when empty."""
        self._letters = letters
        self._sync()

    def visible_keys(self) -> list[str]:
        """The keys of the panes whose first line is on screen, in reading order."""
        top, bottom = self.scroll_offset.y, self.scroll_offset.y + self.size.height
        places = self._arranged.places
        return [
            key
            for band in self._arranged.bands
            if band.y < bottom and band.y + band.height > top
            for key in band.keys
            if top <= places[key].y < bottom
        ]

    def move_to(self, key: str) -> bool:
        """Puts the cursor on a pane and brings it into sight; False when there is no such pane."""
        if key not in self._workloads:
            return False
        self._select(key)
        self._sync()
        return True

    def restyle(self) -> None:
        """The colours are others now."""
        self._drawn.clear()
        self.refresh()

    # --- arranging and drawing

    def _arrange(self, *, keep: bool = False) -> None:
        """Puts every pane in its place, in the fewest columns with which all are on screen at once.

        Args:
            keep: leave the number of columns as it is: a pane that grew must not make all others jump.
        """
        width, page = self.outer_size
        if not width:
            return
        counts = column_counts(len(self._order), width)
        if keep and self._columns in counts:
            counts = range(self._columns, self._columns + 1)
        for columns in counts:
            self._lay(columns, width)
            if self._arranged.height <= page:
                break
        else:
            # It scrolls: the last cell of each line belongs to the scroll bar.
            self._lay(counts[-1], width - 1)
        size = Size(0, self._arranged.height)
        if size != self.virtual_size:
            self.virtual_size = size

    def _lay(self, columns: int, width: int) -> None:
        each = pane_width(columns, width)
        heights: dict[str, tuple[Workload, int, int]] = {}
        groups = []
        for kind, members in grouped(self._order):
            sized = []
            for workload in members:
                known = self._heights.get(workload.key)
                if known is None or known[0] is not workload or known[1] != each:
                    known = (workload, each, pane.height(workload, each))
                heights[workload.key] = known
                sized.append((workload.key, known[2]))
            groups.append((HEADINGS[kind], sized))
        self._heights, self._columns = heights, columns
        self._arranged = arrange(groups, width, columns)
        self._form()

    def _form(self) -> None:
        """Chooses the columns inside the panes: wide panes have them in common, so that they line up."""
        inside = self._arranged.pane_width - 4
        if inside < SHARED or len(self._order) > FEW:
            self._shape = None
            return
        needs = {}
        for workload in self._order:
            known = self._needs.get(workload.key)
            if known is None or known[0] is not workload:
                known = (workload, steady(workload))
            needs[workload.key] = known
        self._needs = needs
        self._shape = shape((each for _, each in needs.values()), inside)

    def _sync(self) -> None:
        """Compares every line on screen with what should stand there and repaints those that differ."""
        top = self.scroll_offset.y
        changed = [y for y, was in self._drawn.items() if y < self.size.height and self._line(top + y) != was]
        if len(changed) > self.size.height // 2:
            self.refresh()
        elif changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    def _line(self, y: int) -> tuple[Piece, ...]:
        band = self._arranged.band_at(y)
        if band is None:
            return ()
        at = y - band.y
        if band.headings:
            if at == 0:
                return self._heading(band)
            at -= 1
        pieces: list[Piece] = []
        x = 0
        for key in band.keys:
            place = self._arranged.places[key]
            if place.x > x:
                pieces.append((" " * (place.x - x), ""))
            pieces += self._pane(key, place.height)[at]
            x = place.x + place.width
        return tuple(pieces)

    def _heading(self, band: Band) -> tuple[Piece, ...]:
        step = self._arranged.pane_width + 1
        return tuple(
            (f" {heading}"[:step].ljust(step), "frame" if heading.startswith("…") else "title")
            for heading in band.headings
        )

    def _pane(self, key: str, height: int) -> tuple[tuple[Piece, ...], ...]:
        workload = self._workloads[key]
        look = pane.Look(
            self._arranged.pane_width,
            key == self.cursor_key and self.has_focus,
            self._stale,
            self._letters.get(key, ""),
            height,
            self._shape,
            self.badges.get(key, ()),
            self.console(key),
        )
        known = self._panes.get(key)
        if known is not None:
            was, drawn = known
            if was[0] == look and was[1] == self._now and was[2] is workload:
                return drawn
        drawn = pane.lines(workload, look, self._now)
        self._panes[key] = ((look, self._now, workload), drawn)
        return drawn

    def render_line(self, y: int) -> Strip:
        """One line; Textual asks only for those that were marked as changed."""
        pieces = self._line(self.scroll_offset.y + y)
        self._drawn[y] = pieces
        ground = Style(bgcolor=self.background_colors[1].rich_color)
        if not pieces:
            return Strip.blank(self.size.width, ground)
        return strip_of(pieces, inks(self.app), ground, self.size.width)

    def on_resize(self) -> None:
        """Another width: the panes flow anew."""
        self._drawn = {y: line for y, line in self._drawn.items() if y < self.size.height}
        self._arrange()
        if self.cursor_key is None and self._arranged.keys:
            self._select(self._arranged.keys[0])
        self._reveal()
        self.refresh()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Everything moves: the lines on screen are others."""
        super().watch_scroll_y(old_value, new_value)
        self._drawn.clear()

    # --- moving

    def _select(self, key: str | None) -> None:
        if key == self.cursor_key:
            return
        self.cursor_key = key
        self._reveal()
        self.post_message(self.Moved(key))

    def _reveal(self) -> None:
        """Scrolls as little as needed to have the selected pane on screen, its heading with it."""
        place = self._arranged.places.get(self.cursor_key or "")
        if place is None:
            return
        band = self._arranged.bands[place.band]
        top, page = self.scroll_offset.y, self.size.height
        target = top
        if place.y + place.height > top + page:
            target = place.y + place.height - page
        if band.y < target or (place.height >= page and target > place.y):
            target = band.y
        if target != top:
            self.scroll_to(y=target, animate=False)

    def on_focus(self) -> None:
        """The selected pane shows it."""
        self._sync()

    def on_blur(self) -> None:
        """The selected pane shows it."""
        self._sync()

    def action_go(self, right: int, down: int) -> None:
        """Moves the cursor to the neighbour in a direction."""
        if self.cursor_key in self._arranged.places:
            self.move_to(self._arranged.neighbour(self.cursor_key, right, down))

    def action_edge(self, index: int) -> None:
        """Moves the cursor to the first or the last pane."""
        if self._arranged.keys:
            self.move_to(self._arranged.keys[index])

    def action_page(self, pages: int) -> None:
        """Moves the cursor by about a screenful."""
        place = self._arranged.places.get(self.cursor_key or "")
        if place is None:
            return
        target = place.y + pages * max(1, self.size.height - place.height)
        band = self._arranged.band_at(min(max(target, 0), self._arranged.height - 1))
        if band is not None:
            self.move_to(band.keys[min(place.column, len(band.keys) - 1)])

    def action_open(self) -> None:
        """Opens the selected pane."""
        if self.cursor_key is not None:
            self.post_message(self.Opened(self.cursor_key))

    def on_click(self, event: events.Click) -> None:
        """A click selects a pane; one on the selected pane opens it."""
        offset = event.get_content_offset(self)
        key = None if offset is None else self._arranged.at(offset.x, offset.y + self.scroll_offset.y)
        if key is None:
            return
        if key == self.cursor_key:
            self.action_open()
        else:
            self.move_to(key)
