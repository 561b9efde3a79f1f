"""When workloads are derived, and when they are not."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fake_api import FakeApi
from small_cluster import kubeconfig, put_mysql

from tui.kube.options import ConnectOptions
from tui.systems.catalogue import load_catalogue
from tui.systems.live import Live


async def test_while_it_rests_nothing_is_derived_and_nothing_is_lost(tmp_path: Path) -> None:
    async with FakeApi() as server:
        put_mysql(server)
        live = Live(ConnectOptions(kubeconfig=kubeconfig(server, tmp_path)), load_catalogue([]), usage=False)
        running = asyncio.create_task(live.run())
        try:
            async with asyncio.timeout(20):
                while not live.workloads:
                    await asyncio.sleep(0.01)
                live.rest(60)
                put_mysql(server, "audit")
                await asyncio.sleep(0.5)
                assert len(live.workloads) == 1
                live.rest(0)
                while len(live.workloads) < 2:
                    await asyncio.sleep(0.01)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
