"""Which statements are not sent, and which are held back until somebody says that they are meant."""

from __future__ import annotations

from dataclasses import dataclass

from tui.services.sql.gate import refusal
from tui.services.sql.language.facts import Facts, Hold
from tui.services.sql.model import Wire


@dataclass(frozen=True, slots=True)
class Held:
    """A statement that is held back.

    Attributes:
        statement: its text.
        does: what it does that cannot be undone after COMMIT, a sentence each.
        name: what must be typed before it is sent; empty where a key is enough.
        transaction: whether it would be part of an open transaction, and could be rolled back.
    """

    statement: str
    does: tuple[str, ...]
    name: str = ""
    transaction: bool = False


@dataclass(slots=True)
class Guard:
    """What holds for a console's statements.

    Attributes:
        level: which ones are held back.
        protected: whether the context is a protected one: all are, and what drops something wants its name typed.
        locked: whether the settings forbid changes outright (`--read-only`): nobody can open the session for writing.
    """

    level: Hold = Hold.ALL
    protected: bool = False
    locked: bool = False

    @property
    def in_force(self) -> Hold:
        """The level that holds here."""
        return Hold.ALL if self.protected else self.level

    def held(self, statement: str, facts: Facts, *, transaction: bool = False) -> Held | None:
        """The question to ask first; None when the statement may be sent at once."""
        dangers = facts.held(self.in_force)
        if not dangers:
            return None
        name = next((one.name for one in dangers if one.name), "") if self.protected else ""
        return Held(statement, tuple(one.sentence for one in dangers), name, transaction)

    @staticmethod
    def refusal(statement: str, wire: Wire, *, read_only: bool, enforced: bool) -> str:
        """Why a statement is not sent at all; empty when it may be."""
        return refusal(statement, wire, enforced=enforced) if read_only else ""
