"""The options of `statetui bucket`. Imports nothing heavy: every command line passes here."""

from __future__ import annotations

import argparse
import re
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
#: Seconds for which a link may be good: S3's limit.
_LONGEST_LINK = 7 * 86400
_SPAN = re.compile(r"(\d+)([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


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
    _asking(verbs)
    _changing(verbs)
    _moving(verbs)


def _verb(verbs: argparse._SubParsersAction[Any], name: str, text: str) -> argparse.ArgumentParser:
    verb: argparse.ArgumentParser = verbs.add_parser(
        name, allow_abbrev=False, help=text, description=f"{text[0].upper()}{text[1:]}."
    )  # fmt: skip
    _told(verb)
    return verb


def _asking(verbs: argparse._SubParsersAction[Any]) -> None:
    where: dict[str, Any] = {"nargs": "?", "default": "", "metavar": "BUCKET[/PREFIX]"}
    ls = _verb(verbs, "ls", "list buckets, or what lies below a prefix")
    ls.add_argument("place", **where, help="all buckets unless it is named; the key may be a pattern")
    ls.add_argument("-r", "--recursive", action="store_true", help="all keys below, in place of folders")
    ls.add_argument("--versions", action="store_true", help="older versions and delete markers, too")
    stat = _verb(verbs, "stat", "tell all that is known of objects")
    stat.add_argument("places", nargs="+", metavar="BUCKET/KEY", help="what")
    stat.add_argument("--version-id", metavar="ID", help="of an older version")
    du = _verb(verbs, "du", "tell what takes the room, the largest first")
    du.add_argument("place", **where, help="all buckets unless it is named")
    du.add_argument("--depth", type=int, default=1, metavar="N", help="prefixes down to this depth (default: 1)")
    du.add_argument("--versions", action="store_true", help="older versions, too")
    presign = _verb(verbs, "presign", "print links that work without keys for a while")
    presign.add_argument("places", nargs="+", metavar="BUCKET/KEY", help="to what")
    presign.add_argument(
        "--endpoint", required=True, metavar="URL",
        help="where others reach the store; a link is signed for this name, and a forward's works nowhere else",
    )  # fmt: skip
    presign.add_argument("--expire", type=_span, default=3600, metavar="TIME", help="as 15m or 7d (default: 1h)")
    presign.add_argument("--put", action="store_true", help="to upload with, in place of download")
    versions = _verb(verbs, "versions", "tell whether a bucket keeps versions, or list those of a key; change that")
    versions.add_argument("place", metavar="BUCKET[/KEY]", help="whose")
    change = versions.add_mutually_exclusive_group()
    change.add_argument("--enable", action="store_true", help="keep versions from now on")
    change.add_argument("--suspend", action="store_true", help="keep no new ones")
    change.add_argument("--restore", metavar="ID", help="make this version of the key the newest one")
    policy = _verb(verbs, "policy", "tell a bucket's policy and what everybody may do; change that")
    policy.add_argument("place", metavar="BUCKET", help="whose")
    wanted = policy.add_mutually_exclusive_group()
    wanted.add_argument("--set", metavar="FILE", help="a policy in JSON, - for stdin")
    wanted.add_argument("--access", choices=("none", "download", "upload", "public"), help="what everybody may do")
    uploads = _verb(verbs, "uploads", "list incomplete multipart uploads, which take room that no listing shows")
    uploads.add_argument("place", **where, help="all buckets unless it is named")
    uploads.add_argument("--abort", action="store_true", help="give them up, with what they hold")
    uploads.add_argument("--dry-run", action="store_true", help="only tell")
    _verb(verbs, "info", "tell what an operator looks at: usage, servers, drives, quorum; 1 if something is not well")


def _changing(verbs: argparse._SubParsersAction[Any]) -> None:
    mb = _verb(verbs, "mb", "make buckets")
    mb.add_argument("places", nargs="+", metavar="BUCKET", help="their names")
    mb.add_argument("--versioning", action="store_true", help="they keep versions")
    mb.add_argument("--lock", action="store_true", help="objects can be locked in them (this is for good)")
    rb = _verb(verbs, "rb", "remove buckets")
    rb.add_argument("places", nargs="+", metavar="BUCKET", help="their names")
    rb.add_argument("--force", action="store_true", help="with all objects, versions and incomplete uploads in them")
    rb.add_argument("--dry-run", action="store_true", help="tell what they hold, and remove nothing")
    rm = _verb(verbs, "rm", "remove objects; where there are versions, a marker hides them")
    rm.add_argument("places", nargs="+", metavar="BUCKET/KEY", help="which; a key may be a pattern")
    rm.add_argument("-r", "--recursive", action="store_true", help="all keys below a prefix")
    rm.add_argument("--versions", action="store_true", help="all versions and markers, for good")
    rm.add_argument("--version-id", metavar="ID", help="this version of the key, for good")
    rm.add_argument("--dry-run", action="store_true", help="tell what would be removed, and remove nothing")


def _span(text: str) -> int:
    """Seconds: `90`, `15m`, `12h`, `7d`.

    Raises:
        argparse.ArgumentTypeError: it is none of these, or longer than S3 allows.
    """
    found = _SPAN.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write 90, 15m, 12h or 7d")
    seconds = int(found[1]) * _SECONDS[found[2]]
    if not 0 < seconds <= _LONGEST_LINK:
        raise argparse.ArgumentTypeError("a link is good for 1 s to 7d")
    return seconds


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
        help="a line of JSON for each item, and for each time one is tried again (the default without a terminal)",
    )


def mistake(arguments: argparse.Namespace) -> str:
    """What does not fit together, empty when all does."""
    if (arguments.access_key is None) is not (arguments.secret_key_file is None):
        return "--access-key and --secret-key-file go together"
    if wrong := next((one for one in getattr(arguments, "metadata", ()) if not one.partition("=")[1]), ""):
        return f"argument --metadata: {wrong} is not NAME=VALUE"
    return ""
