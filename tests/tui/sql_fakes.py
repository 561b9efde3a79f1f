"""Results without a server: sets of rows that come when a test says so, in a screen of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeAlias

from fakes import FakeLive, app_for
from looking import until
from textual.app import ComposeResult
from textual.pilot import Pilot

from tui.consoles.sql.results import OFTEN, Results
from tui.consoles.sql.resultset import Run, State
from tui.screens.base import BaseScreen
from tui.services.sql.model import Column, Columns, Done, Event, Look, Row, Rows, Wire
from tui.widgets.keyline import KeyLine
from tui.widgets.statusline import StatusLine

COLUMNS = (
    Column("id", "int8", Look.NUMBER),
    Column("customer", "text"),
    Column("total", "numeric", Look.NUMBER),
    Column("placed", "timestamptz", Look.TIME),
    Column("doc", "jsonb", Look.JSON),
    Column("photo", "bytea", Look.BINARY),
    Column("tags", "text[]", Look.ARRAY),
)
NAMES = (
    "Ada Lovelace",
    "Grace Hopper",
    "Edsger Dijkstra",
    "Barbara Liskov",
    "Leslie Lamport",
    "数据 库",
    "O'Brien; --",
)


def order(number: int) -> Row:
    """A row with something of everything."""
    return (
        str(number),
        NAMES[number % len(NAMES)],
        None if number % 5 == 0 else f"{number * 7919 % 1000}.{number % 100:02}",
        f"2026-11-{1 + number % 28:02} 0{number % 10}:15:00+00",
        f'{{"paid": {"true" if number % 2 else "false"}, "items": [{{"sku": "A-{number}", "n": {number % 4}}}]}}',
        bytes(range(number % 40)),
        "line one\nline two\tand a tab" if number % 6 == 3 else '{red,"a,b",NULL}',
    )


async def events_of(
    rows: Sequence[Row] | Callable[[int], Row], count: int = 0, columns: Sequence[Column] = COLUMNS, batch: int = 1000
) -> AsyncIterator[Event]:
    """One result: rows given, or made from their numbers."""
    yield Columns(tuple(columns))
    total = count if callable(rows) else len(rows)
    for start in range(0, total, batch):
        stop = min(total, start + batch)
        yield Rows([rows(at) for at in range(start, stop)] if callable(rows) else rows[start:stop])
    yield Done(f"SELECT {total}", total, 0.012)


async def events(*several: Event | Exception) -> AsyncIterator[Event]:
    """These, one after the other; an exception is raised."""
    for each in several:
        if isinstance(each, Exception):
            raise each
        yield each


class ResultsScreen(BaseScreen):
    """Nothing but results."""

    CSS = "ResultsScreen { layout: vertical; }"

    def __init__(self) -> None:
        super().__init__()
        self.back = 0

    def compose(self) -> ComposeResult:
        yield StatusLine()
        yield Results()
        yield KeyLine()

    @property
    def results(self) -> Results:
        return self.query_one(Results)


Statement: TypeAlias = tuple[str, Callable[[], AsyncIterator[Event]]]


async def show_results(pilot: Pilot[Any], *statements: Statement, first: int | None = 1000) -> Results:
    """Puts a screen with the results of statements in front; each is an SQL text and what makes its events."""
    app: Any = pilot.app
    screen = ResultsScreen()
    await app.push_screen(screen)
    run = Run(first=first)
    screen.results.show(run, wire=Wire.POSTGRES)

    async def take() -> None:
        for statement, make in statements:
            await run.take(statement, make())

    app.taking = asyncio.create_task(take())
    screen.results.main().focus()
    await until(pilot, lambda: app.taking.done() or (run.current is not None and run.current.state is State.PAUSED))
    await pilot.pause(2 * OFTEN)  # it looks at the run as often as that
    return screen.results


def results_app(**more: Any) -> Any:
    """The app, before there are results."""
    return app_for(FakeLive(), **more)
