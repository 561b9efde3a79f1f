"""rollout, scale, expose, jobs, eviction and drain of the real kubectl."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from objects import deployment, pod_spec, service, stateful_set
from target import Target
from tool import Tool, eventually

Apply = Callable[..., str]


def _rolled(kubectl: Tool, what: str) -> str:
    return kubectl("rollout", "status", what, "--timeout=100s", "--request-timeout=0")


def test_a_stateful_set_rolls(target: Target, kubectl: Tool, apply: Apply) -> None:
    apply(service("web"), stateful_set(target.image))
    told = _rolled(kubectl, "statefulset/web")
    assert "partitioned roll out complete: 2 new pods have been updated...\n" in told
    kubectl("set", "env", "statefulset/web", "COLOUR=blue")
    told = _rolled(kubectl, "statefulset/web")
    assert "roll out complete: 2 new pods have been updated..." in told
    assert kubectl("exec", "web-0", "--", "printenv", "COLOUR") == "blue\n"
    history = kubectl("rollout", "history", "statefulset/web")
    assert history.splitlines()[:2] == ["statefulset.apps/web ", "REVISION  CHANGE-CAUSE"]
    assert [line.split()[0] for line in history.splitlines()[2:] if line] == ["1", "2"]
    assert "COLOUR:\tblue" in kubectl("rollout", "history", "statefulset/web", "--revision=2")
    assert kubectl("rollout", "undo", "statefulset/web") == "statefulset.apps/web rolled back\n"
    _rolled(kubectl, "statefulset/web")
    assert kubectl.run("exec", "web-0", "--", "printenv", "COLOUR").code == 1
    assert [line.split()[0] for line in kubectl("rollout", "history", "sts/web").splitlines()[2:] if line] == ["2", "3"]
    kubectl("rollout", "undo", "statefulset/web", "--to-revision=2")
    _rolled(kubectl, "statefulset/web")
    assert kubectl("exec", "web-1", "--", "printenv", "COLOUR") == "blue\n"
    uid = kubectl("get", "pod", "web-0", "-o", "jsonpath={.metadata.uid}")
    assert kubectl("rollout", "restart", "statefulset/web") == "statefulset.apps/web restarted\n"
    _rolled(kubectl, "statefulset/web")
    assert kubectl("get", "pod", "web-0", "-o", "jsonpath={.metadata.uid}") != uid
    refused = kubectl.refused("rollout", "pause", "statefulset/web")
    assert refused == 'error: statefulsets.apps "web" pausing is not supported\n'


def test_a_partition(target: Target, kubectl: Tool, apply: Apply) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    apply(service("web"), stateful_set(target.image, updateStrategy=strategy))
    _rolled(kubectl, "statefulset/web")
    kubectl("set", "env", "statefulset/web", "COLOUR=blue")
    assert "partitioned roll out complete: 1 new pods have been updated..." in _rolled(kubectl, "statefulset/web")
    assert kubectl("exec", "web-1", "--", "printenv", "COLOUR") == "blue\n"
    assert kubectl.run("exec", "web-0", "--", "printenv", "COLOUR").code == 1


def test_a_deployment_rolls(target: Target, kubectl: Tool, apply: Apply) -> None:
    apply(deployment(target.image))
    assert 'deployment "front" successfully rolled out' in _rolled(kubectl, "deploy/front")
    kubectl("set", "env", "deploy/front", "COLOUR=blue")
    kubectl("annotate", "deploy/front", "kubernetes.io/change-cause=blue it is")
    _rolled(kubectl, "deploy/front")
    history = kubectl("rollout", "history", "deploy/front").splitlines()
    assert history[1] == "REVISION  CHANGE-CAUSE" and [line.split() for line in history[2:] if line] == [
        ["1", "<none>"],
        ["2", "blue", "it", "is"],
    ]
    assert kubectl("rollout", "undo", "deploy/front") == "deployment.apps/front rolled back\n"
    _rolled(kubectl, "deploy/front")
    assert kubectl.run("exec", "deploy/front", "--", "printenv", "COLOUR").code == 1
    assert kubectl("rollout", "pause", "deploy/front") == "deployment.apps/front paused\n"
    assert "is already paused" in kubectl.refused("rollout", "pause", "deploy/front")
    kubectl("set", "env", "deploy/front", "COLOUR=red")
    sets = kubectl("get", "rs", "-o", "name")
    refused = kubectl.refused("rollout", "undo", "deploy/front")
    assert "cannot rollback a paused deployment; resume it first with" in refused
    assert kubectl("rollout", "resume", "deploy/front") == "deployment.apps/front resumed\n"
    _rolled(kubectl, "deploy/front")
    assert len(kubectl("get", "rs", "-o", "name").splitlines()) == len(sets.splitlines()) + 1
    assert kubectl("exec", "deploy/front", "--", "printenv", "COLOUR") == "red\n"
    assert kubectl("rollout", "restart", "deploy/front") == "deployment.apps/front restarted\n"
    _rolled(kubectl, "deploy/front")
    told = kubectl("describe", "deploy", "front")
    assert re.search(r"Replicas: +2 desired \| 2 updated \| 2 total \| 2 available \| 0 unavailable", told)
    assert re.search(r"Progressing +True +NewReplicaSetAvailable", told)
    assert re.search(
        r"Normal +ScalingReplicaSet .*deployment-controller +Scaled up replica set front-\w+ from 0 to 2", told
    )


def test_a_deployment_that_does_not_come(target: Target, kubectl: Tool, apply: Apply) -> None:
    broken = deployment(target.image, replicas=1, script="sleep 1; exit 1")
    broken["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] = {"exec": {"command": ["false"]}}
    broken["spec"]["progressDeadlineSeconds"] = 3
    apply(broken)
    refused = kubectl.refused("rollout", "status", "deploy/front", "--timeout=60s")
    assert refused == 'error: deployment "front" exceeded its progress deadline\n'
    backs_off = re.compile(r"Warning +BackOff .*Back-off restarting failed container main in pod front-")
    eventually(lambda: backs_off.search(kubectl("describe", "pods")) is not None, "no back-off is told")
    told = kubectl("describe", "pods", "-l", "app=front")
    assert re.search(r"State: +Terminated\n +Reason: +Error\n +Exit Code: +1", told)


def test_scale(target: Target, kubectl: Tool, apply: Apply) -> None:
    apply(service("web"), stateful_set(target.image, replicas=1), deployment(target.image, replicas=1))
    _rolled(kubectl, "statefulset/web")
    assert kubectl("scale", "sts/web", "--replicas=3") == "statefulset.apps/web scaled\n"
    _rolled(kubectl, "statefulset/web")
    refused = kubectl.refused("scale", "sts/web", "--current-replicas=2", "--replicas=1")
    assert refused == "error: Expected replicas to be 2, was 3\n"
    assert kubectl("scale", "sts/web", "--current-replicas=3", "--replicas=1") == "statefulset.apps/web scaled\n"
    kubectl("wait", "--for=delete", "pod/web-1", "pod/web-2", "--timeout=60s")
    assert len(kubectl("get", "pvc", "-o", "name").splitlines()) == 3
    assert kubectl("scale", "--replicas=0", "sts/web", "deploy/front").count("scaled") == 2
    eventually(lambda: kubectl("get", "pods", "-o", "name") == "", "pods stay")
    scale = json.loads(kubectl("get", "sts", "web", "--subresource=scale", "-o", "json"))
    assert (scale["kind"], scale["spec"], scale["status"]["replicas"]) == ("Scale", {}, 0)
    refused = kubectl.refused("scale", "deploy/front", "--replicas=-1")
    assert "The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0" in refused


def test_jobs(target: Target, kubectl: Tool, apply: Apply) -> None:
    def job(name: str, script: str) -> dict[str, object]:
        spec = pod_spec(target.image, script) | {"restartPolicy": "Never"}
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name},
            "spec": {"backoffLimit": 0, "template": {"spec": spec}},
        }

    apply(job("good", "echo done it"), job("bad", "exit 4"))
    assert kubectl("wait", "--for=condition=Complete", "job/good", "--timeout=60s") == "job.batch/good condition met\n"
    kubectl("wait", "--for=condition=Failed", "job/bad", "--timeout=60s")
    assert kubectl("logs", "job/good") == "done it\n"
    assert re.search(r"good +Complete +1/1 +\d+s +\d+s", kubectl("get", "jobs"))
    assert re.search(r"bad +Failed +0/1", kubectl("get", "jobs"))
    assert "BackoffLimitExceeded" in kubectl("describe", "job", "bad")
    kubectl("delete", "job", "good")
    eventually(lambda: kubectl("get", "pods", "-l", "job-name=good", "-o", "name") == "", "its pod stays")


def test_run_and_expose(target: Target, kubectl: Tool) -> None:
    told = kubectl(
        "run", "once", f"--image={target.image}", "--image-pull-policy=Never", "--restart=Never", "--rm", "-i",
        "--quiet", "--command", "--", "sh", "-c", "read word; echo got $word",
    )  # fmt: skip
    assert told.splitlines()[:1] == ["got"], told
    done = kubectl.run(
        "run", "code", f"--image={target.image}", "--image-pull-policy=Never", "--restart=Never", "--rm", "-i",
        "--command", "--", "sh", "-c", "cat; exit 9", stdin="text\n",
    )  # fmt: skip
    assert done.code == 9 and "text\n" in done.out, done
    kubectl("create", "deployment", "made", f"--image={target.image}", "--port=80")
    kubectl("expose", "deployment", "made", "--port=81", "--target-port=80")
    assert kubectl("get", "svc", "made", "-o", "jsonpath={.spec.selector.app}:{.spec.ports[0].targetPort}") == "made:80"


def test_budgets_and_evictions(target: Target, kubectl: Tool, apply: Apply) -> None:
    if target.real:
        pytest.skip("the node of the real cluster is not drained: others use it")
    node = kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
    apply(service("web"), stateful_set(target.image), deployment(target.image, replicas=1))
    _rolled(kubectl, "statefulset/web")
    _rolled(kubectl, "deploy/front")
    kubectl("create", "pdb", "web", "--selector=app=web", "--min-available=2")
    eventually(lambda: re.search(r"web +2 +N/A +0 ", kubectl("get", "pdb")) is not None, "the budget is never counted")
    assert kubectl("cordon", node) == f"node/{node} cordoned\n"
    try:
        assert "Ready,SchedulingDisabled" in kubectl("get", "nodes")
        selected = "--pod-selector=app in (web,front)"
        drain = ("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", selected)
        done = kubectl.run(*drain, "--timeout=8s")
        assert done.code == 1 and "Cannot evict pod as it would violate the pod's disruption budget." in done.err
        assert re.search(r"pod/front-\S+ evicted", done.out), done
        kubectl("delete", "pdb", "web")
        with kubectl.follow(*drain, "--timeout=60s") as followed:
            followed.until(f"node/{node} drained")
            assert followed.end().code == 0
        eventually(lambda: "Pending" in kubectl("get", "pods"), "a pod found a node")
        waits = re.compile(
            r"Warning +FailedScheduling +pod/web-0 +0/1 nodes are available: 1 node\(s\) were unschedulable"
        )
        eventually(lambda: waits.search(kubectl("get", "events")) is not None, "nobody says why it waits")
    finally:
        assert kubectl("uncordon", node) == f"node/{node} uncordoned\n"
    _rolled(kubectl, "statefulset/web")
