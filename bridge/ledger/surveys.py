"""Surveys: the match keys of all that a listing shows, so that an import need not search for each.

A survey begins with the walk through a listing, is whole when that has ended, and is kept up to
date by listing what was made since. It only ever says that nothing there can match: what may match
is searched for, as it is where there is no survey.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final

from sqlalchemy import (
    Delete,
    Integer,
    Select,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)

from bridge.ledger.database import Tx, insert, one_of
from bridge.ledger.json_rows import Rows
from bridge.ledger.survey_tables import survey, surveyed_key
from bridge.ledger.tables import side

UNKNOWN: Final = ""
"""The key of a record of which too little is shown: it may match anything."""
NONE: Final = "-"
"""The key of a record that can match nothing. It counts as met."""
NO_RULE: Final = -1
"""The number of the rule in both cases."""


@dataclass(frozen=True, slots=True)
class SurveyedKey:
    """One key by which a record may be found, and when that was made, if the key depends on it."""

    rule: int
    hash: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WantedKey:
    """A key that is looked for: all that has it, or only what was made between two times."""

    hash: str
    after: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class SurveyState:
    """How far a survey is."""

    revision: str
    """Of the files by which its keys were made."""
    began_at: datetime
    as_of: datetime | None
    """What was there by then has been met; None: the listing has not ended."""
    asked: bool
    """Somebody is about to list what was made since."""


def begin(tx: Tx, connection: str, entity: str, revision: str, began_at: datetime) -> None:
    """Begin a survey in place of an earlier one."""
    end(tx, connection, entity)
    of_earlier = (surveyed_key.c.connection == connection, surveyed_key.c.entity == entity)
    tx.execute(delete(surveyed_key).where(*of_earlier))
    row = {"connection": connection, "entity": entity, "revision": revision, "began_at": began_at}
    tx.execute(insert(tx, survey).values(**row, as_of=None, asked=False))


def end(tx: Tx, connection: str, entity: str) -> None:
    """End a survey: from here on everything is searched for. `prune` deletes its keys."""
    tx.execute(delete(survey).where(survey.c.connection == connection, survey.c.entity == entity))


def prune(tx: Tx, before: datetime) -> None:
    """End the surveys that are no newer than that, and delete the keys of all that have ended."""
    tx.execute(delete(survey).where(func.coalesce(survey.c.as_of, survey.c.began_at) < before))
    of_one = exists().where(
        survey.c.connection == surveyed_key.c.connection, survey.c.entity == surveyed_key.c.entity
    )
    tx.execute(delete(surveyed_key).where(~of_one))


def erase(tx: Tx) -> None:
    """End all surveys and delete their keys: whoever knows a person's address can compute them."""
    for table in (survey, surveyed_key):
        tx.execute(delete(table))


_STATE = select(survey.c.revision, survey.c.began_at, survey.c.as_of, survey.c.asked).where(
    survey.c.connection == bindparam("of"), survey.c.entity == bindparam("kind")
)


def state(tx: Tx, connection: str, entity: str) -> SurveyState | None:
    """Return how far a survey is; None: there is none."""
    row = tx.execute(_STATE, {"of": connection, "kind": entity}).first()
    return None if row is None else SurveyState(*row)


def add(tx: Tx, connection: str, entity: str, met: Mapping[str, Sequence[SurveyedKey]]) -> None:
    """Store the keys of records, by remote id, in place of those that they had."""
    if not met:
        return
    key = {"of": connection, "kind": entity}
    tx.execute(_forget(tx.dialect.name), key | {"ids": list(met)})
    rows = [
        {
            "connection": connection,
            "entity": entity,
            "remote_id": remote_id,
            "rule": each.rule,
            "hash": each.hash,
            "at": each.at,
        }
        for remote_id, keys in met.items()
        for each in keys or [SurveyedKey(NO_RULE, NONE)]
    ]
    tx.execute(insert(tx, surveyed_key).on_conflict_do_nothing(), rows)


@cache
def _forget(dialect: str) -> Delete:
    here = (
        surveyed_key.c.connection == bindparam("of"),
        surveyed_key.c.entity == bindparam("kind"),
    )
    return delete(surveyed_key).where(*here, one_of(dialect, surveyed_key.c.remote_id))


def count_unmet(tx: Tx, connection: str, entity: str, known_before: datetime) -> int:
    """Count the records that the ledger has known since before then, and that were not met."""
    met = exists().where(
        surveyed_key.c.connection == side.c.connection,
        surveyed_key.c.entity == side.c.entity,
        surveyed_key.c.remote_id == side.c.remote_id,
    )
    unmet = select(func.count()).where(
        side.c.connection == connection,
        side.c.entity == entity,
        side.c.tombstone.is_(False),
        side.c.created_at < known_before,
        ~met,
    )
    return tx.execute(unmet).scalar_one()


def bring_up_to(
    tx: Tx, connection: str, entity: str, as_of: datetime, since: datetime | None
) -> None:
    """Record that all that was there by then has been met; `since`: that was so up to then.

    Nothing is recorded where another survey has begun meanwhile.
    """
    of = (survey.c.connection == connection, survey.c.entity == entity)
    unchanged = survey.c.as_of.is_(None) if since is None else survey.c.as_of == since
    tx.execute(update(survey).where(*of, unchanged).values(as_of=as_of, asked=False))


_ASK = (
    update(survey)
    .where(
        survey.c.connection == bindparam("of"),
        survey.c.entity == bindparam("kind"),
        survey.c.asked.is_(False),
    )
    .values(asked=True)
)


def ask(tx: Tx, connection: str, entity: str) -> bool:
    """Record that what was made since is to be listed; False when somebody does that already."""
    return bool(tx.execute(_ASK, {"of": connection, "kind": entity}).rowcount)


@dataclass(frozen=True, slots=True)
class Sought:
    """A key that is looked for in a survey, on behalf of that number of the question."""

    number: int
    connection: str
    entity: str
    key: WantedKey


def may_hold(tx: Tx, sought: Sequence[Sought]) -> set[int]:
    """Return the numbers for which a record was met that one of their keys may find."""
    if not sought:
        return set()
    rows = [
        (each.number, each.connection, each.entity, each.key.hash, each.key.after, each.key.before)
        for each in sought
    ]
    found = tx.execute(_may_hold(tx.dialect.name), _SOUGHT.given(tx, rows))
    return {row.number for row in found}


_TIME = surveyed_key.c.at.type
_SOUGHT = Rows(
    number=Integer(),
    connection=surveyed_key.c.connection.type,
    entity=surveyed_key.c.entity.type,
    hash=surveyed_key.c.hash.type,
    after=_TIME,
    before=_TIME,
)


@cache
def _may_hold(dialect: str) -> Select[tuple[int]]:
    sought = _SOUGHT.table(dialect)
    here = (
        surveyed_key.c.connection == sought.c.connection,
        surveyed_key.c.entity == sought.c.entity,
    )
    of_its_time = or_(
        sought.c.after.is_(None),
        surveyed_key.c.at.is_(None),
        surveyed_key.c.at.between(sought.c.after, sought.c.before),
    )
    hit = exists().where(*here, surveyed_key.c.hash == sought.c.hash, of_its_time)
    anything = exists().where(*here, surveyed_key.c.hash == UNKNOWN)
    return select(sought.c.number).where(or_(hit, anything)).distinct()
