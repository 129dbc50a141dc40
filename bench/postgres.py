"""A PostgreSQL server for a benchmark: the tests' own, but with its commits on the disk."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.postgres import shared_url


@contextmanager
def postgres() -> Iterator[Callable[[], str]]:
    """Run a server; give a function that makes an empty database and returns its address."""
    numbers = itertools.count(1)
    with tempfile.TemporaryDirectory() as meeting:
        server, lock = shared_url(Path(meeting), durable=True)

        def made() -> str:
            name = f"bench_{next(numbers)}"
            with psycopg.connect(plain(server), autocommit=True) as admin:
                admin.execute(f"create database {name}")
            return server.replace("/postgres?", f"/{name}?")

        try:
            yield made
        finally:
            os.close(lock)  # the server ends with its last user


def plain(url: str) -> str:
    """Give an address of SQLAlchemy's as the driver takes it."""
    return url.replace("postgresql+psycopg:", "postgresql:")
