"""What the containers of a pod are given: the variables of their environment and the files that these name.

A variable is followed to where it comes from and no further: nothing is read here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import msgspec

_OTHER = re.compile(r"\$\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)")


@dataclass(frozen=True, slots=True)
class Reference:
    """A key of a Secret or a ConfigMap.

    Attributes:
        kind: `secrets` or `configmaps`.
        key: the key in it.
        optional: whether it need not be there (one of several that a variable may come from).
    """

    kind: str
    name: str
    key: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that stands in the pod itself."""

    text: str = field(repr=False)


class _Pod(msgspec.Struct, frozen=True):
    spec: dict[str, Any] = {}
    metadata: dict[str, Any] = {}


class PodVariables:
    """The containers' variables, by name."""

    def __init__(self, pod: bytes = b"{}") -> None:
        """Of a pod's JSON as the API server sends it; without one there are none.

        Raises:
            msgspec.DecodeError: it is not a pod's.
        """
        decoded = msgspec.json.decode(pod, type=_Pod)
        self._containers: list[dict[str, Any]] = [
            one for one in decoded.spec.get("containers") or [] if isinstance(one, dict)
        ]
        self._volumes = {one.get("name"): one for one in decoded.spec.get("volumes") or [] if isinstance(one, dict)}
        self.labels: dict[str, str] = decoded.metadata.get("labels") or {}

    def mentions(self, text: str) -> bool:
        """Whether a container's command or arguments hold the text."""
        return any(
            text in str(word)
            for container in self._containers
            for word in (*(container.get("command") or ()), *(container.get("args") or ()))
        )

    def sources(self, name: str, followed: tuple[str, ...] = ()) -> Iterator[Literal | Reference]:
        """Where a variable's value comes from, the certain ones first; from its `_FILE` where there is one.

        Args:
            name: the variable.
            followed: those that led to it, `A` where A is `$(NAME)`.
        """
        for container in self._containers:
            for variable in container.get("env") or ():
                if variable.get("name") == name:
                    value = variable.get("value") or ""
                    if "$(" not in value:
                        yield from _of_variable(variable)
                    # The kubelet fills in variables that stand before it; one that is made of several is not followed.
                    elif (other := _OTHER.fullmatch(value)) and other[1] not in followed:
                        yield from self.sources(other[1], (*followed, name))
                elif variable.get("name") == f"{name}_FILE" and variable.get("value"):
                    yield from self._of_file(container, variable["value"])
        for container in self._containers:
            for given in container.get("envFrom") or ():
                prefix = given.get("prefix") or ""
                for kind, at in (("secrets", "secretRef"), ("configmaps", "configMapRef")):
                    source = given.get(at)
                    if source and name.startswith(prefix):
                        yield Reference(kind, source.get("name", ""), name[len(prefix) :], optional=True)

    def files(self, path: str) -> Iterator[Reference]:
        """The key that a file of the containers is made of, if a Secret or ConfigMap is mounted there."""
        for container in self._containers:
            yield from self._of_file(container, path)

    def file_of_flag(self, name: str) -> Iterator[Reference]:
        """The keys that the file is made of which a container's command line names: `--NAME=FILE` or `--NAME FILE`.

        Args:
            name: of the flag, without its dashes; `_` and `-` in it are one.
        """
        for container in self._containers:
            line = [str(word) for word in (*(container.get("command") or ()), *(container.get("args") or ()))]
            for word, after in zip(line, [*line[1:], ""], strict=False):
                flag, given, value = word.partition("=")
                if flag.startswith("-") and flag.lstrip("-").replace("-", "_") == name.replace("-", "_"):
                    yield from self._of_file(container, value if given else after)

    def _of_file(self, container: dict[str, Any], file: str) -> Iterator[Reference]:
        """The key that a file in a mounted Secret is made of."""
        path = PurePosixPath(file)
        mounts = [
            mount
            for mount in container.get("volumeMounts") or ()
            if path.is_relative_to(mount.get("mountPath") or "/nowhere")
        ]
        for mount in sorted(mounts, key=lambda mount: len(mount["mountPath"]), reverse=True):
            inside = str(path.relative_to(mount["mountPath"]))
            if sub := mount.get("subPath"):
                inside = sub if inside == "." else f"{sub}/{inside}"
            volume = self._volumes.get(mount.get("name"), {})
            for kind, source, name in _volume_sources(volume):
                items = source.get("items")
                if items is None:
                    yield Reference(kind, name, inside)
                else:
                    yield from (Reference(kind, name, item["key"]) for item in items if item.get("path") == inside)


def _of_variable(variable: dict[str, Any]) -> Iterator[Literal | Reference]:
    source = variable.get("valueFrom")
    if source is None:
        yield Literal(variable.get("value") or "")
        return
    for kind, at in (("secrets", "secretKeyRef"), ("configmaps", "configMapKeyRef")):
        if found := source.get(at):
            yield Reference(kind, found.get("name", ""), found.get("key", ""), bool(found.get("optional")))


def _volume_sources(volume: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Kind, source and name of what a volume is made of."""
    sources = [volume, *((volume.get("projected") or {}).get("sources") or ())]
    for source in sources:
        if secret := source.get("secret"):
            yield "secrets", secret, secret.get("secretName") or secret.get("name") or ""
        if configmap := source.get("configMap"):
            yield "configmaps", configmap, configmap.get("name") or ""
