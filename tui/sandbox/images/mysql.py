"""MySQL by MariaDB (or a `mysqld` of the system), alone or as a primary and replicas.

The pods of Kubernetes' own tutorial are known by their containers: an init container of a `mysql` image gives the pod
its server id and its part of the configuration; one of an `xtrabackup` image clones the pod before it (the first one
starts empty); beside the server a container of an `xtrabackup` image starts replication and serves clones on port 3307.
What their `command` says is not run: it is written for MySQL's own images. Images of Bitnami's kind replicate by
`MYSQL_REPLICATION_MODE`.

Replication goes by global transaction ids, and to the first pod's address, which stays (see `Addresses`).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from shlex import join, quote

from tui.sandbox.images import clone, mysqlserver, wheels
from tui.sandbox.images.model import Container, Plan, program, script, tools

_DATA = ("/var/lib/mysql", "/bitnami/mysql/data", "/bitnami/mysql", "/bitnami/mariadb/data", "/bitnami/mariadb")
_CONF = ("/etc/mysql/conf.d", "/mnt/conf.d")
_CLONE = 3307


class MySqlImage:
    """`mysql`, `mariadb`, `percona` and their relatives, `xtrabackup` among them."""

    def stands_in(self, container: Container) -> str:
        """One sentence on what stands in for what."""
        if "mariadb" in container.image:
            return ""
        if mysqlserver.find().is_mysql:
            log = "MySQL's log stands in for XtraBackup: a new replica replays the first pod's from its beginning"
            return log if "xtrabackup" in container.image else ""
        if "xtrabackup" in container.image:
            return "mariabackup stands in for XtraBackup"
        return "MariaDB stands in for MySQL"

    def plan(self, container: Container) -> Plan:
        """By the kind of the container and its image; see the module."""
        server = mysqlserver.find()
        # As in the image, clients find the pod's own server, and are root whoever runs the sandbox.
        client = f"[client]\nprotocol=tcp\nhost={container.address}\nport={container.port(3306)}\nuser=root\n"
        (container.directory / ".my.cnf").write_text(client, "utf-8")
        if "xtrabackup" in container.image:
            if server.is_mysql:
                return self._replay(container, server)
            copy, unpack = mysqlserver.backup()
            if container.kind == "init":
                return self._clone(container, copy, unpack)
            return self._beside(container, server, copy)
        return self._configure(container) if container.kind == "init" else self._server(container, server)

    @staticmethod
    def _configure(container: Container) -> Plan:
        conf = container.data(*_CONF)
        role = "primary" if container.ordinal == 0 else "replica"
        names = ("primary", "master") if container.ordinal == 0 else ("replica", "secondary", "slave")
        text = f"mkdir -p {quote(str(conf))}\n"
        text += f"printf '[mysqld]\\nserver-id=%s\\n' {100 + container.ordinal} >{quote(str(conf / 'server-id.cnf'))}\n"
        for real in container.mounts.values():
            found = next((real / f"{name}.cnf" for name in names if (real / f"{name}.cnf").is_file()), None)
            if found is not None and real != conf:
                text += f"cp {quote(str(found))} {quote(str(conf / f'{role}.cnf'))}\n"
        text += f"echo 'server-id {100 + container.ordinal}, {role}'\n"
        return Plan(script(container, text))

    @staticmethod
    def _clone(container: Container, backup: str, stream: str) -> Plan:
        data = container.data(*_DATA)
        if container.ordinal == 0:
            return Plan(script(container, f"echo 'the first pod: nothing to clone'\nmkdir -p {quote(str(data))}\n"))
        before = f"{container.base}-{container.ordinal - 1}"
        source = container.peer(before)
        fetch = join(
            [
                sys.executable,
                "-I",
                "-S",
                clone.__file__,
                "fetch",
                source or "",
                str(container.peer_port(before, _CLONE)),
            ]
        )
        text = f"""\
data={quote(str(data))}
if [ -d "$data/mysql" ]; then echo 'has data already'; exit 0; fi
[ -n {quote(source or "")} ] || {{ echo 'waits for {before}' >&2; sleep 1; exit 1; }}
# Into a directory beside it, whole or not at all.
part="$data/.clone"; rm -rf "$part"; mkdir -p "$part"
{fetch} | {quote(stream)} -x -C "$part"
said="$TMPDIR/prepare.log"
{quote(backup)} --prepare --target-dir="$part" 2>"$said" || {{ tail -5 "$said" >&2; exit 1; }}
mv "$part"/* "$data/"; rm -rf "$part"
echo 'cloned from {before}'
"""
        return Plan(script(container, text))

    @staticmethod
    def _replay(container: Container, server: mysqlserver.Server) -> Plan:
        """MySQL has no program of its own for copies: a replica starts empty and replays its primary's whole log."""
        if container.kind == "init":
            return Plan(script(container, "echo 'nothing to clone: the log will be replayed from its beginning'\n"))
        text = "exec sleep 2147483647\n"
        if container.ordinal:
            join_file, sql = _join(container, server)
            status = "REPLICA" if server.version >= (8, 0, 22) else "SLAVE"
            text = f"""\
sql() {{ {sql} "$@"; }}
until sql -e 'SELECT 1' >/dev/null 2>&1; do sleep 0.1; done
if [ -z "$(sql -e 'SHOW {status} STATUS')" ]; then
  sql <{quote(str(join_file))}
  echo "replicates from {container.base}-0, from its beginning"
fi
{text}"""  # noqa: S608 (a script of the shell; what it says in SQL is quoted)
        return Plan(script(container, text), {"MYSQL_PWD": _password(container)})

    @staticmethod
    def _beside(container: Container, server: mysqlserver.Server, backup: str) -> Plan:
        data, port = container.data(*_DATA), container.port(3306)
        join_file, sql = _join(container, server)
        # On standard output, so that the server's clones go down the connection.
        words = [
            backup,
            "--backup",
            "--stream=xbstream",
            f"--host={container.address}",
            f"--port={port}",
            "--user=root",
            # From 11.4 on it wants a certificate that it can verify by the password; there may be none.
            "--loose-skip-ssl-verify-server-cert",
        ]
        words += [f"--datadir={data}", "--target-dir=.", "--slave-info"]
        serve = [
            sys.executable,
            "-I",
            "-S",
            clone.__file__,
            "serve",
            container.address,
            str(container.port(_CLONE)),
            *words,
        ]
        text = f"""\
cd {quote(str(data))}
sql() {{ {sql} "$@"; }}
until sql -e 'SELECT 1' >/dev/null 2>&1; do sleep 0.1; done
for info in mariadb_backup_binlog_info xtrabackup_binlog_info; do
  [ {container.ordinal} != 0 ] && [ -f $info ] || continue
  gtid=$(awk 'NR == 1 {{ print $3 }}' $info)
  {{ echo "STOP SLAVE; RESET SLAVE ALL; SET GLOBAL gtid_slave_pos='$gtid';"; cat {quote(str(join_file))}; }} | sql
  mv $info $info.used
  echo "replicates from {container.base}-0, from $gtid on"
done
cd "$TMPDIR"
exec {join(serve)}
"""  # noqa: S608 (a script of the shell; what it says in SQL is quoted)
        # The client and mariabackup read it where nobody else on this machine does.
        return Plan(script(container, text), {"MYSQL_PWD": _password(container)})

    @staticmethod
    def _server(container: Container, server: mysqlserver.Server) -> Plan:
        port, data = container.port(3306), container.data(*_DATA)
        home = container.directory
        mode = container.value("MYSQL_REPLICATION_MODE", "MARIADB_REPLICATION_MODE")
        number = 100 + container.ordinal + (100 if mode == "slave" else 0)
        options = [f"--server-id={number}", *server.options]
        options += ["--log-bin=binlog", "--skip-name-resolve", "--socket=mysql.sock", f"--pid-file={home}/mysqld.pid"]
        options += [
            f"--datadir={data}",
            f"--port={port}",
            f"--bind-address={container.address}",
            f"--tmpdir={home}/tmp",  # noqa: S108 (the container's own)
        ]
        options += [f"--report-host={container.pod}", f"--report-port={port}", f"--init-file={home}/init.sql"]
        options += ["--user=root"] if os.geteuid() == 0 else []
        options += [word for word in container.args if word.startswith("--")]
        _write_private(home / "init.sql", _accounts(container, server, mode))
        conf = container.data(*_CONF)
        files = f"cat {quote(str(conf))}/*.cnf 2>/dev/null || true" if conf != home / "data" else ":"
        # What one server knows and the other does not must not keep it from starting.
        loose = r"s/^[[:space:]]*(loose-)?([a-z][a-z_-]+)/loose-\2/; s/^loose-(server-id)/\1/"
        text = f"""\
data={quote(str(data))}; mkdir -p "$data"
{_initialize(server)}
{{ {files}; }} | sed -E '{loose}' >"{home}/my.cnf"
exec {quote(server.path)} --defaults-file={quote(str(home / "my.cnf"))} {join(options)}
"""
        names = {name: found for name, new in _CLIENTS.items() if not program(name) and (found := program(new))}
        return Plan(script(container, text), {"MYSQL_HOST": container.address}, path=[tools(container, names)])


_CLIENTS = {"mysql": "mariadb", "mysqladmin": "mariadb-admin", "mysqldump": "mariadb-dump"}


def _password(container: Container) -> str:
    return container.value("MYSQL_ROOT_PASSWORD", "MARIADB_ROOT_PASSWORD")


def _join(container: Container, server: mysqlserver.Server) -> tuple[Path, str]:
    """A file with the statements that make a pod replicate from the first one, and the words of the pod's client."""
    first, port = container.peer(f"{container.base}-0") or "", container.port(3306)
    path, theirs = container.directory / "join.sql", container.peer_port(f"{container.base}-0", 3306)
    lines = server.follow(_text(first), theirs, "'root'", _text(_password(container)))[1:]
    _write_private(path, "\n".join(lines) + "\n")
    return path, join([mysqlserver.client(), "-h", container.address, "-P", str(port), "-u", "root"])


def _initialize(server: mysqlserver.Server) -> str:
    """Makes the system tables where there are none."""
    user = "--user=root" if os.geteuid() == 0 else ""
    if server.is_mysql:
        make = f'{quote(server.path)} --no-defaults --initialize-insecure --datadir="$data/.new" {user}'
    else:
        install = wheels.system(["mariadb-install-db", "mysql_install_db"], "mariadb-install-db", "mariadb-server-core")
        make = f'{quote(install)} --no-defaults --datadir="$data/.new" --auth-root-authentication-method=normal'
        make += f" --skip-test-db {user} >/dev/null"
    return f"""\
if [ ! -d "$data/mysql" ]; then
  rm -rf "$data/.new"; mkdir "$data/.new"
  {make}
  mv "$data/.new"/* "$data/"; rm -rf "$data/.new"
fi
rm -f "$data/mysql.sock"\
"""


def _accounts(container: Container, server: mysqlserver.Server, mode: str) -> str:
    """The statements of each start: accounts and database of the image's variables, replication of Bitnami's."""
    password = _text(_password(container))
    # MariaDB reads one statement a line. All may be run again.
    root = [
        f"CREATE USER IF NOT EXISTS root@'%' IDENTIFIED BY {password};",
        f"ALTER USER root@'%' IDENTIFIED BY {password};",
        # Made without a password with the system tables, and what all pods' connections come from.
        *(
            f"ALTER USER IF EXISTS root@'{host}' IDENTIFIED BY {password};"
            for host in ("localhost", "127.0.0.1", "::1")
        ),
        "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;",
    ]
    if server.is_mysql:
        # Each server's own and not for the log: MySQL 8 takes an empty password that was replicated for an expired one.
        root = ["SET SESSION sql_log_bin=0;", *root, "SET SESSION sql_log_bin=1;"]
    lines = [*root]
    name = container.value("MYSQL_DATABASE", "MARIADB_DATABASE").replace("`", "``")
    user = container.value("MYSQL_USER", "MARIADB_USER")
    if name:
        lines.append(f"CREATE DATABASE IF NOT EXISTS `{name}`;")
    if user:
        account = f"{_text(user)}@'%'"
        secret = _text(container.value("MYSQL_PASSWORD", "MARIADB_PASSWORD"))
        lines.append(f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY {secret};")
        lines += [f"GRANT ALL ON `{name}`.* TO {account};"] if name else []
    replicator = container.value("MYSQL_REPLICATION_USER", "MARIADB_REPLICATION_USER", default="replicator")
    secret = _text(container.value("MYSQL_REPLICATION_PASSWORD", "MARIADB_REPLICATION_PASSWORD"))
    if mode == "master":
        lines.append(f"CREATE USER IF NOT EXISTS {_text(replicator)}@'%' IDENTIFIED BY {secret};")
        lines.append(f"GRANT REPLICATION SLAVE ON *.* TO {_text(replicator)}@'%';")
    if mode == "slave":
        master = container.value("MYSQL_MASTER_HOST", "MARIADB_MASTER_HOST")
        named = master if container.peer(master) else f"{master}-0"
        first = container.peer(named) or master
        lines = server.follow(_text(first), container.peer_port(named, 3306), _text(replicator), secret)
        lines = [*(root if server.is_mysql else ()), *lines, "SET GLOBAL read_only=1;"]
    elif container.kind == "main" and container.ordinal > 0 and not mode:
        # A replica of the tutorial's kind has all this from its primary; statements of its own would part them.
        lines = root if server.is_mysql else ["SELECT 1;"]
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    """A string as SQL has it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def _write_private(path: Path, text: str) -> None:
    path.touch(0o600)
    path.write_text(text, "utf-8")
