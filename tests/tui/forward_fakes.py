"""Forwards that are put there by hand: the engine's book with nothing behind it, and views in every state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from fakes import HOSTILE, NOW, FakeLive, sample

from tui.kube import objects as o
from tui.kube.forward.listener import TcpAddress
from tui.kube.forward.targets import PodPort, Target
from tui.kube.forward.views import ForwardView, Phase, State, TunnelView
from tui.problem import Cause, Problem, ProblemError
from tui.systems.reach import Reach

KUBELET = (
    "error forwarding port 9999 to pod 9733366291a706adfb6dc86d0f79b0a37e94fe92cd46, uid : failed to execute "
    'portforward in network namespace "/var/run/netns/cni-0a163ae7": dial tcp4 127.0.0.1:9999: connect: '
    "connection refused"
)
REFUSED = {
    "state": State.DEGRADED,
    "reason": "Port 9999 of pod mysql-0 refuses connections: nothing listens there",
    "evidence": KUBELET,
    "remedy": "Is it the right port, and does the server listen on localhost?",
}
FORBIDDEN = {
    "state": State.DEGRADED,
    "reason": "You may not create pods/portforward in namespace stateful",
    "evidence": 'pods "mysql-0" is forbidden: User "nobody" cannot create resource "pods/portforward" in API group ""',
    "remedy": "Ask for the verbs get and create on pods/portforward; since Kubernetes 1.35 both are needed.",
}
WAITING = {"state": State.WAITING, "reason": "no member of mysql is ready"}
EVIL = {"state": State.DEGRADED, "reason": HOSTILE, "evidence": HOSTILE * 3, "remedy": HOSTILE}


def pod_port(pod: str = "mysql-0", uid: str = "3f2a91c4-9711-42f6-9f64-deed5f8bf07d", port: int = 3306) -> PodPort:
    return PodPort("stateful", pod, uid, port)


def tunnel(number: int, **changes: Any) -> TunnelView:
    """An open connection with a little traffic."""
    base = TunnelView(
        number=number,
        phase=Phase.OPEN,
        pod=pod_port(),
        protocol="v4.channel.k8s.io",
        opened=NOW - 90,
        closed=None,
        sent=1200 * number,
        received=3_500_000 * number,
        last_byte=NOW - 4,
        stalled="",
        why="",
        clean=False,
    )
    return replace(base, **changes)


def tunnels() -> dict[str, Any]:
    """Connections in every phase: two with traffic, one that stalls, one half-closed, and three that are over."""
    over = {"phase": Phase.CLOSED, "closed": NOW - 30}
    return {
        "tunnels": (
            tunnel(3),
            tunnel(5, stalled="program"),
            tunnel(6, phase=Phase.LINGERING),
            tunnel(7, phase=Phase.CONNECTING, pod=None, sent=0, received=0, last_byte=None, why="mysql-1 is asked"),
        ),
        "recent": (
            tunnel(4, **over, clean=True, why="closed by the program"),
            tunnel(2, **over, pod=pod_port(uid="9c1b00aa-0000"), why="pod mysql-0 was deleted"),
            tunnel(1, **over, clean=True, why="closed by the application"),
        ),
        "connections": 7,
        "failures": 1,
        "sent": 41_000,
        "received": 93_000_000,
        "rates": tuple((40 * (second % 7), 90_000 * (second % 11)) for second in range(100)),
    }


class FakeForward:
    """A forward whose view is what one makes it."""

    def __init__(self, book: FakeForwards, number: int, target: Target, name: str, sticky: bool, **view: Any) -> None:
        self.book, self.number, self.target, self.sticky = book, number, target, sticky
        self.name = name or f"{target.text}:{target.port}"
        self.patience, self.private = 10.0, False
        self.listener: Any = None
        self.retargeted: list[Target] = []
        self.facts: dict[str, Any] = {"state": State.READY, "pod": pod_port(), "since": NOW - 300, **view}

    @property
    def state(self) -> State:
        state: State = self.facts["state"]
        return state

    def view(self) -> ForwardView:
        base = ForwardView(
            number=self.number,
            name=self.name,
            namespace=self.target.namespace,
            target=self.target.text,
            port=self.target.port,
            address=self.listener.address if self.listener is not None else "",
            pod=None,
            protocol="v4.channel.k8s.io",
            state=State.READY,
            reason="",
            evidence="",
            since=NOW,
            tunnels=(),
            recent=(),
            sent=0,
            received=0,
            connections=0,
            failures=0,
            rates=(),
        )
        return replace(base, **self.facts)

    def put(self, **facts: Any) -> None:
        """Another state, told."""
        self.facts.update(facts)
        self.book.tell()

    async def listen(self, wanted: Any) -> None:
        if isinstance(wanted, TcpAddress):
            port = wanted.port or 40001
            while f"127.0.0.1:{port}" in self.book.taken:
                if wanted.exact:
                    raise ProblemError(
                        Problem(
                            Cause.CONFIG,
                            f"Port {port} on 127.0.0.1 is taken",
                            "Address already in use",
                            "Name no port to get the next free one, or see who has it: ss -ltnp",
                        )
                    )
                port += 1
            address = f"127.0.0.1:{port}"
        else:
            address = f"unix:{wanted.path}"
        self.listener = SimpleNamespace(address=address)
        self.book.tell()

    def unlisten(self) -> None:
        self.listener = None
        self.book.tell()

    def retarget(self, target: Target) -> None:
        self.retargeted.append(target)
        self.target = target
        self.book.tell()

    async def stop(self, *, drain: float = 2.0) -> None:
        self.book.stopped.append((self.number, drain))
        self.put(state=State.STOPPED, reason="stopped by you", tunnels=())


class FakeForwards:
    """The book."""

    def __init__(self) -> None:
        self.on_change: list[Callable[[], None]] = []
        self.taken: set[str] = set()
        self.stopped: list[tuple[int, float]] = []
        self.closed: list[float] = []
        self._forwards: dict[int, FakeForward] = {}
        self._numbers = 0

    def __iter__(self) -> Iterator[FakeForward]:
        return iter(list(self._forwards.values()))

    def get(self, number: int) -> FakeForward | None:
        return self._forwards.get(number)

    def known(self, resource: str) -> bool:
        return True

    def add(self, target: Target, *, name: str = "", sticky: bool = True, patience: float = 10.0) -> FakeForward:
        del patience
        self._numbers += 1
        made = self._forwards[self._numbers] = FakeForward(self, self._numbers, target, name, sticky)
        self.tell()
        return made

    async def remove(self, forward: FakeForward, *, drain: float = 2.0) -> None:
        await forward.stop(drain=drain)
        self._forwards.pop(forward.number, None)
        self.tell()

    async def close(self, *, drain: float = 0.0) -> None:
        self.closed.append(drain)

    def tell(self) -> None:
        for listener in list(self.on_change):
            listener()


def pods() -> list[o.Pod]:
    """A pod for each member of the sample; mysql-2 is not ready."""
    made = []
    for workload in sample():
        for member in workload.members:
            ready = member.pod != "mysql-2"
            port = {"mysql": (3306, "mysql"), "minio": (9000, "http-minio")}.get(workload.system, (5672, "main"))
            container = o.Container("main", "image:1", ports=[o.ContainerPort(*port)])
            made.append(
                o.Pod(
                    metadata=o.ObjectMeta(name=member.pod, namespace="stateful", uid=member.uid, resource_version="1"),
                    spec=o.PodSpec(containers=[container]),
                    status=o.PodStatus("Running", conditions=[o.Condition("Ready", "True" if ready else "False")]),
                )
            )
    return made


class ForwardLive(FakeLive):
    """A live view whose workloads can be forwarded to."""

    def __init__(self, **facts: Any) -> None:
        super().__init__(sample(), **facts)
        for pod in pods():
            self.cluster.store.put("pods", pod)
        systems = {
            name: SimpleNamespace(ports=ports, packagings=(), environment={}, sql=None, packaging=lambda _: None)
            for name, ports in (("mysql", {"sql": 3306}), ("minio", {"s3": 9000}))
        }
        self.catalogue = SimpleNamespace(customs=(), problems=(), systems=systems)
        self.options = SimpleNamespace(namespace=None)
        self.forwards: Any = FakeForwards()
        self.reach: Any = Reach(self.cluster.store, self.catalogue, lambda: self.workloads, lambda _: True)  # type: ignore[arg-type]

    async def forward(self, name: str = "mysql", port: int | str = "", *, local: int = 3306, **facts: Any) -> Any:
        """A forward that stands, with facts of its own."""
        workload = next(each for each in self.workloads.values() if each.name == name)
        made = self.forwards.add(self.reach.workload(workload, port, role=facts.pop("role", "")))
        if local:
            await made.listen(TcpAddress(local))
        made.put(**facts)
        return made
