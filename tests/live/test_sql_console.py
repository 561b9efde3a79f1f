"""The chapter's SQL by keyboard alone, in front of the three SQL workloads of the real cluster."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from tests.live.consoles import ENTER, ESCAPE, NAMESPACE, SMALL, WIDE, Program, opened
from tests.live.real import KUBECONFIG, kubectl, other

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("own_terminal"), pytest.mark.timeout(300)]

F2, F5, F6, F7, F8, F9, F10 = "\x1bOQ", "\x1b[15~", "\x1b[17~", "\x1b[18~", "\x1b[19~", "\x1b[20~", "\x1b[21~"
DELETE, CANCEL = "\x1b[3~", "\x03"
#: Workload, the type of a key that counts by itself, a statement that lasts, and one that ends another's session.
POSTGRES = ("SERIAL PRIMARY KEY", "SELECT pg_sleep(60)", "SELECT pg_terminate_backend({})")
MYSQL = ("INT AUTO_INCREMENT PRIMARY KEY", "SELECT sleep(60)", "KILL {}")
WORKLOADS = [
    pytest.param("cdb", *POSTGRES, id="cockroachdb-shaped"),
    pytest.param("mysql", *MYSQL, id="mariadb"),
    pytest.param("orders", *MYSQL, id="mysql-8"),
]
#: A member that follows the primary.
REPLICAS = {"mysql": "mysql-2", "orders": "orders-mysql-secondary-0"}


def headless(workload: str, statement: str) -> None:
    """Runs a statement without a screen."""
    words = ["--kubeconfig", KUBECONFIG, "-n", NAMESPACE, "sql", workload, "--yes", "-e", statement]
    done = subprocess.run(
        [sys.executable, "-m", "tui", *words], capture_output=True, text=True, check=False, timeout=60
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture
def database() -> str:
    return f"mydb_{secrets.token_hex(3)}"


def console(
    workload: str, size: tuple[int, int] = WIDE, namespace: str = NAMESPACE
) -> AbstractAsyncContextManager[Program]:
    """The console of a database, ready for statements."""
    return opened(workload, "s", "Ready for statements", size=size, namespace=namespace)


async def run(program: Program, text: str, until: str | Callable[[str], object], seconds: float = 20) -> None:
    """Writes a text in the place of what stood in the editor, and runs the statement at the cursor."""
    program.type(F7)
    await asyncio.sleep(0.1)  # several keys in one reading would be taken for others
    program.type(DELETE)
    await asyncio.sleep(0.3)
    program.type(text)
    await program.until(lambda shown: text[-20:] in shown)
    program.type(F5)
    await program.until(until, seconds)


async def choose(program: Program, key: str, typed: str) -> None:
    """Opens one of the lists to choose from, narrows it, and takes what is left."""
    program.type(key)
    await program.until("type to narrow")
    program.type(typed)
    await program.until(lambda text: f"│ {typed}" in text)
    program.type(ENTER)


async def use(program: Program, workload: str, database: str) -> None:
    """Goes to another database: by a statement, or by the tree where the server wants a session of its own."""
    if workload != "cdb":
        await run(program, f"USE {database}", rf"{database} as root")
        return
    await program.until(rf"○ {database}")
    program.type(F8)
    await program.until("i Insert name")
    program.type("/")
    await program.until("names that have")
    program.type(database)
    await program.until(lambda text: sum(database in line for line in text.splitlines()) >= 2)
    program.type(ENTER)
    await asyncio.sleep(0.2)
    program.type(ENTER)
    await program.until(rf"{database} as root(?s:.*){database} ●")
    program.type("/")
    await asyncio.sleep(0.2)
    program.type(ESCAPE)
    await asyncio.sleep(0.4)
    program.type(ESCAPE)
    await program.until("f5 Run")


@pytest.mark.parametrize(("workload", "key", "lasting", "killing"), WORKLOADS)
async def test_the_chapters_sql_by_keyboard_alone(
    workload: str, key: str, lasting: str, killing: str, database: str
) -> None:
    del lasting, killing
    try:
        async with console(workload) as program:
            await run(program, f"CREATE DATABASE {database};", r"✓ (CREATE DATABASE|Query OK)")
            await use(program, workload, database)
            await run(program, f"CREATE TABLE users (id {key}, name VARCHAR(80));", r"✓ (CREATE TABLE|Query OK)")
            await program.until(r"▸ users")
            await run(
                program, "INSERT INTO users (name) VALUES ('Ada'), ('Grace');", r"✓ (INSERT 0 2|Query OK, Records: 2)"
            )
            await run(
                program, "SELECT * FROM users ORDER BY id;", r"1 +1 +Ada *\n(?s:.*)2 +2 +Grace(?s:.*)2 rows · .* · all"
            )
            await run(program, "SELEC 1;", r"✗ 1 SELEC 1;(?s:.*)▲ here")
            if workload in REPLICAS:
                await choose(program, F2, REPLICAS[workload])
                await program.until(rf"on {REPLICAS[workload]} replica(?s:.*)read-only")
                await run(program, f"SELECT * FROM {database}.users ORDER BY id;", r"2 +2 +Grace")
                await run(program, f"INSERT INTO {database}.users (name) VALUES ('x');", "■ not sent · .*read-only")
                await choose(program, F2, "primary")
                await program.until(r"on \S+ primary ▲")
            else:
                await use(program, workload, "defaultdb")
            await run(program, f"DROP DATABASE {database};", rf"It drops database {database} with all that it holds")
            program.type("y")
            await program.until(r"✓ (DROP DATABASE|Query OK)")
    finally:
        headless(workload, f"DROP DATABASE IF EXISTS {database}")


@pytest.mark.parametrize(("workload", "key", "lasting", "killing"), WORKLOADS)
async def test_a_statement_is_cancelled_and_a_session_that_is_ended_is_renewed(
    workload: str, key: str, lasting: str, killing: str
) -> None:
    del key
    async with console(workload, SMALL) as program:
        session = re.search(r"session (\d+)", program.text)
        assert session is not None
        program.type(lasting)
        await program.until(lambda text: lasting in text)
        program.type(F5)
        await program.until(r"◐ running [12] s")
        program.type(CANCEL)
        await program.until("■ cancelled")
        await choose(program, F9, "Begin")
        await program.until("▶ transaction")
        headless(workload, killing.format(session[1]))
        await program.until("✗ transaction lost")
        assert "lost, open t" in program.text  # cut on a small screen; the head has it whole
        await run(program, "SELECT 40 + 2;", r"✗ transaction lost(?s:.*)went away between two statements")
        assert " 42" not in program.text, "what was meant for the transaction was done outside of it"
        program.type(F5)
        await program.until(r"1 +42")
        await program.until("autocommit")
        assert "This is a new session with" in program.text


async def test_one_may_not_read_the_secret_and_is_asked_once() -> None:
    asked = r"Log in to orders(?s:.*)Secret stateful/orders-mysql"
    async with opened("orders", "s", asked, size=SMALL, kubeconfig=other("viewer")) as program:
        assert "get secrets/orders-mysql" in " ".join(program.text.split()).replace("│ │ ", "")
        program.type(ESCAPE)
        await program.until("may not be read")


@pytest.fixture
def namespace() -> Iterator[str]:
    """A namespace of the test's own."""
    name = f"statetui-test-{secrets.token_hex(3)}"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


def server(namespace: str, file: Path) -> None:
    """A MySQL of one pod that keeps nothing, in a namespace of the test's own."""
    start = (
        "mkdir -p /run/mysqld /tmp/data; "
        "mariadb-install-db --user=root --datadir=/tmp/data --auth-root-authentication-method=normal >/dev/null; "
        "printf '%s\\n' \"CREATE USER IF NOT EXISTS root@'%';\" \"GRANT ALL ON *.* TO root@'%';\" >/tmp/init.sql; "
        "exec mariadbd --user=root --datadir=/tmp/data --bind-address=0.0.0.0 --skip-name-resolve"
        " --init-file=/tmp/init.sql"
    )
    container = {
        "name": "mysql", "image": "mysql:8.4", "imagePullPolicy": "IfNotPresent", "command": ["bash", "-c", start],
        "env": [{"name": "MYSQL_ALLOW_EMPTY_PASSWORD", "value": "1"}],
        "ports": [{"name": "mysql", "containerPort": 3306}],
        "readinessProbe": {"exec": {"command": ["mysql", "-h", "127.0.0.1", "-e", "SELECT 1"]}, "periodSeconds": 1},
    }  # fmt: skip
    labels = {"app": "mysql"}
    pod = {"terminationGracePeriodSeconds": 1, "automountServiceAccountToken": False, "containers": [container]}
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop", "namespace": namespace},
        "spec": {"clusterIP": "None", "selector": labels, "ports": [{"name": "mysql", "port": 3306}]},
    }  # fmt: skip
    members = {
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "shop", "namespace": namespace},
        "spec": {"serviceName": "shop", "selector": {"matchLabels": labels},
                 "template": {"metadata": {"labels": labels}, "spec": pod}},
    }  # fmt: skip
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [service, members]}))
    kubectl("apply", "-f", str(file))
    kubectl("-n", namespace, "rollout", "status", "statefulset/shop", "--timeout=90s")


def uid_and_ready(namespace: str) -> tuple[str, bool]:
    """Of the pod shop-0; nothing while there is none."""
    found = json.loads(kubectl("-n", namespace, "get", "pods", "-l", "app=mysql", "-o", "json"))["items"]
    if not found:
        return "", False
    conditions = found[0]["status"].get("conditions") or []
    ready = any((one["type"], one["status"]) == ("Ready", "True") for one in conditions)
    return found[0]["metadata"]["uid"], ready


async def test_a_pod_that_is_deleted_takes_its_session_and_nothing_is_sent_twice(
    namespace: str, tmp_path: Path
) -> None:
    server(namespace, tmp_path / "shop.json")

    async def back(former: str) -> None:
        """Waits until another pod of that name is ready: a session waits ten seconds, a busy machine takes longer."""
        async with asyncio.timeout(120):
            while (pod := uid_and_ready(namespace))[0] == former or not pod[1]:
                await asyncio.sleep(0.3)

    async with console("shop", WIDE, namespace) as program:
        former, _ = uid_and_ready(namespace)
        await choose(program, F9, "Begin")
        await program.until("▶ transaction open")
        kubectl("-n", namespace, "delete", "pod", "shop-0", "--wait=false")
        await program.until("✗ transaction lost", 30)
        assert re.search(r"Session with shop-0 lost, open transaction lost \(.*shop-0.*\)", program.text), program.text
        await run(program, "SELECT 40 + 2;", "went away between two statements")
        await back(former)
        program.type(F5)
        await program.until(r"1 +42", 90)
        await program.until("This is a new session with shop-0")
        former, _ = uid_and_ready(namespace)
        await run(program, "SELECT sleep(90);", r"◐ running [1-9] s")
        kubectl("-n", namespace, "delete", "pod", "shop-0", "--wait=false")
        await program.until(r"Session with shop-0 lost", 30)
        await program.until(r"is\s+not\s+known;\s+it\s+is\s+not\s+sent\s+again", 30)
        await back(former)
        await run(program, "SELECT 40 + 2;", r"1 +42", 90)
