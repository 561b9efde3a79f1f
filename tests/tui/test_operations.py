"""The operations panel: what it shows of every state, and how somebody's session is ended from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from looking import screen_text
from operations_fakes import EVIL, FULL, FakeOperations, panel_app, primary

from tui.consoles.sql.asking import HeldQuestion
from tui.consoles.sql.operations import TABS, SqlOperations
from tui.problem import Cause, Problem
from tui.screens.forwards.question import Question
from tui.services.sql.operations.control import Ending
from tui.settings import Settings
from tui.widgets.ink import plain
from tui.widgets.rows import RowTable


@pytest.mark.parametrize("size", [(80, 24), (140, 40)], ids=["80x24", "140x40"])
@pytest.mark.parametrize("tab", range(len(TABS)), ids=[name.lower() for name in TABS])
def test_tabs(snap_compare: Any, monkeypatch: pytest.MonkeyPatch, tab: int, size: tuple[int, int]) -> None:
    app = panel_app(monkeypatch, FULL, tab)
    assert snap_compare(app, terminal_size=size, run_before=app.open_panel)


@pytest.mark.parametrize("answers", [(), EVIL], ids=["asking", "hostile"])
def test_states(snap_compare: Any, monkeypatch: pytest.MonkeyPatch, answers: Any) -> None:
    app = panel_app(monkeypatch, answers, 1)
    assert snap_compare(app, terminal_size=(80, 24), run_before=app.open_panel)


def test_no_color(snap_compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = panel_app(monkeypatch, FULL, 1)
    assert snap_compare(app, terminal_size=(80, 24), run_before=app.open_panel)


async def test_a_small_terminal_does_not_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    app = panel_app(monkeypatch, FULL)
    async with app.run_test(size=(60, 15)) as pilot:
        await app.open_panel(pilot)
        for key in ("2", "3", "4", "5", "tab", "shift+tab", "enter", "escape", "p"):
            await pilot.press(key)
        assert isinstance(app.screen, SqlOperations)
        await pilot.press("escape")
        assert not isinstance(app.screen, SqlOperations)


def operations(app: Any) -> FakeOperations:
    found: FakeOperations = app.screen._operations
    return found


async def test_ending_a_session_asks_first_and_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    app = panel_app(monkeypatch, FULL, 1)
    async with app.run_test(size=(100, 30)) as pilot:
        await app.open_panel(pilot)
        asked = operations(app)
        app.screen.query_one("#list-1", RowTable).move_to("mysql-0/32")
        await pilot.press("X")
        assert isinstance(app.screen, Question)
        assert app.screen._title == "Terminate session 32 of mysql-0?"
        told = "\n".join(app.screen._told)
        assert "UPDATE orders" in told
        assert "is rolled back" in told
        await pilot.press("escape")
        assert asked.ended == []
        await pilot.press("x", "enter")
        await pilot.pause()
        assert asked.ended == [("mysql-0", "32", Ending.CANCEL)]
        assert asked.looked == 1
        # From a lock it is the session that holds it.
        await pilot.press("3", "X", "enter")
        await pilot.pause()
        assert asked.ended[-1] == ("mysql-0", "31", Ending.TERMINATE)


async def test_what_cannot_be_ended_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    app = panel_app(monkeypatch, FULL, 4)
    async with app.run_test(size=(100, 30)) as pilot:
        await app.open_panel(pilot)
        await pilot.press("x")
        assert isinstance(app.screen, SqlOperations)
        await pilot.press("2")
        app.screen.query_one("#list-1", RowTable).move_to("mysql-1/?")
        await pilot.press("X")
        assert isinstance(app.screen, SqlOperations)


async def test_a_refusal_is_told_in_the_servers_words(monkeypatch: pytest.MonkeyPatch) -> None:
    app = panel_app(monkeypatch, FULL, 1)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await app.open_panel(pilot)
        operations(app).refuses = Problem(Cause.REJECTED, "The server did not terminate session 31", "not owner")
        app.screen.query_one("#list-1", RowTable).move_to("mysql-0/31")
        await pilot.press("X", "enter")
        await pilot.pause()
        assert any("not owner" in one.message for one in app._notifications)


async def test_a_protected_context_wants_the_id_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    app = panel_app(monkeypatch, FULL, 1)
    async with app.run_test(size=(100, 30)) as pilot:
        await app.open_panel(pilot)
        asked = operations(app)
        monkeypatch.setattr(Settings, "protects", lambda *_: True)
        app.screen.query_one("#list-1", RowTable).move_to("mysql-0/31")
        await pilot.press("X")
        assert isinstance(app.screen, HeldQuestion)
        assert "KILL CONNECTION 31" in screen_text(app)
        await pilot.press("3", "enter")
        assert isinstance(app.screen, HeldQuestion), "half an id is none"
        await pilot.press("1", "enter")
        await pilot.pause()
        assert asked.ended == [("mysql-0", "31", Ending.TERMINATE)]


async def test_a_read_only_program_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    app = panel_app(monkeypatch, FULL, 1)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await app.open_panel(pilot)
        app.settings = replace(app.settings, read_only=True)
        app.screen.query_one("#list-1", RowTable).move_to("mysql-0/31")
        await pilot.press("X")
        assert isinstance(app.screen, SqlOperations)
        assert any("read-only" in one.message for one in app._notifications)
        assert operations(app).ended == []


async def test_nobody_is_asked_while_it_is_held_or_another_screen_is_in_front(monkeypatch: pytest.MonkeyPatch) -> None:
    app = panel_app(monkeypatch, FULL)
    async with app.run_test(size=(100, 30)) as pilot:
        await app.open_panel(pilot)
        asked = operations(app)
        assert asked.wanted()
        await pilot.press("p")
        assert not asked.wanted()
        await pilot.press("p")
        assert asked.wanted()
        await pilot.press("question_mark")
        assert not asked.wanted()


async def test_what_did_not_change_is_not_repainted(monkeypatch: pytest.MonkeyPatch) -> None:
    app = panel_app(monkeypatch, FULL, 1)
    async with app.run_test(size=(100, 30)) as pilot:
        await app.open_panel(pilot)
        painted: list[Any] = []
        table = app.screen.query_one("#list-1", RowTable)
        monkeypatch.setattr(table, "refresh", lambda *regions, **_: painted.append(regions))
        operations(app).tell(FULL[0])
        await pilot.pause()
        assert painted == []
        monkeypatch.setattr(FakeOperations, "answers", (primary("SELECT 1"), *FULL[1:]))
        operations(app).tell(FULL[0])
        assert painted, "and what did is"


async def test_hostile_text_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    app = panel_app(monkeypatch, EVIL, 1)
    async with app.run_test(size=(140, 30)) as pilot:
        await app.open_panel(pilot)
        for tab in range(len(TABS)):
            app.screen.action_tab(tab)
            await pilot.pause()
            table = app.screen.query_one(f"#list-{tab}", RowTable)
            assert table.rows
            for y in range(table.size.height):
                drawn = table.render_line(y).text
                assert "\x1b" not in drawn
                assert "\u202e" not in drawn
        assert any("[bold red]" in plain(cell) for row in table.rows for cell in row.cells)
