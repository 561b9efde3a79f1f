"""The memory that content lies in on its way: used again, bounded, and never shared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tui.services.bucket.transfers.buffers import Buffers
from tui.services.bucket.transfers.parts import MIB


def taken(buffers: Buffers, *sizes: int) -> list[memoryview]:
    """Takes some, and leaves a mark in each; new memory has none."""
    views = [buffers.take(size) for size in sizes]
    for view in views:
        view[0] = 7
    return views


def given(buffers: Buffers, views: list[memoryview]) -> None:
    for view in views:
        buffers.give(view)
    views.clear()


def test_what_was_given_back_is_taken_again_also_for_a_little_less() -> None:
    buffers = Buffers(4 * MIB)
    given(buffers, taken(buffers, MIB))
    again = buffers.take(MIB - 1)
    assert again[0] == 7 and len(again) == MIB - 1
    assert buffers.take(MIB)[0] == 0, "nobody has given it back"


def test_a_slice_gives_all_of_it_back() -> None:
    buffers = Buffers(4 * MIB)
    (first,) = taken(buffers, MIB)
    buffers.give(first[:10])
    again = buffers.take(MIB)
    assert len(again) == MIB and again[0] == 7


def test_small_ones_and_foreign_memory_are_not_kept() -> None:
    buffers = Buffers(4 * MIB)
    given(buffers, taken(buffers, 4096))
    buffers.give(memoryview(b"from elsewhere"))
    assert buffers.take(4096)[0] == 0
    assert len(buffers.take(0)) == 0


def test_no_more_is_kept_than_may_be_and_another_size_takes_its_place() -> None:
    buffers = Buffers(4 * MIB)
    given(buffers, taken(buffers, *[2 * MIB] * 3))
    kept = [buffers.take(2 * MIB) for _ in range(3)]
    assert [one[0] for one in kept] == [7, 7, 0]
    given(buffers, kept)
    given(buffers, taken(buffers, *[MIB] * 4))  # 4 MiB were spare: they have gone for these
    assert [buffers.take(MIB)[0] for _ in range(4)] == [7, 7, 7, 7]
    assert buffers.take(2 * MIB)[0] == 0


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is read from Linux' /proc")
def test_closed_they_go_back_to_the_system_at_once() -> None:
    def resident() -> int:
        found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
        assert found is not None
        return int(found[1]) >> 10

    buffers, before = Buffers(64 * MIB), resident()
    views = [buffers.take(16 * MIB) for _ in range(4)]
    for view in views:
        view[:] = bytes(16 * MIB)
    assert resident() >= before + 60
    for view in views:
        buffers.give(view)
    del views, view
    assert resident() >= before + 60
    buffers.close()
    assert resident() <= before + 20
