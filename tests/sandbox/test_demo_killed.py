"""What was acknowledged before `statetui demo` and all of its servers were killed is there after the next start."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import os
import shutil
import signal
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from api_client import Api, client
from demo_process import demo, left, nothing_is_left, sockets

from tui.sandbox import missing, scene
from tui.sandbox.images import wheels

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="what is left is looked for in /proc"),
    pytest.mark.skipif(bool(missing.missing()), reason="a server of the scene is not on this machine"),
    pytest.mark.timeout(400),
]
_PODS = f"/api/v1/namespaces/{scene.NAMESPACE}/pods"
_MAPS = f"/api/v1/namespaces/{scene.NAMESPACE}/configmaps"


async def _run(*words: str, **environment: str) -> str:
    process = await asyncio.create_subprocess_exec(*words, stdout=-1, stderr=-1, env={**os.environ, **environment})
    out, said = await process.communicate()
    if process.returncode:
        raise OSError(said.decode())
    return out.decode()


def _http(method: str, url: str, body: bytes, headers: dict[str, str]) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, data=body or None, headers=headers, method=method)
    with opener.open(request, timeout=10) as answer:
        return answer.read()


def _s3(method: str, address: str, path: str, body: bytes = b"", query: str = "") -> bytes:
    """A request to the tenant, signed (version 4)."""
    user, password = (scene.secret("my-tenant-creds-secret", key) for key in ("accesskey", "secretkey"))
    stamp, content = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()), hashlib.sha256(body).hexdigest()
    headers = {"host": f"{address}:9000", "x-amz-content-sha256": content, "x-amz-date": stamp}
    lines = [method, path, query, *(f"{key}:{value}" for key, value in headers.items()), "", ";".join(headers), content]
    scope = f"{stamp[:8]}/us-east-1/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256("\n".join(lines).encode()).hexdigest()])
    key = f"AWS4{password}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    signature = hmac.new(key, text.encode(), "sha256").hexdigest()
    told = f"AWS4-HMAC-SHA256 Credential={user}/{scope}, SignedHeaders={';'.join(headers)}, Signature={signature}"
    return _http(
        method, f"http://{address}:9000{path}{'?' + query if query else ''}", body, headers | {"authorization": told}
    )


class _World:
    """The four systems of the scene and the API, as clients write to them and read from them."""

    def __init__(self, api: Api, addresses: dict[str, str]) -> None:
        self.api, self._at = api, addresses

    async def mysql(self, statement: str) -> str:
        found = shutil.which("mariadb") or shutil.which("mysql")
        assert found is not None
        words = [
            found,
            "--no-defaults",
            "-h",
            self._at["mysql-0"],
            "-P3306",
            "-uroot",
            "-N",
            "-B",
            "shop",
            "-e",
            statement,
        ]
        return await _run(*words)

    async def postgres(self, statement: str) -> str:
        address = f"host={self._at['cdb-cockroachdb-1']} port=26257 user=root dbname=defaultdb sslmode=disable"
        return await _run(str(wheels.postgres() / "psql"), "-XAtq", address, "-c", statement)

    async def objects(self, method: str, path: str, body: bytes = b"", query: str = "") -> bytes:
        return await asyncio.to_thread(_s3, method, self._at["my-tenant-zone-0-1"], path, body, query)

    async def rabbitmq(self, path: str, body: Any) -> Any:
        login = base64.b64encode(f"user:{scene.secret('rabbitmq', 'rabbitmq-password')}".encode()).decode()
        headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
        url = f"http://{self._at['rabbitmq-0']}:15672/api/{path}"
        return json.loads(await asyncio.to_thread(_http, "POST", url, json.dumps(body).encode(), headers))

    # ── One more of each ─────────────────────────────────────────────────────────────────────────────────────────────

    async def write_row(self, number: int) -> None:
        await self.mysql(f"INSERT INTO killed VALUES ({number})")

    async def write_account(self, number: int) -> None:
        await self.postgres(f"INSERT INTO killed VALUES ({number})")

    async def write_object(self, number: int) -> None:
        await self.objects("PUT", f"/backups/killed-{number}", f"{number}".encode())

    async def write_message(self, number: int) -> None:
        body = {"properties": {"delivery_mode": 2}, "routing_key": "orders", "payload": f"killed-{number}"}
        told = await self.rabbitmq("exchanges/%2F/amq.default/publish", body | {"payload_encoding": "string"})
        assert told["routed"]

    async def write_map(self, number: int) -> None:
        status, told = await self.api("POST", _MAPS, {"metadata": {"name": f"killed-{number}"}, "data": {"a": "b"}})
        assert status == 201, told

    # ── What is there ────────────────────────────────────────────────────────────────────────────────────────────────

    async def rows(self) -> set[int]:
        return set(map(int, (await self.mysql("SELECT * FROM killed")).split()))

    async def accounts(self) -> set[int]:
        return set(map(int, (await self.postgres("SELECT * FROM killed")).split()))

    async def kept_objects(self) -> set[int]:
        told = (await self.objects("GET", "/backups", query="list-type=2&prefix=killed-")).decode()
        numbers = {int(part.partition("<")[0]) for part in told.split("<Key>killed-")[1:]}
        for number in numbers:
            assert await self.objects("GET", f"/backups/killed-{number}") == str(number).encode()
        return numbers

    async def messages(self) -> set[int]:
        wanted = {"count": 10000, "ackmode": "ack_requeue_true", "encoding": "auto"}
        told = await self.rabbitmq("queues/%2F/orders/get", wanted)
        return {int(one["payload"].removeprefix("killed-")) for one in told if one["payload"].startswith("killed-")}

    async def maps(self) -> set[int]:
        _, told = await self.api("GET", _MAPS)
        names = (one["metadata"]["name"] for one in told["items"])
        return {int(name.removeprefix("killed-")) for name in names if name.startswith("killed-")}


async def _ready(api: Api) -> _World:
    """Waits until all of the scene is ready."""
    until = time.monotonic() + 150
    while True:
        _, told = await api("GET", _PODS)
        pods = told["items"]
        conditions = {
            pod["metadata"]["name"]: {one["type"]: one["status"] for one in pod["status"].get("conditions", [])}
            for pod in pods
        }
        if len(pods) >= 11 and all(found.get("Ready") == "True" for found in conditions.values()):
            return _World(api, {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in pods})
        assert time.monotonic() < until, [name for name, found in conditions.items() if found.get("Ready") != "True"]
        await asyncio.sleep(0.25)


async def _write(write: Callable[[int], Awaitable[None]], acknowledged: set[int]) -> None:
    """Writes one after the other until the server is gone."""
    with contextlib.suppress(OSError, Exception):
        for number in range(10_000):
            await write(number)
            acknowledged.add(number)


def _kill(home: Path, process: Any) -> None:
    """The demo first, and its sandbox at once: nobody ends anything in order."""
    pids = [pid for pid, words in left(home).items() if "-m tui.sandbox" in words]
    process.send_signal(signal.SIGKILL)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


async def test_what_was_acknowledged_outlives_a_kill(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "statetui" / "demo" / "kubeconfig"
    first = demo(tmp_path, "--serve")
    kept: dict[str, set[int]] = {name: set() for name in ("row", "account", "object", "message", "map")}
    try:
        assert first.stdout is not None and first.stdout.readline().startswith("export KUBECONFIG=")
        async with client(kubeconfig, "admin") as api:
            world = await _ready(api)
            await world.mysql("CREATE TABLE killed (id INT PRIMARY KEY)")
            await world.postgres("CREATE TABLE killed (id INT PRIMARY KEY)")
            if not shutil.which("minio"):  # else MinIO itself serves the tenant, which has no sockets
                assert sockets(tmp_path), "SeaweedFS keeps its sockets elsewhere: what removes them can go"
            writers = [asyncio.create_task(_write(getattr(world, f"write_{name}"), kept[name])) for name in kept]
            until = time.monotonic() + 60
            while min(map(len, kept.values())) < 5:
                assert time.monotonic() < until, kept
                await asyncio.sleep(0.05)
            _kill(tmp_path, first)
            await asyncio.wait(writers, timeout=30)
    finally:
        first.kill()
        first.communicate()
    nothing_is_left(tmp_path)
    second = demo(tmp_path, "--serve")
    try:
        assert second.stdout is not None and second.stdout.readline().startswith("export KUBECONFIG=")
        async with client(kubeconfig, "admin") as api:
            world = await _ready(api)
            reads = (world.rows, world.accounts, world.kept_objects, world.messages, world.maps)
            for name, read in zip(kept, reads, strict=True):
                found = await read()
                assert kept[name] <= found, (name, kept[name] - found)
        print({name: len(numbers) for name, numbers in kept.items()})
        second.send_signal(signal.SIGTERM)
        await asyncio.to_thread(second.communicate)
    finally:
        second.kill()
        second.wait()
    nothing_is_left(tmp_path)
