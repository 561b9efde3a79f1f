"""A look at messages of a queue: by default one that changes as little as the protocol allows."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from tui.consoles.problems import lines_of
from tui.consoles.queue.client import ERRORS, Held, problem_of
from tui.consoles.queue.message import COLUMNS, WIDE, MessageTable, MessageView, message_lines, message_row, save
from tui.consoles.queue.values import Place
from tui.consoles.queue.words import counted
from tui.consoles.view import View
from tui.problem import Problem
from tui.services.queue.facts import Queue
from tui.services.queue.model import Kind, Message, Settle
from tui.text import one_line, safe
from tui.widgets.ink import Piece
from tui.widgets.keyline import KeyLine
from tui.widgets.lines import Line, Lines, Words
from tui.widgets.oneline import OneLine
from tui.widgets.rows import RowTable

if TYPE_CHECKING:
    from tui.consoles.queue.browsing import BrowsingScreen

#: Messages taken at once.
COUNT = 50


class MessagesView(View):
    """Messages of a queue, unacknowledged while they are looked at, or of a stream."""

    HELP: ClassVar[str] = """A look at messages
They are taken and kept unacknowledged while you look, so that no consumer gets them meanwhile; when you leave they go
back. What that changes: each is marked as redelivered, and messages may change their place in the queue. A quorum
queue counts each return: RabbitMQ 4.0 to 4.2 drops or dead-letters a message after 20 of them unless its limit is
another. a acknowledges (they are gone), R rejects (dead-lettered, or dropped where there is no dead letter exchange),
u puts them back now; each asks first, with the number. space marks some, without marks it is the one under the
cursor. + takes more. A stream is only read: nothing changes there."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Mark", id="queue-messages.mark"),
        Binding("asterisk", "mark_all", "Mark all", show=False, id="queue-messages.mark-all"),
        Binding("a", "settle('acknowledge')", "Acknowledge", id="queue-messages.acknowledge"),
        Binding("R", "settle('reject')", "Reject", id="queue-messages.reject"),
        Binding("u", "settle('requeue')", "Put back", id="queue-messages.requeue"),
        Binding("plus", "more", "Take more", id="queue-messages.more"),
        Binding("s", "save", "Save", id="queue-messages.save", show=False),
        Binding("i", "facts", "Beside", id="queue-messages.facts", show=False),
    ]

    def __init__(self, console: BrowsingScreen, queue: Queue, offset: int | str | dt.datetime | None = None) -> None:
        super().__init__()
        self._of, self._queue, self._offset = console, queue, offset
        self._place = Place(queue.vhost, queue.name)
        self._batches: list[Held] = []
        self._messages: list[Message] = []
        self._states: dict[int, str] = {}
        self._marks: set[int] = set()
        self._problem: Problem | None = None
        self._busy = True

    @property
    def stream(self) -> bool:
        """Whether it is read without being taken."""
        return self._queue.kind == Kind.STREAM

    def compose(self) -> ComposeResult:
        """Head, what a look changes, messages, one of them beside."""
        yield OneLine(self._head, id="head")
        yield Words(id="told")
        with Horizontal(id="desk"):
            yield MessageTable(COLUMNS, empty_text="taking…")
            yield Lines(id="beside")
        yield KeyLine()

    def on_mount(self) -> None:
        """Takes some."""
        self._of.held[self] = lambda: self._open
        self.query_one(RowTable).focus()
        self.set_interval(0.5, self._look)
        self._of.do(self._take())
        self._look()

    def on_resize(self, event: events.Resize) -> None:
        """One stands beside the list where there is room."""
        self.set_class(event.size.width >= WIDE, "-wide")

    @property
    def _open(self) -> int:
        return sum(batch.open for batch in self._batches if batch.lost() is None)

    def _head(self, _: int) -> list[Piece]:
        many = counted(len(self._messages), "message")
        kept = "" if self.stream else f", {self._open:,} unacknowledged with us"
        left: list[Piece] = [(f" {safe(self._queue.name)}", "title"), (f"   {one_line(self._queue.kind)}   ", "dim")]
        return [
            *left,
            (f"{many}{kept}", "strong"),
            (f"   ✓ {len(self._marks)} marked" if self._marks else "", "accent"),
        ]

    def _told(self) -> list[Piece]:
        if self._problem is not None:
            return [(f"✗ {one_line(str(self._problem))}", "failing")]
        lost = next((problem for batch in self._batches if (problem := batch.lost()) is not None), None)
        if lost is not None:
            return [(f"✗ {one_line(lost.what)}: {one_line(lost.evidence)}", "failing")]
        if self.stream:
            return [("a stream is only read: nothing is consumed", "dim")]
        quorum = self._queue.kind == Kind.QUORUM
        more = ", and each look counts towards its delivery limit (? explains)" if quorum else ""
        return [(f"they go back when you leave, marked as redelivered{more}", "warn" if quorum else "dim")]

    async def _take(self) -> None:
        self._busy = True
        try:
            if self.stream:
                after = self._messages[-1].properties.headers.get("x-stream-offset") if self._messages else None
                begin = "first" if self._offset is None else self._offset
                offset = int(str(after)) + 1 if after is not None else begin
                self._messages += await self._of.client.browse(self._place, offset, COUNT)
            else:
                batch = await self._of.client.take(self._place, COUNT)
                if not self.is_mounted:  # it was left meanwhile
                    await batch.close()
                    return
                self._batches.append(batch)
                self._messages += batch.messages
            self._problem = None
        except ERRORS as error:
            self._problem = problem_of(error)
        finally:
            self._busy = False
        self._look()

    def _look(self) -> None:
        if not self.is_mounted:
            return
        table = self.query_one(MessageTable)
        table.set_empty_text("taking…" if self._busy else "no message is ready" if not self.stream else "nothing there")
        rows = []
        for at, message in enumerate(self._messages):
            state = self._states.get(at, "")
            rows.append(message_row(at, message, f"{'✓ ' if at in self._marks else ''}{state}".strip()))
        table.set_rows(rows)
        self.query_one(OneLine).look()
        self.query_one("#told", Words).set_lines([Line(tuple(self._told()), hang=2)])
        self._beside()
        self.refresh_bindings()

    @property
    def _at(self) -> int | None:
        key = self.query_one(MessageTable).cursor_key
        return int(key) if key is not None else None

    def _beside(self) -> None:
        pane, at = self.query_one("#beside", Lines), self._at
        if at is None:
            pane.set_lines(lines_of(self._problem) if self._problem is not None else [])
            return
        other = getattr(pane, "at", None) != at
        if other:
            pane.at = at  # type: ignore[attr-defined]
            pane.set_lines(message_lines(self._messages[at], None)[0], top=True)

    @on(MessageTable.Highlighted)
    def _moved(self, message: MessageTable.Highlighted) -> None:
        message.stop()
        self._beside()
        self.refresh_bindings()

    @on(MessageTable.Selected)
    def _open_one(self, message: MessageTable.Selected) -> None:
        message.stop()
        at = int(message.key)
        self.app.push_screen(MessageView(f"{self._queue.name}, message {at + 1}", self._messages[at]))

    # --- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A stream's messages cannot be settled."""
        if action in ("settle", "mark", "mark_all"):
            return not self.stream and self._open > 0
        if action == "more":
            return not self._busy
        return super().check_action(action, parameters)

    def _chosen(self) -> list[int]:
        at = self._at
        wanted = sorted(self._marks) if self._marks else ([at] if at is not None else [])
        return [one for one in wanted if one not in self._states]

    def action_mark(self) -> None:
        """Marks the message, or takes the mark away, and goes on."""
        at = self._at
        if at is not None and at not in self._states:
            self._marks ^= {at}
            self._look()
            self.query_one(MessageTable).action_move(1)

    def action_mark_all(self) -> None:
        """Marks all, or takes all marks away."""
        every = {at for at in range(len(self._messages)) if at not in self._states}
        self._marks = set() if self._marks else every
        self._look()

    def action_settle(self, how: str) -> None:
        """Acknowledges, rejects or puts back what is chosen."""
        if (chosen := self._chosen()) and (how == "requeue" or self._of.may_change()):
            self._of.do(self._settle(chosen, Settle(how)))

    async def _settle(self, chosen: list[int], how: Settle) -> None:
        many = counted(len(chosen), "message")
        name = safe(self._queue.name)
        dead = self._queue.arguments.get("x-dead-letter-exchange")
        does = {
            Settle.ACKNOWLEDGE: f"acknowledges {many} of {name}: they are gone",
            Settle.REJECT: f"rejects {many} of {name}: " + (
                f"they go to the dead letter exchange {safe(str(dead)) or '(default)'}" if dead is not None
                else "they are gone, unless a policy names a dead letter exchange"),
            Settle.REQUEUE: f"puts {many} back into {name}, marked as redelivered",
        }[how]  # fmt: skip
        if how is not Settle.REQUEUE:
            held = self._of.guard.held(f"{how.title()} {many}?", (does,), how.value, self._queue.name)
            if not await self._of.confirm(held):
                return
        done = 0
        for batch in list(self._batches):
            mine = [at for at in chosen if batch.is_open(self._messages[at])]
            if mine:
                await batch.settle([self._messages[at] for at in mine], how)
                word = {Settle.ACKNOWLEDGE: "gone", Settle.REJECT: "rejected", Settle.REQUEUE: "put back"}[how]
                self._states |= dict.fromkeys(mine, word)
                done += len(mine)
        self._marks -= set(chosen)
        gone = len(chosen) - done
        left = f"; {gone:,} had gone back before" if gone else ""
        past = {Settle.ACKNOWLEDGE: "acknowledged", Settle.REJECT: "rejected", Settle.REQUEUE: "put back"}[how]
        self._of.tell(f"{counted(done, 'message')} {past}{left}", "warn" if gone else "ready")
        self._look()

    def action_more(self) -> None:
        """Takes more."""
        self._of.do(self._take())

    def action_save(self) -> None:
        """Saves the body of the message under the cursor."""
        if (at := self._at) is not None:
            save(self, self._messages[at])

    def action_facts(self) -> None:
        """Shows the one under the cursor beside the list, or not."""
        self.toggle_class("-beside")

    def on_unmount(self) -> None:
        """What is not settled goes back."""
        self._of.held.pop(self, None)
        batches, self._batches = self._batches, []
        give_back(batches, self._of.closing)


def give_back(batches: Sequence[Held], closing: Callable[[Any], None]) -> None:
    """Gives back what is not settled, without anybody waiting for it."""

    async def end() -> None:
        for batch in batches:
            with contextlib.suppress(*ERRORS):
                await batch.close()

    if batches:
        closing(end())
