"""What is known of one thing, as lines to read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tui.consoles.queue.queuelist import History
from tui.consoles.queue.rows import dead_letters, exchange_name, member_of, patterns, short
from tui.consoles.queue.values import Cluster, Consumer, Node, OpenChannel, OpenConnection, Policy, User
from tui.consoles.queue.words import amount, counted, duration, rate, size, spark, use
from tui.services.queue import facts
from tui.services.queue.facts import Queue
from tui.systems.model import Workload
from tui.text import one_line, safe
from tui.widgets.ink import Cell, Piece
from tui.widgets.lines import Line

#: Cells of a fact's name.
_NAME = 15


def fact(name: str, value: Cell) -> Line:
    """A fact: its name, and it."""
    pieces: tuple[Piece, ...] = ((value, ""),) if isinstance(value, str) else value
    return Line(((f"{name:<{_NAME}} ", "dim"), *pieces), hang=_NAME + 1)


def title(text: str) -> Line:
    """What the facts are of."""
    return Line(((safe(text), "title"),), hang=2)


def heading(text: str) -> Line:
    """A part's name."""
    return Line(((text, "strong"),))


def of_queue(queue: Queue, history: History | None, bindings: Sequence[facts.Binding] | None = None,
             consumers: Sequence[Consumer] | None = None) -> list[Line]:  # fmt: skip
    """A queue; with bindings and consumers once they were asked for."""
    lines = [title(queue.name), fact("virtual host", safe(queue.vhost)), fact("type", one_line(queue.kind))]
    state = queue.state or "?"
    lines.append(fact("state", ((one_line(state), "" if state in ("running", "idle") else "failing"),)))
    flags = [word for word, so in (("durable", queue.durable), ("auto-delete", queue.auto_delete),
                                   ("exclusive", queue.exclusive)) if so]  # fmt: skip
    lines.append(fact("kept", " ".join(flags) or "transient"))
    lines += [
        fact("ready", amount(queue.messages_ready)), fact("unacknowledged", amount(queue.messages_unacknowledged)),
        fact("total", amount(queue.messages)),
    ]  # fmt: skip
    if queue.message_bytes is not None:
        lines.append(fact("bodies", size(queue.message_bytes)))
    for name, what, samples in (("in", "publish", "into"), ("out", "deliver_get", "out"), ("acknowledged", "ack", "")):
        drawn = spark(getattr(history, samples), 16) if history is not None and samples else ""
        lines.append(fact(name, ((f"{rate(queue.rate(what))}/s ", ""), (drawn, "bar"))))
    lines.append(fact("consumers", amount(queue.consumers)))
    lines.append(fact("memory", "?" if queue.memory is None else size(queue.memory)))
    lines.append(fact("leader", short(queue.at) or "?"))
    if queue.members:
        lines += _members(queue)
    lines.append(fact("policy", one_line(queue.policy or "none")))
    lines.append(fact("dead letters", dead_letters(queue) or "nowhere, unless a policy says so"))
    lines += table("Arguments", queue.arguments)
    if bindings is not None:
        lines += [Line(), heading("Bindings that lead here")]
        lines += [Line(((f"{exchange_name(one.source)} ", "accent"), (f"with {_key(one)}", "")), hang=2)
                  for one in bindings] or [Line((("none", "dim"),))]  # fmt: skip
    if consumers:
        lines += [Line(), heading("Consumers")]
        lines += [_consumer(one) for one in consumers]
    return lines


def _members(queue: Queue) -> list[Line]:
    online = set(queue.online or ())
    pieces: list[Piece] = []
    for name in queue.members or ():
        there = name in online
        pieces.append((f"{'● ' if there else '✗ '}{short(name)} ", "" if there else "failing"))
    lines = [fact("members", tuple(pieces))]
    if queue.minority:
        lines.append(fact("", (("minority: neither publishing nor consuming goes on", "failing"),)))
    return lines


def _consumer(one: Consumer) -> Line:
    how = "acknowledges" if one.acknowledges else "does not acknowledge"
    active = "" if one.active else ", waits to become the active one"
    prefetch = f", prefetch {one.prefetch}" if one.prefetch else ", no prefetch limit"
    return Line(((f"{one_line(one.tag)} ", "accent"), (f"{how}{prefetch}{active}  ", ""),
                 (one_line(one.channel), "dim")), hang=2)  # fmt: skip


def _key(binding: facts.Binding) -> str:
    key = f"key {safe(binding.routing_key)}" if binding.routing_key else "no key"
    told = ", ".join(f"{name}={value}" for name, value in binding.arguments.items())
    return f"{key}{f' ({one_line(told)})' if told else ''}"


def key_of_binding(binding: facts.Binding) -> str:
    """What a binding asks of a message."""
    return _key(binding)


def table(name: str, values: Mapping[str, Any]) -> list[Line]:
    """Arguments, a line each."""
    if not values:
        return []
    return [Line(), heading(name), *(Line(((f"{safe(key)} ", "dim"), (safe(str(value)), "")), hang=2)
                                     for key, value in sorted(values.items()))]  # fmt: skip


def of_node(node: Node, workload: Workload | None, cluster: Cluster | None) -> list[Line]:
    """A node, its pod and its claims."""
    told = node.facts
    lines = [title(told.name)]
    member = member_of(node, workload)
    lines.append(fact("runs", (("yes", "ready") if told.running else ("no", "failing"),)))
    if member is not None:
        lines.append(fact("pod", f"{member.pod}, {one_line(member.phase)}, {one_line(member.node)}"))
        lines += [
            fact("claim", f"{claim.name} {size(claim.capacity) if claim.capacity else '?'} {claim.phase}")
            for claim in member.claims
        ]
    else:
        lines.append(fact("pod", (("none of this workload's is called so", "warn"),)))
    memory = use(told.mem_used, told.mem_limit, told.mem_alarm, 10)
    lines.append(fact("memory", memory))
    lines.append(fact("", (("of the watermark, from which publishers are blocked", "dim"),)))
    lines.append(fact("disk free", "?" if told.disk_free is None else size(told.disk_free)))
    if told.disk_free_limit is not None:
        lines.append(fact("", ((f"publishers are blocked below {size(told.disk_free_limit)}", "dim"),)))
    for name, used, total in (
        ("files", told.fd_used, told.fd_total), ("sockets", told.sockets_used, told.sockets_total),
        ("processes", told.proc_used, told.proc_total),
    ):  # fmt: skip
        if total != 0:  # a server that does not count sockets says 0 of 0
            lines.append(fact(name, f"{amount(used)} of {amount(total)}"))
    lines.append(fact("uptime", duration(told.uptime / 1000 if told.uptime is not None else None)))
    lines.append(fact("version", one_line(told.version) or "?"))
    apart = ", ".join(short(one) for one in told.partitions)
    lines.append(fact("partitions", ((f"does not see {apart}", "failing"),) if apart else "none seen"))
    critical: Cell = "not known" if node.critical is None else "no"
    if node.critical:
        critical = (("yes: queues lose their majority with it", "warn"),)
    lines.append(fact("quorum-critical", critical))
    lines.append(fact("maintenance", "?" if told.being_drained is None else "yes" if told.being_drained else "no"))
    if node.note:
        lines.append(fact("not known", ((one_line(node.note), "dim"),)))
    if cluster is not None:
        lines += [Line(), *of_cluster(cluster)]
    return lines


def of_cluster(cluster: Cluster) -> list[Line]:
    """All nodes together."""
    overview = cluster.overview
    lines = [heading("Cluster"), fact("name", one_line(overview.cluster_name) or "?"),
             fact("version", one_line(overview.rabbitmq_version) or "?")]  # fmt: skip
    if overview.queue_totals is not None:
        totals = overview.queue_totals
        lines.append(fact("messages", f"{amount(totals.messages_ready)} ready, "
                                      f"{amount(totals.messages_unacknowledged)} unacknowledged"))  # fmt: skip
    if overview.object_totals is not None:
        many = overview.object_totals
        lines.append(fact("has", ", ".join(counted(count, what) for count, what in (
            (many.queues, "queue"), (many.exchanges, "exchange"), (many.connections, "connection"),
            (many.channels, "channel"), (many.consumers, "consumer"),
        ))))  # fmt: skip
    if overview.disable_stats:
        lines.append(fact("statistics", (("are disabled on the server: rates and counts are missing", "warn"),)))
    for name, well, says in cluster.checks:
        state = "well" if well else "not known" if well is None else "NOT WELL"
        told = f"{name}{f': {one_line(says)}' if says else ''}"
        ink = "" if well else "unknown" if well is None else "failing"
        lines.append(fact("check", ((f"{state}  ", ink), (told, "dim"))))
    if cluster.disabled:
        lines.append(fact("flags off", one_line(", ".join(cluster.disabled))))
    used = one_line(", ".join(cluster.deprecated))
    lines.append(fact("deprecated", ((used, "warn"),) if used else "nothing in use that is known"))
    return lines


def of_exchange(exchange: facts.Exchange) -> list[Line]:
    """An exchange."""
    flags = [word for word, so in (("durable", exchange.durable), ("auto-delete", exchange.auto_delete),
                                   ("internal", exchange.internal)) if so]  # fmt: skip
    does = {
        "direct": "to queues bound with exactly the message's key", "fanout": "to everything bound to it",
        "topic": "to what is bound with a matching key: * is a word, # is any number of them",
        "headers": "to what is bound with matching headers; x-match says all or any",
        "x-consistent-hash": "spread over what is bound, by a hash of the key",
        "x-delayed-message": "after the delay that the message asks for",
    }.get(exchange.type, "")  # fmt: skip
    lines = [title(exchange_name(exchange.name)), fact("virtual host", safe(exchange.vhost)),
             fact("type", one_line(exchange.type)), fact("kept", " ".join(flags) or "transient"),
             fact("policy", one_line(exchange.policy or "none"))]  # fmt: skip
    if not exchange.name:
        does = "to the queue that is called like the message's key"
    if does:
        lines.append(fact("leads", does))
    lines += table("Arguments", exchange.arguments)
    return [*lines, Line(), Line((("enter walks along its bindings", "dim"),))]


def of_connection(one: OpenConnection) -> list[Line]:
    """A connection."""
    lines = [title(one.label or one.name), fact("name", one_line(one.name)), fact("user", one_line(one.user)),
             fact("virtual host", safe(one.vhost)), fact("state", one_line(one.state) or "?")]  # fmt: skip
    if one.state in ("blocked", "blocking"):
        lines.append(fact("", (("the broker takes nothing from it: an alarm is on", "failing"),)))
    if one.state == "flow":
        lines.append(fact("", (("it is slowed down: it publishes faster than queues take it", "warn"),)))
    lines += [fact("channels", amount(one.channels)), fact("TLS", "yes" if one.tls else "no"),
              fact("node", one_line(one.node)), fact("client", one_line(one.product) or "?")]  # fmt: skip
    if one.since is not None:
        lines.append(fact("since", f"{one.since:%Y-%m-%d %H:%M:%S} UTC"))
    return lines


def of_channel(one: OpenChannel) -> list[Line]:
    """A channel."""
    return [
        title(one.name), fact("connection", one_line(one.connection)), fact("user", one_line(one.user)),
        fact("virtual host", safe(one.vhost)), fact("state", one_line(one.state) or "?"),
        fact("confirms", "yes" if one.confirms else "no"), fact("consumers", amount(one.consumers)),
        fact("prefetch", "no limit" if one.prefetch == 0 else amount(one.prefetch)),
        fact("unacknowledged", amount(one.unacknowledged)), fact("unconfirmed", amount(one.unconfirmed)),
    ]  # fmt: skip


def of_policy(one: Policy) -> list[Line]:
    """A policy."""
    return [title(one.place.name), fact("virtual host", safe(one.place.vhost)), fact("pattern", safe(one.pattern)),
            fact("applies to", one_line(one.applies)), fact("priority", str(one.priority)),
            *table("Definition", one.definition)]  # fmt: skip


def of_vhost(one: facts.Vhost) -> list[Line]:
    """A virtual host."""
    return [title(one.name), fact("messages", amount(one.messages)),
            fact("queues are", one_line(one.default_queue_type or "classic unless declared otherwise"))]  # fmt: skip


def of_user(one: User) -> list[Line]:
    """A user."""
    lines = [title(one.name), fact("tags", one_line(" ".join(one.tags)) or "none"), Line(), heading("Permissions")]
    for each in one.permissions:
        lines += [Line(((safe(each.vhost), "accent"),)),
                  fact("  configure", patterns(each.configure)), fact("  write", patterns(each.write)),
                  fact("  read", patterns(each.read))]  # fmt: skip
    return lines if one.permissions else [*lines, Line((("none: he gets into no virtual host", "dim"),))]


def words(lines: Iterable[str], ink: str = "dim") -> list[Line]:
    """Sentences as lines."""
    return [Line(((line, ink),)) for line in lines]
