"""Whatever is sent, it is answered: made, or refused with a Status of 4xx, never a 500."""

from __future__ import annotations

import copy
import os
import random
from typing import Any

import pytest
from api_client import Api, Sandbox

import manifests

#: How often 600 mutations are tried; more when STATETUI_FUZZ says so.
SEEDS = int(os.environ.get("STATETUI_FUZZ", "4"))

_VALUES: list[Any] = [
    *(None, True, 0, -1, 1.5, 2**31, 2**63, 2**70, 1e300, "", "x", "../../etc", "A_B", "é" * 300, "\u0000", "$patch"),
    *([], {}, [None], [[]], [{}], {"a": None}, {"": ""}, "9" * 400, "-5Gi", {"$patch": "delete"}),
]


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += _places(inner, (*path, key))
    return found


def _mutate(rng: random.Random, obj: Any) -> Any:
    made = copy.deepcopy(obj)
    for _ in range(rng.randint(1, 3)):
        places = _places(made)
        if not places:
            break
        *path, last = rng.choice(places)
        at = made
        for step in path:
            at = at[step]
        match rng.randrange(5):
            case 0:
                del at[last]
            case 1 if isinstance(at, dict):
                at[rng.choice(["foo", "", "status", "spec", "$setElementOrder/env", "name"])] = rng.choice(_VALUES)
            case 2:
                donor = rng.choice(list(manifests.ALL.values()))
                at[last] = copy.deepcopy(rng.choice([donor["metadata"], donor.get("spec", {}), donor]))
            case 3 if isinstance(at, list):
                at.append(copy.deepcopy(at[last]))
            case _:
                at[last] = copy.deepcopy(rng.choice(_VALUES))
    return made


_MEDIA = [
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    "application/json-patch+json",
]


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_mutations_are_answered(sandbox: Sandbox, api: Api, seed: int) -> None:
    rng = random.Random(seed)
    counts: dict[int, int] = {}
    for number in range(600):
        kind = rng.choice(list(manifests.PATHS))
        path, body = manifests.PATHS[kind], _mutate(rng, manifests.ALL[kind])
        name = manifests.ALL[kind]["metadata"]["name"]
        match rng.randrange(4):
            case 0 | 1:
                status, told = await api("POST", path, body)
            case 2:
                status, told = await api("PUT", f"{path}/{name}", body)
            case _:
                media = rng.choice(_MEDIA)
                if media.endswith("json-patch+json"):
                    places = ["/" + "/".join(map(str, place)) for place in _places(body)] or [""]
                    operation = rng.choice(["add", "remove", "replace", "test", "move", "x"])
                    where = {"path": rng.choice(places), "from": rng.choice(places)}
                    body = [{"op": operation, **where, "value": rng.choice(_VALUES)}]
                query = "?fieldManager=fuzz&force=true" if "apply" in media else ""
                status, told = await api("PATCH", f"{path}/{name}{query}", body, media=media)
        counts[status] = counts.get(status, 0) + 1
        assert status < 500, (seed, number, kind, told, body)
        if status >= 400:
            assert told["kind"] == "Status" and told["message"], (seed, number, told)
        if number % 100 == 99:
            for where in manifests.PATHS.values():
                table = "application/json;as=Table;v=v1;g=meta.k8s.io"
                status, told = await api("GET", where, Accept=table)
                assert status == 200, (where, told)
                status, told = await api("DELETE", where)
                assert status == 200, (where, told)
    assert counts.get(201, 0) > 20 and sum(count for status, count in counts.items() if status >= 400) > 100


async def test_bodies_that_are_no_objects(api: Api) -> None:
    path = manifests.PATHS["ConfigMap"]
    deep = b'{"a":' * 5000 + b"1" + b"}" * 5000
    laughs = b"a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n"
    for body in (b"", b"null", b"1", b'"x"', b"\xff", deep, b"\xef\xbb\xbf{}", b'{"metadata":{"name":"\\ud800"}}'):
        status, told = await api("POST", path, body)
        assert 400 <= status < 500, (body[:20], told)
    for body in (laughs, b"a: !!python/object:os.x {}", b"\t", b"- 1", deep, b"a: 2026-01-01"):
        status, told = await api("PATCH", f"{path}/x?fieldManager=m", body, media="application/apply-patch+yaml")
        assert status < 500, (body[:20], told)
