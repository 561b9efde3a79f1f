"""The options of `statetui fault`. Imports nothing heavy: every command line passes here."""

from __future__ import annotations

import argparse
from typing import Any

_DESCRIPTION = """\
Makes something go wrong on purpose in a sandbox (the cluster of `statetui demo`), or well again.

TARGET is what the list says: a pod, a claim (or the pod whose claim it is) or a resource
(statefulsets.apps); pods and claims are those of the context's namespace, or NAMESPACE/NAME.
"""

_EPILOG = """\
examples:
  statetui fault list                            what is possible, and what goes on
  statetui fault crash-loop mysql-1              until it is ended
  statetui fault crash-loop mysql-1 --end
  statetui fault slow-network --set milliseconds=300
"""


def add(commands: argparse._SubParsersAction[Any], common: argparse.ArgumentParser) -> None:
    """Adds the command to the parser."""
    fault = commands.add_parser(
        "fault", parents=[common], allow_abbrev=False, help="let something go wrong in a sandbox, to learn from it",
        formatter_class=argparse.RawDescriptionHelpFormatter, description=_DESCRIPTION, epilog=_EPILOG,
    )  # fmt: skip
    fault.add_argument("name", metavar="list|NAME", help="list them, or the fault that is meant")
    fault.add_argument("target", nargs="?", default="", metavar="TARGET", help="what it is done to")
    fault.add_argument("--end", action="store_true", help="end it; without TARGET wherever it goes on")
    fault.add_argument(
        "--set", type=_option, action="append", default=[], metavar="OPTION=VALUE",
        help="an option of the list; repeatable",
    )  # fmt: skip


def _option(text: str) -> tuple[str, str | int | bool]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not OPTION=VALUE")
    if value in ("true", "false"):
        return key, value == "true"
    return key, int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else value
