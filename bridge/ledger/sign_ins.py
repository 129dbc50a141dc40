"""What is known of people who are not signed in yet: links for them, and what they got wrong."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update

from bridge.ledger.database import Tx, insert, is_added
from bridge.ledger.tables import sign_in_failure, sign_in_link, used_sign_in


@dataclass(frozen=True, slots=True)
class Failures:
    """How often in a row a subject failed, and when last."""

    count: int
    last_at: datetime


def add_link(tx: Tx, digest: str, name: str, ends_at: datetime) -> None:
    """Keep a link that signs an account in, once, until a time."""
    tx.execute(sign_in_link.insert().values(digest=digest, account=name, ends_at=ends_at))


def take_link(tx: Tx, digest: str, now: datetime) -> str | None:
    """Use a link up, and return whose it is; None: it never was, has been used, or is too old."""
    used = (
        delete(sign_in_link)
        .where(sign_in_link.c.digest == digest, sign_in_link.c.ends_at > now)
        .returning(sign_in_link.c.account)
    )
    return tx.execute(used).scalar()


def drop_links(tx: Tx, name: str) -> None:
    """Forget every link of an account."""
    tx.execute(delete(sign_in_link).where(sign_in_link.c.account == name))


def use_up(tx: Tx, digest: str, ends_at: datetime) -> bool:
    """Note that a sign-in by a provider is done; return False where it was done before."""
    return is_added(tx, used_sign_in, {"digest": digest, "ends_at": ends_at})


def failures(tx: Tx, subjects: Collection[str]) -> dict[str, Failures]:
    """Return what is known of those subjects that failed."""
    rows = select(sign_in_failure).where(sign_in_failure.c.subject.in_(subjects))
    return {
        row["subject"]: Failures(row["count"], row["last_at"])
        for row in tx.execute(rows).mappings()
    }


def add_failure(tx: Tx, subject: str, now: datetime) -> None:
    """Count one more failure of a subject."""
    first = insert(tx, sign_in_failure).values(subject=subject, count=1, last_at=now)
    more = {"count": sign_in_failure.c.count + 1, "last_at": now}
    tx.execute(first.on_conflict_do_update(index_elements=["subject"], set_=more))


def take_back(tx: Tx, subject: str) -> None:
    """Count one failure of a subject less: it was none."""
    less = {"count": sign_in_failure.c.count - 1}
    tx.execute(update(sign_in_failure).where(sign_in_failure.c.subject == subject).values(less))


def forget_failures(tx: Tx, subject: str) -> None:
    """Forget what a subject got wrong."""
    tx.execute(delete(sign_in_failure).where(sign_in_failure.c.subject == subject))


def prune(tx: Tx, now: datetime, failed_before: datetime) -> None:
    """Forget links and sign-ins that are too old, and what was got wrong before a time."""
    tx.execute(delete(used_sign_in).where(used_sign_in.c.ends_at <= now))
    tx.execute(delete(sign_in_link).where(sign_in_link.c.ends_at <= now))
    tx.execute(delete(sign_in_failure).where(sign_in_failure.c.last_at < failed_before))
