"""The ways from a workload to a broker: AMQP and the management API, each with and without TLS, on any ready node."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tui.kube.forward.forward import PATIENCE
from tui.kube.forward.targets import Target
from tui.problem import Cause, Problem, ProblemError
from tui.services.queue.tls import Security
from tui.systems.live import Live
from tui.systems.model import Workload
from tui.systems.portroutes import ForwardWay, PortTarget, members, port_of, port_of_member, service_of, there

#: What catalogues call the port of AMQP.
AMQP = "amqp"


class Port(Enum):
    """A port of a broker: its usual number, and what containers call it.

    The names are those of the RabbitMQ Cluster Operator, of Bitnami's chart (`stats`, `amqp-tls`, formerly `amqp-ssl`)
    and of what people write by hand.
    """

    AMQP = (5672, ("amqp", "rabbitmq", "client"))
    AMQPS = (5671, ("amqps", "amqp-tls", "amqp-ssl"))
    MANAGEMENT = (15672, ("management", "stats", "http-stats", "http-management", "mgmt", "http"))
    MANAGEMENT_TLS = (15671, ("management-tls", "management-ssl", "stats-tls", "https-stats", "https-management"))

    def __init__(self, number: int, names: tuple[str, ...]) -> None:
        """Takes the two apart."""
        self.number = number
        self.names = names

    @property
    def tls(self) -> bool:
        """Whether it speaks TLS from the first byte."""
        return self in (Port.AMQPS, Port.MANAGEMENT_TLS)

    @property
    def text(self) -> str:
        """`AMQP`, or `the management API`."""
        return "AMQP" if self in (Port.AMQP, Port.AMQPS) else "the management API"


def serves(live: Live, workload: Workload | None) -> bool:
    """Whether a workload is a broker, as far as its system's file says."""
    system = live.catalogue.systems.get(workload.system) if workload is not None else None
    return system is not None and AMQP in system.ports


def choices(
    live: Live, key: str, plain: Port, encrypted: Port, security: Security, *, shown: bool = False
) -> tuple[Port, ...]:  # fmt: skip
    """The ports to try, in order.

    TLS that can be verified goes first, and that to which a client's certificate is shown. What cannot be verified is
    worth less than the plain port: that one is reached through the API server's and the kubelet's TLS, to the pod
    itself.

    Args:
        live: the context.
        key: the workload's.
        plain: `AMQP` or `MANAGEMENT`.
        encrypted: its twin with TLS.
        security: what the packaging says.
        shown: whether there is a client's certificate to show.
    """
    workload = live.workloads.get(key)
    if workload is None or live.cluster is None:
        return (plain,)
    pods = members(live.cluster.store, workload)
    has = {port: any(port_of(pod, port.number, port.names) is not None for pod in pods) for port in (plain, encrypted)}
    if security.tls is False or not has[encrypted]:
        return (plain,)
    if not has[plain]:
        return (encrypted,)
    return (encrypted, plain) if security.authority or shown else (plain, encrypted)


@dataclass(frozen=True, slots=True)
class QueueFinder:
    """Finds the way to a port of a broker anew at each call; a `services.way.Finder`.

    Attributes:
        live: the context.
        key: the workload's key.
        port: which of its ports.
        name: what TLS is to verify in place of the Service's name; empty for that.
        member: a pod's name, for that node and no other, ready or not; empty for any that is ready or, where none
            is, that was so before (an alarm).
        patience: seconds to wait for a ready pod.
    """

    live: Live
    key: str
    port: Port
    name: str = ""
    member: str = ""
    patience: float = PATIENCE

    async def __call__(self) -> ForwardWay:
        """Opens the way; no connection is made yet.

        Raises:
            ProblemError: the workload is gone, or is no broker as far as is known.
        """
        live = self.live
        forwards, store, workload = there(live, self.key)
        if not serves(live, workload):
            nothing = f"{workload.title} {workload.name} is not known to speak AMQP"
            raise ProblemError(Problem(Cause.CONFIG, nothing, "", "Its system.yaml names no port amqp."))
        service = service_of(store, workload, self.port.number, self.port.names)
        forward = forwards.add(
            self._target(workload), name=f"{self.port.text} of {workload.name}", patience=self.patience, private=True
        )
        host = f"{service[0].name}.{workload.namespace}.svc" if service is not None else ""
        host = self.name or host or f"{workload.name}.{workload.namespace}"
        return ForwardWay(forwards, forward, host, self.port.number)

    def _target(self, workload: Workload) -> Target:
        assert self.live.reach is not None and self.live.cluster is not None  # noqa: S101 (there are workloads)
        store = self.live.cluster.store
        if self.member:
            number = port_of_member(store, workload, self.member, self.port.number, self.port.names)
            return self.live.reach.member(workload, self.member, number, unready=True)
        return PortTarget(lambda: self.live.workloads, store, self.key, self.port.number, self.port.names, lapsed=True)
