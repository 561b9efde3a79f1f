"""CREATE, ALTER, DROP and TRUNCATE: what they take away."""

from __future__ import annotations

from tui.services.sql.language.facts import Danger, Found, Hold, Sort
from tui.services.sql.language.phrases import Reader
from tui.services.sql.language.vocabulary import words_of

_OF_TWO = frozenset(("materialized", "foreign", "event", "access", "text", "user", "external", "large", "resource"))
_FILLERS = ("concurrently", "if", "exists", "temporary", "cascade", "restrict")


def drop(reader: Reader, found: Found) -> None:
    """DROP, at its first word."""
    reader.at += 1
    reader.take("temporary")
    what = reader.peek()
    reader.at += 1
    if what in _OF_TWO and reader.words[reader.at : reader.at + 1] and reader.peek() in _SECONDS:
        what += f" {reader.peek()}"
        reader.at += 1
    if what == "prepare":  # DROP PREPARE is MySQL's DEALLOCATE
        found.sort, found.changes = Sort.SESSION, False
        return
    reader.take("concurrently")
    reader.phrase("if", "exists")
    name = names(reader)
    sentence = f"drops {what} {name}"
    if what in ("database", "schema"):
        sentence += " with all that it holds" if what == "database" or has(reader, "cascade") else ""
    elif has(reader, "cascade"):
        sentence += " and all that depends on it"
    found.dangers.append(Danger(Hold.ALL, sentence, name))


_SECONDS = words_of("view table trigger method search mapping connection data wrapper object group")


def has(reader: Reader, word: str) -> bool:
    """Whether a word without quotes is anywhere ahead."""
    return any(one.low == word for one in reader.words[reader.at : reader.end])


def names(reader: Reader) -> str:
    """The names in the list that begins here, as part of a sentence; of many only the first ones."""
    found = list[str]()
    while reader.peek() not in _FILLERS and (name := reader.name()):
        found.append(name)
        reader.take("*")
        if reader.peek() == "(":
            reader.at = min(reader.closing() + 1, reader.end)
        if not reader.take(","):
            break
    if len(found) > 5:
        return f"{', '.join(found[:4])} and {len(found) - 4} more"
    return ", ".join(found[:-1]) + f" and {found[-1]}" if len(found) > 1 else "".join(found) or "?"


#: After ALTER … DROP: what is only a property, and takes nothing with it.
_PROPERTIES = words_of("default not expression identity")
_PARTS = words_of(
    """
    column constraint index key partition primary foreign check attribute value mapping region node
    """
)


def alter(reader: Reader, found: Found) -> None:
    """ALTER, at its first word: only what it drops is of interest."""
    reader.at += 1
    what = reader.peek()
    reader.at += 1
    reader.phrase("if", "exists")
    reader.take("only")
    of = reader.name()
    for at in range(reader.at, reader.end):
        part = Reader(reader.words, at, reader.end)
        if part.words[at].depth or not part.take("drop", "truncate"):
            continue
        if part.peek() in _PROPERTIES:
            continue
        drops = part.words[at].low == "drop"
        kind = part.peek() if part.peek() in _PARTS else "column"
        part.take(kind)
        if kind in ("primary", "foreign"):
            part.take("key")
            kind += " key"
        part.phrase("if", "exists")
        name = part.name()
        does = "drops" if drops else "deletes every row of"
        sentence = f"{does} {kind} {name}".rstrip() + f" of {what} {of}" + _loses(kind)
        found.dangers.append(Danger(Hold.ALL if drops else Hold.UNCONDITIONAL, sentence, name or of))


def _loses(kind: str) -> str:
    return " with its data" if kind in ("column", "partition") else ""
