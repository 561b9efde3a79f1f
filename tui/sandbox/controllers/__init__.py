"""The controllers of the embedded cluster: each brings one kind of object to what its author wants of it.

Garbage is not theirs: what an owner leaves behind is deleted by the registry's collector.
"""

from __future__ import annotations

from pathlib import Path

from tui.sandbox.controllers.daemonset import DaemonSets
from tui.sandbox.controllers.deployment import Deployments
from tui.sandbox.controllers.disruption import Budgets
from tui.sandbox.controllers.engine import Clock, Controller, Engine, drive
from tui.sandbox.controllers.job import Jobs
from tui.sandbox.controllers.namespace import Namespaces
from tui.sandbox.controllers.replicaset import ReplicaSets
from tui.sandbox.controllers.scheduler import Scheduler
from tui.sandbox.controllers.service import Services
from tui.sandbox.controllers.shape import Sound
from tui.sandbox.controllers.statefulset import StatefulSets
from tui.sandbox.controllers.taints import Taints
from tui.sandbox.controllers.volumes import Claims, Volumes
from tui.sandbox.model import Objects

__all__ = ["Clock", "build", "run"]


def build(objects: Objects, *, volumes: Path, clock: Clock | None = None) -> Engine:
    """All controllers on one work queue; see `run`."""
    clock, objects = clock or Clock(), Sound(objects)
    # Where a change concerns several, the first of them acts first: what was decided is done before more is decided.
    kinds = (
        Namespaces,
        StatefulSets,
        ReplicaSets,
        Deployments,
        DaemonSets,
        Jobs,
        Services,
        Volumes,
        Scheduler,
        Budgets,
        Taints,
    )
    controllers: list[Controller] = [kind(objects, clock) for kind in kinds]
    return Engine([*controllers, Claims(objects, clock, volumes)], clock)


async def run(objects: Objects, *, volumes: Path, clock: Clock | None = None) -> None:
    """Runs all controllers until it is cancelled.

    Args:
        objects: the API.
        volumes: the directory that volumes are directories of: `<volumes>/<name of the PersistentVolume>`. It is only
            written into PersistentVolumes here; the kubelet makes and removes the directories.
        clock: where the time comes from.
    """
    await drive(build(objects, volumes=volumes, clock=clock), objects)
