"""A text in the person's own editor, and back: `$VISUAL`, `$EDITOR`, or vi."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from tui import paths
from tui.problem import Cause, Problem, ProblemError

if TYPE_CHECKING:
    from textual.app import App


def command() -> list[str]:
    """The editor's command line.

    Raises:
        ProblemError: there is none, or it cannot be read.
    """
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    try:
        words = shlex.split(named) or [next(filter(shutil.which, ("vi", "vim", "nano")), "vi")]
    except ValueError as error:
        raise ProblemError(_problem("$EDITOR cannot be read as a command", f"{named}: {error}")) from error
    if shutil.which(words[0]) is None:
        raise ProblemError(_problem("The editor is not there", words[0]))
    return words


async def edit(app: App[object], text: str) -> str:
    """Hands the terminal to the editor until it ends. The file is readable for its owner only, and goes afterwards.

    Everything else goes on meanwhile: sessions, forwards and watches answer; nothing is drawn until the terminal is
    ours again, at the size that it has by then. Given up, the editor is ended, too.

    Raises:
        ProblemError: the editor cannot be started, or ended with an error; then its changes do not count.
    """
    words = command()
    folder = Path(tempfile.mkdtemp(prefix="edit-", dir=paths.private(paths.state_dir())))  # mode 0700
    try:
        file = folder / "statement.sql"
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            out.write(text if not text or text.endswith("\n") else f"{text}\n")
        code, failure = 0, None
        with app.suspend(), _interrupts_ignored():
            try:
                code = await _wait_for([*words, str(file)])
            except OSError as error:  # the terminal must be taken back first
                failure = error
        if failure is not None:
            raise failure
        if code:
            raise ProblemError(_problem("The editor ended with an error", f"{shlex.join(words)}: {_said_of(code)}"))
        changed = file.read_bytes().decode("utf-8")
    except SuspendNotSupported as error:
        raise ProblemError(_problem("This terminal cannot be handed to an editor", str(error))) from error
    except (OSError, UnicodeError) as error:
        raise ProblemError(_problem("The text cannot be edited outside", str(error))) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    changed = changed.replace("\r\n", "\n").replace("\r", "\n")
    return changed if text.endswith("\n") else changed.removesuffix("\n")


async def _wait_for(words: list[str]) -> int:
    """Runs a program in the foreground of our terminal; its exit code, below 0 for a signal."""
    process = await asyncio.create_subprocess_exec(*words)
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """ctrl+c in an editor reaches all processes of the terminal's foreground, and would end us.

    A handler that does nothing, not SIG_IGN: that one the editor would inherit.
    """
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _said_of(code: int) -> str:
    return f"exit code {code}" if code > 0 else f"signal {-code}"


def _problem(what: str, evidence: str) -> Problem:
    return Problem(Cause.CONFIG, what, evidence, "Set $EDITOR to an editor that runs in a terminal and waits")
