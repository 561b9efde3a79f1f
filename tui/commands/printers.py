"""How `get` writes: tables for people, documents for programs; once, or change by change."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from tui.commands import output, rows
from tui.commands.table import Cell, Paper, Table, paper
from tui.systems.live import Live
from tui.systems.model import Workload


class Printer(ABC):
    """Writes the answer in one form."""

    @abstractmethod
    def first(self, workloads: Sequence[Workload]) -> None:
        """Writes the first answer."""

    @abstractmethod
    def change(self, kind: str, item: Workload) -> None:
        """Writes one change after that: ADDED, MODIFIED or DELETED."""


def printer(form: str, live: Live, *, named: bool, watch: bool) -> Printer:
    """The printer for a form of output: table, wide, json or yaml.

    Args:
        form: as `-o` has it.
        live: where the answer comes from.
        named: whether workloads were asked for by name, and are shown with their members.
        watch: whether changes will follow.
    """
    if form in ("json", "yaml"):
        return _Documents(live, as_json=form == "json", watch=watch)
    return _Tables(paper(), time.time, wide=form == "wide", named=named)


class _Documents(Printer):
    """JSON or YAML: one document, or one for each change."""

    def __init__(self, live: Live, *, as_json: bool, watch: bool) -> None:
        self._live = live
        self._as_json = as_json
        self._watch = watch
        self._last: dict[str, output.Document] = {}

    def first(self, workloads: Sequence[Workload]) -> None:
        if self._watch:
            for item in workloads:
                self.change("ADDED", item)
            return
        whole = output.document(self._live, workloads)
        _write(output.json(whole) + "\n" if self._as_json else output.yaml(whole))

    def change(self, kind: str, item: Workload) -> None:
        news = output.event(kind, item)
        if kind != "DELETED" and self._last.get(item.key) == (essence := output.essence(news["workload"])):
            return
        if kind == "DELETED":
            self._last.pop(item.key, None)
        else:
            self._last[item.key] = essence
        _write(output.json(news, lines=True) + "\n" if self._as_json else "---\n" + output.yaml(news))


class _Tables(Printer):
    """Tables for people: the workloads, and the members of those that were named."""

    def __init__(self, on: Paper, clock: Callable[[], float], *, wide: bool, named: bool) -> None:
        self._on = on
        self._clock = clock
        self._wide = wide
        self._named = named
        self._headings = rows.WORKLOADS_WIDE if self._wide else rows.WORKLOADS
        self._table = Table(self._headings, on, self._line)
        self._members = Table(rows.MEMBERS_WIDE if self._wide else rows.MEMBERS, on, self._line)
        self._lines: list[str] = []
        self._last: dict[str, object] = {}

    def first(self, workloads: Sequence[Workload]) -> None:
        if not workloads:
            return
        now = self._clock()
        self._table.print([self._row(item, now) for item in workloads])
        self._last = {item.key: self._essence(item) for item in workloads}
        if self._named:
            self._line("")
            members = [rows.member_rows(item, self._on, now, wide=self._wide) for item in workloads]
            self._members.print([row for group in members for row in group])
            remarks = [f"{item.name}: {text}" for item in workloads for text in rows.remarks(item)]
            for text in ["", *remarks] if remarks else []:
                self._line(self._on.plain(text))
        self._flush()

    def change(self, kind: str, item: Workload) -> None:
        if kind == "DELETED":
            self._last.pop(item.key, None)
            self._table.print([[*self._row(item, self._clock())[:-1], [("deleted", "failing")]]])
        elif self._last.get(item.key) != (essence := self._essence(item)):
            self._last[item.key] = essence
            self._table.print([self._row(item, self._clock())])
        self._flush()

    def _row(self, item: Workload, now: float) -> list[Cell]:
        return rows.workload_row(item, self._on, now, wide=self._wide)

    def _essence(self, item: Workload) -> object:
        return rows.essence([self._row(item, 0.0)], self._headings)

    def _line(self, text: str) -> None:
        self._lines.append(text)

    def _flush(self) -> None:
        lines, self._lines = self._lines, []
        _write("".join(f"{line}\n" for line in lines))


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
