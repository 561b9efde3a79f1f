"""One object of a wrong shape, whichever: what is well beside it works all the same."""

from __future__ import annotations

import copy
import logging
import random
from collections.abc import Iterator
from typing import Any

import pytest
from fake_objects import World, stateful_set, template

from tui.sandbox.model import Json

JUNK = (None, "", -1, 40, [], {}, "x", [None], [1], {"a": 1}, True, 3.5, [{}], "9" * 30)
SELECTOR = {
    "matchLabels": {"app": "web"},
    "matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}],
}
SHAPE = template("web")
ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": "25%", "partition": 1}}
REQUIRED = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}]}
POD = {
    **SHAPE["spec"],
    "nodeSelector": {"a": "b"},
    "tolerations": [{"key": "a"}],
    "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "x"}}, {"name": "e", "ephemeral": {}}],
    "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": REQUIRED}},
}
VOLUME = {"accessModes": ["ReadWriteOnce"], "storageClassName": "now"}
BASES: dict[str, Json] = {
    "statefulsets.apps": {"spec": stateful_set(selector=SELECTOR, ordinals={"start": 1}, updateStrategy=ROLLING)},
    "deployments.apps": {"spec": {"replicas": 2, "selector": SELECTOR, "template": SHAPE, "strategy": ROLLING}},
    "replicasets.apps": {"spec": {"replicas": 2, "selector": SELECTOR, "template": SHAPE}},
    "daemonsets.apps": {"spec": {"selector": SELECTOR, "template": SHAPE}},
    "jobs.batch": {"spec": {"template": SHAPE, "completions": 1, "backoffLimit": 1, "activeDeadlineSeconds": 10}},
    "services": {"spec": {"selector": {"app": "web"}, "ports": [{"name": "a", "port": 80, "targetPort": "http"}]}},
    "pods": {"spec": POD},
    "persistentvolumeclaims": {"spec": {**VOLUME, "resources": {"requests": {"storage": "1Gi"}}}},
    "persistentvolumes": {"spec": {**VOLUME, "capacity": {"storage": "1Gi"}, "claimRef": {"name": "x"}}},
    "poddisruptionbudgets.policy": {"spec": {"maxUnavailable": 1, "minAvailable": "50%", "selector": SELECTOR}},
    "nodes": {"spec": {"taints": [{"key": "a", "effect": "x"}]}, "status": {"allocatable": {"pods": "9"}}},
}


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if at:
        yield at
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from places(inner, (*at, key))


def mutated(chance: random.Random, whole: Json) -> Json:
    whole = copy.deepcopy(whole)
    *way, last = chance.choice(list(places(whole)))
    place = whole
    for key in way:
        place = place[key]
    if chance.random() < 0.3:
        del place[last]
    else:
        place[last] = chance.choice(JUNK)
    return whole


@pytest.mark.parametrize("resource", BASES)
def test_one_broken_object_stops_nothing_else(resource: str) -> None:
    logging.disable(logging.CRITICAL)
    chance = random.Random(resource)
    try:
        for _ in range(20):
            world = World()
            world.objects.guard = False
            body = mutated(chance, BASES[resource])
            world.add(resource, "bad", labels={"app": "web"}, **body)
            world.add("statefulsets.apps", "ok", spec=stateful_set("ok", 2))
            selector = {"matchLabels": {"app": "okd"}}
            world.add(
                "deployments.apps", "okd", spec={"replicas": 1, "selector": selector, "template": template("okd")}
            )
            world.add("services", "ok", spec={"selector": {"app": "ok"}, "ports": [{"port": 80, "targetPort": "http"}]})
            guarded = {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "ok"}}}
            world.add("poddisruptionbudgets.policy", "ok", spec=guarded)
            world.settle(2)
            assert world.get("statefulsets.apps", "ok")["status"].get("readyReplicas") == 2, body
            assert world.get("deployments.apps", "okd")["status"].get("readyReplicas") == 1, body
            assert world.get("poddisruptionbudgets.policy", "ok")["status"]["disruptionsAllowed"] == 1, body
            slices = world.objects.list("endpointslices.discovery.k8s.io", "a", {"kubernetes.io/service-name": "ok"})
            assert [len(one["endpoints"]) for one in slices] == [2], body
    finally:
        logging.disable(logging.NOTSET)
