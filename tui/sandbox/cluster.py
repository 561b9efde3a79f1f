"""The whole sandbox: the API with what makes it a cluster, started and ended in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from pathlib import Path

from tui.sandbox import controllers, reclaim, scene, seeds
from tui.sandbox.collector import Collector
from tui.sandbox.controllers.claims import DIRECTORY
from tui.sandbox.faults import Faults
from tui.sandbox.kubelet.kubelet import Kubelet
from tui.sandbox.model import Json
from tui.sandbox.registry import Registry
from tui.sandbox.server import Server
from tui.sandbox.store import Store
from tui.sandbox.streams import add_streams

_log = logging.getLogger(__name__)
_CLASSES = "storageclasses.storage.k8s.io"
_CLASS: Json = {
    "metadata": {
        "name": "standard",
        "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
    },
    "provisioner": DIRECTORY,
    "reclaimPolicy": "Delete",
    "volumeBindingMode": "Immediate",
    "allowVolumeExpansion": True,
}


class PartError(Exception):
    """A part of the cluster has ended, and so the rest does; the message says which and why."""


class Cluster:
    """A cluster in this process, with its pods as processes of this machine.

    Attributes:
        registry: its objects.
        kubelet: its one node.
        server: its API.
    """

    def __init__(self, directory: Path, *, port: int = 0, with_scene: bool = False) -> None:
        """Opens the directory; nothing runs yet. `stop` must be called, whatever happens then.

        Args:
            directory: where everything is kept.
            port: of the API on 127.0.0.1; 0 for any that is free.
            with_scene: whether a new sandbox gets the chapter's scene.

        Raises:
            BlockingIOError: another sandbox uses the directory.
            Damaged: what is in it cannot be read.
            OSError: the directory cannot be written.
        """
        self._volumes = directory / "volumes"
        self._store = Store(directory)
        self._tasks: list[asyncio.Task[None]] = []
        self._serves = self._runs = False
        self._scene = with_scene
        try:
            self.registry = Registry(self._store)
            self.kubelet = Kubelet(self.registry, directory)
            self.server = Server(
                self.registry,
                directory,
                extend=lambda app: add_streams(app, self.kubelet, self.registry),
                metrics=True,
                port=port,
            )
            self.faults = Faults(self._store, self.registry, self.server, self.kubelet)
        except BaseException:
            self._store.close()
            raise

    async def start(self) -> None:
        """Starts all parts. The API answers when this returns; the pods come by and by.

        Raises:
            BusyError: another sandbox runs pods in the directory.
            OSError: the port is taken, or the disk takes no more.
            ApiError: the same, while the first objects were made.
        """
        seeds.plant(self.registry, scene.NAMESPACE if self._scene else "default")
        if self.registry.get(_CLASSES, "", _CLASS["metadata"]["name"]) is None:
            self.registry.create(_CLASSES, _CLASS)
        await self.kubelet.start()
        self._runs = True
        await self.server.start()
        self._serves = True
        parts: dict[str, Coroutine[None, None, None]] = {
            "collector": Collector(self.registry).run(),
            "reclaimer of volumes": reclaim.run(self.registry, self._volumes),
            "controllers": controllers.run(self.registry, volumes=self._volumes),
            "kubelet": self.kubelet.run(),
        }
        self._tasks = [asyncio.create_task(part, name=name) for name, part in parts.items()]
        if self._scene:
            scene.plant(self.registry)

    async def run(self) -> None:
        """Waits, once it has started, for as long as every part works.

        Raises:
            PartError: one has ended.
        """
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        ended = done.pop()
        cause = None if ended.cancelled() else ended.exception()
        _log.critical("the %s ended", ended.get_name(), exc_info=cause)
        why = f": {type(cause).__name__}: {cause}" if cause else ""
        raise PartError(f"the {ended.get_name()} ended, and so the sandbox does{why}") from cause

    async def stop(self) -> None:
        """Ends what runs, the pods within 5 s; objects and volumes stay for the next start. May be called twice."""
        try:
            if self._serves:
                self._serves = False
                await self.server.stop()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._tasks = []
            if self._runs:
                self._runs = False
                await self.faults.close()
                await self.kubelet.stop()
        finally:
            with contextlib.suppress(OSError):
                self._store.close()
