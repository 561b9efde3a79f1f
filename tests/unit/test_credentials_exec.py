"""Exec plugins: that they work, and every way in which they do not."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from pathlib import Path

import pytest
from fake_api import FakeApi
from fake_tls import data, pem, server_context

from tui.kube import credentials as credentials_module
from tui.kube.api import Api
from tui.kube.context import Context
from tui.kube.credentials import Identity
from tui.kube.exec_plugin import ExecSource
from tui.kube.kubeconfig import Cluster, Exec, ExecVariable, User
from tui.problem import Cause, Problem, ProblemError

V1 = "client.authentication.k8s.io/v1"
BETA = "client.authentication.k8s.io/v1beta1"
PODS = "/api/v1/pods"


def script(path: Path, body: str) -> str:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def credential(version: str = V1, **status: str) -> str:
    return json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status})


def prints(path: Path, **status: str) -> str:
    return script(path, f"cat <<'END'\n{credential(**status)}\nEND")


def context(**more) -> Context:
    return Context("c", "c", "alice", "https://api.example:6443", user_source="/home/alice/.kube/config", **more)


def source(command: str, *, timeout: float = 20, **more) -> ExecSource:
    where = more.pop("context", None) or context()
    return ExecSource(Exec(command=command, **{"api_version": V1, **more}), where, timeout=timeout)


async def fetch(made: ExecSource) -> Identity:
    return await made.fetch(refused=False)


async def problem_of(awaitable) -> Problem:
    with pytest.raises(ProblemError) as caught:
        await awaitable
    return caught.value.problem


# --- that they work


@pytest.mark.parametrize("version", [V1, BETA])
async def test_a_token_with_its_end(tmp_path, version):
    command = script(
        tmp_path / "p", f"echo '{credential(version, token='abc', expirationTimestamp='2030-01-02T03:04:05Z')}'"
    )
    found = await fetch(source(command, api_version=version))
    assert (found.authorization, found.expires) == ("Bearer abc", 1893553445.0)


async def test_arguments_environment_and_what_the_plugin_is_told(tmp_path):
    command = script(
        tmp_path / "p",
        f"""
printf '%s|%s|%s' "$1" "$2" "$COLOUR" > {tmp_path}/seen
printf '%s' "$KUBERNETES_EXEC_INFO" > {tmp_path}/info
echo '{credential(token="x")}'""",
    )
    extension = [{"name": "client.authentication.k8s.io/exec", "extension": {"audience": "a"}}]
    cluster = Cluster(certificate_authority_data=data("ca"), tls_server_name="n", extensions=extension)
    await fetch(source(command, args=["get token", "$HOME"], env=[ExecVariable("COLOUR", "blue")],
                       provide_cluster_info=True, context=context(cluster=cluster)))  # fmt: skip
    assert (tmp_path / "seen").read_text() == "get token|$HOME|blue", "no shell has seen the arguments"
    assert json.loads((tmp_path / "info").read_text()) == {
        "apiVersion": V1, "kind": "ExecCredential",
        "spec": {"interactive": False, "cluster": {
            "server": "https://api.example:6443", "tls-server-name": "n", "certificate-authority-data": data("ca"),
            "config": {"audience": "a"}}},
    }  # fmt: skip


async def test_the_cluster_is_told_only_to_who_asks(tmp_path):
    command = script(
        tmp_path / "p", f"""printf '%s' "$KUBERNETES_EXEC_INFO" > {tmp_path}/info\necho '{credential(token="x")}'"""
    )
    await fetch(source(command))
    assert "cluster" not in json.loads((tmp_path / "info").read_text())["spec"]


async def test_it_has_neither_input_nor_terminal(tmp_path):
    command = script(
        tmp_path / "p",
        f"""
readlink /proc/$$/fd/0 > {tmp_path}/stdin
cut -d' ' -f1,6,7 /proc/$$/stat > {tmp_path}/session
(echo 'Password: ' > /dev/tty) 2>/dev/null && echo yes > {tmp_path}/prompted
echo '{credential(token="x")}'""",
    )
    await fetch(source(command))
    assert (tmp_path / "stdin").read_text() == "/dev/null\n"
    pid, session, terminal = (tmp_path / "session").read_text().split()
    assert (session, terminal) == (pid, "0")
    assert not (tmp_path / "prompted").exists()


# --- that they do not


async def test_it_fails(tmp_path):
    command = script(tmp_path / "p", "echo 'the SSO session has expired' >&2; exit 3")
    problem = await problem_of(fetch(source(command, args=["--secret", "hunter2"])))
    assert problem.cause is Cause.CREDENTIALS
    assert problem.what == "The exec plugin p failed (exit status 3)"
    assert problem.evidence == "the SSO session has expired"
    assert command in problem.remedy
    assert "hunter2" not in str(problem)


async def test_it_is_killed(tmp_path):
    problem = await problem_of(fetch(source(script(tmp_path / "p", "kill -9 $$"))))
    assert "signal 9" in problem.what


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_it_hangs_and_is_stopped_with_its_children(tmp_path):
    command = script(
        tmp_path / "p", f"echo 'Open this page to log in: https://x' >&2\nsleep 300 & echo $! > {tmp_path}/child\nwait"
    )
    started = time.monotonic()
    problem = await problem_of(fetch(source(command, timeout=0.7)))
    assert time.monotonic() - started < 5
    assert problem.cause is Cause.CREDENTIALS
    assert "did not finish within 0.7 s" in problem.what
    assert problem.evidence == "Open this page to log in: https://x"
    assert "Log in in a shell" in problem.remedy
    child = int((tmp_path / "child").read_text())
    async with asyncio.timeout(5):
        while is_alive(child):
            await asyncio.sleep(0.01)


async def test_giving_up_stops_it(tmp_path):
    command = script(
        tmp_path / "p", f"echo $$ > {tmp_path}/pid.tmp; mv {tmp_path}/pid.tmp {tmp_path}/pid; exec sleep 300"
    )
    waiting = asyncio.create_task(fetch(source(command)))
    async with asyncio.timeout(10):
        while not (tmp_path / "pid").exists():
            await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not is_alive(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize(
    ("output", "evidence"),
    [("Welcome to CorpCloud!", "Welcome to CorpCloud!"), ("", "(nothing)"), ("{}", "kind"), ("[1, 2]", "[1, 2]")],
)
async def test_it_prints_rubbish(tmp_path, output, evidence):
    command = script(tmp_path / "p", f"echo 'warning: old' >&2; printf '%s' '{output}'")
    problem = await problem_of(fetch(source(command)))
    assert problem.cause is Cause.CREDENTIALS
    assert "did not print a credential" in problem.what
    assert evidence in problem.evidence
    assert "warning: old" in problem.evidence


async def test_megabytes_of_rubbish_are_bounded(tmp_path):
    problem = await problem_of(fetch(source(script(tmp_path / "p", "head -c 5000000 /dev/zero | tr '\\0' x"))))
    assert len(problem.evidence) < 3000


async def test_rubbish_around_a_token_is_not_shown(tmp_path):
    command = script(tmp_path / "p", f"echo debug; echo '{credential(token='hunter2')}'")
    assert "hunter2" not in str(await problem_of(fetch(source(command))))
    command = script(tmp_path / "p", f"echo '{credential(token='hunter2')}'; exit 1")
    assert "hunter2" not in str(await problem_of(fetch(source(command))))


async def test_half_a_credential(tmp_path):
    assert "half" in (await problem_of(fetch(source(prints(tmp_path / "p", clientCertificateData="x"))))).what
    assert "neither" in (await problem_of(fetch(source(prints(tmp_path / "p"))))).what
    problem = await problem_of(fetch(source(prints(tmp_path / "p", token="x"), api_version=BETA)))
    assert V1 in problem.evidence


async def test_it_is_not_installed(tmp_path):
    problem = await problem_of(fetch(source("no-such-plugin", install_hint="brew install it")))
    assert "is not installed" in problem.what
    assert problem.remedy == "brew install it"
    (tmp_path / "p").write_text("not executable")
    assert "cannot be started" in (await problem_of(fetch(source(str(tmp_path / "p"))))).what


@pytest.mark.parametrize(
    ("spec", "cause", "word"),
    [
        ({"interactive_mode": "Always"}, Cause.CREDENTIALS, "Log in in a shell"),
        ({"interactive_mode": "Maybe"}, Cause.CONFIG, "interactiveMode"),
        ({"api_version": "client.authentication.k8s.io/v1alpha1"}, Cause.CONFIG, "v1alpha1"),
        ({"api_version": None}, Cause.CONFIG, "apiVersion"),
    ],
)
async def test_entries_that_cannot_work_run_nothing(tmp_path, spec, cause, word):
    problem = await problem_of(fetch(source(script(tmp_path / "p", f"touch {tmp_path}/ran"), **spec)))
    assert problem.cause is cause
    assert word in str(problem)
    assert not (tmp_path / "ran").exists()


# --- with a server


async def test_no_prompt_and_one_run_for_many_requests_after_a_401(tmp_path, monkeypatch):
    monkeypatch.setattr(credentials_module, "COOL_DOWN", 0.0)
    command = script(
        tmp_path / "p",
        f"""echo run >> {tmp_path}/runs; n=$(wc -l < {tmp_path}/runs)
echo "diagnosis $n" >&2
echo '{{"apiVersion":"{V1}","kind":"ExecCredential","status":{{"token":"t'$n'"}}}}'""",
    )
    async with FakeApi() as server:
        api = Api(server.context(user=User(exec=Exec(command=command, api_version=V1))))
        server.tokens = {"t2"}
        await asyncio.gather(*(api.get(PODS) for _ in range(15)))
        assert (tmp_path / "runs").read_text().count("run") == 2
        server.tokens = {"none"}
        problem = await problem_of(api.get(PODS))
        await api.close()
    assert problem.cause is Cause.CREDENTIALS
    assert "the exec plugin p" in problem.what
    assert "diagnosis" in problem.evidence


async def test_certificates_of_a_plugin_rotate(tmp_path, monkeypatch):
    monkeypatch.setattr(credentials_module, "COOL_DOWN", 0.0)
    seen: list[str] = []

    class Watching(FakeApi):
        async def _handle(self, request):
            subject = request.transport.get_extra_info("peercert")["subject"]
            seen.append(dict(pair for part in subject for pair in part)["commonName"])
            return await super()._handle(request)

    def status(name: str, expires: str) -> dict[str, str]:
        certificate, _, key = pem(name).decode().partition("-----BEGIN EC PRIVATE KEY-----")
        return {
            "clientCertificateData": certificate,
            "clientKeyData": f"-----BEGIN EC PRIVATE KEY-----{key}",
            "expirationTimestamp": expires,
        }

    (tmp_path / "out").write_text(credential(**status("client", "2020-01-01T00:00:00Z")))
    command = script(tmp_path / "p", f"cat {tmp_path}/out")
    async with Watching(tls=server_context(ask_client=True)) as server:
        cluster = Cluster(certificate_authority_data=base64.b64encode(pem("ca")).decode())
        api = Api(server.context(user=User(exec=Exec(command=command, api_version=V1)), cluster=cluster))
        await api.get(PODS)
        (tmp_path / "out").write_text(credential(**status("second-client", "2100-01-01T00:00:00Z")))
        await api.get(PODS)
        await api.get(PODS)
        await api.close()
    assert seen == ["alice", "bob", "bob"]


def test_nothing_of_this_is_left_in_the_environment():
    assert "KUBERNETES_EXEC_INFO" not in os.environ
