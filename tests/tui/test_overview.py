"""The overview in use: what is shown, what keys do, and that nothing moves when nothing happens."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest
from fakes import (
    FORBIDDEN,
    NOW,
    REFUSED,
    FakeLive,
    all_states,
    app_for,
    claim,
    hostile,
    listing,
    many,
    member,
    sample,
    workload,
)
from looking import screen_text, settle, until

from tui.kube.presence import Presence
from tui.problem import Cause, Problem, ProblemError
from tui.screens.chooser import Chooser
from tui.screens.help import HelpScreen
from tui.screens.overview.grid import GridView
from tui.screens.overview.screen import OverviewScreen
from tui.systems.model import Health, Warning, Workload


def rows_of(app: Any) -> list[str]:
    return [row.key.rsplit("/", 1)[-1] for row in app.overview.query_one("#table").rows]


async def test_panes_tell_members_roles_claims_and_use() -> None:
    app = app_for(FakeLive(sample()))
    async with app.run_test(size=(140, 40)) as pilot:
        await settle(pilot)
        text = screen_text(app)
    assert "● live   5 workloads   13 pods   15 claims   1 ⚠" in text
    for words in (
        "DATABASES",
        "OBJECT STORES",
        "QUEUES",
        "mysql · MySQL",
        "stateful",
        "2/3 ready",
        "0 ● primary ▲",
        "1 ● replica",
        "2 ◌ Init:1/2 clone-mysql",
        "use: class standard reports none",
        "↻3",
        "60m",
        "node-1",
        "256Mi",
        " 83%",
        "v24.3.0 · chart cockroachdb 17.0.0",
        "└ data1",
        "⚠ mysql-2: init container clone-mysql has run for 14s",
    ):
        assert words in text, words


async def test_every_way_of_being_ill_has_its_own_sign() -> None:
    app = app_for(FakeLive(all_states()), layout="grid")
    async with app.run_test(size=(140, 60)) as pilot:
        await settle(pilot)
        text = screen_text(app)
    for words in (
        "✗ ledger",
        "0 ✗ CrashLoopBackOff",
        "1 ◐ Running 0/1",
        "2 ◍ Terminating",
        "3 ○ Pending",
        "○ Pending",
        "✗ Lost",
        "1 ? Unknown",
        "■ archive",
        "⇡ rolling out, 1/3 on 6bf9",
        "stuck: shop-1 is not ready",
        "says “Ready”",
        "□ data-ledger-4 without a member",
        "⚠ the operator names a primary that does not exist",
    ):
        assert words in text, words


@pytest.mark.parametrize(
    ("live", "words"),
    [
        (FakeLive(), ("○ No stateful workload in this cluster.", "n another namespace")),
        (
            FakeLive(complete=False, state="connecting", feeds=listing()),
            ("Reading real-cluster", "pods", "1500  listing"),
        ),
        (
            FakeLive(state="failed", trouble=FORBIDDEN),
            ("✗ No right to read anything in", 'User "nobody" cannot list', "for the right to list and watch pods"),
        ),
        (
            FakeLive(state="failed", trouble=REFUSED),
            ("✗ The API server does not answer.", "connection refused", "r try again"),
        ),
        (
            FakeLive(problem=Problem(Cause.CONFIG, "No kubeconfig", "~/.kube/config: no such file", "Name one.")),
            ("✗ No kubeconfig.", "~/.kube/config: no such file", "Name one.", "not connected"),
        ),
        (
            FakeLive(namespaces=("team",), scope="namespace team", reason="cluster-wide list is forbidden"),
            ("No stateful workload in namespace team", "cluster-wide list is forbidden"),
        ),
        (
            FakeLive(
                namespaces=("tem",),
                scope="namespace tem",
                presence=Presence("tem", exists=False, near=("team", "temp")),
            ),
            ("✗ There is no namespace tem.", "Did you mean team or temp?", "Once it is created", "n another namespace"),
        ),
        (
            FakeLive(
                namespaces=("tem",),
                scope="namespace tem",
                presence=Presence("tem", exists=None, reason="namespaces is forbidden"),
            ),
            ("No stateful workload in namespace tem", "Or it does not exist", "namespaces is forbidden"),
        ),
    ],
)
@pytest.mark.parametrize("size", [(80, 24), (60, 15)])
async def test_without_workloads_it_says_why_and_what_to_do(
    live: FakeLive, words: tuple[str, ...], size: tuple[int, int]
) -> None:
    app = app_for(live)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        text = " ".join(screen_text(app).split())
    for each in words if size[0] == 80 else words[:1]:
        assert " ".join(each.split()) in text, each


async def test_no_count_is_told_before_everything_has_arrived() -> None:
    app = app_for(FakeLive(sample(), complete=False, state="connecting", feeds=listing()))
    async with app.run_test(size=(140, 40)) as pilot:
        await settle(pilot)
        text = screen_text(app)
    assert "workloads" not in text
    assert "ready" not in text


async def test_stale_panes_stay_and_are_marked() -> None:
    live = FakeLive(sample())
    app = app_for(live)
    async with app.run_test(size=(140, 40)) as pilot:
        await settle(pilot)
        live.connection("stale", REFUSED, since=NOW)
        await settle(pilot)
        text = screen_text(app)
        assert "◌ stale since 08:00:00: connect to 127.0.0.1:6443: connection refused" in text
        assert "╭┄ ◌ mysql · MySQL ┄" in text
        live.connection("live")
        await settle(pilot)
        assert "● live" in screen_text(app)
        assert "┄" not in screen_text(app)


async def test_the_header_shows_what_must_not_be_overlooked() -> None:
    app = app_for(FakeLive(sample(), insecure=True, as_user="bob"), protected=("real-*",))
    async with app.run_test(size=(140, 40)) as pilot:
        await settle(pilot)
        first = screen_text(app).splitlines()[0]
    for flag in ("read-only", "TLS unverified", "as bob"):
        assert flag in first


async def test_arrows_move_geographically_and_enter_opens() -> None:
    app = app_for(FakeLive(sample()))
    opened = []
    app.open_workload = opened.append
    async with app.run_test(size=(140, 40)) as pilot:
        await settle(pilot)
        grid = app.overview.query_one(GridView)
        seen = [grid.cursor_key]
        for key in ("right", "down", "left", "j", "k", "k", "l", "G", "g", "up", "left"):
            await pilot.press(key)
            seen.append(grid.cursor_key)
        names = [key.rsplit("/", 1)[-1] for key in seen]
        assert names == [
            "cdb",
            "mysql",
            "my-tenant",
            "orders",
            "rabbitmq",
            "orders",
            "cdb",
            "mysql",
            "rabbitmq",
            "cdb",
            "cdb",
            "cdb",
        ]
        await pilot.press("enter")
        assert opened == [seen[0]]


async def test_the_mouse_selects_and_opens() -> None:
    app = app_for(FakeLive(sample()))
    opened = []
    app.open_workload = opened.append
    async with app.run_test(size=(140, 40)) as pilot:
        await settle(pilot)
        await pilot.click(GridView, offset=(90, 4))
        assert app.overview.cursor_key == "stateful/mysql/mysql"
        assert not opened
        await pilot.click(GridView, offset=(90, 4))
        assert opened == ["stateful/mysql/mysql"]


async def test_the_cursor_stays_with_its_workload() -> None:
    live = FakeLive(sample())
    now = [0.0]
    app = app_for(live, monotonic=lambda: now[0])
    async with app.run_test(size=(140, 40)) as pilot:
        await settle(pilot)
        await pilot.press("right")
        now[0] += 5
        live.put(workload("alpha", members=[member("alpha-0", claims=(claim(),))]))
        await settle(pilot)
        assert app.overview.cursor_key == "stateful/mysql/mysql"
        assert "alpha" in screen_text(app)
        live.drop("stateful/mysql/mysql")
        await settle(pilot)
        assert app.overview.cursor_key == "stateful/mysql/orders"


@pytest.mark.parametrize("layout", ["grid", "table"])
async def test_nothing_moves_under_the_hand(layout: str) -> None:
    """A workload that comes within a second of a key press waits; then it takes its place."""
    live = FakeLive(sample())
    now = [100.0]
    app = app_for(live, layout=layout, monotonic=lambda: now[0])
    async with app.run_test(size=(140, 40)) as pilot:
        await settle(pilot)
        await pilot.press("down")
        before = [each.key for each in app.overview.shown]
        now[0] += 0.5
        live.put(workload("alpha", members=[member("alpha-0")]), replace(sample()[1], version="9"))
        await settle(pilot)
        assert [each.key for each in app.overview.shown] == before
        assert "alpha" not in screen_text(app)
        assert [each.version for each in app.overview.shown if each.name == "orders"] == ["9"]
        now[0] += 2
        app.overview._settle()
        await settle(pilot)
        assert app.overview.shown[0].name == "alpha"
        assert "alpha" in screen_text(app)


async def test_filter_survives_refresh_and_escape_clears() -> None:
    live = FakeLive(all_states())
    app = app_for(live, layout="table")
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await pilot.press("slash", *"shop !redis")
        await settle(pilot)
        assert rows_of(app) == ["shop"]
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, OverviewScreen)
        live.put(*live.workloads.values())
        await settle(pilot)
        assert rows_of(app) == ["shop"]
        assert "/shop !redis 1 of 9" in screen_text(app)
        await pilot.press("escape")
        await settle(pilot)
        assert len(rows_of(app)) == 9


async def test_a_filter_that_matches_nothing_says_so() -> None:
    app = app_for(FakeLive(sample()))
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await pilot.press("slash", *"nothing-like-it", "enter")
        await settle(pilot)
        assert "None of 5 workloads passes the filter" in screen_text(app)
        await pilot.press("escape")
        await settle(pilot)
        assert "mysql" in screen_text(app)


async def test_sorts_show_their_direction() -> None:
    app = app_for(FakeLive(all_states()), layout="table")
    async with app.run_test(size=(120, 30)) as pilot:
        await settle(pilot)
        seen = {}
        for _ in range(6):
            await pilot.press("o")
            await settle(pilot)
            seen[app.overview.order.sort] = rows_of(app)
        await pilot.press("O")
        await settle(pilot)
        header = screen_text(app).splitlines()[1]
    assert seen["name"] == sorted(seen["name"])
    assert seen["health"][0] in ("ledger", "cache")
    assert seen["use"][0] == "ledger"
    assert seen["restarts"][:2] == ["ledger", "rabbitmq"]
    assert "AGE▼" in header or "AGE▲" in header


async def test_faults_only() -> None:
    app = app_for(FakeLive(all_states()), layout="table")
    async with app.run_test(size=(120, 30)) as pilot:
        await settle(pilot)
        await pilot.press("z")
        await settle(pilot)
        assert sorted(rows_of(app)) == ["cache", "ledger", "mysql", "shop"]


async def test_many_workloads_become_a_table_with_a_preview() -> None:
    app = app_for(FakeLive(many(40)))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        text = screen_text(app)
        assert "WORKLOAD" in text
        assert "── ✗ app-0000" in text
        await pilot.press("down")
        await settle(pilot)
        assert "── ● app-0004" in screen_text(app)


async def test_the_layout_changes_with_each_press_and_is_remembered() -> None:
    app = app_for(FakeLive(sample()), chosen=False)
    async with app.run_test(size=(140, 40)) as pilot:
        await settle(pilot)
        seen = []
        for _ in range(3):
            await pilot.press("v")
            await settle(pilot)
            seen.append((app.overview.chosen, "WORKLOAD" in screen_text(app)))
        assert seen == [("table", True), ("auto", False), ("table", True)]
        assert "table" in screen_text(app).splitlines()[0]
    again = app_for(FakeLive(sample()), chosen=False)
    async with again.run_test(size=(140, 40)) as pilot:
        await settle(pilot)
        assert "WORKLOAD" in screen_text(again)
        await pilot.press("v")
        await settle(pilot)
        assert "auto" in screen_text(again).splitlines()[0]


@pytest.mark.parametrize("layout", ["grid", "table"])
async def test_jump(layout: str) -> None:
    app = app_for(FakeLive(sample()), layout=layout)
    async with app.run_test(size=(140, 40)) as pilot:
        await settle(pilot)
        await pilot.press("apostrophe")
        await settle(pilot)
        assert app.overview.jumping
        await pilot.press("d")
        await settle(pilot)
        assert app.overview.cursor_key == app.overview.shown[2].key
        await pilot.press("ctrl+o", "q")
        assert not app.overview.jumping
        assert app.is_running


async def test_contexts_can_be_switched_while_the_old_cluster_hangs() -> None:
    """The old context does not even end when it is cancelled: the new one opens all the same."""

    release, ended = asyncio.Event(), asyncio.Event()

    class Stubborn(FakeLive):
        async def run(self) -> None:
            self.running.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await release.wait()
                ended.set()

    old = Stubborn(state="failed", trouble=REFUSED)
    new = FakeLive(sample(), context="staging")
    app = app_for(old, new)
    async with app.run_test(size=(140, 40)) as pilot:
        await old.running.wait()
        await settle(pilot)
        await pilot.press("c")
        await settle(pilot)
        assert isinstance(app.screen, Chooser)
        await pilot.press(*"stag", "enter")
        await new.running.wait()
        await settle(pilot)
        assert not ended.is_set()
        assert app.gateway.opened[-1].context == "staging"
        assert "staging" in screen_text(app).splitlines()[0]
        old.put(workload("ghost", members=[member()]))
        await settle(pilot)
        assert "ghost" not in screen_text(app)
        release.set()


async def test_namespaces_can_be_switched() -> None:
    app = app_for(FakeLive(sample()), FakeLive(sample()[:1], scope="namespace team-blue"))
    async with app.run_test(size=(140, 40)) as pilot:
        await settle(pilot)
        await pilot.press("n")
        await settle(pilot)
        assert "kube-system" in screen_text(app)
        await pilot.press(*"blue", "enter")
        await settle(pilot)
        assert app.gateway.opened[-1].namespace == "team-blue"
        assert "/ namespace team-blue" in screen_text(app)


async def test_a_gateway_that_cannot_open_is_explained_and_retried() -> None:
    trouble = ProblemError(
        Problem(Cause.CONFIG, "The catalogue has a mistake", "mysql/system.yaml: roles", "Correct it.")
    )
    app = app_for(trouble, FakeLive(sample()))
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        assert "✗ The catalogue has a mistake." in screen_text(app)
        await pilot.press("r")
        await settle(pilot)
        assert "mysql" in screen_text(app)


async def test_retry_reaches_the_cluster() -> None:
    live = FakeLive(state="failed", trouble=REFUSED)
    app = app_for(live)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("r", "ctrl+r")
        assert live.retried == 2


async def test_the_palette_runs_actions_and_help_knows_the_focus() -> None:
    app = app_for(FakeLive(sample()))
    async with app.run_test(size=(140, 50)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+p")
        await settle(pilot)
        await pilot.press(*"faults", "enter")
        await settle(pilot)
        assert app.overview.order.faults
        await pilot.press("question_mark")
        await settle(pilot)
        assert isinstance(app.screen, HelpScreen)
        text = screen_text(app)
        for words in ("Overview, grid", "grid.open", "overview.filter", "◍  terminates", "▲  takes writes"):
            assert words in text
        await pilot.press("escape")
        await settle(pilot)
        assert isinstance(app.screen, OverviewScreen)


async def test_keys_can_be_changed_by_id() -> None:
    app = app_for(FakeLive(sample()), keys={"overview.faults": "x"})
    async with app.run_test(size=(140, 40)) as pilot:
        await settle(pilot)
        await pilot.press("z")
        assert not app.overview.order.faults
        await pilot.press("x")
        assert app.overview.order.faults


@pytest.mark.parametrize("layout", ["grid", "table"])
async def test_hostile_text_is_shown_not_interpreted(layout: str) -> None:
    app = app_for(FakeLive(hostile()), layout=layout)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        text = screen_text(app)
    assert "[bold red]x[/] ␛[31mred␛]0;t␇" in text
    assert "wide-宽" in text
    assert "原因: 磁盘已满" in text


async def test_three_hundred_resizes() -> None:
    app = app_for(FakeLive(all_states()))
    async with app.run_test(size=(140, 40)) as pilot:
        for step in range(300):
            await pilot.resize_terminal(20 + step * 37 % 140, 5 + step * 13 % 45)
        for size in ((20, 5), (60, 15), (5, 2), (140, 40)):
            await pilot.resize_terminal(*size)
            await settle(pilot)
        await until(pilot, lambda: "mysql · MySQL" in screen_text(app))


async def test_an_unhealthy_thousand_is_quick() -> None:
    """Not a measurement (those are in tests/bench), a guard against the quadratic: far above what it takes."""
    live = FakeLive(many(1000, 10))
    app = app_for(live)
    async with app.run_test(size=(140, 40)) as pilot:
        await settle(pilot)
        changed = [replace(each, health=Health.FAILING, ready=0) for each in list(live.workloads.values())[:100]]
        begin = time.thread_time()
        live.put(*changed)
        assert time.thread_time() - begin < 0.5
        assert "1000 workloads" in screen_text(app)


@pytest.mark.parametrize("width", [10, 20, 40, 60, 80, 120])
async def test_the_key_line_tells_whole_hints_and_always_the_way_to_the_rest(width: int) -> None:
    app = app_for(FakeLive(sample()))
    async with app.run_test(size=(width, 20)) as pilot:
        await settle(pilot)
        line = screen_text(app).splitlines()[-1]
    hints = {
        f"{key} {words}"
        for key, words in (
            ("⏎", "Open"),
            ("/", "Filter"),
            ("z", "Faults only"),
            ("o", "Sort"),
            ("v", "Grid/table"),
            ("'", "Jump"),
            ("n", "Namespace"),
            ("c", "Context"),
            ("q", "Quit"),
            ("?", "Help"),
            (":", "Everything"),
        )
    }
    told = [hint.strip() for hint in line.split("   ") if hint.strip()]
    assert set(told) <= hints
    assert ": Everything" in told or width < 16
    assert "⏎ Open" in told or width < 40


def noted(*warnings: Warning) -> Workload:
    return replace(sample()[2], warnings=warnings)


NOTE = Warning("the operator warns", "a note", Health.READY)


async def test_a_note_of_a_workload_that_is_well_raises_no_alarm() -> None:
    live = FakeLive([noted(NOTE)])
    app = app_for(live, layout="grid")
    async with app.run_test(size=(140, 40)) as pilot:
        await settle(pilot)
        text = screen_text(app)
        assert "0 ⚠" in text.splitlines()[0]
        assert "· the operator warns" in text and "⚠ the operator warns" not in text
        live.put(noted(NOTE, Warning("no endpoints")))
        await settle(pilot)
        text = screen_text(app)
        assert "1 ⚠" in text.splitlines()[0]
        assert "⚠ no endpoints" in text and "· the operator warns" in text


async def test_where_there_is_room_the_first_of_several_claims_is_named_too() -> None:
    app = app_for(FakeLive(sample()), layout="grid")
    async with app.run_test(size=(100, 40)) as pilot:
        await settle(pilot)
        line = next(line for line in screen_text(app).splitlines() if "zone-0-0" in line)
        assert " data0 " in line
        below = screen_text(app).splitlines()[screen_text(app).splitlines().index(line) + 1]
        assert below.index("data1") == line.index("data0")


async def test_system_files_that_were_left_out_are_told() -> None:
    wrong = Problem(Cause.CONFIG, "/home/me/systems/x/system.yaml is not YAML", "line 3")
    app = app_for(FakeLive(sample(), left_out=(wrong,)))
    async with app.run_test(size=(140, 40)) as pilot:
        await settle(pilot)
        assert "1 system file left out" in screen_text(app).splitlines()[0]
        assert [notification.message for notification in app._notifications] == [str(wrong)]
