"""PostgreSQL's types as a console wants them: the server's own text for everything, bytes for bytea.

asyncpg would turn values into Python's, which have no `infinity`, no year before 1 and no months in an interval, and a
value that does not fit ends the fetch with an exception. A text codec under each type's oid gives what psql shows, also
for the types that asyncpg's public call refuses (arrays, ranges, composites, domains): its check is in that call only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from asyncpg.protocol import protocol

from tui.services.sql.model import Look

#: Types whose binary form asyncpg hands over as the text that it is, without a call of ours.
_AS_THEY_ARE = frozenset(("text", "varchar", "bpchar", "name", "json", "jsonb", "xml", "bytea", "unknown", "cstring"))
#: asyncpg's names beside those of `format_type`.
_SPELT = {
    "bool": "boolean", "int2": "smallint", "int4": "integer", "int8": "bigint", "float4": "real",
    "float8": "double precision", "varchar": "character varying", "bpchar": "character",
    "timestamptz": "timestamp with time zone",
    "timestamp": "timestamp without time zone", "timetz": "time with time zone", "time": "time without time zone",
    "varbit": "bit varying", "char": '"char"',
}  # fmt: skip
_BY_NAME: Mapping[str, Look] = {
    "bool": Look.BOOLEAN, "bytea": Look.BINARY, "json": Look.JSON, "jsonb": Look.JSON, "jsonpath": Look.TEXT,
    **dict.fromkeys(("int2", "int4", "int8", "float4", "float8", "numeric", "oid", "money", "xid", "cid"), Look.NUMBER),
    **dict.fromkeys(("date", "time", "timetz", "timestamp", "timestamptz", "interval"), Look.TIME),
    **dict.fromkeys(("text", "varchar", "bpchar", "name", "char", "uuid", "xml", "unknown", "cstring"), Look.TEXT),
}  # fmt: skip
#: pg_type.typcategory.
_BY_CATEGORY: Mapping[str, Look] = {
    "A": Look.ARRAY, "B": Look.BOOLEAN, "D": Look.TIME, "T": Look.TIME, "N": Look.NUMBER, "S": Look.TEXT,
    "E": Look.TEXT,
}  # fmt: skip
#: Names and categories of types by oid.
LOOK_UP = (
    "SELECT oid::int8::text, format_type(oid, NULL)::text, typcategory::text FROM pg_catalog.pg_type WHERE oid IN ({})"
)


class Types:
    """The types that one session has met."""

    def __init__(self, settings: Any, revive: Callable[[str], str] | None = None) -> None:  # noqa: ANN401
        """Registers codecs for the types that asyncpg knows.

        Args:
            settings: asyncpg's `ConnectionSettings`.
            revive: makes text of what the driver decoded, where that is not the text already (SQL_ASCII).
        """
        self._settings = settings
        self._decode: Callable[[str], str] = revive or str
        self._known: dict[int, tuple[str, Look]] = {}
        for oid, name in protocol.BUILTIN_TYPE_OID_MAP.items():
            look = Look.ARRAY if name.endswith("[]") else _BY_NAME.get(name, Look.OTHER)
            self._known[oid] = (_SPELT.get(name, name), look)
            if name == "bytea" or (revive is None and name in _AS_THEY_ARE):
                continue
            self._register(oid, name)

    def add(self, oids: Iterable[int], found: Mapping[int, tuple[str, str]]) -> None:
        """Registers types.

        Args:
            oids: those that are missing.
            found: what the server says of them: name and category.
        """
        for oid in oids:
            name, category = found.get(oid, (f"type {oid}", ""))
            self._known[oid] = (name, _BY_CATEGORY.get(category, Look.OTHER))
            self._register(oid, name)

    def _register(self, oid: int, name: str) -> None:
        self._settings.add_python_codec(oid, name, "pg_catalog", [], "scalar", str, self._decode, "text")

    def of(self, oid: int) -> tuple[str, Look]:
        """Name and look."""
        return self._known.get(oid, (f"type {oid}", Look.OTHER))


def revive(text: str) -> str:
    """UTF-8 that was decoded byte by byte, with `�` for what is none: how SQL_ASCII databases are read."""
    return text if text.isascii() else text.encode("latin-1").decode("utf-8", "replace")
