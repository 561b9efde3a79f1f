"""Many forwards for a long time: does anything grow that should not?

    python tests/bench/forward_soak.py --kubeconfig FILE [--forwards 25] [--tunnels 4] [--minutes 10]

Each tunnel echoes random data that is compared; every now and then one is closed, or reset, and opened again. Printed
are memory, file descriptors and tasks every minute, and the bytes and connections that went through. Figures only.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import gc
import random
import re
import time
from pathlib import Path

from tests.contract import forwarding, peer
from tests.contract.clusters import RealCluster, own_namespace
from tui.kube.api import Api
from tui.kube.cluster import Cluster
from tui.kube.context import load_context
from tui.kube.forward.book import Forwards
from tui.kube.forward.forward import Forward
from tui.kube.forward.listener import TcpAddress
from tui.kube.forward.targets import PodTarget
from tui.kube.options import ConnectOptions

count: collections.Counter[str] = collections.Counter()


def memory() -> float:
    """MB resident."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024  # type: ignore[index]


def descriptors() -> int:
    """Open file descriptors."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def talk(forward: Forward, until: float) -> None:
    """Keeps one tunnel busy at a modest rate, and opens it anew now and then."""
    assert forward.listener is not None
    while time.monotonic() < until:
        reader, writer = await asyncio.open_connection("127.0.0.1", forward.listener.port)
        count["connections"] += 1
        for _ in range(random.randint(5, 60)):
            block = random.randbytes(random.choice((64, 4096, 65536)))
            writer.write(block)
            if await reader.readexactly(len(block)) != block:
                count["ALTERED"] += 1
            count["bytes"] += 2 * len(block)
            await asyncio.sleep(random.uniform(0, 1))
            if time.monotonic() > until:
                break
        if random.random() < 0.3:
            writer.write(random.randbytes(20000))  # leaves while an answer is on its way
        writer.transport.abort() if random.random() < 0.3 else writer.close()


async def run(arguments: argparse.Namespace, namespace: str) -> None:
    api = Api(load_context(ConnectOptions(kubeconfig=arguments.kubeconfig)))
    cluster = Cluster(api, namespace=namespace, poll_usage=False)
    watching = asyncio.create_task(cluster.run())
    while not cluster.complete:
        await asyncio.sleep(0.05)
    book = Forwards(api, cluster.store)
    for number in range(arguments.forwards):
        forward = book.add(PodTarget(cluster.store, namespace, f"peer-{number % 2}", peer.ECHO))
        await forward.listen(TcpAddress(0))
    until = time.monotonic() + 60 * arguments.minutes
    talks = [asyncio.create_task(talk(forward, until)) for forward in book for _ in range(arguments.tunnels)]
    names = ("minute", "MB", "descriptors", "tasks", "objects", "tunnels", "connections", "MB moved")
    print("".join(f"{name:>12}" for name in names))
    minute = 0
    while not all(task.done() for task in talks):
        gc.collect()
        tunnels = sum(len(forward.view().tunnels) for forward in book)
        figures = (minute, round(memory()), descriptors(), len(asyncio.all_tasks()), len(gc.get_objects()), tunnels,
                   count["connections"], count["bytes"] // 1_000_000)  # fmt: skip
        print("".join(f"{figure:>12}" for figure in figures), flush=True)
        await asyncio.wait(talks, timeout=60)
        minute += 1
    await asyncio.gather(*talks)
    failures = sum(forward.view().failures for forward in book)
    await asyncio.sleep(3)
    print(f"tunnels left {sum(len(forward.view().tunnels) for forward in book)}, not in order {failures},"
          f" altered {count['ALTERED']}")  # fmt: skip
    await book.close()
    await asyncio.sleep(1)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await api.close()
    print(f"closed: descriptors {descriptors()}, tasks {len(asyncio.all_tasks())}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--forwards", type=int, default=25)
    parser.add_argument("--tunnels", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=10)
    arguments = parser.parse_args()
    cluster = RealCluster(arguments.kubeconfig)
    with own_namespace(cluster) as namespace:
        forwarding.peers(cluster, namespace)
        asyncio.run(run(arguments, namespace))


if __name__ == "__main__":
    main()
