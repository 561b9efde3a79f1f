"""What ends in a cycle is freed although it was frozen, and not too often."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from tui.systems.collecting import SHARE, Collector


class Cycle:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_garbage_that_was_frozen_goes() -> None:
    one = Cycle()
    there = weakref.ref(one)
    gc.freeze()
    del one
    gc.collect()
    assert there() is not None, "frozen, it is not looked at"
    assert Collector().collect()
    assert there() is None
    assert gc.get_freeze_count() > 0


def test_it_takes_a_thousandth_of_the_time() -> None:
    now = 100.0
    used = iter([7.0, 7.2, 8.0, 8.2])  # at the beginning and the end of each
    collector = Collector(lambda: now, lambda: next(used))
    assert collector.collect()
    now += 0.2 / SHARE - 1
    assert not collector.collect()
    now += 2
    assert collector.collect()
