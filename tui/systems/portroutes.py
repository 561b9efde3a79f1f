"""The way from a workload to a port of its own: any member that serves it will do, at each connection anew."""

from __future__ import annotations

import datetime as dt
import socket
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from tui.kube.forward import direct
from tui.kube.forward.book import Forwards
from tui.kube.forward.forward import Forward
from tui.kube.forward.targets import PodPort, Waiting, of_pods
from tui.kube.forward.tunnel import Tunnel
from tui.kube.forward.views import Phase
from tui.kube.objects import Pod, Service
from tui.kube.resources import PODS, SERVICES
from tui.kube.store import Store
from tui.problem import Cause, Problem, ProblemError
from tui.systems.live import Live
from tui.systems.model import Workload

#: Seconds after which a container that runs has started, as far as a broker is concerned: one takes 10 to 60.
_START = 120.0


@dataclass(frozen=True, slots=True)
class PortTarget:
    """The members of a workload that serve a port, whoever they are when a connection is made.

    Attributes:
        workloads: what is known now, by key.
        store: where the members' pods are looked up.
        key: the workload.
        port: the number that all have agreed upon; the name of a container's port goes before it.
        names: what containers call that port.
        lapsed: whether members will do that were ready and are no more, or that have run for long without ever being
            so, where none is. Charts call a broker under an alarm not ready, and that is when it must be looked at; the
            alarm may hold since it started. One that has not started by then refuses, which says more than to wait.
        clock: seconds of the wall clock.
    """

    workloads: Callable[[], Mapping[str, Workload]]
    store: Store
    key: str
    port: int
    names: tuple[str, ...]
    lapsed: bool = False
    clock: Callable[[], float] = time.time

    @property
    def text(self) -> str:
        """The workload's name."""
        return self.key.rpartition("/")[2]

    @property
    def namespace(self) -> str:
        """The workload's namespace."""
        return self.key.partition("/")[0]

    def resolve(self) -> list[PodPort] | Waiting:
        """The port of each ready member that serves it."""
        workload = self.workloads().get(self.key)
        if workload is None:
            return Waiting(f"there is no workload {self.text}")
        pods = members(self.store, workload)
        serving = {pod.uid: number for pod in pods if (number := port_of(pod, self.port, self.names)) is not None}
        if not serving:  # nothing is declared, or nobody is there: then it is the one that everybody has
            serving = {pod.uid: self.port for pod in pods}
        found: list[PodPort] = []
        waiting = Waiting(f"no member of {self.text} is ready") if pods else Waiting("there is no pod")
        for number in dict.fromkeys(serving.values()):
            told = of_pods([pod for pod in pods if serving.get(pod.uid) == number], number)
            if isinstance(told, Waiting):
                waiting = told
            else:
                found += told
        if not found and self.lapsed:
            for pod in [pod for pod in pods if was_ready(pod) or runs_long(pod, self.clock())]:
                told = of_pods([pod], serving.get(pod.uid, self.port), unready=True)
                found += told if isinstance(told, list) else []
        return found or waiting


def runs_long(pod: Pod, now: float) -> bool:
    """Whether all containers of a pod have run for longer than a start takes.

    Args:
        pod: the pod.
        now: seconds of the wall clock, which may not be the kubelet's.
    """
    running = [one.state.running for one in pod.status.container_statuses]
    if not running or pod.metadata.deletion_timestamp:
        return False
    started = [one.started_at or "" if one is not None else "" for one in running]
    return all(at and now - dt.datetime.fromisoformat(at).timestamp() > _START for at in started)


def was_ready(pod: Pod) -> bool:
    """Whether a pod is not ready any more, but was so since its containers started: it does not just start.

    Both times are the kubelet's.
    """
    ready = next((one for one in pod.status.conditions if one.type == "Ready"), None)
    running = [one.state.running for one in pod.status.container_statuses]
    if ready is None or ready.status == "True" or not running or not ready.last_transition_time:
        return False
    return all(one is not None and (one.started_at or "") < ready.last_transition_time for one in running)


def there(live: Live, key: str) -> tuple[Forwards, Store, Workload]:
    """What a way is made of: the forwards of a context, what the cluster holds, and the workload as it is now.

    Args:
        live: the context.
        key: the workload's.

    Raises:
        ProblemError: the workload is gone, or the context.
    """
    workload = live.workloads.get(key)
    if live.forwards is None or live.cluster is None or workload is None:
        gone = Problem(Cause.ABSENT, f"There is no workload {key.rpartition('/')[2]} any more")
        raise ProblemError(live.problem or gone)
    return live.forwards, live.cluster.store, workload


def members(store: Store, workload: Workload) -> list[Pod]:
    """The pods of a workload that are there."""
    pods = [store.by_uid(PODS.key, member.uid, Pod) for member in workload.members if member.uid]
    return [pod for pod in pods if pod is not None]


def port_of(pod: Pod, usual: int, names: Sequence[str]) -> int | None:
    """The port at which a pod serves something; None when its containers declare ports, and none is it."""
    declared = [port for item in pod.spec.containers for port in item.ports if port.protocol == "TCP"]
    named = {port.name: port.container_port for port in declared}
    if usual in named.values():
        return usual
    return next((named[name] for name in names if name in named), None)


def port_of_member(store: Store, workload: Workload, name: str, usual: int, names: Sequence[str]) -> int:
    """The port at which one pod of a workload serves something; the usual one where it is not to be seen."""
    pod = next((pod for pod in members(store, workload) if pod.name == name), None)
    return (port_of(pod, usual, names) if pod is not None else None) or usual


def service_of(
    store: Store, workload: Workload, usual: int, names: Sequence[str], gateways: Collection[str] = ()
) -> tuple[Service, int] | None:
    """The Service that leads to a workload's port, and the port's number in it; one with a ClusterIP if there is one.

    Its name is what certificates are made for.

    Args:
        store: has the Services and the pods.
        workload: whose.
        usual: the port's usual number.
        names: what containers call the port.
        gateways: names of Services whose pods are no members, and which will do as well.
    """
    pods = members(store, workload)
    found: list[tuple[tuple[bool, bool, str], Service, int]] = []
    for service in store.all(SERVICES.key, Service):
        if service.namespace != workload.namespace or not service.spec.selector:
            continue
        wanted = service.spec.selector.items()
        ours = [pod for pod in pods if wanted <= pod.metadata.labels.items()]
        if not ours and service.name not in gateways:
            continue
        for port in service.spec.ports:
            leads = port.target_port in (usual, str(usual), *names) or (not port.target_port and port.port == usual)
            if leads:
                headless = service.spec.cluster_ip == "None"
                found.append(((not ours, headless, service.name), service, port.port))
                break
    return min(found, key=lambda item: item[0])[1:] if found else None


class ForwardWay:
    """A way over a forward of its own that nothing listens for; see `services.way.Way`.

    Attributes:
        host: the Service's name in the cluster's DNS, as far as there is one.
        port: the port.
        member: the pod that the last connection reached.
    """

    def __init__(self, forwards: Forwards, forward: Forward, host: str, port: int) -> None:
        """Takes a forward over."""
        self.host = host
        self.port = port
        self.member = ""
        self._forwards = forwards
        self._forward = forward
        self._last: Tunnel | None = None
        forward.on_tunnel.append(self._told)

    async def connect(self) -> socket.socket:
        """A connected socket; see `Forward.connect`."""
        connection = await self._forward.connect()
        if connection.tunnel.pod is not None:
            self.member = connection.tunnel.pod.pod
        return connection.socket

    async def stream(self) -> direct.DirectEnd:
        """A connection in memory; see `services.way.DirectWay`."""
        end, tunnel = await direct.connect(self._forward)
        if tunnel.pod is not None:
            self.member = tunnel.pod.pod
        return end

    def ended(self) -> Problem | None:
        """Why the last connection that is over ended; None when nobody but the client ended it."""
        last = self._last
        if last is None or (last.clean and last.problem is None):
            return None
        return last.problem or Problem(Cause.UNREACHABLE, last.why[:1].upper() + last.why[1:])

    async def close(self) -> None:
        """Ends the connections, and the forward."""
        await self._forwards.remove(self._forward, drain=0.0)

    def _told(self, tunnel: Tunnel) -> None:
        if tunnel.phase is Phase.CLOSED:
            self._last = tunnel
        elif tunnel.pod is not None:
            self.member = tunnel.pod.pod
