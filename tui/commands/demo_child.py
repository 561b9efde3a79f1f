"""The sandbox as a child process: of a session of its own, ended in order, and never outliving its parent."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tui import paths
from tui.problem import Cause, Problem, ProblemError
from tui.sandbox import failures

#: Seconds until the API must answer, and until everything must have ended.
START, END = 30.0, 25.0
#: The exit code of a sandbox whose directory another one uses (`tui.sandbox.__main__`).
BUSY = 75


def directory() -> Path:
    """Where the demo keeps everything."""
    return paths.state_dir() / "demo"


class Sandbox:
    """The demo's sandbox.

    Attributes:
        directory: where everything is kept.
        kubeconfig: how it is reached.
        log: what it says while it runs.
    """

    def __init__(self) -> None:
        self.directory = directory()
        self.kubeconfig = self.directory / "kubeconfig"
        self.log = paths.state_dir() / "demo.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._said = 0
        self._told = b""

    def start(self, meanwhile: Callable[[], None] = lambda: None, unwanted: Callable[[], bool] = lambda: False) -> None:
        """Starts it and waits until its API answers, or it is unwanted by then.

        Args:
            meanwhile: is done while it starts.
            unwanted: whether it is to be ended again; `stop` does that.

        Raises:
            ProblemError: another demo runs, or it cannot start; with its own words.
        """
        try:
            paths.private(paths.state_dir())
            with self.log.open("ab") as log:
                self._said = log.tell()
                self._process = subprocess.Popen(
                    [
                        sys.executable,
                        "-m",
                        "tui.sandbox",
                        "--directory",
                        str(self.directory),
                        "--scene",
                        "--with-parent",
                    ],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    # Ctrl+C in the terminal is for the screen; the sandbox ends when this process says so, or is gone.
                    start_new_session=True,
                    env={**os.environ, "PYTHONPATH": _python_path()},
                    cwd="/",
                )
        except OSError as error:
            raise ProblemError(_problem("the demo cannot start", failures.explain(error, self.log.parent))) from error
        meanwhile()
        if not self._answers(unwanted):
            raise ProblemError(self.failure("the demo cannot start"))

    def _answers(self, unwanted: Callable[[], bool]) -> bool:
        """Whether it has said where its API is; or nobody wants to know."""
        process, deadline = self._process, time.monotonic() + START
        assert process is not None and process.stdout is not None  # noqa: S101 (it has been started)
        while time.monotonic() < deadline:
            if unwanted():
                return True
            if not select.select([process.stdout], [], [], 0.1)[0]:
                continue
            if not self._hear():
                process.wait()
                return False
            if b"KUBECONFIG=" in self._told and self._told.endswith(b"\n"):
                return True
        self.stop()
        return False

    def _hear(self) -> bool:
        """Takes the next that it says; whether there was anything."""
        assert self._process is not None and self._process.stdout is not None  # noqa: S101 (it has been started)
        piece = os.read(self._process.stdout.fileno(), 4096)
        self._told += piece
        return bool(piece)

    @property
    def ended(self) -> bool:
        """Whether it runs no longer."""
        return self._process is None or self._process.poll() is not None

    def failure(self, what: str) -> Problem:
        """Why it has ended, in its own words."""
        if self._process is not None and self._process.returncode == BUSY:
            return Problem(
                Cause.REJECTED,
                "another demo runs already",
                f"it uses {self.directory}",
                f"End it first, or look at it: statetui --kubeconfig {self.kubeconfig}",
            )
        if self._process is not None and self._process.stdout is not None and not self._process.stdout.closed:
            with contextlib.suppress(OSError):
                while self.ended and self._hear():
                    pass
        with contextlib.suppress(ValueError, LookupError, TypeError):
            last = json.loads(self._told.splitlines()[-1])
            return _problem(what, failures.Failure(**last["failure"]), f"Everything that it said is in {self.log}")
        words: list[str] = []
        with contextlib.suppress(OSError), self.log.open("rb") as log:
            log.seek(self._said)
            words = log.read().decode("utf-8", "replace").splitlines()
        # Where it broke in the program is for the log; what broke is the last line.
        last_words = words[-1:] if any(line.startswith("Traceback ") for line in words) else words[-3:]
        return Problem(Cause.SERVER, what, "\n".join(last_words), f"Everything that it said is in {self.log}")

    def stop(self) -> None:
        """Ends it with its pods; what they keep stays for the next time."""
        process = self._process
        if process is None:
            return
        # The end of its input is the sign.
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        try:
            process.wait(END)
        except subprocess.TimeoutExpired:
            # Its supervisor ends all pods when it is gone.
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _python_path() -> str:
    """Where the sandbox finds this very program, and whatever else this one was told."""
    own = str(Path(__file__).resolve().parents[2])
    return os.pathsep.join([own, *filter(None, [os.environ.get("PYTHONPATH", "")])])


def _problem(what: str, failure: failures.Failure, more: str = "") -> Problem:
    return Problem(Cause.REJECTED, f"{what}: {failure.what}", failure.evidence, f"{failure.remedy} {more}".strip())


def is_used() -> bool:
    """Whether a demo runs."""
    for name in ("lock", "run/lock"):
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(directory() / name, os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            finally:
                os.close(descriptor)
    return False
