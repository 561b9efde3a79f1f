"""Deployments, ReplicaSets, DaemonSets and Jobs."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from fake_objects import World, owned, template

from tui.sandbox.controllers.meta import timestamp
from tui.sandbox.model import ApiError, Json

DEPLOYMENT, SETS, REVISION = "deployments.apps", "replicasets.apps", "deployment.kubernetes.io/revision"


@pytest.fixture
def world() -> World:
    return World()


def deployment(replicas: int = 2, **spec: Any) -> Json:
    return {"replicas": replicas, "selector": {"matchLabels": {"app": "dep"}}, "template": template("dep"), **spec}


def change(world: World, text: str) -> None:
    new = template("dep")
    new["metadata"]["annotations"] = {"v": text}
    world.edit(DEPLOYMENT, "dep", {"spec": {"template": new}})


def by_revision(world: World) -> dict[str, Json]:
    return {one["metadata"]["annotations"][REVISION]: one for one in world.objects.list(SETS)}


def test_a_deployment_comes_up_as_the_real_one_does(world: World) -> None:
    applied = {"note": "x", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
    dep = world.add(DEPLOYMENT, "dep", annotations=applied, spec=deployment())
    world.settle()
    one = world.objects.list(SETS)[0]
    name, hashed = one["metadata"]["name"], one["metadata"]["labels"]["pod-template-hash"]
    assert name == f"dep-{hashed}"
    assert one["metadata"]["annotations"] == {
        "deployment.kubernetes.io/desired-replicas": "2",
        "deployment.kubernetes.io/max-replicas": "3",
        REVISION: "1",
        "note": "x",
    }
    labels = {"app": "dep", "pod-template-hash": hashed}
    assert one["metadata"]["labels"] == one["spec"]["selector"]["matchLabels"] == labels
    assert one["spec"]["template"]["metadata"]["labels"] == labels
    assert owned(world.objects, SETS, dep) == [one]
    assert one["status"] == {
        "availableReplicas": 2,
        "fullyLabeledReplicas": 2,
        "observedGeneration": 1,
        "readyReplicas": 2,
        "replicas": 2,
        "terminatingReplicas": 0,
    }
    assert all(pod["metadata"]["generateName"] == f"{name}-" for pod in world.pods().values())
    assert all(pod["metadata"]["labels"] == labels for pod in owned(world.objects, "pods", one))
    dep = world.get(DEPLOYMENT, "dep")
    assert dep["metadata"]["annotations"][REVISION] == "1"
    conditions = {one["type"]: one for one in dep["status"].pop("conditions")}
    assert dep["status"] == {
        "availableReplicas": 2,
        "observedGeneration": 1,
        "readyReplicas": 2,
        "replicas": 2,
        "terminatingReplicas": 0,
        "updatedReplicas": 2,
    }
    assert conditions["Available"]["reason"] == "MinimumReplicasAvailable"
    assert conditions["Progressing"]["message"] == f'ReplicaSet "{name}" has successfully progressed.'
    assert world.messages("Deployment/dep") == [f"Scaled up replica set {name} from 0 to 2"]
    world.objects.texts.clear()  # the status was taken apart here


def test_a_roll_out_scales_step_by_step_as_the_real_one_does(world: World) -> None:
    world.add(DEPLOYMENT, "dep", spec=deployment())
    world.settle()
    change(world, "2")
    world.settle()
    old, new = (by_revision(world)[number]["metadata"]["name"] for number in "12")
    assert world.messages("Deployment/dep") == [
        f"Scaled up replica set {old} from 0 to 2",
        f"Scaled up replica set {new} from 0 to 1",
        f"Scaled down replica set {old} from 2 to 1",
        f"Scaled up replica set {new} from 1 to 2",
        f"Scaled down replica set {old} from 1 to 0",
    ]
    assert by_revision(world)["1"]["status"] == {"observedGeneration": 3, "replicas": 0, "terminatingReplicas": 0}
    assert world.get(DEPLOYMENT, "dep")["status"]["updatedReplicas"] == 2


def test_a_template_that_never_is_ready_leaves_the_old_pods_and_times_out(world: World) -> None:
    world.add(DEPLOYMENT, "dep", spec=deployment(4, progressDeadlineSeconds=20))
    world.settle()
    new = []
    world.ready = lambda pod: pod["metadata"]["labels"]["pod-template-hash"] not in new
    first = by_revision(world)["1"]["metadata"]["name"]
    change(world, "2")
    world.control()
    new.append(by_revision(world)["2"]["metadata"]["labels"]["pod-template-hash"])
    world.settle(10)
    # 25 % of 4 may be too many and 25 % may be missing.
    assert [by_revision(world)[number]["spec"]["replicas"] for number in "12"] == [3, 2]
    assert sum(one["metadata"]["ownerReferences"][0]["name"] == first for one in world.pods().values()) == 3
    assert progress(world)["reason"] == "ReplicaSetUpdated"
    world.settle(30)
    assert (progress(world)["status"], progress(world)["reason"]) == ("False", "ProgressDeadlineExceeded")
    # kubectl rollout undo: the template of before.
    world.edit(DEPLOYMENT, "dep", {"spec": {"template": {"metadata": {"annotations": None}}}})
    world.settle()
    assert sorted(by_revision(world)) == ["2", "3"]
    assert by_revision(world)["3"]["metadata"]["name"] == first
    assert by_revision(world)["3"]["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"] == "1"
    assert by_revision(world)["2"]["spec"]["replicas"] == 0
    assert progress(world)["reason"] == "NewReplicaSetAvailable"


def progress(world: World) -> Json:
    conditions = world.get(DEPLOYMENT, "dep")["status"]["conditions"]
    return next(one for one in conditions if one["type"] == "Progressing")


def test_recreate_waits_until_the_old_pods_are_gone(world: World) -> None:
    world.add(DEPLOYMENT, "dep", spec=deployment(strategy={"type": "Recreate"}))
    world.settle()
    old = set(world.pods())
    world.ends = lambda pod: False
    change(world, "2")
    world.settle(3)
    assert set(world.pods()) == old
    world.ends = lambda pod: True
    world.settle()
    assert len(world.pods()) == 2
    assert not old & set(world.pods())


def test_a_paused_deployment_is_scaled_and_not_rolled(world: World) -> None:
    world.add(DEPLOYMENT, "dep", spec=deployment())
    world.settle()
    world.edit(DEPLOYMENT, "dep", {"spec": {"paused": True, "replicas": 3}})
    change(world, "2")
    world.settle()
    assert len(world.names(SETS)) == 1
    assert len(world.pods()) == 3
    world.edit(DEPLOYMENT, "dep", {"spec": {"paused": None}})
    world.settle()
    assert by_revision(world)["2"]["status"]["readyReplicas"] == 3


def test_old_replica_sets_above_the_limit_go(world: World) -> None:
    world.add(DEPLOYMENT, "dep", spec=deployment(1, revisionHistoryLimit=1))
    world.settle()
    for text in "234":
        change(world, text)
        world.settle()
    assert sorted(by_revision(world)) == ["3", "4"]


@pytest.mark.parametrize(("surge", "missing"), [(0, 1), ("0%", "0%"), ("100%", 0), (0, "100%")])
def test_a_roll_out_never_passes_its_limits(world: World, surge: Any, missing: Any) -> None:
    rolling = {"maxSurge": surge, "maxUnavailable": missing}
    world.add(DEPLOYMENT, "dep", spec=deployment(4, strategy={"type": "RollingUpdate", "rollingUpdate": rolling}))
    world.settle()
    counts, ready = [], []
    put = world.objects._put

    def counted(*arguments: Any) -> Json:
        done = put(*arguments)
        alive = [pod for pod in world.pods().values() if "deletionTimestamp" not in pod["metadata"]]
        counts.append(len(alive))
        ready.append(sum(any(one["type"] == "Ready" for one in pod["status"].get("conditions", ())) for pod in alive))
        return done

    world.objects._put = counted  # type: ignore[method-assign]
    change(world, "2")
    world.settle()
    assert by_revision(world)["2"]["status"]["readyReplicas"] == 4
    assert max(counts) == (8 if surge == "100%" else 4)
    assert min(ready) == {"100%": 0, 1: 3, "0%": 3, 0: 4}[missing]


def test_a_replica_set_adopts_and_lets_go(world: World) -> None:
    world.add("pods", "stray", labels={"app": "rs"}, spec={"containers": [{"name": "c"}]})
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "rs"}}, "template": template("rs")}
    one = world.add(SETS, "rs", spec=spec)
    world.settle()
    assert len(world.pods()) == 2
    assert "stray" in [pod["metadata"]["name"] for pod in owned(world.objects, "pods", one)]
    world.edit("pods", "stray", {"metadata": {"labels": {"app": "other"}}})
    world.settle()
    assert len(world.pods()) == 3
    assert not world.pods()["stray"]["metadata"]["ownerReferences"]
    assert len(owned(world.objects, "pods", one)) == 2


def test_a_replica_set_deletes_first_what_is_worth_least(world: World) -> None:
    spec = {"replicas": 3, "selector": {"matchLabels": {"app": "rs"}}, "template": template("rs")}
    world.add(SETS, "rs", spec=spec)
    world.settle()
    ill = sorted(world.pods())[1]
    world.ready = lambda pod: pod["metadata"]["name"] != ill
    world.settle()
    world.edit(SETS, "rs", {"spec": {"replicas": 2}})
    world.settle()
    assert ill not in world.pods()


def test_refused_pods_show_in_the_conditions(world: World) -> None:
    denied = ApiError(403, "Forbidden", "exceeded quota")
    world.objects.refuse = lambda verb, kind, obj: denied if (verb, kind) == ("create", "pods") else None
    world.add(DEPLOYMENT, "dep", spec=deployment())
    world.settle(2)
    conditions = {one["type"]: one for one in world.get(DEPLOYMENT, "dep")["status"]["conditions"]}
    assert (conditions["ReplicaFailure"]["reason"], conditions["Available"]["status"]) == ("FailedCreate", "False")
    world.objects.refuse = lambda verb, kind, obj: None
    world.settle(5)
    assert "ReplicaFailure" not in {one["type"] for one in world.get(DEPLOYMENT, "dep")["status"]["conditions"]}


def test_a_daemon_set_has_one_pod_on_the_node(world: World) -> None:
    spec = {"selector": {"matchLabels": {"app": "ds"}}, "template": template("ds")}
    world.add("daemonsets.apps", "ds", spec=spec)
    world.settle()
    pod = next(iter(world.pods().values()))
    revision = world.objects.list("controllerrevisions.apps")[0]["metadata"]
    assert pod["metadata"]["labels"]["controller-revision-hash"] == revision["labels"]["controller-revision-hash"]
    assert revision["name"] == f"ds-{revision['labels']['controller-revision-hash']}"
    assert world.get("daemonsets.apps", "ds")["status"] == {
        "currentNumberScheduled": 1,
        "desiredNumberScheduled": 1,
        "numberAvailable": 1,
        "numberMisscheduled": 0,
        "numberReady": 1,
        "observedGeneration": 1,
        "updatedNumberScheduled": 1,
    }
    world.edit("daemonsets.apps", "ds", {"spec": {"template": template("ds", terminationGracePeriodSeconds=1)}})
    world.settle()
    assert list(world.pods()) != [pod["metadata"]["name"]]
    assert len(world.pods()) == world.get("daemonsets.apps", "ds")["status"]["updatedNumberScheduled"] == 1
    new = template("ds", nodeSelector={"disk": "ssd"})
    world.edit("daemonsets.apps", "ds", {"spec": {"template": new}})
    world.settle()
    assert world.pods() == {}
    world.edit("nodes", "node-1", {"metadata": {"labels": {"disk": "ssd"}}})
    world.settle()
    assert list(world.pods()) != [pod["metadata"]["name"]]
    world.edit("nodes", "node-1", {"spec": {"unschedulable": True}})
    world.objects.delete("pods", "a", next(iter(world.pods())))
    world.settle()
    assert world.get("daemonsets.apps", "ds")["status"]["numberReady"] == 1


def finish(world: World, phase: str) -> None:
    state = {"terminated": {"finishedAt": timestamp(world.objects.now)}}
    for pod in world.pods().values():
        if pod["status"]["phase"] == "Running":
            world.report(pod, phase=phase, containerStatuses=[{"name": "c", "state": state}])


def job(**spec: Any) -> Json:
    shape = copy.deepcopy(template("job", restartPolicy="Never"))
    return {"template": shape, "completions": 1, "parallelism": 1, **spec}


def test_a_job_is_complete_when_enough_have_succeeded_and_expires(world: World) -> None:
    world.add("jobs.batch", "job", spec=job(completions=3, parallelism=2, ttlSecondsAfterFinished=10))
    world.settle()
    assert len(world.pods()) == 2
    assert world.get("jobs.batch", "job")["status"]["active"] == 2
    finish(world, "Succeeded")
    world.settle()
    assert len(world.pods()) == 3
    finish(world, "Succeeded")
    world.settle()
    status = world.get("jobs.batch", "job")["status"]
    assert [(one["type"], one["reason"]) for one in status["conditions"]] == [
        ("SuccessCriteriaMet", "CompletionsReached"),
        ("Complete", "CompletionsReached"),
    ]
    assert (status["succeeded"], status.get("active"), status["ready"]) == (3, None, 0)
    assert status["completionTime"]
    assert world.messages("Job/job")[-1] == "Job completed"
    world.settle(9)
    assert world.names("jobs.batch") == ["job"]
    world.settle(2)
    assert world.names("jobs.batch") == world.names("pods") == []


def test_a_job_fails_after_its_limit_with_pauses_in_between(world: World) -> None:
    world.add("jobs.batch", "bad", spec=job(backoffLimit=1))
    world.settle()
    finish(world, "Failed")
    world.settle(9)
    assert len(world.pods()) == 1
    world.settle(2)
    assert len(world.pods()) == 2
    finish(world, "Failed")
    world.settle(60)
    status = world.get("jobs.batch", "bad")["status"]
    assert [(one["type"], one["reason"]) for one in status["conditions"]] == [
        ("FailureTarget", "BackoffLimitExceeded"),
        ("Failed", "BackoffLimitExceeded"),
    ]
    assert (status["failed"], status.get("active"), len(world.pods())) == (2, None, 2)


def test_a_job_ends_at_its_deadline_and_rests_while_suspended(world: World) -> None:
    world.add("jobs.batch", "job", spec=job(activeDeadlineSeconds=5))
    world.add("jobs.batch", "later", spec=job(suspend=True))
    world.settle(7)
    assert world.get("jobs.batch", "job")["status"]["conditions"][1]["reason"] == "DeadlineExceeded"
    assert world.pods() == {}
    world.edit("jobs.batch", "later", {"spec": {"suspend": False}})
    world.settle()
    assert len(world.pods()) == 1


def test_a_job_says_when_it_rests_and_its_time_begins_anew(world: World) -> None:
    world.add("jobs.batch", "job", spec=job(suspend=True))

    def told() -> tuple[str, str, bool]:
        status = world.get("jobs.batch", "job")["status"]
        (condition,) = (one for one in status["conditions"] if one["type"] == "Suspended")
        return condition["status"], condition["reason"], "startTime" in status

    world.settle()
    assert told() == ("True", "JobSuspended", False)
    world.edit("jobs.batch", "job", {"spec": {"suspend": False}})
    world.settle()
    assert told() == ("False", "JobResumed", True)
    assert len(world.pods()) == 1
    world.edit("jobs.batch", "job", {"spec": {"suspend": True}})
    world.settle()
    assert told() == ("True", "JobSuspended", False)
    assert world.pods() == {}
    assert "failed" not in world.get("jobs.batch", "job")["status"], "what the Job itself ends has not failed"


def test_what_has_succeeded_is_not_run_again_when_its_pod_is_deleted(world: World) -> None:
    world.add("jobs.batch", "job", spec=job(completions=2))
    world.settle()
    finish(world, "Succeeded")
    world.control()
    done = [name for name, pod in world.pods().items() if pod["status"]["phase"] == "Succeeded"]
    world.objects.delete("pods", "a", done[0])
    world.settle()
    assert done[0] not in world.pods()
    finish(world, "Succeeded")
    world.settle()
    assert world.get("jobs.batch", "job")["status"]["succeeded"] == 2
    assert len(world.pods()) == 1


def test_an_indexed_job_has_one_pod_of_each_index(world: World) -> None:
    world.add("jobs.batch", "job", spec=job(completions=3, parallelism=2, completionMode="Indexed"))
    world.settle()
    mark = "batch.kubernetes.io/job-completion-index"

    def indexes() -> list[str]:
        return sorted(pod["metadata"]["annotations"][mark] for pod in world.pods().values())

    assert indexes() == ["0", "1"]
    finish(world, "Succeeded")
    world.settle()
    assert indexes() == ["0", "1", "2"]
    assert world.get("jobs.batch", "job")["status"]["completedIndexes"] == "0,1"
    (pod,) = (one for one in world.pods().values() if one["status"]["phase"] == "Running")
    finish(world, "Failed")
    world.settle(11)
    assert indexes() == ["0", "1", "2", "2"]
    finish(world, "Succeeded")
    world.settle()
    status = world.get("jobs.batch", "job")["status"]
    assert (status["completedIndexes"], status["succeeded"], status["failed"]) == ("0-2", 3, 1)
    assert pod["spec"]["hostname"] == "job-2"
    (variable,) = pod["spec"]["containers"][0]["env"]
    assert variable["valueFrom"]["fieldRef"]["fieldPath"] == f"metadata.labels['{mark}']"


def test_pods_of_a_job_that_is_deleted_do_not_stay(world: World) -> None:
    world.add("jobs.batch", "job", spec=job(parallelism=2, completions=2))
    world.settle()
    world.objects.delete("jobs.batch", "a", "job")
    world.settle()
    assert world.pods() == {}


def test_pods_leave_a_node_whose_taint_they_do_not_tolerate(world: World) -> None:
    taint = {"key": "k", "value": "v", "effect": "NoExecute"}
    bear = {"key": "k", "operator": "Exists", "effect": "NoExecute"}
    container = {"containers": [{"name": "c", "image": "i"}]}
    world.add("pods", "none", spec=container)
    world.add("pods", "brief", spec={**container, "tolerations": [{**bear, "tolerationSeconds": 5}]})
    world.add("pods", "ever", spec={**container, "tolerations": [bear]})
    world.settle()
    assert set(world.pods()) == {"none", "brief", "ever"}
    world.edit("nodes", "node-1", {"spec": {"taints": [taint]}})
    world.settle(4)
    assert set(world.pods()) == {"brief", "ever"}
    world.settle(2)
    assert set(world.pods()) == {"ever"}
    assert "TaintManagerEviction" in world.reasons("Pod/none")


def test_a_taint_that_goes_in_time_costs_no_pod(world: World) -> None:
    bear = {"key": "k", "operator": "Exists", "tolerationSeconds": 5}
    world.add("pods", "brief", spec={"containers": [{"name": "c", "image": "i"}], "tolerations": [bear]})
    world.settle()
    for _ in range(3):
        world.edit("nodes", "node-1", {"spec": {"taints": [{"key": "k", "effect": "NoExecute"}]}})
        world.settle(4)
        world.edit("nodes", "node-1", {"spec": {"taints": None}})
        world.settle(4)
    assert set(world.pods()) == {"brief"}
