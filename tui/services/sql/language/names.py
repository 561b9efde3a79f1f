"""The names that completion offers, kept so that ten thousand are searched within a few milliseconds."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tui.services.sql.catalogue.model import Column, Function, Relation


class NameIndex:
    """A set of names, searched by what was typed: what begins with it, then words, then what contains it, then what
    holds its letters in this order.

    A search goes over one text of all names in the regular expression engine, not over each name.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = sorted(set(names), key=lambda name: (name.lower(), name))
        self._low = [name.lower() for name in self._names]
        self._text = "\n".join(["", *(name.replace("\n", " ") for name in self._low), ""])
        starts, at = [], 1
        for name in self._low:
            starts.append(at)
            at += len(name) + 1
        self._starts = starts

    def __len__(self) -> int:
        return len(self._names)

    def search(self, typed: str, limit: int) -> Iterator[tuple[int, str]]:
        """At most `limit` names with their rank: 0 the same, 1 begins with it, 2 a word in it does, 3 contains it,
        4 has its letters. The best ones come first; within a rank they are sorted.
        """
        low = typed.lower()
        if not low:
            yield from ((1, name) for name in self._names[:limit])
            return
        seen = set[int]()
        for rank, found in ((1, self._prefixed(low, limit)), (2, self._words(low)), (3, self._inside(low))):
            for at in found:
                if at not in seen:
                    seen.add(at)
                    yield (0 if self._low[at] == low else rank), self._names[at]
                    if len(seen) >= limit:
                        return
        if len(low) > 1:
            letters = re.compile("[^\n]*?".join(re.escape(char) for char in low))
            for at in self._hits(letters):
                if at not in seen:
                    seen.add(at)
                    yield 4, self._names[at]
                    if len(seen) >= limit:
                        return

    def _prefixed(self, low: str, limit: int) -> Iterator[int]:
        at = bisect_left(self._low, low)
        stop = min(len(self._low), at + limit)
        while at < stop and self._low[at].startswith(low):
            yield at
            at += 1

    def _words(self, low: str) -> Iterator[int]:
        yield from self._hits(re.compile(rf"(?<=[_\W]){re.escape(low)}"))
        if len(low) > 1:  # the initials: `oi` for order_items
            yield from self._hits(re.compile("\n" + r"[^\n_]*_".join(re.escape(char) for char in low)), skip=1)

    def _inside(self, low: str) -> Iterator[int]:
        return self._hits(re.compile(re.escape(low)))

    def _hits(self, pattern: re.Pattern[str], skip: int = 0) -> Iterator[int]:
        """The names in which a pattern is found, each once; `skip` characters of it lie before the name."""
        at = 0
        while found := pattern.search(self._text, at):
            number = bisect_left(self._starts, found.start() + skip + 1) - 1
            if number < 0:
                at = 1
                continue
            yield number
            at = self._starts[number] + len(self._low[number])


EMPTY = NameIndex(())


@dataclass(slots=True)
class Names:
    """What is known of a server's names so far; a catalogue fills it as it reads.

    Attributes:
        path: schemas in which a name without one is looked for.
        schemas: all of them; in MySQL the databases.
        relations: by schema.
        functions: by schema.
        columns: by schema and relation.
    """

    path: tuple[str, ...] = ()
    schemas: NameIndex = EMPTY
    databases: NameIndex = EMPTY
    roles: NameIndex = EMPTY
    relations: dict[str, Mapping[str, Relation]] = field(default_factory=dict)
    functions: dict[str, Mapping[str, Function]] = field(default_factory=dict)
    columns: dict[tuple[str, str], tuple[Column, ...]] = field(default_factory=dict)
    _indexes: dict[str, NameIndex] = field(default_factory=dict)
    _calls: dict[str, NameIndex] = field(default_factory=dict)

    def add_relations(self, schema: str, relations: Sequence[Relation], *, first: bool) -> None:
        """A page of a schema's relations came; `first` when it is the first one."""
        known: dict[str, Relation] = {} if first else dict(self.relations.get(schema, {}))
        known.update((one.name, one) for one in relations)
        self.relations[schema] = known
        self._indexes.pop(schema, None)

    def set_functions(self, schema: str, functions: Sequence[Function]) -> None:
        """A schema's functions came; of several with one name, the first is kept."""
        self.functions[schema] = {one.name: one for one in reversed(functions)}
        self._calls.pop(schema, None)

    def relation_index(self, schema: str) -> NameIndex:
        """The names of a schema's relations."""
        if schema not in self._indexes:
            self._indexes[schema] = NameIndex(self.relations.get(schema, ()))
        return self._indexes[schema]

    def function_index(self, schema: str) -> NameIndex:
        """The names of a schema's functions."""
        if schema not in self._calls:
            self._calls[schema] = NameIndex(self.functions.get(schema, ()))
        return self._calls[schema]

    def find(self, schema: str, name: str) -> Relation | None:
        """A relation by its name, looked for in the path when no schema is given."""
        for place in (schema,) if schema else self.path:
            known = self.relations.get(place, {})
            if found := known.get(name):
                return found
        return None

    def forget(self) -> None:
        """Nothing is known any more, but the path and the schemas."""
        self.relations.clear()
        self.functions.clear()
        self.columns.clear()
        self._indexes.clear()
        self._calls.clear()
