"""The embedded cluster: a small Kubernetes whose pods are processes of this machine. It imports nothing of the rest.

    kubectl, helm, statetui ──HTTPS──▶ server ─▶ registry ─▶ store ──changes──▶ controllers, kubelet ──▶ registry

`cluster.Cluster` puts the parts together, in this order of reading:

- **What is shared**: `model` (objects are JSON; the protocols `Objects`, which controllers and kubelet are given, and
  `Pods`, which the API asks of the kubelet), `kinds` (the resources) and `shapes` (their fields, from `schema.json`).
- **Keeping objects**: `store` has each object as the bytes that are sent for it, one counter for all changes, and the
  last few thousand of these, which watches are served from; `journal` is its file. `registry` has the rules: what a
  write goes through (`objects`: defaults, `allocation`, `validation`, `changes`, `fields` for who owns which field).
- **The API**: `server` (who asks: `users`, `pki`; what is meant: `targets`; whether they may: `rbac`, `reviews`), then
  `handlers` for each verb, `watching` for watches, `tables` and `cells` for what kubectl prints, `patches`, `bodies`,
  `protobuf`, `discovery`. Refusals are `ApiError`, worded as the real server words them (`problems`).
- **Connections into pods**: `streams`: logs, exec, attach, port-forward, over websockets and SPDY.
- **What makes it go on**: `controllers` (one work queue: `engine`; one module for each kind of object), `collector`
  (owners: `ownership`), `reclaim` (directories of volumes), `events`, `eviction`.
- **Running pods**: `kubelet` (`kubelet` → `pod` → `container` → `processes`, whose supervisor is a process of its own
  and leaves nothing behind), and `images`, the adapters that start real servers.
- **For people**: `scene` (what the demo begins with), `missing` (what has to be installed), `faults` (what can be made
  to go wrong: `faultsorts`, `faultnode`, `latency`).

Three rules hold throughout. Controllers and kubelet call `Objects`, never the store, so that what is true over HTTP is
true within. A call returns at once and what it returned is current; what comes from `Objects` is never changed in
place. Where the real Kubernetes does something else, the sandbox is wrong: tests say where it was looked up or seen.

`python -m tui.sandbox --directory DIR` runs it, `tests/bench/sandbox_load.py` measures it with 10,000 objects.
"""
