"""What statements are and do, and what of them is dangerous or secret."""

from __future__ import annotations

import pytest

from tui.services.sql.language.classify import classify
from tui.services.sql.language.facts import Control, Hold, Sort
from tui.services.sql.language.secrets import without_literals
from tui.services.sql.model import Wire

P, M = Wire.POSTGRES, Wire.MYSQL


@pytest.mark.parametrize(
    ("wire", "text", "sort", "rows", "changes"),
    [
        (P, "select 1", Sort.SELECT, True, False),
        (P, "(select 1) union (select 2)", Sort.SELECT, True, False),
        (P, "/* a */ -- b\n values (1)", Sort.SELECT, True, False),
        (P, "table t", Sort.SELECT, True, False),
        (P, "select count(*), now(), lower(a) from t where b in (1)", Sort.SELECT, True, False),
        (P, "select my_function(1)", Sort.SELECT, True, None),
        (P, "select s.f(1)", Sort.SELECT, True, None),
        (P, "select nextval('s')", Sort.SELECT, True, True),
        (P, "select pg_terminate_backend(1)", Sort.SELECT, True, True),
        (P, "select * into u from t", Sort.SELECT, False, True),
        (M, "select a into @x from t", Sort.SELECT, False, False),
        (M, "select a into outfile '/tmp/x' from t", Sort.SELECT, False, True),
        (P, "select * from t for update", Sort.SELECT, True, True),
        (P, "select * from t for no key update skip locked", Sort.SELECT, True, True),
        (M, "select * from t lock in share mode", Sort.SELECT, True, True),
        (P, "with a as (select 1) select * from a", Sort.SELECT, True, False),
        (P, "with recursive a(b) as (select 1 union select b+1 from a) search depth first by b set o select * from a",
         Sort.SELECT, True, False),
        (P, "with d as (delete from t where a = 1 returning *) select * from d", Sort.SELECT, True, True),
        (P, "with a as materialized (select 1) insert into t select * from a", Sort.INSERT, False, True),
        (P, "insert into t values (1) returning id", Sort.INSERT, True, True),
        (P, "insert into t values (1) on conflict (a) do update set b = 1", Sort.INSERT, False, True),
        (M, "replace into t values (1)", Sort.INSERT, False, True),
        (P, "upsert into t values (1)", Sort.INSERT, False, True),
        (P, "update t set a = 1 where b returning a", Sort.UPDATE, True, True),
        (P, "merge into t using s on t.a = s.a when matched then delete", Sort.MERGE, False, True),
        (P, "explain select 1", Sort.EXPLAIN, True, False),
        (P, "explain delete from t", Sort.EXPLAIN, True, False),
        (P, "explain analyze delete from t where a", Sort.EXPLAIN, True, True),
        (P, "explain (analyze, buffers) update t set a = 1 where b", Sort.EXPLAIN, True, True),
        (P, "explain (analyze false) delete from t", Sort.EXPLAIN, True, False),
        (P, "explain (analyze) select 1", Sort.EXPLAIN, True, False),
        (P, "explain analyze verbose (select 1)", Sort.EXPLAIN, True, False),
        (M, "explain format=json delete from t", Sort.EXPLAIN, True, False),
        (M, "analyze format=json delete from t where a", Sort.EXPLAIN, True, True),
        (M, "analyze table t", Sort.MAINTENANCE, True, True),
        (P, "analyze t", Sort.MAINTENANCE, False, True),
        (M, "describe t", Sort.SHOW, True, False),
        (M, "desc select 1", Sort.EXPLAIN, True, False),
        (P, "show all", Sort.SHOW, True, False),
        (P, "create table t (a int)", Sort.DDL, False, True),
        (P, "create table t as select 1", Sort.DDL, False, True),
        (P, "grant select on t to u", Sort.RIGHTS, False, True),
        (P, "set search_path = a", Sort.SETTING, False, False),
        (M, "set global max_connections = 1", Sort.SETTING, False, True),
        (M, "set @@global.max_connections = 1", Sort.SETTING, False, True),
        (P, "set cluster setting a.b = 1", Sort.SETTING, False, True),
        (M, "set statement max_statement_time=1 for select 1", Sort.SELECT, True, False),
        (P, "copy t to stdout", Sort.COPY, False, False),
        (P, "copy t from stdin", Sort.COPY, False, True),
        (P, "copy (select f(1)) to stdout", Sort.COPY, False, None),
        (P, "copy t to program 'rm'", Sort.COPY, False, True),
        (P, "do $$ begin end $$", Sort.CALL, False, None),
        (P, "call p()", Sort.CALL, None, None),
        (P, "vacuum", Sort.MAINTENANCE, False, True),
        (P, "lock table t", Sort.LOCK, False, True),
        (M, "start slave", Sort.SERVER, False, True),
        (M, "begin not atomic select 1; end", Sort.CALL, None, None),
        (P, "prepare a as select 1", Sort.SESSION, False, False),
        (P, "selekt 1", Sort.OTHER, None, None),
        (P, "", Sort.OTHER, None, None),
    ],
)  # fmt: skip
def test_kinds(wire: Wire, text: str, sort: Sort, rows: bool | None, changes: bool | None) -> None:
    facts = classify(text, wire)
    assert (facts.sort, facts.rows, facts.changes) == (sort, rows, changes) or (text == "" and facts.verb == "")


@pytest.mark.parametrize(
    ("text", "control"),
    [
        ("begin", Control.BEGIN),
        ("start transaction read only", Control.BEGIN),
        ("commit work", Control.COMMIT),
        ("end", Control.COMMIT),
        ("rollback", Control.ROLLBACK),
        ("abort", Control.ROLLBACK),
        ("rollback to savepoint a", Control.SAVEPOINT),
        ("savepoint a", Control.SAVEPOINT),
        ("release a", Control.SAVEPOINT),
        ("prepare transaction 'a'", Control.PREPARED),
        ("commit prepared 'a'", Control.PREPARED),
        ("select 1", Control.NONE),
    ],
)
def test_transaction_control(text: str, control: Control) -> None:
    assert classify(text, P).control is control


U, A = Hold.UNCONDITIONAL, Hold.ALL


@pytest.mark.parametrize(
    ("wire", "text", "dangers"),
    [
        (P, "delete from orders", [(U, "deletes every row of orders")]),
        (P, 'delete from only s."Or""ders" o', [(U, 'deletes every row of s."Or""ders"')]),
        (P, "update t set a = 1", [(U, "changes every row of t")]),
        (P, "update t set a = (select 1 from u where b)", [(U, "changes every row of t")]),
        (P, "delete from t where a = 1", []),
        (P, "delete from t where true", [(U, "deletes every row of t")]),
        (P, "delete from t where 1=1 returning *", [(U, "deletes every row of t")]),
        (P, "delete from t where (1 = 1)", [(U, "deletes every row of t")]),
        (P, "delete from t where a = 1 or true", [(U, "deletes every row of t")]),
        (P, "delete from t where a = 1 and true", []),
        (P, "delete from t where a = a", [(U, "deletes every row of t")]),
        (P, "delete from t where 'x' = 'x'", [(U, "deletes every row of t")]),
        (P, "delete from t where not false", [(U, "deletes every row of t")]),
        (P, "delete from t where 1", [(U, "deletes every row of t")]),
        (P, "delete from t where 0", []),
        (P, "delete from t where a between 1 and 2", []),
        (P, "delete from t where 1 = 2", []),
        (P, "delete from t where a = b", []),
        (P, "delete from t where current of c", []),
        (P, "delete from t -- where a = 1", [(U, "deletes every row of t")]),
        (P, "delete from t where a in (select 1 where true)", []),
        (P, "delete from t using u", [(U, "deletes every row that the join finds of t")]),
        (M, "delete from t limit 10", [(U, "deletes any 10 rows of t")]),
        (M, "update low_priority t set a = 1 order by b", [(U, "changes every row of t")]),
        (P, "with d as (delete from t returning *) select * from d", [(U, "deletes every row of t")]),
        (P, "with a as (select 1) delete from t", [(U, "deletes every row of t")]),
        (P, "explain delete from t", []),
        (P, "prepare p as delete from t", [(U, "deletes every row of t")]),
        (P, "create table x as with d as (delete from t returning *) select * from d", [(U, "deletes every row of t")]),
        (P, "explain analyze (debug) delete from t", [(U, "deletes every row of t")]),
        (M, "delete t1, t2 from t1 join t2 on a = b", [(U, "deletes every row that the join finds of t1")]),
        (P, "explain analyze delete from t", [(U, "deletes every row of t")]),
        (P, "truncate table only a, b restart identity", [(U, "deletes every row of a and b")]),
        (P, "drop table if exists a, b cascade", [(A, "drops table a and b and all that depends on it")]),
        (P, "drop database shop", [(A, "drops database shop with all that it holds")]),
        (P, "drop materialized view v", [(A, "drops materialized view v")]),
        (P, "drop index concurrently i", [(A, "drops index i")]),
        (P, "drop function f(int, text)", [(A, "drops function f")]),
        (M, "drop temporary table t", [(A, "drops table t")]),
        (M, "drop prepare p", []),
        (P, "alter table t drop column c", [(A, "drops column c of table t with its data")]),
        (P, "alter table t drop c, add d int", [(A, "drops column c of table t with its data")]),
        (P, "alter table t alter c drop not null, alter d drop default", []),
        (P, "alter table t drop constraint if exists k", [(A, "drops constraint k of table t")]),
        (M, "alter table t drop primary key", [(A, "drops primary key of table t")]),
        (M, "alter table t drop partition p0", [(A, "drops partition p0 of table t with its data")]),
        (M, "alter table t truncate partition p0", [(U, "deletes every row of partition p0 of table t with its data")]),
        (P, "alter table t add column c int", []),
        (M, "shutdown", [(A, "stops the server")]),
        (M, "reset master", [(A, "deletes all binary logs and the history of GTIDs")]),
        (P, "insert into t select * from u", []),
        (P, "select 'delete from t'", []),
        (P, "drop", [(A, "drops  ?")]),
        (P, "update", [(U, "changes every row of ?")]),
    ],
)
def test_dangers(wire: Wire, text: str, dangers: list[tuple[Hold, str]]) -> None:
    facts = classify(text, wire)
    assert [(one.level, one.sentence) for one in facts.dangers] == dangers
    assert facts.held(Hold.OFF) == ()
    assert facts.held(Hold.ALL) == facts.dangers
    assert facts.held(Hold.UNCONDITIONAL) == tuple(one for one in facts.dangers if one.level is U)


@pytest.mark.parametrize(
    ("wire", "text", "kept"),
    [
        (P, "create role a login password 's3'", "create role a login password '…'"),
        (P, "alter user a with encrypted password 's3' valid until '2030-01-01'",
         "alter user a with encrypted password '…' valid until '…'"),
        (P, "alter user a password $$s3$$", "alter user a password '…'"),
        (P, 'alter user a password "s3"', "alter user a password '…'"),
        (P, "alter user a password s3", "alter user a password '…'"),
        (P, "alter user a password 's3", "alter user a password '…'"),
        (P, "alter user a password null", "alter user a password null"),
        (P, "create user mapping for a server b options (user 'u', password 's3')",
         "create user mapping for a server b options (user '…', password '…')"),
        (P, "create subscription s connection 'host=a password=s3' publication p",
         "create subscription s connection '…' publication p"),
        (P, "do $$ begin execute 'alter user a password ''s3'''; end $$", "do '…'"),
        (P, "insert into users (name, password) values ('a', 's3')",
         "insert into users (name, password) values ('…', '…')"),
        (P, "select crypt('s3', gen_salt('bf'))", "select crypt('…', gen_salt('…'))"),
        (P, "backup into 's3://b/p?AWS_SECRET_ACCESS_KEY=s3'", "backup into '…'"),
        (P, "create changefeed for t into 'kafka://u:s3@h'", "create changefeed for t into '…'"),
        (P, "select 1 /* s3 */ from t where token = 's3' -- s3", "select '…'  from t where token = '…'"),
        (M, "create user a@'%' identified by 's3'", "create user a@'…' identified by '…'"),
        (M, 'create user a identified by "s3"', "create user a identified by '…'"),
        (M, "alter user a identified with mysql_native_password as '*s3'",
         "alter user a identified with mysql_native_password as '…'"),
        (M, "alter user a identified with sha256 as 0xA3", "alter user a identified with sha256 as '…'"),
        (M, "set password for a = password('s3')", "set password for a = password('…')"),
        (M, "set password = 's3'", "set password = '…'"),
        (M, "change master to master_host='h', master_password='s3'",
         "change master to master_host='…', master_password='…'"),
        (M, "start replica user='u' password='s3'", "start replica user='…' password='…'"),
        (M, "grant all on *.* to a identified by 's3'", "grant all on *.* to a identified by '…'"),
        (M, "clone instance from a@b:3306 identified by 's3'", None),
    ],
)  # fmt: skip
def test_secrets_never_leave(wire: Wire, text: str, kept: str | None) -> None:
    assert classify(text, wire).secret
    left = without_literals(text, wire)
    assert kept is None or left == kept
    assert "s3" not in left


@pytest.mark.parametrize(
    "text",
    [
        "select 1",
        "select 'a'",
        "update t set a = 'b' where c = 1",
        "create table t (password text)",
        "select * from tokens where id = 5",
        "",
    ],
)
def test_what_is_no_secret(text: str) -> None:
    assert not classify(text, P).secret


def test_a_statement_of_50_mb_is_judged_by_its_beginning() -> None:
    facts = classify("insert into t values " + "(1, 'a')," * 5_000_000, P)
    assert facts.sort is Sort.INSERT and facts.changes


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("drop table if exists a.b cascade", "a.b"),
        ("drop database mydb", "mydb"),
        ("drop table a, b", "a and b"),
        ("truncate table orders", "orders"),
        ("alter table t drop column c", "c"),
        ("alter table t drop primary key", "t"),
        ("delete from orders", ""),
    ],
)
def test_what_goes_is_named_for_somebody_to_type(text: str, name: str) -> None:
    (danger,) = classify(text, P).dangers
    assert danger.name == name
