"""helm against the cluster: a chart of a stateful system, from its installation to its end."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import re
import subprocess
from pathlib import Path

import pytest
from objects import SERVE
from real_programs import program
from target import Target
from tool import Tool, eventually

from tui.kube.options import ConnectOptions
from tui.systems.catalogue import load_catalogue
from tui.systems.live import Live

_FILES = {
    "Chart.yaml": "apiVersion: v2\nname: keeper\nversion: 1.2.3\nappVersion: '9.9'\n",
    "values.yaml": "replicas: 1\ngreeting: hello\nimage: ''\nbreaks: false\n",
    "templates/_helpers.tpl": """
{{- define "keeper.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}
{{- define "keeper.pod" -}}
terminationGracePeriodSeconds: 1
containers:
- name: main
  image: {{ .Values.image }}
  imagePullPolicy: Never
{{- end }}
""",
    "templates/config.yaml": """
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
  labels: {{- include "keeper.labels" . | nindent 4 }}
data:
  greeting: {{ .Values.greeting | quote }}
---
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}}
stringData:
  # As many charts do it: what is there is kept.
  {{- $old := lookup "v1" "Secret" .Release.Namespace .Release.Name }}
  word: {{ if $old }}{{ index $old.data "word" | b64dec }}{{ else }}{{ randAlphaNum 12 }}{{ end }}
""",
    "templates/service.yaml": """
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
  labels: {{- include "keeper.labels" . | nindent 4 }}
spec:
  selector: {app.kubernetes.io/instance: {{ .Release.Name }}, part: server}
  ports: [{name: http, port: 80, targetPort: http}]
""",
    "templates/set.yaml": """
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ .Release.Name }}
  labels: {{- include "keeper.labels" . | nindent 4 }}
spec:
  serviceName: {{ .Release.Name }}
  # One that is ordered never gets over a pod that fails: a rollback alone does not help it.
  podManagementPolicy: Parallel
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app.kubernetes.io/instance: {{ .Release.Name }}, part: server}}
  template:
    metadata:
      labels:
        part: server
        {{- include "keeper.labels" . | nindent 8 }}
      annotations:
        checksum: {{ include (print $.Template.BasePath "/config.yaml") . | regexFind "greeting: .*" | sha256sum }}
    spec:
      {{- include "keeper.pod" . | nindent 6 }}
        command: [sh, -c, {{ if .Values.breaks }}"exit 1"{{ else }}"SCRIPT"{{ end }}]
        ports: [{name: http, containerPort: 8000}]
        env:
        - {name: GREETING, valueFrom: {configMapKeyRef: {name: {{ .Release.Name }}, key: greeting}}}
        - {name: WORD, valueFrom: {secretKeyRef: {name: {{ .Release.Name }}, key: word}}}
        readinessProbe: {tcpSocket: {port: http}, periodSeconds: 1}
        volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 16Mi}}}
""".replace("SCRIPT", SERVE),
    "templates/hook.yaml": """
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-prepare
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      {{- include "keeper.pod" . | nindent 6 }}
        command: [sh, -c, "echo prepared revision {{ .Release.Revision }}"]
""",
    "templates/tests/speaks.yaml": """
apiVersion: v1
kind: Pod
metadata:
  name: {{ .Release.Name }}-speaks
  annotations: {helm.sh/hook: test, helm.sh/hook-delete-policy: before-hook-creation}
spec:
  restartPolicy: Never
  {{- include "keeper.pod" . | nindent 2 }}
    command: [sh, -c, "echo it speaks {{ .Values.greeting }}"]
""",
    "templates/NOTES.txt": "Say {{ .Values.greeting }} to {{ .Release.Name }}.\n",
}


@pytest.fixture
def chart(tmp_path: Path) -> str:
    """A chart with a StatefulSet, a Service, a Secret, a ConfigMap, a hook and a test."""
    for name, text in _FILES.items():
        path = tmp_path / "keeper" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(tmp_path / "keeper")


def _statuses(helm: Tool, release: str) -> list[tuple[int, str]]:
    return [(one["revision"], one["status"]) for one in json.loads(helm("history", release, "-o", "json"))]


def test_a_release_from_its_beginning_to_its_end(target: Target, helm: Tool, kubectl: Tool, chart: str) -> None:
    image = ("--set", f"image={target.image}")
    helm("lint", chart, *image)
    dry = helm("install", "shop", chart, *image, "--dry-run=server")
    assert "MANIFEST:" in dry and kubectl("get", "sts,secrets", "-o", "name") == ""

    told = helm("install", "shop", chart, *image, "--wait", "--timeout=90s")
    assert "STATUS: deployed" in told and "Say hello to shop." in told
    assert kubectl("get", "sts", "shop", "-o", "jsonpath={.status.readyReplicas}") == "1"
    assert kubectl("logs", "job/shop-prepare") == "prepared revision 1\n"
    assert kubectl("exec", "shop-0", "--", "printenv", "GREETING") == "hello\n"
    word = kubectl("exec", "shop-0", "--", "printenv", "WORD")
    (listed,) = json.loads(helm("list", "-o", "json"))
    assert (listed["name"], listed["status"], listed["chart"]) == ("shop", "deployed", "keeper-1.2.3")
    status = json.loads(helm("status", "shop", "-o", "json"))
    assert status["info"]["status"] == "deployed" and status["version"] == 1
    assert json.loads(helm("get", "values", "shop", "-o", "json")) == {"image": target.image}
    assert json.loads(helm("get", "values", "shop", "--all", "-o", "json"))["greeting"] == "hello"
    assert "kind: StatefulSet" in helm("get", "manifest", "shop")
    assert "helm.sh/hook: pre-install,pre-upgrade" in helm("get", "hooks", "shop")
    again = helm.run("install", "shop", chart, *image)
    assert again.code == 1 and "a name that is still in use" in again.err
    told = helm("test", "shop", "--logs")
    assert re.search(r"Phase: +Succeeded", told) and "it speaks hello" in told

    # Two pods, another greeting: the set rolls; helm waits for all of it.
    helm("upgrade", "shop", chart, *image, "--set=replicas=2,greeting=good day", "--wait", "--timeout=90s")
    assert kubectl("get", "sts", "shop", "-o", "jsonpath={.status.readyReplicas} {.status.updatedReplicas}") == "2 2"
    assert kubectl("exec", "shop-0", "--", "printenv", "GREETING") == "good day\n"
    assert kubectl("exec", "shop-1", "--", "printenv", "WORD") == word
    assert kubectl("logs", "job/shop-prepare") == "prepared revision 2\n"
    assert _statuses(helm, "shop") == [(1, "superseded"), (2, "deployed")]

    # One that does not come is taken back.
    broken = ("--set=replicas=2,greeting=good day,breaks=true", "--rollback-on-failure", "--wait", "--timeout=12s")
    failed = helm.run("upgrade", "shop", chart, *image, *broken, seconds=110)
    assert failed.code == 1 and "rolled back due to rollback-on-failure being set" in failed.err, failed
    assert _statuses(helm, "shop")[2:] == [(3, "failed"), (4, "deployed")]
    assert "exit 1" not in kubectl("get", "sts", "shop", "-o", "json")

    assert "Rollback was a success!" in helm("rollback", "shop", "1", "--wait", "--timeout=90s")
    assert _statuses(helm, "shop")[-1] == (5, "deployed")
    assert kubectl("get", "sts", "shop", "-o", "jsonpath={.spec.replicas}") == "1"
    assert kubectl("get", "cm", "shop", "-o", "jsonpath={.data.greeting}") == "hello"
    owned = kubectl("get", "secrets", "-l", "owner=helm,name=shop", "-o", "jsonpath={.items[*].type}").split()
    assert owned == ["helm.sh/release.v1"] * 5

    assert helm("uninstall", "shop", "--wait") == 'release "shop" uninstalled\n'
    assert kubectl("get", "sts,svc,secrets", "-o", "name") == ""
    eventually(lambda: "shop-0" not in kubectl("get", "pods", "-o", "name"), "its pods stay")
    assert "data-shop-0" in kubectl("get", "pvc", "-o", "name")
    assert json.loads(helm("list", "-o", "json")) == []
    assert "release: not found" in helm.refused("status", "shop")


def test_a_hook_that_fails(target: Target, helm: Tool, kubectl: Tool, chart: str) -> None:
    hook = Path(chart) / "templates" / "hook.yaml"
    hook.write_text(hook.read_text().replace("echo prepared", "exit 3; echo"))
    failed = helm.run("install", "shop", chart, "--set", f"image={target.image}", "--timeout=60s")
    assert failed.code == 1 and "failed pre-install: resource Job/" in failed.err, failed
    assert _statuses(helm, "shop") == [(1, "failed")]
    assert kubectl("get", "sts", "-o", "name") == ""
    helm("uninstall", "shop")


def test_helms_own_chart(target: Target, helm: Tool, kubectl: Tool, tmp_path: Path) -> None:
    """`helm create`: a Deployment, a Service, a ServiceAccount; none of it runs, for want of its image."""
    del target
    subprocess.run([program("helm"), "create", "web"], cwd=tmp_path, check=True, capture_output=True)
    release = ("web", str(tmp_path / "web"))
    more = "--set=ingress.enabled=true,fullnameOverride=front"
    assert "STATUS: deployed" in helm("install", *release, more)
    names = kubectl("get", "deploy,svc,sa,ing", "-l", "app.kubernetes.io/instance=web", "-o", "name").split()
    assert names == [
        "deployment.apps/front",
        "service/front",
        "serviceaccount/front",
        "ingress.networking.k8s.io/front",
    ]
    helm("upgrade", *release, "--set=fullnameOverride=front,replicaCount=2")
    assert kubectl("get", "deploy", "front", "-o", "jsonpath={.spec.replicas}") == "2"
    assert kubectl("get", "ing", "-o", "name") == ""
    helm("uninstall", "web")


async def test_what_statetui_sees_of_a_release(target: Target, helm: Tool, kubectl: Tool, chart: str) -> None:
    helm("install", "shop", chart, "--set", f"image={target.image}", "--wait", "--timeout=90s")
    options = ConnectOptions(kubeconfig=target.kubeconfig, namespace=helm.namespace)
    live = Live(options, load_catalogue([]), usage=False)
    task = asyncio.create_task(live.run())
    try:
        async with asyncio.timeout(60):
            while not (found := [w for w in live.workloads.values() if w.name == "shop"]) or not live.complete:
                await asyncio.sleep(0.05)
        assert found[0].owner is not None
        assert (found[0].owner.kind, found[0].owner.text) == ("helm", "helm shop (keeper-1.2.3)")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await live.close()
    data = kubectl("get", "secret", "sh.helm.release.v1.shop.v1", "-o", "jsonpath={.data.release}")
    release = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(data))))
    assert (release["name"], release["info"]["status"]) == ("shop", "deployed")
