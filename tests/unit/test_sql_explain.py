"""Plans of real servers (recorded, see tests/fixtures/plans) and of documented forms as one kind of tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.services.sql.explain import explaining, read_plan, without_explain
from tui.services.sql.model import Engine
from tui.services.sql.plans.model import NotAPlan, Plan, PlanNode

PLANS = Path(__file__).parents[1] / "fixtures" / "plans"


def recorded(name: str) -> Plan:
    return read_plan([((PLANS / name).read_text(),)])


def lines(plan: Plan) -> list[str]:
    return [
        "  " * depth + " ".join(filter(None, (node.label, node.target)))
        for root in plan.roots
        for depth, node in root.walk()
    ]


def node(plan: Plan, label: str) -> PlanNode:
    return next(one for root in plan.roots for _, one in root.walk() if one.label == label)


def test_postgresql_measured() -> None:
    plan = recorded("postgres-18-analyze.json")
    assert lines(plan) == [
        "Hash Left Join",
        "  CTE c: HashAggregate",
        "    Seq Scan t t_1",
        "  Merge Join",
        "    Index Scan t by t_pkey",
        "    Sort",
        "      Seq Scan u",
        "  Hash",
        "    CTE Scan c c",
    ]
    scan = next(one for _, one in plan.roots[0].walk() if one.target == "t t_1")
    assert (scan.rows, scan.actual, scan.loops, scan.removed) == (404, 2000, 1, 18000)
    assert scan.warnings == ("reads all of t: 20,000 rows",)
    assert "shared hit=" in dict(scan.details)["Buffers"]
    assert plan.planning_ms and plan.execution_ms
    # All time is somewhere, and nowhere twice: a CTE's is not told again by its reader.
    total = sum(one.own_ms or 0 for _, one in plan.roots[0].walk())
    assert total == pytest.approx(plan.roots[0].total_ms, rel=0.02)


def test_postgresql_estimated() -> None:
    plan = recorded("postgres-18.json")
    assert lines(plan)[0] == "Limit" and plan.execution_ms is None
    assert node(plan, "Seq Scan").actual is None and not plan.warnings


def test_postgresql_parallel_and_its_warnings() -> None:
    plan = read_plan([("""[{"Plan": {"Node Type": "Gather", "Actual Rows": 3, "Actual Loops": 1, "Plan Rows": 3,
      "Actual Total Time": 110.0, "Workers Planned": 4, "Workers Launched": 1, "Plans": [
       {"Node Type": "Sort", "Sort Space Type": "Disk", "Sort Space Used": 9000, "Actual Rows": 100000, "Plan Rows": 5,
        "Actual Loops": 2, "Actual Total Time": 100.0}]}}]""",)])  # fmt: skip
    (gather,) = plan.roots
    assert gather.own_ms == pytest.approx(10) and gather.children[0].total_ms == pytest.approx(100)
    assert [one for _, one in plan.warnings] == [
        "1 of 4 planned workers were to be had",
        "20,000 times more rows than estimated: statistics may be missing or old",
        "sorts on disk: 9000 kB did not fit into work_mem",
    ]


def test_a_step_under_a_limit_may_give_fewer_rows() -> None:
    text = """[{"Plan": {"Node Type": "Limit", "Plans": [{"Node Type": "Index Scan", "Plan Rows": 1000000,
      "Actual Rows": 1, "Actual Loops": 1}]}}]"""
    assert not read_plan([(text,)]).warnings
    assert read_plan([(text.replace("Limit", "Sort"),)]).warnings


def test_mariadb_measured() -> None:
    plan = recorded("mariadb-10.11-analyze.json")
    assert lines(plan) == [
        "select #1",
        "  filesort",
        "    temporary table",
        "      full scan u",
        "      unique index lookup t by PRIMARY",
        "      expression cache",
        "        select #2",
        "          full scan x",
    ]
    lookup = node(plan, "unique index lookup")
    assert (lookup.rows, lookup.actual, lookup.loops) == (1, 1, 1000)
    assert lookup.removed == pytest.approx(0.9) and lookup.own_ms == pytest.approx(0.867, abs=0.01)
    assert dict(lookup.details)["attached_condition"] == "s.t.a = 3"
    assert plan.planning_ms == pytest.approx(0.2276, abs=0.001)
    total = sum(one.own_ms or 0 for _, one in plan.roots[0].walk())
    assert total == pytest.approx(plan.execution_ms, rel=0.02)


def test_mariadb_union_and_materialized_subquery() -> None:
    plan = recorded("mariadb-10.11-union.json")
    assert "union result <union1,3>" in lines(plan)[1]
    assert [one for _, one in plan.warnings] == ["reads all of t: 20,056 rows"]


def test_mysql_json() -> None:
    plan = recorded("mysql-8.0.12.json")
    assert lines(plan) == [
        "select #1",
        "  ordering operation",
        "    full scan t",
        "    full scan u",
        "    select #2",
        "      full scan x",
    ]
    assert plan.roots[0].cost == 2.0
    assert [one for _, one in plan.warnings] == ["u is joined without an index"]


def test_mysql_tree() -> None:
    plan = read_plan([("""-> Limit: 5 row(s)  (cost=1.01 rows=1) (actual time=0.100..0.200 rows=5 loops=1)
    -> Nested loop inner join  (cost=1.01 rows=1) (actual time=0.030..0.045 rows=20000 loops=2)
        -> Table scan on t  (cost=0.55 rows=20000) (actual time=0.01..0.02 rows=20000 loops=1)
        -> Single-row index lookup on u using PRIMARY (id=t.id)  (cost=0.25 rows=1) (never executed)
-> Select #2 (subquery in projection; dependent)
    -> Table scan on x  (cost=1e+06..2.5e+06 rows=1.2e+07)
""",)])  # fmt: skip
    assert [len(line) - len(line.lstrip()) for line in lines(plan)] == [0, 2, 4, 4, 0, 2]
    join = plan.roots[0].children[0]
    assert (join.rows, join.actual, join.loops, join.total_ms) == (1, 20000, 2, pytest.approx(0.09))
    assert join.children[1].loops == 0 and join.children[1].actual is None
    scan = plan.roots[1].children[0]
    assert (scan.rows, scan.cost, scan.warnings) == (1.2e7, 2.5e6, ("reads all of x: 12,000,000 rows",))


def test_mysql_second_json() -> None:
    plan = read_plan([("""{"query_plan": {"operation": "Filter: (t.a = 3)", "estimated_rows": 1.0, "actual_rows": 20000,
      "actual_loops": 1, "actual_last_row_ms": 9.0, "estimated_total_cost": 4.5, "inputs": [
       {"operation": "Table scan on t", "estimated_rows": 20000.0, "actual_rows": 20000, "actual_loops": 1,
        "actual_last_row_ms": 5.0, "table_name": "t"}]}}""",)])  # fmt: skip
    assert lines(plan) == ["Filter: (t.a = 3)", "  Table scan on t"]
    assert plan.roots[0].own_ms == pytest.approx(4) and len(plan.warnings) == 2


def test_cockroachdb() -> None:
    text = """planning time: 353µs
execution time: 3ms
distribution: full

• sort
│ sql nodes: n1
│ actual row count: 1
│ order: +a
│
└── • hash join
    │ actual row count: 20,000
    │ estimated row count: 12
    │ equality: (a) = (b: c)
    │
    ├── • scan
    │     actual row count: 20,000
    │     KV time: 1.5ms
    │     estimated row count: 20,000 (100% of the table; stats collected 3 minutes ago)
    │     table: t@t_pkey
    │     spans: FULL SCAN
    │
    └── • scan
          missing stats
          table: u@u_pkey
          spans: FULL SCAN (SOFT LIMIT)"""
    for rows in ([(line,) for line in text.split("\n")], [(text,)]):
        plan = read_plan(rows)
        assert lines(plan) == ["sort", "  hash join", "    scan t@t_pkey", "    scan u@u_pkey"]
        assert (plan.planning_ms, plan.execution_ms) == (pytest.approx(0.353), 3.0)
        join = plan.roots[0].children[0]
        assert dict(join.details)["equality"] == "(a) = (b: c)"
        assert join.warnings == ("1,667 times more rows than estimated: statistics may be missing or old",)
        assert join.children[0].warnings == ("reads all of t: 20,000 rows",)
        assert join.children[0].own_ms == 1.5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Seq Scan on t  (cost=0.00..1.00 rows=1 width=4)",
        "[]",
        "[1]",
        '{"a": 1}',
        '{"query_block": 1}',
        "[" * 100_000,
    ],
)
def test_what_is_no_plan_is_said_to_be_none(text: str) -> None:
    with pytest.raises(NotAPlan):
        read_plan([(text,)])
    with pytest.raises(NotAPlan):
        read_plan([])


@pytest.mark.parametrize(
    ("engine", "number", "analyze", "expected"),
    [
        (Engine.POSTGRESQL, (17,), False, "EXPLAIN (FORMAT JSON) select 1"),
        (Engine.YUGABYTEDB, (11,), True, "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) select 1"),
        (Engine.COCKROACHDB, (25,), True, "EXPLAIN ANALYZE select 1"),
        (Engine.MARIADB, (11, 8), True, "ANALYZE FORMAT=JSON select 1"),
        (Engine.MYSQL, (8, 0, 12), False, "EXPLAIN FORMAT=JSON select 1"),
        (Engine.MYSQL, (8, 0, 12), True, None),
        (Engine.MYSQL, (8, 4, 0), True, "EXPLAIN ANALYZE select 1"),
    ],
)
def test_the_statement_that_explains(
    engine: Engine, number: tuple[int, ...], analyze: bool, expected: str | None
) -> None:
    assert explaining("select 1", engine, number, analyze=analyze) == expected


@pytest.mark.parametrize(
    ("statement", "own"),
    [
        ("EXPLAIN SELECT 1", "SELECT 1"),
        ("explain (analyze, buffers, format json) select 1", "select 1"),
        ("EXPLAIN ANALYZE VERBOSE SELECT 1", "SELECT 1"),
        ("EXPLAIN FORMAT=JSON SELECT 1", "SELECT 1"),
        ("EXPLAIN FORMAT = tree UPDATE t SET a = 1", "UPDATE t SET a = 1"),
        ("EXPLAIN", "EXPLAIN"),
        ("SELECT 1", "SELECT 1"),
        ("explained", "explained"),
    ],
)
def test_what_an_explain_is_about(statement: str, own: str) -> None:
    assert without_explain(statement) == own
    asked = explaining(statement, Engine.POSTGRESQL, (17,))
    assert asked is not None and asked.endswith(f") {own}")
