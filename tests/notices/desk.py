"""A ledger with something to tell of, and those who tell and are told."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import select

from bridge.core.model.notice_types import NoticeEndpoint
from bridge.core.model.syncs import Secret
from bridge.http.notice_call import NoticeAnswer
from bridge.ledger import notice_outbox, parking, tables
from bridge.notices.happenings import Happenings, TellScope
from bridge.notices.sender import NoticeSender

SECRET = "whsec_" + "c2VjcmV0IG9mIG5vdGljZXMgMTIzNDU2Nzg="  # gitleaks:allow


def endpoint(name="ops", *, secrets=(SECRET,), url="https://hooks.example.com/x", **changes):
    return NoticeEndpoint(name, Secret(url), tuple(map(Secret, secrets)), **changes)


def scope(*endpoints, pages_url="https://bridge.example.com"):
    return TellScope(
        endpoints={each.name: each for each in endpoints or (endpoint(),)},
        members={"tickets": frozenset({"L", "H"}), "people": frozenset({"L"})},
        fields={(name, "ticket"): {"status", "priority"} for name in "LH"},
        connections=frozenset({"L", "H"}),
        pages_url=pages_url,
    )


@dataclass
class Teller:
    """One clock's part in notices."""

    ledger: object
    clock: object
    scope: TellScope = field(default_factory=scope)

    def __post_init__(self):
        self.happenings = Happenings(self.ledger, self.clock.now, lambda: self.scope)

    def tell(self, *, lasting=False):
        """Look once, and return what was written since the last look: (kind, data)."""
        before = len(self.notices())
        told = self.happenings.tell_what_lasts() if lasting else self.happenings.tell()
        new = [(row.kind, row.data) for row in self.notices()[before:]]
        assert told == len(new)
        return new

    def notices(self):
        with self.ledger.read() as tx:
            return tx.execute(select(tables.notice).order_by(tables.notice.c.number)).all()

    def sendings(self, name="ops"):
        with self.ledger.read() as tx:
            return notice_outbox.listed(tx, name)[::-1]


@dataclass
class Receiver:
    """An endpoint in memory: answers as told, and keeps what came."""

    answers: list = field(default_factory=list)
    came: list = field(default_factory=list)

    def post(self, body, headers):
        self.came.append((headers, body))
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, NoticeAnswer):
            return answer
        return NoticeAnswer(answer, "" if answer < 300 else f"answered {answer}")


def sender(teller, receiver, owner="clock-1", name="ops"):
    return NoticeSender(
        teller.scope.endpoints[name],
        teller.ledger,
        teller.clock,
        owner,
        caller=receiver,
        rng=random.Random(1),
    )


def park(tx, now, number, cause="Refused", connection="L"):
    parking.set_aside(
        tx,
        kind="deliver",
        key=f"deliver:{connection}:{number}",
        connection=connection,
        entity="ticket",
        link_id=f"link-{number}",
        payload={},
        why="Ana Maria (ana@example.com) is refused",
        cause=cause,
        now=now,
    )


MINUTE = timedelta(minutes=1)
