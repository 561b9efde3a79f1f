"""The faults that a sandbox makes on purpose; other servers know none."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from tui.kube.api import Api
from tui.problem import Cause, Problem, ProblemError

PATH = "/sandbox/v1/faults"
#: What the version of a server that may know them says.
MARK = "statetui-sandbox"

Value = str | int | bool


class Sort(msgspec.Struct, frozen=True):
    """A fault that is possible.

    Attributes:
        summary: what it does, in a few words.
        target: what it is done to: `pod`, `claim` (or the pod whose claim it is), `resource`; empty for nothing.
        lasts: whether it goes on until it is ended.
        options: what can be said of it, with what holds when nothing is.
    """

    name: str
    summary: str = ""
    target: str = ""
    lasts: bool = True
    options: dict[str, Value] = {}


class Fault(msgspec.Struct, frozen=True):
    """A fault that was started; `said` is what it does, in a sentence, and `since` RFC 3339."""

    name: str
    target: str = ""
    said: str = ""
    since: str = ""


class Known(msgspec.Struct, frozen=True):
    """What a sandbox says of its faults."""

    possible: list[Sort] = []
    active: list[Fault] = []


class _Ended(msgspec.Struct, frozen=True):
    ended: list[str] = []


async def known(api: Api) -> Known:
    """The faults that are possible and those that go on.

    Raises:
        ProblemError: ABSENT when the server is no sandbox, FORBIDDEN when it is none or this user may make none in it;
            else as `Api.get`.
    """
    try:
        return await api.get_as(PATH, Known)
    except ProblemError as error:
        remedy = "Faults are made by the admin of a cluster that `statetui demo` runs: choose its context, `sandbox`."
        server, problem = api.context.server, error.problem
        if problem.cause is Cause.ABSENT:
            raise ProblemError(Problem(Cause.ABSENT, f"{server} is no sandbox", problem.evidence, remedy)) from error
        if problem.cause is Cause.FORBIDDEN:
            what = f"{server} is no sandbox, or this user may make no faults in it"
            raise ProblemError(Problem(Cause.FORBIDDEN, what, problem.evidence, remedy)) from error
        raise


async def start(
    api: Api, name: str, target: str = "", *, namespace: str = "default", options: dict[str, Value] | None = None
) -> Fault:
    """Starts a fault; of one that does not last, what it has done.

    Raises:
        ProblemError: the sandbox refuses, with its words as evidence; or `api` is read-only.
    """
    body = {"target": target, "namespace": namespace, "options": options or {}}
    try:
        return await api.post_json(f"{PATH}/{quote(name, safe='')}", body, Fault)
    except ProblemError as error:
        raise _refused(f"The fault {name} was not made", error) from error


async def end(api: Api, name: str, target: str = "", *, namespace: str = "default") -> list[str]:
    """Ends a fault of one target, or of all; what has ended.

    Raises:
        ProblemError: the sandbox refuses, with its words as evidence; or `api` is read-only.
    """
    params = {"namespace": namespace} | ({"target": target} if target else {})
    try:
        return (await api.delete_as(f"{PATH}/{quote(name, safe='')}", _Ended, params=params)).ended
    except ProblemError as error:
        raise _refused(f"The fault {name} was not ended", error) from error


def _refused(what: str, error: ProblemError) -> ProblemError:
    """The sandbox's words are the whole story where it has understood; else what happened is."""
    problem = error.problem
    if problem.cause in (Cause.ABSENT, Cause.REJECTED, Cause.SERVER) and problem.evidence:
        return ProblemError(Problem(problem.cause, what, problem.evidence))
    return error
