"""One page over a route: HTTP as little as one GET needs."""

from __future__ import annotations

import asyncio
import ssl

from tui.problem import ProblemError
from tui.services.sql.model import Route, Router, Tls
from tui.services.sql.operations.metrics import Metrics, parse
from tui.services.sql.operations.model import Unknown

#: A node with thousands of stores' samples has some megabytes; more is no page of metrics.
MOST = 16 << 20
PATH = "/_status/vars"
#: Seconds for all of it.
TIMEOUT = 5.0


async def scrape(router: Router, tls: Tls, *, secure: bool) -> Metrics | Unknown:
    """The metrics of a CockroachDB node, which need no login.

    Args:
        router: the way to its HTTP port.
        tls: of its SQL port: the same authority signs both.
        secure: whether the port speaks TLS.
    """
    try:
        async with asyncio.timeout(TIMEOUT):
            route = await router()
            try:
                return await _get(route, _context(tls) if secure else None)
            finally:
                await route.close()
    except ProblemError as error:
        return Unknown(str(error.problem))
    except TimeoutError:
        return Unknown(f"no answer within {TIMEOUT:g} s")
    except (OSError, ssl.SSLError, ValueError) as error:
        return Unknown(f"{PATH}: {error}")


def _context(tls: Tls) -> ssl.SSLContext:
    """The authority is verified where it is known; the name is that of a pod, which no certificate has."""
    context = ssl.create_default_context(cadata=tls.authority or None)
    context.check_hostname = False
    if not tls.authority:
        context.verify_mode = ssl.CERT_NONE
    return context


async def _get(route: Route, context: ssl.SSLContext | None) -> Metrics | Unknown:
    sock = await route.connect()
    try:
        reader, writer = await asyncio.open_connection(
            sock=sock, ssl=context, server_hostname=route.host if context is not None else None
        )
    except BaseException:
        sock.close()
        raise
    try:
        # With 1.0 the answer ends with the connection, and comes in one piece.
        writer.write(f"GET {PATH} HTTP/1.0\r\nHost: {route.host}\r\nAccept: text/plain\r\n\r\n".encode())
        await writer.drain()
        answer = bytearray()
        while more := await reader.read(1 << 16):
            answer += more
            if len(answer) > MOST:
                return Unknown(f"{PATH} is larger than {MOST >> 20} MiB")
    finally:
        writer.close()
    head, _, body = bytes(answer).partition(b"\r\n\r\n")
    status = head.split(b"\r\n", 1)[0].decode("latin-1")
    if " 200" not in status[:13]:
        return Unknown(f"{PATH} answered {status or 'nothing'}")
    return parse(body.decode("utf-8", "replace"))
