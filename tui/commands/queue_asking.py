"""`statetui queue W ls|show|nodes|health`: asks a broker."""

from __future__ import annotations

import argparse
import datetime as dt
import fnmatch
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from tui.commands import exits
from tui.commands.amounts import size
from tui.commands.queue_output import Output, plain
from tui.commands.queue_rows import FORMS, SORTS, amount, told
from tui.commands.remarks import note
from tui.commands.table import Cell
from tui.consoles.queue.filters import Filter, holds
from tui.problem import Cause, Problem, ProblemError
from tui.services.queue import facts
from tui.services.queue.graph import Edge, Graph, Spot, What
from tui.services.queue.management import Management
from tui.services.queue.model import Refused
from tui.services.queue.operations import Check
from tui.systems.model import Member
from tui.systems.queuesession import CRITICAL, QueueSession

VERBS = ("ls", "show", "nodes", "health")
_GLOB = re.compile(r"[*?\[]")


def has_pattern(name: str) -> bool:
    """Whether a name is a pattern."""
    return bool(_GLOB.search(name))


async def run(given: argparse.Namespace, session: QueueSession, output: Output, pods: Sequence[Member]) -> int:
    """Does it, and returns the exit code.

    Args:
        given: the verb's arguments.
        session: with a management API.
        output: where answers go.
        pods: the workload's members, which nodes are told with.

    Raises:
        Refused, ProblemError: the broker refused it, or cannot be reached.
    """
    assert session.management is not None  # noqa: S101 (see Args)
    for lack in session.lacks:
        note(str(lack))
    code: int = await getattr(_Verbs(given, session, session.management, output, pods), given.verb)()
    return code


class _Verbs:
    """One run; a method for each verb."""

    def __init__(
        self, given: argparse.Namespace, session: QueueSession, api: Management, output: Output, pods: Sequence[Member]
    ) -> None:
        self._given = given
        self._session = session
        self._api = api
        self._vhost = session.login.vhost
        self._output = output
        self._pods = {one.pod: one for one in pods}

    async def ls(self) -> int:
        """A list."""
        what = self._given.what
        if what == "queues":
            return await self._queues()
        found = [one for one in await self._list(what) if fnmatch.fnmatchcase(_name(what, one), self._pattern)]
        form = FORMS["policies" if what == "operator-policies" else what]
        self._output.table(form[0], [form[1](one) for one in found], found)
        return exits.OK

    @property
    def _pattern(self) -> str:
        return self._given.pattern or "*"

    async def _list(self, what: str) -> Sequence[Any]:
        api, vhost = self._api, self._given.vhost
        lists: Mapping[str, Callable[[], Awaitable[Sequence[Any]]]] = {
            "exchanges": lambda: api.exchanges(vhost), "bindings": lambda: api.bindings(vhost),
            "connections": lambda: api.connections(vhost), "channels": lambda: api.channels(vhost),
            "consumers": lambda: api.consumers(vhost), "policies": lambda: api.policies(vhost),
            "operator-policies": lambda: api.policies(vhost, operator=True), "vhosts": api.vhosts,
            "users": api.users, "permissions": lambda: api.permissions(vhost), "features": api.feature_flags,
        }  # fmt: skip
        return await lists[what]()

    async def _queues(self) -> int:
        """Queues as they come, unless they are sorted."""
        given, head, row = self._given, *FORMS["queues"]
        kept: list[facts.Queue] = []
        async for piece in matching(self._api, given.vhost, given.pattern):
            found = [one for one in piece if self._wanted(one)]
            if self._output.form == "jsonl" and not given.sort:
                for one in found:
                    self._output.line(one)
            else:
                kept += found
        if given.sort:
            kept.sort(key=SORTS[given.sort])
        if self._output.form != "jsonl" or given.sort:
            self._output.table(head, [row(one) for one in kept], kept)
        return exits.OK

    def _wanted(self, one: facts.Queue) -> bool:
        given = self._given
        if (given.empty and one.messages != 0) or (given.no_consumer and one.consumers != 0):
            return False
        return holds(Filter(type=given.type, states=frozenset(given.states)), one, None)

    async def show(self) -> int:
        """One thing."""
        await getattr(self, f"_show_{self._given.what}")(self._given.name)
        return exits.OK

    async def _show_queue(self, name: str) -> None:
        api, vhost = self._api, self._vhost
        one = await api.queue(vhost, name)
        bindings = await api.bindings(vhost)
        consumers = await api.consumers_of(one)
        graph = Graph(await api.exchanges(vhost), bindings, [one], await self._policies())
        spot = Spot(What.QUEUE, vhost, name)
        online = f"{len(one.online or ())} of {len(one.members)}: {', '.join(one.online or ())}" if one.members else ""
        rows = [
            ("queue", one.name), ("virtual host", one.vhost), ("type", one.kind),
            ("state", "minority: too few members are there" if one.minority else one.state or "?"),
            ("leader", one.at), ("members online", online), ("ready", amount(one.messages_ready)),
            ("unacknowledged", amount(one.messages_unacknowledged)), ("messages", amount(one.messages)),
            ("bytes", "" if one.message_bytes is None else size(one.message_bytes)),
            ("memory", "?" if one.memory is None else size(one.memory)), ("in a second", amount(one.rate("publish"))),
            ("out a second", amount(one.rate("deliver_get"))), ("consumers", amount(one.consumers)),
            ("policy", one.policy or ""), ("arguments", told(one.arguments)),
            ("durable", "yes" if one.durable else "no"), *_edges(graph, spot),
            *(("consumer", f"{each.consumer_tag} on {each.channel}") for each in consumers),
        ]  # fmt: skip
        self._output.facts(rows, {
            **plain(one), "bindings": plain([each for each in bindings if each.destination == name and each.source]),
            "consumer_details": plain(consumers), "leads_to": [_edge(edge) for _, edge in graph.walk(spot)],
        })  # fmt: skip

    async def _show_exchange(self, name: str) -> None:
        api, vhost = self._api, self._vhost
        exchanges = await api.exchanges(vhost)
        one = _the(exchanges, name, "exchange", vhost)
        queues = [each async for piece in api.all_queues(vhost=vhost) for each in piece]
        graph = Graph(exchanges, await api.bindings(vhost), queues, await self._policies())
        spot = Spot(What.EXCHANGE, vhost, name)
        rows = [
            ("exchange", one.name or "(default)"), ("virtual host", one.vhost), ("type", one.type),
            ("durable", "yes" if one.durable else "no"), ("internal", "yes" if one.internal else ""),
            ("policy", one.policy or ""), ("arguments", told(one.arguments)), *_edges(graph, spot),
        ]  # fmt: skip
        self._output.facts(rows, {**plain(one), "leads_to": [_edge(edge) for _, edge in graph.walk(spot)]})

    async def _policies(self) -> Mapping[str, Mapping[str, Any]]:
        """What policies define; nothing where this user may not see them."""
        try:
            return {f"{one.vhost}/{one.name}": one.definition for one in await self._api.policies(self._vhost)}
        except Refused as error:
            note(f"dead letters of policies are not told: {error.problem}")
            return {}

    async def _show_policy(self, name: str) -> None:
        one = _the(await self._api.policies(self._vhost), name, "policy", self._vhost)
        self._output.facts([(key, told(value) if isinstance(value, dict) else str(value))
                            for key, value in plain(one).items()], one)  # fmt: skip

    async def _show_user(self, name: str) -> None:
        one = _the(await self._api.users(), name, "user")
        may = [each for each in await self._api.permissions() if each.user == name]
        rows = [("user", one.name), ("tags", ", ".join(one.all_tags)),
                *((f"in {each.vhost}", f"configure {each.configure or 'nothing'}, write {each.write or 'nothing'}, "
                   f"read {each.read or 'nothing'}") for each in may)]  # fmt: skip
        self._output.facts(rows, {**plain(one), "permissions": plain(may)})

    async def _show_node(self, name: str) -> None:
        found = [one for one in await self._api.nodes() if name in (one.name, one.pod)]
        one = _the(found, found[0].name if found else name, "node")
        head, row = self._node_form(await self._critical(found))
        self._output.facts(
            [(key.lower(), str(text)) for key, text in zip(head, map(_text, row(one)), strict=True)], one
        )

    async def _show_connection(self, name: str) -> None:
        one = _the(await self._api.connections(), name, "connection")
        head, row = FORMS["connections"]
        self._output.facts([(key.lower(), _text(cell)) for key, cell in zip(head, row(one), strict=True)], one)

    async def nodes(self) -> int:
        """Nodes with their pods; 1 when one is not well."""
        found = await self._api.nodes()
        critical = await self._critical(found)
        head, row = self._node_form(critical)
        self._output.table(head, [row(one) for one in found], [
            {**plain(one), "version": one.version, "pod": one.pod, "trouble": trouble(one),
             "quorum_critical": critical.get(one.name)} for one in found
        ])  # fmt: skip
        lost = [pod for pod in self._pods if pod not in {one.pod for one in found}]
        for pod in lost:
            note(f"{pod} is no node of this cluster")
        return exits.FAILED if lost or any(trouble(one) for one in found) else exits.OK

    async def _critical(self, found: Sequence[facts.Node]) -> Mapping[str, bool]:
        """By each node's name, whether queues would lose their majority with it; without those that do not say."""
        told = await self._session.critical([one.pod for one in found if one.running])
        return {one.name: not told[one.pod].well for one in found
                if one.pod in told and told[one.pod].well is not None}  # fmt: skip

    def _node_form(self, critical: Mapping[str, bool]) -> tuple[Sequence[str], Any]:
        head = ("NODE", "POD", "HEALTH", "VERSION", "UPTIME", "MEMORY", "LIMIT", "DISK FREE", "DISK LIMIT", "FILES",
                "CRITICAL", "TROUBLE")  # fmt: skip
        words = {True: "yes", False: "no", None: "?"}

        def row(one: facts.Node) -> Sequence[Cell]:
            member = self._pods.get(one.pod)
            health = "" if member is None else member.health.value
            wrong = trouble(one)
            up = "?" if one.uptime is None else str(dt.timedelta(seconds=one.uptime // 1000))
            return (
                one.name, one.pod if member is not None else "?", health, one.version or "?", up, _size(one.mem_used),
                _size(one.mem_limit), _size(one.disk_free), _size(one.disk_free_limit),
                f"{amount(one.fd_used)}/{amount(one.fd_total)}", words[critical.get(one.name)],
                [(wrong, "failing")] if wrong else "",
            )  # fmt: skip

        return head, row

    async def health(self) -> int:
        """The server's own checks, and features in use that will go; 1 when something is not well."""
        checks = [*await self._api.checks()]
        try:  # what each node knows of itself alone
            running = [one.pod for one in await self._api.nodes() if one.running]
        except Refused as error:
            note(f"{CRITICAL} is told of one node alone: {error.problem}")
        else:
            checks = [one for one in checks if one.name != CRITICAL]
            checks += [Check(f"{CRITICAL} of {pod}", one.well, one.says)
                       for pod, one in (await self._session.critical(running)).items()]  # fmt: skip
        words = {True: "well", False: "not well", None: "unknown"}
        rows: list[Sequence[Cell]] = [(one.name.partition("/")[0], words[one.well], one.says) for one in checks]
        things: list[Any] = [*checks]
        try:
            used = await self._api.deprecated()
            says = ", ".join(one.name for one in used) or "none"
        except Refused as error:
            used, says = [], "this server does not tell (since 3.13)" if error.code == 404 else error.problem.evidence
        rows.append(("deprecated-features", "in use" if used else "well" if says == "none" else "unknown", says))
        things.append({"name": "deprecated-features", "well": None if not used and says != "none" else not used,
                       "says": says})  # fmt: skip
        self._output.table(("CHECK", "STATE", "WHAT"), rows, things)
        return exits.FAILED if any(one.well is False for one in checks) else exits.OK


async def matching(api: Management, vhost: str, pattern: str) -> AsyncIterator[list[facts.Queue]]:
    """Queues whose names are, or match: the server looks for patterns itself (its expressions are Perl's, too)."""
    expression = f"^{fnmatch.translate(pattern)}" if pattern else ""
    async for piece in api.all_queues(vhost=vhost, name=expression, regex=bool(expression)):
        yield [one for one in piece if not pattern or fnmatch.fnmatchcase(one.name, pattern)]


def trouble(one: facts.Node) -> str:
    """What is not well with a node; empty when nothing is known to be."""
    told = []
    if not one.running:
        told.append("does not run")
    if one.mem_alarm:
        told.append("memory alarm: publishers are blocked")
    if one.disk_free_alarm:
        told.append("disk alarm: publishers are blocked")
    if one.partitions:
        told.append(f"partitioned from {', '.join(one.partitions)}")
    if one.being_drained:
        told.append("in maintenance")
    return "; ".join(told)


def _edge(edge: Edge) -> Mapping[str, Any]:
    return {"from": edge.source.name, "to": edge.target.name, "kind": str(edge.target.what), "why": str(edge.why),
            "routing_key": edge.key, "there": edge.there}  # fmt: skip


def _edges(graph: Graph, spot: Spot) -> Iterable[tuple[str, str]]:
    """What leads there, and all that follows."""
    for edge in graph.leading_to(spot):
        yield "from", f"{edge.source.what} {edge.source.name or '(default)'} by {edge.why} {edge.key}"
    for depth, edge in graph.walk(spot):
        lost = "" if edge.there else ", which does not exist: they are dropped"
        key = f" ({edge.key})" if edge.key else ""
        yield (
            "leads to",
            f"{'→ ' * (depth + 1)}{edge.target.what} {edge.target.name or '(default)'} by {edge.why}{key}{lost}",
        )


def _the(found: Iterable[Any], name: str, what: str, vhost: str = "") -> Any:  # noqa: ANN401  (one of many structs)
    one = next((each for each in found if each.name == name), None)
    if one is None:
        where = f" in the virtual host {vhost}" if vhost else ""
        raise ProblemError(Problem(Cause.ABSENT, f"There is no {what} {name}{where}", "", "`ls` tells what there is."))
    return one


def _name(what: str, one: Any) -> str:  # noqa: ANN401  (one of many structs)
    """What a pattern is held against."""
    if what == "bindings":
        return one.destination if isinstance(one.destination, str) else ""
    if what == "consumers":
        return one.queue.name if one.queue is not None else ""
    return str(one.user if what == "permissions" else one.name)


def _size(value: int | None) -> str:
    return "?" if value is None else size(value)


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else "".join(text for text, _ in cell)
