"""`statetui fault` against servers that are no sandbox, and its command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_api import FakeApi, Fault

from tui import cli
from tui.commands import fault
from tui.kube.options import ConnectOptions
from tui.problem import Cause, ProblemError
from tui.settings import Settings


def options(server: FakeApi, tmp_path: Path) -> ConnectOptions:
    path = tmp_path / "kubeconfig"
    text = (
        "clusters: [{name: c, cluster: {server: 'URL'}}]\nusers: [{name: u, user: {token: t}}]\n"
        "contexts: [{name: test, context: {cluster: c, user: u, namespace: db}}]\ncurrent-context: test\n"
    )
    path.write_text(text.replace("URL", server.url))
    return ConnectOptions(kubeconfig=str(path))


@pytest.mark.parametrize(
    ("status", "cause", "what"),
    [(404, Cause.ABSENT, "is no sandbox"), (403, Cause.FORBIDDEN, "is no sandbox, or this user may make no faults")],
)
@pytest.mark.parametrize("name", ["list", "kill-pod"])
async def test_a_server_that_is_no_sandbox(tmp_path: Path, status: int, cause: Cause, what: str, name: str) -> None:
    async with FakeApi() as server:
        server.faults.append(Fault("/sandbox", status, "404 page not found"))
        with pytest.raises(ProblemError) as caught:
            await fault._run(options(server, tmp_path), Settings(), fault.Request(name, "mysql-0"))
        assert caught.value.problem.cause is cause
        assert what in caught.value.problem.what
        assert "statetui demo" in caught.value.problem.remedy
        assert [each.method for each in server.requests] == ["GET"], "nothing is tried on it"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    for name in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    calls: list[Any] = []

    def run(options: ConnectOptions, settings: Settings, request: fault.Request) -> int:
        calls.append(request)
        return 0

    monkeypatch.setattr("tui.commands.fault.run", run)
    monkeypatch.setattr("tui.logfile.start", lambda *_: None)
    return calls


def test_the_command_line(asked: list[Any]) -> None:
    assert cli.main(["fault", "list"]) == 0
    assert cli.main(["fault", "crash-loop", "mysql-1", "--end"]) == 0
    words = ["fault", "refuse-right", "pods", "--set", "user=viewer", "--set", "cut=false", "--set", "n=3"]
    assert cli.main(words) == 0
    assert asked == [
        fault.Request("list"),
        fault.Request("crash-loop", "mysql-1", end=True),
        fault.Request("refuse-right", "pods", options={"user": "viewer", "cut": False, "n": 3}),
    ]


def test_an_option_without_a_value_is_refused(asked: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["fault", "slow-network", "--set", "milliseconds"])
    assert caught.value.code == 2
    assert "'milliseconds' is not OPTION=VALUE" in capsys.readouterr().err
