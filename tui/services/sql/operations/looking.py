"""All questions to one server, over one session."""

from __future__ import annotations

import time

from tui.services.sql.model import Engine, Session
from tui.services.sql.operations import (
    cockroach,
    mysql,
    mysql_groups,
    mysql_health,
    mysql_replication,
    postgres,
    postgres_health,
    vitess,
    yugabyte,
)
from tui.services.sql.operations.metrics import Metrics
from tui.services.sql.operations.model import Lock, Report, Size, Standing, Unknown


async def glance(session: Session) -> Standing:
    """Where it stands, and nothing else: for a header that is looked at in passing.

    Raises:
        Lost: the connection went.
    """
    engine = session.facts.engine
    if engine is Engine.COCKROACHDB:
        return cockroach.standing(Unknown("nobody asked for its metrics"))
    if engine is Engine.VITESS:
        return await vitess.standing(session)
    if engine is Engine.YUGABYTEDB:
        return await yugabyte.standing(session)
    if engine is Engine.POSTGRESQL:
        return await postgres.standing(session)
    variables = await mysql_replication.variables(session)
    group = await mysql_groups.group(session, {} if isinstance(variables, Unknown) else variables)
    return await mysql_replication.standing(session, variables, group)


async def look(
    session: Session, *, sizes: tuple[Size, ...] | Unknown | None = None, metrics: Metrics | Unknown | None = None
) -> Report:
    """Asks it all.

    Args:
        session: a read-only one with a statement time-out.
        sizes: those of a look before, in place of measuring again; None to measure.
        metrics: a CockroachDB node's own.

    Raises:
        Lost: the connection went.
    """
    began = time.monotonic()
    facts = session.facts
    engine = facts.engine
    here = metrics if metrics is not None else Unknown("nobody asked for its metrics")
    standing: Standing
    locks: tuple[Lock, ...] | Unknown
    if engine is Engine.COCKROACHDB:
        standing = cockroach.standing(here)
        activities, locks = await cockroach.sessions(session), cockroach.locks()
        measured = cockroach.sizes(here)
        checks = await cockroach.checks(session, here, activities)
    elif engine is Engine.YUGABYTEDB:
        # Vacuum, WAL, slots and archiving of PostgreSQL are not there: DocDB keeps the rows.
        standing = await yugabyte.standing(session)
        activities, locks = await postgres.sessions(session), await postgres.locks(session, facts.number)
        measured = sizes if sizes is not None else await postgres.sizes(session)
        checks = await yugabyte.checks(session, standing)
    elif engine is Engine.POSTGRESQL:
        standing = await postgres.standing(session)
        activities, locks = await postgres.sessions(session), await postgres.locks(session, facts.number)
        measured = sizes if sizes is not None else await postgres.sizes(session)
        checks = await postgres_health.checks(session, facts.number, standing)
    elif engine is Engine.VITESS:
        standing = await vitess.standing(session)
        activities, locks, measured = vitess.sessions(), vitess.locks(), vitess.sizes()
        checks = await vitess.checks(session, standing)
    else:
        variables = await mysql_replication.variables(session)
        group = await mysql_groups.group(session, {} if isinstance(variables, Unknown) else variables)
        standing = await mysql_replication.standing(session, variables, group)
        locks = await mysql.locks(session)
        activities = await mysql.sessions(session, locks)
        measured = sizes if sizes is not None else await mysql.sizes(session)
        checks = await mysql_health.checks(session, variables, standing, group)
    return Report(
        facts.member, engine, facts.version, str(facts.session), facts.tls, standing, activities, locks, measured,
        checks, time.time(), time.monotonic() - began,
    )  # fmt: skip
