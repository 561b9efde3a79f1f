"""The clients that people use, over `kubectl port-forward`, fetching what ours fetch."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

#: Six columns of what tables hold: a number, a text, a decimal, a moment, a truth, a text of one length.
QUERIES = {
    "cdb": "SELECT n, md5(n::text), n * 2.5, now(), n % 7 = 0, repeat('x', 20) FROM generate_series(1, {rows}) n",
    "mysql": "SELECT seq, md5(seq), seq * 2.5, now(), seq % 7 = 0, repeat('x', 20) FROM mysql.seq_1_to_{rows}",
}


@dataclass
class Rival:
    """A client.

    Attributes:
        name: as it is shown.
        workload: whose server.
        pod: the pod, and its port.
    """

    name: str
    workload: str
    pod: tuple[str, int]
    _port: int = 0

    def query(self, rows: int) -> str:
        """The rows that are fetched."""
        return QUERIES[self.workload].format(rows=rows)

    @contextlib.contextmanager
    def forwarded(self, kubeconfig: str) -> Iterator[None]:
        """Runs `kubectl port-forward` meanwhile."""
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self._port = sock.getsockname()[1]
        pod, port = self.pod
        command = ["kubectl", "--kubeconfig", kubeconfig, "-n", "stateful", "port-forward", f"pod/{pod}",
                   f"{self._port}:{port}"]  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            try:
                yield
            finally:
                process.terminate()

    def run(self, query: str) -> tuple[float, float]:
        """Seconds from the client's start to its first byte, and to its end."""
        began, first = time.monotonic(), 0.0
        with subprocess.Popen(self._command(query), stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            while process.stdout.read1(1 << 16):
                first = first or time.monotonic() - began
        if process.returncode:
            raise SystemExit(f"{self.name} ended with {process.returncode}")
        return first, time.monotonic() - began

    def _command(self, query: str) -> list[str]:
        host = ["-h", "127.0.0.1"]
        if self.workload == "cdb":
            return ["psql", *host, "-p", str(self._port), "-U", "root", "-d", "defaultdb", "-qc",
                    f"\\copy ({query}) to STDOUT csv"]  # fmt: skip
        return ["mysql", *host, "-P", str(self._port), "-u", "root", "--batch", "--quick", "-e", query, "mysql"]


RIVALS = {
    "cdb": Rival("psql \\copy", "cdb", ("cdb-cockroachdb-0", 26257)),
    "mysql": Rival("mysql --batch", "mysql", ("mysql-0", 3306)),
}
