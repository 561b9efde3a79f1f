"""AMQPS and the management API over TLS: a certificate that the cluster's Secret has, and one that it has not."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import queue_servers
from bucket_servers import LocalWay, free_ports
from queue_servers import LOGIN

from tui.problem import Cause, ProblemError
from tui.services.queue.amqp import open_broker
from tui.services.queue.management import Management
from tui.services.queue.tls import Security

pytestmark = pytest.mark.skipif(
    not queue_servers.THERE or not shutil.which("openssl"), reason="RabbitMQ or openssl is not on this machine"
)
NAME = "rabbitmq.test.svc"


def certificate(folder: Path, name: str) -> str:
    """One that is no authority, as a person may put it into a Secret; its PEM."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
         "-addext", f"subjectAltName=DNS:{name}", "-addext", "basicConstraints=critical,CA:FALSE",
         "-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt")],
        check=True, capture_output=True,
    )  # fmt: skip
    return (folder / "tls.crt").read_text()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int, str]]:
    """The ports of AMQPS and of the API over TLS, and the certificate."""
    folder = tmp_path_factory.mktemp("tls")
    pem = certificate(folder, NAME)
    amqps, https = free_ports(2)
    files = {"certfile": folder / "tls.crt", "keyfile": folder / "tls.key"}
    lines = [f"listeners.ssl.1 = 127.0.0.1:{amqps}", "ssl_options.verify = verify_none"]
    lines += [f"ssl_options.{key} = {path}" for key, path in files.items()]
    lines += ["management.ssl.ip = 127.0.0.1", f"management.ssl.port = {https}"]
    lines += [f"management.ssl.{key} = {path}" for key, path in files.items()]
    with queue_servers.rabbitmq(*lines):
        yield amqps, https, pem


async def test_a_certificate_that_is_its_own_authority(served: tuple[int, int, str]) -> None:
    amqps, https, pem = served
    security = Security(True, pem)
    broker = await open_broker(LocalWay(amqps, NAME), LOGIN, context=security.context())
    assert "3.10" in broker.version
    await broker.close()

    async def find() -> LocalWay:
        return LocalWay(https, NAME)

    api = Management(find, LOGIN, context=security.context())
    assert (await api.overview()).rabbitmq_version.startswith("3.10")
    await api.close()


@pytest.mark.parametrize("wrong", ["name", "certificate"])
async def test_what_is_not_what_the_secret_has(served: tuple[int, int, str], tmp_path: Path, wrong: str) -> None:
    amqps, https, pem = served
    name = "another.test.svc" if wrong == "name" else NAME
    security = Security(True, certificate(tmp_path, NAME) if wrong == "certificate" else pem)
    with pytest.raises(ProblemError) as caught:
        await open_broker(LocalWay(amqps, name), LOGIN, context=security.context())
    assert caught.value.problem.cause is Cause.UNREACHABLE
    assert "certificate" in caught.value.problem.evidence

    async def find() -> LocalWay:
        return LocalWay(https, name)

    api = Management(find, LOGIN, context=security.context())
    with pytest.raises(ProblemError) as answered:
        await api.overview()
    assert "certificate" in answered.value.problem.evidence
    await api.close()


async def test_without_an_authority_it_is_encrypted_and_not_verified(served: tuple[int, int, str]) -> None:
    amqps, _, _ = served
    broker = await open_broker(LocalWay(amqps, "whatever"), LOGIN, context=Security(True).context())
    await broker.close()


async def test_a_broker_that_wants_a_clients_certificate_is_told(tmp_path: Path) -> None:
    """As a RabbitmqCluster with `tls.caSecretName` does."""
    pem = certificate(tmp_path, NAME)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=pem)

    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:  # asyncio's server would not send the alert
            with context.wrap_socket(server.accept()[0], server_side=True, do_handshake_on_connect=False) as one:
                with pytest.raises(ssl.SSLError):
                    one.do_handshake()
                one.shutdown(socket.SHUT_WR)
                while one.recv(4096):  # closed with something unread it would be reset
                    pass

        refusing = asyncio.create_task(asyncio.to_thread(refuse))
        with pytest.raises(ProblemError) as caught:
            way = LocalWay(server.getsockname()[1], NAME)
            await open_broker(way, LOGIN, context=Security(True, pem).context())
        await refusing
    assert caught.value.problem.cause is Cause.REJECTED
    assert "wants a client's certificate" in caught.value.problem.what
    assert "tls.caSecretName" in caught.value.problem.remedy


def test_an_authority_that_is_none() -> None:
    with pytest.raises(ProblemError, match="cannot be used"):
        Security(True, "no PEM").context()
