"""Connections to a broker over a way: aio-pika's client, sockets of ours, and errors that a person can use.

What is asked now and then (gets, declarations, exclusive queues) goes over aio-pika's own channels, `Broker.pika`. What
comes by the ten thousand goes over a `Lane`, a channel of the same connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aio_pika
import pamqp.frame
from aio_pika.abc import UnderlayConnection
from aio_pika.tools import OneShotCallback
from aiormq import exceptions as amqp
from aiormq.connection import Connection, FrameReceiver, TransportFactory
from pamqp import commands
from pamqp.base import Frame
from yarl import URL

from tui.problem import Cause, Problem, ProblemError
from tui.services.queue.frames import Frames
from tui.services.queue.lane import Lane
from tui.services.queue.model import Login, Lost, Refused
from tui.services.queue.tls import alert, refused_at_tls
from tui.services.way import Way

#: Seconds between two signs of life that are asked of the broker.
_HEARTBEAT = 30
_REMEDIES = {
    403: "Another user, or a permission on this virtual host (rabbitmqctl set_permissions), would do.",
    404: "It may have been deleted, or stands in another virtual host.",
    320: "Somebody closed it, or the node went down for a while.",
    402: "The broker's memory or disk is short.",
    405: "Another connection has it for itself.",
    406: "What stands there was declared otherwise, or does not allow this; its arguments cannot be changed later.",
    501: "Something was larger than a frame may be (frame_max): headers must fit into one.",
    530: "The virtual host may not exist, or this user has no access to it.",
    541: "A quorum queue without its majority, or without a leader, answers nothing: `nodes` tells who is missing.",
    540: "A stream is browsed; nothing can be got from it one by one.",
}
# The libraries log ends that are told to a person here, and without a handler that goes to the screen.
for _name in ("aiormq", "aio_pika"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


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

    @staticmethod
    async def _rpc(
        request: Frame, writer: asyncio.StreamWriter, frame_receiver: FrameReceiver, wait_response: bool = True
    ) -> Any:  # noqa: ANN401 (the library's)
        """The library's, but a broker that refuses is heard: the library complains of an unexpected frame instead."""
        writer.write(pamqp.frame.marshal(request, 0))
        await writer.drain()
        if not wait_response:
            return None
        frame: Any = (await frame_receiver.get_frame())[2]
        if isinstance(frame, commands.Connection.Close):
            if frame.reply_code == 403:
                raise amqp.ProbableAuthenticationError(frame.reply_text)
            raise amqp.ConnectionClosed(frame.reply_code, frame.reply_text)
        if request.synchronous and frame.name not in request.valid_responses:
            raise amqp.InvalidFrameError(f"expected one of {request.valid_responses!r}, got {frame!r}")
        return frame

    async def _Connection__reader(self, receiver: FrameReceiver) -> None:
        """The library's, over frames that it need not all see."""
        frames: Any = Frames(receiver.reader, self.channels)
        await super()._Connection__reader(frames)  # type: ignore[misc]

    async def _Connection__handle_connection_blocked(self, frame: commands.Connection.Blocked) -> None:
        reason: str | bytes | None = frame.reason
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else reason
        self.blocked = text or "the broker does not say why"

    async def _Connection__handle_connection_unblocked(self, _: commands.Connection.Unblocked) -> None:
        self.blocked = ""


class _Pika(aio_pika.Connection):
    """aio-pika's connection over one of ours."""

    def __init__(self, url: URL, inner: _Connection) -> None:
        super().__init__(url)
        self._inner = inner

    async def connect(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 (the library's)
        """Connects and logs in."""
        async with asyncio.timeout(timeout):
            await self._inner.connect()
            await self._inner.connected.wait()
        ended = OneShotCallback(self._on_connection_close)
        self._inner.closing.add_done_callback(ended)
        self.transport = UnderlayConnection(connection=self._inner, close_callback=ended)
        await self._on_connected()


class Broker:
    """A connection to one node.

    Attributes:
        way: over which it goes.
        login: who one is.
        pika: aio-pika's connection, for whatever is not done by the thousand. Its errors become ours inside `told`.
    """

    def __init__(self, pika: aio_pika.Connection, connection: _Connection, way: Way, login: Login) -> None:
        self.way = way
        self.login = login
        self.pika = pika
        self._connection = connection

    @property
    def blocked(self) -> str:
        """Why the broker takes no messages from publishers now (`low on memory`); empty when it does."""
        return self._connection.blocked

    @property
    def version(self) -> str:
        """The broker's product and version, as it says them."""
        told = self._connection.server_properties
        return " ".join(str(told.get(name) or "") for name in ("product", "version")).strip()

    @property
    def node(self) -> str:
        """What the broker calls its cluster."""
        return str(self._connection.server_properties.get("cluster_name", ""))

    @property
    def frame_size(self) -> int:
        """The largest frame that both sides take, in bytes."""
        return int(self._connection.connection_tune.frame_max)

    @property
    def closed(self) -> Problem | None:
        """Why the connection has ended, None while it stands."""
        if not self._connection.is_closed:
            return None
        return self._gone(ConnectionResetError("it was closed"))

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
            with contextlib.suppress(Exception):  # a broker that blocks us does not read that we go, either
                await lane.close(timeout=0.1 if self.blocked else 5)

    @contextlib.asynccontextmanager
    async def channel(self) -> AsyncIterator[aio_pika.abc.AbstractChannel]:
        """A channel of aio-pika; what was got over it and not settled goes back when it ends.

        Raises:
            Refused: the broker closed the channel for what was asked.
            Lost: the connection went.
        """
        if (ended := self.closed) is not None:  # aio-pika would wait for ever until it is connected again
            raise Lost(ended)
        with self.told():
            channel = self.pika.channel(publisher_confirms=False)
            try:
                await channel.initialize()
                yield channel
            finally:
                with contextlib.suppress(Exception):
                    await asyncio.wait_for(channel.close(), 5)

    async def ready(self, queue: str) -> int:
        """How many messages of a queue are ready.

        Raises:
            Refused: there is no such queue (404), or another connection has it for itself (405).
            Lost: the connection went.
        """
        async with self.channel() as channel:
            declared = await channel.declare_queue(queue, passive=True)
            return declared.declaration_result.message_count or 0

    @contextlib.contextmanager
    def told(self, lane: Lane | None = None) -> Iterator[None]:
        """Turns the library's errors into ours."""
        try:
            yield
        except ProblemError:
            raise
        except amqp.AMQPChannelError as error:
            raise refused(error) from error
        except (amqp.AMQPError, amqp.ChannelInvalidStateError, ConnectionError, RuntimeError) as error:
            code = lane.closed_for if lane is not None else None
            if code is not None:
                raise refused(code) from error
            open_ones = lane.unconfirmed if lane is not None else 0
            raise Lost(self._gone(error), open_ones) from error

    def _gone(self, error: BaseException) -> Problem:
        closing = self._connection.closing
        if self._connection.is_closed and not closing.cancelled():
            error = closing.exception() or error
        why = self.way.ended()
        if why is not None and not isinstance(error, amqp.ConnectionClosed):
            return why
        if isinstance(error, amqp.ConnectionClosed):
            code, words = _words(error)
            return Problem(Cause.UNREACHABLE, "The broker closed the connection", words, _REMEDIES.get(code, ""))
        return Problem(Cause.UNREACHABLE, f"The connection to {self.way.member or self.way.host} is gone", str(error))

    async def close(self) -> None:
        """Ends the connection, and the way."""
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self.pika.close(), 0.2 if self.blocked else 5)
        await self.way.close()


def _words(error: BaseException) -> tuple[int, str]:
    """The reply code and the broker's words."""
    codes = {amqp.ChannelAccessRefused: 403, amqp.ChannelNotFoundEntity: 404, amqp.ChannelLockedResource: 405,
             amqp.ChannelPreconditionFailed: 406, amqp.ConnectionNotAllowed: 530,
             amqp.ConnectionNotImplemented: 540, amqp.ConnectionFrameError: 501}  # fmt: skip
    code = next((number for kind, number in codes.items() if isinstance(error, kind)), 0)
    if not code and error.args and isinstance(error.args[0], int):
        code = error.args[0]
    return code, str(error.args[-1]) if error.args else str(error)


def refused(error: BaseException) -> Refused:
    """What the broker closed a channel for."""
    code, words = _words(error)
    cause = {403: Cause.FORBIDDEN, 404: Cause.ABSENT}.get(code, Cause.REJECTED)
    return Refused(code, Problem(cause, "The broker refused it", words, _REMEDIES.get(code, "")))


async def open_broker(
    way: Way, login: Login, *, context: ssl.SSLContext | None = None, name: str = "statetui", patience: float = 10.0
) -> Broker:
    """Connects and logs in.

    Args:
        way: to one of the nodes; it is closed with the broker, or when this fails.
        login: who one is, and the virtual host.
        context: TLS, None for none.
        name: as the broker's list of connections shows it.
        patience: seconds.

    Raises:
        ProblemError: no node can be reached, or it does not let this user in.
    """
    url = URL.build(scheme="amqp", host=way.host or "broker", port=way.port, path="/", query={"name": name})
    url = url.with_user(login.user).with_password(login.password).update_query(heartbeat=_HEARTBEAT)
    connection = _Connection(url, transport_factory=_Sockets(way, context))
    connection.vhost = login.vhost  # in the address it would have to be quoted, and the library unquotes it by half
    try:
        pika = _Pika(url, connection)
        await pika.connect(patience)
    except BaseException as error:
        try:
            if isinstance(error, amqp.AMQPError | OSError | TimeoutError | amqp.ChannelInvalidStateError):
                problem = _not_in(error, way, login)
                if problem.cause is Cause.UNREACHABLE and context is not None:
                    problem = await alert(way, context) or problem
                raise ProblemError(problem) from error
            raise
        finally:
            await way.close()
    return Broker(pika, connection, way, login)


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
    if (told := refused_at_tls(error, at)) is not None:  # the library wraps what TLS said
        return told
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
