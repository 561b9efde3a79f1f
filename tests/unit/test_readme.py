"""The README says what is so: commands, exit codes, settings, fields, and the rights that are needed."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from tui import cli, paths
from tui.commands import check_rights, output
from tui.kube.access import Rule
from tui.settings import Settings
from tui.systems.catalogue import load_catalogue
from tui.systems.model import Claim, Health, Kind, Member, Owner, Role, Workload

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def test_ci_runs_the_tests_with_the_command_of_the_readme() -> None:
    (command,) = re.findall(r"^    (\.ci/setup && .*pytest.*)$", README, re.MULTILINE)
    assert f"\n  {command}\n" in (ROOT / ".ci" / "run").read_text("utf-8")


def test_the_scripts_can_be_run() -> None:
    for name in ("run", "setup"):
        assert (ROOT / ".ci" / name).stat().st_mode & 0o111


def test_exit_codes_are_those_of_the_help() -> None:
    in_help = set(re.findall(r"^  (\d+)  ", cli._EPILOG, re.MULTILINE)) | {"141"}
    (line,) = re.findall(r"^Exit codes: (.*?)\n\n", README, re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"`(\d+)`", line)) == in_help


def test_every_setting_is_there_and_no_other() -> None:
    told = re.findall(r"^\| `(\w+)` \|", README[README.index("## Settings") :], re.MULTILINE)
    assert told == [field.name for field in fields(Settings) if field.name != "origins"]


def test_every_theme_is_named() -> None:
    assert all(f"`{name}`" in README for name in paths.theme_names())


def told_fields(name: str) -> set[str]:
    (cells,) = re.findall(rf"^\| {name} \| (.*) \|$", README, re.MULTILINE)
    return set(re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", cells)))


def test_the_fields_of_json_are_those_that_are_told() -> None:
    claim = Claim("c", "u", "d", Health.READY, "Bound", 1, 1, "", "", "", (), None, "why", None)
    role, state = Role("primary"), Health.READY
    member = Member(
        "p", "u", "0", "s", 0, role, state, "Running", "1/1", 0, "", None, None, "", "", "", True, (), (claim,)
    )  # fmt: skip
    workload = Workload(
        "k", Kind.DATABASE, "mysql", "MySQL", "w", "n", "", "", Owner(), state, 1, 1, (member,),
        (), (), (), "", "", (), None
    )  # fmt: skip
    found = output.workload(workload)
    assert told_fields("workload") == set(found)
    assert told_fields("owner") == set(found["owner"])
    assert told_fields("member") == set(found["members"][0])
    assert told_fields("role") == set(found["members"][0]["role"])
    assert told_fields("claim") == set(found["members"][0]["claims"][0])


def cluster_role() -> list[Rule]:
    (block,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    role = yaml.safe_load(block)
    return [Rule(tuple(rule["verbs"]), tuple(rule["apiGroups"]), tuple(rule["resources"])) for rule in role["rules"]]


@pytest.mark.parametrize("right", check_rights.rights(load_catalogue().customs), ids=lambda right: right.name)
def test_the_cluster_role_grants_each_right_that_is_used_and_none_that_is_not(right: check_rights.Right) -> None:
    granted = all(
        any(rule.allows(verb, right.resource, right.group) for rule in cluster_role()) for verb in right.verbs
    )
    assert granted is (right.heading == check_rights.GROUP)
