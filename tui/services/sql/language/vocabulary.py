"""Words that tell statements apart."""

from __future__ import annotations

from tui.services.sql.language.facts import Sort


def words_of(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


TRANSACTION = words_of("begin start commit rollback abort end savepoint release prepare")
PLAIN: dict[str, tuple[Sort, bool | None, bool | None]] = {
    "show": (Sort.SHOW, True, False),
    "help": (Sort.SHOW, True, False),
    "reset": (Sort.SETTING, False, False),
    "use": (Sort.SETTING, False, False),
    "discard": (Sort.SETTING, False, False),
    "grant": (Sort.RIGHTS, False, True),
    "revoke": (Sort.RIGHTS, False, True),
    "comment": (Sort.DDL, False, True),
    "rename": (Sort.DDL, False, True),
    "security": (Sort.DDL, False, True),
    "reassign": (Sort.DDL, False, True),
    "refresh": (Sort.DDL, False, True),
    "call": (Sort.CALL, None, None),
    "do": (Sort.CALL, False, None),
    "execute": (Sort.CALL, None, None),
    "declare": (Sort.CURSOR, False, False),
    "fetch": (Sort.CURSOR, True, False),
    "move": (Sort.CURSOR, False, False),
    "close": (Sort.CURSOR, False, False),
    "handler": (Sort.CURSOR, None, False),
    "lock": (Sort.LOCK, False, True),
    "unlock": (Sort.LOCK, False, False),
    "vacuum": (Sort.MAINTENANCE, False, True),
    "reindex": (Sort.MAINTENANCE, False, True),
    "cluster": (Sort.MAINTENANCE, False, True),
    "checkpoint": (Sort.MAINTENANCE, False, True),
    "optimize": (Sort.MAINTENANCE, True, True),
    "repair": (Sort.MAINTENANCE, True, True),
    "check": (Sort.MAINTENANCE, True, False),
    "checksum": (Sort.MAINTENANCE, True, False),
    "backup": (Sort.MAINTENANCE, True, True),
    "restore": (Sort.MAINTENANCE, True, True),
    "flush": (Sort.MAINTENANCE, False, True),
    "listen": (Sort.SESSION, False, False),
    "unlisten": (Sort.SESSION, False, False),
    "notify": (Sort.SESSION, False, True),
    "deallocate": (Sort.SESSION, False, False),
    "kill": (Sort.SERVER, False, True),
    "shutdown": (Sort.SERVER, False, True),
    "restart": (Sort.SERVER, False, True),
    "purge": (Sort.SERVER, False, True),
    "change": (Sort.SERVER, False, True),
    "stop": (Sort.SERVER, False, True),
    "install": (Sort.SERVER, False, True),
    "uninstall": (Sort.SERVER, False, True),
    "clone": (Sort.SERVER, False, True),
    "cancel": (Sort.SERVER, False, True),
    "pause": (Sort.SERVER, False, True),
    "resume": (Sort.SERVER, False, True),
    "binlog": (Sort.SERVER, False, True),
}


MAIN = words_of("select insert update delete merge values table with replace upsert")
LOCKS = (("for", "update"), ("for", "no", "key", "update"), ("for", "share"), ("for", "key", "share"))


#: What stands before a parenthesis without being a function.
NOT_CALLED = words_of(
    """
    and or not in as on using from where having select values exists any some all over filter within group by
    union intersect except distinct when then else case between like ilike is limit offset join lateral array row
    with materialized returning set interval cast numeric decimal varchar char character varying int integer
    bigint timestamp time bit float double precision partition window rows range groups grouping sets rollup cube
    key index unique primary table tablesample lateral ordinality binary varbinary nchar tinyint smallint
    mediumint text unsigned convert extract trim position overlay substring mod if left right replace insert
    """
)
#: Built-in functions that change more than their own session: sequences, other sessions, files, replication.
EFFECTS = words_of(
    """
    nextval setval pg_notify pg_cancel_backend pg_terminate_backend pg_reload_conf pg_rotate_logfile
    pg_promote pg_switch_wal pg_create_restore_point pg_create_physical_replication_slot pg_drop_replication_slot
    pg_create_logical_replication_slot pg_copy_logical_replication_slot pg_replication_slot_advance
    pg_backup_start pg_backup_stop pg_stat_reset pg_stat_reset_shared pg_wal_replay_pause pg_wal_replay_resume
    pg_current_xact_id txid_current
    """
)
EXPLAINED = MAIN | frozenset(("create", "execute", "declare", "refresh", "alter", "drop", "call"))
_COMMON = """
    select from where and or not in is null like between exists join left right inner outer on using group by
    having order limit offset union all distinct as case when then else end asc desc with insert into values
    update set delete create alter drop table index view database schema truncate explain analyze show begin
    commit rollback returning
"""
#: Keywords that are offered before others that fit as well, by how common they are.
COMMON = {word: number for number, word in enumerate(_COMMON.split())}
