"""What the server does with each verb on a resource."""

from __future__ import annotations

import base64
import binascii
import itertools
import json
from collections.abc import Callable, Sequence
from typing import cast

from aiohttp import web

from tui.sandbox import bodies, events, eviction, objects, patches, problems, selectors, shapes, tables, watching
from tui.sandbox.kinds import Kind
from tui.sandbox.model import ApiError, Json, Propagation
from tui.sandbox.objects import Deletion, Options
from tui.sandbox.registry import Registry
from tui.sandbox.shapes import Value
from tui.sandbox.store import Entry, Expired
from tui.sandbox.targets import Target

#: Subresources of which the object itself is shown.
_SHOWN = ("", "status")
#: How many objects of a list, or of a watch's beginning, are sent at once.
_PIECE = 100


class Resources:
    """Answers requests about resources."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._store = registry.store

    async def handle(self, request: web.Request, target: Target) -> web.StreamResponse:
        """Answers a request whose sender may ask it.

        Raises:
            ApiError: every refusal.
        """
        kind = self._registry.kinds.find(target.group, target.version, target.plural)
        if kind is None or (target.namespace and not kind.namespaced and target.plural != "namespaces"):
            raise problems.no_resource()
        if target.subresource and target.subresource not in kind.subresources:
            raise problems.no_resource()
        # An object of kind Namespace is asked for inside itself, but kept outside of all.
        namespace = target.namespace if kind.namespaced else ""
        if kind.namespaced and not namespace and (target.name or target.verb in ("create", "deletecollection")):
            raise problems.no_method() if not target.name else problems.no_resource()
        match target.verb:
            case "get":
                return self._get(request, kind, namespace, target)
            case "list":
                return await self._list(request, kind, namespace)
            case "watch":
                return await self._watch(request, kind, namespace, target.name)
            case "create":
                return await self._create(request, kind, namespace, target)
            case "update":
                return await self._update(request, kind, namespace, target)
            case "patch":
                return await self._patch(request, kind, namespace, target)
            case "delete" | "deletecollection":
                return await self._delete(request, kind, namespace, target)
        raise problems.no_method()

    # ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @staticmethod
    def _show(kind: Kind) -> Callable[[Json], Json] | None:
        if kind.view:
            return events.newer
        if kind.stored and kind.stored != kind.version:
            return lambda obj: {**obj, "apiVersion": kind.api_version}
        return None

    def _shown(self, request: web.Request, kind: Kind, obj: Json, status: int = 200) -> web.Response:
        form, _ = bodies.form(request.headers.get("Accept", ""))
        if form == "Table" and obj.get("kind") == kind.name:
            meta = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
            include = request.query.get("includeObject", "Metadata")
            return bodies.answer(tables.table(kind, [obj], meta, include=include), status)
        show = self._show(kind)
        if form == "PartialObjectMetadata":
            return bodies.answer(tables.partial(obj), status)
        return bodies.answer(show(obj) if show and obj.get("kind") == kind.name else obj, status)

    def _get(self, request: web.Request, kind: Kind, namespace: str, target: Target) -> web.Response:
        if target.subresource == "scale":
            obj = objects.scale_of(kind, self._registry.fetch(kind, namespace, target.name))
            return bodies.answer(obj)
        if target.subresource not in _SHOWN:
            raise problems.no_method()
        return self._shown(request, kind, self._registry.fetch(kind, namespace, target.name))

    def _chosen(self, request: web.Request, kind: Kind, namespace: str, name: str = "") -> watching.Chosen:
        query = request.query
        form, _ = bodies.form(request.headers.get("Accept", ""))
        text = query.get("fieldSelector", "")
        if name:
            text = f"{text},metadata.name={name}".lstrip(",")
        if kind.view:
            text = text.replace("regarding.", "involvedObject.")
        return watching.Chosen(
            kind,
            namespace,
            selectors.labels(query.get("labelSelector", "")),
            selectors.fields(kind.key, text),
            form.removesuffix("List"),
            query.get("includeObject", "Metadata"),
            self._show(kind),
        )

    async def _list(self, request: web.Request, kind: Kind, namespace: str) -> web.StreamResponse:
        query = request.query
        chosen = self._chosen(request, kind, namespace)
        limit, token = _number(query, "limit"), query.get("continue", "")
        revision, start = self._store.revision, ""
        exact = query.get("resourceVersionMatch") == "Exact"
        asked = _version(query.get("resourceVersion", ""))
        if asked is not None and asked > self._store.revision:
            raise _too_new(asked, self._store.revision)
        if token:
            revision, start = _continued(token)
        elif exact and asked:
            revision = asked
        try:
            every = self._store.list(kind.key, namespace or None, revision)
            entries = [entry for entry in every if entry.key > start and chosen.meant(entry)]
        except Expired:
            told = (
                "The provided continue parameter is too old to display a consistent list result."
                if token
                else "The resourceVersion for the provided list is too old."
            )
            raise problems.expired(told) from None
        meta: Json = {"resourceVersion": str(revision)}
        if limit and len(entries) > limit:
            if not chosen.labels and not query.get("fieldSelector"):
                meta["remainingItemCount"] = len(entries) - limit
            entries = entries[:limit]
            mark = json.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": entries[-1].key})
            meta["continue"] = base64.urlsafe_b64encode(mark.encode()).decode().rstrip("=")
        if chosen.form != "Table" and len(entries) > _PIECE:
            return await _streamed(request, chosen, entries, meta)
        return bodies.answer(_listed(chosen, entries, meta))

    async def _watch(self, request: web.Request, kind: Kind, namespace: str, name: str) -> web.StreamResponse:
        query = request.query
        chosen = self._chosen(request, kind, namespace, name)
        length = watching.length(query.get("timeoutSeconds", ""))
        bookmarks = query.get("allowWatchBookmarks", "").lower() in ("1", "true")
        streaming = query.get("sendInitialEvents", "").lower() in ("1", "true")
        asked = _version(query.get("resourceVersion", ""))
        if query.get("sendInitialEvents") and query.get("resourceVersionMatch") != "NotOlderThan":
            causes = problems.Causes()
            why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            causes.forbidden("resourceVersionMatch", why)
            raise causes.error("ListOptions", "meta.k8s.io", "")
        if asked is not None and asked > self._store.revision:
            raise _too_new(asked, self._store.revision)
        watch = watching.Watch(self._store, chosen, bookmarks=bookmarks)
        response = web.StreamResponse(headers=bodies.HEADERS)
        response.enable_chunked_encoding()
        await response.prepare(request)
        revision = asked or self._store.revision
        if streaming or (not asked and query.get("sendInitialEvents", "").lower() != "false"):
            revision = self._store.revision
            initial = watch.initial()
            while gathered := b"".join(itertools.islice(initial, _PIECE)):
                await response.write(gathered)
            if streaming and bookmarks:
                await response.write(watch.bookmark(revision, first=True))
        await watch.follow(response, revision, length)
        await response.write_eof()
        return response

    # ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @staticmethod
    def _options(request: web.Request, target: Target, what: str) -> Options:
        query = request.query
        dry = query.getall("dryRun", [])
        if any(value != "All" for value in dry):
            causes = problems.Causes()
            causes.unsupported("dryRun", dry, ("All",))
            raise causes.error(what, "meta.k8s.io", "")
        manager = query.get("fieldManager", "")
        if len(manager) > 128 or not manager.isprintable():
            causes = problems.Causes()
            causes.invalid("fieldManager", manager, "may not be more than 128 bytes, of printable characters")
            raise causes.error(what, "meta.k8s.io", "")
        agent = request.headers.get("User-Agent", "").partition("/")[0][:128]
        return Options(
            manager or agent or "unknown",
            target.subresource,
            bool(dry),
            query.get("fieldValidation") == "Strict",
            query.get("force", "").lower() in ("1", "true"),
        )

    @staticmethod
    async def _body(request: web.Request, kind: Kind) -> Value:
        body = bodies.parse(await request.read(), request.content_type, kind.name)
        return events.older(body) if kind.view and isinstance(body, dict) else body

    def _writable(self, kind: Kind) -> Kind:
        """The kind by whose rules an object is kept: the one that it shows, for a view."""
        return self._registry.kind(kind.key) if kind.view else kind

    async def _create(self, request: web.Request, kind: Kind, namespace: str, target: Target) -> web.Response:
        if target.subresource == "eviction":
            made = eviction.evict(self._registry, namespace, target.name, await self._body(request, kind))
            return bodies.answer(made, 201)
        if target.name:
            raise problems.no_method()
        options = self._options(request, target, "CreateOptions")
        body = await self._body(request, kind)
        return self._shown(request, kind, self._registry.add(self._writable(kind), namespace, body, options), 201)

    async def _update(self, request: web.Request, kind: Kind, namespace: str, target: Target) -> web.Response:
        if not target.name or target.subresource not in ("", "status", "scale", "finalize"):
            raise problems.no_method()
        options = self._options(request, target, "UpdateOptions")
        body = await self._body(request, kind)
        made = self._registry.replace(self._writable(kind), namespace, target.name, body, options)
        return self._shown(request, kind, made)

    async def _patch(self, request: web.Request, kind: Kind, namespace: str, target: Target) -> web.Response:
        if not target.name or target.subresource not in ("", "status", "scale"):
            raise problems.no_method()
        options = self._options(request, target, "PatchOptions")
        media, raw = request.content_type, await request.read()
        if media in ("application/apply-patch+yaml", "application/apply-patch+cbor"):
            if not request.query.get("fieldManager"):
                causes = problems.Causes()
                causes.required("fieldManager", "is required for apply patch")
                raise causes.error("PatchOptions", "meta.k8s.io", "")
            body = bodies.parse(raw, "application/yaml", kind.name)
            kept = self._writable(kind)
            made, new = self._registry.apply(kept, namespace, target.name, body, options)
            return self._shown(request, kind, made, 201 if new else 200)
        edit = _edit(kind, media, bodies.parse(raw, "application/json", kind.name), scale=target.subresource == "scale")
        made = self._registry.change(self._writable(kind), namespace, target.name, edit, options)
        return self._shown(request, kind, made)

    async def _delete(self, request: web.Request, kind: Kind, namespace: str, target: Target) -> web.Response:
        if target.subresource or (not target.name and kind.key == "namespaces"):
            raise problems.no_method()
        raw = await request.read()
        options = bodies.parse(raw, request.content_type, "DeleteOptions") if raw else {}
        deletion = _deletion(options, request.query)
        if target.name:
            obj, gone = self._registry.remove(self._writable(kind), namespace, target.name, deletion)
            if gone and kind.key not in ("pods", "namespaces"):
                details = {"name": target.name, "group": kind.group, "kind": kind.plural, "uid": obj["metadata"]["uid"]}
                told = {key: value for key, value in details.items() if value}
                done = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": told}
                return bodies.answer(done)
            return self._shown(request, kind, obj)
        chosen = self._chosen(request, kind, namespace)
        entries = [entry for entry in self._store.list(kind.key, namespace or None) if chosen.meant(entry)]
        for entry in entries:
            where, _, name = entry.key.partition("/")
            if self._store.get(kind.key, entry.key):
                self._registry.remove(self._writable(kind), where, name, deletion)
        return bodies.answer(_listed(chosen, entries, {"resourceVersion": str(self._store.revision)}))


def _listed(chosen: watching.Chosen, entries: Sequence[Entry], meta: Json) -> Json | bytes:
    if chosen.form == "Table":
        return tables.table(chosen.kind, [entry.load() for entry in entries], meta, include=chosen.include)
    return _head(chosen, meta) + b",".join(chosen.text(entry) for entry in entries) + b"]}"


def _head(chosen: watching.Chosen, meta: Json) -> bytes:
    """A list up to its first object."""
    name, version = f"{chosen.kind.name}List", chosen.kind.api_version
    if chosen.form:
        name, version = "PartialObjectMetadataList", "meta.k8s.io/v1"
    head = json.dumps({"kind": name, "apiVersion": version, "metadata": meta})
    return head[:-1].encode() + b',"items":['


async def _streamed(
    request: web.Request, chosen: watching.Chosen, entries: Sequence[Entry], meta: Json
) -> web.StreamResponse:
    """A long list in pieces: as a whole it would take its size in memory three times over, and hold others up."""
    response = web.StreamResponse(headers=bodies.HEADERS)
    await response.prepare(request)
    await response.write(_head(chosen, meta))
    for start in range(0, len(entries), _PIECE):
        piece = b",".join(chosen.text(entry) for entry in entries[start : start + _PIECE])
        await response.write(b"," + piece if start else piece)
    await response.write_eof(b"]}")
    return response


def _number(query: Value, name: str) -> int:
    text = query.get(name, "")
    try:
        return max(int(text or 0), 0)
    except ValueError:
        raise problems.bad(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def _version(text: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 19:
        why = f'Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        raise problems.bad(f"invalid resource version: resourceVersion: {why}")
    return int(text)


def _too_new(asked: int, current: int) -> ApiError:
    details = {
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    }
    return ApiError(504, "Timeout", f"Timeout: Too large resource version: {asked}, current: {current}", details)


def _continued(token: str) -> tuple[int, str]:
    try:
        mark = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return int(mark["rv"]), str(mark["start"])
    except (binascii.Error, ValueError, KeyError, TypeError) as problem:
        raise problems.bad(f"invalid continue token: continue key is not valid: {problem}") from None


def _edit(kind: Kind, media: str, patch: Value, *, scale: bool) -> Callable[[Json], Value]:
    if media == "application/json-patch+json":
        return lambda old: patches.json_patch(old, patch)
    if media not in ("application/merge-patch+json", "application/strategic-merge-patch+json"):
        raise ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type")
    if not isinstance(patch, dict):
        told = "array" if isinstance(patch, list) else "value"
        raise problems.bad(
            f"error decoding patch: json: cannot unmarshal {told} into Go value of type map[string]interface {{}}"
        )
    if media == "application/merge-patch+json":
        return lambda old: patches.merge(old, patch)
    if kind.rules is not None:
        why = "the body of the request was in an unknown format - accepted media types include: "
        raise ApiError(
            415,
            "UnsupportedMediaType",
            why + "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
        )
    shape = shapes.ANY if scale else kind.shape
    return lambda old: patches.strategic(shape, old, patch)


def _deletion(options: Value, query: Value) -> Deletion:
    if not isinstance(options, dict):
        raise problems.bad("the body of a deletion must be DeleteOptions")
    shape = shapes.of_kind("v1", "DeleteOptions") or shapes.ANY
    asked = shapes.read(shape, options, "DeleteOptions", "v1").object
    if query.get("gracePeriodSeconds"):
        asked["gracePeriodSeconds"] = _number(query, "gracePeriodSeconds")
    policy = asked.get("propagationPolicy") or query.get("propagationPolicy") or "Background"
    if asked.get("orphanDependents") or query.get("orphanDependents") == "true":
        policy = "Orphan"
    if policy not in ("Background", "Foreground", "Orphan"):
        causes = problems.Causes()
        causes.unsupported("propagationPolicy", policy, ("Foreground", "Background", "Orphan", "nil"))
        raise causes.error("DeleteOptions", "meta.k8s.io", "")
    chosen: Propagation = cast(Propagation, policy)
    before = asked.get("preconditions", {})
    dry = "All" in asked.get("dryRun", []) or "All" in query.getall("dryRun", [])
    return Deletion(
        before.get("uid", ""), before.get("resourceVersion", ""), asked.get("gracePeriodSeconds"), chosen, dry
    )
