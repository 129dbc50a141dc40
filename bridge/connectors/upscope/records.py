"""From Upscope's objects to records, cut down to what may be kept (see capabilities.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from bridge.connectors.contract import Record
from bridge.connectors.parsing import Row, format_time, parse_time, value_at
from bridge.connectors.upscope.capabilities import (
    CUSTOMER,
    METRICS,
    SESSION,
    SESSION_FIELDS,
    SHORT_ID,
    VISITOR_FIELDS,
)
from bridge.core.mapping.email_address import address_of
from bridge.core.model.values import NO_NUMBER, Ref, shows_no_number
from bridge.http.caller import Answer

SECOND = timedelta(seconds=1)
"""The resolution of a time without milliseconds."""


def short_id(row: Any) -> str:
    """Return a visitor's id; empty when this is no visitor."""
    value = row.get("short_id") if isinstance(row, Mapping) else None
    return value if isinstance(value, str) and SHORT_ID.fullmatch(value) else ""


def customer(connection: str, row: Row, answer: Answer, *, listed: bool = False) -> Record:
    """Return the record of a visitor."""
    ref = Ref(connection, CUSTOMER, short_id(row))
    return Record(ref, visitor(row), read_at=answer.sent_at, partial=listed, clocks=answer.clocks)


def session(
    connection: str, visitor_row: Row, number: str, row: Row, answer: Answer
) -> Record | None:
    """Return the record of a session; None while it runs.

    Until it is over, its length, its agents and its end are not what they will be.
    """
    ended_at = parse_time(row.get("ended_at"))
    if ended_at is None:
        return None
    data = session_data(visitor_row, number, row)
    resolution = timedelta(0) if ended_at.microsecond else SECOND
    return Record(
        Ref(connection, SESSION, data["id"]),
        data,
        answer.sent_at,
        changed_before=ended_at + answer.skew + resolution,
        clocks=answer.clocks,
    )


def sessions(row: Row) -> Iterator[tuple[str, Row]]:
    """Yield a visitor's screen shares, each with its number as text."""
    shares = row.get("sessions")
    for share in shares if isinstance(shares, list) else ():
        number = share.get("id") if isinstance(share, Mapping) else None
        if isinstance(number, int) and not isinstance(number, bool) and number >= 0:
            yield str(number), share


def visitor(row: Row) -> dict[str, Any]:
    """Return what is kept of a visitor. A name that the row lacks stays absent."""
    kept = {name: row[name] for name in VISITOR_FIELDS.split() if name in row}
    # Later versions say `added_at` (cobrowsingapi.com/docs/rest-api/object-types, 2026-11).
    if "first_seen_at" not in kept and "added_at" in row:
        kept["first_seen_at"] = row["added_at"]
    for name in ("first_seen_at", "last_seen_at"):
        if name in kept:
            kept[name] = as_utc(kept[name])
    if "identities" in row:
        kept["identities"] = texts(row["identities"])
    if "identities" in row or "email" in row:
        kept["email"] = visitor_email(row)
    unknown = [name for name in ("identities", "email") if shows_no_number(row.get(name))]
    if unknown:  # so nobody can tell whether there is one address
        kept |= dict.fromkeys((*unknown, "email"), NO_NUMBER)
    return kept


def visitor_email(row: Row) -> str | None:
    """Return the one e-mail address that a visitor shows; None for none, and for several.

    Identities are free text, which the website fills (README, 2026-11): only what is an address as
    a whole counts. Later versions have an `email` beside them.
    """
    shown = [*texts(row.get("identities")), *texts([row.get("email")])]
    addresses = {address for text in shown if isinstance(address := address_of(text), str)}
    return addresses.pop() if len(addresses) == 1 else None


def session_data(visitor_row: Row, number: str, row: Row) -> dict[str, Any]:
    """Return what is kept of a session, with who its visitor is."""
    agents = row.get("agents")
    shown = agents if isinstance(agents, list) else []
    names = [agent.get("name") for agent in shown if isinstance(agent, Mapping)]
    kept = {name: row.get(name) for name in SESSION_FIELDS.split()}
    return kept | {
        "id": f"{short_id(visitor_row)}/{number}",
        "visitor_id": short_id(visitor_row),
        "email": visitor_email(visitor_row),
        "unique_id": visitor_row.get("unique_id"),
        "started_at": as_utc(row.get("started_at")),
        "ended_at": as_utc(row.get("ended_at")),
        "features_used": texts(row.get("features_used")),
        "agent_names": ", ".join(dict.fromkeys(texts(names))),
    }


def metrics(usage: Any) -> dict[str, float]:
    """Return the numbers of usage.json under our names; what is no number is left out."""
    numbers: dict[str, float] = {}
    for path, name in METRICS.items():
        value = value_at(usage, path)
        if isinstance(value, int | float) and not isinstance(value, bool):
            numbers[name] = value
    return numbers


def as_utc(value: Any) -> str | None:
    """Return a time as UTC; None when it is none.

    Visitors are dated in UTC with milliseconds, sessions with the account's own offset (README,
    2026-11): as texts they could not be compared.
    """
    time = parse_time(value)
    return format_time(time) if time is not None else None


def texts(value: Any) -> list[str]:
    """Return the texts of a list that may be null, or hold other things."""
    if not isinstance(value, list):
        return []
    return [text for text in value if isinstance(text, str) and text.strip()]
