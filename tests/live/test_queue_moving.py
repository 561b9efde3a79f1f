"""A move between quorum queues of the real cluster survives the deletion of a pod with nothing lost."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from real import KUBECONFIG, kubectl
from test_sql_sessions import key, live_in, until

from tui.services.queue.model import Properties
from tui.services.queue.moving import Moving, Route, move
from tui.services.queue.publishing import Outgoing, Publishing, publish
from tui.services.queue.taking import take
from tui.systems.queuekeys import find_logins
from tui.systems.queuesession import QueueSession, Wish, open_queue

pytestmark = [
    pytest.mark.live,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not KUBECONFIG, reason="needs STATETUI_TEST_KUBECONFIG"),
]
VHOST = f"statetui-move-{os.getpid()}"
TOTAL, WINDOW = 10_000, 100


@pytest.fixture
async def session() -> AsyncIterator[QueueSession]:
    """The chapter's broker with the login that the program finds, in a virtual host of the test's own."""
    async with live_in("stateful") as live:
        named = key(live, "rabbitmq")
        assert live.api is not None and live.cluster is not None
        await until(lambda: live.workloads[named].ready == 3, 180)
        found = await find_logins(live.api, live.cluster.store, live.workloads[named], live.catalogue)
        root = await open_queue(live, named, found.logins[0], found.security, Wish(amqp=False))
        assert root.management is not None
        await root.management.ask("PUT", f"vhosts/{VHOST}", {})
        await root.management.ask("PUT", f"permissions/{VHOST}/{found.logins[0].user}",
                                  {"configure": ".*", "write": ".*", "read": ".*"})  # fmt: skip
        login = dataclasses.replace(found.logins[0], vhost=VHOST)
        opened = await open_queue(live, named, login, found.security, Wish(management=False))
        try:
            yield opened
        finally:
            await opened.close()
            await until(lambda: live.workloads[named].ready == 3, 300)  # the pod is back for whoever comes next
            await root.close()
            again = await open_queue(live, named, found.logins[0], found.security, Wish(amqp=False))
            assert again.management is not None
            await again.management.ask("DELETE", f"vhosts/{VHOST}")
            await again.close()


@pytest.mark.alone  # others use the broker whose pod goes
async def test_ten_thousand_survive_the_deletion_of_the_pod_that_is_connected(session: QueueSession) -> None:
    broker = session.broker
    assert broker is not None
    async with broker.channel() as channel:
        for name in ("from", "to"):
            await channel.declare_queue(name, durable=True, arguments={"x-queue-type": "quorum"})
    filled = Publishing()
    await publish(broker, (Outgoing(b"%d" % n, "from", "", Properties(delivery_mode=2)) for n in range(TOTAL)), filled)
    assert filled.taken == TOTAL
    members: list[str] = []

    async def dial():  # type: ignore[no-untyped-def]
        made = await session.dial("statetui-move")
        members.append(made.way.member)
        return made

    progress = Moving()
    task = asyncio.create_task(move(dial, dial, Route("from", "", "to", window=WINDOW), progress))
    await until(lambda: progress.done >= 1000 or task.done(), 120)
    kubectl("-n", "stateful", "delete", "pod", members[0], "--grace-period=0", "--force", "--wait=false")
    await task
    assert progress.losses >= 1, "the pod went after the end"
    again = await session.dial()
    found: Counter[bytes] = Counter()
    async with take(again, "to", 2 * TOTAL) as held:
        found.update(message.body for message in held.messages)
    left = await again.ready("from")
    await again.close()
    print(f"losses {progress.losses}, doubled at most {progress.doubled}, really {sum(found.values()) - TOTAL}")
    assert set(found) == {b"%d" % n for n in range(TOTAL)}
    assert left == 0
    assert sum(found.values()) - TOTAL <= progress.doubled <= WINDOW * progress.losses
