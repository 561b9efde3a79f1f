"""The options of the verbs of `statetui queue` that are about messages. Imports nothing heavy."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

#: What `--property` takes; the names are the protocol's.
PROPERTIES = (
    "content_type", "content_encoding", "delivery_mode", "priority", "correlation_id", "reply_to", "expiration",
    "message_id", "type", "user_id", "app_id",
)  # fmt: skip

#: Makes a verb with what all have.
Maker = Callable[[Any, str, str], argparse.ArgumentParser]


def add_messages(verbs: argparse._SubParsersAction[Any], verb: Maker) -> None:
    """Adds the verbs to the parser.

    Args:
        verbs: of `queue`.
        verb: makes one with the options that all verbs have.
    """
    publish = verb(verbs, "publish", "publish messages with confirms; each is sent once")
    publish.add_argument("payload", nargs="?", metavar="PAYLOAD", help="- for stdin")
    publish.add_argument("--queue", default="", metavar="NAME", help="to this queue, through the default exchange")
    publish.add_argument("--exchange", default="", metavar="NAME", help="to this exchange")
    publish.add_argument("--routing-key", default="", metavar="KEY")
    publish.add_argument("--file", metavar="FILE", help="the payload is its contents")
    publish.add_argument(
        "--jsonl", metavar="FILE", help="a message from each line, as `get -o jsonl` writes; - for stdin"
    )
    publish.add_argument("--template", action="store_true", help="{n}, {n:06}, {uuid} and {time} differ each time")
    publish.add_argument("--count", type=positive, default=1, metavar="N", help="so many times")
    publish.add_argument("--rate", type=rate, metavar="N", help="a second at most")
    publish.add_argument("--header", action="append", default=[], metavar="NAME=VALUE", help="repeatable; JSON or text")
    publish.add_argument("--property", action="append", default=[], metavar="NAME=VALUE",
                         help=f"repeatable: {', '.join(PROPERTIES)} (delivery_mode: 2, persistent)")  # fmt: skip
    publish.add_argument("--dry-run", action="store_true", help="only tell")
    get = verb(verbs, "get", "look at messages; they go back unless --ack or --reject is given")
    get.add_argument("queue", metavar="QUEUE")
    get.add_argument("--count", type=positive, default=1, metavar="N", help="so many at most (1)")
    how = get.add_mutually_exclusive_group()
    how.add_argument("--ack", action="store_true", help="take them out, after they were written")
    how.add_argument("--reject", action="store_true", help="dead-letter them, or drop them where nothing says to where")
    how.add_argument("--requeue", action="store_true", help="put them back (the default)")
    get.add_argument("--offset", metavar="WHERE", help="of a stream: a number, first, last, or a time (ISO 8601)")
    get.add_argument("--raw", action="store_true", help="only the payloads as they are, with a line's end behind each")
    get.add_argument("--save", metavar="DIR", help="write each payload to a file of its own")
    get.add_argument("--yes", action="store_true", help="with --ack and --reject: do it; without this it is a look")
    tail = verb(verbs, "tail", "show copies of what comes, until Ctrl-C; nothing is taken from anybody")
    tail.add_argument("exchange", nargs="?", default="", metavar="EXCHANGE")
    tail.add_argument("--key", action="append", default=[], metavar="PATTERN", help="of the binding, repeatable (#)")
    tail.add_argument("--stream", default="", metavar="QUEUE", help="follow a stream instead")
    tail.add_argument("--count", type=positive, metavar="N", help="end after so many")
    tail.add_argument("--raw", action="store_true", help="only the payloads as they are, with a line's end behind each")
    for name, text in (
        ("move", "move messages: each is acknowledged after its copy was confirmed"),
        ("copy", "copy messages; they stay where they are, marked as redelivered"),
    ):
        one = verb(verbs, name, text)
        one.add_argument("source", metavar="QUEUE", help="from")
        one.add_argument("target", nargs="?", default="", metavar="QUEUE", help="to")
        one.add_argument("--exchange", default="", metavar="NAME", help="to an exchange in place of a queue")
        one.add_argument("--routing-key", metavar="KEY", help="with --exchange; default: the one of each message")
        one.add_argument("--to-workload", default="", metavar="WORKLOAD", help="to another broker, with its own login")
        one.add_argument("--to-vhost", default="", metavar="NAME", help="the target's virtual host, if it is another")
        one.add_argument("--count", type=positive, metavar="N", help="so many at most (all that are ready)")
        one.add_argument("--window", type=positive, default=500, metavar="N",
                         help="on their way at once, and so how many a loss may double (500)")  # fmt: skip
        one.add_argument("--yes", action="store_true", help="do it: without this it is only told")
        one.add_argument("--dry-run", action="store_true", help="only tell")
        one.set_defaults(stream=False)
        if name == "copy":
            one.add_argument("--stream", action="store_true", help="QUEUE is a stream: from its beginning")


def mistake(given: argparse.Namespace) -> str:
    """What does not fit together, empty when all does."""
    if given.verb == "publish":
        if bool(given.queue) and bool(given.exchange or given.routing_key):
            return "give --queue, or --exchange with --routing-key"
        if sum(one is not None for one in (given.payload, given.file, given.jsonl)) != 1:
            return "give one of PAYLOAD, --file and --jsonl"
        if given.jsonl is None and not (given.queue or given.exchange):
            return "give --queue or --exchange"
        if given.jsonl is not None and (given.count != 1 or given.template):
            return "--jsonl takes neither --count nor --template"
        names = [one.partition("=")[0] for one in given.property]
        if wrong := next((one for one in names if one not in PROPERTIES), ""):
            return f"argument --property: {wrong} is none of {', '.join(PROPERTIES)}"
        if wrong := next((one for one in (*given.header, *given.property) if "=" not in one), ""):
            return f"{wrong} is not NAME=VALUE"
    if given.verb == "get" and given.offset is not None and (given.ack or given.reject):
        return "nothing can be taken out of a stream: leave --ack and --reject out"
    if given.verb == "tail" and bool(given.exchange) is bool(given.stream):
        return "give EXCHANGE or --stream"
    if given.verb in ("move", "copy") and bool(given.target) is bool(given.exchange):
        return "give a queue to go to, or --exchange"
    return ""


def positive(text: str) -> int:
    """A whole number from 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def rate(text: str) -> float:
    """A number above 0."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError("more than 0")
    return number
