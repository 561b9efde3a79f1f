import logging

import msgspec
import pytest

from tui.kube.decode import Bookmark, Decoder
from tui.kube.objects import Pod, StatefulSet
from tui.problem import Cause, ProblemError


def line(kind, item):
    return msgspec.json.encode({"type": kind, "object": item})


def status(code, reason="", **more):
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "code": code,
        "reason": reason,
        **more,
    }


def test_lines_that_carry_objects():
    kind, pod = Decoder(Pod).line(
        line("MODIFIED", {"metadata": {"name": "a", "uid": "u", "managedFields": [{}]}, "spec": {"nodeName": "n"}})
    )
    assert (kind, pod.name, pod.spec.node_name) == ("MODIFIED", "a", "n")


def test_the_bookmark_of_a_real_server_is_no_object_of_the_resource():
    # Its object is the resource's zero value: required lists are null.
    mark = {
        "kind": "StatefulSet",
        "metadata": {"resourceVersion": "7", "creationTimestamp": None},
        "spec": {
            "template": {"metadata": {"creationTimestamp": None}, "spec": {"containers": None}},
            "updateStrategy": {},
        },
    }
    assert Decoder(StatefulSet).line(line("BOOKMARK", mark)) == Bookmark("7", False)
    mark["metadata"]["annotations"] = {"k8s.io/initial-events-end": "true"}
    assert Decoder(StatefulSet).line(line("BOOKMARK", mark)) == Bookmark("7", True)


def test_an_old_servers_nulls_in_templates_are_read():
    text = line(
        "ADDED",
        {
            "metadata": {"name": "s", "uid": "u"},
            "spec": {
                "replicas": 3,
                "template": {
                    "metadata": {"creationTimestamp": None, "labels": {"app": "x"}},
                    "spec": {"containers": [{"name": "c"}]},
                },
                "volumeClaimTemplates": [
                    {"metadata": {"name": "data", "creationTimestamp": None}, "status": {"phase": "Pending"}}
                ],
            },
        },
    )
    _, found = Decoder(StatefulSet).line(text)
    assert found.spec.replicas == 3
    assert found.spec.template.metadata.labels == {"app": "x"}
    assert found.spec.volume_claim_templates[0].metadata.name == "data"


@pytest.mark.parametrize(
    ("said", "cause", "after"),
    [
        (status(410, "Expired", message="too old resource version"), Cause.EXPIRED, None),
        (status(410, "Gone"), Cause.EXPIRED, None),
        (status(0, "Expired"), Cause.EXPIRED, None),
        (status(500, "InternalError", message="boom"), Cause.SERVER, None),
        (status(429, "TooManyRequests", details={"retryAfterSeconds": 3}), Cause.THROTTLED, 3.0),
        (status(403, "Forbidden"), Cause.FORBIDDEN, None),
        (status(400, "BadRequest"), Cause.REJECTED, None),
        (status(0), Cause.SERVER, None),
    ],
)
def test_error_lines(said, cause, after):
    with pytest.raises(ProblemError) as caught:
        Decoder(Pod).line(line("ERROR", said))
    assert caught.value.problem.cause is cause
    assert caught.value.problem.retry_after == after
    if said.get("message"):
        assert caught.value.problem.evidence == said["message"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"type":"ADDED"}',
        b'{"type":"ADDED","object":{}}',
        b'{"type":"ADDED","object":7}',
        b'{"type":"ERROR","object":"no"}',
        b'{"type":"ADDED","object":{"metadata":{"name":"a"',
        b"<html>",
        b'{"type":"ADDED","object":{"metadata":{"uid":"\xff"}}}',
    ],
)
def test_what_makes_no_sense_is_a_protocol_problem_with_its_beginning(text):
    with pytest.raises(ProblemError) as caught:
        Decoder(Pod).line(text)
    assert caught.value.problem.cause is Cause.PROTOCOL
    assert len(str(caught.value)) < 600


def test_a_deeply_nested_line_does_not_end_the_program():
    with pytest.raises(ProblemError) as caught:
        Decoder(Pod).line(b'{"type":"ADDED","object":' + b"[" * 100_000)
    assert caught.value.problem.cause is Cause.PROTOCOL


def test_unknown_types_are_skipped(caplog):
    with caplog.at_level(logging.WARNING):
        assert Decoder(Pod).line(line("RENAMED", {"metadata": {"uid": "u"}})) is None
    assert "RENAMED" in caplog.text


def test_pages():
    page = Decoder(Pod).page(
        msgspec.json.encode(
            {
                "kind": "PodList",
                "metadata": {"resourceVersion": "9", "continue": "more"},
                "items": [{"metadata": {"name": "a", "uid": "u"}}],
            }
        )
    )
    assert (page.resource_version, page.next) == ("9", "more")
    assert [pod.name for pod in Decoder(Pod).items(page)] == ["a"]
    assert Decoder(Pod).page(b'{"kind":"PodList","metadata":{},"items":null}').items == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"kind":"Table","rows":[]}',
        b'{"kind":"Status","metadata":{}}',
        b"{}",
        b'{"kind":"PodList","items":',
    ],
)
def test_what_is_no_list_is_a_protocol_problem(body):
    with pytest.raises(ProblemError) as caught:
        Decoder(Pod).page(body)
    assert caught.value.problem.cause is Cause.PROTOCOL


def test_odd_objects_keep_their_metadata_and_are_noted_a_few_times(caplog):
    decoder = Decoder(Pod)
    for number in range(20):
        _, pod = decoder.line(line("ADDED", {"metadata": {"name": f"p{number}", "uid": f"u{number}"}, "status": []}))
        assert pod.name == f"p{number}"
    assert 1 <= len(caplog.records) <= 5


def test_pods_of_one_template_share_its_containers_and_the_token_is_left_out():
    def text(name, number, image="db:1"):
        mounts = [
            {"name": "data", "mountPath": "/data"},
            {"name": f"kube-api-access-{name}", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
        ]
        containers = [{"name": "db", "image": image, "env": [{"name": "ME", "value": name}], "volumeMounts": mounts}]
        spec = {"nodeName": f"node-{number}", "containers": containers, "initContainers": [{"name": "init"}]}
        return line("ADDED", {"metadata": {"name": name, "uid": name}, "spec": spec})

    decoder = Decoder(Pod)
    (_, one), (_, two), (_, other) = (
        decoder.line(text("a", 1)),
        decoder.line(text("b", 2)),
        decoder.line(text("c", 3, "db:2")),
    )
    assert one.spec.containers is two.spec.containers
    assert one.spec.init_containers is two.spec.init_containers
    assert one.spec.containers is not other.spec.containers
    assert other.spec.containers[0].image == "db:2"
    assert [mount.name for mount in one.spec.containers[0].volume_mounts] == ["data"]
    assert (one.spec.node_name, two.spec.node_name) == ("node-1", "node-2")
    assert Pod().spec.containers == []
