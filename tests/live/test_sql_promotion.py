"""A pair of real PostgreSQL servers whose standby is promoted under a session."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.real import POSTGRES, kubectl
from tests.live.sql_pods import key, live_in, opened, own, run, start, until, wait_for
from tui.problem import ProblemError
from tui.services.sql.model import Login, Lost, ServerError, Session, Wire
from tui.services.sql.renewing import RENEWED, Renewing
from tui.systems.live import Live
from tui.systems.sqlroutes import WorkloadRouter

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]
LOGIN = Login("root", "", "postgres")
#: Whoever ends is started again with what stands in its directory; the second follows the first.
_AGAIN = "while :; do $as $bin/postgres -D /data/pg -c listen_addresses='*'; sleep 0.2; done"
PRIMARY = POSTGRES.replace(
    "exec $as $bin/postgres -D /data/pg -c listen_addresses='*' -p 5432",
    f"echo 'host replication all 0.0.0.0/0 trust' >>/data/pg/pg_hba.conf\n{_AGAIN}",
)
STANDBY = f"""
bin=$(echo /usr/lib/postgresql/*/bin); mkdir -p /data /run/postgresql; chown postgres /data /run/postgresql
as="setpriv --reuid postgres --regid postgres --clear-groups"
until $as $bin/pg_basebackup -h acid-0.acid -U root -D /data/pg -R -c fast; do sleep 0.3; done
{_AGAIN}
"""
PAIR = f"if [[ $HOSTNAME == *-1 ]]; then {STANDBY}\nfi\n{PRIMARY}"


@pytest.fixture
def pair() -> Iterator[str]:
    with own(f"statetui-test-pair-{os.getpid()}") as namespace:
        start(namespace, "acid", PAIR, 5432, replicas=2, application="spilo", **{"cluster-name": "acid"})
        wait_for(namespace, "acid")
        label(namespace, "acid-0")
        yield namespace


def label(namespace: str, primary: str) -> None:
    for pod in ("acid-0", "acid-1"):
        role = "master" if pod == primary else "replica"
        kubectl("-n", namespace, "label", "pod", pod, f"spilo-role={role}", "--overwrite")


def writer(live: Live) -> list[str]:
    return [one.pod for one in live.workloads[key(live, "acid")].members if one.role and one.role.writes]


async def once_it_is_back(live: Live) -> Session:
    """A session with the replica, which starts again."""
    for _ in range(300):
        with contextlib.suppress(ProblemError):
            return await opened(live, "acid", Wire.POSTGRES, LOGIN, "replica")
        await asyncio.sleep(0.1)
    pytest.fail("the old primary does not come back")


async def eventually(session: Any, statement: str, wanted: list[Any]) -> None:
    found: list[Any] = []
    for _ in range(300):
        found = (await run(session, statement))[0]
        if found == wanted:
            return
        await run(session, "SELECT pg_sleep(0.1)")
    pytest.fail(f"{found}, not {wanted}")


async def test_a_standby_that_is_promoted_takes_over_the_session(pair: str) -> None:
    async with live_in(pair) as live:
        await until(lambda: writer(live) == ["acid-0"])
        renewing = Renewing(WorkloadRouter(live, key(live, "acid"), patience=60), Wire.POSTGRES, LOGIN)
        assert (await renewing.open()).member == "acid-0" and renewing.facts.replica is False
        await run(renewing, "CREATE TABLE counted (n INT)")
        await run(renewing, "INSERT INTO counted VALUES (1)")
        standby = await opened(live, "acid", Wire.POSTGRES, LOGIN, "replica")
        assert standby.facts.member == "acid-1" and standby.facts.replica is True
        await eventually(standby, "SELECT to_regclass('counted')::text", [("counted",)])
        await eventually(standby, "SELECT n FROM counted", [("1",)])
        with pytest.raises(ServerError) as caught:
            await run(standby, "INSERT INTO counted VALUES (9)")
        assert caught.value.code == "25006" and "connect to the primary" in caught.value.hint
        # Roles change: the standby is promoted, and the old primary comes back as its standby.
        await run(standby, "SELECT pg_promote()")
        await run(standby, "INSERT INTO counted VALUES (2)")
        assert standby.facts.replica is False, "the server told by itself that it is promoted"
        await run(renewing, "BEGIN")
        await run(renewing, "INSERT INTO counted VALUES (3)")
        kubectl("-n", pair, "exec", "acid-0", "--", "bash", "-c",
                "touch /data/pg/standby.signal; kill -INT $(head -1 /data/pg/postmaster.pid)")  # fmt: skip
        label(pair, "acid-1")
        await until(lambda: writer(live) == ["acid-1"])
        with pytest.raises(Lost) as lost:
            await run(renewing, "COMMIT")
        assert lost.value.transaction, "an open transaction is told as lost"
        _, rest = await run(renewing, "INSERT INTO counted VALUES (4)")
        assert rest[0].code == RENEWED and "acid-1, in place of acid-0" in rest[0].message
        assert (await run(renewing, "SELECT n FROM counted ORDER BY n"))[0] == [("1",), ("2",), ("4",)]
        # The old one only reads now, and says where writes are taken.
        old = await once_it_is_back(live)
        assert old.facts.member == "acid-0" and old.facts.replica is True
        with pytest.raises(ServerError) as caught:
            await run(old, "INSERT INTO counted VALUES (5)")
        assert "acid-0 only reads (the server is in recovery); connect to the primary" in caught.value.hint
        for session in (old, standby, renewing):
            await session.close()
