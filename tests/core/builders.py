"""Four small systems to merge with: L keeps everything; H, P and Z each lose something else.

L lossless · H `in_progress` reads as open, priority defaults to normal · P has fewer statuses and
folds tags, its empty tags are not to be trusted · Z knows three statuses, cannot give tags up, and
the service user reads as nobody.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bridge.core.mapping.fieldmap import EntityMap, FieldMap
from bridge.core.merge.case import Observation, Rules
from bridge.core.merge.observations import absorb
from bridge.core.model.capabilities import Writable
from bridge.core.model.clocks import NOT_LEARNT
from bridge.core.model.state import Attempt, Link, Note, Side
from bridge.core.model.syncs import FieldPolicy, Member, Sync
from bridge.core.model.values import ABSENT, NotCarried, Unreadable

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SERVICE = "svc@bridge"


def at(seconds):
    return T0 + timedelta(seconds=seconds)


def field(name, *, read=None, write=None, table=None, is_set=False, revision="1"):
    """Return a field by two functions, or by a table raw -> canonical.

    Of several raws for one value the first is written.
    """
    if table is not None:
        back = {value: raw for raw, value in reversed(table.items())}

        def read(raw):
            return None if raw is None else table.get(raw, Unreadable(f"unknown {name} {raw!r}"))

        def write(value):
            return None if value is None else back.get(value, NotCarried(f"no {value}"))

    return FieldMap(
        name=name,
        revision=revision,
        extract=lambda record: record.get(name, ABSENT),
        read=read or (lambda raw: raw),
        write=write or (lambda value: value),
        write_key=name,
        is_set=is_set,
    )


def fold(raw):
    return raw.strip().casefold() if isinstance(raw, str) else Unreadable(f"not a tag: {raw!r}")


def system(status=None, priority=None, tags=fold, assignee=None):
    fields = (
        field("subject"),
        field("status", table=status) if status else field("status"),
        field("priority", table=priority) if priority else field("priority"),
        field("assignee", read=assignee),
        field("tags", read=tags, is_set=True),
    )
    return EntityMap("ticket", {each.name: each for each in fields})


H_STATUS = {
    "new": "new",
    "open": "open",
    "in_progress": "open",
    "pending": "pending",
    "resolved": "resolved",
    "closed": "closed",
}
P_STATUS = {
    "new": "new",
    "open": "open",
    "pending": "pending",
    "on_hold": "on_hold",
    "resolved": "resolved",
}
Z_STATUS = {"waiting": "new", "ongoing": "open", "done": "closed"}
LEVELS = {"low": "low", "normal": "normal", "high": "high", "urgent": "urgent"}


def z_system():
    """Return Z, which shows `on_hold` as `ongoing`, and writes it so."""
    back = {
        "new": "waiting",
        "open": "ongoing",
        "pending": "ongoing",
        "on_hold": "ongoing",
        "closed": "done",
    }
    made = system(Z_STATUS, assignee=lambda raw: None if raw == SERVICE else raw)
    status = replace(
        made.fields["status"], write=lambda value: back.get(value, NotCarried(f"no {value}"))
    )
    return EntityMap("ticket", {**made.fields, "status": status})


MAPS = {"L": system(), "H": system(H_STATUS, LEVELS), "P": system(P_STATUS), "Z": z_system()}
WRITABLE = {
    "L": {},
    "H": {"priority": Writable(default="normal")},
    "P": {"tags": Writable(empty_trusted=False)},
    "Z": {"tags": Writable(removes=False)},
}


def rules(policy="latest", *, maps=MAPS, delete="ignore", writable=WRITABLE, **more):
    given = FieldPolicy(policy=policy, **more)
    names = ("subject", "status", "priority", "assignee", "tags")
    sync = Sync(
        name="tickets",
        entity="ticket",
        members={name: Member(name) for name in maps},
        policies=dict.fromkeys(names, given),
        precedence=("L", "H", "P", "Z"),
        delete=delete,
    )
    return Rules(sync=sync, maps=maps, writable=writable)


RULES = rules()


def link(*connections):
    return Link(
        id="1",
        sync="tickets",
        entity="ticket",
        sides={name: Side(connection=name, remote_id=f"{name}-1") for name in connections},
    )


def seen(connection, seconds, **values):
    """Return an observation; the rest of `values` are fields of the record.

    `version`, `own`, `before` and `clocks` are not.
    """
    own, version, before = (
        values.pop("own", False),
        values.pop("version", None),
        values.pop("before", None),
    )
    clocks = values.pop("clocks", NOT_LEARNT)
    dated = None if before is None else at(before)
    return Observation(
        connection,
        values,
        at(seconds),
        changed_before=dated,
        version=version,
        own=own,
        clocks=clocks,
    )


def look(given, connection, seconds, *, under=RULES, **values):
    return absorb(given, seen(connection, seconds, **values), under)


def level(*connections, under=RULES, **values):
    """Return a link on which every side has shown the same values at 0 s."""
    made = link(*connections)
    for name in connections:
        look(made, name, 0, under=under, **values)
    assert all(is_level(made, name, key) for name in connections for key in made.sides[name].fields)
    return made


def is_level(given, connection, name):
    return given.sides[connection].fields[name].level == given.state[name].rev


def shadow(given, connection, name):
    return given.sides[connection].fields[name].shadow


def attempt(given, connection, *, at_seconds, call=None, version=None, **sent):
    """Open an attempt to write the state: `status="open"` sends that raw value over the shadow."""
    side = given.sides[connection]
    side.attempt = Attempt(
        id="a",
        verb="update",
        sent=dict(sent),
        before={name: shadow(given, connection, name) for name in sent},
        state_values={name: given.state[name].value for name in sent},
        revs={name: given.state[name].rev for name in sent},
        send_by=at(at_seconds),
        body=call if call is not None else dict(sent),
        version=version,
    )
    return side.attempt


def bring_up(given, connection, seconds, name, *, under=RULES):
    """Write the state to a side that spells it as we do, and take the answer."""
    attempt(given, connection, at_seconds=seconds, **{name: value(given, name)})
    return look(given, connection, seconds, under=under, own=True, **{name: value(given, name)})


def kinds(notes: list[Note]):
    return [note.kind for note in notes]


def value(given, name):
    return given.state[name].value
