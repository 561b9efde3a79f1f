"""From the words of a command line, or a definition in the settings, to what a forward leads to and where it listens.

The command and the screens both come here, so that a name means the same to both. What can never work is refused with
what to do about it; what merely is not ready yet is a target like any other.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tui.kube.forward.listener import Address, TcpAddress, UnixAddress, preferred_port
from tui.kube.forward.targets import PodPort, PodTarget, ServiceTarget, Target, Waiting
from tui.kube.objects import Object, Pod, Service
from tui.kube.resources import PODS, SERVICES
from tui.problem import Cause, Problem, ProblemError
from tui.settings_forwards import ForwardSetting
from tui.settings_readers import nearest
from tui.systems.live import Live
from tui.systems.model import Member, Workload
from tui.systems.naming import select
from tui.systems.packaging import ClientVariables, System
from tui.systems.reach import PRIMARY, REPLICA, WorkloadTarget

#: What kubectl users write before a name, and what it means.
_KINDS: Mapping[str, str] = {
    **dict.fromkeys(("pod", "pods", "po"), PODS.key),
    **dict.fromkeys(("service", "services", "svc"), SERVICES.key),
    **dict.fromkeys(("statefulset", "statefulsets", "sts"), "statefulsets"),
    **dict.fromkeys(("deployment", "deployments", "deploy"), "deployments"),
}
_SINGULAR = {PODS.key: "pod", SERVICES.key: "service", "statefulsets": "StatefulSet", "deployments": "Deployment"}
#: What stands before the path of a Unix socket.
UNIX = "unix:"

_T = TypeVar("_T", bound=Object)
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Definition:
    """A forward as somebody asks for it; nothing has been looked up.

    Attributes:
        workload: `NAME` or `NAMESPACE/NAME` of a workload or of one of its sets; `pod/NAME`, `svc/NAME` or `sts/NAME`,
            with `NAMESPACE/` before it if need be.
        port: a number, or the name that the system, a container or the Service has for it; empty for the likeliest.
        pod: one member: its pod's name, its label (`primary-0`) or its ordinal. Workloads only.
        role: the members of a role, in the system's own word, or `primary` or `replica`. Workloads only.
        local: the local port (0 for any free one), `unix:PATH`, or None for the likeliest free port.
        sticky: whether connections go where the one before went, while that pod is ready.
        unready: whether pods that are not ready will do.
        name: what the settings call it; empty for one that they do not define.
    """

    workload: str
    port: int | str = ""
    pod: str = ""
    role: str = ""
    local: int | str | None = None
    sticky: bool = True
    unready: bool = False
    name: str = ""

    @property
    def text(self) -> str:
        """`mysql:sql`, as it would be typed."""
        return f"{self.workload}:{self.port}" if self.port else self.workload


def parse(words: str) -> Definition:
    """What `WORKLOAD[:PORT]` asks for.

    Raises:
        ProblemError: CONFIG, it cannot be read so.
    """
    workload, colon, port = words.partition(":")
    parts = workload.split("/")
    if not all(parts) or len(parts) > 3 or (len(parts) == 3 and parts[1] not in _KINDS):
        raise _wrong(f"{words!r} is not WORKLOAD[:PORT]", "Write mysql, shop/mysql:3306, pod/mysql-0:sql or svc/minio.")
    if colon and not port:
        raise _wrong(f"{words!r} names no port after the colon", f"Leave the colon out for the likeliest: {workload}")
    if ":" in port:
        raise _wrong(
            f"{words!r} has two ports", f"The local one is an option: {workload}:{port.rpartition(':')[2]} --local PORT"
        )
    if port.isdecimal() and not 0 < int(port) < 65536:
        raise _wrong(f"{port} is not a port", "Ports are 1 to 65535.")
    return Definition(workload, int(port) if port.isdecimal() else port)


def defined(name: str, setting: ForwardSetting) -> Definition:
    """What a definition in the settings asks for."""
    return Definition(
        setting.workload, setting.port, setting.pod, setting.role, setting.local, setting.sticky, name=name
    )


def check(definition: Definition) -> None:
    """Refuses what contradicts itself, whatever the cluster holds.

    Raises:
        ProblemError: CONFIG.
    """
    kind = _split(definition.workload)[0]
    if (definition.pod or definition.role) and kind in (PODS.key, SERVICES.key):
        raise _wrong(f"A {_SINGULAR[kind]} has no members to choose from", "Name its workload to choose a pod or role.")
    if definition.pod and definition.role:
        raise _wrong("A pod and a role exclude each other", "Name one of them.")
    if definition.unready and kind == SERVICES.key:
        raise _wrong(
            "A Service decides itself which pods it leads to", "Name its workload to reach one that is not ready."
        )


def looked_up_in(definition: Definition) -> str:
    """The resource that holds what is named: with workloads alone `Live.complete` does not say that it has arrived."""
    return _split(definition.workload)[0] or PODS.key


def target_of(definition: Definition, live: Live) -> Target:
    """What a forward leads to. It needs a context whose objects have arrived (`Live.complete`, `looked_up_in`).

    Raises:
        ProblemError: ABSENT (no such workload, member, pod, Service or role), CONFIG (contradictory, ambiguous, no
            port is known), REJECTED (an ExternalName, UDP, no such port), FORBIDDEN (pods or Services may not be
            read) or TIMEOUT (they have not arrived yet).
    """
    check(definition)
    kind, namespace, name = _split(definition.workload)
    finder = _Finder(live, definition)
    if kind == PODS.key:
        target = finder.pod(namespace, name)
    elif kind == SERVICES.key:
        target = finder.service(namespace, name)
    else:
        target = finder.workload(kind, namespace, name)
    found = target.resolve()
    if isinstance(found, Waiting) and found.problem is not None:
        raise ProblemError(found.problem)
    return target


def address_of(definition: Definition, target: Target, live: Live) -> Address:
    """Where a forward listens.

    Without a wish it is the remote port's own number or the next free one; a wish is taken exactly. A directory gets
    a socket that is named as the system's clients look for it (`.s.PGSQL.5432`).
    """
    number = remote_port(target)
    if definition.local is None:
        return TcpAddress(preferred_port(number) if number else 0)
    if isinstance(definition.local, int):
        return TcpAddress(definition.local, exact=definition.local != 0)
    text = definition.local.removeprefix(UNIX)
    path = Path(os.path.expanduser(text)).absolute()  # noqa: PTH111 (Path's raises for a user who does not exist)
    if text.endswith("/") or path.is_dir():
        variables = variables_of(target, live)
        file = variables.socket.format(port=number) if variables is not None and variables.socket else ""
        return UnixAddress(path / (file or f"{_file_name(target.text)}-{target.port}.sock"))
    return UnixAddress(path)


def remote_port(target: Target) -> int:
    """The number of the remote port, 0 while that is not known (a container's name for it, and there is no pod)."""
    if isinstance(target.port, int) or target.port.isdecimal():
        return int(target.port)
    found = target.resolve()
    if not isinstance(found, Waiting):
        return found[0].port
    return (target.known_ports or {}).get(target.port, 0) if isinstance(target, WorkloadTarget) else 0


def workload_of(target: Target, live: Live) -> Workload | None:
    """The workload that a target leads to, None for one that leads to none or to nothing yet."""
    if isinstance(target, WorkloadTarget):
        return live.workloads.get(target.key)
    here = [item for item in live.workloads.values() if item.namespace == target.namespace]
    if isinstance(target, PodTarget):
        return next((item for item in here if any(member.pod == target.name for member in item.members)), None)
    found = target.resolve()
    uids = set() if isinstance(found, Waiting) else {at.uid for at in found}
    return next((item for item in here if any(member.uid in uids for member in item.members)), None)


def member_of(at: PodPort, live: Live) -> Member | None:
    """The member that a pod is, for its role."""
    members = (one for item in live.workloads.values() if item.namespace == at.namespace for one in item.members)
    return next((one for one in members if one.uid == at.uid), None)


def variables_of(target: Target, live: Live) -> ClientVariables | None:
    """The variables by which the system's usual clients are told where to connect; None where there are none."""
    workload = workload_of(target, live)
    system = live.catalogue.systems.get(workload.system) if workload is not None else None
    if system is None:
        return None
    found = target.resolve()
    number = remote_port(target) if isinstance(found, Waiting) else found[0].port
    return next((system.environment.get(name) for name, port in system.ports.items() if port == number), None)


def scheme_of(target: Target, live: Live) -> str:
    """`https` where a pod or a Service calls the port so (`https-minio`), else `http`."""
    names: list[str] = []
    store = live.cluster.store if live.cluster is not None else None
    found = target.resolve()
    if store is not None and not isinstance(found, Waiting):
        at = found[0]
        pod = store.named(PODS.key, at.namespace, at.pod, Pod)
        containers = pod.spec.containers if pod is not None else ()
        names = [port.name for item in containers for port in item.ports if port.container_port == at.port]
    if store is not None and isinstance(target, ServiceTarget):
        service = store.named(SERVICES.key, target.namespace, target.name, Service)
        ports = service.spec.ports if service is not None else ()
        names += [port.name for port in ports if str(target.port) in (port.name, str(port.port))]
    return "https" if any(name.startswith("https") for name in names) else "http"


def roles_of(system: System | None, workload: Workload) -> list[str]:
    """The words for roles that mean something here: those of its members, and those that its system can tell."""
    roles = [member.role for member in workload.members]
    packagings = system.packagings if system is not None else ()
    for rule in (rule for packaging in packagings for rule in packaging.roles):
        roles += (*rule.values.values(), rule.first, rule.rest, rule.lone, rule.every)
    known = [role for role in roles if role is not None]
    words = {role.name for role in known}
    # Where all members are alike nobody is the primary, and waiting for one would be in vain.
    words |= {word for word, writes in ((PRIMARY, True), (REPLICA, False)) if any(r.writes is writes for r in known)}
    return sorted(words or {PRIMARY, REPLICA})


class _Finder:
    """Looks up what a definition names."""

    def __init__(self, live: Live, definition: Definition) -> None:
        if live.reach is None or live.cluster is None or live.forwards is None or live.context is None:
            raise ProblemError(live.problem or Problem(Cause.UNREACHABLE, "The cluster is not connected to yet"))
        self._live = live
        self._wanted = definition
        self._reach = live.reach
        self._store = live.cluster.store
        self._scope = live.cluster.scope.text
        self._known = live.forwards.known
        self._home = live.options.namespace or live.context.namespace

    def workload(self, kind: str, namespace: str, name: str) -> Target:
        """A workload, the members of a role, or one member."""
        wanted = self._wanted
        workload = self._workload(kind, namespace, name)
        if wanted.pod:
            member = _member(workload, wanted.pod)
            return self._reach.member(workload, member.pod, wanted.port, unready=wanted.unready)
        if wanted.role:
            words = roles_of(self._live.catalogue.systems.get(workload.system), workload)
            if wanted.role not in words:
                raise _absent(f"{workload.title} has no role {wanted.role}", _meant(wanted.role, words))
        return self._reach.workload(workload, wanted.port, role=wanted.role, unready=wanted.unready)

    def _workload(self, kind: str, namespace: str, name: str) -> Workload:
        items = list(self._live.workloads.values())
        if kind:
            items = [item for item in items if any((one.resource, one.name) == (kind, name) for one in item.objects)]
            found = [item for item in items if namespace in ("", item.namespace)]
        else:
            found = select(items, [f"{namespace}/{name}" if namespace else name])[0]
        if not found:
            # Names of sets are near names too, but the workload's own is the better one to learn.
            names = [
                f"{item.namespace}/{item.name}" if namespace else item.name for item in self._live.workloads.values()
            ]
            wanted = f"{namespace}/{name}" if namespace else name
            raise _absent(
                f"no {_SINGULAR.get(kind, 'workload')} is called {wanted} in {self._scope}", _near(wanted, names)
            )
        return self._one(found, [item.namespace for item in found], [f"{item.namespace}/{item.name}" for item in found])

    def pod(self, namespace: str, name: str) -> Target:
        """A pod by its name: a member, which may have to be created yet, or any other."""
        unready, port = self._wanted.unready, self._wanted.port
        members = [
            item
            for item in self._live.workloads.values()
            if namespace in ("", item.namespace) and any(member.pod == name for member in item.members)
        ]
        if members:
            names = [f"{item.namespace}/pod/{name}" for item in members]
            workload = self._one(members, [item.namespace for item in members], names)
            return self._reach.member(workload, name, port, unready=unready)
        pod = self._named(PODS.key, namespace, name, Pod)
        if not port:
            ports = [declared for item in pod.spec.containers for declared in item.ports if declared.protocol == "TCP"]
            if not ports:
                raise _wrong(f"Pod {name} declares no port", f"Name one: pod/{name}:PORT")
            port = ports[0].container_port
        return self._reach.pod(pod.namespace, name, port, unready=unready)

    def service(self, namespace: str, name: str) -> Target:
        """A Service."""
        service = self._named(SERVICES.key, namespace, name, Service)
        return self._reach.service(service.namespace, name, self._wanted.port or self._port_of(service))

    def _port_of(self, service: Service) -> int:
        """The likeliest port of a Service: one that a system is known for, else its first."""
        ports = [port.port for port in service.spec.ports if port.protocol == "TCP"]
        if not ports:
            if service.spec.type == "ExternalName" or service.spec.ports:
                # Refused for what it is, by the target itself.
                return service.spec.ports[0].port if service.spec.ports else 1
            raise _wrong(f"Service {service.name} has no port", "")
        known = {port for system in self._live.catalogue.systems.values() for port in system.ports.values()}
        return next((port for port in ports if port in known), ports[0])

    def _named(self, resource: str, namespace: str, name: str, type_: type[_T]) -> _T:
        """The object of that name, here or in the only namespace that has one."""
        what = _SINGULAR[resource]
        known = self._known(resource)
        if known is None:
            raise ProblemError(
                Problem(
                    Cause.TIMEOUT, f"{resource} have not arrived yet, so {what} {name} cannot be found", "",
                    "Try again in a moment.",
                )
            )  # fmt: skip
        if not known:
            raise ProblemError(
                Problem(
                    Cause.FORBIDDEN, f"{resource} may not be read, so {what} {name} cannot be found", "",
                    "Name a namespace that you may read with -n, or ask for the rights that `statetui doctor` lists.",
                )
            )  # fmt: skip
        held = [item for item in self._store.all(resource, type_) if namespace in ("", item.namespace)]
        found = [item for item in held if item.name == name]
        if not found:
            raise _absent(
                f"no {what} is called {name} in {namespace or self._scope}", _near(name, [i.name for i in held])
            )
        names = [f"{item.namespace}/{what}/{name}" for item in found]
        return self._one(found, [item.namespace for item in found], names)

    def _one(self, found: Sequence[_Found], namespaces: Sequence[str], names: Sequence[str]) -> _Found:
        """The only one, or the one in the namespace that kubectl would look in."""
        here = [item for item, namespace in zip(found, namespaces, strict=True) if namespace == self._home]
        if len(found) > 1 and len(here) != 1:
            raise _wrong(f"{len(found)} are called {self._wanted.workload}", f"Name one: {', '.join(sorted(names))}")
        return here[0] if len(found) > 1 else found[0]


def _split(words: str) -> tuple[str, str, str]:
    """Kind (a resource's key, empty for a workload), namespace (empty for any) and name."""
    parts = words.split("/")
    if len(parts) == 3 and parts[1] in _KINDS:
        return _KINDS[parts[1]], parts[0], parts[2]
    if len(parts) == 2:
        return (_KINDS[parts[0]], "", parts[1]) if parts[0] in _KINDS else ("", parts[0], parts[1])
    return "", "", words


def _member(workload: Workload, text: str) -> Member:
    """The member that is meant by a pod's name, a label or an ordinal."""
    for fits in (
        lambda member: member.pod == text,
        lambda member: member.label == text,
        lambda member: str(member.ordinal) == text,
    ):
        found = [member for member in workload.members if fits(member)]
        if len(found) == 1:
            return found[0]
        if found:
            break
    labels = [member.label for member in workload.members]
    if found:
        raise _wrong(f"{len(found)} members of {workload.name} are called {text}", f"Name one: {', '.join(labels)}")
    raise _absent(f"{workload.name} has no member {text}", f"There are: {', '.join(labels) or 'none'}.")


def _meant(word: str, words: Iterable[str]) -> str:
    return _near(word, words) or (f"There are: {', '.join(sorted(words))}." if words else "")


def _near(word: str, words: Iterable[str]) -> str:
    near = nearest(word, list(words))
    return f"Did you mean {near}?" if near else ""


def _file_name(text: str) -> str:
    return "-".join("".join(char if char.isalnum() or char in "-." else " " for char in text).split())


def _absent(what: str, remedy: str) -> ProblemError:
    return ProblemError(
        Problem(Cause.ABSENT, f"{what[0].upper()}{what[1:]}" if what[:3] == "no " else what, "", remedy)
    )


def _wrong(what: str, remedy: str) -> ProblemError:
    return ProblemError(Problem(Cause.CONFIG, what, "", remedy))
