"""What the API hands out: cluster addresses, node ports, and the class of claims that name none."""

from __future__ import annotations

import ipaddress
import secrets
from typing import Any

from tui.sandbox import problems
from tui.sandbox.kinds import Kind
from tui.sandbox.model import Json
from tui.sandbox.store import Store

_NETWORK = ipaddress.ip_network("10.96.0.0/16")
_PORTS = range(30000, 32768)
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


class Allocation:
    """Gives new objects what must be theirs alone."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def fill(self, kind: Kind, obj: Json) -> None:
        """Fills in what an object of a kind is handed.

        Raises:
            ApiError: 422 Invalid when it names what another one has.
        """
        if kind.key == "services":
            self._service(kind, obj)
        elif kind.key == "persistentvolumeclaims" and "storageClassName" not in obj["spec"]:
            for entry in self._store.list("storageclasses.storage.k8s.io"):
                if entry.load()["metadata"].get("annotations", {}).get(_DEFAULT_CLASS) == "true":
                    obj["spec"]["storageClassName"] = entry.key.removeprefix("/")
                    return

    def _service(self, kind: Kind, obj: Json) -> None:
        spec, name = obj["spec"], obj["metadata"].get("name", "")
        if spec["type"] == "ExternalName":
            return
        own = f"{obj['metadata'].get('namespace', '')}/{name}"
        others = [entry for entry in self._store.list("services") if entry.key != own]
        causes = problems.Causes()
        self._address(spec, {other.fields["spec.clusterIP"] for other in others}, causes)
        if spec["type"] in ("NodePort", "LoadBalancer"):
            taken = {port.get("nodePort") for other in others for port in other.load()["spec"].get("ports", [])}
            self._node_ports(spec, taken, causes)
        causes.check(kind, name)

    @staticmethod
    def _address(spec: Json, taken: set[Any], causes: problems.Causes) -> None:
        asked = spec.get("clusterIP", "")
        if asked not in ("", "None"):
            path = "spec.clusterIPs[0]"
            try:
                inside = ipaddress.ip_address(asked) in _NETWORK
            except ValueError:
                causes.invalid(path, asked, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")
                return
            if not inside:
                why = f"failed to allocate IP {asked}: the provided IP is not in the valid range"
                causes.invalid(path, [asked], f"{why} {_NETWORK}")
            elif asked in taken:
                why = f"failed to allocate IP {asked}: provided IP is already allocated"
                causes.invalid(path, [asked], why)
        elif not asked:
            # The first 256 are left to those who ask for one.
            while not asked or asked in taken:
                asked = str(_NETWORK[256 + secrets.randbelow(_NETWORK.num_addresses - 512)])
        spec["clusterIP"], spec["clusterIPs"] = asked, [asked]

    @staticmethod
    def _node_ports(spec: Json, taken: set[Any], causes: problems.Causes) -> None:
        for index, port in enumerate(spec.get("ports", [])):
            asked = port.get("nodePort", 0)
            path = f"spec.ports[{index}].nodePort"
            if asked and asked not in _PORTS:
                causes.invalid(
                    path, asked, "provided port is not in the valid range. The range of valid ports is 30000-32767"
                )
            elif asked and asked in taken:
                causes.invalid(path, asked, "provided port is already allocated")
            while not asked or (asked in taken and not port.get("nodePort")):
                asked = secrets.choice(_PORTS)
            port["nodePort"] = asked
            taken.add(asked)
