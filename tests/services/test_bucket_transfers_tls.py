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

from tui.problem import Cause, ProblemError
from tui.services.bucket.model import Security
from tui.services.bucket.opening import open_session
from tui.services.bucket.transfers import wire
from tui.services.bucket.transfers.calls import Store
from tui.services.bucket.transfers.parts import MIB
from tui.services.bucket.transfers.progress import Stage

pytestmark = pytest.mark.skipif(
    not shutil.which("minio") or not shutil.which("openssl"), reason="minio or openssl is not on PATH"
)


#: The names that MinIO's operators before 4.2 had the cluster sign.
FULL = "DNS:minio.test.svc.cluster.local,DNS:*.store-hl.test.svc.cluster.local"


def _made(folder: Path, names: str) -> Path:
    """What the operator keeps: a certificate and its key, and nothing of the authority that has signed it."""
    folder.mkdir()
    authority = ("-CA", folder / "ca.crt", "-CAkey", folder / "ca.key")
    new = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
    for words in (
        (*new, "-subj", "/CN=kubernetes", "-keyout", folder / "ca.key", "-out", folder / "ca.crt"),
        (*new, *authority, "-subj", "/O=system:nodes/CN=system:node:x", "-addext", f"subjectAltName={names}",
         "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", folder / "private.key", "-out",
         folder / "public.crt"),
    ):  # fmt: skip
        subprocess.run(words, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module", params=["DNS:minio.test.svc", FULL], ids=["short name", "full name"])
def certificates(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _made(tmp_path_factory.mktemp("certificates") / "c", request.param)


@pytest.fixture(scope="module")
def port(certificates: Path) -> Iterator[int]:
    with bucket_servers.minio(certificates) as running:
        yield running


@pytest.fixture
async def mover(port: int, certificates: Path, tmp_path: Path) -> AsyncIterator[Mover]:
    way = LocalWay(port, host="minio.test.svc")

    async def find() -> LocalWay:
        return way

    security = Security(None, (certificates / "public.crt").read_text(), "minio.test.svc")
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


@pytest.mark.parametrize("https", [None, True], ids=["found out", "said"])
async def test_an_authority_that_has_not_signed_it(port: int, tmp_path: Path, https: bool | None) -> None:
    """Nothing is asked without TLS then: the keys would be told to whoever is there."""
    way = LocalWay(port, host="minio.test.svc")

    async def find() -> LocalWay:
        return way

    other = (_made(tmp_path / "other", FULL) / "public.crt").read_text()
    with pytest.raises(ProblemError) as refused:
        await open_session(find, KEYS, Security(https, other, "minio.test.svc"))
    assert refused.value.problem.cause is Cause.CREDENTIALS
    assert refused.value.problem.what == "The certificate of store-0 is not what it should be"
    assert "issuer" in refused.value.problem.evidence
    assert way.connections == 1


async def test_another_name(port: int, certificates: Path) -> None:
    way = LocalWay(port, host="minio.test.svc")

    async def find() -> LocalWay:
        return way

    security = Security(None, (certificates / "public.crt").read_text(), "minio.elsewhere.svc")
    with pytest.raises(ProblemError) as refused:
        await open_session(find, KEYS, security)
    assert "minio.elsewhere.svc" in refused.value.problem.evidence


async def test_another_certificate_is_refused(port: int, tmp_path: Path) -> None:
    way = LocalWay(port, host="minio.test.svc")
    connection = wire.Wire(lambda: way, wire.Signer(KEYS), ssl.create_default_context())
    mover = Mover(port, tmp_path)
    path = tmp_path / "file"
    path.write_bytes(os.urandom(10))
    # Another certificate does not come by waiting.
    item = await mover.up(path, store=Store(connection, "x"), engine=mover.engine(patience=60))
    assert item.retries == 0
    assert item.stage is Stage.FAILED and "certificate" in str(item.problem), item.problem
    await connection.close()
