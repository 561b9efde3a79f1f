"""The log file: what a screen never shows (tracebacks) is found here, and no credential ever is.

It lies in the state directory, 1 MB and three older ones. Logging never writes to the terminal: a line in the middle
of a screen is damage, so whatever cannot be logged is dropped.
"""

from __future__ import annotations

import io
import logging
import os
import re
from logging.handlers import RotatingFileHandler
from pathlib import Path

from tui import paths

SIZE = 1_000_000
OLDER = 3
HIDDEN = "[hidden]"

_NAMES = r"(?:id|access|refresh)?[-_ ]?token|client[-_]?(?:secret|key[-_]?data)|password|passwd|secret|api[-_]?key"
#: What a credential looks like in a log line. The first group is kept.
_CREDENTIALS = (
    re.compile(r"()-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(r"(\bauthorization\b['\"]?\s*[:=,]\s*['\"]?(?:(?:bearer|basic)\s+)?)[^\s'\",;)]+", re.IGNORECASE),
    re.compile(r"(\b(?:bearer|basic)\s+)(?=[\w.~+/=-]{12})[\w.~+/=-]+", re.IGNORECASE),
    re.compile(r"(base64url\.bearer\.authorization\.k8s\.io\.)[\w-]+"),
    re.compile(r"()\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?"),
    re.compile(rf"((?<![A-Za-z])(?:{_NAMES})['\"]?\s*[:=]\s*)(?:'[^']*'|\"[^\"]*\"|[^\s'\",;&}})]+)", re.IGNORECASE),
    re.compile(r"(://[^/\s:@]*:)[^/\s@]+(?=@)"),
)


#: Control and bidirectional characters but for the line's end and the tab.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def mask(text: str) -> str:
    """The text with everything that looks like a credential replaced: bearer tokens, passwords, private keys."""
    for pattern in _CREDENTIALS:
        text = pattern.sub(rf"\1{HIDDEN}", text)
    return text


class _Masked(logging.Formatter):
    """Masks the finished line, so that arguments, exception texts and tracebacks are covered alike.

    What a cluster's objects say cannot write lines of its own, nor move the cursor of who reads the file.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:
        return super().formatMessage(record).replace("\n", "\\n")

    def format(self, record: logging.LogRecord) -> str:
        return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], mask(super().format(record)))


class _PrivateFile(RotatingFileHandler):
    """A log file that only its owner can read, and that never complains on the terminal."""

    def _open(self) -> io.TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return io.TextIOWrapper(io.FileIO(descriptor, "a"), "utf-8", errors="backslashreplace", write_through=True)

    def handleError(self, record: logging.LogRecord) -> None:
        """Nothing: a full disk must not tear the screen."""


def start(level: str, file: Path | None = None) -> Path | None:
    """Sends all logging to the file, and nothing to the terminal.

    Args:
        level: of statetui's own messages: debug, info, warning or error. Libraries log from warning upwards, from
            info with `debug`.
        file: another file than the one in the state directory.

    Returns:
        the file, or None when it cannot be written; the program runs without a log then.
    """
    target = file or paths.log_file()
    root = logging.getLogger()
    handler: logging.Handler
    try:
        if file is None:
            paths.private(target.parent)
        handler = _PrivateFile(target, maxBytes=SIZE, backupCount=OLDER)
        handler.setFormatter(_Masked("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    except OSError:
        handler, target = logging.NullHandler(), None  # type: ignore[assignment]
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(logging.INFO if level == "debug" else logging.WARNING)
    logging.getLogger("tui").setLevel(level.upper())
    logging.captureWarnings(capture=True)
    return target
