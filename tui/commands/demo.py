"""`statetui demo`: a cluster on this machine, for those who have none, with four stateful systems in it."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType

from tui.commands import demo_child, demo_install, exits
from tui.commands.demo_child import Sandbox
from tui.commands.remarks import note
from tui.problem import Cause, Problem, ProblemError
from tui.sandbox.images import fetched

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted.

    Attributes:
        mode: `screen`, `serve` (no screen), `check` (ask every server a question) or `reset` (forget everything).
        yes: agree to everything that would be asked.
    """

    mode: str = "screen"
    yes: bool = False


def run(
    request: Request,
    screen: Callable[[str], int],
    check: Callable[[str], int],
    prepare: Callable[[], None] = lambda: None,
) -> int:
    """Does it, and returns the exit code.

    Args:
        request: what is wanted.
        screen: shows the cluster of a kubeconfig until somebody quits; the exit code.
        check: asks the servers of the cluster of a kubeconfig; the exit code.
        prepare: what either can do before there is a cluster; it is done while the sandbox starts.

    Raises:
        ProblemError: the sandbox cannot start, or has died.
    """
    if request.mode == "reset":
        return _reset(yes=request.yes)
    demo_install.offer(yes=request.yes)
    sandbox = Sandbox()
    try:
        with _Signals() as signals:
            # A signal that comes while it starts must end it as well.
            sandbox.start(prepare, lambda: signals.received is not None)
            if request.mode == "serve":
                return _serve(sandbox, signals)
        if signals.received is not None:
            return 128 + signals.received
        code = (check if request.mode == "check" else screen)(str(sandbox.kubeconfig))
        if sandbox.ended:
            raise ProblemError(sandbox.failure("the sandbox ended before its time"))
        return code
    finally:
        if not sandbox.ended:
            note("ending the demo's servers")
        with _Signals():
            sandbox.stop()


class _Signals:
    """Hears what is to end us, while it is entered, instead of dying of it: pods end in order.

    Attributes:
        received: the first that came.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> _Signals:
        for one in _ENDING:
            if signal.getsignal(one) is not signal.SIG_IGN:
                self._before[one] = signal.signal(one, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        for one, before in self._before.items():
            signal.signal(one, before)  # type: ignore[arg-type]

    def _hear(self, number: int, _: FrameType | None) -> None:
        self.received = self.received or number


def _serve(sandbox: Sandbox, signals: _Signals) -> int:
    print(f"export KUBECONFIG={sandbox.kubeconfig}", flush=True)
    note("the demo serves until Ctrl-C")
    while signals.received is None:
        if sandbox.ended:
            raise ProblemError(sandbox.failure("the sandbox ended before its time"))
        time.sleep(0.1)
    return exits.INTERRUPTED if signals.received == signal.SIGINT else exits.OK


def _reset(*, yes: bool) -> int:
    where = demo_child.directory()
    if not where.exists():
        note(f"there is nothing to forget: {where} does not exist")
        return exits.OK
    if where.is_symlink() or not where.is_dir():
        raise ProblemError(Problem(Cause.CONFIG, f"{where} is not the demo's directory", "", "Look what it is."))
    if demo_child.is_used():
        raise ProblemError(Problem(Cause.REJECTED, "a demo runs", f"it uses {where}", "End it first."))
    if not yes:
        if not sys.stdin.isatty():
            note(f"this removes {where} with all its volumes; --yes agrees to it")
            return exits.USAGE
        if not demo_install.agreed(f"Remove {where} with all its volumes?"):
            return exits.FAILED
    try:
        shutil.rmtree(where)
    except OSError as error:
        raise ProblemError(
            Problem(Cause.REJECTED, "not all is forgotten", f"{error.filename}: {error.strerror}", "Try again.")
        ) from error
    with suppress(OSError):
        Sandbox().log.unlink()
    note("the demo is forgotten")
    if fetched.programs():
        note(f"servers that it fetched stay in {fetched.place()}")
    return exits.OK
