from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
from peers import Peers
from streams_server import StreamsServer


@pytest.fixture(scope="session")
def peers() -> Iterator[Peers]:
    with Peers() as running:
        yield running


@pytest.fixture
async def server() -> AsyncIterator[StreamsServer]:
    async with StreamsServer() as running:
        yield running


@pytest.fixture
async def client(server: StreamsServer) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"{server.url}/") as session:
        yield session
