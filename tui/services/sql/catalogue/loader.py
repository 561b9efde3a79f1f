"""The catalogue of one session's server, read lazily: one statement at a time, what somebody waits for first."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, TypeVar

from tui.services.sql.catalogue.model import (
    Column,
    Database,
    Function,
    Index,
    Key,
    Relation,
    Role,
    Schema,
    Sequence,
)
from tui.services.sql.catalogue.queries import queries_for
from tui.services.sql.catalogue.queries.query import Query
from tui.services.sql.language.names import NameIndex, Names
from tui.services.sql.language.quoting import qualified
from tui.services.sql.model import Engine, Row, ServerError, Wire

log = logging.getLogger(__name__)
T = TypeVar("T")

#: Runs one statement and gives all its rows. Raises ServerError or Lost.
Fetch: TypeAlias = Callable[[str], Awaitable[list[Row]]]

_WAITED_FOR, _BACKGROUND = 0, 1


@dataclass(order=True)
class _Job:
    priority: int
    number: int
    key: Hashable = field(compare=False)
    query: Query[Any] = field(compare=False)
    result: asyncio.Future[Any] = field(compare=False)


class Catalogue:
    """What a server holds, as far as it was asked for.

    Everything is read once and kept until `forget`. Two who ask for the same wait for one statement. What somebody
    waits for goes before what is read ahead, page by page, so that a schema of any size delays nothing.

    Args:
        fetch: runs one statement, never two at once. It should have a connection of its own: a catalogue read inside
            of a person's transaction would fail with it, and hold its snapshot.
        engine: decides on the statements, with `number`.
        number: the server's version.
        page: relations for each statement.
        changed: is called after `names` got new ones.
    """

    def __init__(
        self,
        fetch: Fetch,
        engine: Engine,
        number: tuple[int, ...],
        *,
        page: int = 2000,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.names = Names()
        self.queries = queries_for(engine, number)
        self.wire = Wire.MYSQL if engine in (Engine.MYSQL, Engine.MARIADB, Engine.VITESS) else Wire.POSTGRES
        self._fetch, self._page, self._changed = fetch, page, changed
        self._known: dict[Hashable, Any] = {}
        self._jobs: list[_Job] = []
        self._waiting: dict[Hashable, _Job] = {}
        self._numbers = itertools.count()
        self._worker: asyncio.Task[None] | None = None
        self._ahead: asyncio.Task[None] | None = None
        self._wants = set[asyncio.Task[Any]]()
        self._generation = 0  # counts what was forgotten: an answer from before is not kept

    # What is asked for. Each may raise ServerError (no right, say) or Lost; a failure is not kept.

    async def databases(self) -> tuple[Database, ...]:
        """All databases."""
        found = await self._get("databases", self.queries.databases())
        self.names.databases = NameIndex(one.name for one in found)
        return found

    async def database_sizes(self) -> Mapping[str, int]:
        """Bytes by database; empty where the engine does not tell. May take seconds."""
        query = self.queries.database_sizes()
        return await self._get("sizes", query) if query else {}

    async def schemas(self) -> tuple[Schema, ...]:
        """Schemas of the database; in MySQL the databases."""
        found = await self._get("schemas", self.queries.schemas())
        self.names.schemas = NameIndex(one.name for one in found)
        return found

    async def relations(self, schema: str) -> AsyncIterator[tuple[Relation, ...]]:
        """A schema's relations, page by page, in the order of their names."""
        async for page in self._pages(schema, _WAITED_FOR):
            yield page

    async def estimates(self, schema: str) -> dict[str, Relation]:
        """The relations of a schema by name, with rows and sizes where the server needs a statement of its own."""
        pages = [page async for page in self._pages(schema, _WAITED_FOR)]
        found = {one.name: one for page in pages for one in page}
        if query := self.queries.estimates(schema):
            told = await self._get(("estimates", schema), query)
            for name, estimate in told.items():
                if name in found:
                    found[name] = replace(found[name], rows=estimate.rows, size=estimate.size)
        return found

    async def columns(self, schema: str, relation: str) -> tuple[Column, ...]:
        """A relation's columns."""
        return await self._columns(schema, relation, _WAITED_FOR)

    async def indexes(self, schema: str, relation: str) -> tuple[Index, ...]:
        """A relation's indexes."""
        return await self._get(("indexes", schema, relation), self.queries.indexes(schema, relation))

    async def keys(self, schema: str, relation: str) -> tuple[Key, ...]:
        """A relation's constraints."""
        return await self._get(("keys", schema, relation), self.queries.keys(schema, relation))

    async def sequences(self, schema: str) -> tuple[Sequence, ...]:
        """A schema's sequences; none where the engine has none."""
        query = self.queries.sequences(schema)
        return await self._get(("sequences", schema), query) if query else ()

    async def functions(self, schema: str) -> tuple[Function, ...]:
        """A schema's functions and procedures."""
        return await self._functions(schema, _WAITED_FOR)

    async def roles(self) -> tuple[Role, ...]:
        """Users and roles."""
        found = await self._get("roles", self.queries.roles())
        self.names.roles = NameIndex(one.name for one in found)
        return found

    async def definition(self, relation: Relation) -> str:
        """The statements that would make it anew; empty when it is gone. Asked for each time."""
        key = ("definition", relation.schema, relation.name)
        self._known.pop(key, None)
        return await self._get(key, self.queries.definition(relation))

    def preview(self, relation: Relation, rows: int = 100) -> str:
        """A statement that shows a relation's first rows, whichever they are."""
        return f"SELECT * FROM {qualified(relation.schema, relation.name, self.wire)} LIMIT {rows}"

    # What is read ahead.

    def read_ahead(self) -> None:
        """Reads in the background what completion needs: path, schemas, the path's relations and functions."""
        if self._ahead is None or self._ahead.done():
            self._ahead = asyncio.create_task(self._read_ahead())

    def want_columns(self, schema: str, relation: str) -> None:
        """Has a relation's columns read for completion, soon; who wants to wait calls `columns`."""
        key = ("columns", schema, relation)
        if key not in self._known and key not in self._waiting:
            task = asyncio.create_task(self._quietly(self._columns(schema, relation, _BACKGROUND)))
            self._wants.add(task)
            task.add_done_callback(self._wants.discard)

    def want_schema(self, schema: str) -> None:
        """Has a schema's relations read for completion, soon."""
        if ("relations", schema, "") not in self._known and ("relations", schema, "") not in self._waiting:
            task = asyncio.create_task(self._quietly(self._all_pages(schema)))
            self._wants.add(task)
            task.add_done_callback(self._wants.discard)

    def forget(self) -> None:
        """Forgets everything: after a statement that changed definitions, or when somebody presses reload.

        What is read ahead is given up; who waits gets the answer that is on its way.
        """
        self._generation += 1
        self._known.clear()
        self.names.forget()
        for task in (self._ahead, *self._wants):
            if task is not None:
                task.cancel()
        self._ahead = None
        for job in [job for job in self._waiting.values() if job.priority == _BACKGROUND]:
            job.result.cancel()
            del self._waiting[job.key]

    async def cancel(self) -> None:
        """Gives up everything that is being read; who waits gets CancelledError. The next request begins anew."""
        tasks = [task for task in (self._ahead, self._worker, *self._wants) if task and not task.done()]
        for task in tasks:
            task.cancel()
        jobs, self._jobs, self._waiting = list(self._waiting.values()), [], {}
        for job in jobs:
            job.result.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._ahead = self._worker = None

    async def _read_ahead(self) -> None:
        path = await self._quietly(self._get("path", self.queries.path(), _BACKGROUND))
        if path is None:
            return
        self.names.path = path
        schemas = await self._quietly(self._get("schemas", self.queries.schemas(), _BACKGROUND))
        self.names.schemas = NameIndex(one.name for one in schemas or ())
        databases = await self._quietly(self._get("databases", self.queries.databases(), _BACKGROUND))
        self.names.databases = NameIndex(one.name for one in databases or ())
        self._changed()
        # The person's own schemas first: the server's are long, and known by heart less often than they are wanted.
        for schema in sorted(path, key=lambda name: name.startswith("pg_")):
            await self._quietly(self._all_pages(schema))
            self.names.relation_index(schema)  # now, and not at the first key of a completion
        for schema in path:
            if not schema.startswith("pg_"):
                await self._quietly(self._functions(schema, _BACKGROUND))
        roles = await self._quietly(self._get("roles", self.queries.roles(), _BACKGROUND))
        self.names.roles = NameIndex(one.name for one in roles or ())
        self._changed()

    async def _all_pages(self, schema: str) -> None:
        async for _ in self._pages(schema, _BACKGROUND):
            pass

    async def _pages(self, schema: str, priority: int) -> AsyncIterator[tuple[Relation, ...]]:
        after, generation = "", self._generation
        while True:
            key = ("relations", schema, after)
            fresh = key not in self._known
            query = self.queries.relations(schema, after, self._page)
            page = await self._get(key, query, priority)
            if fresh and generation == self._generation:
                self.names.add_relations(schema, page, first=not after)
                self._changed()
            if page or not after:
                yield page
            if len(page) < self._page:
                return
            after = page[-1].name

    async def _columns(self, schema: str, relation: str, priority: int) -> tuple[Column, ...]:
        found = await self._get(("columns", schema, relation), self.queries.columns(schema, relation), priority)
        if self.names.columns.get((schema, relation)) != found:
            self.names.columns[schema, relation] = found
            self._changed()
        return found

    async def _functions(self, schema: str, priority: int) -> tuple[Function, ...]:
        found = await self._get(("functions", schema), self.queries.functions(schema), priority)
        self.names.set_functions(schema, found)
        self._changed()
        return found

    async def _quietly(self, wanted: Awaitable[T]) -> T | None:
        """For what is read ahead: that it may not be read is no news; whoever opens it is told."""
        try:
            return await wanted
        except ServerError as error:
            log.info("the catalogue may not be read: %s", error.message)
        except Exception as error:
            log.info("the catalogue cannot be read: %s", type(error).__name__)
        return None

    # One statement at a time.

    async def _get(self, key: Hashable, query: Query[T], priority: int = _WAITED_FOR) -> T:
        if key in self._known:
            known: T = self._known[key]
            return known
        job = self._waiting.get(key)
        if job is None or priority < job.priority:
            result = job.result if job else asyncio.get_running_loop().create_future()
            job = _Job(priority, next(self._numbers), key, query, result)
            self._waiting[key] = job
            heapq.heappush(self._jobs, job)
            if self._worker is None or self._worker.done():
                self._worker = asyncio.create_task(self._work())
        # Who stops waiting must not take the result from others.
        found: T = await asyncio.shield(job.result)
        return found

    async def _work(self) -> None:
        while self._jobs:
            job = heapq.heappop(self._jobs)
            if job.result.done():
                continue
            generation = self._generation
            try:
                value = job.query.read(await self._fetch(job.query.statement))
            except asyncio.CancelledError:
                job.result.cancel()
                raise
            except Exception as error:
                if not job.result.done():
                    job.result.set_exception(error)
                    job.result.exception()  # nobody may wait any more
            else:
                if generation == self._generation:
                    self._known[job.key] = value
                if not job.result.done():
                    job.result.set_result(value)
            finally:
                waiting = self._waiting.get(job.key)
                if waiting is not None and waiting.result is job.result:
                    del self._waiting[job.key]
