"""`statetui get` as a process: what it says of a cluster's workloads, members, roles and claims."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.admin import until
from tests.contract.clusters import Cluster

pytestmark = pytest.mark.usefixtures("home")


class Get:
    """`statetui get` in one namespace."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.namespace = namespace
        self._command = [sys.executable, "-m", "tui", "get", "--kubeconfig", cluster.kubeconfig, "-n", namespace]

    def command(self, *words: str) -> list[str]:
        return [*self._command, *words]

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*words), capture_output=True, text=True, timeout=90, check=False)

    def workloads(self, *words: str) -> dict[str, Any]:
        done = self("-o", "json", *words)
        assert done.returncode == 0, done.stderr
        return {item["name"]: item for item in json.loads(done.stdout)["workloads"]}


@pytest.fixture
def get(cluster: Cluster, five: str) -> Get:
    return Get(cluster, five)


def test_the_five_workloads(get: Get) -> None:
    found = get.workloads()
    told = {name: (item["title"], item["ready"], item["desired"], item["health"]) for name, item in found.items()}
    assert told == {
        "cdb": ("CockroachDB", 3, 3, "ready"),
        "my-tenant": ("MinIO", 2, 2, "ready"),
        "mysql": ("MySQL", 3, 3, "ready"),
        "orders": ("MySQL", 2, 2, "ready"),
        "rabbitmq": ("RabbitMQ", 3, 3, "ready"),
    }
    assert {name: item["packaging"] for name, item in found.items()} == {
        "cdb": "chart cockroachdb 17.0.0",
        "my-tenant": "operator tenant",
        "mysql": "StatefulSet",
        "orders": "chart mysql 14.0.3",
        "rabbitmq": "chart rabbitmq 16.0.0",
    }
    assert [len(item["claims"]) for item in found["my-tenant"]["members"]] == [2, 2]
    roles = {name: [member["role"]["name"] for member in item["members"]] for name, item in found.items()}
    assert roles == {
        "cdb": ["node", "node", "node"],
        "my-tenant": ["server", "server"],
        "mysql": ["primary", "replica", "replica"],
        "orders": ["primary", "replica"],
        "rabbitmq": ["node", "node", "node"],
    }
    sets = {one["name"] for one in found["orders"]["objects"] if one["resource"] == "statefulsets"}
    assert sets == {"orders-mysql-primary", "orders-mysql-secondary"}
    for item in found.values():
        for claim in (claim for member in item["members"] for claim in member["claims"]):
            assert (claim["phase"], claim["requestedBytes"], claim["storageClass"]) == ("Bound", 16 << 20, "standard")
            assert (claim["usage"] is None) == bool(claim["usageUnknown"])


def test_the_table_and_one_workload_with_its_members(get: Get) -> None:
    lines = get().stdout.splitlines()
    assert lines[0].split()[:4] == ["NAMESPACE", "NAME", "SYSTEM", "READY"]
    assert [line.split()[1] for line in lines[1:]] == ["cdb", "my-tenant", "mysql", "orders", "rabbitmq"]
    shown = get("mysql").stdout
    assert [line.split()[1] for line in shown.splitlines() if line.startswith("●")] == ["mysql-0", "mysql-1", "mysql-2"]


@pytest.mark.parametrize("name", ["orders", "{}/orders", "orders-mysql-primary", "{}/orders-mysql-secondary"])
def test_a_workload_by_its_own_name_or_that_of_one_of_its_sets(get: Get, name: str) -> None:
    assert list(get.workloads(name.format(get.namespace))) == ["orders"]


def test_a_name_that_is_not_there(get: Get) -> None:
    done = get("rabitmq")
    assert done.returncode == 1
    assert "did you mean rabbitmq?" in done.stderr


def test_a_user_of_one_namespace(get: Get, user: Callable[..., str]) -> None:
    name = user(get.namespace, [{"apiGroups": ["", "apps"], "resources": ["*"], "verbs": ["get", "list", "watch"]}])

    def all_told() -> bool:
        """One answer may come before the last refusal, which it does not wait for."""
        done = get("-o", "json", "--as", name)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert len(found["workloads"]) == 5
        reasons = {c["usageUnknown"] for w in found["workloads"] for m in w["members"] for c in m["claims"]}
        refused = {problem["resource"] for problem in found["problems"]}
        return "persistentvolumes" in refused and reasons == {"needs get on nodes/proxy"}

    until(all_told)


def test_a_user_with_no_rights(get: Get) -> None:
    done = get("--as", "statetui-nobody")
    assert (done.returncode, done.stdout) == (4, "")
    assert "forbidden" in done.stderr


def test_a_deleted_pod_is_seen_going_and_coming_back_with_its_claim(cluster: Cluster, get: Get) -> None:
    watch = get.command("cdb", "-w", "-o", "json")
    with subprocess.Popen(watch, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            first = json.loads(process.stdout.readline())["workload"]["members"][2]
            cluster.admin.delete("Pod", get.namespace, "cdb-cockroachdb-2")
            healths = []
            while True:
                event = json.loads(process.stdout.readline())
                last = event["workload"]["members"][2]
                healths.append(last["health"])
                if last["health"] == "ready" and last["uid"] != first["uid"]:
                    break
        finally:
            process.kill()
    assert "terminating" in healths
    assert [claim["uid"] for claim in last["claims"]] == [claim["uid"] for claim in first["claims"]]
    assert event["workload"]["ready"] == 3
