"""Operators' statuses are evidence, not truth: the recorded states of real operators, and what is seen of them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import yaml
from worlds import FIXTURES, World, make, pod, recorded, stateful_set, template, whole

from tui.kube import objects as o
from tui.systems.diagnose import diagnose
from tui.systems.model import Health, Workload

CNPG, RABBIT, REDIS = "operators/cnpg", "operators/rabbitmq", "operators/redis"


def texts(workload: Workload) -> list[str]:
    return [warning.text for warning in workload.warnings]


# --- CloudNativePG


def test_a_healthy_cluster() -> None:
    shop = recorded(f"{CNPG}/healthy").only
    assert (shop.key, shop.packaging, shop.version) == ("op-cnpg/postgresql/shop", "CloudNativePG", "17.10")
    assert (shop.health, shop.ready, shop.desired, shop.warnings) == (Health.READY, 3, 3, ())
    assert shop.operator_status == "Cluster in healthy state"
    assert shop.owner.text == "Cluster shop (CloudNativePG)"
    assert [(m.label, m.role and m.role.name, m.role and m.role.writes) for m in shop.members] == [
        ("1", "primary", True), ("2", "replica", False), ("3", "replica", False),
    ]  # fmt: skip
    assert [[item.name for item in m.claims] for m in shop.members] == [
        [f"shop-{n}", f"shop-{n}-wal"] for n in (1, 2, 3)
    ]
    assert {item.name for item in shop.objects if item.resource == "services"} == {"shop-r", "shop-ro", "shop-rw"}


def test_roles_follow_a_switchover() -> None:
    shop = recorded(f"{CNPG}/healthy", f"{CNPG}/after-switchover").only
    assert [m.pod for m in shop.members if m.role and m.role.writes] == ["shop-2"]
    assert shop.health is Health.READY


def test_a_primary_that_does_not_exist_is_not_healthy() -> None:
    """P1: the operator was down when its primary was deleted, and its status says that all is well."""
    world = recorded(f"{CNPG}/healthy", f"{CNPG}/operator-down-primary-deleted")
    shop = world.only
    assert "healthy" in shop.operator_status
    assert (shop.health, shop.ready, shop.desired) == (Health.FAILING, 2, 3)
    assert shop.why.startswith("the primary shop-1 does not exist")
    assert texts(shop) == [
        "the primary shop-1 does not exist",
        "Service shop-rw has no endpoints: writes have no target",
        "the operator counts 3 ready, 2 are",
    ]
    assert "status.currentPrimary: shop-1" in shop.warnings[0].evidence
    lost = shop.members[0]
    assert (lost.pod, lost.uid, lost.health) == ("shop-1", "", Health.FAILING)
    assert lost.role is not None and lost.role.writes is None
    assert [item.name for item in lost.claims] == ["shop-1", "shop-1-wal"]
    chain = diagnose(world.store, shop, lost)
    assert [step.text for step in chain] == ["shop-1 does not exist", "its operator has not made it"]
    assert "operator says" in chain[1].evidence and "operator" in chain[1].remedy


def test_a_failover_has_no_primary_for_a_while() -> None:
    shop = recorded(f"{CNPG}/healthy", f"{CNPG}/primary-deleted-plus-2s").only
    assert shop.health is Health.FAILING
    assert shop.operator_status == "Failing over"
    assert "Service shop-rw has no endpoints: writes have no target" in texts(shop)
    assert not [m for m in shop.members if m.role and m.role.writes]


def test_a_fenced_replica_is_down_whatever_its_pod_says() -> None:
    """P2: for 22 s the pod is Ready=True and the phase healthy, while PostgreSQL is down: the annotation tells."""
    world = recorded(f"{CNPG}/healthy", f"{CNPG}/fenced-replica")
    store = world.store
    its_pod = store.named("pods", "op-cnpg", "shop-3", o.Pod)
    assert its_pod is not None
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    data = msgspec.to_builtins(its_pod)
    data["metadata"]["resourceVersion"] = "99999"
    data["status"] = ready
    store.put("pods", msgspec.convert(data, o.Pod))
    shop = world.only
    fenced = shop.members[2]
    assert (fenced.health, fenced.note) == (Health.STOPPED, "fenced: PostgreSQL is kept down in it")
    assert (shop.ready, shop.health) == (2, Health.RUNNING)
    assert shop.why == "shop-3 is fenced: PostgreSQL is kept down in it"
    (step,) = diagnose(store, shop, fenced)
    assert 'cnpg.io/fencedInstances: ["shop-3"]' in step.evidence and "fencedInstances" in step.remedy


@pytest.mark.parametrize(
    ("annotation", "health"), [('["shop-1"]', Health.FAILING), ('["*"]', Health.FAILING), ("{", Health.UNKNOWN)]
)
def test_fencing_of_the_primary_of_all_and_of_nonsense(annotation: str, health: Health) -> None:
    world = recorded(f"{CNPG}/healthy")
    cluster = world.store.named("clusters.postgresql.cnpg.io", "op-cnpg", "shop", o.CustomResource)
    data = msgspec.to_builtins(cluster)
    data["metadata"]["resourceVersion"] = "99999"
    data["metadata"]["annotations"] = {"cnpg.io/fencedInstances": annotation}
    world.store.put("clusters.postgresql.cnpg.io", msgspec.convert(data, o.CustomResource))
    assert world.only.health is health


def test_a_hibernated_cluster_is_stopped_and_keeps_its_claims() -> None:
    """P3: no pods at all, and the phase is "Cluster in healthy state"."""
    shop = recorded(f"{CNPG}/healthy", f"{CNPG}/hibernated", without=("pods",)).only
    assert (shop.health, shop.why, shop.ready, shop.desired) == (Health.STOPPED, "hibernated on purpose", 0, 0)
    assert "healthy" in shop.operator_status
    assert [(m.pod, m.health, m.uid) for m in shop.members] == [(f"shop-{n}", Health.STOPPED, "") for n in (1, 2, 3)]
    assert len(shop.claims) == 6 and not shop.spare_claims
    assert shop.version == "17.10"


def test_a_switchover_under_way() -> None:
    world = recorded(f"{CNPG}/healthy")
    cluster = world.store.named("clusters.postgresql.cnpg.io", "op-cnpg", "shop", o.CustomResource)
    data = msgspec.to_builtins(cluster)
    data["metadata"]["resourceVersion"] = "99999"
    data["status"] |= {"targetPrimary": "shop-2", "phase": "Switchover in progress"}
    world.store.put("clusters.postgresql.cnpg.io", msgspec.convert(data, o.CustomResource))
    old = world.store.named("pods", "op-cnpg", "shop-1", o.Pod)
    own = msgspec.to_builtins(old)
    own["metadata"]["resourceVersion"] = "99999"
    own["metadata"]["labels"]["cnpg.io/instanceRole"] = "unhealthy"
    world.store.put("pods", msgspec.convert(own, o.Pod))
    shop = world.only
    assert texts(shop) == ["the primary moves from shop-1 to shop-2"]
    assert shop.health is Health.STARTING
    assert shop.members[0].role is not None
    assert (shop.members[0].role.name, shop.members[0].role.writes) == ("unhealthy", None)
    data["metadata"]["resourceVersion"] = "99998"
    data["status"] |= {"targetPrimary": "pending"}
    world.store.put("clusters.postgresql.cnpg.io", msgspec.convert(data, o.CustomResource))
    assert texts(world.only) == ["failover: a new primary is being chosen"]
    del own["metadata"]["labels"]["cnpg.io/instanceRole"]
    own["metadata"]["resourceVersion"] = "99997"
    world.store.put("pods", msgspec.convert(own, o.Pod))
    assert world.only.members[0].role is None


def test_the_jobs_of_a_cluster_are_not_members() -> None:
    world = recorded(f"{CNPG}/healthy")
    cluster = world.store.named("clusters.postgresql.cnpg.io", "op-cnpg", "shop", o.CustomResource)
    assert cluster is not None
    job = {"kind": "Job", "apiVersion": "batch/v1", "name": "shop-4-join", "uid": "j", "controller": True}
    body = template("ghcr.io/cloudnative-pg/postgresql:17.10", {}, claim="pgdata")["spec"]
    body["volumes"] = [{"name": "pgdata", "persistentVolumeClaim": {"claimName": "shop-3"}}]
    labels = {"cnpg.io/cluster": "shop", "cnpg.io/instanceName": "shop-4", "cnpg.io/jobRole": "join"}
    world.put(pod("shop-4-join-x", namespace="op-cnpg", spec=body, labels=labels, owner=job))
    assert len(world.only.members) == 3


# --- RabbitMQ


def test_a_rabbitmq_cluster_by_its_operator() -> None:
    orders = recorded(f"{RABBIT}/ready").only
    assert (orders.key, orders.name, orders.health) == ("op-rabbit/rabbitmq/orders", "orders", Health.READY)
    assert orders.operator_status == "AllReplicasReady, ClusterAvailable, NoWarnings, ReconcileSuccess"


def test_that_three_nodes_form_one_cluster_is_not_claimed() -> None:
    """R1: three clusters of one node; all conditions True. Kubernetes cannot tell, and that is said."""
    world = recorded(f"{RABBIT}/ready", f"{RABBIT}/never-joined")
    orders = world.only
    assert "AllReplicasReady" in orders.operator_status
    steps = diagnose(world.store, orders, None)
    assert [step.text for step in steps] == ["not checked: whether the nodes form one cluster"]
    assert "/api/nodes" in steps[0].remedy
    assert texts(orders) == ["the operator warns"]
    assert "must be equal" in orders.warnings[0].evidence


def test_replicas_are_counted_whatever_the_condition_says() -> None:
    world = recorded(f"{RABBIT}/ready")
    its_pod = world.store.named("pods", "op-rabbit", "orders-server-1", o.Pod)
    assert its_pod is not None
    world.store.remove("pods", its_pod.uid)
    orders = world.only
    assert (orders.ready, orders.desired) == (2, 3)
    assert "the operator says that all are ready, 2 of 3 are" in texts(orders)


def test_a_pod_that_drains_for_seven_days_terminates_since_now() -> None:
    """R2: the deletion time lies seven days ahead, and the pod stays Ready."""
    world = recorded(f"{RABBIT}/ready")
    its_pod = world.store.named("pods", "op-rabbit", "orders-server-2", o.Pod)
    data = msgspec.to_builtins(its_pod)
    data["metadata"] |= {
        "resourceVersion": "99999",
        "deletionTimestamp": "2026-11-30T14:10:00Z",
        "deletionGracePeriodSeconds": 604800,
    }
    world.store.put("pods", msgspec.convert(data, o.Pod))
    member = world.only.members[2]
    assert (member.phase, member.health, member.note) == (
        "Terminating",
        Health.TERMINATING,
        "still Ready while it drains",
    )
    assert member.terminating_since == 1795443000.0  # 2026-11-23T14:10:00Z
    assert (world.only.ready, world.only.health) == (2, Health.RUNNING)
    assert texts(world.only) == ["the operator says that all are ready, 2 of 3 are"]
    chain = diagnose(world.store, world.only, member)
    assert (
        chain[1].text == "it was deleted, and has 7 days to end; it still answers its readiness probe while it drains"
    )
    assert chain[1].at == 1795443000.0


# --- Redis


def test_a_redis_failover_is_one_workload_with_its_sentinels() -> None:
    cache = recorded(f"{REDIS}/ready").only
    assert (cache.key, cache.ready, cache.desired) == ("op-redis/redis/cache", 6, 6)
    assert [m.role and m.role.name for m in cache.members] == ["master", "replica", "replica", *["sentinel"] * 3]
    assert all(not m.claims for m in cache.members[3:])
    assert cache.owner.text == "RedisFailover cache (redis-operator)"


def test_labels_that_lag_leave_the_writes_without_a_target() -> None:
    """D1: for half a minute after a failover every pod is labelled slave."""
    world = recorded(f"{REDIS}/ready")
    master = world.store.named("pods", "op-redis", "rfr-cache-0", o.Pod)
    data = msgspec.to_builtins(master)
    data["metadata"]["resourceVersion"] = "99999"
    data["metadata"]["labels"]["redisfailovers-role"] = "slave"
    world.store.put("pods", msgspec.convert(data, o.Pod))
    cache = world.only
    assert texts(cache) == ["no member is labelled master: writes have no known target; ask a Sentinel"]
    assert "rfr-cache-2: slave" in cache.warnings[0].evidence
    assert cache.health is Health.RUNNING
    assert not [m for m in cache.members if m.role and m.role.writes]


def test_replication_that_is_down_cannot_be_seen_from_the_objects() -> None:
    """D2: nothing in Kubernetes tells; it must not be invented either."""
    for folders in (
        (f"{REDIS}/replication-down",),
        (f"{REDIS}/replication-down", f"{REDIS}/replication-down/after-failover"),
    ):
        assert recorded(*folders).only.health is Health.READY


# --- all of them


@pytest.mark.parametrize(
    "status", [{}, {"phase": None}, {"phase": 5, "instanceNames": "x", "currentPrimary": ["y"], "conditions": 3}]
)
@pytest.mark.parametrize(
    "kind", ["Cluster", "RabbitmqCluster", "RedisFailover", "Tenant", "InnoDBCluster", "PostgresCluster"]
)
def test_a_status_of_another_shape_is_no_disaster(kind: str, status: dict[str, object]) -> None:
    world = World()
    world.put(make(kind, "odd", spec={"instances": "three", "replicas": None}, status=status))
    assert world.only.name == "odd"


def test_an_object_of_an_operator_may_be_read_later() -> None:
    world = World()
    owner = {
        "kind": "RabbitmqCluster",
        "apiVersion": "rabbitmq.com/v1beta1",
        "name": "q",
        "uid": "q1",
        "controller": True,
    }
    world.put(*whole(stateful_set("q-server", "rabbitmq:4", {"x": "y"}, replicas=1, owner=owner)))
    assert world.only.operator_status == ""
    status = {"conditions": [{"type": "AllReplicasReady", "status": "True"}]}
    world.put(make("RabbitmqCluster", "q", uid="q1", spec={"replicas": 1}, status=status))
    assert world.only.operator_status == "AllReplicasReady"


def test_the_fixtures_are_small_and_hold_no_secrets() -> None:
    files = list(Path(FIXTURES).rglob("*.yaml"))
    assert sum(file.stat().st_size for file in files) < 500_000
    assert not [file for file in files if file.stem in ("secrets", "configmaps")]
    assert all(yaml.load(file.read_text(), Loader=yaml.CSafeLoader) is not None for file in files)


def test_a_cluster_that_is_being_hibernated_is_on_its_way_out() -> None:
    shop = recorded(f"{CNPG}/healthy", f"{CNPG}/hibernated").only  # the pods of before
    assert (shop.health, shop.why, shop.desired) == (Health.TERMINATING, "being hibernated", 0)


def test_a_budget_that_never_allows_a_disruption_is_no_news() -> None:
    """CloudNativePG guards its primary with one that stands at zero for ever."""
    world = recorded(f"{CNPG}/healthy", f"{CNPG}/fenced-replica")
    assert diagnose(world.store, world.only, None) == ()


@pytest.mark.parametrize("name", ["²", "shop-²", "", "x\x1b[2J", "shop-" + "9" * 300])
def test_odd_names_in_a_status_are_shown_not_read(name: str) -> None:
    world = World()
    status = {"instanceNames": [name, "shop-2"], "currentPrimary": name}
    world.put(make("Cluster", "shop", spec={"instances": 2}, status=status))
    assert name in {member.pod for member in world.only.members}
