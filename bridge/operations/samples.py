"""Records to try the mappings on: from a file, read at a system, or what a webhook told of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bridge import foreign_json
from bridge.config.mapping_texts import Published
from bridge.connectors.contract import Record
from bridge.errors import NotPossible, UnknownName
from bridge.ledger import links
from bridge.operations import inbox, mapping_trials
from bridge.operations.desk import Desk
from bridge.workbench.preview_comparison import ComparedRecord, compared
from bridge.workbench.record_preview import RecordPreview, mapping_of, preview

MAX_BYTES: Final = 1 << 20
"""Of a record in a file."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One record in the vendor's own words."""

    name: str
    """What it is called in what is shown: `helpdesk:tkt_1`, or the file."""
    connection: str
    entity: str
    data: dict[str, Any]


def tried(desk: Desk, sample: Sample) -> RecordPreview:
    """Return what the mappings make of a sample. Raises UnknownName where nothing maps it."""
    places = desk.config.places
    return preview(desk.context, places, sample.connection, sample.entity, sample.data)


def given(name: str, raw: bytes, connection: str, entity: str) -> Sample:
    """Return the record that a file holds. Raises NotPossible for what is no record."""
    if len(raw) > MAX_BYTES:
        raise NotPossible(f"{name} is larger than {MAX_BYTES >> 20} MiB")
    try:
        data = foreign_json.loads(raw)
    except ValueError:
        raise NotPossible(
            f"{name} is no JSON; it must hold one record, as the API shows it"
        ) from None
    if not isinstance(data, dict):
        raise NotPossible(f"{name} must hold one record, an object as the API shows it")
    return Sample(name, connection, entity, data)


def live(desk: Desk, ref: str, entity: str) -> Sample:
    """Read the record `connection:remote-id` at its system.

    Raises UnknownName where there is none, and the connector's errors.
    """
    connection, colon, remote_id = ref.partition(":")
    if not colon or not remote_id:
        raise UnknownName(f"{ref} is no record; allowed: connection:remote-id")
    desk.connection(connection)
    samples = _read(desk, connection, entity, [remote_id])
    if not samples:
        raise UnknownName(f"{connection} shows no {entity} {remote_id}")
    return samples[0]


def of_webhook(desk: Desk, number: int) -> Sample:
    """Read the record that webhook NUMBER told of. Raises UnknownName where it told of none."""
    entry = inbox.show(desk, number)
    if not entry.remote_id:
        raise UnknownName(
            f"webhook {number} told of no record: {entry.verdict} {entry.why}".rstrip()
        )
    return live(desk, f"{entry.connection}:{entry.remote_id}", entry.entity or "ticket")


def newest(desk: Desk, connection: str, entity: str, limit: int) -> list[Sample]:
    """Read the newest records of a connection that the bridge knows, and that are still there."""
    desk.connection(connection)
    with desk.ledger.read() as tx:
        ids = links.newest_records(tx, connection, entity, limit)
    return _read(desk, connection, entity, ids)


def beside(desk: Desk, files: Mapping[str, str], found: Sequence[Sample]) -> list[ComparedRecord]:
    """Return what the mappings in force and other ones make of samples, side by side.

    Raises ConfigError with all that is wrong with the others, UnknownName where nothing maps them.
    """
    config = mapping_trials.with_mappings_of(desk, Published(desk.config.number, files))
    context, places = mapping_trials.context_of(desk, config), config.places
    return [
        compared(
            each.name,
            tried(desk, each),
            preview(context, places, each.connection, each.entity, each.data),
        )
        for each in found
    ]


def _read(desk: Desk, connection: str, entity: str, ids: Sequence[str]) -> list[Sample]:
    mapping_of(desk.context, connection, entity)
    connector = desk.connectors[connection]
    size = desk.context.capabilities[connection][entity].read_batch
    found: dict[str, Record | None] = {}
    for start in range(0, len(ids), size):
        found |= connector.read(entity, ids[start : start + size])
    return [
        Sample(f"{connection}:{remote_id}", connection, entity, dict(record.data))
        for remote_id in ids
        if (record := found.get(remote_id)) is not None
    ]
