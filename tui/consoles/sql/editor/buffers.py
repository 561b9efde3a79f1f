"""The buffers of one workload, kept in the state directory while they are written: a crash loses nothing.

One file of mode 0600 for each buffer. Whoever has a buffer open holds a lock on it, which the system takes back when
the program ends, however it ends: a second console of the same workload opens none that another one has.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from tui import paths
from tui.problem import Cause, Problem, ProblemError
from tui.services.sql.language.classify import classify
from tui.services.sql.language.pieces import Sort
from tui.services.sql.language.secrets import without_literals
from tui.services.sql.language.split import split
from tui.services.sql.model import Wire

log = logging.getLogger(__name__)

#: Characters of a file that is opened, and of a buffer that is kept: beyond it is a script for `statetui sql -f`.
LARGEST = 5_000_000


@dataclass
class Buffer:
    """A text under a name.

    Attributes:
        ident: its file's name.
        number: the order in which buffers were made, and the name of those without a file.
        text: as it was kept.
        path: of the `.sql` file that it was opened from or saved to, None for none.
        cursor: index in the text.
        saved: a digest of the text that the file has.
        secret: whether literals were left out of what was kept.
    """

    ident: str
    number: int
    text: str = ""
    path: Path | None = None
    cursor: int = 0
    saved: str = ""
    secret: bool = False

    @property
    def name(self) -> str:
        """As its tab shows it."""
        return self.path.name if self.path is not None else f"query {self.number}"


@dataclass
class Keeper:
    """Takes the literals out of statements that hold passwords; remembers what it found for each statement.

    Attributes:
        wire: whose grammar.
    """

    wire: Wire
    _known: dict[str, str] = field(default_factory=dict)

    def keepable(self, text: str) -> tuple[str, bool]:
        """The text as it may be kept, and whether something was left out."""
        parts, at, known = list[str](), 0, dict[str, str]()
        for piece in split(text, self.wire):
            if piece.sort is not Sort.STATEMENT:
                continue
            kept = self._known.get(piece.text)
            if kept is None:
                secret = classify(piece.text, self.wire).secret
                kept = without_literals(piece.text, self.wire) if secret else piece.text
            known[piece.text] = kept
            parts += [text[at : piece.start], kept]
            at = piece.end
        self._known = known
        kept = "".join([*parts, text[at:]])
        return kept, kept != text


def digest(text: str) -> str:
    """By which two texts are compared without keeping both."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class BufferStore:
    """The files of one workload's buffers.

    Args:
        workload: its name with context and namespace, in any form that is the same next time.
        wire: whose grammar its statements have.
        folder: for tests; `buffers` in the state directory otherwise.

    Attributes:
        problem: why the last one could not be kept, None when it was.
    """

    def __init__(self, workload: str, wire: Wire, folder: Path | None = None) -> None:
        name = quote(workload, safe="")
        if len(name) > 150:  # file names end at 255 bytes
            name = f"{name[:130]}-{hashlib.sha256(workload.encode()).hexdigest()[:16]}"
        self._folder = (folder or paths.state_dir() / "buffers") / name
        self._keeper = Keeper(wire)
        self._locks: dict[str, int] = {}
        self.problem: Problem | None = None

    def load(self) -> list[Buffer]:
        """The buffers that no other console has open, in their order. They are ours until `release`."""
        found = list[Buffer]()
        for file in sorted(self._folder.glob("*.json")):
            if not self._lock(file.stem):
                continue
            if (buffer := _read(file)) is not None:
                found.append(buffer)
            else:
                self._unlock(file.stem)
        return sorted(found, key=lambda one: one.number)

    def new(self, taken: Iterable[int]) -> Buffer:
        """An empty buffer with the lowest number that is free; its file comes with its first text."""
        numbers = set(taken)
        number = next(number for number in range(1, len(numbers) + 2) if number not in numbers)
        buffer = Buffer(uuid.uuid4().hex, number)
        self._lock(buffer.ident)
        return buffer

    def keepable(self, text: str) -> tuple[str, bool]:
        """The text as it may be kept, and whether something was left out. At 10,000 new statements it takes half a
        second: a thread may do it.
        """
        return self._keeper.keepable(text[:LARGEST])

    def keep(self, buffer: Buffer, text: str, cursor: int) -> None:
        """Keeps a buffer as it is now."""
        self.write(buffer, *self.keepable(text), cursor)

    def write(self, buffer: Buffer, kept: str, secret: bool, cursor: int) -> None:
        """Writes a buffer's file, in one step. That it cannot be written is told by `problem`.

        Args:
            buffer: which.
            kept: what `keepable` gave.
            secret: what it gave as well.
            cursor: index in the text.
        """
        buffer.text, buffer.secret, buffer.cursor = kept, secret, cursor
        if not kept and buffer.path is None:
            self._remove(f"{buffer.ident}.json")
            return
        told = {
            "number": buffer.number,
            "text": kept,
            "path": str(buffer.path) if buffer.path is not None else "",
            "cursor": min(cursor, len(kept)),
            "saved": buffer.saved,
            "secret": buffer.secret,
        }
        file = self._folder / f"{buffer.ident}.json"
        draft = file.with_suffix(f".{os.getpid()}")
        try:
            paths.private(self._folder)
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as out:
                json.dump(told, out)
            draft.replace(file)
            self.problem = None
        except OSError as error:
            log.warning("a buffer cannot be kept: %s", error)
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
            self.problem = Problem(
                Cause.CONFIG,
                "What you write is not kept",
                f"{file}: {error.strerror or error}",
                "Free some space, or give yourself the right to write there; until then save it as a file",
            )

    def drop(self, buffer: Buffer) -> None:
        """Forgets a buffer that was closed."""
        self._remove(f"{buffer.ident}.json")
        self._unlock(buffer.ident)

    def release(self) -> None:
        """Gives the buffers back: another console may open them."""
        for ident in list(self._locks):
            self._unlock(ident)

    def _lock(self, ident: str) -> bool:
        if ident in self._locks:
            return True
        try:
            paths.private(self._folder)
            handle = os.open(self._folder / f"{ident}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            log.warning("a buffer cannot be locked: %s", error)
            return True  # better twice than not at all
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        except OSError:
            pass  # some network file systems know no locks
        self._locks[ident] = handle
        return True

    def _unlock(self, ident: str) -> None:
        if (handle := self._locks.pop(ident, None)) is not None:
            self._remove(f"{ident}.lock")
            os.close(handle)

    def _remove(self, name: str) -> None:
        try:
            (self._folder / name).unlink(missing_ok=True)
        except OSError as error:
            log.warning("a buffer's file cannot be removed: %s", error)


def _read(file: Path) -> Buffer | None:
    try:
        found = json.loads(file.read_bytes())
        path = str(found["path"])
        text = str(found["text"])
        return Buffer(
            file.stem,
            int(found["number"]),
            text,
            Path(path) if path else None,
            max(0, min(int(found["cursor"]), len(text))),
            str(found["saved"]),
            bool(found["secret"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("a buffer cannot be read: %s: %s", file, error)
        return None


def read_file(path: Path) -> str:
    """A `.sql` file's text, with line feeds for any line ends.

    Raises:
        ProblemError: it cannot be read, is no UTF-8, or too long for an editor.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise ProblemError(
                Problem(
                    Cause.CONFIG,
                    "The file is too long to edit here",
                    f"{path}: {path.stat().st_size:,} bytes, at most {LARGEST:,}",
                    "Run it as it is: statetui sql WORKLOAD -f FILE",
                )
            )
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProblemError(
            Problem(Cause.CONFIG, "The file is no UTF-8 text", f"{path}: {error}", "Convert it first, with iconv")
        ) from error
    except OSError as error:
        raise ProblemError(
            Problem(Cause.CONFIG, "The file cannot be opened", f"{path}: {error.strerror or error}")
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def write_file(path: Path, text: str) -> str:
    """Saves a text in one step; a file that is there keeps its mode, a new one is for its owner only.

    Returns:
        What was written: it ends with a line end.

    Raises:
        ProblemError: it cannot be written.
    """
    text = text if not text or text.endswith("\n") else f"{text}\n"
    target = path.resolve()  # a link stays one
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
            out.write(text)
            os.fchmod(out.fileno(), mode)
        draft.replace(target)
    except (OSError, UnicodeEncodeError) as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        said = getattr(error, "strerror", None) or str(error)
        raise ProblemError(
            Problem(Cause.CONFIG, "The file cannot be saved", f"{path}: {said}", "Choose another place")
        ) from error
    return text
