"""What answers in the pods that forwards are tested with: one server, a port for each way to behave.

It runs inside the cluster, with the standard library alone. A conversation that carries data begins with a line
`SIZE SEED`; the data of a seed is the same here and in the test.
"""

from __future__ import annotations

import os
import random
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator

ECHO, SOURCE, SINK, BYTE, RESET, SILENT, NAME, SLOW_SINK, ZEROS, DISCARD, CRASH, KEEP = range(9001, 9013)
BLOCK = 1 << 16


def blocks(size: int, seed: str) -> Iterator[bytes]:
    """The data of a seed, in blocks."""
    for number in range(-(-size // BLOCK)):
        yield random.Random(f"{seed}:{number}").randbytes(BLOCK)[: size - number * BLOCK]


def echo(peer: socket.socket) -> None:
    while data := peer.recv(BLOCK):
        peer.sendall(data)


def source(peer: socket.socket) -> None:
    """Sends SIZE bytes of SEED and closes."""
    size, seed = peer.makefile("rb").readline().decode().split()
    for block in blocks(int(size), seed):
        peer.sendall(block)


def sink(peer: socket.socket) -> None:
    """Compares SIZE bytes with those of SEED and answers `ok SIZE`, or where they differ."""
    stream = peer.makefile("rb")
    size, seed = stream.readline().decode().split()
    at = 0
    for block in blocks(int(size), seed):
        if (got := stream.read(len(block))) != block:
            peer.sendall(f"differs in the block at {at}, {len(got)} of {len(block)} bytes\n".encode())
            return
        at += len(block)
    peer.sendall(f"ok {at}\n".encode())


def slow_sink(peer: socket.socket) -> None:
    """As `sink`, after it has read nothing for as many seconds as its first line says."""
    time.sleep(float(_line(peer)))
    sink(peer)


def one_byte(peer: socket.socket) -> None:
    peer.sendall(b"!")
    peer.recv(1)


def reset(peer: socket.socket) -> None:
    """Takes what comes first and drops the connection."""
    peer.recv(BLOCK)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silent(peer: socket.socket) -> None:
    while peer.recv(BLOCK):
        pass


def name(peer: socket.socket) -> None:
    """Says which pod this is, and since when, line for line."""
    while line := _line(peer):
        peer.sendall(f"{os.environ.get('POD_NAME', '')} {os.environ.get('POD_UID', '')} {line}\n".encode())


def zeros(peer: socket.socket) -> None:
    """Sends as many zeros as the line says."""
    left, block = int(_line(peer)), bytes(1 << 20)
    while left:
        peer.sendall(block[:left])
        left -= min(left, len(block))


def discard(peer: socket.socket) -> None:
    """Reads as many bytes as the line says, and answers with a byte."""
    left, room = int(_line(peer)), bytearray(1 << 20)
    while left:
        got = peer.recv_into(room, min(left, len(room)))
        if not got:
            return
        left -= got
    peer.sendall(b"!")


KEPT: dict[str, int] = {}


def keep(peer: socket.socket) -> None:
    """Notes how much comes behind a line `KEY`, to the end; or answers `?KEY` with that."""
    key = _line(peer)
    if key.startswith("?"):
        peer.sendall(f"{KEPT.get(key[1:], 0)}\n".encode())
        return
    while data := peer.recv(BLOCK):
        KEPT[key] = KEPT.get(key, 0) + len(data)


def crash(peer: socket.socket) -> None:
    """Ends the server, and so the container."""
    peer.recv(1)
    os._exit(1)


def _line(peer: socket.socket) -> str:
    """A line, and not a byte more."""
    collected = b""
    while not collected.endswith(b"\n") and (byte := peer.recv(1)):
        collected += byte
    return collected.decode().strip()


SERVERS: dict[int, Callable[[socket.socket], None]] = {
    ECHO: echo, SOURCE: source, SINK: sink, BYTE: one_byte, RESET: reset, SILENT: silent, NAME: name,
    SLOW_SINK: slow_sink, ZEROS: zeros, DISCARD: discard, CRASH: crash, KEEP: keep,
}  # fmt: skip


def converse(server: Callable[[socket.socket], None], peer: socket.socket) -> None:
    with peer:
        try:
            server(peer)
        except (OSError, ValueError) as error:
            print(server.__name__, error, flush=True)


def serve(address: str, port: int, server: Callable[[socket.socket], None]) -> None:
    listener = socket.create_server((address, port), backlog=1024)
    while True:
        peer, _ = listener.accept()
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=converse, args=(server, peer), daemon=True).start()


if __name__ == "__main__":
    time.sleep(float(sys.argv[1]))  # a server that takes its time to listen
    for number, behaviour in SERVERS.items():
        threading.Thread(target=serve, args=(sys.argv[2], number, behaviour), daemon=True).start()
    threading.Event().wait()
