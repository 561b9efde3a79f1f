"""`statetui demo` as a process, with a state directory of its own, and what it leaves on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tui.sandbox.images import objectstore

_ROOT = Path(__file__).parents[2]
_BEGAN = time.time()


def environment(home: Path, **more: str) -> dict[str, str]:
    """What a demo gets whose state is below a directory."""
    return {**os.environ, "XDG_STATE_HOME": str(home), "PYTHONPATH": str(_ROOT), "TERM": "xterm-256color", **more}


def demo(home: Path, *words: str, before: Sequence[str] = (), **options: object) -> subprocess.Popen[str]:
    """Starts one; `before` is the words of a program that starts it (`unshare`, `setpriv`)."""

    def signals() -> None:
        # Tests in a shell's background inherit an ignored SIGINT.
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)

    command = [*before, sys.executable, "-m", "tui", "demo", *words]
    settings = {"env": environment(home), "stdin": -3, "stdout": -1, "stderr": -1, "text": True} | options
    return subprocess.Popen(command, preexec_fn=signals, **settings)  # type: ignore[call-overload, no-any-return]  # noqa: PLW1509


def left(home: Path) -> dict[int, str]:
    """The processes that have to do with a demo: its directory is in their environment, words or working directory."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes()
            told = words + (entry / "environ").read_bytes() + os.fsencode((entry / "cwd").readlink())
            if os.fsencode(home) in told:
                found[int(entry.name)] = words.replace(b"\0", b" ").decode("utf-8", "replace").strip()
    return found


def sockets(home: Path) -> list[Path]:
    """The sockets that SeaweedFS of a demo has in /tmp.

    Their names are numbers below 2000, so that one of a program killed long ago may be called like ours.
    """

    def ours(path: Path) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return path.stat().st_mtime >= _BEGAN
        return False

    with contextlib.suppress(OSError, ValueError):
        known = json.loads((home / "statetui" / "demo" / "run" / "addresses.json").read_text())
        return [path for ip in known.values() for path in map(Path, objectstore.litter(ip)) if ours(path)]
    return []


def until(what: Callable[[], object], seconds: float, told: Callable[[], object] = lambda: "") -> None:
    """Waits for a condition."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, told()
        time.sleep(0.05)


def nothing_is_left(home: Path) -> None:
    """Waits until all processes have ended, the sockets with them."""
    until(lambda: not left(home), 60, lambda: left(home))
    assert not sockets(home)
