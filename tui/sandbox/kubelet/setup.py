"""From a container's manifest to what is started: its image's plan, its environment, its words."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tui.sandbox import images
from tui.sandbox.kubelet.addresses import Address
from tui.sandbox.kubelet.environment import ConfigError, Translation, build, expand, mount_variable
from tui.sandbox.kubelet.host import Host
from tui.sandbox.kubelet.status import Container
from tui.sandbox.kubelet.volumes import MountError, Volumes, contained
from tui.sandbox.model import Json

#: A script of a process has little use for more, and execve(2) takes no word that is longer.
_LONGEST = 128 * 1024


@dataclass(frozen=True, slots=True)
class Setup:
    """What is started.

    Attributes:
        words: the first process'.
        environment: its whole environment.
        directory: where it starts.
        translation: how paths and addresses are put into the words of later processes.
        health: what a stand-in is asked instead of some paths over HTTP.
        stands_in: what stands in for what, empty when nothing does.
        litter: paths of sockets that are removed when it has ended.
    """

    words: list[str]
    environment: dict[str, str]
    directory: Path
    translation: Translation
    health: Mapping[str, Json]
    stands_in: str
    litter: Sequence[str]


def make(host: Host, pod: Json, record: Container, address: Address, volumes: Volumes) -> Setup:
    """Prepares a container.

    Raises:
        ConfigError: its manifest names what is not there.
        images.MissingProgramError: its image needs what is not on this machine.
    """
    spec, meta = record.spec, pod["metadata"]
    image = images.find(str(spec.get("image", "")))
    try:
        directory = volumes.container(spec)
        asked = build(host.objects, pod, spec, {"podIP": address.ip, "hostIP": "127.0.0.1"})
        mounts = volumes.mounts(spec, asked)
    except OSError as error:
        raise ConfigError(f"failed to make the container's directories: {error}") from error
    translation = Translation(mounts, address.ip)
    ports = {f"STATETUI_PORT_{port['containerPort']}": str(port["containerPort"]) for port in spec.get("ports") or []}
    ports = {name: str(address.port(int(port))) for name, port in ports.items()}
    environment = _base(pod, directory, address, spec, mounts) | {k: translation.text(v) for k, v in asked.items()}

    def words(key: str) -> list[str]:
        return translation.words(expand(str(word), environment) for word in spec.get(key) or [])

    container = images.Container(
        namespace=meta["namespace"],
        pod=meta["name"],
        name=record.name,
        image=str(spec.get("image", "")),
        kind=record.kind,
        command=words("command"),
        args=words("args"),
        environment=environment,
        address=address.ip,
        port=address.port,
        ports={str(p.get("name") or p["containerPort"]): int(p["containerPort"]) for p in spec.get("ports") or []},
        mounts=mounts,
        replicas=_replicas(host, pod),
        directory=directory,
        shared=host.shared,
        peer=lambda name: host.peer(meta["namespace"], name),
        peer_port=lambda name, port: host.peer_port(meta["namespace"], name, port),
        helper=host.helper,
    )
    try:
        host.shared.mkdir(parents=True, exist_ok=True)
        plan = image.plan(container)
    except OSError as error:
        raise ConfigError(f"failed to write the container's files: {error}") from error
    environment |= plan.environment
    environment["PATH"] = os.pathsep.join([*plan.path, environment["PATH"]])
    for name, value in environment.items():
        if not name or "=" in name or "\0" in name + value or len(value) > _LONGEST:
            raise ConfigError(f"environment variable {name[:80]!r} cannot be set")
    if any("\0" in word or len(word) > _LONGEST for word in plan.command):
        raise ConfigError("a word of the command cannot be given to a process")
    working = plan.directory or _working(spec, directory, translation)
    said = image.stands_in(container)
    return Setup(list(plan.command), environment, working, translation, plan.health, said, plan.litter)


def _base(pod: Json, directory: Path, address: Address, spec: Json, mounts: Mapping[str, Path]) -> dict[str, str]:
    """What every container has; of this program's own environment it gets the search path alone."""
    found = {
        "PATH": os.pathsep.join([os.environ.get("PATH", os.defpath), *images.fetched.programs()]),
        "HOME": str(directory),
        "HOSTNAME": str(pod["spec"].get("hostname") or pod["metadata"]["name"]),
        "LANG": "C.UTF-8",
        "TMPDIR": str(directory / "tmp"),
        "POD_IP": address.ip,
    }
    for port in spec.get("ports") or []:
        found[f"STATETUI_PORT_{port['containerPort']}"] = str(address.port(int(port["containerPort"])))
    for mount in reversed(spec.get("volumeMounts") or []):
        found[mount_variable(mount["name"])] = str(mounts[mount["mountPath"]])
    return found


def _replicas(host: Host, pod: Json) -> int:
    for owner in pod["metadata"].get("ownerReferences") or []:
        if owner.get("kind") == "StatefulSet":
            found = host.objects.get("statefulsets.apps", pod["metadata"]["namespace"], owner["name"])
            return int(((found or {}).get("spec") or {}).get("replicas") or 1)
    return 1


def _working(spec: Json, directory: Path, translation: Translation) -> Path:
    """Where it starts: inside a volume when the manifest asks for that, else in its own directory; never elsewhere."""
    wanted = translation.text(str(spec.get("workingDir") or ""))
    for real in translation.mounts.values() if wanted and "\0" not in wanted else ():
        with contextlib.suppress(MountError, OSError):
            if (found := contained(real, Path(wanted))).is_dir():
                return found
    return directory
