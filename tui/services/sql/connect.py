"""Opening sessions. The drivers are loaded here, and not before."""

from __future__ import annotations

import asyncio

from tui.problem import Cause, Problem, ProblemError
from tui.services.sql.model import Login, Lost, Options, Route, Router, ServerError, Session, Wire

#: Modules that a session loads, so that the first one does not hold the event loop up.
_MODULES = {Wire.POSTGRES: "tui.services.sql.postgres", Wire.MYSQL: "tui.services.sql.mysql"}


async def open_session(to: Router | Route, wire: Wire, login: Login, options: Options | None = None) -> Session:
    """A session that is logged in. It owns its route: closing the session closes it.

    Args:
        to: finds the way, or is one.
        wire: the protocol.
        login: who one is.
        options: how the session is to be.

    Raises:
        ProblemError: there is no way, the server cannot be talked to, or it does not let us in; says which.
    """
    options = options or Options()
    opening = asyncio.create_task(asyncio.to_thread(_load, wire))
    try:
        route = await to() if callable(to) else to
    except BaseException:
        await asyncio.wait({opening})
        raise
    try:
        await opening
        if wire is Wire.POSTGRES:
            from tui.services.sql.postgres import open_postgres  # noqa: PLC0415

            return await open_postgres(route, login, options)
        from tui.services.sql.mysql import open_mysql  # noqa: PLC0415

        return await open_mysql(route, login, options)
    except ServerError as error:
        await route.close()
        what = f"{route.member} does not give the session that was asked for"
        raise ProblemError(Problem(Cause.REJECTED, what, f"{error.message} ({error.code})", error.hint)) from error
    except Lost as error:
        await route.close()
        raise ProblemError(error.problem) from error
    except TimeoutError as error:
        await route.close()
        what = f"{route.member} let us in, and did not answer then within {options.connect_timeout:g} s"
        raise ProblemError(Problem(Cause.TIMEOUT, what, "", "It may be overloaded; try again.")) from error
    except BaseException:
        await route.close()
        raise


def _load(wire: Wire) -> None:
    __import__(_MODULES[wire])
