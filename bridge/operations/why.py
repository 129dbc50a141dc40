"""Why a field of a ticket has its value, and why each side does or does not show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple, TypeGuard

from bridge.config import Config
from bridge.core.mapping.fieldmap import EntityMap
from bridge.core.merge.case import DEFAULT_POLICY
from bridge.core.merge.equality import decision_holds, shows_state
from bridge.core.model.outcome_codes import Code
from bridge.core.model.state import FieldState, Link, Side, SideField
from bridge.core.model.syncs import AS_IT_IS, IGNORE, QUARANTINE, FieldPolicy
from bridge.core.model.values import Canonical, Marker, Raw, shown
from bridge.core.planning.planner import Plan
from bridge.engine.context import Context
from bridge.errors import UnknownName
from bridge.flow.replan import plan_member
from bridge.ledger import attempts, parking, probes, timeline
from bridge.ledger.database import Tx
from bridge.ledger.parking import Parked
from bridge.operations import find, late_fields
from bridge.operations.desk import Desk
from bridge.operations.masking import Mask, mask_of

DECIDING = frozenset(
    {"changed", "conflict", "uncertain", "resolved", "reverted", "remapped", "settled", "agreed"}
)
"""Kinds of timeline entries that say how a field came by its value."""
NEVER_READ = "it was never read there"
HISTORY_LENGTH = 5
"""So many of them are given, the newest."""


@dataclass(frozen=True, slots=True)
class AgreedState:
    """The agreed value. These fields and those below are the keys of `bridge why --json`."""

    value: Canonical
    rev: int
    set_by: str
    in_conflict: str
    """Why the field waits for a human; empty: it does not."""
    candidates: Mapping[str, Raw]
    """What each side says in the conflict."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened to the field."""

    at: datetime
    kind: str
    connection: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LastWrite:
    """The newest write of the field to a side."""

    at: datetime
    outcome: str | None
    """None: not known yet."""
    mapping_revision: int | None = None
    """The mappings' revision by which it was decided; None: it was noted by none."""


@dataclass(frozen=True, slots=True)
class SideReason:
    """What one side shows of the field, and why."""

    id: str
    shows: Raw | None
    level: int | None
    """The revision that the side was last known to show; None: the field was never read there."""
    seen: datetime | None
    because: str
    code: str
    """The outcome code of the reason; empty where nothing is left out."""
    last_write: LastWrite | None
    at: str = ""
    """The line of the mapping that says how the value reads: `mappings/switch.yaml:12`."""
    unknown: str = ""
    """The policy of `unknown_values` that acted on the value; empty: the mapping knows the value.
    """


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that is known about one field of a ticket."""

    link: str
    field: str
    state: AgreedState
    policy: str
    policy_at: str
    """The line that says so: `mappings/syncs.yaml:22`; empty where the sync is not there."""
    history: list[Moment]
    sides: Mapping[str, SideReason]


def explain(desk: Desk, ref: str, field: str, *, called: str = "") -> Explanation:
    """Explain a field of the ticket that REF names. Raises UnknownName for either.

    `called`: what whoever asks calls the ticket, if REF is not that.
    """
    called = called or ref
    with desk.ledger.read() as tx:
        link = find.ticket(tx, desk.context, ref)
        desk.context.probes.update(probes.by_connection(tx))
        if field not in link.state:
            raise UnknownName(_not_there(desk, link, field, called))
        found = Explanation(
            link=link.id,
            field=field,
            state=_agreed(link.state[field]),
            policy=_policy(desk.config, link, field),
            policy_at=_policy_at(desk.config, link, field),
            history=_history(tx, link, field),
            sides={
                name: _side(tx, desk, link, name, field, called)
                for name in (*link.sides, *link.retired)
            },
        )
        entries = timeline.timeline(tx, link.id) if desk.masks else ()
    return _masked(found, mask_of(desk, link, entries)) if desk.masks else found


def _masked(found: Explanation, mask: Mask) -> Explanation:
    """Return an explanation as whoever does not see personal values sees it."""
    state, field = found.state, found.field
    return replace(
        found,
        state=replace(
            state,
            value=mask.value(field, state.value),
            in_conflict=mask.text(state.in_conflict),
            candidates={name: mask.value(field, each) for name, each in state.candidates.items()},
        ),
        history=[
            replace(moment, detail=mask.detail(moment.kind, field, moment.detail))
            for moment in found.history
        ],
        sides={
            name: replace(
                side,
                shows=mask.value(field, side.shows),
                because=mask.reason(side.because, side.code),
            )
            for name, side in found.sides.items()
        },
    )


def _not_there(desk: Desk, link: Link, field: str, called: str) -> str:
    """Return in words that a ticket has no such field, and what would bring it one."""
    first = next((name for name in link.sides if name in desk.config.connections), "")
    members = late_fields.mapping_members(desk, first, link.entity, field) if first else []
    since = late_fields.mapped_since(desk, members, link.entity, field) if members else None
    if since is not None:
        read = late_fields.reading_command(since)
        return (
            f"{called} has no {field} yet: the mappings have had it only since revision "
            f"{since + 1}, and {read} reads what was there already"
        )
    return f"{called} has no {field}; allowed: {', '.join(link.state)}"


def _agreed(state: FieldState) -> AgreedState:
    return AgreedState(
        value=state.value,
        rev=state.rev,
        set_by=state.set_by,
        in_conflict=state.why_open if state.candidates is not None else "",
        candidates=state.candidates or {},
    )


def _policy(config: Config, link: Link, field: str) -> str:
    """Return the field's policy in words; nothing when the sync is not configured any more."""
    if link.sync not in config.syncs:
        return ""
    policy: FieldPolicy = config.syncs[link.sync].policies.get(field, DEFAULT_POLICY)
    words = f"owner {policy.owner}" if policy.policy == "owner" else policy.policy
    if policy.to is None:
        return words
    return f"{words}, sent to {', '.join(policy.to) or 'nobody'}"


def _policy_at(config: Config, link: Link, field: str) -> str:
    """Return the line that decides about the field: its own, that for all others, or the sync's."""
    if link.sync not in config.syncs:
        return ""
    places = [(link.sync, "fields", name) for name in (field, "*")]
    declared = next((place for place in places if config.lines.says(*place)), (link.sync,))
    return config.lines.in_syncs(*declared)[0]


def _mapping_at(config: Config, name: str, entity: str, field: str, entry: SideField | None) -> str:
    """Return the line that decides what a side's value reads as: its row's, else the field's."""
    if (name, entity, field) not in config.places:
        return ""
    if entry is None:
        return config.lines.in_mapping(name, entity, "fields", field)[0]
    raw = entry.shown if _is_unknown(entry) else entry.shadow
    return config.lines.of_reading(name, entity, field, raw)


def _is_unknown(entry: SideField) -> bool:
    """Return whether a side shows something that its mapping cannot read."""
    return bool(entry.unreadable) and entry.shown is not None


def _history(tx: Tx, link: Link, field: str) -> list[Moment]:
    moments = [
        Moment(line.at, line.kind, line.connection, line.detail)
        for line in timeline.timeline(tx, link.id)
        if line.field == field and line.kind in DECIDING
    ]
    return moments[-HISTORY_LENGTH:]


class Reason(NamedTuple):
    """Why a side does or does not show a field."""

    why: str
    code: str = ""
    """The outcome code; empty where nothing is left out."""


@dataclass(frozen=True, slots=True)
class _Question:
    """Why one side does or does not show one field, with all that the answer looks at."""

    config: Config
    link: Link
    """As a plan would leave it: with what it decides to leave alone."""
    plan: Plan
    """What the side would be sent now."""
    name: str
    field: str
    called: str
    """What whoever asks calls the ticket."""
    parked: Sequence[Parked]
    """The link's work for this connection that is set aside."""

    @property
    def side(self) -> Side:
        return self.link.sides.get(self.name) or self.link.retired[self.name]

    @property
    def entity_map(self) -> EntityMap | None:
        return self.config.maps.get(self.name, {}).get(self.link.entity)

    def has_no_row(self, raw: Raw) -> bool:
        """Return whether the field has a table in which a value of the side is not listed."""
        declared = self.config.declared[self.name][self.link.entity].fields[self.field]
        table = declared.parts.read_table
        return table is not None and raw is not None and not table.get(raw)[0]

    def is_agreed(self, entry: SideField) -> bool:
        """Return whether what the side showed last says what was agreed."""
        fields = {} if self.entity_map is None else self.entity_map.fields
        return shows_state(fields.get(self.field), entry, self.link.state[self.field])


def _side(tx: Tx, desk: Desk, link: Link, name: str, field: str, called: str) -> SideReason:
    side = link.sides.get(name) or link.retired[name]
    entry = side.fields.get(field)
    parked = parking.parked(tx, connection=name, link_id=link.id)
    planned = deepcopy(link)  # it is only asked what would be done: nothing of it is kept
    plan = _plan(desk.context, planned, name)
    question = _Question(desk.config, planned, plan, name, field, called, parked)
    reason = _reason(question)
    if reason.why == NEVER_READ:
        reason = Reason(f"{NEVER_READ}{_what_reads_it(desk, link, name, field)}")
    shows = entry.shadow if _was_read(entry) else None
    if entry is not None and _is_unknown(entry):
        shows = entry.shown
    return SideReason(
        id=side.remote_id,
        shows=shows,
        level=entry.level if entry else None,
        seen=entry.seen_at if entry else None,
        because=reason.why,
        code=reason.code,
        last_write=_last_write(tx, link, name, field),
        at=_mapping_at(desk.config, name, link.entity, field, entry),
        unknown=_acted_on_unknown(question, entry),
    )


def _what_reads_it(desk: Desk, link: Link, name: str, field: str) -> str:
    """Return in words what reads a field there that the mapping has had only of late."""
    known = name in desk.config.connections
    since = late_fields.mapped_since(desk, [name], link.entity, field) if known else None
    if since is None:
        return ""
    members = late_fields.mapping_members(desk, name, link.entity, field)
    first = late_fields.mapped_since(desk, members, link.entity, field)
    read = late_fields.reading_command(since if first is None else first)
    return f", for its mapping has had the field only since revision {since + 1}: {read} reads it"


def _plan(context: Context, link: Link, name: str) -> Plan:
    """Return what a side would be sent now; nothing when it is not configured any more."""
    if link.sync not in context.syncs or name not in context.syncs[link.sync].members:
        return Plan()
    return plan_member(context, link, name)


def _reason(asked: _Question) -> Reason:
    # Several reasons may hold. The first is given: while it does, mending the others is no help.
    if asked.name in asked.link.retired:
        why = f"the record is retired: {asked.name} is no member of {asked.link.sync} (any more)"
        return Reason(why, Code.CONNECTION_RETIRED)
    if cut_off := _cut_off(asked):
        return cut_off
    entry = asked.side.fields.get(asked.field)
    if entry is None or not (_was_read(entry) or _is_unknown(entry)):
        return Reason(NEVER_READ)
    return _held_back(asked, entry) or _level(asked, entry)


def _acted_on_unknown(asked: _Question, entry: SideField | None) -> str:
    """Return the policy that decided about a value that the mapping does not know, if one did."""
    fields = {} if asked.entity_map is None else asked.entity_map.fields
    field_map = fields.get(asked.field)
    if entry is None or field_map is None:
        return ""
    if entry.unreadable:
        left = {Code.READ_VALUE: QUARANTINE, Code.READ_IGNORED: IGNORE}
        return left.get(Code(entry.unreadable_code or Code.READ_VALUE), "")
    passed = field_map.unknown == AS_IT_IS and _was_read(entry)
    return AS_IT_IS if passed and asked.has_no_row(entry.shadow) else ""


def _was_read(entry: SideField | None) -> TypeGuard[SideField]:
    return entry is not None and not isinstance(entry.shadow, Marker)


def _cut_off(asked: _Question) -> Reason | None:
    """Say why the field never travels to or from this side; None when it does."""
    side, name = asked.side, asked.name
    if side.tombstone:
        return Reason("the record was deleted there", Code.GONE)
    if side.detached:
        way_back = f"`bridge link relink {name}:{side.remote_id}` puts it back"
        return Reason(f"the record is detached; {way_back}", Code.SCOPE)
    if not side.in_scope:
        return Reason("the record is out of the sync's scope", Code.SCOPE)
    if asked.entity_map is not None and asked.field not in asked.entity_map.fields:
        return Reason(f"the mapping of {name} has no such field", Code.MAP_ONLY_READ)
    return None


def _held_back(asked: _Question, entry: SideField) -> Reason | None:
    """Say what keeps the agreed value from a side although the field travels, if anything does."""
    if entry.unreadable:
        code = entry.unreadable_code or Code.READ_VALUE
        is_unknown = code in (Code.READ_VALUE, Code.READ_IGNORED)
        why = "the mapping does not say what that means" if is_unknown else "it is not believed"
        known = _is_unknown(entry) and _was_read(entry)
        before = f"; before, it showed {shown(entry.shadow)}" if known else ""
        return Reason(f"{why}: {entry.unreadable}{before}", code)
    decided = entry.decided_why and decision_holds(entry, asked.link.state)
    if decided and not asked.is_agreed(entry):
        return Reason(f"not carried: {entry.decided_why}", entry.decided_code or Code.OTHER)
    if any(row.field == asked.field for row in asked.parked):
        why = "the vendor refused the value; see `bridge parked list`"
        return Reason(why, Code.FIELD_REFUSED)
    if asked.link.state[asked.field].candidates is not None:
        return Reason("in conflict", Code.CONFLICT)
    return None


def _level(asked: _Question, entry: SideField) -> Reason:
    """Say whether a side shows the agreed value, or how far it is behind and what follows.

    That a write is owed is for the plan to say: a level alone does not tell.
    """
    # A side that never was level is at -1.
    behind = asked.link.state[asked.field].rev - max(entry.level, 0)
    revisions = ""
    if behind > 0 and not asked.is_agreed(entry):
        revisions = f"behind by {behind} change{'' if behind == 1 else 's'}; "
    if asked.plan.delete:
        return Reason("the record is to be deleted, because it was deleted elsewhere")
    if any(asked.field in call.sent for call in asked.plan.calls):
        aside = next((row for row in asked.parked if not row.field), None)
        if aside is not None:
            why = f"its write is set aside: {aside.why}; `bridge parked retry {aside.id}`"
            return Reason(f"{revisions}{why}", aside.code)
        return Reason(f"{revisions}a write is owed")
    if behind <= 0:
        return Reason("as agreed")
    why, code = _why_not_owed(asked, entry)
    return Reason(f"{revisions}{why}", code)


def _why_not_owed(asked: _Question, entry: SideField) -> Reason:
    """Say why nothing is to be written although the side was not seen level."""
    if asked.link.paused:
        why = f"the ticket is paused: `bridge link resume {asked.called}` lets it be written"
        return Reason(why, Code.PAUSED)
    if asked.side.missing_since is not None:
        why = "the record was not found lately: it is read once more before anything is written"
        return Reason(why, Code.GONE)
    if asked.side.attempt is not None:
        why = "a write is under way, or its answer did not come: a read will tell"
        return Reason(why, Code.WRITE_UNKNOWN)
    if asked.entity_map is None:
        return Reason("the connection is not configured any more", Code.CONNECTION_RETIRED)
    if asked.entity_map.fields[asked.field].revision != entry.map_rev:
        return Reason("it is read again, by the mapping as it is now, before anything is written")
    return Reason("as agreed, in its own words")


def _last_write(tx: Tx, link: Link, name: str, field: str) -> LastWrite | None:
    writes = [
        row
        for row in attempts.history(tx, link.id)
        if row["connection"] == name and _sends(row["detail"], field)
    ]
    if not writes:
        return None
    last = writes[-1]
    return LastWrite(last["opened_at"], last["outcome"], last["mapping_revision"])


def _sends(detail: Any, field: str) -> bool:
    """Return whether a write carried the field. What `bridge forget` erased carries nothing."""
    return isinstance(detail, dict) and field in detail.get("sent", ())
