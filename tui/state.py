"""Choices that statetui remembers by itself (the layout last chosen, the sort order …), apart from the settings.

A small JSON file in the state directory. Losing it loses nothing that matters, so no failure here is ever raised:
it goes to the log.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from pathlib import Path

from tui import paths

log = logging.getLogger(__name__)


def recall() -> dict[str, str]:
    """What was remembered; empty when nothing was, or when the file cannot be read."""
    try:
        found = json.loads(_file().read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.warning("remembered choices cannot be read: %s", error)
        return {}
    if not isinstance(found, dict):
        log.warning("remembered choices are not a mapping: %s", _file())
        return {}
    return {str(key): value for key, value in found.items() if isinstance(value, str)}


def remember(key: str, value: str) -> None:
    """Keeps one choice for the next start. Replaces the file in one step: two programs at once cannot tear it."""
    choices = recall()
    if choices.get(key) == value:
        return
    choices[key] = value
    file = _file()
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        paths.private(file.parent)
        draft.write_text(json.dumps(choices, indent=1, sort_keys=True), "utf-8")
        draft.replace(file)
    except OSError as error:
        log.warning("a choice cannot be remembered: %s", error)
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def _file() -> Path:
    return paths.state_dir() / "choices.json"
