"""Realistic tickets to fill a sandbox with, and the support team that works on them."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Agent:
    """Somebody of the support team; each sandbox says by which id it knows them (`agent_id`)."""

    number: int
    """From 1 on."""
    email: str
    name: str


_TEAM = ("Mary Bishop", "Jonas Lind", "Priya Raman", "Tomas Novak", "Aiko Mori")
AGENTS: tuple[Agent, ...] = tuple(
    Agent(number, f"{name.split()[0].lower()}@support.example", name)
    for number, name in enumerate(_TEAM, 1)
)

SUBJECTS = (
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
EXTRA_TAGS = ("VIP", "enterprise", "Beta", "needs-reply", "EU")


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


def tickets(n: int, seed: int) -> list[TicketDraft]:
    """Draft tickets, each of a customer of its own; different seeds have different customers."""
    rng = random.Random(f"tickets {seed}")
    drafts = []
    for index in range(n):
        subject, body, tag = rng.choice(SUBJECTS)
        first, last = rng.choice(_FIRST), rng.choice(_LAST)
        tags = (tag, *rng.sample(EXTRA_TAGS, rng.choice((0, 0, 1, 2))))
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
