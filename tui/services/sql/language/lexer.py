"""Tokens of both grammars: PostgreSQL's (with CockroachDB's and YugabyteDB's) and MySQL's (with MariaDB's).

One lexer serves highlighting, splitting, classification and completion. What can run over the end of a line (strings,
quoted names, comments, dollar quotes) is told by a `State`, so that a text may be lexed line by line or in pieces.
Nothing here judges whether a statement is right: whatever is not known becomes an operator.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import NamedTuple

from tui.services.sql.language.words import Words, keywords, words
from tui.services.sql.model import Wire


class Kind(IntEnum):
    """What a token is."""

    KEYWORD = 0
    NAME = 1
    FUNCTION = 2  # a built-in one, before its parenthesis
    TYPE = 3
    QUOTED = 4  # a name in its grammar's quotes
    STRING = 5
    NUMBER = 6
    PARAMETER = 7  # $1, ?, :name, @variable
    COMMENT = 8
    BRACKET = 9
    PUNCTUATION = 10  # , ; .
    OPERATOR = 11
    HINT = 12  # the marks of MySQL's conditional comment; what is inside is code
    META = 13  # a backslash outside of everything: psql's commands, MySQL's \G


class Inside(IntEnum):
    """What a place in a text is inside of."""

    CODE = 0
    STRING = 1  # '' only
    ESCAPED = 2  # '' and backslashes
    NAME = 3  # "…"
    BACKTICK = 4  # `…`
    DOUBLE = 5  # MySQL's string in double quotes
    DOLLAR = 6
    COMMENT = 7
    LINE = 8  # a comment to the end of the line; only met where a text is fed in pieces


class State(NamedTuple):
    """Where the lexer stands between two pieces of a text.

    Attributes:
        inside: of what.
        tag: of a dollar quote, with its dollars.
        depth: of nested comments.
        hint: inside of a MySQL conditional comment (`/*!50100 … */`), whose text is code.
    """

    inside: Inside = Inside.CODE
    tag: str = ""
    depth: int = 0
    hint: bool = False


CODE = State()


class Token(NamedTuple):
    """A token's kind and place: indexes of characters in the text that was given."""

    kind: Kind
    start: int
    end: int


@dataclass(frozen=True)
class Grammar:
    """The lexical rules of one wire's servers.

    MySQL's are those of its default `sql_mode`: without ANSI_QUOTES and NO_BACKSLASH_ESCAPES.

    Attributes:
        nested: whether comments nest.
        master: one token of code, or the beginning of what encloses text.
    """

    wire: Wire
    nested: bool
    master: re.Pattern[str]


_WORD = r"[A-Za-z_\u0080-\U0010ffff][\w$\u0080-\U0010ffff]*"
_NUMBER = r"0[xX][0-9A-Fa-f_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?"

_POSTGRES = rf"""\s*+(?:
(?P<remark>--[^\n\r]*)
|(?P<dollar>\$(?:[A-Za-z_\u0080-\U0010ffff][\w\u0080-\U0010ffff]*)?\$)
|(?P<parameter>\$\d+|:(?!:)(?:{_WORD}|'{_WORD}'|"{_WORD}"))
|(?P<escaped>[eE]')
|(?P<prefix>[bBxXnN](?=')|[uU]&(?=['"]))
|(?P<word>{_WORD})
|(?P<number>{_NUMBER})
|(?P<string>')
|(?P<name>")
|(?P<comment>/\*)
|(?P<bracket>[()\[\]{{}}])
|(?P<punctuation>[,;]|\.{{1,2}})
|(?P<meta>\\)
|(?P<operator>::|:=|=>|:|(?:(?!--|/\*)[-+*/<>=~!@\#%^&|?`])+|.))
"""

_MYSQL = rf"""\s*+(?:
(?P<remark>--(?=[\s\x00-\x1f]|\Z)[^\n\r]*|\#[^\n\r]*)
|(?P<parameter>@@(?:global\.|session\.|local\.|persist\.|persist_only\.)?[\w$]+|@(?=[`'"])|@[\w$.]*|\?|:{_WORD})
|(?P<prefix>[bBxXnN](?=')|_[A-Za-z]\w*(?=['"]))
|(?P<word>{_WORD})
|(?P<number>{_NUMBER})
|(?P<string>')
|(?P<double>")
|(?P<backtick>`)
|(?P<hint>/\*M?!\d*)
|(?P<endhint>\*/)
|(?P<comment>/\*)
|(?P<bracket>[()\[\]{{}}])
|(?P<punctuation>[,;.])
|(?P<meta>\\[A-Za-z]?)
|(?P<operator>:=|->>?|<=>|<<|>>|[<>!]=|<>|&&|\|\||.))
"""


@cache
def grammar(wire: Wire) -> Grammar:
    """The rules of a wire's grammar."""
    if wire is Wire.POSTGRES:
        return Grammar(wire, nested=True, master=re.compile(_POSTGRES, re.X | re.S))
    return Grammar(wire, nested=False, master=re.compile(_MYSQL, re.X | re.S))


# Possessive, so that no text, however long or odd, is walked through more than once.
_ENDS = {
    Inside.STRING: re.compile(r"(?:[^']++|'')*+"),
    Inside.ESCAPED: re.compile(r"(?:[^'\\]++|\\.|'')*+", re.S),
    Inside.NAME: re.compile(r'(?:[^"]++|"")*+'),
    Inside.BACKTICK: re.compile(r"(?:[^`]++|``)*+"),
    Inside.DOUBLE: re.compile(r'(?:[^"\\]++|\\.|"")*+', re.S),
    Inside.LINE: re.compile(r"[^\r\n]*+"),
}
_MARKS = re.compile(r"/\*|\*/")


def enclosed(text: str, at: int, state: State, rules: Grammar) -> tuple[int, State]:
    """Goes on inside of a string, a quoted name or a comment.

    Returns:
        The index behind its end, and the state there; or, when the text ends first, the index up to which the text
        can be forgotten (a part of an end mark may follow it), and the state inside.
    """
    size, code = len(text), State(hint=state.hint)
    if state.inside is Inside.DOLLAR:
        found = text.find(state.tag, at)
        return (found + len(state.tag), code) if found >= 0 else (max(at, size - len(state.tag) + 1), state)
    if state.inside is Inside.COMMENT:
        return _comment(text, at, state, nested=rules.nested)
    match = _ENDS[state.inside].match(text, at)
    end = match.end() if match else at
    if state.inside is Inside.LINE:
        return (end, code if end < size else state)
    if end >= size or text[end] == "\\":
        return end, state
    return end + 1, code


def _comment(text: str, at: int, state: State, *, nested: bool) -> tuple[int, State]:
    depth = state.depth
    while found := _MARKS.search(text, at):
        at = found.end()
        if found[0] == "*/":
            depth -= 1
            if depth <= 0:
                return at, State(hint=state.hint)
        elif nested:
            depth += 1
        else:
            at -= 1  # `/*/` : its star may begin the end
    # The last character may be half of a mark.
    size = len(text)
    rest = size - 1 if size > at and text[size - 1] in "/*" else size
    return max(at, rest), state._replace(depth=depth)


_SIMPLE = {
    "remark": Kind.COMMENT,
    "number": Kind.NUMBER,
    "parameter": Kind.PARAMETER,
    "bracket": Kind.BRACKET,
    "punctuation": Kind.PUNCTUATION,
    "operator": Kind.OPERATOR,
    "meta": Kind.META,
}
_KINDS = {
    Inside.STRING: Kind.STRING,
    Inside.ESCAPED: Kind.STRING,
    Inside.DOUBLE: Kind.STRING,
    Inside.DOLLAR: Kind.STRING,
    Inside.NAME: Kind.QUOTED,
    Inside.BACKTICK: Kind.QUOTED,
    Inside.COMMENT: Kind.COMMENT,
    Inside.LINE: Kind.COMMENT,
}


def opened(group: str, text: str, rules: Grammar, *, hint: bool) -> State:
    """The state behind the mark that began something: `group` is the master pattern's, `text` the mark."""
    if group == "dollar":
        return State(Inside.DOLLAR, tag=text, hint=hint)
    if group == "comment":
        return State(Inside.COMMENT, depth=1, hint=hint)
    if group == "string":
        return State(Inside.STRING if rules.wire is Wire.POSTGRES else Inside.ESCAPED, hint=hint)
    inside = {
        "escaped": Inside.ESCAPED,
        "name": Inside.NAME,
        "double": Inside.DOUBLE,
        "backtick": Inside.BACKTICK,
    }[group]
    return State(inside, hint=hint)


def scan(text: str, wire: Wire, state: State = CODE) -> tuple[list[Token], State]:
    """The tokens of a text, without blanks, and the state at its end.

    Args:
        text: a line, a statement, or any piece that does not end inside of a token (a line's end never does).
        wire: whose grammar.
        state: where the text before it ended.
    """
    rules = grammar(wire)
    match, tokens, at, size = rules.master.match, list[Token](), 0, len(text)
    add, get = tokens.append, _word_kinds(wire).get
    if state.inside is Inside.LINE:
        state = State(hint=state.hint)
    if state.inside is not Inside.CODE and text:
        kind = _KINDS[state.inside]
        at, state = enclosed(text, 0, state, rules)
        at = at if state.inside is Inside.CODE else size
        add(Token(kind, 0, at))
    hint, prefix = state.hint, -1
    while found := match(text, at):
        group = found.lastgroup or "operator"
        start, end = found.span(group)
        if group == "word":
            plain, called = get(text[start:end].lower(), _NAME)
            if plain is not Kind.NAME and tokens and text[tokens[-1].end - 1] == "." and tokens[-1].end == start:
                plain = called = Kind.NAME
            add(Token(called if text[end : end + 1] == "(" else plain, start, end))
        elif group in _SIMPLE:
            add(Token(_SIMPLE[group], start, end))
        elif group == "prefix":
            prefix = start
        elif group in ("hint", "endhint"):
            hint, mark = _hint(group, hint=hint)
            if mark is None:
                mark, state = Kind.COMMENT, State(Inside.COMMENT, depth=1, hint=hint)
                end, state = enclosed(text, end, state, rules)
                end = end if state.inside is Inside.CODE else size
            add(Token(mark, start, end))
        else:
            inside = opened(group, found[group], rules, hint=hint)
            end, state = enclosed(text, end, inside, rules)
            if state.inside is not Inside.CODE:
                end = size
            add(Token(_KINDS[inside.inside], start if prefix < 0 else prefix, end))
            prefix = -1
        at = end
    return tokens, state if state.inside is not Inside.CODE else State(hint=hint)


def _hint(group: str, *, hint: bool) -> tuple[bool, Kind | None]:
    """Whether we are in a conditional comment behind the mark, and the mark's kind; None for a plain comment."""
    if group == "endhint":
        return False, Kind.HINT if hint else Kind.OPERATOR
    # One inside of another is a comment to MySQL.
    return (True, None) if hint else (True, Kind.HINT)


_TAG = r"\$(?:[A-Za-z_\u0080-\U0010ffff][\w\u0080-\U0010ffff]*)?\$"
_OPENERS = {
    Wire.POSTGRES: re.compile(
        rf"(?P<remark>--[^\n\r]*)|(?P<dollar>(?<![\w$]){_TAG})|(?P<escaped>(?<![\w$])[eE]')|(?P<string>')|(?P<name>\")"
        r"|(?P<comment>/\*)"
    ),
    Wire.MYSQL: re.compile(
        r"(?P<remark>--(?=[\s\x00-\x1f]|\Z)[^\n\r]*|\#[^\n\r]*)|(?P<string>')|(?P<double>\")|(?P<backtick>`)"
        r"|(?P<hint>/\*M?!)|(?P<endhint>\*/)|(?P<comment>/\*)"
    ),
}


def skim(text: str, wire: Wire, state: State = CODE) -> State:
    """The state at the end of a text, several times as fast as `scan` would tell it; for lines of any length."""
    rules, search, at = grammar(wire), _OPENERS[wire].search, 0
    if state.inside is Inside.LINE:
        state = State(hint=state.hint)
    if state.inside is not Inside.CODE and text:
        at, state = enclosed(text, 0, state, rules)
    while state.inside is Inside.CODE and (found := search(text, at)):
        group, at = found.lastgroup or "", found.end()
        if group == "remark":
            continue
        if group == "endhint":
            state = CODE
        elif group == "hint" and not state.hint:
            state = State(hint=True)
        else:
            inside = opened("comment" if group == "hint" else group, found[0], rules, hint=state.hint)
            at, state = enclosed(text, at, inside, rules)
    return state


_NAME = (Kind.NAME, Kind.NAME)


@cache
def _word_kinds(wire: Wire) -> dict[str, tuple[Kind, Kind]]:
    """For each known word what it is, and what it is before a parenthesis."""
    reserved, functions = words(wire, Words.RESERVED), words(wire, Words.FUNCTIONS)
    found = dict.fromkeys(functions, (Kind.NAME, Kind.FUNCTION))
    for word in keywords(wire):
        free = word in functions and word not in reserved
        found[word] = (Kind.KEYWORD, Kind.FUNCTION if free else Kind.KEYWORD)
    for word in words(wire, Words.TYPES):
        found[word] = (Kind.TYPE, Kind.FUNCTION if word in functions else Kind.TYPE)
    return found


def bare(text: str, token: Token, wire: Wire) -> str:
    """What a name token names: without its quotes; PostgreSQL folds what is not quoted to lower case."""
    raw = text[token.start : token.end]
    if token.kind is Kind.QUOTED:
        raw = raw[raw.index('"') if raw[:1] in "uU" else 0 :]
        quote = raw[:1]
        inner = raw[1:-1] if len(raw) > 1 and raw.endswith(quote) else raw[1:]
        return inner.replace(quote * 2, quote)
    return raw.lower() if wire is Wire.POSTGRES else raw
