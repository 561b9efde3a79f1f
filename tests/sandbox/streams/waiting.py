"""Waiting in tests."""

from __future__ import annotations

import asyncio
from typing import Any


async def until(wanted: Any, seconds: float = 90) -> None:
    """Until something is so."""
    async with asyncio.timeout(seconds):
        while not wanted():
            await asyncio.sleep(0.02)
