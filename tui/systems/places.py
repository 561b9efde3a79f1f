"""Fills the places in the names that a packaging's rules give to objects and keys."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_PLACE = re.compile(r"{([^{}]*)}")


@dataclass(frozen=True, slots=True)
class Places:
    """What is known of a workload.

    Attributes:
        name: the workload's name, which is that of the operator's object where there is one.
        namespace: its namespace.
        set: the controller of the member that is meant.
        user: the user that is asked for; empty for none.
        labels: of the member's pod.
        spec: of the operator's object.
    """

    name: str
    namespace: str
    set: str = ""
    user: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)

    def fill(self, text: str) -> str | None:
        """The text with its places filled; None when one of them is not known."""
        known = True

        def value(found: re.Match[str]) -> str:
            nonlocal known
            said = self._value(found[1])
            known = known and bool(said)
            return said

        filled = _PLACE.sub(value, text)
        return filled if known else None

    def all(self, texts: Iterable[str]) -> list[str]:
        """Those of them that can be filled, as the names of objects: without `_`, which no name may have.

        Zalando's operator and Crunchy's write a dash for it, too.
        """
        return list(dict.fromkeys(one.replace("_", "-") for text in texts if (one := self.fill(text)) is not None))

    def _value(self, place: str) -> str:
        if place.startswith("label "):
            return self.labels.get(place[6:], "")
        if place.startswith("spec."):
            return _inside(self.spec, place.split(".")[1:])
        return {"name": self.name, "namespace": self.namespace, "set": self.set, "user": self.user}[place]


def _inside(value: Any, path: Sequence[str]) -> str:  # noqa: ANN401 (somebody else's object)
    for step in path:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return ""
    return value if isinstance(value, str) else ""
