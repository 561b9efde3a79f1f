"""Forwards on screen: opened with two keys, shown as they are, and never ended without a word."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fakes import NOW, FakeLive, app_for, sample
from forward_fakes import EVIL, FORBIDDEN, REFUSED, WAITING, ForwardLive, pod_port, tunnel, tunnels
from looking import screen_text, settle, still
from terminal import Recorder
from textual.pilot import Pilot
from textual.widgets import Input

from tui.kube.forward.views import State
from tui.screens.forwards.dialog import ForwardDialog
from tui.screens.forwards.parts import ForwardList, TunnelList
from tui.screens.forwards.question import Question
from tui.screens.forwards.screen import ForwardsScreen
from tui.screens.forwards.signs import badge, rate, spark
from tui.screens.workload.screen import WorkloadScreen
from tui.settings_forwards import ForwardSetting
from tui.widgets.ink import plain

SIZES = [(80, 24), (120, 40)]
Prepare = Callable[[Any, Pilot[Any]], Awaitable[None]]


async def to_workload(pilot: Pilot[Any], name: str) -> None:
    await pilot.pause()
    app = pilot.app
    app.overview._move_to(next(key for key, each in app.workloads.items() if each.name == name))
    await pilot.pause()


def fields(app: Any) -> list[str]:
    return [app.screen.query_one(f"#{name}", Input).value for name in ("port", "way", "address")]


def cells(app: Any, row: int = 0) -> list[str]:
    return [plain(cell) for cell in app.screen.query_one(ForwardList).rows[row].cells]


# --- opening one


async def test_one_enter_on_what_is_suggested_opens_it() -> None:
    live = ForwardLive()
    app = app_for(live, layout="table")
    async with app.run_test(size=(120, 40)) as pilot:
        await to_workload(pilot, "mysql")
        assert "f Forward" in screen_text(app)
        await pilot.press("f")
        assert fields(app) == ["3306", "any ready member", "127.0.0.1:3306"]
        assert "leads to mysql-0:3306" in screen_text(app)
        await pilot.press("enter")
        await pilot.pause()
        (forward,) = live.forwards
        assert (forward.target.text, forward.target.port, forward.sticky) == ("mysql", 3306, True)
        assert forward.listener.address == "127.0.0.1:3306"
        assert "mysql:3306 at 127.0.0.1:3306" in screen_text(app)
        await pilot.press("y")
        assert app.clipboard == "127.0.0.1:3306"
        assert "copied 127.0.0.1:3306" in screen_text(app)


@pytest.mark.parametrize(
    ("typed", "target", "port", "sticky"),
    [
        (["tab", *"spread"], "mysql", 3306, False),
        (["tab", *"prim"], "mysql, primary", 3306, True),
        (["tab", *"repl"], "mysql, replica", 3306, True),
        (["tab", *"mysql-1"], "pod mysql-1", 3306, True),
        (["tab", "down", "down"], "mysql, primary", 3306, True),
        ([*"33060"], "mysql", 33060, True),
        ([*"sql"], "mysql", "sql", True),
    ],
)
async def test_ways_and_ports_are_typed_or_chosen(typed: list[str], target: str, port: object, sticky: bool) -> None:
    live = ForwardLive()
    app = app_for(live, layout="table")
    async with app.run_test(size=(120, 40)) as pilot:
        await to_workload(pilot, "mysql")
        await pilot.press("f", *typed, "enter")
        await pilot.pause()
        (forward,) = live.forwards
        assert (forward.target.text, forward.target.port, forward.sticky) == (target, port, sticky)


async def test_only_roles_that_somebody_has_are_offered_and_ill_members_ready_or_not() -> None:
    app = app_for(ForwardLive(), layout="table")
    async with app.run_test(size=(120, 40)) as pilot:
        await to_workload(pilot, "rabbitmq")
        await pilot.press("f", "tab")
        text = screen_text(app)
        assert "primary" not in text and "rabbitmq-2" in text
        await pilot.press("escape")
        await to_workload(pilot, "mysql")
        await pilot.press("f", "tab", *"ready or not", "enter")
        await pilot.pause()
        (forward,) = app.live.forwards
        assert forward.target.unready and forward.target.name == "mysql-2"


async def test_the_address_follows_the_port_until_it_is_chosen() -> None:
    live = ForwardLive()
    app = app_for(live, layout="table")
    async with app.run_test(size=(120, 40)) as pilot:
        await to_workload(pilot, "mysql")
        await pilot.press("f", *"80")
        assert fields(app)[2] == "127.0.0.1:8080"
        await pilot.press("shift+tab", *"5000", "tab", *"443")
        assert fields(app) == ["443", "any ready member", "5000"]
        await pilot.press("shift+tab", *"unix:/tmp/x.sock", "enter")
        await pilot.pause()
        (forward,) = live.forwards
        assert forward.listener.address == "unix:/tmp/x.sock"
        await to_workload(pilot, "mysql")
        await pilot.press("f", "enter")
        await pilot.pause()
        await pilot.press("f")
        assert fields(app)[2] == "127.0.0.1:3307", "one that none of our own forwards has"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["shift+tab", *"3306"], ["Port 3306 on 127.0.0.1 is taken", "Address already in use", "ss -ltnp"]),
        (["shift+tab", *"0.0.0.0:80"], ["Forwards listen on 127.0.0.1 only"]),
        (["shift+tab", *"nonsense"], ["“nonsense” is no address", "Type a port"]),
        (["shift+tab", *"unix:x"], ["The socket's path is not absolute"]),
        ([*"nosuch"], ["has no port named nosuch", "3306 (mysql)"]),
        ([*"70000"], ["There is no port 70000", "1 to 65535"]),
        (["tab", *"emperor"], ["There is no member or role “emperor”"]),
    ],
)
async def test_what_cannot_be_opened_is_said_in_the_dialog_and_nothing_is_lost(
    typed: list[str], said: list[str]
) -> None:
    live = ForwardLive()
    live.forwards.taken.add("127.0.0.1:3306")
    app = app_for(live, layout="table")
    async with app.run_test(size=(80, 24)) as pilot:
        await to_workload(pilot, "mysql")
        await pilot.press("f", *typed)
        before = fields(app)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, ForwardDialog)
        assert fields(app) == before
        text = " ".join(screen_text(app).replace("│", " ").split())
        for words in said:
            assert words in text
        assert not list(live.forwards), "nothing is left behind"


async def test_a_suggested_port_that_is_taken_becomes_the_next_free_one() -> None:
    live = ForwardLive()
    live.forwards.taken.add("127.0.0.1:3306")
    app = app_for(live, layout="table")
    async with app.run_test(size=(80, 24)) as pilot:
        await to_workload(pilot, "mysql")
        await pilot.press("f", "enter")
        await pilot.pause()
        assert [each.listener.address for each in live.forwards] == ["127.0.0.1:3307"]


async def test_from_the_members_tab_it_leads_to_that_pod() -> None:
    live = ForwardLive()
    app = app_for(live, layout="table")
    async with app.run_test(size=(120, 40)) as pilot:
        await to_workload(pilot, "mysql")
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, WorkloadScreen)
        await pilot.press("down", "f")
        assert fields(app)[1] == "mysql-1"
        await pilot.press("escape", "2", "f")
        assert fields(app)[1] == "any ready member"


async def test_the_key_that_copies_is_the_screens_own_again_when_the_note_is_over() -> None:
    app = app_for(ForwardLive(), layout="table")
    async with app.run_test(size=(120, 40)) as pilot:
        await to_workload(pilot, "mysql")
        await pilot.press("enter")
        await pilot.press("f", "enter", "y")
        await pilot.pause()
        assert app.clipboard == "127.0.0.1:3306"
        assert app.screen.tab == "Members"
        await pilot.press("y")
        await pilot.pause()
        assert app.screen.tab == "YAML"


async def test_without_a_context_there_is_nothing_to_forward() -> None:
    app = app_for(FakeLive(sample()))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await pilot.press("f", "F")
        await pilot.pause()
        assert app.screen is app.overview
        assert "f Forward" not in screen_text(app)


# --- the screen


async def test_the_list_tells_state_address_pod_and_traffic() -> None:
    live = ForwardLive()
    app = app_for(live)
    async with app.run_test(size=(180, 40)) as pilot:
        await pilot.pause()
        await live.forward(**tunnels())
        await pilot.press("F")
        await pilot.pause()
        state, name, address, pod, count, sent, received, _, now, since, reason = cells(app)
        assert (state, name, address, pod) == ("● ready", "mysql:3306", "127.0.0.1:3306", "mysql-0:3306 3f2a91")
        assert (count, sent, received, since, reason) == ("4", "40Ki", "89Mi", "5m", "")
        assert now == "↑40B/s"
        table = app.screen.query_one(TunnelList)
        assert [row.key for row in table.rows] == ["3", "5", "6", "7", "4", "2", "1"]
        text = screen_text(app)
        for words in ("does not read", "half-closed", "connecting", "broken", "pod mysql-0 was deleted", "9c1b00"):
            assert words in text


@pytest.mark.parametrize("state", list(State))
async def test_every_state_has_sign_and_word(state: State) -> None:
    live = ForwardLive()
    app = app_for(live)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        forward = await live.forward()
        await pilot.press("F")
        forward.put(state=state)
        await pilot.pause()
        glyph = {"resolving": "◌", "waiting": "○", "ready": "●", "degraded": "◐", "draining": "◍", "stopped": "■"}
        assert cells(app)[0] == f"{glyph[state.value]} {state.value}"


async def test_states_are_shown_at_once_and_a_storm_is_drawn_a_few_times() -> None:
    live = ForwardLive()
    app = app_for(live)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        forward = await live.forward()
        await pilot.press("F")
        await asyncio.sleep(0.15)
        forward.put(**REFUSED)
        await pilot.pause()
        assert cells(app)[0] == "◐ degraded"
        drawn = 0
        screen = app.screen
        original = screen._show_head

        def count() -> None:
            nonlocal drawn
            drawn += 1
            original()

        screen._show_head = count
        for number in range(500):
            forward.put(tunnels=(tunnel(number),))
            if number % 50 == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(0.15)
        assert 1 <= drawn <= 5
        assert screen.query_one(TunnelList).rows[0].key == "499"
        await pilot.press("escape")
        await pilot.pause()
        assert len(live.forwards.on_change) == 1, "the app's own; the screen follows no more"


async def test_an_idle_forward_writes_nothing() -> None:
    live = ForwardLive()
    app = app_for(live, driver_class=Recorder)
    async with app.run_test(headless=False, size=(140, 40)) as pilot:
        await settle(pilot)
        forward = await live.forward(**tunnels())
        forward.facts["rates"] = ((0, 0),) * 100
        await pilot.press("F")
        await still(app, pilot)
        app._driver.take()
        for _ in range(3):
            app.screen._show()
            await settle(pilot)
        assert app._driver.take() == ""
        forward.facts["sent"] += 5000
        app.screen._show()
        await settle(pilot)
        assert 0 < len(app._driver.take().encode()) < 200


async def test_a_stop_names_what_ends_and_waits_for_the_answer() -> None:
    live = ForwardLive()
    app = app_for(live)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        forward = await live.forward(**tunnels())
        await pilot.press("F", "d")
        await pilot.pause()
        assert isinstance(app.screen, Question)
        assert "4 connections, 47Mi so far" in screen_text(app)
        await pilot.press("escape")
        assert forward.state is State.READY
        await pilot.press("d", "enter")
        await pilot.pause()
        assert forward.state is State.STOPPED
        assert cells(app)[0] == "■ stopped"
        await pilot.press("d")
        await pilot.pause()
        assert not list(live.forwards)
        assert "No forwards are open" in screen_text(app)


async def test_without_connections_nothing_is_asked() -> None:
    live = ForwardLive()
    app = app_for(live)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        forward = await live.forward()
        await pilot.press("F", "d")
        await pilot.pause()
        assert forward.state is State.STOPPED
        await pilot.press("s")
        await pilot.pause()
        (again,) = live.forwards
        assert again is not forward
        assert again.listener.address == "127.0.0.1:3306"
        assert cells(app)[0] == "● ready"


async def test_the_address_is_closed_and_opened_and_copied() -> None:
    live = ForwardLive()
    app = app_for(live)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        forward = await live.forward()
        await pilot.press("F", "y")
        assert app.clipboard == "127.0.0.1:3306"
        await pilot.press("a")
        await pilot.pause()
        assert forward.listener is None
        assert cells(app)[2] == "–"
        await pilot.press("a")
        await pilot.pause()
        assert forward.listener.address == "127.0.0.1:3306"


async def test_a_forward_is_led_elsewhere_with_the_dialog_as_it_is_now() -> None:
    live = ForwardLive()
    app = app_for(live)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        forward = await live.forward(role="primary")
        await pilot.press("F", "e")
        assert fields(app) == ["3306", "primary", "127.0.0.1:3306"]
        await pilot.press("tab", *"mysql-1", "tab", *"4000", "enter")
        await pilot.pause()
        assert isinstance(app.screen, ForwardsScreen)
        assert forward.target.text == "pod mysql-1"
        assert forward.name == "pod mysql-1:3306"
        assert forward.listener.address == "127.0.0.1:4000"


async def test_what_stays_as_it_is_is_left_alone_by_a_change() -> None:
    live = ForwardLive()
    app = app_for(live)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        forward = await live.forward()
        live.forwards.taken.add("127.0.0.1:3306")  # by this forward
        before = forward.listener
        await pilot.press("F", "e", "tab", *"repl", "tab", *"3306", "enter")
        await pilot.pause()
        assert isinstance(app.screen, ForwardsScreen)
        assert forward.target.text == "mysql, replica"
        assert forward.listener is before
        await pilot.press("a", "e", "tab", *"spread", "enter")
        await pilot.pause()
        assert (forward.target.text, forward.sticky, forward.listener) == ("mysql", False, None)
        await pilot.press("e", "tab", *"prim")
        forward.put(state=State.STOPPED)
        await pilot.press("enter")
        await pilot.pause()
        assert "The forward was stopped meanwhile" in screen_text(app)


async def test_a_forward_of_no_workload_gets_another_port() -> None:
    live = ForwardLive()
    app = app_for(live)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        forward = live.forwards.add(live.reach.pod("stateful", "lonely-0", 80))
        await pilot.press("F", "e")
        await pilot.pause()
        assert fields(app) == ["80", "pod lonely-0", ""]
        await pilot.press(*"81", "enter")
        await pilot.pause()
        assert (forward.target.text, forward.target.port, forward.listener) == ("pod lonely-0", 81, None)


async def test_a_note_goes_with_its_screen() -> None:
    live = ForwardLive()
    app = app_for(live, layout="table")
    async with app.run_test(size=(120, 40)) as pilot:
        await to_workload(pilot, "mysql")
        await pilot.press("enter", "f", "enter")
        await pilot.pause()
        await pilot.press("escape")
        await pilot.pause()
        await pilot.press("y")
        assert app.clipboard == "", "the note is gone, and its key with it"
        await pilot.press("F", "y")
        await pilot.pause()
        assert app.clipboard == "127.0.0.1:3306"
        assert "copied 127.0.0.1:3306" in screen_text(app)


async def test_enter_goes_to_the_connections_and_their_facts_and_escape_comes_back() -> None:
    live = ForwardLive()
    app = app_for(live)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await live.forward(**tunnels())
        await pilot.press("F", "enter")
        await pilot.pause()
        assert isinstance(app.focused, TunnelList)
        await pilot.press("down", "down", "down", "down", "down")
        await pilot.pause()
        assert "connection 2  broken: it did not end" in screen_text(app)
        assert "9c1b00aa-0000" in screen_text(app)
        await pilot.press("escape")
        assert isinstance(app.focused, ForwardList)
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is app.overview


async def test_forwards_of_the_settings_are_started_when_asked_and_not_before() -> None:
    live = ForwardLive()
    defined = {
        "shop": ForwardSetting("mysql", role="primary", port="sql", local=13306),
        "gone": ForwardSetting("nosuch", port=1),
        "elsewhere": ForwardSetting("mysql", context="prod-*"),
    }
    app = app_for(live, forwards=defined)
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.pause()
        await pilot.press("F")
        await pilot.pause()
        assert not list(live.forwards)
        assert [row.key for row in app.screen.query_one(ForwardList).rows] == ["defined shop", "defined gone"]
        await pilot.press("d", "e", "s", "a", "y")
        await pilot.press("enter")
        await pilot.pause()
        (forward,) = live.forwards
        assert (forward.name, forward.target.text, forward.target.port) == ("shop", "mysql, primary", "sql")
        assert forward.listener.address == "127.0.0.1:13306"
        assert cells(app)[1] == "shop  mysql, primary:sql"
        await pilot.press("down", "enter")
        await pilot.pause()
        assert "No workload is called nosuch" in screen_text(app)
        assert len(list(live.forwards)) == 1


async def test_hostile_words_are_shown_and_not_obeyed() -> None:
    live = ForwardLive()
    app = app_for(live, driver_class=Recorder)
    async with app.run_test(headless=False, size=(120, 40)) as pilot:
        await settle(pilot)
        await live.forward(**{**EVIL, "recent": (tunnel(1, why=EVIL["evidence"]),), "protocol": EVIL["reason"]})
        await pilot.press("F")
        await still(app, pilot)
        written = app._driver.take()
        assert "[bold red]" in screen_text(app)
        for bad in ("\x1b]0;", "\u202e", "\u200b", "\x9b"):
            assert bad not in written


@pytest.mark.parametrize("size", [(60, 15), (40, 10), (20, 5), (1, 1), (300, 100)])
async def test_any_size_is_survived(size: tuple[int, int]) -> None:
    live = ForwardLive()
    app = app_for(live)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await live.forward(**{**tunnels(), **REFUSED})
        await pilot.press("F")
        for key in ("enter", "down", "escape", "e", "escape", "d", "escape", "f", "escape"):
            await pilot.press(key)
            await pilot.pause()
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert isinstance(app.screen, ForwardsScreen)


# --- badges


@pytest.mark.parametrize("layout", ["grid", "table"])
async def test_a_badge_on_the_workload_tells_port_or_count_and_the_worst_state(layout: str) -> None:
    live = ForwardLive()
    app = app_for(live, layout=layout)
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.pause()
        sign = "⇄ " if layout == "grid" else " "
        forward = await live.forward()
        await pilot.pause(0.2)
        assert f"{sign}3306" in screen_text(app)
        forward.put(**WAITING)
        await pilot.pause(0.2)
        assert f"{sign}○ 3306" in screen_text(app)
        second = await live.forward(local=4000)
        second.put(**REFUSED)
        await pilot.pause(0.2)
        assert f"{sign}◐ 2" in screen_text(app)
        for each in (forward, second):
            each.put(state=State.STOPPED)
        await pilot.pause(0.2)
        assert "3306" not in screen_text(app) and "◐ 2" not in screen_text(app)


async def test_what_a_console_opened_for_itself_takes_no_room() -> None:
    live = ForwardLive()
    app = app_for(live, layout="table")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        (await live.forward()).private = True
        live.forwards.tell()
        await pilot.pause(0.2)
        told = screen_text(app)
        assert "SYSTEM" in told and "⇄" not in told


async def test_a_badge_is_there_as_soon_as_one_comes_back_from_the_list() -> None:
    live = ForwardLive()
    app = app_for(live, layout="grid")
    async with app.run_test(size=(140, 40)) as pilot:
        await to_workload(pilot, "mysql")
        await pilot.press("F")
        await live.forward()
        await pilot.pause(0.2)
        await pilot.press("escape")
        await pilot.pause()
        assert "⇄ 3306" in screen_text(app)


async def test_the_headline_has_the_address() -> None:
    live = ForwardLive()
    app = app_for(live, layout="table")
    async with app.run_test(size=(120, 40)) as pilot:
        await to_workload(pilot, "mysql")
        await live.forward(**WAITING)
        await pilot.press("enter")
        await pilot.pause()
        assert "⇄ ○ 127.0.0.1:3306   2/3 ready" in screen_text(app)


# --- leaving


async def test_another_context_is_opened_after_a_question_when_forwards_stand() -> None:
    live, other = ForwardLive(), ForwardLive(context="staging")
    app = app_for(live, other, layout="table")
    async with app.run_test(size=(120, 40)) as pilot:
        await to_workload(pilot, "mysql")
        await live.forward(**tunnels())
        await pilot.press("c", *"staging", "enter")
        await pilot.pause()
        assert "1 forward and 4 connections of this context end" in screen_text(app)
        await pilot.press("escape")
        assert app.live is live
        await pilot.press("c", *"staging", "enter", "enter")
        await pilot.pause()
        assert app.live is other
        await pilot.press("F")
        await pilot.pause()
        assert "No forwards are open" in screen_text(app)
        assert not live.forwards.on_change


async def test_quitting_is_asked_once_when_others_are_connected_and_q_is_an_answer() -> None:
    live = ForwardLive()
    app = app_for(live)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await live.forward(**tunnels())
        await pilot.press("q")
        await pilot.pause()
        assert "4 connections of other programs end" in screen_text(app)
        assert app._exit is False
        await pilot.press("q")
        await pilot.pause()
        assert app._exit
    assert live.forwards.closed == [2.0], "in order, with a moment to finish"


@pytest.mark.parametrize("local", [0, 3306])
async def test_quitting_is_not_asked_without_anybody_connected(local: int) -> None:
    live = ForwardLive()
    app = app_for(live)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await live.forward(local=local, **({} if local else tunnels()))
        await pilot.press("q")
        await pilot.pause()
        assert app._exit


# --- pieces


def test_a_sparkline_moves_in_steps_and_tells_nothing_from_a_little() -> None:
    amounts = [0] * 10 + [1] + [0] * 9 + [1000] * 5
    drawn = plain(spark(amounts, 12, 5, 1000.0 + 4))
    assert drawn == " " * 7 + "··▁·█"
    # A second later the newest cell is another one and the others stand one further left.
    assert plain(spark([*amounts, 0], 12, 5, 1000.0 + 5)) == " " * 6 + "··▁·█·"
    assert plain(spark((), 12, 5, NOW)) == " " * 12


def test_a_badge_is_small() -> None:
    assert badge([]) == ()
    assert plain(badge([("ready", "127.0.0.1:3306")])) == "⇄ 3306"
    assert plain(badge([("ready", "unix:/run/x.sock")])) == "⇄ unix"
    assert plain(badge([("ready", "")])) == "⇄"
    assert plain(badge([("ready", "a:1"), ("waiting", "a:2"), ("stopped", "a:3")])) == "⇄ ○ 2"
    assert plain(rate(0, 0)) == ""
    assert plain(rate(512, 1 << 20)) == "↑512B/s ↓1Mi/s"


# --- pictures


async def _empty(live: ForwardLive) -> None:
    del live


async def _ready(live: ForwardLive) -> None:
    await live.forward(**tunnels())
    await live.forward("my-tenant", local=9000, since=NOW - 7200)
    await live.forward("orders", local=0, role="replica", pod=pod_port("orders-mysql-secondary-0", "77aa01"))
    (await live.forward("rabbitmq", local=5672)).put(state=State.STOPPED, reason="stopped by you")


async def _waiting(live: ForwardLive) -> None:
    await live.forward(**WAITING, pod=None)


async def _degraded(live: ForwardLive) -> None:
    await live.forward(port=9999, local=9999, **REFUSED)


async def _forbidden(live: ForwardLive) -> None:
    await live.forward(**FORBIDDEN)


async def _hostile(live: ForwardLive) -> None:
    await live.forward(**EVIL)


PICTURES: dict[str, tuple[Callable[[ForwardLive], Awaitable[None]], list[str]]] = {
    "empty": (_empty, ["F"]),
    "ready": (_ready, ["F"]),
    "tunnel": (_ready, ["F", "enter", "down"]),
    "waiting": (_waiting, ["F"]),
    "degraded": (_degraded, ["F"]),
    "forbidden": (_forbidden, ["F"]),
    "hostile": (_hostile, ["F"]),
    "dialog": (_empty, ["f"]),
    "dialog-ways": (_empty, ["f", "tab"]),
    "dialog-error": (_empty, ["f", "shift+tab", *"3306", "enter"]),
    "stop": (_ready, ["F", "d"]),
    "quit": (_ready, ["q"]),
    "badges": (_ready, []),
}


def picture(snap_compare: Any, name: str, size: tuple[int, int]) -> bool:
    prepare, keys = PICTURES[name]
    live = ForwardLive()
    live.forwards.taken.add("127.0.0.1:3306") if name == "dialog-error" else None

    async def before(pilot: Pilot[Any]) -> None:
        await to_workload(pilot, "mysql")
        await prepare(live)
        await pilot.pause(0.25)
        await pilot.press(*keys)
        await still(pilot.app, pilot)

    defined = {"shop-db": ForwardSetting("mysql", role="primary", port="sql", local=13306)} if name == "ready" else {}
    return bool(snap_compare(app_for(live, forwards=defined), terminal_size=size, run_before=before))


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x40"])
@pytest.mark.parametrize("name", list(PICTURES))
def test_picture(snap_compare: Any, name: str, size: tuple[int, int]) -> None:
    assert picture(snap_compare, name, size)


@pytest.mark.parametrize("name", ["ready", "degraded", "dialog-error"])
def test_picture_without_colour(snap_compare: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert picture(snap_compare, name, (80, 24))
