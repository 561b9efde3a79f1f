"""Tokens, passwords and their renewal: once for all requests, and again after a 401."""

from __future__ import annotations

import asyncio
import base64

import pytest
from fake_api import FakeApi
from fake_tls import data

from tui.kube import context as context_module
from tui.kube import credentials as module
from tui.kube.api import Api
from tui.kube.context import ConnectOptions, Context, load_context
from tui.kube.credentials import Credentials, Identity, StaticSource, source_of
from tui.kube.kubeconfig import User
from tui.problem import Cause, Problem, ProblemError

PODS = "/api/v1/pods"


class Counting:
    """A source that hands out `t1`, `t2` … and can be held up or made to fail."""

    title = "the counting source"

    def __init__(self) -> None:
        self.fetched = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Problem | None = None
        self.lifetime: float | None = None

    async def fetch(self, *, refused: bool) -> Identity:
        self.fetched += 1
        await self.gate.wait()
        if self.error is not None:
            raise ProblemError(self.error)
        expires = None if self.lifetime is None else 1000.0 + self.lifetime
        return Identity(f"Bearer t{self.fetched}", expires=expires, evidence="said by the source")


@pytest.fixture
async def server():
    async with FakeApi() as running:
        yield running


@pytest.fixture
def eager(monkeypatch):
    """No pause between two attempts."""
    monkeypatch.setattr(module, "COOL_DOWN", 0.0)


def api_with(server: FakeApi, source: object, user: User | None = None) -> Api:
    made = Api(server.context(user=user))
    made._transport.credentials = Credentials(source)  # type: ignore[arg-type]
    return made


async def problem_of(awaitable) -> Problem:
    with pytest.raises(ProblemError) as caught:
        await awaitable
    return caught.value.problem


def user_context(user: User | None) -> Context:
    return Context("c", "c", "alice", "https://127.0.0.1:1", user=user)


async def identity(user: User | None) -> Identity:
    return await source_of(user_context(user)).fetch(refused=False)


# --- what stands in the kubeconfig


async def test_token_password_and_nobody():
    assert (await identity(User(token="abc"))).authorization == "Bearer abc"
    assert (await identity(None)).authorization == ""
    basic = (await identity(User(username="jane", password="p:w"))).authorization
    assert basic == "Basic " + base64.b64encode(b"jane:p:w").decode()


async def test_a_token_file_wins_over_a_token_unless_it_is_missing(tmp_path):
    path = tmp_path / "token"
    path.write_text("from-file\n")
    assert (await identity(User(token="abc", token_file=str(path)))).authorization == "Bearer from-file"
    path.unlink()
    assert (await identity(User(token="abc", token_file=str(path)))).authorization == "Bearer abc"
    problem = await problem_of(identity(User(token_file=str(path))))
    assert (problem.cause, str(path) in problem.evidence) == (Cause.CREDENTIALS, True)


async def test_a_token_that_cannot_stand_in_a_header_is_not_shown():
    problem = await problem_of(identity(User(token="sec\nret")))
    assert problem.cause is Cause.CREDENTIALS
    assert "sec" not in str(problem).replace("second", "")


async def test_client_certificates_of_files_and_data(tmp_path):
    certificate, key = tmp_path / "crt", tmp_path / "key"
    certificate.write_bytes(b"C")
    key.write_bytes(b"K")
    found = await identity(User(client_certificate=str(certificate), client_key=str(key)))
    assert (found.certificate, found.key) == (b"C", b"K")
    found = await identity(User(client_certificate_data=base64.b64encode(b"c").decode(), client_key=str(key)))
    assert (found.certificate, found.key) == (b"c", b"K")


async def test_unusable_client_certificates(tmp_path):
    problem = await problem_of(identity(User(client_certificate_data=data("client"))))
    assert (problem.cause, "client-key" in problem.what) == (Cause.CONFIG, True)
    problem = await problem_of(identity(User(client_certificate_data="%%%", client_key_data="QQ==")))
    assert (problem.cause, "base64" in problem.what) == (Cause.CONFIG, True)
    problem = await problem_of(identity(User(client_certificate=str(tmp_path / "no"), client_key="/no")))
    assert (problem.cause, str(tmp_path / "no") in problem.evidence) == (Cause.CREDENTIALS, True)


def test_secrets_do_not_show_in_representations():
    assert "hunter2" not in repr(Identity("Bearer hunter2", b"hunter2", b"hunter2", evidence="hunter2"))


async def test_a_token_file_is_read_again_when_its_time_is_over(server, tmp_path, monkeypatch):
    path = tmp_path / "token"
    path.write_text("first")
    monkeypatch.setattr(module, "COOL_DOWN", 0.0)
    now = [0.0]
    user = User(token_file=str(path))
    credentials = Credentials(StaticSource(user), clock=lambda: now[0])
    monkeypatch.setattr(module.time, "time", lambda: now[0])
    assert (await credentials.current()).authorization == "Bearer first"
    path.write_text("second")
    now[0] += module.FILE_LIFETIME - 1
    assert (await credentials.current()).authorization == "Bearer first"
    now[0] += 2
    assert (await credentials.current()).authorization == "Bearer second"


async def test_a_token_file_is_read_again_after_a_401(server, tmp_path, eager):
    path = tmp_path / "token"
    path.write_text("old")
    api = Api(server.context(user=User(token_file=str(path))))
    await api.get(PODS)
    server.tokens = {"new"}
    path.write_text("new")
    await api.get(PODS)
    await api.close()
    sent = [request.headers["Authorization"] for request in server.requests]
    assert sent == ["Bearer old", "Bearer old", "Bearer new"]


async def test_in_a_pod_the_token_follows_the_kubelet(server, tmp_path, monkeypatch, eager):
    (tmp_path / "token").write_text("one")
    monkeypatch.setattr(context_module, "SERVICE_ACCOUNT", tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    source = source_of(load_context(ConnectOptions()))
    assert (await source.fetch(refused=False)).authorization == "Bearer one"
    (tmp_path / "token").write_text("two")
    assert (await source.fetch(refused=False)).authorization == "Bearer two"


# --- one renewal for everybody


async def test_one_renewal_for_all_requests_at_once(server, eager):
    source = Counting()
    api = api_with(server, source)
    await api.get(PODS)
    server.tokens = {"t2"}
    await asyncio.gather(*(api.get(PODS) for _ in range(20)))
    await api.close()
    assert source.fetched == 2


async def test_the_first_requests_share_one_fetch(server):
    source = Counting()
    source.gate.clear()
    api = api_with(server, source)
    waiting = [asyncio.create_task(api.get(PODS)) for _ in range(10)]
    while not source.fetched:
        await asyncio.sleep(0)
    source.gate.set()
    await asyncio.gather(*waiting)
    await api.close()
    assert source.fetched == 1


async def test_giving_up_one_request_does_not_take_the_renewal_from_the_others(server):
    source = Counting()
    source.gate.clear()
    api = api_with(server, source)
    first, second = asyncio.create_task(api.get(PODS)), asyncio.create_task(api.get(PODS))
    while not source.fetched:
        await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    source.gate.set()
    await second
    await api.close()
    assert source.fetched == 1


async def test_a_401_is_retried_once_and_then_told_with_the_sources_words(server, eager):
    source = Counting()
    api = api_with(server, source)
    server.tokens = {"never"}
    problem = await problem_of(api.get(PODS))
    await api.close()
    assert problem.cause is Cause.CREDENTIALS
    assert "the counting source" in problem.what
    assert "said by the source" in problem.evidence
    assert (len(server.requests), source.fetched) == (2, 2)


async def test_a_stream_is_retried_too(server, eager):
    source = Counting()
    api = api_with(server, source)
    server.tokens = {"t2"}
    async with api.stream(PODS, params={"watch": "1"}, read_timeout=5):
        await server.wait_for_watches()
    await api.close()


async def test_a_fixed_token_that_is_refused_is_not_sent_twice(server):
    api = Api(server.context(user=User(token="fixed")))
    server.tokens = {"other"}
    problem = await problem_of(api.get(PODS))
    await api.close()
    assert problem.cause is Cause.CREDENTIALS
    assert len(server.requests) == 1


async def test_many_refusals_in_a_row_do_not_start_a_plugin_each(server):
    source = Counting()
    api = api_with(server, source)
    server.tokens = {"never"}
    for _ in range(5):
        await problem_of(api.get(PODS))
    await api.close()
    assert source.fetched == 1, "within the pause after a fetch nothing is fetched anew"


async def test_a_failure_is_shared_for_a_moment_and_then_tried_again(server, monkeypatch):
    source = Counting()
    source.error = Problem(Cause.CREDENTIALS, "no")
    api = api_with(server, source)
    for _ in range(3):
        assert (await problem_of(api.get(PODS))).what == "no"
    assert source.fetched == 1
    monkeypatch.setattr(module, "COOL_DOWN", 0.0)
    source.error = None
    await api.get(PODS)
    await api.close()
    assert server.requests[-1].headers["Authorization"] == "Bearer t2"


async def test_renewed_before_its_end(monkeypatch):
    source, now = Counting(), [1000.0]
    source.lifetime = 100.0
    credentials = Credentials(source, clock=lambda: now[0])
    monkeypatch.setattr(module, "COOL_DOWN", 0.0)
    assert (await credentials.current()).authorization == "Bearer t1"
    now[0] = 1000.0 + 100.0 - module.MARGIN - 1
    assert (await credentials.current()).authorization == "Bearer t1"
    now[0] = 1000.0 + 100.0 - module.MARGIN + 1
    assert (await credentials.current()).authorization == "Bearer t2"


async def test_credentials_that_come_expired_are_not_fetched_for_each_request():
    source = Counting()
    source.lifetime = -50.0
    credentials = Credentials(source, clock=lambda: 1000.0)
    for _ in range(5):
        await credentials.current()
    assert source.fetched == 1


async def test_closing_ends_a_renewal(server):
    source = Counting()
    source.gate.clear()
    api = api_with(server, source)
    waiting = asyncio.create_task(api.get(PODS))
    while not source.fetched:
        await asyncio.sleep(0)
    await api.close()
    assert (await problem_of(waiting)).cause is Cause.UNREACHABLE
