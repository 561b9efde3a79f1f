"""`python -m tui.sandbox` as a process, in a directory of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOT = Path(__file__).parents[2]


@contextmanager
def serving(directory: Path) -> Iterator[Path]:
    """Its kubeconfig; at the end it must end well, and must have told of no error. A killed test run takes it along."""
    command = [sys.executable, "-m", "tui.sandbox", "--directory", str(directory), "--with-parent"]
    log = directory.with_suffix(".log")
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdout.readline()
        told = process.stdout.readline().strip()
        assert told.startswith("export KUBECONFIG="), log.read_text()
        yield Path(told.partition("=")[2])
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        # Its end, should it still run.
        process.stdin.close()
        process.wait(60)
        process.stdout.close()
    said = log.read_text()
    assert "Traceback" not in said and " ERROR " not in said and " CRITICAL " not in said, said
