"""AMQPS and the management API over TLS: a certificate that the cluster's Secret has, and one that it has not."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import queue_servers
from bucket_servers import LocalWay, free_ports
from queue_servers import LOGIN

from tui.problem import Cause, Problem, ProblemError
from tui.services.queue.amqp import open_broker
from tui.services.queue.management import Management
from tui.services.queue.model import ClientCertificate
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


def signed(folder: Path) -> None:
    """A client's certificate, and the authority that signed it."""
    for words in (
        ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN=authority of {folder.name}",
         "-keyout", "ca.key", "-out", "ca.crt"),
        ("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=client", "-keyout", "tls.key", "-out", "tls.csr"),
        ("x509", "-req", "-in", "tls.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
         "-out", "tls.crt"),
    ):  # fmt: skip
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=folder)


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


@pytest.fixture(scope="module", params=["tlsv1.3", "tlsv1.2"])
def strict(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int, Path]]:
    """The ports of a broker that lets nobody in without a certificate, and the folder with its own and a client's."""
    folder = tmp_path_factory.mktemp("strict")
    certificate(folder, NAME)
    for name in ("client", "stranger"):
        (folder / name).mkdir()
        signed(folder / name)
    amqps, https = free_ports(2)
    files = {"certfile": folder / "tls.crt", "keyfile": folder / "tls.key", "cacertfile": folder / "client" / "ca.crt"}
    lines = [f"listeners.ssl.1 = 127.0.0.1:{amqps}", "management.ssl.ip = 127.0.0.1", f"management.ssl.port = {https}"]
    for of in ("ssl_options", "management.ssl"):
        lines += [f"{of}.{key} = {path}" for key, path in files.items()]
        lines += [
            f"{of}.verify = verify_peer",
            f"{of}.fail_if_no_peer_cert = true",
            f"{of}.versions.1 = {request.param}",
        ]
    with queue_servers.rabbitmq(*lines):
        yield amqps, https, folder


def shown(folder: Path, *, key: Path | None = None) -> ClientCertificate:
    return ClientCertificate((folder / "tls.crt").read_text(), ((key or folder) / "tls.key").read_text())


async def refused_twice(amqps: int, https: int, context: Callable[[], ssl.SSLContext]) -> Sequence[Problem]:
    """What AMQP and the API say of it."""

    async def find() -> LocalWay:
        return LocalWay(https, NAME)

    with pytest.raises(ProblemError) as caught:
        await open_broker(LocalWay(amqps, NAME), LOGIN, context=context())
    api = Management(find, LOGIN, context=context())
    with pytest.raises(ProblemError) as answered:
        await api.overview()
    await api.close()
    return caught.value.problem, answered.value.problem


async def test_a_clients_certificate_lets_one_in(strict: tuple[int, int, Path]) -> None:
    amqps, https, folder = strict
    security, certificate = Security(True, (folder / "tls.crt").read_text()), shown(folder / "client")
    broker = await open_broker(LocalWay(amqps, NAME), LOGIN, context=security.context(certificate))
    assert "3.10" in broker.version
    await broker.close()

    async def find() -> LocalWay:
        return LocalWay(https, NAME)

    api = Management(find, LOGIN, context=security.context(certificate))
    assert (await api.overview()).rabbitmq_version.startswith("3.10")
    await api.close()
    assert "PRIVATE" not in repr(certificate)


async def test_a_broker_that_wants_a_clients_certificate_is_told(strict: tuple[int, int, Path]) -> None:
    """As a RabbitmqCluster with `tls.caSecretName` does."""
    amqps, https, folder = strict
    security = Security(True, (folder / "tls.crt").read_text())
    for problem in await refused_twice(amqps, https, security.context):
        assert problem.cause is Cause.REJECTED
        assert "wants a client's certificate" in problem.what
        assert "--cert and --key" in problem.remedy and "tls.caSecretName" in problem.remedy


async def test_a_clients_certificate_that_the_broker_does_not_know(strict: tuple[int, int, Path]) -> None:
    amqps, https, folder = strict
    security = Security(True, (folder / "tls.crt").read_text())
    for problem in await refused_twice(amqps, https, lambda: security.context(shown(folder / "stranger"))):
        assert problem.cause is Cause.CREDENTIALS
        assert "does not take the client's certificate" in problem.what


def test_a_certificate_with_another_key_cannot_be_shown(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        certificate(tmp_path / name, name)
    with pytest.raises(ProblemError, match="cannot be used"):
        Security(True).context(shown(tmp_path / "one", key=tmp_path / "other"))


def test_an_authority_that_is_none() -> None:
    with pytest.raises(ProblemError, match="cannot be used"):
        Security(True, "no PEM").context()
