"""Keys that arrive in one piece, as over a thin line: each is answered before the next is looked at."""

from __future__ import annotations

import pytest
from fakes import FakeLive, app_for, sample
from textual import events
from textual.pilot import Pilot

from tui.screens.chooser import Chooser
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
