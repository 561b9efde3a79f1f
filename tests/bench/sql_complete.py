"""Completion, lexing and splitting without a screen, with much to complete and much text.

    .venv/bin/python tests/bench/sql_complete.py [--tables 10000] [--columns 20] [--lines 10000] [--megabytes 20]

Needs nothing but the project. Prints a table of figures with the limits that they are held against, and ends with 1
when one was missed. Seconds are processor time of this thread, so that a busy machine shows less; on an idle one they
are what a person waits.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from verdicts import Table, conclude

from tui.services.sql.catalogue.model import Column, Function, Relation
from tui.services.sql.language.complete import complete
from tui.services.sql.language.lines import Lines, Place
from tui.services.sql.language.names import NameIndex, Names
from tui.services.sql.language.split import split
from tui.services.sql.model import Wire

PARTS = ["user", "order", "item", "stock", "price", "audit", "event", "batch", "store", "route", "group", "invoice"]
TYPED = ["", "u", "us", "user", "oip", "tkn", "_12", "invoice_pri", "xyz", "zzzzqq", "e", "order_item"]
STATEMENTS = [
    "select {} from {t} a join {u} b on a.id = b.id where a.name = 'x'",
    "select a.{} from {t} a",
    "select * from {}",
    "select * from {t} where {}",
    "insert into {t} ({}",
    "update {t} set {}",
    "with c as (select * from {t}) select * from c join {}",
    "select count(*), {} from {t} group by 1",
]


#: Milliseconds of a frame, and how often a script is split.
FRAME, ROUNDS = 16, 5


def timed(work: Callable[[], object], runs: list[float]) -> None:
    began = time.thread_time()
    work()
    runs.append(time.thread_time() - began)


def completion(table: Table, tables: int, columns: int) -> None:
    names = Names(path=("pg_catalog", "public"), schemas=NameIndex([f"schema_{n}" for n in range(100)]))
    relations = [Relation("public", f"{'_'.join(random.choices(PARTS, k=3))}_{n}") for n in range(tables)]
    names.add_relations("public", relations, first=True)
    system = [Relation("pg_catalog", f"pg_{part}_{n}") for part in PARTS for n in range(10)]
    names.add_relations("pg_catalog", system, first=True)
    names.set_functions("public", [Function("public", f"fn_{part}_{n}") for part in PARTS for n in range(100)])
    for one in relations:
        names.columns["public", one.name] = tuple(Column(f"{random.choice(PARTS)}_{n}", "text") for n in range(columns))
    first, runs = list[float](), list[float]()
    timed(lambda: complete("select * from us", 16, names, Wire.POSTGRES), first)
    for _ in range(2000):
        form = random.choice(STATEMENTS).replace("{t}", random.choice(relations).name)
        form = form.replace("{u}", random.choice(relations).name)
        typed = random.choice(TYPED)
        at = form.index("{}")
        statement = form.replace("{}", typed)
        timed(partial(complete, statement, at + len(typed), names, Wire.POSTGRES), runs)
    table.add(f"first completion, {tables:,} tables", _milliseconds(first), "ms", limit=30, by="max")
    table.add(f"completion, {tables:,} tables of {columns} columns", _milliseconds(runs), "ms", limit=30, by="p99")


def editing(table: Table, count: int) -> None:
    line = "SELECT u.id, count(*) AS n, 'text' FROM users u WHERE u.x >= 12 AND y IN (1, 2, 3);"
    text = ["SELECT (", *[line] * (count - 2), ")"]
    lines, edits, brackets = Lines(text, Wire.POSTGRES), list[float](), list[float]()
    while not lines.settle():
        pass
    for _ in range(2000):
        at = random.randrange(1, count - 1)
        for new in (random.choice([f"{line}x", f"/* {line}", f"'{line}", line]), line):
            timed(partial(lines.edit, at, 1, [new]), edits)
        lines.tokens(at)
    while not lines.settle():
        pass
    for _ in range(100):
        timed(lambda: lines.partner(Place(0, 7)), brackets)
    table.add(f"edit among {count:,} lines", _milliseconds(edits), "ms", limit=FRAME, by="p99")
    table.add("bracket from the first line to the last", _milliseconds(brackets), "ms", limit=FRAME, by="p99")


def splitting(table: Table, megabytes: int) -> None:
    forms = {
        "short INSERTs": "INSERT INTO users VALUES (1,'hello world','it''s','2020-01-01',3.14);\n",
        "strings, quotes, comments": "select E'a\\'b', $1, $$x$$ -- hello\nfrom t where a=1;\n",
        "MySQL routines": "create procedure p() begin if a then select 1; else select 'x' from foo; end if; end;\n",
    }
    for name, one in forms.items():
        wire = Wire.MYSQL if "MySQL" in name else Wire.POSTGRES
        script = one * (megabytes * 1_000_000 // len(one) // ROUNDS)
        speeds = list[float]()
        for _ in range(ROUNDS):
            began = time.thread_time()
            count = sum(1 for _ in split((script[at : at + 65536] for at in range(0, len(script), 65536)), wire))
            speeds.append(len(script) / 1e6 / (time.thread_time() - began))
            assert count == len(script) // len(one)
        table.add(f"split {name}", speeds, "MB/s", least=5)


def _milliseconds(seconds: list[float]) -> list[float]:
    return [1e3 * one for one in seconds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("tables", 10_000), ("columns", 20), ("lines", 10_000), ("megabytes", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    random.seed(6)
    table = Table("language, processor time")
    completion(table, options.tables, options.columns)
    editing(table, options.lines)
    splitting(table, options.megabytes)
    conclude(table)


if __name__ == "__main__":
    main()
