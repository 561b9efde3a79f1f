"""Notes what holds an event loop up: put on PYTHONPATH of a program by `stalls.py`, which also reads the notes.

Each step of the loop (a callback, a piece of a task) is timed by the clock and by this thread's processor seconds: on
a busy machine the first also holds the time in which somebody else ran. `STALLS_FILE` gets a line of JSON for each
step of `STALLS_LEAST` milliseconds or more; with `STALLS_WHERE` also where it stood after that time (a thread looks;
looking costs a little, so figures are to be taken without).
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from asyncio import events
from pathlib import Path

_LEAST = float(os.environ.get("STALLS_LEAST", "5")) / 1e3
_WHERE = bool(os.environ.get("STALLS_WHERE"))
_MAIN = threading.main_thread()
_FILE = os.environ.get("STALLS_FILE")
_OUT = Path(_FILE).open("a", buffering=1) if _FILE else None  # noqa: SIM115
#: When the step that runs was begun, 0 between two; and where it was found.
_begun = 0.0
_found: list[str] = []


def _name(handle: events.Handle) -> str:
    callback = handle._callback  # type: ignore[attr-defined]
    task = getattr(callback, "__self__", None)
    if hasattr(task, "get_coro"):
        name = task.get_name()
        return f"{task.get_coro().__qualname__} {'' if name.startswith('Task-') else name}".strip()
    return getattr(callback, "__qualname__", repr(callback))


_run = events.Handle._run  # type: ignore[attr-defined]


def _timed(self: events.Handle) -> None:
    global _begun  # noqa: PLW0603
    if threading.current_thread() is not _MAIN:
        _run(self)
        return
    began, used = time.monotonic(), time.thread_time()
    _begun = began
    _run(self)
    _begun = 0.0
    took, used = time.monotonic() - began, time.thread_time() - used
    if took >= _LEAST or used >= _LEAST:
        told = {"at": began, "ms": took * 1e3, "cpu": used * 1e3, "what": _name(self), "where": _found[:]}
        _OUT.write(json.dumps(told) + "\n")  # type: ignore[union-attr]
    _found.clear()


def _look() -> None:
    looked = 0.0
    while True:
        time.sleep(_LEAST / 2)
        began = _begun
        if began and began != looked and time.monotonic() - began >= _LEAST:
            frame = sys._current_frames().get(_MAIN.ident or 0)
            stack = traceback.extract_stack(frame)
            if began == _begun:
                looked = began
                _found[:] = [f"{one.filename.rpartition('/')[2]}:{one.lineno} {one.name}" for one in stack[-7:]]


if _OUT is not None:
    events.Handle._run = _timed  # type: ignore[attr-defined]
    if _WHERE:
        threading.Thread(target=_look, daemon=True).start()
