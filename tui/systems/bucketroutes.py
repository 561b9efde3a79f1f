"""The way from a workload to an object store: any member that serves S3 will do, at each connection anew."""

from __future__ import annotations

from dataclasses import dataclass

from tui.kube.forward.forward import PATIENCE
from tui.kube.forward.targets import Target
from tui.kube.objects import Pod, Service
from tui.kube.store import Store
from tui.problem import Cause, Problem, ProblemError
from tui.systems import portroutes
from tui.systems.live import Live
from tui.systems.model import Workload
from tui.systems.portroutes import ForwardWay, PortTarget, members, port_of_member, there

#: What catalogues call the port of S3.
S3 = "s3"
#: What containers call it: MinIO's operator and charts, SeaweedFS's chart and operator.
NAMES = ("s3", "https-minio", "http-minio", "minio-api", "minio", "swfs-s3", "filer-s3", "api")


def port_of(pod: Pod, usual: int) -> int | None:
    """The port at which a pod serves S3; None when its containers declare ports, and none is it."""
    return portroutes.port_of(pod, usual, NAMES)


def service_of(store: Store, workload: Workload, usual: int) -> tuple[Service, int] | None:
    """The Service that leads to a workload's S3, and the port's number in it; see `portroutes.service_of`.

    A gateway that is no member (SeaweedFS's chart has a Deployment without claims) is found by the Service's name.
    """
    gateways = (f"{workload.name}-s3", f"{workload.name}-seaweedfs-s3")
    return portroutes.service_of(store, workload, usual, NAMES, gateways)


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

    async def __call__(self) -> ForwardWay:
        """Opens the way; no connection is made yet.

        Raises:
            ProblemError: the workload is gone, or serves no S3 as far as is known.
        """
        live = self.live
        forwards, store, workload = there(live, self.key)
        usual = usual_port(live, workload)
        if not usual:
            nothing = f"{workload.title} {workload.name} is not known to serve S3"
            raise ProblemError(Problem(Cause.CONFIG, nothing, "", "Its system.yaml names no port s3."))
        service = service_of(store, workload, usual)
        forward = forwards.add(
            self._target(workload, usual, service), name=f"S3 of {workload.name}", patience=self.patience, private=True
        )
        host = f"{service[0].name}.{workload.namespace}.svc" if service is not None else ""
        return ForwardWay(forwards, forward, host or f"{workload.name}.{workload.namespace}", usual)

    def _target(self, workload: Workload, usual: int, service: tuple[Service, int] | None) -> Target:
        assert self.live.reach is not None and self.live.cluster is not None  # noqa: S101 (there are workloads)
        store = self.live.cluster.store
        if self.member:
            number = port_of_member(store, workload, self.member, usual, NAMES)
            return self.live.reach.member(workload, self.member, number)
        pods = members(store, workload)
        declared = any(item.ports for pod in pods for item in pod.spec.containers)
        if pods and declared and service is not None and all(port_of(pod, usual) is None for pod in pods):
            return self.live.reach.service(workload.namespace, service[0].name, service[1])
        return PortTarget(lambda: self.live.workloads, store, self.key, usual, NAMES)


def usual_port(live: Live, workload: Workload | None) -> int:
    """The number that a workload's system has for S3; 0 for a system without."""
    system = live.catalogue.systems.get(workload.system) if workload is not None else None
    return system.ports.get(S3, 0) if system is not None else 0
