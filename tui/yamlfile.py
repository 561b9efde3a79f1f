"""Reads YAML that a person wrote, or was handed: whatever it holds, it ends in a value or in one kind of error.

libyaml builds nodes by recursion, so that ten thousand brackets overflow the stack and end the process without a word;
a few lines of aliases to aliases expand to more than any memory holds; and a date that does not exist is a ValueError.
All three are refused here, before anything is built, as `yaml.YAMLError` like every other mistake.
"""

from __future__ import annotations

from typing import Any

import yaml

#: Levels of nesting. What statetui reads has six; an extension in a kubeconfig may have more.
MAX_DEPTH = 100
#: Values after the expansion of aliases.
MAX_VALUES = 1_000_000

#: The safe loader, in C where PyYAML was built with it.
SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(content: str | bytes, loader: Any = SafeLoader) -> Any:  # noqa: ANN401
    """The content as plain values.

    Args:
        content: a YAML document.
        loader: a subclass of `SafeLoader` that takes some scalars differently.

    Raises:
        yaml.YAMLError: it is not YAML, or more than could be meant; with a `problem_mark` where the place is known.
    """
    try:
        _check(content, loader)
        return yaml.load(content, Loader=loader)  # noqa: S506 - a safe loader
    except (ValueError, RecursionError) as error:  # a date or number of the right shape that does not exist; no UTF-8
        raise yaml.YAMLError(" ".join(str(error).split())) from error


def compose(content: str | bytes, loader: Any = SafeLoader) -> yaml.Node | None:  # noqa: ANN401
    """The content as nodes, which know their lines; None when there is nothing in it.

    Raises:
        yaml.YAMLError: as for `load`.
    """
    try:
        _check(content, loader)
        return yaml.compose(content, Loader=loader)
    except (ValueError, RecursionError) as error:
        raise yaml.YAMLError(" ".join(str(error).split())) from error


def _check(content: str | bytes, loader: Any) -> None:  # noqa: ANN401
    """Walks the events, which cost neither recursion nor memory, and refuses what is too deep or too much."""
    sizes: dict[str, int] = {}  # values under each anchor, aliases in it expanded
    levels: list[tuple[str | None, int]] = []  # the open collections: their anchor, and the count when they began
    count = 0
    for event in yaml.parse(content, Loader=loader):
        if isinstance(event, yaml.CollectionStartEvent):
            levels.append((event.anchor, count))
            count += 1
            if len(levels) > MAX_DEPTH:
                raise _refused(event, "nested too deeply")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = levels.pop()
            if anchor is not None:
                sizes[anchor] = count - before
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
        elif isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in levels):
                raise _refused(event, "a value is nested in itself")
            count += sizes.get(event.anchor or "", 1)
        if count > MAX_VALUES:
            raise _refused(event, "too many values")


def _refused(event: Any, why: str) -> yaml.MarkedYAMLError:  # noqa: ANN401 - marks differ between C and Python
    return yaml.MarkedYAMLError(problem=why, problem_mark=event.start_mark)
