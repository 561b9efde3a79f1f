"""A container's environment and words: values, references, `$(NAME)`, and what stands for paths and addresses here.

Containers share this machine's files and its loopback interface. So wherever a manifest names a mount path or the pod's
loopback, the real thing is put in its place, in `command`, `args`, environment values, probes, hooks and the words of
`kubectl exec`:

* a mount path, as a whole path or the beginning of one (`/data/x`, `--dir=/data`; not `/database`), becomes the
  volume's directory. `/tmp` is a mount of the container's own, always;
* `127.0.0.1`, `localhost` and `0.0.0.0` as whole words become the pod's address: a server that listened on them would
  listen for all pods.

Files, ConfigMaps among them, are not rewritten: scripts in them use `$STATETUI_MOUNT_<VOLUME>` (the volume's name in
capitals, `_` for all but letters and digits: the directory of its first mount), `$POD_IP`, and `$STATETUI_PORT_<N>`
for port N of the container: another one where pods share an address, or some other program has taken it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tui.sandbox.model import Json, Objects
from tui.sandbox.quantities import quantity

_REFERENCE = re.compile(r"\$\$|\$\(([^()]*)\)")
_NAME = re.compile(r"[^A-Z0-9]")


class ConfigError(Exception):
    """A container cannot be made of what its manifest names; the message is the kubelet's."""


@dataclass(frozen=True, slots=True)
class Translation:
    """Puts real directories and the pod's address into text; see the module."""

    mounts: Mapping[str, Path]
    address: str

    def text(self, text: str) -> str:
        """The text as it holds on this machine."""
        if self.mounts:
            paths = sorted((path.rstrip("/") for path in self.mounts if path.rstrip("/")), key=len, reverse=True)
            pattern = rf"(?<![\w./-])({'|'.join(map(re.escape, paths))})(?![\w.-])"
            real = {path.rstrip("/"): str(directory) for path, directory in self.mounts.items()}
            text = re.sub(pattern, lambda match: real[match[1]], text)
        return re.sub(r"(?<![\w.-])(127\.0\.0\.1|localhost|0\.0\.0\.0)(?![\w.-])", self.address, text)

    def words(self, words: Iterable[str]) -> list[str]:
        """Each word as it holds on this machine."""
        return [self.text(word) for word in words]

    def run(self, words: Sequence[str]) -> list[str]:
        """The words of a command, as `words` has them; GNU tar is told to name files by their mount paths.

        `kubectl cp` runs `tar cf - PATH` and refuses names that do not begin with the path that it asked for.
        """
        found = self.words(words)
        if sys.platform != "linux" or found[:1] != ["tar"] or found[1:2] not in (["cf"], ["-cf"]):
            return found
        names = []
        for mount, real in self.mounts.items():
            pattern = re.sub(r"([.*\[\]^$\\|])", r"\\\1", str(real).strip("/"))
            name = re.sub(r"([\\&|])", r"\\\1", mount.strip("/"))
            # The names of files (r) and what hard links hold (h), not what symbolic links hold.
            names.append(f"--transform=flags=rhS;s|^{pattern}|{name}|")
        # Options cannot come before the old-style "cf", which has no dash.
        return ["tar", *names, "-cf", *found[2:]]


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replaces `$(NAME)`; `$$` is a dollar sign; what is not known stays as it stands."""
    return _REFERENCE.sub(lambda m: "$" if m[0] == "$$" else values.get(m[1], m[0]), text)


def mount_variable(volume: str) -> str:
    """The environment variable that names a volume's directory."""
    return f"STATETUI_MOUNT_{_NAME.sub('_', volume.upper())}"


def build(objects: Objects, pod: Json, container: Json, status: Json) -> dict[str, str]:
    """The environment that a container's manifest asks for, in its order; nothing is translated yet.

    Args:
        objects: where Secrets and ConfigMaps are.
        pod: the pod.
        container: its container.
        status: what is known of the pod's status already: `podIP`, `hostIP`.

    Raises:
        ConfigError: something that it names is not there.
    """
    values: dict[str, str] = {}
    namespace = pod["metadata"]["namespace"]
    for source in container.get("envFrom") or []:
        for kind in ("configMapRef", "secretRef"):
            if reference := source.get(kind):
                data = read(objects, kind[:-3], namespace, reference["name"], optional=bool(reference.get("optional")))
                values |= {
                    source.get("prefix", "") + key: value.decode("utf-8", "replace")
                    for key, value in (data or {}).items()
                }
    for entry in container.get("env") or []:
        if origin := entry.get("valueFrom"):
            found = _from(objects, pod, container, status, origin)
            if found is not None:
                values[entry["name"]] = found
        else:
            values[entry["name"]] = expand(str(entry.get("value") or ""), values)
    return values


def read(objects: Objects, kind: str, namespace: str, name: str, *, optional: bool = False) -> dict[str, bytes] | None:
    """The keys of a `configMap` or `secret`; None when it is optional and missing. ConfigError when it is missing."""
    found = objects.get("configmaps" if kind == "configMap" else "secrets", namespace, name)
    if found is None:
        if optional:
            return None
        raise ConfigError(f'{kind.lower()} "{name}" not found')
    import base64  # noqa: PLC0415

    plain = {key: str(value).encode() for key, value in (found.get("data") or {}).items()}
    try:
        if kind == "secret":
            return {key: base64.b64decode(value) for key, value in plain.items()}
        return plain | {key: base64.b64decode(value) for key, value in (found.get("binaryData") or {}).items()}
    except ValueError as error:
        raise ConfigError(f'{kind.lower()} "{name}" holds what is not base64') from error


def _from(objects: Objects, pod: Json, container: Json, status: Json, origin: Json) -> str | None:
    for kind, title in (("configMap", "ConfigMap"), ("secret", "Secret")):
        if reference := origin.get(f"{kind}KeyRef"):
            namespace, name, key = pod["metadata"]["namespace"], reference["name"], reference["key"]
            optional = bool(reference.get("optional"))
            data = read(objects, kind, namespace, name, optional=optional)
            if data is not None and key in data:
                return data[key].decode("utf-8", "replace")
            if optional:
                return None
            raise ConfigError(f"couldn't find key {key} in {title} {namespace}/{name}")
    if reference := origin.get("fieldRef"):
        return field_of(pod, reference.get("fieldPath", ""), status)
    if reference := origin.get("resourceFieldRef"):
        return _resource(container, reference)
    raise ConfigError("invalid valueFrom")


def field_of(pod: Json, path: str, status: Json) -> str:
    """What a `fieldRef` names. ConfigError when Kubernetes offers no such field."""
    meta, spec = pod["metadata"], pod["spec"]
    match = re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path)
    if match:
        return str((meta.get(match[1]) or {}).get(match[2], ""))
    known: dict[str, Any] = {
        "metadata.name": meta["name"],
        "metadata.namespace": meta["namespace"],
        "metadata.uid": meta.get("uid"),
        "metadata.labels": _lines(meta.get("labels")),
        "metadata.annotations": _lines(meta.get("annotations")),
        "spec.nodeName": spec.get("nodeName"),
        "spec.serviceAccountName": spec.get("serviceAccountName") or "default",
        "status.podIP": status.get("podIP"),
        "status.podIPs": status.get("podIP"),
        "status.hostIP": status.get("hostIP"),
        "status.hostIPs": status.get("hostIP"),
    }
    if path not in known:
        raise ConfigError(f"unsupported fieldPath: {path}")
    return str(known[path] or "")


def _lines(pairs: Json | None) -> str:
    return "\n".join(f'{key}="{value}"' for key, value in sorted((pairs or {}).items()))


def _resource(container: Json, reference: Json) -> str:
    resources = container.get("resources") or {}
    kind, _, name = str(reference.get("resource", "")).partition(".")
    value = quantity(str((resources.get(kind) or {}).get(name, "0")))
    divisor = quantity(str(reference.get("divisor") or "1")) or 1
    return str(-(-value // divisor))
