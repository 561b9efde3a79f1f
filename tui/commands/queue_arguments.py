"""The options of `statetui queue`. Imports nothing heavy: every command line passes here."""

from __future__ import annotations

import argparse
from typing import Any

from tui.commands import queue_messages_arguments
from tui.commands.forward_arguments import seconds
from tui.commands.queue_messages_arguments import add_messages

_DESCRIPTION = """\
Works on the queues of a workload: already connected, with the credentials that its packaging keeps in
the cluster, and with no open port.

WORKLOAD is a name as in `get`, or NAMESPACE/NAME.
"""

_EPILOG = """\
patterns:
  * ? [ in the name of a queue, an exchange or a policy make a pattern of it (quote it from the shell)

what can be relied on:
  What loses messages or takes others' queues away says what it takes, and wants --yes. --dry-run changes
  nothing. Exit code 5 says that a part was done, and a part was not: each line says which. Nothing is sent
  twice. An import deletes nothing.

examples:
  statetui queue rabbitmq ls --no-consumer 'shop.*'
  statetui queue rabbitmq declare queue orders --type quorum --argument delivery-limit=5
  statetui queue rabbitmq bind shop orders --routing-key 'order.#'
  statetui queue rabbitmq purge orders --yes
  statetui queue rabbitmq export --out topology.json
  statetui queue other import topology.json --dry-run
"""

#: What can be listed.
LISTS = (
    "queues", "exchanges", "bindings", "connections", "channels", "consumers", "policies", "operator-policies",
    "vhosts", "users", "permissions", "features", "arguments",
)  # fmt: skip
_SORTS = ("name", "ready", "unacknowledged", "messages", "consumers", "memory", "in", "out")
#: As the console's filter has them after `is:`.
_STATES = ("empty", "filled", "idle", "growing", "minority", "down")
_DELETED = ("queue", "exchange", "policy", "operator-policy", "vhost", "user", "permission")
_TYPES = ("classic", "quorum", "stream")


def add(commands: argparse._SubParsersAction[Any], common: argparse.ArgumentParser) -> None:
    """Adds the command to the parser."""
    queue = commands.add_parser(
        "queue", parents=[common], allow_abbrev=False, help="queues, exchanges and messages of a workload",
        formatter_class=argparse.RawDescriptionHelpFormatter, description=_DESCRIPTION, epilog=_EPILOG,
    )  # fmt: skip
    queue.add_argument("workload", metavar="WORKLOAD", help="which broker")
    queue.add_argument("--user", metavar="NAME", help="another user than the packaging's")
    queue.add_argument("--password-file", metavar="FILE", help="that user's password is its first line")
    queue.add_argument("--cert", default="", metavar="FILE",
                       help="client's certificate, for a broker that wants one over TLS; or secret/NAME")  # fmt: skip
    queue.add_argument("--key", default="", metavar="FILE", dest="cert_key", help="its key; a Secret holds both")
    queue.add_argument("--member", default="", metavar="POD", help="this node, and no other")
    queue.add_argument(
        "--wait", type=seconds, default=30.0, metavar="SECONDS", help="for the cluster and a ready pod (default: 30)"
    )
    verbs = queue.add_subparsers(dest="verb", title="verbs", metavar="VERB", required=True)
    _asking(verbs)
    _changing(verbs)
    _documents(verbs)
    add_messages(verbs, verb)


def verb(verbs: argparse._SubParsersAction[Any], name: str, text: str) -> argparse.ArgumentParser:
    """A verb with what all have: the virtual host, and the form of the output."""
    made: argparse.ArgumentParser = verbs.add_parser(
        name, allow_abbrev=False, help=text, description=f"{text[0].upper()}{text[1:]}."
    )
    made.add_argument("--vhost", default="", metavar="NAME", help="the virtual host (default: the packaging's, or /)")
    made.add_argument(
        "-o", "--output", choices=("table", "json", "jsonl"), default="",
        help="default: a table on a terminal, a line of JSON for each item elsewhere",
    )  # fmt: skip
    return made


def _asking(verbs: argparse._SubParsersAction[Any]) -> None:
    ls = verb(verbs, "ls", "list queues, or what else there is; of all virtual hosts unless one is named")
    ls.add_argument("what", nargs="?", default="queues", metavar="WHAT", help=f"{', '.join(LISTS)} (default: queues)")
    ls.add_argument("pattern", nargs="?", default="", metavar="PATTERN", help="only these names")
    ls.add_argument("--empty", action="store_true", help="only queues without messages")
    ls.add_argument("--no-consumer", action="store_true", help="only queues that nobody consumes")
    ls.add_argument("--is", action="append", default=[], choices=_STATES, dest="states", metavar="STATE",
                    help=f"only queues that are {', '.join(_STATES)}; repeatable")  # fmt: skip
    ls.add_argument("--type", choices=_TYPES, default="", help="only queues of this type")
    ls.add_argument("--sort", choices=_SORTS, help="queues by this, the largest first (by name: a to z)")
    show = verb(verbs, "show", "tell all that is known of something")
    show.add_argument("what", choices=("queue", "exchange", "policy", "user", "node", "connection"), metavar="WHAT",
                      help="queue, exchange, policy, user, node or connection")  # fmt: skip
    show.add_argument("name", metavar="NAME", help="its name")
    verb(verbs, "nodes", "tell of each node with its pod: memory, disk, files, uptime, alarms; 1 if one is not well")
    verb(verbs, "health", "ask the server's own checks; 1 if something is not well")


def _changing(verbs: argparse._SubParsersAction[Any]) -> None:
    declare = verbs.add_parser(
        "declare", allow_abbrev=False, help="make a queue, or an exchange, policy, virtual host, user or permission",
        description="Makes something. What is there and alike stays; a queue that is there otherwise is refused.",
    )  # fmt: skip
    kinds = declare.add_subparsers(dest="what", metavar="WHAT", required=True)
    queue = _declared(kinds, "queue", "`ls arguments` tells what each type takes")
    queue.add_argument("--type", choices=_TYPES, default="", help="default: the virtual host's, or classic")
    exchange = _declared(kinds, "exchange", "as alternate-exchange")
    exchange.add_argument("--type", default="direct", metavar="TYPE", help="direct, topic, fanout, headers … (direct)")
    exchange.add_argument("--internal", action="store_true", help="only other exchanges may publish to it")
    policy = verb(kinds, "policy", "make or change a policy")
    policy.add_argument("name", metavar="NAME")
    policy.add_argument("--pattern", required=True, metavar="REGEX", help="of the names that it is for")
    policy.add_argument("--definition", required=True, metavar="JSON", help='as {"max-length": 1000}')
    policy.add_argument("--apply-to", default="all", metavar="WHAT", help="queues, exchanges, all … (all)")
    policy.add_argument("--priority", type=int, default=0, metavar="N", help="the highest that matches holds (0)")
    policy.add_argument("--operator", action="store_true", help="an operator's, which limits the others")
    vhost = verb(kinds, "vhost", "make a virtual host, which this user may use then")
    vhost.add_argument("name", metavar="NAME")
    vhost.add_argument("--type", choices=_TYPES, default="", help="of queues that do not say theirs")
    user = verb(kinds, "user", "make or change a user; what is not given stays as it is")
    user.add_argument("name", metavar="NAME")
    user.add_argument("--password-from", default="", metavar="FILE",
                      help="the new password is its first line; - for stdin; a new user without has none")  # fmt: skip
    user.add_argument("--tags", metavar="A,B", help="administrator, monitoring, policymaker, management; '' for none")
    permission = verb(kinds, "permission", "say what a user may in a virtual host; a pattern of '' allows nothing")
    permission.add_argument("name", metavar="USER")
    for what, text in (("configure", "declare and delete"), ("write", "publish to"), ("read", "consume from")):
        permission.add_argument(f"--{what}", default=".*", metavar="REGEX", help=f"names of what he may {text} (.*)")
    delete = verb(verbs, "delete", "delete queues with all messages in them, or what else can be declared")
    delete.add_argument("what", choices=_DELETED, metavar="WHAT", help=", ".join(_DELETED))
    delete.add_argument("names", nargs="+", metavar="NAME", help="a name, or a pattern")
    delete.add_argument("--if-empty", action="store_true", help="only a queue without messages (classic ones)")
    delete.add_argument("--if-unused", action="store_true", help="only what has no consumers, or no bindings")
    _sure(delete)
    purge = verb(verbs, "purge", "delete the messages that are ready; those that are with consumers stay")
    purge.add_argument("names", nargs="+", metavar="QUEUE", help="a name, or a pattern")
    _sure(purge)
    for name, text in (("bind", "lead messages from an exchange on"), ("unbind", "end a binding")):
        one = verb(verbs, name, text)
        one.add_argument("source", metavar="EXCHANGE", help="from")
        one.add_argument("target", metavar="NAME", help="to")
        one.add_argument("--to", choices=("queue", "exchange"), default="queue", help="what NAME is (queue)")
        one.add_argument("--routing-key", default="", metavar="KEY", help="empty unless it is given")
        _argument(one, "of a headers exchange")
        one.add_argument("--dry-run", action="store_true", help="only tell")
    close = verb(verbs, "close", "close clients' connections")
    close.add_argument("names", nargs="+", metavar="CONNECTION", help="as `ls connections` has it, or a pattern")
    close.add_argument("--reason", default="closed with statetui", metavar="TEXT", help="is told to the client")
    _sure(close)


def _declared(kinds: argparse._SubParsersAction[Any], name: str, more: str) -> argparse.ArgumentParser:
    made = verb(kinds, name, f"make a{'n' if name[0] in 'aeiou' else ''} {name}")
    made.add_argument("name", metavar="NAME")
    made.add_argument("--transient", dest="durable", action="store_false", help="it goes when its node restarts")
    made.add_argument("--auto-delete", action="store_true", help="it goes with its last consumer, or binding")
    _argument(made, more)
    made.add_argument("--dry-run", action="store_true", help="check what was given, and make nothing")
    return made


def _argument(one: argparse.ArgumentParser, more: str) -> None:
    one.add_argument("--argument", action="append", default=[], metavar="NAME=VALUE", help=f"repeatable; {more}")


def _sure(one: argparse.ArgumentParser) -> None:
    one.add_argument("--yes", action="store_true", help="do it: without this it is only told")
    one.add_argument("--dry-run", action="store_true", help="only tell")


def _documents(verbs: argparse._SubParsersAction[Any]) -> None:
    export = verb(verbs, "export", "write the topology as one document: of all virtual hosts, or of --vhost")
    export.add_argument("--out", default="-", metavar="FILE", help="in place of stdout")
    export.add_argument("--secrets", action="store_true", help="with hashes of passwords, and links with passwords")
    imports = verb(verbs, "import", "make what a document says; tell first what that changes; nothing is deleted")
    imports.add_argument("file", metavar="FILE", help="- for stdin")
    imports.add_argument("--dry-run", action="store_true", help="only tell")


def mistake(arguments: argparse.Namespace) -> str:
    """What does not fit together, empty when all does."""
    if (arguments.user is None) is not (arguments.password_file is None):
        return "--user and --password-file go together"
    if arguments.verb == "ls" and arguments.what not in LISTS:
        if arguments.pattern:
            return f"argument WHAT: {arguments.what} is none of {', '.join(LISTS)}"
        arguments.what, arguments.pattern = "queues", arguments.what
    if wrong := next((one for one in getattr(arguments, "argument", ()) if "=" not in one), ""):
        return f"argument --argument: {wrong} is not NAME=VALUE"
    return queue_messages_arguments.mistake(arguments)
