"""The catalogue: what is built in, what users add, and what is said of mistakes."""

# ruff: noqa: E501 - tables, one case a line

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tui.kube.forward.listener import Listener
from tui.problem import Cause, ProblemError
from tui.systems.catalogue import load_catalogue, manifests_folder, parse_system
from tui.systems.clients import filled
from tui.systems.packaging import Certainty, image_matches, split_image, version_of

GOOD: dict[str, Any] = {
    "title": "Vault",
    "kind": "other",
    "images": ["hashicorp/vault"],
    "ports": {"api": 8200},
    "packagings": [
        {
            "id": "chart",
            "title": "chart {chart}",
            "match": [
                {"labels": {"app.kubernetes.io/name": "vault", "component": ["server", "s*"]}},
                {"image": "known"},
            ],
            "workload": "label app.kubernetes.io/instance",
            "roles": [{"label": "vault-active", "values": {"true": {"role": "active", "writes": True}}}],
        }
    ],
}


def changed(path: str, value: object) -> dict[str, Any]:
    """GOOD with one value replaced; `packagings.0.match` and the like lead through lists."""
    data = yaml.safe_load(yaml.safe_dump(GOOD))
    *way, last = path.split(".")
    place: Any = data
    for part in way:
        place = place[int(part) if part.isdigit() else part]
    place[int(last) if last.isdigit() else last] = value
    return data  # type: ignore[no-any-return]


def test_the_systems_are_built_in() -> None:
    catalogue = load_catalogue()
    assert set(catalogue.systems) == {
        "mysql", "minio", "cockroachdb", "rabbitmq", "postgresql", "redis", "yugabytedb", "vitess", "seaweedfs",
        "openio",
    }  # fmt: skip
    assert not catalogue.problems
    assert {resource.key for resource in catalogue.customs} >= {
        "clusters.postgresql.cnpg.io", "rabbitmqclusters.rabbitmq.com", "tenants.minio.min.io",
        "redisfailovers.databases.spotahome.com", "innodbclusters.mysql.oracle.com", "crdbclusters.crdb.cockroachlabs.com",
        "postgresqls.acid.zalan.do", "postgresclusters.postgres-operator.crunchydata.com",
    }  # fmt: skip
    assert len({resource.key for resource in catalogue.customs}) == len(catalogue.customs)


def test_the_most_certain_match_is_asked_first() -> None:
    certainties = [candidate.match.certainty for candidate in load_catalogue().candidates]
    assert certainties == sorted(certainties)
    assert certainties[0] is Certainty.OWNER


def test_built_in_files_lie_beside_the_package() -> None:
    assert (manifests_folder() / "mysql" / "system.yaml").is_file()


def test_a_good_file_is_read() -> None:
    system = parse_system("vault", GOOD, "system.yaml")
    (packaging,) = system.packagings
    assert [match.certainty for match in packaging.matches] == [Certainty.COMMON_LABEL, Certainty.IMAGE]
    assert packaging.matches[1].images == ("hashicorp/vault",)
    role = packaging.roles[0].values["true"]
    assert (role.name, role.writes, role.source) == ("active", True, "label vault-active")


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("titel", "x", "titel is not a key here; did you mean 'title'?"),
        ("title", 5, "title is a text, not int '5'"),
        ("kind", "databases", "kind is 'databases', not one of database, object store, queue, other; did you mean 'database'?"),
        ("ports", {"api": "8200"}, "ports.api is a port number"),
        ("ports", {"api": 70000}, "ports.api is a port number"),
        ("images", [1], "images is a text or a list of texts"),
        ("packagings", {}, "packagings is a list, not dict"),
        ("packagings.0.mach", [], "packagings[0].mach is not a key here; did you mean 'match'?"),
        ("packagings.0.match", [], "packagings[0].match needs at least one way"),
        ("packagings.0.match.0", {"lables": {}}, "packagings[0].match[0].lables is not a key here; did you mean 'labels'?"),
        ("packagings.0.match.0", {"owner": "Cluster"}, "packagings[0].match[0].owner is written KIND.GROUP"),
        ("packagings.0.match.0", {"port": "sql", "containers": ["x"]}, "packagings[0].match[0].port is 'sql', not one of api"),
        ("packagings.0.match.0", {"port": "api"}, "packagings[0].match[0] says too little"),
        ("packagings.0.match.0", {"labels": {"a": True}}, "packagings[0].match[0].labels.a is a text or a list of texts"),
        ("packagings.0.workload", "ovner", "packagings[0].workload 'ovner' is not one of owner, controller, label KEY; did you mean 'owner'?"),
        ("packagings.0.custom", {"group": "x", "kind": "y", "plural": "z"}, "packagings[0].custom.versions is missing"),
        ("packagings.0.roles.0", {"every": {"rule": "x"}}, "packagings[0].roles[0].every.rule is not a key here; did you mean 'role'?"),
        ("packagings.0.roles.0", {"every": {"role": "x", "writes": "yes"}}, "roles[0].every.writes is true or false"),
        ("packagings.0.roles.0", {"label": "x"}, "roles[0].values is missing"),
        ("packagings.0.roles.0", {"label": "x", "every": {"role": "y"}}, "roles[0] needs exactly one of"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_their_place(path: str, value: object, says: str) -> None:
    with pytest.raises(ProblemError) as error:
        parse_system("vault", changed(path, value), "/home/me/vault/system.yaml")
    problem = error.value.problem
    assert problem.cause is Cause.CONFIG
    assert problem.what.startswith("/home/me/vault/system.yaml: ")
    assert says in problem.what


@pytest.mark.parametrize("key", ["title", "kind", "packagings"])
def test_what_must_be_there_is_asked_for(key: str) -> None:
    data = dict(GOOD)
    del data[key]
    with pytest.raises(ProblemError, match=f"{key} is missing"):
        parse_system("vault", data, "f")


def test_two_packagings_of_one_id_are_refused() -> None:
    with pytest.raises(ProblemError, match=r"packagings\[1\].id 'chart' is used twice"):
        parse_system("vault", GOOD | {"packagings": GOOD["packagings"] * 2}, "f")


def test_users_add_systems_and_replace_built_in_ones(tmp_path: Path) -> None:
    for name, title in (("vault", "Vault"), ("mysql", "Our MySQL")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "system.yaml").write_text(yaml.safe_dump(GOOD | {"title": title}))
    catalogue = load_catalogue([tmp_path, tmp_path / "missing"])
    assert catalogue.systems["mysql"].title == "Our MySQL"
    assert set(catalogue.systems) >= {"vault", "postgresql"}
    assert "innodbclusters.mysql.oracle.com" not in {resource.key for resource in catalogue.customs}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("title: [", "is not YAML"),
        ("- a", "the file is a mapping of names, not list"),
        ("", "the file is a mapping of names, not nothing"),
        ("!!python/object/apply:os.system ['true']", "is not YAML"),
        ("title: X\nkind: nope\npackagings: []", "kind is 'nope'"),
    ],
)
def test_a_wrong_file_of_the_users_is_left_out_and_told(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "system.yaml").write_text(content)
    catalogue = load_catalogue([tmp_path])
    assert "bad" not in catalogue.systems and "mysql" in catalogue.systems
    (problem,) = catalogue.problems
    assert problem.cause is Cause.CONFIG and str(tmp_path) in problem.what and says in str(problem)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "system.yaml").write_bytes(b"\xff\xfe\x00")
    (problem,) = load_catalogue([tmp_path]).problems
    assert "cannot be read" in problem.what


@pytest.mark.parametrize(
    ("image", "pattern", "fits"),
    [
        ("mysql", "mysql", True),
        ("mysql:8.4", "mysql", True),
        ("docker.io/library/mysql@sha256:abc", "mysql", True),
        ("mirror.corp:5000/db/bitnamilegacy/mysql:8.0.12-debian-12-r4", "mysql", True),
        ("prom/mysqld-exporter", "mysql", False),
        ("bitnami/mysql-exporter", "mysql", False),
        ("minio/mc:latest", "minio", False),
        ("minio/mc:latest", "minio/minio", False),
        ("quay.io/minio/minio", "minio/minio", True),
        ("minio", "minio/minio", False),
        ("ghcr.io/zalando/spilo-18:4.1-p2", "spilo-*", True),
        ("goharbor/redis-photon", "redis", False),
        ("registry.developers.crunchydata.com/crunchydata/crunchy-postgres:ubi9-17.5", "crunchy-postgres", True),
    ],
)
def test_image_patterns(image: str, pattern: str, fits: bool) -> None:
    assert image_matches(image, (pattern,)) is fits


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("mysql:8.4", "8.4"), ("mysql", ""), ("mysql:latest", ""), ("localhost:5000/mysql", ""),
        ("bitnami/mysql:9.4.0-debian-12-r1", "9.4.0"), ("cockroachdb/cockroach:v24.3.0", "v24.3.0"),
        ("minio/minio:RELEASE.2025-04-08T15-41-24Z", "RELEASE.2025-04-08T15-41-24Z"), ("x@sha256:12", ""),
        ("x:1.2@sha256:12", "1.2"), ("mysql/community-server:26.7.0", "26.7.0"),
    ],
)  # fmt: skip
def test_versions_of_images(image: str, version: str) -> None:
    assert version_of(image) == version


def test_images_are_split_at_the_tag_not_at_the_port() -> None:
    assert split_image("localhost:5000/a/b") == ("localhost:5000/a/b", "")
    assert split_image("localhost:5000/a/b:1@sha256:x") == ("localhost:5000/a/b", "1")


def test_the_example_of_the_description_is_valid() -> None:
    text = (manifests_folder() / "README.md").read_text()
    example = text.partition("```yaml\n")[2].partition("```")[0]
    system = parse_system("vault", yaml.safe_load(example), "README.md")
    (packaging,) = system.packagings
    assert packaging.owner == ("Vault", "example.com")
    assert [match.certainty for match in packaging.matches] == [
        Certainty.OWNER, Certainty.COMMON_LABEL, Certainty.IMAGE, Certainty.GUESS,
    ]  # fmt: skip
    assert len(packaging.roles) == 4


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"apo": {}}, "vault.yaml: environment.apo is not one of `ports`; did you mean 'api'?"),
        ({"api": {"tpc": {}}}, "environment.api.tpc is not a key here; did you mean 'tcp'?"),
        ({"api": {"tcp": {"A-B": "x"}}}, "environment.api.tcp.A-B cannot be the name of a variable"),
        ({"api": {"tcp": {"A": 1}}}, "environment.api.tcp.A is a text, not int '1'"),
        (
            {"api": {"tcp": {"A": "{hots}"}}},
            "environment.api.tcp.A has {hots}, which is not one of {host}, {port}, {address}, {scheme}; did you mean 'host'?",
        ),
        ({"api": {"tcp": {"A": "{path}"}}}, "has {path}, which is not one of {host}"),
        ({"api": {"tcp": {"A": "{host!r}"}}}, "has {host!r}, which is not one of"),
        ({"api": {"tcp": {"A": "{host"}}}, "has {, which is not one of"),
        (
            {"api": {"unix": {"A": "{host}"}}},
            "environment.api.unix.A has {host}, which is not one of {path}, {directory}, {port}",
        ),
        ({"api": {"socket": "a/b"}}, "environment.api.socket is the name of a file without its directory"),
        ({"api": {"socket": "{host}"}}, "environment.api.socket has {host}"),
        (["api"], "environment is a mapping of names"),
    ],
)
def test_mistakes_in_the_clients_variables_are_named(environment: object, message: str) -> None:
    with pytest.raises(ProblemError) as caught:
        parse_system("vault", changed("environment", environment), "vault.yaml")
    assert message in caught.value.problem.what


def test_the_clients_variables_are_filled() -> None:
    catalogue = load_catalogue()
    tcp, unix = Listener(lambda: None), Listener(lambda: None)  # type: ignore[arg-type,return-value]
    tcp.host, tcp.port, tcp.address = "127.0.0.1", 15432, "127.0.0.1:15432"
    unix.path, unix.address = Path("/run/x/.s.PGSQL.5432"), "unix:/run/x/.s.PGSQL.5432"

    def found(system: str, port: str, listener: Listener, remote: int = 5432) -> dict[str, str]:
        return filled(catalogue.systems[system].environment[port], listener, remote=remote, scheme="https")

    assert found("postgresql", "sql", tcp) == {
        "PGHOST": "127.0.0.1", "PGPORT": "15432", "PGHOSTADDR": "", "PGSERVICE": ""
    }  # fmt: skip
    assert found("postgresql", "sql", unix) == {"PGHOST": "/run/x", "PGPORT": "5432", "PGHOSTADDR": "", "PGSERVICE": ""}
    assert found("cockroachdb", "sql", tcp)["COCKROACH_HOST"] == "127.0.0.1:15432"
    assert found("mysql", "sql", tcp) == {"MYSQL_HOST": "127.0.0.1", "MYSQL_TCP_PORT": "15432"}
    assert found("mysql", "sql", unix) == {"MYSQL_HOST": "localhost", "MYSQL_UNIX_PORT": "/run/x/.s.PGSQL.5432"}
    assert found("minio", "s3", tcp)["AWS_ENDPOINT_URL_S3"] == "https://127.0.0.1:15432"
    assert found("redis", "redis", unix) == {"REDIS_URL": "unix:///run/x/.s.PGSQL.5432"}
    assert not catalogue.systems["rabbitmq"].environment
