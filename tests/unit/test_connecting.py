"""A console's connection: what is asked for, and what a refusal or a broken connection means for the login."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tui.consoles.bucket.connecting import Connection as ToStore
from tui.consoles.connecting import TYPED, Asked, Connection, Phase
from tui.consoles.queue.connecting import Connection as ToBroker
from tui.problem import Cause, Problem, ProblemError
from tui.services.bucket.model import Keys, StoreError
from tui.services.bucket.model import Lost as StoreLost
from tui.services.queue.model import Login, Refused
from tui.services.queue.model import Lost as BrokerLost
from tui.systems.bucketkeys import FoundKeys
from tui.systems.queuekeys import FoundLogins

BROKEN = Problem(Cause.UNREACHABLE, "The connection broke")
KEYS = Keys("a", "1", source="A"), Keys("b", "2", source="B")
LOGINS = Login("a", "1", source="A"), Login("b", "2", source="B")
WRONG = Problem(Cause.CREDENTIALS, "Nobody is called so")


class FakeService:
    closed = False

    async def close(self) -> None:
        self.closed = True


@dataclass
class FakeAccess:
    """What is found, what comes of connecting, and who tried."""

    found: Any
    context: str = "here"
    workload: None = None
    errors: list[Exception] = field(default_factory=list)
    looks: int = 0
    tried: list[Any] = field(default_factory=list)

    async def look(self) -> Any:
        self.looks += 1
        return self.found

    async def open(self, login: Any, found: Any, /, *, read_only: bool) -> FakeService:
        self.tried.append(login)
        if self.errors:
            raise self.errors.pop(0)
        return FakeService()


@dataclass(frozen=True)
class Kind:
    """What differs between the two."""

    make: Callable[..., Connection[Any, Any, Any]]
    none: Any
    two: Any
    logins: tuple[Any, Any]
    lost: Exception
    refused: Exception


KINDS = [
    pytest.param(
        Kind(ToStore, FoundKeys(access="root"), FoundKeys(KEYS), KEYS, StoreLost(BROKEN),
             StoreError("AccessDenied", "no", 403, Problem(Cause.FORBIDDEN, "no"))), id="store",
    ),
    pytest.param(
        Kind(ToBroker, FoundLogins(user="root"), FoundLogins(LOGINS), LOGINS, BrokerLost(BROKEN),
             Refused(530, Problem(Cause.REJECTED, "no"))), id="broker",
    ),
]  # fmt: skip


class Person:
    """Types a login whenever asked, or leaves the question."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[Asked] = []

    async def __call__(self, asked: Asked) -> Any:
        self.asked.append(asked)
        return self.answer


@pytest.mark.parametrize("kind", KINDS)
async def test_a_login_is_asked_for_once(kind: Kind) -> None:
    access, person = FakeAccess(kind.none), Person(replace(kind.logins[0], source=TYPED))
    link = kind.make(access, person)
    assert await link.open()
    service = link.opened
    assert await link.open()
    assert service is not None and service.closed
    assert [asked.name for asked in person.asked] == ["root"], "the name that is known is offered"
    assert "Type them here" in person.asked[0].problem.remedy
    assert (link.source, link.phase, link.usable) == (TYPED, Phase.OPEN, True)


@pytest.mark.parametrize("kind", KINDS)
async def test_who_leaves_the_question_is_not_connected(kind: Kind) -> None:
    access, person = FakeAccess(kind.none), Person(None)
    link = kind.make(access, person)
    assert not await link.open()
    assert (link.phase, access.tried) == (Phase.FAILED, [])
    assert link.problem is not None and link.problem.remedy == "", "what to do was answered"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_typed_login_outlives_a_connection_that_breaks_while_it_is_made(kind: Kind) -> None:
    access, person = FakeAccess(kind.none, errors=[kind.lost]), Person(replace(kind.logins[0], source=TYPED))
    link = kind.make(access, person)
    assert not await link.open()
    assert (link.phase, link.problem) == (Phase.FAILED, BROKEN)
    assert await link.open()
    assert len(person.asked) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("by", ["the service", "the way to it"])
async def test_what_was_refused_is_looked_for_anew(kind: Kind, by: str) -> None:
    access = FakeAccess(kind.two, errors=[kind.refused if by == "the service" else ProblemError(WRONG)])
    link = kind.make(access, Person(None))
    assert not await link.open()
    assert link.source == "" and link.found is kind.two, "what was found can still be chosen from"
    assert await link.open()
    assert access.looks == 2


@pytest.mark.parametrize("kind", KINDS)
async def test_a_forgotten_login_is_replaced_by_that_of_the_same_source(kind: Kind) -> None:
    access = FakeAccess(kind.two)
    link = kind.make(access, Person(None))
    assert await link.open(kind.logins[1])
    link.forget_login()
    assert await link.open()
    assert [one.source for one in access.tried] == ["B", "B"], "no more rights than one had chosen"


@pytest.mark.parametrize("kind", KINDS)
async def test_only_what_is_new_is_told(kind: Kind) -> None:
    told = list[tuple[Phase, str]]()
    link = kind.make(FakeAccess(kind.two), Person(None), changed=lambda: told.append((link.phase, link.state)))
    assert await link.open()
    link.turn(Phase.OPEN)
    link.turn(Phase.LOST, BROKEN)
    link.turn(Phase.LOST, BROKEN)
    assert [phase for phase, _ in told] == [Phase.LOOKING, Phase.CONNECTING, Phase.OPEN, Phase.LOST]
    assert told[0][1] == f"looking for {link.terms.one}" and told[-1][1] == "no answer"
