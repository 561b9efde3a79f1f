"""Keys that arrive in one piece, as over a thin line: each is answered before the next is looked at."""

from __future__ import annotations

import asyncio

import pytest
from fakes import FakeLive, app_for, sample
from textual import events
from textual.pilot import Pilot
from textual.screen import UPDATE_PERIOD, Screen
from textual.timer import Timer

from tui.screens.app import ANSWER
from tui.screens.chooser import Chooser
from tui.screens.help import HelpScreen
from tui.screens.overview.filterline import FilterLine
from tui.screens.workload.yaml_tab import YamlText


def burst(pilot: Pilot[None], *keys: str) -> None:
    """All at once, as one read from the terminal brings them."""
    for key in keys:
        pilot.app.post_message(events.Key(key, key if len(key) == 1 else None))


@pytest.mark.parametrize("word", ["mysql", "nq", "oz"])
async def test_letters_after_a_slash_are_typed_and_not_obeyed(word: str) -> None:
    app = app_for(FakeLive(sample()))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        burst(pilot, "slash", *word, "enter")
        await pilot.pause(0.2)
        assert app.overview.filter_text == word
        assert not app.query(FilterLine)
        assert len(app.screen_stack) == 1


async def test_a_choice_typed_in_one_piece_with_its_enter_is_the_one_that_was_meant() -> None:
    app = app_for(FakeLive(sample()))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        burst(pilot, "t", *"light", "enter")
        await pilot.pause(0.3)
        assert not isinstance(app.screen, Chooser)
        assert app.theme.endswith("light")


async def test_a_workload_is_opened_and_left_in_one_piece() -> None:
    app = app_for(FakeLive(sample()))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        burst(pilot, "enter", "5")
        await pilot.pause(0.3)
        assert app.screen.query(YamlText)
        burst(pilot, "escape", "escape")
        await pilot.pause(0.3)
        assert len(app.screen_stack) == 1


async def test_the_answer_to_a_key_is_drawn_without_waiting_for_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    app = app_for(FakeLive(sample()), layout="grid")
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        monkeypatch.setattr(Timer, "resume", lambda _: None)  # no frame ever comes
        drawn: list[Screen[object]] = []
        monkeypatch.setattr(app, "post_display_hook", lambda: drawn.append(app.screen))
        await pilot.press("down")
        assert drawn == [app.overview]
        await asyncio.sleep(UPDATE_PERIOD)
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        assert app.screen in drawn


async def test_while_a_key_is_answered_nothing_is_derived() -> None:
    live = FakeLive(sample())
    app = app_for(live)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        await pilot.press("down", "question_mark")
    assert live.rests == [ANSWER, 0.0] * 2
