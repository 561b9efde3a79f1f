"""What comes, as it comes: a copy of what goes through an exchange or into a queue, or a stream's end."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from tui.consoles.queue.client import ERRORS, problem_of
from tui.consoles.queue.message import COLUMNS, WIDE, MessageTable, MessageView, message_lines, message_row, save
from tui.consoles.queue.words import counted
from tui.consoles.view import View
from tui.problem import Problem
from tui.services.queue.model import Message
from tui.text import one_line, safe
from tui.widgets.ink import Piece
from tui.widgets.keyline import KeyLine
from tui.widgets.lines import Line, Lines, Words
from tui.widgets.oneline import OneLine

if TYPE_CHECKING:
    from tui.consoles.queue.browsing import BrowsingScreen

#: Messages that are kept, and the bytes of their bodies.
KEPT, BYTES = 1000, 32 << 20
#: Seconds between two looks.
LOOK = 0.25


class TailView(View):
    """Follows a queue or an exchange.

    Args:
        console: whose broker.
        vhost: the virtual host.
        exchange: what is listened to; empty for a queue.
        key: of the binding.
        queue: what is followed; empty for an exchange.
    """

    HELP: ClassVar[str] = """Tail
A queue of our own, which ends with us, gets a copy of what comes: no consumer gets less. For a queue, the exchanges are
listened to that lead to it, with the keys of its bindings; what is published to it through the default exchange cannot
be overheard. A stream is read from its end. space holds the list still while messages go on coming; the last 1,000 are
kept. enter shows one whole, s saves its body."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "hold", "Hold", id="queue-tail.hold"),
        Binding("s", "save", "Save", id="queue-tail.save"),
        Binding("c", "clear", "Clear", id="queue-tail.clear"),
    ]

    def __init__(
        self, console: BrowsingScreen, vhost: str, *, exchange: str = "", key: str = "#", queue: str = ""
    ) -> None:
        super().__init__()
        self._of, self._vhost = console, vhost
        self._exchange, self._key, self._queue = exchange, key, queue
        self._kept: deque[tuple[int, Message]] = deque()
        self._bytes = self._count = 0
        self._held: tuple[tuple[int, Message], ...] | None = None
        self._problem: Problem | None = None
        self._over = False
        self._dirty = True

    def compose(self) -> ComposeResult:
        """Head, messages, one of them beside."""
        yield OneLine(self._head, id="head")
        yield Words(id="told")
        with Horizontal(id="desk"):
            yield MessageTable(COLUMNS, empty_text="nothing has come yet")
            yield Lines(id="beside")
        yield KeyLine()

    def on_mount(self) -> None:
        """Begins to listen."""
        self.query_one(MessageTable).focus()
        self.set_interval(LOOK, self._look)
        self.run_worker(self._follow(), name="tail", exit_on_error=False)

    def on_resize(self, event: events.Resize) -> None:
        """One stands beside the list where there is room."""
        self.set_class(event.size.width >= WIDE, "-wide")

    def _head(self, _: int) -> list[Piece]:
        what = (
            f"queue {safe(self._queue)}" if self._queue else f"exchange {safe(self._exchange)}, key {safe(self._key)}"
        )
        held: list[Piece] = [("   ■ held", "warn")] if self._held is not None else []
        return [(f" tail of {what}", "title"), (f"   {counted(self._count, 'message')} came", "strong"), *held]

    def _told(self) -> list[Piece]:
        if self._problem is not None:
            return [(f"✗ {one_line(str(self._problem))}", "failing")]
        if self._over:
            return [("it has ended: what was listened to is gone", "warn")]
        return [("copies: what is consumed elsewhere is not touched", "dim")]

    async def _follow(self) -> None:
        try:
            async for batch in self._of.client.tail(self._vhost, self._exchange, self._key, self._queue):
                for message in batch:
                    self._count += 1
                    self._kept.append((self._count, message))
                    self._bytes += len(message.body)
                while len(self._kept) > 1 and (len(self._kept) > KEPT or self._bytes > BYTES):
                    self._bytes -= len(self._kept.popleft()[1].body)
                self._dirty = True
            self._over = True
        except ERRORS as error:
            self._problem = problem_of(error)
        self._dirty = True

    def _look(self) -> None:
        if not self._dirty:
            return
        self._dirty = False
        table = self.query_one(MessageTable)
        shown = self._held if self._held is not None else tuple(self._kept)
        last = table.cursor_key is None or table.cursor_key == (table.rows[-1].key if table.rows else None)
        table.set_rows([message_row(at - 1, message) for at, message in shown])
        if last and table.rows:
            table.action_last()
        self.query_one(OneLine).look()
        self.query_one("#told", Words).set_lines([Line(tuple(self._told()), hang=2)])
        self._beside()

    def _chosen(self) -> Message | None:
        key = self.query_one(MessageTable).cursor_key
        return next((message for at, message in self._kept if str(at - 1) == key), None)

    def _beside(self) -> None:
        message = self._chosen()
        self.query_one("#beside", Lines).set_lines(message_lines(message, None)[0] if message is not None else [])

    @on(MessageTable.Highlighted)
    def _moved(self, message: MessageTable.Highlighted) -> None:
        message.stop()
        self._beside()

    @on(MessageTable.Selected)
    def _open_one(self, message: MessageTable.Selected) -> None:
        message.stop()
        if (chosen := self._chosen()) is not None:
            self.app.push_screen(MessageView(f"message {int(message.key) + 1}", chosen))

    def action_hold(self) -> None:
        """Holds the list still, or lets it go on."""
        self._held = tuple(self._kept) if self._held is None else None
        self._dirty = True
        self._look()

    def action_save(self) -> None:
        """Saves the body of the message under the cursor."""
        if (chosen := self._chosen()) is not None:
            save(self, chosen)

    def action_clear(self) -> None:
        """Forgets what has come."""
        self._kept.clear()
        self._bytes, self._held, self._dirty = 0, None, True
        self._look()
