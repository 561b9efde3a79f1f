"""Faults in the palette: only of a sandbox, for what is selected, and told of in one line."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import FakeLive, app_for, sample
from looking import screen_text, settle
from textual.pilot import Pilot

from tui.kube.faults import Fault, Known, Sort
from tui.problem import Cause, Problem, ProblemError
from tui.screens import teaching
from tui.screens.chooser import ChoiceList
from tui.systems.live import Update

SORTS = [
    Sort("kill-pod", "kills it", "pod", lasts=False),
    Sort("fill-volume", "fills it", "claim"),
    Sort("refuse-right", "refuses it", "resource"),
    Sort("freeze-node", "freezes it"),
]


class FakeSandbox:
    """An `Api` of a sandbox, or of another server."""

    def __init__(self, trouble: Problem | None = None) -> None:
        self.trouble = trouble
        self.asked: list[str] = []
        self.active: list[Fault] = []
        self.context = type("Context", (), {"server": "https://127.0.0.1:6443"})()

    async def get_as(self, path: str, kind: Any) -> Any:
        self.asked.append(f"GET {path}")
        if self.trouble is not None:
            raise ProblemError(self.trouble)
        return Known(SORTS, list(self.active))

    async def post_json(self, path: str, body: Any, kind: Any) -> Any:
        self.asked.append(f"POST {path} {body['target']}")
        name = path.rsplit("/", 1)[1]
        if name == "freeze-node":
            raise ProblemError(Problem(Cause.REJECTED, "POST was answered 409", "it is frozen already"))
        self.active.append(Fault(name, body["target"], f"{name} is done"))
        return self.active[-1]

    async def delete_as(self, path: str, kind: Any, *, params: Any) -> Any:
        self.asked.append(f"DELETE {path} {params['target']}")
        self.active.clear()
        return kind(ended=[f"{path.rsplit('/', 1)[1]} {params['target']}"])

    async def close(self) -> None:
        pass


def live_of(api: FakeSandbox, version: str = "v1.36.3+statetui-sandbox") -> Any:
    live: Any = FakeLive(sample())
    live.api, live.cluster.server_version = api, version
    return live


async def offered(pilot: Pilot[Any], live: Any) -> list[str]:
    """What the palette offers."""
    await settle(pilot)
    for listener in list(live.listeners):
        listener(Update(complete=True))
    await settle(pilot)
    await pilot.press("ctrl+p")
    await settle(pilot)
    return [each.text for each in pilot.app.screen.query_one(ChoiceList).choices if "ault:" in each.text]


async def choose(pilot: Pilot[Any], words: str) -> str:
    """Chooses in the palette; what stands on the screen then."""
    await pilot.press(*words, "enter")
    await settle(pilot)
    return screen_text(pilot.app)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeSandbox:
    made = FakeSandbox()
    monkeypatch.setattr(teaching, "writing", lambda _: made)
    return made


async def test_faults_of_what_is_selected_are_made_and_ended(api: FakeSandbox) -> None:
    live = live_of(api)
    app = app_for(live)
    async with app.run_test(size=(120, 40)) as pilot:
        found = await offered(pilot, live)
        assert found == [
            *(f"Fault: kill-pod cdb-cockroachdb-{at}" for at in range(3)),
            *(f"Fault: fill-volume datadir-cdb-cockroachdb-{at}" for at in range(3)),
            "Fault: refuse-right pods",
            "Fault: freeze-node",
        ]
        assert "✓ fill-volume is done" in await choose(pilot, "fill-volume datadir-cdb-cockroachdb-0")
        assert "POST /sandbox/v1/faults/fill-volume stateful/datadir-cdb-cockroachdb-0" in api.asked
        found = await offered(pilot, live)
        assert found[0] == "End fault: fill-volume stateful/datadir-cdb-cockroachdb-0"
        assert "Fault: fill-volume datadir-cdb-cockroachdb-0" not in found
        assert "✓ ended: fill-volume" in await choose(pilot, "end")
        assert not api.active


async def test_the_member_under_the_cursor_comes_first(api: FakeSandbox) -> None:
    live = live_of(api)
    app = app_for(live)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        app.open_workload("stateful/cockroachdb/cdb")
        await settle(pilot)
        await pilot.press("down")
        found = [each for each in await offered(pilot, live) if "kill-pod" in each]
        assert found == [f"Fault: kill-pod cdb-cockroachdb-{at}" for at in (1, 0, 2)]


async def test_what_the_sandbox_refuses_is_said_in_its_words(api: FakeSandbox) -> None:
    live = live_of(api)
    async with app_for(live).run_test(size=(120, 40)) as pilot:
        await offered(pilot, live)
        assert "The fault freeze-node was not made: it is frozen already" in await choose(pilot, "freeze")


async def test_other_servers_are_not_even_asked(api: FakeSandbox) -> None:
    live = live_of(api, "v1.36.3")
    async with app_for(live).run_test(size=(120, 40)) as pilot:
        assert await offered(pilot, live) == []
    assert api.asked == []


@pytest.mark.parametrize("cause", [Cause.ABSENT, Cause.FORBIDDEN, Cause.UNREACHABLE])
async def test_a_server_without_faults_is_asked_once_and_quietly(api: FakeSandbox, cause: Cause) -> None:
    api.trouble = Problem(cause, "no")
    live = live_of(api)
    app = app_for(live)
    async with app.run_test(size=(120, 40)) as pilot:
        assert await offered(pilot, live) == []
        await pilot.press("escape")
        assert await offered(pilot, live) == []
        assert not app._notifications
    assert len(api.asked) == 1


async def test_a_protected_context_offers_none(api: FakeSandbox) -> None:
    live = live_of(api)
    async with app_for(live, protected=("real-*",)).run_test(size=(120, 40)) as pilot:
        assert await offered(pilot, live) == []
    assert api.asked == []
