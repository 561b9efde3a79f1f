"""Exec and attach, as websockets carry them. What is expected was seen on Kubernetes 1.36.3."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from streams_server import PipeProcess, StreamsServer

from tui.sandbox.model import ApiError

PODS = "api/v1/namespaces/ns/pods/"
V4, V5 = "v4.channel.k8s.io", "v5.channel.k8s.io"
SUCCESS = {"metadata": {}, "status": "Success"}
Client = aiohttp.ClientSession


def path(*command: str, pod: str = "one", streams: str = "stdout=1&stderr=1") -> str:
    return f"{PODS}{pod}/exec?{streams}" + "".join(f"&command={part}" for part in command)


async def talk(client: Client, where: str, *sent: bytes | str, protocols: tuple[str, ...] = (V5,)) -> dict[int, Any]:
    """What came by channel, with the Status decoded; the first message must be empty."""
    got: dict[int, Any] = {}
    async with client.ws_connect(where, protocols=protocols) as ws:
        assert ws.protocol == (protocols[0] if protocols else None)
        first = await ws.receive()
        assert len(first.data) == 1
        for data in sent:
            await (ws.send_bytes(data) if isinstance(data, bytes) else ws.send_str(data))
        async for message in ws:
            if message.type is aiohttp.WSMsgType.TEXT:
                channel, data = int(message.data[0]), base64.b64decode(message.data[1:])
            else:
                channel, data = message.data[0], message.data[1:]
            got[channel] = got.get(channel, b"") + data
        assert ws.close_code == 1000
    if 3 in got and got[3].startswith(b"{"):
        got[3] = json.loads(got[3])
    return got


def failed(code: int) -> dict[str, Any]:
    return {
        "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: command terminated with exit code {code}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }  # fmt: skip


@pytest.mark.parametrize("protocol", [V4, V5, "v4.base64.channel.k8s.io"])
async def test_output_and_exit_code(client: Client, protocol: str) -> None:
    got = await talk(client, path("sh", "-c", "echo out; echo err >%262; exit 3"), protocols=(protocol,))
    assert got == {1: b"out\n", 2: b"err\n", 3: failed(3)}
    assert await talk(client, path("true"), protocols=(protocol,)) == {3: SUCCESS}


@pytest.mark.parametrize("protocols", [(), ("channel.k8s.io",), ("base64.channel.k8s.io",)])
async def test_the_first_version_tells_failures_only(client: Client, protocols: tuple[str, ...]) -> None:
    assert await talk(client, path("echo", "x"), protocols=protocols) == {1: b"x\n"}
    got = await talk(client, path("false"), protocols=protocols)
    assert got == {3: failed(1)["message"].encode()}


async def test_a_signal_is_128_and_its_number(client: Client) -> None:
    assert await talk(client, path("sh", "-c", "kill -9 $$")) == {3: failed(137)}


async def test_input_ends_by_the_close_signal_of_v5(client: Client) -> None:
    where = path("cat", streams="stdin=1&stdout=1")
    assert await talk(client, where, b"\0hello", b"\xff\0") == {1: b"hello", 3: SUCCESS}
    async with client.ws_connect(where, protocols=(V4,)) as ws:  # which v4 does not have
        await ws.send_bytes(b"\0hello")
        await ws.send_bytes(b"\xff\0")
        assert [(await ws.receive()).data for _ in range(2)] == [b"\1", b"\1hello"]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ws.receive(), 0.3)


async def test_input_that_is_not_wanted_is_not_there(client: Client) -> None:
    assert await talk(client, path("cat"), b"\0hello") == {3: SUCCESS}


async def test_output_that_is_not_wanted_is_not_sent(client: Client) -> None:
    got = await talk(client, path("sh", "-c", "echo out; echo err >%262", streams="stderr=true"))
    assert got == {2: b"err\n", 3: SUCCESS}


async def test_a_terminal_and_its_size(client: Client) -> None:
    script = "stty size; read a; stty size; echo [$a]; exit 7"
    async with client.ws_connect(
        path("sh", "-c", script, streams="stdin=1&stdout=1&stderr=1&tty=1"), protocols=(V5,)
    ) as ws:
        assert (await ws.receive()).data == b"\1"
        await ws.receive()
        for size in (b"{bad", b"[" * 250, b"[" * 100_000, b'{"Width":1e999,"Height":1}', b"7"):
            await ws.send_bytes(b"\4" + size)
        await ws.send_bytes(b'\4{"Width":-1,"Height":70000}')
        await ws.send_bytes(b'\4{"Width":90,"Height":26}')
        await asyncio.sleep(0.1)
        await ws.send_bytes(b"\0word\r")
        text = b""
        async for message in ws:
            text += message.data[1:]
    assert b"26 90" in text and b"[word]" in text and b'"message":"7"' in text


async def test_much_both_ways(client: Client) -> None:
    data = bytes(range(256)) * 40_000
    got = b""
    async with client.ws_connect(path("cat", streams="stdin=1&stdout=1"), protocols=(V5,)) as ws:

        async def send() -> None:
            for at in range(0, len(data), 100_000):
                await ws.send_bytes(b"\0" + data[at : at + 100_000])
            await ws.send_bytes(b"\xff\0")

        sending = asyncio.create_task(send())
        async for message in ws:
            if message.data[0] == 1:
                got += message.data[1:]
        await sending
    assert got == data


async def test_what_makes_no_sense_is_skipped(client: Client) -> None:
    garbage = (b"", b"\1out", b"\7x", b"\xff", b"\xff\1", "text", b"\4" + b"9" * 3_000_000)
    got = await talk(client, path("cat", streams="stdin=1&stdout=1"), *garbage, b"\0ok", b"\xff\0")
    assert got == {1: b"ok", 3: SUCCESS}


async def started(server: StreamsServer, number: int) -> PipeProcess:
    """The process of that number, as soon as it runs."""
    async with asyncio.timeout(60):
        while len(server.pods.started) < number:
            await asyncio.sleep(0.01)
    process = server.pods.started[number - 1]
    assert isinstance(process, PipeProcess)
    return process


async def test_a_process_whose_client_is_gone_is_ended(server: StreamsServer, client: Client) -> None:
    for number, command in enumerate((("sleep", "1000"), ("sh", "-c", "trap '' TERM HUP; sleep 1000 %26 wait")), 1):
        async with client.ws_connect(path(*command), protocols=(V5,)):
            process = await started(server, number)
        assert await asyncio.wait_for(process.wait(), 60) == 137
    async with client.ws_connect(path("cat", streams="stdin=1&stdout=1"), protocols=(V5,)):
        process = await started(server, 3)
    assert await asyncio.wait_for(process.wait(), 60) == 0  # it ended with its input


async def test_a_client_that_does_not_read_stops_the_process(server: StreamsServer, client: Client) -> None:
    async with client.ws_connect(path("cat", "/dev/zero"), protocols=(V5,), max_msg_size=0) as ws:
        transport = ws._response.connection.transport
        transport.pause_reading()
        process = await started(server, 1)
        counters = Path(f"/proc/{process.process.pid}/io")

        def written() -> int:
            lines = counters.read_text().splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith("wchar"))

        before = -1
        async with asyncio.timeout(90):
            while before != (before := written()):
                await asyncio.sleep(0.5)
        assert 1 << 16 < before < 64 << 20
        transport.resume_reading()


@pytest.mark.parametrize(
    ("where", "code", "text"),
    [
        (path("true", streams=""), 400, "you must specify at least 1 of stdin, stdout, stderr"),
        (path("true", pod="waiting"), 500, 'container not found ("w")'),
        (path("true", pod="done"), 500, 'container not found ("d")'),
        (f"{PODS}waiting/attach?stdout=1", 500, "container w not found in pod waiting_ns"),
        (path("true", pod="nowhere"), 400, "pod nowhere does not have a host assigned"),
        (path("true", pod="nope"), 404, 'pods "nope" not found'),
        (path("true", pod="two"), 400, "a container name must be specified for pod two, choose one of: [a b]"),
        (path("true", pod="two") + "&container=zz", 400, "container zz is not valid for pod two"),
    ],
)
async def test_refusals(client: Client, where: str, code: int, text: str) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    key = {"Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode()}
    async with client.get(where, headers=upgrade | key) as answer:
        body = await answer.text()
        if body.startswith("{"):
            body = json.loads(body)["message"]
        else:
            assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert (answer.status, body) == (code, text)


async def test_handshakes_that_are_none(client: Client) -> None:
    async with client.get(path("true")) as answer:
        assert (answer.status, (await answer.json())["message"]) == (400, "Upgrade request required")
    async with client.post(path("true"), headers={"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}) as answer:
        assert answer.status == 400 and "websockets only" in (await answer.json())["message"]
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    for key in ("", "AAAA", "é" * 16):
        async with client.get(path("true"), headers=upgrade | {"Sec-WebSocket-Key": key}) as answer:
            assert answer.status == 400
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await client.ws_connect(path("true"), protocols=("nonsense",))
    assert caught.value.status == 403


async def test_a_program_that_is_not_there(client: Client) -> None:
    got = await talk(client, path("nosuchprogram"))
    words = 'error executing command in container: exec: "nosuchprogram": executable file not found in $PATH'
    assert got[3]["message"] == f"Internal error occurred: Internal error occurred: {words}"
    assert got[3]["reason"] == "InternalError"


async def test_attach_shows_what_is_printed_until_it_ends(server: StreamsServer, client: Client) -> None:
    for item in (("stdout", b"out"), ("stderr", b"err"), None):
        server.pods.printed.put_nowait(item)
    got = await talk(client, f"{PODS}two/attach?container=b&stdin=1&stdout=1&stderr=1", b"\0ignored")
    assert got == {1: b"out", 2: b"err", 3: SUCCESS}
    for item in (("stdout", b"out"), ("stderr", b"err"), None):
        server.pods.printed.put_nowait(item)
    assert await talk(client, f"{PODS}one/attach?stdout=1&tty=1") == {1: b"outerr", 3: SUCCESS}


async def test_a_kubelet_that_refuses_an_attach(
    server: StreamsServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> object:
        raise ApiError(500, "InternalError", "no such container")
        yield ("stdout", b"")

    monkeypatch.setattr(server.pods, "attach", refuse)
    got = await talk(client, f"{PODS}one/attach?stdout=1")
    assert got[3]["message"].endswith("no such container")


async def test_a_server_that_shuts_down_cuts_its_streams_off() -> None:
    server = StreamsServer()
    await server.__aenter__()
    async with aiohttp.ClientSession(f"{server.url}/") as client:
        ws = await client.ws_connect(path("sleep", "1000"), protocols=(V5,))
        process = await started(server, 1)
        forward = await client.ws_connect(
            f"{PODS}one/portforward?ports={server.url.rsplit(':', 1)[1]}", protocols=(V4,)
        )
        log = await client.get(f"{PODS}one/log?follow=1")
        began = time.monotonic()
        await server.__aexit__()
        assert time.monotonic() - began < 30
        assert await process.wait() == 137
        assert [(await forward.receive()).type for _ in range(3)][2] is not aiohttp.WSMsgType.BINARY
        with pytest.raises(aiohttp.ClientError):
            await log.read()
        await ws.close()
    assert all(writer.transport.is_closing() for writer in server.pods.writers) and not server.pods.following
