"""Each fault as people see it: made with `statetui fault`, seen by kubectl and by `statetui get`, and undone."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

_KUBECTL = shutil.which("kubectl")
pytestmark = pytest.mark.skipif(_KUBECTL is None, reason="there is no kubectl on PATH")

_SET = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: default}
spec:
  serviceName: db
  replicas: 1
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: db
        image: sandbox/process
        command: [sh, -c, 'while true; do date +%s.%N; sleep 0.2; done']
        volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 16Mi}}}
"""


class Cluster:
    """A sandbox in a process of its own, and the programs that people use on it."""

    def __init__(self, process: subprocess.Popen[bytes], kubeconfig: Path, home: Path) -> None:
        self.process, self.kubeconfig = process, kubeconfig
        self.environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "HOME": str(home), "COLUMNS": "200"}

    def _run(self, words: list[str], stdin: str, *, fails: bool) -> str:
        done = subprocess.run(
            words, env=self.environment, input=stdin, capture_output=True, text=True, timeout=120, check=False
        )
        assert fails == (done.returncode != 0), f"{words}: {done.stdout}{done.stderr}"
        return done.stderr if fails else done.stdout

    def kubectl(self, *words: str, stdin: str = "", fails: bool = False) -> str:
        return self._run([str(_KUBECTL), *words], stdin, fails=fails)

    def statetui(self, *words: str, fails: bool = False) -> str:
        return self._run([sys.executable, "-m", "tui", *words], "", fails=fails)

    def json(self, *words: str) -> Any:
        return json.loads(self.kubectl("get", *words, "-o", "json"))

    def pod(self) -> Any:
        return self.json("pod", "db-0")

    def ready(self) -> bool:
        conditions = self.pod()["status"].get("conditions") or []
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    def workload(self) -> Any:
        """What `statetui get` says of the set; its exit code says whether all is well, and does not matter here."""
        words = [sys.executable, "-m", "tui", "get", "-n", "default", "-o", "json"]
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=120, check=False)
        return json.loads(done.stdout)["workloads"][0]


def until(condition: Callable[[], Any], seconds: float = 120) -> Any:
    """Waits for a condition; the limit is for a machine that has much else to do."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.2)
    return found


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    directory = tmp_path_factory.mktemp("sandbox")
    command = [sys.executable, "-m", "tui.sandbox", "--directory", str(directory / "state")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline().startswith(b"https://"), "it has started"
            made = Cluster(process, directory / "state" / "kubeconfig", directory)
            made.kubectl("apply", "-f", "-", stdin=_SET)
            yield made
        finally:
            process.terminate()


@pytest.fixture
def cluster(running: Cluster) -> Iterator[Cluster]:
    """The sandbox with its pod ready; whatever a test that failed has left is ended."""
    until(lambda: "db-0" in running.kubectl("get", "pods", "-o", "name") and running.ready())
    yield running
    for fault in json.loads(running.kubectl("get", "--raw", "/sandbox/v1/faults"))["active"]:
        running.statetui("fault", fault["name"], "--end")


@contextlib.contextmanager
def _follow(cluster: Cluster, *words: str) -> Iterator[tuple[subprocess.Popen[str], Callable[[], str]]]:
    """A program that goes on, and its next line."""
    with subprocess.Popen(
        words, env=cluster.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline
        finally:
            process.terminate()


_WATCH = (sys.executable, "-u", "-m", "tui", "get", "-n", "default", "-o", "json", "-w")


def test_a_killed_pod_is_seen_to_restart(cluster: Cluster) -> None:
    before = cluster.pod()["status"]["containerStatuses"][0]["restartCount"]
    assert "killed 1 container of db-0" in cluster.statetui("fault", "kill-pod", "db-0")
    status = until(lambda: [s for s in cluster.pod()["status"]["containerStatuses"] if s["restartCount"] > before])[0]
    assert status["lastState"]["terminated"]["exitCode"] == 137
    until(cluster.ready)
    assert cluster.workload()["members"][0]["restarts"] == before + 1


def test_a_crash_loop_is_seen_and_ends(cluster: Cluster) -> None:
    said = cluster.statetui("fault", "crash-loop", "db-0", "--set", "exitCode=42")
    assert "statetui fault crash-loop default/db-0 --end" in said
    until(lambda: "CrashLoopBackOff" in cluster.kubectl("get", "pod", "db-0"))
    workload = until(lambda: (found := cluster.workload())["members"][0]["health"] == "failing" and found)
    assert "42" in json.dumps(workload)
    cluster.statetui("fault", "crash-loop", "db-0", "--end")
    until(cluster.ready)


def test_a_full_volume_is_seen_and_emptied(cluster: Cluster) -> None:
    assert "100% full" in cluster.statetui("fault", "fill-volume", "db-0")
    summary = "/api/v1/nodes/sandbox/proxy/stats/summary"

    def used() -> int:
        pods = json.loads(cluster.kubectl("get", "--raw", summary))["pods"]
        return max(volume["usedBytes"] for pod in pods for volume in pod.get("volume", ()) if "pvcRef" in volume)

    until(lambda: used() == 16 << 20)
    usage = cluster.workload()["members"][0]["claims"][0]["usage"]
    assert (usage["usedBytes"], usage["availableBytes"]) == (16 << 20, 0)
    volumes = cluster.kubeconfig.parent / "volumes"
    blocks = sum(file.stat().st_blocks for file in volumes.rglob("*") if file.is_file())
    assert blocks * 512 >= 16 << 20, "the disk is used, not only the figure changed"
    cluster.statetui("fault", "fill-volume", "db-0", "--end")
    until(lambda: used() < 1 << 20)


def test_a_frozen_node_is_seen_and_comes_back(cluster: Cluster) -> None:
    uid = cluster.pod()["metadata"]["uid"]
    with _follow(cluster, str(_KUBECTL), "logs", "-f", "--tail=1", "db-0") as (_, line):
        assert line()
        cluster.statetui("fault", "freeze-node", "--set", "evictAfter=2")
        assert "NotReady" in cluster.kubectl("get", "nodes", "--no-headers")
        (ready,) = (c for c in cluster.json("node", "sandbox")["status"]["conditions"] if c["type"] == "Ready")
        assert (ready["status"], ready["reason"]) == ("Unknown", "NodeStatusUnknown")
        assert not cluster.ready()
        until(lambda: "Terminating" in cluster.kubectl("get", "pod", "db-0", "--no-headers"))
        events = cluster.kubectl("get", "events", "--no-headers")
        assert "NodeNotReady" in events
        assert "TaintManagerEviction" in events
        member = cluster.workload()["members"][0]
        assert member["health"] == "terminating"
        assert "connection refused" in cluster.kubectl("exec", "db-0", "--", "true", fails=True)
        cluster.statetui("fault", "freeze-node", "--end")
    until(lambda: uid not in cluster.kubectl("get", "pods", "-o", "jsonpath={.items[*].metadata.uid}"))
    until(lambda: "db-0" in cluster.kubectl("get", "pods", "-o", "name") and cluster.ready())
    assert " Ready" in cluster.kubectl("get", "nodes", "--no-headers")
    assert "taints" not in cluster.json("node", "sandbox")["spec"]


def test_cut_watches_are_seen_by_kubectl_and_statetui_goes_on(cluster: Cluster) -> None:
    pods = "/api/v1/namespaces/default/pods?watch=1"
    with (
        _follow(cluster, str(_KUBECTL), "get", "--raw", pods) as (watch, line),
        _follow(cluster, *_WATCH) as (_, ours),
    ):
        assert json.loads(line())["object"]["metadata"]["name"] == "db-0"
        assert json.loads(ours())["type"] == "ADDED"
        assert "of watches" in cluster.statetui("fault", "cut-watches")
        assert watch.wait(120) != 0, "kubectl tells that its connection broke"
        cluster.statetui("fault", "kill-pod", "db-0")
        assert json.loads(ours())["type"] == "MODIFIED"


def test_forgotten_history_is_410_and_statetui_lists_anew(cluster: Cluster) -> None:
    version = cluster.pod()["metadata"]["resourceVersion"]
    with _follow(cluster, *_WATCH) as (_, ours):
        assert json.loads(ours())["type"] == "ADDED"
        assert "are forgotten" in cluster.statetui("fault", "expire-history")
        path = f"/api/v1/namespaces/default/pods?watch=1&resourceVersion={version}"
        told = json.loads(cluster.kubectl("get", "--raw", path).splitlines()[0])
        assert (told["type"], told["object"]["code"], told["object"]["reason"]) == ("ERROR", 410, "Expired")
        cluster.statetui("fault", "kill-pod", "db-0")
        assert json.loads(ours())["type"] == "MODIFIED"


def test_a_refused_right_is_seen_by_the_demos_own_user(cluster: Cluster) -> None:
    cluster.statetui("fault", "refuse-right", "pods")
    assert "pods is forbidden" in cluster.kubectl("get", "pods", fails=True)
    assert cluster.kubectl("auth", "can-i", "list", "pods", fails=True) == ""
    words = [sys.executable, "-m", "tui", "get", "-n", "default", "-o", "json"]
    done = subprocess.run(words, env=cluster.environment, capture_output=True, text=True, timeout=120, check=False)
    told = json.loads(done.stdout)
    assert any(problem["resource"] == "pods" for problem in told["problems"]), told["problems"]
    cluster.statetui("fault", "refuse-right", "pods", "--end")
    assert "db-0" in cluster.kubectl("get", "pods")


def test_a_slow_network_delays_watches_and_logs_that_run(cluster: Cluster) -> None:
    with _follow(cluster, str(_KUBECTL), "logs", "-f", "--tail=1", "db-0") as (_, line):

        def ages(since: float) -> Iterator[float]:
            """How old each line is that was written later than this."""
            while text := line():
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
