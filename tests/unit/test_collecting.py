"""What ends in a cycle is freed while the program runs, and not too often."""

from __future__ import annotations

import asyncio
import gc
import weakref
from pathlib import Path

import pytest
from fake_api import FakeApi
from small_cluster import kubeconfig, put_mysql

from tui.kube.options import ConnectOptions
from tui.systems import live as live_module
from tui.systems.catalogue import load_catalogue
from tui.systems.collecting import PATIENCE, SHARE, Collector
from tui.systems.live import Live


class Cycle:
    def __init__(self) -> None:
        self.itself = self


def test_it_takes_a_thousandth_of_the_time() -> None:
    now = 100.0
    used = iter([7.0, 7.2, 8.0, 8.2])  # at the beginning and the end of each
    collector = Collector(lambda: now, lambda: next(used))
    assert collector.collect(quiet=True)
    now += 0.2 / SHARE - 1
    assert not collector.collect(quiet=True)
    now += 2
    assert collector.collect(quiet=True)


def test_it_waits_for_who_presses_keys_but_not_for_ever() -> None:
    now = 100.0
    collector = Collector(lambda: now, lambda: 0.0)
    now += PATIENCE - 1
    assert not collector.collect(quiet=False)
    now += 2
    assert collector.collect(quiet=False)
    assert not collector.collect(quiet=False)
    assert collector.collect(quiet=True)


async def test_garbage_goes_while_a_cluster_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "LOOK_AGAIN", 0.2)
    async with FakeApi() as server:
        put_mysql(server)
        live = Live(ConnectOptions(kubeconfig=kubeconfig(server, tmp_path)), load_catalogue([]), usage=False)
        running = asyncio.create_task(live.run())
        try:
            async with asyncio.timeout(60):
                while not live.workloads:
                    await asyncio.sleep(0.01)
                frozen = gc.get_freeze_count()
                one = Cycle()
                there = weakref.ref(one)
                await asyncio.sleep(0.5)  # it lives while Live looks again, as a console does
                del one
                while there() is not None:
                    await asyncio.sleep(0.05)
            assert gc.get_freeze_count() <= frozen, "what came later would never be freed"
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            gc.unfreeze()
