"""One cell, whole: JSON indented and folded by levels, arrays an element a line, binary as a dump, text wrapped."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from tui.consoles.sql.files import Taken, Written, path_of
from tui.consoles.sql.foot import Foot
from tui.consoles.sql.selection import TooLong, cell_text, fits
from tui.screens.base import BaseScreen
from tui.services.sql.cells import Shape, Whole, whole
from tui.services.sql.model import Cell, Column, Look
from tui.text import one_line
from tui.widgets.columns import fit
from tui.widgets.ink import Piece, inks
from tui.widgets.keyline import KeyLine
from tui.widgets.lines import Line, Lines
from tui.widgets.strips import strip_of

#: What a fold may end in, so that the line tells it.
_OPENING = ("{", "[")


def folded(lines: tuple[str, ...], depth: int, step: int = 2) -> list[str]:
    """Indented lines with everything below a depth put away behind the line that opens it.

    Args:
        lines: as `whole` gives JSON and arrays.
        depth: levels that are shown; 1 is what stands in the outermost brackets.
        step: blanks of one level.
    """
    shown: list[str] = []
    hidden = 0
    for line in lines:
        level = (len(line) - len(line.lstrip(" "))) // step
        if level > depth:
            hidden += 1
            continue
        if hidden:
            # What closes the fold stands on the line that opens it.
            shown[-1] += f" … {hidden:,} line{'' if hidden == 1 else 's'} … {line.strip()}"
            hidden = 0
            continue
        shown.append(line)
    return shown


def depth_of(lines: tuple[str, ...], step: int = 2) -> int:
    """The deepest level."""
    return max(((len(line) - len(line.lstrip(" "))) // step for line in lines), default=0)


def inked(line: str, shown: Whole, look: Look) -> Line:
    """A line of a cell with what helps reading: keys of JSON, offsets of a dump."""
    if shown.shape is Shape.NULL:
        return Line(((line, "dim"),))
    if shown.shape is Shape.BINARY:
        return Line(((line[:8], "dim"), (line[8:], "")))
    indent = len(line) - len(line.lstrip(" "))
    hang = indent + 2 if indent else 0
    if look is Look.JSON and line[indent : indent + 1] == '"' and '": ' in line:
        end = line.index('": ') + 1
        return Line(((line[:end], "key"), (line[end:], "value")), hang)
    return Line(line, hang)


class _Head(Widget):
    """What the cell is."""

    ALLOW_SELECT = False
    DEFAULT_CSS: ClassVar[str] = "_Head { dock: top; height: 1; background: $panel; }"

    def __init__(self, pieces: tuple[Piece, ...]) -> None:
        super().__init__()
        self.auto_links = False
        self._pieces = pieces

    def render_line(self, y: int) -> Strip:
        ground = Style(bgcolor=self.background_colors[1].rich_color)
        return strip_of(fit(self._pieces, self.size.width), inks(self.app), ground, self.size.width)


class CellView(BaseScreen):
    """Opaque, full screen; escape goes back to the grid.

    Args:
        column: the cell's column.
        cell: as the server printed it.
        number: of its row, counted from 1.
    """

    ALONE: ClassVar[bool] = True
    HELP: ClassVar[str] = """Cell
The whole cell. JSON is indented, its digits and the order of its keys are the server's; - and + fold and unfold it by
levels. Arrays stand an element a line, binary cells as a hexadecimal dump. r shows the text as the server printed it,
w wraps long lines or lets them run on, / searches, y copies the cell by way of the terminal, s saves it to a file."""
    DEFAULT_CSS: ClassVar[str] = """
    CellView { layout: vertical; }
    CellView Lines { height: 1fr; padding: 0 1; }
    CellView Input { height: 1; border: none; padding: 0 1; background: $panel; }
    CellView Input:focus { border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "back", "Back", id="cell.back"),
        Binding("y", "copy", "Copy", id="cell.copy"),
        Binding("s", "save", "Save to a file", id="cell.save"),
        Binding("slash", "search", "Search", id="cell.search"),
        Binding("n", "match(1)", "Next match", show=False, id="cell.next-match"),
        Binding("N", "match(-1)", "Previous match", show=False, id="cell.previous-match"),
        Binding("minus", "fold(-1)", "Fold", id="cell.fold"),
        Binding("plus,equals_sign", "fold(1)", "Unfold", id="cell.unfold"),
        Binding("w", "wrap", "Wrap", id="cell.wrap"),
        Binding("r", "raw", "As it came", id="cell.raw"),
        Binding("left,h", "sideways(-8)", "Left", show=False, id="cell.left"),
        Binding("right,l", "sideways(8)", "Right", show=False, id="cell.right"),
    ]

    def __init__(self, column: Column, cell: Cell, number: int) -> None:
        super().__init__()
        self._column, self._cell, self._number = column, cell, number
        self._raw = False
        self._shown = whole(cell, column.look)
        self._depth = self._deepest = depth_of(self._shown.lines)
        self._asked = ""
        self._unsaved = ""

    def compose(self) -> ComposeResult:
        """What it is, the text, the line for typing, the line for telling, the keys."""
        column = self._column
        yield _Head(
            (
                (f" {one_line(column.name) or '(no name)'} ", "title"),
                (f"  {one_line(column.type)}", "dim"),
                (f"   row {self._number:,}", ""),
                (f"   {self._shown.summary}", ""),
                (f"   {self._shown.missing}", "warn"),
            )
        )
        yield Lines(wrap=self._shown.shape is not Shape.BINARY)
        entry = Input(select_on_focus=True)
        entry.cursor_blink = False
        entry.display = False
        yield entry
        yield Foot()
        yield KeyLine()

    def on_mount(self) -> None:
        """The text is what one comes for."""
        self._show(top=True)
        self._lines.focus()

    @property
    def _lines(self) -> Lines:
        return self.query_one(Lines)

    @property
    def _foldable(self) -> bool:
        return self._deepest > 0 and not self._raw and self._column.look in (Look.JSON, Look.ARRAY)

    def _show(self, *, top: bool = False) -> None:
        lines: tuple[str, ...] | list[str] = self._shown.lines
        if self._foldable and self._depth < self._deepest:
            lines = folded(self._shown.lines, self._depth)
        look = Look.TEXT if self._raw else self._column.look
        self._lines.set_lines([inked(line, self._shown, look) for line in lines], top=top)
        told = f"{len(lines):,} line{'' if len(lines) == 1 else 's'}"
        if self._foldable:
            told += f" · {self._depth} of {self._deepest} levels"
        at, found = self._lines.found
        right: tuple[Piece, ...] = ((f"match {at} of {found}", "accent"),) if found else ()
        self.query_one(Foot).show(((told, ""),), right)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what does something here has a key."""
        if action == "fold":
            return self._foldable
        if action == "raw":
            return self._column.look in (Look.JSON, Look.ARRAY) and isinstance(self._cell, str)
        return True

    def action_back(self) -> None:
        """Closes the line for typing, or the screen."""
        if self.query_one(Input).display:
            self._close()
        else:
            self.app.pop_screen()

    def action_fold(self, levels: int) -> None:
        """Shows more or fewer levels."""
        self._depth = max(1, min(self._deepest, self._depth + levels))
        self._show()

    def action_raw(self) -> None:
        """Shows the text as the server printed it, or indented again."""
        self._raw = not self._raw
        self._shown = whole(self._cell, Look.TEXT if self._raw else self._column.look)
        self._show(top=True)
        self.refresh_bindings()

    def action_wrap(self) -> None:
        """Wraps long lines, or lets them run on to the right."""
        self._lines.set_wrap(not self._lines.wrap)

    def action_sideways(self, cells: int) -> None:
        """Scrolls lines that run on."""
        self._lines.action_sideways(cells)

    def action_copy(self) -> None:
        """Copies the cell as it is, by way of the terminal."""
        try:
            text = fits(cell_text(self._cell))
        except TooLong as error:
            self.query_one(Foot).tell(str(error).replace("x exports", "s saves"), ink="failing")
            return
        self.app.copy_to_clipboard(text)
        self.query_one(Foot).tell(f"copied {len(text):,} characters")

    def action_match(self, step: int) -> None:
        """Goes to the next or the previous match."""
        self._lines.find_next(step)
        self._show()

    def action_search(self) -> None:
        """Asks what to look for."""
        self._ask("search", "search")

    def action_save(self) -> None:
        """Asks for a file's name."""
        self._unsaved = ""
        self._ask("save", "file to save the cell to")

    def _ask(self, what: str, hint: str) -> None:
        self._asked = what
        entry = self.query_one(Input)
        entry.placeholder = hint
        entry.value = ""
        entry.display = True
        entry.focus()

    def _close(self) -> None:
        self.query_one(Input).display = False
        self.query_one(Foot).hush()
        self._lines.focus()

    @on(Input.Submitted)
    def _submitted(self, message: Input.Submitted) -> None:
        message.stop()
        if self._asked == "save":
            self._save(message.value)
            return
        self._close()
        found = self._lines.find(message.value)
        self._show()
        if message.value and not found:
            self.query_one(Foot).tell(f"“{message.value}” is not in it", ink="warn")

    def _save(self, typed: str) -> None:
        foot = self.query_one(Foot)
        cell = self._cell
        try:
            path = path_of(typed)
            with Written(path, replace=str(path) == self._unsaved) as file:
                file.write(cell if isinstance(cell, bytes) else (cell or "").encode("utf-8", "surrogateescape"))
                file.done()
        except Taken as error:
            if not str(error).endswith("exists"):
                foot.tell(str(error), ink="failing", seconds=0)
                return
            self._unsaved = str(path)
            foot.tell(f"{error}: enter once more replaces it, escape leaves it", ink="warn", seconds=0)
            return
        except OSError as error:
            foot.tell(f"{error.filename or typed}: {error.strerror}", ink="failing", seconds=0)
            return
        self._close()
        foot.tell(f"saved {file.size:,} bytes to {path}")
