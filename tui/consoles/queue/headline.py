"""What a broker tells of itself in the first line, the line below it, and the line of what goes on. Pieces only."""

from __future__ import annotations

from collections.abc import Sequence

from tui.consoles.headline import of_tls
from tui.consoles.headparts import Part, pieces_width
from tui.consoles.queue.jobs import Job, Stage
from tui.consoles.queue.values import Facts, Node
from tui.consoles.queue.words import counted, rate
from tui.text import one_line
from tui.widgets.columns import fit
from tui.widgets.ink import Piece
from tui.widgets.signs import bar

STAGES = {
    Stage.RUNNING: ("◐", "running"), Stage.DONE: ("✓", "ready"), Stage.PARTLY: ("▲", "warn"),
    Stage.FAILED: ("✗", "failing"), Stage.CANCELLED: ("■", "stopped"),
}  # fmt: skip


def of_broker(facts: Facts) -> list[Part]:
    """Product, member, user, virtual host, TLS."""
    product = one_line(facts.product)
    parts = [Part(((f" · {product}", ""),), ((f" · {product.rpartition(' ')[2]}", ""),), 3)]
    if facts.member:
        parts.append(Part((("   on ", "dim"), (one_line(facts.member), "")), ((f"  {one_line(facts.member)}", ""),), 5))
    user, vhost = one_line(facts.user), one_line(facts.vhost)
    parts.append(Part((("   as ", "dim"), (user, "strong")), ((f"  {user}", ""),), 2))
    parts.append(Part((("   vhost ", "dim"), (vhost, "strong")), ((f"  {vhost}", ""),), 2))
    parts.append(of_tls(facts.tls))
    return parts


def warnings(facts: Facts | None, nodes: Sequence[Node], blocked: str) -> list[Piece]:
    """What is missing and what is wrong, the worst first; empty when nothing is."""
    told: list[Piece] = []

    def add(text: str, ink: str) -> None:
        told.append((f"{'   ' if told else ''}{text}", ink))

    if blocked:
        add(f"⚠ publishers are blocked: {one_line(blocked)}", "failing")
    alarms = {
        "memory": [_pod(one) for one in nodes if one.facts.mem_alarm],
        "disk": [_pod(one) for one in nodes if one.facts.disk_free_alarm],
    }
    if any(alarms.values()):
        words = "; ".join(f"{what} alarm on {', '.join(on)}" for what, on in alarms.items() if on)
        add(f"⚠ {words}: publishers wait", "failing")
    if down := [_pod(one) for one in nodes if not one.facts.running]:
        add(f"✗ {', '.join(down)} not running", "failing")
    if apart := [_pod(one) for one in nodes if one.facts.partitions]:
        add(f"⚠ partition seen by {', '.join(apart)}", "failing")
    for lack in facts.lacks if facts is not None else ():
        add(f"without {lack.half} ({one_line(lack.problem.what)}): {lack.costs}", "warn")
    return [(" ", ""), *told] if told else []


def _pod(node: Node) -> str:
    return one_line(node.facts.pod or node.facts.name)


def came(job: Job) -> tuple[str, str]:
    """What came of a job, in words, and its ink."""
    got = job.came
    if job.stage is Stage.FAILED and job.problem is not None:
        more = f", {job.unconfirmed:,} unconfirmed (there or not)" if job.unconfirmed else ""
        return f"{job.far.done:,} {job.done}{more}: {one_line(job.problem.what)}", "failing"
    if job.stage is Stage.CANCELLED:
        return f"given up, {job.far.done:,} {job.done}", "warn"
    if got is None:
        return str(job.stage), ""
    told = f"{counted(got.done, 'message')} {job.done}"
    if got.returned:
        told += f", {got.returned:,} returned: no queue took them"
    if got.rejected:
        told += f", {got.rejected:,} refused"
    if got.doubled:
        told += f", {got.doubled:,} maybe twice"
    return told, "" if job.stage is Stage.DONE else "warn"


def _waits(why: str) -> str:
    """What is waited for, in few words: an alarm's are known."""
    return one_line(why).replace("the broker takes no messages", "blocked")


def progress(job: Job, room: int) -> list[Piece]:
    """One job in a line: what gives way to how far it is."""
    sign, ink = STAGES[job.stage]
    if job.stage is not Stage.RUNNING:
        text, tone = came(job)
        told: list[Piece] = [(f": {text}", tone)]
    else:
        far = job.far
        whole = f" {far.done:,}/{far.total:,}" if far.total is not None else f" {far.done:,}"
        told = [(whole, "strong")]
        if far.total:
            told = [(" ", ""), *bar(far.done / far.total, 6), *told]
        if far.waits:
            told.append((f"  ⚠ {_waits(far.waits)}", "failing"))
        else:
            told.append((f"  {rate(job.rate)}/s", ""))
        if far.returned:
            told.append((f"  {far.returned:,} returned", "warn"))
    title: list[Piece] = [(one_line(job.title), "")]
    left_over = max(12, room - 2 - pieces_width(told))
    if pieces_width(title) > left_over:
        title = fit(tuple(title), left_over)
    return [(f"{sign} ", ink), *title, *told]


def activity(jobs: Sequence[Job], said: list[Piece], width: int) -> list[Piece]:
    """What goes on, or what came of what went on last; with the keys for it.

    Args:
        jobs: all of them.
        said: what is told where nothing ever went on.
        width: cells.
    """
    going = [one for one in jobs if one.stage is Stage.RUNNING]
    keys: list[Piece] = []
    many: list[Piece] = []
    shown: Job | None = None
    if going:
        shown = going[0]
        many = [(f"{len(going)} jobs  ", "strong")] if len(going) > 1 else []
        keys = [("X", "key"), (" cancel ", "dim"), ("f6", "key"), (" all", "dim")]
    elif jobs:
        shown = jobs[-1]
        keys = [("f6", "key"), (" all", "dim")]
    room = max(0, width - pieces_width(keys) - 2)
    left = said if shown is None else [*many, *progress(shown, room - pieces_width(many) - 1)]
    return fit(((" ", ""), *fit(tuple(left), room), *keys, (" ", "")), width)
