"""The options of `statetui bucket`. Imports nothing heavy: every command line passes here."""

from __future__ import annotations

import argparse
from typing import Any

from tui.commands.forward_arguments import seconds

_DESCRIPTION = """\
Works on the object store of a workload: already connected, with the credentials that its packaging
keeps in the cluster, and with no open port.

WORKLOAD is a name as in `get`, or NAMESPACE/NAME.
"""

_EPILOG = """\
places (cp, mv, mirror):
  :BUCKET/KEY          in the workload; :BUCKET/ and :BUCKET/FOLDER/ are places to put things below
  WORKLOAD:BUCKET/KEY  in another workload
  anything else        a path of this machine (write ./ before one with a colon); - is stdin or stdout
  * ? [ in a key make a pattern of it (quote it from the shell); * stays between two slashes, ** does not

what can be relied on:
  Checksums are verified on both ways; an object or a file gets its name when it is whole. Run the same
  command again after a lost connection or a Ctrl-C, and it goes on. mv deletes what it has copied and
  verified. A key never leads out of the folder that is named: what cannot be a file's name is encoded.

examples:
  statetui bucket my-tenant cp test.txt :my-bucket/
  statetui bucket my-tenant cp --recursive :my-bucket/logs/ ./logs
  statetui bucket my-tenant cp ':my-bucket/logs/*.gz' .
  mysqldump shop | statetui bucket my-tenant cp - :backup/shop.sql
  statetui bucket my-tenant mirror ./site :www/
  statetui bucket old cp --recursive :data/ new:data/
"""

_WAIT = 30.0


def add(commands: argparse._SubParsersAction[Any], common: argparse.ArgumentParser) -> None:
    """Adds the command to the parser."""
    bucket = commands.add_parser(
        "bucket", parents=[common], allow_abbrev=False, help="copy, move and read the objects of a workload",
        formatter_class=argparse.RawDescriptionHelpFormatter, description=_DESCRIPTION, epilog=_EPILOG,
    )  # fmt: skip
    bucket.add_argument("workload", metavar="WORKLOAD", help="which object store")
    bucket.add_argument("--access-key", metavar="KEY", help="another user than the packaging's")
    bucket.add_argument("--secret-key-file", metavar="FILE", help="that user's secret key is its first line")
    bucket.add_argument("--region", default="", metavar="NAME", help="the store's region, where it is not found out")
    bucket.add_argument(
        "--wait", type=seconds, default=_WAIT, metavar="SECONDS",
        help="for the cluster and a ready pod (default: 30)",
    )  # fmt: skip
    verbs = bucket.add_subparsers(dest="verb", title="verbs", metavar="VERB", required=True)
    _moving(verbs)


def _moving(verbs: argparse._SubParsersAction[Any]) -> None:
    for name, text in (
        ("cp", "copy files and objects"),
        ("mv", "copy, and delete what was copied and verified"),
        ("mirror", "copy what is missing or older at the target; deletes nothing"),
    ):
        verb = verbs.add_parser(name, allow_abbrev=False, help=text, description=f"{text[0].upper()}{text[1:]}.")
        verb.add_argument("sources", nargs="+" if name != "mirror" else 1, metavar="SOURCE", help="see `bucket --help`")
        verb.add_argument("target", metavar="TARGET", help="whereto")
        if name != "mirror":
            verb.add_argument("-r", "--recursive", action="store_true", help="folders and prefixes with all below")
        verb.add_argument("--dry-run", action="store_true", help="tell what would be moved, and move nothing")
        verb.add_argument("--content-type", metavar="TYPE", help="of the new objects, in place of the names' own")
        verb.add_argument(
            "--metadata", action="append", default=[], metavar="NAME=VALUE", help="of the new objects; repeatable"
        )
        _told(verb)
    cat = verbs.add_parser("cat", allow_abbrev=False, help="write objects to stdout", description="Writes to stdout.")
    cat.add_argument("sources", nargs="+", metavar="BUCKET/KEY", help="what")
    cat.add_argument("--no-glob", dest="globs", action="store_false", help="* ? [ stand for themselves")


def _told(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--no-glob", dest="globs", action="store_false", help="* ? [ stand for themselves")
    verb.add_argument(
        "--json",
        action="store_true",
        default=None,
        help="a line of JSON for each item (the default without a terminal)",
    )


def mistake(arguments: argparse.Namespace) -> str:
    """What does not fit together, empty when all does."""
    if (arguments.access_key is None) is not (arguments.secret_key_file is None):
        return "--access-key and --secret-key-file go together"
    if wrong := next((one for one in getattr(arguments, "metadata", ()) if not one.partition("=")[1]), ""):
        return f"argument --metadata: {wrong} is not NAME=VALUE"
    return ""
