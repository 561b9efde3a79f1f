"""The local side of downloads: files that are written beside their target and get its name once they are whole.

All of it happens below one folder that the person chose, through descriptors of folders: a symbolic link below it is
never followed, whoever puts it there and when. All of it blocks: meant for threads.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path

from tui.problem import Cause, Problem, ProblemError
from tui.services.bucket.transfers.names import UNFINISHED, LocalName

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: Pieces that one call writes (IOV_MAX of Linux and macOS is 1,024).
_VECTOR = 1000
#: Bytes that are left free on the disk.
_RESERVE = 1 << 20


class Folder:
    """The folder that was chosen; it may itself be reached by a link.

    Args:
        path: of the folder.
        make: it is made when it is missing; otherwise it is taken as empty, and nothing can be written.

    Raises:
        OSError: it cannot be made or opened.
    """

    def __init__(self, path: Path, *, make: bool = True) -> None:
        self.path = path
        self._handle = -1
        if make:
            path.mkdir(parents=True, exist_ok=True)
        if make or path.is_dir():
            self._handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        """Closes it."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def ignores_case(self) -> bool:
        """Whether names that differ in case only are one name here; unknown, and so denied, while nothing is there."""
        if self._handle < 0:
            return False
        name = f"{UNFINISHED}case-{os.getpid()}"
        with self._at(()) as folder:
            os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600, dir_fd=folder))
            try:
                os.stat(name.upper(), dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                return False
            finally:
                os.unlink(name, dir_fd=folder)
        return True

    def make(self, name: LocalName) -> None:
        """Makes the folder that a key ending in a slash stands for.

        Raises:
            ProblemError: something that is no folder bears a name on the way.
        """
        with self._at(name.folders):
            pass

    def status(self, name: LocalName) -> os.stat_result | None:
        """What bears a name now, None when nothing does; links are not followed."""
        if self._handle < 0:
            return None
        try:
            with self._at(name.folders, make=False) as folder:
                return os.stat(name.name, dir_fd=folder, follow_symlinks=False)
        except (FileNotFoundError, ProblemError):
            return None

    @contextlib.contextmanager
    def _at(self, folders: tuple[str, ...], *, make: bool = True) -> Iterator[int]:
        """A descriptor of a folder below; the folders on the way are made.

        Raises:
            ProblemError: one of them is a link or a file.
            FileNotFoundError: there is none, and none is to be made.
        """
        handle = os.dup(self._handle)
        try:
            for depth, name in enumerate(folders):
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(name, dir_fd=handle)
                try:
                    inner = os.open(name, _FOLDER, dir_fd=handle)
                except OSError as error:
                    if error.errno in (errno.ENOTDIR, errno.ELOOP):
                        raise _in_the_way(self.path, folders[: depth + 1]) from error
                    raise
                os.close(handle)
                handle = inner
            yield handle
        finally:
            os.close(handle)

    def open(self, name: LocalName, tag: str, *, again: bool = False) -> Target:
        """A file beside the target, empty or (`again`) as an earlier run has left it.

        Args:
            name: of the target.
            tag: tells this file from those of other keys; the same in the next run.
            again: goes on with what is there.

        Raises:
            FileNotFoundError: there is nothing to go on with.
            ProblemError: what bears the target's name is a folder, or the way to it is barred.
            OSError: it cannot be made.
        """
        with self._at(name.folders) as folder:
            with contextlib.suppress(FileNotFoundError):
                there = os.stat(name.name, dir_fd=folder, follow_symlinks=False)
                if stat.S_ISDIR(there.st_mode):
                    raise ProblemError(
                        Problem(
                            Cause.REJECTED, f"{self.path / name.path} is a folder, and a file was to have its name", "",
                            "Choose another folder, or move that one away.",
                        )
                    )  # fmt: skip
            beside = f"{UNFINISHED}{tag}.part"
            flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | (0 if again else os.O_CREAT | os.O_EXCL)
            if not again:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(beside, dir_fd=folder)
            handle = os.open(beside, flags, 0o666, dir_fd=folder)
            if again and not stat.S_ISREG(os.fstat(handle).st_mode):
                os.close(handle)
                raise FileNotFoundError(errno.ENOENT, "no regular file", beside)
            return Target(self.path / name.path, os.dup(folder), handle, beside, name.name)


class Target:
    """A file that is not whole yet.

    Attributes:
        path: that it will have, for people.
        beside: its name until then.
    """

    def __init__(self, path: Path, folder: int, handle: int, beside: str, name: str) -> None:
        self.path = path
        self.beside = beside
        self._folder = folder
        self._handle = handle
        self._name = name

    def require(self, size: int) -> None:
        """Looks whether there is room for so many more bytes, before they are fetched.

        Raises:
            ProblemError: there is not.
        """
        room = os.fstatvfs(self._handle)
        free = room.f_bavail * room.f_frsize
        if size + _RESERVE > free:
            raise ProblemError(
                Problem(
                    Cause.REJECTED, f"The disk of {self.path.parent} has no room for it",
                    f"{size:,} bytes are to come, {free:,} are free", "Make room, or choose a folder on another disk.",
                )
            )  # fmt: skip

    def write(self, pieces: list[bytes], start: int, crc: int, md5: hashlib._Hash | None) -> int:
        """Writes pieces, and carries the checksums on.

        Args:
            pieces: one after the other.
            start: of the first one's first byte.
            crc: the CRC-32 of what came before.
            md5: takes the pieces, too, unless it is None.

        Returns:
            The CRC-32 with the pieces.
        """
        at, whole = 0, sum(map(len, pieces))
        rest = [memoryview(piece) for piece in pieces]
        while at < whole:
            count = os.pwritev(self._handle, rest[:_VECTOR], start + at)
            at += count
            while rest and count >= len(rest[0]):
                count -= len(rest.pop(0))
            if count:
                rest[0] = rest[0][count:]
        for piece in pieces:
            crc = zlib.crc32(piece, crc)
            if md5 is not None:
                md5.update(piece)
        return crc

    def read(self, start: int, size: int, *, md5: bool) -> tuple[int, bytes]:
        """The checksums (CRC-32, MD5) of what was written.

        Raises:
            EOFError: it is shorter.
        """
        crc, summed = 0, hashlib.md5(usedforsecurity=False) if md5 else None
        while size:
            piece = os.pread(self._handle, min(size, 1 << 20), start)
            if not piece:
                raise EOFError
            crc = zlib.crc32(piece, crc)
            if summed is not None:
                summed.update(piece)
            start += len(piece)
            size -= len(piece)
        return crc, summed.digest() if summed is not None else b""

    def finish(self, modified: float | None, *, flush: bool) -> None:
        """Gives the file its name, in place of what bore it.

        Args:
            modified: seconds since the epoch, None to leave it.
            flush: waits until the disk has it: before the source is deleted.

        Raises:
            ProblemError: a folder has got that name meanwhile.
        """
        if modified is not None:
            os.utime(self._handle, (modified, modified))
        if flush:
            os.fsync(self._handle)
        try:
            os.replace(self.beside, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except IsADirectoryError as error:
            raise _in_the_way(self.path.parent, (self._name,)) from error
        if flush:
            os.fsync(self._folder)
        self.close()

    def discard(self) -> None:
        """Removes what is not whole."""
        if self._folder >= 0:
            with contextlib.suppress(OSError):
                os.unlink(self.beside, dir_fd=self._folder)
        self.close()

    def close(self) -> None:
        """Closes it; what was written stays beside."""
        for handle in (self._handle, self._folder):
            if handle >= 0:
                os.close(handle)
        self._handle = self._folder = -1


def disk_problem(error: OSError, where: Path) -> Problem:
    """What it means that a local file cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Problem(
            Cause.REJECTED, f"The disk of {where.parent} is full", error.strerror or "",
            "Make room, and start it again.",
        )  # fmt: skip
    if error.errno == errno.ENAMETOOLONG:
        return Problem(
            Cause.REJECTED, f"The path of {where.name} is longer than this file system allows", error.strerror or "",
            "Choose a folder nearer to the root.",
        )  # fmt: skip
    return Problem(Cause.REJECTED, f"{where} cannot be written", error.strerror or str(error))


def _in_the_way(folder: Path, names: tuple[str, ...]) -> ProblemError:
    return ProblemError(
        Problem(
            Cause.REJECTED, f"{folder.joinpath(*names)} is in the way: a folder was to be there",
            "It is a file or a symbolic link, and links below the chosen folder are not followed.",
            "Choose another folder, or move it away.",
        )
    )  # fmt: skip
