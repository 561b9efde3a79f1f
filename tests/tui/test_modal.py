"""Dialogs: help opens over each of them, and one that ends below it leaves the help where it is."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping

import pytest
from fakes import FakeLive, app_for, sample
from looking import screen_text, settle, until
from textual.screen import ModalScreen
from textual.widgets import Input

import tui
from tui.consoles.dialogs import TextDialog
from tui.consoles.forms import Field, Form, HeldQuestion
from tui.consoles.guard import Held
from tui.screens.chooser import Choice, Chooser
from tui.screens.forwards.question import Question
from tui.screens.help import HelpScreen
from tui.screens.modal import Modal
from tui.screens.overview.screen import OverviewScreen


def form() -> Form:
    def done(_: Mapping[str, str]) -> None:
        raise AssertionError("nobody pressed enter")

    return Form("Say it", [Field("word")], done, word="go")


def held(name: str) -> HeldQuestion:
    return HeldQuestion(Held("Delete?", ("1 object goes",), "delete", name), "my-tenant")


def subclasses(kind: type) -> set[type]:
    return {kind}.union(*(subclasses(one) for one in kind.__subclasses__()))


def test_every_dialog_is_one_that_knows_help() -> None:
    for module in pkgutil.walk_packages(tui.__path__, "tui."):
        if module.name.startswith(("tui.consoles", "tui.screens")):
            importlib.import_module(module.name)
    ours = [one for one in subclasses(ModalScreen) if one.__module__.startswith("tui.")]
    assert Form in ours
    for dialog in ours:
        assert issubclass(dialog, Modal), dialog
        if not dialog.__subclasses__():
            assert dialog.HELP.strip(), f"{dialog} explains nothing"


@pytest.mark.parametrize(
    ("dialog", "keys", "title"),
    [
        (form, ["f1"], "Form"),
        (lambda: Chooser("Which?", [Choice("a", "a")]), ["f1"], "Chooser"),
        (lambda: held("my-bucket"), ["f1"], "Is this meant?"),
        (lambda: held(""), ["f1", "question_mark"], "Is this meant?"),
        (lambda: Question("Stop?", ["a forward ends"], yes="stop"), ["f1", "question_mark"], "Question"),
        (lambda: TextDialog("Why", "because"), ["f1", "question_mark"], None),
    ],
    ids=["form", "chooser", "held-by-name", "held", "question", "text"],
)
async def test_help_opens_over_a_dialog_and_leads_back(dialog: object, keys: list[str], title: str | None) -> None:
    app = app_for(FakeLive(sample()))
    async with app.run_test(size=(100, 40)) as pilot:
        await settle(pilot)
        shown = dialog()  # type: ignore[operator]
        answers: list[object] = []
        app.push_screen(shown, answers.append)
        await settle(pilot)
        focused = shown.focused
        for key in keys:
            for back in (key, "escape"):
                await pilot.press(key)
                await until(pilot, lambda: isinstance(app.screen, HelpScreen))
                await settle(pilot)
                if title is not None:
                    assert title in screen_text(app)
                assert "app.help" in screen_text(app)
                await pilot.press(back)
                await until(pilot, lambda: app.screen is shown)
                assert shown.focused is focused
        assert not answers, "a look at the help answers nothing"


@pytest.mark.parametrize("dialog", [form, lambda: Chooser("Which?", [Choice("a?b", "a?b")])], ids=["form", "chooser"])
async def test_a_question_mark_is_text_where_text_is_typed(dialog: object) -> None:
    app = app_for(FakeLive(sample()))
    async with app.run_test(size=(100, 40)) as pilot:
        await settle(pilot)
        shown = dialog()  # type: ignore[operator]
        app.push_screen(shown)
        await settle(pilot)
        await pilot.press("a", "question_mark", "b")
        await settle(pilot)
        assert app.screen is shown
        assert shown.query_one(Input).value == "a?b"


async def test_other_keys_can_be_set_for_help_in_dialogs_too() -> None:
    app = app_for(FakeLive(sample()), keys={"app.help": "f7"})
    async with app.run_test(size=(100, 40)) as pilot:
        await settle(pilot)
        shown = Question("Stop?", [], yes="stop")
        app.push_screen(shown)
        await settle(pilot)
        await pilot.press("f1", "question_mark")
        await settle(pilot)
        assert app.screen is shown
        await pilot.press("f7")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))


async def test_a_dialog_that_ends_below_its_help_ends_when_that_is_closed() -> None:
    app = app_for(FakeLive(sample()))
    async with app.run_test(size=(100, 40)) as pilot:
        await settle(pilot)
        shown = Question("Stop?", [], yes="stop")
        answers: list[object] = []
        app.push_screen(shown, answers.append)
        await settle(pilot)
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        shown.dismiss(True)
        await settle(pilot)
        assert isinstance(app.screen, HelpScreen), "somebody reads it"
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, OverviewScreen))
        assert answers == [True]
