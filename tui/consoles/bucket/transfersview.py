"""All transfers: how far each is, how fast, how long it will take, and what became of it."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.consoles.bucket.client import Mover, Stage, Transfer
from tui.consoles.bucket.details import fact
from tui.consoles.bucket.headline import STAGES, bar, share
from tui.consoles.bucket.words import duration, rate, size
from tui.consoles.problems import lines_of
from tui.consoles.view import View
from tui.text import safe
from tui.widgets.columns import Column
from tui.widgets.keyline import KeyLine
from tui.widgets.lines import Line, Lines
from tui.widgets.oneline import OneLine
from tui.widgets.row import Row
from tui.widgets.rows import RowTable

LOOK = 0.5
_COLUMNS = (
    Column("stage", "STATE", min_width=9),
    Column("what", "TRANSFER", min_width=32, grow=1),
    Column("bar", "", min_width=12, priority=4),
    Column("share", "DONE", min_width=5, align="right"),
    Column("files", "FILES", min_width=5, align="right", priority=2),
    Column("rate", "RATE", min_width=8, align="right", priority=1),
    Column("left", "LEFT", min_width=6, align="right", priority=3),
)


def row_of(one: Transfer) -> Row:
    """A transfer as a row."""
    sign, ink = STAGES[one.stage]
    done, files = one.files
    many = "" if files == 1 else f"{done:,}/{'?' if files is None else f'{files:,}'}"
    running = one.stage is Stage.RUNNING
    return Row(str(one.number), (
        ((f"{sign} {one.stage}", ink),), safe(one.title), ((bar(one.done, one.total), "bar"),), share(one), many,
        rate(one.rate) if running else "", duration(one.remaining) if running else "",
    ))  # fmt: skip


def facts_of(one: Transfer) -> list[Line]:
    """What is known of one."""
    lines = [Line(((safe(one.title), "strong"),)), Line()]
    whole = f" of {size(one.total)}   {one.total:,} bytes" if one.total is not None else ""
    lines.append(fact("bytes", f"{size(one.done)}{whole}"))
    if one.current:
        lines.append(fact("now", one.current))
    if one.problem is not None:
        lines += [Line(), *lines_of(one.problem, remedy_first=True)]  # there are few lines
    return lines


class TransfersView(View):
    """All transfers.

    Args:
        mover: what moves.
    """

    HELP: ClassVar[str] = """Transfers
p lets one rest or go on, X gives it up, Y or R begins it again where it stopped, c forgets those that are over. They
go on while you look around."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p,P", "pause", "Pause", id="bucket-transfers.pause"),
        Binding("X", "stop", "Cancel", id="bucket-transfers.cancel"),
        Binding("Y,R", "retry", "Retry", id="bucket-transfers.retry"),
        Binding("c", "forget", "Forget what is over", id="bucket-transfers.forget"),
    ]

    def __init__(self, mover: Mover) -> None:
        super().__init__()
        self._mover = mover

    def compose(self) -> ComposeResult:
        """The list, over what is known of one."""
        yield OneLine(lambda _: [(" Transfers", "title")], id="head")
        yield RowTable(_COLUMNS, id="list", empty_text="nothing was moved yet: u uploads, w downloads")
        yield Lines(id="facts")
        yield KeyLine()

    def on_mount(self) -> None:
        """Looks, and goes on looking."""
        self.query_one(OneLine).look()
        facts = self.query_one("#facts")
        facts.styles.height, facts.styles.min_height = "40%", 8
        self.query_one(RowTable).focus()
        self.set_interval(LOOK, self._look)
        self._look()

    def _look(self) -> None:
        self.query_one(RowTable).set_rows([row_of(one) for one in reversed(self._mover.all())])
        one = self._one
        self.query_one(Lines).set_lines(facts_of(one) if one is not None else [])
        self.refresh_bindings()

    @property
    def _one(self) -> Transfer | None:
        key = self.query_one(RowTable).cursor_key
        return next((one for one in self._mover.all() if str(one.number) == key), None)

    @on(RowTable.Highlighted)
    def _other(self, message: RowTable.Highlighted) -> None:
        message.stop()
        self._look()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What can be done with the one under the cursor."""
        stage = one.stage if (one := self._one) is not None else None
        if action in ("pause", "stop"):
            return stage in (Stage.RUNNING, Stage.PAUSED, Stage.WAITING)
        if action == "retry":
            return stage in (Stage.FAILED, Stage.CANCELLED)
        return True

    def action_pause(self) -> None:
        """Lets it rest, or go on."""
        if (one := self._one) is not None:
            self._mover.pause(one.number)
            self._look()

    def action_stop(self) -> None:
        """Gives it up."""
        if (one := self._one) is not None:
            self._mover.cancel(one.number)
            self._look()

    def action_retry(self) -> None:
        """Begins it again, where it stopped."""
        if (one := self._one) is not None:
            self._mover.retry(one.number)
            self._look()

    def action_forget(self) -> None:
        """Forgets those that are over."""
        self._mover.forget()
        self._look()
