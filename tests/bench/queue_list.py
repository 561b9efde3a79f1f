"""Listing many queues of a RabbitMQ on this machine: its first page, all of them, and the memory of it.

    .venv/bin/python tests/bench/queue_list.py [--queues N] [--rounds N]

Figures, no assertions. The node is ours, and ends with this. The processor seconds of the broker say what a busy
machine hides: what a page costs it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "services"))

import queue_servers

#: What the issue wants of the first page, in milliseconds.
WANTED = 300


def processor(pid: int) -> float:
    """Seconds of a process so far."""
    told = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


async def run(node: queue_servers.Rabbit, count: int, rounds: int) -> None:
    api = node.management()
    pid = int(Path(node.environment["RABBITMQ_PID_FILE"]).read_text())
    await api.declare_vhost("many")
    queues = [{"name": f"shop.orders.{number:06}", "durable": True, "auto_delete": False, "arguments": {}}
              for number in range(count)]  # fmt: skip
    started = time.monotonic()
    for first in range(0, count, 2000):
        await api.put_definitions({"queues": queues[first : first + 2000]}, "many")
    print(f"{count:,} queues made in {time.monotonic() - started:.0f} s; load {os.getloadavg()[0]:.1f}", flush=True)
    idle = processor(pid)
    await asyncio.sleep(10)
    print(f"the broker at rest: {(processor(pid) - idle) / 10:.2f} of a processor")
    firsts, costs, named = [], [], []
    for _ in range(rounds):
        before, began = processor(pid), time.monotonic()
        page = await api.queues()
        firsts.append((time.monotonic() - began) * 1000)
        costs.append((processor(pid) - before) * 1000)
        assert page.total_count == count
        began = time.monotonic()
        await api.queues(name="orders.0011")
        named.append((time.monotonic() - began) * 1000)
    before, began, ours = processor(pid), time.monotonic(), time.process_time()
    found = [one async for piece in api.all_queues() for one in piece]
    whole = time.monotonic() - began
    assert len({one.name for one in found}) == count
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    await api.close()
    median = statistics.median(firsts)
    print(f"""
| what | figure |
|---|---|
| first page of 500, over an open connection | median {median:.0f} ms, least {min(firsts):.0f} ms |
| … the broker's processor | median {statistics.median(costs):.0f} ms |
| a page by name | median {statistics.median(named):.0f} ms |
| all | {whole:.1f} s, broker {processor(pid) - before:.1f} s, ours {time.process_time() - ours:.2f} s of a processor |
| our memory at its most, with all of them held | {peak:.0f} MiB |
| load | {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors |

first page <= {WANTED} ms: {"yes" if median <= WANTED else "no"}""")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--queues", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    with queue_servers.rabbitmq("collect_statistics_interval = 5000") as node:
        asyncio.run(run(node, given.queues, given.rounds))


if __name__ == "__main__":
    main()
