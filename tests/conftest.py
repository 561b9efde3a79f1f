"""How a run of tests is spread over processes, and which tests nothing else may run beside.

Tests wait for most of their time: for servers to start, for a watch to be missed, for a screen to come to rest. So
there are twice as many processes as processors. Each takes a file at a time: what a file's tests share is started once.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

#: Named, the tests of `contract` and `live` run against a real cluster, which all processes share.
_REAL = "STATETUI_TEST_KUBECONFIG"
#: Fixtures that stop or break what others use of a real cluster: its API server, its kubelet, its history.
_BREAKING = {"faults", "components"}
_MOST = 8

# A run starts the program hundreds of times, and each process of it reads all tests: both are compiled once, also where
# somebody's environment says otherwise.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# What a terminal says is its size. The run's processes have these because pytest imports readline, which sets them.
for _name in ("COLUMNS", "LINES"):
    os.environ.pop(_name, None)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The number of processes for `-n auto`; none, for a debugger's sake, when tests or files are named."""
    if any("::" in word or word.endswith(".py") for word in config.args):
        return 0
    return min(_MOST, 2 * len(os.sched_getaffinity(0)))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Before the test's time-out begins: waits until it may run."""
    breaks = os.environ.get(_REAL) and not _BREAKING.isdisjoint(getattr(item, "fixturenames", ()))
    with _turn(item.config, alone=bool(breaks or item.get_closest_marker("alone"))):
        return (yield)


@contextmanager
def _turn(config: pytest.Config, *, alone: bool) -> Iterator[None]:
    """Holds a lock that tests share, or that one has for itself; who waits for it alone is let in before later ones."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    if run is None:
        yield
        return
    base = Path(config._tmp_path_factory.getbasetemp()).parent  # type: ignore[attr-defined]
    with ExitStack() as stack:
        door, room = (stack.enter_context((base / f"{name}.lock").open("w")) for name in ("door", "room"))
        fcntl.flock(door, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        if not alone:
            fcntl.flock(door, fcntl.LOCK_UN)
        yield
