"""The closed table of transforms and helpers that a mapping may name with `as`.

*Two-way transforms* turn a raw value into a canonical one and back; a field has exactly one (the
usual one of its kind when none is named). *Read helpers* only shape what is read, for systems that
lack a field; they come before the transform. No transform ever sees null: null reads as null and is
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
"""Both: what somebody outside the table of agents becomes (`AgentTable.unmapped`)."""
MAX_SHOWN_CHARS = 60


def shown(value: Any) -> str:
    """Return a value as messages show it, cut to a length that a line can take."""
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


def _unchanged(value: Any) -> Any:
    return value


# --- reading one value: never null, never an exception --------------------------------------------


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
    if _EMAIL.fullmatch(address):
        return address
    return Unreadable(f"{shown(raw)} is no e-mail address")


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
    transform.name: transform
    for transform in (
        Transform("text", ("text",), _text, _unchanged, "text as it is; empty text reads as null"),
        Transform(
            "email",
            ("email",),
            _email,
            _unchanged,
            "an e-mail address: trimmed, in lower case; empty reads as null",
        ),
        Transform(
            "datetime",
            ("datetime",),
            _datetime,
            _unchanged,
            "an ISO 8601 time with an offset; kept in UTC",
        ),
        Transform("boolean", ("boolean",), _boolean, _unchanged, "true or false"),
        Transform(
            TICKET_OF,
            ("parent",),
            _parent,
            _unchanged,
            "the id that the ticket has on the same connection",
        ),
        Transform(
            CUSTOMERS_TICKET,
            ("parent",),
            _email,
            _unchanged,
            "an e-mail address: its customer's newest open ticket",
        ),
        Transform(
            "tags", ("set",), _tag, _unchanged, "each tag case-folded, trimmed, without leading #"
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
"""Kind of field -> its transform, where none is named.

A choice has none: it needs value tables, or is in our own words.
"""


# --- agents ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AgentTable:
    """The directory of people of one connection: how it names the agents.

    The canonical agent is an e-mail address in lower case.
    """

    people: Mapping[str, Raw] = field(default_factory=dict)
    """E-mail address -> the connection's own name for that person."""
    unmapped: str = LEAVE
    """What somebody outside the table becomes: `leave` (unreadable, not carried), `unassign`, or
    another person's address."""
    learned: dict[str, Raw] = field(default_factory=dict)
    """Like `people`, but learned from the connection's own records; `people` comes first."""
    unstored: set[Raw] = field(default_factory=set)
    """Names that were learned here and are not known to be stored (`replace_learned`) yet."""
    _emails: dict[Raw, str] = field(default_factory=dict)
    """The way back: the connection's own name -> e-mail address."""

    def __post_init__(self) -> None:
        """Fill in the way back."""
        self._emails.update({raw: email for email, raw in self.people.items()})

    def is_new(self, email: str, raw: Raw) -> bool:
        """Return whether this is somebody new, or a new address, or not known to be stored yet."""
        old = self._emails.get(raw)
        if email in self.people or old in self.people:
            return False
        return old != email or raw in self.unstored

    def learn(self, email: str, raw: Raw) -> bool:
        """Take in what a record showed, and return whether it is new.

        A new address of somebody replaces the one before. `people` is never overridden.
        """
        if not self.is_new(email, raw):
            return False
        self._take(email, raw)
        self.unstored.add(raw)
        return True

    def replace_learned(self, stored: Iterable[tuple[str, Raw]]) -> None:
        """Take exactly these, the oldest first, for what has been learned."""
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
        """Return the person whom the connection calls so; None: nobody that is known."""
        return self._emails.get(raw) if isinstance(raw, str | int) else None

    def name(self, email: Canonical) -> Raw | None:
        """Return the connection's name for a person; None: it has none."""
        return self.people.get(email, self.learned.get(email)) if isinstance(email, str) else None

    def write(self, email: Canonical) -> Raw | NotCarried:
        """Return what is sent for a person, also for one whom the table does not know."""
        raw = self.name(email)
        if raw is None and self.unmapped == UNASSIGN:
            return None
        if raw is None:
            raw = self.name(self.unmapped)
        if raw is None:
            return NotCarried(f"{email} has no name here; add it to agents.yaml")
        return raw


def agent_transform(table: AgentTable, groups: Sequence[str] = ()) -> Transform:
    """Return the agent transform of one connection.

    What begins with one of `groups` is a group, and never read as a person.
    """
    prefixes = tuple(groups)

    def is_group(raw: Raw) -> bool:
        return bool(prefixes) and isinstance(raw, str) and raw.startswith(prefixes)

    def read(raw: Raw) -> Canonical | Unreadable:
        if not isinstance(raw, str | int) or isinstance(raw, bool):
            return Unreadable(f"{shown(raw)} names no agent")
        if is_group(raw):
            return Unreadable(f"{shown(raw)} is a group, and a group is never read as a person")
        email = table.email(raw)
        if email is not None:
            return email
        if table.unmapped == LEAVE:
            why = f"the agent {shown(raw)} is not in agents.yaml; add a row for this person"
            return Unreadable(why)
        return None if table.unmapped == UNASSIGN else table.unmapped

    def stranger(raw: Raw) -> bool:
        return raw is not None and not is_group(raw) and table.email(raw) is None

    meaning = "an agent, looked up in agents.yaml; canonical is the e-mail"
    return Transform(AGENT, ("agent",), read, table.write, meaning, stranger=stranger)


AGENT_MEANING = (
    "an agent, looked up in agents.yaml; {groups: prefix} names what is a group and never a person"
)


# --- helpers that only read -----------------------------------------------------------------------

Combine = Callable[[Sequence[Any]], Any]


@dataclass(frozen=True, slots=True)
class Helper:
    """Something that shapes what is read. `combines`: takes a list of paths and must come first."""

    name: str
    argument: type | None
    """The type of what it is given in the mapping; None: nothing."""
    make: Callable[[Any], Callable[[Any], Any]]
    """Takes that argument and returns the function to apply to what is read."""
    meaning: str
    combines: bool = False


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _first_non_empty(_argument: None) -> Combine:
    return lambda values: next((value for value in values if not _is_empty(value)), None)


_PLACE = re.compile(r"\{(\d{1,2})\}")


def _template(pattern: str) -> Combine:
    def fill(values: Sequence[Any]) -> Any:
        texts = [
            "" if _is_empty(value) or isinstance(value, list | dict) else str(value)
            for value in values
        ]

        def text_at(number: int) -> str:
            return texts[number - 1] if number <= len(texts) else ""

        if not any(text_at(number) for number in places(pattern)):
            return None
        return _PLACE.sub(lambda place: text_at(int(place[1])), pattern)

    return fill


def _first_line(_argument: None) -> Callable[[Any], Any]:
    def first_line(raw: Any) -> Any:
        if not isinstance(raw, str):
            return raw
        return next((line.strip() for line in raw.splitlines() if line.strip()), "")

    return first_line


def _cut(length: int) -> Callable[[Any], Any]:
    return lambda raw: raw[:length].rstrip() if isinstance(raw, str) else raw


HELPERS: Mapping[str, Helper] = {
    helper.name: helper
    for helper in (
        Helper(
            "first-non-empty",
            None,
            _first_non_empty,
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
    """Return the numbers of a template's placeholders, from 1."""
    return [int(number) for number in _PLACE.findall(pattern)]
