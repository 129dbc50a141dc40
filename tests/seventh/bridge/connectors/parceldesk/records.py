"""From Parcel Desk's rows to records and back: our marker is taken out, labels are put in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bridge.connectors.contract import Person, Record
from bridge.connectors.parsing import Row, row_id
from bridge.core.model.values import Raw, Ref
from bridge.http.caller import Answer
from tests.seventh.bridge.connectors.parceldesk.capabilities import (
    DONE,
    MARKER_PREFIX,
    REASON_WHEN_DONE,
    TICKET,
)

_MARKER = re.compile(MARKER_PREFIX + r"([a-z0-9-]{1,40})")


def record(
    connection: str, row: Row, answer: Answer, labels: Sequence[str] | None = None
) -> Record:
    """Return a record of a row. `labels` None: they were not asked for."""
    data = dict(row)
    match = _MARKER.fullmatch(str(row.get("reference") or ""))
    if match:
        data["reference"] = None
    if labels is not None:
        data["labels"] = list(labels)
    return Record(
        ref=Ref(connection, TICKET, row_id(row)),
        data=data,
        read_at=answer.sent_at,
        marker=match[1] if match else None,
        partial=labels is None,
        people=people(row),
        clocks=answer.clocks,
    )


def people(row: Row) -> tuple[Person, ...]:
    """Return who is assigned: an agent's address is also the agent's id."""
    email = row.get("assignee")
    return (Person(email, email),) if isinstance(email, str) and email else ()


def sent_fields(values: Mapping[str, Raw]) -> dict[str, Any]:
    """Return what is sent for values: a ticket that is done needs a reason as well."""
    return {**values, "reason": REASON_WHEN_DONE} if values.get("status") == DONE else {**values}
