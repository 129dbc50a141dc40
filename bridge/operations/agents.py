"""The people: everybody who is known, and those who need a row in `mappings/agents.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from bridge.ledger import directory
from bridge.ledger.directory import Stranger
from bridge.operations import masking, tickets
from bridge.operations.desk import Desk
from bridge.operations.masking import MASK, without_addresses_within
from bridge.operations.tickets import TicketLine


@dataclass(frozen=True, slots=True)
class KnownAgent:
    """A person whom the files or records show. Its fields are keys of `bridge agents --json`."""

    email: str
    declared: bool
    """Whether they stand in `mappings/agents.yaml`."""
    names: Mapping[str, Any]
    """Connection -> what it calls them."""


@dataclass(frozen=True, slots=True)
class AgentList:
    """Everybody who is known, and those who need a row in `mappings/agents.yaml`."""

    known: list[KnownAgent]
    unmapped: list[Stranger]


def list_agents(desk: Desk) -> AgentList:
    """Return who is known, and who is not."""
    with desk.ledger.read() as tx:
        strangers, learned = directory.strangers(tx), directory.people(tx)
    declared = desk.config.agents.people
    names_by_email = {email: dict(names) for email, names in declared.items()}
    # The file has the last word; of what was learned, the oldest counts.
    for connection, email, remote_id in learned:
        names_by_email.setdefault(email, {}).setdefault(connection, remote_id)
    known = [KnownAgent(email, email in declared, names) for email, names in names_by_email.items()]
    return AgentList([_known(desk, each) for each in known], _strangers(desk, strangers))


def _known(desk: Desk, agent: KnownAgent) -> KnownAgent:
    names = {connection: without_addresses_within(name) for connection, name in agent.names.items()}
    return replace(agent, email=MASK, names=names) if desk.masks else agent


def _strangers(desk: Desk, found: list[Stranger]) -> list[Stranger]:
    return [replace(each, who=MASK) for each in found] if desk.masks else found


@dataclass(frozen=True, slots=True)
class AgentPage:
    """A part of the list of people who are known."""

    known: list[KnownAgent]
    after: str | None
    """The e-mail address behind which the next part begins; None: this is the end."""


def page(desk: Desk, limit: int, *, after: str = "", text: str = "") -> AgentPage:
    """Return so many people who are known, by e-mail address, those behind one.

    `text`: a part of the address.
    """
    if text or after:  # the way on is an address
        masking.refuse_search(desk, "e-mail addresses")
    text, declared = text.strip().lower(), desk.config.agents.people
    of_files = sorted(email for email in declared if email > after and text in email)
    with desk.ledger.read() as tx:
        learned = directory.addresses(tx, limit + 1, after=after, text=text)
        emails = sorted({*of_files[: limit + 1], *learned})[: limit + 1]
        rows = directory.names_of(tx, emails)
    names: dict[str, dict[str, Any]] = {email: dict(declared.get(email, {})) for email in emails}
    for connection, email, remote_id in rows:
        names[email].setdefault(connection, remote_id)
    known = [KnownAgent(email, email in declared, names[email]) for email in emails[:limit]]
    goes_on = len(emails) > limit and not desk.masks
    return AgentPage([_known(desk, each) for each in known], emails[limit - 1] if goes_on else None)


def unmapped(desk: Desk, within: int) -> list[Stranger]:
    """Return who needs a row, those with the most tickets first, of so many tickets' fields."""
    with desk.ledger.read() as tx:
        return _strangers(desk, directory.strangers(tx, within))


def waiting(
    desk: Desk, connection: str, who: str, limit: int, after: str = ""
) -> tuple[list[TicketLine], str | None]:
    """Return so many tickets that wait for somebody to be known, and where the next part begins.

    Raises NotPossible at a desk that masks.
    """
    masking.refuse_search(desk, "people")
    with desk.ledger.read() as tx:
        ids = directory.waiting_for(tx, connection, who, limit=limit + 1, after=after)
    shown = ids[:limit]
    return tickets.of_ids(desk, shown), shown[-1] if len(ids) > limit else None


def as_json(agents: AgentList) -> dict[str, Any]:
    """Return them in the form of `bridge agents --json`."""
    return {
        "agents": [asdict(agent) for agent in agents.known],
        "unmapped": [asdict(stranger) for stranger in agents.unmapped],
    }
