"""The little that sessions must know of a statement's text: its words, without strings, names and comments.

This is no parser: what it tells decides how a statement is sent, and whether it could end a transaction, never whether
it is right.
"""

from __future__ import annotations

import itertools
import re
from collections import deque

from tui.services.sql.model import Wire

_TOKENS = {
    Wire.POSTGRES: re.compile(
        r"/\*(?:[^*/]|\*(?!/)|/(?!\*)|/\*.*?\*/)*\*/|--[^\n]*"  # comments nest once: enough for words
        r"|[eE]'(?:[^'\\]|''|\\.)*'?|'(?:[^']|'')*'?"
        r'|"(?:[^"]|"")*"?'
        r"|\$(?P<tag>[A-Za-z_\x80-\U0010ffff]?\w*)\$.*?(?:\$(?P=tag)\$|\Z)"
        r"|(?P<word>[A-Za-z_][\w$]*)|(?P<sign>[();])",
        re.DOTALL,
    ),
    Wire.MYSQL: re.compile(
        r"/\*(?![!M]).*?(?:\*/|\Z)|--(?=\s|\Z)[^\n]*|\#[^\n]*"  # what /*! … */ holds is carried out
        r"|'(?:[^'\\]|''|\\.)*'?" + r'|"(?:[^"\\]|""|\\.)*"?' + r"|`(?:[^`]|``)*`?"
        r"|(?P<word>[A-Za-z_][\w$]*)|(?P<sign>[();])",
        re.DOTALL,
    ),
}  # fmt: skip


#: First words of statements that bring rows, as far as they can be told by them.
READS = frozenset(("select", "values", "table", "with", "show", "describe", "desc"))


def words(statement: str, wire: Wire, limit: int = 64) -> list[str]:
    """The first bare words of a statement in lower case."""
    found: list[str] = []
    for match in _TOKENS[wire].finditer(statement):
        if (word := match["word"]) is not None:
            found.append(word.lower())
            if len(found) == limit:
                break
    return found


def first_word(statement: str, wire: Wire) -> str:
    """What the statement begins with, in lower case, after comments and opening brackets; empty for none."""
    found = words(statement, wire, 1)
    return found[0] if found else ""


def has_word(statement: str, wire: Wire, wanted: frozenset[str]) -> bool:
    """Whether any of the words occurs outside of strings, quoted names and comments."""
    return any((match["word"] or "").lower() in wanted for match in _TOKENS[wire].finditer(statement))


def is_historical(statement: str) -> bool:
    """Whether it reads the past, as CockroachDB's AS OF SYSTEM TIME does."""
    last: deque[str] = deque(maxlen=4)
    for match in _TOKENS[Wire.POSTGRES].finditer(statement):
        if (word := match["word"]) is not None:
            last.append(word.lower())
            if tuple(last) == ("as", "of", "system", "time"):
                return True
    return False


#: What ends a transaction in PostgreSQL: whether it did cannot be known when no answer comes.
_ENDS = frozenset(("commit", "end"))
#: What never ends a transaction in MySQL, where almost everything else commits it first.
_STAYS = frozenset(
    ("select", "insert", "update", "delete", "replace", "with", "set", "show", "do", "values", "table", "explain",
     "describe", "desc", "savepoint", "release", "use", "handler")
)  # fmt: skip


def may_commit(statement: str, wire: Wire) -> bool:
    """Whether a statement within a transaction may have made it permanent."""
    found = words(statement, wire, 2)
    if not found:
        return False
    if wire is Wire.POSTGRES:
        return found[0] in _ENDS or found[:2] == ["prepare", "transaction"]
    return found[0] not in _STAYS and found[0] != "rollback"


def copies_stream(statement: str) -> bool:
    """Whether it is a PostgreSQL COPY from or to the client itself."""
    found = words(statement, Wire.POSTGRES, 4096)
    if not found or found[0] != "copy":
        return False
    pairs = set(itertools.pairwise(found))
    return ("from", "stdin") in pairs or ("to", "stdout") in pairs


_LEAVES_READ_ONLY = re.compile(
    r"\bread\s+write\b|\b(?:default_)?transaction_read_only\b|\btx_read_only\b|\b(?:reset|discard)\s+all\b",
    re.IGNORECASE,
)
_SETS = frozenset(("set", "begin", "start", "reset", "discard", "alter"))


def leaves_read_only(statement: str, wire: Wire) -> bool:
    """Whether a statement may take back that the session is read-only; reading the setting is none."""
    found = words(statement, wire)
    if not found or not (found[0] in _SETS or "set_config" in found):
        return False
    bare = re.sub(r"/\*(?![!M]).*?\*/|--[^\n]*", " ", statement, flags=re.DOTALL)
    return bool(_LEAVES_READ_ONLY.search(bare))
