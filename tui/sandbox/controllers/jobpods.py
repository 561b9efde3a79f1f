"""The pods of a Job: how each is counted once, and which index it has when the Job wants one of each.

A pod keeps a finalizer until it has been counted, so that one that is deleted after its work is not run again.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

from tui.sandbox.controllers.meta import annotations_of, is_deleted, labels_of, name_of, namespace_of
from tui.sandbox.controllers.pods import new_pod
from tui.sandbox.model import ApiError, Json, Objects

TRACKING = "batch.kubernetes.io/job-tracking"
_INDEX = "batch.kubernetes.io/job-completion-index"
_JOB = "batch.kubernetes.io/job-name"


def job_pod(job: Json, index: int | None) -> Json:
    """A pod for a Job, with an index where the Job is an indexed one."""
    pod = new_pod(job, job["spec"].get("template") or {})
    metadata = pod["metadata"]
    metadata["finalizers"] = [*metadata["finalizers"], TRACKING]
    if index is None:
        return pod
    metadata["generateName"] = f"{name_of(job)}-{index}-"
    metadata["labels"][_INDEX] = metadata["annotations"][_INDEX] = str(index)
    pod["spec"]["hostname"] = f"{name_of(job)}-{index}"
    reference = {"fieldRef": {"fieldPath": f"metadata.labels['{_INDEX}']"}}
    for container in [*(pod["spec"].get("initContainers") or ()), *(pod["spec"].get("containers") or ())]:
        given = [one for one in container.get("env") or () if one.get("name") != "JOB_COMPLETION_INDEX"]
        container["env"] = [*given, {"name": "JOB_COMPLETION_INDEX", "valueFrom": copy.deepcopy(reference)}]
    return pod


def index_of(pod: Json) -> int | None:
    """A pod's index, None when it has none."""
    text = annotations_of(pod).get(_INDEX, "")
    return int(text) if text.isascii() and text.isdecimal() else None


def is_tracked(pod: Json) -> bool:
    """Whether a pod has still to be counted."""
    return TRACKING in (pod["metadata"].get("finalizers") or ())


def untrack(objects: Objects, pod: Json) -> None:
    """Lets a pod go that has been counted, or that does not count."""
    kept = [name for name in pod["metadata"].get("finalizers") or () if name != TRACKING]
    patch = {"metadata": {"finalizers": kept or None}}
    try:
        objects.patch("pods", namespace_of(pod), name_of(pod), patch)
    except ApiError as error:
        if error.reason != "NotFound":
            raise


def untrack_all(objects: Objects, namespace: str, job: str) -> None:
    """Lets the pods of a Job go that is gone."""
    for pod in objects.select("pods", namespace, lambda labels, _: labels.get(_JOB) == job):
        if is_tracked(pod) and is_deleted(pod):
            untrack(objects, pod)


def job_of(pod: Json) -> str:
    """The name of a pod's Job, also when nobody owns the pod any more; empty without one."""
    return labels_of(pod).get(_JOB, "") if is_tracked(pod) else ""


def read_indexes(text: str) -> set[int]:
    """The indexes that a status tells: `0,2-4`."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        if first.isdecimal() and (last or first).isdecimal():
            found.update(range(int(first), int(last or first) + 1))
    return found


def write_indexes(indexes: Iterable[int]) -> str:
    """Indexes as a status tells them; three and more in a row become a range."""
    rows: list[list[int]] = []
    for index in sorted(indexes):
        if rows and rows[-1][-1] == index - 1:
            rows[-1].append(index)
        else:
            rows.append([index])
    return ",".join(f"{row[0]}-{row[-1]}" if len(row) > 2 else ",".join(map(str, row)) for row in rows)
