"""The settings: origins, precedence, and mistakes that name file, line, key and the nearest valid key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tui import settings
from tui.commands import config
from tui.settings import Settings, SettingsError
from tui.settings_forwards import ForwardSetting

BINDINGS = ("app.quit", "overview.filter")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    folder = tmp_path / "config" / "statetui"
    folder.mkdir(parents=True)
    return folder


def write(home: Path, text: str) -> Path:
    file = home / "config.yaml"
    file.write_text(text)
    return file


def load(**more: object) -> Settings:
    return settings.load(environ={}, bindings=BINDINGS, **more)  # type: ignore[arg-type]


def mistakes(**more: object) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(**more)
    return caught.value.problem.evidence.splitlines()


def test_no_file_gives_the_defaults() -> None:
    found = load()
    assert found == Settings()
    assert not found.chosen("layout")


def test_every_key_is_read_with_its_origin(home: Path) -> None:
    file = write(
        home,
        "theme: light\nlayout: table\nmouse: off\n"
        "keys:\n  app.quit: [q, ctrl+q]\n  overview.filter: slash\n"
        "read_only: true\nprotected: ['prod-*']\nnamespaces:\n  'prod-*': [db, mq]\n  '*': [default, db]\n"
        "low_bandwidth: true\nlog_level: debug\n",
    )
    found = load()
    assert (found.theme, found.layout, found.mouse, found.low_bandwidth) == ("light", "table", False, True)
    assert found.keys == {"app.quit": "q,ctrl+q", "overview.filter": "slash"}
    assert found.favourites("prod-eu") == ("db", "mq", "default")
    assert found.favourites("test") == ("default", "db")
    assert found.log_level == "debug"
    assert found.origins["mouse"] == f"file {file}:3"
    assert found.chosen("layout")


def test_protection_is_by_pattern_of_context_names(home: Path) -> None:
    write(home, "protected: [prod-*, 'arn:aws:*']\n")
    found = load()
    assert found.protects("prod-eu")
    assert found.protects("arn:aws:eks:x")
    assert not found.protects("preprod-eu")
    assert not found.protects("PROD-eu"), "context names are told apart by case"
    assert Settings(read_only=True).protects("anything")


def test_flag_wins_over_environment_over_file(home: Path) -> None:
    write(home, "theme: light\nlayout: grid\nmouse: false\n")
    found = settings.load(
        environ={"STATETUI_LAYOUT": "table", "STATETUI_THEME": "dark", "STATETUI_PROTECTED": "a*, b"},
        flags={"theme": "terminal", "layout": None},
    )
    assert (found.theme, found.layout, found.mouse, found.protected) == ("terminal", "table", False, ("a*", "b"))
    assert found.origins["theme"] == "flag --theme"
    assert found.origins["layout"] == "env STATETUI_LAYOUT"


@pytest.mark.parametrize(("text", "value"), [("1", True), ("yes", True), ("OFF", False), ("0", False)])
def test_booleans_of_the_environment(text: str, value: bool) -> None:
    assert settings.load(environ={"STATETUI_MOUSE": text}).mouse is value


def test_unknown_key_names_file_line_and_nearest(home: Path) -> None:
    file = write(home, "# mine\ntheme: dark\nprotectd: [prod]\n")
    assert mistakes() == [f"file {file}:3: protectd: no such key; did you mean protected?"]


def test_all_mistakes_are_told_at_once(home: Path) -> None:
    file = write(home, "theme: drak\nlayout: tabel\nmouse: 1\nread_only: 'yes'\nprotected: prod\nlog_level: loud\n")
    assert mistakes() == [
        f"file {file}:1: theme: 'drak' is not known; did you mean dark?",
        f"file {file}:2: layout: 'tabel' is not known; did you mean table?",
        f"file {file}:3: mouse: expected true or false, found the number 1",
        f"file {file}:4: read_only: expected true or false, found 'yes'",
        f"file {file}:5: protected: expected a list, found 'prod'",
        f"file {file}:6: log_level: 'loud' is not known; valid: debug, error, info, warning",
    ]


def test_mistakes_below_a_key_name_it_whole(home: Path) -> None:
    file = write(home, "keys:\n  app.quti: q\nnamespaces:\n  prod:\n  - 1\n")
    assert mistakes() == [
        f"file {file}:2: keys.app.quti: no binding has this id; did you mean app.quit?",
        f"file {file}:5: namespaces.prod: expected text, found the number 1",
    ]


def test_a_doubled_key_is_a_mistake(home: Path) -> None:
    file = write(home, "protected: [prod]\ntheme: dark\nprotected: []\n")
    assert mistakes() == [f"file {file}:3: protected: stands twice"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("theme: [dark\n", "it is not YAML"),
        ("- theme\n", "expected `key: value` lines, found a list"),
        ("just words\n", "found 'just words'"),
        ("theme: !!python/object:os.system x\n", "it is not YAML"),
        ("? [a]\n: b\n", "a key must be text"),
        ("a: &a [*a]\n", "nested"),
        ("theme: \x00\n", "it is not YAML"),
    ],
)
def test_what_is_not_settings_is_refused_in_words(home: Path, text: str, message: str) -> None:
    file = write(home, text)
    (line,) = mistakes()
    assert line.startswith(f"file {file}")
    assert message in line


def test_bytes_that_are_not_text_are_refused(home: Path) -> None:
    (home / "config.yaml").write_bytes(b"theme: \xff\xfe\n")
    (line,) = mistakes()
    assert "it is not YAML" in line


def test_empty_files_are_fine(home: Path) -> None:
    write(home, "# nothing yet\n")
    assert load() == Settings()
    write(home, "")
    assert load() == Settings()


def test_a_named_file_must_exist_and_the_usual_one_need_not(tmp_path: Path) -> None:
    missing = tmp_path / "other.yaml"
    assert mistakes(file=missing) == [f"file {missing}: there is no such file"]
    assert load(file=Path("/dev/null")) == Settings()


def test_a_directory_or_a_huge_file_is_told_in_words(home: Path) -> None:
    (home / "config.yaml").mkdir()
    assert "cannot be read" in mistakes()[0]
    (home / "config.yaml").rmdir()
    write(home, "#" * (settings.LARGEST_FILE + 1))
    assert "larger than" in mistakes()[0]


def test_the_file_is_never_written(home: Path) -> None:
    file = write(home, "theme: dark  # my comment\n")
    file.chmod(0o400)
    before = file.read_bytes(), file.stat().st_mtime_ns
    load()
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
    assert [path.name for path in home.iterdir()] == ["config.yaml"]


def test_forwards_are_defined_by_name(home: Path) -> None:
    file = write(
        home,
        "forwards:\n  shop-db: {context: 'prod-*', workload: shop/shop, port: 5432, role: primary, local: 15432}\n"
        "  web:\n    workload: svc/minio\n    port: http-minio\n    local: unix:~/minio\n    sticky: false\n"
        "  one: {workload: mysql, pod: 2}\n",
    )
    found = load()
    assert found.forwards == {
        "shop-db": ForwardSetting("shop/shop", "prod-*", 5432, role="primary", local=15432),
        "web": ForwardSetting("svc/minio", port="http-minio", local="unix:~/minio", sticky=False),
        "one": ForwardSetting("mysql", pod="2"),
    }
    assert list(found.forwards_of("prod-eu")) == ["shop-db", "web", "one"]
    assert list(found.forwards_of("test")) == ["web", "one"]
    assert found.origins["forwards"] == f"file {file}:2"
    (shown,) = [line for line in config.lines(found) if line.startswith("forwards: ")]
    plain = json.loads(shown.partition(":")[2].partition("  #")[0])
    assert plain["one"] == {"workload": "mysql", "pod": "2"}
    assert plain["shop-db"] == {
        "workload": "shop/shop",
        "context": "prod-*",
        "port": 5432,
        "role": "primary",
        "local": 15432,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a]", "1: forwards: expected a mapping of names, found a list"),
        ("{a: b}", "1: forwards.a: expected keys such as workload and port, found 'b'"),
        ("{a b: {workload: x}}", "1: forwards.a b: a name is made of letters, digits, dots, _ and -"),
        ("{a: {workload: x}, a: {workload: y}}", "1: forwards.a: stands twice"),
        ("{a: {port: 1}}", "1: forwards.a.workload: is missing"),
        ("\n  a:\n    workload: x\n    prot: 1", "4: forwards.a.prot: no such key; did you mean port?"),
        ("{a: {workload: x, workload: y}}", "1: forwards.a.workload: stands twice"),
        ("{a: {workload: 'x:1'}}", "1: forwards.a.workload: 'x:1' has a port, which has a key of its own: port"),
        ("{a: {workload: x/y/z}}", "'x/y/z' is not NAME, NAMESPACE/NAME, pod/NAME or svc/NAME"),
        (
            "{a: {workload: x, port: 0}}",
            "1: forwards.a.port: expected a port (1 to 65535) or its name, found the number 0",
        ),
        ("{a: {workload: x, port: '80'}}", "found '80'"),
        ("{a: {workload: x, port: true}}", "found true"),
        (
            "{a: {workload: x, local: 65536}}",
            "forwards.a.local: expected a port (0 for any free one) or unix:PATH, found",
        ),
        ("{a: {workload: x, local: /tmp/s}}", "found '/tmp/s'"),
        ("{a: {workload: x, sticky: often}}", "forwards.a.sticky: expected true or false, found 'often'"),
        ("{a: {workload: x, pod: 1, role: primary}}", "forwards.a: pod and role exclude each other"),
        ("{a: {workload: x, pod: -1}}", "forwards.a.pod: expected text, found the number -1"),
        ("{a: {workload: [x]}}", "forwards.a.workload: expected text, found a list"),
    ],
)
def test_mistakes_in_forwards_are_named(home: Path, text: str, message: str) -> None:
    write(home, f"forwards: {text}\n")
    (line,) = mistakes()
    assert message in line


@pytest.mark.parametrize(("text", "level"), [("off", "off"), ("unconditional", "unconditional"), ("all", "all")])
def test_which_statements_are_held_back_is_set(home: Path, text: str, level: str) -> None:
    write(home, f"sql: {{confirm: {text}}}\n")
    found = load()
    assert found.sql.confirm == level
    assert any(line.startswith(f'sql: {{"confirm": "{level}"}}') for line in config.lines(found))


def test_all_that_destroys_is_held_back_unless_somebody_says_otherwise(home: Path) -> None:
    assert load().sql.confirm == "all"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("all", "1: sql: expected a mapping, found 'all'"),
        ("{confirm: some}", "1: sql.confirm: 'some' is not known; valid: all, off, unconditional"),
        ("{confirms: all}", "1: sql.confirms: no such key; did you mean confirm?"),
    ],
)
def test_mistakes_in_sql_are_named(home: Path, text: str, message: str) -> None:
    write(home, f"sql: {text}\n")
    (line,) = mistakes()
    assert message in line
