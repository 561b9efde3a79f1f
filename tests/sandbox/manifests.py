"""Manifests that the tests apply and mutate."""

from __future__ import annotations

import copy
from typing import Any

import yaml

_TEXT = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: default, labels: {app: db}}
spec:
  replicas: 3
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      initContainers: [{name: init, image: "mysql:9", command: [sh, -c, "true"]}]
      containers:
      - name: mysql
        image: mysql:9
        ports: [{name: mysql, containerPort: 3306}]
        env:
        - {name: HOME, value: /data}
        - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        - {name: SECRET, valueFrom: {secretKeyRef: {name: db, key: password}}}
        resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 128Mi}}
        readinessProbe: {tcpSocket: {port: mysql}, periodSeconds: 2}
        volumeMounts: [{name: data, mountPath: /data}, {name: config, mountPath: /etc/db}]
      volumes: [{name: config, configMap: {name: db}}]
      tolerations: [{key: a, operator: Exists}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "nginx:1", ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: default}
spec: {clusterIP: None, selector: {app: db}, ports: [{name: mysql, port: 3306}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: db, namespace: default, annotations: {note: hello}}
data: {my.cnf: "[mysqld]"}
---
apiVersion: v1
kind: Secret
metadata: {name: db, namespace: default}
stringData: {password: geheim}
---
apiVersion: v1
kind: Pod
metadata: {name: one, namespace: default, labels: {app: one}}
spec: {containers: [{name: c, image: busybox, command: [sleep, "1d"]}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: default}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: once, namespace: default}
spec: {backoffLimit: 1, template: {spec: {restartPolicy: Never, containers: [{name: c, image: busybox}]}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: db, namespace: default}
spec: {minAvailable: 1, selector: {matchLabels: {app: one}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: b, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: viewer}
subjects: [{kind: User, name: x}]
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.org}
spec:
  group: example.org
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, shortNames: [wd]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}
    additionalPrinterColumns:
    - {name: Size, type: string, jsonPath: .spec.size}
    - {name: Ready, type: string, jsonPath: '.status.conditions[?(@.type=="Ready")].status'}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [size]
            properties:
              size: {type: string, enum: [small, large]}
              replicas: {type: integer, minimum: 0, default: 1}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
"""

ALL: dict[str, dict[str, Any]] = {obj["kind"]: obj for obj in yaml.safe_load_all(_TEXT)}

#: Where objects of each kind are made.
PATHS = {
    "StatefulSet": "/apis/apps/v1/namespaces/default/statefulsets",
    "Deployment": "/apis/apps/v1/namespaces/default/deployments",
    "Service": "/api/v1/namespaces/default/services",
    "ConfigMap": "/api/v1/namespaces/default/configmaps",
    "Secret": "/api/v1/namespaces/default/secrets",
    "Pod": "/api/v1/namespaces/default/pods",
    "PersistentVolumeClaim": "/api/v1/namespaces/default/persistentvolumeclaims",
    "Job": "/apis/batch/v1/namespaces/default/jobs",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
}


def made(kind: str, name: str = "") -> dict[str, Any]:
    """A manifest of a kind; a new one each time."""
    obj = copy.deepcopy(ALL[kind])
    if name:
        obj["metadata"]["name"] = name
    return obj


def text() -> str:
    """All of them as one file."""
    return _TEXT
