"""Text from outside, made safe to print, and the signs that the program adds of its own.

Names, messages and log lines may hold escape sequences, control and bidirectional characters. They are shown, never
interpreted: each becomes one visible sign, so that a text's length stays what it was.
"""

from __future__ import annotations

from collections.abc import Mapping

#: One glyph for each health, by its value: shape first, colour second.
SIGNS: Mapping[str, str] = {
    "ready": "●",
    "running": "◐",
    "starting": "◌",
    "waiting": "○",
    "failing": "✗",
    "terminating": "◍",
    "stopped": "■",
    "unknown": "?",
}

#: What a sign says, for legends.
MEANINGS: Mapping[str, str] = {
    "ready": "ready: serves",
    "running": "runs, is not ready: a probe or a gate fails",
    "starting": "starts: init containers, pulling an image",
    "waiting": "waits: not scheduled, claim not bound",
    "failing": "fails: crash loop, error, lost claim",
    "terminating": "terminates",
    "stopped": "stopped on purpose: scaled to zero, hibernated",
    "unknown": "not known; the line says why",
}

#: Shown for what cannot be shown: characters that hide, reorder or would break the output's encoding.
HIDDEN = "�"


def safe(text: str) -> str:
    """The text with everything that a terminal would act on replaced by a visible sign.

    Control characters become their control pictures (`␛`, `␊`), wide blanks a space; what reorders or hides text,
    private use and lone surrogates become `�`. Length and the position of every other character stay.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _sign(char) for char in text)


def _sign(char: str) -> str:
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    return " " if char.isspace() and code not in (0x85, 0x2028, 0x2029) else HIDDEN


def one_line(text: str) -> str:
    """A message of several lines as one: runs of blanks and line ends become a space, the rest as `safe` has it."""
    return safe(" ".join(text.split()))


_UNITS = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


def size(count: float) -> str:
    """Writes bytes in the unit that people read best, at most six columns: `512B`, `9.8Gi`, `256Mi`, `1023Mi`.

    One decimal below ten, none from there; a value that would round up to 1024 moves on to the next unit.
    """
    if count < 0:
        return "-" + size(-count)
    if round(count) < 1024:
        return f"{round(count)}B"
    value = float(count)
    for unit in _UNITS:
        value /= 1024
        if round(value) < 1024 or unit == "Ei":
            break
    if value >= 9.95:
        return f"{round(value)}{unit}"
    return f"{value:.1f}".removesuffix(".0") + unit


def counted(count: int, one: str, many: str = "") -> str:
    """`1 object`, `1,003 objects`; `many` where an s does not do."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
