"""Each fault as people see it: made with `statetui fault`, seen by kubectl and by `statetui get`, and undone."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_process import serving
from stateful import stateful_set
from tool import Tool, eventually


class Cluster:
    """A sandbox, and the programs that people use on it."""

    def __init__(self, kubectl: str, kubeconfig: Path, home: Path) -> None:
        self.kubeconfig = kubeconfig
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "HOME": str(home), "COLUMNS": "200"}
        self.kubectl = Tool(kubectl, environment, "default")
        self.statetui = Tool(sys.executable, environment, "default", before=("-u", "-m", "tui"))

    def json(self, *words: str) -> Any:
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def pod(self) -> Any:
        return self.json("pod", "db-0")

    def ready(self) -> bool:
        conditions = self.pod()["status"].get("conditions") or []
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    def workload(self) -> Any:
        """What `statetui get` says of the set; its exit code says whether all is well, and does not matter here."""
        return json.loads(self.statetui.run("get", "-o", "json").out)["workloads"][0]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, kubectl_program: str) -> Iterator[Cluster]:
    directory = tmp_path_factory.mktemp("sandbox")
    with serving(directory / "state") as kubeconfig:
        made = Cluster(kubectl_program, kubeconfig, directory)
        made.kubectl("apply", "-f", "-", stdin=stateful_set("db", "while true; do date +%s.%N; sleep 0.2; done"))
        yield made


@pytest.fixture
def cluster(running: Cluster) -> Iterator[Cluster]:
    """The sandbox with its pod ready; whatever a test that failed has left is ended."""
    eventually(lambda: "db-0" in running.kubectl("get", "pods", "-o", "name") and running.ready())
    yield running
    for fault in json.loads(running.kubectl("get", "--raw", "/sandbox/v1/faults"))["active"]:
        running.statetui("fault", fault["name"], "--end")


_WATCH = ("get", "-o", "json", "-w")


def test_a_killed_pod_is_seen_to_restart(cluster: Cluster) -> None:
    before = cluster.pod()["status"]["containerStatuses"][0]["restartCount"]
    assert "killed 1 container of db-0" in cluster.statetui("fault", "kill-pod", "db-0")
    status = eventually(
        lambda: [s for s in cluster.pod()["status"]["containerStatuses"] if s["restartCount"] > before]
    )[0]
    assert status["lastState"]["terminated"]["exitCode"] == 137
    eventually(cluster.ready)
    assert cluster.workload()["members"][0]["restarts"] == before + 1


def test_a_crash_loop_is_seen_and_ends(cluster: Cluster) -> None:
    said = cluster.statetui("fault", "crash-loop", "db-0", "--set", "exitCode=42")
    assert "statetui fault crash-loop default/db-0 --end" in said
    eventually(lambda: "CrashLoopBackOff" in cluster.kubectl("get", "pod", "db-0"))

    failing = ("failing", "db ended: Error 42", "Error 42")

    def told() -> bool:
        member = cluster.workload()["members"][0]
        return (member["health"], member["note"], member["lastRestart"]) == failing

    # Not at once: after other restarts the first wait is for the fault's own kill, which ended the pod with 137.
    eventually(told)
    cluster.statetui("fault", "crash-loop", "db-0", "--end")
    eventually(cluster.ready)


def test_a_full_volume_is_seen_and_emptied(cluster: Cluster) -> None:
    assert "100% full" in cluster.statetui("fault", "fill-volume", "db-0")
    summary = "/api/v1/nodes/sandbox/proxy/stats/summary"

    def used() -> int:
        pods = json.loads(cluster.kubectl("get", "--raw", summary))["pods"]
        return max(volume["usedBytes"] for pod in pods for volume in pod.get("volume", ()) if "pvcRef" in volume)

    eventually(lambda: used() == 16 << 20)
    usage = cluster.workload()["members"][0]["claims"][0]["usage"]
    assert (usage["usedBytes"], usage["availableBytes"]) == (16 << 20, 0)
    volumes = cluster.kubeconfig.parent / "volumes"
    blocks = sum(file.stat().st_blocks for file in volumes.rglob("*") if file.is_file())
    assert blocks * 512 >= 16 << 20, "the disk is used, not only the figure changed"
    cluster.statetui("fault", "fill-volume", "db-0", "--end")
    eventually(lambda: used() < 1 << 20)


def test_a_frozen_node_is_seen_and_comes_back(cluster: Cluster) -> None:
    uid = cluster.pod()["metadata"]["uid"]
    with cluster.kubectl.follow("logs", "-f", "--tail=1", "db-0") as logs:
        assert logs.line()
        cluster.statetui("fault", "freeze-node", "--set", "evictAfter=2")
        assert "NotReady" in cluster.kubectl("get", "nodes", "--no-headers")
        (ready,) = (c for c in cluster.json("node", "sandbox")["status"]["conditions"] if c["type"] == "Ready")
        assert (ready["status"], ready["reason"]) == ("Unknown", "NodeStatusUnknown")
        assert not cluster.ready()
        eventually(lambda: "Terminating" in cluster.kubectl("get", "pod", "db-0", "--no-headers"))
        events = cluster.kubectl("get", "events", "--no-headers")
        assert "NodeNotReady" in events
        assert "TaintManagerEviction" in events
        member = cluster.workload()["members"][0]
        assert member["health"] == "terminating"
        assert "connection refused" in cluster.kubectl.refused("exec", "db-0", "--", "true")
        cluster.statetui("fault", "freeze-node", "--end")
    eventually(lambda: uid not in cluster.kubectl("get", "pods", "-o", "jsonpath={.items[*].metadata.uid}"))
    eventually(lambda: "db-0" in cluster.kubectl("get", "pods", "-o", "name") and cluster.ready())
    assert " Ready" in cluster.kubectl("get", "nodes", "--no-headers")
    assert "taints" not in cluster.json("node", "sandbox")["spec"]


def test_cut_watches_are_seen_by_kubectl_and_statetui_goes_on(cluster: Cluster) -> None:
    pods = "/api/v1/namespaces/default/pods?watch=1"
    with (
        cluster.kubectl.follow("get", "--raw", pods) as watch,
        cluster.statetui.follow(*_WATCH) as ours,
    ):
        assert json.loads(watch.line())["object"]["metadata"]["name"] == "db-0"
        assert json.loads(ours.line())["type"] == "ADDED"
        assert "of watches" in cluster.statetui("fault", "cut-watches")
        assert watch.end().code != 0, "kubectl tells that its connection broke"
        cluster.statetui("fault", "kill-pod", "db-0")
        assert json.loads(ours.line())["type"] == "MODIFIED"


def test_forgotten_history_is_410_and_statetui_lists_anew(cluster: Cluster) -> None:
    version = cluster.pod()["metadata"]["resourceVersion"]
    with cluster.statetui.follow(*_WATCH) as ours:
        assert json.loads(ours.line())["type"] == "ADDED"
        assert "are forgotten" in cluster.statetui("fault", "expire-history")
        path = f"/api/v1/namespaces/default/pods?watch=1&resourceVersion={version}"
        told = json.loads(cluster.kubectl("get", "--raw", path).splitlines()[0])
        assert (told["type"], told["object"]["code"], told["object"]["reason"]) == ("ERROR", 410, "Expired")
        cluster.statetui("fault", "kill-pod", "db-0")
        assert json.loads(ours.line())["type"] == "MODIFIED"


def test_a_refused_right_is_seen_by_the_demos_own_user(cluster: Cluster) -> None:
    cluster.statetui("fault", "refuse-right", "pods")
    assert "pods is forbidden" in cluster.kubectl.refused("get", "pods")
    assert cluster.kubectl.refused("auth", "can-i", "list", "pods") == ""
    told = json.loads(cluster.statetui.run("get", "-o", "json").out)
    assert any(problem["resource"] == "pods" for problem in told["problems"]), told["problems"]
    cluster.statetui("fault", "refuse-right", "pods", "--end")
    assert "db-0" in cluster.kubectl("get", "pods")


def test_a_slow_network_delays_watches_and_logs_that_run(cluster: Cluster) -> None:
    with cluster.kubectl.follow("logs", "-f", "--tail=1", "db-0") as logs:

        def ages(since: float) -> Iterator[float]:
            """How old each line is that was written later than this."""
            while text := logs.line():
                if (written := float(text)) > since:
                    yield time.time() - written

        assert any(age < 2 for age in ages(0))
        cluster.statetui("fault", "slow-network", "--set", "milliseconds=2000")
        slowed = ages(time.time())
        assert min(next(slowed) for _ in range(5)) >= 2
        began = time.monotonic()
        cluster.kubectl("get", "--raw", "/version")
        assert time.monotonic() - began >= 2
        cluster.statetui("fault", "slow-network", "--end")
        assert any(age < 2 for age in ages(time.time()))
