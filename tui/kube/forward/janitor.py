"""Removes the socket, or another file, of a program that was killed and could not do it itself.

Beside each of them waits a small shell that reads from a pipe whose other end we hold. A line means that all went
in order; the pipe's end means that we are gone, however that came, and the shell removes the file, and the directory
that was made for it. It has a session of its own, so that no signal of the terminal reaches it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

# Only what is of the kind that was made is removed, and of directories only an empty one.
_SCRIPT = 'read -r line || { [ "$3" "$1" ] && rm -f -- "$1"; [ -n "$2" ] && rmdir -- "$2"; }'


class Janitor:
    """Waits beside one file. Where no shell can be started, nobody does."""

    def __init__(self, path: Path, directory: Path | None = None, *, socket: bool = True) -> None:
        """Starts to wait.

        Args:
            path: the file.
            directory: goes too, if it is empty then.
            socket: whether it is a Unix socket; else a regular file.
        """
        self._shell: subprocess.Popen[bytes] | None = None
        with contextlib.suppress(OSError):
            self._shell = subprocess.Popen(
                [
                    "/bin/sh",
                    "-c",
                    _SCRIPT,
                    "janitor",
                    os.fsencode(path.absolute()),
                    os.fsencode(directory or ""),
                    "-S" if socket else "-f",
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            )

    def dismiss(self) -> None:
        """Nothing is left to be removed."""
        shell, self._shell = self._shell, None
        if shell is not None and shell.stdin is not None:
            with contextlib.suppress(OSError):
                shell.stdin.write(b"\n")
                shell.stdin.close()
            shell.wait()  # it has nothing more to do than to end


def private_directory() -> Path:
    """A new directory that only this user may enter (mode 0700), for sockets; on memory where the system has that."""
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    return Path(tempfile.mkdtemp(prefix="statetui-", dir=base if base and Path(base).is_dir() else None))


def remove_directory(path: Path) -> None:
    """Removes such a directory with what is left in it."""
    shutil.rmtree(path, ignore_errors=True)
