"""The queue console by its keys: lists, looking at messages, changing, sending, and what is said when it fails."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from looking import screen_text
from queue_fakes import (
    EVIL,
    FORBIDDEN,
    LOGIN,
    NODES,
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
    refused,
    turn,
    undeliverable,
    until,
    without,
)
from textual.pilot import Pilot
from textual.widgets import Input, Label

from tui.consoles.connecting import TYPED, Phase
from tui.consoles.dialogs import TextDialog
from tui.consoles.forms import Form
from tui.consoles.prompts import Prompt
from tui.consoles.queue import declaring, publishing
from tui.consoles.queue.asking import Meant
from tui.consoles.queue.definitions import ImportView
from tui.consoles.queue.filters import parse
from tui.consoles.queue.forms import Fields
from tui.consoles.queue.graph import GraphTable, GraphView
from tui.consoles.queue.jobs import Stage
from tui.consoles.queue.jobsview import JobsView
from tui.consoles.queue.message import MessageTable, MessageView
from tui.consoles.queue.messages import MessagesView
from tui.consoles.queue.panes import EXCHANGES, QUEUES
from tui.consoles.queue.panes import NODES as NODE_TAB
from tui.consoles.queue.payload import Look, looks, shown, unpacked
from tui.consoles.queue.queuelist import PAGE
from tui.consoles.queue.tailing import TailView
from tui.consoles.queue.values import Far, Permission
from tui.problem import Cause, Problem, ProblemError
from tui.screens.chooser import Chooser
from tui.screens.forwards.question import Question
from tui.services.queue import facts
from tui.services.queue.model import ClientCertificate, Lost, Properties
from tui.systems.queuesession import Half
from tui.widgets.lines import Lines, Words
from tui.widgets.notice import Notice
from tui.widgets.oneline import OneLine
from tui.widgets.rows import RowTable

WIDE = (140, 40)


async def shown_screen(pilot: Pilot[Any], kind: type[Any]) -> Any:
    await until(pilot, lambda: isinstance(pilot.app.screen, kind))
    await pilot.pause()
    return pilot.app.screen


async def fill(pilot: Pilot[Any], **typed: str) -> Fields:
    """Types into fields of a form, by their names."""
    form = await shown_screen(pilot, Fields)
    names = [entry.name for entry in form._entries]
    for name, value in typed.items():
        widget = form._widgets[names.index(name)]
        if isinstance(widget, Input):
            widget.value = value
        else:
            widget.text = value
    await pilot.pause()
    return form  # type: ignore[no-any-return]


def cells(table: RowTable, key: str) -> list[str]:
    row = next(row for row in table.rows if row.key == key)
    return [cell if isinstance(cell, str) else "".join(text for text, _ in cell) for cell in row.cells]


def line(screen: Any, id: str) -> str:
    return screen.query_one(f"#{id}", OneLine).text


def question(screen: Any) -> str:
    return " ".join(words.text for words in screen.query(Words))


# --- connecting


async def test_the_login_is_found_and_the_head_says_who_and_where() -> None:
    async with app().run_test(size=WIDE) as pilot:
        screen = await opened(pilot, full_broker())
        assert screen.access.opened == [(LOGIN, False)]
        head = line(screen, "head")
        for part in ("RabbitMQ 4.0.5", "on rabbitmq-0", "as user", "vhost /", "no TLS", "connected since"):
            assert part in head
        assert "hunter2" not in screen_text(pilot.app)


async def test_a_secret_that_may_not_be_read_is_named_and_a_login_asked_for() -> None:
    async with app().run_test(size=WIDE) as pilot:
        access = FakeAccess(full_broker(), FORBIDDEN)
        screen = console(access)
        await pilot.app.push_screen(screen)
        form = await shown_screen(pilot, Form)
        assert "get secrets/rabbitmq in namespace stateful" in question(form)
        assert form.query_one("#field-0", Input).value == "user"
        await pilot.press("tab", *"typed-pw", "enter")
        await until(pilot, lambda: access.opened)
        login, _ = access.opened[0]
        assert (login.user, login.password, login.vhost, login.source) == ("user", "typed-pw", "/", TYPED)


async def test_no_label_of_a_form_is_cut() -> None:
    async with app().run_test(size=(80, 24)) as pilot:
        await pilot.app.push_screen(console(FakeAccess(full_broker(), FORBIDDEN)))
        await shown_screen(pilot, Form)
        assert "virtual host " in screen_text(pilot.app)
    async with app().run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, full_broker())
        screen.listed.move_to("/\0orders")
        makes = [declaring.queue, declaring.exchange, declaring.policy, publishing.publish]
        makes += [lambda screen: publishing.move(screen, copy=True)]
        makes += [lambda screen: declaring.bind(screen, None, None, lambda: None)]
        for make in makes:
            make(screen)
            form = await shown_screen(pilot, Fields)
            for at, entry in enumerate(form._entries):
                label = form.query_one(f"#line-{at} Label", Label)
                if label.size:  # the others are of another type of queue
                    assert label.content_size.width >= len(entry.label), entry.label
            form.dismiss()
            await until(pilot, lambda: pilot.app.screen is screen)


async def test_a_clients_certificate_is_given_with_a_login_or_shown_as_who_one_is(tmp_path: Path) -> None:
    (tmp_path / "c.crt").write_text("CERT")
    (tmp_path / "c.key").write_text("KEY-OF-MINE")
    async with app().run_test(size=(80, 24)) as pilot:
        access = FakeAccess(full_broker(), FORBIDDEN)
        screen = console(access)
        await pilot.app.push_screen(screen)
        form = await shown_screen(pilot, Form)
        for at, value in enumerate(("user", "pw", "/", str(tmp_path / "c.crt"), str(tmp_path / "no.key"))):
            form.query_one(f"#field-{at}", Input).value = value
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: "No such file or directory" in " ".join(question(form).split()))
        form.query_one("#field-4", Input).value = str(tmp_path / "c.key")
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: access.opened)
        assert access.opened[0][0].certificate == ClientCertificate("CERT", "KEY-OF-MINE")
    async with app().run_test(size=(80, 24)) as pilot:
        screen = console(access := FakeAccess(full_broker()))
        access.problem = Problem(Cause.REJECTED, "rabbitmq-0 wants a client's certificate", "CERTIFICATE_REQUIRED", "")
        await pilot.app.push_screen(screen)
        await until(pilot, lambda: screen.connection.phase is Phase.FAILED)
        access.problem = None
        await pilot.press("f2")
        await shown_screen(pilot, Chooser)
        await pilot.press(*"certificate", "enter")
        form = await shown_screen(pilot, Form)
        assert "Client's certificate of user" in screen_text(pilot.app)
        await pilot.press(*"secret/mine", "enter")
        await until(pilot, lambda: screen.connection.phase is Phase.OPEN)
        assert access.opened[-1][0] == dataclasses.replace(LOGIN, certificate=ClientCertificate(secret="mine"))
        await pilot.press("r")
        assert "KEY-OF-MINE" not in screen_text(pilot.app)


async def test_wrong_credentials_are_told_and_r_tries_again() -> None:
    async with app().run_test() as pilot:
        access = FakeAccess(full_broker())
        access.problem = Problem(Cause.CREDENTIALS, "rabbitmq-0 does not let user in", "ACCESS_REFUSED", "Look there.")
        screen = console(access)
        await pilot.app.push_screen(screen)
        await until(pilot, lambda: screen.connection.phase is Phase.FAILED)
        await until(pilot, lambda: "does not let user in" in screen.query_one(Notice).text.title)
        access.problem = None
        await pilot.press("r")
        await until(pilot, lambda: screen.connection.phase is Phase.OPEN)


async def test_without_the_management_api_it_says_so_and_what_that_costs() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        broker.facts = without(Half.MANAGEMENT, "port 15672 is closed", "rabbitmq-plugins enable rabbitmq_management")
        screen = console(FakeAccess(broker))
        await pilot.app.push_screen(screen)
        await until(pilot, lambda: "port 15672 is closed" in line(screen, "wrong"))
        assert "no lists, no rates" in line(screen, "wrong")
        assert not broker.all("queues")
        assert "rabbitmq_management" in str(screen.query_one(Notice).text.paragraphs)


async def test_without_the_management_api_messages_are_reached_by_a_queues_name() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        broker.facts = without(Half.MANAGEMENT, "port 15672 is closed")
        screen = console(FakeAccess(broker))
        await pilot.app.push_screen(screen)
        await until(pilot, lambda: screen.connection.phase is Phase.OPEN)
        await pilot.press("x", *"by its name", "enter")
        await shown_screen(pilot, Prompt)
        await pilot.press(*"orders", "enter")
        view = await shown_screen(pilot, MessagesView)
        await until(pilot, lambda: len(view.query_one(MessageTable).rows) == 6)
        assert broker.all("take") == [("take", "orders", 50)]
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)
        await pilot.press("p")
        await fill(pilot, key="orders", body="x")
        await pilot.press("f5")
        await until(pilot, lambda: broker.all("publish"))


async def test_without_amqp_lists_stand_and_messages_cannot_be_asked_for() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        broker.facts = without(Half.AMQP, "port 5672 is closed")
        screen = await opened(pilot, broker)
        for action in ("look", "publish", "tail", "move"):
            assert not screen.check_action(action, ())
        await pilot.press("enter")
        await pilot.pause()
        assert not broker.all("take")
        assert pilot.app.screen is screen


# --- lists


async def test_queues_show_what_the_server_tells_and_a_question_mark_for_the_rest() -> None:
    async with app().run_test(size=(200, 40)) as pilot:
        screen = await opened(pilot, full_broker())
        orders = cells(screen.listed, "/\0orders")
        assert orders[:7] == ["orders", "/", "quorum", "", "1,204", "20", "1,224"]
        assert orders[7] == "12" and orders[11] == "3" and orders[13] == "3/3"
        assert orders[16] == "dlx orders"
        assert cells(screen.listed, "shop\0shop.carts")[13] == "1/3 minority"
        assert cells(screen.listed, "/\0silent")[4:8] == ["?", "?", "?", "?"]
        await until(pilot, lambda: "Bindings that lead here" in screen.facts_pane.text)
        assert "shop with key order.#" in screen.facts_pane.text
        assert "prefetch 10" in screen.facts_pane.text


async def test_pages_are_read_as_one_goes_and_never_sorted_by_the_server() -> None:
    async with app().run_test() as pilot:
        broker = many()
        screen = await opened(pilot, broker)
        assert len(screen.listed.rows) == PAGE
        assert f"{PAGE} of 20,000 read" in line(screen, "path")
        await pilot.press("end")
        await until(pilot, lambda: len(screen.listed.rows) == 2 * PAGE)
        await pilot.press("o")
        assert screen.listed.rows[0].key.endswith("00006"), "most messages first"
        await until(pilot, lambda: f"of the {2 * PAGE} read" in line(screen, "path"))


async def test_nodes_and_alarms_are_told_while_the_first_page_is_awaited_and_statistics_come_last() -> None:
    broker = many()
    broker.node_list[1] = node(1, mem_alarm=True)
    broker.pages = asyncio.Event()
    async with app().run_test(size=(140, 40)) as pilot:
        screen = console(FakeAccess(broker))
        await pilot.app.push_screen(screen)
        await until(pilot, lambda: "memory alarm on rabbitmq-1" in screen_text(pilot.app))
        assert not screen.listed.rows
        assert not broker.all("learn"), "it would keep the server from the page"
        broker.pages.set()
        await until(pilot, lambda: broker.all("learn"))
        assert len(screen.listed.rows) == 100
        assert len(broker.all("queues")) == 1


async def test_the_end_reached_while_another_page_is_read_is_read_on_from() -> None:
    async with app().run_test() as pilot:
        broker = many()
        screen = await opened(pilot, broker)
        broker.pages = asyncio.Event()
        asked = screen.run_worker(screen.load())
        await until(pilot, lambda: screen.queues is not None and screen.queues.reading)
        await pilot.press("end")
        assert screen.listed.cursor_key == screen.listed.rows[-1].key
        broker.pages.set()
        await asked.wait()
        await until(pilot, lambda: len(screen.listed.rows) == 2 * PAGE)


async def test_all_are_read_at_once_and_only_what_was_told_anew_is_drawn_anew() -> None:
    async with app().run_test() as pilot:
        broker = many()
        screen = await opened(pilot, broker)
        await pilot.press("A")
        await until(pilot, lambda: screen.queues is not None and screen.queues.whole)
        await until(pilot, lambda: len(screen.listed.rows) == 20_000)
        assert broker.all("all-queues") == [("all-queues", "", "")]
        before = screen.listed.rows
        await pilot.press("end")
        await screen.load()
        kept = [old is new for old, new in zip(before, screen.listed.rows, strict=True)]
        assert kept.count(False) == PAGE, "the page of the cursor alone"
        assert not any(kept[-PAGE:])
        await pilot.press("slash")
        screen.query_one("#filter", Input).value = "is:idle"
        await until(pilot, lambda: len(screen.listed.rows) == 6667)
        assert len(broker.all("all-queues")) == 1, "what was read is looked through"


async def test_all_that_could_not_be_read_is_told_until_it_is_tried_again() -> None:
    async with app().run_test(size=(140, 40)) as pilot:
        broker = many()
        screen = await opened(pilot, broker)
        broker.whole = ProblemError(Problem(Cause.TIMEOUT, "rabbitmq-0 did not answer in 190 s"))
        await pilot.press("A")
        await until(pilot, lambda: "did not answer in 190 s" in line(screen, "path"))
        before = len(broker.all("queues"))
        await screen.load()
        await pilot.pause()
        assert len(broker.all("queues")) > before, "a page was read since"
        assert "did not answer in 190 s" in line(screen, "path")
        broker.whole = None
        await pilot.press("A")
        await until(pilot, lambda: len(screen.listed.rows) == 20_000)
        assert "did not answer" not in line(screen, "path")


async def test_while_all_are_read_no_page_of_them_is_asked_for() -> None:
    async with app().run_test() as pilot:
        broker = many()
        screen = await opened(pilot, broker)
        assert screen.queues is not None
        screen.queues.reading = screen.queues.reading_all = True
        before = len(broker.all("queues"))
        await screen.load()
        await pilot.press("end")
        assert len(broker.all("queues")) == before
        screen.queues.reading = screen.queues.reading_all = False
        await screen.load()
        assert len(broker.all("queues")) > before


async def test_the_server_is_asked_for_a_name_once_and_not_for_each_letter_of_it() -> None:
    async with app().run_test() as pilot:
        broker = many(1000)
        screen = await opened(pilot, broker)
        await pilot.press("slash")
        for letter in "ue009":  # quickly, however busy the machine is: what is typed waits for the rest of it
            screen.query_one("#filter", Input).insert_text_at_cursor(letter)
        await pilot.press("9", "enter")
        await until(pilot, lambda: len(screen.listed.rows) == 0)
        names = [name for _, _, name, _ in broker.all("queues") if name]
        assert names[-1] == "ue0099"
        assert len(names) < 4


async def test_the_server_answers_name_and_virtual_host_and_the_rest_is_looked_for_in_all() -> None:
    async with app().run_test() as pilot:
        broker = many(1000)
        screen = await opened(pilot, broker)
        await pilot.press("slash", *"0099", "enter")
        names = ["queue-00099", *(f"queue-0099{at}" for at in range(10))]
        await until(pilot, lambda: [row.key[2:] for row in screen.listed.rows] == names)
        assert ("queues", "", "0099", 1) in broker.asked
        await pilot.press("escape")
        await until(pilot, lambda: len(screen.listed.rows) == 2 * PAGE)  # the cursor is on the last of the first page
        await pilot.press("slash", *"is:idle", "enter")
        await until(pilot, lambda: len(screen.listed.rows) == 334)
        assert broker.all("all-queues") == [("all-queues", "", "")], "in one walk of the server's, not in ten"


async def test_a_filter_that_cannot_be_is_told_and_nothing_is_asked() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        screen = await opened(pilot, broker)
        await pilot.press("slash", *"~(", "enter")
        await until(pilot, lambda: "is no regular expression" in line(screen, "path"))
        assert not [one for one in broker.all("queues") if one[2] == "("]


@pytest.mark.parametrize(("typed", "names"), [
    ("is:growing", ["growing", "orders"]), ("is:minority", ["shop.carts"]), ("vhost:shop", ["shop.carts"]),
    ("type:stream", ["events"]), ("is:idle vhost:/", ["orders.dead"]), ("or dead", []),
])  # fmt: skip
async def test_filters(typed: str, names: list[str]) -> None:
    async with app().run_test() as pilot:
        screen = await opened(pilot, full_broker())
        await pilot.press("slash")
        screen.query_one("#filter", Input).value = typed
        await until(pilot, lambda: sorted(row.key.partition("\0")[2] for row in screen.listed.rows) == names)


def test_words_of_a_filter() -> None:
    found = parse("part vhost:a is:empty type:quorum")
    assert (found.name, found.regex, found.vhost, found.type, found.states) == (
        "part", False, "a", "quorum", frozenset({"empty"})
    )  # fmt: skip
    assert parse("~^o").regex
    with pytest.raises(ProblemError):
        parse("is:nonsense")


async def test_a_node_its_pod_and_its_claim_stand_in_one_line_with_alarms_in_words() -> None:
    async with app().run_test(size=(200, 40)) as pilot:
        broker = full_broker()
        broker.node_list = [node(0, mem_used=390 * 2**20, mem_alarm=True, critical=True),
                            node(1, partitions=[NODES[2]]),
                            node(2, running=False, mem_used=None, uptime=None)]  # fmt: skip
        screen = await opened(pilot, broker)
        await until(pilot, lambda: "memory alarm on rabbitmq-0: publishers wait" in line(screen, "wrong"))
        assert "rabbitmq-2 not running" in line(screen, "wrong")
        assert "partition seen by rabbitmq-1" in line(screen, "wrong")
        await turn(pilot, screen, "2")
        first = " ".join(cells(screen.listed, NODES[0]))
        for part in ("rabbitmq-0", "390Mi/400Mi ALARM", "data-rabbitmq-0 1Gi", "31%", "45/20,000", "3h 7m", "4.0.5",
                     "quorum-critical"):  # fmt: skip
            assert part in first
        assert "does not see rabbitmq-2" in " ".join(cells(screen.listed, NODES[1]))
        assert "?" in cells(screen.listed, NODES[2])[2]
        await until(pilot, lambda: "publishers are blocked below 48Mi" in screen.facts_pane.text)


async def test_tabs_of_the_rest() -> None:
    async with app().run_test(size=WIDE) as pilot:
        screen = await opened(pilot, full_broker())
        await turn(pilot, screen, "4")
        assert "⚠ blocked" in " ".join(cells(screen.listed, "10.1.0.7:51244 -> 10.1.0.9:5672"))
        await turn(pilot, screen, "5")
        assert "no limit" in screen_text(pilot.app)
        await turn(pilot, screen, "6")
        assert "max-length=10000" in screen_text(pilot.app)
        await turn(pilot, screen, "8")
        assert "nothing anywhere" in screen_text(pilot.app)
        await turn(pilot, screen, "7")
        screen.listed.move_to("shop")
        await pilot.press("enter")
        await until(
            pilot, lambda: screen.tab == QUEUES and [row.key for row in screen.listed.rows] == ["shop\0shop.carts"]
        )


async def test_one_list_that_is_refused_does_not_take_the_others_along() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        screen = await opened(pilot, broker)

        async def users() -> Any:
            raise ProblemError(Problem(Cause.CREDENTIALS, "The management API does not let user in", "not_authorized"))

        broker.users = users  # type: ignore[method-assign]
        await pilot.press("8")
        await until(pilot, lambda: "does not let user in" in screen.query_one(Notice).text.title)
        assert screen.connection.phase is Phase.OPEN
        await pilot.press("1")
        await until(pilot, lambda: "1,204" in screen_text(pilot.app))


async def test_a_broker_that_does_not_answer_any_more_is_told_and_what_was_read_stays() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        screen = await opened(pilot, broker)
        broker.problem = ProblemError(Problem(Cause.UNREACHABLE, "Pod rabbitmq-0 was deleted"))
        await pilot.press("r")
        await until(pilot, lambda: screen.connection.phase is Phase.LOST)
        await until(pilot, lambda: "Pod rabbitmq-0 was deleted" in line(screen, "wrong"))
        assert "1,204" in screen_text(pilot.app)
        broker.problem = None
        await pilot.press("r")
        await until(pilot, lambda: screen.connection.phase is Phase.OPEN)


async def test_hostile_names_are_shown_and_not_interpreted() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        broker.stored = [queue(EVIL)]
        await opened(pilot, broker)
        text = screen_text(pilot.app)
        assert "\x1b" not in text and "\u202e" not in text
        assert "a␛[31mred" in text and "[b]x[/b]" in text


# --- messages


async def look(pilot: Pilot[Any], screen: Any, name: str = "orders") -> MessagesView:
    screen.listed.move_to(f"/\0{name}")
    await pilot.press("enter")
    view = await shown_screen(pilot, MessagesView)
    await until(pilot, lambda: view.query_one(MessageTable).rows)
    return view  # type: ignore[no-any-return]


async def test_a_look_acknowledges_nothing_and_gives_all_back() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        screen = await opened(pilot, broker)
        view = await look(pilot, screen)
        assert "6 unacknowledged with us" in line(view, "head")
        told = view.query_one("#told", Words).text
        assert "go back when you leave, marked as redelivered" in told and "delivery limit" in told
        assert "6 unacknowledged messages go back" in screen.unfinished
        await pilot.press("escape")
        await until(pilot, lambda: broker.all("back") == [("back", "orders", 6)])
        assert not broker.all("settle") and not screen.unfinished
        assert len(broker.messages["orders"]) == 6


async def test_only_what_was_chosen_is_acknowledged_and_only_after_a_yes() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        screen = await opened(pilot, broker)
        view = await look(pilot, screen)
        await pilot.press("space", "space", "a")
        held = await shown_screen(pilot, Meant)
        assert "acknowledges 2 messages of orders: they are gone" in question(held)
        await pilot.press("escape")
        assert not broker.all("settle")
        await pilot.press("a")
        await shown_screen(pilot, Meant)
        await pilot.press("y")
        await until(pilot, lambda: broker.all("settle"))
        assert broker.all("settle")[0][1] == "acknowledge" and len(broker.all("settle")[0][2]) == 2
        await until(pilot, lambda: "4 unacknowledged" in line(view, "head"))
        assert len(broker.messages["orders"]) == 4


async def test_reject_says_where_they_go_and_put_back_does_not_ask() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        screen = await opened(pilot, broker)
        await look(pilot, screen)
        await pilot.press("R")
        held = await shown_screen(pilot, Meant)
        assert "they go to the dead letter exchange dlx" in question(held)
        await pilot.press("escape", "u")
        await until(pilot, lambda: broker.all("settle"))
        assert broker.all("settle")[0][1] == "requeue"


async def test_messages_that_went_back_without_us_are_told() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        screen = await opened(pilot, broker)
        view = await look(pilot, screen)
        broker.held[0].problem = Problem(Cause.UNREACHABLE, "3 went back to orders", "Pod rabbitmq-0 was deleted")
        words = "✗ 3 went back to orders: Pod rabbitmq-0 was deleted"
        await until(pilot, lambda: words in view.query_one("#told", Words).text)


async def test_a_queue_that_is_gone_is_told_in_the_look() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        await opened(pilot, broker)

        async def take(*_: Any) -> Any:
            raise refused(404, "NOT_FOUND - no queue 'orders' in vhost '/'")

        broker.take = take  # type: ignore[method-assign]
        await pilot.press("enter")
        view = await shown_screen(pilot, MessagesView)
        await until(pilot, lambda: "no queue 'orders'" in view.query_one("#told", Words).text)


async def test_one_message_whole_in_several_ways_and_saved(tmp_path: Path) -> None:
    async with app().run_test(size=WIDE) as pilot:
        screen = await opened(pilot, full_broker())
        await look(pilot, screen)
        await pilot.press("enter")
        view = await shown_screen(pilot, MessageView)
        text = view.query_one(Lines)
        assert '"total": 1.10' in text.text and "as JSON" in text.text, "numbers stay as they are written"
        await pilot.press("m", "m")
        assert "as hex" in text.text and "7b 22 69 64" in text.text
        await pilot.press("s")
        await shown_screen(pilot, Prompt)
        path = tmp_path / "body"
        pilot.app.screen.query_one(Input).value = str(path)
        await pilot.press("enter")
        await until(pilot, path.exists)
        assert path.read_bytes().startswith(b'{"id": 1')
        await pilot.press("s")
        await shown_screen(pilot, Prompt)
        pilot.app.screen.query_one(Input).value = str(path)
        await pilot.press("enter")
        await until(pilot, lambda: "It was not saved" in question(pilot.app.screen))


def test_bodies() -> None:
    assert looks(b'{"a": 1}')[0] is Look.JSON
    assert looks(b"\x83\xa2id\x07\xa1a\x01\xa1b\x02")[0] is Look.MSGPACK
    assert looks(bytes(range(256)))[0] is Look.HEX
    assert looks(b"text")[0] is Look.TEXT
    assert '"id": 7' in shown(b"\x81\xa2id\x07", Look.MSGPACK)
    packed = message(gzip.compress(b"x" * 50_000_000), properties=Properties(content_encoding="gzip"))
    body, told = unpacked(packed)
    assert len(body) == 1 << 20 and "the first MiB" in told
    broken = message(b"no gzip", properties=Properties(content_encoding="gzip"))
    assert unpacked(broken) == (b"no gzip", "says gzip, and is none")


async def test_a_message_of_100_mib_with_65535_headers_opens_at_once() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        headers = {f"h{at}": "x" * 10 for at in range(65_535)}
        broker.messages["orders"] = [message(b"\x1b[31m" * (20 << 20), properties=Properties(headers=headers))]
        screen = await opened(pilot, broker)
        await look(pilot, screen)
        await pilot.press("enter")
        view = await shown_screen(pilot, MessageView)
        text = view.query_one(Lines)
        assert "65,035 more" in text.text and "there is more: s saves all of it" in text.text
        assert "\x1b" not in screen_text(pilot.app)


async def test_a_stream_is_read_from_an_offset_page_by_page_and_never_taken() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        screen = await opened(pilot, broker)
        screen.listed.move_to("/\0events")
        await pilot.press("enter")
        await fill(pilot, offset="10")
        await pilot.press("f5")
        view = await shown_screen(pilot, MessagesView)
        await until(pilot, lambda: len(view.query_one(MessageTable).rows) == 50)
        assert broker.all("browse") == [("browse", "events", 10)]
        assert not view.check_action("settle", ("acknowledge",))
        await pilot.press("plus")
        await until(pilot, lambda: broker.all("browse")[-1] == ("browse", "events", 60))
        assert not broker.all("take")


async def test_tail_shows_what_comes_holds_still_and_tells_its_end() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        screen = await opened(pilot, broker)
        screen.listed.move_to("/\0orders")
        await pilot.press("t")
        view = await shown_screen(pilot, TailView)
        await until(pilot, lambda: broker.all("tail") == [("tail", "", "#", "orders")])
        broker.tails.put_nowait([message(b"one", "k"), message(EVIL.encode(), "k")])
        table = view.query_one(MessageTable)
        await until(pilot, lambda: len(table.rows) == 2)
        await pilot.press("space")
        broker.tails.put_nowait([message(b"three", "k")])
        await until(pilot, lambda: "3 messages came" in line(view, "head") and "held" in line(view, "head"))
        assert len(table.rows) == 2
        await pilot.press("space")
        await until(pilot, lambda: len(table.rows) == 3)
        broker.tails.put_nowait(
            Lost(Problem(Cause.UNREACHABLE, "The broker closed the connection", "CONNECTION_FORCED"))
        )
        await until(pilot, lambda: "CONNECTION_FORCED" in view.query_one("#told", Words).text)


# --- sending


async def test_publish_with_headers_many_and_progress_and_cancel() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        broker.gate, broker.before = (
            asyncio.Event(),
            Far(250, 1000, waits="the broker takes no messages: low on memory"),
        )
        screen = await opened(pilot, broker)
        screen.listed.move_to("/\0orders")
        await pilot.press("p")
        form = await fill(pilot, body="no {n}", headers="{broken", count="1000", rate="50")
        await pilot.press("f5")
        assert "that is no JSON object" in form.query_one("#said", Words).text
        await fill(pilot, headers='{"tenant": "a"}')
        await pilot.press("f5")
        await until(pilot, lambda: broker.all("publish"))
        wish = broker.all("publish")[0][1]
        assert (wish.vhost, wish.exchange, wish.routing_key, wish.body) == ("/", "", "orders", b"no {n}")
        assert (wish.count, wish.rate, wish.template) == (1000, 50.0, True)
        assert wish.properties.headers == {"tenant": "a"} and wish.properties.delivery_mode == 2
        await until(
            pilot, lambda: "250/1,000" in line(screen, "activity") and "low on memory" in line(screen, "activity")
        )
        await pilot.press("q")
        assert "publish 1,000 messages to orders stops" in question(await shown_screen(pilot, Question))
        await pilot.press("escape", "X")
        await until(pilot, lambda: "given up, 250 published" in line(screen, "activity"))


async def test_publish_a_file_byte_for_byte_and_what_no_queue_took(tmp_path: Path) -> None:
    async with app().run_test(size=WIDE) as pilot:
        path = tmp_path / "body.json"
        path.write_bytes(b"\x00\x01{")
        broker = full_broker()
        broker.came = undeliverable()
        screen = await opened(pilot, broker)
        await pilot.press("p")
        await fill(pilot, key="nowhere", file=str(path))
        await pilot.press("f5")
        await until(pilot, lambda: screen.jobs.all() and screen.jobs.all()[0].stage is Stage.PARTLY)
        assert broker.all("publish")[0][1].body == b"\x00\x01{"
        assert broker.all("publish")[0][1].properties.content_type == "application/json"
        await until(pilot, lambda: "1 returned: no queue took them" in line(screen, "activity"))
        await pilot.press("f6")
        await shown_screen(pilot, JobsView)
        await pilot.press("enter")
        dialog = await shown_screen(pilot, TextDialog)
        assert "returned (NO_ROUTE): key nowhere, lost" in dialog.query_one(Lines).text


async def test_a_publication_whose_connection_goes_says_how_many_have_no_answer() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        broker.before = Far(10, 20)
        broker.came = Lost(Problem(Cause.UNREACHABLE, "Pod rabbitmq-0 was deleted"), 7)
        screen = await opened(pilot, broker)
        await pilot.press("p")
        await fill(pilot, body="x")
        await pilot.press("f5")
        await until(
            pilot,
            lambda: (
                "10 published, 7 unconfirmed (there or not): Pod rabbitmq-0 was deleted" in line(screen, "activity")
            ),
        )


async def test_publish_is_for_the_queue_under_the_cursor_while_a_filters_answer_is_on_its_way() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        screen = await opened(pilot, broker)
        screen.listed.move_to("/\0growing")
        broker.pages = asyncio.Event()
        await pilot.press("slash", *"orders", "enter")
        await until(pilot, lambda: broker.asked[-1] == ("queues", "", "orders", 1))
        assert screen.queues is not None and not screen.queues.begun
        assert screen.listed.cursor_key == "/\0growing", "it is still shown"
        await pilot.press("p")
        form = await shown_screen(pilot, Fields)
        assert form.typed["key"] == "growing"
        broker.pages.set()


async def test_move_asks_with_the_count_and_copy_does_not() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        screen = await opened(pilot, broker)
        screen.listed.move_to("/\0orders")
        await pilot.press("m")
        form = await fill(pilot, key="orders")
        await pilot.press("f5")
        assert "That is where they are" in form.query_one("#said", Words).text
        await fill(pilot, key="orders.dead")
        await pilot.press("f5")
        held = await shown_screen(pilot, Meant)
        assert "moves 1,204 messages from orders to orders.dead" in question(held)
        assert "none is lost" in question(held)
        await pilot.press("y")
        await until(pilot, lambda: broker.all("move"))
        wish = broker.all("move")[0][1]
        assert (wish.source.name, wish.routing_key, wish.count, wish.copy) == ("orders", "orders.dead", 1204, False)
        await pilot.press("c")
        await fill(pilot, key="orders.dead", count="5")
        await pilot.press("f5")
        await until(pilot, lambda: len(broker.all("move")) == 2)
        assert broker.all("move")[1][1].copy and broker.all("move")[1][1].count == 5


async def test_a_move_to_another_broker_looks_there_first_and_says_where_they_went() -> None:
    async with app().run_test(size=(80, 24)) as pilot:
        broker = full_broker()
        broker.other_brokers = {"sealed": "shop/rabbitmq/sealed", "tests/other": "tests/rabbitmq/other"}
        screen = await opened(pilot, broker)
        screen.listed.move_to("/\0orders")
        await pilot.press("m")
        form = await fill(pilot, key="orders", workload="elsewhere")
        await pilot.press("f5")
        assert "There is no broker elsewhere in this context" in form.query_one("#said", Words).text
        assert "rabbitmq, sealed, tests/other" in form.query_one("#said", Words).text
        await fill(pilot, workload="sealed")
        shown = [one.name for at, one in enumerate(form._entries) if form.query_one(f"#line-{at}").display]
        assert shown == ["exchange", "key", "far", "workload", "count"], "its virtual hosts are not those of here"
        broker.out_of_reach = ProblemError(Problem(
            Cause.CREDENTIALS, "No login to sealed was found", "Secret shop/sealed: forbidden", "get secrets/sealed"
        ))  # fmt: skip
        await pilot.press("f5")
        dialog = await shown_screen(pilot, TextDialog)
        for part in (
            "Nothing was moved to orders of sealed",
            "No login to sealed was found",
            "Secret shop/sealed: forbidden",
            "get secrets/sealed",
        ):
            assert part in dialog.query_one(Lines).text
        assert not broker.all("move")
        await pilot.press("escape")
        broker.out_of_reach, broker.before = None, Far(1204, 1204)
        await pilot.press("m")
        await fill(pilot, key="orders", workload="sealed")  # where they are called alike
        await pilot.press("f5")
        held = await shown_screen(pilot, Meant)
        assert "moves 1,204 messages from orders to orders of sealed" in question(held)
        assert not broker.all("move")
        await pilot.press("y")
        await until(pilot, lambda: broker.all("move"))
        wish = broker.all("move")[0][1]
        assert (wish.workload, wish.vhost, wish.routing_key) == ("shop/rabbitmq/sealed", "", "orders")
        await until(pilot, lambda: "1,204 messages moved to orders of sealed" in line(screen, "activity"))


async def test_a_copy_into_another_virtual_host_and_none_is_offered_where_there_is_no_other_broker() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        screen = await opened(pilot, broker)
        screen.listed.move_to("/\0orders")
        await pilot.press("c")
        form = await fill(pilot, key="orders", vhost="shop", count="5")
        names = [entry.name for entry in form._entries]
        assert not form.query_one(f"#line-{names.index('workload')}").display
        assert form._entries[names.index("vhost")].offers == ("/", "shop")
        await pilot.press("f5")
        await until(pilot, lambda: broker.all("move"))
        assert broker.all("reach")[0][1] == broker.all("move")[0][1]
        assert (broker.all("move")[0][1].vhost, broker.all("move")[0][1].workload) == ("shop", "")
        await until(pilot, lambda: "copied to orders in virtual host shop" in line(screen, "activity"))


# --- making and destroying


async def test_declare_checks_what_each_type_takes_and_shows_the_servers_words() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        screen = await opened(pilot, broker)
        await pilot.press("n")
        form = await fill(pilot, name="new", type="quorum", **{"x-delivery-limit": "many"})
        names = [entry.name for entry in form._entries]
        assert not form.query_one(f"#line-{names.index('x-max-age')}").display, "a quorum queue has no age"
        await pilot.press("f5")
        assert "delivery limit: “many” is no whole number" in form.query_one("#said", Words).text
        await fill(pilot, **{"x-delivery-limit": "5", "x-max-length": "1,000", "x-dead-letter-exchange": "(default)",
                             "x-dead-letter-routing-key": "new.dead"})  # fmt: skip
        await pilot.press("f5")
        await until(pilot, lambda: broker.all("declare"))
        wish = broker.all("declare")[0][1]
        assert dict(wish.arguments) == {
            "x-queue-type": "quorum", "x-delivery-limit": 5, "x-max-length": 1000, "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": "new.dead",
        }  # fmt: skip
        await until(pilot, lambda: screen.listed.cursor_key == "/\0new")
        await pilot.press("n")
        await fill(pilot, name="orders", type="classic")
        await pilot.press("f5")
        dialog = await shown_screen(pilot, TextDialog)
        assert "received 'classic' but current is 'quorum'" in dialog.query_one(Lines).text


async def test_delete_and_purge_have_the_number_of_messages_of_now_in_their_question() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        screen = await opened(pilot, broker)
        screen.listed.move_to("/\0orders")
        broker.stored[0] = queue("orders", 1300, unacked=4, consumers=3)
        await pilot.press("P")
        held = await shown_screen(pilot, Meant)
        assert "deletes the 1,300 messages that are ready in orders" in question(held)
        await pilot.press("enter")
        await pilot.pause()
        assert not broker.all("purge"), "enter is no yes"
        await pilot.press("escape", "D")
        held = await shown_screen(pilot, Meant)
        assert "it holds 1,304 messages, 4 of them with consumers" in question(held)
        assert "3 consumers lose it" in question(held)
        await pilot.press("y")
        await until(pilot, lambda: broker.all("delete") == [("delete", "orders", False, False)])
        await until(pilot, lambda: "/\0orders" not in [row.key for row in screen.listed.rows])


async def test_in_a_protected_context_the_name_is_typed_and_read_only_refuses() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        screen = await opened(pilot, broker, protected=True)
        assert screen.access.opened[0][1] is True, "read-only until it is opened"
        for key in ("n", "p", "m", "D", "P"):
            await pilot.press(key)
            await pilot.pause()
            assert pilot.app.screen is screen
        screen.guard.opened = True
        screen.listed.move_to("/\0orders")
        await pilot.press("D")
        held = await shown_screen(pilot, Meant)
        await pilot.press("y")
        assert not broker.all("delete")
        held.query_one(Input).value = "orders"
        await pilot.press("enter")
        await until(pilot, lambda: broker.all("delete"))


async def test_walking_from_an_exchange_to_a_queue_to_its_dead_letters_and_back() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        screen = await opened(pilot, broker)
        await turn(pilot, screen, "3")
        assert screen.tab == EXCHANGES
        screen.listed.move_to("/\0shop")
        await pilot.press("enter")
        view = await shown_screen(pilot, GraphView)
        table = view.query_one(GraphTable)
        await until(pilot, lambda: len(table.rows) == 3)
        assert cells(table, "0") == ["→ leads to", "orders", "queue", "key order.#"]
        assert cells(table, "2")[:2] == ["→ what is left", "unrouted"] and "there is none" in cells(table, "2")[3]
        await pilot.press("enter")
        await until(pilot, lambda: "dead letters" in str(table.rows[-1].cells))
        assert cells(table, "2") == ["→ dead letters", "dlx", "exchange", "key orders"]
        await pilot.press("end", "enter")
        await until(pilot, lambda: "exchange dlx" in line(view, "head") and len(table.rows) == 2)
        await pilot.press("backspace")
        await until(pilot, lambda: len(table.rows) == 3)
        await pilot.press("n")
        await fill(pilot, source="amq.topic", key="more")
        await pilot.press("f5")
        await until(pilot, lambda: broker.all("bind") == [("bind", "amq.topic", "orders", "queue", "more")])
        await until(pilot, lambda: len(table.rows) == 4)
        await pilot.press("home", "down", "D")
        await shown_screen(pilot, Meant)
        await pilot.press("y")
        await until(pilot, lambda: broker.all("unbind") == [("unbind", "shop", "orders")])


async def test_a_connection_is_closed_with_a_reason_after_a_question() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        screen = await opened(pilot, broker)
        await turn(pilot, screen, "4")
        screen.listed.move_to("10.1.0.7:51244 -> 10.1.0.9:5672")
        await pilot.press("D")
        await shown_screen(pilot, Form)
        await pilot.press(*"maintenance", "enter")
        held = await shown_screen(pilot, Meant)
        assert "closes billing of user billing with 2 channels" in question(held)
        await pilot.press("y")
        await until(pilot, lambda: broker.all("close-connection") == [
            ("close-connection", "10.1.0.7:51244 -> 10.1.0.9:5672", "maintenance")])  # fmt: skip


async def test_a_policy_is_made_and_deleted() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        screen = await opened(pilot, broker)
        await turn(pilot, screen, "6")
        await pilot.press("n")
        form = await fill(pilot, name="ttl", definition="[]")
        await pilot.press("f5")
        assert "that is no JSON object" in form.query_one("#said", Words).text
        await fill(pilot, definition='{"message-ttl": 60000}', priority="-1")
        await pilot.press("f5")
        await until(pilot, lambda: broker.all("policy"))
        assert broker.all("policy")[0][1].priority == -1
        await until(pilot, lambda: screen.listed.cursor_key == "/\0ttl")
        await pilot.press("D")
        await shown_screen(pilot, Meant)
        await pilot.press("y")
        await until(pilot, lambda: broker.all("delete-policy") == [("delete-policy", "ttl")])


async def typed(pilot: Pilot[Any], form: Form, *values: str) -> None:
    """Fills a small form from above, and does it."""
    for at, value in enumerate(values):
        form.query_one(f"#field-{at}", Input).value = value
    await pilot.pause()  # what is typed is told once
    await pilot.press("enter")


async def test_a_user_is_made_and_changed_and_may_something() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        screen = await opened(pilot, broker)
        await turn(pilot, screen, "8")
        await pilot.press("n")
        form = await shown_screen(pilot, Form)
        await typed(pilot, form, "ann", "", "")
        assert "A new user needs a password" in form.query_one("#keys", Words).text
        assert not broker.all("user"), "it would be one whom nobody can log in as"
        await typed(pilot, form, "ann", "p-1", "monitoring, management")
        await until(pilot, lambda: broker.all("user") == [("user", "ann", "p-1", ("monitoring", "management"))])
        await until(pilot, lambda: screen.listed.cursor_key == "ann")
        assert "p-1" not in screen_text(pilot.app)
        await pilot.press("n")
        await typed(pilot, await shown_screen(pilot, Form), "ann", "", "policymaker")
        await until(pilot, lambda: broker.all("user")[1:] == [("user", "ann", None, ("policymaker",))])
        await pilot.press("x", "down", "enter")
        await typed(pilot, await shown_screen(pilot, Form), "shop", "", "^a", ".*")
        await until(pilot, lambda: broker.all("permission"))
        assert broker.all("permission")[0][1] == Permission("ann", "shop", "", "^a", ".*")
        await pilot.press("D")
        await shown_screen(pilot, Meant)
        assert not broker.all("delete-user")
        await pilot.press("y")
        await until(pilot, lambda: broker.all("delete-user") == [("delete-user", "ann")])


async def test_a_virtual_host_goes_only_once_its_name_is_typed() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        screen = await opened(pilot, broker)
        await turn(pilot, screen, "7")
        await pilot.press("n")
        await typed(pilot, await shown_screen(pilot, Form), "new", "quorum")
        await until(pilot, lambda: broker.all("permission"))
        assert broker.all("vhost") == [("vhost", "new", "quorum")]
        assert broker.all("permission")[0][1] == Permission("user", "new", ".*", ".*", ".*")
        await until(pilot, lambda: screen.listed.cursor_key == "new")
        screen.listed.move_to("shop")
        await pilot.press("D")
        meant = await shown_screen(pilot, Meant)
        assert "with 1 queue and 3 messages" in screen_text(pilot.app)
        await pilot.press("y", "enter")
        assert pilot.app.screen is meant
        assert not broker.all("delete-vhost")
        await pilot.press("backspace", *"shop", "enter")
        await until(pilot, lambda: broker.all("delete-vhost") == [("delete-vhost", "shop")])


# --- definitions


async def test_definitions_out_without_secrets_and_in_with_a_preview(tmp_path: Path) -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        broker.defined = {"queues": [{"vhost": "/", "name": "a"}], "users": [{"name": "u"}]}
        screen = await opened(pilot, broker)
        await pilot.press("f4", *"everything", "enter")
        await shown_screen(pilot, Prompt)
        path = tmp_path / "out.json"
        pilot.app.screen.query_one(Input).value = str(path)
        await pilot.press("enter")
        await until(pilot, path.exists)
        await until(pilot, path.read_text)
        assert json.loads(path.read_text()) == broker.defined and path.stat().st_mode & 0o777 == 0o600
        assert broker.all("definitions")[0] == ("definitions", "", False)
        path.write_text(json.dumps({"queues": [{"vhost": "/", "name": "a"}, {"vhost": "/", "name": "b"}]}))
        await pilot.press("f4", *"import ev", "enter")
        await shown_screen(pilot, Prompt)
        pilot.app.screen.query_one(Input).value = str(path)
        await pilot.press("enter")
        view = await shown_screen(pilot, ImportView)
        assert "1 added" in line(view, "head") and "+ queue /: b" in view.query_one(Lines).text
        assert not broker.all("import")
        await pilot.press("f5")
        held = await shown_screen(pilot, Meant)
        assert "makes 1 thing and changes 0" in question(held)
        await pilot.press("y")
        await until(pilot, lambda: broker.all("import"))
        await until(pilot, lambda: pilot.app.screen is screen)


# --- around it


async def test_m_opens_it_from_a_broker_and_is_not_there_elsewhere() -> None:
    async with app().run_test(size=WIDE) as pilot:
        await until(pilot, lambda: "rabbitmq" in screen_text(pilot.app))
        host: Any = pilot.app
        ports = {"rabbitmq": {"amqp": 5672}, "mysql": {"sql": 3306}}
        host.live.catalogue.systems = {name: SimpleNamespace(ports=each, sql=None) for name, each in ports.items()}
        host.live.forwards = host.live.forwards or object()
        assert host._queue_for("stateful/mysql/mysql") is None
        names = [choice.text for choice in host.console_choices()]
        assert [name for name in names if name.startswith("Queue console")] == ["Queue console of rabbitmq"]


async def test_leaving_asks_while_something_goes_on_and_ends_the_connection() -> None:
    async with app().run_test(size=WIDE) as pilot:
        broker = full_broker()
        broker.gate = asyncio.Event()
        screen = await opened(pilot, broker)
        await pilot.press("p")
        await fill(pilot, body="x")
        await pilot.press("f5")
        await until(pilot, lambda: screen.jobs.running)
        await pilot.press("escape")
        await shown_screen(pilot, Question)
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen is not screen and broker.closed)


async def test_nothing_is_repainted_while_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    from looking import repaints, still  # noqa: PLC0415

    async with app().run_test(size=WIDE) as pilot:
        screen = await opened(pilot, full_broker())
        await until(pilot, lambda: "Bindings" in screen.facts_pane.text)
        await screen.load()
        for _ in range(30):  # the sparklines' history is full
            await screen.load()
        await still(pilot.app, pilot)
        asked = repaints(monkeypatch, RowTable) + repaints(monkeypatch, Lines) + repaints(monkeypatch, OneLine)
        await screen.load()
        await pilot.pause(0.2)
        assert asked == []


@pytest.mark.parametrize("key", [str(at) for at in range(1, 9)])
async def test_sixty_by_fifteen(key: str) -> None:
    async with app().run_test(size=(60, 15)) as pilot:
        screen = await opened(pilot, full_broker())
        await pilot.press(key)
        await until(pilot, lambda: screen.tab == int(key) - 1)
        await pilot.press("i", "x")
        await pilot.pause()
        assert screen_text(pilot.app)


async def test_the_tab_of_nodes_is_the_second() -> None:
    assert NODE_TAB == 1 and facts.Node("rabbit@a.b").pod == "a"


async def test_a_broker_without_queues() -> None:
    async with app().run_test() as pilot:
        await opened(pilot, FakeBroker())
        assert "no queues: n declares one" in screen_text(pilot.app)
