"""What is run, what runs, and how it ended: the values that a desk shows."""

from __future__ import annotations

from dataclasses import dataclass

from tui.services.sql.history import Status
from tui.services.sql.model import Lost, ServerError


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement to be sent.

    Attributes:
        text: it.
        offset: where what is the person's own of it begins in its buffer; None for one from elsewhere.
        lead: characters at its beginning that are not the person's own (EXPLAIN).
    """

    text: str
    offset: int | None = None
    lead: int = 0


@dataclass(frozen=True, slots=True)
class Running:
    """What runs.

    Attributes:
        statement: it.
        number: its place in the script, from 1.
        last: whether nothing follows it.
        began: seconds of the wall clock.
        cancelling: since when it is being cancelled; None while it is not.
        asking: whether it waits for a person's yes.
    """

    statement: Statement
    number: int
    last: bool
    began: float
    cancelling: float | None = None
    asking: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the last run ended.

    Attributes:
        status: of its last statement.
        done: statements that the server carried out.
        tag: the server's word on the last one.
        count: rows of it.
        seconds: of all.
        error: the refusal, if it was one.
        statement: the one that ended it.
        said: what else is to say, a sentence.
        warnings: how many the server had, of all.
    """

    status: Status
    done: int = 0
    tag: str = ""
    count: int | None = None
    seconds: float = 0.0
    error: ServerError | Lost | None = None
    statement: Statement | None = None
    said: str = ""
    warnings: int = 0
