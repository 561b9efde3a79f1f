"""What an image is given and what it makes of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from tui.sandbox.images import fetched

Json = dict[str, Any]


class MissingProgramError(Exception):
    """A server is not on this machine; the message says what to install."""


@dataclass(frozen=True, slots=True)
class Container:
    """A container that is about to start.

    Attributes:
        namespace: its pod's.
        pod: its pod's name.
        name: its own.
        image: as the manifest has it.
        kind: whether it is an init container, a sidecar, or neither.
        command: `command` of the manifest, with real paths and the pod's address (`tui.sandbox.kubelet.environment`).
        args: `args`, likewise.
        environment: its whole environment, likewise.
        address: the pod's.
        port: which port to listen on for a port of the manifest; the same one unless pods share an address.
        ports: the container's ports by their names.
        mounts: mount paths and the directories that they are; `/tmp` is always there.
        replicas: how many pods its StatefulSet has; 1 when it has none.
        directory: the container's own; it goes with the pod.
        shared: a directory for what all pods of the sandbox share.
        peer: the address of a pod by its name, or its name in DNS (`mysql-0.mysql`); None when it has none now.
        peer_port: which port a pod's server listens on, by the pod's name and the port that it should be.
        helper: runs a program beside the pods, once for the sandbox: name, words, environment.
    """

    namespace: str
    pod: str
    name: str
    image: str
    kind: Literal["init", "sidecar", "main"]
    command: Sequence[str]
    args: Sequence[str]
    environment: Mapping[str, str]
    address: str
    port: Callable[[int], int]
    ports: Mapping[str, int]
    mounts: Mapping[str, Path]
    replicas: int
    directory: Path
    shared: Path
    peer: Callable[[str], str | None]
    peer_port: Callable[[str, int], int]
    helper: Callable[[str, Sequence[str], Mapping[str, str]], None]

    @property
    def ordinal(self) -> int:
        """The pod's ordinal in its StatefulSet; 0 when it has none."""
        number = self.pod.rpartition("-")[2]
        return int(number) if number.isdecimal() and len(number) < 10 else 0

    @property
    def base(self) -> str:
        """The pod's name without its ordinal: its StatefulSet's."""
        head, _, number = self.pod.rpartition("-")
        return head if head and number.isdecimal() else self.pod

    def value(self, *names: str, default: str = "") -> str:
        """The first of these environment variables that is set."""
        return next((self.environment[name] for name in names if self.environment.get(name)), default)

    def inside(self, path: str) -> Path:
        """A path that an environment variable holds: as it is when it leads into a mount, else in its own directory.

        Mount paths are real ones in the environment; any other would be this machine's.
        """
        with suppress(OSError, RuntimeError, ValueError):
            real = Path(path).resolve()
            if any(real.is_relative_to(mount.resolve()) for mount in [*self.mounts.values(), self.directory]):
                return real
        return self.directory.joinpath(*(step for step in path.split("/") if step not in ("", ".", "..")))

    def data(self, *paths: str) -> Path:
        """Where data go: a mount at one of these paths, else one below or above, else a directory of its own."""
        for path in paths:
            if path in self.mounts:
                return self.mounts[path]
        for path in paths:
            for mount, real in self.mounts.items():
                if path.startswith(mount.rstrip("/") + "/") and mount != "/tmp":  # noqa: S108 (a mount's path)
                    return real / path[len(mount.rstrip("/")) + 1 :]
                if mount.startswith(path.rstrip("/") + "/"):
                    return real
        return self.directory / "data"


@dataclass(frozen=True, slots=True)
class Plan:
    """How a container is run.

    Attributes:
        command: the words of its first process; a script's prints go to the container's log.
        environment: what is added to the container's environment, for `kubectl exec` as well.
        directory: where it starts; the container's own when None.
        path: directories of programs that come before PATH.
        litter: paths of sockets that the server keeps outside of its directory, and leaves there when it is killed.
        health: what a stand-in is asked instead, by the path of a probe over HTTP that only the real one would answer.
    """

    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path | None = None
    path: Sequence[str] = ()
    litter: Sequence[str] = ()
    health: Mapping[str, Json] = field(default_factory=dict)


class Image(Protocol):
    """An image's adapter. It never downloads anything, and does nothing itself: all is done by the process it plans."""

    def stands_in(self, container: Container) -> str:
        """One sentence on what stands in for what; empty when nothing does."""

    def plan(self, container: Container) -> Plan:
        """How to run the container. MissingProgramError when the server is not on this machine."""


def tools(container: Container, names: Mapping[str, str]) -> str:
    """A directory in which programs are found by other names: name → where it is."""
    directory = container.directory / "bin"
    directory.mkdir(exist_ok=True)
    for name, target in names.items():
        link = directory / name
        link.unlink(missing_ok=True)
        link.symlink_to(target)
    return str(directory)


def program(*names: str, extra: Sequence[str] = ()) -> str | None:
    """Where the first of some programs is: on PATH, where systems keep servers, in more directories, or fetched."""
    kept = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin", "/sbin", *fetched.programs()]
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *extra, *kept])
    return next((found for name in names if (found := shutil.which(name, path=path))), None)


def script(container: Container, text: str) -> list[str]:
    """Words that run a shell script, which is kept in the container's directory for whoever wants to read it."""
    path = container.directory / f"{container.name}.sh"
    path.write_text(f"set -eu\n{text}", "utf-8")
    return ["/bin/sh", str(path)]
