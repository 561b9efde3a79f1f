"""The SQL console by its keys: every state that it can be in, in front of a server that answers as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from console_fakes import (
    DELETED,
    FACTS,
    FORBIDDEN,
    ORDERS,
    REFUSED,
    SIZES,
    FakeServer,
    app,
    console,
    selected,
)
from fakes import HOSTILE, FakeLive, app_for, sample
from forward_fakes import FakeForwards
from looking import until
from textual import events
from textual.pilot import Pilot

from tui.consoles.dialogs import TextDialog
from tui.consoles.sql import resultset
from tui.consoles.sql.access import Way, offers
from tui.consoles.sql.asking import HeldQuestion, LoginDialog
from tui.consoles.sql.connecting import Phase
from tui.consoles.sql.screen import SqlConsole
from tui.problem import Cause, Problem
from tui.screens.chooser import Chooser
from tui.screens.forwards.question import QuitQuestion
from tui.services.sql.history import Status
from tui.services.sql.language.facts import Hold
from tui.services.sql.model import Columns, Done, Lost, Notice, Rows, ServerError, Transaction, Wire
from tui.widgets.ink import plain
from tui.widgets.notice import Notice as Words
from tui.widgets.oneline import OneLine

SYNTAX = ServerError("You have an error in your SQL syntax near 'selec'", "42000/1064", position=0)


@asynccontextmanager
async def opened(
    server: FakeServer, size: tuple[int, int] = (140, 40), *, wait: bool = True, found: Any = None, **guard: Any
) -> AsyncIterator[tuple[Pilot[None], SqlConsole]]:
    """A console on screen; connected, unless told not to wait for it."""
    async with app().run_test(size=size) as pilot:
        screen = console(server, found, **guard)
        await pilot.app.push_screen(screen)
        if wait:
            await until(pilot, lambda: screen.desk.connection.phase is Phase.OPEN)
            await pilot.pause()
        yield pilot, screen


async def run(pilot: Pilot[None], screen: SqlConsole, text: str, key: str = "f5") -> None:
    """Writes a text in the place of what stood there, and runs it."""
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


def kept(screen: SqlConsole) -> list[tuple[str, Status]]:
    return [(entry.statement, entry.status) for entry in screen.desk.history.entries()]


# --- getting there


async def test_what_is_waited_for_is_said_and_can_be_given_up() -> None:
    server = FakeServer()
    server.gate = asyncio.Event()
    async with opened(server, wait=False) as (pilot, screen):
        await until(pilot, lambda: screen.desk.connection.phase is Phase.CONNECTING)
        await pilot.pause()
        words = screen.query_one("#words", Words)
        assert words.display and "Connecting to the primary" in words.text.title
        assert "connecting since" in line(screen, "head")
        await pilot.press("escape")
        await until(pilot, lambda: screen.desk.connection.phase is Phase.FAILED)
        assert pilot.app.screen is screen, "giving up connecting does not leave the console"
        server.gate.set()
        await pilot.press("f2")
        await pilot.press(*"anew", "enter")
        await until(pilot, lambda: screen.desk.connection.phase is Phase.OPEN)


async def test_a_login_that_may_not_be_read_is_asked_for_once() -> None:
    server = FakeServer()
    async with opened(server, wait=False, found=FORBIDDEN) as (pilot, screen):
        await until(pilot, lambda: isinstance(pilot.app.screen, LoginDialog))
        await pilot.pause()
        said = "\n".join(str(getattr(each, "text", "")) for each in pilot.app.screen.query("Words"))
        assert "Secret stateful/mysql, key password: forbidden" in said
        assert "get secrets/mysql in namespace stateful" in said
        assert "--password-file" not in said
        await pilot.press(*"s3cret", "enter")
        await until(pilot, lambda: screen.desk.connection.phase is Phase.OPEN)
        way, login, _ = server.opened[0]
        assert (login.user, login.password, login.database, login.source) == ("root", "s3cret", "shop", "typed")
        assert way == Way()
        screen.reconnect()
        await until(pilot, lambda: len(server.sessions) == 2 and server.sessions[1].is_open)
        assert not isinstance(pilot.app.screen, LoginDialog), "it was asked for already"


async def test_leaving_the_login_open_says_why_there_is_no_session() -> None:
    server = FakeServer()
    async with opened(server, wait=False, found=FORBIDDEN) as (pilot, screen):
        await until(pilot, lambda: isinstance(pilot.app.screen, LoginDialog))
        await pilot.press("escape")
        await until(pilot, lambda: screen.desk.connection.phase is Phase.FAILED)
        await pilot.pause()
        assert "may not be read" in screen.query_one("#words", Words).text.title
        assert server.opened == []


async def test_a_refused_password_is_told_in_the_servers_words_and_looked_for_anew() -> None:
    server = FakeServer()
    server.problem = REFUSED
    async with opened(server, wait=False) as (pilot, screen):
        await until(pilot, lambda: screen.desk.connection.phase is Phase.FAILED)
        await pilot.pause()
        text = screen.query_one("#words", Words).text
        assert text.title == REFUSED.what
        assert (REFUSED.evidence, "dim") in text.paragraphs
        server.problem = None
        screen.reconnect()
        await until(pilot, lambda: screen.desk.connection.phase is Phase.OPEN)
        assert screen.access.looks == 2, "the Secret may have been changed"  # type: ignore[attr-defined]


async def test_the_head_says_where_one_is() -> None:
    async with opened(FakeServer()) as (_, screen):
        head = line(screen, "head")
        for part in ("mysql", "MariaDB 11.8.3", "mysql-0", "primary ▲", "TLSv1.3, not verified", "shop as root@%",
                     "autocommit", "● connected since"):  # fmt: skip
            assert part in head, part


async def test_another_member_is_another_session_and_a_replica_is_read_only() -> None:
    server = FakeServer()
    async with opened(server) as (pilot, screen):
        await pilot.press("f2")
        await pilot.pause()
        await pilot.press(*"mysql-1", "enter")
        await until(pilot, lambda: len(server.sessions) == 2 and screen.desk.connection.phase is Phase.OPEN)
        way, _, options = server.opened[-2] if server.opened[-1][2].application.endswith("logue") else server.opened[-1]
        assert way == Way(member="mysql-1")
        assert options.read_only
        assert not server.sessions[0].is_open
        await pilot.pause()
        assert "read-only" in line(screen, "head")
        await run(pilot, screen, "insert into orders values (1)")
        await ended(pilot, screen)
        assert server.sent == []
        assert "read-only" in line(screen, "activity")


def test_the_ways_to_a_workload() -> None:
    assert [offer.text for offer in offers(sample()[0].members)] == [
        "primary",
        "any replica",
        "mysql-0",
        "mysql-1",
        "mysql-2",
    ]
    assert [offer.text for offer in offers(sample()[2].members)][:2] == ["any member", "cdb-cockroachdb-0"]


# --- running


async def test_a_statement_is_sent_once_and_told_of() -> None:
    server = FakeServer()
    server.answers["select"] = selected(3)
    async with opened(server) as (pilot, screen):
        screen.editor.load_text("select * from orders; select 2")
        screen.editor.go_to(30)
        await pilot.press("f5")
        await ended(pilot, screen)
        assert server.sent == ["select 2"], "the one at the cursor"
        screen.editor.move_cursor((0, 0))
        await pilot.press("f5")
        await until(pilot, lambda: len(server.sent) == 2)
        await ended(pilot, screen)
        assert server.sent[1] == "select * from orders"
        assert "✓ SELECT 3" in line(screen, "activity")
        assert len(screen.results.pane.result.store) == 3  # type: ignore[union-attr]
        assert kept(screen) == [("select * from orders", Status.OK), ("select 2", Status.OK)]


async def test_what_runs_is_cancelled_on_the_server() -> None:
    server = FakeServer()
    server.answers["select"] = [asyncio.Event()]
    async with opened(server) as (pilot, screen):
        await run(pilot, screen, "select sleep(100)")
        await until(pilot, lambda: screen.desk.busy)
        assert "◐ running" in line(screen, "activity")
        await run(pilot, screen, "select 2")
        assert server.sent == ["select sleep(100)"], "one at a time"
        await pilot.press("ctrl+c")
        await ended(pilot, screen)
        assert "cancelled" in line(screen, "activity")
        assert kept(screen) == [("select sleep(100)", Status.CANCELLED)]
        assert server.sessions[0].is_open


async def test_a_large_result_pauses_with_its_cursor_open_and_the_next_statement_gives_it_up() -> None:
    server = FakeServer()
    rows = [(str(number), "x") for number in range(1000)]
    server.answers["select"] = [Columns(ORDERS), Rows(rows), Rows(rows), Done("SELECT 2000", 2000, 0.1)]
    async with opened(server) as (pilot, screen):
        await run(pilot, screen, "select * from orders")
        await until(pilot, lambda: screen.desk.paused)
        assert "1,000 rows of more · paused: the cursor is held open" in line(screen, "activity")
        first = screen.desk.results
        await run(pilot, screen, "update orders set id = 1 where id = 2")
        await ended(pilot, screen)
        assert server.sent == ["select * from orders", "update orders set id = 1 where id = 2"]
        assert first.sets[0].state.value == "stopped"
        assert not len(first.sets[0].store), "nobody can look at them any more"


async def test_an_error_is_marked_where_it_points_and_ends_the_script() -> None:
    server = FakeServer()
    server.answers["selec "] = [SYNTAX]
    async with opened(server) as (pilot, screen):
        await run(pilot, screen, "insert into a values (1);\n  selec 1;\ninsert into a values (2);", "f6")
        await ended(pilot, screen)
        assert server.sent == ["insert into a values (1)", "selec 1"]
        said = line(screen, "activity")
        assert "near 'selec'" in said and "42000/1064" in said
        faults = screen.editor._scene.faults
        assert faults is not None and (faults.row, faults.column) == (1, 2)
        assert screen.desk.outcome.done == 1  # type: ignore[union-attr]
        assert "nothing after it was sent" in screen.desk.outcome.said  # type: ignore[union-attr]


async def test_warnings_are_shown_for_each_statement_and_counted() -> None:
    server = FakeServer()
    cut = Notice("WARNING", "Data truncated for column 'a' at row 1", "1265")
    server.answers["insert"] = [Done("Query OK", 1, 0.004), cut, Notice("NOTE", "Duplicate index", "1831")]
    server.answers["select"] = selected(3)
    async with opened(server) as (pilot, screen):
        await run(pilot, screen, "insert into a values (1);\nselect * from orders;\ninsert into a values (2);", "f6")
        await ended(pilot, screen)
        assert "3 statements" in line(screen, "activity") and "⚠ 2 warnings" in line(screen, "activity")
        await until(pilot, lambda: "⚠" in screen.results.query_one("ResultTabs").render_line(0).text)
        screen.results.go(0)
        await pilot.pause()
        told = [plain(each.cell).strip() for each in screen.results.query_one("Messages").lines]  # type: ignore[attr-defined]
        assert told.count("⚠ WARNING 1265: Data truncated for column 'a' at row 1") == 2
        assert [each for each in told if each.startswith(("insert", "select", "⚠ NOTE"))] == [
            "insert into a values (1)", "⚠ NOTE 1831: Duplicate index", "select * from orders",
            "insert into a values (2)", "⚠ NOTE 1831: Duplicate index",
        ]  # fmt: skip


async def test_a_plan_is_asked_for_once_for_what_is_an_explain_already() -> None:
    server = FakeServer()
    async with opened(server) as (pilot, screen):
        await run(pilot, screen, "explain select 1 from orders", "f10")
        await pilot.press("enter")
        await ended(pilot, screen)
        assert server.sent == ["EXPLAIN FORMAT=JSON select 1 from orders"]


async def test_what_only_a_client_understands_is_not_sent() -> None:
    server = FakeServer()
    async with opened(server) as (pilot, screen):
        await run(pilot, screen, "\\d orders\n", "f6")
        await ended(pilot, screen)
        assert server.sent == []
        assert "--mysql" in line(screen, "activity")


async def test_a_cancellation_that_is_not_answered_gives_the_connection_up() -> None:
    server = FakeServer()
    server.answers["select sleep"] = [asyncio.Event()]
    async with opened(server) as (pilot, screen):
        now = screen._clock()
        screen.desk._clock = lambda: now
        server.sessions[0].deaf = True
        await run(pilot, screen, "select sleep(100)")
        await until(pilot, lambda: screen.desk.busy)
        await pilot.press("ctrl+c")
        await pilot.pause()
        assert "cancelling on the server" in line(screen, "activity")
        await pilot.press("ctrl+c")
        await pilot.pause()
        assert screen.desk.busy, "the server has not had its time"
        now += 3
        await pilot.press("ctrl+c")
        await until(pilot, lambda: not screen.desk.busy)
        await until(pilot, lambda: screen.desk.connection.phase is Phase.LOST)
        assert not server.sessions[0].is_open
        assert kept(screen) == [("select sleep(100)", Status.LOST)]
        await run(pilot, screen, "select 1")
        await ended(pilot, screen)
        assert server.sent == ["select sleep(100)", "select 1"]
        assert len(server.sessions) == 2


async def test_an_export_goes_on_in_the_background_and_is_cancelled_without_its_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    server, gate = FakeServer(), asyncio.Event()
    rows = Rows([(str(number), "x") for number in range(1000)])
    server.answers["select"] = [Columns(ORDERS), rows, gate, rows, Done("SELECT 2000", 2000, 0.1)]
    async with opened(server) as (pilot, screen):
        await run(pilot, screen, "select * from orders")
        await until(pilot, lambda: screen.desk.paused)
        await until(pilot, lambda: screen.results.pane.display)  # it is shown a moment after it came
        screen.results.main().focus()
        await pilot.press("x", "enter")
        await until(pilot, lambda: screen.results.pane.exports.current is not None)
        await until(pilot, lambda: "1,000 rows" in line(screen, "activity"))
        assert "→ orders.csv" in line(screen, "activity") and "ctrl+c cancel" in line(screen, "activity")
        await pilot.press("ctrl+q")
        await until(pilot, lambda: isinstance(pilot.app.screen, QuitQuestion))
        await pilot.press("escape")
        await pilot.press("ctrl+c")
        await until(pilot, lambda: screen.results.pane.exports.current is None)
        await pilot.pause()
        assert not [each for each in tmp_path.iterdir() if each.is_file()]
        gate.set()
        await until(pilot, lambda: screen.desk.paused)
        assert "export to orders.csv cancelled after 1,000 rows" in line(screen, "activity")
        await pilot.press("x", "enter")
        await until(pilot, (tmp_path / "orders.csv").exists)
        await until(pilot, lambda: "exported 2,000 rows" in line(screen, "activity"))
        assert len((tmp_path / "orders.csv").read_text().splitlines()) == 2001
        assert server.sent == ["select * from orders"], "never run again"


# --- transactions


async def test_a_transaction_is_begun_shown_and_not_left_without_a_question() -> None:
    server = FakeServer()
    async with opened(server) as (pilot, screen):
        await pilot.press("f9", "enter")
        await until(pilot, lambda: screen.desk.connection.transaction is Transaction.OPEN)
        await pilot.pause()
        assert server.sent == ["START TRANSACTION"]
        assert "▶ transaction open" in line(screen, "head")
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, Chooser)
        await pilot.press("escape")
        await pilot.press("ctrl+q")
        assert isinstance(pilot.app.screen, QuitQuestion)
        assert pilot.app.screen._told == ("SQL console of mysql: the open transaction is rolled back.",)
        await pilot.press("escape", "f9", "enter")
        await until(pilot, lambda: server.sent[-1] == "COMMIT")
        await pilot.pause()
        assert "✓ COMMIT" in line(screen, "activity"), "which of them it was, not `Query OK`"
        assert kept(screen) == [], "keys are no statements of the history"
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is not screen)
        await until(pilot, lambda: not server.sessions[0].is_open)


async def test_with_manual_commit_a_transaction_begins_by_itself() -> None:
    server = FakeServer()
    async with opened(server) as (pilot, screen):
        await pilot.press("f9", *"manual", "enter")
        assert "manual commit" in line(screen, "head")
        await run(pilot, screen, "set names utf8mb4")
        await ended(pilot, screen)
        await run(pilot, screen, "insert into a values (1)")
        await ended(pilot, screen)
        await run(pilot, screen, "insert into a values (2)")
        await ended(pilot, screen)
        assert server.sent == ["set names utf8mb4", "START TRANSACTION", "insert into a values (1)",
                               "insert into a values (2)"]  # fmt: skip


async def test_a_failed_transaction_says_what_is_left_to_do() -> None:
    server = FakeServer()
    async with opened(server) as (pilot, screen):
        server.sessions[0].transaction = Transaction.FAILED
        assert "transaction failed: roll back" in line(screen, "head")
        await pilot.press("f9", "enter")
        await until(pilot, lambda: server.sent == ["ROLLBACK"])


# --- losing


async def test_a_session_that_goes_between_two_statements_takes_its_transaction_with_it() -> None:
    server = FakeServer()
    async with opened(server) as (pilot, screen):
        await pilot.press("f9", "enter")
        await until(pilot, lambda: screen.desk.connection.transaction is Transaction.OPEN and not screen.desk.running)
        session = server.sessions[0]
        session.gone = True
        await screen.desk.connection.look()
        await pilot.pause()
        assert screen.desk.connection.phase is Phase.LOST
        assert "transaction lost" in line(screen, "head")
        said = line(screen, "activity")
        assert "Session with mysql-0 lost, open transaction lost" in said
        await run(pilot, screen, "delete from a where id = 1")
        await ended(pilot, screen)
        assert server.sent == ["START TRANSACTION"], "what was meant for the transaction is not done outside of it"
        await pilot.press("f5")
        await until(pilot, lambda: server.sent[-1] == "delete from a where id = 1")
        await ended(pilot, screen)
        assert "This is a new session with mysql-0" in line(screen, "activity")
        assert screen.desk.connection.phase is Phase.OPEN
        assert "autocommit" in line(screen, "head")


async def test_a_statement_under_which_the_pod_goes_is_never_sent_again() -> None:
    server = FakeServer()
    server.answers["update"] = [Lost(DELETED, transaction=False, unsure=True)]
    async with opened(server) as (pilot, screen):
        await run(pilot, screen, "update a set b = 1 where c = 2")
        await ended(pilot, screen)
        said = line(screen, "activity")
        assert "Session with mysql-0 lost (Pod mysql-0 was deleted)" in said
        assert "f5 opens a new one" in said
        assert screen.desk.outcome.error.unsure  # type: ignore[union-attr]
        await asyncio.sleep(0.1)
        assert server.sent == ["update a set b = 1 where c = 2"]
        assert kept(screen)[0][1] is Status.LOST
        await run(pilot, screen, "select 1")
        await ended(pilot, screen)
        assert server.sent[1:] == ["select 1"]


async def test_no_new_session_is_told_and_the_statement_is_not_sent() -> None:
    server = FakeServer()
    async with opened(server) as (pilot, screen):
        session = server.sessions[0]
        session.gone, server.problem = True, Problem(Cause.UNREACHABLE, "No member of mysql is primary now")
        await run(pilot, screen, "select 1")
        await ended(pilot, screen)
        assert server.sent == []
        assert screen.desk.connection.phase is Phase.FAILED
        server.problem = None
        await pilot.press("f5")
        await until(pilot, lambda: server.sent == ["select 1"])


# --- what destroys


async def test_what_destroys_is_held_back_until_somebody_says_yes() -> None:
    server = FakeServer()
    async with opened(server) as (pilot, screen):
        await run(pilot, screen, "drop table orders")
        await until(pilot, lambda: isinstance(pilot.app.screen, HeldQuestion))
        assert "waits for your yes" in line(screen, "activity")
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, HeldQuestion), "enter alone is no yes"
        await pilot.press("escape")
        await ended(pilot, screen)
        assert server.sent == []
        assert kept(screen) == [("drop table orders", Status.DECLINED)]
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(pilot.app.screen, HeldQuestion))
        await pilot.press("y")
        await until(pilot, lambda: server.sent == ["drop table orders"])


@pytest.mark.parametrize(
    ("level", "statement", "asks"),
    [
        (Hold.OFF, "delete from orders", False),
        (Hold.UNCONDITIONAL, "delete from orders", True),
        (Hold.UNCONDITIONAL, "drop table orders", False),
        (Hold.ALL, "truncate orders", True),
        (Hold.ALL, "delete from orders where id = 1", False),
    ],
)
async def test_the_setting_says_what_is_held_back(level: Hold, statement: str, asks: bool) -> None:
    server = FakeServer()
    async with opened(server, level=level) as (pilot, screen):
        await run(pilot, screen, statement)
        await until(pilot, lambda: isinstance(pilot.app.screen, HeldQuestion) or screen.desk.outcome is not None)
        assert isinstance(pilot.app.screen, HeldQuestion) is asks
        assert (server.sent == [statement]) is not asks


async def test_a_protected_context_is_opened_by_its_name_and_drops_want_theirs() -> None:
    server = FakeServer()
    async with opened(server, level=Hold.OFF, protected=True) as (pilot, screen):
        assert server.opened[0][2].read_only
        await run(pilot, screen, "drop table orders")
        await ended(pilot, screen)
        assert server.sent == []
        await pilot.press("f2", *"take changes", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, HeldQuestion))
        await pilot.press(*"real-cluster", "enter")
        await until(pilot, lambda: len(server.sessions) == 2 and screen.desk.connection.phase is Phase.OPEN)
        await run(pilot, screen, "drop table orders")
        await until(pilot, lambda: isinstance(pilot.app.screen, HeldQuestion))
        await pilot.press(*"order", "enter")
        await pilot.press("s", "enter")
        await until(pilot, lambda: server.sent == ["drop table orders"])


async def test_read_only_of_the_settings_cannot_be_opened() -> None:
    server = FakeServer()
    async with opened(server, locked=True) as (pilot, screen):
        await pilot.press("f2", *"take changes", "enter")
        await pilot.pause(0.2)
        assert len(server.sessions) == 1
        assert screen.desk.connection.options.read_only


# --- the catalogue


async def test_the_tree_shows_inserts_previews_and_defines() -> None:
    server = FakeServer()
    server.answers["SELECT * FROM"] = selected(3)
    async with opened(server) as (pilot, screen):
        tree = screen.catalogue.names
        await until(pilot, lambda: any(node.name == "orders" for node in tree.nodes))
        await until(pilot, lambda: any("1.2 M rows" in node.detail for node in tree.nodes))
        assert [node.name for node in tree.nodes][:4] == ["shop", "customers", "orders", "sold"]
        await pilot.press("f8", "down", "down", "enter")
        await until(pilot, lambda: any(node.name == "customer" for node in tree.nodes))
        await pilot.press("p")
        await until(pilot, lambda: bool(server.sent))
        assert server.sent == ["SELECT * FROM `shop`.`orders` LIMIT 100"]
        await ended(pilot, screen)
        await pilot.press("f8", "d")
        await until(pilot, lambda: isinstance(pilot.app.screen, TextDialog))
        await pilot.press("escape", "down", "down", "i")
        await pilot.pause()
        assert screen.editor.text == "customer"
        assert screen.editor.has_focus
        await pilot.press("f8", "slash", *"sold")
        await pilot.pause()
        assert [node.name for node in tree.nodes] == ["shop", "sold"]
        await pilot.press("escape")
        assert len(tree.nodes) > 4


async def test_what_is_pressed_after_a_filter_in_one_piece_is_the_trees() -> None:
    async with opened(FakeServer()) as (pilot, screen):
        tree = screen.catalogue.names
        await until(pilot, lambda: any(node.name == "orders" for node in tree.nodes))
        for key in ("f8", "slash", *"orders", "enter", "down", "i"):
            pilot.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: screen.editor.text == "orders")


async def test_definitions_that_change_are_read_anew() -> None:
    server = FakeServer()
    async with opened(server) as (pilot, screen):
        tree = screen.catalogue.names
        await until(pilot, lambda: any(node.name == "orders" for node in tree.nodes))
        before = tree.nodes[0]
        await run(pilot, screen, "create table fresh (id int)")
        await until(pilot, lambda: bool(tree.nodes) and tree.nodes[0] is not before)


async def test_completion_knows_the_catalogues_names() -> None:
    async with opened(FakeServer()) as (pilot, screen):
        await until(pilot, lambda: screen.workbench.completions.source is not None)
        await until(pilot, lambda: any(node.name == "customers" for node in screen.catalogue.names.nodes))
        await pilot.press(*"select * from cust")
        await until(pilot, lambda: screen.workbench.completions.is_open)
        assert "customers" in [one.name for one in screen.workbench.completions.candidates]
        await pilot.press("escape")
        assert not screen.workbench.completions.is_open
        assert pilot.app.screen is screen


# --- where it is opened, and how it looks


async def test_the_key_is_there_where_it_leads_somewhere() -> None:
    live = FakeLive(sample())
    live.forwards = FakeForwards()
    live.catalogue.systems = {
        "mysql": SimpleNamespace(sql=Wire.MYSQL, ports={}), "minio": SimpleNamespace(sql=None, ports={"s3": 9000}),
    }  # fmt: skip
    async with app_for(live, layout="table").run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        overview = pilot.app.screen
        for key, leads in (("stateful/mysql/mysql", True), ("stateful/minio/my-tenant", False)):
            overview._move_to(key)  # type: ignore[attr-defined]
            await pilot.pause()
            assert pilot.app.check_action("sql", ()) is leads, key
            assert pilot.app.check_action("bucket", ()) is not leads, key
        assert [choice.value for choice in pilot.app.console_choices()] == [  # type: ignore[attr-defined]
            "sql stateful/mysql/mysql", "operations stateful/mysql/mysql",
            "sql stateful/mysql/orders", "operations stateful/mysql/orders",
            "bucket stateful/minio/my-tenant",
        ]  # fmt: skip


async def test_a_tiny_screen_does_not_crash() -> None:
    server = FakeServer()
    server.answers["select"] = selected(3)
    async with opened(server, (60, 15)) as (pilot, screen):
        await run(pilot, screen, "select 1")
        await ended(pilot, screen)
        await pilot.press("f8", "down", "escape", "f12", "escape", "f2", "escape", "f9", "escape")
        assert pilot.app.screen is screen


async def test_nothing_is_repainted_while_nothing_happens() -> None:
    async with opened(FakeServer()) as (pilot, screen):
        await until(pilot, lambda: any(node.name == "orders" for node in screen.catalogue.names.nodes))
        await pilot.pause(0.3)
        drawn: list[object] = []
        for widget in screen.walk_children():
            widget.refresh = lambda *regions, me=widget, **_: drawn.append(me) or me  # type: ignore[assignment,misc]
        await pilot.pause(1.2)
        assert drawn == []


def state(name: str) -> Any:
    """The app with a console in a state, and what is pressed to get there."""
    server = FakeServer()
    found, press, text, guard = None, ["f5"], "select * from orders", {}
    match name:
        case "connecting":
            server.gate, press = asyncio.Event(), []
        case "asked":
            found, press = FORBIDDEN, []
        case "refused":
            server.problem, press = REFUSED, []
        case "rows":
            server.answers["select"] = selected(40, 40)
        case "running":
            server.answers["select"] = [Columns(ORDERS), Rows([("1", "Ada")]), asyncio.Event()]
        case "paused":
            server.answers["select"] = [Columns(ORDERS), Rows([(str(n), "Ada") for n in range(1000)]), asyncio.Event()]
        case "error":
            server.answers["select"] = [replace_error(14)]
        case "transaction":
            server.answers["select"], press = selected(3), ["f9", "enter", "f5"]
        case "lost":
            server.answers["select"] = [Lost(DELETED, transaction=True, unsure=True)]
        case "question":
            text = "delete from orders"
        case "protected":
            text, guard = "delete from orders", {"protected": True}
        case "catalogue":
            press = ["f8", "down", "down", "enter"]
        case "member":
            press = ["f2"]
        case "hostile":
            server.facts = replace(FACTS, database=HOSTILE, user=HOSTILE, version=HOSTILE)
            server.answers["select"] = [Notice(HOSTILE, HOSTILE, HOSTILE), ServerError(HOSTILE, HOSTILE)]
    return server, found, press, text, guard


def replace_error(position: int) -> ServerError:
    return ServerError("Table 'shop.orders' doesn't exist", "42S02/1146", position=position, hint="see SHOW TABLES")


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "140x40"])
@pytest.mark.parametrize("name", [
    "connecting", "asked", "refused", "rows", "running", "paused", "error", "transaction", "lost", "question",
    "protected", "catalogue", "member", "hostile",
])  # fmt: skip
def test_states(snap_compare: Any, monkeypatch: pytest.MonkeyPatch, name: str, size: tuple[int, int]) -> None:
    monkeypatch.setattr(resultset, "time", SimpleNamespace(monotonic=lambda: 0.0))
    server, found, press, text, guard = state(name)

    async def before(pilot: Pilot[None]) -> None:
        screen = console(server, found, **guard)
        await pilot.app.push_screen(screen)
        if press:
            await until(pilot, lambda: screen.desk.connection.phase is Phase.OPEN)
            await until(pilot, lambda: len(screen.catalogue.names.nodes) > 3)
            screen.editor.load_text(text)
            screen.editor.go_to(len(text))
        await pilot.pause(0.1)
        for key in press:
            await pilot.press(key)
            await pilot.pause(0.1)
        await pilot.pause(0.4)

    assert snap_compare(app(), run_before=before, terminal_size=size)
