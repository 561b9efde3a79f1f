"""Requests whose keys were changed in the cluster: asked again with the new ones, once, and nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from tui.consoles.bucket.live import Renewal
from tui.consoles.connecting import TYPED
from tui.problem import Cause, Problem, ProblemError
from tui.services.bucket.model import Keys, Request, StoreError
from tui.services.bucket.renewing import Renewing
from tui.services.bucket.signing import Signer
from tui.systems.bucketkeys import FoundKeys

OLD, NEW = Keys("old", "1", source="Secret s/k"), Keys("new", "2", source="Secret s/k")
OTHER = Keys("console", "3", source="Secret s/console")


def refused(cause: Cause = Cause.CREDENTIALS) -> StoreError:
    return StoreError("InvalidAccessKeyId", "no", 403, Problem(cause, "The store does not know these keys"))


@dataclass
class FakeStore:
    """Takes what is signed with the new keys."""

    signer: Signer
    error: StoreError = field(default_factory=refused)
    asked: list[tuple[str, str]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    async def __call__(self, request: Request) -> bytes:
        raise AssertionError("it is opened")

    def open(self, request: Request) -> Any:
        store = self

        class Opening:
            async def __aenter__(self) -> Any:
                keys = store.signer.keys
                store.asked.append((request.key, keys.access))
                await asyncio.sleep(0)
                if keys != NEW:
                    raise store.error
                store.done.append(request.key)

                async def read() -> bytes:
                    return b"done"

                return SimpleNamespace(read=read)

            async def __aexit__(self, *_: object) -> None:
                pass

        return Opening()


def renewing(*found: Keys, error: StoreError | None = None) -> tuple[FakeStore, Renewing, list[Keys]]:
    """A store, what asks it, and the keys that were looked for."""
    signer, looked = Signer(OLD), list[Keys]()
    store = FakeStore(signer, error or refused())

    async def renew(keys: Keys) -> Keys | None:
        looked.append(keys)
        await asyncio.sleep(0)
        return found[len(looked) - 1] if len(looked) <= len(found) else None

    return store, Renewing(store, signer, renew), looked


async def test_many_requests_that_are_refused_at_once_look_once_and_are_asked_again() -> None:
    store, exchange, looked = renewing(NEW)
    assert (
        await asyncio.gather(*(exchange(Request("PUT", "b", f"k{at}", body=b"x")) for at in range(5))) == [b"done"] * 5
    )
    assert looked == [OLD]
    assert sorted(store.done) == [f"k{at}" for at in range(5)], "each was done once"


async def test_without_other_keys_it_is_refused() -> None:
    store, exchange, looked = renewing()
    with pytest.raises(StoreError):
        await exchange(Request("PUT", "b", "k"))
    assert (store.asked, looked) == ([("k", "old")], [OLD])


async def test_a_refusal_for_another_reason_is_none_of_its_business() -> None:
    store, exchange, looked = renewing(NEW, error=refused(Cause.FORBIDDEN))
    with pytest.raises(StoreError):
        await exchange(Request("PUT", "b", "k"))
    assert (store.asked, looked) == ([("k", "old")], [])


async def test_what_was_streamed_is_not_sent_again() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"x"

    store, exchange, looked = renewing(NEW)
    with pytest.raises(StoreError):
        await exchange(Request("PUT", "b", "k", body=pieces(), length=1))
    assert (len(store.asked), looked) == (1, [])


async def test_keys_are_looked_for_where_they_came_from_and_nowhere_else() -> None:
    found = FoundKeys((OTHER, NEW))
    heard: list[tuple[Keys, FoundKeys]] = []

    async def look() -> FoundKeys:
        return found

    renewal = Renewal(look)
    renewal.heard = lambda *told: heard.append(told)
    assert await renewal(OLD) == NEW
    assert heard == [(NEW, found)]
    assert await renewal(NEW) is None, "they are the same"
    assert await renewal(Keys("gone", "4", source="Secret s/gone")) is None
    assert await renewal(Keys("typed", "5", source=TYPED)) is None
    assert len(heard) == 1


async def test_a_secret_that_cannot_be_read_has_no_other_keys() -> None:
    async def look() -> FoundKeys:
        raise ProblemError(Problem(Cause.UNREACHABLE, "no API server"))

    assert await Renewal(look)(OLD) is None
