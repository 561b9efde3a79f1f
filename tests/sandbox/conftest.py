"""A sandbox's API in this process, as fixtures."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from api_client import Api, Sandbox
from real_programs import program

from tui.sandbox import seeds
from tui.sandbox.collector import Collector
from tui.sandbox.controllers.engine import Clock, Engine, drive
from tui.sandbox.controllers.namespace import Namespaces
from tui.sandbox.registry import Registry
from tui.sandbox.store import Store


@pytest.fixture(scope="session")
def kubectl_program() -> str:
    """Where the real kubectl is; skips where it cannot be had."""
    return program("kubectl")


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    made = Sandbox(tmp_path)
    await made.server.start()
    clock = Clock()
    engine = Engine([Namespaces(made.registry, clock)], clock)
    tasks = [asyncio.create_task(part) for part in (Collector(made.registry).run(), drive(engine, made.registry))]
    yield made
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await made.server.stop()
    made.store.close()


@pytest.fixture
async def api(sandbox: Sandbox) -> AsyncIterator[Api]:
    async with sandbox.client("admin") as made:
        yield made


@pytest.fixture
def registry() -> Registry:
    """Rules without a server, and nothing kept."""
    made = Registry(Store())
    seeds.plant(made)
    return made
