import asyncio

import pytest

from tui.kube import store as store_module
from tui.kube.objects import ClaimSource, Event, ObjectMeta, ObjectReference, OwnerReference, Pod, PodSpec, Volume
from tui.kube.store import Store


def pod(name, *, uid=None, version="1", namespace="ns", claims=(), owner=""):
    owners = [OwnerReference(kind="StatefulSet", name="set", uid=owner, controller=True)] if owner else []
    return Pod(
        metadata=ObjectMeta(
            name=name, namespace=namespace, uid=uid or f"uid-{name}", resource_version=version, owner_references=owners
        ),
        spec=PodSpec(
            volumes=[Volume(name="data", persistent_volume_claim=ClaimSource(claim_name=claim)) for claim in claims]
        ),
    )


def event(number, kind="Normal", about="x"):
    return Event(
        metadata=ObjectMeta(name=f"e{number}", namespace="ns", uid=f"e{number}", resource_version=str(number)),
        involved_object=ObjectReference(uid=about),
        type=kind,
    )


def test_each_object_is_told_once_with_its_first_old_and_its_last_new():
    store = Store()
    first, second, third = pod("a"), pod("a", version="2"), pod("a", version="3")
    store.put("pods", first)
    store.put("pods", second)
    assert [(c.old, c.new) for c in store.drain()] == [(None, second)]
    store.put("pods", third)
    store.remove("pods", "uid-a")
    assert [(c.old, c.new) for c in store.drain()] == [(second, None)]
    assert store.drain() == []


def test_what_came_and_went_between_two_drains_is_no_change():
    store = Store()
    store.put("pods", pod("a"))
    store.remove("pods", "uid-a")
    assert store.drain() == []


def test_the_same_version_again_is_no_change():
    store = Store()
    store.put("pods", pod("a"))
    store.drain()
    store.put("pods", pod("a"))
    assert store.drain() == []


def test_same_name_with_another_uid_is_a_deletion_and_an_addition():
    store = Store()
    old, new = pod("a", uid="1", claims=["c"]), pod("a", uid="2", version="9", claims=["c"])
    store.put("pods", old)
    store.drain()
    store.put("pods", new)
    assert {(c.old, c.new) for c in [*map(_hashable, store.drain())]} == {("1", None), (None, "2")}
    assert store.named("pods", "ns", "a", Pod) is new
    assert list(store.pods_of_claim("ns", "c")) == [new]
    store.remove("pods", "1")  # the late word of the former one's end
    assert store.named("pods", "ns", "a", Pod) is new


def _hashable(change):
    return store_module.Change(change.resource, change.old and change.old.uid, change.new and change.new.uid)


def test_replace_is_a_difference_by_uid_within_its_namespace():
    store = Store()
    kept, gone, other = pod("kept"), pod("gone"), pod("other", namespace="elsewhere")
    for item in (kept, gone, other):
        store.put("pods", item)
    store.drain()
    new = pod("new")
    store.replace("pods", "ns", [kept, new])
    assert {(c.old and c.old.name, c.new and c.new.name) for c in store.drain()} == {("gone", None), (None, "new")}
    assert {p.name for p in store.all("pods", Pod)} == {"kept", "new", "other"}
    store.replace("pods", None, [])
    assert store.count("pods") == 0
    assert store.count("pods", "elsewhere") == 0


def test_replacing_gives_others_their_turn_and_adds_before_it_removes():
    store = Store()
    store.replace("pods", None, [pod(f"old-{n}") for n in range(300)])
    steps = store.replacing("pods", None, [pod(f"new-{n}") for n in range(300)])
    next(steps)
    assert store.count("pods") == 300 + store_module.STRIDE
    assert len(list(steps)) >= 2
    assert {p.name for p in store.all("pods", Pod)} == {f"new-{n}" for n in range(300)}


def test_indexes_follow_changes():
    store = Store()
    store.put("pods", pod("a", claims=["c1"], owner="set-1"))
    assert [p.name for p in store.owned("set-1", "pods", Pod)] == ["a"]
    store.put("pods", pod("a", version="2", claims=["c2"], owner="set-2"))
    assert store.owned("set-1", "pods", Pod) == []
    assert list(store.pods_of_claim("ns", "c1")) == []
    assert [claim for claim, _ in store.mounted()] == [("ns", "c2")]
    assert [p.name for p in store.owned("set-2", "pods", Pod)] == ["a"]
    store.remove("pods", "uid-a")
    assert store.owned("set-2", "pods", Pod) == []
    assert list(store.mounted()) == []


def test_an_ephemeral_volume_is_a_claim_named_after_the_pod():
    item = Pod(metadata=ObjectMeta(name="p"), spec=PodSpec(volumes=[Volume(name="scratch", ephemeral={})]))
    assert store_module.claims_of(item) == ["p-scratch"]


def test_that_an_event_expired_is_not_news():
    store = Store()
    store.put("events", event(1))
    assert len(store.drain()) == 1
    store.remove("events", "e1")
    assert store.drain() == []
    assert list(store.events_of("x")) == []


def test_under_pressure_normal_events_go_first_and_are_counted():
    store = Store(events_kept=10)
    for number in range(5):
        store.put("events", event(number, "Warning"))
    for number in range(5, 25):
        store.put("events", event(number))
    assert store.count("events") == 10
    assert store.events_dropped == 15
    kept = {item.name for item in store.all("events", Event)}
    assert {f"e{n}" for n in range(5)} <= kept  # the warnings, though they are the oldest
    assert {f"e{n}" for n in range(20, 25)} <= kept
    for number in range(30, 45):
        store.put("events", event(number, "Warning"))
    assert {item.name for item in store.all("events", Event)} == {f"e{n}" for n in range(35, 45)}
    assert len(list(store.events_of("x"))) == 10


async def test_changed_waits_for_a_change():
    store = Store()
    waiting = asyncio.create_task(store.changed())
    await asyncio.sleep(0)
    assert not waiting.done()
    store.put("pods", pod("a"))
    await asyncio.wait_for(waiting, 20)
    store.drain()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(store.changed(), 0.01)
