"""The parts below the widgets: safe text, themes, order, arrangement, panes as data, keys, the terminal's watchdog."""

from __future__ import annotations

import importlib
import os
import pkgutil
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from fakes import HOSTILE, NOW, all_states, claim, hostile, many, member, sample, workload
from rich.cells import cell_len
from textual.color import Color

import tui.consoles
import tui.screens
import tui.widgets
from tui.problem import Cause, ProblemError
from tui.screens import themes
from tui.screens.chooser import Choice, matching
from tui.screens.keys import BINDINGS
from tui.screens.overview import pane, preview, table
from tui.screens.overview.arrange import arrange, column_counts
from tui.screens.overview.members import members, shape, steady
from tui.screens.overview.order import SORTS, Order, faulty, grouped
from tui.screens.terminal import gone
from tui.systems.model import Health, Kind, Role, Rollout
from tui.text import one_line, safe
from tui.widgets.notice import Text, lay, wrap
from tui.widgets.statusline import Status, pieces

ROOT = Path(__file__).resolve().parents[2]


# --- text


def test_safe_keeps_length_and_shows_controls() -> None:
    for bad in (HOSTILE, "\t\n\r\x00\x7f\x85\u2028\u202e\u2066\ufeff\u00ad\U000e0041", "\ud800x"):
        shown = safe(bad)
        assert len(shown) == len(bad)
        assert shown.isprintable()
        shown.encode()
    assert safe("\x1b[31m") == "␛[31m"
    assert safe("Ünïcode 宽 [b]x[/b] \\") == "Ünïcode 宽 [b]x[/b] \\"
    assert one_line("a\n  b\tc\x07") == "a b c␇"


def test_wrap_never_exceeds_and_loses_nothing() -> None:
    for width in (1, 4, 9, 40):
        lines = wrap("a message of words\n  and an-unbreakable-" + "x" * 60, width)
        assert all(cell_len(line) <= width for line in lines)
        assert "".join(lines).replace(" ", "").startswith("amessageofwords")
        assert "".join(lines).replace(" ", "").endswith("x" * 60)


@pytest.mark.parametrize("height", [1, 3, 5, 15])
def test_a_notice_keeps_title_and_keys(height: int) -> None:
    text = Text("✗", "failing", "It failed.", (("evidence " * 200, "dim"),), (("r", "again"), ("q", "quit")))
    lines = ["".join(part for part, _ in line) for line in lay(text, 60, height)]
    assert len(lines) <= height
    assert "It failed." in "\n".join(lines)
    if height >= 3:
        assert "q quit" in lines[-1]


# --- themes


def contrast(one: Color, other: Color) -> float:
    def light(color: Color) -> float:
        parts = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in color.normalized]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    brighter, darker = sorted((light(one), light(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def test_four_themes_are_shipped() -> None:
    assert themes.names() == ["colour-blind", "dark", "light", "terminal"]


@pytest.mark.parametrize("name", ["dark", "light", "colour-blind"])
def test_text_stands_out(name: str) -> None:
    """WCAG AA for everything that is read, on the plain ground and on that of the cursor's line."""
    theme = themes.load(name)
    decoration = ("frame", "bar", "bar-rest", "bar-warn", "bar-full")
    for ground in (theme.background, theme.boost):
        assert ground is not None
        for ink in themes.INKS:
            if ink in theme.variables and ink not in decoration:
                ratio = contrast(Color.parse(theme.variables[ink]), Color.parse(ground))
                assert ratio >= 4.5, (ink, ground, round(ratio, 2))
        assert contrast(Color.parse(theme.variables["muted"]), Color.parse(ground)) >= 4.0
        assert contrast(Color.parse(theme.variables["frame-focus"]), Color.parse(ground)) >= 3.0


def test_the_terminal_theme_uses_the_sixteen_colours_only() -> None:
    theme = themes.load("terminal")
    assert theme.ansi
    for value in (
        theme.background,
        theme.foreground,
        theme.accent,
        *(theme.variables[ink] for ink in themes.INKS if ink in theme.variables),
    ):
        assert value is not None
        assert value.startswith("ansi_")


@pytest.mark.parametrize(
    ("text", "key", "hint"),
    [
        ("colors: {background: '#000', foreground: '#fff'}\ninks: {redy: red}", "inks.redy", "'ready'"),
        ("colors: {background: nocolour, foreground: '#fff'}", "colors.background", "#rrggbb"),
        ('colors:\n  background: "#000000"\n', "colors.foreground", ""),
        ("dark: perhaps\ncolors: {background: '#000', foreground: '#fff'}", "dark", ""),
        ("kolors: {}", "kolors", "'colors'"),
        ("colors: [1]", "colors", ""),
    ],
)
def test_a_mistake_in_a_theme_is_named(text: str, key: str, hint: str) -> None:
    with pytest.raises(ProblemError) as caught:
        themes.parse("mine", text, "/home/me/mine.yaml")
    problem = caught.value.problem
    assert problem.cause is Cause.CONFIG
    assert "/home/me/mine.yaml" in problem.what
    assert problem.evidence.startswith(key)
    assert hint in problem.remedy


def test_not_yaml_at_all() -> None:
    for text in ("{", "- a\n- b", "\x00"):
        with pytest.raises(ProblemError):
            themes.parse("mine", text, "mine.yaml")


def test_the_short_reader_reads_what_yaml_reads() -> None:
    for name in themes.names():
        text = (ROOT / "themes" / f"{name}.yaml").read_text()
        assert themes._plain(text) == yaml.safe_load(text)


def test_a_theme_of_ones_own_wins(tmp_path: Path) -> None:
    (tmp_path / "dark.yaml").write_text("colors: {background: '#010203', foreground: '#ffffff'}")
    assert themes.load("dark", tmp_path).background == "#010203"
    with pytest.raises(ProblemError, match="Did you mean 'dark'"):
        themes.load("drak", tmp_path)


# --- order


def names(order: Order, workloads: Any = None) -> list[str]:
    return [each.name for each in order.apply(workloads or all_states())]


def test_words_of_the_filter() -> None:
    assert names(Order().filtered("mysql")) == ["ledger", "mysql", "orders"]
    assert names(Order().filtered("MYSQL !orders")) == ["ledger", "mysql"]
    assert names(Order().filtered("primary")) == ["mysql", "orders", "shop", "cache"]
    assert names(Order().filtered("crashloop")) == ["ledger"]
    assert names(Order().filtered("!")) == names(Order())


def test_every_sort_turns_and_is_stable() -> None:
    for sort in SORTS:
        order = Order(sort=sort)
        assert sorted(names(order)) == sorted(names(order.turned()))
        assert names(order) == names(order, list(reversed(all_states())))
    assert names(Order(sort="use"))[0] == "ledger"
    assert names(Order(sort="use", reverse=True))[-1] == "ledger"


def test_faults_are_what_wants_attention() -> None:
    assert {each.name for each in all_states() if faulty(each)} == {"mysql", "ledger", "shop", "cache"}


# --- arrangement


@pytest.mark.parametrize("width", [20, 44, 80, 120, 200])
@pytest.mark.parametrize("count", [1, 2, 5, 13])
def test_panes_never_overlap_and_fill_the_width(width: int, count: int) -> None:
    workloads = many(count)
    groups = [
        (kind.value, [(each.key, 4 + number % 3) for number, each in enumerate(group)])
        for kind, group in grouped(workloads)
    ]
    for columns in column_counts(count, width):
        arranged = arrange(groups, width, columns)
        taken: set[tuple[int, int]] = set()
        for place in arranged.places.values():
            cells = {
                (x, y) for x in range(place.x, place.x + place.width) for y in range(place.y, place.y + place.height)
            }
            assert not cells & taken
            taken |= cells
            assert place.x + place.width <= width
            assert place.y + place.height <= arranged.height
        assert set(arranged.keys) == {each.key for each in workloads}
        for key in arranged.keys:
            place = arranged.places[key]
            assert arranged.at(place.x, place.y) == key
            assert arranged.neighbour(arranged.neighbour(key, 0, 1), 0, -1) in arranged.keys


# --- panes


@pytest.mark.parametrize("width", [20, 30, 44, 47, 69, 110])
@pytest.mark.parametrize("each", [*all_states(), *hostile(), *many(1, 40)], ids=lambda each: each.key[-12:])
def test_every_line_of_a_pane_is_as_wide_as_the_pane(each: Any, width: int) -> None:
    for look in (
        pane.Look(width),
        pane.Look(width, selected=True, stale=True, letter="a", height=pane.height(each, width) + 2),
    ):
        lines = pane.lines(each, look, NOW)
        assert len(lines) == (look.height or pane.height(each, width))
        for line in lines:
            text = "".join(part for part, _ in line)
            assert cell_len(text) == width, text
            assert text.isprintable()


def text_of(each: Any, width: int = 60) -> str:
    return "\n".join("".join(part for part, _ in line) for line in pane.lines(each, pane.Look(width), NOW))


def test_unknown_use_is_a_question_mark_with_its_reason_never_a_zero() -> None:
    text = text_of(sample()[1])
    assert "0%" not in text
    assert " ? │" in text
    assert "use: class standard reports none" in text


def test_a_shared_file_system_is_not_told_as_the_claims_own() -> None:
    known = claim(used=0.5)
    assert known.usage is not None
    shared = workload(members=[member(claims=(replace(known, usage=replace(known.usage, shared=True)),))])
    text = text_of(shared)
    assert "~50%" in text
    assert "of a file system larger than the claim" in text


def test_what_stands_in_is_said_and_never_in_the_way_of_state() -> None:
    said = "Valkey stands in for MySQL: it knows no SQL"
    made = workload("shop", members=[member("shop-0", stands_in=said, claims=(claim(used=0.5),))])

    def drawn(each: Any, width: int) -> list[str]:
        return ["".join(text for text, _ in line) for line in pane.lines(each, pane.Look(width), NOW)]

    wide, narrow = drawn(made, 90), drawn(made, 44)
    assert "Valkey stands in for MySQL" in wide[1]
    assert "Valkey" not in wide[-1]
    assert "1/1 ready" in narrow[1]
    assert "Valkey stands in for MySQL" in narrow[-1]
    assert pane.height(made, 44) == len(narrow)
    ill = drawn(replace(made, why="shop-0: it is ill", health=Health.FAILING), 44)
    assert "it is ill" in ill[-1]
    assert "Valkey" not in "".join(ill)


def test_the_table_says_what_stands_in_where_nothing_else_is_to_be_said() -> None:
    said = "Valkey stands in for MySQL: it knows no SQL"
    made = workload("shop", members=[member("shop-0", stands_in=said, claims=(claim(used=0.5),))])
    assert table.row(made, NOW).cells[-1] == (("Valkey stands in for MySQL", "dim"),)
    ill = replace(made, why="shop-0: it is ill", health=Health.FAILING)
    assert table.row(ill, NOW).cells[-1] == (("shop-0: it is ill", ""),)
    under = ["".join(text for text, _ in line).strip() for line in preview.lines(ill, 80, 8, NOW)]
    assert "Valkey stands in for MySQL" in under


def test_a_pane_neither_grows_nor_shrinks_when_a_member_falls_ill() -> None:
    well = workload(members=[member("a-0", claims=(claim(),)), member("a-1", claims=(claim(),))])
    ill = replace(
        well,
        members=(
            replace(well.members[0], health=Health.FAILING, phase="CrashLoopBackOff", restarts=7),
            well.members[1],
        ),
        why="a-0: the container exits with 1, and this is a long story that does not fit on one line of a narrow pane",
        rollouts=(Rollout("a", "a-77", 1, 2, stuck="a-0 is not ready"),),
    )
    for width in (44, 69, 110):
        assert pane.height(ill, width) == pane.height(well, width)
    assert "⚠ a-0: the container exits with 1" in text_of(ill)


def test_many_members_are_summed_up() -> None:
    text = text_of(many(1, 40)[0])
    assert "… 29 more ●●●" in text
    assert pane.height(many(1, 40)[0], 60) < 20


def test_more_than_two_claims_of_a_member_are_one_line_with_the_fullest() -> None:
    claims = tuple(claim(f"data{n}-x-0", n / 10) for n in range(1, 5))
    lines = members(workload(members=[member("x-0", claims=claims)]), 60, NOW)
    assert len(lines) == 1
    text = "".join(part for part, _ in lines[0])
    assert "4×10Gi" in text
    assert "40%" in text


def test_bars_do_not_need_colour() -> None:
    low, high = (text_of(workload(members=[member(claims=(claim(used=used),))])) for used in (0.1, 0.9))
    assert low.count("━") < high.count("━")
    assert "·" in low


# --- status line


@pytest.mark.parametrize("width", [20, 60, 80, 100, 140])
def test_the_status_line_fits_and_keeps_the_state(width: int) -> None:
    status = Status(
        "a-context-with-a-long-name",
        "7 namespaces: a, b, c, d, …",
        "◌",
        "warn",
        "stale since 12:07:31",
        "dial tcp 10.0.0.1:6443: connect: connection refused, and a long story",
        ("read-only", "as bob"),
        (1000, 10000, 10000, 37),
        "/mysql 3 of 1000",
    )
    text = "".join(part for part, _ in pieces(status, width))
    assert cell_len(text) == width
    assert "stale" in text
    if width >= 100:
        assert "dial tcp" in text


# --- chooser and keys


def test_matching_prefers_beginnings_then_parts_then_letters() -> None:
    choices = [Choice("1", "namespace"), Choice("2", "stateful"), Choice("3", "stale"), Choice("4", "faults", "z")]
    assert [each.value for each in matching(choices, "sta")] == ["2", "3"]
    assert [each.value for each in matching(choices, "nsp")] == ["1"]
    assert [each.value for each in matching(choices, "xyz")] == []


def bindings() -> Iterator[tuple[str, str]]:
    for package in (tui.screens, tui.widgets, tui.consoles):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            for found in vars(importlib.import_module(module.name)).values():
                if isinstance(found, type) and found.__module__.startswith("tui."):
                    for binding in vars(found).get("BINDINGS", ()):
                        if getattr(binding, "id", None):
                            yield binding.id, binding.key


def test_every_binding_is_in_the_list_that_the_settings_are_checked_with() -> None:
    found: dict[str, set[str]] = {}
    for ident, key in bindings():
        found.setdefault(ident, set()).add(key)
    assert set(found) == set(BINDINGS)
    for ident, keys in found.items():
        assert BINDINGS[ident] in keys or ident in ("app.back",), (ident, keys)


def test_every_ctrl_key_has_an_alias_without() -> None:
    for ident, keys in bindings():
        every = keys.split(",")
        assert not all(key.startswith("ctrl+") for key in every), ident


# --- the terminal


def test_a_closed_terminal_is_seen() -> None:
    ours, theirs = pty.openpty()
    assert not gone(theirs)
    os.close(ours)
    assert gone(theirs)
    os.close(theirs)
    assert gone(theirs)
    read, write = os.pipe()
    assert not gone(read)
    os.close(write)
    os.close(read)


@pytest.mark.parametrize("ignored", [False, True])
def test_the_program_ends_with_its_terminal(ignored: bool, tmp_path: Path) -> None:
    """With SIGHUP ignored too: no orphan, no spinning."""
    script = tmp_path / "run.py"
    script.write_text(
        "import sys, signal\n"
        f"sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'tests' / 'tui')!r}]\n"
        + ("signal.signal(signal.SIGHUP, signal.SIG_IGN)\n" if ignored else "")
        + "import tui.screens.terminal as terminal\nterminal.INTERVAL = 0.2\n"
        "import fakes\nfrom tui.screens import app as module\nmodule.INTERVAL = 0.2\n"
        "fakes.app_for(fakes.FakeLive(fakes.sample())).run()\n"
    )
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, str(script)], {**os.environ, "COLUMNS": "100", "LINES": "30"})
    seen = b""
    while b"DATABASES" not in seen and b"WORKLOAD" not in seen:
        seen += os.read(fd, 65536)
    os.close(fd)
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return
        time.sleep(0.05)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    pytest.fail("the program outlived its terminal")


# --- start


def test_the_first_frame_needs_no_client() -> None:
    """By module, not by time: a client imported at the top of any module on the way would delay the first frame."""
    code = (
        "import sys; import tui.screens.app; "
        "print([m for m in ('aiohttp', 'kubernetes_asyncio', 'msgspec', 'yaml', 'markdown_it', 'pygments.lexers',"
        " 'textual.widgets._data_table', 'textual.widgets._markdown', 'tui.kube.api', 'tui.systems.live',"
        " 'tui.screens.workload.screen', 'tui.screens.chooser') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert out.stdout.strip() == "[]"


def test_groups_follow_the_order_of_kinds() -> None:
    assert [kind for kind, _ in grouped(all_states())] == [Kind.DATABASE, Kind.OBJECT_STORE, Kind.QUEUE, Kind.OTHER]


def shared(*each: Any, width: int = 65) -> list[list[str]]:
    """The members' lines of panes that share their columns, at the width they have when two stand in 140 cells."""
    form = shape([steady(one) for one in each], width)
    return [["".join(text for text, _ in line) for line in members(one, width, NOW, shape=form)] for one in each]


def replicated(*labels: str, health: Health = Health.READY, phase: str = "Running", role: str = "replica") -> Any:
    """A workload of members with these labels."""
    return workload(
        "orders",
        members=[
            member(f"orders-{label}", health, phase, label=label, role=Role(role), claims=(claim("data", 0.2),))
            for label in labels
        ],
    )


@pytest.mark.parametrize(
    ("health", "phase", "said"),
    [
        (Health.READY, "Running", "● replica Running "),
        (Health.RUNNING, "Running", "Running 0/1 "),
        (Health.FAILING, "CrashLoopBackOff", "✗ CrashLoopBackOff"),
    ],
)
def test_the_state_is_whole_however_long_the_labels_are(health: Health, phase: str, said: str) -> None:
    calm = replicated("0", role="node")
    drawn, _ = shared(replicated("primary-0", "secondary-0", health=health, phase=phase), calm)
    assert all(said in line for line in drawn)
    assert [line[:2] for line in drawn] == ["pr", "se"]
    assert all("…0 " in line[:7] for line in drawn)


def test_labels_that_have_much_in_common_are_cut_there_and_stay_different() -> None:
    labels = [f"pool-{pool}-{ordinal}" for pool in range(2) for ordinal in range(2)]
    (drawn,) = shared(replicated(*labels, health=Health.RUNNING, role="server"))
    assert all("Running 0/1 " in line for line in drawn)
    assert [line.split()[0] for line in drawn] == ["…0-0", "…0-1", "…1-0", "…1-1"]
    wide = members(replicated(*labels), 110, NOW)
    assert "".join(text for text, _ in wide[0]).startswith("pool-0-0 ● replica Running")


def test_the_state_goes_before_the_names_of_claims() -> None:
    claims = (claim("data-zero-tenant-0"), claim("data-one-tenant-0"))
    (drawn,) = shared(workload("tenant", members=[member("tenant-0", role=Role("server"), claims=claims)]))
    assert "server Running" in drawn[0]
