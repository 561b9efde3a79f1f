"""What the real kubectl shows: get in its forms, describe, explain, discovery, events, figures, rights, errors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from objects import deployment, pod, service, stateful_set
from target import Target
from tool import Tool, eventually

Apply = Callable[..., str]


@pytest.fixture
def web(target: Target, kubectl: Tool, apply: Apply) -> str:
    """A set of two that is ready, with its Service."""
    apply(service("web"), stateful_set(target.image))
    kubectl("rollout", "status", "statefulset/web", "--timeout=90s")
    return "statefulset/web"


def _columns(text: str) -> list[str]:
    return re.split(r"\s{2,}", text.splitlines()[0].strip())


def test_get_in_its_forms(target: Target, kubectl: Tool, web: str) -> None:
    assert _columns(kubectl("get", "pods")) == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    wide = kubectl("get", "pods", "-o", "wide")
    more = ["IP", "NODE", "NOMINATED NODE", "READINESS GATES"]
    assert _columns(wide) == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", *more]
    assert re.match(r"web-0 +1/1 +Running +0 +\d+s +[\d.]+ +\S+ +<none> +<none>$", wide.splitlines()[1])
    assert _columns(kubectl("get", "sts", "-o", "wide")) == ["NAME", "READY", "AGE", "CONTAINERS", "IMAGES"]
    claims = ["NAME", "STATUS", "VOLUME", "CAPACITY", "ACCESS MODES", "STORAGECLASS", "VOLUMEATTRIBUTESCLASS", "AGE"]
    assert _columns(kubectl("get", "pvc")) == claims
    assert re.search(r"data-web-0 +Bound +pvc-\S+ +16Mi +RWO +standard +<unset> +\d+s", kubectl("get", "pvc"))
    assert _columns(kubectl("get", "svc")) == ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"]
    assert re.search(r"web +ClusterIP +[\d.]+ +<none> +80/TCP", kubectl("get", "svc"))
    assert kubectl("get", "pods", "-o", "name") == "pod/web-0\npod/web-1\n"
    assert kubectl("get", web, "-o", "jsonpath={.status.readyReplicas}/{.spec.replicas}") == "2/2"
    names = "jsonpath={range .items[*]}{.metadata.name}={.spec.containers[0].name};{end}"
    assert kubectl("get", "pods", "-o", names) == "web-0=main;web-1=main;"
    custom = kubectl(
        "get", "pods", "-o", "custom-columns=POD:.metadata.name,PHASE:.status.phase", "--sort-by=.metadata.name"
    )
    assert custom.split() == ["POD", "PHASE", "web-0", "Running", "web-1", "Running"]
    assert json.loads(kubectl("get", web, "-o", "json"))["kind"] == "StatefulSet"
    yaml = kubectl("get", web, "-o", "yaml", "--show-managed-fields")
    assert yaml.startswith("apiVersion: apps/v1\n") and "manager: kubectl-client-side-apply" in yaml
    assert (
        kubectl("get", "pods", "-l", "app=web,statefulset.kubernetes.io/pod-name in (web-1)", "-o", "name")
        == "pod/web-1\n"
    )
    assert kubectl("get", "pods", "--field-selector=metadata.name!=web-0", "-o", "name") == "pod/web-1\n"
    assert kubectl("get", "pods", "--field-selector=status.phase=Pending", "-o", "name") == ""
    assert kubectl("get", "pods", "-L", "app").splitlines()[1].split()[-1] == "web"
    assert "app=web" in kubectl("get", "pods", "--show-labels")
    everything = kubectl("get", "all")
    for name in ("pod/web-0", "service/web", "statefulset.apps/web"):
        assert name in everything
    assert kubectl("get", "pods", "--chunk-size=1", "-o", "name") == "pod/web-0\npod/web-1\n"
    assert kubectl("get", "--raw", "/readyz") == "ok"
    nodes = kubectl("get", "nodes", "-o", "wide")
    assert _columns(nodes)[:5] == ["NAME", "STATUS", "ROLES", "AGE", "VERSION"] and " Ready " in nodes
    revisions = kubectl("get", "controllerrevisions")
    assert _columns(revisions) == ["NAME", "CONTROLLER", "REVISION", "AGE"] and "statefulset.apps/web   1" in revisions
    assert "web" in kubectl("get", "endpointslices")


def test_describe(kubectl: Tool, web: str) -> None:
    told = kubectl("describe", "pod", "web-0")
    for line in (
        r"Name: +web-0",
        r"Service Account: +default",
        r"Node: +\S+/[\d.]+",
        r"Status: +Running",
        r"IP: +[\d.]+",
        r"Controlled By: +StatefulSet/web",
        r"    State: +Running",
        r"    Ready: +True",
        r"    Restart Count: +0",
        r"    Readiness: +tcp-socket :http delay=0s timeout=1s period=1s (#success|successThreshold)=1 ",
        r"  Ready +True",
        r"  PodScheduled +True",
        r"    Type: +PersistentVolumeClaim \(a reference to a PersistentVolumeClaim in the same namespace\)",
        r"    ClaimName: +data-web-0",
        r"QoS Class: +Burstable",
        r"  Normal +Scheduled +\S+ +(\S+-)?scheduler +Successfully assigned \S+/web-0 to \S+",
        r"  Normal +Started +.*Container started",
    ):
        assert re.search(f"^{line}", told, re.MULTILINE), f"{line}\n{told}"
    told = kubectl("describe", web)
    for line in (
        r"Replicas: +2 desired \| 2 total",
        r"Update Strategy: +RollingUpdate",
        r"Pods Status: +2 Running / 0 Waiting / 0 Succeeded / 0 Failed",
        r"  Capacity: +16Mi",
        r"  Normal +SuccessfulCreate +\S+ +statefulset-controller +[Cc]reate Pod web-0 in StatefulSet web successful",
        r"  Normal +SuccessfulCreate +\S+ +statefulset-controller +[Cc]reate Claim data-web-0 Pod web-0 in ",
    ):
        assert re.search(f"^{line}", told, re.MULTILINE), f"{line}\n{told}"
    told = kubectl("describe", "pvc", "data-web-0")
    for line in (
        r"StorageClass: +standard",
        r"Status: +Bound",
        r"Capacity: +16Mi",
        r"Access Modes: +RWO",
        r"Used By: +web-0",
        r"Finalizers: +\[kubernetes.io/pvc-protection\]",
    ):
        assert re.search(f"^{line}", told, re.MULTILINE), f"{line}\n{told}"
    told = kubectl("describe", "svc", "web")
    for line in (
        r"Type: +ClusterIP",
        r"Port: +http +80/TCP",
        r"TargetPort: +http/TCP",
        r"Endpoints: +[\d.]+:8000,[\d.]+:8000",
    ):
        assert re.search(f"^{line}", told, re.MULTILINE), f"{line}\n{told}"
    told = kubectl("describe", "nodes")
    for line in (
        r"Conditions:",
        r"  Ready +True",
        r"Capacity:\n  cpu: +\d+",
        r"Allocatable:",
        r"System Info:",
        r"  Kubelet Version: +v1\.\d+",
        r"Non-terminated Pods:",
        rf"  {kubectl.namespace} +web-0 +10m \(\d+%\)",
        r"Allocated resources:",
    ):
        assert re.search(f"^{line}", told, re.MULTILINE), f"{line}\n{told}"


def test_events(kubectl: Tool, web: str) -> None:
    told = kubectl("get", "events", "--sort-by=.lastTimestamp")
    assert _columns(told) == ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    assert re.search(
        r"Normal +SuccessfulCreate +statefulset/web +[Cc]reate Pod web-1 in StatefulSet web successful", told
    )
    told = kubectl("events", "--for", "pod/web-0")
    assert re.search(r"Normal +Scheduled +Pod/web-0 ", told) and "Pod/web-1" not in told
    some = kubectl("get", "events", "--field-selector=involvedObject.name=web-1,reason=Scheduled", "-o", "name")
    assert len(some.splitlines()) == 1
    assert "reportingController" in kubectl("get", "events.events.k8s.io", "-o", "json")


def test_what_there_is(kubectl: Tool) -> None:
    told = kubectl("api-resources", "--namespaced", "--api-group=apps", "--no-headers")
    assert [line.split()[0] for line in told.splitlines()] == [
        "controllerrevisions",
        "daemonsets",
        "deployments",
        "replicasets",
        "statefulsets",
    ]
    assert re.search(r"^pods +po +v1 +true +Pod +create,delete,deletecollection,get,list,patch,update,watch +all$", kubectl("api-resources", "-o", "wide"), re.MULTILINE)  # fmt: skip  # noqa: E501
    assert {"v1", "apps/v1", "batch/v1", "rbac.authorization.k8s.io/v1"} <= set(kubectl("api-versions").split())
    explained = kubectl("explain", "statefulset.spec.updateStrategy")
    assert re.search(r"^GROUP: +apps\nKIND: +StatefulSet\nVERSION: +v1\n\nFIELD: updateStrategy <", explained)
    assert re.search(r"rollingUpdate\t<", explained)
    assert re.search(r"partition\t<integer>", kubectl("explain", "sts.spec.updateStrategy", "--recursive"))
    assert 'field "nonsense" does not exist' in kubectl.refused("explain", "pod.spec.nonsense")
    assert "Server Version: v1." in kubectl("version")
    assert "is running at" in kubectl("cluster-info")


def test_rights(kubectl: Tool) -> None:
    assert kubectl("auth", "can-i", "delete", "pods") == "yes\n"
    someone = ("--as=statetui-nobody", "--as-group=statetui-none")
    done = kubectl.run("auth", "can-i", "get", "secrets", *someone)
    assert (done.code, done.out) == (1, "no\n")
    refused = kubectl.refused("get", "secrets", *someone)
    said = (
        f'User "statetui-nobody" cannot list resource "secrets" in API group "" in the namespace "{kubectl.namespace}"'
    )
    assert refused == f"Error from server (Forbidden): secrets is forbidden: {said}\n"
    kubectl("create", "role", "reader", "--verb=get,list", "--resource=secrets")
    kubectl("create", "rolebinding", "reader", "--role=reader", "--user=statetui-nobody")
    eventually(lambda: kubectl.run("auth", "can-i", "get", "secrets", *someone).code == 0, "the right never comes")
    assert kubectl("get", "secrets", *someone) == ""
    assert re.search(r"secrets +\[\] +\[\] +\[get list\]", kubectl("auth", "can-i", "--list", *someone))
    assert re.search(r"Username +statetui-nobody", kubectl("auth", "whoami", *someone))


def test_errors(target: Target, kubectl: Tool) -> None:
    missing = 'Error from server (NotFound): statefulsets.apps "none" not found\n'
    assert kubectl.refused("get", "sts", "none") == missing
    assert kubectl.refused("delete", "sts", "none") == missing
    assert kubectl.refused("scale", "sts", "none", "--replicas=1").endswith('statefulsets.apps "none" not found\n')
    assert kubectl.refused("get", "nonsense") == 'error: the server doesn\'t have a resource type "nonsense"\n'
    assert (
        kubectl("get", "pods") == ""
        and kubectl.run("get", "pods").err == f"No resources found in {kubectl.namespace} namespace.\n"
    )
    one = json.dumps(pod("one", target.image))
    kubectl("create", "-f", "-", stdin=one)
    exists = 'Error from server (AlreadyExists): error when creating "STDIN": pods "one" already exists\n'
    assert kubectl.refused("create", "-f", "-", stdin=one) == exists
    bad = json.dumps(pod("Bad_Name", target.image))
    refused = kubectl.refused("create", "-f", "-", stdin=bad)
    assert refused.startswith(
        'The Pod "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain'
    )
    wrong = json.dumps(deployment(target.image) | {"spec": {"replicas": 1}})
    refused = kubectl.refused("create", "-f", "-", stdin=wrong)
    assert refused.startswith('The Deployment "front" is invalid: ') and "spec.selector: Required value" in refused
    strange = json.dumps(deployment(target.image)).replace('"replicas"', '"replicaz"')
    refused = kubectl.refused("apply", "-f", "-", stdin=strange)
    assert 'strict decoding error: unknown field "spec.replicaz"' in refused
    typed = json.dumps(deployment(target.image)).replace('"replicas": 2', '"replicas": "two"')
    refused = kubectl.refused("apply", "-f", "-", stdin=typed)
    assert (
        "cannot be handled as a Deployment" in refused
        and "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32" in refused
    )
    refused = kubectl.refused("create", "-f", "-", stdin=one.replace('"Pod"', '"Prod"'))
    assert 'no matches for kind "Prod" in version "v1"' in refused
    refused = kubectl.refused("create", "configmap", "c", "--namespace=none")
    assert refused == 'error: failed to create configmap: namespaces "none" not found\n'
    refused = kubectl.refused("patch", "pod", "one", "-p", '{"spec":{"nodeName":"elsewhere","hostNetwork":true}}')
    assert (
        refused.startswith('The Pod "one" is invalid: ') and "pod updates may not change fields other than" in refused
    )


def test_figures(target: Target, kubectl: Tool, web: str) -> None:
    if target.real:
        pytest.skip("the real cluster has no metrics-server")
    del web
    eventually(lambda: kubectl.run("top", "pods").code == 0, "there are no figures")
    assert re.search(r"^web-0 +\d+m +\d+Mi", kubectl("top", "pods"), re.MULTILINE)
    assert _columns(kubectl("top", "pods", "--containers"))[:2] == ["POD", "NAME"]
    assert _columns(kubectl("top", "nodes")) == ["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"]
