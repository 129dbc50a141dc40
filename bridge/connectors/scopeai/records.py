"""From ScopeAI's rows to records, and from our marker to the external id that stands for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from bridge.connectors.contract import Record
from bridge.connectors.parsing import Row, row_id
from bridge.core.model.markers import Markers
from bridge.core.model.values import Ref
from bridge.http.caller import Answer


def record(
    connection: str,
    entity: str,
    row: Row,
    answer: Answer,
    tags: Sequence[Row] | None,
    *,
    marker: str | None = None,
) -> Record:
    """Return a record of a row. `tags` None: the row shows nothing about them."""
    data = {name: value for name, value in row.items() if name != "tag_relationships"}
    if tags is not None:
        data["tags"] = list(tags)
    # The older revision shows no times at all, the later one `created`, in seconds since 1970.
    created = row.get("created")
    if isinstance(created, int | float) and not isinstance(created, bool) and 0 <= created < 1e11:
        data["created_at"] = datetime.fromtimestamp(created, UTC).isoformat()
    return Record(
        ref=Ref(connection, entity, row_id(row)),
        data=data,
        read_at=answer.sent_at,
        marker=marker,
        partial=tags is None,
        clocks=answer.clocks,
    )


def relationships(row: Row) -> list[Row] | None:
    """Return a ticket's relationships to tags: `id`, `salience`, `sentiment`; None: it shows none.

    A score that is missing or no number is None.
    """
    shown = row.get("tag_relationships")
    if not isinstance(shown, list):
        return None
    return [
        {
            "id": tag_id,
            "salience": _score(relationship, "salience"),
            "sentiment": _score(relationship, "sentiment"),
        }
        for relationship in shown
        if isinstance(relationship, Mapping)
        and (tag_id := row_id({"id": relationship.get("tag_id")}))
    ]


def named_tags(shown: list[Row], names: Mapping[str, str | None]) -> list[Row]:
    """Return relationships by the tag's name; those whose tag has no name are left out."""
    return [
        {"name": name, "salience": tag["salience"], "sentiment": tag["sentiment"]}
        for tag in shown
        if (name := names[tag["id"]])
    ]


def tag_name(row: Row) -> str:
    """Return a tag's name; empty when it has none."""
    name = row.get("name")
    return name.strip() if isinstance(name, str) else ""


def shown_marker(row: Row, markers: Markers) -> str | None:
    """Return the marker, or the number that stands for one, that is a ticket's external id."""
    shown = row.get("external_id")
    if isinstance(shown, bool) or not isinstance(shown, int | str):
        return None
    return str(shown) if markers.has(str(shown)) else None


def _score(relationship: Row, name: str) -> float | None:
    # Examples say `salience`, the prose `salience_score` (both revisions, 2026-11).
    for spelling in (name, f"{name}_score"):
        value = relationship.get(spelling)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
    return None
