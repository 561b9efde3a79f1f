"""All publications and moves of a console."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.consoles.dialogs import TextDialog
from tui.consoles.queue.headline import STAGES, came
from tui.consoles.queue.jobs import Job, Stage
from tui.consoles.queue.payload import beginning
from tui.consoles.queue.words import rate
from tui.consoles.view import View
from tui.text import one_line
from tui.widgets.columns import Column
from tui.widgets.keyline import KeyLine
from tui.widgets.oneline import OneLine
from tui.widgets.row import Row
from tui.widgets.rows import RowTable

if TYPE_CHECKING:
    from tui.consoles.queue.browsing import BrowsingScreen

LOOK = 0.5
COLUMNS = (
    Column("stage", "STATE", min_width=14),
    Column("title", "JOB", min_width=16, grow=1),
    Column("far", "MESSAGES", min_width=12, align="right"),
    Column("rate", "PER S", min_width=6, align="right", priority=1),
    Column("told", "", min_width=8, grow=1, priority=2, optional=True, cut=True),
)


class JobTable(RowTable):
    """Jobs."""

    HELP: ClassVar[str] = """Jobs
Publications and moves, the oldest first. X cancels the one under the cursor: what was done until then is done. enter
tells all that is known of one: the broker's words, and what no queue took. Jobs end with the console."""


class JobsView(View):
    """All of them."""

    HELP: ClassVar[str] = JobTable.HELP
    BINDINGS: ClassVar[list[BindingType]] = [Binding("X", "stop", "Cancel", id="queue-jobs.cancel")]

    def __init__(self, console: BrowsingScreen) -> None:
        super().__init__()
        self._of = console

    def compose(self) -> ComposeResult:
        """A table."""
        yield OneLine(lambda _: [(" Jobs", "title")], id="head")
        yield JobTable(COLUMNS, empty_text="nothing was published or moved yet")
        yield KeyLine()

    def on_mount(self) -> None:
        """Looks now and then."""
        self.query_one(OneLine).look()
        self.query_one(JobTable).focus()
        self.set_interval(LOOK, self._look)
        self._look()

    def _look(self) -> None:
        rows = []
        for one in self._of.jobs.all():
            sign, ink = STAGES[one.stage]
            whole = f"/{one.far.total:,}" if one.far.total is not None else ""
            told = one.far.waits if one.stage is Stage.RUNNING else came(one)[0]
            speed = f"{rate(one.rate)}" if one.stage is Stage.RUNNING else ""
            state = ((f"{sign} {one.stage}", ink),)
            rows.append(Row(str(one.number), (state, one_line(one.title), f"{one.far.done:,}{whole}", speed, told)))
        self.query_one(JobTable).set_rows(rows)
        self.refresh_bindings()

    @property
    def _job(self) -> Job | None:
        key = self.query_one(JobTable).cursor_key
        return next((one for one in self._of.jobs.all() if str(one.number) == key), None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What is over cannot be cancelled."""
        if action == "stop":
            return (job := self._job) is not None and job.stage is Stage.RUNNING
        return super().check_action(action, parameters)

    def action_stop(self) -> None:
        """Cancels the job under the cursor."""
        if (job := self._job) is not None:
            self._of.jobs.cancel(job.number)

    def on_row_table_selected(self, message: RowTable.Selected) -> None:
        """Tells all that is known of one."""
        message.stop()
        job = self._job
        if job is None:
            return
        lines = [job.title, came(job)[0] if job.stage is not Stage.RUNNING else job.stage.value]
        if job.problem is not None:
            lines += [part for part in (job.problem.evidence, job.problem.remedy) if part]
        for one in job.came.undeliverable if job.came is not None else ():
            lines.append(f"returned ({one.why}): key {one.message.routing_key}, {beginning(one.message.body, 60)}")
        self.app.push_screen(TextDialog("Job", "\n".join(lines)))
