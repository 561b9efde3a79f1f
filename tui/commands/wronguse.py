"""Mistakes of the command line that only show once its words are taken together."""

from __future__ import annotations

from tui.problem import Cause, Problem, ProblemError


class WrongUseError(ProblemError):
    """What was asked for does not fit together: a mistake of the command line."""


def wrong(what: str, remedy: str) -> WrongUseError:
    """Such a mistake.

    Args:
        what: a sentence without a full stop.
        remedy: what to write instead; empty when there is nothing to say.
    """
    return WrongUseError(Problem(Cause.CONFIG, what, "", remedy))
