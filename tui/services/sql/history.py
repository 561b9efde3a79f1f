"""What was asked of a workload's servers, kept in the state directory: one file for each workload, one line for each
statement.

A history is a convenience: that it cannot be written never stops a statement. It is the log's business, and `problem`
tells a console that wants to say it once.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote

from tui import paths
from tui.problem import Cause, Problem
from tui.services.sql.language.classify import classify
from tui.services.sql.language.secrets import without_literals
from tui.services.sql.model import Wire

log = logging.getLogger(__name__)

#: Characters that are kept of one statement.
LONGEST = 20_000
#: Bytes that a file may grow to before its older half goes.
LARGEST = 4_000_000


class Status(StrEnum):
    """How a statement ended."""

    OK = "ok"
    ERROR = "error"
    CANCELLED = "cancelled"
    LOST = "lost"  # the connection went: what became of it may be unknown
    DECLINED = "declined"  # held back, and not confirmed: it was never sent


@dataclass(frozen=True, slots=True)
class Entry:
    """One statement.

    Attributes:
        when: UTC, ISO 8601 with seconds.
        statement: its text; without literals if it held a secret, and cut after `LONGEST` characters.
        status: how it ended.
        rows: that came or were changed; None when unknown.
        seconds: that it took.
        member: who was asked (the pod's name).
        database: in which.
        code: of the error (SQLSTATE); its text is not kept, as it may quote the statement.
        secret: whether literals were left out: it cannot be run again as it stands.
        cut: whether its end is missing.
    """

    when: str
    statement: str
    status: Status
    rows: int | None = None
    seconds: float = 0.0
    member: str = ""
    database: str = ""
    code: str = ""
    secret: bool = False
    cut: bool = False


class History:
    """The history of one workload. Several programs may write it at once.

    Args:
        workload: its name with context and namespace, in any form that is the same next time.
        wire: whose grammar its statements have.
        folder: for tests; `history` in the state directory otherwise.
    """

    def __init__(self, workload: str, wire: Wire, folder: Path | None = None) -> None:
        self._folder = folder or paths.state_dir() / "history"
        name = quote(workload, safe="")
        if len(name) > 150:  # file names end at 255 bytes
            name = f"{name[:130]}-{hashlib.sha256(workload.encode()).hexdigest()[:16]}"
        self.file = self._folder / f"{name}.jsonl"
        self._wire = wire
        self.problem: Problem | None = None

    def add(
        self,
        statement: str,
        status: Status,
        when: datetime,
        *,
        rows: int | None = None,
        seconds: float = 0.0,
        member: str = "",
        database: str = "",
        code: str = "",
    ) -> Entry:
        """Keeps a statement, and gives what was kept of it.

        Args:
            statement: as it was sent.
            status: how it ended.
            when: it was sent, with its time zone.
            rows: see `Entry`, as for the others.
            seconds: see there.
            member: see there.
            database: see there.
            code: see there.
        """
        entry = self._entry(statement, Entry(_utc(when), "", status, rows, round(seconds, 6), member, database, code))
        # Escaped to ASCII: a lone surrogate of somebody's paste must not make the file unreadable.
        line = json.dumps({key: value for key, value in asdict(entry).items() if value not in (None, "", False)})
        try:
            self._append(line.encode("ascii") + b"\n")
            self.problem = None
        except OSError as error:
            log.warning("the history cannot be written: %s", error)
            self.problem = Problem(
                Cause.CONFIG,
                "The history cannot be written",
                f"{self.file}: {error.strerror or error}",
                "Statements are run all the same; free some space, or give yourself the right to write there",
            )
        return entry

    def entries(self) -> Iterator[Entry]:
        """All statements, the newest first. Lines that are none (half written, of a later version) are left out."""
        try:
            lines = self.file.read_bytes().splitlines()
        except FileNotFoundError:
            return
        except OSError as error:
            log.warning("the history cannot be read: %s", error)
            return
        for line in reversed(lines):
            if (entry := _read(line)) is not None:
                yield entry

    def search(self, words: str, limit: int = 200) -> list[Entry]:
        """Statements that hold all of these words, in any case; the newest first, each text once."""
        wanted, found, seen = words.lower().split(), list[Entry](), set[str]()
        for entry in self.entries():
            text = entry.statement.lower()
            if entry.statement not in seen and all(word in text for word in wanted):
                seen.add(entry.statement)
                found.append(entry)
                if len(found) >= limit:
                    break
        return found

    def _entry(self, statement: str, entry: Entry) -> Entry:
        # What is not kept need not be looked at.
        text = statement[:LONGEST]
        secret = classify(text, self._wire).secret
        if secret:
            text = without_literals(text, self._wire)
        return replace(entry, statement=text, secret=secret, cut=len(statement) > LONGEST)

    def _append(self, line: bytes) -> None:
        paths.private(self._folder)
        with self._locked():
            # One write at the file's end is whole even where locks do not work (some network file systems).
            handle = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.fchmod(handle, 0o600)
                if os.write(handle, line) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                size = os.fstat(handle).st_size
            finally:
                os.close(handle)
            if size > LARGEST:
                self._halve()

    def _halve(self) -> None:
        lines = self.file.read_bytes().splitlines(keepends=True)
        size, first = 0, len(lines)
        while first and size + len(lines[first - 1]) <= LARGEST // 2:
            first -= 1
            size += len(lines[first])
        draft = self.file.with_name(f"{self.file.name}.{os.getpid()}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.writelines(lines[first:])
        draft.replace(self.file)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        # A file of its own: the history's is replaced when it is halved.
        handle = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            with contextlib.suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _utc(when: datetime) -> str:
    return datetime.fromtimestamp(when.timestamp(), tz=UTC).isoformat(timespec="seconds")


def _read(line: bytes) -> Entry | None:
    try:
        found = json.loads(line)
        return Entry(
            when=str(found["when"]),
            statement=str(found["statement"]),
            status=Status(found["status"]),
            rows=None if found.get("rows") is None else int(found["rows"]),
            seconds=float(found.get("seconds", 0)),
            member=str(found.get("member", "")),
            database=str(found.get("database", "")),
            code=str(found.get("code", "")),
            secret=bool(found.get("secret")),
            cut=bool(found.get("cut")),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
