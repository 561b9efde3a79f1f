"""The catalogue of systems: reads `manifests/*/system.yaml` and the user's own folders, strictly.

A mistake in a file never passes silently: unknown keys, wrong types and unknown words are reported with the file, the
path of the key and the nearest valid one. The format is described in `manifests/README.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from tui import yamlfile
from tui.kube.resources import Resource, custom
from tui.problem import Cause, Problem, ProblemError
from tui.services.sql.model import Wire
from tui.systems.block import Block, nearest
from tui.systems.clients import read_environment
from tui.systems.credentialrules import read_credentials
from tui.systems.model import Kind, Role
from tui.systems.packaging import COMMON_LABEL, Certainty, Custom, LabelTest, Match, Packaging, RoleRule, System

_KINDS = {"database": Kind.DATABASE, "object store": Kind.OBJECT_STORE, "queue": Kind.QUEUE, "other": Kind.OTHER}
_FILE = "system.yaml"
#: What the port of SQL is called.
SQL = "sql"
_SYSTEM = ("title", "titles", "kind", "images", "ports", "sql", "environment", "packagings")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A match in the order in which all systems' matches are tried."""

    match: Match
    system: System
    packaging: Packaging


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All systems that statetui knows.

    Attributes:
        systems: by id.
        customs: the custom resources to watch.
        candidates: every match of every packaging, the most certain first.
        by_custom: the packaging of each custom resource, by the resource's key. Several packagings may share a
            resource; the first is the one an object without pods is shown as.
        problems: files of the user's that were left out, and why.
    """

    systems: Mapping[str, System]
    customs: tuple[Resource, ...]
    candidates: tuple[Candidate, ...]
    by_custom: Mapping[str, tuple[System, Packaging]]
    problems: tuple[Problem, ...] = ()


def manifests_folder() -> Path:
    """Where the built-in systems are: inside an installed package, or beside it in a source tree."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "manifests"
    return inside if inside.is_dir() else package.parent / "manifests"


def load_catalogue(extra: Sequence[Path] = ()) -> Catalogue:
    """Reads the built-in systems, then the user's folders; a later system replaces an earlier one of the same id.

    A file of the user's that is wrong is left out and told in `problems`, so that it cannot keep the program from
    starting.

    Args:
        extra: folders that hold one folder with a `system.yaml` per system. Missing folders are fine.

    Raises:
        ProblemError: CONFIG, when a built-in file cannot be read.
    """
    systems = {file.parent.name: _read(file) for file in _files(manifests_folder())}
    if not systems:
        raise ProblemError(
            Problem(Cause.CONFIG, f"no system is described in {manifests_folder()}", remedy="Install statetui again.")
        )
    problems: list[Problem] = []
    for folder in extra:
        for file in _files(folder):
            try:
                systems[file.parent.name] = _read(file)
            except ProblemError as error:
                problems.append(error.problem)
    return assemble(systems.values(), tuple(problems))


def assemble(systems: Iterable[System], problems: tuple[Problem, ...] = ()) -> Catalogue:
    """Puts systems together to a catalogue."""
    known = {system.id: system for system in systems}
    candidates = [
        Candidate(match, system, packaging)
        for system in known.values()
        for packaging in system.packagings
        for match in packaging.matches
    ]
    candidates.sort(key=lambda candidate: candidate.match.certainty)  # stable: the files' order decides ties
    customs: dict[str, Resource] = {}
    by_custom: dict[str, tuple[System, Packaging]] = {}
    for system in known.values():
        for packaging in system.packagings:
            if packaging.custom is not None:
                resource = packaging.custom.resource
                customs.setdefault(resource.key, resource)
                by_custom.setdefault(resource.key, (system, packaging))
    return Catalogue(known, tuple(customs.values()), tuple(candidates), by_custom, problems)


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(file for file in folder.glob(f"*/{_FILE}") if file.is_file())
    except OSError:
        return []


def _read(file: Path) -> System:
    try:
        data = yamlfile.load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ProblemError(Problem(Cause.CONFIG, f"{file} cannot be read", str(error))) from error
    except yaml.YAMLError as error:
        raise ProblemError(Problem(Cause.CONFIG, f"{file} is not YAML", " ".join(str(error).split()))) from error
    return parse_system(file.parent.name, data, str(file))


def parse_system(system_id: str, data: object, file: str) -> System:
    """Makes a system of a file's content.

    Args:
        system_id: the folder's name.
        data: what the YAML holds.
        file: its name, for errors.

    Raises:
        ProblemError: CONFIG, naming the file, the key and the nearest valid one.
    """
    top = Block(file, "", data, _SYSTEM, ("title", "kind", "packagings"))
    kind = top.choice("kind", _KINDS)
    images = top.texts("images")
    ports = top.block("ports", None)
    system = System(
        id=system_id,
        title=top.text("title"),
        titles=top.block("titles", None).all_texts(),
        kind=_KINDS[kind],
        images=images,
        ports=ports.all_ports(),
        packagings=(),
    )
    packagings: dict[str, Packaging] = {}
    for block in top.blocks("packagings", _PACKAGING, ("id", "title", "match")):
        packaging = _packaging(block, system)
        if packaging.id in packagings:
            block.fail("id", f"{packaging.id!r} is used twice")
        packagings[packaging.id] = packaging
    environment = read_environment(top.block("environment", None), system.ports)
    sql = Wire(top.choice("sql", list(Wire))) if top.has("sql") else None
    if sql is not None and SQL not in system.ports:
        top.fail("sql", f"needs a port of that name: ports: {{{SQL}: …}}")
    return replace(system, packagings=tuple(packagings.values()), environment=environment, sql=sql)


_CUSTOM = ("group", "plural", "kind", "versions", "desired", "says")
_MATCH = ("owner", "labels", "image", "containers", "port")
_ROLE_RULE = ("label", "values", "ordinal", "lone", "every")
_PACKAGING = ("id", "title", "operator", "custom", "match", "workload", "roles", "credentials", "servers")


def _packaging(block: Block, system: System) -> Packaging:
    crd = _custom(block.block("custom", _CUSTOM)) if block.has("custom") else None
    matches = tuple(_match(match, system) for match in block.blocks("match", _MATCH, ()))
    if not matches:
        block.fail("match", "needs at least one way to recognise it")
    named_by = block.texts("workload") or ("controller",)
    for word in named_by:
        if word not in ("owner", "controller") and not (word.startswith("label ") and word[6:].strip()):
            near = nearest(word, ("owner", "controller", "label "))
            block.fail("workload", f"{word!r} is not one of owner, controller, label KEY{near}")
    return Packaging(
        id=block.text("id"),
        title=block.text("title"),
        operator=block.text("operator"),
        custom=crd,
        matches=matches,
        named_by=named_by,
        roles=tuple(_role_rule(rule) for rule in block.blocks("roles", _ROLE_RULE, ())),
        credentials=read_credentials(block.block("credentials", None)),
        servers=tuple(_label(key, values) for key, values in block.block("servers", None).all_lists().items()),
    )


def _custom(block: Block) -> Custom:
    block.require("group", "plural", "kind", "versions")
    resource = custom(block.text("group"), block.text("plural"), block.text("kind"), block.texts("versions"))
    return Custom(resource, _path(block.text("desired")), _path(block.text("says")))


def _path(text: str) -> tuple[str, ...]:
    return tuple(text.split(".")) if text else ()


def _match(block: Block, system: System) -> Match:
    owner = None
    if block.has("owner"):
        kind, _, group = block.text("owner").partition(".")
        if not group:
            block.fail("owner", "is written KIND.GROUP, as in Cluster.postgresql.cnpg.io")
        owner = (kind, group)
    labels = tuple(_label(key, values) for key, values in block.block("labels", None).all_lists().items())
    images = _images(block, system)
    port = None
    if block.has("port"):
        name = block.choice("port", system.ports)
        port = system.ports[name]
    containers = frozenset(block.texts("containers"))
    if owner is not None:
        certainty = Certainty.OWNER
    elif any(not COMMON_LABEL.match(test.key) for test in labels):
        certainty = Certainty.OPERATOR_LABEL
    elif labels:
        certainty = Certainty.COMMON_LABEL
    elif images:
        certainty = Certainty.IMAGE
    else:
        certainty = Certainty.GUESS
        if port is None or not containers:
            block.fail("", "says too little: an owner, labels, an image, or a port with containers is needed")
    return Match(certainty, owner, labels, images, containers, port)


def _images(block: Block, system: System) -> tuple[str, ...]:
    images = block.texts("image")
    if images == ("known",):
        if not system.images:
            block.fail("image", "known means the system's `images`, of which there are none")
        return system.images
    return images


def _label(key: str, values: tuple[str, ...]) -> LabelTest:
    return LabelTest(
        key,
        frozenset(value for value in values if "*" not in value),
        tuple(value for value in values if "*" in value),
    )


def _role_rule(block: Block) -> RoleRule:
    given = [key for key in ("label", "ordinal", "lone", "every") if block.has(key)]
    if len(given) != 1:
        block.fail("", "needs exactly one of label, ordinal, lone, every")
    if given == ["label"]:
        label = block.text("label")
        values = block.block("values", None)
        if not values.data:
            block.fail("values", "is missing: what does each value of the label mean?")
        return RoleRule(label=label, values={key: _role(values.child(key), f"label {label}") for key in values.data})
    if block.has("values"):
        block.fail("values", "belongs to a rule with `label`")
    if given == ["ordinal"]:
        ordinal = block.block("ordinal", ("first", "rest"))
        ordinal.require("first", "rest")
        source = "by convention of ordinals"
        return RoleRule(first=_role(ordinal.child("first"), source), rest=_role(ordinal.child("rest"), source))
    if given == ["lone"]:
        return RoleRule(lone=_role(block.child("lone"), "the only member"))
    return RoleRule(every=_role(block.child("every"), "all members are alike"))


def _role(block: Block, source: str) -> Role:
    block.allow(("role", "writes"), ("role",))
    writes = block.data.get("writes")
    if writes is not None and not isinstance(writes, bool):
        block.fail("writes", f"is true or false, not {writes!r}")
    return Role(block.text("role"), writes, source)
