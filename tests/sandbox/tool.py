"""kubectl, helm or statetui on its way to a cluster, as a person uses it: run to its end, or followed while it runs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, TypeVar

Found = TypeVar("Found")
#: How long something may take that takes a second on an idle machine, seconds.
GENEROUS = 120.0


@dataclass(frozen=True, slots=True)
class Done:
    """What a command came to."""

    code: int
    out: str
    err: str


def eventually(looks: Callable[[], Found], what: str = "it did not come true", seconds: float = GENEROUS) -> Found:
    """Waits until something is so, and returns what was found."""
    deadline = time.monotonic() + seconds
    while not (found := looks()):
        assert time.monotonic() < deadline, what
        time.sleep(0.1)
    return found


class Followed:
    """A command that runs, and what it has printed so far."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._printed = {"out": b"", "err": b""}
        self._open, self._told = set(self._printed), 0
        self._grown = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, args=(name, stream), daemon=True)
            for name, stream in (("out", process.stdout), ("err", process.stderr))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str, stream: IO[bytes]) -> None:
        while data := os.read(stream.fileno(), 65536):
            with self._grown:
                self._printed[name] += data
                self._grown.notify_all()
        with self._grown:
            self._open.discard(name)
            self._grown.notify_all()

    def line(self, *, seconds: float = GENEROUS) -> str:
        """The next line of its output; empty when there will be none."""

        def end() -> int:
            return self._printed["out"].find(b"\n", self._told) + 1

        with self._grown:
            assert self._grown.wait_for(lambda: end() or "out" not in self._open, seconds), "no line comes"
            begin, self._told = self._told, end() or len(self._printed["out"])
            return self._printed["out"][begin : self._told].decode()

    @property
    def out(self) -> str:
        return self._printed["out"].decode()

    @property
    def err(self) -> str:
        return self._printed["err"].decode()

    def until(self, text: str, *, seconds: float = GENEROUS) -> None:
        """Waits until it has printed something, on either stream."""
        with self._grown:
            came = self._grown.wait_for(lambda: text in self.out or text in self.err, seconds)
        assert came, f"{text!r} never came: {self.out!r} {self.err!r}"

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def end(self, seconds: float = GENEROUS) -> Done:
        """Waits for its end."""
        code = self.process.wait(seconds)
        for reader in self._readers:
            reader.join(10)
        return Done(code, self.out, self.err)


class Tool:
    """A program with its environment, and the namespace that it is told.

    Attributes:
        namespace: where it works.

    Args:
        program: its path.
        environment: its environment.
        namespace: where it works.
        before: the words that come before all others.
    """

    def __init__(
        self, program: str, environment: Mapping[str, str], namespace: str, before: Sequence[str] = ()
    ) -> None:
        self.namespace = namespace
        self._program = (program, *before)
        self._environment = dict(environment)

    def command(self, *arguments: str) -> list[str]:
        """The words of a command."""
        return [*self._program, "--namespace", self.namespace, *arguments]

    @property
    def environment(self) -> dict[str, str]:
        return dict(self._environment)

    def run(self, *arguments: str, stdin: str | bytes = "", seconds: float = GENEROUS) -> Done:
        """Runs it to its end, whatever that is."""
        given = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(
            self.command(*arguments),
            check=False,
            input=given,
            capture_output=True,
            env=self._environment,
            timeout=seconds,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        """What it prints when all goes well; else the test fails with its words."""
        done = self.run(*arguments, stdin=stdin)
        assert done.code == 0, f"{' '.join(arguments)}: {done}"
        return done.out

    def refused(self, *arguments: str, stdin: str = "", code: int = 1) -> str:
        """What it says when it fails as it should."""
        done = self.run(*arguments, stdin=stdin)
        assert done.code == code, f"{' '.join(arguments)}: {done}"
        return done.err

    @contextlib.contextmanager
    def follow(self, *arguments: str) -> Iterator[Followed]:
        """Starts it; killed at the end if it still runs then."""
        process = subprocess.Popen(
            self.command(*arguments),
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Whoever starts the tests in a shell's background has SIGINT ignored, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )
        followed = Followed(process)
        try:
            yield followed
        finally:
            if process.poll() is None:
                process.kill()
            followed.end()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
