"""Where Hypothesis keeps the examples that it found: a folder, which machines may share, or a Redis server."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from hypothesis.database import DirectoryBasedExampleDatabase, ExampleDatabase

VARIABLE = "CONVPROOF_EXAMPLES"
SERVERS = ("redis://", "rediss://", "unix://")
ANSWER, PAUSE = 10, 60
"""Seconds that a server has to answer, and for which one that did not is left alone."""


class Tolerant(ExampleDatabase):
    """A database that may fail: what cannot be fetched is not there, and what cannot be kept is searched for again.

    After a failure it is left alone for a while, so that a search does not wait for it at every case.
    """

    def __init__(self, inner: ExampleDatabase, failures: tuple[type[Exception], ...], name: str) -> None:
        super().__init__()
        self._inner, self._failures, self._name = inner, failures, name
        self._silent, self._again = False, 0.0

    def save(self, key: bytes, value: bytes) -> None:
        """Keep an example."""
        self._try(lambda: self._inner.save(key, value))

    def fetch(self, key: bytes) -> Iterable[bytes]:
        """The examples of a test."""
        return self._try(lambda: list(self._inner.fetch(key))) or []

    def delete(self, key: bytes, value: bytes) -> None:
        """Forget an example."""
        self._try(lambda: self._inner.delete(key, value))

    def _try(self, action: Callable[[], Any]) -> Any:
        if time.monotonic() < self._again:
            return None
        try:
            return action()
        except self._failures as failure:
            self._again = time.monotonic() + PAUSE
            if not self._silent:
                print(f"{self._name} fails ({failure}); examples that it misses are not kept", file=sys.stderr)
            self._silent = True
            return None


def database(where: str) -> ExampleDatabase:
    """The database at a folder or at an address such as redis://host:6379/0. Raises ValueError if there is none."""
    if where.startswith(SERVERS):
        return _server(where)
    if "://" in where:
        raise ValueError(f"no such kind of address; give a folder, or one that begins with {' or '.join(SERVERS)}")
    folder = Path(where).expanduser()
    if not where or any(part.exists() and not part.is_dir() for part in (folder, *folder.parents)):
        raise ValueError("not a folder; name one that exists or can be made, or redis://host:6379/0")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{error.strerror}; name a folder that can be written, or redis://host:6379/0") from None
    return DirectoryBasedExampleDatabase(folder)


def _server(address: str) -> ExampleDatabase:
    try:
        import redis
        from hypothesis.extra.redis import RedisExampleDatabase
    except ImportError:
        raise ValueError("needs the package redis: pip install redis, or pip install --group redis") from None
    try:
        client = redis.Redis.from_url(address, socket_timeout=ANSWER, socket_connect_timeout=ANSWER)
        client.ping()
    except (redis.RedisError, ValueError) as error:
        raise ValueError(f"{error}; give the address of a Redis server that runs") from None
    return Tolerant(RedisExampleDatabase(client), (redis.RedisError,), masked(address))


def masked(text: str) -> str:
    """A text without the passwords of the addresses in it.

    >>> masked("--examples=redis://user:secret@host:6379/0")
    '--examples=redis://***@host:6379/0'
    """
    return re.sub(r"://[^/\s]*@", "://***@", text)
