"""Transfers over TLS, verified with an authority of the cluster's."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import bucket_servers
import pytest
from bucket_servers import KEYS, LocalWay
from transferring import Mover

from tui.services.bucket.model import Security
from tui.services.bucket.session import open_session
from tui.services.bucket.transfers import wire
from tui.services.bucket.transfers.calls import Store
from tui.services.bucket.transfers.parts import MIB
from tui.services.bucket.transfers.progress import Stage

pytestmark = pytest.mark.skipif(
    not shutil.which("minio") or not shutil.which("openssl"), reason="minio or openssl is not on PATH"
)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=minio.test.svc",
         "-addext", "subjectAltName=DNS:minio.test.svc", "-keyout", folder / "private.key", "-out",
         folder / "public.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def port(certificates: Path) -> Iterator[int]:
    with bucket_servers.minio(certificates) as running:
        yield running


@pytest.fixture
async def mover(port: int, certificates: Path, tmp_path: Path) -> AsyncIterator[Mover]:
    way = LocalWay(port, host="minio.test.svc")

    async def find() -> LocalWay:
        return way

    security = Security(None, (certificates / "public.crt").read_text())
    session = await open_session(find, KEYS, security)
    ours = wire.over(session)
    mover = Mover(port, tmp_path)
    mover.store = Store(ours, "test/store")
    await mover.make()
    assert session.tls == "TLSv1.3, verified"
    yield mover
    await ours.close()
    await session.close()


async def test_there_and_back(mover: Mover) -> None:
    path = mover.file(17 * MIB)
    item = await mover.up(path)
    assert (item.stage, item.verified) == (Stage.DONE, "CRC-32"), item.problem
    item = await mover.down()
    assert (item.stage, item.verified) == (Stage.DONE, "CRC-32"), item.problem
    assert mover.out.read_bytes() == path.read_bytes()
    small = mover.file(100)
    assert (await mover.up(small, "small")).stage is Stage.DONE
    assert await mover.content("small") == small.read_bytes()


async def test_another_certificate_is_refused(port: int, tmp_path: Path) -> None:
    way = LocalWay(port, host="minio.test.svc")
    connection = wire.Wire(lambda: way, wire.Signer(KEYS), ssl.create_default_context())
    mover = Mover(port, tmp_path)
    path = tmp_path / "file"
    path.write_bytes(os.urandom(10))
    item = await mover.up(path, store=Store(connection, "x"), engine=mover.engine(patience=0.1))
    assert item.stage is Stage.FAILED and "certificate" in str(item.problem), item.problem
    await connection.close()
