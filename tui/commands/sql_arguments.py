"""The options of `statetui sql`. Imports nothing heavy: every command line passes here."""

from __future__ import annotations

import argparse
from typing import Any

from tui.commands.forward_arguments import seconds

FORMATS = ("table", "csv", "tsv", "json", "jsonl", "markdown", "parquet")
_TLS = ("disable", "prefer", "require", "verify-ca", "verify-full")

_DESCRIPTION = """\
Runs SQL on a workload: already connected, with the credentials that its packaging keeps in the
cluster, and with no open port. Results go to stdout as they come, everything else to stderr.
With --psql or --mysql it runs that client instead, with everything set, and ends with its exit code.

WORKLOAD is a name as in `get`, or NAMESPACE/NAME.
"""

_EPILOG = """\
where it goes:
  the member that takes writes, where one is known to; --role replica, or the system's own word for
  another one; --member 1 (an ordinal, a label or a pod's name) for one of them.

what is refused:
  with --read-only, and in contexts that the settings protect, sessions are read-only on the server,
  and statements that would change something are not sent. Sessions with a member that is known to
  follow another one are read-only on the server, too: MySQL lets root write to a replica otherwise.
  UPDATE and DELETE without WHERE, TRUNCATE and DROP are not sent without --yes: as many of them as
  consoles ask about, which the setting sql.confirm says (all, unconditional, off).

scripts:
  Statements are sent one after the other as they are read; each is its own transaction unless the
  script or --single-transaction says otherwise (DDL of MySQL commits by itself). An error names file,
  line and statement, and how many were done. \\G shows one result vertically.

examples:
  statetui sql orders -e 'SHOW DATABASES'
  statetui sql orders --role replica -o csv -e 'SELECT * FROM shop.orders' > orders.csv
  statetui sql shop/pg -f schema.sql --single-transaction
  statetui sql orders --status -o json
  statetui sql cdb --psql -- -c '\\dt'
"""


def add(commands: argparse._SubParsersAction[Any], common: argparse.ArgumentParser) -> None:
    """Adds the command to the parser."""
    sql = commands.add_parser(
        "sql", parents=[common], allow_abbrev=False, help="run SQL on a workload, or its ordinary client",
        formatter_class=argparse.RawDescriptionHelpFormatter, description=_DESCRIPTION, epilog=_EPILOG,
        usage="statetui sql [options] WORKLOAD [-e STATEMENT ... | -f FILE | < FILE]\n"
        "       statetui sql [options] WORKLOAD --psql|--mysql [-- ARG ...]\n"
        "       statetui sql [options] WORKLOAD --status [-o table|json]",
    )  # fmt: skip
    sql.add_argument("workload", metavar="WORKLOAD", help="which database")
    what = sql.add_argument_group("what")
    source = what.add_mutually_exclusive_group()
    source.add_argument("-e", "--execute", action="append", metavar="STATEMENT", help="run it; repeatable")
    source.add_argument("-f", "--file", metavar="FILE", help="run a script; - for stdin (the default)")
    source.add_argument("--psql", dest="client", action="store_const", const="psql", help="run psql")
    source.add_argument("--mysql", dest="client", action="store_const", const="mysql", help="run mysql")
    source.add_argument(
        "--status", action="store_true", help="tell replication, sessions, locks, sizes and health of all members, once"
    )
    what.add_argument("--on-error", choices=("stop", "continue"), default="stop", help="after a refused statement")
    what.add_argument(
        "--yes", action="store_true", help="send also what drops something or changes all rows of a table"
    )
    what.add_argument("--single-transaction", action="store_true", help="all or nothing")
    where = sql.add_argument_group("where, and as whom")
    member = where.add_mutually_exclusive_group()
    member.add_argument("--role", metavar="ROLE", help="primary (the default), replica, or the system's own word")
    member.add_argument("--member", metavar="MEMBER", help="one member: its ordinal, its label or its pod's name")
    where.add_argument("--user", metavar="USER", help="another user than the packaging's")
    where.add_argument("--password-file", metavar="FILE", help="the password is its first line; - for stdin")
    where.add_argument("--database", metavar="NAME", help="another database than the packaging's")
    where.add_argument("--tls", choices=_TLS, help="another TLS mode than the packaging's")
    how = sql.add_argument_group("how")
    how.add_argument("-o", "--output", choices=FORMATS, help="the format (default: table)")
    how.add_argument("--out", metavar="FILE", help="write results there; it is replaced once all is done")
    how.add_argument("--timeout", type=seconds, metavar="SECONDS", help="the server ends a statement that takes longer")
    how.add_argument(
        "--wait", type=seconds, default=30.0, metavar="SECONDS", help="for the cluster and a ready pod (default: 30)"
    )
    sql.set_defaults(program=None)


def mistake(arguments: argparse.Namespace) -> str:
    """What argparse cannot say: which options need and exclude one another; empty when all is well."""
    client = f"--{arguments.client}" if arguments.client else ""
    if arguments.status:
        if arguments.output not in (None, "table", "json"):
            return "argument -o/--output: --status is told as table or json"
        for name, given in (
            ("--role", arguments.role), ("--member", arguments.member), ("--out", arguments.out),
            ("--single-transaction", arguments.single_transaction), ("--timeout", arguments.timeout),
            ("--on-error", arguments.on_error != "stop"),
            ("--yes", arguments.yes),
        ):  # fmt: skip
            if given:
                return f"argument {name}: not allowed with argument --status, which asks all members"
    if arguments.program is not None and not client:
        return "sql: arguments after -- are those of a client: --psql or --mysql"
    if client:
        for name, given in (
            ("-o/--output", arguments.output), ("--out", arguments.out), ("--timeout", arguments.timeout),
            ("--single-transaction", arguments.single_transaction), ("--on-error", arguments.on_error != "stop"),
            ("--yes", arguments.yes),
        ):  # fmt: skip
            if given:
                return f"argument {name}: not allowed with argument {client}, which has options of its own"
    elif arguments.password_file == "-" and not arguments.execute and arguments.file in (None, "-"):  # noqa: S105
        return "argument --password-file: stdin is where the statements come from; name them with -e or -f"
    return ""
