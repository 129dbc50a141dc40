"""Copies a ledger for dry runs, page by page, and reads the results of such a run.

No transaction on the ledger is longer than a page: on PostgreSQL a long one would keep all dead
rows from being cleaned up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from sqlalchemy import Column, Select, and_, delete, exists, func, literal, select, update

from bridge.core.model.outcome_codes import Code, of_cause
from bridge.ledger import hints, links, table_rows, tables
from bridge.ledger.database import Ledger, Tx, one_of
from bridge.ledger.work_kinds import JOB_KINDS

NOT_COPIED: Final = frozenset(
    {"inbox", "journal", "audit", "drift", "figure", "tally", "configuration", "process"}
    | {"mapping_draft", "mapping_revision", "survey", "surveyed_key"}
    | {"account", "web_session", "sign_in_link", "sign_in_failure", "used_sign_in"}
    | {"api_token", "kept_answer", "vendor_call"}
    | {"notice", "notice_sending", "notice_endpoint", "notice_told"}
)
OF_LIVE: Final = frozenset({"connection_health", "catch_up"})
"""What concerns live systems alone."""
OF_LINKS: Final[Mapping[str, Column[Any]]] = {
    column.table.name: column
    for column in (
        tables.link.c.id,
        tables.side.c.link_id,
        tables.attempt.c.link_id,
        tables.create_intent.c.link_id,
        tables.match_key.c.link_id,
        tables.conflict.c.link_id,
        tables.unmapped.c.link_id,
    )
}
"""Tables whose rows hang on links, by name, in the order of copying: the column that says which."""
PAGE: Final = 500
_OF_NO_JOB: Final = tables.work.c.kind.not_in(JOB_KINDS)


def begin(ledger: Ledger, *, live: bool) -> Ledger:
    """Return a copy of what hangs on no link, without history and long jobs.

    `live` also copies the health of the connections, and what there is to catch up with.
    """
    copy = Ledger("sqlite://", scratch=True)
    copy.upgrade()
    left_out = NOT_COPIED | OF_LINKS.keys() | {"sighting", "work"}
    with ledger.read() as source, copy.transaction() as target:
        table_rows.copy(source, target, left_out if live else left_out | OF_LIVE)
        ended = {"finished_at": tables.run.c.progress_at}
        target.execute(update(tables.run).where(tables.run.c.finished_at.is_(None)).values(ended))
    return copy


def add_all(ledger: Ledger, copy: Ledger) -> None:
    """Add all links and all work to a copy, as `add_links` does."""
    after = ""
    while True:
        with ledger.snapshot() as source, copy.transaction() as target:
            page = links.ids(source, after)
            _add_rows_of_links(source, target, page)
        if not page:
            break
        after = page[-1]
    last = 0
    while True:
        with ledger.read() as source, copy.transaction() as target:
            rows = select(tables.work.c.id).where(_OF_NO_JOB, tables.work.c.id > last)
            numbers = source.execute(rows.order_by(tables.work.c.id).limit(PAGE)).scalars().all()
            table_rows.copy_listed(source, target, tables.work.c.id, numbers)
        if not numbers:
            break
        last = numbers[-1]
    with copy.transaction() as target:
        # Links may have been made since their page was read.
        is_there = exists().where(tables.link.c.id == tables.work.c.link_id)
        of_a_link = tables.work.c.link_id.is_not(None)
        target.execute(delete(tables.work).where(of_a_link, ~is_there))
        _give_back(target)


def add_links(source: Tx, target: Tx, ids: Collection[str]) -> None:
    """Add links to a copy, with all that hangs on them and the work that concerns them.

    Claims and leases are given back.
    """
    _add_rows_of_links(source, target, ids)
    numbers = outstanding(source, ids).values()
    every = sorted(number for of_link in numbers for number in of_link)
    add_work(source, target, every)


def add_work(source: Tx, target: Tx, numbers: Collection[int]) -> None:
    """Add work to a copy, as if nobody had claimed it."""
    table_rows.copy_listed(source, target, tables.work.c.id, numbers)
    _give_back(target)


def _add_rows_of_links(source: Tx, target: Tx, ids: Collection[str]) -> None:
    for column in OF_LINKS.values():
        table_rows.copy_listed(source, target, column, ids)
    sides = select(tables.side.c.id).where(one_of(source.dialect.name, tables.side.c.link_id))
    numbers = source.execute(sides, {"ids": list(ids)}).scalars().all()
    table_rows.copy_listed(source, target, tables.sighting.c.side_id, numbers)


def _give_back(target: Tx) -> None:
    target.execute(update(tables.work).values(run_id=None))
    give_back_claims(target)


def clear(tx: Tx) -> None:
    """Take all links and all work out of a copy."""
    tx.execute(delete(tables.link))  # and by that all that hangs on them
    tx.execute(delete(tables.work))


def outstanding(tx: Tx, ids: Collection[str]) -> dict[str, list[int]]:
    """Return the work that concerns links, parked work included: its ids, by link."""
    found: dict[str, list[int]] = {}
    for statement in (_work_of_links(tx.dialect.name), _readings_of_links(tx.dialect.name)):
        for link_id, number in tx.execute(statement, {"ids": list(ids)}):
            found.setdefault(link_id, []).append(number)
    return found


def work_of_no_link(tx: Tx, after: int) -> list[int]:
    """Return the ids of the next work that is due some day, and concerns no link."""
    work, side, link = tables.work.c, tables.side.c, tables.link.c
    has_link = exists().where(link.id == work.link_id)
    has_side = exists().where(
        side.connection == work.connection,
        side.entity == work.entity,
        side.remote_id == work.remote_id,
    )
    rows = select(work.id).where(_OF_NO_JOB, work.parked_at.is_(None), ~has_link, ~has_side)
    rows = rows.where(work.id > after).order_by(work.id).limit(PAGE)
    return list(tx.execute(rows).scalars())


@cache
def _work_of_links(dialect: str) -> Select[Any]:
    work = tables.work.c
    return select(work.link_id, work.id).where(_OF_NO_JOB, one_of(dialect, work.link_id))


@cache
def _readings_of_links(dialect: str) -> Select[Any]:
    """Return the query for the readings of links' records, which name the record alone."""
    work, side = tables.work, tables.side.c
    same = (side.connection == work.c.connection, side.entity == work.c.entity)
    key = literal(f"{hints.KIND}:") + side.connection + ":" + side.entity + ":" + side.remote_id
    rows = select(side.link_id, work.c.id).join(work, and_(work.c.key == key, *same))
    return rows.where(work.c.link_id.is_(None), one_of(dialect, side.link_id))


def give_back_claims(tx: Tx) -> None:
    """Give back all claims and leases: whoever held them does not work on this copy."""
    tx.execute(update(tables.work).values(claimed_by=None, claimed_until=None))
    tx.execute(update(tables.link).values(lease_owner=None, lease_until=None))


def notes(
    tx: Tx, kinds: Collection[str], without: Collection[Code]
) -> Counter[tuple[str, str, str, str]]:
    """Count the journal's entries of these kinds, by kind, connection, field and reason.

    Entries with an outcome code that is listed in `without` are left out.
    """
    journal = tables.journal.c
    entries = select(journal.kind, journal.connection, journal.field, journal.detail).where(
        journal.kind.in_(kinds)
    )
    return Counter(
        (row.kind, row.connection, row.field, str((row.detail or {}).get("why", "")))
        for row in tx.execute(entries)
        if (row.detail or {}).get("code") not in without
    )


@dataclass(slots=True)
class Totals:
    """What a plan counts, of one ledger or of what a part of the plan has added to it."""

    parked: Counter[tuple[str, Code]] = field(default_factory=Counter)
    unmapped: Counter[tuple[str, str]] = field(default_factory=Counter)
    sides: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Live records, by connection and entity."""

    @classmethod
    def of(cls, tx: Tx) -> Totals:
        """Count what is in a copy."""
        side = tables.side.c
        by = (side.connection, side.entity)
        live = select(*by, func.count()).where(side.tombstone.is_(False)).group_by(*by)
        sides = {(name, entity): number for name, entity, number in tx.execute(live)}
        return cls(parked(tx), unmapped(tx), Counter(sides))

    def add_change(self, before: Totals, after: Totals) -> None:
        """Add what has become of a part."""
        for mine, old, new in (
            (self.parked, before.parked, after.parked),
            (self.unmapped, before.unmapped, after.unmapped),
            (self.sides, before.sides, after.sides),
        ):
            mine.update(new)  # type: ignore[arg-type]
            mine.subtract(old)  # type: ignore[arg-type]


def parked(tx: Tx) -> Counter[tuple[str, Code]]:
    """Count the parked work, by connection and outcome code."""
    work = tables.work.c
    by = (work.connection, work.parked_cause)
    here = (work.parked_at.is_not(None), _OF_NO_JOB)
    rows = tx.execute(select(*by, func.count()).where(*here).group_by(*by))
    counted: Counter[tuple[str, Code]] = Counter()
    for connection, cause, number in rows:
        counted[connection, of_cause(cause)] += number
    return counted


def unmapped(tx: Tx) -> Counter[tuple[str, str]]:
    """Count the links that show each stranger, by connection and name."""
    by = (tables.unmapped.c.connection, tables.unmapped.c.who)
    rows = tx.execute(select(*by, func.count()).group_by(*by))
    return Counter({(connection, who): number for connection, who, number in rows})
