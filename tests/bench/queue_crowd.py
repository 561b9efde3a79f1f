"""A crowd of queues in a virtual host of its own, a few of them busy; and what the broker computes."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

from tui.kube.options import ConnectOptions
from tui.problem import ProblemError
from tui.services.queue.amqp import Broker
from tui.services.queue.management import Management
from tui.services.queue.model import Properties
from tui.services.queue.operations import Permission, Policy
from tui.services.queue.publishing import Outgoing, Publishing, publish
from tui.systems.catalogue import load_catalogue
from tui.systems.live import Live
from tui.systems.queuekeys import find_logins
from tui.systems.queuesession import QueueSession, Wish, open_queue

#: Queues that always get and give messages, the seconds between two of each, and the stream that is looked at.
BUSY, BEAT, STREAM = 40, 1.0, "aa.stream"
#: Queues of one import; the broker works through it before it answers.
AT_ONCE = 500
MESSAGES = 50_000


class Processors:
    """The processor seconds of a broker's nodes, where they are processes of this machine; nothing elsewhere."""

    def __init__(self, namespace: str) -> None:
        mark = f".{namespace}.svc".encode()
        self.pids = []
        for entry in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if mark in entry.read_bytes() and "beam" in (entry.parent / "comm").read_text():
                    self.pids.append(int(entry.parent.name))

    def used(self) -> float:
        """Seconds so far, to the nanosecond."""
        total = 0
        for pid in self.pids:
            for each in Path(f"/proc/{pid}/task").glob("*/schedstat"):
                with contextlib.suppress(OSError):
                    total += int(each.read_text().split()[0])
        return total / 1e9


@dataclasses.dataclass
class Crowd:
    """It.

    Attributes:
        vhost: where it is.
        total: how many queues it has.
        api: the management API, through a forward.
    """

    vhost: str
    total: int
    api: Management


@contextlib.asynccontextmanager
async def crowd(kubeconfig: str, namespace: str, workload: str, count: int, kept: str) -> AsyncIterator[Crowd]:
    """Makes it, keeps some of it busy, and removes it.

    Args:
        kubeconfig: of the cluster.
        namespace: of the broker.
        workload: its name.
        count: queues at rest.
        kept: a virtual host that stays for the next run; empty for one that goes with this.
    """
    live = Live(ConnectOptions(kubeconfig=kubeconfig, namespace=namespace), load_catalogue([]), usage=False)
    watching = asyncio.create_task(live.run())
    try:
        async with asyncio.timeout(60):
            while not live.complete or not live.workloads:
                await asyncio.sleep(0.02)
        key = next(key for key in live.workloads if key.endswith(f"/{workload}"))
        assert live.api is not None and live.cluster is not None
        found = await find_logins(live.api, live.cluster.store, live.workloads[key], live.catalogue)
        login = found.logins[0]
        root = await open_queue(live, key, login, found.security, Wish(amqp=False))
        assert root.management is not None
        vhost = kept or f"bench-{os.getpid()}"
        await root.management.declare_vhost(vhost)
        everything = Permission(login.user, vhost, ".*", ".*", ".*")
        await root.management.set_permission(everything)
        own = dataclasses.replace(login, vhost=vhost)
        session = await open_queue(live, key, own, found.security, Wish(management=False))
        try:
            await _fill(root.management, vhost, count)
            await _stream(session)
            pulse = asyncio.create_task(_pulse(session))
            page = await root.management.queues(vhost=vhost)
            yield Crowd(vhost, page.total_count, root.management)
            pulse.cancel()
            await asyncio.gather(pulse, return_exceptions=True)
        finally:
            await session.close()
            if not kept:
                await _remove(root.management, vhost)
            await root.close()
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _remove(api: Management, vhost: str) -> None:
    """Deletes it: as often as it takes, since a broker ends a request after a minute, and what it does with it.

    4,000 of 20,000 queues were gone by then on a busy machine (seen with 4.0.5).
    """
    began = time.monotonic()
    while time.monotonic() - began < 900 and any(one.name == vhost for one in await api.vhosts()):
        with contextlib.suppress(ProblemError):
            await api.ask("DELETE", f"vhosts/{vhost}", patience=600)
    print(f"virtual host {vhost}: removed, or given up, after {time.monotonic() - began:.0f} s", flush=True)


async def _fill(api: Management, vhost: str, count: int) -> None:
    """Declares what is not there yet, spread over the nodes."""
    await api.set_policy(Policy("spread", vhost, ".*", "queues", 0, {"queue-leader-locator": "balanced"}))
    there = (await api.queues(vhost=vhost)).total_count
    began = time.monotonic()
    if there < count:
        for first in range(there // AT_ONCE * AT_ONCE, count, AT_ONCE):
            queues = [{"name": f"shop.orders.{number:06}", "durable": True, "auto_delete": False, "arguments": {}}
                      for number in range(first, min(count, first + AT_ONCE))]  # fmt: skip
            await api.ask("POST", f"definitions/{vhost}", {"queues": queues}, patience=600)
        print(f"{count - there:,} queues made in {time.monotonic() - began:.0f} s", flush=True)


async def _stream(session: QueueSession) -> None:
    """The stream and its messages."""
    broker = session.broker
    assert broker is not None
    async with broker.channel() as channel:
        made = await channel.declare_queue(STREAM, durable=True, arguments={"x-queue-type": "stream"})
        there = made.declaration_result.message_count or 0
    if there < MESSAGES:
        told = Properties(content_type="application/json", delivery_mode=2)
        bodies = (Outgoing(b'{"order": %d, "state": "paid"}' % at, STREAM, "", told) for at in range(MESSAGES))
        await publish(broker, bodies, Publishing())


async def _pulse(session: QueueSession) -> None:
    """Messages come and go, so that rates are never the same for long."""
    broker = session.broker
    assert broker is not None
    names = [f"aa.busy.{at:02}" for at in range(BUSY)]
    async with broker.channel() as channel:
        for name in names:
            made = await channel.declare_queue(name, durable=True)
            await made.consume(_nothing, no_ack=True)
        beat = 0
        while True:
            beat += 1
            await _publish(broker, names[: 1 + beat % BUSY])
            await asyncio.sleep(BEAT)


async def _nothing(_: object) -> None:
    """Takes a message and lets it go."""


async def _publish(broker: Broker, names: list[str]) -> None:
    await publish(broker, (Outgoing(b"x", name, "", Properties()) for name in names for _ in range(3)), Publishing())
