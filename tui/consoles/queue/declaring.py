"""The forms that make something: queues, exchanges, bindings, policies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tui.consoles.queue.forms import Entry, Fields, Typed
from tui.consoles.queue.values import Place, Policy, QueueWish
from tui.services.queue.arguments import ARGUMENTS, kind_of, read, table, whole, wrong, yes_no
from tui.services.queue.model import Kind

if TYPE_CHECKING:
    from tui.consoles.queue.browsing import BrowsingScreen

_YES = ("yes", "no")
_TYPES = ("direct", "fanout", "topic", "headers")
_APPLIES = ("queues", "classic_queues", "quorum_queues", "streams", "exchanges", "all")
#: Characters of a name, in UTF-8: AMQP's short string.
_LONGEST = 255


def name_of(typed: str, what: str) -> str:
    """A name as the protocol takes it.

    Raises:
        ProblemError: it cannot be one.
    """
    if not typed:
        raise wrong(f"{what} needs a name")
    if len(typed.encode()) > _LONGEST:
        raise wrong(f"The name has {len(typed.encode())} bytes", f"A name has at most {_LONGEST}.")
    if typed.startswith("amq."):
        raise wrong("Names that begin with amq. are the broker's own")
    return typed


def _vhosts(console: BrowsingScreen) -> Sequence[str]:
    found = [one.name for one in console.vhosts]
    return found or [console.client.facts.vhost]


def queue(console: BrowsingScreen) -> None:
    """Declares a queue."""
    if not console.may_change():
        return

    def of(key: str) -> Callable[[Typed], bool]:
        kinds = next(one.kinds for one in ARGUMENTS if one.key == key)
        return lambda typed: typed["type"] in {kind.value for kind in kinds}

    entries = [
        Entry("name", "name", "At most 255 bytes. What is there under this name and declared alike stays as it is."),
        Entry("vhost", "virtual host", "Where it stands.", console.vhost, _vhosts(console)),
        Entry("type", "type", "quorum: on several nodes, survives the loss of a minority. classic: on one node. "
                "stream: "
              "keeps messages after they were read.", "quorum", tuple(Kind)),
        Entry("durable", "durable", "yes: it is there after the broker was restarted. A classic queue alone may not "
                "be.",
              "yes", _YES, when=lambda typed: typed["type"] == "classic"),
        Entry("auto", "auto-delete", "yes: it goes with its last consumer.", "no", _YES,
              when=lambda typed: typed["type"] == "classic"),
    ]  # fmt: skip
    for one in ARGUMENTS:
        offers = one.values or (("yes",) if one.yes else ())
        entries.append(Entry(one.key, one.label, one.help, offers=offers, when=of(one.key)))
    entries.append(Entry("more", "others", 'Other arguments, as a JSON object: {"x-queue-version": 2}'))

    def done(typed: Typed) -> None:
        kind = kind_of(typed["type"])
        place = Place(typed["vhost"] or "/", name_of(typed["name"], "A queue"))
        plain = kind is Kind.CLASSIC
        found = {"x-queue-type": kind.value, **read(kind, typed), **table("others", typed["more"])}
        durable = yes_no("durable", typed["durable"]) if plain else True
        auto = yes_no("auto-delete", typed["auto"]) if plain else False
        console.do(_declare(console, QueueWish(place, durable, auto, found)))

    console.app.push_screen(Fields("New queue", entries, done, word="declares it"))


async def _declare(console: BrowsingScreen, wish: QueueWish) -> None:
    await console.client.declare_queue(wish)
    console.tell(f"Queue {wish.place.name} declared", "ready")
    await console.show_queue(wish.place)


def exchange(console: BrowsingScreen) -> None:
    """Declares an exchange."""
    if not console.may_change():
        return
    entries = [
        Entry("name", "name", "At most 255 bytes."),
        Entry("vhost", "virtual host", "Where it stands.", console.vhost, _vhosts(console)),
        Entry("type", "type", "direct: by the exact key. fanout: to all. topic: by pattern (* a word, # any). headers: "
                "by "
              "headers.", "topic", _TYPES),
        Entry("alternate", "alternate", "The exchange that gets what no binding of this one takes; empty for none."),
        Entry("more", "arguments", "Others, as a JSON object."),
    ]  # fmt: skip

    def done(typed: Typed) -> None:
        found = table("arguments", typed["more"])
        if typed["alternate"]:
            found["alternate-exchange"] = typed["alternate"]
        if not typed["type"].strip():
            raise wrong("An exchange needs a type", f"There are: {', '.join(_TYPES)}, and those of plugins.")
        place = Place(typed["vhost"] or "/", name_of(typed["name"], "An exchange"))
        console.do(_exchange(console, place, typed["type"].strip(), found))

    console.app.push_screen(Fields("New exchange", entries, done, word="declares it"))


async def _exchange(console: BrowsingScreen, place: Place, kind: str, found: dict[str, object]) -> None:
    await console.client.declare_exchange(place, kind, found)
    console.tell(f"Exchange {place.name} declared", "ready")
    await console.reload()
    console.listed.move_to(place.key)


def bind(console: BrowsingScreen, source: Place | None, to: Place | None, after: Callable[[], None]) -> None:
    """Binds a queue or an exchange to an exchange.

    Args:
        console: where.
        source: the exchange, if it is known.
        to: the queue, if it is known.
        after: called when it was done.
    """
    if not console.may_change():
        return
    vhost = (source or to or Place(console.vhost, "")).vhost
    entries = [
        Entry("source", "exchange", "From which messages are to come. The default exchange cannot be bound.",
              source.name if source is not None else ""),
        Entry("kind", "leads to a", "", "queue", ("queue", "exchange")),
        Entry("to", "called", "The queue, or the exchange.", to.name if to is not None else ""),
        Entry("key", "key", "Which messages: of a direct exchange those with exactly this key, of a topic one those "
                "that "
              "match: * is a word, # is any number of them. Fanout and headers do not look at it."),
        Entry("more", "arguments", 'For a headers exchange, as a JSON object: {"x-match": "all", "colour": "red"}'),
    ]  # fmt: skip

    def done(typed: Typed) -> None:
        if not typed["source"] or not typed["to"]:
            raise wrong("A binding leads from an exchange to something")
        if typed["kind"] not in ("queue", "exchange"):
            raise wrong("It leads to a queue or to an exchange")
        found = table("arguments", typed["more"])

        async def work() -> None:
            place = Place(vhost, typed["source"])
            await console.client.bind(place, typed["to"], typed["kind"], typed["key"], found)
            console.tell(f"{typed['to']} is bound to {typed['source']}", "ready")
            after()

        console.do(work())

    console.app.push_screen(Fields(f"New binding in {vhost}", entries, done, word="binds"))


def policy(console: BrowsingScreen) -> None:
    """Makes a policy, or changes the one under the cursor."""
    if not console.may_change():
        return
    one = console.item if isinstance(console.item, Policy) else None
    import json  # noqa: PLC0415  (for its spacing)

    shown = json.dumps(dict(one.definition)) if one is not None else '{"max-length": 10000}'
    entries = [
        Entry("name", "name", "With the name of one that is there it is changed.", one.place.name if one else ""),
        Entry("vhost", "virtual host", "", one.place.vhost if one else console.vhost, _vhosts(console)),
        Entry("pattern", "pattern", "Regular expression: ^orders\\. matches orders.new", one.pattern if one else "^"),
        Entry("applies", "applies to", "", one.applies if one else "queues", _APPLIES),
        Entry("priority", "priority", "Of those that match the highest holds, alone.",
              str(one.priority) if one else "0"),
        Entry("definition", "definition", "A JSON object; keys without x-: max-length, message-ttl, "
                "dead-letter-exchange, "
              "delivery-limit, overflow, expires, max-age …", shown, text=True),
    ]  # fmt: skip

    def done(typed: Typed) -> None:
        found = table("definition", typed["definition"])
        if not found:
            raise wrong("A policy needs a definition")
        if not typed["name"]:
            raise wrong("A policy needs a name")
        if typed["applies"] not in _APPLIES:
            raise wrong(f"“{typed['applies']}”: it applies to one of {', '.join(_APPLIES)}")
        number = typed["priority"].strip().removeprefix("-")
        sign = -1 if typed["priority"].strip().startswith("-") else 1
        place = Place(typed["vhost"] or "/", typed["name"])
        made = Policy(place, typed["pattern"], typed["applies"], sign * whole("priority", number), found)

        async def work() -> None:
            await console.client.set_policy(made)
            console.tell(f"Policy {place.name} is set", "ready")
            await console.reload()
            console.listed.move_to(place.key)

        console.do(work())

    console.app.push_screen(Fields("Policy", entries, done, word="sets it"))
