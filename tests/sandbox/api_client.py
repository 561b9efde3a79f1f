"""A sandbox's API in this process, and clients of it."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp

from tui.sandbox import seeds
from tui.sandbox.registry import Registry
from tui.sandbox.server import Server
from tui.sandbox.store import Store

Events = list[dict[str, Any]]


class Api:
    """The API as one of the kubeconfig's users calls it."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url, self.session = url, session

    async def __call__(
        self, method: str, path: str, body: object = None, *, media: str = "application/json", **headers: str
    ) -> tuple[int, Any]:
        """The status and the answer; headers are named with underscores."""
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        large = data is not None and len(data) > 1 << 20
        if data is not None:
            sent["Content-Type"] = media
        async with self.session.request(
            method, self.url + path, data=io.BytesIO(data) if large else data, headers=sent
        ) as response:
            raw = await response.read()
            told = json.loads(raw) if response.content_type == "application/json" else raw.decode()
            return response.status, told

    async def watch(
        self, path: str, *, count: int = 0, enough: Callable[[Events], bool] | None = None, **headers: str
    ) -> Events:
        """What a watch says: so many events, until they are enough, or all until it ends."""
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        async with self.session.get(self.url + path, headers=sent) as response:
            events = []
            async for line in response.content:
                events.append(json.loads(line))
                if len(events) == count or (enough is not None and enough(events)):
                    break
            return events


class Sandbox:
    """A server with what is behind it."""

    def __init__(self, directory: Path, *, routes: Any = ()) -> None:
        self.store = Store(directory)
        self.registry = Registry(self.store)
        seeds.plant(self.registry)
        self.server = Server(self.registry, directory)
        self.server.add_routes(routes)
        self.directory = directory

    def client(self, name: str) -> contextlib.AbstractAsyncContextManager[Api]:
        return client(self.server.kubeconfig, name)


def _tls(cluster: dict[str, Any], user: dict[str, Any], directory: Path) -> ssl.SSLContext:
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    made = ssl.create_default_context(cadata=authority)
    if "client-key-data" in user:
        pair = directory / "client.pem"
        parts = (user["client-certificate-data"], user["client-key-data"])
        pair.write_bytes(b"".join(base64.b64decode(part) for part in parts))
        made.load_cert_chain(pair)
    return made


@contextlib.asynccontextmanager
async def client(kubeconfig: Path, name: str) -> AsyncIterator[Api]:
    """A client of the server that a kubeconfig names, as one of its users."""
    told = json.loads(kubeconfig.read_text())
    cluster = told["clusters"][0]["cluster"]
    user = {user["name"]: user["user"] for user in told["users"]}.get(name, {})
    headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
    connector = aiohttp.TCPConnector(ssl=_tls(cluster, user, kubeconfig.parent))
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        yield Api(cluster["server"], session)
