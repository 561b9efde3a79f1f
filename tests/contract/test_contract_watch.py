"""Watching a cluster: what the store holds is what the server lists, whatever happens in between."""

import asyncio

from tests.contract.watch import Watch
from tui.kube.feeds import Phase
from tui.kube.objects import PersistentVolumeClaim, Pod, StatefulSet
from tui.kube.resources import BUILT_IN, CLAIMS, DAEMONSETS, EVENTS, NODES, PODS, STATEFULSETS
from tui.problem import Cause


def stateful_set(cluster, namespace, replicas=2, **annotations):
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "serviceName": "db",
            "selector": {"matchLabels": {"app": "db"}},
            "template": {
                "metadata": {"labels": {"app": "db"}, "annotations": annotations},
                "spec": {
                    "terminationGracePeriodSeconds": 1,
                    "automountServiceAccountToken": False,
                    "containers": [
                        {
                            "name": "sleep",
                            "image": cluster.image,
                            "imagePullPolicy": "Never",
                            "command": ["sleep", "3600"],
                            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                        }
                    ],
                },
            },
            "volumeClaimTemplates": [
                {
                    "metadata": {"name": "data"},
                    "spec": {
                        "accessModes": ["ReadWriteOnce"],
                        "storageClassName": "standard",
                        "resources": {"requests": {"storage": "16Mi"}},
                    },
                }
            ],
        },
    }


def running(watch, namespace):
    """The uids by name of pods that run and are not on their way out."""
    pods = watch.cluster.store.in_namespace(PODS.key, namespace, Pod)
    return {pod.name: pod.uid for pod in pods if pod.status.phase == "Running" and not pod.metadata.deletion_timestamp}


async def test_everything_the_server_lists_is_held(cluster, namespace):
    async with Watch(cluster) as watch:
        await watch.settled()
        assert watch.cluster.connection.state == "live"
        assert watch.cluster.server_version.startswith("v1.")
        for resource in BUILT_IN:
            if resource not in (EVENTS, NODES):  # these change on their own
                await watch.equals_server(resource)
        assert {feed.phase for feed in watch.cluster.feeds.values()} == {Phase.LIVE}
        names = cluster.admin.request("GET", "api/v1/namespaces")["items"]
        assert set(await watch.cluster.namespaces()) >= {item["metadata"]["name"] for item in names} - {namespace}


async def test_the_life_of_a_stateful_set(cluster, namespace):
    async with Watch(cluster) as watch:
        await watch.settled()
        store = watch.cluster.store
        cluster.admin.apply(stateful_set(cluster, namespace))
        await watch.until(lambda: set(running(watch, namespace)) == {"db-0", "db-1"}, 90)
        await watch.equals_server(PODS, namespace)
        await watch.equals_server(CLAIMS, namespace)
        found = store.named(STATEFULSETS.key, namespace, "db", StatefulSet)
        assert {pod.name for pod in store.owned(found.uid, PODS.key, Pod)} == {"db-0", "db-1"}

        before = running(watch, namespace)["db-0"]
        claim = store.named(CLAIMS.key, namespace, "data-db-0", PersistentVolumeClaim).uid
        cluster.admin.delete("Pod", namespace, "db-0")
        await watch.until(lambda: running(watch, namespace).get("db-0", before) != before)
        assert store.by_uid(PODS.key, before, Pod) is None
        assert store.named(CLAIMS.key, namespace, "data-db-0", PersistentVolumeClaim).uid == claim
        assert [pod.name for pod in store.pods_of_claim(namespace, "data-db-0")] == ["db-0"]
        await watch.equals_server(PODS, namespace)

        cluster.admin.scale(namespace, "db", 3)
        await watch.until(lambda: set(running(watch, namespace)) == {"db-0", "db-1", "db-2"})
        cluster.admin.scale(namespace, "db", 1)
        await watch.until(lambda: watch.cluster.store.count(PODS.key, namespace) == 1)
        assert store.count(CLAIMS.key, namespace) == 3
        await watch.equals_server(CLAIMS, namespace)

        former = running(watch, namespace)["db-0"]
        cluster.admin.apply(stateful_set(cluster, namespace, 1, rolled="yes"))
        await watch.until(lambda: running(watch, namespace).get("db-0", former) != former)
        await watch.until(lambda: _rolled(store.named(STATEFULSETS.key, namespace, "db", StatefulSet)))
        await watch.equals_server(STATEFULSETS, namespace)

        cluster.admin.delete("StatefulSet", namespace, "db")
        await watch.until(lambda: not store.count(PODS.key, namespace) and not store.count(STATEFULSETS.key, namespace))
        assert store.count(CLAIMS.key, namespace) == 3
        assert watch.states[-1] == "live"
        assert "stale" not in watch.states


def _rolled(found):
    status = found.status
    return status.observed_generation == found.metadata.generation and status.current_revision == status.update_revision


READ = [{"apiGroups": ["", "apps"], "resources": ["pods", "persistentvolumeclaims", "statefulsets", "events"],
         "verbs": ["get", "list", "watch"]}]  # fmt: skip


async def test_who_may_read_one_namespace_sees_that_namespace(cluster, namespace, user):
    cluster.admin.apply(stateful_set(cluster, namespace, 1))
    name = user(namespace, READ)
    user(None, [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list"]}], name=name)
    async with Watch(cluster, impersonate=name) as watch:
        await watch.settled()
        await watch.until(lambda: watch.cluster.scope.namespaces == (namespace,))
        await watch.equals_server(PODS, namespace)
        assert watch.cluster.connection.state == "live"
        assert f"namespace {namespace}" in watch.cluster.connection.detail
        assert name in watch.cluster.scope.reason
        assert watch.cluster.feeds[DAEMONSETS.key, namespace].phase is Phase.FORBIDDEN
        assert watch.cluster.feeds[NODES.key, None].phase is Phase.FORBIDDEN
        assert {pod.namespace for pod in watch.cluster.store.all(PODS.key, Pod)} <= {namespace}


async def test_who_may_read_one_namespace_and_names_it_asks_for_nothing_else(cluster, namespace, user):
    name = user(namespace, READ)
    async with Watch(cluster, impersonate=name, namespace=namespace) as watch:
        await watch.settled()
        assert watch.cluster.connection.state == "live"
        assert watch.cluster.scope.asked
        await watch.equals_server(PODS, namespace)
        assert await watch.cluster.namespaces() == sorted({"default", namespace})


async def test_list_without_watch_is_polled(cluster, namespace, user, monkeypatch):
    monkeypatch.setattr("tui.kube.reflector.POLL", 1.0)
    name = user(namespace, [{**READ[0], "verbs": ["list"]}])
    async with Watch(cluster, impersonate=name, namespace=namespace) as watch:
        await watch.settled()
        assert watch.cluster.feeds[PODS.key, namespace].phase is Phase.POLLING
        cluster.admin.apply(stateful_set(cluster, namespace, 1))
        await watch.until(lambda: "db-0" in running(watch, namespace), 60)
        assert watch.cluster.connection.state == "live"


async def test_who_may_do_nothing_is_told_so_in_the_servers_words(cluster):
    async with Watch(cluster, impersonate="statetui-nobody") as watch:
        await watch.settled()
        connection = watch.cluster.connection
        assert connection.state == "failed"
        assert connection.problem.cause is Cause.FORBIDDEN
        assert 'User "statetui-nobody" cannot list resource' in connection.problem.evidence
        assert not list(watch.cluster.store.all(PODS.key, Pod))


async def test_the_use_of_claims_is_read_or_explained(cluster, namespace):
    """Whether a volume's use is reported is up to its driver; what is reported is what is shown."""
    cluster.admin.apply(stateful_set(cluster, namespace, 1))
    async with Watch(cluster, poll_usage=True) as watch:
        usage = watch.cluster.usage
        await watch.settled()
        await watch.until(lambda: "db-0" in running(watch, namespace))
        node = watch.cluster.store.named(PODS.key, namespace, "db-0", Pod).spec.node_name
        raw = cluster.admin.request("GET", f"api/v1/nodes/{node}/proxy/stats/summary")
        reported = {
            (volume["pvcRef"]["namespace"], volume["pvcRef"]["name"]): volume["capacityBytes"]
            for pod in raw["pods"]
            for volume in pod.get("volume", ())
            if "pvcRef" in volume
        }

        def all_told():
            own = usage.get(namespace, "data-db-0")
            explained = "…" in own if isinstance(own, str) else own.used <= own.capacity
            return explained and not any(isinstance(usage.get(*claim), str) for claim in reported)

        async with asyncio.timeout(60):
            while not all_told():
                await usage.changed()
                usage.drain()
        assert all(usage.get(*claim).capacity == capacity for claim, capacity in reported.items())


async def test_without_the_right_to_read_kubelets_the_use_says_so(cluster, namespace, user):
    cluster.admin.apply(stateful_set(cluster, namespace, 1))
    name = user(namespace, READ)
    async with Watch(cluster, impersonate=name, namespace=namespace, poll_usage=True) as watch:
        await watch.settled()
        await watch.until(lambda: "db-0" in running(watch, namespace))
        async with asyncio.timeout(30):
            while watch.cluster.usage.get(namespace, "data-db-0") != "needs get on nodes/proxy":
                await watch.cluster.usage.changed()
                watch.cluster.usage.drain()
