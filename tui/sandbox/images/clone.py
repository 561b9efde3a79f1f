"""Hands a stream from one pod to another; a program of its own (`python -I -S clone.py …`), standard library only.

`serve ADDRESS PORT WORD…` runs the words for each connection, one at a time, and sends what they print;
`fetch HOST PORT` prints what it is sent, and waits first until somebody listens there.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import time

_PATIENCE = 60.0


def serve(address: str, port: int, words: list[str]) -> None:
    """Serves for ever."""
    with socket.create_server((address, port)) as server:
        while True:
            connection, _ = server.accept()
            with connection:
                code = subprocess.call(words, stdin=subprocess.DEVNULL, stdout=connection.fileno())
                sys.stderr.write(f"{words[0]} ended with {code}\n")


def fetch(host: str, port: int) -> int:
    """Prints what comes; 1 when nobody listens for a minute, or nothing comes."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            connection = socket.create_connection((host, port), 5)
            break
        except OSError as error:
            if time.monotonic() > until:
                sys.stderr.write(f"{host}:{port}: {error}\n")
                return 1
            time.sleep(0.2)
    connection.settimeout(None)
    with connection, connection.makefile("rb") as source:
        first = source.read(1)
        if not first:
            sys.stderr.write(f"{host}:{port} sent nothing\n")
            return 1
        sys.stdout.buffer.write(first)
        shutil.copyfileobj(source, sys.stdout.buffer)
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]), sys.argv[4:])
    sys.exit(fetch(sys.argv[2], int(sys.argv[3])))
