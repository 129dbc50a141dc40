"""What an operator decides about one link, carried out under its lease like any other change."""

from __future__ import annotations

from datetime import timedelta

from bridge.core.merge import lifecycle
from bridge.core.merge.equality import reads_as
from bridge.core.model.entities import ENTITIES
from bridge.core.model.state import FieldState, Link
from bridge.core.model.values import Canonical, Unreadable
from bridge.engine.context import Context
from bridge.errors import Busy, NotPossible
from bridge.flow.replan import replan
from bridge.ledger import conflict_log, links, timeline
from bridge.ledger.database import Tx

HOLD = timedelta(seconds=10)


def resolve(
    tx: Tx, context: Context, link_id: str, field: str, value: Canonical, who: str
) -> Canonical:
    """Decide an open conflict and queue the writes that follow; gives the value as it stands now."""
    now, token = context.clock.now(), f"operator/{context.fresh_id()}"
    fence = links.lease(tx, link_id, token, now, now + HOLD)
    if fence is None:
        raise Busy(f"a worker has {link_id} just now; ask again in a moment")
    link = links.load(tx, [link_id])[link_id]
    state = opened(link, field)
    conflict_log.close(tx, link_id, field, f"{who} decided", now)
    notes = lifecycle.resolve(link, field, value, now)
    for note in notes:
        note.detail["by"] = who
    notes += replan(tx, context, link, now, lane="operator")
    links.save(tx, link, token, fence, now)
    timeline.add(tx, link.id, now, notes)
    conflict_log.record(tx, link, [], now)
    links.release(tx, link_id, token, fence)
    return state.value


def opened(link: Link, field: str) -> FieldState:
    """Give the state of a field in conflict. Raises NotPossible, naming those that are."""
    state = link.state.get(field)
    if state is None or state.candidates is None:
        waiting = sorted(name for name, each in link.state.items() if each.candidates is not None)
        allowed = f"allowed: {', '.join(waiting)}" if waiting else "none of its fields is"
        raise NotPossible(f"{field} of {link.id} is not in conflict; {allowed}")
    return state


def taken(context: Context, link: Link, field: str, connection: str) -> Canonical:
    """Give what a connection says in a conflict, in the bridge's own words."""
    candidates = opened(link, field).candidates or {}
    if connection not in candidates:
        raise NotPossible(
            f"{connection} has no say in this conflict; allowed: {', '.join(sorted(candidates))}"
        )
    mapped, side = context.maps[connection][link.entity].fields[field], link.sides[connection]
    value = reads_as(mapped, side.fields[field], candidates[connection])
    if isinstance(value, Unreadable):
        raise NotPossible(
            f"what {connection} shows cannot be read ({value.why}); give the value itself"
        )
    return value


def spoken(entity: str, field: str, text: str) -> Canonical:
    """Read a value as an operator writes it: `null` for none, a set with commas. Raises NotPossible."""
    known = ENTITIES[entity].get(field)
    if known is None:
        raise NotPossible(f"a {entity} has no {field}; allowed: {', '.join(ENTITIES[entity])}")
    if known.kind == "set":
        return tuple(
            sorted(
                {each.strip().lstrip("#").casefold() for each in text.split(",") if each.strip()}
            )
        )
    if text == "null":
        return None
    if known.choices and text not in known.choices:
        raise NotPossible(f"{field} cannot be {text!r}; allowed: {', '.join(known.choices)}, null")
    if known.kind == "boolean":
        if text not in {"true", "false"}:
            raise NotPossible(f"{field} cannot be {text!r}; allowed: true, false, null")
        return text == "true"
    return text
