"""What may stand at a cursor: the relations in reach with their aliases, and the clause that the cursor is in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Flag, auto

from tui.services.sql.language.lexer import Inside, Kind, Token, scan
from tui.services.sql.language.phrases import Word, read
from tui.services.sql.language.vocabulary import words_of
from tui.services.sql.model import Wire


class Wants(Flag):
    """What a place can be completed with."""

    NOTHING = 0
    KEYWORDS = auto()
    COLUMNS = auto()  # of the relations in reach
    RELATIONS = auto()
    SCHEMAS = auto()
    FUNCTIONS = auto()
    TYPES = auto()
    DATABASES = auto()
    ROLES = auto()
    SETTINGS = auto()


@dataclass(frozen=True, slots=True)
class Source:
    """A relation in reach.

    Attributes:
        schema: as written and bare, empty for none.
        name: of the relation, empty for a subquery.
        alias: by which its columns are qualified.
        columns: names of its columns where the statement itself tells them (a CTE's list).
    """

    schema: str
    name: str
    alias: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Context:
    """What is known of a place in a statement.

    Attributes:
        wants: what it can be completed with.
        typed: the beginning of a name or keyword before the cursor, without its quote.
        quoted: whether it was begun with a quote.
        start: index where what is replaced begins.
        end: index where it ends: behind the rest of the word under the cursor.
        qualifier: names before it, each with its point (`s.t.`), bare, the nearest last.
        sources: relations in reach, the nearest first.
        ctes: names of the statement's CTEs.
        target: the relation whose columns are named in INSERT INTO t (…) and the like.
    """

    wants: Wants
    typed: str
    quoted: bool
    start: int
    end: int
    qualifier: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    ctes: tuple[str, ...] = ()
    target: Source | None = field(default=None)


_COLUMNS = Wants.COLUMNS | Wants.FUNCTIONS | Wants.KEYWORDS | Wants.RELATIONS
_RELATIONS = Wants.RELATIONS | Wants.SCHEMAS | Wants.KEYWORDS
#: By the last of these keywords before the cursor.
_AFTER: dict[str, Wants] = {
    **dict.fromkeys(
        words_of(
            "select where on and or not having by when then else case set returning distinct between like in using"
        ),
        _COLUMNS,
    ),
    **dict.fromkeys(words_of("limit offset values"), Wants.FUNCTIONS | Wants.KEYWORDS | Wants.COLUMNS),
    **dict.fromkeys(words_of("from join into update table truncate describe desc view straight_join"), _RELATIONS),
    **dict.fromkeys(words_of("database databases use connect"), Wants.DATABASES),
    **dict.fromkeys(words_of("schema"), Wants.SCHEMAS),
    **dict.fromkeys(words_of("role user owner grantee authorization to"), Wants.ROLES | Wants.KEYWORDS),
    **dict.fromkeys(words_of("show reset"), Wants.SETTINGS | Wants.KEYWORDS),
    **dict.fromkeys(words_of("call perform execute function procedure"), Wants.FUNCTIONS | Wants.SCHEMAS),
    "index": Wants.KEYWORDS,
}
_BEFORE_SOURCES = words_of("from join update into straight_join using")
_ENDS_SOURCES = words_of(
    "where group order having limit offset union intersect except returning set window for fetch values on using select"
)
_JOINS = words_of("join inner left right full outer cross natural straight_join lateral only as on using")


def context(text: str, cursor: int, wire: Wire) -> Context:
    """What can stand at a cursor.

    Args:
        text: one statement (see `split.piece_at`), or the text that is to become one.
        cursor: index in it.
        wire: whose grammar.
    """
    tokens, state = scan(text[:cursor], wire)
    quoted = state.inside in (Inside.NAME, Inside.BACKTICK)
    nothing = Context(Wants.NOTHING, "", quoted=False, start=cursor, end=cursor)
    if (state.inside is not Inside.CODE and not quoted) or _in_remark(text, tokens, cursor):
        return nothing
    start, end, typed, original = cursor, cursor, "", text
    if quoted:
        # The open quote would take the rest of the statement with it.
        start = tokens[-1].start
        end = cursor + (text[cursor : cursor + 1] == text[start])
        text = f"{text[:start]}{' ' * (end - start)}{text[end:]}"
        typed = original[start + 1 : cursor].replace(original[start] * 2, original[start])
    words = read(text, wire)
    under = next((word for word in words if word.start < cursor <= word.end), None)
    if under and under.name:
        start, end, typed = under.start, under.end, text[under.start : cursor]
    elif under and under.kind in (Kind.NUMBER, Kind.STRING, Kind.PARAMETER):
        return nothing
    before = [word for word in words if word.end <= start]
    qualifier, first = _qualifier(before)
    before = before[:first]
    ctes = _ctes(words)
    sources = _sources(_scope(words, before, start), ctes)
    wants, target = _wants(before)
    return Context(wants, typed, quoted, start, end, qualifier, sources, tuple(ctes), target)


def _in_remark(text: str, tokens: Sequence[Token], cursor: int) -> bool:
    if not tokens or tokens[-1].kind is not Kind.COMMENT or tokens[-1].end != cursor:
        return False
    return not text[tokens[-1].start : cursor].endswith("*/")


def _qualifier(before: Sequence[Word]) -> tuple[tuple[str, ...], int]:
    """Names with points before the cursor, and the index where they begin."""
    names, at = list[str](), len(before)
    while at >= 2 and before[at - 1].low == "." and before[at - 2].name:
        names.insert(0, before[at - 2].name)
        at -= 2
    return tuple(names), at


def _scope(words: Sequence[Word], before: Sequence[Word], start: int) -> list[Word]:
    """The words of the innermost query around a place, then those of the queries around that one."""
    depth = 0
    if before:
        depth = before[-1].depth + (before[-1].low in ("(", "["))
    found = list[Word]()
    opened = len(before)
    for level in range(depth, -1, -1):
        # Back to the parenthesis that opens this level, forward to the one that closes it.
        begin = opened
        while begin and not (words[begin - 1].low == "(" and words[begin - 1].depth == level - 1):
            begin -= 1
        stop = begin
        while stop < len(words) and not (words[stop].low == ")" and words[stop].depth == level - 1 and stop >= opened):
            stop += 1
        level_words = [word for word in words[begin:stop] if word.depth == level and word.start != start]
        if any(word.low in ("select", "update", "delete", "insert", "from", "merge") for word in level_words):
            found += level_words
        opened = max(0, begin - 1)
    return found


def _ctes(words: Sequence[Word]) -> dict[str, tuple[str, ...]]:
    """CTEs by name, with the columns that their list names."""
    found: dict[str, tuple[str, ...]] = {}
    if not any(word.low == "with" for word in words):
        return found
    for at, word in enumerate(words):
        if word.low != "as" or at < 1:
            continue
        after = next((w.low for w in words[at + 1 : at + 4] if w.low not in ("not", "materialized")), "")
        if after != "(":
            continue
        before, columns = at - 1, tuple[str, ...]()
        if words[before].low == ")":
            depth, stop = words[before].depth, before
            while before and not (words[before].low == "(" and words[before].depth == depth):
                before -= 1
            columns = tuple(one.name for one in words[before + 1 : stop] if one.name)
            before -= 1
        if before >= 0 and words[before].name and before >= 1 and words[before - 1].low in ("with", "recursive", ","):
            found[words[before].name] = columns
    return found


def _sources(scope: Sequence[Word], ctes: dict[str, tuple[str, ...]]) -> tuple[Source, ...]:
    """What FROM, JOIN, UPDATE and INTO name."""
    found, at = list[Source](), 0
    while at < len(scope):
        word = scope[at]
        if word.low in ("from", "join", "update", "into", "straight_join", "using") or (
            word.low == "," and _in_from(scope, at)
        ):
            source, at = _source(scope, at + 1, ctes)
            if source is not None and source not in found:
                found.append(source)
        else:
            at += 1
    return tuple(found)


def _in_from(scope: Sequence[Word], at: int) -> bool:
    for word in reversed(scope[:at]):
        if word.low in ("from", "update"):
            return True
        if word.low in _ENDS_SOURCES:
            return False
    return False


def _source(scope: Sequence[Word], at: int, ctes: dict[str, tuple[str, ...]]) -> tuple[Source | None, int]:
    while at < len(scope) and scope[at].low in ("only", "lateral", "ignore", "low_priority", "table", "("):
        at += 1
    names = list[str]()
    while at < len(scope) and scope[at].name and (scope[at].low not in _STOPS or names):
        names.append(scope[at].name)
        at += 1
        if at < len(scope) and scope[at].low == ".":
            at += 1
            continue
        break
    if at < len(scope) and scope[at].low == ")":  # a subquery's parentheses: its words lie deeper
        at += 1
    alias = ""
    if at < len(scope) and scope[at].low == "as":
        at += 1
    if at < len(scope) and scope[at].name and scope[at].low not in _STOPS:
        alias = scope[at].name
        at += 1
    if not names and not alias:
        return None, at
    name = names[-1] if names else ""
    schema = names[-2] if len(names) > 1 else ""
    return Source(schema, name, alias or name, ctes.get(name, ()) if not schema else ()), at


_STOPS = _ENDS_SOURCES | _JOINS | words_of("from into join update delete insert as default use force ignore partition")


def _wants(before: Sequence[Word]) -> tuple[Wants, Source | None]:
    """By what stands before: the last keyword that decides, at this depth or around it."""
    if not before:
        return Wants.KEYWORDS, None
    last = before[-1]
    if last.low == "::":
        return Wants.TYPES, None
    if first_of(before) in ("set", "alter") and last.low in ("set", "session", "local", "global", "system"):
        known = Wants.SETTINGS | Wants.KEYWORDS
        return known | (Wants.COLUMNS if first_of(before) == "alter" else Wants.NOTHING), None
    # INSERT INTO t (…), CREATE INDEX ON t (…), … REFERENCES t (…)
    depth = last.depth + (last.low == "(")
    if target := _target(before, depth):
        return Wants.COLUMNS, target
    if first_of(before) == "alter" and last.low in ("column", "drop", "alter", "rename") and (of := _altered(before)):
        return Wants.COLUMNS | Wants.KEYWORDS, of
    opener = _opener(before, depth)
    if last.low == "as" and opener >= 1 and before[opener - 1].low == "cast":
        return Wants.TYPES, None
    if first_of(before) == "create" and opener >= 1 and depth == 1 and any(w.low == "table" for w in before[:4]):
        return Wants.TYPES | Wants.KEYWORDS, None
    for word in reversed(before):
        if word.depth > depth or not word.low:
            continue
        depth = min(depth, word.depth)
        if word.low in _AFTER and word.kind is not Kind.STRING:
            wants = _AFTER[word.low]
            if word.low == "on" and first_of(before) in ("grant", "revoke", "create", "comment"):
                return _RELATIONS, None
            if word.low == "to" and first_of(before) not in ("grant", "alter", "reassign"):
                continue
            # A name stands behind FROM already: an alias or the next clause follows.
            if (
                wants is _RELATIONS
                and last.name
                and last is not word
                and last.low not in _AFTER
                and last.low not in _JOINS
            ):
                return Wants.KEYWORDS, None
            return wants, None
    return Wants.KEYWORDS, None


def first_of(words: Sequence[Word]) -> str:
    """The first word of a statement."""
    return words[0].low if words else ""


def _opener(before: Sequence[Word], depth: int) -> int:
    """The index of the parenthesis that a place of that depth is in; -1 for none."""
    for at in range(len(before) - 1, -1, -1):
        if before[at].low == "(" and before[at].depth == depth - 1:
            return at
    return -1


def _altered(before: Sequence[Word]) -> Source | None:
    at = 2
    while at < len(before) and before[at].low in ("if", "exists", "only"):
        at += 1
    names = [word.name for word in before[at : at + 3 : 2] if word.name]
    if at + 1 >= len(before) or not names:
        return None
    if before[at + 1].low != ".":
        names = names[:1]
    return Source(names[0] if len(names) > 1 else "", names[-1], names[-1])


def _target(before: Sequence[Word], depth: int) -> Source | None:
    opened = _opener(before, depth)
    if opened < 2 or not before[opened - 1].name:
        return None
    at = opened - 1
    names = [before[at].name]
    while at >= 2 and before[at - 1].low == ".":
        at -= 2
        names.insert(0, before[at].name)
    if at >= 1 and (
        before[at - 1].low in ("into", "references") or (before[at - 1].low == "on" and first_of(before) == "create")
    ):
        return Source(names[-2] if len(names) > 1 else "", names[-1], names[-1])
    return None
