"""The screen of one workload: what its tabs say, and that it follows the workload."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from looking import painted, screen_text, still
from terminal import Recorder
from textual.geometry import Region
from textual.widget import Widget
from workload_fakes import (
    NOW,
    Host,
    WorkloadLive,
    claim,
    event,
    host,
    hostile,
    member,
    mysql,
    stamp,
    troubled,
    well,
)

from tui.kube import objects as o
from tui.kube.feeds import Feed, Phase
from tui.kube.resources import EVENTS
from tui.problem import Cause, Problem
from tui.screens import help as help_module
from tui.screens.workload import conditions as conditions_module
from tui.screens.workload.panel import Facts
from tui.screens.workload.screen import TABS, WorkloadScreen
from tui.systems.model import Health
from tui.widgets.rows import RowTable

SIZES = [(80, 24), (120, 40)]


def screen(app: Host) -> WorkloadScreen:
    assert isinstance(app.screen, WorkloadScreen)
    return app.screen


def line_of(app: Host, start: str) -> str:
    """The line of a table that begins with this, after the cursor's mark."""
    return next(line for line in screen_text(app).splitlines() if line[1:].startswith(start))


# --- what it says


async def test_members_with_role_phase_restarts_and_claims() -> None:
    app = host(mysql())
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.pause()
        lines = screen_text(app).splitlines()
        assert "mysql · MySQL   stateful   StatefulSet  8.4" in lines[1]
        assert lines[1].rstrip().endswith("2/3 ready")
        first = line_of(app, "● 0")
        assert "primary ▲" in first and "Running" in first and "node-1" in first and "31%" in first
        second = line_of(app, "● 1")
        assert "3 OOMKilled" in second and "87%" in second
        third = line_of(app, "◌ 2")
        assert "Init:1/2 clone-mysql" in third and "0/2" in third and "?" in third


async def test_facts_follow_the_cursor_and_tell_of_containers_probes_and_claims() -> None:
    app = host(mysql())
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.pause()
        facts = screen(app).query_one(Facts)
        assert "primary ▲ takes writes  (ordinal 0 by convention)" in facts.text
        await pilot.press("down")
        assert "mysql-1" in facts.text
        assert "3× restarted, last OOMKilled exit 137 12:40:00 after 10m" in facts.text
        assert "Readiness probe failed: ERROR 2003 (HY000)" in facts.text
        assert "×12" in facts.text
        await pilot.press("down")
        assert "clone-mysql init  running 20s" in facts.text
        assert "init-mysql init  Completed" in facts.text
        assert "no figure for hostPath volumes" in facts.text
        assert "waits for clone-mysql (from mysql-1)" in facts.text


async def test_what_stands_in_is_said_in_headline_and_facts() -> None:
    said = "Valkey stands in for MySQL: it knows no SQL"
    shown = replace(mysql(), members=tuple(replace(each, stands_in=said) for each in mysql().members))
    app = host(shown)
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.pause()
        second = next(line for line in screen_text(app).splitlines() if "2 waits for clone-mysql" in line)
        assert "Valkey stands in for MySQL" in second
        assert said in screen(app).query_one(Facts).text
        await pilot.press("enter")
        await pilot.pause()
        assert f"stand-in  {said}" in screen(app).query_one(Facts).text


async def test_a_member_that_does_not_exist_says_so() -> None:
    app = host(troubled())
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.pause()
        await pilot.press("G")
        text = screen(app).query_one(Facts).text
        assert "does not exist" in text
        assert "not scheduled" in text
        lines = screen_text(app).splitlines()
        assert any("✓ 6bf9d4c7" in line for line in lines), "the revision shows during a rollout"
        assert "Pending data" in line_of(app, "○ 3")


async def test_claims_tell_size_class_use_and_who_holds_them() -> None:
    growing = claim("data-mysql-0", used=0.5, requested=20 << 30)
    app = host(
        mysql(members=(member("mysql-0", "0", claims=(growing, claim("x"))),), spare_claims=(claim("data-mysql-7"),))
    )
    async with app.run_test(size=(160, 30)) as pilot:
        await pilot.press("2")
        await pilot.pause()
        first = line_of(app, "● data-mysql-0")
        assert "10Gi→20Gi" in first and "50%" in first and "5Gi of 10Gi" in first and "standard" in first
        unknown = line_of(app, "● x")
        assert "no figure for host" in unknown
        assert "spare" in line_of(app, "● data-mysql-7")
        await pilot.press("G")
        assert "left by a member that no longer exists" in screen(app).query_one("ClaimsTab Facts", Facts).text


async def test_a_shared_file_system_is_no_figure_of_its_own() -> None:
    shared = claim("data-mysql-0", used=0.5)
    assert shared.usage is not None
    app = host(
        mysql(members=(member("mysql-0", "0", claims=(replace(shared, usage=replace(shared.usage, shared=True)),)),))
    )
    async with app.run_test(size=(140, 30)) as pilot:
        await pilot.press("2")
        await pilot.pause()
        assert "~50%" in screen_text(app)
        assert "which others share" in screen(app).query_one("ClaimsTab Facts", Facts).text


async def test_events_are_merged_newest_first_and_of_this_workload_only() -> None:
    app = host(mysql())
    app.live.store.put("events", event("b2", "Pod", "mysql-1", "Unhealthy", "again", ago=5, type="Warning", count=2))
    async with app.run_test(size=(160, 30)) as pilot:
        await pilot.press("3")
        await pilot.pause()
        table = screen(app).query("EventsTab RowTable").first(RowTable)
        reasons = [str(row.cells[1][1][0]) for row in table.rows]
        assert reasons[0] == "Unhealthy"
        assert reasons[-1] == "Killing", "the pod mysql-7 is gone and of this set"
        text = screen_text(app)
        assert "⚠ Unhealthy" in text and "×12" in text
        assert "not of this workload" not in text
        assert "Scheduled" in reasons, "an event that has eventTime only"
        # A second one with the same words is the same line, counted.
        app.live.store.put(
            "events", event("b3", "Pod", "mysql-1", "Unhealthy", "again", ago=1, type="Warning", count=3)
        )
        screen(app)._look()
        await pilot.pause()
        assert table.rows[0].cells[3] == "×5"


async def test_conditions_name_the_cause_with_evidence() -> None:
    app = host(mysql())
    waiting = o.ContainerState(waiting=o.Waiting("ImagePullBackOff", 'Back-off pulling image "mysql:nope": not found'))
    pod = app.live.store.named("pods", "stateful", "mysql-2", o.Pod)
    assert pod is not None
    broken = [o.ContainerStatus("mysql", state=waiting), o.ContainerStatus("xtrabackup", state=waiting)]
    status = o.PodStatus(
        "Pending", container_statuses=broken, init_container_statuses=pod.status.init_container_statuses
    )
    meta = o.ObjectMeta(name="mysql-2", namespace="stateful", uid="uid-mysql-2", resource_version="42")
    app.live.store.put("pods", o.Pod(metadata=meta, spec=pod.spec, status=status))
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.press("4")
        await pilot.pause()
        text = screen_text(app)
        assert "2 of 3 members are ready" in text
        assert "mysql-2" in text
        assert "4 Conditions ⚠" in text


async def test_conditions_when_all_is_well_and_what_the_operator_claims() -> None:
    app = host(well())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("4")
        await pilot.pause()
        assert "all 2 members are ready" in screen_text(app)
    app = host(troubled())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("4")
        await pilot.pause()
        text = screen_text(app)
        assert "1 of 3 members are ready" in text
        assert "the operator calls it healthy, one of three is ready" in text
        assert "its own claim" in text and "Cluster in healthy state" in text
        assert "it does not move: shop-db-2 is not ready for 12m" in text


async def test_conditions_tell_the_rules_of_the_set() -> None:
    app = host(well())
    app.live.workloads[well().key] = replace(well(), objects=mysql().objects)
    spec = o.StatefulSetSpec(
        replicas=3,
        volume_claim_templates=[o.ClaimTemplate()],
        persistent_volume_claim_retention_policy=o.RetentionPolicy("Delete", "Retain"),
        update_strategy=o.UpdateStrategy("RollingUpdate", o.RollingUpdate(2)),
    )
    meta = o.ObjectMeta(name="mysql", namespace="stateful", uid="uid-set", resource_version="1")
    app.live.store.put("statefulsets", o.StatefulSet(metadata=meta, spec=spec))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("4")
        await pilot.pause()
        text = screen_text(app)
        assert "kept when scaled down, deleted when the set is deleted" in text
        assert "ordinals below 2 are held back" in text


# --- following


async def test_a_changed_member_repaints_narrow_regions_only(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Widget, tuple[Region, ...]]] = []
    original = Widget.refresh

    def refresh(self: Widget, *regions: Region, **more: Any) -> Any:
        asked.append((self, regions))
        return original(self, *regions, **more)

    app = host(mysql())
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.pause()
        before = app.live.workloads["stateful/mysql/mysql"]
        changed = replace(before.members[2], phase="Init:1/2 xtrabackup!", restarts=1)
        monkeypatch.setattr(Widget, "refresh", refresh)
        app.live.put(replace(before, members=(*before.members[:2], changed)))
        painted = [(type(widget).__name__, region) for widget, regions in asked for region in regions]
        assert {name for name, _ in painted} == {"RowTable"}
        assert all(region.height == 1 and region.y == 3 for _, region in painted)
        assert sum(region.width for _, region in painted) < 60
        assert not [widget for widget, regions in asked if not regions]
        asked.clear()
        app.live.put(app.live.workloads["stateful/mysql/mysql"])
        screen(app)._look()
        assert asked == [], "nothing changed, nothing is painted"


async def test_one_changed_member_costs_at_most_600_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    app = host(mysql(), driver_class=Recorder)
    async with app.run_test(size=(140, 40), headless=False) as pilot:
        await pilot.pause()
        await still(app, pilot)
        before = app.live.workloads["stateful/mysql/mysql"]
        changed = replace(before.members[1], restarts=4)
        painted(app)
        app.live.put(replace(before, members=(before.members[0], changed, before.members[2])))
        await still(app, pilot)
        written = painted(app)
        assert "4" in written
        assert len(written.encode()) <= 600
        screen(app)._look()
        await still(app, pilot)
        assert painted(app) == "", "idle costs nothing"


async def test_members_come_and_go() -> None:
    app = host(mysql())
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.pause()
        await pilot.press("down")
        before = app.live.workloads["stateful/mysql/mysql"]
        app.live.put(replace(before, members=before.members[1:]))
        await pilot.pause()
        table = screen(app).query_one(RowTable)
        assert [row.key for row in table.rows] == ["mysql-1", "mysql-2"]
        assert table.cursor_key == "mysql-1"
        app.live.put(replace(before, members=(*before.members, member("mysql-3", "3"))))
        await pilot.pause()
        assert table.cursor_key == "mysql-1"
        assert "Members 4" in screen_text(app)
        app.live.put(replace(before, members=()))
        await pilot.pause()
        assert "no members" in screen_text(app)


async def test_a_deleted_workload_stays_with_a_banner_and_can_come_back() -> None:
    app = host(mysql(), well())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        before = app.live.workloads["stateful/mysql/mysql"]
        app.live.drop(before.key)
        await pilot.pause()
        assert "deleted at 12:45:00: what follows is its last known state" in screen_text(app)
        assert "● 0" in screen_text(app)
        app.now += 60
        app.live.put(well())
        await pilot.pause()
        assert "deleted at 12:45:00" in screen_text(app), "the moment of the deletion stays"
        await pilot.press("4")
        await pilot.pause()
        assert "deleted; what follows was so when it was last seen" in screen_text(app)
        app.live.put(before)
        await pilot.pause()
        assert "deleted" not in screen_text(app)
        app.live.drop(before.key)
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(app.screen, WorkloadScreen)
        assert app.live.listeners == []


async def test_it_leaves_when_another_context_is_opened() -> None:
    app = host(mysql())
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.pause()
        app.live = WorkloadLive([])
        screen(app)._look()
        await pilot.pause()
        assert not isinstance(app.screen, WorkloadScreen)


async def test_ages_move_without_the_workload() -> None:
    app = host(mysql())
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.pause()
        assert "83m" in screen_text(app)
        app.now += 3600
        screen(app)._look()
        await pilot.pause()
        assert "2h" in screen_text(app)


async def test_a_clock_that_was_set_back_gives_no_negative_age() -> None:
    app = host(mysql())
    app.now = NOW - 100_000
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.pause()
        for key in "1234":
            await pilot.press(key)
            await pilot.pause()
            assert "-" not in [word[:1] for word in screen_text(app).split() if word[1:2].isdigit()]


async def test_a_workload_that_is_not_known() -> None:
    app = Host(WorkloadLive([well()]), "stateful/mysql/nothing")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "stateful/mysql/nothing is not known any more" in screen_text(app)
        for key in ("tab", "y", "3", "right_square_bracket", "enter"):
            await pilot.press(key)
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(app.screen, WorkloadScreen)


# --- keys


async def test_tabs_are_turned_by_number_tab_and_click_and_made_when_looked_at() -> None:
    app = host(mysql())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert screen(app).tab == "Members"
        assert not screen(app).query("ClaimsTab, EventsTab, ConditionsTab, YamlTab")
        await pilot.press("tab")
        assert screen(app).tab == "Claims"
        await pilot.press("shift+tab", "shift+tab")
        assert screen(app).tab == "YAML"
        for number, name in enumerate(TABS, 1):
            await pilot.press(str(number))
            assert screen(app).tab == name
        await pilot.click("#tabs", offset=(18, 0))
        assert screen(app).tab == "Claims"


async def test_neighbours_in_the_order_of_the_list() -> None:
    app = host(mysql(), well(), troubled())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await pilot.press("right_square_bracket")
        assert screen(app).key == well().key
        assert "orders · MySQL" in screen_text(app)
        await pilot.press("left_square_bracket", "left_square_bracket")
        assert screen(app).key == troubled().key
        await pilot.press("4", "right_square_bracket")
        await pilot.pause()
        assert "mysql-2" in screen_text(app), "the open tab stays open"


async def test_enter_goes_to_the_facts_and_escape_comes_back_before_it_leaves() -> None:
    app = host(mysql())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        facts = screen(app).query_one(Facts)
        low = facts.size.height
        await pilot.press("enter")
        await pilot.pause()
        assert facts.has_focus
        assert facts.size.height > low, "there is more room while they are read"
        await pilot.press("escape")
        await pilot.pause()
        assert screen(app).query_one(RowTable).has_focus
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(app.screen, WorkloadScreen)


# --- trouble


async def test_hostile_names_are_shown_and_not_interpreted() -> None:
    app = host(hostile())
    async with app.run_test(size=(140, 40)) as pilot:
        for key in "1234":
            await pilot.press(key)
            await pilot.pause()
            text = screen_text(app)
            assert "[red]x[/]" in text
            assert not [char for char in text if char != "\n" and not char.isprintable()]


@pytest.mark.parametrize("size", [(60, 15), (20, 5), (10, 3), (2, 1), (400, 100)])
async def test_any_size_is_survived(size: tuple[int, int]) -> None:
    app = host(troubled())
    async with app.run_test(size=size) as pilot:
        for key in ("1", "enter", "escape", "2", "3", "4", "5", "1"):
            await pilot.press(key)
            await pilot.pause()
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert "CrashLoopBackOff" in screen_text(app)


async def test_a_storm_of_resizes() -> None:
    app = host(mysql())
    async with app.run_test(size=(80, 24)) as pilot:
        for at in range(60):
            await pilot.resize_terminal(20 + at % 140, 5 + at % 40)
        await pilot.resize_terminal(120, 40)
        await pilot.pause()
        assert "primary ▲" in screen_text(app)


async def test_what_may_not_be_read_is_said_in_the_servers_words() -> None:
    app = host(mysql(members=()))
    words = 'events is forbidden: User "viewer" cannot list resource "events"'
    refused = Problem(Cause.FORBIDDEN, "You may not list events", words)
    app.live.store.remove("events", "uid-event-d")
    app.live.store.replace("events", None, [])
    app.live.cluster.feeds = {("events", None): Feed(EVENTS, None, Phase.FORBIDDEN, NOW, 0, refused)}
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("3")
        await pilot.pause()
        assert words in screen_text(app)
        app.live.cluster.feeds = {("events", None): Feed(EVENTS, None, Phase.LIVE, NOW, 0)}
        screen(app)._look()
        await pilot.pause()
        assert "nothing was reported in the last hour" in screen_text(app)


async def test_a_diagnosis_that_fails_takes_no_screen_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("odd object")

    monkeypatch.setattr(conditions_module, "diagnose", broken)
    app = host(mysql())
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("4")
        await pilot.pause()
        assert "statetui could not work out why" in screen_text(app)
        assert "odd object" in screen_text(app)


async def test_a_thousand_members_are_drawn_in_time() -> None:
    members = tuple(member(f"mysql-{n}", str(n), claims=(claim(f"data-mysql-{n}", used=0.5),)) for n in range(1_000))
    app = host(mysql(members=members))
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("2")
        await pilot.pause()
        began = time.perf_counter()
        screen(app)._look()
        assert time.perf_counter() - began < 0.5, "a scan of all members for each claim would take seconds"


# --- pictures


PICTURES = [(mysql, "1"), (mysql, "2"), (mysql, "3"), (troubled, "1"), (troubled, "2"), (troubled, "4"), (well, "4")]


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x40"])
@pytest.mark.parametrize(("state", "tab"), PICTURES, ids=[f"{state.__name__}-{tab}" for state, tab in PICTURES])
def test_picture(snap_compare: Any, state: Any, tab: str, size: tuple[int, int]) -> None:
    app = host(state())

    async def turn(pilot: Any) -> None:
        await pilot.press(tab)
        await still(app, pilot)

    assert snap_compare(app, run_before=turn, terminal_size=size)


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x40"])
def test_picture_of_a_deleted_workload(snap_compare: Any, size: tuple[int, int]) -> None:
    app = host(mysql())

    async def drop(pilot: Any) -> None:
        await pilot.pause()
        app.live.drop("stateful/mysql/mysql")
        await still(app, pilot)

    assert snap_compare(app, run_before=drop, terminal_size=size)


def test_picture_without_colour(snap_compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = host(troubled())
    assert snap_compare(app, run_before=lambda pilot: still(app, pilot), terminal_size=(80, 24))


def test_stamps_are_of_this_clock() -> None:
    assert stamp(0) == "2026-11-23T12:45:00Z"
    assert Health.READY.value == "ready"


# --- little room


async def test_on_five_lines_the_list_or_the_facts_have_what_there_is() -> None:
    app = host(mysql())
    async with app.run_test(size=(20, 5)) as pilot:
        await still(app, pilot)
        lines = screen_text(app).splitlines()
        assert lines[0].startswith(" stat") and lines[1].startswith("  1 Members")
        assert lines[2].startswith(" MEMB") and lines[3].startswith("▌● 0") and "esc Back" in lines[4]
        assert not screen(app).show_vertical_scrollbar
        await pilot.press("enter")
        await still(app, pilot)
        assert isinstance(app.focused, Facts) and "mysql-0" in screen_text(app).splitlines()[2]
        await pilot.press("escape")
        await still(app, pilot)
        assert isinstance(app.focused, RowTable) and "▌● 0" in screen_text(app)


async def test_on_a_low_terminal_the_events_stay_when_the_tabs_are_turned() -> None:
    app = host(mysql())
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.press("3", "enter")
        await still(app, pilot)
        assert "Started container" in screen_text(app)
        await pilot.press("1", "3")
        await still(app, pilot)
        assert isinstance(app.focused, Facts)
        await pilot.resize_terminal(60, 30)
        await pilot.press("escape")
        await still(app, pilot)
        assert "LAST REASON" in screen_text(app) and isinstance(app.focused, RowTable)


async def test_the_message_of_an_event_has_room_at_80_columns() -> None:
    app = host(mysql())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        await still(app, pilot)
        header = next(line for line in screen_text(app).splitlines() if "REASON" in line)
        assert header.index("OBJECT") - header.index("REASON") <= 18
        assert 80 - header.index("MESSAGE") >= 30
        await pilot.resize_terminal(64, 24)
        await still(app, pilot)
        header = next(line for line in screen_text(app).splitlines() if "REASON" in line)
        assert "OBJECT" not in header and 64 - header.index("MESSAGE") >= 30


async def test_an_operator_is_said_to_say_it_once() -> None:
    app = host(replace(well(), operator_status="Cluster in healthy state"))
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.press("4")
        await still(app, pilot)
        text = screen_text(app)
        assert "Its operator says" in text and "│ Cluster in healthy state" in text
        assert text.lower().count("operator says") == 2  # the headline, and the section


def test_help_is_not_broken_where_its_source_is() -> None:
    page = help_module._Page(WorkloadScreen.HELP, [])
    text = ["".join(piece for piece, _ in line).strip() for line in page._set(60)]
    told = text[3 : text.index("", 3)]
    assert len(told) > 3 and all(len(line) > 40 for line in told[:-1])
