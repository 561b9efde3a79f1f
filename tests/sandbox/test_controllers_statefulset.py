"""StatefulSets: order, names, claims, revisions, roll-outs. The traces are those of a real 1.36."""

from __future__ import annotations

from typing import Any

import pytest
from fake_objects import World, stateful_set, template

from tui.sandbox.model import ApiError, Json

SET, HASH = "statefulsets.apps", "controller-revision-hash"


@pytest.fixture
def world() -> World:
    return World()


def status(world: World, name: str = "web") -> Json:
    return world.get(SET, name)["status"]


def revisions(world: World) -> dict[str, str]:
    return {name: pod["metadata"]["labels"][HASH] for name, pod in world.pods().items()}


def change(world: World, text: str, **spec: Any) -> None:
    new = template("web")
    new["metadata"]["annotations"] = {"v": text}
    world.edit(SET, "web", {"spec": {"template": new, **spec}})


def test_a_set_comes_up_in_order_as_the_real_one_does(world: World) -> None:
    the_set = world.add(SET, "web", annotations={"note": "x"}, spec=stateful_set())
    world.settle()
    assert world.messages("StatefulSet/web") == [
        f"Create {what}"
        for ordinal in range(3)
        for what in (
            f"Claim data-web-{ordinal} Pod web-{ordinal} in StatefulSet web success",
            f"Pod web-{ordinal} in StatefulSet web successful",
        )
    ]
    revision = world.get("controllerrevisions.apps", world.names("controllerrevisions.apps")[0])
    name = revision["metadata"]["name"]
    hashed = name.removeprefix("web-")
    assert revision["metadata"]["labels"] == {"app": "web", "controller.kubernetes.io/hash": hashed}
    assert revision["metadata"]["annotations"] == {"note": "x"}
    assert revision["revision"] == 1
    assert revision["data"]["spec"]["template"]["$patch"] == "replace"
    pod = world.pods()["web-1"]
    assert pod["metadata"]["generateName"] == "web-"
    assert pod["metadata"]["labels"] == {
        "app": "web",
        "apps.kubernetes.io/pod-index": "1",
        HASH: name,
        "statefulset.kubernetes.io/pod-name": "web-1",
    }
    assert pod["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "apps/v1",
            "blockOwnerDeletion": True,
            "controller": True,
            "kind": "StatefulSet",
            "name": "web",
            "uid": the_set["metadata"]["uid"],
        }
    ]
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("web-1", "web")
    assert pod["spec"]["volumes"] == [{"name": "data", "persistentVolumeClaim": {"claimName": "data-web-1"}}]
    assert world.get("persistentvolumeclaims", "data-web-1")["metadata"]["labels"] == {"app": "web", "x": "z"}
    assert "ownerReferences" not in world.get("persistentvolumeclaims", "data-web-1")["metadata"]
    assert status(world) == {
        "availableReplicas": 3,
        "collisionCount": 0,
        "currentReplicas": 3,
        "currentRevision": name,
        "observedGeneration": 1,
        "readyReplicas": 3,
        "replicas": 3,
        "updateRevision": name,
        "updatedReplicas": 3,
    }


def test_an_ordered_set_waits_for_each_pod(world: World) -> None:
    world.ready = lambda pod: pod["metadata"]["name"] != "web-1"
    world.add(SET, "web", spec=stateful_set())
    world.settle(5)
    assert list(world.pods()) == ["web-0", "web-1"]
    assert (status(world)["replicas"], status(world)["readyReplicas"]) == (2, 1)
    world.ready = lambda pod: True
    world.settle()
    assert list(world.pods()) == ["web-0", "web-1", "web-2"]


def test_a_parallel_set_does_not_wait_and_starts_at_its_ordinal(world: World) -> None:
    world.ready = lambda pod: False
    world.add(SET, "web", spec=stateful_set(podManagementPolicy="Parallel", ordinals={"start": 3}))
    world.settle()
    assert list(world.pods()) == ["web-3", "web-4", "web-5"]
    world.edit(SET, "web", {"spec": {"ordinals": {"start": 5}, "replicas": 2}})
    world.settle()
    assert list(world.pods()) == ["web-5", "web-6"]
    assert world.pods()["web-6"]["metadata"]["labels"]["apps.kubernetes.io/pod-index"] == "6"


def test_min_ready_seconds_part_available_from_ready(world: World) -> None:
    world.add(SET, "web", spec=stateful_set(replicas=2, minReadySeconds=10))
    world.settle()
    assert list(world.pods()) == ["web-0"]
    assert (status(world)["readyReplicas"], status(world)["availableReplicas"]) == (1, 0)
    world.settle(9)
    assert list(world.pods()) == ["web-0"]
    world.settle(2)
    assert list(world.pods()) == ["web-0", "web-1"]
    world.settle(12)
    assert (status(world)["readyReplicas"], status(world)["availableReplicas"]) == (2, 2)


def test_scaling_down_goes_from_the_last_and_waits_for_each_to_be_gone(world: World) -> None:
    world.add(SET, "web", spec=stateful_set())
    world.settle()
    world.ends = lambda pod: False
    world.edit(SET, "web", {"spec": {"replicas": 1}})
    world.settle(3)
    assert [name for name, pod in world.pods().items() if "deletionTimestamp" in pod["metadata"]] == ["web-2"]
    world.ends = lambda pod: True
    world.settle()
    assert list(world.pods()) == ["web-0"]
    assert world.messages("StatefulSet/web")[-2:] == [
        "Delete Pod web-2 in StatefulSet web successful",
        "Delete Pod web-1 in StatefulSet web successful",
    ]
    assert world.names("persistentvolumeclaims") == ["data-web-0", "data-web-1", "data-web-2"]


def test_scaling_down_does_not_go_on_while_an_earlier_pod_is_ill(world: World) -> None:
    world.add(SET, "web", spec=stateful_set())
    world.settle()
    world.ready = lambda pod: pod["metadata"]["name"] != "web-0"
    world.settle()
    world.edit(SET, "web", {"spec": {"replicas": 1}})
    world.settle(3)
    assert list(world.pods()) == ["web-0", "web-1", "web-2"]


def test_an_ill_pod_that_is_too_much_may_go(world: World) -> None:
    world.ready = lambda pod: pod["metadata"]["name"] != "web-2"
    world.add(SET, "web", spec=stateful_set())
    world.settle()
    world.edit(SET, "web", {"spec": {"replicas": 1}})
    world.settle(3)
    assert list(world.pods()) == ["web-0"]


def test_a_parallel_set_rolls_out_one_at_a_time_all_the_same(world: World) -> None:
    world.add(SET, "web", spec=stateful_set(podManagementPolicy="Parallel"))
    world.settle()
    old = status(world)["currentRevision"]
    world.ready = lambda pod: pod["metadata"]["labels"][HASH] == old
    change(world, "2")
    world.settle(3)
    assert [name for name, text in revisions(world).items() if text != old] == ["web-2"]


def test_a_claim_of_a_pod_that_is_gone_is_waited_out(world: World) -> None:
    gone = {"apiVersion": "v1", "kind": "Pod", "name": "web-0", "uid": "of-before"}
    meta = {"name": "data-web-0", "namespace": "a", "ownerReferences": [gone]}
    spec = {"storageClassName": "now", "resources": {"requests": {"storage": "1Gi"}}}
    kind = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
    world.objects.create("persistentvolumeclaims", {**kind, "metadata": meta, "spec": spec})
    world.add(SET, "web", spec=stateful_set(replicas=1))
    world.settle(2)
    assert world.pods() == {}
    world.objects.delete("persistentvolumeclaims", "a", "data-web-0")
    world.settle()
    assert list(world.pods()) == ["web-0"]


def test_a_deleted_pod_comes_back_with_its_ordinal_and_claim(world: World) -> None:
    world.add(SET, "web", spec=stateful_set())
    world.settle()
    before, volume = world.pods()["web-1"], world.get("persistentvolumeclaims", "data-web-1")["spec"]["volumeName"]
    world.objects.delete("pods", "a", "web-1")
    world.settle()
    after = world.pods()["web-1"]
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert world.get("persistentvolumeclaims", "data-web-1")["spec"]["volumeName"] == volume
    assert status(world)["readyReplicas"] == 3


@pytest.mark.parametrize(
    ("phase", "reason"), [("Failed", "RecreatingFailedPod"), ("Succeeded", "RecreatingTerminatedPod")]
)
def test_a_pod_that_has_ended_is_replaced(world: World, phase: str, reason: str) -> None:
    world.add(SET, "web", spec=stateful_set(replicas=2))
    world.settle()
    old = world.pods()["web-0"]
    world.report(old, phase=phase)
    world.settle()
    assert world.pods()["web-0"]["metadata"]["uid"] != old["metadata"]["uid"]
    assert reason in world.reasons("StatefulSet/web")


def test_a_roll_out_goes_from_the_last_one_at_a_time(world: World) -> None:
    world.add(SET, "web", spec=stateful_set())
    world.settle()
    old = status(world)["currentRevision"]
    world.ready = lambda pod: pod["metadata"]["name"] != "web-2" or pod["metadata"]["labels"][HASH] == old
    change(world, "2")
    world.settle(3)
    new = status(world)["updateRevision"]
    assert new != old
    assert revisions(world) == {"web-0": old, "web-1": old, "web-2": new}
    assert status(world) == {
        "availableReplicas": 2,
        "collisionCount": 0,
        "currentReplicas": 2,
        "currentRevision": old,
        "observedGeneration": 2,
        "readyReplicas": 2,
        "replicas": 3,
        "updateRevision": new,
        "updatedReplicas": 1,
    }
    # As seen on the real one: whatever is lost meanwhile comes back in the new revision, whichever its turn.
    world.objects.delete("pods", "a", "web-0")
    world.settle()
    assert revisions(world)["web-0"] == new
    world.ready = lambda pod: True
    world.settle()
    assert revisions(world) == dict.fromkeys(("web-0", "web-1", "web-2"), new)
    assert (status(world)["currentRevision"], status(world)["currentReplicas"]) == (new, 3)
    deleted = [what for what in world.messages("StatefulSet/web") if what.startswith("Delete")]
    assert [what.split()[2] for what in deleted] == ["web-2", "web-1"]


def test_a_partition_keeps_the_first_pods_at_the_old_revision(world: World) -> None:
    world.add(SET, "web", spec=stateful_set())
    world.settle()
    old = status(world)["currentRevision"]
    change(world, "2", updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 1}})
    world.settle()
    new = status(world)["updateRevision"]
    assert revisions(world) == {"web-0": old, "web-1": new, "web-2": new}
    world.objects.delete("pods", "a", "web-0")
    world.settle()
    assert revisions(world)["web-0"] == old
    assert (status(world)["currentReplicas"], status(world)["updatedReplicas"]) == (1, 2)
    world.edit(SET, "web", {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}})
    world.settle()
    assert set(revisions(world).values()) == {new}
    assert status(world)["currentRevision"] == new


def test_on_delete_leaves_the_replacing_to_the_user(world: World) -> None:
    world.add(SET, "web", spec=stateful_set(updateStrategy={"type": "OnDelete"}))
    world.settle()
    old = status(world)["currentRevision"]
    change(world, "2")
    world.settle(3)
    assert set(revisions(world).values()) == {old}
    world.objects.delete("pods", "a", "web-1")
    world.settle()
    new = status(world)["updateRevision"]
    assert revisions(world) == {"web-0": old, "web-1": new, "web-2": old}


def test_rolling_back_takes_the_old_revision_again_and_history_is_limited(world: World) -> None:
    world.add(SET, "web", spec=stateful_set(replicas=1, revisionHistoryLimit=1))
    world.settle()
    for text in ("2", "3", "2"):
        change(world, text)
        world.settle()
    history = {one["metadata"]["name"]: one["revision"] for one in world.objects.list("controllerrevisions.apps")}
    assert len(history) == 2
    assert history[status(world)["updateRevision"]] == 4
    assert sorted(history.values()) == [3, 4]


def test_claims_go_with_scaled_pods_and_the_set_when_the_policy_says_so(world: World) -> None:
    policy = {"whenDeleted": "Delete", "whenScaled": "Delete"}
    the_set = world.add(SET, "web", spec=stateful_set(persistentVolumeClaimRetentionPolicy=policy))
    world.settle()
    claim = world.get("persistentvolumeclaims", "data-web-1")
    assert [one["uid"] for one in claim["metadata"]["ownerReferences"]] == [the_set["metadata"]["uid"]]
    world.ends = lambda pod: False
    world.edit(SET, "web", {"spec": {"replicas": 1}})
    world.settle()
    owner = world.get("persistentvolumeclaims", "data-web-2")["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("Pod", "web-2", True)
    world.ends = lambda pod: True
    world.settle()
    assert world.names("persistentvolumeclaims") == ["data-web-0"]
    world.objects.delete(SET, "a", "web")
    world.settle()
    assert world.names("persistentvolumeclaims") == []
    assert world.names("persistentvolumes") == []


def test_a_pod_waits_for_a_fresh_claim_when_the_old_one_is_going(world: World) -> None:
    policy = {"whenScaled": "Delete"}
    world.add(SET, "web", spec=stateful_set(replicas=2, persistentVolumeClaimRetentionPolicy=policy))
    world.settle()
    old = world.get("persistentvolumeclaims", "data-web-1")["metadata"]["uid"]
    world.edit(SET, "web", {"spec": {"replicas": 1}})
    world.control()
    world.edit(SET, "web", {"spec": {"replicas": 2}})
    world.settle(2)
    assert list(world.pods()) == ["web-0", "web-1"]
    assert world.get("persistentvolumeclaims", "data-web-1")["metadata"]["uid"] != old


def test_changing_the_policy_changes_the_owners_of_claims(world: World) -> None:
    world.add(SET, "web", spec=stateful_set(replicas=1))
    world.settle()
    for value, count in (("Delete", 1), ("Retain", 0)):
        world.edit(SET, "web", {"spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": value}}})
        world.settle()
        meta = world.get("persistentvolumeclaims", "data-web-0")["metadata"]
        assert len(meta.get("ownerReferences") or []) == count


def test_pods_orphaned_with_their_set_are_adopted_by_the_next(world: World) -> None:
    world.add(SET, "web", spec=stateful_set())
    world.settle()
    uids = [pod["metadata"]["uid"] for pod in world.pods().values()]
    world.objects.delete(SET, "a", "web", propagation="Orphan")
    world.settle()
    assert list(world.pods()) == ["web-0", "web-1", "web-2"]
    assert not any(pod["metadata"].get("ownerReferences") for pod in world.pods().values())
    the_set = world.add(SET, "web", spec=stateful_set())
    world.settle()
    assert [pod["metadata"]["uid"] for pod in world.pods().values()] == uids
    owners = {pod["metadata"]["ownerReferences"][0]["uid"] for pod in world.pods().values()}
    assert owners == {the_set["metadata"]["uid"]}


def test_what_is_not_its_own_stays_untouched(world: World) -> None:
    for name in ("webby-0", "web-x", "web-01"):
        world.add("pods", name, labels={"app": "web"}, spec={"containers": [{"name": "c"}]})
    world.add(SET, "web", spec=stateful_set(replicas=1))
    world.settle()
    for name in ("webby-0", "web-x", "web-01"):
        assert "ownerReferences" not in world.pods()[name]["metadata"]


def test_a_refusal_is_told_and_tried_again(world: World) -> None:
    denied = ApiError(403, "Forbidden", "exceeded quota")
    world.objects.refuse = lambda verb, kind, obj: denied if (verb, kind) == ("create", "pods") else None
    world.add(SET, "web", spec=stateful_set(replicas=1))
    world.settle(5)
    assert "create Pod web-0 in StatefulSet web failed error: exceeded quota" in world.messages("StatefulSet/web")
    assert status(world)["observedGeneration"] == 1
    assert 3 < world.reasons("StatefulSet/web").count("FailedCreate") < 12
    world.objects.refuse = lambda verb, kind, obj: None
    world.settle(10)
    assert list(world.pods()) == ["web-0"]


def test_controllers_that_begin_anew_at_any_point_go_on_right() -> None:
    """Cut off after each single write in turn, then begun anew with nothing but the objects."""
    writes = 0
    for cut in range(60):
        world = World()
        world.add(SET, "web", spec=stateful_set(replicas=2))
        left = cut

        def refuse(verb: str, resource: str, obj: Json) -> ApiError | None:
            nonlocal left
            left -= 1
            return ApiError(500, "InternalError", "gone") if left < 0 else None

        world.objects.refuse = refuse
        world.settle()
        writes = cut - max(left, 0)
        world.objects.refuse = lambda verb, kind, obj: None
        world.restart()
        world.settle()
        assert list(world.pods()) == ["web-0", "web-1"]
        assert (status(world)["readyReplicas"], status(world)["currentReplicas"]) == (2, 2)
        assert len(world.names("persistentvolumes")) == len(world.names("persistentvolumeclaims")) == 2
        assert len(world.names("controllerrevisions.apps")) == 1
    assert writes < 59, "the cuts do not reach the end"


def test_a_hostile_count_makes_no_more_than_so_many(world: World) -> None:
    world.objects.guard = False
    world.add(
        SET, "web", spec=stateful_set(replicas=2**31 - 1, podManagementPolicy="Parallel", volumeClaimTemplates=[])
    )
    world.control()
    assert len(world.pods()) == 1000
