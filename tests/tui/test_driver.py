"""A lone escape is heard in time, and the sequence of another key is not taken for one."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest
from textual import constants, events
from textual.message import Message

from tui.screens.driver import PromptDriver

DELAY = 0.02


class Heard(PromptDriver):
    """Reads from a pipe and notes what it heard, and when."""

    def __init__(self, fd: int) -> None:
        self.fileno = fd
        self.exit_event = threading.Event()
        self._debug = False
        self.keys: list[tuple[str, float]] = []

    def process_message(self, message: Message) -> None:
        if isinstance(message, events.Key):
            self.keys.append((message.key, time.monotonic()))

    def wait(self, count: int) -> list[str]:
        end = time.monotonic() + 5
        while len(self.keys) < count and time.monotonic() < end:
            time.sleep(0.002)
        return [key for key, _ in self.keys]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Heard, int]]:
    monkeypatch.setattr(constants, "ESCAPE_DELAY", DELAY)
    reads, writes = os.pipe()
    driver = Heard(reads)
    thread = threading.Thread(target=driver.run_input_thread)
    thread.start()
    yield driver, writes
    driver.exit_event.set()
    thread.join(5)
    os.close(reads)
    os.close(writes)
    assert not thread.is_alive()


def test_an_escape_that_nothing_follows_is_heard_after_the_delay(typed: tuple[Heard, int]) -> None:
    driver, fd = typed
    taken = []
    for number in range(1, 6):
        before = time.monotonic()
        os.write(fd, b"\x1b")
        assert driver.wait(number) == ["escape"] * number
        taken.append(driver.keys[-1][1] - before)
    assert sorted(taken)[2] < 0.1, "it waited for the next look at the clock"


def test_a_sequence_torn_apart_is_still_one_key(typed: tuple[Heard, int]) -> None:
    driver, fd = typed
    os.write(fd, b"\x1b")
    time.sleep(DELAY / 10)
    os.write(fd, b"[A")
    assert driver.wait(1) == ["up"]
    os.write(fd, "\N{SNOWMAN}".encode()[:2])
    os.write(fd, "\N{SNOWMAN}".encode()[2:])
    assert len(driver.wait(2)) == 2
