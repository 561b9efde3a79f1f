"""The chapter's scene: four stateful systems in namespace `stateful`, applied once to a new sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from tui.sandbox.model import ApiError, Json
from tui.sandbox.registry import Registry

#: Where the scene plays.
NAMESPACE = "stateful"
_MARK = ("configmaps", "kube-system", "statetui-scene")


def plant(registry: Registry) -> None:
    """Makes the scene's objects, unless it was made here before: what people deleted since stays deleted.

    Raises:
        ApiError: the disk takes no more.
    """
    if registry.get(*_MARK) is not None:
        return
    for manifest in manifests():
        kind = registry.kinds.of_kind(manifest["apiVersion"], manifest["kind"])
        if kind is None:
            raise LookupError(f"the sandbox has no {manifest['kind']}")
        try:
            registry.create(kind.key, manifest, manager="statetui-demo")
        except ApiError as problem:
            # A first start that was killed half way.
            if problem.reason != "AlreadyExists":
                raise
    registry.create(_MARK[0], {"metadata": {"namespace": _MARK[1], "name": _MARK[2]}})


def manifests() -> Iterator[Json]:
    """What the scene is made of, in the order in which it is applied."""
    for file in sorted((Path(__file__).parent / "manifests").glob("*.yaml")):
        yield from yaml.safe_load_all(file.read_text("utf-8"))


def secret(name: str, key: str) -> str:
    """What a Secret of the scene holds."""
    held = (one for one in manifests() if one["kind"] == "Secret" and one["metadata"]["name"] == name)
    return str(next(held)["stringData"][key])
