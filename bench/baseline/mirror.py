"""The job: brings one ticket's counterpart level with it. Beside it the table, and the worker."""

from __future__ import annotations

import functools
import json
import os
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import requests
from redis import Redis
from rq import Queue, SimpleWorker

from bench.baseline.postgres import PostgresTable
from bench.baseline.receiver import QUEUE

MIRRORED = ("subject", "status", "priority", "tags")
TIMEOUT = 10.0


def mirror(name: str) -> None:
    """Do the job, with what this process keeps from one job to the next."""
    _kept().mirror(name)


@functools.cache
def _kept() -> Mirror:
    return Mirror(os.environ)


class Account:
    """One account at the vendor."""

    def __init__(self, session: requests.Session, url: str, key: str) -> None:
        self._session, self._url, self._key = session, url, key

    def read(self, name: str) -> dict[str, Any] | None:
        """Read a ticket; None: there is none."""
        return self._call("GET", f"/tickets/{quote(name)}")

    def create(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Make a ticket."""
        return self._call("POST", "/tickets", fields) or {}

    def change(self, name: str, fields: dict[str, Any]) -> None:
        """Change a ticket."""
        self._call("PATCH", f"/tickets/{quote(name)}", fields)

    def _call(
        self, method: str, path: str, fields: dict[str, Any] | None = None
    ) -> dict[str, Any] | None:
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        body = None if fields is None else json.dumps(fields)
        answer = self._session.request(
            method, self._url + path, data=body, headers=headers, timeout=TIMEOUT
        )
        if method == "GET" and answer.status_code == 404:
            return None
        answer.raise_for_status()  # the job fails, and RQ tries it again
        found: dict[str, Any] = answer.json()["data"]
        return found


class Table:
    """Which ticket there belongs to which here. Several workers share the file."""

    def __init__(self, path: str) -> None:
        self._database = sqlite3.connect(path, timeout=30.0)
        self._database.execute("pragma journal_mode=wal")
        self._database.execute("pragma synchronous=full")
        self._database.execute(
            "create table if not exists mapping (source_id text primary key, target_id text not null,"
            " updated_at text, mirrored_at text)"
        )

    def target_of(self, source: str) -> str | None:
        """Give the id of the counterpart, if there is one."""
        row = self._database.execute(
            "select target_id from mapping where source_id = ?", (source,)
        ).fetchone()
        return row[0] if row else None

    def remember(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """Commit source id, target id, and the version that was mirrored just now."""
        with self._database:
            self._database.executemany(
                "insert into mapping values (?, ?, ?, datetime('now')) on conflict (source_id) do update"
                " set updated_at = excluded.updated_at, mirrored_at = excluded.mirrored_at",
                rows,
            )

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def open_table(where: str) -> Table | PostgresTable:
    """Open the table: a SQLite file, or a database of PostgreSQL's by its address."""
    return PostgresTable(where) if where.startswith("postgresql:") else Table(where)


class Mirror:
    """What a worker keeps: one Session, one database connection."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        session = requests.Session()
        session.trust_env = False
        self.source = Account(session, environ["MIRROR_SOURCE"], environ["MIRROR_SOURCE_KEY"])
        self.target = Account(session, environ["MIRROR_TARGET"], environ["MIRROR_TARGET_KEY"])
        self.table = open_table(environ["MIRROR_DATABASE"])

    def mirror(self, name: str) -> None:
        """Make the ticket's counterpart, or change what differs there."""
        ticket = self.source.read(name)
        if ticket is None:
            return  # deleted meanwhile
        wanted = {field: ticket[field] for field in MIRRORED}
        counterpart = self.table.target_of(name)
        if counterpart is None:
            rest = {
                "description": ticket["description"],
                "customer_email": (ticket["customer"] or {}).get("email"),
            }
            counterpart = self.target.create(wanted | rest)["id"]
        else:
            present = self.target.read(counterpart) or {}
            differs = {
                field: value for field, value in wanted.items() if present.get(field) != value
            }
            if differs:
                self.target.change(counterpart, differs)
        self.table.remember([(name, counterpart, ticket["updated_at"])])


def run_worker(environ: Mapping[str, str], *, burst: bool = False) -> None:
    """Work; with `burst` until nothing is left. No fork a job: the Session would be lost with it."""
    redis = Redis.from_url(environ["MIRROR_REDIS"])
    worker = SimpleWorker(
        [Queue(QUEUE, connection=redis)], connection=redis, log_job_description=False
    )
    worker.work(burst=burst, with_scheduler=True, logging_level="WARNING")
