"""What all pods of the node share: the API, the supervisor, directories, addresses, and who has which name."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tui.sandbox.kubelet.addresses import Addresses
from tui.sandbox.kubelet.processes import Processes
from tui.sandbox.model import ApiError, Json, Objects


@dataclass(slots=True, eq=False)
class Host:
    """The node's side of every pod.

    Attributes:
        objects: the API.
        state: the sandbox's directory.
        node: the node's name.
        processes: what starts processes.
        addresses: the pods' addresses.
        first: seconds of the first back-off (Kubernetes: 10); it doubles.
        most: seconds of the longest (Kubernetes: 300).
        awake: not set while the kubelet is frozen: it tells nothing, hears nothing and starts nothing.
        crashing: pods, by namespace and name, whose containers end at once, and the exit code.
    """

    objects: Objects
    state: Path
    node: str
    processes: Processes
    addresses: Addresses
    first: float = 1.0
    most: float = 30.0
    awake: asyncio.Event = field(default_factory=asyncio.Event)
    crashing: dict[tuple[str, str], int] = field(default_factory=dict)
    _helpers: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Awake until something freezes it."""
        self.awake.set()

    @property
    def shared(self) -> Path:
        """A directory for what pods share."""
        return self.state / "shared"

    def event(self, about: Json, reason: str, message: str, kind: Literal["Normal", "Warning"] = "Normal") -> None:
        """Records an Event of the kubelet's; one that cannot be recorded is not worth a pod."""
        with contextlib.suppress(ApiError):
            self.objects.event(about, reason, message, kind=kind, source="kubelet")

    def peer(self, namespace: str, name: str) -> str | None:
        """The address of a pod by its name or its name in DNS, None when it has none now."""
        pod, _, rest = name.partition(".")
        parts = rest.split(".")
        found = self.objects.get("pods", parts[1] if len(parts) > 1 else namespace, pod)
        return str((found.get("status") or {}).get("podIP") or "") or None if found else None

    def peer_port(self, namespace: str, name: str, port: int) -> int:
        """Where a pod's server listens that should listen on a port; the pod is named as for `peer`."""
        pod, _, rest = name.partition(".")
        parts = rest.split(".")
        return self.addresses.port(f"{parts[1] if len(parts) > 1 else namespace}/{pod}", port)

    def helper(self, name: str, words: Sequence[str], environment: Mapping[str, str]) -> None:
        """Runs a program beside the pods, once for the sandbox, and again whenever it ends."""
        if name not in self._helpers:
            self._helpers[name] = asyncio.create_task(
                self._help(name, list(words), dict(environment)), name=f"helper {name}"
            )

    async def _help(self, name: str, words: list[str], environment: dict[str, str]) -> None:
        while True:
            with contextlib.suppress(OSError):
                null = os.open(os.devnull, os.O_RDWR)
                streams = (null, os.dup(null), os.dup(null))
                child = await self.processes.start(words, environment, self.state, streams, mark=f"helper-{name}")
                await asyncio.shield(child.ended)
            await asyncio.sleep(1)

    async def close(self) -> None:
        """Forgets the helpers; the supervisor ends them."""
        for task in self._helpers.values():
            task.cancel()
        await asyncio.gather(*self._helpers.values(), return_exceptions=True)
        self._helpers.clear()
