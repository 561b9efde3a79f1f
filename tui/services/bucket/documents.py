"""S3's settings as JSON for people and as XML for servers: the same names, lists where there may be several."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

from tui.problem import Cause, Problem, ProblemError
from tui.services.bucket import xml

#: Elements of which there may be several: lists even when there is one.
_SEVERAL = {"Rule": "Rules", "Tag": "Tags"}
_ONE: dict[str, str] = {name: one for one, name in _SEVERAL.items()}


def to_json(document: bytes | str) -> str:
    """A document as JSON, indented."""
    root = xml.parse(document.encode() if isinstance(document, str) else document)
    return json.dumps(_value(root), indent=2, ensure_ascii=False)


def to_xml(text: str, root: str) -> str:
    """JSON as a document.

    Raises:
        ProblemError: it is no JSON object.
    """
    try:
        told = json.loads(text)
    except ValueError as error:
        raise ProblemError(Problem(Cause.CONFIG, f"It is no JSON: {error}", "", "Nothing was changed.")) from error
    if not isinstance(told, dict):
        raise ProblemError(Problem(Cause.CONFIG, "It is no JSON object", text[:80], "Nothing was changed."))
    element = ElementTree.Element(root, xmlns="http://s3.amazonaws.com/doc/2006-03-01/")
    _fill(element, told)
    return ElementTree.tostring(element, "unicode")


def _value(element: xml.Element) -> Any:  # noqa: ANN401 (whatever JSON holds)
    if not len(element):
        text = element.text or ""
        if text in ("true", "false"):
            return text == "true"
        # A rule may be called 007: what would not come back as it was stays a text.
        return int(text) if text.isdecimal() and str(int(text)) == text else text
    found: dict[str, Any] = {}
    for child in element:
        if child.tag in _SEVERAL:
            found.setdefault(_SEVERAL[child.tag], []).append(_value(child))
        else:
            found[child.tag] = _value(child)
    return found


def _fill(element: xml.Element, value: Any) -> None:  # noqa: ANN401 (whatever JSON holds)
    if isinstance(value, dict):
        for name, one in value.items():
            for item in one if isinstance(one, list) else [one]:
                _fill(ElementTree.SubElement(element, _ONE.get(name, str(name))), item)
    elif isinstance(value, bool):
        element.text = "true" if value else "false"
    elif value is not None:
        element.text = str(value)
