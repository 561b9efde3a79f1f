"""Fetches servers for the demo from Debian's archive: downloads packages with apt-get and unpacks them into the cache.

It needs no root, and nothing is registered or started: a package's own scripts, which would do so, are not run. apt-get
checks the archive's signatures as always; its lists and downloads are in a directory of ours, as the system's belong to
root.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tui.commands.remarks import note
from tui.sandbox.images import fetched

_STATUS = "/var/lib/dpkg/status"
#: What packages ask for and the servers do without: it is for scripts of theirs that nobody runs here.
_NEEDLESS = re.compile(r"perl(-modules.*)?|lib.*-perl|libperl.*|libgdbm.*|python3.*|cron.*|logrotate|adduser|socat")


class FetchError(Exception):
    """It could not be fetched; the message has apt-get's own words."""


def possible() -> bool:
    """Whether this system has what it takes."""
    return all(shutil.which(name) for name in ("apt-get", "dpkg-deb")) and Path(_STATUS).is_file()


def fetch(servers: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Fetches each server with all that it needs and the system lacks.

    Args:
        servers: a name of each server's own, and its packages.

    Raises:
        FetchError: apt-get failed, or the disk.
    """
    place = fetched.place()
    work = None
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        _tidy(place)
        work = Path(tempfile.mkdtemp(prefix=f".{os.getpid()}-", dir=place))
        apt = _Apt(work)
        note("asking the package archive what there is")
        apt.run("update", "-qq")
        for name, packages in servers:
            _fetch(apt, work, name, packages)
    except OSError as error:
        raise FetchError(f"{error.filename or place}: {error.strerror}") from error
    finally:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)


def _fetch(apt: _Apt, work: Path, name: str, packages: Sequence[str]) -> None:
    said = apt.run("--simulate", "install", "-qq", "--no-install-recommends", *packages)
    found = re.findall(r"^Inst (\S+) (?:\[\S+\] )?\((\S+)", said, re.MULTILINE)
    wanted = [f"{package}={version}" for package, version in found if not _NEEDLESS.fullmatch(package)]
    # None: they are installed, and yet a program of theirs was not found.
    wanted = wanted or list(packages)
    uris = apt.run("download", "--print-uris", *wanted)
    size = sum(int(match) for match in re.findall(r"^'\S+' \S+ (\d+)", uris, re.MULTILINE))
    note(f"fetching {name}: {len(wanted)} packages, {size / 1e6:.0f} MB")
    made = work / name
    (made / "root").mkdir(parents=True)
    apt.run("download", "-qq", *wanted)
    for package in sorted(apt.downloads.glob("*.deb")):
        _run(["dpkg-deb", "--extract", str(package), str(made / "root")], {**os.environ})
        package.unlink()
    fetched.link(made)
    old, there = work / f"{name}.old", fetched.place() / name
    with suppress(FileNotFoundError):
        there.rename(old)
    made.rename(there)


class _Apt:
    """apt-get with lists and downloads of our own.

    Attributes:
        downloads: where packages come to lie.
    """

    def __init__(self, work: Path) -> None:
        self.downloads = work / "downloads"
        for folder in ("state/lists/partial", "cache/archives/partial", "downloads"):
            (work / folder).mkdir(parents=True)
        settings = {
            "Dir::State": work / "state",
            "Dir::State::Lists": work / "state" / "lists",
            "Dir::State::Status": _STATUS,
            "Dir::Cache": work / "cache",
            # Otherwise root's apt-get would download as another user, who may not write here.
            "APT::Sandbox::User": "root",
            "Debug::NoLocking": "true",
            # What is not fetched fully must not be taken for all there is.
            "APT::Update::Error-Mode": "any",
        }
        self._words = ["apt-get", *(word for key, value in settings.items() for word in ("-o", f"{key}={value}"))]

    def run(self, *words: str) -> str:
        """Runs it, and returns what it prints. FetchError when it fails."""
        return _run([*self._words, *words], {**os.environ, "LC_ALL": "C.UTF-8"}, self.downloads)


def _run(words: Sequence[str], environment: dict[str, str], directory: Path | None = None) -> str:
    done = subprocess.run(
        words, env=environment, cwd=directory, stdin=-3, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        told = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        for line in told[:-1]:
            print(f"    {line}", file=sys.stderr)
        raise FetchError(told[-1] if told else f"{words[0]} ended with {done.returncode}")
    return done.stdout


def _tidy(place: Path) -> None:
    """Removes what a killed one has left."""
    for left in place.glob(".*-*"):
        number = left.name[1:].partition("-")[0]
        if number.isdecimal() and not Path(f"/proc/{number}").exists():
            shutil.rmtree(left, ignore_errors=True)
