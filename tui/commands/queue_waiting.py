"""What a publication or a move waits for, told on stderr while it waits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Protocol

from tui.commands.remarks import note

#: Seconds between two looks.
_LOOK = 0.25


class Waits(Protocol):
    """Something that may have to wait.

    Attributes:
        waits: what for; empty while it goes on.
    """

    waits: str


@contextlib.asynccontextmanager
async def telling(progress: Waits) -> AsyncIterator[None]:
    """Says what is waited for as often as that changes, and when it goes on."""

    async def look() -> None:
        told = ""
        while True:
            if progress.waits != told:
                told = progress.waits
                note(f"waiting: {told} (Ctrl-C gives up)" if told else "it goes on")
            await asyncio.sleep(_LOOK)

    looking = asyncio.create_task(look(), name="what is waited for")
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
