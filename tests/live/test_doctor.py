"""`statetui doctor` as a process, against the real cluster."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.live.real import KUBECONFIG, other

pytestmark = pytest.mark.live


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))


def examine(*words: str, kubeconfig: str = KUBECONFIG) -> tuple[int, dict[str, Any]]:
    """The exit code and the checks by name."""
    command = [sys.executable, "-m", "tui", "doctor", "-o", "json", "--kubeconfig", kubeconfig, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, {check["name"]: check for check in json.loads(done.stdout)["checks"]}


def test_an_administrator_lacks_nothing() -> None:
    code, found = examine()
    assert code == 0
    assert {name: check for name, check in found.items() if check["status"] in ("failed", "warning")} == {}
    assert found["version"]["text"].startswith("v1.")
    assert "client certificate" in found["credentials"]["text"]
    assert "with figures for" in found["use of volumes"]["text"]


def test_a_user_of_one_namespace_is_told_what_is_lost() -> None:
    code, found = examine("-n", "stateful", kubeconfig=other("viewer"))
    assert code == 0
    assert found["list, watch pods"]["text"] == "in namespace stateful"
    assert (found["get nodes/proxy"]["status"], found["get nodes/proxy"]["lost"]) == (
        "warning",
        "how full the volumes are",
    )
    assert found["use of volumes"]["status"] == "warning"
    assert "viewer" in found["use of volumes"]["evidence"]


def test_a_user_with_no_rights_is_told_so() -> None:
    code, found = examine(kubeconfig=other("nobody"))
    assert code == 1
    assert found["API server"]["status"] == "ok"
    assert found["list, watch pods"]["status"] == "failed"


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    text = Path(KUBECONFIG).read_text()
    server = next(line.split()[-1] for line in text.splitlines() if line.strip().startswith("server:"))
    file = tmp_path / "kubeconfig"
    file.write_text(text.replace(server, "https://127.0.0.1:9"))
    code, found = examine(kubeconfig=str(file))
    assert code == 3
    assert found["API server"]["status"] == "failed"
    assert found["API server"]["remedy"]


def test_impersonation_is_really_done() -> None:
    code, found = examine("--as", "nobody-at-all", "-n", "stateful")
    assert code == 1
    assert "acting as nobody-at-all" in found["credentials"]["text"]
    assert found["list, watch pods"]["status"] == "failed"
