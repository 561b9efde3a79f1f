"""The consoles of the real cluster's workloads, opened and worked with as somebody at a terminal does it."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.live.real import KUBECONFIG

sys.path.append(str(Path(__file__).parents[1] / "tui"))
from process import Program

__all__ = ["CONNECTED", "ENTER", "ESCAPE", "NAMESPACE", "SMALL", "TAB", "WIDE", "Program", "back", "opened"]

NAMESPACE = "stateful"
WIDE, SMALL = (140, 40), (80, 24)
ENTER, ESCAPE, TAB = "\r", "\x1b", "\t"
#: What the first line of a bucket or queue console says once it is connected, shorter where there is little room.
CONNECTED = r"● (connected since )?\d\d:\d\d:\d\d"


@asynccontextmanager
async def opened(
    workload: str,
    key: str,
    until: str = CONNECTED,
    *,
    size: tuple[int, int] = WIDE,
    namespace: str = NAMESPACE,
    kubeconfig: str = KUBECONFIG,
) -> AsyncIterator[Program]:
    """A console, opened from the overview by its keys.

    Args:
        workload: its name.
        key: what opens the console.
        until: what is seen then.
        size: columns and lines.
        namespace: the workload's.
        kubeconfig: whose rights one has.
    """
    async with Program("-n", namespace, "--layout", "table", kubeconfig=kubeconfig, size=size) as program:
        await program.until(r"● live")
        program.type("/")
        await program.until("/ words, all of them")
        program.type(workload)
        await program.until(lambda text: re.search(rf"\S +{workload} ", text.splitlines()[2]))
        program.type(ENTER)
        await program.until(lambda text: "/ words" not in text)  # what is typed is a command again
        program.type(key)
        await program.until(until)
        yield program


async def act(program: Program, menu: str, typed: str, row: str) -> None:
    """Chooses an action of the menu that `x` opens, by a part of its name."""
    program.type("x")
    await program.until(menu)
    program.type(typed)
    await program.until(row)
    program.type(ENTER)


async def back(program: Program, until: str) -> None:
    """Goes back by escape."""
    program.type(ESCAPE)
    await asyncio.sleep(0.3)  # the next key would make a sequence of it
    await program.until(until)
