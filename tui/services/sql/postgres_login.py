"""Opening a connection to a server of PostgreSQL's protocol, and what it says of itself."""

from __future__ import annotations

import asyncio
import re
import ssl
from typing import Any

import asyncpg

from tui.problem import Cause, Problem, ProblemError
from tui.services.sql import dialing
from tui.services.sql.model import Engine, Login, Options, Route, TlsMode

#: What keeps a login from succeeding, by SQLSTATE: cause, what happened, what to do.
_REFUSALS: dict[str, tuple[Cause, str, str]] = {
    "28P01": (
        Cause.CREDENTIALS, "{member} refuses the password of {user}",
        "The Secret may be older than the server's data: an initial password is not changed by changing it.",
    ),
    "28000": (
        Cause.CREDENTIALS, "{member} does not let {user} in",
        "Look at pg_hba.conf and at whether the role may log in.",
    ),
    "3D000": (Cause.ABSENT, "There is no database {database} on {member}", "Name another one with --database."),
    "53300": (
        Cause.THROTTLED, "{member} has no connection left",
        "Others must end theirs, or max_connections must grow; superusers have some reserved.",
    ),
    "57P03": (Cause.UNREACHABLE, "{member} takes no connections now", "It starts, recovers or stops; try again."),
}  # fmt: skip

#: What asyncpg raises where no session comes about; the last of them for answers that are none of this protocol's.
_FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, asyncpg.InternalClientError)


async def connect(route: Route, login: Login, options: Options) -> Any:  # noqa: ANN401 (asyncpg's Connection)
    """An asyncpg connection that is logged in.

    Raises:
        ProblemError: why there is none.
    """
    context = await asyncio.to_thread(dialing.tls_context, login.tls)
    try:
        async with asyncio.timeout(options.connect_timeout):
            return await _connect(route, login, options, context)
    except TimeoutError as error:
        raise ProblemError(
            Problem(
                Cause.TIMEOUT, f"{route.member} did not answer within {options.connect_timeout:g} s", "",
                "It may be overloaded, or the port may be another service's.",
            )
        ) from error  # fmt: skip


async def _connect(route: Route, login: Login, options: Options, context: ssl.SSLContext | None) -> Any:  # noqa: ANN401
    tls = login.tls
    try:
        return await _once(route, login, options, context)
    except _FAILURES as error:
        refused = isinstance(error, ConnectionError) and "rejected SSL upgrade" in str(error)
        # As libpq does it: pg_hba.conf may have an entry for connections without TLS only. A wrong password is no such
        # case, and is sent once.
        unwanted = "pg_hba.conf" in str(error) and "no encryption" not in str(error)
        if tls.mode is TlsMode.PREFER and context is not None and (refused or unwanted):
            first = error
        else:
            raise ProblemError(_problem(error, route, login, refused=refused)) from error
    try:
        return await _once(route, login, options, None)
    except _FAILURES as error:
        told = error if isinstance(first, ConnectionError) else first
        raise ProblemError(_problem(told, route, login, refused=False)) from error


async def _once(route: Route, login: Login, options: Options, context: ssl.SSLContext | None) -> Any:  # noqa: ANN401
    # Everything is given, or asyncpg would take it from the environment and from files of the user's (PGPASSWORD,
    # .pgpass, PGSSLMODE …), which are about other servers.
    return await asyncpg.connect(
        host=login.tls.name or route.host,
        port=route.port,
        user=login.user,
        password=login.password,
        database=login.database or login.user,
        ssl=context or False,
        loop=dialing.LoopProxy(route),
        timeout=options.connect_timeout,
        statement_cache_size=0,
        server_settings={"application_name": options.application},
        target_session_attrs="any",
    )


def _problem(error: BaseException, route: Route, login: Login, *, refused: bool) -> Problem:
    if refused:
        return dialing.refused_tls(route, login.tls)
    if isinstance(error, asyncpg.PostgresError) and not isinstance(error, asyncpg.PostgresConnectionError):
        code = str(getattr(error, "sqlstate", "") or "")
        words = str(getattr(error, "message", "") or error)
        names = {"member": route.member, "user": login.user, "database": login.database or login.user}
        if code == "28000" and "no encryption" in words:
            return Problem(
                Cause.UNREACHABLE, f"{route.member} demands TLS", words, "Ask for `require`, or more."
            )  # fmt: skip
        cause, what, remedy = _REFUSALS.get(code, (Cause.REJECTED, "{member} refused the connection", ""))
        if cause is Cause.CREDENTIALS and login.source:
            remedy = f"The login is from {login.source}. {remedy}"
        return Problem(cause, what.format(**names), f"{words} ({code})", remedy)
    if (problem := dialing.tls_problem(error, login.tls, route)) is not None:
        return problem
    why = route.ended()
    evidence = "; ".join(filter(None, (str(error), str(why) if why is not None else "")))
    remedy = why.remedy if why is not None else "Is it PostgreSQL that listens on this port?"
    cause = why.cause if why is not None else Cause.UNREACHABLE
    return Problem(cause, f"No session came about with {route.member}", evidence, remedy)


#: Server versions in the words of `version()`, the most telling first.
_ENGINES = (
    (Engine.COCKROACHDB, re.compile(r"CockroachDB\D*v?(\d[\w.+-]*)")),
    (Engine.YUGABYTEDB, re.compile(r"-YB-(\d[\d.]*)")),
    (Engine.POSTGRESQL, re.compile(r"PostgreSQL (\d[\w.]*)")),
)


def engine_of(words: str) -> tuple[Engine, str]:
    """Which server, and its version, from what `version()` says."""
    for engine, pattern in _ENGINES:
        if (found := pattern.search(words)) is not None:
            return engine, found[1]
    return Engine.POSTGRESQL, ""


def numbers(version: str) -> tuple[int, ...]:
    """(17, 2) of `17.2 (Debian …)`."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()
