"""What tests of screens look at: what stands there, what was written and repainted, and whether it has come to rest."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from terminal import Recorder
from textual.app import App
from textual.geometry import Region
from textual.pilot import Pilot
from textual.widget import Widget

#: How long something may take that takes moments on an idle machine, seconds.
GENEROUS = 60.0
Repaints: TypeAlias = list[tuple[Region, ...]]


def screen_text(app: App[Any]) -> str:
    """What stands on the screen, line by line."""
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


def drawn(widget: Widget) -> list[str]:
    """A widget's lines as text."""
    return [widget.render_line(y).text.rstrip() for y in range(widget.size.height)]


def painted(app: App[Any]) -> str:
    """What an app with a `Recorder` as its driver has written since the last call."""
    assert isinstance(app._driver, Recorder)
    return app._driver.take()


def repaints(monkeypatch: pytest.MonkeyPatch, kind: type[Widget]) -> Repaints:
    """Every repaint that widgets of a kind ask for, as it goes on; an empty tuple is the whole widget."""
    asked: Repaints = []
    original = kind.refresh

    def refresh(self: Widget, *regions: Region, **more: Any) -> Any:
        asked.append(regions)
        return original(self, *regions, **more)

    monkeypatch.setattr(kind, "refresh", refresh)
    return asked


def _busy(app: App[Any]) -> bool:
    """Whether messages wait to be handled, or changes to be drawn."""
    for screen in app.screen_stack:
        drawing = (screen._layout_required, screen._repaint_required, screen._dirty_widgets, screen._callbacks)
        if screen is app.screen and any(drawing):
            return True
        for pump in (app, *screen.walk_children(with_self=True)):
            if pump._message_queue.qsize() or pump._next_callbacks:
                return True
    return False


async def handled(app: App[Any]) -> None:
    """Waits until all messages have been handled and what they changed is drawn, five seconds at most.

    Textual's own wait takes a process for idle that uses no processor. One that gets none does not either: beside other
    programs a test would look before the screen has changed.
    """
    end, idle = time.monotonic() + 5, 0
    while idle < 2 and time.monotonic() < end and app.screen_stack:
        idle = 0 if _busy(app) else idle + 1
        await asyncio.sleep(0)


async def settle(pilot: Pilot[Any]) -> None:
    """Until the messages of now have been handled, and those that they caused."""
    for _ in range(4):
        await pilot.pause()


async def until(pilot: Pilot[Any], met: Callable[[], object]) -> None:
    """Waits until something holds."""
    end = time.monotonic() + GENEROUS
    while not met():
        assert time.monotonic() < end, "it did not come about"
        await pilot.pause(0.01)


async def still(app: App[Any], pilot: Pilot[Any]) -> None:
    """Waits until layout and scroll bars have settled: the screen is the same five times in a row."""
    same, before, end = 0, "", time.monotonic() + GENEROUS
    while same < 5:
        assert time.monotonic() < end, "the screen does not come to rest"
        await pilot.pause(0.01)
        now = screen_text(app)
        same, before = (same + 1 if now == before else 0), now
