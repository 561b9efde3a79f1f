"""`forwards:` in the settings: forwards that somebody uses again and again, under names of their own.

forwards:
  shop-db: {context: "prod-*", workload: shop/shop, port: 5432, role: primary, local: 15432}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

from tui.settings_readers import Item, WrongError, a_flag, a_text, meant, shown

#: Names that can be typed after an @ without quotes.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PORT_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?")

#: What may stand before a name, as for kubectl, where no workload's name is meant.
KINDS = (
    "pod", "pods", "po", "service", "services", "svc",
    "statefulset", "statefulsets", "sts", "deployment", "deployments", "deploy",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ForwardSetting:
    """A forward as the settings define it.

    Attributes:
        workload: NAME or NAMESPACE/NAME of a workload, pod/NAME or svc/NAME.
        context: a pattern of the names of contexts that it is for.
        port: the remote port by number or name, empty for the likeliest.
        pod: one member by its pod's name, label or ordinal; empty for any.
        role: the members of a role; empty for any.
        local: the local port, `unix:PATH`, or None for the likeliest free port.
        sticky: whether connections stay with one pod while it is ready.
    """

    workload: str
    context: str = "*"
    port: int | str = ""
    pod: str = ""
    role: str = ""
    local: int | str | None = None
    sticky: bool = True

    def fits(self, context: str) -> bool:
        """Whether it is for this context."""
        return fnmatchcase(context, self.context)

    def plain(self) -> dict[str, Any]:
        """As a file would hold it: what was not given is left out."""
        given = ((field.name, getattr(self, field.name), field.default) for field in fields(self))
        return {name: value for name, value, default in given if value != default}


def some_forwards(item: Item) -> dict[str, ForwardSetting]:
    """Forwards by name.

    Raises:
        WrongError: names the forward and its key.
    """
    if not isinstance(item.value, dict):
        raise WrongError(item, f"expected a mapping of names, found {shown(item.value)}")
    found: dict[str, ForwardSetting] = {}
    for key, value in item.value.items():
        name = str(key.value)
        if not _NAME.fullmatch(name):
            raise WrongError(key, "a name is made of letters, digits, dots, _ and -", name)
        if name in found:
            raise WrongError(key, "stands twice", name)
        found[name] = _forward(name, value)
    return found


def _forward(name: str, item: Item) -> ForwardSetting:
    if not isinstance(item.value, dict):
        raise WrongError(item, f"expected keys such as workload and port, found {shown(item.value)}", name)
    values: dict[str, Any] = {}
    for key, value in item.value.items():
        word = str(key.value)
        place = f"{name}.{word}"
        if word not in _READERS:
            raise WrongError(key, f"no such key; {meant(word, _READERS)}", place)
        if word in values:
            raise WrongError(key, "stands twice", place)
        try:
            values[word] = _READERS[word](value)
        except WrongError as wrong:
            raise WrongError(wrong.item, str(wrong), place) from None
    if "workload" not in values:
        raise WrongError(item, "is missing", f"{name}.workload")
    if "pod" in values and "role" in values:
        raise WrongError(item, "pod and role exclude each other", name)
    return ForwardSetting(**values)


def _workload(item: Item) -> str:
    text = a_text(item)
    if ":" in text:
        raise WrongError(item, f"{text!r} has a port, which has a key of its own: port")
    parts = text.split("/")
    if not all(parts) or len(parts) > 3 or (len(parts) == 3 and parts[1] not in KINDS):
        raise WrongError(item, f"{text!r} is not NAME, NAMESPACE/NAME, pod/NAME or svc/NAME")
    return text


def _port(item: Item) -> int | str:
    value = item.value
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536:
        return value
    if isinstance(value, str) and _PORT_NAME.fullmatch(value) and not value.isdecimal():
        return value
    raise WrongError(item, f"expected a port (1 to 65535) or its name, found {shown(value)}")


def _pod(item: Item) -> str:
    if isinstance(item.value, int) and not isinstance(item.value, bool) and item.value >= 0:
        return str(item.value)
    return a_text(item)


def _local(item: Item) -> int | str:
    value = item.value
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 65536:
        return value
    if isinstance(value, str) and value.startswith("unix:") and value != "unix:":
        return value
    raise WrongError(item, f"expected a port (0 for any free one) or unix:PATH, found {shown(value)}")


_READERS: Mapping[str, Callable[[Item], Any]] = {
    "context": a_text,
    "workload": _workload,
    "port": _port,
    "role": a_text,
    "pod": _pod,
    "local": _local,
    "sticky": a_flag,
}
