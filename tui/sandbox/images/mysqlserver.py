"""Which server plays MySQL on this machine, and what MySQL and MariaDB want to hear in different words."""

from __future__ import annotations

import functools
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tui.sandbox.images import wheels
from tui.sandbox.images.model import program

_SMALL = [
    "--innodb-buffer-pool-size=24M",
    "--innodb-log-file-size=16M",
    "--innodb-log-buffer-size=2M",
    "--key-buffer-size=1M",
    "--max-connections=50",
    "--table-open-cache=200",
    "--performance-schema=OFF",
]


@dataclass(frozen=True, slots=True)
class Server:
    """A server.

    Attributes:
        path: where it is.
        is_mysql: whether it is MySQL itself (or Percona's), not MariaDB.
        version: its version; empty for MariaDB.
    """

    path: str
    is_mysql: bool = False
    version: tuple[int, ...] = ()

    @property
    def options(self) -> list[str]:
        """What it needs for replication by global transaction ids, and to be small."""
        if not self.is_mysql:
            return ["--log-slave-updates", "--gtid-strict-mode=ON", "--binlog-format=ROW", *_SMALL]
        # What one version knows and another does not must not keep it from starting. A new replica reads the whole log.
        more = ["--mysqlx=OFF", "--log-slave-updates", "--binlog-expire-logs-seconds=0", *_SMALL]
        return ["--gtid-mode=ON", "--enforce-gtid-consistency=ON", *(f"--loose-{one[2:]}" for one in more)]

    def follow(self, host: str, port: int, user: str, password: str) -> list[str]:
        """The statements that make it replicate from another one, from where it has come to; all in SQL's own quotes.

        Args:
            host: the other one's address, quoted.
            port: its port.
            user: whom to log in as, quoted.
            password: the password, quoted.
        """
        name, noun, verb = "MASTER", "MASTER", "SLAVE"
        if self.version >= (8, 0, 23):
            name, noun, verb = "SOURCE", "REPLICATION SOURCE", "REPLICA"
        how = f"{name}_HOST={host}, {name}_PORT={port}, {name}_USER={user}, {name}_PASSWORD={password}, "
        if self.is_mysql:
            how += f"{name}_CONNECT_RETRY=1, {name}_AUTO_POSITION=1"
            # Without TLS a password of its default sort goes encrypted with the other one's key only.
            how += f", GET_{name}_PUBLIC_KEY=1" if self.version >= (8,) else ""
        else:
            # Connections stay on this machine; from 11.4 on a replica would want a certificate that it can verify.
            how += "MASTER_CONNECT_RETRY=1, MASTER_USE_GTID=slave_pos, MASTER_SSL=0, MASTER_SSL_VERIFY_SERVER_CERT=0"
        return [f"STOP {verb};", f"CHANGE {noun} TO {how};", f"START {verb};"]


def find() -> Server:
    """MySQL where a `mysqld` of MySQL's own is on PATH, else MariaDB. MissingProgramError when there is neither."""
    if (mysqld := program("mysqld")) and (found := _ask(str(Path(mysqld).resolve()))).is_mysql:
        return found
    return Server(wheels.system(["mariadbd", "mysqld"], "MariaDB", "mariadb-server-core"))


def client() -> str:
    """The client of either. MissingProgramError when it is not there."""
    return wheels.system(["mariadb", "mysql"], "MariaDB's client", "mariadb-client")


def backup() -> tuple[str, str]:
    """MariaDB's program for copies of a running server, and what unpacks them. MissingProgramError likewise."""
    copy = wheels.system(["mariabackup", "mariadb-backup"], "mariadb-backup", "mariadb-backup")
    return copy, wheels.system(["mbstream"], "mbstream", "mariadb-backup")


def check() -> None:
    """MissingProgramError when something is missing that a replicated MySQL of several pods needs."""
    if not find().is_mysql:
        backup()
        wheels.system(["mariadb-install-db", "mysql_install_db"], "mariadb-install-db", "mariadb-server-core")
    client()
    wheels.system(["mariadb-admin", "mysqladmin"], "mysqladmin", "mariadb-client")


@functools.lru_cache(maxsize=8)
def _ask(path: str) -> Server:
    """What a `mysqld` is: MariaDB has one as well, a link to its own or (until 10.4) by this name."""
    if Path(path).name == "mariadbd":
        return Server(path)
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return Server(path)
    match = re.search(r"Ver (\d+)\.(\d+)\.(\d+)", said)
    if match is None or "MariaDB" in said:
        return Server(path)
    return Server(path, is_mysql=True, version=tuple(map(int, match.groups())))
