"""One forwarded connection: from a client's stream to a pod's port, as containerd joins them.

Seen on containerd 2.3.7: when either side has ended, the other has a second, and then both are closed. Our half towards
the application is never closed before, so an application does not learn that its client has sent all.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from tui.sandbox.model import ApiError, Pods
from tui.sandbox.streams.inbox import Inbox

#: Seconds that one direction has once the other has ended.
LINGER: Final = 1.0
#: Seconds in which what a client has sent must be taken once the client is gone.
AFTERMATH: Final = 30.0
#: Bytes read at once.
_READ: Final = 256 << 10
#: Bytes that wait for the application before its inbox fills.
_HIGH: Final = 256 << 10

Send = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Place:
    """The pod that connections go to."""

    namespace: str
    name: str
    uid: str

    @property
    def sandbox(self) -> str:
        """The 64 digits by which a runtime would know it."""
        return hashlib.sha256(self.uid.encode()).hexdigest()

    def failed(self, port: int, words: str) -> str:
        """A failure in containerd's words."""
        network = uuid.uuid5(uuid.NAMESPACE_OID, self.uid)
        return (
            f"error forwarding port {port} to pod {self.sandbox}, uid : failed to execute portforward in network "
            f'namespace "/var/run/netns/cni-{network}": {words}'
        )

    def closed(self, port: int) -> str:
        """The pod is gone, also when another one has its name by now; in containerd's words (seen on 2.3.7)."""
        return (
            f"error forwarding port {port} to pod {self.sandbox}, uid : "
            f'network namespace for sandbox "{self.sandbox}" is closed'
        )

    def refused(self, port: int, error: OSError) -> str:
        """A connection that did not come about, in containerd's words."""
        return self.failed(
            port,
            f'failed to connect to localhost:{port} inside namespace "{self.sandbox}", IPv4: dial tcp4 '
            f"127.0.0.1:{port}: connect: {_words(error)} IPv6 dial tcp6: address localhost: no suitable address found ",
        )


async def join(pods: Pods, place: Place, port: int, inbox: Inbox, send: Send) -> str:
    """Connects to a port and copies both ways until it is over.

    Args:
        pods: who knows the pod.
        place: the pod.
        port: its port.
        inbox: what the client sends; shut when this returns.
        send: sends to the client and waits while that takes nothing. A ConnectionError says that it is gone.

    Returns:
        What went wrong; empty when nothing did.
    """
    try:
        reader, writer = await pods.connect(place.namespace, place.name, port, place.uid)
    except OSError as error:
        inbox.shut()
        return place.refused(port, error)
    except ApiError as error:
        inbox.shut()
        return place.closed(port) if error.code == 404 else place.failed(port, error.message)
    except BaseException:
        inbox.shut()
        raise
    writer.transport.set_write_buffer_limits(high=_HIGH)
    down = asyncio.create_task(_down(reader, writer, send), name=f"forward {port} down")
    up = asyncio.create_task(_up(inbox, writer), name=f"forward {port} up")
    try:
        done, _ = await asyncio.wait((down, up), return_when=asyncio.FIRST_COMPLETED)
        first = next(iter(done))
        words = first.result()
        patience = LINGER
        if words is None and first is down:  # the client is gone: what it sent is still delivered
            inbox.end()
            patience = AFTERMATH
        other = up if first is down else down
        await asyncio.wait((other,), timeout=patience)
        if not words and other.done():
            words = other.result()
        return place.failed(port, words) if words else ""
    finally:
        # First what must be done: the waiting may be cancelled once more.
        inbox.shut()
        down.cancel()
        up.cancel()
        writer.transport.abort()  # nothing waits to be written any more, or nobody reads it
        await asyncio.wait((down, up))


async def _down(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, send: Send) -> str | None:
    """From the application to the client. None: the client is gone; otherwise what went wrong, or nothing."""
    while True:
        try:
            data = await reader.read(_READ)
        except OSError as error:
            ends = _ends(writer)
            return f"writeto tcp4 {ends}: read tcp4 {ends}: read: {_words(error)}"
        if not data:
            return ""
        try:
            await send(data)
        except ConnectionError:
            return None


async def _up(inbox: Inbox, writer: asyncio.StreamWriter) -> str | None:
    """From the client to the application, to the last byte. What went wrong, or nothing."""
    try:
        while data := await inbox.get():
            writer.write(data)
            await writer.drain()
        writer.transport.set_write_buffer_limits(high=0)
        await writer.drain()
    except OSError as error:
        ends = _ends(writer)
        return f"readfrom tcp4 {ends}: write tcp4 {ends}: write: {_words(error)}"
    return ""


def _ends(writer: asyncio.StreamWriter) -> str:
    def name(key: str) -> str:
        address: Any = writer.get_extra_info(key)
        with contextlib.suppress(TypeError, IndexError):
            return f"{address[0]}:{address[1]}"
        return "?"

    return f"{name('sockname')}->{name('peername')}"


def _words(error: OSError) -> str:
    """An error as Go words it."""
    named = {
        errno.ECONNREFUSED: "connection refused",
        errno.ECONNRESET: "connection reset by peer",
        errno.EPIPE: "broken pipe",
        errno.EHOSTUNREACH: "no route to host",
        errno.ENETUNREACH: "network is unreachable",
        errno.ETIMEDOUT: "connection timed out",
    }
    if isinstance(error, ConnectionRefusedError):
        return named[errno.ECONNREFUSED]
    if isinstance(error, ConnectionResetError):
        return named[errno.ECONNRESET]
    return named.get(error.errno or 0, (error.strerror or str(error) or type(error).__name__).lower())
