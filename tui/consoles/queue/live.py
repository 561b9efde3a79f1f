"""The real broker behind a console: its management API, and its messages."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from tui.consoles.queue import answers
from tui.consoles.queue.client import ERRORS, Opened
from tui.consoles.queue.livemessages import Elsewhere, LiveMessages
from tui.consoles.queue.queuelist import PAGE
from tui.consoles.queue.values import (
    Cluster,
    Consumer,
    Detail,
    Facts,
    Node,
    OpenChannel,
    OpenConnection,
    Permission,
    Place,
    Policy,
    QueueWish,
    User,
)
from tui.problem import ProblemError
from tui.services.queue import facts as topology
from tui.services.queue import operations
from tui.services.queue.definitions import without_secrets
from tui.services.queue.management import Management
from tui.services.queue.model import Login
from tui.systems.queueothers import open_other, others
from tui.systems.queuesession import Half, QueueSession, Wish, open_queue

if TYPE_CHECKING:
    from tui.services.queue.byname import Topology
    from tui.services.queue.tls import Security
    from tui.systems.live import Live
    from tui.systems.queuekeys import FoundLogins

T = TypeVar("T")


async def open_live(live: Live, key: str, login: Login, found: FoundLogins, *, read_only: bool) -> Opened:
    """Connects to the broker of a workload, over forwards that nothing listens for.

    Args:
        live: the context.
        key: the workload's.
        login: who one is, and the virtual host.
        found: how the broker is spoken to.
        read_only: the client refuses changes.

    Raises:
        ProblemError: it cannot be reached, or does not let this user in.
    """
    writes = not read_only
    ahead = Ahead()
    try:
        first = await open_queue(
            live, key, login, found.security, Wish(writes=writes, quick=True), reached=ahead.ask
        )  # fmt: skip
    except BaseException:
        ahead.give_up()
        raise
    return Opened(LiveClient(first, _Elsewhere(live, key, login, found.security, writes=writes), ahead), login)


class Ahead:
    """The first page of queues, asked for as soon as the API lets one in.

    With many queues it is what takes the longest until a console shows something: AMQP and the screen get ready
    meanwhile. Another first question than the expected one gives it up.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[topology.QueuePage] | None = None

    def ask(self, api: Management) -> None:
        """Asks."""
        self._task = asyncio.create_task(api.queues(page=1, size=PAGE))
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())  # who takes it is told

    def take(self, *, first: bool) -> asyncio.Task[topology.QueuePage] | None:
        """The answer that is awaited, once; None when it is not the `first` page of all queues that is wanted."""
        task, self._task = self._task, None
        if task is not None and not first:
            task.cancel()
            return None
        return task

    def give_up(self) -> None:
        """Nobody wants it any more."""
        self.take(first=False)


class _Elsewhere:
    """Other virtual hosts and other brokers; see `livemessages.Elsewhere`."""

    def __init__(self, live: Live, key: str, login: Login, security: Security, *, writes: bool) -> None:
        self._live, self._key, self._login, self._security = live, key, login, security
        self._wish = Wish(writes=writes, management=False)

    async def vhost(self, name: str) -> QueueSession:
        """A session with this broker in another virtual host."""
        return await open_queue(self._live, self._key, replace(self._login, vhost=name), self._security, self._wish)

    def others(self) -> Mapping[str, str]:
        """The keys of the other brokers, by their names."""
        return others(self._live, self._key)

    async def other(self, key: str, vhost: str) -> QueueSession:
        """A session with another broker; an empty virtual host is that of its login."""
        return await open_other(self._live, key, vhost, self._wish)


class LiveClient(LiveMessages):
    """A broker; see `client.Client`."""

    def __init__(self, session: QueueSession, elsewhere: Elsewhere, ahead: Ahead) -> None:
        """As `LiveMessages`; `ahead` has the first page."""
        super().__init__(session, elsewhere)
        self._ahead = ahead

    @property
    def facts(self) -> Facts:
        """Of the broker and the connection, as they are now."""
        session = self._own
        spoken = session.amqp or session.http
        way = session.broker.way if session.broker is not None else None
        if way is None and session.management is not None:
            way = session.management.way
        overview = session.overview
        tls = spoken.tls if spoken is not None else "off"
        words = {"verified": "TLS", "not verified": "TLS not verified"}.get(tls, "off")
        return Facts(
            f"RabbitMQ {session.version}".strip(), session.login.user, session.login.vhost, words,
            way.member if way is not None else "", overview.cluster_name if overview is not None else "",
            tuple(session.lacks),
        )  # fmt: skip

    @property
    def _api(self) -> Management:
        if self._own.management is None:
            raise ProblemError(self.facts.lack(Half.MANAGEMENT) or answers.NO_API)
        return self._own.management

    async def _topology(self, vhost: str) -> Topology:
        """Who changes queues and exchanges that are named: the API, or AMQP where there is none."""
        if self._own.management is not None:
            return self._own.management
        await self._broker(vhost)
        return (await self._session(vhost)).topology()

    # --- what there is

    async def cluster(self) -> Cluster:
        """The cluster as a whole; what a server or a user cannot tell is left out."""
        api = self._api
        overview, checks, flags, used = await asyncio.gather(
            api.overview(), api.checks(), _or_none(api.feature_flags()), _or_none(api.deprecated())
        )
        disabled = tuple(one.name for one in flags if one.state == "disabled")
        told = tuple((one.name, one.well, one.says) for one in checks)
        return Cluster(overview, disabled, tuple(one.name for one in used), told)

    async def learn(self) -> None:
        """Finds out what the broker does not tell at once, for `facts`: with many queues that takes it a while."""
        if self._own.management is not None:
            await self._own.learn()

    async def nodes(self) -> Sequence[Node]:
        """All nodes, and of each whether queues would lose their majority with it."""
        _ = self._api  # or why it is not there
        found = await self._own.nodes()
        told = await self._own.critical([one.pod for one in found if one.running])
        return [Node(one, _critical(told.get(one.pod))) for one in found]

    async def queues(self, *, vhost: str, name: str, regex: bool, page: int, size: int) -> topology.QueuePage:
        """A page of queues in the server's order."""
        if (asked := self._ahead.take(first=(vhost, name, page, size) == ("", "", 1, PAGE))) is not None:
            return await asked
        return await self._api.queues(vhost=vhost, name=name, regex=regex, page=page, size=size)

    def all_queues(self, *, vhost: str, name: str, regex: bool) -> AsyncIterator[Sequence[topology.Queue]]:
        """All queues in the server's order, in pieces."""
        return self._api.all_queues(vhost=vhost, name=name, regex=regex)

    async def queue(self, place: Place) -> Detail:
        """One queue."""
        api = self._api
        queue, bindings = await asyncio.gather(
            api.queue(place.vhost, place.name), api.bindings_of(place.vhost, place.name)
        )
        consumers: Sequence[Consumer] = ()
        with contextlib.suppress(*ERRORS):  # not everybody is told: without them a queue is known, too
            consumers = [answers.consumer(one) for one in await api.consumers_of(queue)]
        return Detail(queue, bindings, consumers)

    async def exchanges(self, vhost: str = "") -> Sequence[topology.Exchange]:
        """The exchanges of a virtual host, or of all."""
        return await self._api.exchanges(vhost)

    async def bindings(self, vhost: str) -> Sequence[topology.Binding]:
        """The bindings of a virtual host."""
        return await self._api.bindings(vhost)

    async def connections(self) -> Sequence[OpenConnection]:
        """Who is connected."""
        return [answers.connection(one) for one in await self._api.connections()]

    async def channels(self) -> Sequence[OpenChannel]:
        """Their channels."""
        return [answers.channel(one) for one in await self._api.channels()]

    async def policies(self) -> Sequence[Policy]:
        """All policies."""
        return [answers.policy(one) for one in await self._api.policies()]

    async def vhosts(self) -> Sequence[topology.Vhost]:
        """The virtual hosts that this user may see."""
        return await self._api.vhosts()

    async def users(self) -> Sequence[User]:
        """Users with their permissions."""
        users, permissions = await asyncio.gather(self._api.users(), self._api.permissions())
        return answers.users(users, permissions)

    # --- what is changed

    async def close_connection(self, name: str, reason: str) -> None:
        """Ends somebody's connection; the client is told the reason."""
        await self._api.close_connection(name, reason)

    async def declare_queue(self, wish: QueueWish) -> None:
        """Makes a queue; one that is there and alike stays."""
        await (await self._topology(wish.place.vhost)).declare_queue(
            wish.place.vhost, wish.place.name, wish.arguments, durable=wish.durable, auto_delete=wish.auto_delete
        )

    async def delete_queue(self, place: Place, *, if_empty: bool, if_unused: bool) -> None:
        """Deletes a queue with its messages."""
        await (await self._topology(place.vhost)).delete_queue(
            place.vhost, place.name, if_empty=if_empty, if_unused=if_unused
        )

    async def purge_queue(self, place: Place) -> None:
        """Deletes the messages that are ready."""
        await (await self._topology(place.vhost)).purge_queue(place.vhost, place.name)

    async def declare_exchange(self, place: Place, kind: str, arguments: Mapping[str, Any]) -> None:
        """Makes an exchange."""
        await (await self._topology(place.vhost)).declare_exchange(place.vhost, place.name, kind, arguments)

    async def delete_exchange(self, place: Place, *, if_unused: bool) -> None:
        """Deletes an exchange."""
        await (await self._topology(place.vhost)).delete_exchange(place.vhost, place.name, if_unused=if_unused)

    async def bind(self, exchange: Place, to: str, kind: str, key: str, arguments: Mapping[str, Any]) -> None:
        """Leads messages from an exchange to a queue or an exchange."""
        await (await self._topology(exchange.vhost)).bind(exchange.vhost, exchange.name, to, key, arguments, kind=kind)

    async def unbind(self, binding: topology.Binding) -> None:
        """Ends a binding."""
        await self._api.unbind(
            binding.vhost, binding.source, binding.destination, binding.properties_key, kind=binding.destination_type
        )

    async def set_policy(self, policy: Policy) -> None:
        """Makes a policy, or changes it."""
        place = policy.place
        wanted = operations.Policy(
            place.name, place.vhost, policy.pattern, policy.applies, policy.priority, dict(policy.definition)
        )
        await self._api.set_policy(wanted)

    async def delete_policy(self, place: Place) -> None:
        """Deletes a policy."""
        await self._api.delete_policy(place.vhost, place.name)

    async def declare_vhost(self, name: str, kind: str) -> None:
        """Makes a virtual host."""
        await self._api.declare_vhost(name, default_type=kind)

    async def delete_vhost(self, name: str) -> None:
        """Deletes a virtual host with all that is in it."""
        await self._api.delete_vhost(name)

    async def set_user(self, name: str, password: str | None, tags: Sequence[str]) -> None:
        """Makes a user, or changes one, whose password stays where none is given."""
        await self._api.set_user(name, password, tags)

    async def delete_user(self, name: str) -> None:
        """Deletes a user."""
        await self._api.delete_user(name)

    async def set_permission(self, permission: Permission) -> None:
        """Says what a user may in a virtual host."""
        await self._api.set_permission(operations.Permission(
            permission.user, permission.vhost, permission.configure, permission.write, permission.read
        ))  # fmt: skip

    async def delete_permission(self, vhost: str, user: str) -> None:
        """Takes away what a user may in a virtual host."""
        await self._api.delete_permission(vhost, user)

    async def definitions(self, vhost: str, *, secrets: bool) -> Mapping[str, Any]:
        """The topology of a virtual host, or of all; password hashes only if `secrets`."""
        found = await self._api.definitions(vhost)
        return found if secrets else without_secrets(found)

    async def put_definitions(self, definitions: Mapping[str, Any], vhost: str) -> None:
        """Makes what is not there; nothing is deleted."""
        await self._api.put_definitions(definitions, vhost)

    async def close(self) -> None:
        """Ends the connections."""
        self._ahead.give_up()
        await self.close_messages()
        await self._own.close()


async def _or_none(asked: Awaitable[Sequence[T]]) -> Sequence[T]:
    """What not every server tells, and not everybody."""
    try:
        return await asked
    except ERRORS:
        return ()


def _critical(check: operations.Check | None) -> bool | None:
    return None if check is None or check.well is None else not check.well
