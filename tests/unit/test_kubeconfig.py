"""Which kubeconfig files are read, how they are merged, and what is said of the wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_tls import PKI

from tui.kube import context as context_module
from tui.kube.context import ConnectOptions, Impersonation, list_contexts, load_context
from tui.problem import Cause, Problem, ProblemError

ONE = """\
apiVersion: v1
kind: Config
current-context: prod
clusters:
- name: east
  cluster:
    server: https://east.example:6443
    certificate-authority: ca.crt
- name: west
  cluster:
    server: https://west.example
contexts:
- name: prod
  context: {cluster: east, user: alice, namespace: shop}
- name: staging
  context: {cluster: west, user: bob}
- name: open
  context: {cluster: west}
users:
- name: alice
  user: {client-certificate: certs/alice.crt, client-key: certs/alice.key}
- name: bob
  user: {token: "12345"}
"""


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """No kubeconfig anywhere, and not in a cluster."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def problem_of(options: ConnectOptions) -> Problem:
    with pytest.raises(ProblemError) as caught:
        load_context(options)
    assert caught.value.problem.cause is Cause.CONFIG
    return caught.value.problem


# --- which file


def test_the_file_that_is_named(tmp_path):
    context = load_context(ConnectOptions(kubeconfig=write(tmp_path / "a", ONE)))
    assert (context.name, context.cluster_name, context.user_name) == ("prod", "east", "alice")
    assert (context.server, context.namespace, context.in_cluster) == ("https://east.example:6443", "shop", False)


def test_the_default_file(tmp_path):
    write(tmp_path / "home/.kube/config", ONE)
    assert load_context(ConnectOptions()).name == "prod"


def test_the_environment_is_read_at_each_call_and_beats_the_default(tmp_path, monkeypatch):
    write(tmp_path / "home/.kube/config", ONE)
    monkeypatch.setenv(
        "KUBECONFIG", write(tmp_path / "b", ONE.replace("current-context: prod", "current-context: staging"))
    )
    assert load_context(ConnectOptions()).name == "staging"


def test_no_kubeconfig_at_all():
    problem = problem_of(ConnectOptions())
    assert "no kubeconfig" in problem.what
    assert "--kubeconfig" in problem.remedy


def test_a_named_file_that_is_missing_suggests_its_neighbour(tmp_path):
    write(tmp_path / "prod.yaml", ONE)
    problem = problem_of(ConnectOptions(kubeconfig=str(tmp_path / "prd.yaml")))
    assert problem.evidence == str(tmp_path / "prd.yaml")
    assert problem.remedy == f"Is {tmp_path / 'prod.yaml'} meant?"


def test_kubeconfig_that_names_only_missing_files(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'x'}:{tmp_path / 'y'}")
    assert str(tmp_path / "x") in problem_of(ConnectOptions()).evidence


@pytest.mark.parametrize("content", ["", "  \n\n"])
def test_an_empty_file(tmp_path, content):
    assert "empty" in problem_of(ConnectOptions(kubeconfig=write(tmp_path / "a", content))).what


def test_a_directory(tmp_path):
    assert str(tmp_path) in problem_of(ConnectOptions(kubeconfig=str(tmp_path))).evidence


# --- merging


def test_the_first_file_wins_by_whole_entry_and_paths_are_relative_to_their_own_file(tmp_path, monkeypatch):
    first = """\
contexts:
- name: prod
  context: {cluster: east, user: carol}
users:
- name: carol
  user: {tokenFile: ../token}
"""
    monkeypatch.setenv("KUBECONFIG", ":".join([
        str(tmp_path / "missing"), write(tmp_path / "one/a", first), write(tmp_path / "two/b", ONE), "",
        write(tmp_path / "three/empty", ""),
    ]))  # fmt: skip
    context = load_context(ConnectOptions())
    assert context.name == "prod", "current-context comes from the first file that has one"
    assert (context.user_name, context.namespace) == ("carol", "default"), "not mixed with the entry of the second file"
    assert context.user is not None
    assert context.user.token_file == str(tmp_path / "one/../token")
    assert context.cluster.certificate_authority == str(tmp_path / "two/ca.crt")
    assert [summary.name for summary in list_contexts(ConnectOptions())] == ["open", "prod", "staging"]


def test_relative_exec_commands(tmp_path):
    def command(written: str) -> str | None:
        text = ONE.replace(
            'user: {token: "12345"}',
            f"user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, command: {written}}}}}",
        )
        user = load_context(ConnectOptions(kubeconfig=write(tmp_path / "a", text), context="staging")).user
        assert user is not None and user.exec is not None
        return user.exec.command

    assert command("bin/login") == str(tmp_path / "bin/login")
    assert command("./login") == str(tmp_path / "login")
    assert command("/opt/login") == "/opt/login"
    assert command("aws") == "aws", "looked up in PATH"


# --- choosing


def test_a_context_by_name(tmp_path):
    path = write(tmp_path / "a", ONE)
    assert load_context(ConnectOptions(kubeconfig=path, context="staging")).namespace == "default"
    problem = problem_of(ConnectOptions(kubeconfig=path, context="stagin"))
    assert problem.remedy == 'Is "staging" meant?'
    assert "open, prod, staging" in problem_of(ConnectOptions(kubeconfig=path, context="zzz")).remedy


def test_current_context_that_does_not_exist_is_told_with_its_line(tmp_path):
    path = write(tmp_path / "a", ONE.replace("current-context: prod", "current-context: prodd"))
    problem = problem_of(ConnectOptions(kubeconfig=path))
    assert (problem.evidence, problem.remedy) == (f"{path}:3", 'Is "prod" meant?')


def test_no_current_context_lists_the_choices(tmp_path):
    path = write(tmp_path / "a", ONE.replace("current-context: prod\n", ""))
    assert "open, prod, staging" in problem_of(ConnectOptions(kubeconfig=path)).remedy


def test_a_context_without_user_or_with_an_empty_one_is_anonymous(tmp_path):
    path = write(tmp_path / "a", ONE.replace('user: {token: "12345"}', "user: null"))
    assert load_context(ConnectOptions(kubeconfig=path, context="open")).user is None
    assert load_context(ConnectOptions(kubeconfig=path, context="staging")).user is None


@pytest.mark.parametrize(
    ("old", "new", "line", "remedy"),
    [
        ("cluster: east,", "cluster: eats,", 14, 'Is "east" meant?'),
        ("user: alice", "user: alcie", 14, 'Is "alice" meant?'),
        ("cluster: east, ", "", 14, 'Add the key "cluster" to it.'),
    ],
)
def test_a_context_that_points_nowhere(tmp_path, old, new, line, remedy):
    path = write(tmp_path / "a", ONE.replace(old, new))
    problem = problem_of(ConnectOptions(kubeconfig=path))
    assert (problem.evidence, problem.remedy) == (f"{path}:{line}", remedy)


def test_listing_marks_the_current_one_and_survives_dangling_entries(tmp_path):
    path = write(tmp_path / "a", ONE.replace("cluster: east,", "cluster: gone,"))
    found = {summary.name: summary for summary in list_contexts(ConnectOptions(kubeconfig=path))}
    assert found["prod"].current and found["prod"].server == ""
    assert found["staging"].server == "https://west.example"


# --- malformed


def test_broken_yaml_is_told_with_its_line(tmp_path):
    path = write(tmp_path / "a", "clusters:\n- name: a\n  cluster: {server: x\nusers: []\n")
    assert problem_of(ConnectOptions(kubeconfig=path)).evidence.startswith(f"{path}:4: ")


@pytest.mark.parametrize("content", ["just words", "- a\n- b\n", "\x00\x01binary", "a: b: c", "[" * 100_000])
def test_something_else_than_a_kubeconfig(tmp_path, content):
    assert str(tmp_path / "a") in problem_of(ConnectOptions(kubeconfig=write(tmp_path / "a", content))).evidence


def test_bytes_that_are_not_text(tmp_path):
    (tmp_path / "a").write_bytes(b"\xff\xfe\x00clusters")
    problem_of(ConnectOptions(kubeconfig=str(tmp_path / "a")))


def test_a_value_of_the_wrong_kind_names_line_and_key(tmp_path):
    path = write(tmp_path / "a", ONE.replace("server: https://west.example", "server: [a, b]"))
    problem = problem_of(ConnectOptions(kubeconfig=path))
    assert problem.evidence == f"{path}:11: clusters[1].cluster.server: expected `str | null`, got `array`"


def test_a_misspelt_key_is_recognised(tmp_path):
    path = write(tmp_path / "a", ONE.replace("server: https://east.example:6443", "sever: https://east.example:6443"))
    problem = problem_of(ConnectOptions(kubeconfig=path))
    assert "has no server" in problem.what
    assert problem.remedy == f'"sever" in {path}:7 is not a key of kubeconfig: is "server" meant?'


def test_text_that_looks_like_something_else_stays_text(tmp_path):
    path = write(tmp_path / "a", ONE.replace("namespace: shop", "namespace: 0123").replace('"12345"', "2024-01-01"))
    assert load_context(ConnectOptions(kubeconfig=path)).namespace == "0123"
    user = load_context(ConnectOptions(kubeconfig=path, context="staging")).user
    assert user is not None and user.token == "2024-01-01"


def test_null_where_a_list_belongs(tmp_path):
    path = write(tmp_path / "a", 'clusters: null\ncontexts: null\nusers:\ncurrent-context: ""\n')
    assert "current-context" in problem_of(ConnectOptions(kubeconfig=path)).what


@pytest.mark.parametrize(
    ("server", "problem"),
    [
        ("ftp://a", True),
        ("https://", True),
        ("https://a:99999", True),
        ("https://a:x", True),
        ("https://[::1]:6443/", False),
        ("http://a", False),
    ],
)
def test_the_server_must_be_a_url(tmp_path, server, problem):
    path = write(tmp_path / "a", ONE.replace("https://east.example:6443", server))
    if problem:
        assert problem_of(ConnectOptions(kubeconfig=path)).evidence.startswith(f"{path}:7: ")
    else:
        assert load_context(ConnectOptions(kubeconfig=path)).server == server.rstrip("/")


def test_a_server_without_scheme(tmp_path):
    path = write(
        tmp_path / "a",
        ONE.replace("https://east.example:6443", "10.0.0.1:6443").replace("https://west.example", "10.0.0.2"),
    )
    assert load_context(ConnectOptions(kubeconfig=path)).server == "https://10.0.0.1:6443"
    assert load_context(ConnectOptions(kubeconfig=path, context="staging")).server == "http://10.0.0.2"


def test_a_proxy_that_cannot_be_used_is_refused_without_its_password(tmp_path):
    path = write(
        tmp_path / "a", ONE.replace("    certificate-authority: ca.crt", "    proxy-url: ftp://me:hunter2@proxy:1")
    )
    problem = problem_of(ConnectOptions(kubeconfig=path))
    assert "proxy-url" in problem.what
    assert "hunter2" not in str(problem)


def test_insecure_together_with_an_authority_is_a_contradiction(tmp_path):
    path = write(
        tmp_path / "a",
        ONE.replace(
            "    certificate-authority: ca.crt", "    certificate-authority: ca.crt\n    insecure-skip-tls-verify: true"
        ),
    )
    assert "contradicts" in problem_of(ConnectOptions(kubeconfig=path)).what


def test_insecure_is_told(tmp_path):
    path = write(tmp_path / "a", ONE.replace("certificate-authority: ca.crt", "insecure-skip-tls-verify: true"))
    assert load_context(ConnectOptions(kubeconfig=path)).insecure
    assert not load_context(ConnectOptions(kubeconfig=path, context="staging")).insecure


# --- impersonation


def test_impersonation_of_the_file_and_of_the_command_line(tmp_path):
    acting = '{token: t, as: jane, as-uid: "7", as-groups: [dev, ops], as-user-extra: {scope: [a, b]}}'
    path = write(tmp_path / "a", ONE.replace('{token: "12345"}', acting))
    options = ConnectOptions(kubeconfig=path, context="staging")
    assert load_context(options).impersonation == Impersonation("jane", "7", ("dev", "ops"), {"scope": ("a", "b")})
    options = ConnectOptions(kubeconfig=path, context="staging", impersonate="root", impersonate_groups=("g",))
    assert load_context(options).impersonation == Impersonation("root", "", ("g",))
    assert load_context(ConnectOptions(kubeconfig=path)).impersonation is None


def test_groups_without_a_user_are_refused(tmp_path):
    path = write(tmp_path / "a", ONE.replace('{token: "12345"}', "{token: t, as-groups: [dev]}"))
    assert "impersonates" in problem_of(ConnectOptions(kubeconfig=path, context="staging")).what
    assert "--as" in problem_of(ConnectOptions(kubeconfig=path, impersonate_groups=("dev",))).remedy


def test_secrets_do_not_show_in_representations(tmp_path):
    path = write(tmp_path / "a", ONE.replace('"12345"', '"hunter2"'))
    context = load_context(ConnectOptions(kubeconfig=path, context="staging"))
    assert "hunter2" not in repr(context) + repr(context.user)


# --- in a pod


@pytest.fixture
def pod(monkeypatch, tmp_path):
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "token").write_text("of-the-pod\n")
    (folder / "namespace").write_text("team-a\n")
    (folder / "ca.crt").write_bytes((PKI / "ca.pem").read_bytes())
    monkeypatch.setattr(context_module, "SERVICE_ACCOUNT", folder)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "6443")
    return folder


def test_in_cluster(pod):
    context = load_context(ConnectOptions())
    assert (context.name, context.in_cluster, context.namespace) == ("in-cluster", True, "team-a")
    assert context.server == "https://[fd00::1]:6443"
    assert context.cluster.certificate_authority == str(pod / "ca.crt")
    assert [summary.current for summary in list_contexts(ConnectOptions())] == [True]


def test_a_kubeconfig_goes_before_the_pod(pod, tmp_path):
    write(tmp_path / "home/.kube/config", ONE)
    assert load_context(ConnectOptions()).name == "prod"
