"""Hand-made workloads with the objects behind them, for the screen of one workload."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from textual.app import App
from textual.signal import Signal

from tui.kube import objects as o
from tui.kube.store import Store
from tui.kube.usage import Usage
from tui.problem import Problem, ProblemError
from tui.screens import themes
from tui.screens.workload.screen import WorkloadScreen
from tui.systems.live import Update
from tui.systems.model import Claim, Health, Kind, Member, Owner, Reference, Role, Rollout, Warning, Workload

#: 2026-11-23 12:45:00 UTC.
NOW = 1_795_437_900.0
MI, GI = 1 << 20, 1 << 30
PROBE = "Readiness probe failed: ERROR 2003 (HY000): Can't connect to MySQL server on '127.0.0.1:3306' (111)"


def stamp(seconds_ago: float) -> str:
    return datetime.fromtimestamp(NOW - seconds_ago, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def claim(
    name: str, *, used: float | None = None, unknown: str = "no figure for hostPath volumes", **more: Any
) -> Claim:
    usage = (
        Usage(int(10 * GI * used), 10 * GI, int(10 * GI * (1 - used)), 4_100, 655_360, at=NOW - 20) if used else None
    )
    values: dict[str, Any] = {
        "uid": f"uid-{name}",
        "template": "data",
        "health": Health.READY,
        "phase": "Bound",
        "capacity": 10 * GI,
        "requested": 10 * GI,
        "storage_class": "standard",
        "volume": f"pvc-{name}",
        "volume_source": "csi ebs.csi.aws.com",
        "access_modes": ("ReadWriteOnce",),
        "usage": usage,
        "usage_unknown": "" if usage else unknown,
        "created": NOW - 7_000,
    }
    return Claim(name=name, **{**values, **more})


def member(pod: str, label: str, **more: Any) -> Member:
    set_name, _, ordinal = pod.rpartition("-")
    values: dict[str, Any] = {
        "uid": f"uid-{pod}",
        "set_name": set_name,
        "ordinal": int(ordinal) if ordinal.isdigit() else None,
        "role": Role("replica", False, "ordinal above 0 by convention"),
        "health": Health.READY,
        "phase": "Running",
        "ready": "2/2",
        "restarts": 0,
        "last_restart": "",
        "last_restart_at": None,
        "created": NOW - 5_000,
        "node": "node-1",
        "ip": "10.88.0.21",
        "revision": f"{set_name}-6bf9d4c7",
        "current": True,
        "images": ("docker.io/library/mysql:8.4",),
        "claims": (),
    }
    return Member(pod=pod, label=label, **{**values, **more})


def mysql(**more: Any) -> Workload:
    members = (
        member(
            "mysql-0",
            "0",
            role=Role("primary", True, "ordinal 0 by convention"),
            claims=(claim("data-mysql-0", used=0.31),),
        ),
        member(
            "mysql-1",
            "1",
            restarts=3,
            last_restart="OOMKilled 137",
            last_restart_at=NOW - 300,
            ip="10.88.0.22",
            claims=(claim("data-mysql-1", used=0.87),),
        ),
        member(
            "mysql-2",
            "2",
            health=Health.STARTING,
            phase="Init:1/2 clone-mysql",
            ready="0/2",
            created=NOW - 24,
            ip="10.88.0.23",
            claims=(claim("data-mysql-2"),),
            note="waits for clone-mysql (from mysql-1)",
        ),
    )
    values: dict[str, Any] = {
        "kind": Kind.DATABASE,
        "system": "mysql",
        "title": "MySQL",
        "name": "mysql",
        "namespace": "stateful",
        "packaging": "StatefulSet",
        "version": "8.4",
        "owner": Owner(),
        "health": Health.STARTING,
        "ready": 2,
        "desired": 3,
        "members": members,
        "spare_claims": (),
        "rollouts": (),
        "warnings": (),
        "why": "2 waits for clone-mysql",
        "operator_status": "",
        "objects": (
            Reference("statefulsets", "stateful", "mysql", "uid-set"),
            Reference("services", "stateful", "mysql", "uid-svc"),
        ),
        "created": NOW - 7_000,
    }
    values |= more
    return Workload(key=f"{values['namespace']}/{values['system']}/{values['name']}", **values)


def well() -> Workload:
    """Everything is fine, one system over several sets."""
    return mysql(
        name="orders",
        packaging="chart mysql 14.0.3",
        version="8.0.12",
        owner=Owner("helm", "helm orders (mysql-14.0.3)"),
        health=Health.READY,
        ready=2,
        desired=2,
        why="",
        members=(
            member(
                "orders-mysql-primary-0",
                "primary-0",
                ready="1/1",
                role=Role("primary", True, "label component"),
                claims=(claim("data-orders-mysql-primary-0", used=0.12),),
            ),
            member(
                "orders-mysql-secondary-0",
                "secondary-0",
                ready="1/1",
                claims=(claim("data-orders-mysql-secondary-0", used=0.11),),
            ),
        ),
    )


def troubled() -> Workload:
    """A rollout that is stuck, a pending claim, a spare one, an operator that says all is well."""
    return mysql(
        name="shop-db",
        system="postgresql",
        title="PostgreSQL",
        packaging="CloudNativePG",
        version="17.2",
        owner=Owner("operator", "Cluster shop-db (CloudNativePG)"),
        health=Health.FAILING,
        ready=1,
        desired=3,
        why="shop-db-2: CrashLoopBackOff",
        operator_status="Cluster in healthy state",
        rollouts=(Rollout("shop-db", "shop-db-7c8d99f", 1, 3, stuck="shop-db-2 is not ready for 12m"),),
        warnings=(
            Warning("the operator calls it healthy, one of three is ready", "status.phase: Cluster in healthy state"),
        ),
        members=(
            member(
                "shop-db-1",
                "1",
                role=Role("primary", True, "label cnpg.io/instanceRole"),
                ready="1/1",
                current=False,
                claims=(claim("shop-db-1", used=0.97), claim("shop-db-1-wal", used=0.42)),
            ),
            member(
                "shop-db-2",
                "2",
                health=Health.FAILING,
                phase="CrashLoopBackOff",
                ready="0/1",
                restarts=17,
                last_restart="Error 1",
                last_restart_at=NOW - 130,
                claims=(claim("shop-db-2"),),
                note="back-off 5m0s",
            ),
            member(
                "shop-db-3",
                "3",
                uid="",
                health=Health.WAITING,
                phase="Pending",
                ready="0/1",
                node="",
                ip="",
                role=None,
                created=None,
                claims=(
                    claim(
                        "shop-db-3",
                        health=Health.WAITING,
                        phase="Pending",
                        capacity=None,
                        volume="",
                        volume_source="",
                        note="no volume plugin matched name: ebs",
                    ),
                ),
            ),
        ),
        spare_claims=(claim("shop-db-4", used=0.05),),
    )


def hostile() -> Workload:
    """Names and messages that try to take over the terminal."""
    evil = "[red]x[/] \x1b[31mred\x1b[0m \x07 a\u202eb\u200b [link=http://x]"
    return mysql(
        name=evil,
        why=evil,
        operator_status=evil,
        packaging=evil,
        warnings=(Warning(evil, evil),),
        members=(
            member("mysql-0", evil, phase=evil, node=evil, note=evil, health=Health.FAILING, claims=(claim(evil),)),
        ),
    )


def event(name: str, kind: str, about: str, reason: str, message: str, *, ago: float = 60, **more: Any) -> o.Event:
    values: dict[str, Any] = {"type": "Normal", "last_timestamp": stamp(ago), "first_timestamp": stamp(ago + 600)}
    return o.Event(
        metadata=o.ObjectMeta(name=name, namespace="stateful", uid=f"uid-event-{name}", resource_version="1"),
        involved_object=o.ObjectReference(kind=kind, namespace="stateful", name=about, uid=f"uid-{about}"),
        reason=reason,
        message=message,
        source=o.EventSource(component="kubelet"),
        **{**values, **more},
    )


def pods() -> list[o.Pod]:
    running = o.ContainerState(running=o.Running(started_at=stamp(4_900)))
    done = o.ContainerState(
        terminated=o.Terminated(exit_code=0, reason="Completed", started_at=stamp(4_990), finished_at=stamp(4_980))
    )
    killed = o.ContainerState(
        terminated=o.Terminated(exit_code=137, reason="OOMKilled", started_at=stamp(900), finished_at=stamp(300))
    )
    spec = o.PodSpec(
        node_name="node-1",
        init_containers=[
            o.Container("init-mysql", "mysql:8.4"),
            o.Container("clone-mysql", "registry.example/xtrabackup:2.4"),
        ],
        containers=[o.Container("mysql", "mysql:8.4"), o.Container("xtrabackup", "registry.example/xtrabackup:2.4")],
    )
    inits = [o.ContainerStatus("init-mysql", True, state=done), o.ContainerStatus("clone-mysql", True, state=done)]
    mains = [
        o.ContainerStatus("mysql", True, True, 3, state=running, last_state=killed),
        o.ContainerStatus("xtrabackup", True, True, state=running),
    ]
    starting = [
        o.ContainerStatus("init-mysql", True, state=done),
        o.ContainerStatus("clone-mysql", state=o.ContainerState(running=o.Running(started_at=stamp(20)))),
    ]
    waiting = o.ContainerState(waiting=o.Waiting("PodInitializing"))
    made = []
    for ordinal in range(3):
        ready = [o.Condition("Ready", "True", last_transition_time=stamp(4_800))]
        status = o.PodStatus("Running", conditions=ready, container_statuses=mains, init_container_statuses=inits)
        if ordinal == 2:
            not_yet = [o.ContainerStatus(name, state=waiting) for name in ("mysql", "xtrabackup")]
            status = o.PodStatus("Pending", container_statuses=not_yet, init_container_statuses=starting)
        meta = o.ObjectMeta(
            name=f"mysql-{ordinal}", namespace="stateful", uid=f"uid-mysql-{ordinal}", resource_version="41"
        )
        made.append(o.Pod(metadata=meta, spec=spec, status=status))
    return made


def events() -> list[o.Event]:
    return [
        event("a", "Pod", "mysql-2", "Started", "Started container clone-mysql", ago=20),
        event("b", "Pod", "mysql-1", "Unhealthy", PROBE, ago=290, type="Warning", count=12),
        event(
            "c",
            "Pod",
            "mysql-1",
            "BackOff",
            "Back-off restarting failed container mysql in pod mysql-1",
            ago=310,
            type="Warning",
            count=2,
        ),
        event(
            "d",
            "StatefulSet",
            "mysql",
            "SuccessfulCreate",
            "create Pod mysql-2 in StatefulSet mysql successful",
            ago=24,
        ),
        event(
            "e",
            "PersistentVolumeClaim",
            "data-mysql-2",
            "ProvisioningSucceeded",
            "Successfully provisioned volume pvc-1",
            ago=23,
        ),
        event("f", "Pod", "mysql-7", "Killing", "Stopping container mysql", ago=3_000),
        event("g", "Pod", "mysqlrouter-0", "Killing", "not of this workload", ago=10),
        event(
            "h",
            "Pod",
            "mysql-2",
            "Scheduled",
            "Successfully assigned stateful/mysql-2 to node-1",
            last_timestamp=None,
            first_timestamp=None,
            event_time=stamp(24),
        ),
    ]


def pod_json(name: str = "mysql-0") -> dict[str, Any]:
    """As an API server would answer."""
    env = [
        {"name": "MYSQL_ROOT_PASSWORD", "value": "hunter2"},
        {"name": "API_TOKEN", "value": "tok-123"},
        {"name": "MYSQL_DATABASE", "value": "shop"},
        {"name": "FROM_SECRET", "valueFrom": {"secretKeyRef": {"name": "mysql", "key": "password"}}},
    ]
    spec = {
        "containers": [
            {
                "name": "mysql",
                "image": "mysql:8.4",
                "env": env,
                "command": ["bash", "-c", "set -ex\nmysqld --initialize\nexec mysqld --password=hunter2"],
                "args": ["--dsn=mysql://root:hunter2@127.0.0.1/shop"],
            }
        ],
        "nodeName": "node-1",
    }
    applied = json.dumps({"kind": "Pod", "spec": spec})
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "name": name,
            "namespace": "stateful",
            "uid": f"uid-{name}",
            "resourceVersion": "41",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied},
            "managedFields": [
                {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:a": {}}}},
                {"manager": "kubelet", "operation": "Update", "fieldsV1": {"f:status": {"f:b": {}}}},
            ],
        },
        "spec": spec,
        "status": {"phase": "Running", "podIP": "10.88.0.21"},
    }


class FakeApi:
    """Answers GETs from a dictionary; a Problem as the value is raised."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, Any] = {}
        for ordinal in range(3):
            self.answers[f"/api/v1/namespaces/stateful/pods/mysql-{ordinal}"] = pod_json(f"mysql-{ordinal}")

    async def get(self, path: str, **_: object) -> bytes:
        self.asked.append(path)
        answer = self.answers.get(path, {"kind": "Thing", "metadata": {"name": path.rsplit("/", 1)[-1]}})
        if isinstance(answer, Problem):
            raise ProblemError(answer)
        return answer if isinstance(answer, bytes) else json.dumps(answer).encode()


class WorkloadLive:
    """A Live whose workloads are put there by hand."""

    def __init__(self, workloads: Sequence[Workload]) -> None:
        self.workloads = {workload.key: workload for workload in workloads}
        self.listeners: list[Callable[[Update], None]] = []
        self.api = FakeApi()
        self.store = Store()
        self.forwards = self.reach = None
        self.cluster = SimpleNamespace(store=self.store, feeds={})
        self.catalogue = SimpleNamespace(customs=())
        self.complete = True
        for pod in pods():
            self.store.put("pods", pod)
        for happened in events():
            self.store.put("events", happened)

    def rest(self, seconds: float) -> None:
        """Nothing is derived here."""

    def put(self, *workloads: Workload) -> None:
        self.workloads.update({workload.key: workload for workload in workloads})
        self._tell(Update(changed=workloads, complete=True))

    def drop(self, *keys: str) -> None:
        for key in keys:
            del self.workloads[key]
        self._tell(Update(gone=keys, complete=True))

    def _tell(self, update: Update) -> None:
        for listener in list(self.listeners):
            listener(update)


class Host(App[None]):
    """The screen of one workload, and nothing behind it."""

    CSS = "Screen { background: $background; color: $foreground; } ScrollBar { background: $background; }"

    def __init__(self, live: WorkloadLive, key: str, **more: Any) -> None:
        super().__init__(**more)
        theme = themes.load("dark")
        self.register_theme(theme)
        self.theme = theme.name
        self.live = live
        self.now = NOW
        self._key = key

    def clock(self) -> float:
        return self.now

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        no_console = ("sql", "operations", "bucket", "queue")  # nothing stands behind it
        return action not in no_console and super().check_action(action, parameters)

    def on_mount(self) -> None:
        self.ages: Signal[float] = Signal(self, "ages")
        self.push_screen(WorkloadScreen(self.live, self._key, list(self.live.workloads)))


def host(*workloads: Workload, **more: Any) -> Host:
    """An app that shows the first of these workloads."""
    return Host(WorkloadLive(workloads), workloads[0].key, **more)
