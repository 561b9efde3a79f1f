"""`statetui get` as a process, against the chapter's workloads: real servers, users and drivers of volumes.

What holds for any cluster is in `tests/contract/test_contract_recognition.py`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.live.real import KUBECONFIG, other

NAMESPACE = "stateful"

pytestmark = pytest.mark.live


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


def command(*words: str, kubeconfig: str = KUBECONFIG) -> list[str]:
    return [sys.executable, "-m", "tui", "get", "--kubeconfig", kubeconfig, *words]


def run(*words: str, kubeconfig: str = KUBECONFIG) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words, kubeconfig=kubeconfig), capture_output=True, text=True, timeout=60, check=False
    )


def workloads(*words: str) -> dict[str, Any]:
    done = run("-n", NAMESPACE, "-o", "json", *words)
    assert done.returncode == 0, done.stderr
    return {item["name"]: item for item in json.loads(done.stdout)["workloads"]}


def test_the_five_workloads() -> None:
    found = workloads()
    told = {name: (item["title"], item["ready"], item["desired"], item["health"]) for name, item in found.items()}
    assert told == {
        "cdb": ("CockroachDB", 3, 3, "ready"),
        "my-tenant": ("MinIO", 2, 2, "ready"),
        "mysql": ("MySQL", 3, 3, "ready"),
        "orders": ("MySQL", 2, 2, "ready"),
        "rabbitmq": ("RabbitMQ", 3, 3, "ready"),
    }
    assert [len(item["claims"]) for item in found["my-tenant"]["members"]] == [2, 2]
    roles = [member["role"]["name"] for member in found["mysql"]["members"]]
    assert roles == ["primary", "replica", "replica"]
    sets = {one["name"] for one in found["orders"]["objects"] if one["resource"] == "statefulsets"}
    assert sets == {"orders-mysql-primary", "orders-mysql-secondary"}


def test_use_of_volumes_or_why_it_is_not_known() -> None:
    claims = {
        claim["name"]: claim
        for item in workloads().values()
        for member in item["members"]
        for claim in member["claims"]
    }
    sized = [claim for claim in claims.values() if claim["storageClass"] == "sized"]
    assert len(sized) >= 3
    for claim in sized:
        assert 0 < claim["usage"]["usedBytes"] < claim["usage"]["capacityBytes"]
    others = [claim for claim in claims.values() if claim["storageClass"] != "sized"]
    assert others
    assert all(claim["usage"] is None and claim["usageUnknown"] for claim in others)


def test_a_user_of_one_namespace() -> None:
    done = run("-n", NAMESPACE, "-o", "json", kubeconfig=other("viewer"))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found["workloads"]) == 5
    assert "persistentvolumes" in {problem["resource"] for problem in found["problems"]}
    reasons = {c["usageUnknown"] for w in found["workloads"] for m in w["members"] for c in m["claims"]}
    assert any("nodes/proxy" in reason for reason in reasons)


def test_a_user_with_no_rights() -> None:
    done = run(kubeconfig=other("nobody"))
    assert (done.returncode, done.stdout) == (4, "")
    assert "forbidden" in done.stderr
