"""Statements of a text, with their places; for an editor's buffer and for scripts that do not fit in memory.

Only what could hide a statement's end is looked at: everything else is skipped in one step of the regular expression
engine, which makes this tens of times faster than lexing. It follows psql and the mysql client, and knows bodies of
routines as well, so that a MySQL procedure needs no DELIMITER.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tui.services.sql.language import runs
from tui.services.sql.language.bodies import Body, Mode, begin
from tui.services.sql.language.lexer import CODE, Inside, State, enclosed, grammar, opened
from tui.services.sql.language.pieces import Piece, Sort
from tui.services.sql.language.runs import plain, whole
from tui.services.sql.model import Wire

#: Kept before the place where scanning goes on: rules look back at most this far.
_BACK = 2
#: As much as the beginning of a statement that decides on its mode may hold.
_HEAD = 1000


class Splitter:
    """Takes a script in pieces of any size, and gives what is complete.

    No more of the script is held than the statement that is not complete yet.
    """

    def __init__(self, wire: Wire) -> None:
        self.delimiter = ";"
        self._wire = wire
        self._rules = grammar(wire)
        self._parts: list[str] = []  # of the statement, before the buffer
        self._buffer = ""
        self._at = 0  # in the buffer: everything before has been looked at
        self._before = 0  # characters of the script before the buffer
        self._start = -1  # of the statement, in the script; -1 before its first character
        self._code = False  # whether the statement holds more than comments
        self._line, self._counted = 1, 0
        self._state = CODE
        self._body: Body | None = None
        self._copy = False
        self._final = False

    def feed(self, text: str) -> Iterator[Piece]:
        """What is complete now."""
        self._buffer += text
        return self._pieces()

    def finish(self) -> Iterator[Piece]:
        """What is left at the script's end."""
        self._final = True
        yield from self._pieces()
        if self._code and not self._copy:
            yield self._piece(Sort.STATEMENT, self._at, "")

    def _pieces(self) -> Iterator[Piece]:
        simple = whole(self._wire).match
        while True:
            if self._start < 0 and not self._copy and self.delimiter == ";":
                while match := simple(self._buffer, self._at):
                    yield self._simple(match)
            if self._copy:
                found = self._data()
            elif self._start < 0:
                found = self._first()
            else:
                found = self._scan()
            if isinstance(found, Piece):
                yield found
            elif not found:
                break
        self._forget()

    def _simple(self, match: re.Match[str]) -> Piece:
        start, end = match.span(1)
        text = match[1].rstrip()
        line = self._line + self._breaks(self._counted, self._before + start)
        self._line, self._at = line + text.count("\n"), end + 1
        start += self._before
        self._counted = start + len(text)
        return Piece(Sort.STATEMENT, text, start, self._counted, line, ";")

    # Each of the next returns a piece, True when something was done, False when more text is needed.

    def _first(self) -> Piece | bool:
        """Finds a statement's first character, or a client's command."""
        text, at = self._buffer, self._at
        while at < len(text) and text[at].isspace():
            at += 1
        self._at = at
        if at == len(text):
            return False
        if text[at] == "\\" and self._wire is Wire.POSTGRES:
            return self._command(at)
        if self._wire is Wire.MYSQL and text[at] in "dD":
            if not self._final and text.find("\n", at) < 0:
                return False
            if found := runs.DELIMITER.match(text, at):
                self.delimiter = found[1]
                return self._command(at)
        self._start, self._code, self._body = self._before + at, False, None
        return True

    def _command(self, at: int) -> Piece | bool:
        end = self._buffer.find("\n", at)
        if end < 0:
            if not self._final:
                return False
            end = len(self._buffer)
        self._start = self._before + at
        return self._piece(Sort.COMMAND, end, "")

    def _scan(self) -> Piece | bool:
        if self._state.inside is not Inside.CODE:
            return self._inside()
        if not self._code and self._body is None:
            return self._begin()
        if self._body is not None and self._body.mode is not Mode.PLAIN:
            return self._walk(self._body)
        pattern = plain(self._wire, self.delimiter, hint=self._state.hint)
        match = pattern.match(self._buffer, self._at)
        end = match.end() if match else self._at
        if end >= len(self._buffer):
            # Its last character may begin something.
            self._at = max(self._at, end - 1) if not self._final and self._buffer[-1:] in "-/*" else end
            return False
        self._at = end
        return self._mark()

    def _begin(self) -> Piece | bool:
        """At the first character that may be code: comments before it are passed over."""
        text, at = self._buffer, self._at
        while at < len(text) and text[at].isspace():
            at += 1
        self._at = at
        if at == len(text):
            return False
        if text[at] in "-/#" or text.startswith(self.delimiter, at):
            return self._mark()
        run = plain(self._wire, ";", hint=False).match(text, at)
        if self.delimiter != ";":  # then nothing else ends a statement
            self._code, self._body = True, Body(Mode.PLAIN)
            return True
        known = self._final or len(text) - at > _HEAD or (run is not None and text.startswith(";", run.end()))
        body = begin(text, at, self._wire, sure=known)
        if body is None:
            return False
        self._code, self._body = True, body
        return True

    def _inside(self) -> bool:
        size = len(self._buffer)
        at, state = enclosed(self._buffer, self._at, self._state, self._rules)
        if state.inside is Inside.CODE and at == size and not self._final and self._state.inside not in _SURE:
            return False  # a second quote may follow, and then it goes on
        self._at, self._state = at, state
        return state.inside is Inside.CODE

    def _walk(self, body: Body) -> Piece | bool:
        """Through a routine's body, from one thing that matters to the next."""
        text, at = self._buffer, self._at
        size, match = len(text), body.words.match
        while found := match(text, at):
            other, word, mark = found.groups()
            if other:
                body.other()
            end = found.end()
            if word:
                if end == size and not self._final:
                    self._at = end - len(word)
                    return False
                body.word(word.lower())
            elif mark in ":()" or (mark == ";" and not body.ends()):
                body.mark(mark)
            else:
                self._at = end - 1
                return self._mark()
            at = end
        end = len(text)
        while not self._final and end > at and (text[end - 1].isalnum() or text[end - 1] in "_$"):
            end -= 1  # the beginning of a word
        if text[at:end].strip():
            body.other()
        self._at = end
        return False

    def _mark(self) -> Piece | bool:
        """At a character that begins something, or that is nothing by itself."""
        text, at = self._buffer, self._at
        char = text[at]
        if text.startswith(self.delimiter, at) and not self._state.hint:
            return self._delimiter(at, self.delimiter)
        if not self._final and len(text) - at < max(4, len(self.delimiter)) and char not in "'\"`":
            return False  # what it begins may not be all there
        if char in "'\"`":
            return self._quote(char)
        if char in "-#":
            return self._remark(char)
        if char == "/":
            return self._slash()
        if char == "*" and self._state.hint and text.startswith("*/", at):
            self._state, self._at = CODE, at + 2
            return True
        if char == "$":
            return self._dollar()
        if char == "\\":
            return self._backslash()
        return self._step(1)

    def _other(self) -> None:
        self._code = True
        if self._body is not None:
            self._body.other()

    def _step(self, count: int, state: State | None = None) -> bool:
        self._at += count
        if state is not None:
            self._state = state
        return True

    def _delimiter(self, at: int, delimiter: str) -> Piece | bool:
        if self._body is not None and not self._body.ends():  # psql's \g and the like inside of a body
            return self._step(len(delimiter))
        copy = self._wire is Wire.POSTGRES and self._code and self._is_copy(at)
        empty = not self._code
        piece = self._piece(Sort.STATEMENT, at, delimiter)
        self._copy = copy
        return piece if not empty else True

    def _is_copy(self, at: int) -> bool:
        size = self._before + at - self._start
        if size > 100_000 or (self._body is not None and not self._body.copy):
            return False
        return runs.COPY_IN.match(self._text(at)) is not None

    def _quote(self, char: str) -> bool:
        group = {"'": "string", '"': "name" if self._wire is Wire.POSTGRES else "double", "`": "backtick"}[char]
        if char == "`" and self._wire is Wire.POSTGRES:
            return self._step(1)
        if char == "'" and self._wire is Wire.POSTGRES:
            before = self._buffer[max(0, self._at - 2) : self._at]
            if before[-1:] in ("e", "E") and not (before[:-1].isalnum() or before[:-1] in ("_", "$")):
                group = "escaped"
        self._other()
        return self._step(1, opened(group, char, self._rules, hint=self._state.hint))

    def _remark(self, char: str) -> bool:
        text, at = self._buffer, self._at
        if char == "#":
            remark = self._wire is Wire.MYSQL
        else:
            # MySQL wants a blank behind the dashes: `5--1` is arithmetic there.
            after = text[at + 2 : at + 3]
            remark = text.startswith("--", at) and (self._wire is Wire.POSTGRES or not after or after <= " ")
        if remark:
            return self._step(1 if char == "#" else 2, State(Inside.LINE, hint=self._state.hint))
        self._other()
        return self._step(2 if text.startswith("--", at) else 1)

    def _slash(self) -> bool:
        text, at, hint = self._buffer, self._at, self._state.hint
        if not text.startswith("/*", at):
            self._other()
            return self._step(1)
        if self._wire is Wire.MYSQL and not hint and (text.startswith("/*!", at) or text.startswith("/*M!", at)):
            self._code = True
            return self._step(3, State(hint=True))
        return self._step(2, State(Inside.COMMENT, depth=1, hint=hint))

    def _dollar(self) -> bool:
        text, at = self._buffer, self._at
        if self._wire is Wire.POSTGRES:
            if not self._final and runs.DOLLAR_SO_FAR.match(text, at):
                return False
            if at and (text[at - 1].isalnum() or text[at - 1] == "_"):
                rest = runs.IN_NAME.match(text, at)
                end = rest.end() if rest else at + 1
                return self._step(end - at) if self._final or end < len(text) else False
            if found := runs.DOLLAR.match(text, at):
                return self._step(len(found[0]), opened("dollar", found[0], self._rules, hint=False))
        return self._step(1)

    def _backslash(self) -> Piece | bool:
        text, at = self._buffer, self._at
        if self._wire is Wire.MYSQL:
            ends = text[at + 1 : at + 2] in ("G", "g") and not self._state.hint
            return self._delimiter(at, text[at : at + 2]) if ends else self._step(1)
        if not self._final and text.find("\n", at) < 0:
            return False
        if found := runs.SENDS.match(text, at):
            return self._delimiter(at, found[0].rstrip())
        return self._step(1)

    def _data(self) -> Piece | bool:
        """Lines of a COPY: as many as are whole, to its end."""
        text, at = self._buffer, self._at
        if self._start < 0:  # the rest of the statement's own line
            end = text.find("\n", at)
            if end < 0 and not self._final:
                return False
            self._at = len(text) if end < 0 else end + 1
            self._start = self._before + self._at
            return True
        found = runs.DATA_END.search(text, at)
        end = found.start() if found else len(text) if self._final else text.rfind("\n", at) + 1
        piece = self._piece(Sort.DATA, end, found[0].rstrip() if found else "", strip=False) if end > at else None
        self._start = self._before + self._at
        if found:
            if piece is None:
                self._at += len(found[0])
            self._copy, self._start = False, -1
            return piece or True
        return piece or False

    def _text(self, end: int) -> str:
        return "".join([*self._parts, self._buffer[max(0, self._start - self._before) : end]])

    def _piece(self, sort: Sort, end: int, delimiter: str, *, strip: bool = True) -> Piece:
        """Takes the statement up to `end` in the buffer, and its delimiter, off."""
        text = self._text(end)
        if strip:
            text = text.rstrip()
        start = self._start
        self._line += self._breaks(self._counted, start)
        line = self._line
        self._line += text.count("\n")
        self._counted = start + len(text)
        self._at = end + len(delimiter)
        self._parts, self._start, self._state, self._body, self._code = [], -1, CODE, None, False
        return Piece(sort, text, start, start + len(text), line, delimiter)

    def _breaks(self, start: int, end: int) -> int:
        return self._buffer.count("\n", max(0, start - self._before), max(0, end - self._before))

    def _forget(self) -> None:
        """Drops what has been looked at from the buffer; an unfinished statement's part is kept aside."""
        cut = max(0, self._at - _BACK)
        if cut <= 0:
            return
        first = self._before + cut if self._start < 0 else self._start
        # Blanks between statements are counted before they go.
        gap = min(first, self._before + cut)
        if self._counted < gap:
            self._line += self._breaks(self._counted, gap)
            self._counted = gap
        if self._start >= 0:
            self._parts.append(self._buffer[max(0, self._start - self._before) : cut])
        self._buffer, self._at, self._before = self._buffer[cut:], self._at - cut, self._before + cut


_SURE = (Inside.COMMENT, Inside.LINE, Inside.DOLLAR)


def split(text: str | Iterable[str], wire: Wire) -> Iterator[Piece]:
    """The pieces of a script in their order, as they become complete.

    Args:
        text: all of it, or its pieces of any size (a file's chunks).
        wire: whose grammar.
    """
    splitter = Splitter(wire)
    for part in (text,) if isinstance(text, str) else text:
        yield from splitter.feed(part)
    yield from splitter.finish()


def piece_at(text: str, offset: int, wire: Wire) -> Piece | None:
    """The statement that a cursor is in: behind the last one on its line it is still that one, between two lines the
    next one, and behind everything the last one. None when there is no statement.
    """
    last: Piece | None = None
    for piece in split(text, wire):
        if piece.sort is Sort.DATA:
            continue
        if offset <= piece.start:
            same_line = last is not None and "\n" not in text[last.end : offset]
            return last if same_line and offset < piece.start else piece
        if offset <= piece.end + len(piece.delimiter):
            return piece
        last = piece
    return last
