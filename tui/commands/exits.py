"""Exit codes, and how a problem is told to somebody who has no screen."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.problem import Problem

#: What the exit codes mean; README and --help tell the same.
OK, FAILED, USAGE, UNREACHABLE, FORBIDDEN, PARTIAL, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 3, 4, 5, 130, 141


def complain(problem: Problem) -> int:
    """Tells a problem on stderr and returns the exit code that fits its cause."""
    from tui.problem import Cause  # noqa: PLC0415 - `--version` needs neither
    from tui.text import safe  # noqa: PLC0415

    print(f"statetui: {safe(problem.what)}", file=sys.stderr)
    for line in problem.evidence.splitlines():
        print(f"  {safe(line)}", file=sys.stderr)
    if problem.remedy:
        print(safe(problem.remedy), file=sys.stderr)
    if problem.cause is Cause.FORBIDDEN:
        return FORBIDDEN
    if problem.cause in (Cause.CONFIG, Cause.CREDENTIALS, Cause.UNREACHABLE, Cause.TIMEOUT):
        return UNREACHABLE
    return FAILED
