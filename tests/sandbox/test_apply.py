"""Server-side apply: who owns what, conflicts, force, and what an applier drops."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import manifests
from tui.sandbox.model import ApiError
from tui.sandbox.objects import Options
from tui.sandbox.registry import Registry

SETS = "statefulsets.apps"


def applied(registry: Registry, config: dict[str, Any], manager: str, *, force: bool = False, dry: bool = False) -> Any:
    kind = registry.kinds.of_kind(config["apiVersion"], config["kind"])
    name = config["metadata"]["name"]
    return registry.apply(kind, "default", name, config, Options(manager, force=force, dry=dry))[0]


def owners(obj: dict[str, Any]) -> dict[tuple[str, str], Any]:
    return {(entry["manager"], entry["operation"]): entry["fieldsV1"] for entry in obj["metadata"]["managedFields"]}


def config(data: dict[str, str], **labels: str) -> dict[str, Any]:
    meta = {"name": "c", "namespace": "default", "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def test_conflicts_are_named_as_the_real_server_names_them(registry: Registry) -> None:
    registry.create(SETS, manifests.made("StatefulSet"), manager="kubectl-client-side-apply")
    wanted = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db"},
        "spec": {"replicas": 9, "template": {"spec": {"containers": [{"name": "mysql", "image": "zz"}]}}},
    }
    with pytest.raises(ApiError) as refused:
        applied(registry, wanted, "me")
    problem = refused.value
    assert problem.code == 409 and problem.reason == "Conflict"
    assert problem.message == (
        'Apply failed with 2 conflicts: conflicts with "kubectl-client-side-apply" using apps/v1:\n'
        '- .spec.replicas\n- .spec.template.spec.containers[name="mysql"].image'
    )
    assert problem.details["causes"][0] == {
        "reason": "FieldManagerConflict",
        "message": 'conflict with "kubectl-client-side-apply" using apps/v1',
        "field": ".spec.replicas",
    }
    before = registry.get(SETS, "default", "db")
    assert before["spec"]["replicas"] == 3
    made = applied(registry, wanted, "me", force=True)
    assert made["spec"]["replicas"] == 9
    containers = made["spec"]["template"]["spec"]["containers"]
    assert len(containers) == 1 and containers[0]["image"] == "zz" and containers[0]["env"]
    owned = owners(made)
    assert owned["me", "Apply"] == {
        "f:spec": {
            "f:replicas": {},
            "f:template": {"f:spec": {"f:containers": {'k:{"name":"mysql"}': {".": {}, "f:image": {}, "f:name": {}}}}},
        }
    }
    assert "f:replicas" not in owned["kubectl-client-side-apply", "Update"]["f:spec"]
    assert applied(registry, wanted, "me") == made


def test_what_an_applier_drops_goes_unless_another_owns_it(registry: Registry) -> None:
    applied(registry, config({"a": "1", "b": "2", "c": "3"}, x="1", y="2"), "one")
    applied(registry, config({"b": "2"}), "two")
    made = applied(registry, config({"a": "1"}, x="1"), "one")
    assert made["data"] == {"a": "1", "b": "2"}
    assert made["metadata"]["labels"] == {"x": "1"}
    made = applied(registry, config({}), "two")
    assert made["data"] == {"a": "1"}
    registry.patch("configmaps", "default", "c", {"data": {"a": "9"}}, manager="three")
    with pytest.raises(ApiError):
        applied(registry, config({"a": "1"}, x="1"), "one")
    registry.patch("configmaps", "default", "c", {"data": {"a": "1"}}, manager="three")
    made = applied(registry, config({"a": "1"}, x="1"), "one")
    assert owners(made)["three", "Update"] == {"f:data": {"f:a": {}}}


def test_an_element_of_a_list_goes_with_its_owner(registry: Registry) -> None:
    full = manifests.made("StatefulSet")
    full["spec"]["template"]["spec"]["containers"].append({"name": "side", "image": "x"})
    made = applied(registry, full, "helm")
    del full["spec"]["template"]["spec"]["containers"][0]["env"][0]
    full["spec"]["template"]["spec"]["containers"].pop()
    again = applied(registry, full, "helm")
    containers = again["spec"]["template"]["spec"]["containers"]
    assert [container["name"] for container in containers] == ["mysql"]
    assert [variable["name"] for variable in containers[0]["env"]] == ["POD", "SECRET"]
    assert again["metadata"]["generation"] == made["metadata"]["generation"] + 1
    same = applied(registry, copy.deepcopy(full), "helm")
    assert same["metadata"]["resourceVersion"] == again["metadata"]["resourceVersion"]


def test_status_has_owners_of_its_own(registry: Registry) -> None:
    registry.create("pods", manifests.made("Pod"), manager="me")
    made = registry.patch(
        "pods", "default", "one", {"status": {"phase": "Running"}}, subresource="status", manager="kubelet"
    )
    entry = next(entry for entry in made["metadata"]["managedFields"] if entry["manager"] == "kubelet")
    assert entry["subresource"] == "status"
    assert entry["fieldsV1"] == {"f:status": {"f:phase": {}}}
    assert "f:status" not in owners(made)["me", "Update"]


def test_a_dry_run_changes_nothing(registry: Registry) -> None:
    before = registry.store.revision
    made = applied(registry, manifests.made("StatefulSet"), "me", dry=True)
    assert made["spec"]["podManagementPolicy"] == "OrderedReady"
    assert registry.store.revision == before and registry.get(SETS, "default", "db") is None
