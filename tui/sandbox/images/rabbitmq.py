"""RabbitMQ with its management, alone or as a cluster of a StatefulSet's pods.

Nodes are called `<pod>@localhost`: Erlang finds them through one port mapper (epmd) that the sandbox runs for each
namespace, and on ports of 127.0.0.1 of their own, as no pod's name resolves on this machine. Clients find each node on
its pod's address and usual ports. Lines of a mounted `rabbitmq.conf` count, but for those that name addresses or peers.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from shlex import quote

from tui.sandbox.freeports import free_port
from tui.sandbox.images import fetched, wheels
from tui.sandbox.images.model import Container, MissingProgramError, Plan, program, script

_OURS = re.compile(r"\s*(listeners\.|management\.|prometheus\.|cluster_formation\.|log\.|stream\.|mqtt\.|stomp\.|ssl_)")
_LIBRARIES = ("/usr/lib/rabbitmq/lib", "/opt/homebrew/opt/rabbitmq", "/usr/local/opt/rabbitmq")


class RabbitMqImage:
    """`rabbitmq` and relatives."""

    def stands_in(self, container: Container) -> str:
        """Nothing: it is the real one, of the system's version."""
        del container
        return ""

    def plan(self, container: Container) -> Plan:
        """A node; with several pods one of a cluster."""
        scripts = programs()
        mapper = wheels.system(["epmd"], "Erlang", "erlang-base", extra=_erlang())
        home = container.directory
        data = container.data("/bitnami/rabbitmq/mnesia", "/var/lib/rabbitmq/mnesia", "/var/lib/rabbitmq", "/data")
        data.mkdir(parents=True, exist_ok=True)
        names = f"{container.shared}/{container.namespace}"
        port = 20000 + zlib.crc32(names.encode()) % 8000
        # Otherwise Erlang starts one that outlives everything and listens on all addresses.
        environment = {"ERL_EPMD_PORT": str(port), "ERL_EPMD_ADDRESS": "127.0.0.1"}
        words = [mapper, "-port", str(port), "-address", "127.0.0.1", "-relaxed_command_check"]
        container.helper(f"epmd-{container.namespace}", words, environment)
        cookie = home / ".erlang.cookie"
        secret = container.value("RABBITMQ_ERLANG_COOKIE", "COOKIE", default="sandbox")
        cookie.unlink(missing_ok=True)
        cookie.touch(0o600)
        cookie.write_text(secret, "utf-8")
        cookie.chmod(0o400)
        for name, text in (("rabbitmq.conf", self._conf(container)), ("env.conf", ""), ("advanced.config", "[].\n")):
            (home / name).touch(0o600)
            (home / name).write_text(text, "utf-8")
        (home / "plugins").write_text("[rabbitmq_management,rabbitmq_prometheus].\n", "utf-8")
        erlang = "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"
        environment |= {
            "RABBITMQ_NODENAME": f"{container.pod}@localhost",
            "RABBITMQ_NODE_PORT": str(container.port(5672)),
            "RABBITMQ_DIST_PORT": str(_distribution(container)),
            "RABBITMQ_MNESIA_BASE": str(data),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(home / "env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(home / "gen"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "advanced.config"),
            "RABBITMQ_PID_FILE": str(home / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": erlang,
            "RABBITMQ_CTL_DIST_PORT_MIN": "0",
            "RABBITMQ_CTL_DIST_PORT_MAX": "0",
        }
        # The manifest's own settings of these names are for another machine.
        text = f"unset RABBITMQ_USE_LONGNAME RABBITMQ_LOGS\nexec {quote(str(scripts / 'rabbitmq-server'))}\n"
        return Plan(script(container, text), environment, path=[str(scripts)])

    @staticmethod
    def _conf(container: Container) -> str:
        mounted = [container.environment.get("RABBITMQ_CONFIG_FILE", "")]
        mounted += [str(real / "rabbitmq.conf") for real in container.mounts.values()]
        theirs = next((Path(path) for path in mounted if path and Path(path).is_file()), None)
        kept = theirs.read_text("utf-8", "replace").splitlines() if theirs is not None else []
        lines = [line for line in kept if line.strip() and not line.startswith("#") and not _OURS.match(line)]
        set_already = {line.partition("=")[0].strip() for line in lines}
        user = container.value("RABBITMQ_DEFAULT_USER", "RABBITMQ_USERNAME", default="guest")
        password = container.value("RABBITMQ_DEFAULT_PASS", "RABBITMQ_PASSWORD", default="guest")
        defaults = {
            "default_user": user,
            "default_pass": password,
            "loopback_users": "none",
            "vm_memory_high_watermark.absolute": "400MB",
            "disk_free_limit.absolute": "50MB",
            "collect_statistics_interval": "5000",
        }
        lines += [f"{key} = {value}" for key, value in defaults.items() if key not in set_already]
        address = container.address
        lines += [
            f"listeners.tcp.1 = {address}:{container.port(5672)}",
            f"management.tcp.ip = {address}",
            f"management.tcp.port = {container.port(15672)}",
            f"prometheus.tcp.ip = {address}",
            f"prometheus.tcp.port = {container.port(15692)}",
            "log.file = false",
            "log.console = true",
        ]
        if container.replicas > 1:
            lines.append("cluster_formation.peer_discovery_backend = classic_config")
            if "cluster_partition_handling" not in set_already:
                lines.append("cluster_partition_handling = pause_minority")
            for number in range(container.replicas):
                node = f"{container.base}-{number}@localhost"
                lines.append(f"cluster_formation.classic_config.nodes.{number + 1} = {node}")
        return "\n".join(lines) + "\n"


def programs() -> Path:
    """Where RabbitMQ's own scripts are: those of /usr/sbin insist on root or its own user, and change to it."""
    for library in (*_LIBRARIES, *(f"{root}/usr/lib/rabbitmq/lib" for root in fetched.roots())):
        for found in sorted(Path(library).glob("**/sbin/rabbitmq-server"), reverse=True):
            return found.parent
    if path := program("rabbitmq-server"):
        return Path(path).resolve().parent
    raise MissingProgramError(wheels.absent("RabbitMQ", "rabbitmq-server"))


def _erlang() -> list[str]:
    return [str(path) for path in Path("/usr/lib/erlang").glob("erts-*/bin")]


def _distribution(container: Container) -> int:
    """Where other nodes find this one, on 127.0.0.1; which port that is, epmd tells them."""
    return container.port(25672) if container.address == "127.0.0.1" else free_port("127.0.0.1")
