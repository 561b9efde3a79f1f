"""The console's lists: their columns, and what they show as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tui.consoles.queue.queuelist import History, Seen, key_of
from tui.consoles.queue.values import Node, OpenChannel, OpenConnection, Policy, User
from tui.consoles.queue.words import amount, duration, rate, size, spark, use
from tui.services.queue import facts
from tui.services.queue.facts import Queue
from tui.systems.model import Member, Workload
from tui.text import one_line, safe
from tui.widgets.columns import Column
from tui.widgets.ink import Cell, Piece
from tui.widgets.row import Row
from tui.widgets.signs import use as claim_use

QUEUES = (
    Column("name", "QUEUE", min_width=14, grow=3),
    Column("vhost", "VHOST", min_width=5, max_width=14, priority=4, cut=True),
    Column("type", "TYPE", min_width=7, priority=5),
    Column("state", "STATE", min_width=6, priority=6, optional=True),
    Column("ready", "READY", min_width=5, align="right"),
    Column("unacked", "UNACK", min_width=5, align="right"),
    Column("total", "TOTAL", min_width=5, align="right", priority=8),
    Column("in", "IN/S", min_width=4, align="right", priority=2),
    Column("into", "", min_width=8, priority=9),
    Column("out", "OUT/S", min_width=5, align="right", priority=2),
    Column("outof", "", min_width=8, priority=10),
    Column("consumers", "CONS", min_width=4, align="right", priority=1),
    Column("memory", "MEM", min_width=5, align="right", priority=10),
    Column("online", "ONLINE", min_width=6, priority=3),
    Column("leader", "LEADER", min_width=8, priority=7, cut=True, keep="end"),
    Column("policy", "POLICY", min_width=6, priority=11, optional=True, cut=True),
    Column("dead", "DEAD LETTERS TO", min_width=8, priority=12, optional=True, cut=True),
)
NODES = (
    Column("pod", "POD", min_width=10, grow=1),
    Column("role", "RUNS", min_width=6),
    Column("memory", "MEMORY OF WATERMARK", min_width=12),
    Column("disk", "DISK FREE", min_width=9, priority=3),
    Column("claim", "CLAIM", min_width=8, priority=5, cut=True),
    Column("use", "USED", min_width=6, priority=7, optional=True),
    Column("fds", "FDS", min_width=5, align="right", priority=6),
    Column("uptime", "UPTIME", min_width=6, align="right", priority=1),
    Column("version", "VERSION", min_width=5, priority=4),
    Column("told", "REMARKS", min_width=8, priority=2, optional=True, cut=True),
)
EXCHANGES = (
    Column("name", "EXCHANGE", min_width=16, grow=2),
    Column("vhost", "VHOST", min_width=3, max_width=16, priority=2, cut=True),
    Column("type", "TYPE", min_width=7),
    Column("flags", "FLAGS", min_width=6, priority=1),
    Column("policy", "POLICY", min_width=6, priority=3, optional=True, cut=True),
    Column("arguments", "ARGUMENTS", min_width=9, priority=4, optional=True, cut=True),
)
CONNECTIONS = (
    Column("name", "CONNECTION", min_width=16, grow=2),
    Column("user", "USER", min_width=6, max_width=20, cut=True),
    Column("vhost", "VHOST", min_width=3, max_width=14, priority=4, cut=True),
    Column("state", "STATE", min_width=8),
    Column("channels", "CHANNELS", min_width=8, align="right", priority=3),
    Column("in", "FROM/S", min_width=6, align="right", priority=5),
    Column("out", "TO/S", min_width=5, align="right", priority=5),
    Column("tls", "TLS", min_width=3, priority=6),
    Column("node", "NODE", min_width=8, priority=2, cut=True, keep="end"),
    Column("product", "CLIENT", min_width=8, priority=7, optional=True, cut=True),
)
CHANNELS = (
    Column("name", "CHANNEL", min_width=16, grow=2),
    Column("user", "USER", min_width=6, max_width=20, cut=True, priority=2),
    Column("vhost", "VHOST", min_width=3, max_width=14, priority=4, cut=True),
    Column("state", "STATE", min_width=7),
    Column("mode", "MODE", min_width=4, priority=5),
    Column("consumers", "CONS", min_width=4, align="right"),
    Column("prefetch", "PREFETCH", min_width=8, align="right", priority=3),
    Column("unacked", "UNACK", min_width=5, align="right"),
    Column("unconfirmed", "UNCONF", min_width=6, align="right", priority=6),
)
POLICIES = (
    Column("name", "POLICY", min_width=10, grow=1),
    Column("vhost", "VHOST", min_width=3, max_width=14, priority=2, cut=True),
    Column("pattern", "PATTERN", min_width=8, cut=True),
    Column("applies", "APPLIES TO", min_width=8, priority=1),
    Column("priority", "PRIORITY", min_width=4, align="right", priority=3),
    Column("definition", "DEFINITION", min_width=12, grow=2, cut=True),
)
VHOSTS = (
    Column("name", "VIRTUAL HOST", min_width=14, grow=1),
    Column("messages", "MESSAGES", min_width=8, align="right"),
    Column("type", "DEFAULT QUEUE TYPE", min_width=8, priority=1),
)
USERS = (
    Column("name", "USER", min_width=12, grow=1),
    Column("tags", "TAGS", min_width=8, cut=True),
    Column("permissions", "MAY: CONFIGURE · WRITE · READ", min_width=24, grow=2, cut=True),
)


def short(name: str) -> str:
    """A node's name without what all share: `rabbit@rabbitmq-0.rabbitmq-headless…` → `rabbitmq-0`."""
    return one_line(name.partition("@")[2].partition(".")[0] or name)


def queue_row(queue: Queue, history: History | None) -> Row:
    """A queue as a row."""
    state = queue.state or ""
    shown: Cell = "" if state in ("running", "") else ((one_line(state), "dim" if state == "idle" else "failing"),)
    online: Cell = ""
    if queue.members:
        told = f"{len(queue.online or ())}/{len(queue.members)}"
        online = ((f"{told} minority", "failing"),) if queue.minority else told
        if not queue.minority and len(queue.online or ()) < len(queue.members):
            online = ((told, "warn"),)
    into = spark(history.into, 8) if history is not None else ""
    out = spark(history.out, 8) if history is not None else ""
    ready: Cell = amount(queue.messages_ready)
    cells: tuple[Cell, ...] = (
        safe(queue.name), safe(queue.vhost), one_line(queue.kind), shown, ready,
        amount(queue.messages_unacknowledged), amount(queue.messages), rate(queue.rate("publish")), ((into, "bar"),),
        rate(queue.rate("deliver_get")), ((out, "bar"),), amount(queue.consumers),
        "?" if queue.memory is None else size(queue.memory), online, short(queue.at),
        one_line(queue.policy or ""), dead_letters(queue),
    )  # fmt: skip
    return Row(key_of(queue), cells)


def dead_letters(queue: Queue) -> str:
    """Where rejected and expired messages go, by its arguments; empty for nowhere, or where a policy says it."""
    exchange = queue.arguments.get("x-dead-letter-exchange")
    if exchange is None:
        return ""
    key = str(queue.arguments.get("x-dead-letter-routing-key", "") or "")
    name = safe(str(exchange)) or "(default)"
    return f"{name} {safe(key)}".strip()


def node_row(node: Node, workload: Workload | None) -> Row:
    """A node with its pod and its claim as a row."""
    told = node.facts
    member = member_of(node, workload)
    pod = member.pod if member is not None else told.pod or told.name
    runs: Cell = (("● yes", "ready"),) if told.running else (("✗ no", "failing"),)
    disk: Cell = "?" if told.disk_free is None else size(told.disk_free)
    if told.disk_free_alarm:
        disk = ((f"{disk} ALARM", "failing"),)
    claims = member.claims if member is not None else ()
    files = "?" if told.fd_used is None else f"{told.fd_used:,}/{size_of_count(told.fd_total)}"
    cells: tuple[Cell, ...] = (
        one_line(pod), runs, use(told.mem_used, told.mem_limit, told.mem_alarm), disk,
        f"{claims[0].name} {size(claims[0].capacity or 0)}" if claims else "",
        claim_use(claims[0]) if claims else "", files,
        duration(told.uptime / 1000 if told.uptime is not None else None),
        one_line(told.version), remarks(node),
    )  # fmt: skip
    return Row(told.name, cells)


def size_of_count(count: int | None) -> str:
    """A limit in few cells: `1,024`, `1.0M`."""
    if count is None:
        return "?"
    return f"{count / 1e6:.1f}M" if count >= 1_000_000 else f"{count:,}"


def member_of(node: Node, workload: Workload | None) -> Member | None:
    """The workload's member that a node runs in."""
    members = workload.members if workload is not None else ()
    return next((one for one in members if one.pod == node.facts.pod), None)


def remarks(node: Node) -> tuple[Piece, ...]:
    """What wants attention."""
    told: list[Piece] = []

    def add(text: str, ink: str) -> None:
        told.append((f"{', ' if told else ''}{text}", ink))

    if node.facts.partitions:
        add(f"does not see {', '.join(short(one) for one in node.facts.partitions)}", "failing")
    if node.critical:
        add("quorum-critical", "warn")
    if node.facts.being_drained:
        add("maintenance", "warn")
    if node.note:
        add(one_line(node.note), "dim")
    return tuple(told)


def exchange_key(exchange: facts.Exchange) -> str:
    """An exchange's key among all."""
    return f"{exchange.vhost}\0{exchange.name}"


def exchange_name(name: str) -> str:
    """The default exchange has no name."""
    return safe(name) or "(default)"


def exchange_row(exchange: facts.Exchange) -> Row:
    """An exchange as a row."""
    flags = [
        word
        for word, is_so in (
            ("durable", exchange.durable), ("auto-delete", exchange.auto_delete), ("internal", exchange.internal)
        )
        if is_so
    ]  # fmt: skip
    ink = "dim" if exchange.name.startswith("amq.") or not exchange.name else ""
    cells: tuple[Cell, ...] = (
        exchange_name(exchange.name), safe(exchange.vhost), one_line(exchange.type), " ".join(flags),
        one_line(exchange.policy or ""), table_text(exchange.arguments),
    )  # fmt: skip
    return Row(exchange_key(exchange), cells, ink)


def table_text(table: Mapping[str, object]) -> str:
    """Arguments in a line."""
    return one_line(", ".join(f"{key}={value}" for key, value in table.items()))


def connection_row(one: OpenConnection) -> Row:
    """A connection as a row."""
    blocked = one.state in ("blocked", "blocking", "flow")
    into, out = one.rates
    cells: tuple[Cell, ...] = (
        one_line(one.label or one.name), one_line(one.user), safe(one.vhost),
        ((f"⚠ {one_line(one.state)}" if blocked else one_line(one.state), "failing" if blocked else ""),),
        amount(one.channels), "?" if into is None else size(into), "?" if out is None else size(out),
        "yes" if one.tls else "no", short(one.node), one_line(one.product),
    )  # fmt: skip
    return Row(one.name, cells)


def channel_row(one: OpenChannel) -> Row:
    """A channel as a row."""
    state: Cell = ((one_line(one.state), "warn"),) if one.state == "flow" else one_line(one.state)
    cells: tuple[Cell, ...] = (
        one_line(one.name), one_line(one.user), safe(one.vhost), state, "C" if one.confirms else "",
        amount(one.consumers), "no limit" if one.prefetch == 0 else amount(one.prefetch), amount(one.unacknowledged),
        amount(one.unconfirmed),
    )  # fmt: skip
    return Row(one.name, cells)


def policy_row(one: Policy) -> Row:
    """A policy as a row."""
    cells: tuple[Cell, ...] = (
        safe(one.place.name), safe(one.place.vhost), safe(one.pattern), one_line(one.applies), str(one.priority),
        table_text(one.definition),
    )  # fmt: skip
    return Row(one.place.key, cells)


def vhost_row(one: facts.Vhost) -> Row:
    """A virtual host as a row."""
    return Row(one.name, (safe(one.name), amount(one.messages), one_line(one.default_queue_type or "classic")))


def user_row(one: User) -> Row:
    """A user as a row."""
    ink = "dim" if not one.permissions else ""
    first = one.permissions[0] if one.permissions else None
    told = "nothing anywhere"
    if first is not None:
        more = f"  and {len(one.permissions) - 1} more" if len(one.permissions) > 1 else ""
        told = f"{safe(first.vhost)}: {patterns(first.configure, first.write, first.read)}{more}"
    return Row(one.name, (safe(one.name), one_line(" ".join(one.tags)) or "none", told), ink)


def patterns(*of: str) -> str:
    """What somebody may do, as the patterns that names must match; an empty one allows nothing."""
    return " · ".join(safe(one) or "nothing" for one in of)


def rows_of(queues: Sequence[Seen]) -> list[Row]:
    """Queues as rows; one that was not told anew keeps the row that it had."""
    for one in queues:
        if one.row is None:
            one.row = queue_row(one.queue, one.history)
    return [one.row for one in queues if one.row is not None]
