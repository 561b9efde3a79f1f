"""The rules by which objects are made, changed and deleted, as Kubernetes 1.36.3 answers."""

from __future__ import annotations

from typing import Any

import pytest

import manifests
from tui.sandbox import patches, shapes
from tui.sandbox.collector import Collector
from tui.sandbox.model import ApiError
from tui.sandbox.objects import Options
from tui.sandbox.registry import Registry

SETS = "statefulsets.apps"


def refused(code: int, call: Any, *args: Any, **named: Any) -> ApiError:
    with pytest.raises(ApiError) as problem:
        call(*args, **named)
    assert problem.value.code == code, problem.value.message
    return problem.value


def fields(problem: ApiError) -> dict[str, str]:
    return {cause["field"]: cause["reason"] for cause in problem.details["causes"]}


def test_a_stateful_set_gets_what_the_real_server_gives_it(registry: Registry) -> None:
    made = registry.create(SETS, manifests.made("StatefulSet"))
    spec, meta = made["spec"], made["metadata"]
    assert meta["generation"] == 1 and meta["uid"] and meta["creationTimestamp"].endswith("Z")
    assert spec["podManagementPolicy"] == "OrderedReady" and spec["revisionHistoryLimit"] == 10
    assert spec["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert spec["volumeClaimTemplates"][0]["spec"]["volumeMode"] == "Filesystem"
    pod = spec["template"]["spec"]
    assert (pod["restartPolicy"], pod["terminationGracePeriodSeconds"]) == ("Always", 30)
    container = pod["containers"][0]
    assert container["ports"] == [{"name": "mysql", "containerPort": 3306, "protocol": "TCP"}]
    assert container["resources"]["requests"] == {"cpu": "100m", "memory": "64Mi"}
    assert container["readinessProbe"]["failureThreshold"] == 3


def test_what_it_changes_counts_and_what_it_must_not_is_refused(registry: Registry) -> None:
    made = registry.create(SETS, manifests.made("StatefulSet"))
    scaled = registry.patch(SETS, "default", "db", {"spec": {"replicas": 5}})
    assert scaled["metadata"]["generation"] == 2
    told = registry.patch(
        SETS, "default", "db", {"status": {"replicas": 5}, "spec": {"replicas": 9}}, subresource="status"
    )
    assert (told["spec"]["replicas"], told["status"]["replicas"], told["metadata"]["generation"]) == (5, 5, 2)
    assert registry.patch(SETS, "default", "db", {"spec": {"replicas": 5}}) == told
    problem = refused(422, registry.patch, SETS, "default", "db", {"spec": {"serviceName": "other"}})
    assert problem.message.startswith('StatefulSet.apps "db" is invalid: spec: Forbidden: updates to statefulset spec')
    assert refused(409, registry.update, SETS, made).reason == "Conflict"
    other = {**told, "metadata": {**told["metadata"], "uid": "x"}}
    assert refused(409, registry.update, SETS, other).reason == "Conflict"


def test_all_that_is_wrong_is_said_at_once(registry: Registry) -> None:
    bad = manifests.made("StatefulSet", "q")
    bad["spec"] |= {"replicas": -1, "volumeClaimTemplates": []}
    bad["spec"]["template"]["metadata"]["labels"] = {"a": "c"}
    bad["spec"]["template"]["spec"] = {
        "restartPolicy": "Never",
        "containers": [{"name": "A B", "ports": [{}], "env": [{"name": "a=b"}], "volumeMounts": [{"name": "x"}]}],
    }
    start = "spec.template.spec"
    assert fields(refused(422, registry.create, SETS, bad)) == {
        "spec.replicas": "FieldValueInvalid",
        "spec.template.metadata.labels": "FieldValueInvalid",
        f"{start}.containers[0].name": "FieldValueInvalid",
        f"{start}.containers[0].image": "FieldValueRequired",
        f"{start}.containers[0].ports[0].containerPort": "FieldValueRequired",
        f"{start}.containers[0].env[0].name": "FieldValueInvalid",
        f"{start}.containers[0].volumeMounts[0].name": "FieldValueNotFound",
        f"{start}.containers[0].volumeMounts[0].mountPath": "FieldValueRequired",
        f"{start}.restartPolicy": "FieldValueNotSupported",
    }


def test_values_of_another_type_are_refused_as_the_decoder_words_it(registry: Registry) -> None:
    bad = manifests.made("ConfigMap")
    bad["data"] = {"a": 1}
    told = refused(400, registry.create, "configmaps", bad).message
    start = 'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal '
    assert told == start + "number into Go struct field ConfigMap.data of type string"
    bad["metadata"] = "a"
    told = refused(400, registry.add, registry.kind("configmaps"), "default", bad, Options()).message
    assert told == start + "string into Go struct field ConfigMap.metadata of type v1.ObjectMeta"


def test_services_get_addresses_of_their_own(registry: Registry) -> None:
    service = {"metadata": {"name": "a", "namespace": "default"}, "spec": {"ports": [{"port": 80}]}}
    made = registry.create("services", service)
    assert made["spec"]["clusterIP"].startswith("10.96.") and made["spec"]["clusterIPs"] == [made["spec"]["clusterIP"]]
    assert made["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    assert registry.create("services", manifests.made("Service"))["spec"]["clusterIP"] == "None"
    service["metadata"]["name"] = "b"
    service["spec"]["clusterIP"] = made["spec"]["clusterIP"]
    assert "already allocated" in refused(422, registry.create, "services", service).message
    node = {"metadata": {"name": "n", "namespace": "default"}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}}
    assert 30000 <= registry.create("services", node)["spec"]["ports"][0]["nodePort"] < 32768


def test_pods_end_gracefully_when_they_run_and_at_once_when_not(registry: Registry) -> None:
    pod = manifests.made("Pod")
    registry.create("pods", pod)
    registry.delete("pods", "default", "one")
    assert registry.get("pods", "default", "one") is None
    pod["spec"]["nodeName"] = "sandbox"
    pod["metadata"].pop("name")
    pod["metadata"]["generateName"] = "one-"
    made = registry.create("pods", pod)
    name = made["metadata"]["name"]
    assert name.startswith("one-") and len(name) == 9
    refused(409, registry.delete, "pods", "default", name, uid="other")
    registry.delete("pods", "default", name)
    marked = registry.get("pods", "default", name)
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 30
    registry.delete("pods", "default", name, grace=5)
    assert registry.get("pods", "default", name)["metadata"]["deletionGracePeriodSeconds"] == 5
    registry.delete("pods", "default", name, grace=0)
    assert registry.get("pods", "default", name) is None


def test_finalizers_hold_an_object_until_the_last_is_gone(registry: Registry) -> None:
    config = manifests.made("ConfigMap")
    config["metadata"]["finalizers"] = ["example.org/a"]
    registry.create("configmaps", config)
    registry.delete("configmaps", "default", "db")
    assert registry.get("configmaps", "default", "db")["metadata"]["deletionTimestamp"]
    registry.patch("configmaps", "default", "db", {"metadata": {"finalizers": None}})
    assert registry.get("configmaps", "default", "db") is None


@pytest.mark.parametrize("propagation", ["Background", "Foreground", "Orphan"])
def test_dependents_follow_their_owners(registry: Registry, propagation: Any) -> None:
    collector = Collector(registry)
    owner = registry.create(SETS, manifests.made("StatefulSet"))
    pod = manifests.made("Pod")
    reference = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": owner["metadata"]["uid"]}
    pod["metadata"]["ownerReferences"] = [{**reference, "controller": True, "blockOwnerDeletion": True}]
    registry.create("pods", pod)
    collector.collect()
    assert registry.get("pods", "default", "one")
    registry.delete(SETS, "default", "db", propagation=propagation)
    assert (registry.get(SETS, "default", "db") is None) == (propagation == "Background")
    for _ in range(3):
        collector.collect()
    assert registry.get(SETS, "default", "db") is None
    left = registry.get("pods", "default", "one")
    if propagation == "Orphan":
        assert left and "ownerReferences" not in left["metadata"]
    else:
        assert left is None


def test_what_changed_before_history_was_forgotten_is_collected_too(registry: Registry) -> None:
    collector = Collector(registry)
    owner = registry.create("configmaps", {"metadata": {"name": "owner", "namespace": "default"}})
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    collector.collect()
    mine = {"metadata": {"name": "mine", "namespace": "default", "ownerReferences": [reference]}}
    registry.create("configmaps", mine)
    registry.delete("configmaps", "default", "owner")
    registry.store.forget()
    collector.collect()
    assert registry.get("configmaps", "default", "mine") is None


def test_a_dependent_of_two_owners_goes_with_the_last(registry: Registry) -> None:
    collector = Collector(registry)
    references = []
    for name in ("first", "second"):
        made = registry.create("configmaps", {"metadata": {"name": name, "namespace": "default"}})
        references.append({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": made["metadata"]["uid"]})
    registry.create("secrets", {"metadata": {"name": "of", "namespace": "default", "ownerReferences": references}})
    for name, left in (("first", ["first", "second"]), ("second", ["second"])):
        of = registry.get("secrets", "default", "of") or {}
        assert [one["name"] for one in of["metadata"]["ownerReferences"]] == left
        registry.delete("configmaps", "default", name)
        collector.collect()
    assert registry.get("secrets", "default", "of") is None


def test_nothing_is_made_in_a_namespace_that_goes(registry: Registry) -> None:
    registry.create("namespaces", {"metadata": {"name": "x"}})
    registry.delete("namespaces", "", "x")
    assert registry.get("namespaces", "", "x")["status"]["phase"] == "Terminating"
    problem = refused(403, registry.create, "configmaps", {"metadata": {"name": "d", "namespace": "x"}})
    assert problem.message.endswith("because it is being terminated")


def test_definitions_are_served_checked_and_gone(registry: Registry) -> None:
    registry.create("customresourcedefinitions.apiextensions.k8s.io", manifests.made("CustomResourceDefinition"))
    key = "widgets.example.org"
    made = registry.create(key, {"metadata": {"name": "w", "namespace": "default"}, "spec": {"size": "small", "x": 1}})
    assert made["spec"] == {"size": "small", "replicas": 1} and made["metadata"]["generation"] == 1
    bad = {"metadata": {"name": "v", "namespace": "default"}, "spec": {"size": "huge", "replicas": -1}}
    found = fields(refused(422, registry.create, key, bad))
    assert found == {"spec.size": "FieldValueNotSupported", "spec.replicas": "FieldValueInvalid"}
    bad["spec"] = {"size": 1}
    refused(400, registry.create, key, bad)
    registry.delete("customresourcedefinitions.apiextensions.k8s.io", "", key)
    refused(404, registry.create, key, bad)
    assert registry.list(key) == []


def test_events_are_counted_up(registry: Registry) -> None:
    pod = registry.create("pods", manifests.made("Pod"))
    for _ in range(3):
        registry.event(pod, "BackOff", "Back-off restarting", kind="Warning", source="kubelet")
    registry.event(pod, "Started", "Started container c", source="kubelet")
    told = {event["reason"]: event["count"] for event in registry.list("events", "default")}
    assert told == {"BackOff": 3, "Started": 1}


def test_strategic_patches_merge_by_key() -> None:
    shape = shapes.of_kind("v1", "Pod")
    old = {
        "metadata": {"finalizers": ["a", "b"]},
        "spec": {
            "containers": [
                {"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]},
                {"name": "b", "image": "1", "ports": [{"containerPort": 1, "name": "one"}]},
            ],
            "tolerations": [{"key": "k"}],
            "volumes": [{"name": "v", "emptyDir": {}}],
        },
    }
    patch = {
        "metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]},
        "spec": {
            "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
            "containers": [
                {"name": "a", "env": [{"name": "X", "$patch": "delete"}, {"name": "Z", "value": "3"}]},
                {"name": "b", "ports": [{"containerPort": 1, "name": "uno"}, {"containerPort": 2}]},
            ],
            "tolerations": [{"key": "other"}],
            "volumes": [{"name": "v", "$retainKeys": ["name", "secret"], "secret": {"secretName": "s"}}],
        },
    }
    new = patches.strategic(shape, old, patch)
    assert new["metadata"]["finalizers"] == ["b"]
    assert [container["name"] for container in new["spec"]["containers"]] == ["b", "a"]
    assert new["spec"]["containers"][1]["env"] == [{"name": "Y", "value": "2"}, {"name": "Z", "value": "3"}]
    assert new["spec"]["containers"][0]["ports"] == [{"containerPort": 1, "name": "uno"}, {"containerPort": 2}]
    assert new["spec"]["tolerations"] == [{"key": "other"}]
    assert new["spec"]["volumes"] == [{"name": "v", "secret": {"secretName": "s"}}]
    assert old["spec"]["containers"][0]["image"] == "1" and old["spec"]["volumes"] == [{"name": "v", "emptyDir": {}}]
