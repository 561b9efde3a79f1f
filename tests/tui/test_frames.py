"""What is written to the terminal: never more than what differs, and always enough."""

from __future__ import annotations

import random
from dataclasses import replace
from types import SimpleNamespace

import pytest
from fakes import NOW, FakeLive, all_states, app_for, claim, hostile, many, member, sample, workload
from looking import painted, screen_text, settle, until
from rich.segment import Segment
from rich.style import Style
from terminal import Recorder, Terminal
from textual import events
from textual._compositor import LayoutUpdate
from textual.geometry import Region, Size
from textual.strip import Strip

from tui.screens.frames import FrameDiff
from tui.systems.model import Health


def frame(lines: list[list[Segment]], width: int) -> LayoutUpdate:
    return LayoutUpdate([[Strip(line)] for line in lines], Region(0, 0, width, len(lines)))


def test_equal_frames_write_nothing() -> None:
    diff = FrameDiff()
    lines = [[Segment("mysql ", Style(color="red")), Segment("ready", Style(bold=True))]]
    assert diff.encode(frame(lines, 11), 11, 1)
    assert diff.encode(frame(lines, 11), 11, 1) == ""


def test_only_the_changed_cells_are_written() -> None:
    diff = FrameDiff()
    diff.encode(frame([[Segment("0123456789" * 10)]], 100), 100, 1)
    assert diff.encode(frame([[Segment("0123456789" * 9 + "012x456789")]], 100), 100, 1) == "\x1b[1;94Hx"


def test_a_frame_after_invalidate_is_whole() -> None:
    diff = FrameDiff()
    lines = [[Segment("abc")]]
    first = diff.encode(frame(lines, 3), 3, 1)
    diff.invalidate()
    assert diff.encode(frame(lines, 3), 3, 1) == first


def test_no_color_writes_attributes_only() -> None:
    diff = FrameDiff(no_color=True)
    data = diff.encode(frame([[Segment("x", Style(color="#ff0000", bgcolor="#00ff00", bold=True))]], 1), 1, 1)
    assert data == "\x1b[1;1H\x1b[1mx\x1b[0m"


@pytest.mark.parametrize("seed", range(8))
def test_replayed_it_is_the_frame(seed: int) -> None:
    """Random frames, wide and combining characters among them: a terminal fed with the differences shows each whole."""
    chance = random.Random(seed)
    width, height = 40, 6
    diff, terminal = FrameDiff(), Terminal(width, height)
    styles = [
        Style(
            color=chance.choice(["red", "#123456", "default"]),
            bgcolor=chance.choice([None, "blue", "#ffffff"]),
            bold=chance.random() < 0.3,
            reverse=chance.random() < 0.2,
        )
        for _ in range(6)
    ]
    for _ in range(30):
        lines, expected = [], []
        for _ in range(height):
            line = [
                Segment(
                    "".join(chance.choice("ab 宽●é") for _ in range(chance.randrange(0, 6))) + "e\u0301",
                    chance.choice(styles),
                )
                for _ in range(chance.randrange(1, 8))
            ]
            strip = Strip(line).adjust_cell_length(width)
            lines.append(list(strip))
            expected.append(strip.text.rstrip())
        terminal.feed(diff.encode(frame(lines, width), width, height))
        assert terminal.text == expected
        whole = Terminal(width, height)
        whole.feed(FrameDiff().encode(frame(lines, width), width, height))
        assert terminal.cells == whole.cells


async def test_the_terminal_shows_what_textual_drew() -> None:
    """Through the whole app: after keys, a dialog, a change and a resize, the terminal's cells are the screen's."""
    live = FakeLive(all_states())
    app = app_for(live, driver_class=Recorder)
    async with app.run_test(headless=False, size=(120, 36)) as pilot:
        await settle(pilot)
        terminal = Terminal(120, 36)
        for step in ("down", "right", "ctrl+p", "x", "escape", "v", "j", "o", "question_mark", "escape", "v"):
            await pilot.press(step)
            await settle(pilot)
            terminal.feed(painted(app))
            assert "\n".join(terminal.text) == screen_text(app), step


@pytest.mark.parametrize("layout", ["grid", "table"])
async def test_one_pod_changing_is_cheap(layout: str) -> None:
    """At 140×40, in true colour: a pod that becomes ready costs at most 600 bytes, the header's counts included."""
    live = FakeLive(sample())
    app = app_for(live, layout=layout, driver_class=Recorder)
    async with app.run_test(headless=False, size=(140, 40)) as pilot:
        await settle(pilot)
        assert len(painted(app)) > 4000
        mysql = live.workloads["stateful/mysql/mysql"]
        last = replace(mysql.members[2], health=Health.READY, phase="Running", ready="1/1", created=NOW)
        live.put(replace(mysql, members=(*mysql.members[:2], last), ready=3, health=Health.READY, why=""))
        await settle(pilot)
        assert 0 < len(painted(app).encode()) <= 600


async def test_idle_is_silent_apart_from_ages() -> None:
    now = [NOW]
    young = member("mysql-0", created=NOW - 3, claims=(claim(),))
    live = FakeLive([workload("mysql", members=[young]), *many(5)])
    app = app_for(live, driver_class=Recorder, clock=lambda: now[0])
    async with app.run_test(headless=False, size=(140, 40)) as pilot:
        await settle(pilot)
        painted(app)
        app._tick()
        live.tell(SimpleNamespace(changed=(), gone=(), feeds=True, complete=True))
        live.put(*live.workloads.values())
        await settle(pilot)
        assert painted(app) == ""
        now[0] += 5
        app._tick()
        await settle(pilot)
        told = painted(app)
        assert 0 < len(told) < 60
        assert "5" in screens_of(told)


async def test_after_a_storm_of_sizes_the_screen_is_whole() -> None:
    """Textual ignores a size that it knows, but the terminal may have thrown away what it showed in between."""
    app = app_for(FakeLive(sample()), driver_class=Recorder)
    async with app.run_test(headless=False, size=(140, 40)) as pilot:
        await settle(pilot)
        painted(app)
        app.post_message(events.Resize(Size(140, 40), Size(140, 40)))
        terminal = Terminal(140, 40)

        def whole() -> bool:
            terminal.feed(painted(app))
            return "\n".join(terminal.text) == screen_text(app)

        await until(pilot, whole)


async def test_hostile_text_reaches_no_terminal() -> None:
    app = app_for(FakeLive(hostile()), driver_class=Recorder, layout="grid")
    async with app.run_test(headless=False, size=(140, 40)) as pilot:
        await settle(pilot)
        for key in ("v", "question_mark", "escape", "ctrl+p"):
            await pilot.press(key)
            await settle(pilot)
        told = painted(app)
    for char in "\x9b\u202e\u200b\ud800":
        assert char not in told
    assert "\x1b]0;t" not in told
    assert "[bold red]x[/]" in screens_of(told)


def screens_of(told: str) -> str:
    terminal = Terminal(140, 40)
    seen = []
    for part in told.split("\x1b[1;1H"):
        terminal.feed("\x1b[1;1H" + part)
        seen += terminal.text
    return "\n".join(seen)
