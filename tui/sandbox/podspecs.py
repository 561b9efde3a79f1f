"""What the specs of pods must be."""

from __future__ import annotations

from tui.sandbox import sources
from tui.sandbox.model import Json
from tui.sandbox.names import LABEL, LABEL_TEXT, at_least, check_port
from tui.sandbox.problems import Causes

_PROBES = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")


def _container(container: Json, volumes: set[str], path: str, causes: Causes) -> None:
    text = container.get("name", "")
    if not text:
        causes.required(f"{path}.name")
    elif not LABEL.fullmatch(text):
        causes.invalid(f"{path}.name", text, LABEL_TEXT)
    if not container.get("image"):
        causes.required(f"{path}.image")
    for index, port in enumerate(container.get("ports", [])):
        if not port.get("containerPort"):
            causes.required(f"{path}.ports[{index}].containerPort")
        check_port(port.get("containerPort") or 1, f"{path}.ports[{index}].containerPort", causes)
        if port["protocol"] not in ("TCP", "UDP", "SCTP"):
            causes.unsupported(f"{path}.ports[{index}].protocol", port["protocol"], ("SCTP", "TCP", "UDP"))
    sources.environment(container, path, causes)
    _mounts(container, volumes, path, causes)
    _actions(container, path, causes)
    if container["imagePullPolicy"] not in ("Always", "IfNotPresent", "Never"):
        allowed = ("Always", "IfNotPresent", "Never")
        causes.unsupported(f"{path}.imagePullPolicy", container["imagePullPolicy"], allowed)
    for part in ("limits", "requests"):
        for key, value in container["resources"].get(part, {}).items():
            if value.startswith("-"):
                causes.invalid(f"{path}.resources.{part}[{key}]", value, "must be greater than or equal to 0")


def _actions(container: Json, path: str, causes: Causes) -> None:
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if probe in container:
            at_least(container[probe], _PROBES, f"{path}.{probe}", causes)
            sources.handler(container[probe], f"{path}.{probe}", causes)
    for hook, action in container.get("lifecycle", {}).items():
        if hook in ("postStart", "preStop"):
            sources.handler(action, f"{path}.lifecycle.{hook}", causes)


def _mounts(container: Json, volumes: set[str], path: str, causes: Causes) -> None:
    seen = set()
    for index, mount in enumerate(container.get("volumeMounts", [])):
        if mount.get("name") not in volumes:
            causes.missing(f"{path}.volumeMounts[{index}].name", mount.get("name", ""))
        if not mount.get("mountPath"):
            causes.required(f"{path}.volumeMounts[{index}].mountPath")
        elif mount["mountPath"] in seen:
            causes.invalid(f"{path}.volumeMounts[{index}].mountPath", mount["mountPath"], "must be unique")
        seen.add(mount.get("mountPath"))
        for part in ("subPath", "subPathExpr"):
            if part in mount:
                sources.relative(mount[part], f"{path}.volumeMounts[{index}].{part}", causes)
        if mount.get("subPath") and mount.get("subPathExpr"):
            why = "subPathExpr and subPath are mutually exclusive"
            causes.invalid(f"{path}.volumeMounts[{index}].subPathExpr", mount["subPathExpr"], why)


def pod_spec(spec: Json, path: str, causes: Causes, *, restart: tuple[str, ...], claims: set[str]) -> None:
    """Checks the spec of a pod or a template; `claims` are volumes that come from elsewhere."""
    volumes = set(claims)
    for index, volume in enumerate(spec.get("volumes", [])):
        text = volume.get("name", "")
        if not text:
            causes.required(f"{path}.volumes[{index}].name")
        elif not LABEL.fullmatch(text):
            causes.invalid(f"{path}.volumes[{index}].name", text, LABEL_TEXT)
        elif text in volumes - claims:
            causes.duplicate(f"{path}.volumes[{index}].name", text)
        volumes.add(text)
        if len(volume) > 2:
            causes.forbidden(f"{path}.volumes[{index}]", "may not specify more than 1 volume type")
        sources.volume(volume, f"{path}.volumes[{index}]", causes)
    if not spec.get("containers"):
        causes.required(f"{path}.containers")
    names: set[str] = set()
    for part in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(part, [])):
            _container(container, volumes, f"{path}.{part}[{index}]", causes)
            if container.get("name", "") in names:
                causes.duplicate(f"{path}.{part}[{index}].name", container["name"])
            names.add(container.get("name", "") or f"{part}{index}")
    if spec["restartPolicy"] not in restart:
        causes.unsupported(f"{path}.restartPolicy", spec["restartPolicy"], restart)
    at_least(spec, ("terminationGracePeriodSeconds", "activeDeadlineSeconds"), path, causes)
