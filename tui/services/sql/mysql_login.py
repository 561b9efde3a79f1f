"""Opening a connection to a server of MySQL's protocol, and what its refusals mean."""

from __future__ import annotations

import asyncio
import re
import struct

from asyncmy import errors

from tui.problem import Cause, Problem, ProblemError
from tui.services.sql import dialing
from tui.services.sql.model import Engine, Login, Options, Route, TlsMode
from tui.services.sql.mysql_driver import Driver

#: What keeps a login from succeeding, by the server's number: cause, what happened, what to do.
_REFUSALS: dict[int, tuple[Cause, str, str]] = {
    1045: (
        Cause.CREDENTIALS, "{member} refuses the password of {user}",
        "The Secret may be older than the server's data: an initial password is not changed by changing it.",
    ),
    1698: (Cause.CREDENTIALS, "{member} does not let {user} in", "It may be known by its socket only (auth_socket)."),
    1044: (Cause.FORBIDDEN, "{user} may not use database {database} on {member}", "Name another with --database."),
    1049: (Cause.ABSENT, "There is no database {database} on {member}", "Name another one with --database."),
    1040: (Cause.THROTTLED, "{member} has no connection left", "Others must end theirs, or max_connections must grow."),
    1203: (Cause.THROTTLED, "{user} has no connection left on {member}", "See max_user_connections."),
    1226: (Cause.THROTTLED, "{user} has used up its resources on {member}", "See the limits of the user."),
    1129: (Cause.FORBIDDEN, "{member} blocks connections from here after many that failed", "FLUSH HOSTS lifts it."),
    1130: (Cause.FORBIDDEN, "{member} lets nobody in from here", "The users' hosts do not fit (user@'host')."),
    1862: (Cause.CREDENTIALS, "The password of {user} has expired", "ALTER USER sets another one."),
    3118: (Cause.CREDENTIALS, "The account {user} is locked", "ALTER USER … ACCOUNT UNLOCK lifts it."),
    4151: (Cause.CREDENTIALS, "The account {user} is locked", "ALTER USER … ACCOUNT UNLOCK lifts it."),
    3159: (Cause.UNREACHABLE, "{member} demands TLS", "Ask for `require`, or more, in place of `disable`."),
    1053: (Cause.UNREACHABLE, "{member} is shutting down", "Try again when it is back."),
}  # fmt: skip
#: What the driver raises; the last ones for answers that are none of this protocol's.
FAILURES = (errors.MySQLError, OSError, RuntimeError, ValueError, LookupError, AssertionError, struct.error)
#: The client's own: it did not come to words with the server.
_NO_CONNECTION = frozenset((2003, 2006, 2013))


async def connect(route: Route, login: Login, options: Options) -> Driver:
    """A connection that is logged in.

    Raises:
        ProblemError: why there is none.
    """
    driver = Driver(route, login, options, await asyncio.to_thread(dialing.tls_context, login.tls))
    try:
        async with asyncio.timeout(options.connect_timeout):
            await driver.connect()
    except TimeoutError as error:
        driver.close()
        raise ProblemError(
            Problem(
                Cause.TIMEOUT, f"{route.member} did not answer within {options.connect_timeout:g} s", "",
                "It may be overloaded, or the port may be another service's.",
            )
        ) from error  # fmt: skip
    except FAILURES as error:
        driver.close()
        raise ProblemError(_problem(error, driver, route, login)) from error
    return driver


def number_of(error: BaseException) -> int:
    """The server's or the driver's number of an error, 0 for none."""
    return error.args[0] if len(error.args) > 1 and isinstance(error.args[0], int) else 0


def words_of(error: BaseException) -> str:
    """Its words."""
    return str(error.args[-1]) if error.args else str(error)


def _problem(error: BaseException, driver: Driver, route: Route, login: Login) -> Problem:
    if (problem := dialing.tls_problem(error, login.tls, route)) is not None:
        return problem
    number, said = number_of(error), words_of(error)
    if number and number not in _NO_CONNECTION:
        cause, what, remedy = _REFUSALS.get(number, (Cause.REJECTED, "{member} refused the connection", ""))
        if cause is Cause.CREDENTIALS and login.source:
            remedy = f"The login is from {login.source}. {remedy}"
        if number == 1045 and driver.offers_tls and login.tls.mode is TlsMode.DISABLE:
            # MariaDB has no other word for it: neither for REQUIRE SSL of a user nor for require_secure_transport.
            what = "{member} refuses the password of {user}, or demands TLS"
            remedy = f"Ask for `prefer` or `require` in place of `disable`. {remedy}"
        names = {"member": route.member, "user": login.user, "database": login.database}
        return Problem(cause, what.format(**names), f"{said} ({number})", remedy)
    why = route.ended()
    evidence = "; ".join(filter(None, (said, str(why) if why is not None else "")))
    return Problem(
        why.cause if why is not None else Cause.UNREACHABLE, f"No session came about with {route.member}", evidence,
        why.remedy if why is not None else "Is it MySQL that listens on this port?",
    )  # fmt: skip


def engine_of(version: str, comment: str) -> tuple[Engine, str]:
    """Which server, and its version, from `version()` and `version_comment`."""
    told = f"{version} {comment}".lower()
    if "vitess" in told:
        engine = Engine.VITESS
    elif "mariadb" in told:
        engine = Engine.MARIADB
    else:
        engine = Engine.MYSQL
    # MariaDB before 11 may put 5.5.5- in front, for old replicas.
    found = re.search(r"\d+(?:\.\d+)+", version.removeprefix("5.5.5-"))
    return engine, found[0] if found else version
