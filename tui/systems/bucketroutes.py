"""The way from a workload to an object store: any member that serves S3 will do, at each connection anew."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tui.kube.forward import direct
from tui.kube.forward.book import Forwards
from tui.kube.forward.forward import PATIENCE, Forward
from tui.kube.forward.targets import PodPort, Target, Waiting, of_pods
from tui.kube.forward.tunnel import Tunnel
from tui.kube.forward.views import Phase
from tui.kube.objects import Pod, Service
from tui.kube.resources import PODS, SERVICES
from tui.kube.store import Store
from tui.problem import Cause, Problem, ProblemError
from tui.systems.live import Live
from tui.systems.model import Workload

#: What catalogues call the port of S3.
S3 = "s3"
#: What containers call it: MinIO's operator and charts, SeaweedFS's chart and operator.
_NAMES = ("s3", "https-minio", "http-minio", "minio-api", "minio", "swfs-s3", "filer-s3", "api")


@dataclass(frozen=True, slots=True)
class StoreTarget:
    """The members of a workload that serve S3, whoever they are when a connection is made.

    Attributes:
        workloads: what is known now, by key.
        store: where the members' pods are looked up.
        key: the workload.
        port: the number that all have agreed upon; the name of a container's port goes before it.
    """

    workloads: Callable[[], Mapping[str, Workload]]
    store: Store
    key: str
    port: int

    @property
    def text(self) -> str:
        """The workload's name."""
        return self.key.rpartition("/")[2]

    @property
    def namespace(self) -> str:
        """The workload's namespace."""
        return self.key.partition("/")[0]

    def resolve(self) -> list[PodPort] | Waiting:
        """The port of each ready member that serves S3."""
        workload = self.workloads().get(self.key)
        if workload is None:
            return Waiting(f"there is no workload {self.text}")
        pods = members(self.store, workload)
        serving = {pod.uid: number for pod in pods if (number := port_of(pod, self.port)) is not None}
        if not serving:  # nothing is declared, or nobody is there: then it is the one that everybody has
            return of_pods(pods, self.port)
        found: list[PodPort] = []
        waiting = Waiting(f"no member of {self.text} is ready")
        for number in dict.fromkeys(serving.values()):
            told = of_pods([pod for pod in pods if serving.get(pod.uid) == number], number)
            if isinstance(told, Waiting):
                waiting = told
            else:
                found += told
        return found or waiting


def members(store: Store, workload: Workload) -> list[Pod]:
    """The pods of a workload that are there."""
    pods = [store.by_uid(PODS.key, member.uid, Pod) for member in workload.members if member.uid]
    return [pod for pod in pods if pod is not None]


def port_of(pod: Pod, usual: int) -> int | None:
    """The port at which a pod serves S3; None when its containers declare ports, and none is it."""
    declared = [port for item in pod.spec.containers for port in item.ports if port.protocol == "TCP"]
    named = {port.name: port.container_port for port in declared}
    if usual in named.values():
        return usual
    return next((named[name] for name in _NAMES if name in named), None)


def service_of(store: Store, workload: Workload, usual: int) -> tuple[Service, int] | None:
    """The Service that leads to a workload's S3, and the port's number in it; the one with a ClusterIP if there is one.

    Its name is what certificates are made for. A gateway that is no member (SeaweedFS's chart has a Deployment without
    claims) is found by the Service's name.
    """
    pods = members(store, workload)
    found: list[tuple[tuple[bool, bool, str], Service, int]] = []
    for service in store.all(SERVICES.key, Service):
        if service.namespace != workload.namespace or not service.spec.selector:
            continue
        wanted = service.spec.selector.items()
        ours = [pod for pod in pods if wanted <= pod.metadata.labels.items()]
        if not ours and service.name not in (f"{workload.name}-s3", f"{workload.name}-seaweedfs-s3"):
            continue
        for port in service.spec.ports:
            leads = port.target_port in (usual, str(usual), *_NAMES) or (not port.target_port and port.port == usual)
            if leads:
                headless = service.spec.cluster_ip == "None"
                found.append(((not ours, headless, service.name), service, port.port))
                break
    return min(found, key=lambda item: item[0])[1:] if found else None


class StoreWay:
    """A way over a forward of its own that nothing listens for; see `services.bucket.model.Way`.

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


@dataclass(frozen=True, slots=True)
class StoreFinder:
    """Finds the way to a workload's S3 anew at each call; a `services.bucket.model.Finder`.

    Attributes:
        live: the context.
        key: the workload's key.
        member: a pod's name, for one server and no other; empty for any that is ready.
        patience: seconds to wait for a ready pod.
    """

    live: Live
    key: str
    member: str = ""
    patience: float = PATIENCE

    async def __call__(self) -> StoreWay:
        """Opens the way; no connection is made yet.

        Raises:
            ProblemError: the workload is gone, or serves no S3 as far as is known.
        """
        live = self.live
        workload = live.workloads.get(self.key)
        if live.forwards is None or live.cluster is None or workload is None:
            gone = Problem(Cause.ABSENT, f"There is no workload {self.key.rpartition('/')[2]} any more")
            raise ProblemError(live.problem or gone)
        usual = usual_port(live, workload)
        if not usual:
            nothing = f"{workload.title} {workload.name} is not known to serve S3"
            raise ProblemError(Problem(Cause.CONFIG, nothing, "", "Its system.yaml names no port s3."))
        store = live.cluster.store
        service = service_of(store, workload, usual)
        forward = live.forwards.add(
            self._target(workload, usual, service), name=f"S3 of {workload.name}", patience=self.patience, private=True
        )
        host = f"{service[0].name}.{workload.namespace}.svc" if service is not None else ""
        return StoreWay(live.forwards, forward, host or f"{workload.name}.{workload.namespace}", usual)

    def _target(self, workload: Workload, usual: int, service: tuple[Service, int] | None) -> Target:
        assert self.live.reach is not None and self.live.cluster is not None  # noqa: S101 (there are workloads)
        store = self.live.cluster.store
        if self.member:
            pod = next((pod for pod in members(store, workload) if pod.name == self.member), None)
            number = port_of(pod, usual) if pod is not None else None
            return self.live.reach.member(workload, self.member, number or usual)
        pods = members(store, workload)
        declared = any(item.ports for pod in pods for item in pod.spec.containers)
        if pods and declared and service is not None and all(port_of(pod, usual) is None for pod in pods):
            return self.live.reach.service(workload.namespace, service[0].name, service[1])
        return StoreTarget(lambda: self.live.workloads, store, self.key, usual)


def usual_port(live: Live, workload: Workload | None) -> int:
    """The number that a workload's system has for S3; 0 for a system without."""
    system = live.catalogue.systems.get(workload.system) if workload is not None else None
    return system.ports.get(S3, 0) if system is not None else 0
