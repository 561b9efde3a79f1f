"""What `statetui queue` prints: tables for people, JSON for programs, and what became of each thing."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from tui.commands import exits
from tui.commands.table import Cell, Table, paper
from tui.problem import Problem
from tui.text import one_line, safe


class Output:
    """Where everything goes that is an answer."""

    def __init__(self, form: str = "") -> None:
        """For `table`, `json` (one list) or `jsonl`; empty for a table on a terminal and lines elsewhere."""
        self.form = form or ("table" if sys.stdout.isatty() else "jsonl")
        self._done = self._failed = 0

    def table(self, head: Sequence[str], rows: Sequence[Sequence[Cell]], things: Sequence[Any] | None = None) -> None:
        """A whole answer.

        Args:
            head: of the table.
            rows: of the table.
            things: what JSON shows in place of rows; None for the rows under their headings.
        """
        if self.form == "table":
            Table(head, paper(), print).print(rows)
            return
        if things is None:
            names = [one.lower() for one in head]
            things = [dict(zip(names, row, strict=True)) for row in rows]
        if self.form == "json":
            print(json.dumps([plain(one) for one in things], ensure_ascii=True, indent=2))
        else:
            for one in things:
                self.line(one)

    def facts(self, rows: Sequence[tuple[str, str]], thing: Any) -> None:  # noqa: ANN401  (a struct, or a mapping)
        """All that is known of one thing."""
        if self.form != "table":
            print(json.dumps(plain(thing), ensure_ascii=True, indent=2 if self.form == "json" else None))
            return
        for name, text in rows:
            if text:
                print(f"{name + ':':22} {one_line(text)}")

    def line(self, thing: Any) -> None:  # noqa: ANN401  (a struct, or a mapping)
        """A line of JSON."""
        print(json.dumps(plain(thing), ensure_ascii=True), flush=True)

    def done(self, status: str, what: str, more: str = "") -> None:
        """Something was done, or would be."""
        self._done += 1
        if self.form == "table":
            print(f"{status} {one_line(what)}{f', {one_line(more)}' if more else ''}", flush=True)
        else:
            self.line({"status": status, "name": what} | ({"note": more} if more else {}))

    def failed(self, what: str, problem: Problem) -> None:
        """Something was not done."""
        self._failed += 1
        if self.form != "table":
            self.line({"status": "failed", "name": what, "error": problem.evidence or problem.what})
        print(f"statetui: {one_line(what)}: {one_line(problem.evidence or problem.what)}", file=sys.stderr)
        if problem.remedy:
            print(safe(problem.remedy), file=sys.stderr)

    @property
    def code(self) -> int:
        """The exit code that tells whether all, a part, or nothing was done."""
        if not self._failed:
            return exits.OK
        return exits.PARTIAL if self._done else exits.FAILED


def plain(thing: Any) -> Any:  # noqa: ANN401  (JSON)
    """As JSON has it."""
    return msgspec.to_builtins(thing)
