"""What a statement's text tells of it: the values of `classify`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Sort(StrEnum):
    """What kind of statement one is."""

    SELECT = "select"  # also VALUES, TABLE and WITH … SELECT
    INSERT = "insert"  # also REPLACE and UPSERT
    UPDATE = "update"
    DELETE = "delete"
    MERGE = "merge"
    COPY = "copy"  # also LOAD DATA, IMPORT, EXPORT
    DDL = "ddl"  # CREATE, ALTER, DROP, TRUNCATE, RENAME, COMMENT
    RIGHTS = "rights"  # GRANT, REVOKE
    TRANSACTION = "transaction"
    SETTING = "setting"  # SET, RESET, USE, DISCARD
    SHOW = "show"  # also DESCRIBE and HELP
    EXPLAIN = "explain"
    CALL = "call"  # CALL, DO, EXECUTE: whatever the routine does
    CURSOR = "cursor"  # DECLARE, FETCH, MOVE, CLOSE, HANDLER
    LOCK = "lock"
    MAINTENANCE = "maintenance"  # VACUUM, ANALYZE, OPTIMIZE, CHECKPOINT …
    SESSION = "session"  # LISTEN, PREPARE, DEALLOCATE …
    SERVER = "server"  # KILL, SHUTDOWN, START REPLICA, CHANGE MASTER …
    OTHER = "other"


class Control(StrEnum):
    """What a statement does to the transaction."""

    NONE = ""
    BEGIN = "begin"
    COMMIT = "commit"
    ROLLBACK = "rollback"
    SAVEPOINT = "savepoint"  # also RELEASE and ROLLBACK TO
    PREPARED = "prepared"  # PREPARE TRANSACTION, COMMIT PREPARED, XA


class Hold(StrEnum):
    """Which statements are held back until confirmed."""

    OFF = "off"
    UNCONDITIONAL = "unconditional"  # those that change all rows of a table
    ALL = "all"  # and those that drop something


@dataclass(frozen=True, slots=True)
class Danger:
    """Something that a statement does and that cannot be undone after COMMIT.

    Attributes:
        level: the mildest level at which it is held back.
        sentence: what it does, without a subject and a full stop (`deletes every row of orders`). Names stand as they
            do in the statement: text from outside.
        name: what goes, as it stands in the statement, for somebody to type; empty where only rows go.
    """

    level: Hold
    sentence: str
    name: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a statement's text tells.

    Attributes:
        sort: what kind it is; for EXPLAIN it is that, whatever is explained.
        verb: its first word in upper case, for texts.
        rows: whether it returns rows; None when that depends.
        changes: whether it changes data, definitions or settings of the server, or takes locks that a read-only
            transaction must not; None when that depends on functions, procedures or prepared statements. A change of
            the session's own settings is none.
        control: what it does to the transaction.
        dangers: what is to be confirmed.
        secret: whether it holds a password or another secret.
    """

    sort: Sort = Sort.OTHER
    verb: str = ""
    rows: bool | None = None
    changes: bool | None = None
    control: Control = Control.NONE
    dangers: tuple[Danger, ...] = ()
    secret: bool = False

    def held(self, level: Hold) -> tuple[Danger, ...]:
        """What has to be confirmed at a level, empty when the statement may be sent at once."""
        if level is Hold.OFF:
            return ()
        return tuple(one for one in self.dangers if level is Hold.ALL or one.level is level)


@dataclass(slots=True)
class Found:
    """Facts while they are gathered."""

    sort: Sort = Sort.OTHER
    rows: bool | None = False
    changes: bool | None = False
    control: Control = Control.NONE
    dangers: list[Danger] = field(default_factory=list)

    def change(self, does: bool | None) -> None:
        """Adds a part: a sure change outweighs what is not known, which outweighs none."""
        if self.changes is not True and does is not False:
            self.changes = does
