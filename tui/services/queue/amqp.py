"""Connections to a broker over a way: one library's protocol, sockets of ours, and errors that a person can use."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiormq
from aiormq import exceptions as amqp
from aiormq.connection import Connection, TransportFactory
from pamqp import commands
from yarl import URL

from tui.problem import Cause, Problem, ProblemError
from tui.services.queue.lane import Lane
from tui.services.queue.model import Login, Lost, Refused
from tui.services.way import Way

#: Seconds between two signs of life that are asked of the broker.
_HEARTBEAT = 30
_REMEDIES = {
    403: "Another user, or a permission on this virtual host (rabbitmqctl set_permissions), would do.",
    404: "It may have been deleted, or stands in another virtual host.",
    405: "Another connection has it for itself.",
    406: "What stands there was declared otherwise, or does not allow this; its arguments cannot be changed later.",
    530: "The virtual host may not exist, or this user has no access to it.",
}


class _Sockets(TransportFactory):
    """Connects over the way, whatever the address says."""

    def __init__(self, way: Way, context: ssl.SSLContext | None) -> None:
        self._way = way
        self._context = context

    async def create(self, url: URL, **_: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:  # noqa: ANN401
        """A stream over a socket of the way."""
        sock = await self._way.connect()
        try:
            name = url.host if self._context is not None else None
            return await asyncio.open_connection(sock=sock, ssl=self._context, server_hostname=name)
        except BaseException:
            sock.close()
            raise


class _Connection(Connection):
    """The library's connection, which also remembers why the broker blocks publishers."""

    blocked: str = ""

    async def _Connection__handle_connection_blocked(self, frame: commands.Connection.Blocked) -> None:
        self.blocked = frame.reason or "the broker does not say why"

    async def _Connection__handle_connection_unblocked(self, _: commands.Connection.Unblocked) -> None:
        self.blocked = ""


class Broker:
    """A connection to one node.

    Attributes:
        way: over which it goes.
        login: who one is.
    """

    def __init__(self, connection: _Connection, way: Way, login: Login) -> None:
        self.way = way
        self.login = login
        self._connection = connection

    @property
    def blocked(self) -> str:
        """Why the broker takes no messages from publishers now (`low on memory`); empty when it does."""
        return self._connection.blocked

    @property
    def version(self) -> str:
        """The broker's product and version, as it says them."""
        told = self._connection.server_properties
        return f"{told.get('product', '')} {told.get('version', '')}".strip()

    @property
    def node(self) -> str:
        """What the broker calls its cluster."""
        return str(self._connection.server_properties.get("cluster_name", ""))

    @property
    def frame_size(self) -> int:
        """The largest frame that both sides take, in bytes."""
        return int(self._connection.connection_tune.frame_max)

    @contextlib.asynccontextmanager
    async def lane(self, *, confirms: bool = False) -> AsyncIterator[Lane]:
        """A channel of its own; what was taken over it and not acknowledged goes back when it ends.

        Args:
            confirms: the broker confirms what is published.

        Raises:
            Refused: the broker closed the channel or the connection for what was asked.
            Lost: the connection went.
        """
        connection = self._connection
        with self.told():
            number = max(connection.channels, default=0) + 1
            lane = Lane(connection, number, frame_buffer=0, publisher_confirms=confirms)
            connection.channels[number] = lane
            await lane.open()
        try:
            with self.told(lane):
                yield lane
        finally:
            with contextlib.suppress(Exception):
                await lane.close(timeout=5)

    @contextlib.contextmanager
    def told(self, lane: Lane | None = None):  # type: ignore[no-untyped-def]  # noqa: ANN201
        """Turns the library's errors into ours."""
        try:
            yield
        except ProblemError:
            raise
        except amqp.ChannelClosed as error:
            raise refused(error) from error
        except (amqp.AMQPError, amqp.ChannelInvalidStateError, ConnectionError, OSError, RuntimeError) as error:
            code = lane.closed_for if lane is not None else None
            if code is not None:
                raise refused(code) from error
            open_ones = lane.unconfirmed if lane is not None else 0
            raise Lost(self._gone(error), open_ones) from error

    def _gone(self, error: BaseException) -> Problem:
        why = self.way.ended()
        if why is not None:
            return why
        if isinstance(error, amqp.ConnectionClosed):
            code, words = _words(error)
            return Problem(Cause.UNREACHABLE, "The broker closed the connection", words, _REMEDIES.get(code, ""))
        return Problem(Cause.UNREACHABLE, f"The connection to {self.way.member or self.way.host} is gone", str(error))

    async def close(self) -> None:
        """Ends the connection, and the way."""
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self._connection.close(), 5)
        await self.way.close()


def _words(error: BaseException) -> tuple[int, str]:
    """The reply code and the broker's words."""
    codes = {amqp.ChannelAccessRefused: 403, amqp.ChannelNotFoundEntity: 404, amqp.ChannelLockedResource: 405,
             amqp.ChannelPreconditionFailed: 406, amqp.ConnectionNotAllowed: 530}  # fmt: skip
    code = codes.get(type(error), 0)
    if not code and error.args and isinstance(error.args[0], int):
        code = error.args[0]
    return code, str(error.args[-1]) if error.args else str(error)


def refused(error: BaseException) -> Refused:
    """What the broker closed a channel for."""
    code, words = _words(error)
    cause = {403: Cause.FORBIDDEN, 404: Cause.ABSENT}.get(code, Cause.REJECTED)
    return Refused(code, Problem(cause, "The broker refused it", words, _REMEDIES.get(code, "")))


async def open_broker(
    way: Way, login: Login, *, context: ssl.SSLContext | None = None, name: str = "statetui", timeout: float = 10.0
) -> Broker:
    """Connects and logs in.

    Args:
        way: to one of the nodes; it is closed with the broker, or when this fails.
        login: who one is, and the virtual host.
        context: TLS, None for none.
        name: as the broker's list of connections shows it.
        timeout: seconds.

    Raises:
        ProblemError: no node can be reached, or it does not let this user in.
    """
    url = URL.build(scheme="amqp", host=way.host or "broker", port=way.port, path="/", query={"name": name})
    url = url.with_user(login.user).with_password(login.password).update_query(heartbeat=_HEARTBEAT)
    connection = _Connection(url, transport_factory=_Sockets(way, context))
    connection.vhost = login.vhost  # in the address it would have to be quoted, and the library unquotes it by half
    try:
        async with asyncio.timeout(timeout):
            await connection.connect()
    except BaseException as error:
        await way.close()
        if isinstance(error, ProblemError):
            raise
        if isinstance(error, amqp.AMQPError | OSError | TimeoutError | aiormq.exceptions.ChannelInvalidStateError):
            raise ProblemError(_not_in(error, way, login)) from error
        raise
    return Broker(connection, way, login)


def _not_in(error: BaseException, way: Way, login: Login) -> Problem:
    at = way.member or way.host
    if isinstance(error, TimeoutError):
        return Problem(
            Cause.TIMEOUT,
            f"{at} did not answer in time",
            "",
            "A node that starts or is short of memory may need longer.",
        )
    if isinstance(error, amqp.ProbableAuthenticationError | amqp.AuthenticationError):
        return Problem(
            Cause.CREDENTIALS,
            f"{at} does not let {login.user} in",
            _words(error)[1],
            f"The password came from {login.source or 'nowhere'}; the broker's own one may have been changed since.",
        )
    if isinstance(error, amqp.ConnectionClosed):
        code, words = _words(error)
        return Problem(
            Cause.REJECTED, f"{at} refuses the virtual host {login.vhost}", words, _REMEDIES.get(code or 530, "")
        )
    if isinstance(error, ssl.SSLError):
        return Problem(
            Cause.UNREACHABLE,
            f"No TLS with {at}",
            str(error),
            "The port may speak plain AMQP, or its certificate is made by another authority.",
        )
    ended = way.ended()
    return ended or Problem(
        Cause.UNREACHABLE, f"{at} ended the connection before it was open", str(error) or type(error).__name__
    )
