"""Changes of whole lines: comment them out and in, indent them and back."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Cells that one step indents.
INDENT = 4
_COMMENTED = re.compile(r"(\s*)--(?: |(?=$)|(?=\S))")


def toggled_comments(lines: Sequence[str]) -> list[str]:
    """The lines as comments, or, when all that are not blank are comments already, as code again.

    The marks stand in one column, behind what the lines are all indented by. `-- ` with its blank is what both
    grammars take for a comment.
    """
    full = [line for line in lines if line.strip()]
    if not full:
        return list(lines)
    if all(_COMMENTED.match(line) for line in full):
        return [_COMMENTED.sub(r"\1", line, count=1) for line in lines]
    column = min(len(line) - len(line.lstrip()) for line in full)
    return [f"{line[:column]}-- {line[column:]}" if line.strip() else line for line in lines]


def indented(lines: Sequence[str]) -> list[str]:
    """The lines one step to the right; blank ones stay."""
    return [" " * INDENT + line if line.strip() else line for line in lines]


def outdented(lines: Sequence[str]) -> list[str]:
    """The lines one step to the left, as far as there are blanks."""
    return [line[1:] if line.startswith("\t") else line[_lead(line) :] for line in lines]


def _lead(line: str) -> int:
    return min(INDENT, len(line) - len(line.lstrip(" ")))


def indent_of(line: str) -> str:
    """The blanks that a line begins with: the next one begins with them too."""
    return line[: len(line) - len(line.lstrip(" \t"))]
