"""The buckets with their filter."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from tui.consoles.bucket.panes import BUCKETS, BucketTable
from tui.text import one_line
from tui.widgets.columns import fit
from tui.widgets.ink import Piece
from tui.widgets.oneline import OneLine
from tui.widgets.row import Row

#: What stands there while there are no buckets.
_EMPTY = "none yet: n makes one"


class BucketPane(Vertical):
    """The buckets of a store, or those whose names hold a text.

    Attributes:
        filter: that text; empty for all.
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.filter = ""
        self._all: Sequence[Row] = ()

    def compose(self) -> ComposeResult:
        """Filter, how many it leaves, buckets."""
        entry = Input(id="bucket-filter", placeholder="part of a bucket's name")
        entry.cursor_blink = False
        yield entry
        yield OneLine(self._count, id="bucket-count")
        yield BucketTable(BUCKETS, id="buckets", empty_text=_EMPTY)

    @property
    def table(self) -> BucketTable:
        """The buckets that are shown."""
        return self.query_one(BucketTable)

    @property
    def entry(self) -> Input:
        """Where the filter is typed."""
        return self.query_one("#bucket-filter", Input)

    @property
    def filtering(self) -> bool:
        """Whether a filter is typed or holds."""
        return self.has_class("-filter")

    def show(self, rows: Sequence[Row]) -> None:
        """Shows buckets.

        Args:
            rows: all of them; their keys are the names.
        """
        self._all = rows
        sought = self.filter.casefold()
        table = self.table
        table.set_empty_text(f"no name holds “{one_line(self.filter)}”" if sought and rows else _EMPTY)
        table.set_rows([row for row in rows if sought in row.key.casefold()])
        self.query_one(OneLine).look()

    def open_filter(self) -> None:
        """Shows the field."""
        self.add_class("-filter")
        self.entry.focus()

    def drop_filter(self) -> None:
        """Empties the field and hides it."""
        self.table.focus()
        self.remove_class("-filter")
        self.entry.value = ""
        self._filter("")

    def _filter(self, text: str) -> None:
        if text != self.filter:
            self.filter = text
            self.show(self._all)

    def _count(self, width: int) -> list[Piece]:
        return fit(((f" {len(self.table.rows):,} of {len(self._all):,}", "accent"),), width)

    @on(Input.Changed)
    def _filtered(self, message: Input.Changed) -> None:
        message.stop()
        if self.filtering:
            self._filter(message.value)

    @on(Input.Submitted)
    def _keep(self, message: Input.Submitted) -> None:
        message.stop()
        self.table.focus()
