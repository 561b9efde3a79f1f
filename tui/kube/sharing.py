"""Keeps once what many pods have in common.

The containers of a pod come from its controller's template, and ten thousand pods of a thousand sets have a thousand
different ones. Sharing them saves a third of what pods take in memory, for three microseconds each.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import force_setattr

from tui.kube.objects import Container, Pod

#: Where the service account's token is mounted: under a name of its own in each pod, and of interest to nobody here.
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path
#: Different templates that are kept before all are forgotten: the pods go on holding theirs.
KEPT = 20_000

_encoder = msgspec.json.Encoder()


class Sharing:
    """The container lists that have been seen."""

    def __init__(self) -> None:
        self._seen: dict[bytes, list[Container]] = {}

    def share(self, pod: Pod) -> None:
        """Replaces a fresh pod's containers by equal ones that are held already. Nothing else may hold the pod yet."""
        spec = pod.spec
        if spec.containers:
            force_setattr(spec, "containers", self._held(spec.containers))
        if spec.init_containers:
            force_setattr(spec, "init_containers", self._held(spec.init_containers))

    def _held(self, containers: list[Container]) -> list[Container]:
        for container in containers:
            for mount in container.volume_mounts:
                if mount.mount_path == TOKEN:
                    kept = [other for other in container.volume_mounts if other is not mount]
                    force_setattr(container, "volume_mounts", kept)
                    break
        key = _encoder.encode(containers)
        held = self._seen.get(key)
        if held is None:
            if len(self._seen) >= KEPT:
                self._seen.clear()
            held = self._seen[key] = containers
        return held
