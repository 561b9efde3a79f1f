"""The dialog of an export: format and file, then how it goes on, and what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input

from tui.consoles.sql.export import ENDINGS, Export, Taken
from tui.consoles.sql.files import path_of
from tui.consoles.sql.resultset import ResultSet
from tui.problem import ProblemError
from tui.screens.chooser import LOW, NARROW, Choice, ChoiceList
from tui.screens.modal import Modal
from tui.services.sql.model import Wire
from tui.widgets.ink import Piece
from tui.widgets.lines import Line, Words

_FORMATS = (
    Choice("csv", "CSV", "RFC 4180, NULL empty, empty text quoted"),
    Choice("jsonl", "JSON lines", "an object a line"),
    Choice("parquet", "Parquet", "typed columns, compressed"),
    Choice("tsv", "TSV", "as COPY and mysql --batch write it"),
    Choice("json", "JSON", "one array"),
    Choice("markdown", "Markdown", "a table"),
    Choice("insert", "INSERT", "statements"),
)


class ExportDialog(Modal[Export | None]):
    """Yields an export whose file is open, for somebody to run; or None.

    Args:
        result: what is exported.
        wire: the dialect of INSERT.
        table: its table.
    """

    HELP: ClassVar[str] = """Export
Writes all rows of the result to a file, in the order in which the server sent them, also those that are filtered out
or hidden. A result that is not wholly read is read on to its end, through its open cursor; the statement is never run
again. It goes on by itself while you work; ctrl+c cancels it. The file takes its place when it is whole; cancelled,
nothing of it stays."""
    DEFAULT_CSS: ClassVar[str] = """
    ExportDialog { background: transparent; align: center top; overflow: hidden; }
    ExportDialog #export {
        width: 76; max-width: 96%; height: auto; max-height: 96%; margin-top: 2;
        background: $surface; color: $foreground; border: round $primary; border-title-color: $accent; padding: 0;
    }
    ExportDialog ChoiceList { height: 7; margin: 1 0; background: $surface; }
    ExportDialog .chooser--cursor { background: $boost; }
    ExportDialog Input { height: 1; border: none; padding: 0 1; background: $panel; color: $foreground; }
    ExportDialog Input:focus { border: none; background: $panel; }
    ExportDialog Words { height: 2; background: $surface; }
    ExportDialog.-low #export {
        width: 100%; max-width: 100%; height: 100%; max-height: 100%; margin-top: 0; border: none;
    }
    ExportDialog.-low ChoiceList { margin: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", id="export.leave", priority=True),
        Binding("enter", "begin", "Export", id="export.begin", priority=True),
        Binding("up,ctrl+k", "move(-1)", "Up", show=False, id="export.up", priority=True),
        Binding("down,ctrl+n", "move(1)", "Down", show=False, id="export.down", priority=True),
    ]

    def __init__(self, result: ResultSet, *, wire: Wire, table: str) -> None:
        super().__init__()
        self._result, self._wire, self._table = result, wire, table
        self._folder = Path.cwd()
        self._replace: Path | None = None

    def compose(self) -> ComposeResult:
        """File, formats, words."""
        with Vertical(id="export") as frame:
            frame.border_title = Content(f"Export result {self._result.number}")
            entry = Input(placeholder="file", select_on_focus=False)
            entry.cursor_blink = False
            yield entry
            yield ChoiceList()
            yield Words()

    def on_mount(self) -> None:
        """A name that is free is suggested."""
        self.query_one(ChoiceList).put(list(_FORMATS), 0)
        entry = self.query_one(Input)
        with entry.prevent(Input.Changed):
            entry.value = self._suggest("csv")
            entry.cursor_position = len(entry.value)
        self.set_focus(entry)
        self.on_resize()
        self._tell()

    def on_resize(self) -> None:
        """On a small screen it takes all of it."""
        self.set_class(self.size.height < LOW + 3 or self.size.width < NARROW, "-low")

    def _suggest(self, form: str) -> str:
        stem = "".join(char if char.isalnum() or char in "-_" else "_" for char in self._table.rpartition(".")[2])
        name = f"{stem if stem != 't' else 'result'}{ENDINGS[form]}"
        count = 2
        while (self._folder / name).exists():
            name = f"{stem if stem != 't' else 'result'}-{count}{ENDINGS[form]}"
            count += 1
        return name

    @property
    def _here(self) -> bool:
        """Whether a name without a folder stands there."""
        return not self.query_one(Input).value.startswith(("/", "~"))

    @property
    def form(self) -> str:
        """The chosen format."""
        listed = self.query_one(ChoiceList)
        return listed.choices[listed.at].value

    def action_move(self, by: int) -> None:
        """Chooses another format; the name's ending follows."""
        listed = self.query_one(ChoiceList)
        before = ENDINGS[self.form]
        listed.put(listed.choices, max(0, listed.at + by))
        self._follow_format(before)

    @on(ChoiceList.Clicked)
    def _clicked(self) -> None:
        known = next((end for end in ENDINGS.values() if self.query_one(Input).value.endswith(end)), "")
        self._follow_format(known)

    def _follow_format(self, before: str) -> None:
        entry = self.query_one(Input)
        if before and entry.value.endswith(before):
            entry.value = entry.value.removesuffix(before) + ENDINGS[self.form]
            entry.cursor_position = len(entry.value)
        self._tell()

    @on(Input.Changed)
    def _changed(self, message: Input.Changed) -> None:
        message.stop()
        self._replace = None
        self._tell()

    # --- doing it

    def action_begin(self) -> None:
        """Opens the file and leaves; when one is in the way, asks first. What cannot work is said here."""
        try:
            path = path_of(self.query_one(Input).value)
            if path.exists() and path != self._replace:
                self._replace = path
                self._tell((f"{path.name} exists: enter once more replaces it", "warn"))
                return
            replace = path == self._replace
            export = Export(self._result, path, self.form, replace=replace, wire=self._wire, table=self._table)
            export.begin()
        except Taken as error:
            self._failed(str(error), "", "")
        except ProblemError as error:
            self._failed(error.problem.what, error.problem.evidence, error.problem.remedy)
        else:
            self.dismiss(export)

    def _failed(self, *words: str) -> None:
        """It does not work: everything typed stays."""
        self._replace = None
        inks = ("failing", "", "strong")
        self._tell(*((text, ink) for text, ink in zip(words, inks, strict=True) if text))

    def _tell(self, *words: Piece) -> None:
        """Words, or what would be done; and the keys."""
        if not words:
            rows = f"{len(self._result.store):,} rows"
            told = f"{rows} are here; the rest is read from the open cursor" if self._result.open else f"all {rows}"
            if not self._result.open and self._result.done is None:
                told = f"{rows}: the result was not read to its end"
            words = ((told, ""), (f"into {self._folder}" if self._here else "", "dim"))
        keys: tuple[Piece, ...] = (
            ("⏎", "key"), (" export   ", "dim"), ("↑↓", "key"), (" format   ", "dim"),
            ("esc", "key"), (" back", "dim"),
        )  # fmt: skip
        self.query_one(Words).set_lines([*(Line((word,), hang=2) for word in words), Line(keys)])

    def action_leave(self) -> None:
        """Exports nothing."""
        self.dismiss(None)
