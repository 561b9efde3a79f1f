"""Members: places, notes, rollouts and claims."""

# ruff: noqa: E501 - tables, one case a line

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from worlds import World, claim, event, make, pod_of, stateful_set, whole

from tui.kube import objects as o
from tui.kube.quantity import parse
from tui.systems.assemble import distinct
from tui.systems.model import Health, brief

GI = 2**30


def verdicts(**told: bool) -> list[dict[str, str]]:
    """Conditions of a pod."""
    return [{"type": kind, "status": str(value)} for kind, value in told.items()]


def broken(reason: str, message: str = "", **rest: Any) -> dict[str, Any]:
    """A pod status with one container that waits."""
    waiting = {
        "name": "server",
        "restartCount": 3,
        "state": {"waiting": {"reason": reason, "message": message}},
        **rest,
    }
    conditions = verdicts(PodScheduled=True, Initialized=True, Ready=False)
    return {"phase": "Pending", "conditions": conditions, "containerStatuses": [waiting]}


def unscheduled(message: str) -> dict[str, Any]:
    scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return {"phase": "Pending", "conditions": [scheduled]}


def test_members_stand_in_the_order_of_their_ordinals() -> None:
    world = World()
    made = stateful_set("db", "mysql:8.4", replicas=12)
    world.put(made, *(pod_of(made, ordinal) for ordinal in (11, 2, 10, 0, 1, *range(3, 10))))
    assert [member.ordinal for member in world.only.members] == list(range(12))


def test_a_member_that_waits_for_the_one_before() -> None:
    world = World()
    made = stateful_set("db", "mysql:8.4")
    world.put(made, pod_of(made, 0), pod_of(made, 1, ready=False))
    missing = world.only.members[2]
    assert (missing.pod, missing.uid, missing.label, missing.health) == ("db-2", "", "2", Health.WAITING)
    assert missing.note == "not created: waits for db-1 to be ready"
    assert (world.only.ready, world.only.desired) == (1, 3)


def test_members_made_side_by_side_wait_for_nobody() -> None:
    world = World()
    made = stateful_set("db", "mysql:8.4", spec={"podManagementPolicy": "Parallel"})
    world.put(made, pod_of(made, 1, ready=False))
    assert [member.note for member in world.only.members if not member.uid] == ["not created yet"] * 2


QUOTA = 'create Pod db-1 in StatefulSet db failed error: pods "db-1" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1'


def test_a_member_that_the_api_server_refuses() -> None:
    world = World()
    made = stateful_set("db", "mysql:8.4", replicas=2)
    world.put(made, pod_of(made, 0), event(made, "FailedCreate", QUOTA))
    missing = world.only.members[1]
    assert missing.health is Health.FAILING
    assert missing.note == "not created: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1"
    world.put(
        event(made, "SuccessfulCreate", "create Pod db-1 in StatefulSet db successful", at="2026-11-23T12:06:00Z")
    )
    assert world.only.members[1].note == "not created yet"


def test_ordinals_may_start_elsewhere() -> None:
    world = World()
    made = stateful_set("db", "mysql:8.4", replicas=2, spec={"ordinals": {"start": 5}})
    world.put(made, pod_of(made, 5))
    assert [(m.pod, m.uid != "") for m in world.only.members] == [("db-5", True), ("db-6", False)]


def test_a_set_scaled_to_zero_is_stopped_not_broken() -> None:
    world = World()
    world.put(stateful_set("db", "mysql:8.4", replicas=0), claim("data-db-0"))
    assert (world.only.health, world.only.why, world.only.desired) == (Health.STOPPED, "scaled to zero", 0)


def test_a_set_that_is_scaled_down_shows_who_goes() -> None:
    world = World()
    made = stateful_set("db", "mysql:8.4", replicas=1)
    leaving = pod_of(made, 1, deletionTimestamp="2026-11-23T12:10:30Z", deletionGracePeriodSeconds=30)
    world.put(made, pod_of(made, 0), leaving)
    assert [(m.pod, m.health) for m in world.only.members] == [("db-0", Health.READY), ("db-1", Health.TERMINATING)]
    assert world.only.members[1].terminating_since == 1795435800.0
    assert (world.only.ready, world.only.desired, world.only.health) == (1, 1, Health.TERMINATING)


@pytest.mark.parametrize(
    ("status", "note"),
    [
        (broken("ImagePullBackOff", "Back-off pulling", image="bitnami/mysql:9"), "server: cannot pull bitnami/mysql:9"),
        (broken("CrashLoopBackOff", "back-off 5m0s", lastState={"terminated": {"exitCode": 137, "reason": "OOMKilled"}}), "server ended: OOMKilled 137"),
        (broken("CreateContainerConfigError", 'secret "x" not found'), 'server: secret "x" not found'),
        (unscheduled("0/1 nodes are available: 1 Insufficient memory."), "0/1 nodes are available: 1 Insufficient memory."),
        ({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}, "The node was low on resource: memory."),
    ],
)  # fmt: skip
def test_why_a_member_is_not_ready(status: dict[str, Any], note: str) -> None:
    world = World()
    made = stateful_set("db", "mysql:8.4", replicas=1)
    world.put(made, pod_of(made, 0, status=status), claim("data-db-0"))
    assert world.only.members[0].note == note
    assert note in world.only.why


def test_an_old_probe_failure_is_not_the_reason_of_today() -> None:
    world = World()
    made = stateful_set("db", "mysql:8.4", replicas=1)
    its_pod = pod_of(made, 0, ready=False)
    world.put(made, its_pod, event(its_pod, "Unhealthy", "from before the restart", at="2026-11-23T11:00:00Z"))
    assert world.only.members[0].note == "server not ready"
    world.put(event(its_pod, "Unhealthy", "Readiness probe failed: HTTP 503"))
    assert world.only.members[0].note == "Readiness probe failed: HTTP 503"


def test_a_readiness_gate_that_is_not_met() -> None:
    world = World()
    made = stateful_set("db", "mysql:8.4", replicas=1)
    conditions = verdicts(PodScheduled=True, ContainersReady=True, Ready=False)
    running = {"name": "server", "ready": True, "state": {"running": {"startedAt": "2026-11-23T12:00:00Z"}}}
    its_pod = pod_of(made, 0, status={"phase": "Running", "conditions": conditions, "containerStatuses": [running]})
    data = o.msgspec.to_builtins(its_pod)
    data["spec"]["readinessGates"] = [{"conditionType": "mysql.oracle.com/ready"}]
    world.put(made, o.msgspec.convert(data, o.Pod))
    assert (world.only.members[0].health, world.only.members[0].note) == (
        Health.RUNNING, "readiness gate mysql.oracle.com/ready is not met",
    )  # fmt: skip


def test_the_worst_reason_stands_first_and_the_others_are_counted() -> None:
    world = World()
    made = stateful_set("db", "mysql:8.4", spec={"podManagementPolicy": "Parallel"})
    world.put(made, pod_of(made, 0, ready=False), *(pod_of(made, n, status=broken("CrashLoopBackOff")) for n in (1, 2)))
    assert world.only.health is Health.FAILING
    assert world.only.why == "db-1: CrashLoopBackOff: server (and 1 more)"


# --- rollouts


def rolling(revision: str = "r2", **rest: Any) -> o.StatefulSet:
    made = stateful_set("db", "mysql:8.4", **rest)
    data = o.msgspec.to_builtins(made)
    data["status"]["updateRevision"] = f"db-{revision}"
    return o.msgspec.convert(data, o.StatefulSet)


def test_a_rollout_is_counted_from_the_pods() -> None:
    world = World()
    made = rolling()
    world.put(made, pod_of(made, 0), pod_of(made, 1), pod_of(made, 2, revision="r2"))
    (found,) = world.only.rollouts
    assert (found.set_name, found.to_revision, found.updated, found.total, found.stuck) == ("db", "db-r2", 1, 3, "")
    assert [member.current for member in world.only.members] == [False, False, True]


def test_a_finished_rollout_is_none() -> None:
    world = World()
    made = rolling()
    world.put(made, *(pod_of(made, n, revision="r2") for n in range(3)))
    assert world.only.rollouts == ()


def test_a_partition_holds_members_back_on_purpose() -> None:
    world = World()
    made = rolling(spec={"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}})
    world.put(made, pod_of(made, 0), pod_of(made, 1), pod_of(made, 2, revision="r2"))
    (found,) = world.only.rollouts
    assert (found.partition, found.stuck) == (2, "held by partition 2")


def test_on_delete_waits_for_somebody() -> None:
    world = World()
    made = rolling(spec={"updateStrategy": {"type": "OnDelete"}})
    world.put(made, *(pod_of(made, n) for n in range(3)))
    assert "OnDelete" in world.only.rollouts[0].stuck


def test_a_roll_back_over_a_broken_pod_never_moves() -> None:
    """OrderedReady waits for the broken pod of the former template; rolling back alone never heals it."""
    world = World()
    made = rolling("r1")
    world.put(made, pod_of(made, 0), pod_of(made, 1), pod_of(made, 2, revision="r2", status=broken("CrashLoopBackOff")))
    assert (
        world.only.rollouts[0].stuck
        == "db-2 is broken on a former revision and the rollout waits for it: delete the pod"
    )


def test_a_new_revision_that_fails() -> None:
    world = World()
    made = rolling()
    world.put(
        made,
        pod_of(made, 0),
        pod_of(made, 1),
        pod_of(made, 2, revision="r2", status=broken("ImagePullBackOff", image="x:1")),
    )
    assert world.only.rollouts[0].stuck == "db-2 fails on the new revision: server: cannot pull x:1"


def test_claims_that_go_with_the_set_are_told_without_alarm() -> None:
    world = World()
    policy = {"whenDeleted": "Delete", "whenScaled": "Retain"}
    world.put(
        *whole(stateful_set("db", "mysql:8.4", replicas=1, spec={"persistentVolumeClaimRetentionPolicy": policy}))
    )
    (warning,) = world.only.warnings
    assert (warning.text, warning.health) == ("db: its claims are deleted when it is deleted", Health.READY)
    assert (world.only.health, world.only.why) == (Health.READY, "")


# --- claims


def classes(world: World, **modes: str) -> None:
    for name, mode in modes.items():
        world.put(make("StorageClass", name, provisioner="x", volumeBindingMode=mode))


@pytest.mark.parametrize(
    ("storage_class", "told", "note", "health"),
    [
        ("gone", "", "storage class gone does not exist", Health.FAILING),
        (None, "", "names no storage class, and there is no default one", Health.FAILING),
        ("late", "", "waits until its pod can be scheduled", Health.WAITING),
        ("now", "", "waits to be provisioned", Health.WAITING),
        ("now", "ProvisioningFailed: quota of disks exceeded", "quota of disks exceeded", Health.FAILING),
        ("now", "ExternalProvisioning: waiting for ebs.csi.aws.com", "is being provisioned", Health.WAITING),
        ("", "", "waits for a volume that fits", Health.WAITING),
    ],
)
def test_why_a_claim_is_pending(storage_class: str | None, told: str, note: str, health: Health) -> None:
    world = World()
    classes(world, late="WaitForFirstConsumer", now="Immediate")
    made = stateful_set("db", "mysql:8.4", replicas=1)
    item = claim("data-db-0", phase="Pending", storage_class=storage_class)
    world.put(made, pod_of(made, 0, status=unscheduled("no")), item)
    if told:
        reason, _, message = told.partition(": ")
        world.put(event(item, reason, message))
    (found,) = world.only.claims
    assert (found.phase, found.note, found.health, found.capacity, found.requested) == (
        "Pending",
        note,
        health,
        None,
        10 * GI,
    )


def test_a_new_storage_class_changes_why_a_claim_is_pending() -> None:
    world = World()
    classes(world, other="Immediate")
    made = stateful_set("db", "mysql:8.4", replicas=1)
    world.put(
        made, pod_of(made, 0, status=unscheduled("no")), claim("data-db-0", phase="Pending", storage_class="late")
    )
    assert world.only.claims[0].health is Health.FAILING
    classes(world, late="WaitForFirstConsumer")
    assert world.only.claims[0].note == "waits until its pod can be scheduled"


def test_a_lost_claim_makes_its_workload_fail() -> None:
    world = World()
    made = stateful_set("db", "mysql:8.4", replicas=1)
    world.put(made, pod_of(made, 0), claim("data-db-0", phase="Lost", volume="pv-1"))
    assert (world.only.claims[0].note, world.only.health) == ("its volume pv-1 is gone", Health.FAILING)
    assert world.only.why == "claim data-db-0: its volume pv-1 is gone"


def test_a_claim_that_is_deleted_under_its_pod() -> None:
    world = World()
    made = stateful_set("db", "mysql:8.4", replicas=1)
    world.put(made, pod_of(made, 0), claim("data-db-0", deletionTimestamp="2026-11-23T12:00:00Z"))
    assert (world.only.claims[0].phase, world.only.claims[0].health) == ("Terminating", Health.TERMINATING)


@pytest.mark.parametrize(
    ("status", "note"),
    [
        ({"conditions": [{"type": "Resizing", "status": "True"}]}, "growing: the volume is being resized"),
        ({"conditions": [{"type": "FileSystemResizePending", "status": "True"}]}, "growing: the file system follows when the node resizes it"),
        ({"conditions": [{"type": "ControllerResizeError", "status": "True", "message": "too big"}]}, "cannot grow: too big"),
        ({"allocatedResourceStatuses": {"storage": "NodeResizeInProgress"}}, "growing: the node resizes the file system"),
        ({"allocatedResourceStatuses": {"storage": "ControllerResizeFailed"}}, "cannot grow: the volume could not be resized"),
        ({}, ""),
    ],
)  # fmt: skip
def test_a_claim_that_grows(status: dict[str, Any], note: str) -> None:
    world = World()
    made = stateful_set("db", "mysql:8.4", replicas=1)
    world.put(made, pod_of(made, 0), claim("data-db-0", status=status))
    assert world.only.claims[0].note == note


def test_what_lies_behind_a_claim() -> None:
    world = World()
    made = stateful_set("db", "mysql:8.4", replicas=1)
    world.put(made, pod_of(made, 0), claim("data-db-0", volume="pv-1"))
    assert world.only.claims[0].volume_source == ""
    holder = {"namespace": "shop", "name": "data-db-0"}
    world.put(make("PersistentVolume", "pv-1", spec={"csi": {"driver": "ebs.csi.aws.com"}, "claimRef": holder}))
    assert world.only.claims[0].volume_source == "csi ebs.csi.aws.com"


def test_claims_of_a_missing_member_stay_with_its_place() -> None:
    world = World()
    made = stateful_set("db", "mysql:8.4", replicas=2)
    world.put(made, pod_of(made, 0), claim("data-db-0"), claim("data-db-1"))
    assert [[item.name for item in member.claims] for member in world.only.members] == [["data-db-0"], ["data-db-1"]]
    assert world.only.spare_claims == ()


def test_a_claim_that_its_pod_names_and_that_is_not_there() -> None:
    world = World()
    made = stateful_set("db", "mysql:8.4", replicas=2)
    world.put(made, pod_of(made, 0), pod_of(made, 1), claim("data-db-0"))
    missing = world.only.members[1].claims[0]
    assert (missing.name, missing.phase, missing.template, missing.uid) == ("data-db-1", "Missing", "data", "")


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([], []),
        (["db"], [""]),
        (["orders-mysql-primary", "orders-mysql-secondary"], ["primary", "secondary"]),
        (["t-zone-0", "t-zone-1"], ["zone-0", "zone-1"]),
        (["rfr-cache", "rfs-cache"], ["rfr", "rfs"]),
        (["shop", "shop-read"], ["shop", "shop-read"]),
        (["hippo-00-ab", "hippo-00-cd", "hippo-repo-host"], ["00-ab", "00-cd", "repo-host"]),
    ],
)
def test_names_are_told_apart_by_what_differs(names: list[str], told: list[str]) -> None:
    assert distinct(names) == told


def test_quantities_are_those_of_the_claims() -> None:
    world = World()
    world.put(*whole(stateful_set("db", "mysql:8.4", replicas=1)))
    assert world.only.claims[0].capacity == parse("10Gi") == 10 * GI


def test_who_waits_for_another_is_not_the_reason() -> None:
    world = World()
    made = stateful_set("db", "mysql:8.4")
    world.put(made, pod_of(made, 0), pod_of(made, 1, ready=False))
    assert (world.only.health, world.only.why) == (Health.RUNNING, "db-1: Running: server not ready")


def test_the_claims_of_a_member_stand_in_the_order_of_their_names() -> None:
    # The StatefulSet controller adds the volumes of its claim templates to a pod in no order.
    world = World()
    made = stateful_set("db", "mysql:8.4", replicas=1)
    volumes = [
        o.Volume(name=f"data{n}", persistent_volume_claim=o.ClaimSource(claim_name=f"data{n}-db-0"))
        for n in (10, 1, 0, 2)
    ]
    pod = pod_of(made, 0)
    pod = msgspec.structs.replace(pod, spec=msgspec.structs.replace(pod.spec, volumes=volumes))
    world.put(made, pod)
    assert [claim.template for claim in world.only.members[0].claims] == ["data0", "data1", "data2", "data10"]


def test_what_stands_in_is_taken_from_the_pods_and_told_once() -> None:
    world = World()
    made = stateful_set("db", "mysql:8.4")
    said = "Valkey stands in for MySQL: it knows no SQL"
    annotations = msgspec.convert({"statetui/stands-in": said}, o.Annotations)
    pods = [pod_of(made, 0), pod_of(made, 1)]
    world.put(
        made,
        *(
            msgspec.structs.replace(pod, metadata=msgspec.structs.replace(pod.metadata, annotations=annotations))
            for pod in pods
        ),
    )
    assert [member.stands_in for member in world.only.members] == [said, said, ""]
    assert world.only.stands_in == said
    assert brief(f"{said}; B stands in for C; Valkey stands in for MySQL") == "Valkey stands in for MySQL, B for C"
    assert brief("") == ""
