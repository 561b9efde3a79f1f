"""What commands say to people beside their output. It imports next to nothing: some commands start something first."""

from __future__ import annotations

import contextlib
import sys

from tui.text import one_line


def note(text: str) -> None:
    """A remark for people, beside the output."""
    with contextlib.suppress(OSError):  # nobody reads it any more: that must not end what goes on
        print(f"statetui: {one_line(text)}", file=sys.stderr, flush=True)
