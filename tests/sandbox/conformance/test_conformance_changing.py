"""What the real kubectl changes: apply, diff, patch, label, delete, wait, custom resources; and what it sees of it."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator

import pytest
from objects import Json, deployment, pod, service, stateful_set, text
from target import Target
from tool import Tool, eventually

Apply = Callable[..., str]


def test_apply_and_diff(target: Target, kubectl: Tool, apply: Apply) -> None:
    before, after = deployment(target.image), deployment(target.image, replicas=3)
    told = kubectl.run("diff", "-f", "-", stdin=text(before, service("front")))
    assert told.code == 1 and "+kind: Deployment" in told.out and "+kind: Service" in told.out
    assert apply(before, service("front")) == "deployment.apps/front created\nservice/front created\n"
    assert apply(before, service("front")) == "deployment.apps/front unchanged\nservice/front unchanged\n"
    assert kubectl("diff", "-f", "-", stdin=text(before)) == ""
    told = kubectl.run("diff", "-f", "-", stdin=text(after))
    assert told.code == 1 and told.err in ("", "exit status 1\n")
    changed = [line for line in told.out.splitlines() if re.match(r"[+-][^+-]", line)]
    assert changed == ["-  generation: 1", "+  generation: 2", "-  replicas: 2", "+  replicas: 3"]
    assert apply(after) == "deployment.apps/front configured\n"
    assert kubectl("get", "deploy", "front", "-o", "jsonpath={.metadata.generation}") == "2"
    # What was taken out of the manifest goes, what others put in stays.
    kubectl("label", "deploy", "front", "theirs=1")
    after["metadata"]["labels"] = {"kept": "1"}
    assert apply(after) == "deployment.apps/front configured\n"
    assert kubectl("get", "deploy", "front", "-o", "jsonpath={.metadata.labels}") == '{"kept":"1","theirs":"1"}'
    view = kubectl("apply", "view-last-applied", "deploy/front", "-o", "json")
    assert json.loads(view)["spec"]["replicas"] == 3


def test_apply_prunes(kubectl: Tool) -> None:
    def config(name: str) -> Json:
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"set": "x"}}}

    kubectl("apply", "-f", "-", stdin=text(config("a"), config("b")))
    prune = ("--prune", "-l", "set=x", "--prune-allowlist=core/v1/ConfigMap")
    told = kubectl("apply", *prune, "-f", "-", stdin=text(config("a")))
    assert told == "configmap/a unchanged\nconfigmap/b pruned\n"


def test_apply_on_the_server(target: Target, kubectl: Tool) -> None:
    def applied(manager: str, obj: Json, *more: str) -> tuple[str, ...]:
        return ("apply", "--server-side", f"--field-manager={manager}", *more, "-f", "-")

    first, second = deployment(target.image), deployment(target.image, replicas=4)
    assert kubectl(*applied("one", first), stdin=text(first)) == "deployment.apps/front serverside-applied\n"
    told = kubectl.refused(*applied("two", second), stdin=text(second))
    assert 'error: Apply failed with 1 conflict: conflict with "one": .spec.replicas\n' in told
    assert "--force-conflicts" in told
    kubectl(*applied("two", second, "--force-conflicts"), stdin=text(second))
    fields = json.loads(kubectl("get", "deploy", "front", "-o", "json", "--show-managed-fields"))["metadata"][
        "managedFields"
    ]
    owners = {one["manager"]: one["fieldsV1"]["f:spec"] for one in fields if one["operation"] == "Apply"}
    assert "f:replicas" not in owners["one"] and "f:replicas" in owners["two"]
    kubectl("set", "image", "deploy/front", "main=other:1", "--field-manager=three")
    told = kubectl.refused(*applied("one", first), stdin=text(first))
    assert "error: Apply failed with 2 conflicts: " in told
    assert 'conflicts with "three" using apps/v1:\n- .spec.template.spec.containers[name="main"].image\n' in told
    assert 'conflicts with "two":\n- .spec.replicas\n' in told
    kubectl("set", "image", "deploy/front", f"main={target.image}", "--field-manager=three")
    # A field that its only owner applies no more goes.
    del second["spec"]["replicas"]
    second["metadata"]["labels"] = {}
    kubectl(*applied("two", second), stdin=text(second))
    assert kubectl("get", "deploy", "front", "-o", "jsonpath={.spec.replicas}") == "1"
    dry = kubectl(
        *applied("one", first, "--dry-run=server", "-o", "jsonpath={.items[0].spec.replicas}"), stdin=text(first)
    )
    assert dry in ("", "2")
    assert kubectl("get", "deploy", "front", "-o", "jsonpath={.spec.replicas}") == "1"


def test_dry_runs_change_nothing(target: Target, kubectl: Tool, apply: Apply) -> None:
    obj = json.dumps(deployment(target.image))
    assert (
        kubectl("create", "-f", "-", "--dry-run=server", stdin=obj)
        == "deployment.apps/front created (server dry run)\n"
    )
    assert kubectl("get", "deploy", "-o", "name") == ""
    apply(deployment(target.image))
    kubectl("scale", "deploy", "front", "--replicas=5", "--dry-run=server")
    kubectl("label", "deploy", "front", "a=b", "--dry-run=server")
    kubectl("patch", "deploy", "front", "-p", '{"spec":{"paused":true}}', "--dry-run=server")
    kubectl("set", "image", "deploy/front", "main=other", "--dry-run=server")
    told = kubectl("delete", "deploy", "front", "--dry-run=server")
    assert told == f'deployment.apps "front" deleted from {kubectl.namespace} namespace (server dry run)\n'
    found = json.loads(kubectl("get", "deploy", "front", "-o", "json"))
    assert found["metadata"]["generation"] == 1 and found["metadata"]["labels"] == {"app": "front"}


def test_labels_annotations_and_patches(target: Target, kubectl: Tool, apply: Apply) -> None:
    apply(deployment(target.image, replicas=0))
    assert kubectl("label", "deploy", "front", "a=b") == "deployment.apps/front labeled\n"
    assert "already has a value" in kubectl.refused("label", "deploy", "front", "a=c")
    kubectl("label", "deploy", "front", "a=c", "--overwrite")
    kubectl("label", "deploy", "front", "a-")
    assert kubectl("get", "deploy", "front", "-o", "jsonpath={.metadata.labels}") == '{"app":"front"}'
    assert kubectl("annotate", "deploy", "front", "note=text with spaces") == "deployment.apps/front annotated\n"
    assert kubectl("get", "deploy", "front", "-o", "jsonpath={.metadata.annotations.note}") == "text with spaces"
    bad = kubectl.refused("label", "deploy", "front", "a=not valid")
    assert "a valid label must be an empty string or consist of alphanumeric characters" in bad

    containers = "jsonpath={range .spec.template.spec.containers[*]}{.name}:{.image} {end}"
    side = {"name": "side", "image": "other:1"}
    patch = json.dumps({"spec": {"template": {"spec": {"containers": [side]}}}})
    assert kubectl("patch", "deploy", "front", "-p", patch) == "deployment.apps/front patched\n"
    both = kubectl("get", "deploy", "front", "-o", containers).split()
    assert sorted(both) == sorted([f"main:{target.image}", "side:other:1"])
    assert kubectl("patch", "deploy", "front", "-p", patch) == "deployment.apps/front patched (no change)\n"
    gone = {"$patch": "delete", "name": "side"}
    kubectl("patch", "deploy", "front", "-p", json.dumps({"spec": {"template": {"spec": {"containers": [gone]}}}}))
    assert kubectl("get", "deploy", "front", "-o", containers).split() == [f"main:{target.image}"]
    kubectl("patch", "deploy", "front", "--type=merge", "-p", patch)
    assert kubectl("get", "deploy", "front", "-o", containers).split() == ["side:other:1"]
    operations = [
        {"op": "test", "path": "/spec/template/spec/containers/0/name", "value": "side"},
        {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "other:2"},
        {"op": "add", "path": "/metadata/labels/deep~1key", "value": "x"},
    ]
    kubectl("patch", "deploy", "front", "--type=json", "-p", json.dumps(operations))
    assert kubectl("get", "deploy", "front", "-o", containers).split() == ["side:other:2"]
    assert kubectl("get", "deploy", "-l", "deep/key=x", "-o", "name") == "deployment.apps/front\n"
    operations[0]["value"] = "main"
    refused = kubectl.refused("patch", "deploy", "front", "--type=json", "-p", json.dumps(operations))
    assert refused.startswith(
        "The request is invalid: the server rejected our request due to an error in our request"
    ) or ("testing value /spec/template/spec/containers/0/name failed" in refused), refused
    kubectl("patch", "deploy", "front", "--subresource=scale", "--type=merge", "-p", '{"spec":{"replicas":3}}')
    assert kubectl("get", "deploy", "front", "-o", "jsonpath={.spec.replicas}") == "3"
    assert kubectl("set", "image", "deploy/front", "side=other:3") == "deployment.apps/front image updated\n"
    assert kubectl("set", "env", "deploy/front", "A=B") == "deployment.apps/front env updated\n"
    assert kubectl("set", "resources", "deploy/front", "--requests=cpu=1m").endswith("resource requirements updated\n")
    assert kubectl("get", "deploy", "front", "-o", "jsonpath={.spec.template.spec.containers[0].env}") == (
        '[{"name":"A","value":"B"}]'
    )


def test_an_edit(target: Target, kubectl: Tool, apply: Apply) -> None:
    apply(deployment(target.image, replicas=0))
    editor = Tool(
        kubectl.command()[0],
        kubectl.environment | {"KUBE_EDITOR": "sed -i s/replicas:.0/replicas:\\ 1/"},
        kubectl.namespace,
    )
    assert editor("edit", "deploy/front") == "deployment.apps/front edited\n"
    assert kubectl("get", "deploy", "front", "-o", "jsonpath={.spec.replicas}") == "1"


def test_replace(target: Target, kubectl: Tool, apply: Apply) -> None:
    apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}})
    stale = json.loads(kubectl("get", "cm", "c", "-o", "json"))
    kubectl("patch", "cm", "c", "-p", '{"data":{"a":"2"}}')
    refused = kubectl.refused("replace", "-f", "-", stdin=json.dumps(stale))
    said = 'Operation cannot be fulfilled on configmaps "c": the object has been modified'
    assert refused.startswith(f'Error from server (Conflict): error when replacing "STDIN": {said}')
    del stale["metadata"]["resourceVersion"]
    assert kubectl("replace", "-f", "-", stdin=json.dumps(stale)) == "configmap/c replaced\n"
    assert kubectl("get", "cm", "c", "-o", "jsonpath={.data.a}") == "1"
    before = kubectl("get", "cm", "c", "-o", "jsonpath={.metadata.uid}")
    kubectl("replace", "--force", "-f", "-", stdin=json.dumps(stale))
    assert kubectl("get", "cm", "c", "-o", "jsonpath={.metadata.uid}") != before


def test_watching(target: Target, kubectl: Tool, apply: Apply) -> None:
    apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "first"}, "data": {"a": "1"}})
    with kubectl.follow("get", "cm", "-w", "--output-watch-events") as followed:
        followed.until("first")
        kubectl("create", "configmap", "second")
        followed.until("second")
        kubectl("patch", "cm", "second", "-p", '{"data":{"b":"1","c":"2"}}')
        followed.until("MODIFIED")
        kubectl("delete", "cm", "second")
        followed.until("DELETED")
        followed.interrupt()
        lines = [line.split()[:3] for line in followed.end().out.splitlines() if "kube-root-ca" not in line]
    assert lines == [
        ["EVENT", "NAME", "DATA"],
        ["ADDED", "first", "1"],
        ["ADDED", "second", "0"],
        ["MODIFIED", "second", "2"],
        ["DELETED", "second", "2"],
    ]
    with kubectl.follow("get", "pods", "--watch-only", "-o", "name", "-v=6") as followed:
        followed.until("watch=true")  # it tells what it asks, with -v=6
        apply(pod("one", target.image))
        followed.until("pod/one")
    with kubectl.follow("get", "cm", "first", "-w", "-o", "jsonpath={.data.a};") as followed:
        followed.until("1;")
        kubectl("patch", "cm", "first", "-p", '{"data":{"a":"7"}}')
        followed.until("7;")


def test_waiting(target: Target, kubectl: Tool, apply: Apply) -> None:
    apply(pod("one", target.image), deployment(target.image))
    assert kubectl("wait", "--for=condition=Ready", "pod/one", "--timeout=60s") == "pod/one condition met\n"
    assert kubectl("wait", "--for=condition=Available", "deploy/front", "--timeout=60s").endswith("condition met\n")
    assert kubectl("wait", "--for=jsonpath={.status.phase}=Running", "pod", "--all", "--timeout=60s").count("met") == 3
    refused = kubectl.refused("wait", "--for=condition=Nonsense", "pod/one", "--timeout=1s")
    assert refused == "error: timed out waiting for the condition on pods/one\n"
    with kubectl.follow("wait", "--for=delete", "pod/one", "--timeout=60s", "-v=6") as followed:
        followed.until("fieldSelector=metadata.name")  # it has seen the pod before it goes
        kubectl("delete", "pod", "one")
        assert followed.end().out == "pod/one condition met\n"
    with kubectl.follow("wait", "--for=create", "cm/late", "--timeout=60s") as followed:
        kubectl("create", "configmap", "late")
        assert followed.end().out == "configmap/late condition met\n"


# ── delete ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_delete_and_what_goes_with_it(target: Target, kubectl: Tool, apply: Apply) -> None:
    apply(service("web"), stateful_set(target.image, replicas=1), deployment(target.image, replicas=1))
    kubectl("rollout", "status", "statefulset/web", "--timeout=90s")
    kubectl("rollout", "status", "deploy/front", "--timeout=90s")
    uid = kubectl("get", "pod", "web-0", "-o", "jsonpath={.metadata.uid}")
    told = kubectl("delete", "sts", "web", "--cascade=orphan")
    assert told == f'statefulset.apps "web" deleted from {kubectl.namespace} namespace\n'
    eventually(
        lambda: kubectl("get", "pod", "web-0", "-o", "jsonpath={.metadata.ownerReferences}") == "", "it stays owned"
    )
    apply(stateful_set(target.image, replicas=1))
    kubectl("rollout", "status", "statefulset/web", "--timeout=90s")
    assert (
        kubectl("get", "pod", "web-0", "-o", "jsonpath={.metadata.uid} {.metadata.ownerReferences[0].name}")
        == f"{uid} web"
    )
    kubectl("delete", "deploy", "front", "--cascade=foreground", "--wait")
    assert kubectl("get", "rs,pods", "-l", "app=front", "-o", "name") == ""
    kubectl("delete", "sts/web", "svc/web")
    eventually(lambda: kubectl("get", "pods", "-o", "name") == "", "its pod never goes")
    assert kubectl("get", "pvc", "-o", "name") == "persistentvolumeclaim/data-web-0\n"
    volume = kubectl("get", "pvc", "data-web-0", "-o", "jsonpath={.spec.volumeName}")
    kubectl("delete", "pvc", "data-web-0")
    eventually(lambda: "NotFound" in kubectl.run("get", "pv", volume).err, "its volume never goes")


def test_the_grace_of_a_pod(target: Target, kubectl: Tool, apply: Apply) -> None:
    stubborn = pod("stubborn", target.image, "trap : TERM; while :; do sleep 0.2; done")
    stubborn["spec"]["terminationGracePeriodSeconds"] = 300
    polite = pod("polite", target.image, "trap 'echo bye; exit 0' TERM; while :; do sleep 0.1; done")
    deaf = copy.deepcopy(stubborn)
    deaf["metadata"]["name"] = "deaf"
    apply(stubborn, deaf, polite)
    kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=60s")
    kubectl("delete", "pod", "stubborn", "--wait=false")
    found = json.loads(kubectl("get", "pod", "stubborn", "-o", "json"))["metadata"]
    assert found["deletionGracePeriodSeconds"] == 300
    assert "Terminating" in kubectl("get", "pod", "stubborn")
    kubectl("delete", "pod", "stubborn", "--grace-period=0", "--force")
    kubectl("delete", "pod", "deaf", "--grace-period=1")
    assert "NotFound" in kubectl.refused("get", "pod", "deaf")
    done = kubectl.run("delete", "pod", "polite", "--grace-period=0", "--force")
    assert done.code == 0 and "Immediate deletion does not wait for confirmation" in done.err
    eventually(lambda: "NotFound" in kubectl.run("get", "pod", "polite").err, "it never goes")


def test_claims_in_use_are_protected(target: Target, kubectl: Tool, apply: Apply) -> None:
    apply(service("web"), stateful_set(target.image, replicas=1))
    kubectl("rollout", "status", "statefulset/web", "--timeout=90s")
    kubectl("delete", "pvc", "data-web-0", "--wait=false")
    assert re.search(r"data-web-0 +Terminating", kubectl("get", "pvc"))
    kubectl("delete", "sts", "web")
    eventually(lambda: kubectl("get", "pvc", "-o", "name") == "", "the claim never goes")


# ── Custom resources ─────────────────────────────────────────────────────────────────────────────────────────────────

_VALIDATED: Json = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1},
                "mode": {"type": "string", "enum": ["fast", "slow"], "default": "fast"},
            },
        },
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}


@pytest.fixture
def widgets(kubectl: Tool, apply: Apply) -> Iterator[str]:
    """A custom resource of the test's own: its group."""
    group = f"{kubectl.namespace}.example.com"
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _VALIDATED},
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"},
        },
        "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
    }
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "shortNames": ["wd"]}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
    apply(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"widgets.{group}"},
            "spec": spec,
        }
    )
    kubectl("wait", "--for=condition=Established", f"crd/widgets.{group}", "--timeout=60s")
    yield group
    kubectl("delete", "crd", f"widgets.{group}")


def test_custom_resources(kubectl: Tool, apply: Apply, widgets: str) -> None:
    one = {"apiVersion": f"{widgets}/v1", "kind": "Widget", "metadata": {"name": "one"}, "spec": {"size": 3}}
    eventually(lambda: kubectl.run("get", f"widgets.{widgets}").code == 0, "it is never served")
    assert apply(one) == f"widget.{widgets}/one created\n"
    assert apply(one) == f"widget.{widgets}/one unchanged\n"
    told = kubectl("get", f"widgets.{widgets}")
    assert told.splitlines()[0].split() == ["NAME", "SIZE"] and told.splitlines()[1].split()[:2] == ["one", "3"]
    where = f"widget.{widgets}/one"
    assert kubectl("get", where, "-o", "jsonpath={.spec.mode}") == "fast"
    kubectl("patch", where, "--type=merge", "-p", '{"spec":{"size":4}}')
    assert kubectl("get", where, "-o", "jsonpath={.metadata.generation}") == "2"
    kubectl("patch", where, "--type=merge", "--subresource=status", "-p", '{"status":{"size":4,"note":"x"}}')
    assert kubectl("get", where, "-o", "jsonpath={.status.note} {.metadata.generation}") == "x 2"
    assert kubectl("scale", where, "--replicas=6") == f"widget.{widgets}/one scaled\n"
    assert kubectl("get", where, "-o", "jsonpath={.spec.size}") == "6"
    assert "Name:" in kubectl("describe", where)
    explain = ("explain", f"widgets.{widgets}.spec")
    eventually(lambda: "size\t<integer> -required-" in kubectl.run(*explain).out, "its schema is never told")
    for spec, said in (
        ({"size": 0}, "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1"),
        ({"size": 1, "mode": "odd"}, 'spec.mode: Unsupported value: "odd": supported values: "fast", "slow"'),
        ({"mode": "fast"}, "spec.size: Required value"),
    ):
        bad = one | {"metadata": {"name": "two"}, "spec": spec}
        refused = kubectl.refused("create", "-f", "-", stdin=json.dumps(bad))
        assert refused.startswith('The Widget "two" is invalid: ') and said in refused, refused
    unknown = one | {"metadata": {"name": "two"}, "spec": {"size": 1, "sise": 2}}
    assert 'unknown field "spec.sise"' in kubectl.refused("create", "-f", "-", stdin=json.dumps(unknown))
    second = one | {"metadata": {"name": "two"}}
    kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(second))
    with kubectl.follow("get", f"widgets.{widgets}", "-w") as followed:
        followed.until("two")
        kubectl("delete", where)
        kubectl("patch", f"widget.{widgets}/two", "--type=merge", "-p", '{"spec":{"size":9}}')
        followed.until("9\n")
