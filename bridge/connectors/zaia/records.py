"""From Zaia's rows to records: who is assigned, and why a ticket's tags are not shown.

Listings and single reads have names and no time of change; answers to writes have fewer fields.
Neither shows tags (https://docs.zaia.app, API reference (alpha), tickets, read 2026-11).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from bridge.connectors.contract import Person, Record
from bridge.connectors.parsing import Row, is_row, row_id
from bridge.connectors.zaia.capabilities import TICKET
from bridge.core.model.values import Ref
from bridge.http.caller import Answer

TAGS_NOT_SHOWN = "a ticket's tags are not shown; the next full listing reads them"


def record(
    connection: str,
    row: Row,
    answer: Answer,
    *,
    service_user: str,
    no_tags: str = TAGS_NOT_SHOWN,
    tags_as_of: datetime | None = None,
) -> Record:
    """Return a record of a row.

    `no_tags` says why it has no tags; `tags_as_of` that it has, and for which moment they hold.
    """
    data, people = dict(row), tuple[Person, ...]()
    assignee, email = row.get("assigneeId"), row.get("assigneeEmail")
    if assignee is not None and assignee == service_user:
        # What is done in nobody's name is done in this user's, who reads as nobody.
        data |= {name: None for name in row if name.startswith("assignee")}
    elif isinstance(assignee, str) and isinstance(email, str) and email:
        people = (Person(assignee, email, str(row.get("assigneeName") or "")),)
    return Record(
        ref=Ref(connection, TICKET, row_id(row)),
        data=data,
        read_at=tags_as_of or answer.sent_at,
        unreadable={} if tags_as_of else {"tags": no_tags},
        people=people,
        clocks=answer.clocks,
    )


def written(connection: str, answer: Answer, *, service_user: str) -> Record | None:
    """Return the record that a write answered, which lacks fields; None when it shows none."""
    row = answer.body
    if (
        not isinstance(row, Mapping)
        or not is_row(row)
        or not {"status", "assigneeId"} <= row.keys()
    ):
        return None
    shown = record(connection, row, answer, service_user=service_user)
    return shown._replace(partial=True, unreadable={})
