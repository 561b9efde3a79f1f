"""RabbitMQ's management API: what AMQP cannot tell, page by page and with the columns that are shown alone.

The server sorts by a statistic only after it has collected that statistic of every queue, which takes a cluster with
20,000 of them half a minute (rabbitmq-management#612): pages are asked for in the server's own order.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec

from tui.services.queue import facts
from tui.services.queue.administration import Administration
from tui.services.queue.operations import Consumer, QueueDetail
from tui.services.queue.transport import decoded, segment

__all__ = ["Management", "segment"]

#: Pages up to which all queues are asked for page by page. Each page makes the server list and sort all of its queues
#: (0.4 s of its processor for 20,000), so that many pages cost more than all at once (3.5 s).
_PAGES = 4
#: Seconds for all at once: nothing comes before the server has looked at each.
_WHOLE = 180.0
#: Queues of a whole answer that are understood at once: a millisecond's work.
_PIECE = 500
#: What is asked of each queue: the columns that are shown. A server that collects no statistics leaves the counts out
#: unless it is asked for them, which others do not heed (seen with 3.10 and 4.0): so the same question does for both,
#: and can be asked before it is known which of them this is.
_SHAPE = {"columns": ",".join(facts.QUEUE_COLUMNS), "enable_queue_totals": "true"}


class Management(Administration):
    """The API of one cluster, with one login."""

    #: Whether the server collects no statistics; `overview` tells.
    _counts_only = False

    async def overview(self) -> facts.Overview:
        """The cluster as a whole: version, totals, rates."""
        found = await self._get("overview", facts.Overview)
        self._counts_only = found.disable_stats
        return found

    async def about(self) -> facts.Overview:
        """Version and name of the cluster, with no statistic: with 20,000 queues a twentieth of what `overview` takes.

        The server says `disable_stats` of an answer for which it was asked to leave them out: `overview` tells whether
        it collects any. A server that does not know the question (before 3.8) answers with all.
        """
        found = await self._get("overview", facts.Overview, {"disable_stats": "true"})
        found.disable_stats = False
        return found

    async def nodes(self) -> list[facts.Node]:
        """All nodes; of one that does not run little more than the name is known."""
        return await self._get("nodes", list[facts.Node])

    async def queue(self, vhost: str, name: str) -> QueueDetail:
        """One queue, with its consumers."""
        found = await self._get(f"queues/{segment(vhost)}/{segment(name)}", QueueDetail)
        _note_silence([found])
        if self._counts_only:  # lists have counts then, and a queue by itself has none
            listed = await self.queues(vhost=vhost, name=f"^{re.escape(name)}$", regex=True)
            for one in listed.items:
                found.messages, found.messages_ready = one.messages, one.messages_ready
                found.messages_unacknowledged = one.messages_unacknowledged
        return found

    async def consumers_of(self, queue: QueueDetail) -> list[Consumer]:
        """The consumers of a queue that was asked for by its name; nothing more is asked where that told them.

        Without statistics they are told for the whole virtual host alone, whose consumers may be many.
        """
        if queue.consumer_details is not None:
            return queue.consumer_details
        every = await self.consumers(queue.vhost)
        return [one for one in every if one.queue is not None and one.queue.name == queue.name]

    async def queues(
        self, *, vhost: str = "", name: str = "", regex: bool = False, page: int = 1, size: int = 500
    ) -> facts.QueuePage:
        """A page of queues in the server's own order.

        Args:
            vhost: empty for all that this user may see.
            name: what the name holds, or a regular expression.
            regex: whether `name` is one.
            page: from 1.
            size: at most 500 (the server's limit).

        Raises:
            Refused: there is no such page, or no such virtual host.
            ProblemError: as `ask`.
        """
        query = {
            "page": str(page),
            "page_size": str(size),
            "pagination": "true",
            **_SHAPE,
        }
        if name:
            query |= {"name": name, "use_regex": "true" if regex else "false"}
        found = await self._get(f"queues/{segment(vhost)}" if vhost else "queues", facts.QueuePage, query)
        _note_silence(found.items)
        return found

    async def all_queues(
        self, *, vhost: str = "", name: str = "", regex: bool = False
    ) -> AsyncIterator[Sequence[facts.Queue]]:
        """All queues, in pieces: page by page, or all the rest at once where that is cheaper for the server."""
        page, seen = 1, set[tuple[str, str]]()
        while True:
            found = await self.queues(vhost=vhost, name=name, regex=regex, page=page)
            yield found.items
            if page >= found.page_count:
                return
            if found.page_count > _PAGES and not name:  # without pages the server does not look at the name
                seen.update((one.vhost, one.name) for one in found.items)
                async for piece in self._whole(vhost):
                    yield [one for one in piece if (one.vhost, one.name) not in seen]
                return
            page += 1

    async def _whole(self, vhost: str) -> AsyncIterator[Sequence[facts.Queue]]:
        """All queues with one question, understood piece by piece: as a whole 20,000 of them take 20 ms or more."""
        path = f"queues/{segment(vhost)}" if vhost else "queues"
        told = await self._get(path, list[msgspec.Raw], _SHAPE, patience=_WHOLE)
        for start in range(0, len(told), _PIECE):
            piece = decoded(b"[%b]" % b",".join(told[start : start + _PIECE]), list[facts.Queue], path)
            _note_silence(piece)
            yield piece

    async def exchanges(self, vhost: str = "") -> list[facts.Exchange]:
        """The exchanges of a virtual host, or of all."""
        return await self._get(f"exchanges/{segment(vhost)}" if vhost else "exchanges", list[facts.Exchange])

    async def bindings(self, vhost: str = "") -> list[facts.Binding]:
        """The bindings of a virtual host, or of all."""
        return await self._get(f"bindings/{segment(vhost)}" if vhost else "bindings", list[facts.Binding])

    async def bindings_of(self, vhost: str, queue: str) -> list[facts.Binding]:
        """What leads to a queue."""
        return await self._get(f"queues/{segment(vhost)}/{segment(queue)}/bindings", list[facts.Binding])

    async def declare_queue(
        self, vhost: str, name: str, arguments: Mapping[str, Any], *, durable: bool = True, auto_delete: bool = False
    ) -> None:
        """Makes a queue; one that is there and alike stays.

        Raises:
            Refused: one that is otherwise is there, or the arguments are not valid; with the server's words.
        """
        wanted = {"durable": durable, "auto_delete": auto_delete, "arguments": dict(arguments)}
        await self.ask("PUT", f"queues/{segment(vhost)}/{segment(name)}", wanted)

    async def delete_queue(self, vhost: str, name: str, *, if_empty: bool = False, if_unused: bool = False) -> None:
        """Deletes a queue, with its messages."""
        query = {key: "true" for key, wanted in (("if-empty", if_empty), ("if-unused", if_unused)) if wanted}
        await self.ask("DELETE", f"queues/{segment(vhost)}/{segment(name)}", query=query)

    async def purge_queue(self, vhost: str, name: str) -> None:
        """Deletes the messages that are ready; those that are with consumers stay."""
        await self.ask("DELETE", f"queues/{segment(vhost)}/{segment(name)}/contents")

    async def declare_exchange(
        self, vhost: str, name: str, kind: str, arguments: Mapping[str, Any], *, durable: bool = True,
        auto_delete: bool = False, internal: bool = False,
    ) -> None:  # fmt: skip
        """Makes an exchange; one that is there and alike stays.

        Args:
            vhost: the virtual host.
            name: of the exchange.
            kind: `direct`, `topic`, `fanout`, `headers`, or one of a plugin.
            arguments: as `alternate-exchange`.
            durable: whether it outlives a restart.
            auto_delete: whether it goes with its last binding.
            internal: whether only other exchanges may publish to it.
        """
        wanted = {"type": kind, "durable": durable, "auto_delete": auto_delete, "internal": internal,
                  "arguments": dict(arguments)}  # fmt: skip
        await self.ask("PUT", f"exchanges/{segment(vhost)}/{segment(name)}", wanted)

    async def delete_exchange(self, vhost: str, name: str, *, if_unused: bool = False) -> None:
        """Deletes an exchange."""
        query = {"if-unused": "true"} if if_unused else None
        await self.ask("DELETE", f"exchanges/{segment(vhost)}/{segment(name)}", query=query)

    async def bind(
        self, vhost: str, exchange: str, to: str, key: str, arguments: Mapping[str, Any], *, kind: str = "queue"
    ) -> None:
        """Leads what an exchange gets under a key to a queue.

        Args:
            vhost: the virtual host.
            exchange: from which.
            to: the name of what it is led to.
            key: the routing key.
            arguments: of a headers exchange.
            kind: of what it is led to: `queue` or `exchange`.
        """
        path = f"bindings/{segment(vhost)}/e/{segment(exchange)}/{kind[0]}/{segment(to)}"
        await self.ask("POST", path, {"routing_key": key, "arguments": dict(arguments)})

    async def unbind(self, vhost: str, exchange: str, to: str, properties: str, *, kind: str = "queue") -> None:
        """Ends a binding, by its `properties_key`; the others as in `bind`."""
        path = f"bindings/{segment(vhost)}/e/{segment(exchange)}/{kind[0]}/{segment(to)}"
        await self.ask("DELETE", f"{path}/{segment(properties)}")

    async def definitions(self, vhost: str = "") -> dict[str, Any]:
        """The topology (without messages): of a virtual host, or of all with users and their password hashes."""
        return await self._get(f"definitions/{segment(vhost)}" if vhost else "definitions", dict[str, Any])

    async def put_definitions(self, definitions: Mapping[str, Any], vhost: str = "") -> None:
        """Makes what is not there; nothing is deleted."""
        await self.ask("POST", f"definitions/{segment(vhost)}" if vhost else "definitions", dict(definitions))


def _note_silence(queues: Sequence[facts.Queue]) -> None:
    """Where rates are collected, a queue without any had nothing to count: that is zero, and not unknown.

    Who counts messages alone does not tell the consumers.
    """
    for one in queues:
        if one.message_stats is None and one.messages is not None and one.consumers is not None:
            one.message_stats = facts.MessageStats()
