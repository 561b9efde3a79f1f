"""The overview: grid or table, its filter, its order, and jumping by letter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final, Literal, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.timer import Timer

from tui.screens.base import BaseScreen
from tui.screens.overview import pane, table
from tui.screens.overview.arrange import column_counts, pane_width
from tui.screens.overview.grid import GridView
from tui.screens.overview.order import Order
from tui.screens.overview.preview import Preview
from tui.systems.model import Workload
from tui.widgets.keyline import KeyLine
from tui.widgets.notice import Notice, Text
from tui.widgets.rows import RowTable
from tui.widgets.statusline import StatusLine

if TYPE_CHECKING:
    from tui.screens.app import StatetuiApp
    from tui.widgets.row import Row

Layout = Literal["auto", "grid", "table"]
LAYOUTS: Final[tuple[Layout, ...]] = ("auto", "grid", "table")
#: Narrower than this, or with more workloads, the table says more than panes.
GRID_WIDTH, GRID_WORKLOADS = 100, 12
#: Seconds after a key press in which workloads that come or go do not move the others.
QUIET: Final = 1.0
#: Letters for jumping, the easiest to reach first.
LETTERS: Final = "asdfjkleiwocmpghurqtyvbnxz"
_COLUMN_SORTS: Final = {
    "sign": "health",
    "name": "name",
    "namespace": "namespace",
    "use": "use",
    "restarts": "restarts",
    "age": "age",
}


class _Table(RowTable):
    HELP: ClassVar[str] = (
        "Overview, table\n"
        "One line for each stateful workload: its sign, name, system and namespace, how many members are ready, the "
        "members as signs, the use of the fullest claim, restarts, age, and the worst reason. Below stand the members "
        "of the selected workload. A click on a title sorts."
    )


class OverviewScreen(BaseScreen):
    """Every workload of the opened context. It holds what is shown and how, never what is true."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "app.sql", "SQL", id="app.sql"),
        Binding("b", "app.bucket", "Buckets", id="app.bucket"),
        Binding("m", "app.queue", "Messages", id="app.queue"),
        Binding("S", "app.operations", "Operations", show=False, id="app.operations"),
        Binding("f", "app.forward", "Forward", id="app.forward"),
        Binding("slash", "filter", "Filter", id="overview.filter"),
        Binding("z", "faults", "Faults only", id="overview.faults"),
        Binding("o", "sort", "Sort", id="overview.sort"),
        Binding("O", "reverse", "Reverse the order", show=False, id="overview.reverse"),
        Binding("v", "layout", "Grid/table", id="overview.layout"),
        Binding("apostrophe,ctrl+o", "jump", "Jump", id="overview.jump"),
        Binding("escape", "clear", "Show all", show=False, id="app.back"),
    ]

    def __init__(self, layout: Layout = "auto", order: Order | None = None) -> None:
        super().__init__()
        self.chosen: Layout = layout
        self.order = order or Order()
        self.filter_text = ""
        self._shown: list[Workload] = []
        self._rows: dict[str, tuple[Workload, object, Row]] = {}
        self._keys: frozenset[str] = frozenset()
        self._is_table = False
        self._switched = False
        self._stale = False
        self._letters: dict[str, str] = {}
        self._last_key = 0.0
        self._later: Timer | None = None
        self._now = 0.0
        self._dirty = False

    @property
    def host(self) -> StatetuiApp:
        """The app, by its own type; its module imports this one."""
        return cast("StatetuiApp", self.app)

    def compose(self) -> ComposeResult:
        """Everything is there from the start; what is not in use is not displayed."""
        yield StatusLine()
        yield Notice(Text("◌", "starting", "Connecting…"), id="notice")
        yield GridView(id="grid")
        yield _Table(table.COLUMNS, id="table")
        yield Preview(id="preview")
        yield KeyLine()

    def on_mount(self) -> None:
        """Starts with words; panes come when there are any."""
        for name in ("grid", "table", "preview"):
            self.query_one(f"#{name}").display = False
        self.query_one(_Table).empty_text = "…"

    def on_screen_resume(self) -> None:
        """Catches up with what was not drawn while another screen was in front."""
        super().on_screen_resume()
        if self.is_mounted:
            self.host.refresh_view()

    # --- what is shown

    @property
    def view(self) -> str:
        """Filter, order and form where they are not the usual ones, for the status line."""
        parts = []
        if self.filter_text or self.order.faults:
            parts.append(
                f"{'/' + self.filter_text if self.filter_text else ''}{' faults' if self.order.faults else ''}".strip()
                + f" {len(self._shown)} of {len(self.host.workloads)}"
            )
        if self.order.sort != "kind" or self.order.reverse:
            parts.append(f"by {self.order.text}")
        if self.chosen != "auto" or self._switched:
            parts.append(self.chosen)
        return "  ".join(parts)

    @property
    def shown(self) -> Sequence[Workload]:
        """What passes the filter, in order."""
        return self._shown

    def show_all(self, workloads: Mapping[str, Workload]) -> None:
        """Takes everything anew: another context, filter or order."""
        self._shown = self.order.apply(workloads.values())
        self._keys = frozenset(workloads)
        self._dirty = False

    def apply(self, changed: Sequence[Workload], gone: Sequence[str], workloads: Mapping[str, Workload]) -> None:
        """Takes what changed. Workloads that come, go or would move wait until the keys have rested."""
        if not self.order.steady or gone or any(workload.key not in self._keys for workload in changed):
            if self.host.monotonic() - self._last_key < QUIET and self._shown:
                self._wait()
            else:
                self.show_all(workloads)
                return
        new = {workload.key: workload for workload in changed}
        self._shown = [new.get(workload.key, workload) for workload in self._shown]

    def _wait(self) -> None:
        self._dirty = True
        if self._later is None:
            self._later = self.set_timer(QUIET, self._settle)

    def _settle(self) -> None:
        self._later = None
        if self._dirty:
            if self.host.monotonic() - self._last_key < QUIET:
                self._wait()
                return
            self.show_all(self.host.workloads)
            self.host.refresh_view()

    def draw(self, notice: Text | None, *, stale: bool) -> None:
        """Brings the widgets to what is known now.

        Args:
            notice: words in place of the panes, None to show the panes.
            stale: whether they may be out of date.
        """
        self._now = self.host.tick
        self._stale = stale
        if notice is not None:
            self._display("notice")
            self.query_one(Notice).show(notice)
            if self.focused in (*self.query("GridView, _Table"),):
                self.set_focus(None)
            return
        self._choose()
        if self._is_table:
            self._display("table")
            self._draw_table()
        else:
            self._display("grid")
            grid = self.query_one(GridView)
            grid.badges, grid.console = self.host.badges, self.host.has_console
            if [workload.key for workload in self._shown] == [workload.key for workload in grid.order]:
                grid.update(self._shown, self._now, stale=stale)
            else:
                grid.set_workloads(self._shown, self._now, stale=stale)

    def restyle(self) -> None:
        """The theme is another."""
        self.query_one(GridView).restyle()
        self.query_one(_Table).refresh()

    def _display(self, name: str) -> None:
        shown = {name, "preview"} if name == "table" and self._room_for_preview() else {name}
        for each in ("notice", "grid", "table", "preview"):
            widget = self.query_one(f"#{each}")
            if widget.display != (each in shown):
                widget.display = each in shown
        if name != "notice":
            widget = self.query_one(f"#{name}")
            if not widget.has_focus and self.focused in (None, *self.query("GridView, _Table")):
                key = self.cursor_key
                widget.focus(scroll_visible=False)
                if key is not None:
                    self.call_later(self._move_to, key)

    def _room_for_preview(self) -> bool:
        height = self.size.height
        if height < 16:
            return False
        self.query_one(Preview).styles.height = min(16, max(6, height // 3))
        return True

    def _choose(self) -> None:
        """Grid or table."""
        self._is_table = self._suits_table() if self.chosen == "auto" else self.chosen == "table"

    def _suits_table(self) -> bool:
        """The automatic choice: by width and number, and by height with some play, so that it does not flap."""
        everything = self.host.workloads
        if self.size.width < GRID_WIDTH or len(everything) > GRID_WORKLOADS:
            return True
        columns = column_counts(len(everything), self.size.width)[-1]
        width = pane_width(columns, self.size.width)
        lines = sum(pane.height(workload, width) for workload in everything.values()) / columns
        screens = lines / max(1, self.size.height - 2)
        return screens > (1.5 if self._is_table else 2.0)

    def _draw_table(self) -> None:
        widget = self.query_one(_Table)
        rows = []
        kept: dict[str, tuple[Workload, object, Row]] = {}
        for workload in self._shown:
            letter = self._letters.get(workload.key, "")
            badge = self.host.badges.get(workload.key, ())
            how = (self._now, self._stale, letter, badge)
            known = self._rows.get(workload.key)
            if known is None or known[0] is not workload or known[1] != how:
                row = table.row(workload, self._now, stale=self._stale, letter=letter, badge=badge)
                # The same object where nothing changed: the table skips it without comparing cells.
                known = (workload, how, known[2] if known is not None and known[2] == row else row)
            kept[workload.key] = known
            rows.append(known[2])
        self._rows = kept
        widget.set_rows(rows)
        widget.show_sort(self.order.column if self.order.sort != "kind" else None, self.order.descending)
        self._draw_preview()

    def _draw_preview(self) -> None:
        key = self.query_one(_Table).cursor_key
        workload = next((workload for workload in self._shown if workload.key == key), None)
        self.query_one(Preview).show(workload, self._now, stale=self._stale)

    # --- the cursor

    @property
    def cursor_key(self) -> str | None:
        """The selected workload, in whichever form it is shown."""
        return self.query_one(_Table).cursor_key if self._is_table else self.query_one(GridView).cursor_key

    def reachable(self) -> tuple[str, str]:
        """The selected workload."""
        return self.cursor_key or "", ""

    def _move_to(self, key: str) -> None:
        (self.query_one(_Table) if self._is_table else self.query_one(GridView)).move_to(key)

    @on(GridView.Opened)
    def _opened(self, message: GridView.Opened) -> None:
        self.host.open_workload(message.key)

    @on(RowTable.Selected)
    def _selected(self, message: RowTable.Selected) -> None:
        self.host.open_workload(message.key)

    @on(RowTable.Highlighted)
    def _highlighted(self) -> None:
        self._draw_preview()
        self.refresh_bindings()

    @on(GridView.Moved)
    def _moved(self) -> None:
        self.refresh_bindings()

    @on(RowTable.HeaderClicked)
    def _sort_by(self, message: RowTable.HeaderClicked) -> None:
        sort = _COLUMN_SORTS.get(message.column)
        if sort is not None:
            turned = self.order.sort == sort and not self.order.reverse
            self._reorder(Order(self.order.words, self.order.faults, sort, turned))

    # --- filter and order

    def _reorder(self, order: Order) -> None:
        self.order = order
        self.show_all(self.host.workloads)
        self.host.remember("sort", f"{order.sort}{'-' if order.reverse else ''}")
        self.host.refresh_view()

    def set_filter(self, text: str) -> None:
        """Shows only what matches."""
        self.filter_text = text.strip()
        self._reorder(self.order.filtered(text))

    async def action_filter(self) -> None:
        """Opens the line to type the filter into; the next key is for it already."""
        from tui.screens.overview.filterline import FilterLine  # noqa: PLC0415  (an input field is not needed to start)

        found = self.query(FilterLine)
        if found:
            found.first().focus_input()
        else:
            await self.mount(FilterLine(self.filter_text))

    def action_faults(self) -> None:
        """Shows only what wants attention, or all again."""
        self._reorder(Order(self.order.words, not self.order.faults, self.order.sort, self.order.reverse))

    def action_sort(self) -> None:
        """Sorts by the next key."""
        self._reorder(self.order.next_sort())

    def action_reverse(self) -> None:
        """Turns the order round."""
        self._reorder(self.order.turned())

    def action_clear(self) -> None:
        """Ends jumping, or shows everything again."""
        if self._letters:
            self._show_letters({})
        elif self.filter_text or self.order.faults:
            self.filter_text = ""
            self._reorder(Order((), False, self.order.sort, self.order.reverse))

    def action_layout(self) -> None:
        """The other form than the one shown; automatic again where that comes to the same. Remembered."""
        key = self.cursor_key
        other: Layout = "grid" if self._is_table else "table"
        self.chosen = "auto" if self._suits_table() == (other == "table") else other
        self._switched = True
        self.host.remember("layout", self.chosen)
        self.host.refresh_view()
        if key is not None:
            self.call_later(self._move_to, key)

    # --- jumping

    def action_jump(self) -> None:
        """Puts a letter on each pane or line; the next key goes there."""
        if self._is_table:
            widget = self.query_one(_Table)
            top = widget.scroll_offset.y
            keys = [row.key for row in widget.rows[top : top + widget.size.height - 1]]
        else:
            keys = self.query_one(GridView).visible_keys()
        self._show_letters(dict(zip(keys, LETTERS, strict=False)))

    def _show_letters(self, letters: dict[str, str]) -> None:
        self._letters = letters
        if self._is_table:
            self._draw_table()
        else:
            self.query_one(GridView).show_letters(letters)

    @property
    def jumping(self) -> bool:
        """Whether the next key is a place to go to."""
        return bool(self._letters)

    def take_key(self, event: events.Key) -> bool:
        """Notes that a key was pressed; True when it was the end of a jump and means nothing else."""
        self._last_key = self.host.monotonic()
        if not self._letters:
            return False
        letters, self._letters = self._letters, {}
        self._show_letters({})
        for key, letter in letters.items():
            if letter == event.character:
                self._move_to(key)
        return True

    def on_resize(self) -> None:
        """Another size may want another form."""
        if self.is_mounted:
            self.host.refresh_view()
