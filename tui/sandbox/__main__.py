"""`python -m tui.sandbox --directory DIR [--port N]`: the API alone, for development; nothing runs in its pods."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from pathlib import Path

from tui.sandbox import seeds
from tui.sandbox.collector import Collector
from tui.sandbox.journal import Damaged
from tui.sandbox.registry import Registry
from tui.sandbox.server import Server
from tui.sandbox.store import Store


async def _serve(directory: Path, port: int) -> None:
    store = Store(directory)
    try:
        registry = Registry(store)
        seeds.plant(registry)
        server = Server(registry, directory, port=port)
        await server.start()
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        collector = asyncio.create_task(Collector(registry).run())
        sys.stdout.write(f"{server.url}\nexport KUBECONFIG={server.kubeconfig}\n")
        sys.stdout.flush()
        await stop.wait()
        collector.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await collector
        await server.stop()
    finally:
        store.close()


def main() -> int:
    """Serves until it is interrupted; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tui.sandbox", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True, help="where everything is kept")
    parser.add_argument("--port", type=int, default=0, help="the port on 127.0.0.1; any that is free when left out")
    arguments = parser.parse_args()
    try:
        asyncio.run(_serve(arguments.directory, arguments.port))
    except BlockingIOError:
        sys.stderr.write(f"another sandbox uses {arguments.directory}\n")
        return 1
    except (OSError, Damaged) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
