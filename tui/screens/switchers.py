"""What the chooser chooses: actions, contexts, namespaces, themes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from textual.dom import DOMNode

from tui.paths import config_dir
from tui.problem import ProblemError
from tui.screens import themes as themes_of
from tui.screens.chooser import Choice, Chooser
from tui.widgets.keyline import key_name

if TYPE_CHECKING:
    from tui.kube.cluster import Cluster
    from tui.screens.app import StatetuiApp
    from tui.screens.gateway import Gateway

log = logging.getLogger(__name__)

#: Seconds after which a list of namespaces that does not come is given up; those known are there from the start.
PATIENCE = 5.0
#: Stands for all namespaces; no namespace can be called so.
ALL = "*"
#: Bindings of these move a cursor; nobody looks for that in the palette.
MOVES = ("grid.", "rows.", "lines.")
#: Workloads that the palette offers to go to.
PLACES = 300


def palette(app: StatetuiApp) -> None:
    """Every action that is possible here and now, every workload to go to, and in a sandbox the faults."""
    if isinstance(app.screen, Chooser):
        return
    actions: dict[str, tuple[str, DOMNode]] = {}
    keys: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for active in app.screen.active_bindings.values():
        binding = active.binding
        moves = binding.id is None or (binding.id.startswith(MOVES) and not binding.show)
        if binding.description and active.enabled and not moves and binding.action != "palette":
            actions.setdefault(binding.action, (binding.action, active.node))
            names.setdefault(binding.action, binding.description)
            keys.setdefault(binding.action, []).append(key_name(binding.key))
    choices = [
        Choice(f"do {action}", names[action], " ".join(sorted(dict.fromkeys(keys[action]), key=len)))
        for action in actions
    ]
    choices += app.console_choices()
    choices += app.fault_choices()
    choices += [Choice(f"theme {name}", f"Theme: {name}", current=name == app.theme) for name in _themes()]
    choices += [
        Choice(f"open {workload.key}", f"Open {workload.name}", f"{workload.title}  {workload.namespace}")
        for workload in list(app.workloads.values())[:PLACES]
    ]

    async def chosen(value: str | None) -> None:
        what, _, rest = (value or "").partition(" ")
        if what == "do":
            action, node = actions[rest]
            await app.run_action(action, node)
        elif what == "theme":
            app.use_theme(rest)
        elif what == "open":
            app.open_workload(rest)
        elif what == "sql":
            app.open_sql(rest)
        elif what == "bucket":
            app.open_bucket(rest)
        elif what == "queue":
            app.open_queue(rest)
        elif what == "operations":
            app.open_operations(rest)
        elif what == "fault":
            app.make_fault(rest)
        elif what == "mend":
            app.end_fault(rest)

    app.push_screen(Chooser("Everything", [replace(choice, current=False) for choice in choices]), chosen)


def theme(app: StatetuiApp) -> None:
    """A theme, the person's own among them."""
    choices = [Choice(name, name, current=name == app.theme) for name in _themes()]
    app.push_screen(Chooser("Theme", choices), _unless_none(app.use_theme))


def namespaces(app: StatetuiApp) -> None:
    """One namespace or all. Those that are known stand there at once, the others follow when the server has told."""
    live = app.live
    if live is None or live.context is None:
        return
    context, cluster, options = live.context, live.cluster, app.options
    name = context.name
    favourites = app.settings.favourites(name)
    known = {workload.namespace for workload in app.workloads.values()} | {context.namespace}
    if options.namespace:
        known.add(options.namespace)

    def listed(found: Iterable[str]) -> list[Choice]:
        present = {workload.namespace: 0 for workload in app.workloads.values()}
        for workload in app.workloads.values():
            present[workload.namespace] += 1
        rest = sorted(
            set(found) | set(favourites), key=lambda each: (each not in favourites, -present.get(each, 0), each)
        )
        current = None if options.all_namespaces else options.namespace
        return [
            Choice(ALL, "all namespaces", current=current is None),
            *(Choice(each, each, _count(present.get(each, 0)), each == current) for each in rest),
        ]

    def chosen(value: str) -> None:
        app.leave_for(
            replace(
                app.options,
                context=name if not context.in_cluster else None,
                namespace=None if value == ALL else value,
                all_namespaces=value == ALL,
            )
        )

    chooser = Chooser(f"Namespace in {name}", listed(known))
    app.push_screen(chooser, _unless_none(chosen))

    async def more(cluster: Cluster) -> None:
        try:
            found = await asyncio.wait_for(cluster.namespaces(), PATIENCE)
        except Exception as error:  # whatever it was, the known ones stand there
            log.info("the namespaces did not come: %s", error)
            return
        if chooser.is_current:
            chooser.set_choices(listed([*found, *known]))

    if cluster is not None:
        chooser.run_worker(more(cluster), exit_on_error=False)


def contexts(app: StatetuiApp, gateway: Gateway) -> None:
    """Another context. Only the kubeconfig is read for it, so that an unreachable cluster is in nobody's way."""
    chooser = Chooser("Context", (), "type to narrow")
    here = app.live.context.name if app.live is not None and app.live.context is not None else ""

    def chosen(value: str) -> None:
        app.leave_for(replace(app.options, context=value, namespace=None, all_namespaces=False))

    app.push_screen(chooser, _unless_none(chosen))

    async def read() -> None:
        try:
            found = await gateway.contexts(app.options)
        except ProblemError as error:
            chooser.set_choices((), str(error.problem))
            return
        choices = [Choice(each.name, each.name, f"{each.server}  {each.user}", each.name == here) for each in found]
        if chooser.is_current:
            chooser.set_choices(choices, "the kubeconfig names no context" if not choices else "nothing matches")

    chooser.run_worker(read(), exit_on_error=False)


def _unless_none(then: Callable[[str], None]) -> Callable[[str | None], None]:
    def chosen(value: str | None) -> None:
        if value is not None:
            then(value)

    return chosen


def _themes() -> list[str]:
    return themes_of.names(config_dir() / "themes")


def _count(workloads: int) -> str:
    return "" if not workloads else "1 workload" if workloads == 1 else f"{workloads} workloads"
