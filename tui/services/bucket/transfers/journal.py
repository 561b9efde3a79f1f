"""What would be lost with the program: which uploads and downloads stand half-way, and where.

One small file for each, below the state directory: a first line that says what it is, and (for downloads) a line for
each part that was written. It holds names, sizes and identifiers; no credentials, no content.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tui import paths

log = logging.getLogger(__name__)

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class UploadRecord:
    """A multipart upload that was begun.

    Attributes:
        place: whose store (`CONTEXT/NAMESPACE/WORKLOAD`).
        upload: its id there.
        path: the local file, absolute.
        size: of the file when it was begun, in bytes.
        modified: likewise, in nanoseconds.
        part: bytes of each part but the last.
        crc32: whether the server keeps CRC-32 checksums of it.
        begun: seconds since the epoch.
    """

    place: str
    bucket: str
    key: str
    upload: str
    path: str
    size: int
    modified: int
    part: int
    crc32: bool
    begun: float


@dataclass(frozen=True, slots=True)
class DownloadRecord:
    """A download that was begun.

    Attributes:
        etag: of what is downloaded; parts of anything else are never joined with it.
        path: the local file that it will be, absolute.
        beside: the file that it is written to until it is whole.
        part: bytes of each part but the last.
    """

    place: str
    bucket: str
    key: str
    version: str
    etag: str
    path: str
    beside: str
    size: int
    part: int
    begun: float


class Slip:
    """The file of one transfer, held by this program while it is open.

    Args:
        path: of the file.
        handle: a descriptor of it, locked.
    """

    def __init__(self, path: Path, handle: int) -> None:
        self._path = path
        self._handle = handle

    def part(self, number: int) -> None:
        """Notes that a part was written."""
        os.write(self._handle, f"{number}\n".encode())

    def forget(self) -> None:
        """The transfer is over: nothing is left to be told."""
        with contextlib.suppress(OSError):
            self._path.unlink()
        self.close()

    def close(self) -> None:
        """Lets others have it. The record stays."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


class Journal:
    """The records of transfers that are not over.

    Args:
        folder: where they lie; the state directory's unless given.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or paths.state_dir() / "transfers"

    def upload(self, place: str, bucket: str, key: str, path: str) -> tuple[UploadRecord, Slip] | None:
        """The record of an upload that can go on, None when there is none or another program is at it."""
        found = self._take("upload", place, bucket, key, path)
        if found is None:
            return None
        record, _, slip = found
        try:
            return UploadRecord(**record), slip
        except TypeError:
            slip.forget()
            return None

    def download(self, place: str, bucket: str, key: str, path: str) -> tuple[DownloadRecord, set[int], Slip] | None:
        """The record of a download that can go on with the parts that were written; None as above."""
        found = self._take("download", place, bucket, key, path)
        if found is None:
            return None
        record, parts, slip = found
        try:
            return DownloadRecord(**record), parts, slip
        except TypeError:
            slip.forget()
            return None

    def begin(self, record: UploadRecord | DownloadRecord) -> Slip:
        """Writes a record.

        Raises:
            OSError: it cannot be written.
        """
        kind = "upload" if isinstance(record, UploadRecord) else "download"
        path = self._path(kind, record.place, record.bucket, record.key, record.path)
        paths.private(path.parent)
        beside = path.with_suffix(f".{os.getpid()}")
        handle = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            head = {"format": _FORMAT, "kind": kind, **asdict(record)}
            os.write(handle, json.dumps(head).encode() + b"\n")
            beside.replace(path)
        except BaseException:
            os.close(handle)
            with contextlib.suppress(OSError):
                beside.unlink()
            raise
        return Slip(path, handle)

    def unfinished(self, place: str | None = None) -> list[UploadRecord | DownloadRecord]:
        """All that stands half-way and nobody is at, the oldest first.

        Args:
            place: of one store only.
        """
        found: list[UploadRecord | DownloadRecord] = []
        for path in self._files():
            taken = self._open(path)
            if taken is None:
                continue
            head, _, slip = taken
            slip.close()
            kind = head.pop("kind", "")
            with contextlib.suppress(TypeError):
                found.append(UploadRecord(**head) if kind == "upload" else DownloadRecord(**head))
        return sorted((one for one in found if place in (None, one.place)), key=lambda one: one.begun)

    def _files(self) -> Iterator[Path]:
        with contextlib.suppress(OSError):
            yield from sorted(self.folder.glob("*.jsonl"))

    def _path(self, kind: str, *names: str) -> Path:
        digest = hashlib.sha256("\0".join((kind, *names)).encode("utf-8", "surrogateescape")).hexdigest()[:32]
        return self.folder / f"{digest}.jsonl"

    def _take(self, kind: str, *names: str) -> tuple[dict[str, Any], set[int], Slip] | None:
        taken = self._open(self._path(kind, *names))
        if taken is None:
            return None
        head, parts, slip = taken
        if head.pop("kind", "") != kind or (head["place"], head["bucket"], head["key"], head["path"]) != names:
            slip.close()
            return None
        return head, parts, slip

    def _open(self, path: Path) -> tuple[dict[str, Any], set[int], Slip] | None:
        """A record, locked; None when there is none, it is another version's, or a program is at it."""
        try:
            handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except OSError:
            return None
        slip = Slip(path, handle)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with os.fdopen(os.dup(handle), "r", encoding="utf-8") as file:
                first, *rest = file.read().splitlines() or [""]
            head: Mapping[str, Any] = json.loads(first)
            if head.get("format") != _FORMAT:
                slip.close()
                return None
            record = {name: value for name, value in head.items() if name != "format"}
            return record, {int(line) for line in rest if line.isdigit()}, slip
        except (OSError, ValueError, AttributeError) as error:
            log.warning("the journal %s cannot be used: %s", path, error)
            slip.close()
            return None


def now() -> float:
    """Seconds since the epoch."""
    return time.time()
