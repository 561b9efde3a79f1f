"""The other brokers of a context, as targets of messages: each with the login that its own packaging keeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from tui.problem import Cause, Problem, ProblemError
from tui.systems.live import Live
from tui.systems.queuekeys import find_logins
from tui.systems.queueroutes import serves
from tui.systems.queuesession import QueueSession, Wish, open_queue


def others(live: Live, key: str) -> Mapping[str, str]:
    """The keys of the other brokers, by their names; `NAMESPACE/NAME` where a name alone would not tell.

    Args:
        live: the context.
        key: of the workload that is not among them.
    """
    brokers = {one.key: one for one in live.workloads.values() if serves(live, one) and one.members}
    names = Counter(one.name for one in brokers.values())
    if key not in brokers and (own := live.workloads.get(key)) is not None:
        names[own.name] += 1
    return {
        one.name if names[one.name] == 1 else f"{one.namespace}/{one.name}": one.key
        for one in sorted(brokers.values(), key=lambda one: (one.name, one.namespace))
        if one.key != key
    }


async def open_other(live: Live, key: str, vhost: str, wish: Wish) -> QueueSession:
    """A session with another broker, as the best of the logins that its packaging keeps.

    Args:
        live: the context.
        key: the workload's.
        vhost: the virtual host; empty for that of the login.
        wish: what the session is to be.

    Raises:
        ProblemError: it is gone, its login may not be read (with the Secret and the right that would do), or it cannot
            be reached.
    """
    workload = live.workloads.get(key)
    if live.api is None or live.cluster is None or workload is None:
        raise ProblemError(Problem(Cause.ABSENT, f"There is no workload {key.rpartition('/')[2]} any more"))
    found = await find_logins(live.api, live.cluster.store, workload, live.catalogue)
    if not found.logins:
        raise ProblemError(found.problem(workload.name, "Let somebody do it who may read that Secret"))
    login = found.logins[0]
    return await open_queue(live, key, replace(login, vhost=vhost or login.vhost), found.security, wish)
