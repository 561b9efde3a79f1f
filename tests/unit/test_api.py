"""Requests, watches and their failures, against a fake API server over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time

import msgspec
import pytest
from fake_api import FakeApi

from tui.kube import api as api_module
from tui.kube import transport as transport_module
from tui.kube.api import Api
from tui.kube.context import Context, Impersonation
from tui.kube.kubeconfig import Cluster, User
from tui.problem import Cause, Problem, ProblemError

PODS = "/api/v1/pods"
WATCH = {"watch": "1", "allowWatchBookmarks": "true"}


class PodList(msgspec.Struct):
    items: list[dict]


@pytest.fixture
async def server():
    async with FakeApi() as running:
        yield running


@pytest.fixture
async def api(server):
    made = Api(server.context())
    yield made
    await made.close()


async def problem_of(awaitable) -> Problem:
    with pytest.raises(ProblemError) as caught:
        await awaitable
    return caught.value.problem


def pod(name: str, **more) -> dict:
    return {"metadata": {"name": name, **more}}


async def test_reads_bytes_and_decodes(server, api):
    server.put("pods", pod("a"))
    raw = await api.get(PODS)
    assert json.loads(raw)["items"][0]["metadata"]["name"] == "a"
    assert [item["metadata"]["name"] for item in (await api.get_as(PODS, PodList)).items] == ["a"]


async def test_asks_for_the_version_once(server, api):
    assert await api.version() == "v1.36.3"
    assert await api.version() == "v1.36.3"
    assert [r.path for r in server.requests] == ["/version"]


async def test_a_path_in_the_server_url_is_kept(server):
    made = Api(Context("c", "c", "", f"{server.url}/k8s/clusters/c-1"))
    with contextlib.suppress(ProblemError):
        await made.get(PODS)
    await made.close()
    assert server.requests[0].path == "/k8s/clusters/c-1/api/v1/pods"


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (403, Cause.FORBIDDEN),
        (404, Cause.ABSENT),
        (410, Cause.EXPIRED),
        (422, Cause.REJECTED),
        (400, Cause.REJECTED),
        (500, Cause.SERVER),
        (503, Cause.SERVER),
        (401, Cause.CREDENTIALS),
    ],
)
async def test_a_status_becomes_a_cause_with_the_servers_words(server, api, code, cause):
    server.fail(PODS, code, {"kind": "Status", "message": "so says the server"})
    problem = await problem_of(api.get(PODS))
    assert problem.cause is cause
    assert "so says the server" in problem.evidence

    async def enter():
        async with api.stream(PODS, params=WATCH, read_timeout=5):
            pass

    assert (await problem_of(enter())).cause is cause


async def test_throttling_carries_its_wait(server, api):
    server.fail(PODS, 429, headers={"Retry-After": "7"})
    problem = await problem_of(api.get(PODS))
    assert (problem.cause, problem.retry_after) == (Cause.THROTTLED, 7.0)
    server.heal()
    server.fail(PODS, 429, {"kind": "Status", "message": "m", "details": {"retryAfterSeconds": 3}})
    assert (await problem_of(api.get(PODS))).retry_after == 3.0


async def test_html_is_a_protocol_problem_that_shows_its_first_words(server, api):
    server.fail(
        PODS,
        200,
        "<html><head><title>Corporate login</title><script>var x = 1</script></head>"
        "<body>Please <b>sign in</b></body></html>",
    )
    problem = await problem_of(api.get(PODS))
    assert problem.cause is Cause.PROTOCOL
    assert "text/html" in problem.what
    assert problem.evidence == "Corporate login Please sign in"


async def test_json_of_another_shape_is_a_protocol_problem(server, api):
    server.fail(PODS, 200, {"items": "none"})
    assert (await problem_of(api.get_as(PODS, PodList))).cause is Cause.PROTOCOL
    server.heal()
    server.fail(PODS, 200, '{"items": [', headers={"Content-Type": "application/json"})
    problem = await problem_of(api.get_as(PODS, PodList))
    assert (problem.cause, '{"items": [' in problem.evidence) == (Cause.PROTOCOL, True)


async def test_a_redirect_is_not_followed(server, api):
    server.fail(PODS, 302, "", headers={"Location": "https://login.example/"})
    problem = await problem_of(api.get(PODS))
    assert (problem.cause, problem.evidence) == (Cause.PROTOCOL, "https://login.example/")
    assert len(server.requests) == 1


async def test_a_body_without_end_is_bounded(server, api, monkeypatch):
    monkeypatch.setattr(api_module, "MAX_BODY", 100_000)
    server.fail(PODS, 200, {"items": [{"filler": "x" * 200_000}]})
    problem = await problem_of(api.get(PODS))
    assert problem.cause is Cause.PROTOCOL
    assert "larger than" in problem.what


async def test_an_error_body_without_end_is_bounded(server, api):
    server.fail(PODS, 500, "x" * 5_000_000)
    problem = await problem_of(api.get(PODS))
    assert problem.cause is Cause.SERVER
    assert len(problem.evidence) < 1000


async def test_a_frozen_server_is_a_timeout(server, api):
    server.freeze()
    problem = await problem_of(api.get(PODS, timeout=0.2))
    assert problem.cause is Cause.TIMEOUT


async def test_a_dropped_request_is_unreachable(server, api):
    server.fail(PODS, 0)
    assert (await problem_of(api.get(PODS))).cause is Cause.UNREACHABLE


async def test_nobody_listening(server, api):
    await api.get(PODS)
    await server.stop()
    problem = await problem_of(api.get(PODS))
    assert problem.cause is Cause.UNREACHABLE
    assert problem.what == f"Nothing listens at {server.url}"
    await server.start()
    await api.get(PODS)


async def test_an_unknown_host():
    made = Api(Context("c", "c", "", "http://no-such-host.invalid:6443"))
    problem = await problem_of(made.get(PODS))
    await made.close()
    assert problem.cause is Cause.UNREACHABLE
    assert "cannot be resolved" in problem.what


async def test_something_that_is_not_http():
    async def talk(_reader, writer):
        writer.write(b"SSH-2.0-OpenSSH_9.2p1\r\n")
        await writer.drain()
        writer.close()

    ssh = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with ssh:
        made = Api(Context("c", "c", "", f"http://127.0.0.1:{ssh.sockets[0].getsockname()[1]}"))
        problem = await problem_of(made.get(PODS))
        await made.close()
    assert problem.cause is Cause.PROTOCOL


async def test_after_close_nothing_is_sent(server, api):
    await api.get(PODS)
    await api.close()
    await api.close()
    assert (await problem_of(api.get(PODS))).cause is Cause.UNREACHABLE
    assert len(server.requests) == 1


async def test_the_gate_refuses_what_could_change_something(server, api):
    problem = await problem_of(api.post_json(PODS, pod("a"), dict))
    assert problem.cause is Cause.REJECTED
    assert "read-only" in problem.what
    assert server.requests == []
    review = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
    answer = await api.post_json("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review, dict)
    assert answer["status"] == {"allowed": True}


async def test_headers_of_every_request(server):
    whom = Impersonation("jane@example.org", "u-1", ("dev", "ops"), {"example.org/scope a": ("x", "y")})
    made = Api(server.context(user=User(token="sesame"), impersonation=whom), user_agent="statetui/test")
    await made.get(PODS)
    await made.close()
    headers = server.requests[0].headers
    assert headers["Authorization"] == "Bearer sesame"
    assert headers["User-Agent"] == "statetui/test"
    assert headers["Impersonate-User"] == "jane@example.org"
    assert headers["Impersonate-Uid"] == "u-1"
    assert headers.getall("Impersonate-Group") == ["dev", "ops"]
    assert headers.getall("Impersonate-Extra-example.org%2Fscope%20a") == ["x", "y"]
    assert headers["Accept-Encoding"] == "identity", "loopback is faster without compression"


async def test_a_context_without_user_is_anonymous(server, api):
    await api.get(PODS)
    assert "Authorization" not in server.requests[0].headers


@pytest.mark.parametrize(
    ("url", "cluster", "encoding"),
    [
        ("https://10.0.0.1:6443", Cluster(), "gzip"),
        ("https://10.0.0.1", Cluster(disable_compression=True), "identity"),
        ("https://[::1]:6443", Cluster(), "identity"),
        ("https://localhost:6443", Cluster(), "identity"),
    ],
)
def test_compression_only_over_a_network(url, cluster, encoding):
    made = Api(Context("c", "c", "", url, cluster=cluster))
    assert made._transport._headers["Accept-Encoding"] == encoding


async def test_sockets_notice_a_dead_path(server, api, monkeypatch):
    made = []
    original = transport_module._socket
    monkeypatch.setattr(transport_module, "_socket", lambda address: made.append(original(address)) or made[-1])
    async with api.stream(PODS, params=WATCH, read_timeout=5):
        (sock,) = made
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000


# --- streams


async def collect(lines) -> list[str]:
    return [json.loads(line)["object"]["metadata"].get("name", "") async for batch in lines for line in batch]


async def test_a_stream_yields_whole_lines_until_its_end(server, api):
    server.put("pods", pod("a"))
    async with api.stream(PODS, params=WATCH, read_timeout=5) as lines:
        await server.wait_for_watches()
        server.put("pods", pod("b"))
        server.end_watches()
        assert await collect(lines) == ["a", "b"]


async def test_a_burst_arrives_in_few_batches(server, api):
    async with api.stream(PODS, params=WATCH, read_timeout=5) as lines:
        await server.wait_for_watches()
        for index in range(1000):
            server.put("pods", pod(f"p{index}"))
        server.end_watches()
        sizes = [len(batch) async for batch in lines]
    assert sum(sizes) == 1000
    assert len(sizes) < 50


async def test_lines_split_anywhere_are_put_together(server, api):
    line = '{"type":"ADDED","object":{"metadata":{"name":"über"}}}\n\n'.encode()
    async with api.stream(PODS, params=WATCH, read_timeout=5) as lines:
        await server.wait_for_watches()
        reading = asyncio.create_task(collect(lines))
        for index in range(len(line)):
            server.send_raw(line[index : index + 1])
            await asyncio.sleep(0)
        server.send_raw(line * 3 + line[:20])
        await asyncio.sleep(0)
        server.send_raw(line[20:])
        server.end_watches()
        assert await reading == ["über"] * 5


async def test_a_very_long_line(server, api):
    server.put("pods", pod("big", annotations={"a": "x" * 8_000_000}))
    async with api.stream(PODS, params=WATCH, read_timeout=5) as lines:
        server.end_watches()
        assert await collect(lines) == ["big"]


async def test_a_line_without_end_is_bounded(server, api, monkeypatch):
    monkeypatch.setattr(api_module, "MAX_LINE", 100_000)
    async with api.stream(PODS, params=WATCH, read_timeout=5) as lines:
        await server.wait_for_watches()
        server.send_raw(b"x" * 3_000_000)
        problem = await problem_of(collect(lines))
    assert problem.cause is Cause.PROTOCOL


@pytest.mark.parametrize(("clean", "cause"), [(False, Cause.UNREACHABLE), (True, Cause.PROTOCOL)])
async def test_a_cut_in_the_middle_of_a_line_yields_no_part_of_it(server, api, clean, cause):
    seen = []

    async def read(lines):
        async for batch in lines:
            seen.extend(batch)

    server.put("pods", pod("a"))
    async with api.stream(PODS, params=WATCH, read_timeout=5) as lines:
        await server.wait_for_watches()
        await anext(lines)
        server.cut_watches(clean=clean)
        problem = await problem_of(read(lines))
    assert problem.cause is cause
    assert seen == []


async def test_a_dropped_stream(server, api):
    async with api.stream(PODS, params=WATCH, read_timeout=5) as lines:
        await server.wait_for_watches()
        server.drop_watches()
        problem = await problem_of(collect(lines))
    assert problem.cause is Cause.UNREACHABLE


async def test_silence_longer_than_the_read_timeout(server, api):
    async with api.stream(PODS, params=WATCH, read_timeout=0.2) as lines:
        problem = await problem_of(collect(lines))
    assert problem.cause is Cause.TIMEOUT


async def test_leaving_a_stream_early_closes_its_connection(server, api):
    async with api.stream(PODS, params=WATCH, read_timeout=5):
        await server.wait_for_watches()
    async with asyncio.timeout(5):
        while server.watchers:
            await asyncio.sleep(0.01)


async def test_many_streams_do_not_block_requests(server, api):
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(120):
            await stack.enter_async_context(api.stream(PODS, params=WATCH, read_timeout=30))
        started = time.monotonic()
        await api.get(PODS, timeout=5)
        assert time.monotonic() - started < 5


async def test_compressed_answers(server, api):
    for index in range(200):
        server.put("pods", pod(f"p{index}", annotations={"a": "x" * 5000}))
    server.compress = True
    api._transport._headers["Accept-Encoding"] = "gzip"
    assert len((await api.get_as(PODS, PodList)).items) == 200
    async with api.stream(PODS, params=WATCH, read_timeout=5) as lines:
        server.end_watches()
        assert len(await collect(lines)) == 200


async def test_a_small_answer_that_grows_without_end(server, api, monkeypatch):
    monkeypatch.setattr(api_module, "MAX_BODY", 10_000_000)
    server.compress = True
    api._transport._headers["Accept-Encoding"] = "gzip"
    server.fail(PODS, 200, {"items": " " * 40_000_000})
    problem = await problem_of(api.get(PODS))
    assert "larger than" in problem.what
