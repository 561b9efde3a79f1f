"""What the catalogue tree is made of: nodes that are read when they are opened. Without a screen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from tui.kube.quantity import text as size
from tui.services.sql.catalogue.loader import Catalogue
from tui.services.sql.catalogue.model import Column, Function, Index, Key, KeyKind, Relation, RelationKind, Schema
from tui.services.sql.language.quoting import identifier_if_needed
from tui.services.sql.model import Lost, ServerError, Wire


class Sort(StrEnum):
    """What a node is."""

    DATABASE = "database"
    SCHEMA = "schema"
    RELATION = "relation"
    COLUMN = "column"
    GROUP = "group"  # indexes, keys, functions …: read when it is opened
    LEAF = "leaf"  # one of a group
    WORDS = "words"  # why there is nothing


@dataclass(eq=False)
class Node:
    """One line of the tree.

    Attributes:
        sort: what it is.
        name: as the server gives it.
        detail: what stands after the name: type, rows, size.
        item: the catalogue's value behind it.
        parent: None for the first level.
        children: None before they were read.
        opened: whether they are shown.
        loading: whether they are being read.
        dim: whether it came with the server.
    """

    sort: Sort
    name: str
    detail: str = ""
    item: object = None
    parent: Node | None = None
    children: list[Node] | None = None
    opened: bool = False
    loading: bool = False
    dim: bool = False
    mark: str = ""
    depth: int = field(default=0)

    @property
    def leads(self) -> bool:
        """Whether it can be opened."""
        return self.sort in (Sort.DATABASE, Sort.SCHEMA, Sort.RELATION, Sort.GROUP)

    def add(self, nodes: Iterable[Node]) -> None:
        """Takes children."""
        if self.children is None:
            self.children = []
        for node in nodes:
            node.parent, node.depth = self, self.depth + 1
            self.children.append(node)


class Branches:
    """The tree of one catalogue.

    Attributes:
        roots: the first level.
        catalogue: whose.
    """

    def __init__(self, catalogue: Catalogue, database: str, changed: Callable[[], None] = lambda: None) -> None:
        """Has read nothing yet.

        Args:
            catalogue: whose.
            database: the one that the session is in.
            changed: called as nodes come.
        """
        self.catalogue = catalogue
        self.roots: list[Node] = []
        self._database = database
        self._changed = changed

    @property
    def wire(self) -> Wire:
        """Whose grammar."""
        return self.catalogue.wire

    async def begin(self) -> None:
        """Reads the first level, and opens what the session is in."""
        try:
            roots = [node async for node in self._first()]
        except (ServerError, Lost) as error:
            roots = [Node(Sort.WORDS, _why(error))]
        self.roots = roots
        self._changed()
        here = next((node for node in roots if node.leads and node.mark), None)
        if here is not None:
            await self.open(here)
            schemas = [node for node in here.children or () if node.sort is Sort.SCHEMA and not node.dim]
            if self.wire is Wire.POSTGRES and len(schemas) == 1:
                await self.open(schemas[0])

    async def _first(self) -> AsyncIterator[Node]:
        if self.wire is Wire.MYSQL:
            for each in _own_first(await self.catalogue.schemas()):
                mark = "●" if each.name == self._database else ""
                yield Node(Sort.SCHEMA, each.name, item=each, dim=each.system, mark=mark)
        else:
            for one in sorted(await self.catalogue.databases(), key=lambda one: (one.system, one.name)):
                mark = "●" if one.name == self._database else ""
                yield Node(Sort.DATABASE, one.name, item=one, dim=one.system and not mark, mark=mark)
        yield Node(Sort.GROUP, "users" if self.wire is Wire.MYSQL else "roles", item="roles", dim=True)

    async def open(self, node: Node) -> None:
        """Shows what is below a node, and reads it first where that was not done."""
        if not node.leads or node.loading or (node.sort is Sort.DATABASE and not node.mark):
            return
        node.opened = True
        if node.children is None:
            node.loading = True
            self._changed()
            try:
                async for nodes in self._below(node):
                    node.add(nodes)
                    self._changed()
                if not node.children:
                    node.add([Node(Sort.WORDS, "nothing")])
            except (ServerError, Lost) as error:
                node.children = None
                node.add([Node(Sort.WORDS, _why(error))])
            finally:
                node.loading = False
        self._changed()

    def close(self, node: Node) -> None:
        """Hides what is below a node; words why it could not be read are forgotten, so that opening asks again."""
        node.opened = False
        if node.children and all(child.sort is Sort.WORDS for child in node.children):
            node.children = None
        self._changed()

    async def _below(self, node: Node) -> AsyncIterator[list[Node]]:
        catalogue = self.catalogue
        if node.sort is Sort.DATABASE:
            yield [Node(Sort.SCHEMA, one.name, item=one, dim=one.system)
                   for one in _own_first(await catalogue.schemas())]  # fmt: skip
        elif node.sort is Sort.SCHEMA:
            async for page in catalogue.relations(node.name):
                yield [_relation(one) for one in page]
            yield [Node(Sort.GROUP, name, item=name, dim=True) for name in self._groups()]
            await self._estimate(node)
        elif node.sort is Sort.RELATION and isinstance(node.item, Relation):
            relation = node.item
            yield [_column(one) for one in await catalogue.columns(relation.schema, relation.name)]
            yield [Node(Sort.GROUP, name, item=name, dim=True) for name in ("indexes", "keys")]
        elif node.sort is Sort.GROUP:
            yield await self._group(node)

    def _groups(self) -> list[str]:
        has_sequences = self.catalogue.queries.sequences("x") is not None
        return ["functions", *(["sequences"] if has_sequences else [])]

    async def _group(self, node: Node) -> list[Node]:
        catalogue, above = self.catalogue, node.parent
        if node.item == "roles":
            return [Node(Sort.LEAF, one.name, ", ".join(one.attributes)) for one in await catalogue.roles()]
        if above is None:
            return []
        if node.item == "functions":
            return [_function(one) for one in await catalogue.functions(above.name)]
        if node.item == "sequences":
            return [Node(Sort.LEAF, one.name, "" if one.last is None else f"at {one.last:,}")
                    for one in await catalogue.sequences(above.name)]  # fmt: skip
        if isinstance(above.item, Relation) and node.item == "indexes":
            return [_index(one) for one in await catalogue.indexes(above.item.schema, above.item.name)]
        if isinstance(above.item, Relation):
            return [_key(one) for one in await catalogue.keys(above.item.schema, above.item.name)]
        return []

    async def _estimate(self, node: Node) -> None:
        """Rows and sizes, where the server needs a statement of its own for them; no right to it is no news."""
        if not any(child.sort is Sort.RELATION and not child.detail for child in node.children or ()):
            return
        try:
            known = await self.catalogue.estimates(node.name)
        except (ServerError, Lost):
            return
        for child in node.children or ():
            if child.sort is Sort.RELATION and (told := known.get(child.name)) is not None:
                child.item, child.detail = told, _estimated(told)

    # --- what is on screen

    def visible(self, filtered: str = "") -> list[Node]:
        """The lines that are shown, in order.

        Args:
            filtered: only what has this in its name, of what was read, with all that it lies in.
        """
        found: list[Node] = []
        wanted = filtered.casefold()
        if wanted:
            self._matching(self.roots, wanted, found)
        else:
            self._opened(self.roots, found)
        return found

    def _opened(self, nodes: Iterable[Node], found: list[Node]) -> None:
        for node in nodes:
            found.append(node)
            if node.opened and node.children:
                self._opened(node.children, found)

    def _matching(self, nodes: Iterable[Node], wanted: str, found: list[Node]) -> bool:
        any_of_them = False
        for node in nodes:
            at = len(found)
            found.append(node)
            below = self._matching(node.children, wanted, found) if node.children else False
            if below or (node.sort is not Sort.WORDS and wanted in node.name.casefold()):
                any_of_them = True
            else:
                del found[at:]
        return any_of_them

    def name_of(self, node: Node) -> str:
        """A node's name as a person would write it in a statement: a relation with its schema where that helps."""
        name = identifier_if_needed(node.name, self.wire)
        if isinstance(node.item, Relation):
            schema = node.item.schema
            inside = schema in self.catalogue.names.path if self.catalogue.names.path else schema == "public"
            return name if inside else f"{identifier_if_needed(schema, self.wire)}.{name}"
        return name


def relation_of(node: Node | None) -> Relation | None:
    """The relation that a node is, or belongs to."""
    while node is not None and not isinstance(node.item, Relation):
        node = node.parent
    return node.item if node is not None and isinstance(node.item, Relation) else None


def _own_first(schemas: Iterable[Schema]) -> list[Schema]:
    return sorted(schemas, key=lambda one: (one.system, one.name))


_SHORT = {
    RelationKind.TABLE: "", RelationKind.PARTITIONED: "partitioned", RelationKind.PARTITION: "partition",
    RelationKind.VIEW: "view", RelationKind.MATERIALIZED: "materialized", RelationKind.FOREIGN: "foreign",
    RelationKind.SYSTEM_VIEW: "view",
}  # fmt: skip


def _relation(one: Relation) -> Node:
    return Node(Sort.RELATION, one.name, _estimated(one), item=one)


def _estimated(one: Relation) -> str:
    told = [_SHORT[one.kind]]
    if one.kind.stores and one.rows is not None:
        told.append(f"~{_short(one.rows)} row{'' if one.rows == 1 else 's'}")
    if one.kind.stores and one.size is not None:
        told.append(size(one.size))
    return "  ".join(part for part in told if part)


def _short(count: int) -> str:
    for unit, name in ((10**9, "G"), (10**6, "M"), (10**4, "k")):
        if count >= unit:
            return f"{count / (unit if name != 'k' else 1000):.3g} {name}"
    return f"{count:,}"


def _column(one: Column) -> Node:
    words = ("PK" if one.primary else "", one.type, one.generated, "" if one.nullable or one.primary else "not null")
    return Node(Sort.COLUMN, one.name, " ".join(word for word in words if word), item=one)


def _index(one: Index) -> Node:
    words = ["unique" if one.unique and not one.primary else "", one.method, f"({', '.join(one.columns)})",
             "" if one.valid else "⚠ not used by the server"]  # fmt: skip
    return Node(Sort.LEAF, one.name, " ".join(word for word in words if word), item=one)


def _key(one: Key) -> Node:
    words = one.kind.value if one.kind is not KeyKind.FOREIGN else f"→ {one.references}"
    return Node(Sort.LEAF, one.name, f"{words} ({', '.join(one.columns)})" if one.columns else words, item=one)


def _function(one: Function) -> Node:
    returns = f" → {one.returns}" if one.returns else ""
    return Node(Sort.LEAF, one.name, f"({one.arguments}){returns}", item=one)


def _why(error: ServerError | Lost) -> str:
    return error.message if isinstance(error, ServerError) else str(error.problem)
