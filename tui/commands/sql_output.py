"""What `statetui sql` writes: results to stdout or a file as they come, and what happens to stderr."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from tui.commands import descriptors
from tui.commands.sql_statements import Statement
from tui.problem import Cause, Problem, ProblemError
from tui.services.sql.formats import Writer, writer
from tui.services.sql.language.classify import classify
from tui.services.sql.language.secrets import without_literals
from tui.services.sql.model import Columns, Done, Event, Notice, Rows, ServerError, Wire
from tui.text import one_line, safe

#: Bytes that are collected before they are written.
BUFFER = 1 << 16
#: Seconds between two words of progress, and until what is collected is written anyway.
PROGRESS, FLUSH = 0.5, 0.2
_CONTROLS = re.compile("[^\n\t\x20-\x7e]+")


class Output:
    """Where results go."""

    def __init__(self, name: str, out: str | None) -> None:
        """Opens nothing yet.

        Args:
            name: the format.
            out: a file; None for stdout.

        Raises:
            FormatError: what the format needs is not installed.
        """
        self.rows = 0
        self._name = name
        self._out = out
        self._terminal = out is None and sys.stdout.isatty()
        self._results = 0
        self._open = False
        self._writer = self._made()
        self._buffer = bytearray()
        self._flushed = 0.0
        self._part: tuple[int, str] | None = None  # of the file that is to take the other's place

    @property
    def to_terminal(self) -> bool:
        """Whether a person reads the results as they come."""
        return self._terminal

    @property
    def keeps(self) -> bool:
        """Whether what is written is for programs, which must not take half a value for a whole one."""
        return not self._terminal and self._name != "table"

    async def take(self, event: Event, statement: Statement) -> None:
        """The next part of a result.

        Raises:
            FormatError: the format cannot hold it.
            BrokenPipeError: the reader is gone.
            ProblemError: the file cannot be written.
        """
        if isinstance(event, Columns):
            if self._name != "parquet":  # whose file holds one result, which its writer says
                self._writer = self._made(vertical=True if statement.vertical else None)
            if self._results and self._name not in ("json", "jsonl", "parquet"):
                self._buffer += b"\n"
            self._results += 1
            self._open = True
            self._add(self._writer.start(event.columns))
        elif isinstance(event, Rows):
            self.rows += len(event.rows)
            self._add(self._writer.rows(event.rows))
        elif isinstance(event, Done) and self._open:
            self._open = False
            self._add(self._writer.finish())
        if len(self._buffer) >= BUFFER or time.monotonic() - self._flushed > FLUSH:
            await self.flush()

    async def flush(self) -> None:
        """Writes what is collected."""
        self._flushed = time.monotonic()
        if not self._buffer:
            return
        data, self._buffer = bytes(self._buffer), bytearray()
        if self._terminal:
            # Each format is read by programs elsewhere; here a terminal would obey what stands in cells.
            text = data.decode("utf-8", "replace")
            data = _CONTROLS.sub(lambda found: safe(found[0].replace("\r", "")), text).encode("utf-8", "replace")
        if self._out is None:
            await descriptors.write(1, data)
            return
        try:
            await descriptors.write(self._descriptor(), data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._unwritable(error) from error

    async def finish(self) -> None:
        """All is done: the file takes its place."""
        await self.flush()
        if self._part is None:
            return
        (descriptor, path), self._part = self._part, None
        os.close(descriptor)
        if path:
            assert self._out is not None  # noqa: S101 (a part has a place)
            try:
                os.replace(path, self._out)  # noqa: PTH105
            except OSError as error:
                os.unlink(path)  # noqa: PTH108
                raise self._unwritable(error) from error

    def give_up(self) -> bool:
        """Something failed: half a file must not be taken for a whole one. Returns whether one was taken away."""
        if self._part is None:
            return False
        (descriptor, path), self._part = self._part, None
        os.close(descriptor)
        if path:
            Path(path).unlink(missing_ok=True)
        return bool(path)

    def _made(self, *, vertical: bool | None = None) -> Writer:
        width = shutil.get_terminal_size().columns if self._terminal else None
        return writer(self._name, width=width, vertical=vertical)

    def _add(self, data: bytes) -> None:
        self._buffer += data

    def _descriptor(self) -> int:
        """Of a file beside the wanted one, or of the wanted one if that is no regular file (a pipe, /dev/null)."""
        if self._part is None:
            assert self._out is not None  # noqa: S101 (stdout is another case)
            wanted = Path(self._out)
            if wanted.exists() and not wanted.is_file():
                self._part = os.open(wanted, os.O_WRONLY | os.O_CLOEXEC), ""
            else:
                self._part = tempfile.mkstemp(prefix=f".{wanted.name}.", dir=wanted.absolute().parent)
                umask = os.umask(0)
                os.umask(umask)
                os.fchmod(self._part[0], 0o666 & ~umask)
        return self._part[0]

    def _unwritable(self, error: OSError) -> ProblemError:
        return ProblemError(Problem(Cause.CONFIG, f"{self._out} cannot be written", error.strerror or str(error)))


class Narration:
    """What is said beside the results. Quiet where nobody reads it: only errors and warnings are for a log."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._told = time.monotonic()
        self._progress = False

    def say(self, text: str) -> None:
        """A remark, at a terminal."""
        if self._terminal:
            self._print(text)

    def notice(self, notice: Notice) -> None:
        """A notice or warning of the server; in a log only the warnings."""
        if self._terminal or notice.severity.upper() not in ("NOTICE", "NOTE", "INFO", "DEBUG", "LOG"):
            code = f" {notice.code}" if notice.code else ""
            self._print(f"{notice.severity}{code}: {one_line(notice.message)}")
            for more in (notice.detail, notice.hint):
                if more:
                    self._print(f"  {one_line(more)}")

    def done(self, event: Done, *, rows: bool) -> None:
        """A statement is over."""
        count = ""
        if rows and event.count is not None:
            count = f"{event.count:,} row{'' if event.count == 1 else 's'}"
        self.say(f"{count or event.tag or 'done'}, {_duration(event.seconds)}")

    def progress(self, rows: int) -> None:
        """How far it is, where the results go elsewhere."""
        if self._terminal and time.monotonic() - self._told > PROGRESS:
            self._told, self._progress = time.monotonic(), True
            print(f"\r\x1b[Kstatetui: {rows:,} rows", end="", file=sys.stderr, flush=True)

    def error(self, error: ServerError, statement: Statement, wire: Wire) -> None:
        """What the server refused, where, and why."""
        code = f" {error.code}" if error.code else ""
        self._print(f"statetui: {safe(statement.place)}: {error.severity}{code}: {one_line(error.message)}")
        if classify(statement.text, wire).secret:  # what is said here may end in somebody's log
            self._print(f"  {replace(statement, text=without_literals(statement.text, wire)).shown}")
        else:
            for line in _pointed(statement.text, error.position) if error.position is not None else [statement.shown]:
                self._print(f"  {line}")
        for more in (error.detail, error.hint):
            if more:
                self._print(f"  {one_line(more)}")

    def _print(self, text: str) -> None:
        if self._progress:
            self._progress = False
            print("\r\x1b[K", end="", file=sys.stderr)
        print(safe(text), file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def _pointed(text: str, position: int) -> list[str]:
    """The line of a statement that an error points at, and a mark below the place."""
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    line = text[start : end if end >= 0 else len(text)]
    at = position - start
    if at > 60:
        line, at = f"…{line[at - 60 :]}", 61
    shown = safe(line[:120])
    return [shown, " " * len(safe(line[:at])) + "^"]
