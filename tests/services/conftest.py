"""Local servers: databases are started once for all tests of a run, a broker once for each file."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator

import pytest
import sql_servers
from asking import Opener
from queue_messages import connected
from queue_servers import Rabbit, rabbitmq

from tui.services.queue.amqp import Broker
from tui.services.sql.model import Wire

NO_MARIADB = pytest.mark.skipif(not shutil.which("mariadb-install-db"), reason="MariaDB is not on this machine")


@pytest.fixture(scope="session")
def postgres_port() -> Iterator[int]:
    with sql_servers.postgres() as port:
        yield port


@pytest.fixture(scope="session")
def mariadb_port() -> Iterator[int]:
    if not shutil.which("mariadb-install-db"):
        pytest.skip("MariaDB is not on this machine")
    with sql_servers.mariadb("--max-allowed-packet=256M") as port:
        yield port


@pytest.fixture
async def postgres(postgres_port: int) -> AsyncIterator[Opener]:
    opener = Opener(Wire.POSTGRES, postgres_port)
    yield opener
    await opener.close()


@pytest.fixture
async def mariadb(mariadb_port: int) -> AsyncIterator[Opener]:
    opener = Opener(Wire.MYSQL, mariadb_port)
    yield opener
    await opener.close()


@pytest.fixture(params=["postgres", "mariadb"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Opener]:
    """Each server in turn, for what both must do."""
    wire = Wire.POSTGRES if request.param == "postgres" else Wire.MYSQL
    opener = Opener(wire, request.getfixturevalue(f"{request.param}_port"))
    yield opener
    await opener.close()


@pytest.fixture(scope="module")
def rabbit() -> Iterator[Rabbit]:
    with rabbitmq() as running:
        yield running


@pytest.fixture
async def broker(rabbit: Rabbit) -> AsyncIterator[Broker]:
    async with connected(rabbit) as opened:
        yield opened
