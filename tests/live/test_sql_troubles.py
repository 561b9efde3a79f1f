"""What keeps a session from coming about, on real servers of three kinds, and what a person is told of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from tests.live.real import KUBECONFIG
from tests.live.sql_pods import (
    EXPIRED,
    GOOD,
    NAMED,
    SELF_SIGNED,
    WIRES,
    Certified,
    key,
    live_in,
    opened,
    run,
    until,
)
from tui.kube.options import ConnectOptions
from tui.problem import Cause, Problem, ProblemError
from tui.services.sql.model import Login, Session, Tls, TlsMode, Wire
from tui.systems.catalogue import load_catalogue
from tui.systems.credentials import find_login
from tui.systems.live import Live

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]
VERIFYING = (TlsMode.VERIFY_CA, TlsMode.VERIFY_FULL)


@pytest.fixture(params=["pg", "maria", "mysql8"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def live(certified: Certified) -> AsyncIterator[Live]:
    async with live_in(certified.namespace) as live:
        yield live


async def at(
    live: Live, name: str, ordinal: int, user: str = "root", password: str = "", tls: Tls | None = None
) -> Session:
    database = "postgres" if WIRES[name] is Wire.POSTGRES else ""
    login = Login(user, password, database, tls or Tls(), "Secret x/y, key z")
    return await opened(live, name, WIRES[name], login, member=f"{name}-{ordinal}")


async def refused(*arguments: object) -> Problem:
    with pytest.raises(ProblemError) as caught:
        await at(*arguments)  # type: ignore[arg-type]
    problem = caught.value.problem
    assert problem.what and problem.evidence and problem.remedy, problem
    return problem


# --- certificates


async def test_a_good_certificate_is_verified(live: Live, name: str, certified: Certified) -> None:
    for mode in VERIFYING:
        session = await at(live, name, GOOD, tls=Tls(mode, certified.authorities[name]))
        assert session.facts.tls.endswith(", verified")
        await session.close()


async def test_an_expired_certificate(live: Live, name: str, certified: Certified) -> None:
    for mode in VERIFYING:
        problem = await refused(live, name, EXPIRED, "root", "", Tls(mode, certified.authorities[name]))
        assert problem.what == f"The server's certificate has expired ({name}-{EXPIRED})" and "Renew" in problem.remedy
    session = await at(live, name, EXPIRED, tls=Tls(TlsMode.REQUIRE))
    assert session.facts.tls.endswith(", not verified")
    await session.close()


async def test_a_certificate_for_another_name(live: Live, name: str, certified: Certified) -> None:
    authority = certified.authorities[name]
    problem = await refused(live, name, NAMED, "root", "", Tls(TlsMode.VERIFY_FULL, authority))
    assert f"for another name than {name}-{NAMED}.{name}.{certified.namespace}.svc" in problem.what
    for tls in (Tls(TlsMode.VERIFY_CA, authority), Tls(TlsMode.VERIFY_FULL, authority, name="elsewhere.example")):
        session = await at(live, name, NAMED, tls=tls)
        assert session.facts.tls.endswith(", verified")
        await session.close()


@pytest.mark.parametrize("server", ["pg", "maria"])
async def test_a_self_signed_certificate(live: Live, server: str, certified: Certified) -> None:
    for authority in (certified.authorities[server], ""):
        problem = await refused(live, server, SELF_SIGNED, "root", "", Tls(TlsMode.VERIFY_FULL, authority))
        assert "self-signed" in problem.what and "authority" in problem.remedy


async def test_an_authority_that_is_another_ones(live: Live, name: str, certified: Certified) -> None:
    other = certified.authorities["maria" if name == "pg" else "pg"]
    problem = await refused(live, name, GOOD, "root", "", Tls(TlsMode.VERIFY_CA, other))
    assert "authority" in problem.what or "cannot be verified" in problem.what, problem


# --- TLS refused and demanded, passwords


async def test_a_server_that_demands_tls(live: Live, name: str) -> None:
    problem = await refused(live, name, GOOD, "secured", "right", Tls(TlsMode.DISABLE))
    assert "demands TLS" in problem.what and "require" in problem.remedy
    assert "right" not in str(problem)
    session = await at(live, name, GOOD, "secured", "right")
    assert session.facts.tls.startswith("TLSv1")
    await session.close()


async def test_a_server_that_refuses_tls(live: Live) -> None:
    """PostgreSQL may refuse it by user; `prefer` goes without then, and `require` says what is refused."""
    session = await at(live, "pg", GOOD, "bare")
    assert session.facts.tls == "off"
    await session.close()
    problem = await refused(live, "pg", GOOD, "bare", "", Tls(TlsMode.REQUIRE))
    assert "does not let bare in" in problem.what and "SSL encryption" in problem.evidence


async def test_a_wrong_password(live: Live, name: str) -> None:
    problem = await refused(live, name, GOOD, "secured", "mistaken")
    assert problem.cause is Cause.CREDENTIALS and f"{name}-0 refuses the password of secured" in problem.what
    assert "Secret x/y, key z" in problem.remedy and "mistaken" not in str(problem)


# --- no connection left


async def test_no_connection_is_left(live: Live, name: str) -> None:
    held: list[Session] = []
    try:
        with pytest.raises(ProblemError) as caught:
            while len(held) < 16:
                held.append(await at(live, name, EXPIRED, "many"))
        problem = caught.value.problem
        assert problem.cause is Cause.THROTTLED and f"{name}-{EXPIRED} has no connection left" in problem.what
        assert "max_connections" in problem.remedy and len(held) >= 5
        assert ("53300" if name == "pg" else "Too many connections") in problem.evidence
        # What is kept for administrators is theirs still, and what is open goes on.
        admin = await at(live, name, EXPIRED)
        assert (await run(admin, "SELECT 1"))[0] == (await run(held[0], "SELECT 1"))[0] == [("1",)]
        await admin.close()
    finally:
        for session in held:
            await session.close()
    async with asyncio.timeout(30):
        while True:  # the server takes its time to notice
            with contextlib.suppress(ProblemError):
                await (await at(live, name, EXPIRED, "many")).close()
                break


# --- Secrets that may not be read


@pytest.mark.parametrize("rights", [True, False], ids=["all but Secrets", "nothing"])
async def test_a_secret_that_is_forbidden(user: object, rights: bool) -> None:
    rules = [
        {
            "apiGroups": ["", "apps"],
            "resources": ["pods", "services", "statefulsets"],
            "verbs": ["get", "list", "watch"],
        }
    ]
    someone = user("stateful", rules if rights else [])  # type: ignore[operator]
    options = ConnectOptions(kubeconfig=KUBECONFIG, namespace="stateful", impersonate=someone)
    live = Live(options, load_catalogue([]), usage=False)
    task = asyncio.create_task(live.run())
    try:
        await until(lambda: live.complete and (not rights or any(one.endswith("/orders") for one in live.workloads)))
        if not rights:
            assert not live.workloads
            return
        assert live.api is not None and live.cluster is not None
        workload = live.workloads[key(live, "orders")]
        found = await find_login(live.api, live.cluster.store, workload, live.catalogue)
        assert found.override() is None
        told = str(found.problem("orders"))
        assert 'cannot get resource "secrets"' in told and "get secrets/orders-mysql in namespace stateful" in told
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def test_nobody_is_told_which_right_is_missing(tmp_path: object) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tui", "--kubeconfig", KUBECONFIG.replace("admin", "nobody"), "-n", "stateful", "sql",
         "orders", "-e", "SELECT 1", "--wait", "10"],
        capture_output=True, text=True, check=False, timeout=60, env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode not in (0, 1) and "Traceback" not in done.stderr, done.stderr
    assert "forbidden" in done.stderr.lower() and "list" in done.stderr, done.stderr
