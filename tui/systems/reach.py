"""How a workload is reached: which of its ports, and which of its members when a role or just any one is meant."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tui.kube.forward.targets import PodPort, PodTarget, ServiceTarget, Target, Waiting, of_pods
from tui.kube.objects import Pod
from tui.kube.resources import PODS
from tui.kube.store import Store
from tui.problem import Cause, Problem, ProblemError
from tui.systems.catalogue import Catalogue
from tui.systems.model import Member, Workload
from tui.systems.packaging import LabelTest

#: Words for the member that takes writes and for those that do not, whatever the system calls them.
PRIMARY, REPLICA = "primary", "replica"


@dataclass(frozen=True, slots=True)
class WorkloadTarget:
    """A workload: any ready member, or one of a role. Which members have that role is asked at each connection.

    Attributes:
        workloads: what is known now, by key.
        store: where the members' pods are looked up.
        key: the workload.
        port: a number, the name of a container's port, or a name from the system's `ports` (`sql`).
        role: a role's name as the system uses it, or `primary` or `replica`; empty for any member.
        known_ports: the system's ports by name.
        unready: whether members that are not ready will do.
        servers: labels of the pods that any member means.
        strict: whether the other pods will not do even where their role is asked for.
    """

    workloads: Callable[[], Mapping[str, Workload]]
    store: Store
    key: str
    port: int | str
    role: str = ""
    known_ports: Mapping[str, int] | None = None
    unready: bool = False
    servers: tuple[LabelTest, ...] = ()
    strict: bool = False

    @property
    def name(self) -> str:
        """The workload's name."""
        return self.key.rpartition("/")[2]

    @property
    def namespace(self) -> str:
        """The workload's namespace."""
        return self.key.partition("/")[0]

    @property
    def text(self) -> str:
        """`mysql`, or `mysql, primary`."""
        return f"{self.name}, {self.role}" if self.role else self.name

    def resolve(self) -> list[PodPort] | Waiting:
        """The ports of the members that fit."""
        workload = self.workloads().get(self.key)
        if workload is None:
            return Waiting(f"there is no workload {self.name}")
        members = [member for member in workload.members if member.uid]
        if self.role:
            told = [member for member in members if plays(member, self.role)]
            if not told:
                return self._no_member(workload, members)
            members = told
        among = servers_among(members, self.store, self.servers)
        members = among if among or self.strict or not self.role else members
        if self.role and not members:
            return self._no_member(workload, among)
        pods = [self.store.by_uid(PODS.key, member.uid, Pod) for member in members]
        found = of_pods([pod for pod in pods if pod is not None], self._port(), unready=self.unready)
        if isinstance(found, Waiting) and found.problem is None and len(members) != 1:
            who = f"member of role {self.role}" if self.role else "member"
            return Waiting(f"no {who} of {workload.name} is ready")
        return found

    def _port(self) -> int | str:
        return (self.known_ports or {}).get(str(self.port), self.port)

    def _no_member(self, workload: Workload, members: list[Member]) -> Waiting:
        roles = sorted({member.role.name for member in members if member.role is not None})
        what = f"No member of {workload.name} is {self.role} now"
        if members and not roles:
            problem = Problem(
                Cause.ABSENT, f"Which member of {workload.name} is {self.role} is not known", "",
                "Neither labels nor custom resources tell it; forward to a member by its name (--pod).",
            )  # fmt: skip
            return Waiting(problem.what, problem)
        known = f"; there are: {', '.join(roles)}" if roles else ""
        return Waiting(f"{what}{known}")


def servers_among(members: Sequence[Member], store: Store, labels: Sequence[LabelTest]) -> list[Member]:
    """Those of them that are servers, by their pods' labels; all where no labels are told."""
    if not labels:
        return list(members)
    found = []
    for member in members:
        pod = store.by_uid(PODS.key, member.uid, Pod) if member.uid else None
        if pod is not None and all(test.accepts(pod.metadata.labels) for test in labels):
            found.append(member)
    return found


def follows(workload: Workload | None, role: str, member: str = "") -> bool:
    """Whether it is known that whoever one goes to takes no writes.

    MySQL lets an administrator write to a replica unless `super_read_only` is set, and that breaks replication.

    Args:
        workload: as it is now; None when it is gone.
        role: `primary`, `replica`, or the system's own word; empty for any.
        member: a pod's name, in place of a role.
    """
    for one in workload.members if workload is not None else ():
        wanted = one.pod == member if member else plays(one, role)
        if wanted and one.role is not None and one.role.writes is False:
            return True
    return False


def plays(member: Member, role: str) -> bool:
    """Whether a member has a role, by the system's own word for it or by whether it takes writes."""
    if member.role is None:
        return False
    if member.role.name == role:
        return True
    return (role == PRIMARY and member.role.writes is True) or (role == REPLICA and member.role.writes is False)


@dataclass(frozen=True, slots=True)
class PortChoice:
    """A port that a workload can be reached at.

    Attributes:
        number: the port.
        name: what it speaks (`sql`) or what the container calls it; empty when it has no name.
        known: whether it is one of the system's own.
    """

    number: int
    name: str = ""
    known: bool = False

    def __str__(self) -> str:
        """`3306 sql`."""
        return f"{self.number} {self.name}".rstrip()


def ports_of(workload: Workload, store: Store, catalogue: Catalogue) -> list[PortChoice]:
    """The ports to choose from, the likeliest first: the system's own, then what the containers declare."""
    system = catalogue.systems.get(workload.system)
    found: dict[int, PortChoice] = {}
    declared: dict[int, PortChoice] = {}
    for member in workload.members:
        pod = store.by_uid(PODS.key, member.uid, Pod) if member.uid else None
        for container in pod.spec.containers if pod is not None else ():
            for port in container.ports:
                if port.protocol == "TCP":
                    declared.setdefault(port.container_port, PortChoice(port.container_port, port.name))
    for name, number in (system.ports if system is not None else {}).items():
        if number in declared or not declared:
            found[number] = PortChoice(number, name, known=True)
    return [*found.values(), *(choice for number, choice in declared.items() if number not in found)]


class Reach:
    """Makes targets of words, in one opened context."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        workloads: Callable[[], Mapping[str, Workload]],
        known: Callable[[str], bool | None],
    ) -> None:
        """Reads nothing yet.

        Args:
            store: what the cluster holds.
            catalogue: the systems.
            workloads: what is known now.
            known: whether the store holds all there is of a resource; None while that is on its way.
        """
        self._store = store
        self._catalogue = catalogue
        self._workloads = workloads
        self._known = known

    def ports(self, workload: Workload) -> list[PortChoice]:
        """The ports of a workload, the likeliest first."""
        return ports_of(workload, self._store, self._catalogue)

    def workload(
        self, workload: Workload, port: int | str = "", *, role: str = "", unready: bool = False, strict: bool = False
    ) -> Target:
        """A workload, or the members of a role.

        Args:
            workload: which.
            port: a number or a name; empty for the likeliest.
            role: empty for any server.
            unready: whether members that are not ready will do.
            strict: whether only servers will do, and no proxy or orchestrator that has the role.

        Raises:
            ProblemError: no port is given and none is known.
        """
        system = self._catalogue.systems.get(workload.system)
        return WorkloadTarget(
            self._workloads, self._store, workload.key, port or self._likeliest(workload), role,
            system.ports if system is not None else None, unready, self._labels(workload),
            strict,
        )  # fmt: skip

    def servers(self, workload: Workload) -> list[Member]:
        """The members that clients are led to where any would do, and that are asked how the system is."""
        return servers_among(workload.members, self._store, self._labels(workload))

    def _labels(self, workload: Workload) -> tuple[LabelTest, ...]:
        system = self._catalogue.systems.get(workload.system)
        packaging = system.packaging(workload.packaging_id) if system is not None else None
        return packaging.servers if packaging is not None else ()

    def member(self, workload: Workload, pod: str, port: int | str = "", *, unready: bool = False) -> Target:
        """One member by its pod's name, whichever pod bears it.

        Raises:
            ProblemError: no port is given and none is known.
        """
        system = self._catalogue.systems.get(workload.system)
        wanted = port or self._likeliest(workload)
        number = system.ports.get(str(wanted), wanted) if system is not None else wanted
        return PodTarget(self._store, workload.namespace, pod, number, unready)

    def pod(self, namespace: str, name: str, port: int | str, *, unready: bool = False) -> Target:
        """Any pod by its name."""
        return PodTarget(self._store, namespace, name, port, unready)

    def service(self, namespace: str, name: str, port: int | str) -> Target:
        """A Service."""
        return ServiceTarget(
            self._store, namespace, name, port,
            slices_known=lambda: self._known("endpointslices"), pods_known=lambda: self._known(PODS.key),
        )  # fmt: skip

    def _likeliest(self, workload: Workload) -> int:
        found = self.ports(workload)
        if not found:
            raise ProblemError(
                Problem(
                    Cause.CONFIG, f"No port of {workload.name} is known", "its containers declare none",
                    f"Name one: {workload.name}:PORT",
                )
            )  # fmt: skip
        return found[0].number
