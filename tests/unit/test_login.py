"""Credentials of each packaging: found by GETs of named Secrets, or told why not."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
import yaml
from fake_api import FakeApi
from fake_store import BUILT_IN, FakeResource
from test_catalogue import GOOD
from worlds import CATALOGUE, World, claim, make, pod_of, stateful_set

from tui.kube.api import Api
from tui.kube.objects import StatefulSet
from tui.problem import Cause, ProblemError
from tui.services.sql.model import Login, Tls, TlsMode
from tui.systems.catalogue import parse_system
from tui.systems.credentials import Found, find_login
from tui.systems.credentialsearch import Outcome
from tui.systems.podvariables import PodVariables

RESOURCES = [*BUILT_IN, FakeResource("", "v1", "configmaps", "ConfigMap")]
PGO = "postgres-operator.crunchydata.com"


def bitnami(name: str, chart: str, **more: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": name, "app.kubernetes.io/instance": "app", "app.kubernetes.io/component": "primary",
        "helm.sh/chart": chart, **more,
    }  # fmt: skip


def from_secret(variable: str, secret: str, key: str) -> dict[str, Any]:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


VTGATE = {"planetscale.com/cluster": "example", "planetscale.com/component": "vtgate"}
ACID = {"application": "spilo", "cluster-name": "acid-shop", "spilo-role": "master"}
ZALANDO = "acid-shop.credentials.postgresql.acid.zalan.do"
#: Packaging → the set, its owner, what its pods hold, the Secrets, and the login that comes of it.
CASES: dict[str, dict[str, Any]] = {
    "plain postgres": {
        "set": ("pg", "postgres:17", {"app": "pg"}),
        "env": [from_secret("POSTGRES_PASSWORD", "mine", "pw"), {"name": "POSTGRES_DB", "value": "shop"}],
        "secrets": {"mine": {"pw": "p'w d\"\\ü"}},
        "login": Login("postgres", "p'w d\"\\ü", "shop"),
        "source": "Secret shop/mine, key pw",
    },
    "plain postgres, all from one Secret": {
        "set": ("pg", "postgres:17", {"app": "pg"}),
        "container": {"envFrom": [{"prefix": "POSTGRES_", "secretRef": {"name": "all"}}]},
        "secrets": {"all": {"USER": "shopper", "PASSWORD": "secret"}},
        "login": Login("shopper", "secret"),
    },
    "plain postgres, password in the pod": {
        "set": ("pg", "postgres:17", {"app": "pg"}),
        "env": [{"name": "POSTGRES_PASSWORD", "value": "open"}],
        "login": Login("postgres", "open"),
        "source": "variable POSTGRES_PASSWORD of the pod",
    },
    "plain postgres without a password": {
        "set": ("pg", "postgres:17", {"app": "pg"}),
        "env": [{"name": "POSTGRES_HOST_AUTH_METHOD", "value": "trust"}],
        "login": Login("postgres"),
    },
    "bitnami postgres with password files": {
        "set": ("app-postgresql", "bitnami/postgresql:17", bitnami("postgresql", "postgresql-16.7.21")),
        "env": [
            {"name": "POSTGRES_USER", "value": "shopper"},
            {"name": "POSTGRES_PASSWORD_FILE", "value": "/opt/bitnami/postgresql/secrets/password"},
            {"name": "POSTGRES_POSTGRES_PASSWORD_FILE", "value": "/opt/bitnami/postgresql/secrets/postgres-password"},
        ],
        "container": {"volumeMounts": [{"name": "creds", "mountPath": "/opt/bitnami/postgresql/secrets/"}]},
        "volumes": [{"name": "creds", "secret": {"secretName": "theirs", "items": [
            {"key": "user-pw", "path": "password"}, {"key": "admin-pw", "path": "postgres-password"}]}}],
        "secrets": {"theirs": {"user-pw": "u", "admin-pw": "a"}},
        "login": Login("postgres", "a", "postgres"),
        "source": "Secret shop/theirs, key admin-pw",
    },
    "bitnami postgres by name": {
        "set": ("app-postgresql-primary", "bitnami/postgresql:17", bitnami("postgresql", "postgresql-16.7.21")),
        "secrets": {"app-postgresql": {"postgres-password": "a", "password": "u"}},
        "login": Login("postgres", "a", "postgres"),
    },
    "bitnami postgres of 2021": {
        "set": ("app-postgresql", "bitnami/postgresql:11",
                {"app.kubernetes.io/name": "postgresql", "app.kubernetes.io/instance": "app",
                 "helm.sh/chart": "postgresql-10.2.0", "role": "primary"}),
        "env": [{"name": "POSTGRESQL_USERNAME", "value": "shopper"}],
        "secrets": {"app-postgresql": {"postgresql-password": "u"}},
        "login": Login("shopper", "u", "postgres"),
    },
    "cloudnative-pg, superuser": {
        "set": ("shop", "cloudnative-pg/postgresql:17", {"cnpg.io/cluster": "shop", "cnpg.io/podRole": "instance"}),
        "secrets": {
            "shop-superuser": {"username": "postgres", "password": "su", "dbname": "*"},
            "shop-app": {"username": "app", "password": "pw", "dbname": "app"}, "shop-ca": {"ca.crt": "CA"},
        },
        "login": Login("postgres", "su", "postgres", Tls(TlsMode.VERIFY_FULL, "CA", name="shop-rw")),
    },
    "cloudnative-pg, the application's": {
        "set": ("shop", "cloudnative-pg/postgresql:17", {"cnpg.io/cluster": "shop", "cnpg.io/podRole": "instance"}),
        "secrets": {"shop-app": {"username": "app", "password": "pw", "dbname": "orders"}},
        "login": Login("app", "pw", "orders", Tls(TlsMode.REQUIRE)),
    },
    "zalando": {
        "set": ("acid-shop", "spilo-17:4", ACID),
        "secrets": {f"postgres.{ZALANDO}": {"username": "postgres", "password": "z"}},
        "login": Login("postgres", "z", "postgres", Tls(TlsMode.REQUIRE)),
    },
    "zalando, a user with an underscore": {
        "set": ("acid-shop", "spilo-17:4", ACID),
        "secrets": {f"foo-user.{ZALANDO}": {"username": "foo_user", "password": "f"}},
        "user": "foo_user",
        "login": Login("foo_user", "f", "postgres", Tls(TlsMode.REQUIRE)),
    },
    "crunchy": {
        "set": ("hippo-00-abcd", "crunchy-postgres:17",
                {f"{PGO}/cluster": "hippo", f"{PGO}/instance": "hippo-00-abcd", f"{PGO}/data": "postgres"}),
        "secrets": {"hippo-pguser-hippo": {"user": "hippo", "password": "h", "dbname": "hippo"},
                    "hippo-cluster-cert": {"ca.crt": "CA"}},
        "login": Login("hippo", "h", "hippo", Tls(TlsMode.VERIFY_CA, "CA")),
    },
    "mysql of the tutorial": {
        "set": ("mysql", "mysql:5.7", {"app": "mysql"}),
        "env": [{"name": "MYSQL_ALLOW_EMPTY_PASSWORD", "value": "1"}],
        "login": Login("root"),
        "source": "no password: MYSQL_ALLOW_EMPTY_PASSWORD is set",
    },
    "plain mariadb": {
        "set": ("db", "mariadb:11", {"app": "db"}),
        "env": [from_secret("MARIADB_ROOT_PASSWORD", "db", "root"), {"name": "MARIADB_DATABASE", "value": "shop"}],
        "secrets": {"db": {"root": "r"}},
        "login": Login("root", "r", "shop"),
    },
    "bitnami mysql, a secondary": {
        "set": ("app-mysql-secondary", "bitnami/mysql:9",
                bitnami("mysql", "mysql-14.0.5", **{"app.kubernetes.io/component": "secondary"})),
        "env": [from_secret("MYSQL_MASTER_ROOT_PASSWORD", "app-mysql", "mysql-root-password")],
        "secrets": {"app-mysql": {"mysql-root-password": "r", "mysql-password": "p"}},
        "login": Login("root", "r"),
    },
    "bitnami mysql, another user": {
        "set": ("app-mysql", "bitnami/mysql:9", bitnami("mysql", "mysql-14.0.5")),
        "env": [{"name": "MYSQL_USER", "value": "shopper"}, {"name": "MYSQL_DATABASE", "value": "shop"}],
        "secrets": {"app-mysql": {"mysql-root-password": "r", "mysql-password": "p"}},
        "user": "shopper",
        "login": Login("shopper", "p", "shop"),
    },
    "innodbcluster": {
        "set": ("idc", "community-server:9.7.0", {"mysql.oracle.com/cluster": "idc", "component": "mysqld"}),
        "custom": ("InnoDBCluster", {"secretName": "roots"}),
        "secrets": {"roots": {"rootUser": "admin", "rootPassword": "i", "rootHost": "%"}},
        "login": Login("admin", "i", tls=Tls(TlsMode.REQUIRE)),
    },
    "percona xtradb": {
        "set": ("c1-pxc", "percona-xtradb-cluster:8.4",
                {"app.kubernetes.io/name": "percona-xtradb-cluster", "app.kubernetes.io/component": "pxc",
                 "app.kubernetes.io/instance": "c1"}),
        "secrets": {"c1-secrets": {"root": "r", "monitor": "m"}},
        "login": Login("root", "r"),
    },
    "percona server, another user": {
        "set": ("ps1-mysql", "percona-server:8.4",
                {"app.kubernetes.io/managed-by": "percona-server-mysql-operator",
                 "app.kubernetes.io/component": "database", "app.kubernetes.io/instance": "ps1"}),
        "secrets": {"ps1-secrets": {"root": "r", "monitor": "m"}},
        "user": "monitor",
        "login": Login("monitor", "m"),
    },
    "cockroachdb, secure": {
        "set": ("cdb-cockroachdb", "cockroachdb/cockroach:v26.2.1",
                bitnami("cockroachdb", "cockroachdb-21.0.1", **{"app.kubernetes.io/component": "cockroachdb"})),
        "secrets": {"cdb-cockroachdb-client-secret": {"ca.crt": "CA", "tls.crt": "CERT", "tls.key": "KEY"}},
        "login": Login("root", database="defaultdb", tls=Tls(TlsMode.VERIFY_FULL, "CA", "CERT", "KEY", "localhost")),
    },
    "cockroachdb, certificates of one's own": {
        "set": ("cdb", "cockroachdb/cockroach:v26.2.1",
                bitnami("cockroachdb", "cockroachdb-21.0.1", **{"app.kubernetes.io/component": "cockroachdb"})),
        "secrets": {"cockroachdb-root": {"ca.crt": "CA", "client.root.crt": "CERT", "client.root.key": "KEY"}},
        "login": Login("root", database="defaultdb", tls=Tls(TlsMode.VERIFY_FULL, "CA", "CERT", "KEY", "localhost")),
    },
    "cockroachdb, insecure": {
        "set": ("cdb", "cockroachdb/cockroach:v26.2.1", {"app": "cdb"}),
        "container": {"args": ["shell", "-ecx", "exec /cockroach/cockroach start --insecure --cache=25%"]},
        "login": Login("root", database="defaultdb", tls=Tls(TlsMode.DISABLE)),
    },
    "cockroachdb operator": {
        "set": ("roach", "cockroachdb/cockroach:v25.1.0", {"app.kubernetes.io/name": "cockroachdb"}),
        "custom": ("CrdbCluster", {}),
        "secrets": {"roach-root": {"ca.crt": "CA", "tls.crt": "CERT", "tls.key": "KEY"}},
        "login": Login("root", database="defaultdb", tls=Tls(TlsMode.VERIFY_FULL, "CA", "CERT", "KEY", "localhost")),
    },
    "percona postgresql": {
        "set": ("cluster1-i-abcd", "percona-distribution-postgresql:17",
                {f"{PGO}/cluster": "cluster1", f"{PGO}/instance": "cluster1-i-abcd", f"{PGO}/data": "postgres"}),
        "secrets": {"cluster1-pguser-cluster1": {"user": "cluster1", "password": "p", "dbname": "cluster1",
                                                 "host": "cluster1-primary.shop.svc", "port": "5432"}},
        "login": Login("cluster1", "p", "cluster1", Tls(TlsMode.REQUIRE)),
    },
    "bitnami postgresql-ha": {
        "set": ("ha-postgresql", "bitnami/postgresql-repmgr:17",
                {"app.kubernetes.io/name": "postgresql-ha", "app.kubernetes.io/instance": "ha",
                 "app.kubernetes.io/component": "postgresql", "helm.sh/chart": "postgresql-ha-16.0.0"}),
        "secrets": {"ha-postgresql": {"password": "u", "repmgr-password": "r"}},
        "login": Login("postgres", "u", "postgres"),
    },
    "bitnami mariadb": {
        "set": ("app-mariadb", "bitnami/mariadb:11.8", bitnami("mariadb", "mariadb-20.5.3")),
        "secrets": {"app-mariadb": {"mariadb-root-password": "r", "mariadb-password": "p"}},
        "login": Login("root", "r"),
    },
    "percona server": {
        "set": ("ps1-mysql", "percona-server:8.4",
                {"app.kubernetes.io/managed-by": "percona-server-mysql-operator",
                 "app.kubernetes.io/component": "database", "app.kubernetes.io/instance": "ps1"}),
        "secrets": {"ps1-secrets": {"root": "r", "monitor": "m", "replication": "x"}},
        "login": Login("root", "r"),
        "source": "Secret shop/ps1-secrets, key root",
    },
    "percona xtradb, its Secret renamed": {
        "set": ("c1", "percona-xtradb-cluster:8.4",
                {"app.kubernetes.io/name": "percona-xtradb-cluster", "app.kubernetes.io/component": "pxc",
                 "app.kubernetes.io/instance": "c1"}),
        "custom": ("PerconaXtraDBCluster", {"secretsName": "mine"}),
        "secrets": {"mine": {"root": "r2"}, "c1-secrets": {"root": "r1"}},
        "login": Login("root", "r2"),
    },
    "mariadb operator": {
        "set": ("maria", "mariadb:11.8", {"app.kubernetes.io/name": "mariadb", "app.kubernetes.io/instance": "maria"}),
        "custom": ("MariaDB", {"rootPasswordSecretKeyRef": {"name": "roots", "key": "pw"}}),
        "secrets": {"roots": {"pw": "r"}, "maria-ca-bundle": {"ca.crt": "CA"}},
        "login": Login("root", "r", tls=Tls(TlsMode.VERIFY_CA, "CA")),
        "source": "Secret shop/roots, key pw",
    },
    "mariadb operator, a password that it made": {
        "set": ("maria", "mariadb:11.8", {"app.kubernetes.io/name": "mariadb", "app.kubernetes.io/instance": "maria"}),
        "custom": ("MariaDB", {}),
        "secrets": {"maria-root": {"password": "made"}},
        "login": Login("root", "made"),
    },
    "mariadb operator, the application's user": {
        "set": ("maria", "mariadb:11.8", {"app.kubernetes.io/name": "mariadb", "app.kubernetes.io/instance": "maria"}),
        "custom": ("MariaDB", {"username": "shopper", "database": "shop",
                               "passwordSecretKeyRef": {"name": "users", "key": "shopper"}}),
        "secrets": {"users": {"shopper": "s"}},
        "user": "shopper",
        "login": Login("shopper", "s", "shop"),
    },
    "vitess, users of the operator's sample": {
        "set": ("example-zone1-vtgate-bc6cde92", "vitess/lite:v22.0.1", VTGATE),
        "container": {"args": ["--mysql_auth_server_static_file=/vtgate-static-auth/userdata.json"],
                      "volumeMounts": [{"name": "vtgate-static-auth", "mountPath": "/vtgate-static-auth"}]},
        "volumes": [{"name": "vtgate-static-auth", "secret": {"secretName": "example-cluster-config", "items": [
            {"key": "users.json", "path": "userdata.json"}]}}],
        "secrets": {"example-cluster-config": {"users.json": '{"user": [{"UserData": "user", "Password": ""}]}'}},
        "login": Login("user"),
        "source": "Secret shop/example-cluster-config, key users.json",
    },
    "vitess, a hash that nobody can log in with, and a password": {
        "set": ("example-zone1-vtgate-bc6cde92", "vitess/lite:v23.0.0", VTGATE),
        "container": {"args": ["--mysql-auth-server-static-file", "/vt/secrets/users/db_users.json"],
                      "volumeMounts": [{"name": "users", "mountPath": "/vt/secrets/users"}]},
        "volumes": [{"name": "users", "secret": {"secretName": "users"}}],
        "secrets": {"users": {"db_users.json": json.dumps({
            "hashed": [{"MysqlNativePassword": "*81F5E21E35407D884A6CD4A731AEBFB6AF209E1B"}],
            "old": {"Password": "o"}, "new": [{"Password": "n"}]})}},
        "login": Login("old", "o"),
    },
    "vitess, another user": {
        "set": ("example-zone1-vtgate-bc6cde92", "vitess/lite:v23.0.0", VTGATE),
        "container": {"args": ["--mysql-auth-server-static-file", "/vt/secrets/users/db_users.json"],
                      "volumeMounts": [{"name": "users", "mountPath": "/vt/secrets/users"}]},
        "volumes": [{"name": "users", "secret": {"secretName": "users"}}],
        "secrets": {"users": {"db_users.json": '{"a": [{"Password": "1"}], "b": [{"Password": "2"}]}'}},
        "user": "b",
        "login": Login("b", "2"),
    },
    "vitess without users": {
        "set": ("example-zone1-vtgate-bc6cde92", "vitess/lite:v22.0.1", VTGATE),
        "login": Login("user"),
        "source": "assumed: nothing in the cluster says otherwise",
    },
    "new cockroachdb operator": {
        "set": ("crdb", "cockroachdb/cockroach:v26.2.1",
                {"crdb.cockroachlabs.com/cluster": "crdb", "svc": "cockroachdb"}),
        "secrets": {"crdb-client-secret": {"ca.crt": "CA", "tls.crt": "CERT", "tls.key": "KEY"}},
        "login": Login("root", database="defaultdb", tls=Tls(TlsMode.VERIFY_FULL, "CA", "CERT", "KEY", "localhost")),
    },
    "yugabytedb": {
        "set": ("yb-tserver", "yugabytedb/yugabyte:2026.1.0.0-b1",
                {"app": "yb-tserver", "component": "yugabytedb", "chart": "yugabyte", "release": "yb"}),
        "login": Login("yugabyte", database="yugabyte"),
        "source": "assumed: nothing in the cluster says otherwise",
    },
}  # fmt: skip


def secret(name: str, data: Mapping[str, str]) -> dict[str, Any]:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"metadata": {"name": name, "namespace": "shop"}, "data": encoded}


async def look(case: Mapping[str, Any], *, rules: list[dict[str, Any]] | None = None) -> tuple[Found, FakeApi]:
    """Looks for the login of a case's workload."""
    name, image, labels = case["set"]
    world, owner = World(), None
    if "custom" in case:
        kind, spec = case["custom"]
        owner = make(kind, name, spec=spec)
        world.put(owner)
    made = stateful_set(name, image, labels, replicas=1, container="db", owner=owner)
    assert isinstance(made, StatefulSet)
    world.put(made, pod_of(made, 0), claim(f"data-{name}-0"))
    container = {"name": "db", "env": case.get("env", []), **case.get("container", {})}
    pod = {
        "metadata": {"name": f"{name}-0", "namespace": "shop", "labels": labels},
        "spec": {"containers": [container], "volumes": case.get("volumes", [])},
    }
    async with FakeApi(resources=RESOURCES) as server:
        server.put("pods", pod)
        for key, data in case.get("secrets", {}).items():
            server.put("secrets", secret(key, data))
        server.rules = rules
        api = Api(server.context())
        try:
            found = await find_login(api, world.store, world.only, CATALOGUE, user=case.get("user", ""))
        finally:
            await api.close()
    assert all(request.method == "GET" and request.path.count("/") == 6 for request in server.requests), "no lists"
    return found, server


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_packaging(case: dict[str, Any]) -> None:
    found, _ = await look(case)
    login, wanted = found.login, case["login"]
    assert login is not None, found.looked
    assert (login.user, login.password, login.database, login.tls) == (
        wanted.user, wanted.password, wanted.database, wanted.tls,
    )  # fmt: skip
    assert login.source == case.get("source", login.source) != ""
    assert login.password == "" or repr(login.password) not in repr(found)
    assert "KEY" not in repr(found).replace("NO_KEY", "")


async def test_a_secret_that_may_not_be_read_is_named_with_the_right() -> None:
    found, _ = await look(CASES["plain postgres"], rules=[{"verbs": ["get"], "resources": ["pods"]}])
    assert found.login is None
    problem = found.problem("pg")
    assert problem.cause is Cause.FORBIDDEN
    assert "Secret shop/mine, key pw: forbidden" in problem.evidence
    assert "get secrets/mine in namespace shop" in problem.remedy
    assert [one.outcome for one in found.looked] == [Outcome.FORBIDDEN]


async def test_nothing_is_assumed_where_the_proof_may_not_be_read() -> None:
    case = CASES["cockroachdb, secure"]
    assert (await look({**case, "secrets": {}}))[0].login == Login(
        "root", database="defaultdb", source="assumed: nothing in the cluster says otherwise"
    )
    found, _ = await look(case, rules=[{"verbs": ["get"], "resources": ["pods"]}])
    assert found.login is None
    assert found.user == "root"


async def test_a_missing_secret_and_a_missing_key_are_told_apart() -> None:
    case = CASES["plain postgres"]
    absent = (await look({**case, "secrets": {}}))[0].problem("pg")
    assert (absent.cause, "Secret shop/mine, key pw: absent" in absent.evidence) == (Cause.CREDENTIALS, True)
    found, _ = await look({**case, "secrets": {"mine": {"password": "never shown"}}})
    evidence = found.problem("pg").evidence
    assert "Secret shop/mine, key pw: key missing (its keys: password)" in evidence
    assert "never shown" not in evidence


async def test_an_answer_that_does_not_come_is_no_absence() -> None:
    case = CASES["bitnami mysql, another user"]
    async with FakeApi(resources=RESOURCES) as server:
        server.fail("/api/v1/namespaces/shop/secrets/", 500)
        world = World()
        made = stateful_set(*case["set"], replicas=1)
        world.put(made, pod_of(made, 0), claim("data-app-mysql-0"))
        api = Api(server.context())
        try:
            found = await find_login(api, world.store, world.only, CATALOGUE)
        finally:
            await api.close()
    assert found.login is None
    assert found.problem("app").cause is Cause.UNREACHABLE
    assert "injected 500" in found.problem("app").evidence


async def test_what_somebody_gives_goes_before_what_was_found() -> None:
    found, _ = await look(CASES["cloudnative-pg, superuser"])
    verified = Tls(TlsMode.VERIFY_FULL, "CA", name="shop-rw")
    assert found.override(database="other") == Login("postgres", "su", "other", verified, found.login.source)  # type: ignore[union-attr]
    assert found.override(user="me", password="x", source="--password-file") == Login(
        "me", "x", "postgres", verified, "--password-file"
    )
    assert found.override(user="me") is None, "the password is another user's"


async def test_another_user_does_not_get_roots_certificate() -> None:
    found, _ = await look({**CASES["cockroachdb, secure"], "user": "shopper"})
    assert found.login is None
    login = found.override(user="shopper", password="x")
    assert login is not None
    assert login.tls == Tls(TlsMode.VERIFY_FULL, "CA", name="localhost")


def test_a_file_in_a_projected_volume_leads_to_its_key() -> None:
    pod = {
        "spec": {
            "containers": [{
                "env": [{"name": "A_FILE", "value": "/run/creds/db/pw"}],
                "volumeMounts": [{"name": "other", "mountPath": "/run"}, {"name": "creds", "mountPath": "/run/creds"}],
            }],
            "volumes": [
                {"name": "creds", "projected": {"sources": [
                    {"configMap": {"name": "c", "items": [{"key": "k", "path": "x"}]}},
                    {"secret": {"name": "s", "items": [{"key": "word", "path": "db/pw"}]}}]}},
                {"name": "other", "emptyDir": {}},
            ],
        }
    }  # fmt: skip
    (found,) = PodVariables(msgspec.json.encode(pod)).sources("A")
    assert (found.kind, found.name, found.key) == ("secrets", "s", "word")  # type: ignore[union-attr]


def test_a_variable_that_is_another_one() -> None:
    others = {"A": "$(OTHER)", "B": "$(D)", "D": "$(B)", "C": "$(OTHER)!"}
    env = [from_secret("OTHER", "s", "k"), *({"name": name, "value": value} for name, value in others.items())]
    pod = PodVariables(msgspec.json.encode({"spec": {"containers": [{"env": env}]}}))
    assert [found.key for found in pod.sources("A")] == ["k"]  # type: ignore[union-attr]
    assert not list(pod.sources("B"))
    assert not list(pod.sources("C")), "half a password is none"


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"user": "value a", "pasword": "none"}, "'password'"),
        ({"user": "value a"}, "password is missing"),
        ({"user": "vaule a", "password": "none"}, "'value'"),
        ({"user": "value a", "password": "none here"}, "none stands alone"),
        ({"user": "value a", "password": "key k"}, "secret is missing"),
        ({"user": "value a", "password": "key k", "secret": "{nmae}-x"}, "'name'"),
        ({"user": "value a", "password": "none", "when": "varable X"}, "'variable'"),
        ({"user": "value a", "password": "none", "tls": [{"mode": "verify-al"}]}, "'verify-"),
        ({"user": "value a", "password": "none", "tls": [{"mode": "verify-ca"}]}, "verify-ca needs one"),
        (
            {"user": "value a", "password": "none",
             "tls": [{"mode": "require", "secret": "s", "certificate": "key c"}]},
            "belong together",
        ),
    ],
)  # fmt: skip
def test_a_mistake_names_the_nearest_valid_key(rule: dict[str, Any], told: str) -> None:
    data = yaml.safe_load(yaml.safe_dump(GOOD))
    data["packagings"][0]["credentials"] = {"sql": [rule]}
    with pytest.raises(ProblemError, match=r"my.yaml: packagings\[0\].credentials.sql\[0\]") as error:
        parse_system("x", data, "my.yaml")
    assert told in str(error.value)


def test_an_unknown_console_is_a_mistake() -> None:
    data = yaml.safe_load(yaml.safe_dump(GOOD))
    data["packagings"][0]["credentials"] = {"sq": []}
    with pytest.raises(ProblemError, match="did you mean 'sql'"):
        parse_system("x", data, "my.yaml")
