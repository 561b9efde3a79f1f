"""What was asked of this workload before: a list to search, and the statement under the cursor in full."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from tui.consoles.sql.editor.document import broken
from tui.consoles.sql.editor.painting import Window, paint
from tui.screens.base import BaseScreen
from tui.services.sql.history import Entry, Status
from tui.services.sql.language.lexer import CODE, scan
from tui.text import one_line
from tui.widgets.columns import Column, fit
from tui.widgets.ink import Cell, inks
from tui.widgets.keyline import KeyLine
from tui.widgets.row import Row
from tui.widgets.rows import RowTable
from tui.widgets.statusline import StatusLine
from tui.widgets.strips import strip_of

if TYPE_CHECKING:
    from tui.services.sql.history import History
    from tui.services.sql.model import Wire

#: Statements that are listed: nobody scrolls further, they type a word.
MOST = 500
_COLUMNS = (
    Column("when", "WHEN", min_width=8),
    Column("status", "STATUS", min_width=6),
    Column("rows", "ROWS", min_width=4, align="right", priority=2),
    Column("time", "TIME", min_width=6, align="right", priority=1),
    Column("member", "MEMBER", min_width=6, max_width=24, priority=3, keep="end"),
    Column("statement", "STATEMENT", min_width=20, grow=1),
)
_STATUS: dict[Status, tuple[str, str]] = {
    Status.OK: ("✓ ok", "ready"),
    Status.ERROR: ("✗", "failing"),
    Status.CANCELLED: ("◍ stopped", "terminating"),
    Status.LOST: ("? lost", "unknown"),
    Status.DECLINED: ("○ not sent", "dim"),
}


def duration(seconds: float) -> str:
    """`0.4 ms`, `12 ms`, `3.2 s`, `4 m 05 s`."""
    if seconds < 0.001:
        return f"{seconds * 1e3:.1f} ms"
    if seconds < 1:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} m {int(seconds) % 60:02} s"


def moment(when: str, now: float) -> str:
    """The time of the day for today, the date before: in the person's own time zone."""
    try:
        told = datetime.fromisoformat(when).astimezone()
    except ValueError:
        return one_line(when)
    today = datetime.fromtimestamp(now, tz=UTC).astimezone()
    if told.date() == today.date():
        return told.strftime("%H:%M:%S")
    return told.strftime("%d %b %H:%M" if told.year == today.year else "%d %b %Y")


def row_of(entry: Entry, key: str, now: float) -> Row:
    """An entry as a row."""
    sign, ink = _STATUS[entry.status]
    if entry.status is Status.ERROR:
        sign = f"✗ {one_line(entry.code) or 'error'}"
    marks: Cell = one_line(entry.statement)[:400]
    if entry.secret or entry.cut:
        told = "literals left out " if entry.secret else "end cut off "
        marks = ((told, "warn"), (str(marks), ""))
    return Row(
        key,
        (
            moment(entry.when, now),
            ((sign, ink),),
            "" if entry.rows is None else f"{entry.rows:,}",
            duration(entry.seconds) if entry.status is not Status.DECLINED else "",
            one_line(entry.member),
            marks,
        ),
    )


class _Statement(Widget):
    """A statement in its colours, as many lines as there is room for."""

    ALLOW_SELECT = False
    DEFAULT_CSS: ClassVar[str] = "_Statement { height: 8; background: $surface; }"

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self.auto_links = False
        self._wire = wire
        self._entry: Entry | None = None

    def show(self, entry: Entry | None) -> None:
        """Shows another one."""
        if entry is not self._entry:
            self._entry = entry
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of it, below a line about it."""
        width = self.size.width
        ground = Style(bgcolor=self.background_colors[1].rich_color)
        styles = inks(self.app)
        if self._entry is None:
            return Strip.blank(width, ground)
        if y == 0:
            told = [one_line(part) for part in (self._entry.member, self._entry.database) if part]
            told += ["its literals were not kept: fill them in again"] if self._entry.secret else []
            told += ["its end was not kept"] if self._entry.cut else []
            return strip_of(fit(((f" {'   '.join(told)}", "dim"),), width), styles, ground, width)
        lines = broken(self._entry.statement[:20_000])
        if y > len(lines):
            return Strip.blank(width, ground)
        if y == self.size.height - 1 and y < len(lines):
            return strip_of([(f" … {len(lines) - y + 1} more lines", "dim")], styles, ground, width)
        state = CODE
        for line in lines[: y - 1]:
            state = scan(line[:2000], self._wire, state)[1]
        tokens = scan(lines[y - 1][:2000], self._wire, state)[0]
        text = paint(lines[y - 1], tokens, (), Window(0, width - 1), styles, ground + styles["sql-name"])
        return Strip.join([Strip([Segment(" ", ground)]), text]).adjust_cell_length(width, ground)


class HistoryScreen(BaseScreen):
    """The history of one workload. Yields nothing; `chosen` is called with the entry that enter was pressed on.

    Args:
        history: whose.
        wire: whose grammar.
        chosen: takes an entry.
        now: the time, for `today`.
    """

    ALONE: ClassVar[bool] = True
    HELP: ClassVar[str] = """History
What was asked of this workload's servers, the newest first, each statement once. Type words to find those that have
them all. Enter puts the statement into the editor; it runs nothing. Of statements that held passwords the literals
were never kept. It lies in the state directory, readable for you alone."""
    DEFAULT_CSS: ClassVar[str] = """
    HistoryScreen {
        & Input { height: 1; border: none; padding: 0 1; background: $panel; color: $foreground; }
        & Input:focus { border: none; background: $panel; }
        &.-low _Statement { display: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", id="sql-history.back", priority=True),
        Binding("enter", "choose", "Into the editor", id="sql-history.choose", priority=True),
        Binding("up,alt+k", "move(-1)", "Up", show=False, id="sql-history.up", priority=True),
        Binding("down,alt+j", "move(1)", "Down", show=False, id="sql-history.down", priority=True),
        Binding("pageup", "page(-1)", "Page up", show=False, id="sql-history.page-up", priority=True),
        Binding("pagedown", "page(1)", "Page down", show=False, id="sql-history.page-down", priority=True),
    ]

    def __init__(self, history: History, wire: Wire, chosen: Callable[[Entry], None], now: float) -> None:
        super().__init__()
        self._history, self._wire, self._chosen, self._now = history, wire, chosen, now
        self._entries: list[tuple[str, Entry]] | None = None
        self._shown: dict[str, Entry] = {}

    def compose(self) -> ComposeResult:
        """A field, the list, the statement in full."""
        yield StatusLine()
        field = Input(placeholder="type words to find")
        field.cursor_blink = False
        yield field
        yield RowTable(_COLUMNS, empty_text="reading …", id="history")
        yield _Statement(self._wire)
        yield KeyLine()

    async def on_mount(self) -> None:
        """Reads it, beside the screen: a history of megabytes takes a moment."""
        self.set_focus(self.query_one(Input))
        self.query_one(RowTable).can_focus = False
        self.run_worker(self._read(), exit_on_error=False)

    def on_resize(self, event: events.Resize) -> None:
        """On a low screen the list alone."""
        self.set_class(event.size.height < 18, "-low")

    async def _read(self) -> None:
        def read() -> list[tuple[str, Entry]]:
            seen = dict[str, Entry]()
            for entry in self._history.entries():
                seen.setdefault(entry.statement, entry)
            return [(text.lower(), entry) for text, entry in seen.items()]

        self._entries = await asyncio.to_thread(read)
        self._show()

    @on(Input.Changed)
    def _typed(self, message: Input.Changed) -> None:
        message.stop()
        self._show()

    def _show(self) -> None:
        if self._entries is None:
            return
        words = self.query_one(Input).value.lower().split()
        found = [entry for text, entry in self._entries if all(word in text for word in words)][:MOST]
        self._shown = {str(number): entry for number, entry in enumerate(found)}
        table = self.query_one(RowTable)
        empty = "nothing matches" if self._entries else "nothing was asked yet: what you run is kept here"
        table.set_empty_text(empty)
        table.set_rows([row_of(entry, key, self._now) for key, entry in self._shown.items()])
        table.action_first()
        self._preview()

    @on(RowTable.Highlighted)
    def _preview(self) -> None:
        self.query_one(_Statement).show(self._shown.get(self.query_one(RowTable).cursor_key or ""))

    def action_move(self, by: int) -> None:
        """Moves through the list."""
        self.query_one(RowTable).action_move(by)

    def action_page(self, by: int) -> None:
        """Moves by screenfuls."""
        self.query_one(RowTable).action_page(by)

    @on(RowTable.Selected)
    def action_choose(self) -> None:
        """Hands the statement over."""
        entry = self._shown.get(self.query_one(RowTable).cursor_key or "")
        self.dismiss()
        if entry is not None:
            self._chosen(entry)

    def action_leave(self) -> None:
        """Leaves everything as it is."""
        self.dismiss()
