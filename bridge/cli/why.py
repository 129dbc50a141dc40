"""`bridge why REF FIELD`: why a field has its value, and why a side does or does not show it."""

from __future__ import annotations

import json
from typing import Any

import click

from bridge.cli.operator import looking, show, the_one
from bridge.config import Config
from bridge.core.merge.case import DEFAULT_POLICY
from bridge.core.model.state import Link
from bridge.core.model.syncs import FieldPolicy
from bridge.core.model.values import Marker
from bridge.ledger import attempts, links, parking, timeline
from bridge.ledger.database import Tx
from bridge.operations.times import when

DECIDING = frozenset(
    {"changed", "conflict", "uncertain", "resolved", "reverted", "remapped", "settled", "agreed"}
)
"""Kinds of line that say how a field came by its value."""


@click.command()
@click.argument("ref")
@click.argument("field")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def why(ref: str, field: str, as_json: bool) -> None:
    """Say why FIELD of ticket REF has its value: who set it, by which policy, and what each side shows."""
    with looking() as (tx, config, _now):
        link = links.load(tx, [the_one(tx, ref)]).popitem()[1]
        if field not in link.state:
            raise click.UsageError(f"{link.id} has no {field}; allowed: {', '.join(link.state)}")
        given = explain(tx, config, link, field)
    if as_json:
        show([given])
        return
    state = given["state"]
    if state["in_conflict"]:
        click.echo(
            f"{field} is in conflict and stays as it is on every side: {state['in_conflict']}"
        )
    else:
        click.echo(
            f"{field} is {_said(state['value'])}, set by {state['set_by'] or 'nobody'} (revision {state['rev']})"
        )
    click.echo(f"policy: {given['policy']}")
    for line in given["history"]:
        detail = "  ".join(
            f"{name} {_said(value)}"
            for name, value in line["detail"].items()
            if value not in (None, "")
        )
        click.echo(f"  {when(line['at'])}  {line['kind']}  {line['connection']}  {detail}")
    for name, side in given["sides"].items():
        click.echo(f"{name}:{side['id']} shows {_said(side['shows'])}: {side['because']}")


def explain(tx: Tx, config: Config, link: Link, field: str) -> dict[str, Any]:
    """Give everything that is known about one field of a ticket, as plain values."""
    state = link.state[field]
    lines = [
        line
        for line in timeline.timeline(tx, link.id)
        if line.field == field and line.kind in DECIDING
    ]
    return {
        "link": link.id,
        "field": field,
        "state": {
            "value": state.value,
            "rev": state.rev,
            "set_by": state.set_by,
            "in_conflict": state.why_open if state.candidates is not None else "",
            "candidates": state.candidates or {},
        },
        "policy": _policy(config.syncs[link.sync].policies.get(field, DEFAULT_POLICY))
        if link.sync in config.syncs
        else "",
        "history": [
            {"at": line.at, "kind": line.kind, "connection": line.connection, "detail": line.detail}
            for line in lines[-5:]
        ],
        "sides": {name: _side(tx, config, link, name, field) for name in link.sides},
    }


def _side(tx: Tx, config: Config, link: Link, name: str, field: str) -> dict[str, Any]:
    side, state = link.sides[name], link.state[field]
    entry = side.fields.get(field)
    known = entry is not None and not isinstance(entry.shadow, Marker)
    refused = {row["field"] for _id, row in parking.of_fields(tx, link.id, name)}
    writes = [
        row
        for row in attempts.history(tx, link.id)
        if row["connection"] == name and field in _sent(row)
    ]
    if apart := _apart(config, link, name, field):
        because = apart
    elif entry is None or not known:
        because = "it was never read there"
    elif entry.unreadable:
        because = f"what it shows is not believed: {entry.unreadable}"
    elif entry.decided_why and entry.decided is not None:
        because = f"not carried: {entry.decided_why}"
    elif field in refused:
        because = "the vendor refused the value; see `bridge parked list`"
    elif state.candidates is not None:
        because = "in conflict"
    elif entry.level >= state.rev:
        because = "level with the bridge"
    else:
        because = _owed(link, state.rev - max(entry.level, 0))
    return {
        "id": side.remote_id,
        "shows": entry.shadow if known and entry else None,
        "level": entry.level if entry else None,
        "seen": entry.seen if entry else None,
        "because": because,
        "last_write": {"at": writes[-1]["opened_at"], "outcome": writes[-1]["outcome"]}
        if writes
        else None,
    }


def _apart(config: Config, link: Link, name: str, field: str) -> str:
    """Say why the field of a ticket never travels to or from this side; empty when it does."""
    side, mapped = link.sides[name], config.maps.get(name, {}).get(link.entity)
    if side.tombstone:
        return "the record was deleted there"
    if side.detached:
        return f"the record is detached; `bridge link relink {name}:{side.remote_id}` puts it back"
    if not side.in_scope:
        return "the record is out of the sync's scope"
    if mapped is not None and field not in mapped.fields:
        return f"the mapping of {name} has no such field"
    return ""


def _owed(link: Link, behind: int) -> str:
    paused = f"the ticket is paused: `bridge link resume {link.id}` lets it be written"
    return f"behind by {behind} revision{'' if behind == 1 else 's'}; {paused if link.paused else 'a write is owed'}"


def _sent(row: dict[str, Any]) -> Any:
    detail = row["detail"]
    return detail.get("sent", ()) if isinstance(detail, dict) else ()


def _policy(policy: FieldPolicy) -> str:
    words = f"owner {policy.owner}" if policy.policy == "owner" else policy.policy
    to = "" if policy.to is None else f", sent to {', '.join(policy.to) or 'nobody'}"
    return f"{words}{to}"


def _said(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)
