"""Agents: how one connection names people, and the transform that looks them up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bridge.core.mapping.transforms import AGENT, Transform
from bridge.core.model.outcome_codes import Code
from bridge.core.model.values import Canonical, NotCarried, Raw, Unreadable, shown

LEAVE = "leave"
UNASSIGN = "unassign"
"""Both: what somebody outside the table becomes (`AgentTable.unmapped`)."""
_NAMES = (str, int)
"""What a connection's own name for a person may be."""


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
        """Put one learned name in, in place of the one that the person had before."""
        old = self._emails.get(raw)
        if old is not None and self.learned.get(old) == raw:
            del self.learned[old]
        self.learned[email] = raw
        self._emails[raw] = email

    def email_of(self, raw: Raw) -> str | None:
        """Return the person whom the connection calls so; None: nobody that is known."""
        return self._emails.get(raw) if isinstance(raw, _NAMES) else None

    def name_of(self, email: Canonical) -> Raw | None:
        """Return the connection's name for a person; None: it has none."""
        return self.people.get(email, self.learned.get(email)) if isinstance(email, str) else None

    def write(self, email: Canonical) -> Raw | NotCarried:
        """Return what is sent for a person, also for one whom the table does not know."""
        raw = self.name_of(email)
        if raw is None and self.unmapped == UNASSIGN:
            return None
        if raw is None:
            raw = self.name_of(self.unmapped)
        if raw is None:
            why = f"{email} has no name here; add it to agents.yaml"
            return NotCarried(why, Code.MAP_PERSON)
        return raw


def agent_transform(table: AgentTable, groups: Sequence[str] = ()) -> Transform:
    """Return the agent transform of one connection.

    What begins with one of `groups` is a group, and never read as a person.
    """
    prefixes = tuple(groups)

    def is_group(raw: Raw) -> bool:
        return isinstance(raw, str) and raw.startswith(prefixes)

    def read(raw: Raw) -> Canonical | Unreadable:
        if not isinstance(raw, _NAMES) or isinstance(raw, bool):
            return Unreadable(f"{shown(raw)} names no agent")
        if prefixes and is_group(raw):
            why = f"{shown(raw)} is a group, and a group is never read as a person"
            return Unreadable(why, Code.READ_GROUP)
        email = table.email_of(raw)
        if email is not None:
            return email
        if table.unmapped == LEAVE:
            why = f"the agent {shown(raw)} is not in agents.yaml; add a row for this person"
            return Unreadable(why, Code.READ_PERSON)
        return None if table.unmapped == UNASSIGN else table.unmapped

    def stranger(raw: Raw) -> bool:
        return raw is not None and not is_group(raw) and table.email_of(raw) is None

    meaning = "an agent, looked up in agents.yaml; canonical is the e-mail"
    # A name at a connection is a text or a number.
    return Transform(
        AGENT, ("agent",), read, table.write, meaning, stranger=stranger, sends=("text", "number")
    )
