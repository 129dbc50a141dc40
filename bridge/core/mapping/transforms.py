"""The closed table of transforms that a mapping may name with `as`. Nothing else can be named there.

*Two-way transforms* turn a raw value into a canonical one and back; a field has exactly one (the
usual one of its kind when none is named). *Read helpers* only shape what is read, for systems that
lack a field; they come before the transform. None of them ever sees null: null reads as null and is
written as null.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bridge.core.model.values import Canonical, NotCarried, Raw, Unreadable

LEAVE = "leave"
UNASSIGN = "unassign"
MAX_SHOWN_CHARS = 60


def shown(value: Any) -> str:
    """Show a value in a message, cut to a length that a line can take."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]}…"


@dataclass(frozen=True, slots=True)
class Transform:
    """One two-way transform. For a set both directions take one element."""

    name: str
    kinds: tuple[str, ...]
    read: Callable[[Raw], Canonical | Unreadable]
    write: Callable[[Canonical], Raw | NotCarried]
    meaning: str
    stranger: Callable[[Raw], bool] = field(default=lambda _raw: False)
    """Agents only: the raw value names a person whom the directory does not know."""
    elements: Callable[[list[Any]], list[Any]] | None = None
    """Sets only: takes the plain elements out of a list as the system shows it."""
    edition: int = 1
    """Part of every revision that uses it: raised when the same input gives another output."""


def _same(value: Any) -> Any:
    return value


def _text(raw: Raw) -> Canonical | Unreadable:
    if not isinstance(raw, str):
        return Unreadable(f"{shown(raw)} is no text")
    return raw or None


def _boolean(raw: Raw) -> Canonical | Unreadable:
    return raw if isinstance(raw, bool) else Unreadable(f"{shown(raw)} is neither true nor false")


_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")


def _email(raw: Raw) -> Canonical | Unreadable:
    if not isinstance(raw, str):
        return Unreadable(f"{shown(raw)} is no e-mail address")
    address = raw.strip().lower()
    if not address:
        return None
    return (
        address if _EMAIL.fullmatch(address) else Unreadable(f"{shown(raw)} is no e-mail address")
    )


def _datetime(raw: Raw) -> Canonical | Unreadable:
    try:
        at = datetime.fromisoformat(raw)
    except (TypeError, ValueError):
        return Unreadable(f"{shown(raw)} is no ISO 8601 time")
    if at.tzinfo is None:
        return Unreadable(f"{shown(raw)} has no offset: which moment it means is not known")
    try:
        return at.astimezone(UTC).isoformat(timespec="microseconds")
    except OverflowError:
        return Unreadable(f"{shown(raw)} is outside the calendar")


TICKET_OF = "ticket"
CUSTOMERS_TICKET = "customers-ticket"


def _parent(raw: Raw) -> Canonical | Unreadable:
    return raw if isinstance(raw, str) and raw else Unreadable(f"{shown(raw)} is no ticket's id")


_AROUND = re.compile(r"^[\s#]+|\s+$")


def _tag(raw: Raw) -> Canonical | Unreadable:
    if not isinstance(raw, str):
        return Unreadable(f"the tag {shown(raw)} is no text")
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFD", raw).casefold())
    tag = _AROUND.sub("", folded)
    return tag or Unreadable(f"the tag {shown(raw)} is empty")


TRANSFORMS: Mapping[str, Transform] = {
    each.name: each
    for each in (
        Transform("text", ("text",), _text, _same, "text as it is; empty text reads as null"),
        Transform(
            "email",
            ("email",),
            _email,
            _same,
            "an e-mail address: trimmed, in lower case; empty reads as null",
        ),
        Transform(
            "datetime",
            ("datetime",),
            _datetime,
            _same,
            "an ISO 8601 time with an offset; kept in UTC",
        ),
        Transform("boolean", ("boolean",), _boolean, _same, "true or false"),
        Transform(
            TICKET_OF,
            ("parent",),
            _parent,
            _same,
            "the id that the ticket has on the same connection",
        ),
        Transform(
            CUSTOMERS_TICKET,
            ("parent",),
            _email,
            _same,
            "an e-mail address: its customer's newest open ticket",
        ),
        Transform(
            "tags", ("set",), _tag, _same, "each tag case-folded, trimmed, without leading #"
        ),
    )
}
AGENT = "agent"
BY_KIND: Mapping[str, str] = {
    "text": "text",
    "email": "email",
    "datetime": "datetime",
    "boolean": "boolean",
    "set": "tags",
    "parent": TICKET_OF,
    "agent": AGENT,
}
"""The transform of a field for which none is named. A choice has none: it needs value tables, or our own words."""


# --- agents
# --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AgentTable:
    """How one connection names the agents. The canonical agent is an e-mail address in lower case."""

    people: Mapping[str, Raw] = field(default_factory=dict)
    """E-mail address -> the connection's own name for that person."""
    unmapped: str = LEAVE
    """What somebody outside the table becomes: `leave` (unreadable, not carried), `unassign`, or an address."""
    learned: dict[str, Raw] = field(default_factory=dict)
    """Like `people`, as the connection's own records show it; `people` comes first."""
    unstored: set[Raw] = field(default_factory=set)
    """Names that were learned here, and that `replace_learned` has not confirmed yet."""
    _emails: dict[Raw, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Prepare the way back."""
        self._emails.update({raw: email for email, raw in self.people.items()})

    def is_new(self, email: str, raw: Raw) -> bool:
        """Tell whether a record shows somebody new, or a new address, or what is not known to be stored yet."""
        old = self._emails.get(raw)
        if email in self.people or old in self.people:
            return False
        return old != email or raw in self.unstored

    def learn(self, email: str, raw: Raw) -> bool:
        """Take in what a record showed; True when that is news. A new address replaces the one before."""
        if not self.is_new(email, raw):
            return False
        self._take(email, raw)
        self.unstored.add(raw)
        return True

    def replace_learned(self, stored: Iterable[tuple[str, Raw]]) -> None:
        """Take exactly these for what has been learned, the oldest first."""
        self.learned.clear()
        self.unstored.clear()
        self._emails.clear()
        self._emails.update({raw: email for email, raw in self.people.items()})
        for email, raw in stored:
            if self.is_new(email, raw):
                self._take(email, raw)

    def _take(self, email: str, raw: Raw) -> None:
        old = self._emails.get(raw)
        if old is not None and self.learned.get(old) == raw:
            del self.learned[old]
        self.learned[email] = raw
        self._emails[raw] = email

    def email(self, raw: Raw) -> str | None:
        """Give the person whom the connection calls so; None: nobody that is known."""
        return self._emails.get(raw) if isinstance(raw, str | int) else None

    def name(self, email: Canonical) -> Raw | None:
        """Give the connection's name for a person; None: it has none."""
        return self.people.get(email, self.learned.get(email)) if isinstance(email, str) else None

    def write(self, email: Canonical) -> Raw | NotCarried:
        """Give what is sent for a person, a stranger included."""
        raw = self.name(email)
        if raw is None and self.unmapped == UNASSIGN:
            return None
        if raw is None:
            raw = self.name(self.unmapped)
        return (
            raw
            if raw is not None
            else NotCarried(f"{email} has no name here; add it to agents.yaml")
        )


def agent_transform(table: AgentTable, groups: Sequence[str] = ()) -> Transform:
    """Make the agent transform of one connection. What begins with one of `groups` is a group, never a person."""
    prefixes = tuple(groups)

    def group(raw: Raw) -> bool:
        return bool(prefixes) and isinstance(raw, str) and raw.startswith(prefixes)

    def read(raw: Raw) -> Canonical | Unreadable:
        if not isinstance(raw, str | int) or isinstance(raw, bool):
            return Unreadable(f"{shown(raw)} names no agent")
        if group(raw):
            return Unreadable(f"{shown(raw)} is a group, and a group is never read as a person")
        email = table.email(raw)
        if email is not None:
            return email
        if table.unmapped == LEAVE:
            return Unreadable(
                f"the agent {shown(raw)} is not in agents.yaml; add a row for this person"
            )
        return None if table.unmapped == UNASSIGN else table.unmapped

    def stranger(raw: Raw) -> bool:
        return raw is not None and not group(raw) and table.email(raw) is None

    told = "an agent, looked up in agents.yaml; canonical is the e-mail"
    return Transform(AGENT, ("agent",), read, table.write, told, stranger=stranger)


AGENT_MEANING = (
    "an agent, looked up in agents.yaml; {groups: prefix} names what is a group and never a person"
)


# --- helpers that only read
# ----------------------------------------------------------------------------------------

Combine = Callable[[Sequence[Any]], Any]


@dataclass(frozen=True, slots=True)
class Helper:
    """Something that shapes what is read. `combines`: takes a list of paths and must come first."""

    name: str
    argument: type | None
    make: Callable[[Any], Callable[[Any], Any]]
    meaning: str
    combines: bool = False


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _first(_argument: None) -> Combine:
    return lambda values: next((value for value in values if not _empty(value)), None)


_PLACE = re.compile(r"\{(\d{1,2})\}")


def _template(pattern: str) -> Combine:
    def fill(values: Sequence[Any]) -> Any:
        used = [int(number) - 1 for number in _PLACE.findall(pattern)]
        texts = [
            "" if _empty(value) or isinstance(value, list | dict) else str(value)
            for value in values
        ]
        if not any(texts[number] for number in used if number < len(texts)):
            return None
        return _PLACE.sub(
            lambda found: texts[int(found[1]) - 1] if int(found[1]) <= len(texts) else "", pattern
        )

    return fill


def _first_line(_argument: None) -> Callable[[Any], Any]:
    return lambda raw: (
        next((line.strip() for line in raw.splitlines() if line.strip()), "") if _is(raw) else raw
    )


def _cut(length: int) -> Callable[[Any], Any]:
    return lambda raw: raw[:length].rstrip() if _is(raw) else raw


def _is(raw: Any) -> bool:
    return isinstance(raw, str)


HELPERS: Mapping[str, Helper] = {
    each.name: each
    for each in (
        Helper(
            "first-non-empty",
            None,
            _first,
            "of several paths, the first with a value that is not empty",
            True,
        ),
        Helper(
            "template",
            str,
            _template,
            "text made of several paths: {1} is the first, {2} the second, …",
            True,
        ),
        Helper("first-line", None, _first_line, "the first line that is not blank"),
        Helper("cut", int, _cut, "at most so many characters"),
    )
}


def places(pattern: str) -> list[int]:
    """Give the numbers of a template's placeholders."""
    return [int(number) for number in _PLACE.findall(pattern)]
