"""Requests that go on when the store's keys were changed in the middle of a transfer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from tui.problem import Cause
from tui.services.bucket.model import Answer, AnswerContext, Exchange, Keys, Request, StoreError
from tui.services.bucket.signing import Signer

#: Finds the keys that have taken the place of some; None where there are no others.
Renew: TypeAlias = Callable[[Keys], Awaitable[Keys | None]]


class Renewing:
    """An `Exchange` that looks for the keys anew when the store does not know them any more, and asks again.

    What was refused for its keys was not done: it may be sent again. Of many requests that are refused at once only
    the first one looks.

    Args:
        exchange: sends; it signs with `signer`.
        signer: whose keys are replaced.
        renew: finds others.
    """

    def __init__(self, exchange: Exchange, signer: Signer, renew: Renew) -> None:
        self._exchange = exchange
        self._signer = signer
        self._renew = renew
        self._turn = asyncio.Lock()

    async def __call__(self, request: Request) -> bytes:
        """Sends a request and reads the whole answer."""
        async with self.open(request) as answer:
            return await answer.read()

    def open(self, request: Request) -> AnswerContext:
        """Sends a request, for an answer that is read piece by piece."""
        return _Asking(self, self._exchange, self._signer, request)

    async def others(self, refused: Keys) -> bool:
        """Takes other keys than these, if there are any by now.

        Args:
            refused: which the store does not know.
        """
        async with self._turn:
            if self._signer.keys is refused and (found := await self._renew(refused)) is not None:
                self._signer.keys = found
            return self._signer.keys is not refused


class _Asking:
    """One request, asked again with other keys."""

    def __init__(self, renewing: Renewing, exchange: Exchange, signer: Signer, request: Request) -> None:
        self._renewing, self._exchange, self._signer, self._request = renewing, exchange, signer, request
        self._open: AnswerContext | None = None

    async def __aenter__(self) -> Answer:
        """Sends the request; its headers have come."""
        while True:
            keys = self._signer.keys
            opened = self._exchange.open(self._request)
            try:
                answer = await opened.__aenter__()
            except StoreError as error:
                again = isinstance(self._request.body, bytes | memoryview)  # what was streamed is gone
                if not (again and error.problem.cause is Cause.CREDENTIALS and await self._renewing.others(keys)):
                    raise
            else:
                self._open = opened
                return answer

    async def __aexit__(self, *error: object) -> None:
        """Ends it."""
        if self._open is not None:
            await self._open.__aexit__(*error)
