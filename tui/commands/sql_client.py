"""`statetui sql --psql` and `--mysql`: the ordinary client, connected, with everything set.

The password never stands among the arguments, where everybody could read it: psql is told by its environment, mysql by
an option file. What is needed stands in a directory that only this user may enter and that goes with the client. The
way is a Unix socket in there, which no other user of this machine can go; only where TLS must be, libpq insists on a
port, and it is one on 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tui.commands.forward_environment import environment
from tui.commands.remarks import note
from tui.commands.signals import Signals
from tui.kube import program
from tui.kube.forward import janitor
from tui.kube.forward.forward import DRAIN
from tui.kube.forward.listener import TcpAddress, UnixAddress
from tui.services.sql.model import Login, Session, Tls, TlsMode
from tui.systems.forwarding import remote_port
from tui.systems.live import Live
from tui.systems.model import Workload
from tui.systems.sqlroutes import WorkloadRouter, dns_name
from tui.text import one_line

#: Exit codes of a program that cannot be run, or is not there, as shells have them.
NOT_RUN, NOT_FOUND = 126, 127
#: Seconds for a client to say who it is.
ASKING = 5.0
_DEMANDED = (TlsMode.REQUIRE, TlsMode.VERIFY_CA, TlsMode.VERIFY_FULL)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which client is to be run.

    Attributes:
        name: `psql` or `mysql`.
        arguments: the person's.
        read_only: whether its session is to be read-only.
    """

    name: str
    arguments: Sequence[str] = ()
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Client:
    """How a client is run.

    Attributes:
        words: the program and our arguments, before the person's own.
        variables: of its environment; empty ones are taken away.
    """

    words: tuple[str, ...]
    variables: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Way:
    """What a client connects to.

    Attributes:
        directory: the private directory.
        host: the name that the server's certificate may have been made for.
        socket: the Unix socket, None where it is a port.
        port: on 127.0.0.1, or the one that a socket is called after.
    """

    directory: Path
    host: str
    socket: Path | None
    port: int


async def run(
    live: Live, workload: Workload, router: WorkloadRouter, session: Session, login: Login, wanted: Wanted,
    signals: Signals,
) -> int:  # fmt: skip
    """Runs the client in our place, and returns its exit code.

    The session has shown that the login is right, which member it is, and whether there is TLS; it is closed.

    Args:
        live: the context.
        workload: the database.
        router: the way that the session went.
        session: our own.
        login: who one is.
        wanted: which client.
        signals: those of the command.

    Raises:
        ProblemError: the way cannot be opened.
    """
    facts = session.facts
    await session.close()
    assert live.forwards is not None and live.cluster is not None  # noqa: S101 (there was a session)
    router = replace(router, role="", member=facts.member)
    target = router.target(workload)
    forward = live.forwards.add(target, patience=router.patience)
    directory = janitor.private_directory()
    try:
        port = remote_port(target)
        by_port = wanted.name == "psql" and login.tls.mode in _DEMANDED
        socket = None if by_port else directory / (f".s.PGSQL.{port}" if wanted.name == "psql" else "mysql.sock")
        await forward.listen(TcpAddress() if socket is None else UnixAddress(socket, directory))
        assert forward.listener is not None  # noqa: S101 (it listens)
        host = login.tls.name or dns_name(live.cluster.store, workload.namespace, facts.member)
        way = Way(directory, host, socket, forward.listener.port if by_port else port)
        if wanted.name == "psql":
            client = psql(way, login, read_only=wanted.read_only)
        else:
            client = mysql(way, login, tls=facts.tls != "off", read_only=wanted.read_only, mariadb=await _is_mariadb())
        return await _run(client, wanted.arguments, signals)
    finally:
        await live.forwards.remove(forward, drain=DRAIN / 4)
        janitor.remove_directory(directory)


def psql(way: Way, login: Login, *, read_only: bool) -> Client:
    """Psql, told by its environment."""
    variables = {
        "PGHOST": str(way.directory) if way.socket is not None else way.host,
        "PGHOSTADDR": "" if way.socket is not None else "127.0.0.1",
        "PGPORT": str(way.port), "PGUSER": login.user, "PGPASSWORD": login.password, "PGDATABASE": login.database,
        "PGSERVICE": "", "PGPASSFILE": "", "PGREQUIRESSL": "", "PGTARGETSESSIONATTRS": "",
        "PGSSLMODE": login.tls.mode.value if way.socket is None else "", "PGGSSENCMODE": "disable",
        "PGOPTIONS": "-c default_transaction_read_only=on" if read_only else os.environ.get("PGOPTIONS", ""),
    }  # fmt: skip
    # Files that are not there keep libpq from those in ~/.postgresql, which are for other servers.
    files = _files(way.directory, login.tls)
    for variable, what in (("PGSSLROOTCERT", "authority"), ("PGSSLCERT", "certificate"), ("PGSSLKEY", "key")):
        variables[variable] = str(files.get(what, way.directory / f"no-{what}"))
    return Client(("psql",), variables)


def mysql(way: Way, login: Login, *, tls: bool, read_only: bool, mariadb: bool) -> Client:
    """MySQL's client or MariaDB's, told by an option file; what the person's own ~/.my.cnf says of the rest holds.

    Args:
        way: where to.
        login: who one is.
        tls: whether the server has TLS; a client must be told over a socket.
        read_only: whether the session is to be read-only.
        mariadb: whose client it is.
    """
    files = _files(way.directory, login.tls)
    options = [
        "[client]", f"user={quoted(login.user)}", f"password={quoted(login.password)}", f"socket={way.socket}",
        "protocol=socket", *_tls_options(login.tls, files, on=tls, mariadb=mariadb), "[mysql]",
    ]  # fmt: skip
    if login.database:
        options.append(f"database={quoted(login.database)}")
    if read_only:
        options.append('init-command="SET SESSION TRANSACTION READ ONLY"')
    own = Path.home() / ".my.cnf"
    # What comes later wins.
    lines = [f"!include {own}", *options] if own.is_file() else options
    file = way.directory / "client.cnf"
    _private(file, "".join(f"{line}\n" for line in lines))
    # The login path file is read after all others, even after ours.
    none = str(way.directory / "none")
    return Client(
        ("mysql", f"--defaults-file={file}"),
        {"MYSQL_PWD": "", "MYSQL_HOST": "", "MYSQL_TCP_PORT": "", "MYSQL_UNIX_PORT": "", "MYSQL_TEST_LOGIN_FILE": none},
    )


def quoted(text: str) -> str:
    """A value in an option file: blanks, `#`, quotes and backslashes stand for themselves."""
    for sign, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(sign, escaped)
    return f'"{text}"'


def _tls_options(tls: Tls, files: Mapping[str, Path], *, on: bool, mariadb: bool) -> list[str]:
    """Over a socket neither client begins TLS of itself, and the name to verify would be localhost."""
    if not on:
        return ["skip-ssl" if mariadb else "ssl-mode=DISABLED"]
    verified = tls.mode in (TlsMode.VERIFY_CA, TlsMode.VERIFY_FULL)
    named = (("authority", "ssl-ca"), ("certificate", "ssl-cert"), ("key", "ssl-key"))
    options = [f"{option}={files[what]}" for what, option in named if what in files]
    if mariadb:
        return ["ssl", "ssl-verify-server-cert=0", *options]
    return [f"ssl-mode={'VERIFY_CA' if verified else 'REQUIRED'}", *options]


def _files(directory: Path, tls: Tls) -> dict[str, Path]:
    """The certificates as files; libpq refuses a key that others may read."""
    found = {}
    for what, text in (("authority", tls.authority), ("certificate", tls.certificate), ("key", tls.key)):
        if text:
            found[what] = directory / f"{what}.pem"
            _private(found[what], text)
    return found


def _private(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)


async def _is_mariadb() -> bool:
    """Whether `mysql` is MariaDB's, whose options for TLS are others."""
    path = shutil.which("mysql")
    if path is None:
        return False
    try:
        done = await program.run(path, ["--version"], dict(os.environ), ASKING)
    except OSError:
        return False
    return b"MariaDB" in done.stdout


async def _run(client: Client, arguments: Sequence[str], signals: Signals) -> int:
    """Runs it: it has the terminal, and its exit code is ours."""
    environ = environment(os.environ, client.variables)
    try:
        child = await asyncio.create_subprocess_exec(
            *client.words, *arguments, env=environ, preexec_fn=program.die_with_parent()
        )  # fmt: skip
    except OSError as error:
        print(f"statetui: {one_line(client.words[0])}: {error.strerror}", file=sys.stderr)
        if isinstance(error, FileNotFoundError):
            note("install it, or run statements without it: statetui sql WORKLOAD -e …")
            return NOT_FOUND
        return NOT_RUN
    try:
        with signals.passed_to(child):
            code = await child.wait()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return 128 - code if code < 0 else code
