"""Completion and lexing with much to complete and much text: seconds of processor time of this thread.

    python tests/bench/sql_complete.py [--tables 10000] [--columns 20] [--lines 10000] [--megabytes 20]

Figures only; nothing is asserted. Processor time, so that a busy machine does not show; on an idle one it is what a
person waits.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from functools import partial

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


def timed(work: Callable[[], object], runs: list[float]) -> None:
    began = time.thread_time()
    work()
    runs.append(time.thread_time() - began)


def show(name: str, runs: list[float]) -> None:
    runs.sort()
    at = [runs[len(runs) // 2], runs[int(len(runs) * 0.99)], runs[-1]]
    figures = "   ".join(f"{what} {one * 1e3:7.2f} ms" for what, one in zip(("p50", "p99", "max"), at, strict=True))
    print(f"{name:36} {figures}   of {len(runs)}")


def completion(tables: int, columns: int) -> None:
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
    show(f"first completion, {tables} tables", first)
    show(f"completion, {tables} × {columns}", runs)


def editing(count: int) -> None:
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
    show(f"edit of {count} lines", edits)
    show("bracket from the first to the last", brackets)


def splitting(megabytes: int) -> None:
    forms = {
        "short INSERTs": "INSERT INTO users VALUES (1,'hello world','it''s','2020-01-01',3.14);\n",
        "strings, quotes, comments": "select E'a\\'b', $1, $$x$$ -- hello\nfrom t where a=1;\n",
        "MySQL routines": "create procedure p() begin if a then select 1; else select 'x' from foo; end if; end;\n",
    }
    for name, one in forms.items():
        wire = Wire.MYSQL if "MySQL" in name else Wire.POSTGRES
        script = one * (megabytes * 1_000_000 // len(one))
        began = time.thread_time()
        count = sum(1 for _ in split((script[at : at + 65536] for at in range(0, len(script), 65536)), wire))
        seconds = time.thread_time() - began
        print(f"split {name:28} {len(script) / 1e6 / seconds:7.1f} MB/s   {count} statements")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("tables", 10_000), ("columns", 20), ("lines", 10_000), ("megabytes", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    random.seed(6)
    completion(options.tables, options.columns)
    editing(options.lines)
    splitting(options.megabytes)


if __name__ == "__main__":
    main()
