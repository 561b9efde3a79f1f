"""Jobs: pods that end, until enough of them have succeeded."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any, ClassVar

from tui.sandbox.controllers.engine import Clock, Key, owners
from tui.sandbox.controllers.jobpods import (
    index_of,
    is_tracked,
    job_of,
    job_pod,
    read_indexes,
    untrack,
    untrack_all,
    write_indexes,
)
from tui.sandbox.controllers.meta import (
    is_deleted,
    is_true,
    name_of,
    namespace_of,
    seconds_of,
    timestamp,
)
from tui.sandbox.controllers.pods import (
    BURST,
    claim,
    delete_pod,
    is_finished,
    is_ready,
    phase_of,
    selects_own,
    set_status,
    wanted,
)
from tui.sandbox.model import ApiError, Change, Json, Objects

JOBS = "jobs.batch"
_SOURCE = "job-controller"
#: Seconds before a failed pod is replaced; doubled with each failure.
_BACKOFF, _BACKOFF_MOST = 10.0, 600.0
_SUCCESS = ("CompletionsReached", "Reached expected number of succeeded pods")
_LIMIT = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
#: Reason of the condition and of the event, and what both say.
_SUSPENDED, _RESUMED = ("JobSuspended", "Suspended", "Job suspended"), ("JobResumed", "Resumed", "Job resumed")
_DEADLINE = ("DeadlineExceeded", "Job was active longer than specified deadline")


def _ended(job: Json) -> bool:
    return is_true(job, "Complete") or is_true(job, "Failed")


def _condition(kind: str, why: tuple[str, str], now: str) -> Json:
    condition = {"type": kind, "status": "True", "reason": why[0], "message": why[1]}
    return {**condition, "lastProbeTime": now, "lastTransitionTime": now}


class Jobs:
    """Looks after Jobs. Failure policies, limits for each index and success policies are not heeded."""

    resources: ClassVar[tuple[str, ...]] = (JOBS, "pods")

    def __init__(self, objects: Objects, clock: Clock) -> None:
        self._objects, self._clock = objects, clock
        #: Pods that are counted but could not be let go yet.
        self._counted: set[str] = set()

    def concerned(self, change: Change) -> Iterable[Key]:
        """The Job itself, or a pod's."""
        if change.resource == JOBS:
            yield namespace_of(change.object), name_of(change.object)
            return
        yield from owners(change, "Job")
        if name := job_of(change.object):
            yield namespace_of(change.object), name

    def reconcile(self, key: Key) -> float | None:
        """Starts what has to run, ends what has not, and writes the status."""
        job = self._objects.get(JOBS, *key)
        if job is None or is_deleted(job):
            untrack_all(self._objects, *key)
            return None
        if _ended(job):
            untrack_all(self._objects, *key)
            return self._expire(job)
        if not job["spec"].get("selector"):
            job = self._complete_spec(job)
        if not selects_own(job):
            return None
        pods = claim(self._objects, "pods", job, job["spec"]["selector"])
        return self._work(job, pods)

    def _complete_spec(self, job: Json) -> Json:
        """Gives a Job the selector and labels that no other has; the API server of Kubernetes does it at creation."""
        uid, spec = str(job["metadata"]["uid"]), dict(job["spec"])
        labels = {"controller-uid": uid, "job-name": name_of(job)}
        labels |= {f"batch.kubernetes.io/{key}": text for key, text in labels.items()}
        template = dict(spec.get("template") or {})
        metadata = dict(template.get("metadata") or {})
        metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
        spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
        spec["template"] = {**template, "metadata": metadata}
        described = {**job["metadata"], "labels": job["metadata"].get("labels") or metadata["labels"]}
        return self._objects.update(JOBS, {**job, "metadata": described, "spec": spec})

    def _work(self, job: Json, pods: list[Json]) -> float | None:
        spec, now = job["spec"], self._clock.wall()
        active = [pod for pod in pods if not is_finished(pod) and not is_deleted(pod)]
        failed = [pod for pod in pods if phase_of(pod) == "Failed"]
        status: dict[str, Any] = dict(job.get("status") or {})
        fresh = self._count(job, status, pods)
        succeeded, failures = int(status.get("succeeded") or 0), int(status.get("failed") or 0)
        suspended = bool(spec.get("suspend"))
        self._suspend(job, status, suspended=suspended)
        deadline = spec.get("activeDeadlineSeconds")
        left = None if deadline is None or suspended else seconds_of(status["startTime"]) + deadline - now
        limit = spec.get("backoffLimit")
        restarts = sum(_restarts(pod) for pod in active)
        wait = left
        completions = spec.get("completions")
        done = succeeded >= completions if completions is not None else succeeded > 0 and not active
        if failures + restarts > (6 if limit is None else limit):
            self._fail(job, status, active, _LIMIT)
        elif left is not None and left <= 0:
            self._fail(job, status, active, _DEADLINE)
        elif done and not suspended:
            self._succeed(job, status, active)
        else:
            wait = self._adjust(job, active, status, failed, left)
        ended = any(condition.get("type") in {"Complete", "Failed"} for condition in status.get("conditions") or ())
        # What was just made or ended is told of when its change comes by; the pods of an ended Job are on their way.
        status |= {
            "active": (0 if ended else len(active)) or None,
            "succeeded": succeeded or None,
            "failed": failures + (len(active) if ended and not done else 0) or None,
            "ready": 0 if ended else sum(is_ready(pod) for pod in active),
            "terminating": 0 if ended else sum(is_deleted(pod) and not is_finished(pod) for pod in pods),
            "uncountedTerminatedPods": {},
        }
        set_status(self._objects, JOBS, job, status)
        for pod in fresh:
            self._counted.add(pod["metadata"]["uid"])
            untrack(self._objects, pod)
            self._counted.discard(pod["metadata"]["uid"])
        return wait

    def _count(self, job: Json, status: dict[str, Any], pods: list[Json]) -> list[Json]:
        """Counts the pods that have ended since the last time; which these are."""
        # One that goes before it had a node will never end by itself.
        over = [pod for pod in pods if is_finished(pod) or (is_deleted(pod) and not pod["spec"].get("nodeName"))]
        fresh = [pod for pod in over if is_tracked(pod) and pod["metadata"]["uid"] not in self._counted]
        good = [pod for pod in fresh if phase_of(pod) == "Succeeded"]
        status["failed"] = int(status.get("failed") or 0) + len(fresh) - len(good)
        status["succeeded"] = int(status.get("succeeded") or 0) + len(good)
        if job["spec"].get("completionMode") == "Indexed":
            done = read_indexes(status.get("completedIndexes") or "") | {index_of(pod) for pod in good}
            indexes = {index for index in done if index is not None and index < int(job["spec"]["completions"])}
            status["completedIndexes"], status["succeeded"] = write_indexes(indexes) or None, len(indexes)
        return fresh

    def _suspend(self, job: Json, status: dict[str, Any], *, suspended: bool) -> None:
        """Says whether a Job is suspended; its time begins when it is not."""
        was, stamp = is_true(job, "Suspended"), timestamp(self._clock.wall())
        if suspended:
            status.pop("startTime", None)
        else:
            status.setdefault("startTime", stamp)
        if suspended == was:
            return
        reason, event, message = _SUSPENDED if suspended else _RESUMED
        truth = "True" if suspended else "False"
        condition = {**_condition("Suspended", (reason, message), stamp), "status": truth}
        others = [one for one in status.get("conditions") or () if one.get("type") != "Suspended"]
        status["conditions"] = [*others, condition]
        self._objects.event(job, event, message, source=_SOURCE)

    def _adjust(
        self, job: Json, active: list[Json], status: dict[str, Any], failed: list[Json], left: float | None
    ) -> float | None:
        spec: Json = job["spec"]
        succeeded = int(status.get("succeeded") or 0)
        want = 0 if spec.get("suspend") else wanted(spec.get("parallelism"))
        if spec.get("completions") is not None:
            want = min(want, spec["completions"] - succeeded)
        elif succeeded:
            want = min(want, len(active))
        for pod in active[max(0, want) :]:
            self._end(job, pod)
        if want <= len(active):
            return left
        if failed:
            last = max(_finished_at(pod) for pod in failed)
            pause = min(_BACKOFF * 2 ** min(len(failed) - 1, 10), _BACKOFF_MOST)
            due = float(last + pause - self._clock.wall())
            if due > 0:
                return due if left is None else min(due, left)
        for index in _missing(job, active, status, min(BURST, want - len(active))):
            try:
                pod = self._objects.create("pods", job_pod(job, index))
            except ApiError as error:
                note = f"Error creating: {error}"
                self._objects.event(job, "FailedCreate", note, kind="Warning", source=_SOURCE)
                raise
            self._objects.event(job, "SuccessfulCreate", f"Created pod: {name_of(pod)}", source=_SOURCE)
        return left

    def _end(self, job: Json, pod: Json) -> None:
        if is_tracked(pod):
            # What the Job itself ends is no failure of its.
            untrack(self._objects, pod)
        if delete_pod(self._objects, pod):
            self._objects.event(job, "SuccessfulDelete", f"Deleted pod: {name_of(pod)}", source=_SOURCE)

    def _succeed(self, job: Json, status: Json, active: list[Json]) -> None:
        for pod in active:
            self._end(job, pod)
        stamp = timestamp(self._clock.wall())
        status["completionTime"] = stamp
        ends = [_condition(kind, _SUCCESS, stamp) for kind in ("SuccessCriteriaMet", "Complete")]
        status["conditions"] = [*(status.get("conditions") or ()), *ends]
        self._objects.event(job, "Completed", "Job completed", source=_SOURCE)

    def _fail(self, job: Json, status: Json, active: list[Json], why: tuple[str, str]) -> None:
        for pod in active:
            self._end(job, pod)
        stamp = timestamp(self._clock.wall())
        ends = [_condition(kind, why, stamp) for kind in ("FailureTarget", "Failed")]
        status["conditions"] = [*(status.get("conditions") or ()), *ends]
        self._objects.event(job, why[0], why[1], kind="Warning", source=_SOURCE)

    def _expire(self, job: Json) -> float | None:
        """Deletes a Job that has ended when its time has come."""
        seconds = job["spec"].get("ttlSecondsAfterFinished")
        if seconds is None:
            return None
        ends = [
            seconds_of(condition.get("lastTransitionTime"))
            for condition in job["status"]["conditions"]
            if condition.get("type") in {"Complete", "Failed"}
        ]
        left = max(ends) + seconds - self._clock.wall()
        if left <= 0:
            uid = job["metadata"]["uid"]
            self._objects.delete(JOBS, namespace_of(job), name_of(job), uid=uid)
            return None
        return float(left)


def _missing(job: Json, active: list[Json], status: Json, count: int) -> list[int | None]:
    """The indexes of the next pods to make; None for those that need none."""
    if job["spec"].get("completionMode") != "Indexed":
        return [None] * count
    taken = read_indexes(status.get("completedIndexes") or "") | {index_of(pod) for pod in active}
    free = (index for index in range(int(job["spec"]["completions"])) if index not in taken)
    return list(itertools.islice(free, count))


def _restarts(pod: Json) -> int:
    """How often the containers of a pod were started again: with `OnFailure` these are the failures."""
    if (pod.get("spec") or {}).get("restartPolicy") != "OnFailure":
        return 0
    return sum(int(one.get("restartCount") or 0) for one in (pod.get("status") or {}).get("containerStatuses") or ())


def _finished_at(pod: Json) -> float:
    ends = [
        seconds_of(((one.get("state") or {}).get("terminated") or {}).get("finishedAt"))
        for one in (pod.get("status") or {}).get("containerStatuses") or ()
    ]
    return max([*ends, seconds_of(pod["metadata"].get("creationTimestamp"))])
