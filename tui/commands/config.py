"""`statetui config`: where the settings come from, and what they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields

from tui import paths
from tui.commands import exits
from tui.settings import Settings
from tui.settings_forwards import ForwardSetting
from tui.settings_sql import SqlSetting


def run(action: str, file: str | None, load: Callable[[], Settings]) -> int:
    """Prints the path of the settings file, or every value with its origin.

    Args:
        action: `path` or `show`.
        file: the file that the person named, if any.
        load: reads the settings; may raise ProblemError.
    """
    if action == "path":
        print(file or paths.settings_file())
    else:
        print("\n".join(lines(load())))
    return exits.OK


def lines(settings: Settings) -> list[str]:
    """The settings as a file would hold them, each value with its origin as a comment."""
    found: list[str] = []
    for field in fields(settings):
        if field.name == "origins":
            continue
        value = getattr(settings, field.name)
        plain = dict(value) if isinstance(value, Mapping) else value
        # JSON is YAML that needs no rules for quoting.
        found.append(f"{field.name}: {json.dumps(plain, default=_plain)}")
    width = max(map(len, found))
    names = [line.partition(":")[0] for line in found]
    origins = [settings.origins.get(name, "default") for name in names]
    return [f"{line:<{width}}  # {origin}" for line, origin in zip(found, origins, strict=True)]


def _plain(value: ForwardSetting | SqlSetting) -> dict[str, object]:
    return value.plain()
