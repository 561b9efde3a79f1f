"""Mistakes of the command line that only show once its words are taken together."""

from __future__ import annotations

from tui.problem import ProblemError


class WrongUseError(ProblemError):
    """What was asked for does not fit together: a mistake of the command line."""
