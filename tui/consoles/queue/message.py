"""One message: as a row of a list, as lines to read, and whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.consoles.prompts import Prompt, files
from tui.consoles.queue.details import fact, heading
from tui.consoles.queue.payload import BOUND, Look, beginning, looks, shown, unpacked
from tui.consoles.queue.words import size
from tui.consoles.view import View
from tui.problem import Cause, Problem, ProblemError
from tui.services.queue.model import Message
from tui.text import one_line, safe
from tui.widgets.columns import Column
from tui.widgets.ink import Cell
from tui.widgets.keyline import KeyLine
from tui.widgets.lines import Line, Lines
from tui.widgets.oneline import OneLine
from tui.widgets.row import Row
from tui.widgets.rows import RowTable

WIDE = 110
#: Lines of a body that are laid out, characters of a line, headers that are listed.
LINES, LONG, HEADERS = 20_000, 20_000, 500
COLUMNS = (
    Column("at", "#", min_width=3, align="right"),
    Column("flags", "FLAGS", min_width=7, optional=True),
    Column("key", "KEY", min_width=8, max_width=30, cut=True),
    Column("size", "SIZE", min_width=5, align="right"),
    Column("type", "TYPE", min_width=6, priority=3, optional=True, cut=True, max_width=24),
    Column("body", "BODY", min_width=16, grow=1),
    Column("state", "", min_width=6, optional=True),
)


class MessageTable(RowTable):
    """Messages."""

    HELP: ClassVar[str] = """Messages
R was delivered before, P is persistent, H has headers; a number after D is how often a quorum queue delivered it. They
stand in the order in which they came. enter shows one whole. Nothing is acknowledged because it was looked at."""


def message_row(at: int, message: Message, state: str = "") -> Row:
    """A message as a row."""
    told = message.properties
    flags = (
        ("R" if message.redelivered else "") + ("P" if told.delivery_mode == 2 else "") + ("H" if told.headers else "")
    )
    if (count := told.headers.get("x-delivery-count")) is not None:
        flags += f" D{count!s}"
    body: Cell = safe(beginning(message.body, 120)) or (("empty", "dim"),)
    ink = "dim" if state else ""
    kind = one_line(told.content_type)
    return Row(
        str(at), (str(at + 1), flags, safe(message.routing_key), size(len(message.body)), kind, body, state), ink
    )


def message_lines(message: Message, look: Look | None) -> tuple[list[Line], Look, list[Look], bool]:
    """A message to read, how its body is shown, how it could be, and whether lines wrap."""
    told = message.properties
    lines = [fact("exchange", safe(message.exchange) or "(default)"), fact("routing key", safe(message.routing_key)),
             fact("redelivered", "yes" if message.redelivered else "no")]  # fmt: skip
    mode = {1: "transient", 2: "persistent"}.get(told.delivery_mode or 0, "not said: transient")
    lines.append(fact("delivery mode", mode))
    for name, given in (
        ("content type", told.content_type), ("encoding", told.content_encoding), ("priority", told.priority),
        ("correlation", told.correlation_id), ("reply to", told.reply_to), ("expires after", told.expiration),
        ("message id", told.message_id), ("type", told.type), ("user", told.user_id), ("app", told.app_id),
    ):  # fmt: skip
        if given not in ("", None):
            lines.append(fact(name, f"{safe(str(given))}{' ms' if name == 'expires after' else ''}"))
    if told.timestamp is not None:
        lines.append(fact("timestamp", f"{told.timestamp:%Y-%m-%d %H:%M:%S} UTC"))
    if told.headers:
        lines.append(heading("Headers"))
        for number, (name, value) in enumerate(told.headers.items()):
            if number == HEADERS:
                lines.append(Line(((f"… {len(told.headers) - HEADERS:,} more", "dim"),)))
                break
            lines.append(Line(((f"  {safe(name)} ", "dim"), (safe(str(value)[:LONG]), "")), hang=4))
    body, packed = unpacked(message)
    ways = looks(body, told.content_type)
    chosen = look if look in ways else ways[0]
    told_size = f"{size(len(message.body))}{f', {packed}: {size(len(body))}' if packed else ''}"
    lines += [Line(), Line((("Body ", "strong"), (f"{told_size}, as {chosen}", "dim")))]
    if not body:
        return [*lines, Line((("it is empty", "dim"),))], chosen, ways, True
    texts = shown(body, chosen).split("\n")
    lines += [Line(((text.rstrip("\r").expandtabs(4)[:LONG], ""),)) for text in texts[:LINES]]
    if len(texts) > LINES or len(body) > BOUND:
        lines.append(Line((("… there is more: s saves all of it", "warn"),)))
    return lines, chosen, ways, chosen is not Look.HEX


class MessageView(View):
    """One message, whole."""

    HELP: ClassVar[str] = """Message
m shows the body in another way: text, JSON, MessagePack, hex; gzip is unpacked first. s saves the body to a file, as it
came; y copies the text; / searches, n and N go to matches. What it holds is shown, never interpreted."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "mode", "Another way", id="queue-message.mode"),
        Binding("s", "save", "Save", id="queue-message.save"),
        Binding("y", "copy", "Copy", id="queue-message.copy"),
        Binding("slash", "search", "Search", id="queue-message.search"),
        Binding("n", "match(1)", "Next match", show=False, id="queue-message.next-match"),
        Binding("N", "match(-1)", "Match before", show=False, id="queue-message.previous-match"),
    ]

    def __init__(self, title: str, message: Message) -> None:
        super().__init__()
        self._title, self._message = title, message
        self._look: Look | None = None
        self._ways: list[Look] = []

    def compose(self) -> ComposeResult:
        """Head, text, keys."""
        yield OneLine(lambda _: [(f" {safe(self._title)}", "title")], id="head")
        yield Lines(id="text")
        yield KeyLine()

    def on_mount(self) -> None:
        """Shows it."""
        self.query_one(OneLine).look()
        self.query_one(Lines).focus()
        self._show(top=True)

    def _show(self, *, top: bool = False) -> None:
        lines, self._look, self._ways, wrap = message_lines(self._message, self._look)
        text = self.query_one(Lines)
        if text.wrap is not wrap:
            text.set_wrap(wrap)
        text.set_lines(lines, top=top)

    def action_mode(self) -> None:
        """Shows it in the next way."""
        at = self._ways.index(self._look) if self._look in self._ways else -1
        self._look = self._ways[(at + 1) % len(self._ways)]
        self._show()

    def action_save(self) -> None:
        """Saves the body."""
        save(self, self._message)

    def action_copy(self) -> None:
        """Copies the body's text."""
        self.app.copy_to_clipboard(shown(unpacked(self._message)[0], self._look or Look.TEXT))

    def action_search(self) -> None:
        """Asks for a text."""
        text = self.query_one(Lines)

        def found(typed: str) -> None:
            text.find(typed)

        self.app.push_screen(Prompt("Search in the message", "", found, word="search"))

    def action_match(self, step: int) -> None:
        """Goes to another match."""
        self.query_one(Lines).find_next(step)


def save(screen: Any, message: Message) -> None:  # noqa: ANN401  (any screen)
    """Asks for a file and writes the body into it, as it came; nothing that is there is replaced."""

    def done(typed: str) -> None:
        path = Path(typed).expanduser()
        try:
            with path.open("xb") as file:
                file.write(message.body)
        except OSError as error:
            raise ProblemError(
                Problem(Cause.CONFIG, "It was not saved", str(error), "Another name would do.")
            ) from error
        screen.app.tell(((f"{size(len(message.body))} saved to {path}", "ready"),))

    def offers(typed: str) -> Sequence[Any]:
        return files(typed, "")

    screen.app.push_screen(Prompt("Save the body to", "", done, word="save it", offer=offers))
