"""S3's documents, without their namespaces."""

from __future__ import annotations

import datetime as dt
from urllib.parse import unquote_plus
from xml.etree import ElementTree

from tui.problem import Cause, Problem
from tui.services.bucket.model import StoreError

Element = ElementTree.Element


def parse(data: bytes) -> Element:
    """A document. An error may come with status 200: long requests are begun so.

    Raises:
        StoreError: the server says that it failed, or says nothing that can be read.
    """
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 (expat refuses entity bombs since 2.4.1)
    except ElementTree.ParseError as error:
        words = data[:200].decode("utf-8", "replace")
        raise StoreError(
            "MalformedAnswer", words, 200, Problem(Cause.PROTOCOL, f"The store's answer is no XML: {error}", words)
        ) from error
    for one in root.iter():
        one.tag = one.tag.rpartition("}")[2]
    if root.tag == "Error":
        code, words = text(root, "Code"), text(root, "Message")
        raise StoreError(code, words, 200, Problem(Cause.SERVER, f"The store has given up: {code}", words))
    return root


def text(root: Element, name: str) -> str:
    """The text of a child, empty when there is none."""
    return root.findtext(name) or ""


def key(root: Element, name: str, *, encoded: bool) -> str:
    """A key; servers that encode them write blanks as `+`, too."""
    found = text(root, name)
    return unquote_plus(found, errors="surrogateescape") if encoded else found


def number(root: Element, name: str) -> int:
    """A number, 0 when there is none."""
    found = text(root, name)
    return int(found) if found.isdigit() else 0


def time(root: Element, name: str) -> dt.datetime | None:
    """A time, None when there is none that can be read."""
    try:
        found = text(root, name)
        return dt.datetime.fromisoformat(found) if found else None
    except ValueError:
        return None
