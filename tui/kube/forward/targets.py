"""What a forward leads to, and which port of which pod that is now.

A target is resolved against the store at every connection, never once for all: pods come and go under the same names,
and a Service's endpoints change while it stands. Roles and workloads are targets too; those are for `tui.systems`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

from tui.kube.objects import EndpointSlice, Pod, Service, ServicePort
from tui.kube.resources import ENDPOINTSLICES, PODS, SERVICE_NAME, SERVICES
from tui.kube.store import Store
from tui.problem import Cause, Problem


@dataclass(frozen=True, slots=True)
class PodPort:
    """A port of one pod; the uid tells the pod from its successor of the same name."""

    namespace: str
    pod: str
    uid: str
    port: int

    def __str__(self) -> str:
        """`mysql-0:3306`."""
        return f"{self.pod}:{self.port}"


@dataclass(frozen=True, slots=True)
class Waiting:
    """There is no pod to connect to now.

    Attributes:
        reason: what is waited for, in a few words.
        problem: set when waiting will not help, with what to do about it.
    """

    reason: str
    problem: Problem | None = None


class Target(Protocol):
    """Something that leads to pods."""

    @property
    def text(self) -> str:
        """What it is, for people: `pod mysql-0`, `service minio`."""

    @property
    def port(self) -> int | str:
        """The port as it was asked for, by number or by name."""

    @property
    def namespace(self) -> str:
        """Where it lies."""

    def resolve(self) -> list[PodPort] | Waiting:
        """The ports that may be connected to now, best first, or what is waited for. It reads the store only."""


@dataclass(frozen=True, slots=True)
class PodTarget:
    """A pod by its name: a bare one, or an ordinal of a StatefulSet, whose successor bears the same name.

    Attributes:
        store: where pods are looked up.
        namespace: its namespace.
        name: its name.
        port: the port, or the name of a container's port.
        unready: whether a pod that is not ready will do, to look at what is wrong with it.
    """

    store: Store
    namespace: str
    name: str
    port: int | str
    unready: bool = False

    @property
    def text(self) -> str:
        """`pod mysql-0`."""
        return f"pod {self.name}"

    def resolve(self) -> list[PodPort] | Waiting:
        """The pod's port, if the pod is ready."""
        pod = self.store.named(PODS.key, self.namespace, self.name, Pod)
        if pod is None:
            return Waiting(f"pod {self.name} does not exist")
        return of_pods((pod,), self.port, unready=self.unready)


@dataclass(frozen=True, slots=True)
class ServiceTarget:
    """A Service, through its endpoint slices: they hold the target ports, even where they differ from pod to pod.

    Slices also cover Services that publish addresses of pods that are not ready, and those without a selector whose
    slices somebody else writes. Where slices may not be read, the selector and the pods have to do.

    Attributes:
        slices_known: whether the store holds the endpoint slices; None while they are on their way.
        pods_known: whether it holds all pods.
    """

    store: Store
    namespace: str
    name: str
    port: int | str
    slices_known: Callable[[], bool | None] = lambda: True
    pods_known: Callable[[], bool | None] = lambda: True

    @property
    def text(self) -> str:
        """`service minio`."""
        return f"service {self.name}"

    def resolve(self) -> list[PodPort] | Waiting:
        """The ports behind the Service, those of ready pods first."""
        service = self.store.named(SERVICES.key, self.namespace, self.name, Service)
        if service is None:
            return Waiting(f"service {self.name} does not exist")
        port = self._port(service)
        if isinstance(port, Waiting):
            return port
        known = self.slices_known()
        if known:
            return self._from_slices(service, port)
        if known is None and not service.spec.selector:
            return Waiting("the endpoint slices are not known yet")
        return self._from_selector(service, port)

    def _port(self, service: Service) -> ServicePort | Waiting:
        """The Service's port that is meant, or why it cannot be forwarded."""
        if service.spec.type == "ExternalName":
            return _never(
                f"Service {self.name} is only another name for {service.spec.external_name}",
                "It leads out of the cluster, where no pod is to forward to; connect to that name itself.",
            )
        ports = service.spec.ports
        found = [p for p in ports if self.port in (p.port, p.name) or str(self.port) == str(p.port)]
        if not found:
            known = ", ".join(f"{p.port}{p.name and f' ({p.name})'}" for p in ports) or "none"
            return _never(f"Service {self.name} has no port {self.port}", f"Its ports: {known}.")
        usable = [p for p in found if p.protocol == "TCP"]
        if not usable:
            return _never(
                f"Port {self.port} of service {self.name} is {found[0].protocol}",
                "Kubernetes forwards TCP only.",
            )
        return usable[0]

    def _from_slices(self, service: Service, port: ServicePort) -> list[PodPort] | Waiting:
        ready: list[PodPort] = []
        ending: list[PodPort] = []
        addresses = 0
        for piece in self.store.in_namespace(ENDPOINTSLICES.key, self.namespace, EndpointSlice):
            if piece.metadata.labels.get(SERVICE_NAME) != self.name:
                continue
            number = next((p.port for p in piece.ports or () if (p.name or "") == port.name), None)
            for endpoint in piece.endpoints or ():
                addresses += 1
                pod = endpoint.target_ref
                if number is None or pod is None or pod.kind != "Pod":
                    continue
                at = PodPort(pod.namespace or self.namespace, pod.name, pod.uid, number)
                if endpoint.conditions.terminating:  # and perhaps "ready", where the unready are published
                    if endpoint.conditions.serving or endpoint.conditions.ready:
                        ending.append(at)
                elif endpoint.conditions.ready is not False:
                    ready.append(at)
        found = [at for at in ready if self._stands(at)] or [at for at in ending if self._stands(at)]
        if found:
            return sorted(dict.fromkeys(found), key=lambda at: at.pod)
        if addresses and not ready and not ending and not service.spec.selector:
            return _never(
                f"Service {self.name} leads to addresses that are no pods of this cluster",
                "Only pods can be forwarded to; connect to the addresses themselves.",
            )
        if not addresses and not service.spec.selector:
            return Waiting(f"service {self.name} has no selector and no endpoints")
        return Waiting(f"service {self.name} has no ready endpoint")

    def _stands(self, at: PodPort) -> bool:
        """Whether the pod of an endpoint is still there, as far as pods may be read: slices lag a little behind."""
        pod = self.store.named(PODS.key, at.namespace, at.pod, Pod)
        return pod.uid == at.uid if pod is not None else not self.pods_known()

    def _from_selector(self, service: Service, port: ServicePort) -> list[PodPort] | Waiting:
        selector = service.spec.selector
        if not selector:
            return _never(
                f"Service {self.name} has no selector, and its endpoint slices may not be read",
                "Ask for the right to list endpointslices.discovery.k8s.io, or forward to a pod.",
            )
        pods = [
            pod
            for pod in self.store.in_namespace(PODS.key, self.namespace, Pod)
            if selector.items() <= pod.metadata.labels.items()
        ]
        target = port.target_port if port.target_port not in (None, 0, "") else port.port
        found = of_pods(pods, target or port.port, unready=service.spec.publish_not_ready_addresses)
        return Waiting(f"service {self.name} has no ready endpoint") if isinstance(found, Waiting) and pods else found


def of_pods(pods: Iterable[Pod], port: int | str, *, unready: bool = False) -> list[PodPort] | Waiting:
    """The given port of each pod that may be connected to, the longest running first.

    Args:
        pods: those to choose from.
        port: a number, or the name of a container's port.
        unready: whether pods that are not ready will do; those on their way out never do.
    """
    candidates: list[Pod] = []  # whose containers have the port
    why = Waiting("there is no pod")
    found: list[tuple[str, PodPort]] = []
    for pod in pods:
        number = port_of(pod, port)
        if number is None:
            if not candidates:
                why = _never(f"Pod {pod.name} has no port named {port}", _ports_of(pod))
            continue
        candidates.append(pod)
        if pod.metadata.deletion_timestamp is not None:
            why = Waiting(f"pod {pod.name} is on its way out")
        elif not unready and not is_ready(pod):
            why = Waiting(f"pod {pod.name} is not ready")
        else:
            at = PodPort(pod.namespace, pod.name, pod.uid, number)
            found.append((pod.status.start_time or pod.metadata.creation_timestamp, at))
    if found:
        return [at for _, at in sorted(found, key=lambda item: (item[0], item[1].pod))]
    if len(candidates) > 1:
        return Waiting(f"none of {len(candidates)} pods is ready")
    return why


def is_ready(pod: Pod) -> bool:
    """Whether the pod's Ready condition is True."""
    return any(condition.type == "Ready" and condition.status == "True" for condition in pod.status.conditions)


def port_of(pod: Pod, port: int | str) -> int | None:
    """The number of a pod's port, None when it names one that no container has."""
    if isinstance(port, int) or port.isdecimal():
        return int(port)
    sidecars = (container for container in pod.spec.init_containers if container.sidecar)
    for container in (*pod.spec.containers, *sidecars):
        for declared in container.ports:
            if declared.name == port and declared.protocol == "TCP":
                return declared.container_port
    return None


def preferred(found: Collection[PodPort], *, last: PodPort | None, avoid: Collection[str], turn: int) -> PodPort:
    """Which of several to take: the last one again if it still stands, else each in turn.

    Args:
        found: not empty, best first.
        last: where the connection before went, None to spread them.
        avoid: uids of pods that just refused; taken all the same when there is no other.
        turn: counts the connections.
    """
    usable = [at for at in found if at.uid not in avoid] or list(found)
    if last is not None:
        return next((at for at in usable if at.uid == last.uid), usable[0])
    return usable[turn % len(usable)]


def _ports_of(pod: Pod) -> str:
    ports = [
        f"{port.container_port}{port.name and f' ({port.name})'}" for item in pod.spec.containers for port in item.ports
    ]
    return f"Its ports: {', '.join(ports) or 'none declared'}; a number always works."


def _never(what: str, remedy: str) -> Waiting:
    return Waiting(what, Problem(Cause.REJECTED, what, "", remedy))
