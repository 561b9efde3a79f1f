"""`python -m tui.sandbox --directory DIR [--port N] [--scene]`: a cluster whose pods are processes of this machine."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
import sys
from pathlib import Path

from tui.sandbox import failures
from tui.sandbox.cluster import Cluster, PartError
from tui.sandbox.journal import Damaged
from tui.sandbox.kubelet import supervisor
from tui.sandbox.kubelet.kubelet import BusyError
from tui.sandbox.model import ApiError

#: The exit code when another sandbox uses the directory (EX_TEMPFAIL).
BUSY = 75


async def _serve(directory: Path, port: int, with_scene: bool, with_parent: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    if with_parent:
        # The parent holds the other end: its end is the end of the input, however it ended.
        loop.add_reader(0, _ended_with_parent, loop, stop)
    cluster = Cluster(directory, port=port, with_scene=with_scene)
    try:
        await cluster.start()
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.write(f"{cluster.server.url}\nexport KUBECONFIG={cluster.server.kubeconfig}\n")
            sys.stdout.flush()
        wanted = asyncio.create_task(stop.wait())
        works = asyncio.create_task(cluster.run())
        await asyncio.wait((wanted, works), return_when=asyncio.FIRST_COMPLETED)
        wanted.cancel()
        if works.done():
            works.result()
        works.cancel()
    finally:
        await cluster.stop()
        # Nothing, unless the supervisor of the pods was killed: what these had started is ours then.
        supervisor.end_descendants()


def _ended_with_parent(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    if not os.read(0, 1024):
        loop.remove_reader(0)
        stop.set()


def main() -> int:
    """Runs until it is interrupted, or a part of it ends; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tui.sandbox", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True, help="where everything is kept")
    parser.add_argument("--port", type=int, default=0, help="the port on 127.0.0.1; any that is free when left out")
    parser.add_argument("--scene", action="store_true", help="begin with four stateful systems, in namespace stateful")
    parser.add_argument("--with-parent", action="store_true", help="end when the standard input does")
    arguments = parser.parse_args()
    # What the imports made stays for ever: without it, a full collection stops the API for a few milliseconds only.
    gc.freeze()
    supervisor.become_reaper()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # Pods find the Python that runs this one, if there is no other.
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)])
    directory = arguments.directory.absolute()
    try:
        asyncio.run(_serve(directory, arguments.port, arguments.scene, arguments.with_parent))
    except (BlockingIOError, BusyError):
        sys.stderr.write(f"another sandbox uses {directory}\nEnd it, or choose another --directory.\n")
        return BUSY
    except (OSError, Damaged, PartError, ApiError) as problem:
        failure = failures.explain(problem, directory, arguments.port)
        if arguments.with_parent:
            with contextlib.suppress(OSError):
                sys.stdout.write(f"{json.dumps({'failure': failure.told()})}\n")
                sys.stdout.flush()
        # A log on the full disk takes nothing.
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{failure}\n")
        return 1
    except KeyboardInterrupt:
        # Before the loop has its own handler, or after: nothing runs then.
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
