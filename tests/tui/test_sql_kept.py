"""A SQL console that was left: it is found again as it was, and what it holds on to is bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from console_fakes import ORDERS, FakeServer, console, selected
from fakes import FakeLive, app_for, sample
from forward_fakes import FakeForwards
from looking import until
from textual.pilot import Pilot

from tui.consoles.sql import kept as kept_consoles
from tui.consoles.sql.access import Way
from tui.consoles.sql.connecting import Phase
from tui.consoles.sql.screen import SqlConsole
from tui.consoles.sql.staying import IDLE
from tui.screens.chooser import Chooser
from tui.screens.forwards.question import Question, QuitQuestion
from tui.services.sql.history import Status
from tui.services.sql.model import Columns, Done, Rows, Transaction, Wire
from tui.widgets.oneline import OneLine

KEY = "stateful/mysql/mysql"


def kept_app() -> Any:
    """The app on the workloads that consoles belong to."""
    live = FakeLive(sample())
    live.forwards = FakeForwards()
    live.catalogue.systems = {"mysql": SimpleNamespace(sql=Wire.MYSQL, ports={})}
    return app_for(live, layout="table")


@asynccontextmanager
async def opened(server: FakeServer, **guard: Any) -> AsyncIterator[tuple[Pilot[None], SqlConsole]]:
    """A console over the overview, kept as those are that the key opens."""
    async with kept_app().run_test(size=(140, 40)) as pilot:
        app: Any = pilot.app
        await until(pilot, lambda: app.live is not None)  # opening a context closes all consoles
        screen = console(server, **guard)
        app.overview._move_to(KEY)
        app.show_console(KEY, screen)
        await until(pilot, lambda: screen.desk.connection.phase is Phase.OPEN)
        await pilot.pause()
        yield pilot, screen


async def run(pilot: Pilot[None], screen: SqlConsole, text: str, key: str = "f5") -> None:
    screen.editor.load_text(text)
    screen.editor.focus()
    await pilot.pause()
    await pilot.press(key)
    await pilot.pause()


async def ended(pilot: Pilot[None], screen: SqlConsole) -> None:
    await until(pilot, lambda: screen.desk.running is None and screen.desk.outcome is not None)
    await pilot.pause()


def line(screen: SqlConsole, name: str) -> str:
    made = screen.query_one(f"#{name}", OneLine)
    made.look()
    return made.text


def shown(pilot: Pilot[None]) -> str:
    return "\n".join(strip.text for strip in pilot.app.screen._compositor.render_strips())


async def left(pilot: Pilot[None], screen: SqlConsole) -> None:
    await until(pilot, lambda: pilot.app.screen is pilot.app.screen_stack[0])
    await pilot.pause()
    assert screen.left is not None and screen.is_running


async def later(screen: SqlConsole, seconds: float) -> None:
    """As if that time had gone by without anybody in it."""
    now = screen._clock()
    screen._clock = lambda: now + seconds  # type: ignore[method-assign]
    await screen.watch_over()


async def test_escape_and_back_finds_editor_results_and_session() -> None:
    server = FakeServer()
    server.answers["select"] = selected(3)
    async with opened(server) as (pilot, screen):
        await run(pilot, screen, "select * from orders")
        await ended(pilot, screen)
        await pilot.press("end", *" -- ever", "escape")
        await left(pilot, screen)
        assert "The console of mysql stays as it is: 1 result" in shown(pilot) and "s goes back" in shown(pilot)
        await pilot.press("s")
        await until(pilot, lambda: pilot.app.screen is screen)
        await pilot.pause()
        assert screen.left is None
        assert screen.editor.text == "select * from orders -- ever"
        assert "customer 2" in shown(pilot)
        await run(pilot, screen, "select 2")
        await ended(pilot, screen)
        assert len(server.sessions) == 1 and server.sent == ["select * from orders", "select 2"]


async def test_a_member_that_is_meant_is_gone_to() -> None:
    server = FakeServer()
    async with opened(server) as (pilot, screen):
        await pilot.press("escape")
        await left(pilot, screen)
        app: Any = pilot.app
        app.show_again(screen, Way(member="mysql-1"))
        await until(pilot, lambda: len(server.sessions) == 2 and screen.desk.connection.phase is Phase.OPEN)
        assert server.sessions[1].way == Way(member="mysql-1")
        await pilot.press("escape")
        await left(pilot, screen)
        app.show_again(screen, None)
        await pilot.pause()
        assert len(server.sessions) == 2, "whom one was with is whom one comes back to"


async def test_a_statement_runs_on_and_its_end_is_told() -> None:
    server, gate = FakeServer(), asyncio.Event()
    server.answers["select"] = [gate, Columns(ORDERS), Rows([("1", "x")]), Done("SELECT 1", 1, 61.0)]
    async with opened(server) as (pilot, screen):
        await run(pilot, screen, "select sleep(60)")
        await until(pilot, lambda: screen.desk.busy)
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, Chooser) and "Let it run on" in shown(pilot)
        await pilot.press("escape")
        assert pilot.app.screen is screen
        await pilot.press("escape", "enter")
        await left(pilot, screen)
        assert "a statement runs" in shown(pilot)
        await later(screen, 2 * IDLE)
        assert screen.desk.busy and server.sessions[0].is_open, "what runs keeps its session"
        await pilot.press("q")
        assert isinstance(pilot.app.screen, QuitQuestion) and "the running statement is cancelled" in shown(pilot)
        await pilot.press("escape")
        gate.set()
        await until(pilot, lambda: not screen.desk.busy)
        await until(pilot, lambda: "SQL console of mysql: ✓ SELECT 1" in shown(pilot))


async def test_a_statement_is_cancelled_on_the_way_out_when_that_is_chosen() -> None:
    server = FakeServer()
    server.answers["select"] = [asyncio.Event()]
    async with opened(server) as (pilot, screen):
        await run(pilot, screen, "select sleep(60)")
        await until(pilot, lambda: screen.desk.busy)
        await pilot.press("escape", "down", "enter")
        await left(pilot, screen)
        entries = [(entry.statement, entry.status) for entry in screen.desk.history.entries()]
        assert entries == [("select sleep(60)", Status.CANCELLED)]
        assert server.sessions[0].is_open


@pytest.mark.parametrize(
    ("keys", "sent", "open_after"),
    [(["enter"], [], True), (["down", "enter"], ["COMMIT"], False), (["down", "down", "enter"], ["ROLLBACK"], False)],
    ids=["open", "commit", "roll back"],
)
async def test_what_becomes_of_an_open_transaction_is_asked(keys: list[str], sent: list[str], open_after: bool) -> None:
    server = FakeServer()
    async with opened(server) as (pilot, screen):
        await pilot.press("f9", "enter")
        await until(pilot, lambda: screen.desk.connection.transaction is Transaction.OPEN)
        await pilot.press("escape")
        assert "rolled back after 10 min" in shown(pilot)
        await pilot.press(*keys)
        await left(pilot, screen)
        assert server.sent == ["START TRANSACTION", *sent]
        assert (screen.desk.connection.transaction is Transaction.OPEN) is open_after


async def test_a_session_that_nobody_uses_ends_and_what_was_meant_for_its_transaction_is_not_sent() -> None:
    server = FakeServer()
    async with opened(server) as (pilot, screen):
        await pilot.press("f9", "enter")
        await until(pilot, lambda: screen.desk.connection.transaction is Transaction.OPEN)
        await pilot.press("escape", "enter")
        await left(pilot, screen)
        await later(screen, IDLE - 60)
        assert server.sessions[0].is_open
        await later(screen, IDLE)
        assert not server.sessions[0].is_open and screen.desk.connection.phase is Phase.RESTING
        await pilot.press("s")
        await until(pilot, lambda: pilot.app.screen is screen)
        await pilot.pause()
        assert "nobody was in the console for 10 min; its open transaction was rolled back" in line(screen, "activity")
        assert "✗ transaction lost" in line(screen, "head")
        await run(pilot, screen, "insert into a values (1)")
        await ended(pilot, screen)
        assert server.sent == ["START TRANSACTION"], "it was meant for the transaction"
        await run(pilot, screen, "insert into a values (1)")
        await ended(pilot, screen)
        assert server.sent[1:] == ["insert into a values (1)"] and screen.desk.connection.phase is Phase.OPEN


async def test_a_result_that_waits_is_given_up_with_its_session() -> None:
    server = FakeServer()
    rows = Rows([(str(number), "x") for number in range(1000)])
    server.answers["select"] = [Columns(ORDERS), rows, rows, Done("SELECT 2000", 2000, 0.1)]
    async with opened(server) as (pilot, screen):
        await run(pilot, screen, "select * from orders")
        await until(pilot, lambda: screen.desk.paused)
        await pilot.press("escape")
        await left(pilot, screen)
        assert screen.desk.paused, "for a while it may be read on"
        await later(screen, IDLE)
        (result,) = screen.desk.results.sets
        assert not server.sessions[0].is_open and result.state.value == "stopped" and len(result.store) == 1000


async def test_a_question_waits_for_whoever_comes_back() -> None:
    server, gate = FakeServer(), asyncio.Event()
    server.answers["select"] = [gate, Done("SELECT 1", 1, 0.1)]
    async with opened(server) as (pilot, screen):
        await run(pilot, screen, "select 1;\ndrop table orders;", "f6")
        await until(pilot, lambda: screen.desk.busy)
        await pilot.press("escape", "enter")
        await left(pilot, screen)
        gate.set()
        await until(pilot, lambda: "SQL console of mysql: waits for an answer" in shown(pilot))
        assert pilot.app.screen is pilot.app.screen_stack[0], "nobody is asked in front of something else"
        await pilot.press("s")
        await until(pilot, lambda: "Is this meant?" in shown(pilot))
        await pilot.press("escape")
        await ended(pilot, screen)
        assert server.sent == ["select 1"]


async def test_rows_of_consoles_that_were_left_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_consoles, "ROWS", 1000)
    server = FakeServer()
    rows = Rows([(str(number), "x" * 50) for number in range(600)])
    server.answers["select"] = [Columns(ORDERS), rows, Done("SELECT 600", 600, 0.1)]
    async with opened(server) as (pilot, first):
        await run(pilot, first, "select * from orders")
        await ended(pilot, first)
        await pilot.press("escape")
        await left(pilot, first)
        assert first.rows_held > 1000, "the one that was left last may be come back to at once"
        app: Any = pilot.app
        second = console(server)
        app.show_console("stateful/mysql/orders", second)
        await until(pilot, lambda: second.desk.connection.phase is Phase.OPEN)
        await run(pilot, second, "select * from orders")
        await ended(pilot, second)
        assert first.rows_held == 0 and second.rows_held > 1000
        await pilot.press("escape")
        await left(pilot, second)
        await pilot.press("s")
        await until(pilot, lambda: pilot.app.screen is first)
        await until(pilot, lambda: "600 rows were let go while the console was left" in shown(pilot))


async def test_more_consoles_than_that_are_closed_the_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_consoles, "MOST", 1)
    server = FakeServer()
    async with opened(server) as (pilot, first):
        app: Any = pilot.app
        await pilot.press("escape")
        await left(pilot, first)
        second = console(FakeServer())
        app.show_console("stateful/mysql/orders", second)
        await until(pilot, lambda: second.desk.connection.phase is Phase.OPEN)
        assert list(app.sql_consoles) == [first, second]
        await pilot.press("escape")
        await left(pilot, second)
        assert list(app.sql_consoles) == [second]
        await until(pilot, lambda: not first.is_running and not server.sessions[0].is_open)


async def test_another_context_closes_them_and_asks_where_something_is_open() -> None:
    server = FakeServer()
    async with opened(server) as (pilot, screen):
        app: Any = pilot.app
        await pilot.press("f9", "enter")
        await until(pilot, lambda: screen.desk.connection.transaction is Transaction.OPEN)
        await pilot.press("escape", "enter")
        await left(pilot, screen)
        app.leave_for(app.options)
        await pilot.pause()
        assert isinstance(app.screen, Question) and "the open transaction is rolled back" in shown(pilot)
        await pilot.press("escape")
        assert server.sessions[0].is_open
        app.leave_for(app.options)
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: not server.sessions[0].is_open and not list(app.sql_consoles))


async def test_disconnecting_closes_it_for_good() -> None:
    server = FakeServer()
    async with opened(server) as (pilot, screen):
        app: Any = pilot.app
        await pilot.press("f2", *"disc", "enter")
        await until(pilot, lambda: not server.sessions[0].is_open and not screen.is_running)
        assert not list(app.sql_consoles) and app.screen is app.screen_stack[0]


async def test_one_that_takes_changes_in_a_protected_context_does_not_stay() -> None:
    server = FakeServer()
    async with opened(server, protected=True) as (pilot, screen):
        screen.desk.connection.asked_read_only = False
        await pilot.press("escape")
        await until(pilot, lambda: not screen.is_running)
        app: Any = pilot.app
        assert not list(app.sql_consoles)


async def test_that_nothing_is_held_back_holds_for_one_visit() -> None:
    async with opened(FakeServer()) as (pilot, screen):
        await pilot.press("f2", *"hold nothing", "enter")
        assert screen.desk.guard.level.value == "off"
        await pilot.press("escape")
        await left(pilot, screen)
        assert screen.desk.guard.level.value == "all"
