"""Volumes: directories inside the sandbox's own, and where a container's mount paths lead.

A claim's directory (`volumes/<name of the PersistentVolume>`) outlives the pod; all others go with it. The kubelet
deletes no claim's directory: whoever removes the PersistentVolume does.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tui.sandbox.kubelet.environment import ConfigError, expand, field_of, read
from tui.sandbox.model import Json, Objects


class MountError(Exception):
    """A volume cannot be mounted (yet); the message is the event's."""


class Pending(MountError):
    """A claim is not bound yet: nothing is wrong so far."""


def inside(base: Path, *parts: str) -> Path:
    """A path below a directory. MountError when a part leads out of it, or is not a name."""
    path = base
    for part in parts:
        for step in part.split("/"):
            if step in ("", "."):
                continue
            if step == ".." or "\0" in step:
                raise MountError(f'"{part}" leads out of the volume')
            path /= step
    return path


def contained(base: Path, target: Path) -> Path:
    """Where a path really is. MountError when links, which containers may have made, lead it out of a directory."""
    try:
        real = target.resolve()
        if real.is_relative_to(base.resolve()):
            return real
    except (OSError, RuntimeError) as error:  # A loop of links, or a name that is too long.
        raise MountError(f"{target.name[:80]} cannot be followed: {error}") from error
    raise MountError(f"{target.name[:80]} is a link that leads out of the volume")


class Volumes:
    """The volumes of one pod."""

    def __init__(self, objects: Objects, state: Path, pod: Json) -> None:
        self._objects, self._state, self._pod = objects, state, pod
        self.directory = inside(state / "pods", pod["metadata"]["uid"])
        self.claims: dict[str, str] = {}
        self.real: dict[str, Path] = {}

    def mount(self, status: Json) -> None:
        """Makes all volumes. MountError with the event's message; then it is tried again later."""
        for volume in self._pod["spec"].get("volumes") or []:
            if volume["name"] not in self.real:
                self.real[volume["name"]] = self._make(volume, status)

    def unmount(self) -> None:
        """Removes what went with the pod: everything but the claims."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def container(self, container: Json) -> Path:
        """The directory of a container's own, in which it starts."""
        directory = inside(self.directory, "containers", container["name"])
        (directory / "tmp").mkdir(parents=True, exist_ok=True)
        return directory

    def mounts(self, container: Json, values: dict[str, str]) -> dict[str, Path]:
        """A container's mount paths and the directories (files, with subPath) that they are. ConfigError otherwise."""
        found = {"/tmp": self.container(container) / "tmp"}  # noqa: S108 (the path inside, not this machine's)
        for mount in container.get("volumeMounts") or []:
            real = self.real.get(mount["name"])
            if real is None:
                raise ConfigError(f'volume "{mount["name"]}" is not mounted')
            sub = mount.get("subPath") or expand(mount.get("subPathExpr") or "", values)
            try:
                target = contained(real, inside(real, sub))
                if sub and not target.exists():
                    target.mkdir(parents=True)
            except (MountError, OSError) as error:
                raise ConfigError(
                    f'failed to prepare subPath for volumeMount "{mount["name"]}" of container "{container["name"]}": '
                    f"{error}"
                ) from error
            found[mount["mountPath"]] = target
        return found

    def _make(self, volume: Json, status: Json) -> Path:
        name = volume["name"]
        if claim := volume.get("persistentVolumeClaim"):
            return self._claim(name, claim["claimName"])
        directory = inside(self.directory, "volumes", name)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            contained(self.directory, directory)
            if "emptyDir" in volume:
                return directory
            for kind in ("configMap", "secret", "downwardAPI", "projected"):
                if kind in volume:
                    projected = kind == "projected"
                    sources: list[Json] = (volume[kind].get("sources") or []) if projected else [{kind: volume[kind]}]
                    for source in sources:
                        self._fill(directory, source, volume[kind].get("defaultMode"), status)
                    return directory
        except (ConfigError, MountError, OSError) as error:
            raise MountError(f'MountVolume.SetUp failed for volume "{name}" : {error}') from error
        kind = next((key for key in volume if key != "name"), "nothing")
        raise MountError(f'MountVolume.SetUp failed for volume "{name}" : the sandbox refuses volumes of type {kind}')

    def _claim(self, name: str, claim: str) -> Path:
        namespace = self._pod["metadata"]["namespace"]
        found = self._objects.get("persistentvolumeclaims", namespace, claim)
        if found is None:
            raise MountError(
                f'MountVolume.SetUp failed for volume "{name}" : persistentvolumeclaim "{claim}" not found'
            )
        volume = (found.get("spec") or {}).get("volumeName")
        if not volume or (found.get("status") or {}).get("phase") != "Bound":
            raise Pending(f'persistentvolumeclaim "{claim}" not bound')
        directory = inside(self._state / "volumes", volume)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            contained(self._state / "volumes", directory)
        except (MountError, OSError) as error:
            raise MountError(f'MountVolume.SetUp failed for volume "{name}" : {error}') from error
        self.claims[name] = claim
        return directory

    def _fill(self, directory: Path, source: Json, mode: int | None, status: Json) -> None:
        for kind, wanted in source.items():
            if kind in ("configMap", "secret"):
                name = wanted.get("name") or wanted.get("secretName")
                optional = bool(wanted.get("optional"))
                data = read(self._objects, kind, self._pod["metadata"]["namespace"], name, optional=optional) or {}
                items = wanted.get("items") or [{"key": key, "path": key} for key in data]
                for item in items:
                    if item["key"] in data:
                        _write(
                            directory,
                            item["path"],
                            data[item["key"]],
                            item.get("mode") or wanted.get("defaultMode") or mode,
                        )
                    elif not optional:
                        raise ConfigError(f"references non-existent {kind.lower()} key: {item['key']}")
            elif kind == "downwardAPI":
                for item in wanted.get("items") or []:
                    if reference := item.get("fieldRef"):
                        text = field_of(self._pod, reference["fieldPath"], status)
                        _write(directory, item["path"], text.encode(), item.get("mode") or mode)
            else:
                raise ConfigError(f"the sandbox refuses volumes of type {kind}")


def _write(directory: Path, path: str, data: bytes, mode: int | None) -> None:
    # The file itself is made anew; what leads to it may be a link that a container has made in an earlier run.
    target = inside(directory, path)
    if target == directory:
        raise MountError(f'"{path}" names no file')
    contained(directory, target.parent).mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    target.write_bytes(data)
    target.chmod(0o644 if mode is None else mode & 0o777)
