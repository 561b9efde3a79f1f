"""The SQL console of one workload: an editor over results, the catalogue beside them, and where one is above all."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from tui.consoles.sql import escape, menus
from tui.consoles.sql.access import Access, Way
from tui.consoles.sql.cataloguepane import CataloguePane
from tui.consoles.sql.connecting import TYPED, Phase
from tui.consoles.sql.editor.buffers import BufferStore
from tui.consoles.sql.editor.editor import SqlEditor
from tui.consoles.sql.editor.workbench import Workbench
from tui.consoles.sql.exports import Exports
from tui.consoles.sql.guard import Guard
from tui.consoles.sql.headline import activity, headline
from tui.consoles.sql.pane import ResultPane
from tui.consoles.sql.results import Results
from tui.consoles.sql.resultset import Run
from tui.consoles.sql.running import Statement
from tui.consoles.sql.staying import StayingScreen
from tui.consoles.sql.strips import words
from tui.consoles.sql.tree import CatalogueTree
from tui.services.sql.explain import explaining, read_plan, without_explain
from tui.services.sql.history import History, Status
from tui.services.sql.model import ServerError
from tui.services.sql.plans.model import NotAPlan
from tui.widgets.ink import Piece
from tui.widgets.keyline import KeyLine
from tui.widgets.notice import Notice, Text
from tui.widgets.oneline import OneLine

#: Columns from which the catalogue stands beside the editor by itself.
WIDE = 110
#: Seconds between two looks at what runs, and looks between two at whether the connection stands.
LOOK, SELDOM = 0.25, 4
#: Looks between two questions to the member for its role and lag; half of what they are believed for.
WATCH = 80


class SqlConsole(StayingScreen):
    """One console.

    Args:
        access: to the workload.
        name: the workload's.
        guard: what is held back.
        kept_as: under which name history and buffers are kept: context and workload.
        way: whom to connect to.
        ahead: whether names for completion are read before somebody asks for them.
    """

    CSS_PATH = "console.tcss"
    WORKING = True
    HELP: ClassVar[str] = """SQL console
The first line says where you are: workload, version, member and role, TLS, database, transaction, read-only. f5 runs
the statement at the cursor or what is selected; ctrl+c cancels it on the server. f2 chooses the member and has
read-only, time-out and login; f8 the catalogue, f9 begins, commits and rolls back, f10 the plan, f11 what an operator
asks; f12 goes to the next pane. Escape closes what is open, then goes to the editor, and from there out: the console
stays as it is, and s goes back to it; its session ends ten minutes later. When the connection goes, the next statement
opens a new one; nothing is ever sent twice. What destroys is held back until you say yes (setting sql.confirm)."""
    BINDINGS: ClassVar[list[BindingType]] = [
        # Before the editor's own: there it would only move the focus.
        Binding("escape", "back", "Back", id="sql.back", priority=True),
        Binding("ctrl+c,alt+x", "cancel", "Cancel", id="sql.cancel", priority=True),
        Binding("f2", "connection", "Member", id="sql.connection"),
        Binding("f8", "catalogue", "Catalogue", id="sql.catalogue"),
        Binding("f9", "transaction", "Transaction", id="sql.transaction"),
        Binding("f10,alt+p", "plan", "Plan", id="sql.plan"),
        Binding("f11,alt+u", "operations", "Operations", id="sql.operations"),
        Binding("f12,alt+r", "pane", "Next pane", id="sql.pane"),
    ]

    def __init__(
        self, access: Access, name: str, guard: Guard, *, kept_as: str, way: Way | None = None, ahead: bool = True
    ) -> None:
        super().__init__(access, name, guard, History(kept_as, access.wire), ahead=ahead)
        self._kept_as = kept_as
        self._way = way or Way()
        self._looks = 0
        self._dirty = False
        self._told: object = None

    # --- what it is made of

    def compose(self) -> ComposeResult:
        """Head, catalogue, editor over results, what goes on, keys."""
        store = BufferStore(self._kept_as, self.access.wire)
        yield OneLine(lambda width: headline(self.desk, self.access.workload, self.workload_name, width), id="head")
        with Horizontal(id="desk"):
            yield CataloguePane(self.schemas, id="catalogue")
            with Vertical(id="work"):
                yield Workbench(self.access.wire, store, self.desk.history, clock=self._clock, id="editor")
                yield Results(id="results")
                yield Notice(Text("◌", "starting", "Connecting…"), id="words")
        yield OneLine(self._activity, id="activity")
        yield KeyLine()

    @property
    def workbench(self) -> Workbench:
        """The buffers."""
        return self.query_one(Workbench)

    @property
    def editor(self) -> SqlEditor:
        """The open buffer's editor."""
        return self.workbench.editor

    @property
    def results(self) -> Results:
        """The results."""
        return self.query_one("#results", Results)

    @property
    def catalogue(self) -> CataloguePane:
        """The catalogue."""
        return self.query_one(CataloguePane)

    def on_mount(self) -> None:
        """Connects."""
        self.editor.focus()
        self.set_interval(LOOK, self._tick)
        self._open(self._way)

    def on_resize(self, event: events.Resize) -> None:
        """The catalogue stands beside the editor where there is room."""
        self.set_class(event.size.width >= WIDE, "-wide")

    # --- looking

    def _changed(self) -> None:
        """Something is new; it is drawn once, however much it is."""
        if not self._dirty and self.is_mounted and self.left is None:
            self._dirty = True
            self.call_later(self.look)

    def look(self) -> None:
        """Draws what is new."""
        self._dirty = False
        if not self.is_mounted:
            return
        connection = self.desk.connection
        nothing_yet = not self.desk.results.messages and not self.desk.results.sets and self.desk.running is None
        told = self.query_one("#words", Notice)
        told.display = nothing_yet or connection.phase in (Phase.LOOKING, Phase.CONNECTING, Phase.ASKING)
        self.results.display = not told.display  # a class for it would have everything styled anew
        told.show(words(connection))
        for line in self.query(OneLine):
            line.look()
        self.refresh_bindings()
        if self.desk.running is None and self.desk.outcome is not self._told:
            self._told = self.desk.outcome
            self._ended()

    async def _tick(self) -> None:
        self._looks += 1
        if self.left is not None:
            if self._looks % SELDOM == 0:
                await self.desk.connection.look()
                await self.watch_over()
            return
        for line in self.query(OneLine):
            line.look()
        if self._looks % SELDOM == 0 and self.desk.running is None:
            await self.desk.connection.look()
            await self._follow()
        if self._looks % WATCH == SELDOM * 2:  # the first one soon
            self._watch()

    def _watch(self) -> None:
        """Asks the member where it stands, while somebody looks; what it says comes with the workload."""
        connection = self.desk.connection
        facts, login = connection.facts, connection.login
        if self.is_current and connection.phase is Phase.OPEN and facts is not None and login is not None:
            self.run_worker(self.access.watch(facts.member, login), group="watch", exclusive=True, exit_on_error=False)

    async def _follow(self) -> None:
        """Brings the catalogue to where the session is."""
        if self.desk.connection.phase is Phase.OPEN and await self.schemas.follow():
            self.workbench.set_source(self.schemas.catalogue)
            self.catalogue.plant()

    def _names_changed(self) -> None:
        if self.is_mounted and self.query("Completions"):  # names may come while it is being taken down
            self.workbench.completions.names_changed()

    def _activity(self, width: int) -> list[Piece]:
        exports = self.exports
        return activity(self.desk, self._clock(), width, exports)

    @property
    def exports(self) -> Exports:
        """What is being written to a file."""
        return self.results.pane.exports

    def show_run(self, run: Run) -> None:
        """Shows the results of a run in the place of those before, whose rows go."""
        self.results.show(run, wire=self.access.wire)

    @property
    def unfinished(self) -> str:
        """What would be lost with it, in words; empty when nothing would."""
        exports = self.exports
        current = exports.current
        reading = current is not None and current.reads(self.desk.results.current)
        lost = [self.desk.unfinished_transaction if reading else self.desk.unfinished, exports.unfinished]
        return " and ".join(each for each in lost if each)

    @on(ResultPane.Exporting)
    def _exporting(self, message: ResultPane.Exporting) -> None:
        message.stop()
        self.look()

    # --- running

    @on(SqlEditor.Run)
    def _run(self, message: SqlEditor.Run) -> None:
        message.stop()
        message.editor.clear_error()
        self.workbench.completions.close()
        if not self.desk.start(self.desk.script(message.text, message.offset)):
            self.tell(self._why_not(), "warn")

    def _why_not(self) -> str:
        if self.desk.connection.opening:
            return f"Nothing is run before there is a session: {self.desk.connection.phase}"
        return "A statement is running: ctrl+c cancels it"

    def _begun(self, run: Run) -> None:
        self.exports.hush()
        self.show_run(run)
        self.host.make_room()

    def _ended(self) -> None:
        """What the end of a run means for the editor and the catalogue."""
        outcome = self.desk.outcome
        if outcome is None:
            return
        statement, error = outcome.statement, outcome.error
        if not isinstance(error, ServerError) or error.position is None:
            return
        if statement is None or statement.offset is None:
            return
        # What stood before the buffer's own text (EXPLAIN) is not in the buffer; what was changed since is not either.
        sent = statement.text[statement.lead :]
        if self.editor.text[statement.offset :].startswith(sent):
            self.editor.show_error(statement.offset + max(0, error.position - statement.lead), error.message)

    def _defined(self) -> None:
        """Definitions were changed."""
        self.catalogue.reload()

    def control(self, verb: str) -> None:
        """Begins, commits or rolls back."""
        self.run_worker(self.desk.control(verb), exit_on_error=False)

    def explain(self, *, analyze: bool) -> None:
        """Asks for the plan of the statement at the cursor."""
        piece, facts = self.editor.statement(), self.desk.connection.facts
        if piece is None or facts is None:
            self.tell("There is no statement at the cursor" if facts is not None else "There is no session", "warn")
            return
        self.workbench.completions.close()
        text = explaining(piece.text, facts.engine, facts.number, analyze=analyze)
        if text is None:
            self.tell(f"{facts.engine} {facts.version} cannot measure a statement; ask for the plan alone", "warn")
            return
        own = without_explain(piece.text)
        if self.desk.start([Statement(text, piece.start + len(piece.text) - len(own), len(text) - len(own))]):
            self.run_worker(self._planned(), exit_on_error=False)

    async def _planned(self) -> None:
        """Shows the answer as a tree where it is one; else as it came."""
        await self.desk.wait()
        run, outcome = self.desk.results, self.desk.outcome
        if outcome is not None and outcome.status is Status.OK and run.sets:
            try:
                self.results.put_plan(run.sets[-1], read_plan(list(run.sets[-1].store.rows())))
            except NotAPlan:
                return

    async def action_cancel(self) -> None:
        """Cancels what runs; while connecting, gives that up."""
        if self.desk.running is not None:
            export = self.exports.current
            if export is not None and export.reads(self.desk.results.current):
                await self.exports.cancel()  # the result stays, paused where it is
            else:
                await self.desk.cancel()
        elif self.exports.current is not None:
            await self.exports.cancel()
        elif self._opening is not None:
            self._opening.cancel()

    # --- the catalogue

    @on(CatalogueTree.Insert)
    def _insert(self, message: CatalogueTree.Insert) -> None:
        self.remove_class("-tree")
        self.editor.put(message.text)
        self.editor.focus()

    @on(CataloguePane.Preview)
    def _preview(self, message: CataloguePane.Preview) -> None:
        if self.desk.start([Statement(message.statement)]):
            self.remove_class("-tree")
            self.results.main().focus()
        else:
            self.tell(self._why_not(), "warn")

    @on(CataloguePane.Failed)
    def _unread(self, message: CataloguePane.Failed) -> None:
        self.tell(message.text, "failing")

    @on(CatalogueTree.Connect)
    def _other_database(self, message: CatalogueTree.Connect) -> None:
        connection = self.desk.connection

        async def use() -> None:
            if await connection.use_database(message.database):
                await self._follow()

        def go() -> None:
            self._opening = asyncio.create_task(use(), name="another database")

        self.unless_lost(f"Go to database {message.database}?", go, "go there")

    # --- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape is that of whoever has something to close; cancelling needs something that runs."""
        if action == "cancel":
            exporting = self.is_mounted and self.exports.current is not None
            opening = self.desk.connection.phase in (Phase.LOOKING, Phase.CONNECTING)
            return exporting or self.desk.running is not None or opening
        if action == "back":
            return escape.is_the_consoles(self.focused)
        return True

    def action_back(self) -> None:
        """Closes the filter, goes to the editor, gives connecting up, or leaves the console."""
        if self.catalogue.has_focus_within and self.catalogue.close_filter():
            return
        if not self.editor.has_focus:
            self.remove_class("-tree")
            self.editor.focus()
        elif self.desk.connection.phase in (Phase.LOOKING, Phase.CONNECTING) and self._opening is not None:
            self._opening.cancel()
        else:
            self.workbench.keep_all()
            self.leave()

    def action_pane(self) -> None:
        """Goes to the next pane: editor, results, catalogue."""
        shown = self.catalogue.display and not self.has_class("-hidden") and self.has_class("-wide")
        panes = [self.editor, self.results.main(), *([self.catalogue.names] if shown else [])]
        at = next((at for at, pane in enumerate(panes) if pane.has_focus), -1)
        panes[(at + 1) % len(panes)].focus()

    def action_catalogue(self) -> None:
        """Goes to the catalogue, shows it where it was hidden; from it, back to the editor."""
        if self.catalogue.has_focus_within:
            self.remove_class("-tree")
            self.add_class("-hidden")
            self.editor.focus()
            return
        self.remove_class("-hidden")
        if not self.has_class("-wide"):
            self.add_class("-tree")
        self.catalogue.names.focus()

    def action_connection(self) -> None:
        """Chooses the member, read-only, time-out, login."""
        menus.connection(self)

    def action_transaction(self) -> None:
        """Begins, commits, rolls back."""
        menus.transaction(self)

    def action_operations(self) -> None:
        """Topology, sessions, locks, sizes and health, with the login of this console if it was typed."""
        login = self.desk.connection.login
        typed = login if login is not None and login.source == TYPED else None
        self.host.open_operations(self.reachable()[0], typed)

    def action_plan(self) -> None:
        """The plan of the statement at the cursor."""
        menus.plan(self)
