"""The way from a workload to ONE of its database servers, for SQL sessions: by role, by member, or any ready one."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from tui.kube.forward.book import Forwards
from tui.kube.forward.forward import PATIENCE, Forward
from tui.kube.forward.pin import Pin
from tui.kube.forward.targets import Target
from tui.kube.objects import Pod
from tui.kube.resources import PODS
from tui.kube.store import Store
from tui.problem import Problem
from tui.systems.live import Live
from tui.systems.model import Member, Workload
from tui.systems.portroutes import there
from tui.systems.reach import PRIMARY

#: Seconds for what a client has said last to be on its way.
LEAVE = 0.25
#: What catalogues call the port of SQL.
SQL = "sql"


class PodRoute:
    """A way to one pod, over a forward of its own that nothing listens for; see `services.sql.model.Route`.

    Attributes:
        host: the pod's name in the cluster's DNS, as far as it has one.
        port: the port.
        member: the pod.
    """

    def __init__(self, forwards: Forwards, forward: Forward, pin: Pin, host: str, stack: AsyncExitStack) -> None:
        """Takes over an opened pin, and the forward that it belongs to."""
        self.host = host
        self.port = pin.at.port
        self.member = pin.at.pod
        self._forwards = forwards
        self._forward = forward
        self._pin = pin
        self._stack = stack

    async def connect(self) -> socket.socket:
        """A connected socket; see `Pin.connect`."""
        return await self._pin.connect()

    def ended(self) -> Problem | None:
        """Why the last connection ended, when it was not the client that ended it."""
        return self._pin.ended()

    async def close(self) -> None:
        """Ends the connections, and the forward; a client that has just closed its own has taken leave in order."""
        await self._pin.settle(LEAVE)
        await self._stack.aclose()
        await self._forwards.remove(self._forward, drain=0.0)


@dataclass(slots=True)
class WorkloadRouter:
    """Finds a way to a workload's servers anew at each call; a `services.sql.model.Router`.

    Attributes:
        live: the context.
        key: the workload's key.
        role: `primary`, `replica`, or the system's own word; empty for any ready member. Where no member is known to
            take writes and none not to (CockroachDB), `primary` is any of them.
        member: a pod's name, in place of a role.
        port: a number or a name; empty for the system's port of SQL.
        patience: seconds to wait for a ready pod.
    """

    live: Live
    key: str
    role: str = PRIMARY
    member: str = ""
    port: int | str = ""
    patience: float = PATIENCE
    _known_port: int | str = field(default="", init=False, repr=False)

    async def __call__(self) -> PodRoute:
        """Opens the way.

        Raises:
            ProblemError: the workload is gone, none of its members fits, or none is ready in time.
        """
        live = self.live
        forwards, store, workload = there(live, self.key)
        target = self.target(workload)
        forward = forwards.add(target, name=f"SQL to {target.text}", patience=self.patience, private=True)
        try:
            async with AsyncExitStack() as stack:
                pin = await stack.enter_async_context(forward.pin())
                host = dns_name(store, pin.at.namespace, pin.at.pod)
                return PodRoute(forwards, forward, pin, host, stack.pop_all())
        except BaseException:
            await forwards.remove(forward, drain=0.0)
            raise

    def target(self, workload: Workload) -> Target:
        """What the forward leads to.

        Raises:
            ProblemError: no port is known.
        """
        reach = self.live.reach
        assert reach is not None  # noqa: S101 (there are workloads)
        system = self.live.catalogue.systems.get(workload.system)
        port = self.port or (SQL if system is not None and SQL in system.ports else "")
        if not port:
            # What the containers declare is not to be seen while there is no pod: then it is what it was.
            found = reach.ports(workload)
            port = self._known_port = found[0].number if found else self._known_port
        if self.member:
            return reach.member(workload, self.member, port)
        return reach.workload(workload, port, role=role_of(reach.servers(workload), self.role), strict=True)


def role_of(members: Sequence[Member], wanted: str) -> str:
    """The role to look for: none where all members are alike and the primary was asked for.

    Args:
        members: the servers among the workload's members.
        wanted: the role that was asked for.
    """
    alike = all(member.role is None or member.role.writes is None for member in members)
    named = any(member.role is not None and member.role.name == wanted for member in members)
    return "" if wanted == PRIMARY and alike and not named else wanted


def dns_name(store: Store, namespace: str, name: str) -> str:
    """`mysql-0.mysql.stateful.svc`: what certificates may have been made for; without a Service the pod's bare name."""
    pod = store.named(PODS.key, namespace, name, Pod)
    if pod is None or not pod.spec.subdomain:
        return f"{name}.{namespace}"
    return f"{pod.spec.hostname or name}.{pod.spec.subdomain}.{namespace}.svc"
