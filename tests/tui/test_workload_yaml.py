"""The YAML tab: what is fetched, masked and folded, how it is searched, and what stands there when it cannot be had."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from looking import screen_text, still
from workload_fakes import NOW, Host, host, mysql, pod_json, well

from tui.kube import objects as o
from tui.kube.resources import PODS, custom
from tui.problem import Cause, Problem, ProblemError
from tui.screens.workload.fetch import MASK, document, fetch, masked
from tui.screens.workload.screen import WorkloadScreen
from tui.screens.workload.yaml_tab import YamlTab, YamlText
from tui.widgets.ink import plain

REFUSED = Problem(
    Cause.FORBIDDEN,
    "You may not get pods in stateful",
    'pods "mysql-0" is forbidden: User "viewer" cannot get resource "pods" [red]x[/]',
    "Ask for the verb get on pods.",
)


def text_of(value: dict[str, Any], *, folded: bool = True) -> str:
    told = document(json.dumps(value).encode())
    return "\n".join(plain(line.cell) for line in (told.folded if folded else told.unfolded))


async def settled(app: Host, pilot: Any) -> YamlTab:
    """Waits until what was asked for has been read."""
    await pilot.pause()
    await app.workers.wait_for_complete()
    await still(app, pilot)
    assert isinstance(app.screen, WorkloadScreen)
    return app.screen.query_one(YamlTab)


# --- the document


def test_secrets_are_masked_wherever_they_stand() -> None:
    for folded in (True, False):
        text = text_of(pod_json(), folded=folded)
        assert "hunter2" not in text
        assert "tok-123" not in text
        assert "shop" in text, "what is no secret stays"
        assert "key: password" in text, "a reference to a secret is none"
        assert f"--password={MASK}" in text
        assert f"mysql://root:{MASK}@127.0.0.1/shop" in text


def test_the_data_of_a_secret_is_masked_and_its_names_are_not() -> None:
    applied = json.dumps({"kind": "Secret", "data": {"root-password": "aHVudGVyMg=="}})
    value = {
        "kind": "Secret",
        "metadata": {"name": "mysql", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied}},
        "data": {"root-password": "aHVudGVyMg==", "ca.crt": "AAAA"},
        "stringData": {"x": "clear"},
        "type": "Opaque",
    }
    for folded in (True, False):
        text = text_of(value, folded=folded)
        assert "aHVudGVyMg" not in text and "AAAA" not in text and "clear" not in text
        assert "root-password" in text and "ca.crt" in text and "type: Opaque" in text


def test_fields_of_custom_resources_that_speak_of_secrets_are_masked() -> None:
    value = {
        "kind": "Tenant",
        "spec": {
            "secretKey": "s3cr3t", "accessKey": "AKIA", "password": "pw", "emptyPassword": "",
            "passwordSecret": {"name": "shop", "key": "password"}, "secretName": "shop", "tokenFile": "/run/t",
            "terminationGracePeriodSeconds": 30, "automountServiceAccountToken": True,
        },
    }  # fmt: skip
    spec = masked(value)["spec"]
    assert [spec[key] for key in ("secretKey", "accessKey", "password")] == [MASK] * 3
    assert spec["emptyPassword"] == ""
    assert spec["passwordSecret"] == {"name": "shop", "key": "password"}
    assert (spec["secretName"], spec["tokenFile"], spec["terminationGracePeriodSeconds"]) == ("shop", "/run/t", 30)
    assert value["spec"]["secretKey"] == "s3cr3t", "the original is not touched"


def test_an_annotation_that_is_not_json_is_not_shown() -> None:
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "{password: hunter2"}
    assert "hunter2" not in text_of({"kind": "Pod", "metadata": {"annotations": annotations}}, folded=False)


def test_managed_fields_are_folded_to_one_line() -> None:
    folded, unfolded = text_of(pod_json()), text_of(pod_json(), folded=False)
    assert "managedFields: # 2 entries of kubectl, kubelet folded, m unfolds" in folded
    assert "f:spec" not in folded
    assert "f:spec" in unfolded
    assert "last-applied-configuration: # " in folded


def test_text_of_several_lines_is_a_block_and_inks_tell_keys_from_values() -> None:
    told = document(json.dumps({"kind": "ConfigMap", "data": {"my.cnf": "[mysqld]\nuser: x\n"}, "n": 3}).encode())
    inks = {plain(line.cell).strip(): [ink for text, ink in line.cell if text.strip()] for line in told.folded}
    assert inks["kind: ConfigMap"] == ["key", "frame", "value"]
    assert inks["user: x"] == ["value"], "inside a block there are no keys"
    assert "my.cnf: |" in inks


def test_an_event_keeps_its_newlines_and_bidi_characters_out_of_the_layout() -> None:
    text = text_of({"kind": "Pod", "metadata": {"name": "a\u202eb\x1b[31m"}})
    assert "\x1b" not in text, "YAML itself escapes what cannot be printed"


@pytest.mark.parametrize("content", [b"<html>", b"[1]", b"", b"\xff\xfe", b'"text"'])
def test_what_is_no_object_is_a_problem(content: bytes) -> None:
    with pytest.raises(ProblemError) as caught:
        document(content)
    assert caught.value.problem.cause is Cause.PROTOCOL


async def test_other_versions_are_tried_when_the_first_is_not_there() -> None:
    app = host(mysql())
    resource = custom("postgresql.cnpg.io", "clusters", "Cluster", ("v2", "v1"))
    gone = Problem(Cause.ABSENT, "not found")
    app.live.api.answers["/apis/postgresql.cnpg.io/v2/namespaces/stateful/clusters/shop"] = gone
    assert (await fetch(app.live.api, resource, "stateful", "shop")).uid == ""
    assert len(app.live.api.asked) == 2
    app.live.api.answers["/apis/postgresql.cnpg.io/v1/namespaces/stateful/clusters/shop"] = gone
    with pytest.raises(ProblemError):
        await fetch(app.live.api, resource, "stateful", "shop")
    assert PODS.versions == ("v1",)


# --- the tab


async def test_the_object_under_the_cursor_is_read_and_shown() -> None:
    app = host(mysql())
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.pause()
        await pilot.press("down", "y")
        tab = await settled(app, pilot)
        assert app.live.api.asked[-1] == "/api/v1/namespaces/stateful/pods/mysql-1"
        text = screen_text(app)
        assert "Pod mysql-1   as of 12:45:00" in text
        assert "name: mysql-1" in text
        assert "managedFields: # 2 entries" in text
        await pilot.press("m")
        assert "f:spec" in tab.query_one(YamlText).text
        await pilot.press("m")
        assert "f:spec" not in tab.query_one(YamlText).text


async def test_y_goes_round_all_objects_of_the_workload() -> None:
    app = host(mysql())
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.press("5")
        await settled(app, pilot)
        for _ in range(10):
            await pilot.press("y")
        await settled(app, pilot)
        asked = {path.rsplit("/", 2)[-2] for path in app.live.api.asked}
        assert asked == {"pods", "persistentvolumeclaims", "statefulsets", "services", "persistentvolumes"}
        assert "/apis/apps/v1/namespaces/stateful/statefulsets/mysql" in app.live.api.asked
        assert "/api/v1/persistentvolumes/pvc-data-mysql-0" in app.live.api.asked
        await pilot.press("y")
        await settled(app, pilot)
        assert "Pod mysql-0" in screen_text(app)
        await pilot.press("Y")
        await settled(app, pilot)
        assert "PersistentVolume pvc-data-mysql-2" in screen_text(app)


async def test_a_claim_and_an_event_lead_to_their_objects() -> None:
    app = host(mysql())
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.press("2", "down", "y")
        await settled(app, pilot)
        assert "PersistentVolumeClaim data-mysql-1" in screen_text(app)
        await pilot.press("3", "y")
        await settled(app, pilot)
        assert "Pod mysql-2" in screen_text(app)


async def test_a_change_since_is_marked_and_read_again_on_demand() -> None:
    app = host(mysql())
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.press("5")
        await settled(app, pilot)
        assert "changed since" not in screen_text(app)
        meta = o.ObjectMeta(name="mysql-0", namespace="stateful", uid="uid-mysql-0", resource_version="57")
        app.live.store.put("pods", o.Pod(metadata=meta))
        app.screen._look()
        await pilot.pause()
        assert "changed since: r reads it again" in screen_text(app)
        app.now = NOW + 60
        answer = pod_json()
        answer["metadata"]["resourceVersion"] = "57"
        app.live.api.answers["/api/v1/namespaces/stateful/pods/mysql-0"] = answer
        app.screen._look()
        await pilot.press("r")
        await settled(app, pilot)
        assert "as of 12:46:00" in screen_text(app)
        assert "changed since" not in screen_text(app)
        app.live.store.remove("pods", "uid-mysql-0")
        app.screen._look()
        await pilot.pause()
        assert "deleted since" in screen_text(app)
        app.live.store.put("pods", o.Pod(metadata=o.ObjectMeta("mysql-0", "stateful", "another", "58")))
        app.screen._look()
        await pilot.pause()
        assert "created anew" in screen_text(app)


async def test_search_marks_matches_and_goes_round() -> None:
    app = host(mysql())
    async with app.run_test(size=(140, 20)) as pilot:
        await pilot.press("5")
        tab = await settled(app, pilot)
        text = tab.query_one(YamlText)
        await pilot.press("slash", *"NAME")
        assert text.found[1] > 3
        first = text.found[0]
        assert first == 1
        await pilot.press("enter", "n")
        assert text.found[0] == 2
        assert "2 of" in screen_text(app)
        await pilot.press("N", "N")
        assert text.found[0] == text.found[1], "round the start"
        at = text.scroll_offset.y
        assert at > 0, "the match is in sight"
        await pilot.press("escape")
        await pilot.pause()
        assert text.found == (0, 0)
        assert isinstance(app.screen, WorkloadScreen), "the first escape ends the search only"
        await pilot.press("slash", *"[red]", "enter")
        assert text.found == (0, 0)


async def test_long_lines_are_wrapped_or_scrolled() -> None:
    answer = pod_json()
    answer["metadata"]["annotations"] = {"note": "word " * 60 + "END"}
    app = host(mysql())
    app.live.api.answers["/api/v1/namespaces/stateful/pods/mysql-0"] = answer
    async with app.run_test(size=(80, 40)) as pilot:
        await pilot.press("5")
        tab = await settled(app, pilot)
        assert "END" in screen_text(app)
        await pilot.press("w")
        await pilot.pause()
        assert "END" not in screen_text(app)
        text = tab.query_one(YamlText)
        for _ in range(40):
            await pilot.press("right")
        await pilot.pause()
        assert "END" in screen_text(app)
        await pilot.press("w")
        await pilot.pause()
        assert text.scroll_offset.x == 0


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (REFUSED, ["You may not get pods", "[red]x[/]", "Ask for the verb get on pods."]),
        (Problem(Cause.ABSENT, "It is not there", 'pods "mysql-0" not found'), ["It is not there", "not found"]),
        (Problem(Cause.UNREACHABLE, "The API server does not answer", "connection refused"), ["connection refused"]),
    ],
)
async def test_what_cannot_be_read_says_why(problem: Problem, words: list[str]) -> None:
    app = host(mysql())
    app.live.api.answers["/api/v1/namespaces/stateful/pods/mysql-0"] = problem
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("5")
        await settled(app, pilot)
        text = " ".join(screen_text(app).split())
        for word in words:
            assert word in text
        # Another object, and back, works; what was read before a failure stays below it.
        await pilot.press("y")
        await settled(app, pilot)
        assert "name: mysql-1" in screen_text(app)
        app.live.api.answers["/api/v1/namespaces/stateful/pods/mysql-1"] = problem
        await pilot.press("r")
        await settled(app, pilot)
        assert "name: mysql-1" in screen_text(app)
        assert problem.what in screen_text(app)


@pytest.mark.parametrize("answer", [b"<html>proxy error</html>", b"[]"])
async def test_rubbish_is_a_problem_and_no_traceback(answer: bytes) -> None:
    app = host(mysql())
    app.live.api.answers["/api/v1/namespaces/stateful/pods/mysql-0"] = answer
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("5")
        await settled(app, pilot)
        assert "✗ The answer is not" in screen_text(app)


async def test_a_slow_answer_for_an_object_that_was_left_is_dropped() -> None:
    app = host(mysql())
    gate = asyncio.Event()
    original = app.live.api.get

    async def get(path: str, **more: object) -> bytes:
        if path.endswith("mysql-0"):
            await gate.wait()
        return await original(path)

    app.live.api.get = get
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("5")
        await still(app, pilot)
        assert "reading" in screen_text(app)
        await pilot.press("y")
        await settled(app, pilot)
        gate.set()
        await settled(app, pilot)
        assert "name: mysql-1" in screen_text(app)
        assert "name: mysql-0" not in screen_text(app)


async def test_without_a_cluster() -> None:
    app = host(mysql())
    app.live.api = None
    app.live.cluster = None
    async with app.run_test(size=(120, 30)) as pilot:
        for key in "12345":
            await pilot.press(key)
        await settled(app, pilot)
        assert "Not connected to a cluster yet" in screen_text(app)


async def test_another_workload_shows_its_own_objects() -> None:
    app = host(mysql(), well())
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("5")
        await settled(app, pilot)
        await pilot.press("right_square_bracket")
        await settled(app, pilot)
        assert "Pod orders-mysql-primary-0" in screen_text(app)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("state", ["read", "refused", "sought"])
def test_picture(snap_compare: Any, state: str, size: tuple[int, int]) -> None:
    app = host(mysql())
    if state == "refused":
        app.live.api.answers["/api/v1/namespaces/stateful/pods/mysql-0"] = REFUSED

    async def prepare(pilot: Any) -> None:
        await pilot.press("5")
        await settled(app, pilot)
        if state == "sought":
            await pilot.press("slash", *"name", "enter", "n")
        await still(app, pilot)

    assert snap_compare(app, run_before=prepare, terminal_size=size)


async def test_the_way_back_is_told_at_80_columns() -> None:
    app = host(mysql())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("5")
        await still(app, pilot)
        assert screen_text(app).splitlines()[-1].startswith(" esc Back")
