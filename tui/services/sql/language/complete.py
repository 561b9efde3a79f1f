"""Completion: what could stand at the cursor, the likeliest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from tui.services.sql.catalogue.model import RelationKind
from tui.services.sql.language.context import Context, Source, Wants, context
from tui.services.sql.language.names import NameIndex, Names
from tui.services.sql.language.quoting import identifier, identifier_if_needed
from tui.services.sql.language.vocabulary import COMMON
from tui.services.sql.language.words import Words, keywords, words
from tui.services.sql.model import Wire


class Offer(StrEnum):
    """What a candidate is."""

    COLUMN = "column"
    RELATION = "relation"
    CTE = "cte"
    ALIAS = "alias"
    FUNCTION = "function"
    SCHEMA = "schema"
    DATABASE = "database"
    ROLE = "role"
    TYPE = "type"
    KEYWORD = "keyword"
    SETTING = "setting"


#: Among candidates that fit equally well, the earlier kind comes first.
_ORDER = {kind: number for number, kind in enumerate(Offer)}


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something to put in.

    Attributes:
        text: what replaces the typed beginning: quoted where needed, keywords in the typed one's case.
        name: the name alone, for showing. Text from outside.
        detail: a type, a kind, arguments: for showing beside it. Text from outside.
        rank: how well it fits: 0 the same, 1 begins with what was typed, 2 a word in it does, 3 contains it, 4 has its
            letters in this order.
    """

    text: str
    name: str
    offer: Offer
    detail: str
    rank: int


@dataclass(frozen=True, slots=True)
class Completion:
    """What can replace a part of a statement.

    Attributes:
        start: index of the first character that is replaced.
        end: index behind the last one.
        candidates: the likeliest first.
        missing: relations (schema, name) whose columns would be offered if they were known: to be read, and then asked
            again.
        schema: a schema whose relations would be, empty for none.
    """

    start: int
    end: int
    candidates: tuple[Candidate, ...] = ()
    missing: tuple[tuple[str, str], ...] = ()
    schema: str = ""


@cache
def _keyword_index(wire: Wire) -> NameIndex:
    return NameIndex(keywords(wire))


@cache
def _word_index(wire: Wire, which: Words) -> NameIndex:
    return NameIndex(words(wire, which))


def complete(text: str, cursor: int, names: Names, wire: Wire, limit: int = 100) -> Completion:
    """What could stand at a cursor.

    Args:
        text: one statement, or the text that is to become one.
        cursor: index in it.
        names: what is known of the server.
        wire: whose grammar.
        limit: candidates at most.
    """
    place = context(text, cursor, wire)
    found = _Finder(place, names, wire, limit)
    candidates = sorted(found.candidates(), key=_likely)
    unique: dict[tuple[str, Offer], Candidate] = {}
    for one in candidates:
        unique.setdefault((one.text, one.offer), one)
    return Completion(
        place.start, place.end, tuple(unique.values())[:limit], tuple(dict.fromkeys(found.missing)), found.schema
    )


def _likely(one: Candidate) -> tuple[int, int, int, int, str]:
    rare = COMMON.get(one.name.lower(), len(COMMON)) if one.offer is Offer.KEYWORD else 0
    return one.rank, _ORDER[one.offer], rare, len(one.name), one.name


class _Finder:
    """Gathers the candidates of one place."""

    def __init__(self, place: Context, names: Names, wire: Wire, limit: int) -> None:
        self._place, self._names, self._wire, self._limit = place, names, wire, limit
        self.missing = list[tuple[str, str]]()
        self.schema = ""

    def candidates(self) -> Iterator[Candidate]:
        """All that fit, in no order, some of them twice."""
        place, wants = self._place, self._place.wants
        if place.qualifier:
            yield from self._qualified(place.qualifier)
            return
        if wants & Wants.COLUMNS:
            yield from self._columns([place.target] if place.target else place.sources)
            if not place.target:
                aliases = [one.alias for one in place.sources if one.alias]
                yield from self._named(NameIndex(aliases), Offer.ALIAS, "in this statement")
        # Among columns, relations are only of use while none is in reach.
        if wants & Wants.RELATIONS and not (wants & Wants.COLUMNS and place.sources):
            yield from self._named(NameIndex(place.ctes), Offer.CTE, "WITH")
            for schema in self._names.path:
                yield from self._relations(schema)
        if wants & Wants.SCHEMAS:
            yield from self._named(self._names.schemas, Offer.SCHEMA, "schema")
        if wants & Wants.DATABASES:
            yield from self._named(self._names.databases, Offer.DATABASE, "database")
        if wants & Wants.ROLES:
            yield from self._named(self._names.roles, Offer.ROLE, "role")
        if wants & Wants.FUNCTIONS:
            for schema in self._names.path:
                yield from self._functions(schema)
        if not place.quoted:
            yield from self._words()

    def _qualified(self, qualifier: tuple[str, ...]) -> Iterator[Candidate]:
        """Behind a point: an alias' or a relation's columns, or what is in a schema."""
        last = qualifier[-1]
        if len(qualifier) == 1:
            # Behind FROM a point follows a schema; anywhere else rather a relation.
            aliased = self._place.sources if self._place.wants & Wants.COLUMNS else ()
            named = [one for one in aliased if last == one.alias or (not one.alias and last == one.name)]
            named = named or [one for one in aliased if last.lower() == one.alias.lower()]
            yield from self._columns(named)
            if named:
                return
            if last in self._names.relations:
                yield from self._relations(last)
                yield from self._functions(last)
            elif any(name == last for _, name in self._names.schemas.search(last, 1)):
                self.schema = last
            elif relation := self._names.find("", last):
                yield from self._columns([Source(relation.schema, relation.name, last)])
            return
        yield from self._columns([Source(qualifier[-2], last, last)])

    def _columns(self, sources: Iterable[Source]) -> Iterator[Candidate]:
        for source in sources:
            if source.columns:
                yield from self._named(NameIndex(source.columns), Offer.COLUMN, source.alias)
                continue
            if not source.name or source.name in self._place.ctes:
                continue
            relation = self._names.find(source.schema, source.name)
            schema = relation.schema if relation else source.schema or next(iter(self._names.path), "")
            known = self._names.columns.get((schema, source.name))
            if known is None:
                if relation or source.schema:
                    self.missing.append((schema, source.name))
                continue
            types = {one.name: one.type for one in known}
            for rank, name in NameIndex(types).search(self._place.typed, self._limit):
                yield Candidate(self._write(name), name, Offer.COLUMN, types[name], rank)

    def _relations(self, schema: str) -> Iterator[Candidate]:
        known = self._names.relations.get(schema)
        if known is None:
            return
        for rank, name in self._names.relation_index(schema).search(self._place.typed, self._limit):
            kind = known[name].kind
            detail = schema if kind is RelationKind.TABLE else f"{kind} in {schema}"
            yield Candidate(self._write(name), name, Offer.RELATION, detail, rank)

    def _functions(self, schema: str) -> Iterator[Candidate]:
        known = self._names.functions.get(schema)
        if known is None:
            return
        for rank, name in self._names.function_index(schema).search(self._place.typed, self._limit):
            detail = f"({known[name].arguments}) {known[name].returns}".rstrip()
            yield Candidate(f"{self._write(name)}(", name, Offer.FUNCTION, detail, rank)

    def _words(self) -> Iterator[Candidate]:
        """Of the grammar itself: only once something was typed, for there are hundreds."""
        typed, wants, wire = self._place.typed, self._place.wants, self._wire
        upper = not typed or typed != typed.lower()
        if wants & Wants.SETTINGS:
            for rank, name in _word_index(wire, Words.SETTINGS).search(typed, self._limit):
                yield Candidate(name, name, Offer.SETTING, "setting", rank)
        if wants & Wants.TYPES:
            for rank, name in _word_index(wire, Words.TYPES).search(typed, self._limit):
                yield Candidate(name, name, Offer.TYPE, "type", rank)
        if not typed:
            return
        if wants & Wants.FUNCTIONS:
            for rank, name in _word_index(wire, Words.FUNCTIONS).search(typed, self._limit):
                if rank <= 2:
                    yield Candidate(f"{name}(", name, Offer.FUNCTION, "built in", rank)
        if wants & Wants.KEYWORDS:
            for rank, name in _keyword_index(wire).search(typed, self._limit):
                # Inside of a word somebody is looking for a name, not for a keyword.
                if rank <= 1:
                    shown = name.upper() if upper else name
                    yield Candidate(shown, shown, Offer.KEYWORD, "", rank)

    def _named(self, index: NameIndex, offer: Offer, detail: str) -> Iterator[Candidate]:
        for rank, name in index.search(self._place.typed, self._limit):
            yield Candidate(self._write(name), name, offer, detail, rank)

    def _write(self, name: str) -> str:
        if self._place.quoted:
            return identifier(name, self._wire)
        return identifier_if_needed(name, self._wire)
