"""Pictures of the queue console in every state, at the sizes that people have. Look at them before you accept them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from looking import still
from queue_fakes import (
    EVIL,
    FORBIDDEN,
    NODES,
    SIZES,
    FakeAccess,
    FakeBroker,
    app,
    console,
    full_broker,
    many,
    message,
    node,
    opened,
    queue,
    turn,
    undeliverable,
    until,
    without,
)
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from tui.consoles.connecting import Phase
from tui.consoles.forms import Form
from tui.consoles.queue.asking import Meant
from tui.consoles.queue.definitions import ImportView
from tui.consoles.queue.forms import Fields
from tui.consoles.queue.graph import GraphTable, GraphView
from tui.consoles.queue.jobsview import JobsView
from tui.consoles.queue.message import MessageTable, MessageView
from tui.consoles.queue.messages import MessagesView
from tui.consoles.queue.tailing import TailView
from tui.consoles.queue.values import Far
from tui.problem import Cause, Problem, ProblemError
from tui.screens.chooser import Chooser
from tui.screens.forwards.question import Question
from tui.services.queue.definitions import Change, Difference
from tui.services.queue.model import Lost
from tui.systems.queuesession import Half

Show = Callable[[Pilot[Any]], Awaitable[None]]
LOST = ProblemError(Problem(Cause.UNREACHABLE, "Pod rabbitmq-0 was deleted", "the API server: deleted at 12:03:07"))


async def shown(pilot: Pilot[Any], kind: type[Any]) -> Any:
    await until(pilot, lambda: isinstance(pilot.app.screen, kind))
    await pilot.pause()
    return pilot.app.screen


async def connecting(pilot: Pilot[Any]) -> None:
    access = FakeAccess(full_broker())
    access.gate = asyncio.Event()
    await pilot.app.push_screen(console(access))
    await until(pilot, lambda: access.opened)


async def asked(pilot: Pilot[Any]) -> None:
    await pilot.app.push_screen(console(FakeAccess(full_broker(), FORBIDDEN)))
    await shown(pilot, Form)


async def failed(pilot: Pilot[Any]) -> None:
    access = FakeAccess(full_broker())
    access.problem = Problem(
        Cause.CREDENTIALS, "rabbitmq-0 does not let user in", "ACCESS_REFUSED - Login was refused",
        "The password came from Secret stateful/rabbitmq; the broker's own one may have been changed since.",
    )  # fmt: skip
    screen = console(access)
    await pilot.app.push_screen(screen)
    await until(pilot, lambda: screen.connection.phase is Phase.FAILED)


async def empty(pilot: Pilot[Any]) -> None:
    await opened(pilot, FakeBroker())


async def queues(pilot: Pilot[Any]) -> None:
    screen = await opened(pilot, full_broker())
    screen.listed.move_to("/\0orders")
    if screen.has_class("-wide"):
        await until(pilot, lambda: "Bindings" in screen.facts_pane.text)


async def sorted_(pilot: Pilot[Any]) -> None:
    await opened(pilot, many())
    await pilot.press("o")


async def filtering(pilot: Pilot[Any]) -> None:
    screen = await opened(pilot, full_broker())
    await pilot.press("slash", *"is:growing")
    await until(pilot, lambda: len(screen.listed.rows) == 2)


async def wrong_filter(pilot: Pilot[Any]) -> None:
    await opened(pilot, full_broker())
    await pilot.press("slash", *"is:x", "enter")


async def facts(pilot: Pilot[Any]) -> None:
    screen = await opened(pilot, full_broker())
    screen.listed.move_to("/\0orders")
    await pilot.press("i")
    await until(pilot, lambda: "Consumers" in screen.facts_pane.text)


async def hostile(pilot: Pilot[Any]) -> None:
    broker = full_broker()
    broker.stored = [queue(EVIL, policy=EVIL), queue("q" * 255)]
    await opened(pilot, broker)


async def lost(pilot: Pilot[Any]) -> None:
    broker = full_broker()
    screen = await opened(pilot, broker)
    broker.problem = LOST
    await pilot.press("r")
    await until(pilot, lambda: screen.connection.phase is Phase.LOST)


async def no_management(pilot: Pilot[Any]) -> None:
    broker = full_broker()
    why = "`rabbitmq-plugins enable rabbitmq_management` on the nodes, or their enabled_plugins, opens it."
    broker.facts = without(Half.MANAGEMENT, "port 15672 is closed", why)
    screen = console(FakeAccess(broker))
    await pilot.app.push_screen(screen)
    await until(pilot, lambda: screen.connection.phase is Phase.OPEN)


async def locked(pilot: Pilot[Any]) -> None:
    await opened(pilot, full_broker(), locked=True)


async def alarms(pilot: Pilot[Any]) -> None:
    broker = full_broker()
    broker.waits = "low on memory"
    broker.node_list = [
        node(0, mem_used=390 * 2**20, mem_alarm=True, critical=True),
        node(1, partitions=[NODES[2]], being_drained=True),
        node(2, running=False, mem_used=None, uptime=None, disk_free=None, fd_used=None, applications=[]),
    ]  # fmt: skip
    screen = await opened(pilot, broker)
    await turn(pilot, screen, "2")
    await until(pilot, lambda: screen.cluster is not None)


def tab(key: str) -> Show:
    async def show(pilot: Pilot[Any]) -> None:
        screen = await opened(pilot, full_broker())
        await turn(pilot, screen, key)
        await until(pilot, lambda: key != "2" or screen.cluster is not None)

    return show


async def refused_tab(pilot: Pilot[Any]) -> None:
    broker = full_broker()
    screen = await opened(pilot, broker)

    async def users() -> Any:
        raise ProblemError(Problem(Cause.CREDENTIALS, "The management API does not let user in", "not_authorized",
                                   "The user also needs the tag `administrator`."))  # fmt: skip

    broker.users = users  # type: ignore[method-assign]
    await pilot.press("8")
    await until(pilot, lambda: 7 in screen.problems)


async def messages(pilot: Pilot[Any]) -> Any:
    screen = await opened(pilot, full_broker())
    screen.listed.move_to("/\0orders")
    await pilot.press("enter")
    view = await shown(pilot, MessagesView)
    await until(pilot, lambda: view.query_one(MessageTable).rows)
    await pilot.press("space")
    return view


async def no_messages(pilot: Pilot[Any]) -> None:
    broker = full_broker()
    broker.messages = {}
    screen = await opened(pilot, broker)
    screen.listed.move_to("/\0growing")
    await pilot.press("enter")
    view = await shown(pilot, MessagesView)
    await until(pilot, lambda: not view._busy)


async def acknowledge(pilot: Pilot[Any]) -> None:
    await messages(pilot)
    await pilot.press("a")
    await shown(pilot, Meant)


def whole(at: int) -> Show:
    async def show(pilot: Pilot[Any]) -> None:
        await messages(pilot)
        pilot.app.screen.query_one(MessageTable).move_to(str(at))
        await pilot.press("enter")
        await shown(pilot, MessageView)

    return show


async def stream(pilot: Pilot[Any]) -> None:
    screen = await opened(pilot, full_broker())
    screen.listed.move_to("/\0events")
    await pilot.press("enter")
    await shown(pilot, Fields)
    await pilot.press("f5")
    view = await shown(pilot, MessagesView)
    await until(pilot, lambda: view.query_one(MessageTable).rows)


async def tail(pilot: Pilot[Any]) -> None:
    broker = full_broker()
    screen = await opened(pilot, broker)
    screen.listed.move_to("/\0orders")
    await pilot.press("t")
    view = await shown(pilot, TailView)
    broker.tails.put_nowait([message(b'{"id": 7}', "order.new"), message(EVIL.encode(), "order.odd")])
    await until(pilot, lambda: len(view.query_one(MessageTable).rows) == 2)
    broker.tails.put_nowait(Lost(Problem(Cause.UNREACHABLE, "The broker closed the connection", "CONNECTION_FORCED")))
    await until(pilot, lambda: view._problem)


async def publish(pilot: Pilot[Any]) -> None:
    screen = await opened(pilot, full_broker())
    screen.listed.move_to("/\0orders")
    await pilot.press("p")
    form = await shown(pilot, Fields)
    form.query_one(TextArea).text = '{"id": {n}}'
    form.query_one("#entry-6", Input).value = "{"
    form.query_one("#entry-5", Input).focus()
    await pilot.press("f5")


async def declare(pilot: Pilot[Any]) -> None:
    await opened(pilot, full_broker())
    await pilot.press("n")
    form = await shown(pilot, Fields)
    await pilot.press(*"orders.new", "tab", "tab")
    assert form._here == 2


def running(far: Far, came: Any = None, view: bool = False) -> Show:
    async def show(pilot: Pilot[Any]) -> None:
        broker = full_broker()
        broker.before, broker.came = far, came
        broker.gate = None if came is not None else asyncio.Event()
        screen = await opened(pilot, broker)
        screen.listed.move_to("/\0orders")
        await pilot.press("p")
        await shown(pilot, Fields)
        await pilot.press("f5")
        await until(pilot, screen.jobs.all)
        await until(pilot, lambda: screen.jobs.all()[0].far == far if came is None else not screen.jobs.running)
        await screen._tick()  # what the screen does twice a second
        if view:
            await pilot.press("f6")
            await shown(pilot, JobsView)

    return show


async def quitting(pilot: Pilot[Any]) -> None:
    await messages(pilot)
    await pilot.press("ctrl+q")
    await shown(pilot, Question)


async def delete(pilot: Pilot[Any]) -> None:
    screen = await opened(pilot, full_broker())
    screen.listed.move_to("/\0orders")
    await pilot.press("D")
    await shown(pilot, Meant)


async def delete_protected(pilot: Pilot[Any]) -> None:
    screen = await opened(pilot, full_broker(), protected=True, opened=True)
    screen.listed.move_to("/\0orders")
    await pilot.press("P")
    await shown(pilot, Meant)


async def graph(pilot: Pilot[Any]) -> None:
    screen = await opened(pilot, full_broker())
    await turn(pilot, screen, "3")
    screen.listed.move_to("/\0shop")
    await pilot.press("enter")
    view = await shown(pilot, GraphView)
    table = view.query_one(GraphTable)
    await until(pilot, lambda: len(table.rows) == 3)
    await pilot.press("enter")
    await until(pilot, lambda: "dead letters" in str(table.rows[-1].cells))


async def import_(pilot: Pilot[Any]) -> None:
    screen = await opened(pilot, full_broker())
    found = [
        Difference("queues", "/: orders.new", Change.ADDED), Difference("queues", "/: same", Change.SAME),
        Difference("policies", "/: limits", Change.CHANGED, (("priority", "5", "7"),)),
        Difference("queues", "/: orders", Change.REFUSED, (("durable", "true", "false"),)),
        Difference("users", "nobody", Change.HERE),
    ]  # fmt: skip
    await pilot.app.push_screen(ImportView(screen, {}, "/", "definitions.json", found))


async def actions(pilot: Pilot[Any]) -> None:
    screen = await opened(pilot, full_broker())
    screen.listed.move_to("/\0orders")
    await pilot.press("x")
    await shown(pilot, Chooser)


async def login(pilot: Pilot[Any]) -> None:
    await opened(pilot, full_broker())
    await pilot.press("f2")
    await shown(pilot, Chooser)


async def help_(pilot: Pilot[Any]) -> None:
    await opened(pilot, full_broker())
    await pilot.press("question_mark")


BLOCKED = Far(250, 1000, waits="the broker takes no messages: low on memory")
STATES: dict[str, Show] = {
    "connecting": connecting, "asked": asked, "failed": failed, "empty": empty, "queues": queues, "sorted": sorted_,
    "filtering": filtering, "wrong-filter": wrong_filter, "facts": facts, "hostile": hostile, "lost": lost,
    "no-management": no_management, "locked": locked, "alarms": alarms, "nodes": tab("2"), "exchanges": tab("3"),
    "connections": tab("4"), "channels": tab("5"), "policies": tab("6"), "vhosts": tab("7"), "users": tab("8"),
    "refused-tab": refused_tab, "messages": messages, "no-messages": no_messages, "acknowledge": acknowledge,
    "message-json": whole(0), "message-headers": whole(1), "message-hex": whole(2), "message-packed": whole(3),
    "stream": stream, "tail": tail, "publish": publish, "declare": declare, "publishing": running(Far(250, 1000)),
    "blocked": running(BLOCKED), "returned": running(Far(2, 3, 1), undeliverable()),
    "publish-failed": running(Far(10, 20), Lost(LOST.problem, 7)), "jobs": running(BLOCKED, view=True),
    "quitting": quitting, "delete": delete, "protected": delete_protected, "graph": graph, "import": import_,
    "actions": actions, "login": login, "help": help_,
}  # fmt: skip


def picture(snap_compare: Any, state: str, size: tuple[int, int], **more: Any) -> bool:
    async def before(pilot: Pilot[Any]) -> None:
        await STATES[state](pilot)
        await pilot.pause(0.3)  # bindings are asked for once the cursor rests
        await still(pilot.app, pilot)

    return bool(snap_compare(app(**more), terminal_size=size, run_before=before))


@pytest.fixture(autouse=True)
def same_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither how long a picture took, nor the rate of a job, is in it."""
    monkeypatch.setattr("tui.consoles.queue.browsing.EACH", 3600.0)
    monkeypatch.setattr("tui.consoles.queue.jobs._EACH", 3600.0)


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "140x40"])
@pytest.mark.parametrize("state", list(STATES))
def test_states(snap_compare: Any, state: str, size: tuple[int, int]) -> None:
    assert picture(snap_compare, state, size)


@pytest.mark.parametrize(
    "state", ["queues", "alarms", "messages", "publish", "declare", "publishing", "delete", "graph"]
)
def test_small(snap_compare: Any, state: str) -> None:
    assert picture(snap_compare, state, (60, 15))


@pytest.mark.parametrize("theme", ["light", "colour-blind", "terminal"])
def test_themes(snap_compare: Any, theme: str) -> None:
    assert picture(snap_compare, "queues", (80, 24), theme=theme)


def test_no_color(snap_compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert picture(snap_compare, "alarms", (80, 24))
