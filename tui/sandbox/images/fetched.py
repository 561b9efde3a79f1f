"""Servers that were fetched as Debian packages into the cache and run from there; nothing of them is installed.

`statetui demo` fetches them (`tui.commands.demo_fetch`) for those who agree, as it needs no root and starts no daemon.
A server has a directory of its own: `root`, what its packages hold, and `bin`, where its programs are found by their
names. Programs of packages that are not installed do not find their libraries and files by themselves: what is in `bin`
tells them.
"""

from __future__ import annotations

import platform
from pathlib import Path

from tui import paths

_LAUNCHER = """\
#!/bin/sh
# Runs a program of packages that are not installed: those that ../root holds.
name=${0##*/} root=$(cd "${0%/*}/.." && pwd)/root
for directory in "$root"/usr/lib/*-linux-gnu* "$root"/lib/*-linux-gnu*; do
  [ ! -d "$directory" ] || export LD_LIBRARY_PATH="$directory${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
done
first=
case $1 in --no-defaults|--defaults-file=*|--print-defaults) first=$1; shift;; esac
case $name in
  mariadbd)
    exec "$root/usr/sbin/$name" ${first:+"$first"} --basedir="$root/usr" --plugin-dir="$root/usr/lib/mysql/plugin" \\
      --lc-messages-dir="$root/usr/share/mysql" --character-sets-dir="$root/usr/share/mysql/charsets" "$@";;
  mariadb-install-db) exec "$root/usr/bin/$name" ${first:+"$first"} --basedir="$root/usr" "$@";;
  erl|erlc|escript|epmd) exec "$root/usr/lib/erlang/bin/$name" "$@";;
  *) exec "$root/usr/bin/$name" ${first:+"$first"} "$@";;
esac
"""
#: Which programs are found, and where a package has them.
_PROGRAMS = {
    **dict.fromkeys(("mariadb", "mariadb-admin", "mariadb-backup", "mariadb-dump", "mariadb-install-db"), "usr/bin"),
    **dict.fromkeys(("mariabackup", "mbstream", "mysql", "mysqladmin", "mysqldump"), "usr/bin"),
    "mariadbd": "usr/sbin",
    **dict.fromkeys(("epmd", "erl", "erlc", "escript"), "usr/lib/erlang/bin"),
}


def place() -> Path:
    """Where they are kept. Packages of one release of a system are not for another one, nor for another processor."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    name = release.get("VERSION_CODENAME") or f"{release.get('ID', 'system')}{release.get('VERSION_ID', '')}"
    return paths.cache_dir() / "servers" / f"{name}-{platform.machine()}"


def programs() -> list[str]:
    """The directories in which their programs are."""
    return [str(found) for found in sorted(place().glob("[!.]*/bin"))]


def roots() -> list[Path]:
    """The directories that hold what their packages hold."""
    return sorted(place().glob("[!.]*/root"))


def link(directory: Path) -> None:
    """Makes `bin` of a server's directory, which has its `root` already. OSError when it cannot be written."""
    # Erlang starts itself by these scripts, which have the directory that they are installed in.
    erlang = directory / "root/usr/lib/erlang"
    for start in (*erlang.glob("bin/erl"), *erlang.glob("erts-*/bin/erl")):
        up = "/".join([".."] * (len(start.relative_to(erlang).parts) - 1))
        text = start.read_text("utf-8")
        start.write_text(text.replace("ROOTDIR=/usr/lib/erlang", f'ROOTDIR=$(cd "${{0%/*}}/{up}" && pwd)'), "utf-8")
    launcher = directory / "bin" / ".launcher"
    launcher.parent.mkdir()
    launcher.write_text(_LAUNCHER, "utf-8")
    launcher.chmod(0o755)
    for name, where in _PROGRAMS.items():
        # A link to a program of the root's may lead to where it would be if it were installed.
        if (directory / "root" / where / name).is_symlink() or (directory / "root" / where / name).exists():
            (launcher.parent / name).symlink_to(launcher.name)
