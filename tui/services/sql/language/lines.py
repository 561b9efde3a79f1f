"""The tokens of an editor's buffer, line by line, kept up with edits.

For each line the lexer's state at its beginning is kept. An edit lexes again from its first line until the states
agree with what was known, at most a screenful at once; what an opened quote or comment means for the lines far below
is found out when they are asked for. Brackets are summed up for each line, so that the partner of one is found without
looking into the lines between.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from tui.services.sql.language.lexer import CODE, Kind, State, Token, scan, skim
from tui.services.sql.model import Wire

_OPEN, _CLOSE = "([{", ")]}"
#: Lines lexed by an edit at once: what a screen shows below it. Its cost is this times a line's.
_AT_ONCE = 24
#: And of the lines that it put in: a paste of thousands must not hold the screen up.
_PASTED = 400
#: Characters of one line that are lexed: nobody reads on, and a pasted INSERT may have a million.
_LONGEST = 2000


class _Line(NamedTuple):
    before: State
    after: State
    low: int  # the lowest that the sum of brackets comes to, from 0 at the line's beginning
    sum: int  # opened less closed ones


@lru_cache(2048)
def _tokens(text: str, wire: Wire, before: State) -> tuple[Token, ...]:
    # Only of what is on screen: the tokens of 10,000 lines would take tens of megabytes.
    return tuple(scan(text[:_LONGEST], wire, before)[0])


class Place(NamedTuple):
    """A place in a buffer: line and column, both from 0."""

    line: int
    column: int


class Lines:
    """The lines of one buffer.

    Args:
        lines: without their line ends.
        wire: whose grammar.
    """

    def __init__(self, lines: Sequence[str], wire: Wire) -> None:
        self._wire = wire
        self._text = list(lines) or [""]
        self._known: list[_Line | None] = [None] * len(self._text)
        # Lines before it are right; those behind are as they were lexed last, or not yet.
        self._sure = 0

    def __len__(self) -> int:
        return len(self._text)

    @property
    def settled(self) -> bool:
        """Whether every line is lexed and agrees with those before it."""
        return self._sure == len(self._text)

    def edit(self, first: int, removed: int, inserted: Sequence[str]) -> None:
        """Lines were replaced: `removed` ones from `first` on by the inserted ones (none of both may be all)."""
        self._text[first : first + removed] = inserted
        self._known[first : first + removed] = [None] * len(inserted)
        if not self._text:
            self._text, self._known = [""], [None]
        reached = first + len(inserted)
        if first > self._sure:
            return
        # What was known behind the edit stays known if the states come to agree.
        old = max(self._sure + len(inserted) - removed, reached) if self._sure >= first + removed else reached
        self._sure = first
        self._advance(reached, old, _AT_ONCE + min(len(inserted), _PASTED))

    def ready(self, line: int) -> bool:
        """Whether a line's tokens can be had at once: few lines before it, if any, have to be lexed first."""
        return line - self._sure < _PASTED

    def settle(self, lines: int = 400) -> bool:
        """Lexes the next lines that are not sure yet, for idle moments; whether all are now."""
        return self._advance(len(self._text), self._sure, lines) or self.settled

    def tokens(self, line: int) -> tuple[Token, ...]:
        """The tokens of a line, with columns in it. What comes before is lexed first if need be.

        Of a line of more than 2,000 characters only those have tokens, and only their brackets have partners.
        """
        return _tokens(self._text[line], self._wire, self._line(line).before)

    def partner(self, place: Place) -> Place | None:
        """The bracket that belongs to the one at a place; None when there is none, or it is of another sort."""
        for token in self.tokens(place.line):
            if token.start == place.column and token.kind is Kind.BRACKET:
                break
        else:
            return None
        char = self._text[place.line][place.column]
        found = self._forward(place) if char in _OPEN else self._backward(place)
        if found is None:
            return None
        pair = {char, self._text[found.line][found.column]}
        return found if pair in ({"(", ")"}, {"[", "]"}, {"{", "}"}) else None

    def _forward(self, place: Place) -> Place | None:
        depth = 0
        known = self._known
        for number in range(place.line, len(self._text)):
            line = known[number]
            if line is None or number >= self._sure:
                line = self._line(number)
            if number != place.line and depth + line.low > 0:
                depth += line.sum
                continue
            for column, step in self._brackets(number, line):
                if number == place.line and column < place.column:
                    continue
                depth += step
                if depth == 0:
                    return Place(number, column)
        return None

    def _backward(self, place: Place) -> Place | None:
        depth = 0
        self._reach(place.line)
        for number in range(place.line, -1, -1):
            line = self._known[number] or self._line(number)
            # Seen from its end, a line comes down to the sum less the lowest of its beginnings.
            if number != place.line and depth + line.low - line.sum > 0 and depth - line.sum > 0:
                depth -= line.sum
                continue
            for column, step in reversed(self._brackets(number, line)):
                if number == place.line and column > place.column:
                    continue
                depth -= step
                if depth == 0:
                    return Place(number, column)
        return None

    def _brackets(self, number: int, line: _Line) -> list[tuple[int, int]]:
        text = self._text[number]
        return [
            (t.start, 1 if text[t.start] in _OPEN else -1)
            for t in _tokens(text, self._wire, line.before)
            if t.kind is Kind.BRACKET
        ]

    def _line(self, number: int) -> _Line:
        self._reach(number)
        return self._known[number] or self._lex(number, CODE)

    def _reach(self, line: int) -> None:
        if line >= self._sure:
            self._advance(line + 1, self._sure, line + 1 - self._sure)

    def _advance(self, reached: int, old: int, budget: int) -> bool:
        """Lexes from `_sure` on.

        Args:
            reached: at least up to here, whatever agrees.
            old: lines from `reached` up to here were right among themselves before the edit.
            budget: lines to lex at most.

        Returns:
            Whether it came to an end by agreeing.
        """
        number = self._sure
        before = CODE
        if number and (previous := self._known[number - 1]) is not None:
            before = previous.after
        stop = min(len(self._text), number + budget)
        while number < stop:
            known = self._known[number]
            if known is None or known.before != before:
                known = self._known[number] = self._lex(number, before)
            elif reached <= number < old:
                self._sure = old
                return True
            before = known.after
            number += 1
        self._sure = number
        return False

    def _lex(self, number: int, before: State) -> _Line:
        text = self._text[number]
        tokens, after = scan(text[:_LONGEST], self._wire, before)
        if len(text) > _LONGEST:
            after = skim(text, self._wire, before)
        low = total = 0
        for token in tokens:
            if token.kind is Kind.BRACKET:
                total += 1 if text[token.start] in _OPEN else -1
                low = min(low, total)
        return _Line(before, after, low, total)
