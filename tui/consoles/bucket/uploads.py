"""Incomplete multipart uploads: they hold room, no listing shows them, and only aborting frees it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.consoles.bucket.client import ERRORS, problem_of
from tui.consoles.bucket.progress import show_progress
from tui.consoles.bucket.words import moment, size
from tui.consoles.view import View
from tui.services.bucket.model import Progress, Upload
from tui.text import counted, safe
from tui.widgets.columns import Column
from tui.widgets.ink import Piece
from tui.widgets.keyline import KeyLine
from tui.widgets.oneline import OneLine
from tui.widgets.row import Row
from tui.widgets.rows import RowTable

if TYPE_CHECKING:
    from tui.consoles.bucket.browsing import BrowsingScreen

_COLUMNS = (
    Column("key", "KEY", min_width=16, grow=1, keep="end"),
    Column("size", "SIZE", min_width=6, align="right"),
    Column("age", "AGE", min_width=5, align="right"),
    Column("begun", "BEGUN UTC", min_width=19, priority=1),
    Column("id", "UPLOAD", min_width=8, max_width=20, priority=2, cut=True),
)


def age(begun: dt.datetime | None, now: dt.datetime) -> str:
    """`3d`, `2h`, `5m`; a question mark where it is not known."""
    if begun is None:
        return "?"
    seconds = max(0, int((now - begun).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


class Uploads(View):
    """The uploads of one bucket.

    Args:
        console: whose store it is.
        bucket: the bucket.
    """

    HELP: ClassVar[str] = """Incomplete uploads
Uploads in parts that were begun and neither completed nor given up: they hold room that no listing shows. d gives the
one under the cursor up, D all of them; one that is still going on fails by that."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "abort(False)", "Abort", id="bucket-uploads.abort"),
        Binding("D", "abort(True)", "Abort all", id="bucket-uploads.abort-all"),
        Binding("r", "again", "Read again", id="view.again"),
    ]

    def __init__(self, console: BrowsingScreen, bucket: str) -> None:
        super().__init__()
        self._owner = console
        self._bucket = bucket
        self._found: Sequence[tuple[Upload, int | None]] | None = None

    def compose(self) -> ComposeResult:
        """The list."""
        yield OneLine(self._head, id="head")
        yield RowTable(_COLUMNS, id="list", empty_text="reading…")
        yield KeyLine()

    def on_mount(self) -> None:
        """Reads them."""
        self.query_one(RowTable).focus()
        self.query_one(OneLine).look()
        self.action_again()

    def _head(self, width: int) -> list[Piece]:
        told: list[Piece] = [(f" Incomplete uploads of {safe(self._bucket)}", "title")]
        if self._found is not None:
            known = sum(held for _, held in self._found if held is not None)
            told.append((f"   {counted(len(self._found), 'upload')}, {size(known)}", ""))
        return told

    def action_again(self) -> None:
        """Reads them again."""
        self.run_worker(self._read(), exclusive=True, exit_on_error=False)

    async def _read(self) -> None:
        table = self.query_one(RowTable)
        try:
            self._found = await self._owner.client.uploads(self._bucket, "")
        except ERRORS as error:
            problem = problem_of(error)
            table.set_empty_text(((f"✗ {problem.what}  ", "failing"), (problem.evidence, "dim")))
            return
        now = self._owner.client.facts.now()
        table.set_rows([
            Row(one.upload, (safe(one.key), "?" if held is None else size(held), age(one.begun, now),
                             moment(one.begun), safe(one.upload)))
            for one, held in self._found
        ])  # fmt: skip
        table.set_empty_text("there are none")
        self.query_one(OneLine).look()

    def action_abort(self, every: bool) -> None:
        """Gives one or all of them up."""
        self.run_worker(self._abort(every=every), exit_on_error=False)

    async def _abort(self, *, every: bool) -> None:
        console, at = self._owner, self.query_one(RowTable).cursor_key
        chosen = [one for one, _ in self._found or () if every or one.upload == at]
        if not chosen or not console.may_change():
            return
        what = counted(len(chosen), "incomplete upload") if every else f"the upload of {safe(chosen[0].key)}"
        does = (f"aborts {what} to {self._bucket}; what was sent of it is gone",)
        if not await console.confirm(console.guard.held("Abort?", does, "abort", self._bucket)):
            return

        async def work(told: Progress) -> int:
            for number, one in enumerate(chosen, 1):
                await console.client.abort(self._bucket, one)
                told(number, len(chosen))
            return len(chosen)

        try:
            await show_progress(console, "Aborting", "uploads", work, total=len(chosen))
        except ERRORS as error:
            console.fail(error)
        await self._read()
