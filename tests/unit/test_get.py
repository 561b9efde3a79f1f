"""`statetui get` against a fake API server: every form, what is missing, changes, and faults."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_api import FakeApi
from small_cluster import GIB, kubeconfig, meta, pod, put_mysql, summarise

from tui.commands import get, output, printers
from tui.commands.table import paper
from tui.kube.options import ConnectOptions
from tui.problem import Cause, ProblemError
from tui.settings import Settings


class Out(io.StringIO):
    """Standard output that can be waited on."""

    encoding = "utf-8"

    def __init__(self) -> None:
        super().__init__()
        self.news = asyncio.Event()

    def write(self, text: str) -> int:
        self.news.set()
        return super().write(text)

    async def until(self, wanted: Callable[[str], bool]) -> str:
        """What has been written, once it is as wanted."""
        async with asyncio.timeout(20):
            while not wanted(self.getvalue()):
                self.news.clear()
                await self.news.wait()
        return self.getvalue()


@pytest.fixture(autouse=True)
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Out]:
    for name in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    stream = Out()
    monkeypatch.setattr(printers, "_write", stream.write)
    monkeypatch.setattr(printers, "paper", lambda: paper(stream, {}))
    return stream


@pytest.fixture
async def server() -> AsyncIterator[FakeApi]:
    async with FakeApi() as fake:
        put_mysql(fake)
        put_mysql(fake, "audit", "db", ready=1)
        put_mysql(fake, "shop", "other")
        summarise(fake, "data-shop-0", "data-shop-1", "data-audit-0")
        yield fake


async def run(
    server: FakeApi, tmp_path: Path, *names: str, namespace: str | None = None, thin: bool = False, **request: Any
) -> int:
    options = ConnectOptions(kubeconfig=kubeconfig(server, tmp_path), namespace=namespace, low_bandwidth=thin)
    request.setdefault("timeout", 20.0)
    return await get._Get(options, Settings(), get.Request(names, **request)).run()


def table(text: str) -> list[list[str]]:
    return [re.split(r" {3,}", line) for line in text.splitlines()]


async def test_the_table(server: FakeApi, tmp_path: Path, out: Out, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run(server, tmp_path) == 0
    head, audit, shop, other = table(out.getvalue())
    assert head == ["NAMESPACE", "NAME", "SYSTEM", "READY", "MEMBERS", "CLAIMS", "USE", "AGE", "WHY"]
    assert audit[:7] == ["db", "audit", "MySQL", "1/2", "●✗", "2/2 2Gi", "25%"]
    assert "CrashLoopBackOff" in audit[8]
    assert shop[:7] == ["db", "shop", "MySQL", "2/2", "●●", "2/2 2Gi", "25%"]
    assert other[:2] == ["other", "shop"]
    assert other[6] == "?", "no figure was reported for these claims"
    assert capsys.readouterr().err == ""


async def test_what_a_terminal_obeys_is_shown_and_not_sent(server: FakeApi, tmp_path: Path, out: Out) -> None:
    server.put("pods", {**pod("lone-0", "db", {"app": "lone"}, [], ready=False), "kind": "Pod"})
    for form in ("table", "wide", "json", "yaml"):
        await run(server, tmp_path, output=form)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", out.getvalue()), form


async def test_wide_adds_columns(server: FakeApi, tmp_path: Path, out: Out) -> None:
    await run(server, tmp_path, output="wide", namespace="other")
    head, row = table(out.getvalue())
    facts = dict(zip(head, row, strict=False))
    assert facts["VERSION"] == "8.4"
    assert facts["NODES"] == "worker-1"
    assert {"PACKAGING", "OWNER", "ROLES"} <= set(head)


async def test_what_stands_in_is_said(server: FakeApi, tmp_path: Path, out: Out) -> None:
    said = "Valkey stands in for MySQL: it knows no SQL"
    for name in ("audit-0", "audit-1", "shop-0", "shop-1"):
        made = server.get("pods", name, "db")
        assert made is not None
        made["metadata"]["annotations"] = {"statetui/stands-in": said}
        server.put("pods", made)
    await run(server, tmp_path, "db/audit", output="wide")
    workloads, members, *remarks = out.getvalue().split("\n\n")
    for text in (workloads, members):
        head, row = table(text)[:2]
        assert dict(zip(head, row, strict=False))["STAND-IN"] == "Valkey stands in for MySQL"
    assert said in "".join([members, *remarks])
    # Without the column for it, it is said where there is nothing else to say.
    out.seek(0)
    out.truncate()
    await run(server, tmp_path, namespace="db")
    head, audit, shop = table(out.getvalue())
    assert (head[8], shop[8]) == ("WHY", "Valkey stands in for MySQL") and "CrashLoopBackOff" in audit[8]
    out.seek(0)
    out.truncate()
    await run(server, tmp_path, "db/audit", output="json")
    (found,) = json.loads(out.getvalue())["workloads"]
    assert (found["standsIn"], found["members"][0]["standsIn"]) == (said, said)


async def test_a_named_workload_is_shown_with_its_members(server: FakeApi, tmp_path: Path, out: Out) -> None:
    assert await run(server, tmp_path, "db/audit") == 0
    workloads, members = out.getvalue().split("\n\n")[:2]
    assert len(table(workloads)) == 2
    head, first, second = table(members)
    assert head[:3] == ["POD", "ROLE", "STATUS"]
    assert first[0] == "● audit-0"
    assert first[-5:] == ["data-audit-0", "Bound", "1Gi", "fast", "25% 256Mi"]
    assert second[0] == "✗ audit-1"
    assert "CrashLoopBackOff" in second[2]
    assert second[-1].startswith("? "), "a figure that is not known has its reason beside it"


@pytest.mark.parametrize(("name", "found"), [("shop", 2), ("other/shop", 1), ("audit", 1)])
async def test_names_choose(server: FakeApi, tmp_path: Path, out: Out, name: str, found: int) -> None:
    assert await run(server, tmp_path, name, output="json") == 0
    assert len(json.loads(out.getvalue())["workloads"]) == found


async def test_an_unknown_name_is_answered_with_the_nearest(
    server: FakeApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run(server, tmp_path, "shpo", "audit") == 1
    assert "no workload is called shpo; did you mean shop?" in capsys.readouterr().err


async def test_json_has_the_documented_fields(server: FakeApi, tmp_path: Path, out: Out) -> None:
    await run(server, tmp_path, "audit", output="json")
    found = json.loads(out.getvalue())
    assert {key: found[key] for key in ("apiVersion", "kind", "context", "complete", "problems", "serverVersion")} == {
        "apiVersion": "statetui/v1",
        "kind": "WorkloadList",
        "context": "test",
        "complete": True,
        "problems": [],
        "serverVersion": "v1.36.3",
    }
    (audit,) = found["workloads"]
    assert set(audit) == {
        "key", "namespace", "name", "kind", "system", "title", "packaging", "version", "owner", "health",
        "ready", "desired", "why", "operatorStatus", "standsIn", "created", "members", "spareClaims", "rollouts",
        "warnings", "objects",
    }  # fmt: skip
    assert (audit["health"], audit["ready"], audit["desired"], audit["created"]) == (
        "failing", 1, 2, "2026-01-01T00:00:00Z",
    )  # fmt: skip
    first, second = audit["members"]
    assert (first["pod"], first["ordinal"], first["set"], first["restarts"]) == ("audit-0", 0, "audit", 0)
    assert second["restarts"] == 4
    assert set(first) == {
        "pod", "uid", "label", "set", "ordinal", "role", "lag", "health", "phase", "ready", "restarts", "lastRestart",
        "lastRestartAt", "created", "node", "ip", "revision", "revisionCurrent", "images", "note", "standsIn",
        "terminatingSince", "claims",
    }  # fmt: skip
    (claim,) = first["claims"]
    assert claim["usage"]["usedBytes"] == GIB // 4
    assert claim["usageUnknown"] == ""
    assert second["claims"][0]["usage"] is None
    assert second["claims"][0]["usageUnknown"]


async def test_yaml_says_the_same(server: FakeApi, tmp_path: Path, out: Out) -> None:
    await run(server, tmp_path, output="yaml", usage=False)
    assert len(yaml.safe_load(out.getvalue())["workloads"]) == 3


async def test_without_usage_no_node_is_asked(server: FakeApi, tmp_path: Path, out: Out) -> None:
    await run(server, tmp_path, usage=False)
    assert not [request for request in server.requests if "proxy" in request.path]


async def test_usage_is_not_waited_for_for_long(
    server: FakeApi, tmp_path: Path, out: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(get, "USAGE_WAIT", 0.1)
    server.fail("/api/v1/nodes/worker-1/proxy", 200, "late")
    server.summaries.clear()
    asked = asyncio.get_running_loop().time()
    assert await run(server, tmp_path, output="json") == 0
    assert asyncio.get_running_loop().time() - asked < 10
    claims = [c for w in json.loads(out.getvalue())["workloads"] for m in w["members"] for c in m["claims"]]
    assert all(claim["usage"] is None and claim["usageUnknown"] for claim in claims)


# --- rights and faults


async def test_no_right_at_all_is_exit_4(server: FakeApi, tmp_path: Path) -> None:
    server.rules = []
    with pytest.raises(ProblemError) as caught:
        await run(server, tmp_path)
    problem = caught.value.problem
    assert problem.cause is Cause.FORBIDDEN
    assert "forbidden" in problem.evidence
    assert "-n" in problem.remedy


async def test_one_namespace_is_shown_and_what_is_missing_is_said(
    server: FakeApi, tmp_path: Path, out: Out, capsys: pytest.CaptureFixture[str]
) -> None:
    resources = ["statefulsets", "pods", "persistentvolumeclaims", "deployments", "replicasets"]
    server.rules = [{"verbs": ["list", "watch"], "resources": resources, "namespace": "db"}]
    assert await run(server, tmp_path, output="json") == 0
    found = json.loads(out.getvalue())
    assert [item["name"] for item in found["workloads"]] == ["audit", "shop"]
    assert "db" in found["scope"]
    refused = {problem["resource"]: problem for problem in found["problems"]}
    assert refused["daemonsets.apps"]["cause"] == "forbidden"
    assert refused["daemonsets.apps"]["lost"] == "stateful systems that run as DaemonSets"
    assert "daemonsets.apps may not be read" in capsys.readouterr().err


async def test_a_server_that_is_not_there_is_exit_3(tmp_path: Path) -> None:
    async with FakeApi() as server:
        pass
    with pytest.raises(ProblemError) as caught:
        await run(server, tmp_path)
    assert caught.value.problem.cause is Cause.UNREACHABLE


async def test_refused_credentials_are_exit_3(server: FakeApi, tmp_path: Path) -> None:
    server.tokens = {"another"}
    with pytest.raises(ProblemError) as caught:
        await run(server, tmp_path)
    assert caught.value.problem.cause is Cause.CREDENTIALS


async def test_a_kubeconfig_that_is_missing_is_told(tmp_path: Path) -> None:
    options = ConnectOptions(kubeconfig=str(tmp_path / "none"))
    with pytest.raises(ProblemError) as caught:
        await get._Get(options, Settings(), get.Request()).run()
    assert caught.value.problem.cause is Cause.CONFIG


async def test_a_frozen_server_ends_at_the_timeout(server: FakeApi, tmp_path: Path) -> None:
    server.freeze()
    with pytest.raises(ProblemError) as caught:
        await run(server, tmp_path, timeout=0.3)
    assert caught.value.problem.cause is Cause.TIMEOUT
    assert "0.3 s" in caught.value.problem.what


async def test_what_did_not_come_in_time_is_named_and_no_wrong_workload_is_printed(
    server: FakeApi, tmp_path: Path, out: Out, capsys: pytest.CaptureFixture[str]
) -> None:
    server.fail("/api/v1/persistentvolumeclaims", 503)
    assert await run(server, tmp_path, timeout=1.0, output="json") == 1
    assert "still waiting for persistentvolumeclaims" in capsys.readouterr().err
    found = json.loads(out.getvalue())
    assert found["complete"] is False
    assert found["workloads"] == [], "without the claims, each workload would look as if it had none"


async def test_html_instead_of_json(server: FakeApi, tmp_path: Path) -> None:
    server.fail("/", 200, "<html>log in</html>")
    with pytest.raises(ProblemError) as caught:
        await run(server, tmp_path)
    assert caught.value.problem.cause is Cause.PROTOCOL


async def test_nothing_stateful(tmp_path: Path, out: Out, capsys: pytest.CaptureFixture[str]) -> None:
    async with FakeApi() as server:
        assert await run(server, tmp_path) == 0
    assert out.getvalue() == ""
    assert "no stateful workload in all namespaces" in capsys.readouterr().err


# --- changes


@asynccontextmanager
async def watching(server: FakeApi, tmp_path: Path, *names: str, **request: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(run(server, tmp_path, *names, watch=True, **request))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def documents(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


async def test_changes_are_json_lines(server: FakeApi, tmp_path: Path, out: Out) -> None:
    async with watching(server, tmp_path, output="json"):
        first = documents(await out.until(lambda text: text.count("\n") >= 3))
        assert [item["type"] for item in first] == ["ADDED"] * 3
        put_mysql(server, "audit", "db", ready=2)
        found = await out.until(lambda text: '"MODIFIED"' in text and documents(text)[-1]["workload"]["ready"] == 2)
        assert documents(found)[-1]["workload"]["name"] == "audit"
        put_mysql(server, "fresh", "db")
        await out.until(lambda text: '"fresh"' in text)
        for ordinal in range(2):
            server.delete("pods", f"fresh-{ordinal}", "db")
            server.delete("persistentvolumeclaims", f"data-fresh-{ordinal}", "db")
        server.delete("statefulsets", "fresh", "db")
        text = await out.until(lambda text: '"DELETED"' in text)
    assert documents(text)[-1]["workload"]["name"] == "fresh"


async def test_changes_are_rows_below_and_only_of_what_was_named(server: FakeApi, tmp_path: Path, out: Out) -> None:
    async with watching(server, tmp_path, "audit"):
        await out.until(lambda text: "audit" in text)
        before = len(out.getvalue())
        put_mysql(server, "shop", "db", ready=1)
        put_mysql(server, "audit", "db", ready=2)
        await out.until(lambda text: "2/2" in text[before:])
    rows = [row for row in table(out.getvalue()[before:]) if len(row) > 5]
    assert {row[1] for row in rows} == {"audit"}
    assert rows[-1][:5] == ["db", "audit", "MySQL", "2/2", "●●"]


async def test_nothing_is_printed_when_nothing_is_news(server: FakeApi, tmp_path: Path, out: Out) -> None:
    async with watching(server, tmp_path, output="json"):
        await out.until(lambda text: text.count("\n") >= 3)
        labels = {"app": "shop", "app.kubernetes.io/name": "mysql", "unrelated": "label"}
        server.put("services", {"metadata": meta("unrelated", "db", labels), "spec": {"clusterIP": "None"}})
        put_mysql(server, "audit", "db", ready=2)
        text = await out.until(lambda text: '"MODIFIED"' in text)
    assert {item["workload"]["name"] for item in documents(text)[3:]} == {"audit"}


# --- paper


def test_signs_and_texts_where_the_locale_has_ascii_only() -> None:
    stream = Out()
    ascii_only = paper(stream, {"LC_ALL": "C"})
    assert not ascii_only.unicode
    assert ascii_only.sign("failing") == ("x", "failing")
    assert ascii_only.plain("naïve \x1b") == "na\\xefve \\u241b"
    assert paper(stream, {"LANG": "en_US.UTF-8"}).unicode
    assert paper(stream, {}).unicode
    assert not paper(stream, {"LANG": "de_DE"}).unicode


def test_colours_only_on_a_terminal_that_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Out()
    assert not paper(stream, {"TERM": "xterm"}).colour
    monkeypatch.setattr(stream, "isatty", lambda: True)
    assert paper(stream, {"TERM": "xterm"}).colour
    assert not paper(stream, {"TERM": "xterm", "NO_COLOR": "1"}).colour
    assert not paper(stream, {"TERM": "dumb"}).colour
    assert paper(stream, {"TERM": "xterm"}).ink("x", "failing") == "\x1b[1;31mx\x1b[0m"


def test_what_a_terminal_obeys_is_escaped_in_json_and_yaml_and_comes_back_whole() -> None:
    text = "a\x1b[31m\x9b\u202eb\u2028é\ufeff"
    for written in (output.json({"t": text}), output.json({"t": text}, lines=True)):
        assert json.loads(written) == {"t": text}
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e\ufeff]", written)
    written = output.yaml({"t": text})
    assert yaml.safe_load(written) == {"t": text}
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e\ufeff]", written)


@pytest.mark.parametrize("thin", [False, True])
async def test_over_a_thin_line_lists_are_not_streamed(server: FakeApi, tmp_path: Path, *, thin: bool) -> None:
    assert await run(server, tmp_path, thin=thin) == 0
    assert any("sendInitialEvents" in request.query for request in server.requests) is not thin


async def test_a_namespace_that_does_not_exist(
    server: FakeApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("db", "other"):
        server.put("namespaces", {"metadata": {"name": name}})
    assert await run(server, tmp_path, namespace="othr") == 1
    assert "there is no namespace othr; did you mean other?" in capsys.readouterr().err
    assert await run(server, tmp_path, namespace="db") == 0
    assert "namespace" not in capsys.readouterr().err
    server.put("namespaces", {"metadata": {"name": "empty"}})
    assert await run(server, tmp_path, namespace="empty") == 0
    assert capsys.readouterr().err == "statetui: no stateful workload in namespace empty\n"


async def test_a_namespace_of_which_nobody_tells_whether_it_exists(
    server: FakeApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.rules = [{"verbs": ["*"], "resources": ["*"], "namespace": "othr"}]
    assert await run(server, tmp_path, namespace="othr") == 0
    said = capsys.readouterr().err
    assert "or there is no namespace othr: namespaces may not be read" in said
    assert "did you mean" not in said
