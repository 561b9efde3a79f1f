"""What is large goes back to the system when it is freed, whichever thread it was for."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_PROGRAM = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tui.memory import give_back, give_large_back_at_once

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20

if sys.argv[1] == "at once":
    give_large_back_at_once()
together = threading.Barrier(6)

def work(_):
    together.wait()
    for _ in range(10):
        parts = bytes(8 << 20), bytes(8 << 20)
        del parts
    together.wait()

before = resident()
with ThreadPoolExecutor(6) as threads:
    list(threads.map(work, range(6)))
    give_back()
    print(resident() - before)
"""


def left(how: str) -> int:
    """Megabytes that stay when six threads have freed two parts of 8 MiB each."""
    return int(subprocess.check_output([sys.executable, "-c", _PROGRAM, how], text=True))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc" or sys.platform != "linux", reason="it is glibc that keeps it")
def test_parts_do_not_stay_in_the_heaps_of_threads() -> None:
    assert left("at once") < 16
