"""Four vendors in memory, each of which loses something else.

Each function makes a system, what it can do, and how its tickets read and write:

- `lossless` keeps everything.
- `helpdesk_like` knows a status that we do not, sets a priority by itself and replaces tags.
- `posthog_like` folds tags, shows them only under a licence, and may date a change earlier than
  the last.
- `zaia_like` moves its status only forward, never unassigns, only attaches tags, dates nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bridge.clock import Clock
from bridge.core.mapping.fieldmap import EntityMap, FieldMap
from bridge.core.model.capabilities import EntityCapabilities, Support, Verb, Writable
from bridge.core.model.entities import STATUSES
from bridge.core.model.values import ABSENT, Canonical, NotCarried, Raw, Unreadable
from tests.memory.system import TICKET, Habits, MemorySystem

Vendor = tuple[MemorySystem, EntityCapabilities, EntityMap]

SERVICE_USER = "service@bridge.example"
"""The user under whose name a takeover is made when nobody is assigned; it reads as nobody."""

KEYS = ("subject", "status", "priority", "assignee", "tags")
PRIORITY = {each: each for each in ("low", "normal", "high", "urgent")}
HELPDESK_STATUS = {
    "new": "new",
    "open": "open",
    "in_progress": "open",
    "pending": "pending",
    "resolved": "resolved",
    "closed": "closed",
}
POSTHOG_STATUS = {each: each for each in STATUSES if each != "closed"}
ZAIA_STATUS = {"pending": "new", "ongoing": "open", "completed": "resolved"}
ZAIA_WRITES = {"new": "pending", "open": "ongoing", "pending": "ongoing", "on_hold": "ongoing"}
ZAIA_WRITES |= {"resolved": "completed", "closed": "completed"}


def lossless(clock: Clock) -> Vendor:
    """Make a system that holds every canonical value as it is."""
    can = _can(
        {key: Writable() for key in KEYS},
        (Verb("patch", KEYS),),
        {"status": STATUSES},
        deletes=Support.YES,
    )
    return MemorySystem(clock, can), can, _map({})


def helpdesk_like(clock: Clock, *, longest_tag: int | None = None, trims: bool = False) -> Vendor:
    """Make a help desk: `in_progress` reads as open, and on hold is pending there.

    A create sets a priority. `longest_tag` cuts tags and `trims` drops a subject's closing full
    stops, both without saying so.
    """
    writable = {
        "subject": Writable(clears=False, required=True),
        "status": Writable(on_create=False, clears=False, default="new"),
        "priority": Writable(clears=False, default="normal"),
        "assignee": Writable(),
        "tags": Writable(),
    }
    can = _can(
        writable, (Verb("patch", KEYS),), {"status": tuple(HELPDESK_STATUS)}, deletes=Support.YES
    )
    store: dict[str, Callable[[Raw], Raw]] = {}
    if longest_tag is not None:
        store["tags"] = lambda raw: raw[:longest_tag]
    if trims:
        store["subject"] = lambda raw: raw.rstrip(". ")
    back = {**{each: each for each in STATUSES}, "on_hold": "pending"}
    return (
        MemorySystem(clock, can, Habits(store=store)),
        can,
        _map({"status": _table(HELPDESK_STATUS, back)}),
    )


def posthog_like(clock: Clock) -> Vendor:
    """Make an inbox whose tags are folded and licensed, without `closed`; a subject is fixed."""
    writable = {
        "subject": Writable(on_update=Support.NO, clears=False),
        "status": Writable(clears=False, default="new"),
        "priority": Writable(),
        "assignee": Writable(),
        "tags": Writable(empty_trusted=False),
    }
    can = _can(
        writable,
        (Verb("patch", KEYS[1:]),),
        {"status": tuple(POSTHOG_STATUS)},
        creates=Support.PROBED,
    )
    habits = Habits(store={"tags": lambda raw: raw.strip().casefold()}, licensed=True)
    back = {**POSTHOG_STATUS, "closed": "resolved"}
    return MemorySystem(clock, can, habits), can, _map({"status": _table(POSTHOG_STATUS, back)})


def zaia_like(clock: Clock) -> Vendor:
    """Make an inbox of verbs.

    A takeover sets an assignee too, complete is for ever, and tags are attached one by one.
    """
    writable = {
        "subject": Writable(on_update=Support.NO, clears=False),
        "status": Writable(
            on_create=False, clears=False, default="pending", forward=tuple(ZAIA_STATUS)
        ),
        "assignee": Writable(clears=False),
        "tags": Writable(on_create=False, removes=False),
    }
    verbs = (
        Verb(
            "takeover",
            ("status",),
            also=("assignee",),
            fallback={"assignee": SERVICE_USER},
            only_for={"status": ("ongoing",)},
        ),
        Verb("complete", ("status",), only_for={"status": ("completed",)}),
        Verb("assign", ("assignee",)),
        Verb("attach", ("tags",), element="add"),
    )
    can = _can(writable, verbs, {"status": tuple(ZAIA_STATUS)}, dated=False)
    system = MemorySystem(clock, can, Habits(attach_only=True, dated=False))
    fields = _map(
        {"status": _table(ZAIA_STATUS, ZAIA_WRITES), "assignee": (_nobody, _same)},
        keys=tuple(writable),
    )
    return system, can, EntityMap(TICKET, fields.fields)


# How they are put together

Pair = tuple[Callable[[Raw], Canonical | Unreadable], Callable[[Canonical], Raw | NotCarried]]


def _can(
    writable: Mapping[str, Writable],
    verbs: tuple[Verb, ...],
    values: Mapping[str, tuple[Raw, ...]],
    *,
    creates: Support = Support.YES,
    deletes: Support = Support.NO,
    dated: bool = True,
) -> EntityCapabilities:
    return EntityCapabilities(
        readable=frozenset({"id", "updated_at", *writable}),
        writable=writable,
        verbs=verbs,
        creates=creates,
        deletes=deletes,
        values=values,
        dated=dated,
        lists_newest=dated,
        read_batch=10,
    )


def _map(special: Mapping[str, Pair], keys: tuple[str, ...] = KEYS) -> EntityMap:
    pairs: dict[str, Pair] = {
        "priority": _table(PRIORITY, PRIORITY),
        "tags": (_fold, _same),
        **special,
    }
    fields = {key: _field(key, *pairs.get(key, (_same, _same))) for key in keys}
    return EntityMap(TICKET, fields, version=lambda record: record.get("updated_at"))


def _field(
    name: str,
    read: Callable[[Raw], Canonical | Unreadable],
    write: Callable[[Canonical], Raw | NotCarried],
) -> FieldMap:
    return FieldMap(
        name=name,
        revision="1",
        extract=lambda record: record.get(name, ABSENT),
        read=read,
        write=write,
        write_key=name,
        is_set=name == "tags",
    )


def _table(reads: Mapping[str, str], writes: Mapping[str, str]) -> Pair:
    def read(raw: Raw) -> Canonical | Unreadable:
        return None if raw is None else reads.get(raw, Unreadable(f"{raw!r} has no reading"))

    def write(value: Canonical) -> Raw | NotCarried:
        return None if value is None else writes.get(value, NotCarried(f"there is no {value!r}"))

    return read, write


def _same(value: Raw) -> Raw:
    return value


def _fold(raw: Raw) -> Canonical | Unreadable:
    return raw.strip().casefold() if isinstance(raw, str) else Unreadable(f"{raw!r} is no tag")


def _nobody(raw: Raw) -> Canonical:
    return None if raw == SERVICE_USER else raw
