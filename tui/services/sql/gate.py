"""The gate of read-only sessions: which statements are not even sent.

The server enforces it: its sessions are opened read-only. The gate adds that a statement whose text says that it
changes something is refused before it is sent, and so is one that would open the session for writing. It is there
against mistakes; somebody who wants to get around it can.
"""

from __future__ import annotations

import re

from tui.services.sql.language.classify import classify
from tui.services.sql.language.facts import Control, Sort
from tui.services.sql.model import Engine, Facts, Wire

#: The settings that make a session read-only, and the words that undo it.
_UNLOCKS = re.compile(
    r"\bread\s+write\b|\b(?:default_)?transaction_read_only\b|\btx_read_only\b|\b(?:super_)?read_only\b", re.IGNORECASE
)
_SETS = (Sort.SETTING, Sort.TRANSACTION)


def enforces(facts: Facts) -> bool:
    """Whether the server itself refuses changes in this session.

    Vitess' gateways take `SET SESSION TRANSACTION READ ONLY` and do nothing about it (vitessio/vitess issue 4127).
    """
    return bool(facts.read_only) and facts.engine is not Engine.VITESS


def refusal(statement: str, wire: Wire, *, enforced: bool) -> str:
    """Why a statement is not sent while the gate is closed, for a person; empty when it may be.

    Args:
        statement: one statement.
        wire: whose grammar.
        enforced: whether the server itself refuses changes; then what a function does is its to judge.
    """
    facts = classify(statement, wire)
    if facts.changes:
        return f"{facts.verb} changes something, and this session is read-only"
    setter = facts.sort in _SETS or facts.control is Control.BEGIN or "set_config" in statement.lower()
    if setter and _UNLOCKS.search(statement):
        return f"{facts.verb} would open this session for writing, and it is read-only"
    if facts.changes is None and not enforced:
        return f"whether {facts.verb} changes something cannot be known, and this server does not enforce read-only"
    return ""
