from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
from certificates import tls
from peers import Peers
from streams_server import StreamsServer


@pytest.fixture(scope="session")
def peers() -> Iterator[Peers]:
    with Peers() as running:
        yield running


@pytest.fixture
async def server(caplog: pytest.LogCaptureFixture) -> AsyncIterator[StreamsServer]:
    """A server with TLS, like every API server. It must not have logged an error."""
    async with StreamsServer(tls()) as running:
        yield running
    records = [record for phase in ("setup", "call", "teardown") for record in caplog.get_records(phase)]  # type: ignore[arg-type]
    assert not [record.getMessage() for record in records if record.levelname == "ERROR"]


@pytest.fixture
async def client(server: StreamsServer) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"{server.url}/", connector=aiohttp.TCPConnector(ssl=False)) as session:
        yield session
