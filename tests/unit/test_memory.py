"""Memory that is free again goes back to the system."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tui.memory import give_back

GLIBC = platform.libc_ver()[0] == "glibc"


def anonymous() -> int:
    """Kilobytes of this process' own memory."""
    found = re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1])


@pytest.mark.skipif(not GLIBC, reason="only glibc keeps what was freed below something that stands")
def test_what_was_freed_below_something_that_stands_goes_back() -> None:
    held = [bytes(50_000) + b"x" for _ in range(2000)]
    last, full = held[-1], anonymous()
    del held
    give_back()
    assert full - anonymous() > 80_000
    assert len(last) == 50_001


def test_parquet_takes_its_memory_from_the_system_and_leaves_the_environment_as_it_was() -> None:
    pytest.importorskip("pyarrow")
    code = (
        "import os; from tui.services.sql.formats import writer; writer('parquet'); import pyarrow; "
        "print(pyarrow.default_memory_pool().backend_name, 'ARROW_DEFAULT_MEMORY_POOL' in os.environ)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["system", "False"]
