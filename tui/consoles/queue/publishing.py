"""The forms that send messages: publish, move and copy, a stream's offset."""

from __future__ import annotations

import datetime as dt
import mimetypes
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tui.consoles.queue.client import ERRORS, problem_of
from tui.consoles.queue.forms import Entry, Fields, Typed
from tui.consoles.queue.messages import MessagesView
from tui.consoles.queue.values import Move, Place, Publication
from tui.consoles.queue.words import counted
from tui.problem import ProblemError
from tui.services.queue import facts
from tui.services.queue.arguments import table, whole, wrong
from tui.services.queue.model import Properties

if TYPE_CHECKING:
    from tui.consoles.queue.browsing import BrowsingScreen

#: A file that is larger is no message: from 4.0 on the server takes 16 MiB, older ones 128 MiB.
LARGEST = 128 << 20


def publish(console: BrowsingScreen) -> None:
    """Publishes to what is under the cursor."""
    if not console.may_change():
        return
    queue, item = console.queue, console.item
    exchange = item.name if isinstance(item, facts.Exchange) else ""
    vhost = console.vhost
    entries = [
        Entry("exchange", "exchange", "Empty for the default one, which leads to the queue of the key.", exchange),
        Entry("key", "routing key", "With the default exchange a queue's name. At most 255 bytes.",
              queue.name if queue is not None else ""),
        Entry("body", "payload", "What the message holds; f5 publishes.", text=True),
        Entry("file", "or a file", "The payload is its content, byte for byte."),
        Entry("type", "content type", "What the payload is.", "text/plain",
              ("text/plain", "application/json", "application/octet-stream", "")),
        Entry("mode", "delivery", "persistent messages of a durable queue survive a restart.", "persistent",
              ("persistent", "transient")),
        Entry("headers", "headers", 'A JSON object: {"tenant": "a", "retries": 3}'),
        Entry("count", "how many", "How many messages. With more than one, {n} in payload and key becomes the number "
                "of the "
              "message, from 1.", "1"),
        Entry("rate", "per second", "At most so many messages a second; empty for as fast as the broker confirms."),
        Entry("priority", "priority", "0 to 255, for queues with priorities."),
        Entry("expiration", "expires after", "Milliseconds."),
        Entry("correlation", "correlation id", ""),
        Entry("reply", "reply to", ""),
        Entry("id", "message id", ""),
        Entry("kind", "type", "What the application calls this kind of message."),
    ]  # fmt: skip

    def done(typed: Typed) -> None:
        body, guessed = _body(typed)
        priority = whole("priority", typed["priority"]) if typed["priority"].strip() else None
        if priority is not None and priority > 255:
            raise wrong(f"priority: {priority} is above 255")
        if typed["mode"] not in ("persistent", "transient"):
            raise wrong("delivery: persistent or transient")
        if len(typed["key"].encode()) > 255:
            raise wrong("The routing key has more than 255 bytes")
        expires = str(whole("expires after", typed["expiration"])) if typed["expiration"].strip() else ""
        properties = Properties(
            content_type=typed["type"].strip() if not typed["file"].strip() else guessed or typed["type"].strip(),
            headers=table("headers", typed["headers"]), delivery_mode=2 if typed["mode"] == "persistent" else 1,
            priority=priority, correlation_id=typed["correlation"], reply_to=typed["reply"], expiration=expires,
            message_id=typed["id"], type=typed["kind"],
        )  # fmt: skip
        count = whole("how many", typed["count"], least=1)
        rate = float(whole("per second", typed["rate"], least=1)) if typed["rate"].strip() else None
        wish = Publication(vhost, typed["exchange"], typed["key"], body, properties, count, rate, template=count > 1)
        to = typed["exchange"] or typed["key"] or "(default)"
        console.jobs.begin(f"publish {counted(count, 'message')} to {to}", "published",
                           lambda told: console.client.publish(wish, told))  # fmt: skip
        console.look()

    console.app.push_screen(Fields(f"Publish in {vhost}", entries, done, word="publishes"))


def _body(typed: Typed) -> tuple[bytes, str]:
    """The payload, and the type that a file's name says."""
    if not typed["file"].strip():
        return typed["body"].encode(), ""
    if typed["body"]:
        raise wrong("There is a payload and a file", "One of them must go.")
    path = Path(typed["file"].strip()).expanduser()
    try:
        if path.stat().st_size > LARGEST:
            raise wrong(
                f"{path.name} is larger than any broker takes as one message", "128 MiB at most; 16 from 4.0 on."
            )
        return path.read_bytes(), mimetypes.guess_type(path.name)[0] or ""
    except OSError as error:
        raise wrong(f"{path} cannot be read", str(error)) from error


def move(console: BrowsingScreen, *, copy: bool) -> None:
    """Moves or copies messages of the queue under the cursor."""
    queue = console.queue
    if queue is None or not console.may_change():
        return
    if queue.kind == "stream" and not copy:
        console.tell("A stream's messages cannot be moved, only copied (c)", "warn")
        return
    word = "copy" if copy else "move"
    ready = "?" if queue.messages_ready is None else f"{queue.messages_ready:,}"
    own, others = console.workload_name, console.client.others()

    def stays(typed: Typed) -> bool:
        return typed["workload"].strip() in ("", own)

    entries = [
        Entry("exchange", "to exchange", "Empty for the queue that the key names."),
        Entry("key", "to queue, key", "The queue, or the key that they get; with an exchange, empty for the key that "
                "each has."),
        Entry("vhost", "virtual host", "The target's.", queue.vhost, tuple(one.name for one in console.vhosts),
              when=stays),
        Entry("far", "virtual host", "The target's; empty for the one that its packaging says.",
              when=lambda typed: not stays(typed)),
        Entry("workload", "of workload", "Another broker is reached with its own login. Each message leaves here only "
                "once it was confirmed there.", own, (own, *others), when=lambda _: bool(others)),
        Entry("count", "how many", f"At most so many; empty for all that are ready now: {ready}."),
    ]  # fmt: skip

    def done(typed: Typed) -> None:
        if not typed["exchange"] and not typed["key"]:
            raise wrong("Where to? A queue, or an exchange, is needed")
        here = stays(typed)
        name, vhost = typed["workload"].strip(), typed["vhost"] if here else typed["far"]
        if not here and name not in others:
            raise wrong(f"There is no broker {name} in this context", f"There are: {', '.join((own, *others))}.")
        if here and not typed["exchange"] and (vhost or queue.vhost, typed["key"]) == (queue.vhost, queue.name):
            raise wrong("That is where they are")
        count = whole("how many", typed["count"], least=1) if typed["count"].strip() else queue.messages_ready
        wish = Move(Place(queue.vhost, queue.name), typed["exchange"], typed["key"], count, copy,
                    queue.kind == "stream", "" if here else others[name], vhost)  # fmt: skip
        console.do(_move(console, wish, "" if here else name))

    title = f"{word.title()} messages of {queue.name}"
    console.app.push_screen(Fields(title, entries, done, word=f"{word}s"))


async def _move(console: BrowsingScreen, wish: Move, workload: str) -> None:
    """Asks whether it is meant, and begins it; a target elsewhere is looked at first, while one is there to be told.

    Args:
        console: where.
        wish: what is wanted.
        workload: the name of the broker that they go to, empty for this one.
    """
    word, past = ("copy", "copied") if wish.copy else ("move", "moved")
    many = counted(wish.count, "message") if wish.count is not None else "all messages"
    to = wish.exchange or wish.routing_key
    title = f"{word} {many} of {wish.source.name} to {to}"
    if wish.far:
        to += f" in virtual host {wish.vhost}" if wish.vhost else ""
        to += f" of {workload}" if workload else ""
        console.tell(f"asking for {to} …", "dim")
        try:
            await console.client.reach(wish)
        except ERRORS as error:
            problem = problem_of(error)
            console.tell(f"Nothing was {past}", "warn")
            raise ProblemError(replace(problem, what=f"Nothing was {past} to {to}: {problem.what}")) from error
        console.tell(f"{to} is there", "ready")
        title, past = f"{word} {many} of {wish.source.name}", f"{past} to {to}"
    if not wish.copy:
        does = (f"moves {many} from {wish.source.name} to {to}", "each leaves only once its copy was confirmed: none "
                "is "
                "lost when the connection breaks, and some may be doubled")  # fmt: skip
        if not await console.confirm(console.guard.held("Move?", does, "move", wish.source.name)):
            return
    console.jobs.begin(title, past, lambda told: console.client.move(wish, told))
    console.look()


def browse(console: BrowsingScreen, queue: facts.Queue) -> None:
    """Asks from where a stream is to be read."""
    entries = [
        Entry("offset", "from", "first, last (its last chunk), a number, or a time in UTC: 2026-11-27 12:00", "first",
              ("first", "last")),
    ]  # fmt: skip

    def done(typed: Typed) -> None:
        offset = offset_of(typed["offset"].strip())
        console.call_after_refresh(lambda: console.app.push_screen(MessagesView(console, queue, offset)))

    console.app.push_screen(Fields(f"Read stream {queue.name}", entries, done, word="reads"))


def offset_of(text: str) -> int | str | dt.datetime:
    """Where reading of a stream begins.

    Raises:
        ProblemError: it is no offset.
    """
    if text in ("first", "last"):
        return text
    if text.isdecimal():
        return int(text)
    try:
        when = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise wrong(f"“{text}” is no offset", "first, last, a number, or a time as 2026-11-27 12:00.") from error
    return when if when.tzinfo is not None else when.replace(tzinfo=dt.UTC)
