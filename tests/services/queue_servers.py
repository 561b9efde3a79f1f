"""A RabbitMQ on this machine for tests, with its management API; and the ways to it."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bucket_servers import LocalWay, free_ports

from tui.sandbox.images.rabbitmq import programs
from tui.services.queue.management import Management
from tui.services.queue.model import Login

LOGIN = Login("guest", "guest", source="the test")
#: Without RabbitMQ there is nothing to test against.
THERE = bool(shutil.which("rabbitmq-server")) or bool(list(Path("/usr/lib/rabbitmq/lib").glob("*/sbin")))


@dataclass(frozen=True)
class Rabbit:
    """A node that runs.

    Attributes:
        amqp: its port.
        http: the port of the management API.
        environment: for rabbitmqctl.
    """

    amqp: int
    http: int
    environment: dict[str, str]

    def way(self) -> LocalWay:
        """To AMQP."""
        return LocalWay(self.amqp)

    async def finder(self) -> LocalWay:
        """The way to the API; a `Finder`."""
        return LocalWay(self.http)

    def management(self, login: Login = LOGIN, *, writes: bool = True) -> Management:
        """The API, as somebody."""
        return Management(self.finder, login, writes=writes)

    def ctl(self, *words: str) -> str:
        """What rabbitmqctl says."""
        done = subprocess.run(
            [str(programs() / "rabbitmqctl"), *words], env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise AssertionError(f"rabbitmqctl {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout


def _mapper(port: int) -> list[str]:
    found = shutil.which("epmd") or next(str(path) for path in Path("/usr/lib/erlang").glob("erts-*/bin/epmd"))
    return [found, "-port", str(port), "-address", "127.0.0.1", "-relaxed_command_check"]


def _with_us() -> list[str]:
    """A program's beginning that ends it with us, even when the test run is killed: its script ends the node then."""
    return ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def rabbitmq(*lines: str, plugins: Sequence[str] = ("rabbitmq_management",)) -> Iterator[Rabbit]:
    """A node of its own, which ends with this.

    Args:
        lines: of rabbitmq.conf, beside those that say where it listens.
        plugins: to enable.
    """
    amqp, http, distribution, names = free_ports(4)
    with tempfile.TemporaryDirectory(prefix="statetui-rabbit-") as folder:
        home = Path(folder)
        settings = [
            f"listeners.tcp.1 = 127.0.0.1:{amqp}", "log.file = false", "log.console = true",
            "disk_free_limit.absolute = 50MB", "loopback_users = none", "collect_statistics_interval = 1000", *lines,
        ]  # fmt: skip
        if "rabbitmq_management" in plugins:
            settings += ["management.tcp.ip = 127.0.0.1", f"management.tcp.port = {http}"]
        for name, text in (
            ("rabbitmq.conf", "\n".join(settings) + "\n"), ("env.conf", ""), ("advanced.config", "[].\n"),
            ("plugins", f"[{','.join(plugins)}].\n"), (".erlang.cookie", "STATETUITEST"),
        ):  # fmt: skip
            (home / name).write_text(text, "utf-8")
        (home / ".erlang.cookie").chmod(0o400)
        erlang = "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"
        environment = {
            **os.environ, "HOME": folder, "ERL_EPMD_PORT": str(names), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"t{amqp}@localhost", "RABBITMQ_NODE_PORT": str(amqp),
            "RABBITMQ_DIST_PORT": str(distribution), "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{folder}/log", "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/env.conf", "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_GENERATED_CONFIG_DIR": f"{folder}/gen", "RABBITMQ_PID_FILE": f"{folder}/pid",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{folder}/advanced.config",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": erlang, "RABBITMQ_CTL_DIST_PORT_MIN": "0",
            "RABBITMQ_CTL_DIST_PORT_MAX": "0",
        }  # fmt: skip
        log = home / "output"
        mapper = subprocess.Popen([*_with_us(), *_mapper(names)], env=environment, stdin=subprocess.DEVNULL)
        with log.open("wb") as out:
            node = subprocess.Popen(
                [*_with_us(), str(programs() / "rabbitmq-server")], stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                cwd=folder, env=environment, start_new_session=True,
            )  # fmt: skip
        try:
            _await(node, amqp, http if "rabbitmq_management" in plugins else 0, log)
            yield Rabbit(amqp, http, environment)
        finally:
            with contextlib.suppress(OSError, ValueError):
                os.kill(int((home / "pid").read_text()), 15)
            _stop(node)
            _stop(mapper)


def _await(node: subprocess.Popen[bytes], amqp: int, http: int, log: Path) -> None:
    """Waits until both ports answer."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and node.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", amqp), 2).close()
            if http:
                urllib.request.urlopen(f"http://127.0.0.1:{http}/api/overview", timeout=5)
        except urllib.error.HTTPError:
            return  # 401: it is there
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError(log.read_text(errors="replace")[-3000:])
