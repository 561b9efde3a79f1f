"""What watching needs of an API server, and what it has learnt of one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

#: Seconds of decoding after which others get their turn on the event loop.
SLICE = 0.005


class Server(Protocol):
    """The part of `tui.kube.api.Api` that reads."""

    async def get(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = ...,
        accept: str = ...,
        timeout: float = ...,  # noqa: ASYNC109 - the request's own limit
    ) -> bytes:
        """Reads a body."""

    def stream(
        self, path: str, *, params: Mapping[str, str], read_timeout: float
    ) -> AbstractAsyncContextManager[AsyncIterator[list[bytes]]]:
        """Opens a watch: batches of whole lines."""


@dataclass(slots=True)
class Habits:
    """What the reflectors of one cluster have learnt of its server.

    Attributes:
        streams_lists: False once the server has shown that it does not know WatchList, and over a thin line from the
            start: a list comes compressed (14 times smaller), a watch does not.
    """

    streams_lists: bool = True


class Pace:
    """Keeps a loop over many objects from holding up everything else."""

    def __init__(self) -> None:
        self._turn = 0.0

    async def breathe(self) -> None:
        """Gives others their turn once `SLICE` is used up: a burst that is buffered already never waits by itself."""
        now = time.perf_counter()
        if now - self._turn > SLICE:
            await asyncio.sleep(0)
            self._turn = time.perf_counter()
