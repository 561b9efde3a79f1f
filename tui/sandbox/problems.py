"""The refusals of the API, worded as the real server words them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from tui.sandbox.kinds import Kind
from tui.sandbox.model import ApiError, Json


def _details(kind: Kind, name: str, told: str) -> Json:
    return {**({"name": name} if name else {}), **({"group": kind.group} if kind.group else {}), "kind": told}


def not_found(kind: Kind, name: str) -> ApiError:
    """There is no such object."""
    return ApiError(404, "NotFound", f'{kind.qualified} "{name}" not found', _details(kind, name, kind.plural))


def exists(kind: Kind, name: str) -> ApiError:
    """There is such an object already."""
    return ApiError(
        409, "AlreadyExists", f'{kind.qualified} "{name}" already exists', _details(kind, name, kind.plural)
    )


def conflict(kind: Kind, name: str, why: str = "") -> ApiError:
    """The object is not what the client thought."""
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {kind.qualified} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(kind, name, kind.plural))


def forbidden(kind: Kind, name: str, why: str) -> ApiError:
    """The object may not be what it would be, or be where it would be."""
    message = f'{kind.qualified} "{name}" is forbidden: {why}'
    return ApiError(403, "Forbidden", message, _details(kind, name, kind.plural))


def bad(message: str) -> ApiError:
    """The request makes no sense."""
    return ApiError(400, "BadRequest", message)


def expired(message: str) -> ApiError:
    """What was asked for is too long ago."""
    return ApiError(410, "Expired", message)


#: What the server says when it has no such path or subresource.
def no_resource() -> ApiError:
    """There is no such resource."""
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def no_method() -> ApiError:
    """The resource cannot be treated so."""
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


@dataclass(slots=True)
class Causes:
    """What is wrong with an object, gathered."""

    found: list[Json] = field(default_factory=list)

    def _add(self, reason: str, path: str, message: str) -> None:
        self.found.append({"reason": reason, "message": message, "field": path})

    def required(self, path: str, why: str = "") -> None:
        """A field is missing."""
        self._add("FieldValueRequired", path, f"Required value{f': {why}' if why else ''}")

    def invalid(self, path: str, value: object, why: str) -> None:
        """A field has an impossible value."""
        told = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        self._add("FieldValueInvalid", path, f"Invalid value: {told}: {why}")

    def unsupported(self, path: str, value: object, allowed: tuple[str, ...]) -> None:
        """A field has a value that is not of a list."""
        choices = ", ".join(f'"{choice}"' for choice in allowed)
        self._add(
            "FieldValueNotSupported", path, f"Unsupported value: {json.dumps(value)}: supported values: {choices}"
        )

    def duplicate(self, path: str, value: object) -> None:
        """A value stands there twice."""
        self._add("FieldValueDuplicate", path, f"Duplicate value: {json.dumps(value)}")

    def missing(self, path: str, value: object) -> None:
        """A value refers to nothing."""
        self._add("FieldValueNotFound", path, f"Not found: {json.dumps(value)}")

    def forbidden(self, path: str, why: str) -> None:
        """A field may not be set or changed."""
        self._add("FieldValueForbidden", path, f"Forbidden: {why}")

    def error(self, told: str, group: str, name: str) -> ApiError:
        """All of it as one refusal; `told` is the kind."""
        texts = [f"{cause['field']}: {cause['message']}" for cause in self.found]
        text = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
        details = {**({"name": name} if name else {}), **({"group": group} if group else {}), "kind": told}
        dotted = f"{told}.{group}" if group else told
        return ApiError(422, "Invalid", f'{dotted} "{name}" is invalid: {text}', {**details, "causes": self.found})

    def check(self, kind: Kind, name: str) -> None:
        """Raises what was gathered, if anything.

        Raises:
            ApiError: 422 Invalid.
        """
        if self.found:
            raise self.error(kind.name, kind.group, name)
