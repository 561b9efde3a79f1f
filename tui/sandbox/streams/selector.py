"""Label selectors as they stand in a query: `app=x,tier!=y,env in (a,b),!old`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from tui.sandbox.model import ApiError

_PART: Final = re.compile(
    r"\s*(?:"
    r"!\s*(?P<absent>[\w./-]+)"
    r"|(?P<key>[\w./-]+)\s*(?:(?P<sign>==|=|!=)\s*(?P<value>[\w.-]*)"
    r"|\s(?P<word>in|notin)\s*\((?P<set>[\w.,\s-]*)\))?"
    r")\s*(?:,|$)"
)


def matches(selector: str, labels: Mapping[str, str]) -> bool:
    """Whether labels fit a selector; all do when it is empty.

    Raises:
        ApiError: it cannot be read.
    """
    at, fit = 0, True
    while at < len(selector):
        part = _PART.match(selector, at)
        if part is None or part.end() == at:
            raise ApiError(400, "BadRequest", f"unable to parse requirement: {selector!r}")
        at = part.end()
        fit = fit and _fits(part, labels)
    return fit


def _fits(part: re.Match[str], labels: Mapping[str, str]) -> bool:
    if part["absent"]:
        return part["absent"] not in labels
    has = labels.get(part["key"])
    if part["sign"]:
        return (has == part["value"]) is (part["sign"] != "!=")
    if part["word"]:
        return (has in [one.strip() for one in part["set"].split(",")]) is (part["word"] == "in")
    return has is not None
