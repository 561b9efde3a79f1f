"""Logs and figures. The refusals were seen on Kubernetes 1.36.3, word for word."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import pytest
from streams_server import StreamsServer

from tui.sandbox import selectors
from tui.sandbox.model import ApiError

PODS = "api/v1/namespaces/ns/pods/"


async def status(client: aiohttp.ClientSession, path: str) -> tuple[int, str, str]:
    async with client.get(path) as answer:
        assert answer.headers["Content-Type"] == "application/json"
        body = await answer.json()
        assert body["kind"] == "Status" and body["status"] == "Failure" and body["code"] == answer.status
        return answer.status, body["reason"], body["message"]


INVALID = 'PodLogOptions "one" is invalid: '
NUMBER = "strconv.ParseInt: parsing "
TIME = 'parsing time "zzz" as "2006-01-02T15:04:05Z07:00": cannot parse "zzz" as "2006"'
BOTH = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        ("two/log", 400, "a container name must be specified for pod two, choose one of: [a b]"),
        ("three/log", 400, "a container name must be specified for pod three, choose one of: [i j a b]"),
        ("two/log?container=zz", 400, "container zz is not valid for pod two"),
        ("waiting/log", 400, 'container "w" in pod "waiting" is waiting to start: ErrImageNeverPull'),
        ("done/log?previous=true", 400, 'previous terminated container "d" in pod "done" not found'),
        ("one/log?previous=true", 400, 'previous terminated container "a" in pod "one" not found'),
        ("nope/log", 404, 'pods "nope" not found'),
        ("one/log?tailLines=x", 400, NUMBER + '"x": invalid syntax'),
        ("one/log?tailLines=99999999999999999999", 400, NUMBER + '"99999999999999999999": value out of range'),
        ("one/log?sinceTime=zzz", 400, TIME),
        ("one/log?tailLines=-1", 422, INVALID + "tailLines: Invalid value: -1: must be greater than or equal to 0"),
        ("one/log?sinceSeconds=0", 422, INVALID + "sinceSeconds: Invalid value: 0: must be greater than 0"),
        ("one/log?limitBytes=0", 422, INVALID + "limitBytes: Invalid value: 0: must be greater than 0"),
        ("one/log?sinceSeconds=5&sinceTime=2026-01-01T00:00:00Z", 422, f"{INVALID}[]: {BOTH}"),
        ("one/log?stream=Stdout", 422, INVALID + "stream: Forbidden: may not be specified"),
    ],
)
async def test_refusals(client: aiohttp.ClientSession, path: str, code: int, message: str) -> None:
    found = await status(client, PODS + path)
    assert found == (code, {400: "BadRequest", 404: "NotFound", 422: "Invalid"}[code], message)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"waiting": {"reason": "ImagePullBackOff"}}, "waiting to start: trying and failing to pull image"),
        ({"waiting": {"reason": "ErrImagePull"}}, "waiting to start: image can't be pulled"),
        ({}, "waiting to start - no logs yet"),
    ],
)
async def test_why_there_is_no_log_yet(
    server: StreamsServer, client: aiohttp.ClientSession, state: dict, words: str
) -> None:
    server.objects.pods["waiting"]["status"]["containerStatuses"][0]["state"] = state
    assert (await status(client, f"{PODS}waiting/log"))[2] == f'container "w" in pod "waiting" is {words}'


async def test_a_container_in_back_off_has_the_log_of_its_last_run(
    server: StreamsServer, client: aiohttp.ClientSession
) -> None:
    found = server.objects.pods["waiting"]["status"]["containerStatuses"][0]
    found.update(state={"waiting": {"reason": "CrashLoopBackOff"}}, lastState={"terminated": {"exitCode": 1}})
    for query in ("", "?previous=true"):
        async with client.get(f"{PODS}waiting/log{query}") as answer:
            assert (answer.status, await answer.text()) == (200, "one\ntwo\nthree\n")


async def test_a_pod_without_a_node_answers_nothing(client: aiohttp.ClientSession) -> None:
    async with client.get(f"{PODS}nowhere/log") as answer:
        assert (answer.status, await answer.read()) == (204, b"")


async def test_parameters_reach_the_kubelet(server: StreamsServer, client: aiohttp.ClientSession) -> None:
    query = "container=b&tailLines=2&timestamps=true&sinceTime=2026-01-01T00:00:00.25%2B02:00&previous=0&limitBytes=6"
    async with client.get(f"{PODS}two/log?{query}") as answer:
        assert answer.headers["Content-Type"] == "text/plain"
        assert await answer.text() == "two\nth"
    ((container, wanted),) = server.pods.wanted
    assert container == "b" and wanted.tail == 2 and wanted.timestamps and not wanted.previous and not wanted.follow
    assert wanted.since == 1767218400.25  # 2025-12-31T22:00:00.25Z
    async with client.get(f"{PODS}one/log?sinceSeconds=60&follow=false") as answer:
        await answer.read()
    since = server.pods.wanted[-1][1].since
    assert since is not None and 59 < time.time() - since < 90


async def test_a_log_is_followed_until_it_ends(server: StreamsServer, client: aiohttp.ClientSession) -> None:
    async with client.get(f"{PODS}one/log?follow=true&tailLines=1") as answer:
        assert await answer.content.readline() == b"three\n"
        server.pods.lines.append(b"four\n")
        server.pods.grown.set()
        assert await answer.content.readline() == b"four\n"
        server.pods.lines.append(None)
        server.pods.grown.set()
        assert await answer.content.read() == b""


async def test_an_empty_log_is_answered_at_once_and_left_when_nobody_follows_it(
    server: StreamsServer, client: aiohttp.ClientSession
) -> None:
    answer = await asyncio.wait_for(client.get(f"{PODS}one/log?follow=true&tailLines=0"), 60)
    assert answer.status == 200 and server.pods.following == 1
    answer.close()
    async with asyncio.timeout(60):
        while server.pods.following:
            await asyncio.sleep(0.05)


async def test_the_kubelets_own_refusal_is_a_status(
    server: StreamsServer, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> object:
        raise ApiError(500, "InternalError", "the log is gone")
        yield b""

    monkeypatch.setattr(server.pods, "logs", refuse)
    assert await status(client, f"{PODS}one/log") == (500, "InternalError", "the log is gone")


async def test_figures(client: aiohttp.ClientSession) -> None:
    async with client.get("api/v1/nodes/node-1/proxy/stats/summary") as answer:
        assert (await answer.json())["node"]["nodeName"] == "node-1"
    assert (await status(client, "api/v1/nodes/zz/proxy/stats/summary"))[2] == 'nodes "zz" not found'
    base = "apis/metrics.k8s.io/v1beta1/"
    for path, names in (
        ("pods", ["one", "two"]),
        ("namespaces/ns/pods", ["one", "two"]),
        ("namespaces/other/pods", []),
        ("pods?labelSelector=app%3Dtwo", ["two"]),
        ("nodes", ["node-1"]),
        ("nodes?labelSelector=zone!%3Dx", []),
    ):
        async with client.get(base + path) as answer:
            body = await answer.json()
            assert body["kind"] == ("NodeMetricsList" if "nodes" in path else "PodMetricsList")
            assert [one["metadata"]["name"] for one in body["items"]] == names, path
    async with client.get(f"{base}nodes/node-1") as answer:
        assert (await answer.json())["usage"] == {"cpu": "1500n", "memory": "4Ki"}
    assert (await status(client, f"{base}namespaces/ns/pods/zz"))[2] == 'pods.metrics.k8s.io "zz" not found'


def test_selectors() -> None:
    labels = {"app": "web", "k8s.io/tier": "db"}

    def matches(text: str) -> bool:
        meant = selectors.labels(text)
        return meant is None or meant(labels)

    for selector in ("", "app", "app=web", "app==web,k8s.io/tier=db", "app in (a, web)", "!old", "x!=1", "x notin (a)"):
        assert matches(selector), selector
    for selector in ("old", "app=x", "app=web,old", "app notin (web)", "!app", "app!=web", "x in (a,b)"):
        assert not matches(selector), selector
    for selector in ("=", "a=b=c", "a in", "a b", "(", ",,"):
        with pytest.raises(ApiError):
            matches(selector)
