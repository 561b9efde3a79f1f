"""The tokens of one statement as words, with their depth in parentheses: what classification and completion read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from tui.services.sql.language.lexer import Kind, bare, scan
from tui.services.sql.model import Wire

#: Characters of a statement that are read at most. A longer one is judged by its beginning.
LIMIT = 1_000_000


class Word(NamedTuple):
    """A token that is neither a comment nor a blank.

    Attributes:
        low: its text in lower case if it is a word without quotes, else the text itself; empty for a quoted name.
        text: as it stands in the statement.
        name: what it names, empty when it cannot be a name.
        depth: of parentheses around it; a parenthesis has the depth of what is outside of it.
    """

    kind: Kind
    low: str
    text: str
    name: str
    depth: int
    start: int
    end: int


_NAMES = (Kind.NAME, Kind.KEYWORD, Kind.TYPE, Kind.FUNCTION, Kind.QUOTED)


def read(text: str, wire: Wire) -> list[Word]:
    """The words of a statement."""
    found, depth = list[Word](), 0
    for token in scan(text[:LIMIT], wire)[0]:
        kind = token.kind
        if kind in (Kind.COMMENT, Kind.HINT):
            continue
        raw = text[token.start : token.end]
        if raw in (")", "]"):
            depth -= 1
        name = bare(text, token, wire) if kind in _NAMES else ""
        low = "" if kind is Kind.QUOTED else raw.lower() if name else raw
        found.append(Word(kind, low, raw, name, depth, token.start, token.end))
        if raw in ("(", "["):
            depth += 1
    return found


@dataclass(slots=True)
class Reader:
    """A place in a list of words, moved forward."""

    words: list[Word]
    at: int = 0
    end: int = -1

    def __post_init__(self) -> None:
        """The end defaults to that of the list."""
        if self.end < 0:
            self.end = len(self.words)

    def peek(self, ahead: int = 0) -> str:
        """The word there in lower case; empty behind the end."""
        at = self.at + ahead
        return self.words[at].low if at < self.end else ""

    def take(self, *any_of: str) -> bool:
        """Steps over the word if it is one of these."""
        if self.at < self.end and self.words[self.at].low in any_of:
            self.at += 1
            return True
        return False

    def phrase(self, *words: str) -> bool:
        """Steps over these words if all of them follow."""
        if all(self.peek(number) == word for number, word in enumerate(words)):
            self.at += len(words)
            return True
        return False

    def name(self) -> str:
        """Steps over a name, qualified or not, and gives it as it stands in the statement; empty if there is none."""
        parts = list[str]()
        while self.at < self.end and self.words[self.at].name:
            parts.append(self.words[self.at].text)
            self.at += 1
            if self.peek() != ".":
                break
            self.at += 1
        return ".".join(parts)

    def closing(self) -> int:
        """The index of the parenthesis that closes the one here; the end when there is none."""
        depth = self.words[self.at].depth
        for at in range(self.at + 1, self.end):
            if self.words[at].low == ")" and self.words[at].depth == depth:
                return at
        return self.end
