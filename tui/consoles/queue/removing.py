"""What the console destroys. Each question says what goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tui.consoles.forms import Field, Form
from tui.consoles.queue.details import key_of_binding
from tui.consoles.queue.rows import exchange_name
from tui.consoles.queue.values import OpenConnection, Place, Policy
from tui.consoles.queue.words import counted
from tui.services.queue import facts
from tui.text import one_line, safe

if TYPE_CHECKING:
    from tui.consoles.queue.browsing import BrowsingScreen
    from tui.services.queue.facts import Queue


def messages(queue: Queue) -> str:
    """How many a queue holds, in words."""
    if queue.messages is None:
        return "the server does not tell how many messages it holds"
    held = queue.messages_unacknowledged or 0
    with_consumers = f", {held:,} of them with consumers" if held else ""
    return f"it holds {counted(queue.messages, 'message')}{with_consumers}"


async def queue(console: BrowsingScreen) -> None:
    """Deletes the queue under the cursor."""
    under = console.queue
    if under is None or not console.may_change():
        return
    place = Place(under.vhost, under.name)
    now = (await console.client.queue(place)).queue  # the list may be five seconds old
    does = [f"deletes queue {safe(now.name)} of virtual host {safe(now.vhost)}", messages(now)]
    if now.consumers:
        does.append(f"{counted(now.consumers, 'consumer')} lose{'s' if now.consumers == 1 else ''} it")
    if not await console.confirm(console.guard.held(f"Delete {now.name}?", tuple(does), "delete", now.name)):
        return
    await console.client.delete_queue(place, if_empty=False, if_unused=False)
    console.tell(f"Queue {now.name} deleted", "ready")
    await console.reload()


async def queue_if(console: BrowsingScreen, *, if_empty: bool = False, if_unused: bool = False) -> None:
    """Deletes the queue under the cursor, unless it holds messages, or unless it has consumers: the broker judges."""
    under = console.queue
    if under is None or not console.may_change():
        return
    condition = "if it is empty" if if_empty else "if it has no consumer"
    does = (f"deletes queue {safe(under.name)} of virtual host {safe(under.vhost)}, {condition}", messages(under))
    if not await console.confirm(console.guard.held(f"Delete {under.name}?", does, "delete", under.name)):
        return
    await console.client.delete_queue(Place(under.vhost, under.name), if_empty=if_empty, if_unused=if_unused)
    console.tell(f"Queue {under.name} deleted", "ready")
    await console.reload()


async def purge(console: BrowsingScreen) -> None:
    """Deletes the messages that are ready in the queue under the cursor."""
    under = console.queue
    if under is None or not console.may_change():
        return
    place = Place(under.vhost, under.name)
    now = (await console.client.queue(place)).queue
    ready = "all messages that are ready (the server does not tell how many)"
    if now.messages_ready is not None:
        ready = f"the {counted(now.messages_ready, 'message')} that {'is' if now.messages_ready == 1 else 'are'} ready"
    does = [f"deletes {ready} in {safe(now.name)}, virtual host {safe(now.vhost)}", "they are not dead-lettered"]
    if now.messages_unacknowledged:
        does.append(f"{counted(now.messages_unacknowledged, 'message')} with consumers: untouched")
    if not await console.confirm(console.guard.held(f"Purge {now.name}?", tuple(does), "purge", now.name)):
        return
    await console.client.purge_queue(place)
    console.tell(f"Queue {now.name} purged", "ready")
    await console.reload()


async def exchange(console: BrowsingScreen) -> None:
    """Deletes the exchange under the cursor."""
    under = console.item
    if not isinstance(under, facts.Exchange) or not console.may_change():
        return
    if not under.name or under.name.startswith("amq."):
        console.tell("It is the broker's own and cannot be deleted", "warn")
        return
    found = [one for one in await console.client.bindings(under.vhost) if under.name in (one.source, one.destination)
             and (one.source == under.name or one.destination_type == "exchange")]  # fmt: skip
    does = (f"deletes exchange {safe(under.name)} of virtual host {safe(under.vhost)}",
            f"with {counted(len(found), 'binding')}; publishing to it is an error from then on")  # fmt: skip
    if not await console.confirm(console.guard.held(f"Delete {under.name}?", does, "delete", under.name)):
        return
    await console.client.delete_exchange(Place(under.vhost, under.name), if_unused=False)
    console.tell(f"Exchange {under.name} deleted", "ready")
    await console.reload()


async def binding(console: BrowsingScreen, one: facts.Binding) -> bool:
    """Ends a binding; whether it was done."""
    if not console.may_change():
        return False
    if not one.source:
        console.tell("Each queue is bound to the default exchange; that cannot be ended", "warn")
        return False
    does = (f"{exchange_name(one.source)} leads no more to {one_line(one.destination_type)} {safe(one.destination)}"
            f" with {key_of_binding(one)}",)  # fmt: skip
    if not await console.confirm(console.guard.held("Unbind?", does, "unbind", one.destination)):
        return False
    await console.client.unbind(one)
    console.tell(f"{one.destination} is no more bound to {one.source}", "ready")
    return True


async def policy(console: BrowsingScreen) -> None:
    """Deletes the policy under the cursor."""
    under = console.item
    if not isinstance(under, Policy) or not console.may_change():
        return
    does = (f"deletes policy {safe(under.place.name)} of virtual host {safe(under.place.vhost)}",
            f"what matches {safe(under.pattern)} gets the next policy that matches, or none")  # fmt: skip
    if not await console.confirm(console.guard.held(f"Delete {under.place.name}?", does, "delete", under.place.name)):
        return
    await console.client.delete_policy(under.place)
    console.tell(f"Policy {under.place.name} deleted", "ready")
    await console.reload()


def connection(console: BrowsingScreen) -> None:
    """Closes the connection under the cursor, with a reason."""
    under = console.item
    if not isinstance(under, OpenConnection) or not console.may_change():
        return

    def done(typed: Mapping[str, str]) -> None:
        console.do(_close(console, under, typed["reason"].strip() or "closed by an operator"))

    form = Form(f"Close {one_line(under.label or under.name)}",
                [Field("reason", hint="the client and the broker's log are told it")], done, word="go on")  # fmt: skip
    console.app.push_screen(form)


async def _close(console: BrowsingScreen, under: OpenConnection, reason: str) -> None:
    channels = counted(under.channels, "channel") if under.channels is not None else "its channels"
    does = (f"closes {one_line(under.label or under.name)} of user {one_line(under.user)} with {channels}",
            "what it has unacknowledged goes back to the queues; most clients connect anew")  # fmt: skip
    if not await console.confirm(console.guard.held("Close it?", does, "close", under.user)):
        return
    await console.client.close_connection(under.name, reason)
    console.tell(f"{under.label or under.name} was closed", "ready")
    await console.reload()
