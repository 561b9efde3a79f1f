"""Why is it not ready: the chain from effect to cause, with the words of whoever said so."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from test_members import QUOTA, broken, classes, unscheduled
from worlds import World, claim, event, make, pod_of, stateful_set, whole

from tui.kube import objects as o
from tui.systems.diagnose import diagnose
from tui.systems.model import Reason


def chain(world: World, pod: str) -> list[Reason]:
    return list(diagnose(world.store, world.only, world.member(pod)))


def steps(world: World, pod: str) -> list[tuple[int, str]]:
    return [(reason.depth, reason.text) for reason in chain(world, pod)]


def one(status: dict[str, Any] | None = None, **rest: Any) -> tuple[World, o.Pod]:
    """A world with a set of one, whose pod has this status."""
    world = World()
    made = stateful_set("db", "mysql:8.4", replicas=1)
    its_pod = pod_of(made, 0, status=status, **rest)
    world.put(made, its_pod, claim("data-db-0"))
    return world, its_pod


def test_nothing_is_said_of_what_is_well() -> None:
    world = World()
    world.put(*whole(stateful_set("db", "mysql:8.4", replicas=1)))
    assert chain(world, "db-0") == []
    assert diagnose(world.store, world.only, None) == ()


def test_a_crash_loop() -> None:
    last = {"exitCode": 1, "reason": "Error", "message": "Table 'x' is crashed", "finishedAt": "2026-11-23T12:03:00Z"}
    world, _ = one(
        broken("CrashLoopBackOff", "back-off 5m0s restarting failed container", lastState={"terminated": last})
    )
    found = chain(world, "db-0")
    assert [(r.depth, r.text) for r in found] == [
        (0, "db-0 is not ready (CrashLoopBackOff)"),
        (1, "container server ends again and again (3 restarts)"),
        (2, "container server ended: Error 1"),
    ]
    assert found[1].evidence == "back-off 5m0s restarting failed container"
    assert found[2].evidence == "Table 'x' is crashed"
    assert found[2].remedy.endswith("kubectl logs -n shop db-0 -c server --previous")
    assert found[2].at == 1795435380.0


def test_out_of_memory() -> None:
    world, _ = one(broken("CrashLoopBackOff", lastState={"terminated": {"exitCode": 137, "reason": "OOMKilled"}}))
    assert "raise the limit" in chain(world, "db-0")[-1].remedy


@pytest.mark.parametrize(
    ("image", "remedy"),
    [
        ("docker.io/bitnami/mysql:9.4.0-debian-12-r1", "bitnamilegacy/mysql"),
        ("bitnami/rabbitmq:4", "bitnamilegacy/rabbitmq"),
        ("minio/minio:RELEASE.2025-04-08T15-41-24Z", "quay.io/minio/minio"),
        ("registry.corp/bitnami/mysql:9", "Check the name and tag"),
        ("corp/x:1", "Check the name and tag"),
    ],
)
def test_an_image_that_cannot_be_pulled(image: str, remedy: str) -> None:
    world = World()
    made = stateful_set("db", image, replicas=1)
    its_pod = pod_of(made, 0, status=broken("ImagePullBackOff", "Back-off pulling image", image=image))
    world.put(made, its_pod, event(its_pod, "Failed", f'Failed to pull image "{image}": not found'))
    found = chain(world, "db-0")
    assert found[1].text == "container server: its image cannot be pulled"
    assert found[2].evidence == f'Failed to pull image "{image}": not found'
    assert remedy in found[2].remedy


def test_a_probe_that_fails() -> None:
    world, its_pod = one(ready=False)
    world.put(event(its_pod, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", count=7))
    found = chain(world, "db-0")
    assert found[1].text == "container server runs, but its readiness probe fails (7 times)"
    assert found[1].evidence.endswith("503")
    assert found[0].at == 1795435260.0


def test_a_probe_of_which_nothing_is_known() -> None:
    world, _ = one(ready=False)
    assert steps(world, "db-0")[1] == (1, "container server runs, and its readiness probe has not passed")


def test_an_init_container_that_runs_and_one_that_fails() -> None:
    init = {"name": "clone-mysql", "state": {"running": {"startedAt": "2026-11-23T12:04:00Z"}}}
    conditions = [{"type": "PodScheduled", "status": "True"}, {"type": "Initialized", "status": "False"}]
    body = {"phase": "Pending", "conditions": conditions, "initContainerStatuses": [init]}
    world, its_pod = one(body)
    data = msgspec.to_builtins(its_pod)
    data["spec"]["initContainers"] = [{"name": "clone-mysql", "image": "x"}]
    data["metadata"]["resourceVersion"] = "9999"
    world.put(msgspec.convert(data, o.Pod))
    assert steps(world, "db-0") == [
        (0, "db-0 is not ready (Init:0/1 clone-mysql)"), (1, "init container clone-mysql is still running"),
    ]  # fmt: skip
    assert chain(world, "db-0")[1].at == 1795435440.0
    data["status"]["initContainerStatuses"][0]["state"] = {
        "terminated": {"exitCode": 2, "reason": "Error", "message": "no peer"}
    }
    data["metadata"]["resourceVersion"] = "9998"
    world.put(msgspec.convert(data, o.Pod))
    assert chain(world, "db-0")[1].evidence == "no peer"


def test_a_pod_that_no_node_takes() -> None:
    world, _ = one(unscheduled("0/3 nodes are available: 3 Insufficient memory."))
    data = msgspec.to_builtins(world.store.named("pods", "shop", "db-0", o.Pod))
    data["spec"]["nodeName"] = ""
    data["metadata"]["resourceVersion"] = "9999"
    world.put(msgspec.convert(data, o.Pod))
    found = chain(world, "db-0")
    assert found[1].text == "the scheduler finds no node for it"
    assert found[1].evidence == "0/3 nodes are available: 3 Insufficient memory."
    assert "requests" in found[1].remedy


def waiting_for_claim(storage_class: str | None) -> World:
    world = World()
    classes(world, late="WaitForFirstConsumer", now="Immediate")
    made = stateful_set("db", "mysql:8.4", replicas=2)
    data = msgspec.to_builtins(pod_of(made, 0, status=unscheduled("pod has unbound immediate PersistentVolumeClaims")))
    data["spec"]["nodeName"] = ""
    item = claim("data-db-0", phase="Pending", storage_class=storage_class)
    world.put(made, msgspec.convert(data, o.Pod), item)
    return world


def test_from_a_missing_member_to_a_storage_class_that_does_not_exist() -> None:
    """The whole way: db-1 waits for db-0, which waits for a node, which waits for a claim, which has no class."""
    found = chain(waiting_for_claim("gone"), "db-1")
    assert [(r.depth, r.text) for r in found] == [
        (0, "db-1 does not exist"),
        (1, "members are made one after the other, and db-0 is not ready"),
        (2, "db-0 is not ready (Pending)"),
        (3, "the scheduler finds no node for it"),
        (4, "claim data-db-0 is not bound"),
        (5, "storage class gone does not exist"),
    ]
    assert found[-1].remedy == "Make the class, or use one of: late, now."


def test_a_claim_that_cannot_be_provisioned() -> None:
    world = waiting_for_claim("now")
    item = world.store.named("persistentvolumeclaims", "shop", "data-db-0", o.PersistentVolumeClaim)
    assert item is not None
    world.put(event(item, "ProvisioningFailed", "rpc error: quota of disks exceeded"))
    found = chain(world, "db-0")
    assert (found[-1].text, found[-1].evidence) == (
        "no volume can be made for it",
        "rpc error: quota of disks exceeded",
    )


def test_a_quota_that_is_used_up() -> None:
    world = World()
    made = stateful_set("db", "mysql:8.4", replicas=2)
    world.put(made, pod_of(made, 0), event(made, "FailedCreate", QUOTA))
    found = chain(world, "db-1")
    assert (found[1].text, found[1].evidence) == ("the API server refuses it", QUOTA)
    assert "quota" in found[1].remedy


def test_a_controller_that_does_not_follow() -> None:
    world = World()
    made = stateful_set("db", "mysql:8.4", replicas=1, generation=7)
    world.put(made)
    assert chain(world, "db-0")[1].evidence == "generation 7, observed 1"


@pytest.mark.parametrize(
    ("reason", "message", "text", "remedy"),
    [
        (
            "FailedMount",
            'MountVolume.SetUp failed: secret "db" not found',
            "a volume cannot be mounted",
            "missing object",
        ),
        (
            "FailedAttachVolume",
            "Multi-Attach error for volume pv-1",
            "a volume cannot be attached to its node",
            "still attached",
        ),
        ("FailedCreatePodSandBox", "no IP addresses left", "its sandbox (network, cgroup) cannot be made", ""),
    ],
)
def test_a_volume_that_cannot_be_had(reason: str, message: str, text: str, remedy: str) -> None:
    world, its_pod = one(broken("ContainerCreating"))
    world.put(event(its_pod, reason, message))
    found = chain(world, "db-0")
    assert (found[2].text, found[2].evidence) == (text, message)
    assert remedy in found[2].remedy
    assert world.member("db-0").note == message


def test_a_node_that_is_gone() -> None:
    world, _ = one()
    told = {
        "type": "Ready",
        "status": "Unknown",
        "reason": "NodeStatusUnknown",
        "message": "Kubelet stopped posting node status.",
    }
    world.put(make("Node", "node-1", status={"conditions": [told]}))
    found = chain(world, "db-0")
    assert found[1].text == "node node-1 does not report"
    assert found[1].evidence == "NodeStatusUnknown: Kubelet stopped posting node status."


def test_a_pod_that_is_deleted() -> None:
    world, _ = one(deletionTimestamp="2026-11-23T12:10:00Z", deletionGracePeriodSeconds=30)
    found = chain(world, "db-0")
    assert (found[0].text, found[1].at) == ("db-0 is on its way out", 1795435770.0)
    assert found[1].text.startswith("it was deleted, and has 30 s to end")


def test_a_budget_that_lets_nobody_go() -> None:
    world, _ = one(ready=False)
    status = {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 1, "expectedPods": 1}
    world.put(make("PodDisruptionBudget", "db", spec={"selector": {"matchLabels": {"app": "db"}}}, status=status))
    world.put(make("PodDisruptionBudget", "else", spec={"selector": {"matchLabels": {"app": "web"}}}, status=status))
    found = diagnose(world.store, world.only, None)
    assert [reason.text for reason in found] == ["PodDisruptionBudget db lets no further member be evicted"]


def test_a_pod_that_went_between_two_looks() -> None:
    world, its_pod = one(ready=False)
    workload = world.only
    world.store.remove("pods", its_pod.uid)
    assert [reason.text for reason in diagnose(world.store, workload, workload.members[0])] == ["db-0 is gone"]
