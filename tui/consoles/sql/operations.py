"""What an operator asks of a SQL workload, live: who follows whom, who blocks whom, what is large, what is ill."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from tui.consoles.sql import operation_rows as rows
from tui.consoles.sql.asking import HeldQuestion
from tui.consoles.sql.guard import Held
from tui.consoles.sql.operation_parts import (
    HealthList,
    LockList,
    OperationFacts,
    SessionList,
    SizeList,
    TopologyList,
)
from tui.kube.times import clock
from tui.problem import ProblemError
from tui.screens.base import BaseScreen
from tui.screens.forwards.question import Question
from tui.screens.workload.headline import Sheet, Sides, TabLine
from tui.services.sql.operations.control import Ending, statement
from tui.services.sql.operations.model import Answer, Report, Unknown
from tui.systems import sqlwords
from tui.systems.sqloperations import Operations
from tui.text import one_line
from tui.widgets.ink import Piece
from tui.widgets.keyline import KeyLine
from tui.widgets.lines import Line
from tui.widgets.rows import RowTable
from tui.widgets.statusline import StatusLine

if TYPE_CHECKING:
    from tui.screens.app import StatetuiApp
    from tui.services.sql.model import Login
    from tui.services.sql.operations.model import Activity
    from tui.systems.live import Live

#: From this width on the details stand beside the list; below so many lines they are shown only while they are read.
WIDE, LOW = 130, 18
#: Seconds between two looks at whether this context is still the open one.
LOOK = 1.0
#: Characters of a session's id that a person is asked to type; CockroachDB's have 32, and then it is the member's name.
TYPABLE = 12
TABS = ("Topology", "Sessions", "Locks", "Sizes", "Health")
_ROWS: tuple[Callable[[rows.Scene], list[rows.Entry]], ...] = (
    rows.topology, rows.sessions, rows.locks, rows.sizes, rows.health,
)  # fmt: skip
_EMPTY = ("", "nobody is connected but us", "nobody waits for a lock", "nothing is there", "nothing is known")


class SqlOperations(BaseScreen):
    """The operations panel of one SQL workload.

    Args:
        live: the context.
        key: the workload's key.
        login: in place of what the packaging keeps: one that somebody typed.

    Raises:
        ProblemError: it is no SQL workload.
    """

    CSS_PATH = "operations.tcss"
    HELP: ClassVar[str] = """What an operator asks
All members are asked every few seconds while this is looked at, each over a short read-only session of its own; p holds
that. Keys 1 to 5, tab and shift+tab turn the tabs; enter goes to the details; x cancels a statement and X terminates a
session, after a question; in a protected context its id must be typed, and with read_only nobody's is ended. What a
server says of its role and lag is shown in the workload's pane for a while, too."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="operations.back"),
        Binding("x", "end('cancel')", "Cancel", id="operations.cancel"),
        Binding("X", "end('terminate')", "Terminate", id="operations.terminate"),
        Binding("tab", "turn(1)", "Tab", id="operations.next-tab", priority=True),
        Binding("shift+tab", "turn(-1)", "Previous tab", show=False, id="operations.previous-tab", priority=True),
        *(
            Binding(str(index + 1), f"tab({index})", name, show=False, id=f"operations.{name.lower()}")
            for index, name in enumerate(TABS)
        ),
        Binding("p", "hold", "Hold", id="operations.hold"),
    ]

    def __init__(self, live: Live, key: str, login: Login | None = None) -> None:
        super().__init__()
        self._live = live
        self._operations = Operations(live, key, login)
        self._tab = 0
        self._entries: dict[str, rows.Entry] = {}
        self._held = False
        self._shown: str | None = None
        self._can: bool | None = None

    @property
    def _host(self) -> StatetuiApp:
        return cast("StatetuiApp", self.app)

    def compose(self) -> ComposeResult:
        """The head, the tabs, and the details of what is under the cursor."""
        yield StatusLine()
        yield Sheet(id="head")
        yield TabLine(id="tabs")
        asking = "asking the members …"
        with Container(id="body"):
            yield TopologyList(rows.TOPOLOGY, id="list-0", empty_text=asking)
            yield SessionList(rows.SESSIONS, id="list-1", empty_text=asking)
            yield LockList(rows.LOCKS, id="list-2", empty_text=asking)
            yield SizeList(rows.SIZES, id="list-3", empty_text=asking)
            yield HealthList(rows.HEALTH, id="list-4", empty_text=asking)
            yield OperationFacts(id="facts")
        yield KeyLine()

    def on_mount(self) -> None:
        """Begins to ask."""
        self.set_interval(LOOK, self._look)
        self._turn_to(0)
        self.run_worker(
            self._operations.follow(lambda: self.app.screen is self and not self._held, lambda _: self._show()),
            name="operations", exclusive=True, exit_on_error=False,
        )  # fmt: skip

    def on_screen_resume(self) -> None:
        """Catches up."""
        super().on_screen_resume()
        self._show()

    def on_resize(self, event: events.Resize) -> None:
        """Details beside the list, below it, or only while they are read."""
        self.set_class(event.size.width >= WIDE, "-wide")
        self.set_class(event.size.width < WIDE and event.size.height < LOW, "-low")
        if self.is_mounted:
            self._show_head()

    # --- showing

    @property
    def _list(self) -> RowTable:
        return self.query_one(f"#list-{self._tab}", RowTable)

    def _look(self) -> None:
        if self.is_current and self._host.live is not self._live:
            self.dismiss()  # another context was opened

    def _scene(self) -> rows.Scene:
        workload = self._operations.workload
        members = workload.members if workload is not None else ()
        labels = {member.pod: member.label for member in members} if len(members) > 1 else {}
        return rows.Scene(self._operations.answers, self._operations.places(), labels)

    def _show(self) -> None:
        """Draws what is known now; what is the same costs no byte."""
        if not self.is_mounted or not self.is_current:
            return
        scene = self._scene()
        if scene.answers:
            self._list.set_empty_text(_EMPTY[self._tab])
        entries = _ROWS[self._tab](scene)
        self._entries = {entry.row.key: entry for entry in entries}
        self._list.set_rows([entry.row for entry in entries])
        self._show_head()
        self._show_facts()

    def _show_head(self) -> None:
        workload, answers = self._operations.workload, self._operations.answers
        if workload is None:
            gone = f"{self._operations.key.rpartition('/')[2]} is gone"
            self.query_one("#head", Sheet).set_sides([Sides(((gone, "warn"),))])
            return
        reports = [answer for answer in answers if isinstance(answer, Report)]
        asked = len(workload.members)
        all_said = len(reports) == asked
        left: list[Piece] = [(workload.name, "strong")]
        if reports:
            left.append((f" · {reports[0].engine} {reports[0].version}", ""))
            if str(reports[0].engine).lower() != workload.system:
                left.append(
                    (f" in place of {workload.title}" if _stands_in(reports[0], workload.system) else "", "dim")
                )
            left.append((f"   {len(reports)} of {asked} answer", "ready" if all_said else "failing"))
            writers = [report.member for report in reports if sqlwords.role(report) == "primary"]
            if len(reports) > 1 and len(writers) == 1:
                label = next((one.label for one in workload.members if one.pod == writers[0]), "")
                left.append((f"   {label if label and not label.isdecimal() else writers[0]} takes writes", "dim"))
        right: tuple[Piece, ...] = ()
        if answers:
            word = "■ held at" if self._held else "as of"
            right = ((f"{word} {clock(max(answer.at for answer in answers))} ", "warn" if self._held else "dim"),)
        self.query_one("#head", Sheet).set_sides([Sides(tuple(left), right)])
        self.query_one(TabLine).set_tabs([(name, _note(name, answers)) for name in TABS], self._tab)

    def _show_facts(self) -> None:
        key = self._list.cursor_key
        facts = self.query_one(OperationFacts)
        other = (shown := f"{self._tab}/{key}") != self._shown
        self._shown = shown
        entry = self._entries.get(key) if key is not None else None
        facts.set_lines(entry.tell() if entry is not None else [Line()], top=other)
        can = entry is not None and entry.activity is not None
        if can != self._can:
            self._can = can
            self.refresh_bindings()

    @on(RowTable.Highlighted)
    def _another(self, message: RowTable.Highlighted) -> None:
        if message.table is self._list:
            self._show_facts()

    @on(RowTable.Selected)
    def _read(self) -> None:
        self.query_one(OperationFacts).focus()

    # --- tabs

    def _turn_to(self, index: int) -> None:
        self._tab = index
        for at in range(len(TABS)):
            self.query_one(f"#list-{at}", RowTable).display = at == index
        self._show()
        self.set_focus(self._list)

    def action_tab(self, index: int) -> None:
        """Opens a tab."""
        self._turn_to(index)

    def action_turn(self, step: int) -> None:
        """Turns to the next or the previous tab."""
        self._turn_to((self._tab + step) % len(TABS))

    @on(TabLine.Chosen)
    def _chosen(self, message: TabLine.Chosen) -> None:
        self._turn_to(message.index)

    def action_list(self) -> None:
        """Back to the list."""
        self.set_focus(self._list)

    def action_back(self) -> None:
        """Back to where one came from."""
        self.dismiss()

    def reachable(self) -> tuple[str, str]:
        """The workload, and the member of the row under the cursor. It is asked before there are any rows, too."""
        lists = self.query(f"#list-{self._tab}").results(RowTable)
        entry = next((self._entries.get(found.cursor_key or "") for found in lists), None)
        return self._operations.key, entry.member if entry is not None else ""

    def action_hold(self) -> None:
        """Asks no more, so that what is there can be read; or asks again."""
        self._held = not self._held
        self._show_head()

    # --- ending what others do

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only a session can be ended."""
        return bool(self._can) if action == "end" else super().check_action(action, parameters)

    def action_end(self, how: str) -> None:
        """Asks whether to cancel the statement, or to terminate the session, under the cursor."""
        entry = self._entries.get(self._list.cursor_key or "")
        context = self._live.context
        if entry is None or entry.activity is None or context is None:
            return
        if self._host.settings.read_only:
            said = "This program is read-only (--read-only, or read_only in the settings): it ends nobody's session."
            self._host.notify(said, severity="warning", markup=False)
            return
        member, activity, ending = entry.member, entry.activity, Ending(how)
        if self._host.settings.protects(context.name):
            self._ask_for_name(context.name, member, activity, ending)
            return
        cancel = ending is Ending.CANCEL
        title = f"{'Cancel the statement of' if cancel else 'Terminate'} session {activity.id} of {member}?"

        def answered(yes: bool | None) -> None:
            if yes:
                self.run_worker(self._end(member, activity, ending), group="ending", exit_on_error=False)

        yes = "cancel the statement" if cancel else "terminate the session"
        self._host.push_screen(Question(title, _consequences(activity, ending), yes=yes), answered)

    def _ask_for_name(self, context: str, member: str, activity: Activity, ending: Ending) -> None:
        """In a protected context: shows what would be sent, and wants to have typed whose session it is."""
        report = next((one for one in self._operations.answers if one.member == member), None)
        if not isinstance(report, Report):
            return  # it has fallen silent: there is nothing to end any more
        try:
            sent = statement(report.engine, activity, ending)
        except ProblemError as error:
            self._host.notify(one_line(str(error.problem)), severity="warning", markup=False)
            return
        does = "cancels the statement of" if ending is Ending.CANCEL else "terminates"
        held = Held(
            f"{sent}\n{' '.join(_consequences(activity, ending))}",
            (f"{does} session {activity.id} in a protected context",),
            activity.id if len(activity.id) <= TYPABLE else member,
        )

        def answered(yes: object) -> None:
            if yes is True:
                self.run_worker(self._end(member, activity, ending), group="ending", exit_on_error=False)

        self._host.push_screen(HeldQuestion(held, f"{member} in context {context}"), answered)

    async def _end(self, member: str, activity: Activity, ending: Ending) -> None:
        try:
            await self._operations.end(member, activity, ending)
        except ProblemError as error:
            self._host.notify(one_line(str(error.problem)), severity="error", markup=False)
            return
        done = "The statement of session" if ending is Ending.CANCEL else "Session"
        self._host.notify(one_line(f"{done} {activity.id} of {member} was told to end."), markup=False)
        await self._operations.look()
        self._show()


def _consequences(activity: Activity, ending: Ending) -> list[str]:
    """Whom it is about, and what comes of it."""
    database = f"database {activity.database}" if activity.database else ""
    who = (activity.user, activity.client, activity.application, database)
    told = [one_line(", ".join(part for part in who if part))]
    if activity.statement:
        told.append(one_line(activity.statement)[:240])
    if activity.system:
        told.append("It is a thread of the server itself: replication may stop with it.")
    if activity.transaction is not None:
        open_ = sqlwords.lasts(activity.transaction)
        end = "stays open, with its locks" if ending is Ending.CANCEL else "is rolled back"
        told.append(f"Its transaction, open for {open_}, {end}.")
    return told


def _stands_in(report: Report, system: str) -> bool:
    """Whether another engine answers than the one that the workload is named for; MariaDB is a kind of MySQL here."""
    return system == "cockroachdb" and str(report.engine) != "CockroachDB"


def _note(name: str, answers: Sequence[Answer]) -> str:
    """What stands after a tab's name."""
    reports = [answer for answer in answers if isinstance(answer, Report)]
    if not reports and name != "Health":
        return ""
    if name == "Sessions":
        people = [one for report in reports if not isinstance(report.sessions, Unknown) for one in report.sessions]
        blocked = sum(1 for one in people if one.blocked_by)
        return f"{sum(1 for one in people if not one.system)}{f' ⚠ {blocked} wait' if blocked else ''}"
    if name == "Locks":
        return str(sum(len(report.locks) for report in reports if not isinstance(report.locks, Unknown)))
    if name == "Health":
        bad, warn = rows.worst(answers)
        return " ".join(part for part in (f"✗ {bad}" if bad else "", f"⚠ {warn}" if warn else "") if part)
    return ""
