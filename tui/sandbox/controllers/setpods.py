"""The pods and claims of a StatefulSet: their names, how they are made, and when claims go with them."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator

from tui.sandbox.controllers.meta import is_deleted, name_of, namespace_of, reference_to
from tui.sandbox.controllers.pods import new_pod
from tui.sandbox.controllers.revisions import HASH
from tui.sandbox.model import ApiError, Json, Objects

CLAIMS = "persistentvolumeclaims"
_NAME = re.compile(r"(.+)-(0|[1-9][0-9]{0,9})")


def ordinal_of(set_name: str, pod_name: str) -> int | None:
    """A pod's ordinal in a set, None when its name is not one of the set's."""
    match = _NAME.fullmatch(pod_name)
    return int(match[2]) if match and match[1] == set_name else None


def claim_names(the_set: Json, pod_name: str) -> Iterator[tuple[Json, str]]:
    """The claim templates of a set, each with the name of a pod's claim from it."""
    for template in the_set["spec"].get("volumeClaimTemplates") or ():
        yield template, f"{name_of(template)}-{pod_name}"


def set_pod(the_set: Json, revision: Json, ordinal: int) -> Json:
    """The pod of a set at an ordinal, as a revision wants it."""
    name = f"{name_of(the_set)}-{ordinal}"
    template = {key: value for key, value in revision["data"]["spec"]["template"].items() if key != "$patch"}
    pod = new_pod(the_set, template, name=name)
    # The real controller sets it beside the name; programs find the set's name by it.
    pod["metadata"]["generateName"] = name_of(the_set) + "-"
    pod["metadata"]["labels"] |= {
        "apps.kubernetes.io/pod-index": str(ordinal),
        HASH: name_of(revision),
        "statefulset.kubernetes.io/pod-name": name,
    }
    spec = pod["spec"]
    spec["hostname"] = name
    if the_set["spec"].get("serviceName"):
        spec["subdomain"] = the_set["spec"]["serviceName"]
    claimed = {name_of(template): claim for template, claim in claim_names(the_set, name)}
    volumes = [{"name": volume, "persistentVolumeClaim": {"claimName": claim}} for volume, claim in claimed.items()] + [
        volume for volume in spec.get("volumes") or () if volume.get("name") not in claimed
    ]
    if volumes:
        spec["volumes"] = volumes
    return pod


def make_claims(objects: Objects, the_set: Json, pod_name: str) -> bool:
    """Creates the claims that a pod of the set lacks.

    Returns:
        False when one of them is on its way out, or will be collected because it belongs to a pod that is gone: the
        pod must wait for a new one.
    """
    namespace, fresh = namespace_of(the_set), True
    for template, name in claim_names(the_set, pod_name):
        there = objects.get(CLAIMS, namespace, name)
        if there is None:
            _create(objects, the_set, template, name, pod_name)
        elif is_deleted(there) or _lost_owner(objects, there):
            fresh = False
    return fresh


def _lost_owner(objects: Objects, claim: Json) -> bool:
    for reference in claim["metadata"].get("ownerReferences") or ():
        if reference.get("kind") == "Pod":
            pod = objects.get("pods", namespace_of(claim), reference["name"])
            if pod is None or pod["metadata"]["uid"] != reference.get("uid"):
                return True
    return False


def _create(objects: Objects, the_set: Json, template: Json, name: str, pod_name: str) -> None:
    metadata = template["metadata"]
    selected = (the_set["spec"].get("selector") or {}).get("matchLabels") or {}
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": name,
            "namespace": namespace_of(the_set),
            "labels": {**(metadata.get("labels") or {}), **selected},
            "annotations": dict(metadata.get("annotations") or {}),
            "ownerReferences": _references(the_set, None),
        },
        "spec": copy.deepcopy(template.get("spec") or {}),
    }
    what = f"Claim {name} Pod {pod_name} in StatefulSet {name_of(the_set)}"
    try:
        objects.create(CLAIMS, claim)
    except ApiError as error:
        note = f"create {what} failed error: {error}"
        objects.event(the_set, "FailedCreate", note, kind="Warning", source="statefulset-controller")
        raise
    objects.event(the_set, "SuccessfulCreate", f"Create {what} success", source="statefulset-controller")


def _references(the_set: Json, condemned: Json | None) -> list[Json]:
    """Who a claim belongs to: the set when it goes with it, the pod when that is scaled away and takes it along."""
    policy = the_set["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    if condemned is not None and policy.get("whenScaled") == "Delete":
        return [reference_to({**condemned, "apiVersion": "v1", "kind": "Pod"})]
    return [reference_to(the_set)] if policy.get("whenDeleted") == "Delete" else []


def retain_claims(objects: Objects, the_set: Json, pod: Json, *, condemned: bool) -> None:
    """Makes the owners of a pod's claims what the set's retention policy says; other owners are left alone."""
    wanted = _references(the_set, pod if condemned else None)
    ours = {the_set["metadata"]["uid"], pod["metadata"]["uid"]}
    for _, name in claim_names(the_set, name_of(pod)):
        claim = objects.get(CLAIMS, namespace_of(the_set), name)
        if claim is None or is_deleted(claim):
            continue
        old = claim["metadata"].get("ownerReferences") or []
        new = [reference for reference in old if reference.get("uid") not in ours]
        # Somebody else's claim stays his: an object has one controller.
        new += [] if any(reference.get("controller") for reference in new) else wanted
        if new != old:
            changed = copy.deepcopy(claim)
            changed["metadata"]["ownerReferences"] = new
            objects.update(CLAIMS, changed)
