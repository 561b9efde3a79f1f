"""Every kind of credential: the identity in use is the one that was asked for."""

from __future__ import annotations

import json
import re
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.clusters import Cluster
from tui.kube.access import can, discover, rules
from tui.kube.api import Api
from tui.kube.context import ConnectOptions, Context, Impersonation, load_context
from tui.kube.kubeconfig import Cluster as Server
from tui.kube.kubeconfig import Exec, User
from tui.problem import Cause, Problem, ProblemError

SECRETS = "/api/v1/secrets"


@pytest.fixture
def admin(cluster: Cluster) -> Context:
    return load_context(ConnectOptions(kubeconfig=cluster.kubeconfig))


@pytest.fixture
def powerless(cluster: Cluster) -> tuple[str, str]:
    """A token of a user who may do nothing, and the user's name."""
    return cluster.powerless()


async def refusal(context: Context, path: str = SECRETS) -> Problem:
    api = Api(context)
    with pytest.raises(ProblemError) as caught:
        await api.get(path)
    await api.close()
    return caught.value.problem


async def who(context: Context) -> str:
    """The user that the server takes us for, as its refusal names it."""
    problem = await refusal(context)
    assert problem.cause is Cause.FORBIDDEN, problem
    found = re.search(r'User "([^"]+)"', problem.evidence)
    assert found is not None
    return found[1]


async def test_a_client_certificate(admin):
    api = Api(admin)
    assert re.fullmatch(r"v1\.\d+\..*", await api.version())
    assert json.loads(await api.get("/api/v1/namespaces/default"))["metadata"]["name"] == "default"
    await api.close()


async def test_tokens_in_the_file_in_another_file_and_of_a_plugin(admin, powerless, tmp_path):
    token, name = powerless
    (tmp_path / "token").write_text(f"{token}\n")
    plugin = tmp_path / "plugin"
    credential = {"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1", "status": {"token": token}}
    plugin.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(credential)}\nEND\n")
    plugin.chmod(stat.S_IRWXU)
    assert await who(replace(admin, user=User(token=token))) == name
    assert await who(replace(admin, user=User(token_file=str(tmp_path / "token")))) == name
    program = Exec(command=str(plugin), api_version="client.authentication.k8s.io/v1")
    assert await who(replace(admin, user=User(exec=program))) == name


async def test_a_token_that_the_server_refuses(admin):
    problem = await refusal(replace(admin, user=User(token="rubbish")))
    assert problem.cause is Cause.CREDENTIALS
    assert "Unauthorized" in problem.evidence


async def test_nobody_is_anonymous_and_not_the_admin(admin):
    assert (await refusal(replace(admin, user=None))).cause in (Cause.FORBIDDEN, Cause.CREDENTIALS)


async def test_impersonation_acts_as_the_one_asked_for(cluster, admin):
    assert await who(replace(admin, impersonation=Impersonation("jane doe"))) == "jane doe"
    options = ConnectOptions(
        kubeconfig=cluster.kubeconfig, impersonate="jane", impersonate_groups=("a", "system:masters")
    )
    api = Api(load_context(options))
    await api.get(SECRETS, params={"limit": "1"})
    assert await can(api, "delete", "nodes") is True
    await api.close()


async def test_a_server_that_is_not_the_one_of_the_kubeconfig(admin):
    other = Path(__file__).parent.parent / "unit/pki/other-ca.pem"
    problem = await refusal(replace(admin, cluster=Server(server=admin.server, certificate_authority=str(other))))
    assert problem.cause is Cause.UNREACHABLE
    assert "could not prove who it is" in problem.what
    insecure = replace(admin, cluster=Server(server=admin.server, insecure_skip_tls_verify=True))
    api = Api(insecure)
    assert insecure.insecure and await api.version()
    await api.close()


async def test_what_the_server_offers_and_allows(admin, powerless):
    api = Api(admin)
    found = await discover(api)
    assert {"pods", "persistentvolumeclaims"} <= found[""]["v1"]
    assert "statefulsets" in found["apps"]["v1"]
    assert await can(api, "list", "pods") is True
    assert any(rule.allows("list", "pods") for rule in await rules(api, "default"))
    await api.close()
    robot = Api(replace(admin, user=User(token=powerless[0])))
    assert await can(robot, "list", "pods") is False
    assert not any(rule.allows("list", "pods") for rule in await rules(robot, "default"))
    assert await discover(robot) == found
    await robot.close()


async def test_an_answer_that_is_not_json(admin):
    api = Api(admin)
    with pytest.raises(ProblemError) as caught:
        await api.get("/healthz")
    assert caught.value.problem.cause is Cause.PROTOCOL
    assert await api.get("/healthz", accept="text/plain") == b"ok"
    await api.close()
