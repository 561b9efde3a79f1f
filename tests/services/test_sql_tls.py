"""TLS of both protocols: asked for, refused, demanded, and certificates that are not what they should be."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import sql_servers
from asking import Opener, run

from tui.problem import ProblemError
from tui.services.sql.model import ServerError, Tls, TlsMode, Wire

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl here")
VERIFYING = (TlsMode.VERIFY_CA, TlsMode.VERIFY_FULL)


@dataclass
class Secured:
    """A server that knows TLS, whose certificate can be changed."""

    wire: Wire
    port: int
    pki: Path

    def take(self, name: str) -> None:
        """Another certificate from now on."""
        for ending in ("pem", "key"):
            target = self.pki / f"server.{ending}"
            shutil.copy(self.pki / f"{name}.{ending}", target)
            target.chmod(0o600)

    async def reload(self) -> None:
        opener = Opener(self.wire, self.port)
        session = await opener(tls=Tls(TlsMode.PREFER))
        await run(session, "SELECT pg_reload_conf()" if self.wire is Wire.POSTGRES else "FLUSH SSL")
        await opener.close()
        await asyncio.sleep(0.3)

    @property
    def authority(self) -> str:
        return (self.pki / "ca.pem").read_text()


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pki")
    sql_servers.authority(directory)
    return directory


HBA = """\
hostssl all all 127.0.0.1/32 scram-sha-256
host all root 127.0.0.1/32 scram-sha-256
"""


@pytest.fixture(scope="module", params=[Wire.POSTGRES, Wire.MYSQL])
def secured(request: pytest.FixtureRequest, pki: Path) -> Iterator[Secured]:
    secured = Secured(request.param, 0, pki)
    secured.take("good")
    files = (pki / "server.pem", pki / "server.key")
    with ExitStack() as stack:
        if request.param is Wire.POSTGRES:
            binaries = sql_servers.debian_postgres()
            if binaries is None:
                pytest.skip("the wheel's PostgreSQL has no TLS, and there is no other one")
            options = ("ssl=on", f"ssl_cert_file={files[0]}", f"ssl_key_file={files[1]}")
            secured.port = stack.enter_context(sql_servers.postgres(binaries=binaries, options=options, hba=HBA))
        else:
            if not shutil.which("mariadb-install-db"):
                pytest.skip("MariaDB is not on this machine")
            options = (f"--ssl-cert={files[0]}", f"--ssl-key={files[1]}")
            secured.port = stack.enter_context(sql_servers.mariadb(*options))
        yield secured


async def test_modes_are_what_they_say(secured: Secured) -> None:
    secured.take("good")
    await secured.reload()
    opener = Opener(secured.wire, secured.port)
    for mode in TlsMode:
        session = await opener(tls=Tls(mode, secured.authority))
        told = session.facts.tls
        assert told == "off" if mode is TlsMode.DISABLE else told.startswith("TLSv1")
        assert told.endswith(", verified") == (mode in VERIFYING)
        assert (await run(session, "SELECT 1")).rows == [("1",)]
    await opener.close()


async def test_a_cancellation_goes_through_tls(secured: Secured) -> None:
    opener = Opener(secured.wire, secured.port)
    session = await opener(tls=Tls(TlsMode.REQUIRE))
    slow = "SELECT pg_sleep(20)" if secured.wire is Wire.POSTGRES else "SELECT sleep(20)"
    running = asyncio.create_task(run(session, slow))
    await asyncio.sleep(0.2)
    await session.cancel()
    with pytest.raises(ServerError):
        await asyncio.wait_for(running, 20)
    await opener.close()


@pytest.mark.parametrize("mode", VERIFYING)
async def test_an_authority_that_is_not_the_certificates(secured: Secured, mode: TlsMode) -> None:
    other = (Path(__file__).parents[1] / "unit" / "pki" / "other-ca.pem").read_text()
    opener = Opener(secured.wire, secured.port)
    with pytest.raises(ProblemError, match=r"authority.*\(db-0\)"):
        await opener(tls=Tls(mode, other))
    assert (await opener(tls=Tls(TlsMode.REQUIRE, other))).facts.tls.endswith("not verified")
    await opener.close()


async def test_a_certificate_for_another_name(secured: Secured) -> None:
    secured.take("named")
    await secured.reload()
    opener = Opener(secured.wire, secured.port)
    with pytest.raises(ProblemError, match=r"for another name than db-0\.db\.test\.svc"):
        await opener(tls=Tls(TlsMode.VERIFY_FULL, secured.authority))
    assert (await opener(tls=Tls(TlsMode.VERIFY_CA, secured.authority))).facts.tls.endswith("verified")
    named = Tls(TlsMode.VERIFY_FULL, secured.authority, name="elsewhere.test")
    assert (await opener(tls=named)).facts.tls.endswith(", verified")
    await opener.close()


async def test_a_certificate_that_has_expired(secured: Secured) -> None:
    secured.take("expired")
    await secured.reload()
    opener = Opener(secured.wire, secured.port)
    with pytest.raises(ProblemError, match="has expired"):
        await opener(tls=Tls(TlsMode.VERIFY_FULL, secured.authority))
    await opener.close()


async def test_a_server_that_demands_tls(secured: Secured) -> None:
    opener = Opener(secured.wire, secured.port)
    admin = await opener(tls=Tls(TlsMode.PREFER))
    if secured.wire is Wire.POSTGRES:
        await run(admin, "CREATE ROLE plain LOGIN PASSWORD 'secret'")
        demand = "db-0 demands TLS"
    else:
        await run(admin, "SET GLOBAL require_secure_transport = ON")
        demand = "or demands TLS"
    user = "plain" if secured.wire is Wire.POSTGRES else "root"
    with pytest.raises(ProblemError, match=demand):
        await opener(user=user, tls=Tls(TlsMode.DISABLE))
    assert (await opener(user=user, tls=Tls(TlsMode.PREFER))).facts.tls.startswith("TLS")
    if secured.wire is Wire.MYSQL:
        await run(admin, "SET GLOBAL require_secure_transport = OFF")
    await opener.close()


@pytest.mark.parametrize("mode", [TlsMode.REQUIRE, *VERIFYING])
async def test_a_server_without_tls_is_not_talked_to_when_it_is_asked_for(server: Opener, mode: TlsMode) -> None:
    with pytest.raises(ProblemError, match=f"does not speak TLS, and {mode} was asked for"):
        await server(tls=Tls(mode))
    assert (await server(tls=Tls(TlsMode.PREFER))).facts.tls == "off"


async def test_certificates_that_are_none_are_told_before_anything_is_sent(server: Opener) -> None:
    with pytest.raises(ProblemError, match="certificate authority that was found cannot be used"):
        await server(tls=Tls(TlsMode.VERIFY_CA, "not a certificate"))
    with pytest.raises(ProblemError, match="client certificate that was found cannot be used"):
        await server(tls=Tls(TlsMode.REQUIRE, certificate="not one", key="either"))
    assert sum(route.connections for route in server.routes) == 0
