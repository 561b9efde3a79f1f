"""Forwards of the whole program in a real process: nothing is left behind, however it ends."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from process import Program

# These stand beside the unit tests; `process` has put that folder on the path.
from fake_api import FakeApi  # isort: skip
from small_cluster import kubeconfig, put_mysql, summarise  # isort: skip


@pytest.fixture
async def server() -> AsyncIterator[FakeApi]:
    async with FakeApi() as server:
        put_mysql(server)
        summarise(server, "data-shop-0", "data-shop-1")
        yield server


async def gone(path: Path, seconds: float = 15) -> bool:
    end = time.monotonic() + seconds
    while path.exists() and time.monotonic() < end:
        await asyncio.sleep(0.02)
    return not path.exists()


@pytest.mark.parametrize("how", ["quit", "hangup", "hangup-ignored", "sigterm", "sigkill"])
async def test_no_socket_outlives_the_program(server: FakeApi, tmp_path: Path, how: str) -> None:
    path = tmp_path / "x.sock"
    file = kubeconfig(server, tmp_path)
    async with Program(kubeconfig=file, ignore_hangup=how == "hangup-ignored") as program:
        await program.until("● live")
        await program.until("shop")
        await program.until("f Forward")
        program.type("f")
        await program.until("Forward shop")
        program.type(f"\x1b[Zunix:{path}\r")
        await program.until("all forwards")
        assert path.is_socket()
        assert path.stat().st_mode & 0o777 == 0o600
        if how == "quit":
            program.type("q")
            assert await program.exit_code(30) == 0, "nobody is connected: nothing is asked"
        elif how in ("sigterm", "sigkill"):
            program.process.send_signal(getattr(signal, how.upper()))
            await program.exit_code(30)
        else:
            program.hang_up()
            await program.exit_code(30)
        assert await gone(path), "the socket outlived the program"


async def test_a_port_is_closed_and_the_connection_told_when_the_program_is_quit(
    server: FakeApi, tmp_path: Path
) -> None:
    file = kubeconfig(server, tmp_path)
    async with Program(kubeconfig=file) as program:
        await program.until("shop")
        await program.until("f Forward")
        program.type("f")
        await program.until("Forward shop")
        program.type("\x1b[Zany free port\r")
        await program.until("all forwards")
        port = int(program.text.rpartition("127.0.0.1:")[2].split()[0])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            program.type("q")
            await program.until("1 connection of other programs end")
            program.type("q")
            assert await program.exit_code(30) == 0
            with pytest.raises(ConnectionError):
                assert await reader.read(1) == b"", "it ended"
                raise ConnectionResetError
            with pytest.raises(OSError):
                await asyncio.open_connection("127.0.0.1", port)
        finally:
            writer.close()
