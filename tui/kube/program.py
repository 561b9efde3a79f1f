# ruff: noqa: ASYNC109 (a time limit that ends in a result, not in an exception)
"""Runs a helper program that must not touch the screen: no input, no terminal, a time limit for it and its children."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

#: Bytes of each output that are kept.
MAX_OUTPUT = 1 << 20
#: Characters of an output that are shown.
MAX_SHOWN = 1000


#: Programs that run now, by the process group that each leads.
_running: set[int] = set()


@dataclass(frozen=True, slots=True)
class Finished:
    """What became of a program.

    Attributes:
        status: its exit status; negative for a signal; None when it was killed at the time limit.
        stdout: its output. It may hold secrets.
        stderr: what it complained about.
    """

    status: int | None
    stdout: bytes
    stderr: bytes


async def run(command: str, arguments: Sequence[str], environment: Mapping[str, str], timeout: float) -> Finished:
    """Runs a program to its end or to the time limit.

    Args:
        command: a path, or a name looked up in PATH.
        arguments: its arguments; no shell sees them.
        environment: its whole environment.
        timeout: seconds until it is killed, with everything that it started.

    Raises:
        OSError: it cannot be started.
    """
    process = await asyncio.create_subprocess_exec(
        command,
        *arguments,
        env=environment,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        # A session of its own has no controlling terminal: a prompt through /dev/tty fails instead of writing into the
        # screen. It is a process group too, which can be killed as one.
        start_new_session=True,
    )
    _running.add(process.pid)
    assert process.stdout is not None and process.stderr is not None  # noqa: S101 (both are pipes)
    stdout, stderr = bytearray(), bytearray()
    try:
        async with asyncio.timeout(timeout):
            await asyncio.gather(_read(process.stdout, stdout), _read(process.stderr, stderr))
            await process.wait()
    except TimeoutError:
        await _kill(process)
        return Finished(None, bytes(stdout), bytes(stderr))
    except BaseException:
        await _kill(process)
        raise
    finally:
        _running.discard(process.pid)
    return Finished(process.returncode, bytes(stdout), bytes(stderr))


def kill_all() -> None:
    """Kills whatever still runs, for an end of the program that awaits nothing."""
    for group in list(_running):
        with contextlib.suppress(OSError):
            os.killpg(group, signal.SIGKILL)


def started(group: int) -> None:
    """Notes a program that leads a process group and is to be killed when we end."""
    _running.add(group)


def ended(group: int) -> None:
    """Forgets a program that has ended."""
    _running.discard(group)


def die_with_parent() -> Callable[[], None] | None:
    """What a child does before it becomes another program, so that it is killed even when we are (Linux only)."""
    if not sys.platform.startswith("linux"):
        return None
    parent = os.getpid()
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up here: a child between fork and exec must do little

    def before_exec() -> None:
        prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:  # it died in between
            os._exit(1)

    return before_exec


async def _read(stream: asyncio.StreamReader, kept: bytearray) -> None:
    """Reads to the end; what is beyond the limit is dropped, so that the program does not block on a full pipe."""
    while chunk := await stream.read(65536):
        kept += chunk[: MAX_OUTPUT - len(kept)]


async def _kill(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(
            2
        ):  # the kernel needs a moment; a process in uninterruptible sleep is not waited for
            await process.wait()


def shown(output: bytes) -> str:
    """The end of an output, as it may be shown."""
    text = output.decode("utf-8", "replace").strip()
    return text if len(text) <= MAX_SHOWN else f"…{text[-MAX_SHOWN:]}"
