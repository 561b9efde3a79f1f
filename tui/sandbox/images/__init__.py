"""What an image's name means here: an adapter that starts a real server on this machine.

`find` chooses it by the image's name without registry, tag and digest. Nothing is ever downloaded: a program that is
not on this machine makes the container wait, with a message that says what to install.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tui.sandbox.images.model import Container, Image, MissingProgramError, Plan
from tui.sandbox.images.mysql import MySqlImage
from tui.sandbox.images.objectstore import ObjectStoreImage
from tui.sandbox.images.postgres import CockroachImage, PostgresImage
from tui.sandbox.images.process import ProcessImage
from tui.sandbox.images.rabbitmq import RabbitMqImage
from tui.sandbox.images.simple import KeyValueImage, NatsImage

__all__ = ["Container", "Image", "MissingProgramError", "Plan", "find"]

#: Patterns of names, the first that matches counts. A name has no registry, tag or digest.
IMAGES: Mapping[str, Image] = {
    # Under any other name, too: `sandbox/process/mysql:8.4` looks like a MySQL and runs what the manifest says.
    r"sandbox/process(/.+)?": ProcessImage(),
    r"(.*/)?(busybox|alpine|debian|ubuntu)|minio/mc": ProcessImage("the image"),
    r"(.*/)?(postgres|postgresql)": PostgresImage(),
    r"cockroachdb/.*|(.*/)?cockroach(db)?": CockroachImage(),
    r"(.*/)?(mysql|mysql-server|community-server|mariadb|percona(-server)?|(percona-)?xtrabackup)": MySqlImage(),
    r"(.*/)?rabbitmq": RabbitMqImage(),
    r"minio/.*|(.*/)?(minio|rustfs|seaweedfs)": ObjectStoreImage(),
    r"(.*/)?(redis|valkey|redis-stack(-server)?)": KeyValueImage(),
    r"(.*/)?nats(-server)?": NatsImage(),
}


def find(image: str) -> Image:
    """The adapter for an image. MissingProgramError when there is none for its name."""
    name = _name(image)
    for pattern, found in IMAGES.items():
        if re.fullmatch(pattern, name):
            return found
    raise MissingProgramError(
        f'the sandbox has no program for image "{image}"; `sandbox/process` runs any command of this machine'
    )


def _name(image: str) -> str:
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    name = head + slash + last.partition(":")[0]
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        name = rest
    return name.removeprefix("library/")
