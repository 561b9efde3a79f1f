"""Screens are tested without a cluster, without the person's own files, at a fixed place in time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from looking import handled
from textual.pilot import Pilot

os.environ["TEXTUAL_ANIMATIONS"] = "none"


@pytest.fixture(autouse=True)
def own_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in ("config", "state", "cache"):
        monkeypatch.setenv(f"XDG_{name.upper()}_HOME", str(tmp_path / name))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    for name in ("NO_COLOR", "TEXTUAL_COLOR_SYSTEM", "TEXTUAL_THEME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pilot that waits until what it did has been handled, however long that takes on a busy machine."""
    pause, press = Pilot.pause, Pilot.press

    async def pausing(self: Pilot[Any], delay: float | None = None) -> None:
        await pause(self, delay)
        await handled(self.app)

    async def pressing(self: Pilot[Any], *keys: str) -> None:
        for key in keys:
            await press(self, key)
            await handled(self.app)

    monkeypatch.setattr(Pilot, "pause", pausing)
    monkeypatch.setattr(Pilot, "press", pressing)
