"""The rules by which objects are made, changed and deleted, whether over HTTP or from inside."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any, Literal

from tui.sandbox import changes, fields, objects, patches, problems, shapes, validation
from tui.sandbox.allocation import Allocation
from tui.sandbox.events import Events
from tui.sandbox.kinds import Kind, Kinds
from tui.sandbox.model import Change, Json, Meant, Propagation
from tui.sandbox.objects import Deletion, Options
from tui.sandbox.store import Store

CRDS = "customresourcedefinitions.apiextensions.k8s.io"
#: Pods in these phases have nothing that could end gracefully.
_OVER = ("Succeeded", "Failed")


class Registry:
    """The objects with their rules. It is `Objects` (see `model.py`) for controllers and kubelet.

    Attributes:
        store: where the objects are.
        kinds: the resources that are served.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.kinds = Kinds()
        self._allocation = Allocation(store)
        self._events = Events(self)
        for entry in store.list(CRDS):
            self.kinds.define(entry.load())

    # ── Objects ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def kind(self, resource: str) -> Kind:
        """The kind behind a resource's key.

        Raises:
            ApiError: 404 NotFound.
        """
        found = self.kinds.of(resource)
        if found is None:
            raise problems.no_resource()
        return found

    def get(self, resource: str, namespace: str, name: str) -> Json | None:
        """See `Objects.get`."""
        entry = self.store.get(resource, f"{namespace}/{name}")
        return entry.load() if entry else None

    def select(self, resource: str, namespace: str, meant: Meant) -> list[Json]:
        """See `Objects.select`."""
        every = self.store.list(resource, namespace)
        return [entry.load() for entry in every if meant(entry.labels, entry.controller)]

    def list(self, resource: str, namespace: str | None = None, labels: Mapping[str, str] | None = None) -> list[Json]:
        """See `Objects.list`."""
        wanted = (labels or {}).items()
        return [entry.load() for entry in self.store.list(resource, namespace) if wanted <= entry.labels.items()]

    def create(self, resource: str, obj: Json, *, manager: str = "sandbox") -> Json:
        """See `Objects.create`."""
        return self.add(self.kind(resource), obj.get("metadata", {}).get("namespace", ""), obj, Options(manager))

    def update(self, resource: str, obj: Json, *, subresource: str = "", manager: str = "sandbox") -> Json:
        """See `Objects.update`."""
        meta = obj["metadata"]
        options = Options(manager, subresource)
        return self.replace(self.kind(resource), meta.get("namespace", ""), meta["name"], obj, options)

    def patch(
        self, resource: str, namespace: str, name: str, patch: Json, *, subresource: str = "", manager: str = "sandbox"
    ) -> Json:
        """See `Objects.patch`."""
        options = Options(manager, subresource)
        return self.change(self.kind(resource), namespace, name, lambda old: patches.merge(old, patch), options)

    def delete(
        self,
        resource: str,
        namespace: str,
        name: str,
        *,
        uid: str = "",
        grace: int | None = None,
        propagation: Propagation = "Background",
    ) -> None:
        """See `Objects.delete`."""
        self.remove(self.kind(resource), namespace, name, Deletion(uid, "", grace, propagation))

    def subscribe(self, resources: Iterable[str]) -> AsyncIterator[Change]:
        """See `Objects.subscribe`."""
        return self.store.subscribe(resources)

    def event(
        self, about: Json, reason: str, message: str, *, kind: Literal["Normal", "Warning"] = "Normal", source: str = ""
    ) -> None:
        """See `Objects.event`."""
        self._events.record(about, reason, message, kind, source)

    # ── What the server does with them ───────────────────────────────────────────────────────────────────────────────

    def fetch(self, kind: Kind, namespace: str, name: str) -> Json:
        """One object.

        Raises:
            ApiError: 404 NotFound.
        """
        found = self.get(kind.key, namespace, name)
        if found is None:
            raise problems.not_found(kind, name)
        return found

    def add(self, kind: Kind, namespace: str, obj: object, options: Options) -> Json:
        """Makes an object.

        Raises:
            ApiError: 400, 403 (the namespace goes), 404 (there is no such namespace), 409, 422.
        """
        made = objects.shaped(kind, obj, options)
        metadata = made["metadata"]
        if metadata.get("resourceVersion"):
            raise problems.bad("resourceVersion should not be set on objects to be created")
        self._placed(kind, namespace, made)
        objects.begun(kind, made)
        return self._added(kind, made, options)

    def _placed(self, kind: Kind, namespace: str, obj: Json) -> None:
        metadata = obj["metadata"]
        if not kind.namespaced:
            return
        if metadata.get("namespace", namespace) != namespace:
            raise problems.bad("the namespace of the provided object does not match the namespace sent on the request")
        metadata["namespace"] = namespace
        home = self.get("namespaces", "", namespace)
        if home is None:
            raise problems.not_found(self.kind("namespaces"), namespace)
        if home["metadata"].get("deletionTimestamp"):
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise problems.forbidden(kind, metadata.get("name", ""), why)

    def _added(self, kind: Kind, made: Json, options: Options) -> Json:
        metadata = made["metadata"]
        objects.filled(kind, made)
        self._allocation.fill(kind, made)
        validation.check(kind, made)
        key = f"{metadata.get('namespace', '')}/{metadata['name']}"
        if self.store.get(kind.key, key):
            raise problems.exists(kind, metadata["name"])
        if not any(entry.get("operation") == "Apply" for entry in metadata.get("managedFields", [])):
            metadata.pop("managedFields", None)
            objects.owned(kind, None, made, options)
        if kind.key == CRDS:
            objects.establish(made)
        if options.dry:
            return made
        self.store.put(kind.key, key, made)
        if kind.key == CRDS:
            self.kinds.define(made)
        return made

    def replace(self, kind: Kind, namespace: str, name: str, obj: object, options: Options) -> Json:
        """Replaces an object or its subresource.

        Raises:
            ApiError: 400, 404, 409, 422.
        """
        if options.subresource == "scale":
            return self._scale(kind, namespace, name, lambda _: obj, options)
        made = objects.shaped(kind, obj, options)
        metadata = made["metadata"]
        if metadata.setdefault("name", name) != name:
            raise problems.bad(
                f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
            )
        if kind.namespaced and metadata.setdefault("namespace", namespace) != namespace:
            raise problems.bad("the namespace of the provided object does not match the namespace sent on the request")
        return self._replaced(kind, self.fetch(kind, namespace, name), made, options)

    def change(self, kind: Kind, namespace: str, name: str, edit: Callable[[Json], Any], options: Options) -> Json:
        """Changes an object or its subresource; `edit` gets it and returns what it shall be.

        Raises:
            ApiError: 400, 404, 409, 422.
        """
        if options.subresource == "scale":
            return self._scale(kind, namespace, name, edit, options)
        old = self.fetch(kind, namespace, name)
        # A patch may leave the version out; one that names another is told of the conflict.
        return self._replaced(kind, old, self._named(kind, old, edit(old), options), options)

    @staticmethod
    def _named(kind: Kind, old: Json, obj: object, options: Options) -> Json:
        made = objects.shaped(kind, obj, options)
        for part in ("name", "namespace"):
            if made["metadata"].get(part, old["metadata"].get(part)) != old["metadata"].get(part):
                raise problems.bad(f"the {part} of the object does not match the {part} on the URL")
            if part in old["metadata"]:
                made["metadata"][part] = old["metadata"][part]
        return made

    def _scale(self, kind: Kind, namespace: str, name: str, edit: Callable[[Json], Any], options: Options) -> Json:
        old = self.fetch(kind, namespace, name)
        wanted = edit(objects.scale_of(kind, old))
        if not isinstance(wanted, dict) or wanted.get("kind", "Scale") != "Scale":
            told = wanted.get("kind") if isinstance(wanted, dict) else "object"
            raise problems.bad(f'{told} in version "v1" cannot be handled as a Scale: unknown conversion')
        shape = shapes.of_kind("autoscaling/v1", "Scale") or shapes.ANY
        scale = shapes.read(shape, wanted, "Scale", "v1").object
        replicas = scale.get("spec", {}).get("replicas", 0)
        if replicas < 0:
            causes = problems.Causes()
            causes.invalid("spec.replicas", replicas, "must be greater than or equal to 0")
            raise causes.error("Scale", "autoscaling", name)
        if scale.get("metadata", {}).get("name", name) != name:
            raise problems.bad(f"the name of the object does not match the name on the URL ({name})")
        made = objects.scaled(kind, old, replicas)
        made["metadata"]["resourceVersion"] = scale.get("metadata", {}).get("resourceVersion", "")
        plain = Options(options.manager, "", options.dry)
        return objects.scale_of(kind, self._replaced(kind, old, made, plain))

    def _replaced(self, kind: Kind, old: Json, made: Json, options: Options) -> Json:
        name, before, sent = old["metadata"]["name"], old["metadata"], made["metadata"]
        if sent.get("resourceVersion") and sent["resourceVersion"] != before["resourceVersion"]:
            raise problems.conflict(kind, name)
        if (uid := sent.get("uid")) and uid != before["uid"]:
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {before['uid']}"
            raise problems.conflict(kind, name, why)
        if options.subresource and options.subresource not in kind.subresources:
            raise problems.no_resource()
        made = objects.continued(kind, old, made, options)
        if not options.subresource:
            objects.filled(kind, made)
            self._allocation.fill(kind, made)
            validation.check(kind, made)
            changes.check_change(kind, old, made)
        if objects.same(old, made):
            return old
        objects.owned(kind, old, made, options)
        return self._kept(kind, old, made, options)

    def _kept(self, kind: Kind, old: Json, made: Json, options: Options) -> Json:
        if objects.same(old, made):
            return old
        wanted = {key: value for key, value in made.items() if key not in ("metadata", "status")}
        if objects.counted(kind) and any(old.get(key) != value for key, value in wanted.items()):
            made["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        if options.dry:
            return made
        key = f"{made['metadata'].get('namespace', '')}/{made['metadata']['name']}"
        made = self.store.put(kind.key, key, made)
        if kind.key == CRDS and not options.subresource:
            self.kinds.define(made)
        waiting = made["metadata"].get("finalizers") or made.get("spec", {}).get("finalizers")
        over = made["metadata"].get("deletionGracePeriodSeconds", 0) == 0
        if made["metadata"].get("deletionTimestamp") and not waiting and over:
            return self.store.remove(kind.key, key)
        return made

    def apply(self, kind: Kind, namespace: str, name: str, config: object, options: Options) -> tuple[Json, bool]:
        """Server-side apply: the object, and whether it was made.

        Raises:
            ApiError: 400, 404, 409 (with what is owned by whom), 422.
        """
        applied = objects.shaped(kind, config, options)
        metadata = applied["metadata"]
        if metadata.setdefault("name", name) != name:
            raise problems.bad(
                f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
            )
        if metadata.get("managedFields"):
            raise problems.bad("metadata.managedFields must be nil")
        old = self.get(kind.key, namespace, name)
        if options.subresource and options.subresource != "status":
            raise problems.no_method()
        status = "status" in kind.subresources
        wanted = fields.leaves(kind.shape, applied, subresource=options.subresource, status=status)
        entries = old["metadata"].get("managedFields") if old else None
        managers = fields.Managers(entries, kind.api_version, options.subresource, objects.now())
        if old is None:
            if options.subresource:
                raise problems.not_found(kind, name)
            managers.assign(options.manager, "Apply", set(wanted))
            self._placed(kind, namespace, applied)
            objects.begun(kind, applied)
            metadata["managedFields"] = managers.written()
            return self._added(kind, applied, options), True
        for part, have in (("resourceVersion", "resourceVersion"), ("uid", "uid")):
            if metadata.get(part, old["metadata"][have]) != old["metadata"][have]:
                raise problems.conflict(kind, name)
        return self._applied(kind, old, applied, wanted, managers, options), False

    def _applied(
        self,
        kind: Kind,
        old: Json,
        applied: Json,
        wanted: dict[fields.Path, Any],
        managers: fields.Managers,
        options: Options,
    ) -> Json:
        live = fields.leaves(kind.shape, old, subresource=options.subresource, status="status" in kind.subresources)
        refusal = fields.conflicts(managers, live, wanted, options.manager)
        if refusal and not options.force:
            raise refusal
        managers.take(
            options.manager,
            "Apply",
            {path for path, value in wanted.items() if path not in live or live[path] != value},
        )
        dropped = managers.owned(options.manager, "Apply") - wanted.keys()
        kept = set(wanted).union(*(paths for _, paths in managers.by_others(options.manager, "Apply")))
        managers.assign(options.manager, "Apply", set(wanted))
        made = fields.merge(kind.shape, fields.without(kind.shape, old, dropped, kept), applied)
        made = objects.continued(kind, old, copy.deepcopy(made), options)
        if not options.subresource:
            objects.filled(kind, made)
            self._allocation.fill(kind, made)
            validation.check(kind, made)
            changes.check_change(kind, old, made)
        written = managers.written()
        owners = old["metadata"].get("managedFields")
        made["metadata"]["managedFields"] = written
        if objects.same(old, made) and owners != written and not options.dry:
            # Nothing of the object changed, but who owns it.
            return self.store.put(kind.key, f"{made['metadata'].get('namespace', '')}/{made['metadata']['name']}", made)
        return self._kept(kind, old, made, options)

    def remove(self, kind: Kind, namespace: str, name: str, deletion: Deletion) -> tuple[Json, bool]:
        """Deletes an object or marks it: the object as it is then, and whether it is gone.

        Raises:
            ApiError: 404, 409.
        """
        obj = self.fetch(kind, namespace, name)
        metadata = obj["metadata"]
        if deletion.uid and deletion.uid != metadata["uid"]:
            told = f"the UID in the precondition ({deletion.uid}) does not match the UID in record ({metadata['uid']})"
            raise problems.conflict(kind, name, f"{told}. The object might have been deleted and then recreated")
        if deletion.version and deletion.version != metadata["resourceVersion"]:
            raise problems.conflict(kind, name)
        if kind.key == "namespaces" and name in ("default", "kube-system", "kube-public"):
            raise problems.forbidden(kind, name, "this namespace may not be deleted")
        grace = _grace(kind, obj, deletion.grace)
        marked = metadata.get("deletionTimestamp")
        finalizers = [part for part in metadata.get("finalizers", []) if part not in ("orphan", "foregroundDeletion")]
        finalizers += {"Orphan": ["orphan"], "Foreground": ["foregroundDeletion"]}.get(deletion.propagation, [])
        if marked:
            finalizers = metadata.get("finalizers", [])
        key = f"{namespace}/{name}"
        if not finalizers and not obj.get("spec", {}).get("finalizers") and grace == 0:
            if deletion.dry:
                return obj, True
            if kind.key == CRDS:
                self._drop(obj)
            return self.store.remove(kind.key, key), True
        if marked and grace >= metadata.get("deletionGracePeriodSeconds", 0):
            return obj, False
        metadata["deletionTimestamp"] = objects.later(grace)
        metadata["deletionGracePeriodSeconds"] = grace
        metadata["generation"] = metadata.get("generation", 0) + 1
        if finalizers:
            metadata["finalizers"] = finalizers
        if kind.key == "namespaces":
            obj["status"]["phase"] = "Terminating"
        return (obj if deletion.dry else self.store.put(kind.key, key, obj)), False

    def _drop(self, crd: Json) -> None:
        """Removes all objects of a definition, without waiting for who would finalize them: they could not be seen."""
        resource = crd["metadata"]["name"]
        for key in self.store.keys(resource):
            self.store.remove(resource, key)
        self.kinds.drop(resource)


def _grace(kind: Kind, obj: Json, asked: int | None) -> int:
    """How many seconds an object gets to end; only pods that run need any."""
    if kind.key != "pods" or not obj["spec"].get("nodeName") or obj.get("status", {}).get("phase") in _OVER:
        return 0
    grace = asked if asked is not None else obj["spec"].get("terminationGracePeriodSeconds", 30)
    return max(int(grace), 0)
