"""Pictures of every state of the overview, at the sizes that people have. Look at them before you accept them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fakes import FORBIDDEN, REFUSED, FakeLive, all_states, app_for, hostile, listing, many, sample

from tui.problem import Cause, Problem

NO_KUBECONFIG = Problem(
    Cause.CONFIG,
    'The kubeconfig has no context "prod"',
    "/home/me/.kube/config:12: current-context: prod",
    'Did you mean "staging"?',
)

STATES: dict[str, Callable[[], Any]] = {
    "empty": lambda: app_for(FakeLive()),
    "loading": lambda: app_for(FakeLive(complete=False, state="connecting", feeds=listing())),
    "error": lambda: app_for(FakeLive(problem=NO_KUBECONFIG)),
    "forbidden": lambda: app_for(FakeLive(state="failed", trouble=FORBIDDEN)),
    "stale": lambda: app_for(FakeLive(sample(), state="stale", trouble=REFUSED)),
    "grid": lambda: app_for(FakeLive(all_states()), layout="grid"),
    "table": lambda: app_for(FakeLive([*all_states(), *many(40)])),
    "hostile": lambda: app_for(FakeLive(hostile()), layout="grid"),
}


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("state", list(STATES))
def test_overview(snap_compare: Any, state: str, size: tuple[int, int]) -> None:
    assert snap_compare(STATES[state](), terminal_size=size)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
def test_stand_ins(snap_compare: Any, size: tuple[int, int]) -> None:
    said = "PostgreSQL stands in for this system: its pods are servers of their own"
    shown = [
        replace(each, members=tuple(replace(member, stands_in=said) for member in each.members)) for each in sample()
    ]
    assert snap_compare(app_for(FakeLive(shown), layout="grid"), terminal_size=size)


@pytest.mark.parametrize("theme", ["light", "colour-blind", "terminal"])
def test_themes(snap_compare: Any, theme: str) -> None:
    assert snap_compare(app_for(FakeLive(all_states()), theme=theme, layout="grid"), terminal_size=(120, 40))


@pytest.mark.parametrize("layout", ["grid", "table"])
def test_no_color(snap_compare: Any, monkeypatch: pytest.MonkeyPatch, layout: str) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(app_for(FakeLive(all_states()), layout=layout), terminal_size=(120, 40))


@pytest.mark.parametrize(
    ("name", "press"),
    [
        ("palette", ["ctrl+p"]),
        ("help", ["question_mark"]),
        ("contexts", ["c"]),
        ("filter", ["slash", "s", "h"]),
        ("jump", ["apostrophe"]),
    ],
)
def test_on_top(snap_compare: Any, name: str, press: list[str]) -> None:
    del name
    assert snap_compare(app_for(FakeLive(all_states()), layout="grid"), press=press, terminal_size=(120, 40))
