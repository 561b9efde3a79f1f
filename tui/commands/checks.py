"""The values of `statetui doctor`: a check, and how one is made without ever hanging."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from enum import StrEnum

from tui.problem import Cause, Problem, ProblemError

log = logging.getLogger(__name__)


class Status(StrEnum):
    """How a check went."""

    OK = "ok"  # ✓
    FAILED = "failed"  # ✗ something that matters is missing
    WARNING = "warning"  # ! works, with less
    SKIPPED = "skipped"  # – not looked at, or of no consequence today


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the table.

    Attributes:
        group: the heading it stands under.
        name: what was looked at.
        status: how it went.
        text: what was found.
        evidence: the other side's words.
        lost: what does not work because of it.
        remedy: what to do next.
    """

    group: str
    name: str
    status: Status
    text: str
    evidence: str = ""
    lost: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A named part of the examination with its time limit in seconds, and what is lost when it fails."""

    group: str
    name: str
    seconds: float = 10.0
    lost: str = ""
    severity: Status = Status.FAILED

    async def take(self, examination: Awaitable[list[Check]]) -> tuple[list[Check], Problem | None]:
        """The checks of an examination, or the one that says why it could not be made, with its problem."""
        try:
            async with asyncio.timeout(self.seconds):
                return await examination, None
        except ProblemError as error:
            problem = error.problem
        except TimeoutError:
            problem = Problem(
                Cause.TIMEOUT, f"no answer within {self.seconds:g} s", remedy="Try again, or look at the network."
            )
        except Exception as error:  # a defect in one check must not hide the others
            log.exception("the check of %s failed", self.name)
            problem = Problem(Cause.INTERNAL, "this check itself failed", repr(error), "The log file has the details.")
        return [self.failed(problem)], problem

    def failed(self, problem: Problem) -> Check:
        """The check that tells a problem."""
        return Check(
            self.group, self.name, self.severity, problem.what, problem.evidence, self.lost,
            problem.remedy or "The log file has the details.",
        )  # fmt: skip

    def skipped(self, reason: str) -> Check:
        """The check that was not made."""
        return Check(self.group, self.name, Status.SKIPPED, reason)
