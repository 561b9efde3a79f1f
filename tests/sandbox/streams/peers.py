"""The servers of `tests/contract/peer.py` in a process of their own, on ports that the system chooses.

Run as a program, it prints a line of JSON, from the peer's number to the real port, and serves until its input ends.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading

from tests.contract import peer


class Peers:
    """The running servers.

    Attributes:
        ports: the real port by number.
    """

    def __enter__(self) -> Peers:
        self._process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.ports: dict[int, int] = {int(k): v for k, v in json.loads(self._process.stdout.readline()).items()}
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def _main() -> None:
    ports = {}
    for number, behaviour in peer.SERVERS.items():
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        ports[number] = listener.getsockname()[1]

        def accept(listener: socket.socket = listener, behaviour: object = behaviour) -> None:
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=peer.converse, args=(behaviour, connection), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
    print(json.dumps(ports), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _main()
