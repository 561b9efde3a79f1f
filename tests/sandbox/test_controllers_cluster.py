"""Services, claims and volumes, the scheduler, namespaces, budgets, and the queue that drives them all."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from fake_objects import FakeObjects, World, stateful_set, template

from tui.sandbox.controllers import run
from tui.sandbox.controllers.engine import Clock, Engine, drive
from tui.sandbox.controllers.meta import safe_hash, share
from tui.sandbox.model import ApiError, Change, Json
from tui.sandbox.quantities import quantity
from tui.sandbox.selectors import selects

SLICES, CLAIMS, VOLUMES = "endpointslices.discovery.k8s.io", "persistentvolumeclaims", "persistentvolumes"


@pytest.fixture
def world() -> World:
    return World()


def pod(world: World, name: str, *, app: str = "p", port: int = 8080, **spec: Any) -> Json:
    shape = template(app)["spec"]
    shape["containers"][0]["ports"] = [{"name": "http", "containerPort": port}]
    return world.add("pods", name, labels={"app": app}, spec={**shape, **spec})


def service(world: World, name: str = "svc", **spec: Any) -> Json:
    shape = {"selector": {"app": "p"}, "ports": [{"name": "web", "port": 80, "targetPort": "http"}], **spec}
    return world.add("services", name, labels={"team": "a"}, spec=shape)


def claim(world: World, name: str, storage: str = "1Gi", **spec: Any) -> Json:
    shape = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage}}, **spec}
    return world.add(CLAIMS, name, spec=shape)


def mount(name: str) -> Json:
    return {"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": name}}]}


# Services


def test_a_service_without_pods_has_an_empty_slice(world: World) -> None:
    made = service(world, clusterIP="None")
    world.settle()
    piece = world.objects.list(SLICES)[0]
    assert (piece["endpoints"], piece["ports"], piece["addressType"]) == ([], [], "IPv4")
    assert piece["metadata"]["labels"] == {
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        "kubernetes.io/service-name": "svc",
        "service.kubernetes.io/headless": "",
        "team": "a",
    }
    assert piece["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
    assert "subsets" not in world.get("endpoints", "svc")


def test_endpoints_follow_readiness_and_termination(world: World) -> None:
    world.ready = lambda one: one["metadata"]["name"] == "p0"
    pod(world, "p0", hostname="p0", subdomain="svc")
    pod(world, "p1")
    service(world)
    world.settle()
    first = world.objects.list(SLICES)[0]
    assert first["ports"] == [{"name": "web", "port": 8080, "protocol": "TCP"}]
    assert first["endpoints"][0] == {
        "addresses": ["127.0.0.1"],
        "conditions": {"ready": True, "serving": True, "terminating": False},
        "hostname": "p0",
        "nodeName": "node-1",
        "targetRef": {"kind": "Pod", "name": "p0", "namespace": "a", "uid": world.pods()["p0"]["metadata"]["uid"]},
    }
    assert first["endpoints"][1]["conditions"] == {"ready": False, "serving": False, "terminating": False}
    subset = world.get("endpoints", "svc")["subsets"][0]
    assert [one["ip"] for one in subset["addresses"]] == ["127.0.0.1"]
    assert [one["ip"] for one in subset["notReadyAddresses"]] == ["127.0.0.2"]
    world.ends = lambda one: False
    world.objects.delete("pods", "a", "p0")
    world.settle()
    assert world.objects.list(SLICES)[0]["metadata"]["name"] == first["metadata"]["name"]
    told = world.objects.list(SLICES)[0]["endpoints"][0]["conditions"]
    assert told == {"ready": False, "serving": True, "terminating": True}
    assert "addresses" not in world.get("endpoints", "svc")["subsets"][0]
    assert [one["ip"] for one in world.get("endpoints", "svc")["subsets"][0]["notReadyAddresses"]] == ["127.0.0.2"]
    world.edit("services", "svc", {"spec": {"publishNotReadyAddresses": True}})
    world.settle()
    told = [one["conditions"]["ready"] for one in world.objects.list(SLICES)[0]["endpoints"]]
    assert told == [True, True]


def test_a_pod_that_has_ended_answers_no_more(world: World) -> None:
    pod(world, "p0")
    service(world)
    world.settle()
    world.report(world.pods()["p0"], phase="Succeeded")
    world.settle()
    assert [piece["endpoints"] for piece in world.objects.list(SLICES)] == [[]]


def test_a_named_port_may_differ_from_pod_to_pod(world: World) -> None:
    pod(world, "p0", port=8080)
    pod(world, "p1", port=9090)
    pod(world, "p2", app="other", port=1)
    service(world, ports=[{"name": "web", "port": 80, "targetPort": "http"}, {"name": "num", "port": 81}])
    world.settle()
    found = {
        tuple(port["port"] for port in piece["ports"]): [one["targetRef"]["name"] for one in piece["endpoints"]]
        for piece in world.objects.list(SLICES)
    }
    assert found == {(8080, 81): ["p0"], (9090, 81): ["p1"]}
    assert len(world.get("endpoints", "svc")["subsets"]) == 2


def test_many_endpoints_are_spread_over_slices_of_a_hundred(world: World) -> None:
    for index in range(120):
        pod(world, f"p{index:03d}")
    service(world)
    world.settle()
    assert sorted(len(piece["endpoints"]) for piece in world.objects.list(SLICES)) == [20, 100]
    for index in range(100):
        world.objects.delete("pods", "a", f"p{index:03d}")
    world.settle()
    assert [len(piece["endpoints"]) for piece in world.objects.list(SLICES)] == [20]


def test_endpoints_without_a_selector_are_their_authors_and_the_rest_goes_with_the_service(world: World) -> None:
    service(world, selector=None)
    mine = world.add("endpoints", "svc", subsets=[{"addresses": [{"ip": "10.0.0.1"}]}])
    service(world, "other")
    world.settle()
    assert world.get("endpoints", "svc") == mine
    world.objects.delete("services", "a", "svc")
    world.objects.delete("services", "a", "other")
    world.settle()
    assert world.names("endpoints") == ["svc"]
    assert world.names(SLICES) == []


# Claims and volumes


def test_a_claim_gets_a_directory_when_a_pod_wants_it(world: World) -> None:
    made = claim(world, "data")
    world.settle()
    assert world.get(CLAIMS, "data")["spec"]["storageClassName"] == "standard"
    assert world.get(CLAIMS, "data")["status"] == {"phase": "Pending"}
    assert world.messages("PersistentVolumeClaim/data") == ["waiting for first consumer to be created before binding"]
    pod(world, "p", **mount("data"))
    world.settle()
    name = f"pvc-{made['metadata']['uid']}"
    bound, volume = world.get(CLAIMS, "data"), world.get(VOLUMES, name)
    assert bound["spec"]["volumeName"] == name
    capacity = {"storage": "1Gi"}
    assert bound["status"] == {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": capacity}
    assert bound["metadata"]["annotations"]["volume.kubernetes.io/selected-node"] == "node-1"
    assert bound["metadata"]["annotations"]["pv.kubernetes.io/bind-completed"] == "yes"
    assert volume["spec"]["hostPath"] == {"path": f"/state/volumes/{name}", "type": ""}
    assert volume["spec"]["claimRef"]["uid"] == made["metadata"]["uid"]
    assert (volume["status"]["phase"], volume["spec"]["capacity"]) == ("Bound", capacity)
    assert world.pods()["p"]["spec"]["nodeName"] == "node-1"
    assert world.messages("PersistentVolumeClaim/data")[-1] == (
        f"Successfully provisioned volume {name} using sandbox.statetui/directory"
    )


def test_a_pod_is_placed_when_its_volume_is_there(world: World) -> None:
    broken = ApiError(500, "InternalError", "no")
    world.objects.refuse = lambda verb, kind, obj: broken if (verb, kind) == ("create", VOLUMES) else None
    claim(world, "data")
    pod(world, "p", **mount("data"))
    world.settle(2)
    assert "nodeName" not in world.pods()["p"]["spec"]
    world.objects.refuse = lambda verb, kind, obj: None
    world.settle(5)
    assert world.pods()["p"]["spec"]["nodeName"] == "node-1"


def test_an_immediate_claim_is_bound_at_once_and_protected_while_used(world: World) -> None:
    claim(world, "data", storageClassName="now")
    world.settle()
    assert world.get(CLAIMS, "data")["status"]["phase"] == "Bound"
    pod(world, "p", **mount("data"))
    world.settle()
    world.objects.delete(CLAIMS, "a", "data")
    world.settle(2)
    assert world.get(CLAIMS, "data")["metadata"]["deletionTimestamp"]
    assert len(world.names(VOLUMES)) == 1
    world.objects.delete("pods", "a", "p")
    world.settle()
    assert world.names(CLAIMS) == world.names(VOLUMES) == []


def test_a_volume_that_is_retained_stays_released_and_can_be_given_again(world: World) -> None:
    claim(world, "data", storageClassName="now")
    world.settle()
    name = world.names(VOLUMES)[0]
    world.edit(VOLUMES, name, {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})
    world.objects.delete(CLAIMS, "a", "data")
    world.settle()
    assert world.get(VOLUMES, name)["status"]["phase"] == "Released"
    claim(world, "data", storageClassName="now", volumeName=name)
    world.settle()
    assert world.get(CLAIMS, "data")["status"]["phase"] == "Pending"
    assert f'volume "{name}" already bound to a different claim.' in world.messages("PersistentVolumeClaim/data")
    world.edit(VOLUMES, name, {"spec": {"claimRef": None}})
    world.settle()
    assert world.get(CLAIMS, "data")["status"]["phase"] == "Bound"
    assert world.get(VOLUMES, name)["status"]["phase"] == "Bound"


def test_a_volume_deleted_by_force_loses_its_claim(world: World) -> None:
    claim(world, "data", storageClassName="now")
    world.settle()
    name = world.names(VOLUMES)[0]
    world.objects.delete(VOLUMES, "", name)
    world.settle()
    assert world.get(VOLUMES, name)["status"]["phase"] == "Bound"
    world.edit(VOLUMES, name, {"metadata": {"finalizers": None}})
    world.settle()
    assert world.get(CLAIMS, "data")["status"] == {"phase": "Lost"}
    assert world.reasons("PersistentVolumeClaim/data")[-1] == "ClaimLost"


def test_a_static_volume_is_taken_when_it_fits_best(world: World) -> None:
    for name, size in (("small", "512Mi"), ("good", "2Gi"), ("large", "1Ti")):
        spec = {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "storageClassName": "by-hand"}
        world.add(VOLUMES, name, spec={**spec, "hostPath": {"path": "/x"}})
    world.settle()
    assert {world.get(VOLUMES, name)["status"]["phase"] for name in world.names(VOLUMES)} == {"Available"}
    claim(world, "data", storageClassName="by-hand")
    world.settle()
    assert world.get(CLAIMS, "data")["spec"]["volumeName"] == "good"
    assert world.get(CLAIMS, "data")["status"]["capacity"] == {"storage": "2Gi"}


def test_a_larger_request_grows_the_volume_where_the_class_allows_it(world: World) -> None:
    claim(world, "data")
    claim(world, "fixed", storageClassName="now")
    pod(world, "p", **mount("data"))
    world.settle()
    seen = []
    for name in ("data", "fixed"):
        world.edit(CLAIMS, name, {"spec": {"resources": {"requests": {"storage": "3Gi"}}}})
    for _ in range(20):
        changes, world.objects.changes = world.objects.changes, []
        for change in changes:
            seen.append(((change.object.get("status") or {}).get("conditions") or [{}])[0].get("type"))
            world.engine.notice(change)
        world.engine.step()
    world.settle()
    assert "Resizing" in seen
    grown, volume = world.get(CLAIMS, "data"), world.get(CLAIMS, "data")["spec"]["volumeName"]
    assert grown["status"]["capacity"] == world.get(VOLUMES, volume)["spec"]["capacity"] == {"storage": "3Gi"}
    assert "conditions" not in grown["status"]
    assert world.get(CLAIMS, "fixed")["status"]["capacity"] == {"storage": "1Gi"}


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"storageClassName": "nonesuch"}, "ProvisioningFailed"),
        ({"storageClassName": ""}, "FailedBinding"),
        ({"storageClassName": "now", "volumeMode": "Block"}, "ProvisioningFailed"),
        ({"storageClassName": "now", "selector": {"matchLabels": {"a": "b"}}}, "ProvisioningFailed"),
    ],
)
def test_a_claim_that_cannot_be_met_says_why_once(world: World, spec: Json, reason: str) -> None:
    claim(world, "data", **spec)
    world.settle(5)
    claim(world, "another", storageClassName="now")
    world.settle(5)
    assert world.reasons("PersistentVolumeClaim/data") == [reason]
    assert world.get(CLAIMS, "data")["status"]["phase"] == "Pending"


# The scheduler

_USELESS = (
    "no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
)
_AFFINITY = f"0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. {_USELESS}"


def scheduled(world: World, name: str) -> Json:
    return next(one for one in world.pods()[name]["status"]["conditions"] if one["type"] == "PodScheduled")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"nodeSelector": {"disk": "ssd"}}, _AFFINITY),
        (mount("nope"), '0/1 nodes are available: persistentvolumeclaim "nope" not found. not found'),
        (mount("none"), "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"),
    ],
)
def test_a_pod_that_cannot_be_placed_says_so_in_the_real_ones_words(world: World, spec: Json, message: str) -> None:
    claim(world, "none", storageClassName="nonesuch")
    pod(world, "p", **spec)
    world.settle(65)
    told = scheduled(world, "p")
    assert (told["status"], told["reason"], told["message"]) == ("False", "Unschedulable", message)
    assert "nodeName" not in world.pods()["p"]["spec"]
    assert world.objects.events.count(("Pod/p", "FailedScheduling", message)) == 1


def test_a_cordoned_node_takes_pods_again_when_it_is_opened(world: World) -> None:
    world.edit("nodes", "node-1", {"spec": {"unschedulable": True}})
    pod(world, "p")
    world.settle()
    assert scheduled(world, "p")["message"].startswith("0/1 nodes are available: 1 node(s) were unschedulable. ")
    world.edit("nodes", "node-1", {"spec": {"unschedulable": None}})
    world.settle()
    assert scheduled(world, "p")["status"] == "True"
    assert world.messages("Pod/p")[-1] == "Successfully assigned a/p to node-1"


def test_a_label_of_the_node_and_a_taint_decide(world: World) -> None:
    taint = {"key": "k", "value": "v", "effect": "NoSchedule"}
    world.edit("nodes", "node-1", {"spec": {"taints": [taint]}})
    required = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "n", "operator": "Gt", "values": ["3"]}]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    pod(world, "bare")
    pod(world, "fits", affinity=affinity, tolerations=[{"key": "k", "operator": "Equal", "value": "v"}])
    world.settle()
    assert "untolerated taint(s)" in scheduled(world, "bare")["message"]
    assert "node affinity" in scheduled(world, "fits")["message"]
    world.edit("nodes", "node-1", {"metadata": {"labels": {"n": "5"}}})
    world.settle()
    assert [name for name, one in world.pods().items() if one["spec"].get("nodeName")] == ["fits"]


def test_gated_and_foreign_pods_are_left_alone_and_a_full_node_takes_no_more(world: World) -> None:
    pod(world, "gated", schedulingGates=[{"name": "g"}])
    pod(world, "foreign", schedulerName="mine")
    world.objects.update(
        "nodes", {**world.get("nodes", "node-1"), "status": {"allocatable": {"pods": "1"}}}, subresource="status"
    )
    pod(world, "one")
    pod(world, "two")
    world.settle()
    assert [name for name, one in world.pods().items() if one["spec"].get("nodeName")] == ["one"]
    assert "1 Too many pods" in scheduled(world, "two")["message"]
    world.objects.delete("pods", "a", "one")
    world.settle(31)
    assert world.pods()["two"]["spec"]["nodeName"] == "node-1"


def test_without_a_node_pods_wait_for_one(world: World) -> None:
    world.objects.delete("nodes", "", "node-1")
    pod(world, "p")
    world.settle()
    assert scheduled(world, "p")["message"] == "no nodes available to schedule pods"
    world.add("nodes", "node-2")
    world.settle()
    assert world.pods()["p"]["spec"]["nodeName"] == "node-2"


# Namespaces and budgets


def test_a_namespace_goes_when_all_in_it_is_gone(world: World) -> None:
    world.add("statefulsets.apps", "web", spec=stateful_set(replicas=2))
    service(world)
    world.add("configmaps", "c")
    custom = {"names": {"plural": "things"}, "group": "x.io", "scope": "Namespaced"}
    world.objects.create(
        "customresourcedefinitions.apiextensions.k8s.io",
        {"kind": "CustomResourceDefinition", "metadata": {"name": "things.x.io", "namespace": "-"}, "spec": custom},
    )
    world.add("things.x.io", "thing")
    world.settle()
    assert "default" in world.names("serviceaccounts")
    world.ends = lambda one: False
    world.objects.delete("namespaces", "", "a")
    world.settle(2)
    conditions = {one["type"]: one for one in world.get("namespaces", "a")["status"]["conditions"]}
    assert world.get("namespaces", "a")["status"]["phase"] == "Terminating"
    left = conditions["NamespaceContentRemaining"]
    assert left["reason"] == "SomeResourcesRemain"
    assert "pods. has 2 resource instances" in left["message"]
    assert "kubernetes.io/pvc-protection in 2 resource" in conditions["NamespaceFinalizersRemaining"]["message"]
    world.ends = lambda one: True
    world.settle(3)
    assert [key for key in world.objects.kept if key[1] == "a"] == []
    assert world.names("namespaces") == []


def test_a_budget_counts_what_may_be_evicted(world: World) -> None:
    selector = {"matchLabels": {"app": "web"}}
    world.add("poddisruptionbudgets.policy", "most", spec={"maxUnavailable": 1, "selector": selector})
    world.add("poddisruptionbudgets.policy", "least", spec={"minAvailable": "50%", "selector": selector})
    world.settle()
    assert world.reasons("PodDisruptionBudget/most") == ["NoPods"]
    world.add("statefulsets.apps", "web", spec=stateful_set())
    world.settle()
    status = dict(world.get("poddisruptionbudgets.policy", "most")["status"])
    condition = status.pop("conditions")[0]
    counts = {"currentHealthy": 3, "desiredHealthy": 2, "disruptionsAllowed": 1, "expectedPods": 3}
    assert status == {**counts, "observedGeneration": 1}
    assert (condition["reason"], condition["status"]) == ("SufficientPods", "True")
    assert world.get("poddisruptionbudgets.policy", "least")["status"]["desiredHealthy"] == 2
    world.ready = lambda one: one["metadata"]["name"] != "web-0"
    world.settle()
    condition = world.get("poddisruptionbudgets.policy", "most")["status"]["conditions"][0]
    assert (condition["reason"], condition["status"]) == ("InsufficientPods", "False")


def test_an_eviction_that_was_granted_counts_for_two_minutes(world: World) -> None:
    world.add("statefulsets.apps", "web", spec=stateful_set())
    selector = {"matchLabels": {"app": "web"}}
    budget = world.add("poddisruptionbudgets.policy", "b", spec={"maxUnavailable": 1, "selector": selector})
    world.settle()
    since = world.clock.wall()
    granted = {"web-0": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(since)), "gone": "2020-01-01T00:00:00Z"}
    budget = world.get("poddisruptionbudgets.policy", "b")
    status = {**budget["status"], "disruptedPods": granted}
    world.objects.update("poddisruptionbudgets.policy", {**budget, "status": status}, subresource="status")
    world.settle(60)
    status = world.get("poddisruptionbudgets.policy", "b")["status"]
    assert (list(status["disruptedPods"]), status["disruptionsAllowed"]) == (["web-0"], 0)
    world.settle(62)
    assert world.get("poddisruptionbudgets.policy", "b")["status"]["disruptionsAllowed"] == 1


def test_a_budget_over_pods_without_a_controller_allows_nothing(world: World) -> None:
    pod(world, "p")
    selector = {"matchLabels": {"app": "p"}}
    world.add("poddisruptionbudgets.policy", "b", spec={"maxUnavailable": 1, "selector": selector})
    world.settle()
    status = world.get("poddisruptionbudgets.policy", "b")["status"]
    assert status["disruptionsAllowed"] == 0
    assert status["conditions"][0]["message"] == 'found no controllers for pod "p"'


# The queue


class Counting:
    """A controller that fails as told."""

    resources = ("things",)

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.fails: dict[str, Exception] = {}

    def concerned(self, change: Change) -> list[tuple[str, str]]:
        return [("a", change.object["metadata"]["name"])]

    def reconcile(self, key: tuple[str, str]) -> float | None:
        self.seen.append(key[1])
        if key[1] in self.fails:
            raise self.fails[key[1]]
        return None


def test_the_queue_coalesces_backs_off_and_lets_no_fault_stop_the_others() -> None:
    now = [0.0]
    counting = Counting()
    queue = Engine([counting], Clock(wall=lambda: now[0], ticks=lambda: now[0]))
    for name in ("bad", "good", "good", "bad"):
        queue.notice(Change("ADDED", "things", {"metadata": {"name": name}}, None, 1))
    queue.notice(Change("ADDED", "things", {"metadata": {}}, None, 1))
    counting.fails["bad"] = KeyError("spec")
    pauses = []
    for _ in range(12):
        while (pause := queue.step()) == 0:
            pass
        assert pause is not None
        pauses.append(round(pause, 3))
        now[0] += pause
    assert counting.seen.count("good") == 1
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 60.0]
    counting.fails.clear()
    while (pause := queue.step()) == 0:
        pass
    assert pause is None
    # Whoever was well in between begins from the shortest pause again.
    counting.fails["bad"] = KeyError("spec")
    queue.notice(Change("MODIFIED", "things", {"metadata": {"name": "bad"}}, None, 2))
    while (pause := queue.step()) == 0:
        pass
    assert round(pause or 0, 3) == 0.05


async def test_run_is_idle_when_there_is_nothing_to_do_and_ends_when_cancelled(tmp_path: Path) -> None:
    world = World()
    task = asyncio.create_task(run(world.objects, volumes=tmp_path))
    world.add("statefulsets.apps", "web", spec=stateful_set(replicas=2))
    async with asyncio.timeout(90):
        while len(world.pods()) < 2 or world.get("statefulsets.apps", "web")["status"].get("readyReplicas") != 2:
            world.kubelet()
            await asyncio.sleep(0.01)
    assert world.get(VOLUMES, world.names(VOLUMES)[0])["spec"]["hostPath"]["path"].startswith(f"{tmp_path}/pvc-")
    await asyncio.sleep(0.1)
    before, used = world.objects.revision, time.process_time()
    await asyncio.sleep(0.5)
    assert world.objects.revision == before
    assert time.process_time() - used < 0.1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class _Waiting(Engine):
    """Always has something to do in a minute."""

    def step(self) -> float | None:
        return 60.0


@pytest.mark.parametrize("turns", range(8))
async def test_it_ends_when_it_is_cancelled_just_when_something_changes(turns: int) -> None:
    world = World()
    task = asyncio.create_task(drive(_Waiting([], Clock()), world.objects))
    await asyncio.sleep(0.02)
    for _, queue in world.objects.watchers:
        queue.put_nowait(Change("ADDED", "pods", {"metadata": {"namespace": "default", "name": "p"}}, None, 1))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait((task,), timeout=30)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert done


def test_hundreds_of_objects_settle_with_few_writes(world: World) -> None:
    world.objects.guard = False
    for index in range(40):
        spec = stateful_set(f"s{index}", 5, podManagementPolicy="Parallel")
        world.add("statefulsets.apps", f"s{index}", spec=spec)
    world.settle()
    assert len(world.pods()) == 200
    assert len(world.objects.kept) > 600
    writes = sum(world.objects.counts.values())
    # A restart looks at everything and finds nothing to do.
    world.restart()
    world.settle()
    assert sum(world.objects.counts.values()) == writes
    assert writes < 200 * 20


# What they share


def test_quantities_and_shares() -> None:
    told = [quantity(text) for text in ("1Gi", "1.5Gi", "500m", "10", "1e3", "2k", 7, None, "", "x", "-", "1Zi", "NaN")]
    assert told == [2**30, 3 * 2**29, 1, 10, 1000, 2000, 7, 0, 0, 0, 0, 0, 0]
    assert [share("25%", 5, up=True), share("25%", 5, up=False), share(3, 5, up=True), share("x%", 5, up=True)] == [
        2,
        1,
        3,
        0,
    ]
    assert share(None, 5, up=True) == share([], 5, up=True) == 0


def test_selectors() -> None:
    labels = {"a": "1"}
    rule = [{"key": "a", "operator": "In", "values": ["1", "2"]}, {"key": "b", "operator": "DoesNotExist"}]
    assert selects({}, labels)
    assert not selects(None, labels)
    assert selects({"matchLabels": {"a": "1"}, "matchExpressions": rule}, labels)
    assert not selects({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, labels)
    assert selects({"matchExpressions": [{"key": "b", "operator": "NotIn", "values": ["1"]}]}, labels)
    assert not selects({"matchExpressions": [{"key": "a", "operator": "Like", "values": ["1"]}]}, labels)


def test_hashes_are_stable_safe_and_change_with_the_template() -> None:
    one = safe_hash({"a": 1, "b": [2]})
    assert one == safe_hash({"b": [2], "a": 1}) != safe_hash({"a": 1, "b": [3]})
    assert len(one) == 10
    assert set(one) <= set("bcdfghjklmnpqrstvwxz2456789")


def test_the_fake_refuses_what_the_api_would() -> None:
    objects = FakeObjects()
    made = objects.create("configmaps", {"metadata": {"name": "c", "namespace": "a"}})
    objects.update("configmaps", {**made, "data": {"k": "v"}})
    for wrong in (
        lambda: objects.update("configmaps", {**made, "data": {}}),
        lambda: objects.delete("configmaps", "a", "c", uid="other"),
        lambda: objects.create("configmaps", {"metadata": {"name": "c", "namespace": "a"}}),
    ):
        with pytest.raises(ApiError):
            wrong()
