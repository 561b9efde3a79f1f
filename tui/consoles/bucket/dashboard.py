"""The dashboard: buckets, objects and use, and what can be told of servers and drives. What is not known says why."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.consoles import problems
from tui.consoles.bucket.client import ERRORS, Client, problem_of
from tui.consoles.view import View
from tui.kube.times import clock
from tui.services.bucket.model import Told
from tui.text import safe
from tui.widgets.columns import fit, width_of
from tui.widgets.ink import Piece
from tui.widgets.keyline import KeyLine
from tui.widgets.lines import Line, Lines
from tui.widgets.oneline import OneLine

#: Seconds between two looks: each is several requests.
EVERY = 10.0
#: Cells of what a fact is called, at least and at most.
LEAD, LONGEST = 16, 40
#: What a server's name has beside the pod's: where it can be reached is not what it is called.
_AROUND = re.compile(r"^https?://|(?<=\w)(\.[\w-]+)*\.svc(\.[\w.-]+)?(:\d+)?(?=/|$)")
_SIGNS = {"ready": "● ", "warn": "▲ ", "failing": "✗ "}


def lines_of(told: Sequence[Told]) -> list[Line]:
    """Facts by their groups."""
    lines: list[Line] = []
    group = ""
    names = [_AROUND.sub("", one.name) for one in told]
    lead = max(LEAD, min(LONGEST, max(map(width_of, names), default=0)))
    for one, called in zip(told, names, strict=True):
        if one.group != group:
            lines += [Line() for _ in range(bool(group))]
            group = one.group
            lines.append(Line(((safe(group.upper()), "title"),)))
        name: Piece = ("".join(("  ", *(text for text, _ in fit(called, lead, keep="end")), " ")), "dim")
        if one.value:
            sign: Piece = (_SIGNS.get(one.ink, ""), one.ink)
            lines.append(Line((name, sign, (safe(one.value), one.ink)), hang=lead + 3))
        else:
            lines.append(
                Line((name, ("? ", "unknown"), (f"unknown, because {safe(one.unknown)}", "dim")), hang=lead + 3)
            )
    return lines


class Dashboard(View):
    """What an operator looks at.

    Args:
        client: the store.
        name: the workload's.
    """

    HELP: ClassVar[str] = """Dashboard
Buckets, objects and use, and for MinIO servers, drives, quorum and whether a node may be drained, read from the store
itself every ten seconds while this is open. What the store does not tell is said to be unknown, with the reason."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "again", "Read again", id="view.again"),
    ]

    def __init__(self, client: Client, name: str) -> None:
        super().__init__()
        self._client = client
        self._of = name
        self._at: float | None = None
        self._failed = False

    def compose(self) -> ComposeResult:
        """Facts."""
        yield OneLine(self._head, id="head")
        yield Lines(id="text")
        yield KeyLine()

    def on_mount(self) -> None:
        """Reads, and goes on reading."""
        self.query_one(Lines).focus()
        self.query_one(Lines).set_lines([Line((("◌ reading…", "dim"),))])
        self.query_one(OneLine).look()
        self.set_interval(EVERY, self.action_again)
        self.action_again()

    def _head(self, width: int) -> list[Piece]:
        when = f"   as of {clock(self._at)}" if self._at is not None else ""
        stale: Piece = ("   ▲ stale: it could not be read again", "warn") if self._failed and self._at else ("", "")
        return [(f" Dashboard of {safe(self._of)}", "title"), (when, "dim"), stale]

    def action_again(self) -> None:
        """Reads again."""
        self.run_worker(self._read(), exclusive=True, exit_on_error=False)

    async def _read(self) -> None:
        try:
            told = await self._client.dashboard()
        except ERRORS as error:
            self._failed = True
            if self._at is None:
                self.query_one(Lines).set_lines(problems.lines_of(problem_of(error)))
        else:
            self._at, self._failed = time.time(), False
            self.query_one(Lines).set_lines(lines_of(told))
        self.query_one(OneLine).look()
