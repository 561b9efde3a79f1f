"""A link that works without keys: as text, and as a QR code for who reads it from the screen."""

from __future__ import annotations

import re
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.consoles.view import View
from tui.problem import Cause, Problem, ProblemError
from tui.text import safe
from tui.widgets.keyline import KeyLine
from tui.widgets.lines import Line, Lines
from tui.widgets.oneline import OneLine

#: The longest that S3 signs for.
WEEK = 7 * 86400
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds_of(text: str) -> int:
    """`15m`, `1h`, `7d` as seconds.

    Raises:
        ProblemError: it is no such time, or longer than S3 signs for.
    """
    found = re.fullmatch(r"\s*(\d{1,7})\s*([smhd]?)\s*", text)
    seconds = int(found[1]) * _UNITS[found[2] or "s"] if found is not None else 0
    if not 0 < seconds <= WEEK:
        raise ProblemError(Problem(Cause.CONFIG, f"“{text}” is no time for a link", "", "1s to 7d, as in 15m, 1h, 7d."))
    return seconds


def code_lines(text: str) -> list[str]:
    """A QR code in half blocks, light on dark, with the quiet zone that readers need.

    The light modules are drawn, so that it reads on a dark terminal; on a light one most readers take it inverted.
    """
    import segno  # noqa: PLC0415  (not needed to start)

    rows = [list(row) for row in segno.make(text, error="l", micro=False).matrix_iter(border=2)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    drawn = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}
    return [
        "".join(drawn[bool(upper), bool(lower)] for upper, lower in zip(rows[at], rows[at + 1], strict=True))
        for at in range(0, len(rows), 2)
    ]


class LinkView(View):
    """A link to copy or to read from the screen.

    Args:
        link: it.
        method: GET or PUT.
        key: what it is for.
        time: how long it works, as it was asked for.
    """

    HELP: ClassVar[str] = """Link
y copies it by way of the terminal. Whoever has it may do what it is for until its time is over; there is no way to take
it back but to change the keys that it was signed with."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "Copy", id="view.copy"),
    ]

    def __init__(self, link: str, method: str, key: str, time: str) -> None:
        super().__init__()
        self._link = link
        self._what = f"{method} {safe(key)} for {time}"

    def compose(self) -> ComposeResult:
        """The link over its code."""
        yield OneLine(lambda _: [(f" {self._what}", "title")], id="head")
        yield Lines(id="text")
        yield KeyLine()

    def on_mount(self) -> None:
        """Draws it."""
        self.query_one(OneLine).look()
        text = self.query_one(Lines)
        command = "curl -O" if self._what.startswith("GET") else "curl -T FILE"
        lines = [Line(((self._link, "link"),)), Line(), Line(((f"{command} '…'", "dim"),)), Line()]
        code = code_lines(self._link)
        if len(code[0]) <= self.app.size.width - 2:
            lines += [Line(((f" {row}", ""),)) for row in code]
        else:
            lines.append(Line(((f"A QR code of it needs {len(code[0]) + 2} columns.", "dim"),)))
        text.set_lines(lines, top=True)
        text.focus()

    def action_copy(self) -> None:
        """Copies it, by way of the terminal."""
        self.app.copy_to_clipboard(self._link)
