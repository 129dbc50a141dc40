"""The filters of PostHog's ticket list. What it does not understand, it drops."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from bridge.sandbox.exchange import Problem
from bridge.sandbox.posthog_calls import CHANNELS, PRIORITIES, STATUSES
from bridge.sandbox.store import Record, from_iso

MAX_ASKERS: Final = 100
"""People that one listing can be asked for; more are not heard."""

Filter = Callable[[Record], bool]


def filtered(rows: list[Record], query: Mapping[str, str], *, tags: bool) -> list[Record]:
    """Return the rows that all filters let through; `tags`: whether they are shown.

    Raises Problem: a view that there is not is refused, as no other filter is.
    """
    if query.get("view"):
        raise Problem(400, "invalid", "Unknown view.", "view")
    filters = [*_by_word(query), *_by_date(query), *_by_assignee(query)]
    if "ids" in query:
        filters.append(_by_ids(query["ids"]))
    if query.get("emails"):
        filters.append(_by_asker(query["emails"], _address))
    if query.get("distinct_ids"):
        filters.append(_by_asker(query["distinct_ids"], lambda row: str(row["distinct_id"])))
    if query.get("search"):
        filters.append(_by_search(query["search"]))
    if tags and query.get("tags"):
        filters.append(_by_tags(query["tags"]))
    return [row for row in rows if all(lets_through(row) for lets_through in filters)]


def number(text: str | None, default: int) -> int:
    """Read a whole number, else take the default."""
    return int(text) if text is not None and text.isdigit() else default


def clean_tags(value: Any) -> list[str]:
    """Trim and lower-case tags. Raises Problem."""
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        raise Problem(400, "invalid", "Expected a list of strings.", "tags")
    return list(dict.fromkeys(tag.strip().lower() for tag in value if tag.strip()))


def _by_word(query: Mapping[str, str]) -> Iterator[Filter]:
    known_words = {"status": STATUSES, "priority": PRIORITIES, "channel_source": CHANNELS}
    for name, known in known_words.items():
        words = {word for word in query.get(name, "").split(",") if word in known}
        if words:
            yield lambda row, name=name, words=words: row[name] in words  # type: ignore[misc]


def _by_date(query: Mapping[str, str]) -> Iterator[Filter]:
    for name, sign in (("date_from", 1), ("date_to", -1)):
        try:
            edge = from_iso(query[name]).timestamp() * sign
        except (KeyError, ValueError):
            continue
        yield lambda row, sign=sign, edge=edge: _updated(row) * sign >= edge  # type: ignore[misc]


def _updated(row: Record) -> float:
    return from_iso(row["updated_at"]).timestamp()


def _by_assignee(query: Mapping[str, str]) -> Iterator[Filter]:
    kind, colon, remote_id = query.get("assignee", "").partition(":")
    if kind == "unassigned":
        yield lambda row: row["assignee"] is None
    elif colon:
        yield lambda row: _assigned(row) == (kind, remote_id)


def _assigned(row: Record) -> tuple[str, str] | None:
    assignee = row["assignee"]
    return (assignee["type"], str(assignee["id"])) if assignee else None


def _by_ids(given: str) -> Filter:
    wanted = set(given.split(","))
    return lambda row: row["id"] in wanted


def _by_asker(given: str, of: Callable[[Record], str]) -> Filter:
    wanted = {word.strip().casefold() for word in given.split(",")[:MAX_ASKERS]}
    return lambda row: of(row).casefold() in wanted


def _address(row: Record) -> str:
    return str(row["anonymous_traits"].get("email") or row["email_from"] or "")


def _by_tags(given: str) -> Filter:
    wanted = set(clean_tags(json.loads(given)))
    return lambda row: bool(wanted & set(row["tags"]))


def _by_search(needle: str) -> Filter:
    if needle.isdigit():
        return lambda row: bool(row["ticket_number"] == int(needle))
    return lambda row: any(needle.casefold() in text.casefold() for text in _texts(row))


def _texts(row: Record) -> Iterator[str]:
    traits = row["anonymous_traits"]
    texts = (
        traits.get("name"),
        traits.get("email"),
        row["email_subject"],
        row["last_message_text"],
    )
    return (str(text) for text in texts if text)


def as_meant(record: Record, fields: Mapping[str, Any], *, human: bool) -> dict[str, Any]:
    """Return the fields of an edit as they are meant: people set one trait among the others."""
    traits = fields.get("anonymous_traits")
    if not human or not isinstance(traits, dict):
        return dict(fields)
    return {**fields, "anonymous_traits": {**(record["anonymous_traits"] or {}), **traits}}
