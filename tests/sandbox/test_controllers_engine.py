"""The work queue of the controllers."""

from __future__ import annotations

import asyncio

import pytest

import manifests
from tui.sandbox import seeds
from tui.sandbox.controllers.engine import Clock, Engine, drive
from tui.sandbox.model import Change
from tui.sandbox.registry import Registry
from tui.sandbox.store import Store


class _Later:
    """A controller that always wants to look again in a minute."""

    resources = ("configmaps",)

    def concerned(self, change: Change) -> list[tuple[str, str]]:
        return [(change.object["metadata"]["namespace"], change.object["metadata"]["name"])]

    def reconcile(self, key: tuple[str, str]) -> float | None:
        return 60.0 if key else None


@pytest.mark.parametrize("turns", range(8))
async def test_it_ends_though_something_changes_just_then(turns: int) -> None:
    """`asyncio.wait_for` loses a cancellation that comes when its time is over or its wait done, before Python 3.12."""
    registry = Registry(Store())
    seeds.plant(registry)
    task = asyncio.create_task(drive(Engine([_Later()], Clock()), registry))
    registry.create("configmaps", manifests.made("ConfigMap", "one"))
    await asyncio.sleep(0.02)
    registry.create("configmaps", manifests.made("ConfigMap", "two"))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=5)
    assert done and task.cancelled()
