"""The options of `statetui forward`. Imports nothing heavy: every command line passes here."""

from __future__ import annotations

import argparse
from typing import Any

_DESCRIPTION = """\
Opens a port of this machine, or a Unix socket, that leads to a workload, and looks after it until
Ctrl-C: when a pod goes away, connections to it are reset, and the next one waits for a ready pod.
With a command it opens the forward, runs the command and ends with its exit code.

WORKLOAD is a name as in `get`, NAMESPACE/NAME, pod/NAME, svc/NAME, or @NAME of a forward that the
settings define. PORT is a number, what the system calls it (mysql:sql), or what a container or the
Service calls it; without one it is the likeliest.
"""

_EPILOG = """\
which pod:
  any member that is ready, and the same one again as long as it is. The one that takes writes is
  never chosen by itself: ask for it with --role primary.

the command's environment:
  STATETUI_HOST STATETUI_PORT STATETUI_ADDRESS (host:port or unix:PATH) STATETUI_SOCKET
  STATETUI_CONTEXT STATETUI_NAMESPACE STATETUI_WORKLOAD STATETUI_POD; with several forwards also
  STATETUI_1_HOST, STATETUI_2_HOST and so on; and what the system's own clients read: PGHOST PGPORT,
  MYSQL_HOST MYSQL_TCP_PORT, AWS_ENDPOINT_URL ...
  In its arguments {host} {port} {address} {socket} {pod} are filled in, {2.port} for the second.
  mysql heeds its option files before its variables: where those name a port or a socket, use
  -h{host} -P{port} or --socket={socket}.

examples:
  statetui forward mysql                                  at 127.0.0.1:3306, or the next free port
  statetui forward mysql --role primary -- mysql -uroot   a client, connected to the primary
  statetui forward shop/shop --local unix:/tmp/ -- psql   through a socket that only you can reach
  statetui forward rabbitmq:15672 -- curl -s http://{address}/
"""


def add(commands: argparse._SubParsersAction[Any], common: argparse.ArgumentParser) -> None:
    """Adds the command to the parser."""
    forward = commands.add_parser(
        "forward", parents=[common], allow_abbrev=False, help="reach a workload from programs of this machine",
        formatter_class=argparse.RawDescriptionHelpFormatter, description=_DESCRIPTION, epilog=_EPILOG,
        usage="statetui forward [options] WORKLOAD[:PORT] ... [-- COMMAND ARG ...]",
    )  # fmt: skip
    forward.add_argument(
        "words", nargs="*", metavar="WORKLOAD[:PORT]", help="what to reach; several make several forwards"
    )
    forward.add_argument(
        "--local", type=local, metavar="PORT|unix:PATH",
        help="listen there only; 0 for any free port; in a directory, a socket is named as clients look for it",
    )  # fmt: skip
    member = forward.add_mutually_exclusive_group()
    member.add_argument("--pod", metavar="POD", help="one member, by its pod's name, its label or its ordinal")
    member.add_argument("--role", metavar="ROLE", help="primary, replica, or the system's own word")
    member.add_argument("--any", action="store_true", help="any ready member (the default; overrides a definition)")
    forward.add_argument("--spread", action="store_true", help="another member for each connection")
    forward.add_argument("--unready", action="store_true", help="also pods that are not ready, to see what is wrong")
    forward.add_argument(
        "--wait", type=seconds, default=10.0, metavar="SECONDS",
        help="how long a connection, or the command, waits for a ready pod (default: 10)",
    )  # fmt: skip
    forward.add_argument(
        "--timeout", type=seconds, default=30.0, metavar="SECONDS", help="for the cluster (default: 30)"
    )
    forward.add_argument(
        "--env-file", metavar="FILE", help="write the variables there while it lasts (NAME=value lines)"
    )
    forward.add_argument(
        "--no-expand", dest="expand", action="store_false", help="leave {host} in the command as it is"
    )
    forward.add_argument("--list", action="store_true", help="print the forwards that the settings define")
    forward.add_argument("-o", "--output", choices=("text", "json"), default="text")
    forward.set_defaults(program=None)


def mistake(arguments: argparse.Namespace) -> str:
    """What argparse cannot say: which words and options need and exclude one another; empty when all is well."""
    if arguments.list:
        if arguments.words or arguments.program is not None:
            return "argument --list: not allowed with a workload or a command"
        return ""
    if not arguments.words:
        return "forward: name a workload, or @NAME of a forward that the settings define (--list prints them)"
    if arguments.local is not None and len(arguments.words) > 1:
        return "argument --local: not allowed with several forwards"
    if arguments.program is not None and not arguments.program:
        return "forward: a command is expected after --"
    if arguments.program and arguments.output == "json":
        return "argument -o/--output: not allowed with a command, which has the output for itself"
    return ""


def local(text: str) -> int | str:
    """A local address."""
    if text.startswith("unix:") and text != "unix:":
        return text
    if text.isdecimal() and int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is neither a port (0 for any free one) nor unix:PATH")


def seconds(text: str) -> float:
    """A time limit."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0, up to 3600")
    return seconds
