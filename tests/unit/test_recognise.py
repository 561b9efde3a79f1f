"""Objects to workloads: what belongs together, what is no workload, and that changes touch only their own."""

from __future__ import annotations

import random
from itertools import pairwise

import msgspec
import pytest
from worlds import World, claim, event, make, pod, pod_of, pods_of, recorded, stateful_set, template, whole

from tui.kube import objects as o
from tui.kube.usage import Usage
from tui.systems.model import Health, Kind


def test_the_real_cluster_has_its_five_workloads() -> None:
    found = recorded("real").workloads
    assert {key: (w.title, w.kind, w.packaging, w.version, w.ready, w.desired) for key, w in found.items()} == {
        "stateful/mysql/mysql": ("MySQL", Kind.DATABASE, "StatefulSet", "8.4", 3, 3),
        "stateful/mysql/orders": ("MySQL", Kind.DATABASE, "chart mysql 14.0.3", "8.0", 2, 2),
        "stateful/minio/my-tenant": ("MinIO", Kind.OBJECT_STORE, "operator tenant", "", 2, 2),
        "stateful/cockroachdb/cdb": ("CockroachDB", Kind.DATABASE, "chart cockroachdb 17.0.0", "v24.3.0", 3, 3),
        "stateful/rabbitmq/rabbitmq": ("RabbitMQ", Kind.QUEUE, "chart rabbitmq 16.0.0", "4", 3, 3),
    }
    assert all(w.health is Health.READY and w.why == "" and not w.spare_claims for w in found.values())


def test_the_real_cluster_roles_labels_and_owners() -> None:
    found = recorded("real").workloads
    mysql, orders = found["stateful/mysql/mysql"], found["stateful/mysql/orders"]
    assert [(m.label, m.role.name, m.role.writes) for m in mysql.members if m.role] == [
        ("0", "primary", True), ("1", "replica", False), ("2", "replica", False),
    ]  # fmt: skip
    assert "convention" in (mysql.members[0].role.source if mysql.members[0].role else "")
    assert [(m.label, m.role.name) for m in orders.members if m.role] == [
        ("primary-0", "primary"),
        ("secondary-0", "replica"),
    ]
    assert orders.owner.text == "helm orders (mysql-14.0.3)"
    assert [item.name for item in orders.objects if item.resource == "statefulsets"] == [
        "orders-mysql-primary", "orders-mysql-secondary",
    ]  # fmt: skip
    tenant = found["stateful/minio/my-tenant"]
    for number, member in enumerate(tenant.members):
        assert [item.name for item in member.claims] == [f"data{n}-my-tenant-zone-0-{number}" for n in (0, 1)]
    assert [c.template for c in tenant.members[0].claims] == ["data0", "data1"]
    assert {c.volume_source for w in found.values() for c in w.claims} == {"hostPath", "local"}
    assert {item.name for item in mysql.objects if item.resource == "services"} == {"mysql", "mysql-read"}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "folders",
    [("real",), ("operators/cnpg/healthy",), ("operators/redis/ready",), ("operators/rabbitmq/ready",)],
    ids=lambda folders: folders[0],
)
def test_the_order_of_arrival_changes_nothing(folders: tuple[str, ...], seed: int) -> None:
    """Objects that come one by one, in any order, give the workloads that they give all at once."""
    whole_world = recorded(*folders)
    changes = whole_world.store.drain()
    expected = recorded(*folders).workloads
    random.Random(seed).shuffle(changes)
    world = World()
    for change in changes:
        assert change.new is not None
        world.store.put(change.resource, change.new)
        world.apply()
    assert dict(world.workloads) == dict(expected)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("folder", ["real", "operators/cnpg/healthy", "operators/redis/ready"])
def test_taking_everything_away_leaves_nothing(folder: str, seed: int) -> None:
    world = recorded(folder)
    changes = world.store.drain()
    world.recogniser.apply(changes)
    assert world.recogniser.workloads
    random.Random(seed).shuffle(changes)
    for change in changes:
        assert change.new is not None
        world.store.remove(change.resource, change.new.uid)
        world.apply()
    assert dict(world.workloads) == {}
    assert not world.recogniser._groups
    assert not world.recogniser._group_of
    assert not world.recogniser._of_owner


def test_a_changed_pod_touches_its_own_workload_only() -> None:
    world = World()
    one, other = stateful_set("one", "mysql:8.4"), stateful_set("other", "mysql:8.4")
    world.put(*whole(one), *whole(other))
    assert world.apply() == {"shop/mysql/one", "shop/mysql/other"}
    before = world.recogniser.workloads["shop/mysql/other"]
    world.put(pod_of(one, 1, ready=False))
    assert world.apply() == {"shop/mysql/one"}
    assert world.recogniser.workloads["shop/mysql/other"] is before
    assert world.workloads["shop/mysql/one"].ready == 2


def test_a_change_that_nobody_sees_changes_nothing() -> None:
    world = World()
    one = stateful_set("one", "mysql:8.4")
    world.put(*whole(one))
    world.apply()
    world.put(pod_of(one, 1))  # another resource version, the same content
    assert world.apply() == set()


def test_usage_reaches_the_claims_of_its_workload() -> None:
    world = World()
    world.put(*whole(stateful_set("one", "mysql:8.4", replicas=1)))
    assert world.only.claims[0].usage is None
    assert world.only.claims[0].usage_unknown == "the node does not report it"
    world.usage.known["shop", "data-one-0"] = usage = Usage(used=5, capacity=10, available=5)
    delta = world.recogniser.apply([], [("shop", "data-one-0")])
    assert [workload.claims[0].usage for workload in delta.changed] == [usage]


# --- what is a workload


def test_a_stateful_set_without_claims_is_a_workload() -> None:
    world = World()
    world.put(*whole(stateful_set("cache", "corp/thing:3.1", claims=())))
    assert (world.only.key, world.only.title, world.only.kind, world.only.version) == (
        "shop/generic/cache", "thing", Kind.OTHER, "3.1",
    )  # fmt: skip


def deployment(name: str, image: str, claim_name: str = "", **rest: object) -> list[o.Object]:
    """A Deployment of one pod, with its ReplicaSet."""
    labels = {"app": name}
    body = template(image, labels, claim="data" if claim_name else "")
    if claim_name:
        body["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim_name}}]
    made = make("Deployment", name, labels=labels, spec={"replicas": 1, "template": body}, **rest)
    replica_set = make("ReplicaSet", f"{name}-5d9", owner=made, spec={"replicas": 1})
    own = labels | {"pod-template-hash": "5d9"}
    return [made, replica_set, pod(f"{name}-5d9-x2x", spec=body["spec"], labels=own, owner=replica_set)]


def test_a_deployment_is_a_workload_when_its_pods_hold_claims() -> None:
    world = World()
    world.put(*deployment("web", "nginx:1"), *deployment("redis-ui", "redis:8"))
    assert dict(world.workloads) == {}
    world.put(*deployment("gitea", "gitea/gitea:1.24", "gitea-data"), claim("gitea-data"))
    gitea = world.only
    assert (gitea.key, gitea.packaging, gitea.ready, gitea.desired) == ("shop/generic/gitea", "Deployment", 1, 1)
    assert [(m.label, m.set_name, [c.name for c in m.claims]) for m in gitea.members] == [
        ("x2x", "gitea", ["gitea-data"])
    ]


def test_a_deployment_whose_replica_sets_may_not_be_read() -> None:
    world = World()
    made, _, its_pod = deployment("gitea", "gitea/gitea:1.24", "gitea-data")
    world.put(made, its_pod, claim("gitea-data"))
    assert world.only.key == "shop/generic/gitea"
    assert [m.set_name for m in world.only.members] == ["gitea"]


def test_pods_alone_are_enough_to_see_a_workload() -> None:
    """A user who may list pods but neither StatefulSets nor Deployments."""
    world = World()
    owner = stateful_set("one", "postgres:17")
    world.put(*pods_of(owner, 0, 2))
    _, _, its_pod = deployment("gitea", "gitea/gitea:1.24", "gitea-data")
    world.put(its_pod)
    found = world.workloads
    assert set(found) == {"shop/postgresql/one", "shop/generic/gitea"}
    assert [(m.label, m.ordinal) for m in found["shop/postgresql/one"].members] == [("0", 0), ("2", 2)]
    assert found["shop/postgresql/one"].desired == 2
    assert found["shop/postgresql/one"].claims[0].phase == "Unknown"
    world.put(owner)
    assert world.workloads["shop/postgresql/one"].desired == 3


def test_exporters_and_clients_are_not_taken_for_servers() -> None:
    world = World()
    for name, image in (
        ("exporter", "prom/mysqld-exporter:v0.17"),
        ("mc", "minio/mc:latest"),
        ("px", "bitnami/postgres-exporter"),
    ):
        made = template(image, {"app": name}, claim="data")
        made["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": f"{name}-data"}}]
        world.put(pod(name, spec=made["spec"], labels={"app": name}))
    assert {w.system for w in world.workloads.values()} == {"generic"}


def test_a_side_car_does_not_name_the_system() -> None:
    """The container that holds the claim does."""
    body = template("corp/app:2", {"app": "app"}, claim="data")
    body["spec"]["containers"].append({"name": "redis", "image": "redis:8", "ports": [{"containerPort": 6379}]})
    world = World()
    spec = {"replicas": 1, "template": body, "volumeClaimTemplates": [{"metadata": {"name": "data"}}]}
    world.put(make("StatefulSet", "app", labels={"app": "app"}, spec=spec))
    assert world.only.system == "generic"


def test_a_bare_pod_of_an_unknown_operator() -> None:
    world = World()
    owner = {"kind": "Kafka", "apiVersion": "kafka.strimzi.io/v1", "name": "events", "uid": "k1", "controller": True}
    for number in (0, 1, 10):
        made = template("quay.io/strimzi/kafka:4.1.0", {"x": "y"}, claim="data")
        made["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": f"data-events-{number}"}}]
        world.put(pod(f"events-broker-{number}", spec=made["spec"], labels={"x": "y"}, owner=owner))
        world.put(claim(f"data-events-{number}"))
    assert (world.only.key, world.only.title, world.only.owner.text) == ("shop/generic/events", "Kafka", "Kafka events")
    assert [m.label for m in world.only.members] == ["broker-0", "broker-1", "broker-10"]


def test_a_jobs_pod_that_works_on_the_claim_of_a_workload_is_none_itself() -> None:
    world = World()
    one = stateful_set("one", "mysql:8.4", replicas=1)
    world.put(*whole(one))
    job = {"kind": "Job", "apiVersion": "batch/v1", "name": "backup-29384123", "uid": "j1", "controller": True}
    made = template("corp/backup:1", {"job": "backup"}, claim="data")
    made["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data-one-0"}}]
    world.put(pod("backup-29384123-abc", spec=made["spec"], labels={"job": "backup"}, owner=job))
    assert world.only.key == "shop/mysql/one"
    assert [m.pod for m in world.only.members] == ["one-0"]
    made["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"] = "backups"
    world.put(
        claim("backups"), pod("own-29384123-abc", spec=made["spec"], owner=job | {"name": "own-29384123", "uid": "j2"})
    )
    assert set(world.workloads) == {"shop/mysql/one", "shop/generic/own"}


def test_claims_that_belong_to_nothing_are_shown_by_namespace() -> None:
    world = World()
    world.put(claim("left-over"), claim("data-gone-0"), claim("other", namespace="attic"))
    found = world.workloads
    assert set(found) == {"shop/generic/claims without a workload", "attic/generic/claims without a workload"}
    loose = found["shop/generic/claims without a workload"]
    assert (loose.health, loose.why) == (Health.STOPPED, "2 claims that no workload uses")
    assert [c.name for c in loose.spare_claims] == ["data-gone-0", "left-over"]
    world.put(stateful_set("gone", "mysql:8.4", replicas=0))
    assert [c.name for c in world.workloads["shop/mysql/gone"].spare_claims] == ["data-gone-0"]


# --- coming and going


def test_a_scale_down_leaves_spare_claims_and_a_scale_up_takes_them_back() -> None:
    world = World()
    one = stateful_set("one", "mysql:8.4", replicas=3)
    objects = whole(one)
    world.put(*objects)
    world.apply()
    world.put(stateful_set("one", "mysql:8.4", replicas=2, generation=2))
    world.remove(next(item for item in objects if isinstance(item, o.Pod) and item.name == "one-2"))
    assert [c.name for c in world.only.spare_claims] == ["data-one-2"]
    assert (world.only.desired, len(world.only.members), world.only.health) == (2, 2, Health.READY)
    world.put(stateful_set("one", "mysql:8.4", replicas=3, generation=3))
    assert world.only.spare_claims == ()
    assert [c.name for c in world.only.members[2].claims] == ["data-one-2"]


def test_a_deleted_stateful_set_is_shown_until_its_last_pod_is_gone() -> None:
    world = recorded("real")
    world.apply()
    store = world.store
    gone = store.named("statefulsets", "stateful", "cdb-cockroachdb", o.StatefulSet)
    assert gone is not None
    before = world.workloads["stateful/cockroachdb/cdb"]
    world.remove(gone)
    after = world.workloads["stateful/cockroachdb/cdb"]
    assert (after.packaging, len(after.members)) == (before.packaging, 3)
    for member in before.members:
        store.remove("pods", member.uid)
    assert "stateful/cockroachdb/cdb" not in world.workloads
    assert len(world.workloads["stateful/generic/claims without a workload"].spare_claims) == 3


def test_a_recreated_stateful_set_takes_its_place_and_its_claims() -> None:
    world = World()
    first = whole(stateful_set("one", "mysql:8.4", replicas=1))
    world.put(*first)
    world.apply()
    for item in first[:2]:
        world.remove(item)
    world.apply()
    again = stateful_set("one", "mysql:8.4", replicas=1, uid="second")
    world.put(again, pod_of(again, 0))
    assert set(world.workloads) == {"shop/mysql/one"}
    assert [c.name for c in world.only.members[0].claims] == ["data-one-0"]


def test_two_workloads_of_one_name_have_keys_of_their_own() -> None:
    world = World()
    chart = {
        "app.kubernetes.io/name": "mysql",
        "app.kubernetes.io/instance": "orders",
        "app.kubernetes.io/component": "primary",
    }
    world.put(*whole(stateful_set("orders-mysql", "mysql:8.4", chart, replicas=1)))
    world.put(*whole(stateful_set("orders", "mysql:8.4", replicas=1)))
    found = world.workloads
    assert len(found) == 2 and all(workload.key == key for key, workload in found.items())
    assert {workload.name for workload in found.values()} == {"orders"}
    assert sorted(found)[0] == "shop/mysql/orders"


def test_one_release_may_hold_several_systems() -> None:
    world = World()
    for name, component in (("mysql", "primary"), ("redis", "master")):
        labels = {
            "app.kubernetes.io/name": name,
            "app.kubernetes.io/instance": "app",
            "app.kubernetes.io/component": component,
        }
        world.put(*whole(stateful_set(f"app-{name}", f"bitnami/{name}:1", labels, replicas=1)))
    assert set(world.workloads) == {"shop/mysql/app", "shop/redis/app"}


def test_services_are_those_that_select_its_pods() -> None:
    world = World()
    world.put(*whole(stateful_set("one", "mysql:8.4", {"app": "one", "tier": "db"}, replicas=1)))
    world.put(
        make("Service", "one", spec={"selector": {"app": "one"}}),
        make("Service", "all-db", spec={"selector": {"tier": "db"}}),
    )
    world.put(
        make("Service", "two", spec={"selector": {"app": "one", "tier": "web"}}), make("Service", "none", spec={})
    )
    world.put(make("Service", "one", namespace="other", spec={"selector": {"app": "one"}}))
    assert [item.name for item in world.only.objects if item.resource == "services"] == ["all-db", "one"]
    world.put(make("Service", "one", spec={"selector": {"app": "else"}}))
    assert [item.name for item in world.only.objects if item.resource == "services"] == ["all-db"]


def test_labels_of_several_sets_tell_them_apart() -> None:
    world = World()
    labels = {"v1.min.io/tenant": "t"}
    for pool in ("t-pool-0", "t-pool-1", "t-pool-10"):
        world.put(
            *whole(
                stateful_set(
                    pool, "minio/minio:RELEASE.2025-04-08T15-41-24Z", {**labels, "v1.min.io/pool": pool}, replicas=1
                )
            )
        )
    assert (world.only.key, world.only.version) == ("shop/minio/t", "RELEASE.2025-04-08T15-41-24Z")
    assert [m.label for m in world.only.members] == ["pool-0-0", "pool-1-0", "pool-10-0"]


def test_a_node_that_does_not_report_makes_its_members_unknown() -> None:
    world = World()
    world.put(*whole(stateful_set("one", "mysql:8.4", replicas=1)))
    world.put(make("Node", "node-1", status={"conditions": [{"type": "Ready", "status": "True"}]}))
    assert world.only.health is Health.READY
    world.put(make("Node", "node-1", status={"conditions": [{"type": "Ready", "status": "Unknown"}]}))
    assert (world.only.health, world.only.why) == (Health.UNKNOWN, "one-0: Running: node node-1 does not report")
    assert world.only.ready == 0


def test_an_event_changes_only_what_is_not_well() -> None:
    world = World()
    one = stateful_set("one", "mysql:8.4", replicas=1)
    world.put(*whole(one))
    its_pod = pod_of(one, 0, ready=False)
    world.put(its_pod)
    world.apply()
    world.put(event(its_pod, "Unhealthy", "Readiness probe failed: no route"))
    assert world.apply() == {"shop/mysql/one"}
    assert world.member("one-0").note == "Readiness probe failed: no route"


def test_names_from_outside_stay_data() -> None:
    world = World()
    name = "[bold]x[/]\x1b[2J"
    world.put(*whole(stateful_set(name, "corp/x:1", replicas=1)))
    assert world.only.name == name


def test_changed_workloads_are_told_once_and_in_order() -> None:
    world = World()
    world.put(*(item for name in "cab" for item in whole(stateful_set(name, "mysql:8", replicas=1))))
    delta = world.recogniser.apply(world.store.drain())
    keys = [workload.key for workload in delta.changed]
    assert all(one < other for one, other in pairwise(keys))
    assert not delta.gone


def test_the_structs_of_recorded_objects_survive_a_round_trip() -> None:
    """The fixtures hold nothing that the structs do not read: what is tested is what is watched."""
    world = recorded("real")
    pods = list(world.store.all("pods", o.Pod))
    assert len(pods) == 14
    assert all(msgspec.convert(msgspec.to_builtins(item), o.Pod) == item for item in pods)


def test_a_reason_that_expired_is_dropped_on_the_next_look() -> None:
    """That an event expired is not news, so nothing tells of it."""
    world = World()
    one = stateful_set("one", "mysql:8.4", replicas=1)
    its_pod = pod_of(one, 0, ready=False)
    told = event(its_pod, "Unhealthy", "Readiness probe failed: no route")
    world.put(one, its_pod, told)
    assert world.member("one-0").note == "Readiness probe failed: no route"
    world.store.remove("events", told.uid)
    assert world.apply() == set()
    delta = world.recogniser.refresh()
    assert [workload.members[0].note for workload in delta.changed] == ["server not ready"]
    assert world.recogniser.refresh().changed == ()
