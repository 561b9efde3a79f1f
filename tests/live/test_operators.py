"""Operators that really run: what they say of their clusters, and what is so.

They stand beside the script that brings the cluster up (STATETUI_TEST_CLUSTER_UP) and run on the newest version only.
Five minutes, most of them the operators' own: asked for with STATETUI_TEST_OPERATORS=1 (`.ci/run --operators`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.contract.clusters import KUBECONFIG, UP
from tests.live.real import kubectl

OPERATORS = Path(UP).parent / "operators" if UP else Path()
WEEK = 7 * 24 * 3600

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not os.environ.get("STATETUI_TEST_OPERATORS"), reason="not asked for: STATETUI_TEST_OPERATORS=1"
    ),
    pytest.mark.skipif(not UP or not (OPERATORS / "up").is_file(), reason="no operators beside this cluster"),
]


def brought_up(name: str) -> Iterator[None]:
    """Runs an operator with a cluster of three, unless this Kubernetes is too old for it."""
    version = json.loads(kubectl("version", "-o", "json"))["serverVersion"]
    if int("".join(filter(str.isdigit, version["minor"]))) < 30:
        pytest.skip(f"the operators need a newer Kubernetes than {version['gitVersion']}")
    environment = {**os.environ, "KUBECONFIG": KUBECONFIG}
    subprocess.run([OPERATORS / "up", name], check=True, env=environment, timeout=400)
    yield
    subprocess.run([OPERATORS / "down", name], check=True, env=environment, timeout=200)


@pytest.fixture(scope="module")
def rabbitmq() -> Iterator[None]:
    yield from brought_up("rabbitmq")


@pytest.fixture(scope="module")
def cnpg() -> Iterator[None]:
    yield from brought_up("cnpg")


def told(packaging: str) -> dict[str, Any]:
    """What `statetui get` says of the one workload of a packaging; the exit code says whether all is well."""
    command = [sys.executable, "-m", "tui", "get", "-A", "--kubeconfig", KUBECONFIG, "--no-usage", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    found = [item for item in json.loads(done.stdout)["workloads"] if item["packaging"] == packaging]
    assert len(found) == 1, found
    return dict(found[0])


def until(packaging: str, wanted: Callable[[dict[str, Any]], bool], seconds: float) -> list[dict[str, Any]]:
    """Looks until something is so; returns everything that was seen on the way."""
    end, seen = time.monotonic() + seconds, [told(packaging)]
    while not wanted(seen[-1]):
        assert time.monotonic() < end, json.dumps(seen[-1], indent=1)[:3000]
        seen.append(told(packaging))
    return seen


def well(workload: dict[str, Any]) -> bool:
    return bool(workload["ready"] == workload["desired"] == 3 and workload["health"] == "ready")


def writers(workload: dict[str, Any]) -> list[str]:
    return [member["pod"] for member in workload["members"] if member["role"] and member["role"]["writes"]]


def test_a_rabbitmq_cluster_and_a_pod_whose_deletion_lies_a_week_ahead(rabbitmq: None) -> None:
    workload = until("RabbitmqCluster", well, 120)[-1]
    assert (workload["system"], workload["owner"]["kind"]) == ("rabbitmq", "operator")
    assert [member["ordinal"] for member in workload["members"]] == [0, 1, 2]
    assert all([claim["phase"] for claim in member["claims"]] == ["Bound"] for member in workload["members"])
    claims = [member["claims"][0]["uid"] for member in workload["members"]]
    last, namespace = workload["members"][2]["pod"], workload["namespace"]

    kubectl("-n", namespace, "delete", "pod", last, "--wait=false")
    going = until("RabbitmqCluster", lambda item: bool(item["members"][2]["terminatingSince"]), 20)[-1]
    pod = json.loads(kubectl("-n", namespace, "get", "pod", last, "-o", "json"))["metadata"]
    if pod["uid"] == going["members"][2]["uid"]:
        assert datetime.fromisoformat(pod["deletionTimestamp"]).timestamp() > time.time() + WEEK - 3600
    since = datetime.fromisoformat(going["members"][2]["terminatingSince"]).timestamp()
    assert abs(time.time() - since) < 60
    assert going["health"] != "ready"
    assert [member["claims"][0]["uid"] for member in until("RabbitmqCluster", well, 180)[-1]["members"]] == claims


def test_a_postgresql_cluster_whose_primary_is_deleted(cnpg: None) -> None:
    workload = until("CloudNativePG", well, 240)[-1]
    assert workload["system"] == "postgresql"
    assert "healthy" in workload["operatorStatus"]
    (primary,) = writers(workload)

    kubectl("-n", workload["namespace"], "delete", "pod", primary, "--wait=false")
    until("CloudNativePG", lambda item: not well(item), 20)
    seen = until("CloudNativePG", lambda item: well(item) and writers(item) != [primary], 240)
    assert all(len(writers(item)) <= 1 for item in seen), "two members were said to take writes"
    assert len(writers(seen[-1])) == 1
