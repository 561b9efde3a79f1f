"""`statetui doctor`: each finding, each fault, and that nothing makes it hang."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fake_api import FakeApi
from fake_store import FakeResource
from small_cluster import kubeconfig, put_mysql, summarise, use_plugin

from tui.commands import check_cluster, check_machine, check_rights, doctor
from tui.commands.checks import Check, Status, Step
from tui.kube.options import ConnectOptions
from tui.problem import Cause, Problem
from tui.settings import Settings, SettingsError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    return tmp_path


@pytest.fixture
async def server() -> AsyncIterator[FakeApi]:
    async with FakeApi() as fake:
        put_mysql(fake)
        fake.put("nodes", {"metadata": {"name": "worker-1"}})
        summarise(fake, "data-shop-0", "data-shop-1")
        yield fake


async def examine(server: FakeApi, folder: Path, **options: Any) -> tuple[dict[str, Check], bool]:
    """The findings by name, and whether the cluster was reached."""
    found: list[Check] = []
    token = options.pop("token", "")
    chosen = ConnectOptions(kubeconfig=kubeconfig(server, folder, token=token), **options)
    reached = await doctor._cluster(chosen, found.extend)
    return {check.name: check for check in found}, reached


async def test_a_healthy_cluster(server: FakeApi, home: Path) -> None:
    found, reached = await examine(server, home)
    assert reached
    assert {check.name for check in found.values() if check.status not in (Status.OK, Status.SKIPPED)} == {"TLS"}
    assert "not encrypted" in found["TLS"].text or "nothing is encrypted" in found["TLS"].text
    assert "context test" in found["kubeconfig"].text
    assert "token from" in found["credentials"].text
    assert found["version"].text == "v1.36.3"
    assert "figures for 2 claims" in found["use of volumes"].text
    assert found["list, watch statefulsets.apps"].text == "in the whole cluster"
    assert found["get secrets"].status is Status.OK


async def test_every_right_that_is_used_is_asked_for(server: FakeApi, home: Path) -> None:
    found, _ = await examine(server, home)
    for right in check_rights.rights():
        assert right.name in found
    assert {"list, watch endpointslices.discovery.k8s.io", "get nodes/proxy", "get, create pods/portforward"} <= set(
        found
    )


async def test_rights_of_one_namespace(server: FakeApi, home: Path) -> None:
    resources = ["statefulsets", "pods", "persistentvolumeclaims"]
    server.rules = [{"verbs": ["list", "watch"], "resources": resources, "namespace": "db"}]
    found, reached = await examine(server, home)
    assert reached
    assert (found["list, watch pods"].status, found["list, watch pods"].text) == (Status.OK, "in namespace db")
    events = found["list, watch events"]
    assert (events.status, events.text) == (Status.WARNING, "not allowed in namespace db")
    assert events.lost == "what Kubernetes did and why it could not"
    assert events.remedy
    assert found["list, watch nodes"].status is Status.WARNING
    assert found["get secrets"].status is Status.SKIPPED, "nothing uses it yet"
    usage = found["use of volumes"]
    assert usage.status is Status.WARNING
    assert "nodes/proxy" in usage.text + usage.evidence


async def test_list_without_watch_is_not_the_whole_right(server: FakeApi, home: Path) -> None:
    server.rules = [{"verbs": ["list"], "resources": ["*"]}]
    found, _ = await examine(server, home)
    assert found["list, watch pods"].status is Status.FAILED


async def test_another_namespace_that_may_not_be_read(server: FakeApi, home: Path) -> None:
    server.rules = [{"verbs": ["*"], "resources": ["*"], "namespace": "db"}]
    found, _ = await examine(server, home, namespace="other")
    pods = found["list, watch pods"]
    assert (pods.status, pods.text) == (Status.FAILED, "not allowed in namespace other")
    assert pods.lost


async def test_rights_that_the_server_does_not_tell(server: FakeApi, home: Path) -> None:
    server.fail("/apis/authorization.k8s.io", 404)
    found, reached = await examine(server, home)
    assert reached
    assert found["list, watch pods"].text == "the server does not say"
    assert found["list, watch pods"].status is Status.WARNING


async def test_operators_and_metrics_are_seen_by_their_types(server: FakeApi, home: Path) -> None:
    found, _ = await examine(server, home)
    assert found["operators"].status is Status.SKIPPED
    assert found["metrics API"].status is Status.SKIPPED
    server.add_resource(FakeResource("postgresql.cnpg.io", "v1", "clusters", "Cluster"))
    found, _ = await examine(server, home)
    assert "clusters.postgresql.cnpg.io" in found["operators"].text
    assert "list, watch clusters.postgresql.cnpg.io" in found


# --- faults


async def test_a_server_that_is_not_there(home: Path) -> None:
    async with FakeApi() as server:
        pass
    found, reached = await examine(server, home)
    assert not reached
    assert found["API server"].status is Status.FAILED
    assert found["API server"].remedy
    assert found["rights"].status is Status.SKIPPED


async def test_a_server_that_never_answers(server: FakeApi, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "REACH", Step(check_cluster.GROUP, "API server", 0.2, "everything"))
    server.freeze()
    found, reached = await examine(server, home)
    assert not reached
    assert (found["API server"].status, found["API server"].text) == (Status.FAILED, "no answer within 0.2 s")


async def test_refused_credentials(server: FakeApi, home: Path) -> None:
    server.tokens = {"right"}
    found, reached = await examine(server, home, token="wrong")
    assert not reached
    assert found["API server"].status is Status.FAILED
    assert "wrong" not in json.dumps(doctor._document(found.values(), healthy=False, reached=False)).split()


async def test_html_instead_of_kubernetes(server: FakeApi, home: Path) -> None:
    server.fail("/", 200, "<html>hello</html>")
    found, reached = await examine(server, home)
    assert not reached
    assert found["API server"].status is Status.FAILED


async def test_a_kubelet_that_cannot_be_reached_costs_the_usage_only(server: FakeApi, home: Path) -> None:
    server.fail("/api/v1/nodes/worker-1/proxy", 503)
    found, reached = await examine(server, home)
    assert reached
    assert found["use of volumes"].status is Status.WARNING
    assert found["use of volumes"].lost == "how full the volumes are"
    assert found["list, watch pods"].status is Status.OK


async def test_a_missing_kubeconfig(home: Path) -> None:
    found: list[Check] = []
    assert not await doctor._cluster(ConnectOptions(kubeconfig=str(home / "none")), found.extend)
    assert found[0].status is Status.FAILED
    assert str(home / "none") in found[0].text + found[0].evidence
    assert found[0].remedy
    assert {check.status for check in found[1:]} == {Status.SKIPPED}


async def test_a_plugin_that_hangs(server: FakeApi, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CREDENTIALS", Step(check_cluster.GROUP, "credentials", 0.5, "everything"))
    file = use_plugin(kubeconfig(server, home), "import time; time.sleep(60)")
    found: list[Check] = []
    began = time.monotonic()
    assert not await doctor._cluster(ConnectOptions(kubeconfig=file), found.extend)
    assert time.monotonic() - began < 20
    failed = {check.name: check for check in found}
    assert failed["credentials"].status is Status.FAILED
    assert failed["API server"].status is Status.SKIPPED


async def test_a_defect_in_one_check_hides_no_other() -> None:
    async def broken() -> list[Check]:
        raise KeyError("oops")

    (check,), problem = await Step("g", "n").take(broken())
    assert problem is not None
    assert problem.cause is Cause.INTERNAL
    assert (check.status, check.name) == (Status.FAILED, "n")


async def test_a_step_that_hangs_is_ended() -> None:
    async def hanging() -> list[Check]:
        await asyncio.Event().wait()
        return []

    (check,), problem = await Step("g", "n", 0.05).take(hanging())
    assert problem is not None
    assert check.text == "no answer within 0.05 s"


# --- the answer


def run(monkeypatch: pytest.MonkeyPatch, form: str, *, reached: bool = True, checks: tuple[Check, ...] = ()) -> int:
    async def cluster(_: object, tell: Any) -> bool:
        tell(checks)
        return reached

    monkeypatch.setattr(doctor, "_cluster", cluster)
    return doctor.run(ConnectOptions(), Settings, form)


@pytest.mark.parametrize(
    ("status", "reached", "code"),
    [(Status.OK, True, 0), (Status.WARNING, True, 0), (Status.FAILED, True, 1), (Status.FAILED, False, 3)],
)
def test_exit_codes(
    status: Status, reached: bool, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "json", reached=reached, checks=(Check("g", "n", status, "t"),)) == code
    found = json.loads(capsys.readouterr().out)
    assert (found["apiVersion"], found["kind"], found["healthy"]) == ("statetui/v1", "Doctor", code == 0)
    assert found["checks"][-1] == {
        "group": "g", "name": "n", "status": status.value, "text": "t", "evidence": "", "lost": "", "remedy": "",
    }  # fmt: skip


def test_the_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    bad = Check("rights", "list pods", Status.FAILED, "no", "said \x1b[31mno", "panes", "Ask.")
    run(monkeypatch, "table", checks=(bad, Check("rights", "list nodes", Status.WARNING, "no", "", "health", "Ask.")))
    shown = capsys.readouterr().out
    lines = [line.strip() for line in shown.splitlines()]
    start = lines.index("RIGHTS")
    assert lines[start + 1].split() == ["✗", "list", "pods", "no;", "lost:", "panes"]
    assert lines[start + 2] == "said ␛[31mno"
    assert lines[start + 3].split() == ["!", "list", "nodes", "no;", "lost:", "health"]
    assert lines[start + 4] == "next: Ask.", "said once for both"
    assert lines[-1] == "1 failed, 1 with less than all"


def test_settings_with_a_mistake_are_a_finding_and_not_the_end() -> None:
    def load() -> Settings:
        raise SettingsError(
            Problem(Cause.CONFIG, "The settings have a mistake", "file x:1: no such key", "Correct it.")
        )

    check = check_machine.settings(load)
    assert (check.status, check.evidence) == (Status.FAILED, "file x:1: no such key")


def test_a_state_folder_that_cannot_be_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "file"))
    (check,) = check_machine.folders()
    assert check.status is Status.WARNING
    assert "log" in check.lost


@pytest.mark.parametrize(
    ("environ", "size", "name", "status", "text"),
    [
        ({"TERM": "dumb"}, (80, 24), "terminal", Status.FAILED, "dumb"),
        ({}, (80, 24), "terminal", Status.FAILED, "not set"),
        ({"TERM": "tmux-256color", "TMUX": "x"}, (80, 24), "terminal", Status.OK, "tmux-256color in tmux"),
        ({"TERM": "xterm"}, (79, 24), "size", Status.WARNING, "79×24"),
        ({"TERM": "xterm"}, (140, 40), "size", Status.OK, "140×40"),
        ({"TERM": "xterm"}, (20, 5), "size", Status.WARNING, "20×5"),
        ({"TERM": "xterm-256color"}, (80, 24), "colours", Status.OK, "256"),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, (80, 24), "colours", Status.OK, "16 million"),
        ({"TERM": "xterm", "NO_COLOR": "1"}, (80, 24), "colours", Status.OK, "NO_COLOR"),
        ({"TERM": "xterm", "LC_ALL": "C"}, (80, 24), "characters", Status.WARNING, "not UTF-8"),
    ],
)
def test_terminals(environ: dict[str, str], size: tuple[int, int], name: str, status: Status, text: str) -> None:
    check = next(check for check in check_machine.terminal(environ, size) if check.name == name)
    assert check.status is status
    assert text in check.text


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("v1.20.2", Status.OK),
        ("v1.36.3", Status.OK),
        ("v1.40.0-alpha.1+k3s1", Status.OK),
        ("v1.19.16", Status.WARNING),
        ("v2.0.0", Status.WARNING),
        ("", Status.WARNING),
    ],
)
def test_versions(version: str, status: Status) -> None:
    assert check_cluster.version_check(version).status is status
    if "1.40" in version:
        assert "newer" in check_cluster.version_check(version).text


def test_a_problem_without_advice_still_says_what_next() -> None:
    check = Step("g", "n").failed(Problem(Cause.SERVER, "it failed"))
    assert check.remedy


def test_a_system_of_ones_own_that_is_wrong_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (check,) = check_machine.systems()
    assert check.status is Status.OK
    file = tmp_path / "statetui" / "systems" / "mine" / "system.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("title: [")
    (check,) = check_machine.systems()
    assert check.status is Status.WARNING and str(file) in check.text
    assert check.lost == "this file is left out" and check.remedy
