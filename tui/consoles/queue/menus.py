"""The console's lists to choose from: all that can be done here, the connection, definitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from tui.consoles.forms import Form
from tui.consoles.menus import Item, choose, of_protection
from tui.consoles.queue import declaring, definitions, people, removing
from tui.consoles.queue.connected import certificate_fields
from tui.consoles.queue.values import OpenConnection, Place, Policy, User
from tui.screens.chooser import Choice
from tui.services.queue import facts
from tui.services.queue.model import Login
from tui.systems.queuecertificates import given
from tui.systems.queuesession import Half
from tui.text import one_line

if TYPE_CHECKING:
    from tui.consoles.queue.screen import QueueConsole


def actions(console: QueueConsole) -> None:
    """All that can be done with what is under the cursor."""
    item = console.item
    items: list[Item] = []
    if isinstance(item, facts.Queue):
        title = f"Queue {item.name}"
        items += _of_queue(console, item)
    elif isinstance(item, facts.Exchange):
        title = f"Exchange {item.name or '(default)'}"
        items += _of_exchange(console, item)
    elif isinstance(item, OpenConnection):
        title = "Connection"
        items.append((Choice("close", "Close it, with a reason", "D"), console.action_delete))
    elif isinstance(item, Policy):
        title = f"Policy {item.place.name}"
        items.append((Choice("change", "Change it", "n"), lambda: declaring.policy(console)))
        items.append((Choice("delete", "Delete it", "D"), console.action_delete))
    elif isinstance(item, facts.Vhost):
        title = f"Virtual host {item.name}"
        items.append((Choice("show", "Show its queues", "enter"), lambda: console.show_vhost(item.name)))
        items.append((Choice("delete", "Delete it with all in it", "D"), console.action_delete))
    elif isinstance(item, User):
        title = f"User {item.name}"
        items += _of_user(console, item)
    else:
        title = "Queues"
    if console.client.facts.lack(Half.AMQP) is None:
        items.append((Choice("name", "Look at a queue by its name", "also one that is not listed"),
                      console.look_by_name))  # fmt: skip
    items += [
        (Choice("queue", "New queue", "n among queues"), lambda: declaring.queue(console)),
        (Choice("exchange", "New exchange", "n among exchanges"), lambda: declaring.exchange(console)),
        (Choice("policy", "New policy", "n among policies"), lambda: declaring.policy(console)),
        (Choice("vhost", "New virtual host", "n among virtual hosts"), lambda: people.vhost(console)),
        (Choice("user", "New user", "n among users"), lambda: people.user(console)),
        (Choice("definitions", "Definitions: export, import", "f4"), console.action_definitions),
        (Choice("jobs", "Jobs", "f6"), console.action_jobs),
    ]
    choose(console, title, items)


def _of_queue(console: QueueConsole, queue: facts.Queue) -> list[Item]:
    place = Place(queue.vhost, queue.name)
    return [
        (Choice("look", "Look at messages", "enter"), console.action_look),
        (Choice("publish", "Publish", "p"), console.action_publish),
        (Choice("tail", "Tail what comes", "t"), console.action_tail),
        (Choice("move", "Move messages", "m"), console.action_move),
        (Choice("copy", "Copy messages", "c"), console.action_copy),
        (Choice("walk", "Bindings and dead letters", "B"), console.action_walk),
        (Choice("bind", "Bind it to an exchange", ""),
         lambda: declaring.bind(console, None, place, lambda: console.do(console.reload()))),
        (Choice("purge", "Purge", "P: deletes what is ready"), console.action_purge),
        (Choice("delete", "Delete", "D"), console.action_delete),
        (Choice("if-empty", "Delete if it is empty", "the broker judges"),
         lambda: console.do(removing.queue_if(console, if_empty=True))),
        (Choice("if-unused", "Delete if it has no consumer", "the broker judges"),
         lambda: console.do(removing.queue_if(console, if_unused=True))),
    ]  # fmt: skip


def _of_user(console: QueueConsole, user: User) -> list[Item]:
    items: list[Item] = [
        (Choice("change", "Change password or tags", "n"), lambda: people.user(console)),
        (Choice("may", "Say what he may in a virtual host", ""), lambda: people.permission(console, user)),
    ]
    for one in user.permissions:
        away = partial(people.take_away, console, one)
        items.append((Choice(f"not {one.vhost}", f"Take away what he may in {one.vhost}", ""),
                      lambda away=away: console.do(away())))  # type: ignore[misc] # fmt: skip
    return [*items, (Choice("delete", "Delete", "D"), console.action_delete)]


def _of_exchange(console: QueueConsole, exchange: facts.Exchange) -> list[Item]:
    place = Place(exchange.vhost, exchange.name)
    return [
        (Choice("walk", "Walk along its bindings", "enter"), console.action_walk),
        (Choice("publish", "Publish to it", "p"), console.action_publish),
        (Choice("tail", "Tail what comes through", "t"), console.action_tail),
        (Choice("bind", "Bind something to it", ""),
         lambda: declaring.bind(console, place, None, lambda: console.do(console.reload()))),
        (Choice("delete", "Delete", "D"), console.action_delete),
    ]  # fmt: skip


def connection(console: QueueConsole) -> None:
    """Who one is, the virtual host, and whether changes are taken."""
    link = console.connection
    found = link.found.logins if link.found is not None else ()
    here = link.opened.login if link.opened is not None else None
    items: list[Item] = []
    for at, login in enumerate(found):
        current = here is not None and (login.user, login.password) == (here.user, here.password)
        items.append((Choice(f"as {at}", f"Be {login.user}", login.source, current), partial(console.connect, login)))
    if here is not None:
        items += [
            (Choice(f"vhost {one.name}", f"Virtual host {one.name}", "messages go there"),
             partial(console.turn_vhost, one.name))
            for one in console.vhosts
            if one.name != here.vhost
        ]  # fmt: skip
    items += [
        (Choice("other", "Be somebody else", "typed, kept in memory only"), lambda: console.connect(as_other=True)),
        *_of_certificate(console, here or (found[0] if found else None)),
        (Choice("again", "Connect anew", link.source), console.connect),
    ]
    if link.usable:
        items += [
            (Choice(f"lack {lack.half}", f"Without {lack.half}", lack.problem.remedy or lack.problem.what),
             partial(console.tell_lack, lack))
            for lack in console.client.facts.lacks
        ]  # fmt: skip
    choose(console, "Connection", [*items, *of_protection(console)])


def _of_certificate(console: QueueConsole, login: Login | None) -> list[Item]:
    """What shows a certificate, as who one is or would be; without a login the question for one asks for it, too."""
    if login is None:
        return []

    def done(typed: Mapping[str, str]) -> None:
        shown = given(typed["certificate"], typed["its key"])
        console.call_after_refresh(lambda: console.connect(replace(login, certificate=shown)))

    def ask() -> None:
        title = f"Client's certificate of {one_line(login.user)}"
        console.app.push_screen(Form(title, certificate_fields(), done, word="connect"))

    word = "Show another client's certificate" if login.certificate is not None else "Show a client's certificate"
    return [(Choice("certificate", word, "file, or a Secret"), ask)]


def topology(console: QueueConsole) -> None:
    """Definitions out and in."""
    if console.client.facts.lack(Half.MANAGEMENT) is not None:
        console.tell("Definitions need the management API", "warn")
        return
    vhost = console.vhost
    choose(console, "Definitions", [
        (Choice("vhost", f"Export virtual host {vhost}", "queues, exchanges, bindings, policies"),
         lambda: definitions.export(console, vhost)),
        (Choice("all", "Export everything", "with users, without their password hashes"),
         lambda: definitions.export(console, "")),
        (Choice("secrets", "Export everything, with password hashes", "to a file that only you can read"),
         lambda: definitions.export(console, "", secrets=True)),
        (Choice("into", f"Import into virtual host {vhost}", "shows the difference first"),
         lambda: definitions.import_(console, vhost)),
        (Choice("import", "Import everything", "shows the difference first"),
         lambda: definitions.import_(console, "")),
    ])  # fmt: skip
