"""No file and no function grows out of sight."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "tui"
FILES = sorted(PACKAGE.rglob("*.py"))
LINES, STATEMENTS = 400, 60
#: Nothing but declarations, which read best one below the other.
DECLARATIONS = {PACKAGE / "kube" / "objects.py"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_sizes(file: Path) -> None:
    text = file.read_text("utf-8")
    assert len(text.splitlines()) <= LINES or file in DECLARATIONS
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            statements = sum(isinstance(inner, ast.stmt) for inner in ast.walk(node)) - 1
            assert statements <= STATEMENTS, f"{node.name} has {statements} statements"


def test_there_is_something_to_measure() -> None:
    assert len(FILES) > 20
