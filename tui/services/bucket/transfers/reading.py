"""The local side of uploads: files read piece by piece, noticed when they change meanwhile, and folders walked."""

from __future__ import annotations

import hashlib
import os
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tui.problem import Cause, Problem, ProblemError
from tui.services.bucket.transfers.calls import Digest
from tui.services.bucket.transfers.parts import Span


def digest(data: bytes | memoryview, *, md5: bool) -> Digest:
    """The checksums of a piece. Both release the interpreter's lock: meant for threads."""
    md5_digest = hashlib.md5(data, usedforsecurity=False).digest() if md5 else b""
    return Digest(len(data), zlib.crc32(data), md5_digest)


class Source:
    """An open local file that must not change while it is uploaded. All of its methods block: meant for threads.

    Args:
        path: of the file; a symbolic link is followed.

    Attributes:
        size: bytes.
        modified: nanoseconds since the epoch.

    Raises:
        OSError: it cannot be opened.
        ProblemError: it is no regular file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # Without O_NONBLOCK the opening of a pipe would wait for whoever writes to it.
        self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        self._first = os.fstat(self._handle)
        if not stat.S_ISREG(self._first.st_mode):
            os.close(self._handle)
            raise ProblemError(
                Problem(Cause.REJECTED, f"{path} is no regular file", "", "Pipe it in with - to upload a stream.")
            )
        self.size = self._first.st_size
        self.modified = self._first.st_mtime_ns

    def read(self, span: Span, into: memoryview, *, md5: bool) -> Digest:
        """A part, and its checksums.

        Args:
            span: which part.
            into: memory of its size.
            md5: whether the MD5 is among the checksums.

        Raises:
            ProblemError: the file has become shorter.
        """
        at = 0
        while at < span.size:
            count = os.preadv(self._handle, [into[at:]], span.start + at)
            if count == 0:
                raise changed(self.path, f"it ends at byte {span.start + at}, it had {self.size} bytes")
            at += count
        return digest(into, md5=md5)

    def verify_unchanged(self) -> None:
        """Compares the file with what it was when it was opened.

        Raises:
            ProblemError: it was written to or replaced.
        """
        now = os.fstat(self._handle)
        if (now.st_size, now.st_mtime_ns) != (self.size, self.modified):
            raise changed(self.path, f"it had {self.size} bytes, it has {now.st_size}, and was written to meanwhile")
        try:
            there = self.path.stat()
        except OSError as error:
            raise changed(self.path, f"it is gone: {error.strerror}") from error
        if (there.st_dev, there.st_ino) != (now.st_dev, now.st_ino):
            raise changed(self.path, "another file has taken its place")

    def remove(self) -> None:
        """Deletes the file, for a move; only if it is still the one that was uploaded.

        Raises:
            ProblemError: it has changed; it stays.
            OSError: it cannot be deleted.
        """
        self.verify_unchanged()
        self.path.unlink()

    def close(self) -> None:
        """Closes it."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def changed(path: Path, evidence: str) -> ProblemError:
    """A file that was written to while it was uploaded."""
    return ProblemError(
        Problem(
            Cause.REJECTED, f"{path} has changed while it was uploaded; nothing was stored under its key", evidence,
            "Upload it again when nobody writes to it, or upload a copy of it.",
        )
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """What a walk has met.

    Attributes:
        relative: the path below the folder, with slashes.
        size: bytes.
        modified: nanoseconds since the epoch.
        skipped: why it is not uploaded; empty when it is.
    """

    relative: str
    size: int
    modified: int
    skipped: str = ""


def walk(folder: Path) -> Iterator[Found]:
    """The files below a folder in a stable order. Links to files are followed, links to folders are not.

    Raises:
        OSError: the folder itself cannot be read; what is below it and cannot be read is told as skipped.
    """
    stack = [iter(_sorted(folder))]
    prefix = [""]
    while stack:
        entry = next(stack[-1], None)
        if entry is None:
            stack.pop()
            prefix.pop()
            continue
        relative = prefix[-1] + entry.name
        try:
            if entry.is_dir(follow_symlinks=False):
                stack.append(iter(_sorted(Path(entry.path))))
                prefix.append(relative + "/")
            else:
                yield _found(entry, relative)
        except OSError as error:
            yield Found(relative, 0, 0, f"it cannot be read: {error.strerror}")


def _sorted(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: os.fsencode(entry.name))


def _found(entry: os.DirEntry[str], relative: str) -> Found:
    status = entry.stat()
    if stat.S_ISDIR(status.st_mode):
        return Found(relative, 0, 0, "it is a symbolic link to a folder, and those are not followed")
    if not stat.S_ISREG(status.st_mode):
        return Found(relative, 0, 0, "it is neither a file nor a folder")
    return Found(relative, status.st_size, status.st_mtime_ns)
