"""Which role a member has, from the rules of its packaging."""

from __future__ import annotations

from collections.abc import Mapping

from tui.systems.model import Role
from tui.systems.packaging import Packaging


def role_of(packaging: Packaging, labels: Mapping[str, str], place: int | None, desired: int) -> Role | None:
    """A member's role; None when nothing tells it.

    A label with a value that no rule names is shown as it stands, and is not taken for one that takes writes: an
    operator says `unhealthy` of a primary that it has just stopped.

    Args:
        packaging: whose rules to ask.
        labels: the pod's.
        place: its ordinal counted from the first of its set, None for bare pods.
        desired: members that the workload should have.
    """
    for rule in packaging.roles:
        if rule.label:
            value = labels.get(rule.label)
            if value:
                return rule.values.get(value) or Role(value.lower(), None, f"label {rule.label}")
        elif rule.first is not None:
            if place is not None:
                return rule.first if place == 0 else rule.rest
        elif rule.lone is not None:
            if desired == 1:
                return rule.lone
        elif rule.every is not None:
            return rule.every
    return None
