"""What the screens need of a broker: facts, changes, messages. Whatever fails raises one of `ERRORS`."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tui.consoles.queue.values import (
    Came,
    Cluster,
    Detail,
    Facts,
    Move,
    Node,
    OpenChannel,
    OpenConnection,
    Permission,
    Place,
    Policy,
    Publication,
    QueueWish,
    Told,
    User,
)
from tui.problem import Cause, Problem, ProblemError
from tui.services.queue import facts as topology
from tui.services.queue.model import Login, Lost, Message, Refused, Settle

#: What a call of a client may raise.
ERRORS = (ProblemError, Refused, Lost, OSError, TimeoutError)


def problem_of(error: BaseException) -> Problem:
    """What a person is told of an error."""
    if isinstance(error, ProblemError | Refused | Lost):
        return error.problem
    return Problem(Cause.UNREACHABLE, "The broker gave no answer", str(error) or type(error).__name__)


class Held(Protocol):
    """Messages that were taken from a queue and are not settled: the broker keeps them for us until then."""

    @property
    def messages(self) -> Sequence[Message]:
        """All that were taken."""
        ...

    @property
    def open(self) -> int:
        """How many are not settled."""
        ...

    def is_open(self, message: Message) -> bool:
        """Whether a message is not settled."""
        ...

    def lost(self) -> Problem | None:
        """Why they went back without us, None while they are ours."""
        ...

    async def settle(self, messages: Sequence[Message], how: Settle) -> int:
        """Acknowledges them (they are gone), puts them back, or rejects them (dead-lettered, or dropped).

        Returns:
            How many were settled by this.
        """
        ...

    async def close(self) -> None:
        """Gives back what is not settled."""
        ...


class Client(Protocol):
    """A broker that one is connected to."""

    @property
    def facts(self) -> Facts:
        """Of the broker and the connection, as they are now."""
        ...

    def blocked(self) -> str:
        """Why the broker takes nothing from publishers now; empty when it does, or when that is not known."""
        ...

    async def cluster(self) -> Cluster:
        """The cluster as a whole."""
        ...

    async def learn(self) -> None:
        """Finds out what the broker does not tell at once, for `facts`: with many queues that takes it a while."""
        ...

    async def nodes(self) -> Sequence[Node]:
        """All nodes."""
        ...

    async def queues(self, *, vhost: str, name: str, regex: bool, page: int, size: int) -> topology.QueuePage:
        """A page of queues in the server's order."""
        ...

    def all_queues(self, *, vhost: str, name: str, regex: bool) -> AsyncIterator[Sequence[topology.Queue]]:
        """All queues in the server's order, in pieces, in the way that is the cheapest for the server."""
        ...

    async def queue(self, place: Place) -> Detail:
        """One queue."""
        ...

    async def exchanges(self, vhost: str = "") -> Sequence[topology.Exchange]:
        """The exchanges of a virtual host, or of all."""
        ...

    async def bindings(self, vhost: str) -> Sequence[topology.Binding]:
        """The bindings of a virtual host."""
        ...

    async def connections(self) -> Sequence[OpenConnection]:
        """Who is connected."""
        ...

    async def channels(self) -> Sequence[OpenChannel]:
        """Their channels."""
        ...

    async def close_connection(self, name: str, reason: str) -> None:
        """Ends somebody's connection; the client is told the reason."""
        ...

    async def policies(self) -> Sequence[Policy]:
        """All policies."""
        ...

    async def vhosts(self) -> Sequence[topology.Vhost]:
        """The virtual hosts that this user may see."""
        ...

    async def users(self) -> Sequence[User]:
        """Users with their permissions."""
        ...

    async def declare_queue(self, wish: QueueWish) -> None:
        """Makes a queue; one that is there and alike stays."""
        ...

    async def delete_queue(self, place: Place, *, if_empty: bool, if_unused: bool) -> None:
        """Deletes a queue with its messages."""
        ...

    async def purge_queue(self, place: Place) -> None:
        """Deletes the messages that are ready."""
        ...

    async def declare_exchange(self, place: Place, kind: str, arguments: Mapping[str, Any]) -> None:
        """Makes an exchange."""
        ...

    async def delete_exchange(self, place: Place, *, if_unused: bool) -> None:
        """Deletes an exchange."""
        ...

    async def bind(self, exchange: Place, to: str, kind: str, key: str, arguments: Mapping[str, Any]) -> None:
        """Leads messages from an exchange to a `queue` or an `exchange`."""
        ...

    async def unbind(self, binding: topology.Binding) -> None:
        """Ends a binding."""
        ...

    async def set_policy(self, policy: Policy) -> None:
        """Makes a policy, or changes it."""
        ...

    async def delete_policy(self, place: Place) -> None:
        """Deletes a policy."""
        ...

    async def declare_vhost(self, name: str, kind: str) -> None:
        """Makes a virtual host; `kind` is of queues that do not say theirs, empty for the server's."""
        ...

    async def delete_vhost(self, name: str) -> None:
        """Deletes a virtual host with all that is in it."""
        ...

    async def set_user(self, name: str, password: str | None, tags: Sequence[str]) -> None:
        """Makes a user, or changes one, whose password stays where none is given."""
        ...

    async def delete_user(self, name: str) -> None:
        """Deletes a user."""
        ...

    async def set_permission(self, permission: Permission) -> None:
        """Says what a user may in a virtual host."""
        ...

    async def delete_permission(self, vhost: str, user: str) -> None:
        """Takes away what a user may in a virtual host."""
        ...

    async def publish(self, publication: Publication, told: Told) -> Came:
        """Publishes with confirms; each message is sent once."""
        ...

    async def take(self, place: Place, count: int) -> Held:
        """Takes up to so many messages and keeps them unacknowledged."""
        ...

    async def browse(self, place: Place, offset: int | str | dt.datetime, count: int) -> Sequence[Message]:
        """Reads a stream from an offset, from `first`, `last` or `next`, or from a time; nothing is consumed."""
        ...

    def tail(self, vhost: str, exchange: str, key: str, queue: str) -> AsyncIterator[Sequence[Message]]:
        """Copies of what comes through an exchange, or of what comes into a stream, as it comes.

        Args:
            vhost: the virtual host.
            exchange: listened to with a queue of our own that ends with us; empty for a queue.
            key: the binding's.
            queue: of a stream, which is read from its end; of another queue those exchanges are listened to that lead
                to it, with the keys of their bindings.
        """
        ...

    def others(self) -> Mapping[str, str]:
        """The keys of the other brokers that messages can be moved to, by their names."""
        ...

    async def reach(self, move: Move) -> None:
        """Sees whether the target of a move is there and lets us in; nothing is taken and nothing sent."""
        ...

    async def move(self, move: Move, told: Told) -> Came:
        """Moves or copies messages: each is acknowledged only once its copy was confirmed."""
        ...

    async def definitions(self, vhost: str, *, secrets: bool) -> Mapping[str, Any]:
        """The topology of a virtual host, or of all; password hashes only if `secrets`."""
        ...

    async def put_definitions(self, definitions: Mapping[str, Any], vhost: str) -> None:
        """Makes what is not there; nothing is deleted."""
        ...

    async def close(self) -> None:
        """Ends the connections."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A broker that answers, and who one is to it."""

    client: Client
    login: Login

    async def close(self) -> None:
        """Ends the connections."""
        await self.client.close()
