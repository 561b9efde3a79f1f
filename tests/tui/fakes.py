"""A live view without a cluster: hand-made workloads in every state, and switches for every kind of trouble."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from tui.kube.feeds import Feed, Phase
from tui.kube.options import ConnectOptions
from tui.kube.resources import CLAIMS, PODS, STATEFULSETS
from tui.kube.store import Store
from tui.kube.usage import Usage
from tui.problem import Cause, Problem
from tui.screens.app import StatetuiApp
from tui.settings import Settings
from tui.systems.model import (
    Claim,
    Health,
    Kind,
    Member,
    Owner,
    Role,
    Rollout,
    Warning,
    Workload,
)

NOW = 1_800_000_000.0
Gi, Mi = 2**30, 2**20


def claim(name: str = "data-mysql-0", used: float | None = None, **changes: Any) -> Claim:
    """A bound claim of 10Gi; `used` is the fraction in use."""
    size = changes.pop("size", 10 * Gi)
    usage = None if used is None else Usage(int(size * used), size, int(size * (1 - used)), 10, 1000, at=NOW)
    base = Claim(
        name,
        f"uid-{name}",
        name.rsplit("-", 2)[0],
        Health.READY,
        "Bound",
        size,
        size,
        "standard",
        f"pvc-{name}",
        "csi disk.example",
        ("ReadWriteOnce",),
        usage,
        "" if usage else "class standard reports none",
        NOW - 3600,
    )
    return replace(base, **changes)


def member(pod: str = "mysql-0", health: Health = Health.READY, phase: str = "Running", **changes: Any) -> Member:
    """A running member of one container."""
    set_name, _, ordinal = pod.rpartition("-")
    base = Member(
        pod,
        f"uid-{pod}",
        ordinal,
        set_name,
        int(ordinal) if ordinal.isdigit() else None,
        None,
        health,
        phase,
        "1/1" if health is Health.READY else "0/1",
        0,
        "",
        None,
        NOW - 3600,
        "node-1",
        "10.1.0.7",
        "rev-1",
        True,
        ("mysql:8.4",),
        (),
    )
    return replace(base, **changes)


def workload(
    name: str = "mysql", namespace: str = "stateful", members: Sequence[Member] = (), **changes: Any
) -> Workload:
    """A MySQL workload of the given members; ready, desired and health follow from them."""
    ready = sum(1 for each in members if each.health is Health.READY)
    ill = [each.health for each in members if each.health is not Health.READY]
    base = Workload(
        f"{namespace}/mysql/{name}",
        Kind.DATABASE,
        "mysql",
        "MySQL",
        name,
        namespace,
        "StatefulSet",
        "8.4",
        Owner(),
        ill[0] if ill else Health.READY,
        ready,
        len(members),
        tuple(members),
        (),
        (),
        (),
        "",
        "",
        (),
        NOW - 7200,
    )
    return replace(base, **changes)


def sample() -> list[Workload]:
    """What runs in the real cluster of the tests, one member of it still starting."""
    primary, replica, node = Role("primary", True, "ordinal 0"), Role("replica", False, "ordinal"), Role("node")
    mysql = workload(
        "mysql",
        members=[
            member("mysql-0", role=primary, claims=(claim("data-mysql-0"),)),
            member("mysql-1", role=replica, claims=(claim("data-mysql-1"),)),
            member(
                "mysql-2",
                Health.STARTING,
                "Init:1/2 clone-mysql",
                created=NOW - 14,
                note="clone-mysql runs",
                claims=(claim("data-mysql-2"),),
            ),
        ],
        why="mysql-2: init container clone-mysql has run for 14s",
    )
    orders = workload(
        "orders",
        packaging="chart mysql 14.0.3",
        version="8.0.42",
        owner=Owner("helm", "helm orders"),
        members=[
            member(
                "orders-mysql-primary-0",
                label="primary-0",
                role=primary,
                claims=(claim("data-orders-mysql-primary-0", size=8 * Gi),),
            ),
            member(
                "orders-mysql-secondary-0",
                label="secondary-0",
                role=replica,
                claims=(claim("data-orders-mysql-secondary-0", size=8 * Gi),),
            ),
        ],
    )
    cdb = workload(
        "cdb",
        system="cockroachdb",
        title="CockroachDB",
        packaging="chart cockroachdb 17.0.0",
        version="v24.3.0",
        key="stateful/cockroachdb/cdb",
        members=[
            member(
                f"cdb-cockroachdb-{n}", role=node, claims=(claim(f"datadir-cdb-cockroachdb-{n}", share, size=256 * Mi),)
            )
            for n, share in enumerate((0.19, 0.19, 0.83))
        ],
    )
    tenant = workload(
        "my-tenant",
        system="minio",
        title="MinIO",
        kind=Kind.OBJECT_STORE,
        key="stateful/minio/my-tenant",
        packaging="operator tenant",
        version="2024-11-07",
        owner=Owner("operator", "Tenant my-tenant"),
        members=[
            member(
                f"my-tenant-zone-0-{n}",
                label=f"zone-0-{n}",
                role=Role("server"),
                claims=(
                    claim(f"data0-my-tenant-zone-0-{n}", 0.31, template="data0", size=Gi),
                    claim(f"data1-my-tenant-zone-0-{n}", 0.30, template="data1", size=Gi),
                ),
            )
            for n in range(2)
        ],
    )
    rabbit = workload(
        "rabbitmq",
        system="rabbitmq",
        title="RabbitMQ",
        kind=Kind.QUEUE,
        key="stateful/rabbitmq/rabbitmq",
        packaging="chart rabbitmq 16.0.0",
        version="4.0.5",
        members=[
            member(
                f"rabbitmq-{n}",
                role=node,
                restarts=3 if n == 1 else 0,
                last_restart="OOMKilled 137",
                claims=(claim(f"data-rabbitmq-{n}", 0.07 + n / 50, size=8 * Gi),),
            )
            for n in range(3)
        ],
    )
    return [mysql, orders, cdb, tenant, rabbit]


def all_states() -> list[Workload]:
    """A workload for each way of being ill, each told apart."""
    crash = workload(
        "ledger",
        members=[
            member(
                "ledger-0",
                Health.FAILING,
                "CrashLoopBackOff",
                restarts=41,
                last_restart="Error 1",
                claims=(claim("data-ledger-0", 0.97),),
            ),
            member(
                "ledger-1",
                Health.RUNNING,
                "Running",
                note="readiness probe fails",
                claims=(claim("data-ledger-1", 0.5),),
            ),
            member(
                "ledger-2",
                Health.TERMINATING,
                "Terminating",
                terminating_since=NOW - 90,
                claims=(claim("data-ledger-2", 0.5),),
            ),
            member(
                "ledger-3",
                Health.WAITING,
                "Pending",
                uid="",
                node="",
                created=None,
                claims=(
                    claim("data-ledger-3", health=Health.WAITING, phase="Pending", capacity=None, note="no class gold"),
                ),
            ),
        ],
        why="ledger-0: container mysql exits with 1, restarted 41 times",
        spare_claims=(claim("data-ledger-4", 0.1),),
    )
    rolling = workload(
        "shop",
        key="shop/postgresql/shop",
        namespace="shop",
        system="postgresql",
        title="PostgreSQL",
        packaging="CloudNativePG",
        version="17.2",
        owner=Owner("operator", "Cluster shop"),
        operator_status="Upgrading cluster",
        rollouts=(Rollout("shop", "shop-6bf9", 1, 3, stuck="shop-1 is not ready"),),
        members=[
            member(
                "shop-1",
                role=Role("primary", True),
                current=False,
                claims=(claim("shop-1", 0.42, storage_class="fast"),),
            ),
            member(
                "shop-2",
                Health.STARTING,
                "PodInitializing",
                role=Role("replica", False),
                claims=(claim("shop-2", 0.41),),
            ),
            member("shop-3", role=Role("replica", False), current=False, claims=(claim("shop-3", 0.44),)),
        ],
    )
    trap = workload(
        "cache",
        namespace="shop",
        key="shop/redis/cache",
        system="redis",
        title="Redis",
        kind=Kind.QUEUE,
        packaging="Redis operator",
        version="7.4",
        operator_status="Ready",
        members=[
            member(
                "cache-0",
                role=Role("master", True),
                claims=(claim("data-cache-0", health=Health.FAILING, phase="Lost"),),
            ),
            member("cache-1", Health.UNKNOWN, "Unknown", node="node-9", claims=()),
        ],
        warnings=(
            Warning("the operator names a primary that does not exist: cache-7", "status.primary: cache-7"),
            Warning("claim data-cache-0 lost its volume"),
        ),
    )
    asleep = workload(
        "archive",
        namespace="attic",
        key="attic/generic/archive",
        system="generic",
        title="",
        kind=Kind.OTHER,
        packaging="StatefulSet",
        version="",
        health=Health.STOPPED,
        desired=0,
        spare_claims=(claim("data-archive-0", 0.2), claim("data-archive-1", 0.2)),
    )
    return [*sample(), crash, rolling, trap, asleep]


def many(count: int, size: int = 3) -> list[Workload]:
    """Many workloads, all well but every tenth."""
    kinds = list(Kind)
    made = []
    for number in range(count):
        name = f"app-{number:04}"
        members = [
            member(
                f"{name}-{n}",
                Health.READY if number % 10 or n else Health.FAILING,
                "Running" if number % 10 or n else "Error",
                role=Role("primary" if n == 0 else "replica", n == 0),
                claims=(claim(f"data-{name}-{n}", (number * 7 + n) % 100 / 100),),
            )
            for n in range(size)
        ]
        made.append(workload(name, f"team-{number % 17}", members, kind=kinds[number % 4]))
    return made


HOSTILE = "[bold red]x[/] \x1b[31mred\x1b]0;t\x07 \u202edlrow\u200b \x9b2J \ud800\n[@click=app.quit]q[/]"


def hostile() -> list[Workload]:
    """Text that a terminal or a markup reader would act on, wherever text can come from."""
    bad = member(
        "evil-0",
        Health.FAILING,
        HOSTILE,
        label=HOSTILE,
        role=Role(HOSTILE, True),
        node=HOSTILE,
        note=HOSTILE,
        claims=(claim(HOSTILE, storage_class=HOSTILE, usage_unknown=HOSTILE, template=HOSTILE),),
    )
    wide = member("wide-0", phase="等待中 Ожидание e\u0301", role=Role("主", True), claims=(claim("data-wide-0", 0.5),))
    return [
        workload(
            HOSTILE,
            HOSTILE,
            [bad],
            title=HOSTILE,
            packaging=HOSTILE,
            version=HOSTILE,
            owner=Owner("helm", HOSTILE),
            why=HOSTILE,
            operator_status=HOSTILE,
            warnings=(Warning(HOSTILE + "!", HOSTILE),),
            key="x/y/evil",
        ),
        workload("wide-宽", members=[wide], why="原因: 磁盘已满"),
    ]


@dataclass(frozen=True)
class Update:
    """The look of tui.systems.live.Update."""

    changed: tuple[Workload, ...] = ()
    gone: tuple[str, ...] = ()
    feeds: bool = False
    complete: bool = True


class FakeLive:
    """What the screens ask of a `Live`, with switches."""

    def __init__(
        self, workloads: Sequence[Workload] = (), *, state: str = "live", complete: bool = True, **facts: Any
    ) -> None:
        self.workloads: dict[str, Workload] = {each.key: each for each in workloads}
        self.listeners: list[Any] = []
        self.problem: Problem | None = facts.get("problem")
        self.api = None
        self.forwards: Any = None
        self.reach: Any = None
        self.catalogue = SimpleNamespace(customs=(), problems=facts.get("left_out", ()), systems={})
        self.complete = complete
        self.context = SimpleNamespace(
            name=facts.get("context", "real-cluster"),
            server="https://127.0.0.1:6443",
            namespace="stateful",
            in_cluster=False,
            insecure=facts.get("insecure", False),
            impersonation=SimpleNamespace(user=facts["as_user"]) if "as_user" in facts else None,
        )
        scope = SimpleNamespace(
            namespaces=facts.get("namespaces"),
            reason=facts.get("reason", ""),
            asked=False,
            text=facts.get("scope", "all namespaces"),
        )
        self.cluster: Any = SimpleNamespace(
            connection=SimpleNamespace(
                state=state, since=NOW - 60, problem=facts.get("trouble"), detail=facts.get("detail", "")
            ),
            scope=scope,
            lookout=SimpleNamespace(presence=facts.get("presence")),
            feeds=facts.get("feeds", {}),
            store=Store(),
            server_version="v1.36.3",
            complete=complete,
            namespaces=self.namespaces,
            usage=SimpleNamespace(get=lambda *_: "not read"),
        )
        self.retried = 0
        self.rests: list[float] = []
        self.closed = False
        self.running = asyncio.Event()

    async def namespaces(self) -> list[str]:
        return ["default", "kube-system", "stateful", "team-blue"]

    async def run(self) -> None:
        self.running.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.closed = True

    def retry_now(self) -> None:
        self.retried += 1

    def rest(self, seconds: float) -> None:
        self.rests.append(seconds)

    def tell(self, update: Update) -> None:
        for listener in list(self.listeners):
            listener(update)

    def put(self, *workloads: Workload) -> None:
        """New or changed workloads, told."""
        self.workloads.update({each.key: each for each in workloads})
        self.tell(Update(changed=workloads))

    def drop(self, *keys: str) -> None:
        """Workloads that are gone, told."""
        for key in keys:
            self.workloads.pop(key, None)
        self.tell(Update(gone=keys))

    def connection(self, state: str, problem: Problem | None = None, detail: str = "", since: float = NOW - 60) -> None:
        """Another state of the connection, told."""
        self.cluster.connection = SimpleNamespace(state=state, since=since, problem=problem, detail=detail)
        self.tell(Update(feeds=True, complete=self.complete))


REFUSED = Problem(
    Cause.UNREACHABLE,
    "The API server does not answer",
    "connect to 127.0.0.1:6443: connection refused",
    "Check that it runs; statetui tries again by itself.",
)
FORBIDDEN = Problem(
    Cause.FORBIDDEN,
    "You may not list pods",
    'pods is forbidden: User "nobody" cannot list resource "pods" in API group "" at the cluster scope',
    "Ask for the verbs list and watch on pods, statefulsets.apps and persistentvolumeclaims, "
    "or choose a namespace with n.",
)


def listing() -> dict[Any, Feed]:
    """Feeds while the first lists arrive."""
    return {
        ("statefulsets", None): Feed(STATEFULSETS, None, Phase.LIVE, NOW, 12),
        ("pods", None): Feed(PODS, None, Phase.LISTING, NOW, 1500),
        ("persistentvolumeclaims", None): Feed(CLAIMS, None, Phase.WAITING, NOW, 0),
    }


class FakeGateway:
    """Hands out one live after the other, the last for ever."""

    def __init__(self, *lives: Any, contexts: Sequence[str] = ("real-cluster", "staging")) -> None:
        self.lives = list(lives)
        self.opened: list[Any] = []
        self._contexts = contexts

    async def open(self, options: Any) -> Any:
        self.opened.append(options)
        live = self.lives.pop(0) if len(self.lives) > 1 else self.lives[0]
        if isinstance(live, Exception):
            raise live
        if isinstance(live, asyncio.Future):
            return await live
        return live

    async def contexts(self, options: Any) -> Sequence[Any]:
        return [
            SimpleNamespace(
                name=name,
                cluster=name,
                user="admin",
                namespace="default",
                server=f"https://{name}:6443",
                current=name == "real-cluster",
            )
            for name in self._contexts
        ]


def app_for(
    *lives: Any,
    driver_class: Any = None,
    clock: Any = None,
    monotonic: Any = None,
    chosen: bool = True,
    **settings: Any,
) -> Any:
    """The app with these lives behind it and a clock that stands still.

    Args:
        lives: handed out one after the other, the last for ever.
        driver_class: another way to the terminal.
        clock: another clock.
        monotonic: another clock that never goes back.
        chosen: whether the person set theme and layout, so that what is remembered does not apply.
        settings: of `Settings`.
    """
    origins = dict.fromkeys(("theme", "layout"), "flag") if chosen else {}
    return StatetuiApp(
        ConnectOptions(context="real-cluster"),
        Settings(**{"theme": "dark", "origins": origins, **settings}),
        gateway=FakeGateway(*lives),
        clock=clock or (lambda: NOW),
        monotonic=monotonic or (lambda: 0.0),
        driver_class=driver_class,
    )
