"""Which `;` ends a statement that has a body: CREATE FUNCTION … BEGIN ATOMIC, MySQL's routines, CREATE RULE."""

from __future__ import annotations

import re
from enum import Enum, auto

from tui.services.sql.model import Wire


class Mode(Enum):
    """How a statement's end is looked for."""

    PLAIN = auto()  # the first delimiter
    ATOMIC = auto()  # PostgreSQL: not between BEGIN ATOMIC and its END
    ROUTINE = auto()  # MySQL: not inside of BEGIN, IF, CASE, LOOP, WHILE, REPEAT, FOR … END
    PARENTHESES = auto()  # PostgreSQL's CREATE RULE … DO (a; b)


_GAP = r"(?:\s|/\*(?:[^*]|\*(?!/))*+\*/|--[^\n]*\n)+"
_HEADS: dict[Wire, tuple[tuple[Mode, re.Pattern[str]], ...]] = {
    Wire.POSTGRES: (
        (Mode.ATOMIC, re.compile(rf"create{_GAP}(?:or{_GAP}replace{_GAP})?(?:function|procedure)\b", re.I)),
        (Mode.PARENTHESES, re.compile(rf"create{_GAP}(?:or{_GAP}replace{_GAP})?rule\b", re.I)),
    ),
    Wire.MYSQL: (
        (
            Mode.ROUTINE,
            re.compile(
                rf"create{_GAP}(?:or{_GAP}replace{_GAP})?(?:definer\s*=\s*(?:'[^']*'|`[^`]*`|\"[^\"]*\"|[\w$.%@()-])+"
                rf"{_GAP})?(?:aggregate{_GAP})?(?:function|procedure|trigger|event)\b",
                re.I,
            ),
        ),
        (Mode.ROUTINE, re.compile(rf"alter{_GAP}(?:definer\s*=\s*\S+{_GAP})?event\b", re.I)),
        # MariaDB takes compound statements outside of routines.
        (Mode.ROUTINE, re.compile(rf"begin{_GAP}not{_GAP}atomic\b|(?:if|while|loop|repeat|for|case)\b", re.I)),
    ),
}
_WORD = re.compile(r"[A-Za-z_]\w*")
_DECIDE = frozenset(("create", "alter", "begin"))


def _matters(marks: str, words: str, strings: str = "") -> re.Pattern[str]:
    """The next thing that may matter, with what stands before it: groups `other`, `word`, `mark`.

    All that may not matter is passed over by the regular expression engine, word by word and never twice.

    Args:
        marks: characters that matter, as in a set of characters.
        words: words that matter, with `|` between.
        strings: strings that are passed over as well, where they are whole for certain.
    """
    word = rf"(?<![\w$.@])(?:{words})(?![\w$])"
    of_words = r"\w.@" if "$" in marks else r"\w$.@"
    skipped = rf"(?!{word})[{of_words}]++|[^{of_words}{marks}]++"
    if strings:
        skipped = f"{skipped}|{strings}"
    return re.compile(rf"\s*+(?P<other>(?:{skipped})*+)(?:(?P<word>{word})|(?P<mark>[{marks}]))", re.I | re.S)


#: Of MySQL. What follows the last quote tells that it is the last one.
_STRINGS = r"'(?:[^'\\]++|\\.|'')*+'(?=[^'])|\"(?:[^\"\\]++|\\.|\"\")*+\"(?=[^\"])|`(?:[^`]++|``)*+`(?=[^`])"
#: What may matter in a body, by mode.
_WORDS = {
    Mode.PLAIN: _matters(";", "end"),
    Mode.ATOMIC: _matters(r";'\"$\-/\\", "begin|case|end"),
    Mode.PARENTHESES: _matters(r";'\"$\-/\\()", "end"),
    Mode.ROUTINE: _matters(r";'\"`\-/\\#*):", "begin|case|end|if|loop|while|repeat|for|then|else|do|row", _STRINGS),
}
#: Behind these a statement begins inside of a MySQL body.
_STARTS = frozenset((";", "then", "else", "do", "loop", "repeat", "begin", ":", "row", ")"))
_BLOCKS = frozenset(("if", "loop", "while", "repeat", "for"))


class Body:
    """Follows one statement, word by word."""

    def __init__(self, mode: Mode, *, copy: bool = False) -> None:
        self.mode = mode
        self.words = _WORDS[mode]
        self.copy = copy
        self._depth = self._parentheses = 0
        self._last = ";"

    def word(self, word: str) -> None:
        """The next word of those that matter, in lower case."""
        last, self._last = self._last, word
        if self.mode is Mode.ROUTINE:
            if word == "end":
                if self._depth:
                    self._depth -= 1
            elif word in _BLOCKS:
                if last in _STARTS and (last != ")" or not self._depth):
                    self._depth += 1
            elif word == "begin" or (word == "case" and last != "end"):
                self._depth += 1
        elif self.mode is Mode.ATOMIC:
            if word == "begin" or (word == "case" and self._depth):
                self._depth += 1
            elif word == "end" and self._depth:
                self._depth -= 1

    def other(self) -> None:
        """Something else came that is neither blank nor a comment."""
        self._last = ""

    def mark(self, char: str) -> None:
        """The next character of those that matter."""
        self._last = char
        if char == "(":
            self._parentheses += 1
        elif char == ")":
            self._parentheses -= 1

    def ends(self) -> bool:
        """Whether a `;` here ends the statement."""
        if self.mode is Mode.PARENTHESES:
            return self._parentheses <= 0
        return self._depth == 0


def begin(text: str, at: int, wire: Wire, *, sure: bool) -> Body | None:
    """What a statement's first words say of its end.

    Args:
        text: where the statement begins at `at`.
        at: its first character that is neither blank nor comment.
        wire: whose grammar.
        sure: whether enough of the text is there to decide.

    Returns:
        None when more text is needed.
    """
    first = _WORD.match(text, at)
    if first is None:
        return Body(Mode.PLAIN)
    word = first[0].lower()
    if not sure and (first.end() == len(text) or word in _DECIDE):
        return None
    for mode, head in _HEADS[wire]:
        if head.match(text, at):
            return Body(mode)
    return Body(Mode.PLAIN, copy=word == "copy")
