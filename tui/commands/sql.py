"""`statetui sql`: runs statements on a workload's database, or hands over to its ordinary client."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import getpass
import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from tui.commands import descriptors, exits, sql_client, sql_status
from tui.commands.given import unreadable
from tui.commands.opening import Opening, live_for
from tui.commands.signals import Signals
from tui.commands.sql_output import Narration, Output
from tui.commands.sql_run import Rules, Runner
from tui.commands.sql_statements import Script
from tui.commands.wronguse import WrongUseError, wrong
from tui.kube.forward.targets import PodTarget
from tui.kube.options import ConnectOptions
from tui.problem import ProblemError
from tui.services.sql.connect import open_session
from tui.services.sql.formats import FormatError
from tui.services.sql.language.facts import Hold
from tui.services.sql.model import Login, Lost, Options, ServerError, Session, TlsMode, Wire
from tui.settings import Settings
from tui.systems.credentials import Found, find_login
from tui.systems.forwarding import Definition, target_of, workload_of
from tui.systems.model import Workload
from tui.systems.reach import PRIMARY, follows
from tui.systems.sqlroutes import WorkloadRouter
from tui.text import safe


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted.

    Attributes:
        workload: `NAME` or `NAMESPACE/NAME`.
        execute: statements; None for those of `file`.
        file: a script, `-` for stdin.
        client: `psql` or `mysql` to run that instead, empty for none.
        arguments: the client's.
        stop: whether a refused statement ends it.
        single: whether all is one transaction.
        role: whom to connect to; empty for the primary where there is one.
        member: one member, in place of a role.
        user: in place of the packaging's; empty for that.
        password_file: where the password is, `-` for stdin; None for the packaging's.
        database: in place of the packaging's; empty for that.
        tls: in place of the packaging's; empty for that.
        format: of the results.
        out: the file for them; None for stdout.
        timeout: seconds after which the server ends a statement, 0 for never.
        wait: seconds for the cluster and for a ready pod.
        status: whether all members are asked what an operator asks, in place of running statements.
        sure: whether what the setting `sql.confirm` holds back is sent all the same.
    """

    workload: str
    execute: tuple[str, ...] | None = None
    file: str = "-"
    client: str = ""
    arguments: tuple[str, ...] = ()
    stop: bool = True
    single: bool = False
    role: str = ""
    member: str = ""
    user: str = ""
    password_file: str | None = None
    database: str = ""
    tls: str = ""
    format: str = "table"
    out: str | None = None
    timeout: float = 0.0
    wait: float = 30.0
    status: bool = False
    sure: bool = False

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Request:
        """What the command line asks for; see `sql_arguments`."""
        return cls(
            arguments.workload, tuple(arguments.execute) if arguments.execute else None, arguments.file or "-",
            arguments.client or "", tuple(arguments.program or ()), arguments.on_error == "stop",
            arguments.single_transaction, arguments.role or "", arguments.member or "", arguments.user or "",
            arguments.password_file, arguments.database or "", arguments.tls or "", arguments.output or "table",
            arguments.out, arguments.timeout or 0.0, arguments.wait, arguments.status, arguments.yes,
        )  # fmt: skip


def run(options: ConnectOptions, settings: Settings, request: Request) -> int:
    """Runs it, and returns the exit code.

    Raises:
        ProblemError: the cluster or the database cannot be reached.
    """
    if (
        not request.client
        and not request.status
        and request.execute is None
        and request.file == "-"
        and sys.stdin.isatty()
    ):
        print("statetui: name statements with -e or -f, or pipe them in", file=sys.stderr)
        return exits.USAGE
    if request.format == "parquet" and request.out is None and sys.stdout.isatty():
        print("statetui: a terminal cannot show Parquet; name a file with --out", file=sys.stderr)
        return exits.USAGE
    try:
        output = Output(request.format, request.out)
    except FormatError as error:
        print(f"statetui: {error}", file=sys.stderr)
        return exits.USAGE
    return asyncio.run(_Sql(options, settings, request, output).run())


class _Sql:
    """One run of `sql`."""

    def __init__(self, options: ConnectOptions, settings: Settings, request: Request, output: Output) -> None:
        self._settings = settings
        self._request = request
        self._output = output
        self._narration = Narration()
        self._live = live_for(options)
        self._opening = Opening(self._live, request.wait)
        self._signals = Signals()
        self._protected = False
        self._runner: Runner | None = None

    async def run(self) -> int:
        """Runs it, and returns the exit code."""
        work = asyncio.create_task(self._work())
        with self._signals.ending(work):
            try:
                return await work
            except asyncio.CancelledError:
                received = self._signals.received
                if received is None:
                    raise
                if self._runner is not None:
                    self._runner.say_how_far("interrupted")
                return 128 + received
            except FormatError as error:
                print(f"statetui: {safe(str(error))}", file=sys.stderr)
                if self._runner is not None:
                    self._runner.say_how_far("")
                return exits.FAILED
            except ProblemError as error:
                code = exits.complain(error.problem)
                return exits.USAGE if isinstance(error, WrongUseError) else code
            finally:
                if self._output.give_up():
                    self._narration.say(f"{self._request.out} was not written")

    async def _work(self) -> int:
        request = self._request
        async with self._opening:
            await self._opening.arrive_whole()
            assert self._live.context is not None  # noqa: S101 (it has arrived)
            self._protected = self._settings.protects(self._live.context.name)
            if request.status:
                return await self._status()
            workload, router = self._find()
            wire = self._wire(workload)
            if request.client and (wire is Wire.POSTGRES) is not (request.client == "psql"):
                other = "psql" if wire is Wire.POSTGRES else "mysql"
                raise wrong(f"{workload.title} is not for {request.client}", f"Its client is --{other}.")
            login = await self._login(workload, router.member)
            follower = follows(workload, router.role, router.member)
            read_only = self._protected or follower
            options = Options(read_only, request.timeout, application="statetui sql")
            session = await open_session(router, wire, login, options)
            try:
                self._introduce(session)
                if request.client:
                    return await sql_client.run(
                        self._live, workload, router, session, login,
                        sql_client.Wanted(request.client, request.arguments, read_only), self._signals,
                    )  # fmt: skip
                hold = Hold.OFF if request.sure else Hold(self._settings.sql.confirm)
                rules = Rules(
                    self._protected, follower, request.stop, request.single, hold, long=request.execute is None
                )  # fmt: skip
                self._runner = Runner(session, self._output, self._narration, rules)
                return await self._runner.run(Script(wire, request.execute, request.file))
            finally:
                with contextlib.suppress(ProblemError, Lost, ServerError):
                    await session.close()

    async def _status(self) -> int:
        """Asks all members what an operator asks; see `sql_status`."""
        workload = workload_of(target_of(Definition(self._request.workload), self._live), self._live)
        if workload is None:
            raise wrong(f"{self._request.workload} is no workload", "Name one that `statetui get` lists.")
        self._wire(workload)
        request = self._request
        given = request.user or request.password_file or request.database or request.tls
        login = await self._login(workload, "") if given else None
        return await sql_status.run(self._live, workload.key, request.format, login)

    # --- getting there

    def _find(self) -> tuple[Workload, WorkloadRouter]:
        """The workload, and the way to the member that is meant.

        Raises:
            ProblemError: there is none.
        """
        request, live = self._request, self._live
        target = target_of(Definition(request.workload, pod=request.member, role=request.role), live)
        workload = workload_of(target, live)
        if workload is None:
            raise wrong(f"{request.workload} is no workload", "Name one that `statetui get` lists.")
        member = target.name if isinstance(target, PodTarget) else ""
        return workload, WorkloadRouter(
            live, workload.key, request.role or PRIMARY, member, patience=request.wait
        )  # fmt: skip

    def _wire(self, workload: Workload) -> Wire:
        system = self._live.catalogue.systems.get(workload.system)
        if system is None or system.sql is None:
            known = ", ".join(sorted(one.title for one in self._live.catalogue.systems.values() if one.sql))
            raise wrong(f"{workload.name} ({workload.title}) speaks no SQL that is known here", f"Known are {known}.")
        return system.sql

    async def _login(self, workload: Workload, member: str) -> Login:
        """The packaging's login with what was given in its place; asks once where something is lacking.

        Raises:
            ProblemError: there is none, and nobody can be asked.
        """
        request, live = self._request, self._live
        assert live.api is not None and live.cluster is not None  # noqa: S101 (it has arrived)
        found = await find_login(
            live.api, live.cluster.store, workload, live.catalogue, member=member, user=request.user
        )
        password = await _password(request.password_file) if request.password_file else None
        given = f"--password-file {request.password_file}"
        login = found.override(user=request.user, password=password, database=request.database, source=given)
        if login is None:
            login = await self._ask(found, workload)
        return replace(login, tls=replace(login.tls, mode=TlsMode(request.tls))) if request.tls else login

    async def _ask(self, found: Found, workload: Workload) -> Login:
        problem = found.problem(workload.name)
        stdin_is_free = self._request.execute is not None or self._request.file != "-" or self._request.client
        if not (stdin_is_free and sys.stdin.isatty() and sys.stderr.isatty()):
            raise ProblemError(problem)
        exits.complain(problem)
        user = self._request.user or found.user
        if not user:
            raise ProblemError(replace(problem, what=f"The user for {workload.name} is not known", evidence=""))
        typed = _typed(f"Password of {safe(user)} (it is kept in memory only): ")
        login = found.override(user=user, password=typed, database=self._request.database, source="typed")
        assert login is not None  # noqa: S101 (there are a user and a password)
        return login

    def _introduce(self, session: Session) -> None:
        facts = session.facts
        role = {True: "replica", False: "primary", None: ""}[facts.replica]
        parts = [facts.member, role, f"{facts.engine} {facts.version}", f"TLS {facts.tls}", facts.database, facts.user]
        parts.append(f"read-only: {facts.read_only}" if facts.read_only else "")
        self._narration.say(", ".join(part for part in parts if part))


def _typed(prompt: str) -> str:
    """What somebody types unseen. Nothing goes on meanwhile; Ctrl-C ends it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return getpass.getpass(prompt)
    finally:
        signal.signal(signal.SIGINT, before)


async def _password(file: str) -> str:
    """The first line of a file.

    Raises:
        ProblemError: CONFIG, it cannot be read.
    """
    data = b""
    try:
        if file == "-":
            while b"\n" not in data and (more := await descriptors.read(0)):
                data += more
        else:
            data = Path(file).read_bytes()  # noqa: ASYNC240 (a line)
        text = data.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ProblemError(unreadable(file, error)) from error
    return text.split("\n", 1)[0].removesuffix("\r")
