"""Everything that is written: the line of buffers, the editor of the open one, completion and finding."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from tui.consoles.sql.editor import outside
from tui.consoles.sql.editor.buffers import Buffer, BufferStore, digest
from tui.consoles.sql.editor.completion import Completions, Source
from tui.consoles.sql.editor.editor import SqlEditor
from tui.consoles.sql.editor.filing import Filing
from tui.consoles.sql.editor.finding import FindLine
from tui.consoles.sql.editor.history import HistoryScreen
from tui.consoles.sql.editor.shelf import Shelf
from tui.consoles.sql.editor.tabs import BufferTab, BufferTabs
from tui.problem import Problem, ProblemError
from tui.screens.forwards.question import Question
from tui.services.sql.language.lexer import Kind, scan
from tui.widgets.ink import Piece

if TYPE_CHECKING:
    from textual.timer import Timer

    from tui.services.sql.history import History
    from tui.services.sql.model import Wire

#: Seconds after the last key until a buffer is kept; and at most, while somebody goes on typing.
KEEP, AT_MOST = 0.8, 5.0
#: Characters of a text in which secrets are looked for at once.
_LONG = 40_000


class Workbench(Vertical):
    """The buffers of one workload. The screen around it runs what `SqlEditor.Run` asks for.

    Args:
        wire: whose grammar.
        store: where buffers are kept.
        history: what was asked before.
        clock: the time.
    """

    HELP: ClassVar[str] = SqlEditor.HELP
    DEFAULT_CSS: ClassVar[str] = "Workbench { height: 1fr; & SqlEditor { height: 1fr; } }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f3,ctrl+r", "history", "History", id="sql-buffers.history"),
        Binding("f4,alt+e", "outside", "$EDITOR", id="sql-buffers.outside"),
        Binding("ctrl+f,alt+f", "find", "Find", id="sql-buffers.find"),
        Binding("ctrl+g,alt+g", "line", "Line", show=False, id="sql-buffers.line"),
        Binding("ctrl+t,alt+t", "snippets", "Snippets", id="sql-buffers.snippets"),
        Binding("ctrl+n,alt+n", "new", "New", id="sql-buffers.new"),
        Binding("alt+w,ctrl+f4", "close", "Close", id="sql-buffers.close"),
        Binding("ctrl+pagedown,alt+l", "turn(1)", "Next buffer", show=False, id="sql-buffers.next"),
        Binding("ctrl+pageup,alt+h", "turn(-1)", "Buffer before", show=False, id="sql-buffers.previous"),
        Binding("ctrl+o,alt+o", "open", "Open file", show=False, id="sql-buffers.open"),
        Binding("ctrl+s,alt+s", "save", "Save file", show=False, id="sql-buffers.save"),
        Binding("alt+shift+s", "save_as", "Save as", show=False, id="sql-buffers.save-as"),
    ]

    def __init__(
        self, wire: Wire, store: BufferStore, history: History, *, clock: Callable[[], float], id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self._wire, self._store, self._history, self._clock = wire, store, history, clock
        self._buffers: list[Buffer] = []
        self._editors: dict[str, SqlEditor] = {}
        self._at = 0
        self._unkept: dict[str, float] = {}
        self._keeping: Timer | None = None
        self._told = False
        self._outside = False  # whether the person's own editor has the terminal
        self._filing = Filing(self)
        self._shelf = Shelf(self)

    def compose(self) -> ComposeResult:
        """The tabs, an editor for each buffer that was looked at, the line for finding, the completions."""
        self._buffers = self._store.load()
        if not self._buffers:
            self._buffers = [self._store.new(())]
        yield BufferTabs()
        yield self._editor_for(self._buffers[0])
        yield FindLine()
        yield Completions(self._wire)

    def on_mount(self) -> None:
        """Begins with the first buffer."""
        self._go(self.editor)
        self._tell()

    def on_unmount(self) -> None:
        """What was written is kept, whatever ends the screen."""
        self.keep_all()
        self._store.release()

    # --- for the screen around it

    @property
    def editor(self) -> SqlEditor:
        """The open buffer's editor."""
        return self._editors[self.buffer.ident]

    @property
    def completions(self) -> Completions:
        """The list of completions; its `names_changed` is for the catalogue's `changed`."""
        return self.query_one(Completions)

    def set_source(self, source: Source | None) -> None:
        """Names for completion: another catalogue, or none while nothing is connected."""
        self.completions.source = source

    def keep_all(self) -> None:
        """Writes every buffer that was changed."""
        for ident in list(self._unkept):
            self._keep(ident)

    async def show_text(self, text: str) -> None:
        """Puts statements into the editor: as they are into an empty buffer, or else into a new one."""
        if self.editor.text.strip():
            await self.action_new()
        self.editor.put(text)
        self.screen.set_focus(self.editor)

    def put_statement(self, text: str) -> None:
        """Puts a statement below the one at the cursor, with the cursor behind it; it is not run."""
        editor = self.editor
        statement = _ended(text, self._wire)
        piece = editor.statement()
        if piece is None:
            editor.put(statement)
        else:
            end = editor.sql.place(piece.end + len(piece.delimiter))
            # What was not ended yet would go on in the new one.
            rest = "" if piece.delimiter else _ended(piece.text, self._wire)[len(piece.text) :]
            editor.replace(f"{rest}\n\n{statement}", end, end, maintain_selection_offset=False)
            editor.history.checkpoint()
        self.screen.set_focus(editor)

    # --- buffers

    @property
    def buffer(self) -> Buffer:
        """The open buffer."""
        return self._buffers[self._at]

    def _editor_for(self, buffer: Buffer) -> SqlEditor:
        editor = self._editors[buffer.ident] = SqlEditor(self._wire, buffer.text, id=f"buffer-{buffer.ident}")
        return editor

    def _go(self, editor: SqlEditor) -> None:
        completions = self.completions
        completions.close()
        editor.helper = completions
        if self.buffer.cursor:
            editor.go_to(self.buffer.cursor)
            self.buffer.cursor = 0
        self._tell()

    async def _turn_to(self, index: int) -> None:
        self.editor.display = False
        self._at = index
        if self.buffer.ident not in self._editors:
            await self.mount(self._editor_for(self.buffer), after=self.query_one(BufferTabs))
        self.editor.display = True
        self.screen.set_focus(self.editor)
        self._go(self.editor)

    def changed(self, buffer: Buffer) -> bool:
        """Whether a buffer differs from its file; one without a file, whether there is anything in it."""
        text = self._text(buffer)
        return digest(text) != buffer.saved if buffer.path is not None else bool(text.strip())

    def _text(self, buffer: Buffer) -> str:
        editor = self._editors.get(buffer.ident)
        return editor.text if editor is not None else buffer.text

    def _tell(self) -> None:
        dirty = [one.path is not None and (one.ident in self._unkept or self.changed(one)) for one in self._buffers]
        tabs = [BufferTab(one.name, bad, one.secret) for one, bad in zip(self._buffers, dirty, strict=True)]
        note: Piece = ("", "")
        if self._store.problem is not None:
            note = ("✗ not kept", "failing")
            if not self._told:
                self._told = True
                self.fail(self._store.problem)
        elif self.buffer.secret:
            note = ("passwords are not kept", "warn")
        self.query_one(BufferTabs).show(tabs, self._at, note)

    @on(SqlEditor.Changed)
    def _written(self, message: SqlEditor.Changed) -> None:
        message.stop()
        ident = (message.control.id or "").removeprefix("buffer-")
        first = self._unkept.setdefault(ident, self._clock())
        if self._keeping is None or self._clock() - first < AT_MOST:
            if self._keeping is not None:
                self._keeping.stop()
            self._keeping = self.set_timer(KEEP, self._start_keeping)

    def _start_keeping(self) -> None:
        self.run_worker(self._keep_soon(), group="keep", exit_on_error=False)

    async def _keep_soon(self) -> None:
        self._keeping = None
        for ident in list(self._unkept):
            editor = self._editors.get(ident)
            if editor is not None and len(editor.text) > _LONG:
                await self._keep_long(ident, editor)
            else:
                self._keep(ident)
        self._tell()

    def _keep(self, ident: str) -> None:
        self._unkept.pop(ident, None)
        editor, buffer = self._editors.get(ident), self._named(ident)
        if editor is not None and buffer is not None:
            self._store.keep(buffer, editor.text, editor.cursor_index)

    async def _keep_long(self, ident: str, editor: SqlEditor) -> None:
        """Looks for secrets in a thread, so that nobody's keys wait."""
        version, cursor = editor.sql.version, editor.cursor_index
        kept = await asyncio.to_thread(self._store.keepable, editor.text)
        buffer = self._named(ident)
        if buffer is None or self._editors.get(ident) is not editor:
            return  # closed meanwhile
        self._store.write(buffer, *kept, cursor)
        if editor.sql.version == version:
            self._unkept.pop(ident, None)

    def _named(self, ident: str) -> Buffer | None:
        return next((one for one in self._buffers if one.ident == ident), None)

    async def action_new(self) -> None:
        """Opens an empty buffer."""
        self._buffers.append(self._store.new(one.number for one in self._buffers))
        await self._turn_to(len(self._buffers) - 1)

    async def action_turn(self, step: int) -> None:
        """Goes to the next buffer, or the one before."""
        if len(self._buffers) > 1:
            await self._turn_to((self._at + step) % len(self._buffers))

    @on(BufferTabs.Chosen)
    async def _chosen(self, message: BufferTabs.Chosen) -> None:
        await self._turn_to(message.index)

    def action_close(self) -> None:
        """Closes the buffer; asks first when what is in it would be lost."""
        buffer = self.buffer
        if not self.changed(buffer):
            self.call_later(self._close, buffer)
            return
        lines = self.editor.sql.line_count
        many = "1 line that is" if lines == 1 else f"{lines:,} lines that are"
        told = f"{many} in no file" if buffer.path is None else f"Changes that are not in {buffer.path}"

        def answered(yes: bool | None) -> None:
            if yes:
                self.call_later(self._close, buffer)

        self.app.push_screen(Question(f"Close {buffer.name}?", [told], yes="close it: that is lost"), answered)

    async def _close(self, buffer: Buffer) -> None:
        if buffer not in self._buffers:
            return
        self._unkept.pop(buffer.ident, None)
        self._store.drop(buffer)
        index = self._buffers.index(buffer)
        editor = self._editors.get(buffer.ident)
        if len(self._buffers) == 1:
            self._buffers.append(self._store.new(()))
        await self._turn_to(index + 1 if index + 1 < len(self._buffers) else index - 1)
        self._buffers.remove(buffer)
        self._at -= self._at > index
        self._editors.pop(buffer.ident, None)
        if editor is not None:
            await editor.remove()
        self._tell()

    # --- files

    def action_open(self) -> None:
        """Asks for a file and opens it in a buffer of its own."""
        self._filing.open()

    def action_save(self) -> None:
        """Saves the buffer to its file, or asks for one."""
        self._filing.save()

    def action_save_as(self) -> None:
        """Asks for a file and saves there."""
        self._filing.save_as()

    async def opened(self, path: Path, text: str) -> None:
        """Shows a file: in the open buffer when that is empty, in the one that has it, or in a new one."""
        for index, one in enumerate(self._buffers):
            if one.path == path:
                await self._turn_to(index)
                return
        if self.changed(self.buffer) or self.buffer.path is not None:
            await self.action_new()
        self.buffer.path, self.buffer.saved = path, digest(text)
        self.editor.load_text(text)
        self._store.keep(self.buffer, text, 0)
        self._tell()

    def saved(self, path: Path, text: str) -> None:
        """The open buffer's text is now that of a file."""
        self.buffer.path, self.buffer.saved = path, digest(text)
        if text != self.editor.text:  # the file ends with a line end
            end = self.editor.sql.end
            self.editor.replace("\n", end, end, maintain_selection_offset=True)
        self._keep(self.buffer.ident)
        self._tell()

    def fail(self, problem: Problem) -> None:
        """Says what went wrong."""
        self.app.notify(str(problem), severity="error", markup=False)

    # --- completing, finding

    @on(SqlEditor.Completing)
    def _complete(self, message: SqlEditor.Completing) -> None:
        message.stop()
        self.completions.complete(message.editor, asked=message.asked)

    @on(SqlEditor.Moved)
    def _moved(self, message: SqlEditor.Moved) -> None:
        message.stop()
        self.completions.close()

    @on(SqlEditor.NothingToRun)
    def _nothing(self, message: SqlEditor.NothingToRun) -> None:
        message.stop()
        # A line, no toast: at 80 columns that would cover what one looks at, and stay when the console is left.
        tell = getattr(self.screen, "tell", None)
        if tell is not None:
            tell("There is no statement at the cursor", "warn")

    def action_find(self) -> None:
        """Opens the line for finding."""
        self.completions.close()
        self.query_one(FindLine).open(self.editor, line=False)

    def action_line(self) -> None:
        """Asks for a line's number."""
        self.completions.close()
        self.query_one(FindLine).open(self.editor, line=True)

    # --- history, snippets, $EDITOR

    def action_history(self) -> None:
        """Lists what was asked before."""
        self.app.push_screen(
            HistoryScreen(self._history, self._wire, lambda entry: self.put_statement(entry.statement), self._clock())
        )

    def action_snippets(self) -> None:
        """Lists the snippets; the last line keeps what is written as a new one."""
        self._shelf.open()

    def action_outside(self) -> None:
        """Hands the buffer to the person's own editor."""
        if not self._outside:  # a second key may have been on its way when the terminal was handed over
            self._outside = True
            self.keep_all()
            self.run_worker(self._edit_outside(self.editor), exit_on_error=False)

    async def _edit_outside(self, editor: SqlEditor) -> None:
        try:
            changed = await outside.edit(self.app, editor.text)
        except ProblemError as error:
            self.fail(error.problem)
            return
        finally:
            self._outside = False
        if editor.is_mounted:
            editor.take_over(changed)


def _ended(text: str, wire: Wire) -> str:
    """A statement with its semicolon, on a line of its own where the last one ends with a comment."""
    tokens = scan(text, wire)[0]
    if not tokens or text[tokens[-1].start : tokens[-1].end] == ";":
        return text
    if tokens[-1].kind is Kind.COMMENT and not text.rstrip().endswith("*/"):
        return f"{text}\n;"
    return f"{text};"
