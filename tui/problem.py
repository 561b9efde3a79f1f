"""Errors as values: what happened, the evidence, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Cause(StrEnum):
    """What kind of thing went wrong, for code that must choose what to do next."""

    CONFIG = "config"  # a file of the user's: missing, malformed, contradictory
    CREDENTIALS = "credentials"  # a plugin, a token or a certificate could not be had, or the server refused it (401)
    FORBIDDEN = "forbidden"  # known to the server, not allowed (403)
    UNREACHABLE = "unreachable"  # no connection: name, route, refusal, TLS, proxy
    TIMEOUT = "timeout"  # connected, no answer in time
    ABSENT = "absent"  # 404: the object, the resource type or the API group is not there
    EXPIRED = "expired"  # 410: the resource version is too old
    THROTTLED = "throttled"  # 429
    REJECTED = "rejected"  # any other 4xx
    SERVER = "server"  # 5xx
    PROTOCOL = "protocol"  # an answer that is not what Kubernetes sends
    INTERNAL = "internal"  # a defect of statetui's own; the log file has the traceback


@dataclass(frozen=True, slots=True)
class Problem:
    """What a person is told when something failed.

    Attributes:
        cause: the class of failure.
        what: one sentence: what was tried and did not work.
        evidence: the other side's own words, verbatim (an API server's message, a plugin's stderr, a file and line).
        remedy: what the person can do next; empty when there is nothing.
        retry_after: seconds that the server asked to wait (Retry-After), or None.
    """

    cause: Cause
    what: str
    evidence: str = ""
    remedy: str = ""
    retry_after: float | None = field(default=None, compare=False)

    def __str__(self) -> str:
        """One line; the evidence follows a colon."""
        text = f"{self.what}: {self.evidence}" if self.evidence else self.what
        return f"{text.removesuffix('.')}. {self.remedy}" if self.remedy else text


class ProblemError(Exception):
    """Carries a Problem up to whoever can show it."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem
