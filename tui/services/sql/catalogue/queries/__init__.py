"""The statements that read a catalogue, per engine. Texts and readers only: nothing is sent from here."""

from __future__ import annotations

from tui.services.sql.catalogue.queries.cockroach import CockroachQueries
from tui.services.sql.catalogue.queries.mysql import MysqlQueries
from tui.services.sql.catalogue.queries.postgres import PostgresQueries
from tui.services.sql.catalogue.queries.query import Queries
from tui.services.sql.model import Engine


def queries_for(engine: Engine, number: tuple[int, ...]) -> Queries:
    """The statements for a server that says it is `engine` of version `number`."""
    if engine is Engine.COCKROACHDB:
        return CockroachQueries()
    if engine in (Engine.POSTGRESQL, Engine.YUGABYTEDB):
        return PostgresQueries(number)
    return MysqlQueries(engine, number)
