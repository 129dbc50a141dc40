"""Realistic tickets to fill a sandbox with, and a stream of edits that humans make on several systems."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Agent:
    """A human of the support team, and how each system names them."""

    email: str
    name: str
    ids: Mapping[str, str]


AGENTS: tuple[Agent, ...] = tuple(
    Agent(
        f"{name.split()[0].lower()}@support.example",
        name,
        {
            "switch": f"usr_{n}",
            "posthog": f"user:{10 + n}",
            "zaia": f"00000000-0000-4000-8000-{n:012d}",
        },
    )
    for n, name in enumerate(
        ("Mary Bishop", "Jonas Lind", "Priya Raman", "Tomas Novak", "Aiko Mori"), 1
    )
)

STATUS: Mapping[str, Mapping[str, str]] = {
    "switch": {
        "new": "new",
        "open": "open",
        "pending": "pending",
        "resolved": "resolved",
        "closed": "closed",
    },
    "posthog": {
        "new": "new",
        "open": "open",
        "pending": "pending",
        "on_hold": "on_hold",
        "resolved": "resolved",
    },
    "zaia": {"new": "pending", "open": "ongoing", "resolved": "completed"},
}
"""Statuses that a human of each system can choose: canonical value -> the system's word. Tickets begin in these."""
VISITED: Mapping[str, str] = {"upscope": "switch"}
"""Systems that are populated with the customers of another one's tickets."""
PRIORITY: Mapping[str, Mapping[str, str]] = {
    "switch": {"low": "low", "normal": "medium", "high": "high", "urgent": "urgent"},
    "posthog": {"low": "low", "normal": "medium", "high": "high", "urgent": "critical"},
}
ASSIGNEE: Mapping[str, str] = {"switch": "assignee_id", "posthog": "assignee", "zaia": "assigneeId"}
"""The field in which a human of each system names who is to work on a ticket."""

_SUBJECTS = (
    (
        "Cannot sign in after the update",
        "The page says my session expired, again and again.",
        "login",
    ),
    (
        "Invoice shows the wrong VAT number",
        "Please correct it before the end of the month.",
        "billing",
    ),
    ("CSV export stops at 10,000 rows", "The file is cut off in the middle of a line.", "export"),
    ("Événements manquants — tableau de bord", "Le graphique est vide depuis hier 😕", "analytics"),
    ("Webhook deliveries arrive twice", "We see the same order two times in our shop.", "api"),
    ("How do I invite my team?", "I only find a button for single users.", "question"),
    (
        "App crashes when I open settings",
        "Android 15, version 8.2.1. It happens every time.",
        "bug",
    ),
    ("Feature request: dark mode", "My eyes would thank you.", "feature"),
    ("Upgrade to the annual plan", "Could you send us an offer for 40 seats?", "sales"),
    ("データのインポートに失敗しました", "文字コードの問題かもしれません。", "import"),
)
_FIRST = (
    "ana",
    "ben",
    "chloe",
    "dmitri",
    "elif",
    "farid",
    "greta",
    "hiro",
    "ines",
    "juan",
    "kemi",
    "lars",
)
_LAST = (
    "silva",
    "okafor",
    "meyer",
    "tanaka",
    "rossi",
    "dubois",
    "novak",
    "haddad",
    "larsen",
    "gomez",
)
_EXTRA_TAGS = ("VIP", "enterprise", "Beta", "needs-reply", "EU")


@dataclass(frozen=True, slots=True)
class TicketDraft:
    """A ticket in nobody's format."""

    subject: str
    body: str
    customer: str
    name: str
    status: str
    priority: str
    tags: tuple[str, ...]
    agent: Agent | None


@dataclass(frozen=True, slots=True)
class PlannedEdit:
    """One human edit. Edits of one burst are made without waiting in between."""

    burst: int
    ticket: int
    """Index into the tickets of the run."""
    system: str
    field: str
    """The canonical field."""
    fields: Mapping[str, Any]
    """What is changed, in the system's own space."""
    conflicting: bool


def tickets(n: int, seed: int) -> list[TicketDraft]:
    """Draft tickets; no two of one seed share a customer, and different seeds have different customers."""
    rng = random.Random(f"tickets {seed}")
    drafts = []
    for index in range(n):
        subject, body, tag = rng.choice(_SUBJECTS)
        first, last = rng.choice(_FIRST), rng.choice(_LAST)
        tags = (tag, *rng.sample(_EXTRA_TAGS, rng.choice((0, 0, 1, 2))))
        drafts.append(
            TicketDraft(
                subject=f"{subject} #{seed}-{index}",
                body=body,
                customer=f"{first}.{last}.{seed}.{index}@customer.example",
                name=f"{first.title()} {last.title()}",
                status=rng.choice(("new", "new", "open", "pending", "resolved")),
                priority=rng.choice(("low", "normal", "normal", "normal", "high", "urgent")),
                tags=tags,
                agent=rng.choice((None, *AGENTS)),
            )
        )
    return drafts


def edits(
    n: int, seed: int, where: Sequence[Sequence[str]], conflicting: float = 0.25
) -> list[PlannedEdit]:
    """Draft `n` edits of tickets, each where it stands; of those that can, a share stand against another system's edit.

    `where` names the systems that hold each ticket, `conflicting` is that share.
    """
    rng = random.Random(f"edits {seed}")
    stream: list[PlannedEdit] = []
    in_conflict = 0
    burst = 0
    while len(stream) < n:
        burst += 1
        ticket = rng.randrange(len(where))
        systems = where[ticket]
        room = n - len(stream) >= 2 and len(systems) >= 2
        if room and in_conflict < conflicting * (len(stream) + 2):
            stream += _against_each_other(rng, burst, ticket, systems)
            in_conflict += 2
        else:
            field = rng.choice(("status", "status", "priority", "tags", "tags", "assignee"))
            system = rng.choice(systems)
            if field == "priority" and system not in PRIORITY:
                field = "status"
            stream.append(
                PlannedEdit(
                    burst, ticket, system, field, _change(rng, system, field), conflicting=False
                )
            )
    return stream


def _against_each_other(
    rng: random.Random, burst: int, ticket: int, systems: Sequence[str]
) -> list[PlannedEdit]:
    first, second = rng.sample(systems, 2)
    field = rng.choice(("status", "priority", "assignee"))
    if field == "priority" and not {first, second} <= PRIORITY.keys():
        field = "status"
    if field == "assignee":
        one, other = rng.sample(AGENTS, 2)
        return [
            PlannedEdit(burst, ticket, first, field, assignment(first, one), conflicting=True),
            PlannedEdit(burst, ticket, second, field, assignment(second, other), conflicting=True),
        ]
    words = STATUS if field == "status" else PRIORITY
    one_word, other_word = rng.sample(sorted(set(words[first]) & set(words[second])), 2)
    return [
        PlannedEdit(burst, ticket, first, field, {field: words[first][one_word]}, conflicting=True),
        PlannedEdit(
            burst, ticket, second, field, {field: words[second][other_word]}, conflicting=True
        ),
    ]


def _change(rng: random.Random, system: str, field: str) -> dict[str, Any]:
    if field == "assignee":
        return assignment(system, rng.choice(AGENTS))
    if field == "tags":
        verb = rng.choice(("add_tags", "add_tags", "remove_tags"))
        return {verb: [rng.choice((*_EXTRA_TAGS, *(tag for _, _, tag in _SUBJECTS)))]}
    words = STATUS if field == "status" else PRIORITY
    return {field: rng.choice(sorted(words[system].values()))}


def assignment(system: str, agent: Agent) -> dict[str, Any]:
    """Say `assign to this agent` in a system's words."""
    kind, colon, number = agent.ids[system].partition(":")
    return {ASSIGNEE[system]: {"type": kind, "id": int(number)} if colon else agent.ids[system]}
