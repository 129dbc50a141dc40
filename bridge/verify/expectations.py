"""How the checker reads a record: its own small tables, shared with nothing that it checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]

READ: Mapping[str, Mapping[str, Mapping[Any, Any]]] = {
    "switch": {
        "status": {"in_progress": "open"}
        | {word: word for word in ("new", "open", "pending", "resolved", "closed")},
        "priority": {
            "low": "low",
            "medium": "normal",
            "normal": "normal",
            "high": "high",
            "urgent": "urgent",
        },
    },
    "posthog": {
        "status": {word: word for word in ("new", "open", "pending", "on_hold", "resolved")},
        "priority": {"low": "low", "medium": "normal", "high": "high", "critical": "urgent"},
    },
    "zaia": {"status": {"pending": "new", "ongoing": "open", "completed": "resolved"}},
}
"""The system's word -> canonical value."""
LOSSY: Mapping[str, Mapping[str, Mapping[Any, Any]]] = {
    "switch": {"status": {"on_hold": "pending"}},
    "posthog": {"status": {"closed": "resolved"}},
    "zaia": {"status": {"pending": "ongoing", "on_hold": "ongoing", "closed": "completed"}},
}
"""Canonical values that a system can only hold as something less."""
FIELDS: Mapping[str, tuple[str, ...]] = {
    "switch": ("subject", "status", "priority", "assignee", "tags"),
    "posthog": ("status", "priority", "assignee", "tags"),
    "zaia": ("status", "assignee", "tags"),
}
"""What each system holds of a ticket. A sandbox keeps its records under these names, whatever its API calls them."""
NEVER_EMPTY: Mapping[str, Mapping[str, Any]] = {"switch": {"priority": "normal"}}
"""What a system shows where nobody has decided: it has no empty value."""

NOBODY = frozenset({"bridge@support.example"})
"""The account under which the bridge takes tickets where a system lets none be without an owner."""


def canonical(system: str, name: str, raw: Any) -> Any:
    """Read a system's value in this file's own way."""
    if name == "tags":
        clean = (str(tag).strip().removeprefix("#").casefold() for tag in raw or ())
        return frozenset(tag for tag in clean if not tag.startswith("bridge-"))
    if name == "assignee":
        if raw and raw.get("type") == "role":
            return "a group"
        email = str((raw.get("user") or raw).get("email") or "").casefold() if raw else None
        return None if email in NOBODY else email
    return READ[system].get(name, {}).get(raw, raw)


def agrees(system: str, name: str, wanted: Any, record: Row, *, cleared: bool = False) -> bool:
    """Tell whether a side shows a value as well as its system can; `cleared`: its emptiness was somebody's wish."""
    name, _, element = name.partition(":")
    shown = canonical(system, name, record.get(name))
    if element:
        return bool((element in shown) == wanted)
    if wanted is None and name in NEVER_EMPTY.get(system, {}):
        return cleared or shown == NEVER_EMPTY[system][name]
    if name == "assignee" and "a group" in {shown, wanted}:
        return True  # a group is no person: not carried in either direction
    return bool(
        shown == wanted
        or record.get(name) == LOSSY.get(system, {}).get(name, {}).get(wanted, wanted)
    )


def read_as(system: str, name: str, raw: Any) -> list[Any]:
    """Give the values that a system can only hold as this one: whoever chooses it there speaks against none of them."""
    return [value for value, held in LOSSY.get(system, {}).get(name, {}).items() if held == raw]


def known_as(raw: Any) -> list[str]:
    """Give the names by which a system's API may speak of a person, for whom records keep more than that."""
    return (
        [str(raw.get("id")), f"{raw.get('type')}:{raw.get('id')}"]
        if isinstance(raw, Mapping)
        else []
    )


def marker(record: Row) -> str:
    """Find the bridge's own mark in a record that it created."""
    found = [tag for tag in record.get("tags") or [] if tag.startswith("bridge-")]
    external = str(record.get("external_id") or "") if record.get("source") == "api" else ""
    return (
        found[0]
        if found
        else str((record.get("anonymous_traits") or {}).get("bridge_marker") or external)
    )


def customer(record: Row) -> str:
    """Find who asked, by e-mail address."""
    traits = record.get("anonymous_traits") or {}
    found = (
        (record.get("customer") or {}).get("email")
        or traits.get("email")
        or record.get("email_from")
    )
    found = found or record.get("ownerEmail") or ""
    return str(found).casefold()


def found_by(record: Row) -> list[str]:
    """Give the ids of the records by which a system's search comes to this one: its own, and its customer's."""
    return [str(found["id"]) for found in (record, record.get("customer") or {}) if found.get("id")]
