"""A person is forgotten: nothing of them is left, nothing is written, nothing is made twice."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from bridge import config as configuration
from bridge.config import SandboxAccount
from bridge.connectors import CONNECTORS, build, connector_class
from bridge.core.model.state import Link, Note, Side
from bridge.core.model.values import Ref
from bridge.engine.context import Context
from bridge.errors import Busy, LeaseLost
from bridge.http.client import Http
from bridge.ledger import erasure, links, timeline, vendor_calls, webhook_inbox, work
from bridge.ledger.tables import metadata
from bridge.sandbox.posthog import PostHogSandbox
from bridge.sandbox.switch import SwitchSandbox
from bridge.sandbox.transport import WSGIAdapter
from tests.flow.estate import SWITCH_AND_POSTHOG
from tests.flow.world import ManualClock, World

ROOT = Path(__file__).resolve().parents[2]
ANA = "ana.forgets@customer.example"
BRIDGE = """\
connections:
  helpdesk: {system: switch, base_url: "https://switch.example/api/v1", credentials: {api_key: "x"}}
  product:
    system: posthog
    base_url: "https://posthog.example"
    project_id: "12345"
    credentials: {api_key: "x"}
"""


class Account(World):
    """Two vendors' sandboxes with their real connectors and mappings, in virtual time."""

    def __init__(self, ledger, home):
        shutil.copytree(ROOT / "mappings", home / "mappings")
        (home / "config").mkdir()
        (home / "config" / "bridge.yaml").write_text(BRIDGE)
        (home / "mappings" / "syncs.yaml").write_text(SWITCH_AND_POSTHOG)
        (home / "mappings" / "agents.yaml").write_text("agents: []\n")
        self.clock, self.ledger = ManualClock(), ledger
        self.helpdesk = SwitchSandbox(self.clock, 1)
        self.product = PostHogSandbox(self.clock, 2)
        boxes = {"switch": self.helpdesk, "posthog": self.product}
        accounts = {
            system: SandboxAccount(
                f"https://{system}.example{box.PREFIX}", {"api_key": box.api_key}, "s" * 20
            )
            for system, box in boxes.items()
        }
        classes = {system: connector_class(system) for system in CONNECTORS}
        config = configuration.load(home, environ={}, sandbox=accounts, connectors=classes)
        self.systems = {name: boxes[each.system] for name, each in config.connections.items()}
        self.calls = []
        self.connectors = {
            name: build(
                each,
                Http(
                    replace(each, keep_bodies=True),
                    clock=self.clock,
                    adapter=WSGIAdapter(boxes[each.system], self.clock),
                    keep=self.calls.append,
                ),
            )
            for name, each in config.connections.items()
        }
        able = {name: connector.CAPABILITIES for name, connector in self.connectors.items()}
        self.context = Context(
            connections=config.connections,
            syncs=config.syncs,
            maps=config.maps,
            capabilities=able,
            clock=self.clock,
            rng=random.Random(3),
        )

    def writes(self):
        return [
            (entry.connection, entry.kind, entry.id, dict(entry.sent))
            for box in self.systems.values()
            for entry in box.journal.since()
            if entry.actor == "bridge" and entry.kind in {"write", "create", "delete"}
        ]

    def records(self):
        return {name: [dict(row) for row in box.tickets()] for name, box in self.systems.items()}

    def keep_calls(self):
        """Store the calls so far, as a worker does each second."""
        with self.ledger.transaction() as tx:
            vendor_calls.add_all(tx, self.calls)

    def text(self):
        """Give everything that the ledger holds, as text."""
        with self.ledger.read() as tx:
            rows = [
                str(tuple(row))
                for name in metadata.tables
                for row in tx.execute(text(f'SELECT * FROM "{name}"'))
            ]
        return "\n".join(rows).casefold()

    def erase(self, email=ANA):
        with self.ledger.transaction() as tx:
            return erasure.erase(tx, email, self.clock.now(), self.context.fields)

    def close(self):
        for connector in self.connectors.values():
            connector._http.close()


@pytest.fixture
def account(ledger, tmp_path):
    made = Account(ledger, tmp_path / "home")
    yield made
    made.close()


def ana(account, subject="Ana cannot sign in"):
    """Ana's ticket, mirrored and edited on both sides."""
    made = account.helpdesk.create(
        {"subject": subject, "description": "Me, Ana", "customer_email": ANA.title()}
    )
    account.hint("helpdesk", made["id"])
    account.settle()
    assert len(account.product.tickets()) >= 1
    account.helpdesk.edit(made["id"], {"status": "open", "subject": f"{subject} again"})
    account.hint("helpdesk", made["id"])
    account.settle()
    return made["id"]


def test_nothing_of_a_person_is_left_and_others_are_untouched(account):
    ana(account)
    other = account.helpdesk.create(
        {"subject": "Ben asks", "customer_email": "ben@customer.example"}
    )
    account.hint("helpdesk", other["id"])
    account.settle()
    account.keep_calls()
    before = account.text()
    assert ANA in before
    assert "cannot sign in" in before
    counts = account.erase(ANA.upper())
    assert counts["links"] == 1
    assert counts["sides"] == 2
    assert counts["timeline"] > 0
    assert counts["calls"] == len(account.calls) >= 10
    after = account.text()
    for trace in (ANA, "ana cannot", "me, ana"):
        assert trace not in after
    assert "ben asks" in after
    assert "ben@customer.example" in after


def test_refs_stay_so_nothing_is_made_or_written_again(account):
    remote_id = ana(account)
    refs = {name: side.remote_id for name, side in account.links()[0].sides.items()}
    account.erase()
    known = account.records()
    done = account.writes()
    account.clock.advance(60)
    account.hint("helpdesk", remote_id)
    account.settle()
    account.reconcile()
    assert account.writes() == done
    assert account.records() == known
    assert [
        {name: side.remote_id for name, side in link.sides.items()} for link in account.links()
    ] == [refs]


def test_what_the_systems_still_hold_is_read_again(account):
    """The limit that the command tells of: forgotten here is not forgotten there."""
    remote_id = ana(account)
    account.erase()
    account.hint("helpdesk", remote_id)
    account.settle()
    assert account.links()[0].state["customer"].value == ANA


def test_an_edit_after_forgetting_travels_and_no_null_does(account):
    remote_id = ana(account)
    account.erase()
    done = len(account.writes())
    account.clock.advance(60)
    account.helpdesk.edit(remote_id, {"status": "resolved"})
    account.hint("helpdesk", remote_id)
    account.settle()
    (there,) = account.product.tickets()
    assert there["status"] == "resolved"
    assert there["anonymous_traits"]["email"].casefold() == ANA
    assert [sent for _, _, _, sent in account.writes()[done:]] == [{"status": "resolved"}]


def test_a_worker_with_the_old_values_in_hand_cannot_store_them(account, now):
    ana(account)
    (link,) = account.links()
    with account.ledger.transaction() as tx:
        fence = links.lease(
            tx, link.id, "w", account.clock.now(), account.clock.now().replace(year=2030)
        )
    account.erase()
    with pytest.raises(LeaseLost), account.ledger.transaction() as tx:
        links.save(tx, link, "w", fence, now)
    assert ANA not in account.text()


def test_while_a_write_is_under_way_nothing_is_erased(account):
    remote_id = ana(account)
    account.helpdesk.edit(remote_id, {"subject": "Ana, once more"})
    account.product.faults.set({"timeout-after": 1})
    account.helpdesk.edit(remote_id, {"status": "pending"})
    account.hint("helpdesk", remote_id)
    account.drain().run(0.1)
    with account.ledger.read() as tx:
        assert erasure.find(tx, ANA).under_way == 1
    before = account.text()
    with pytest.raises(Busy, match="1 write is under way about this person"):
        account.erase()
    assert account.text() == before


def test_what_belongs_to_a_persons_ticket_goes_too_and_mentions_are_told(account):
    ana(account)
    (parent,) = account.links()
    at = account.clock.now()
    with account.ledger.transaction() as tx:
        said = Link(
            "m" * 32,
            "notes",
            "message",
            sides={"helpdesk": Side("helpdesk", "msg_1")},
            parent_id=parent.id,
        )
        links.create(tx, said, at)
        loaded = links.load(tx, [said.id])[said.id]
        body = loaded.state.setdefault(
            "body", type(parent.state["subject"])(value="My phone is 0815", rev=1)
        )
        assert body.rev == 1
        fence = links.lease(tx, said.id, "w", at, at.replace(year=2030))
        links.save(tx, loaded, "w", fence, at)
        timeline.add(
            tx, said.id, at, [Note("changed", "helpdesk", "body", {"value": "My phone is 0815"})]
        )
    mention = account.helpdesk.create(
        {"subject": f"As {ANA} said", "customer_email": "ben@customer.example"}
    )
    account.hint("helpdesk", mention["id"])
    account.settle()
    with account.ledger.read() as tx:
        found = erasure.find(tx, ANA)
    assert found.entities == {"ticket": 1, "message": 1}
    assert Ref("helpdesk", "message", "msg_1") in found.refs
    assert len(found.elsewhere) == 1
    account.erase()
    assert "0815" not in account.text()
    assert "ben@customer.example" in account.text()


def test_kept_webhooks_parked_work_and_keys_are_cleaned(account):
    remote_id = ana(account)
    at = account.clock.now()
    common = {
        "connection": "helpdesk",
        "received_at": at,
        "headers": {},
        "digest": "d",
        "event": "ticket.updated",
    }
    with account.ledger.transaction() as tx:
        own = {
            "entity": "ticket",
            "remote_id": remote_id,
            "projection": {"subject": "Ana cannot"},
            "body": "Ana!",
        }
        webhook_inbox.accept(tx, delivery_key="1", verdict="applied", **own, **common)
        stray = {
            "entity": None,
            "remote_id": None,
            "projection": {},
            "body": '{"mail": "' + ANA.upper() + '"}',
        }
        webhook_inbox.accept(
            tx, delivery_key="2", verdict="quarantined", why=f"{ANA} twice", **stray, **common
        )
        other = {
            "entity": None,
            "remote_id": None,
            "projection": {"event": "x"},
            "body": "ben@customer.example",
        }
        webhook_inbox.accept(tx, delivery_key="3", verdict="quarantined", **other, **common)
        people_ref = {"kind": "observe", "key": "observe:product:ticket:9", "connection": "product"}
        work.enqueue(tx, **people_ref, entity="ticket", remote_id="9", due_at=at, now=at)
        (row,) = work.claim(tx, "w", at, at.replace(year=2030), 5)
        work.park(tx, row, "w", f"{ANA} is matched twice", "ambiguous match", at)
        keys = tx.execute(text("SELECT count(*) FROM match_key")).scalar()
    assert keys > 0
    counts = account.erase()
    assert counts["webhooks"] == 2
    with account.ledger.read() as tx:
        rows = webhook_inbox.recent(tx)
        assert {row["delivery_key"]: row["body"] for row in rows} == {
            "1": None,
            "2": None,
            "3": "ben@customer.example",
        }
        assert tx.execute(text("SELECT parked_why FROM work")).scalars().all() == ["(erased)"]
        assert tx.execute(text("SELECT count(*) FROM match_key")).scalar() == 0
    assert ANA not in account.text()


def test_a_stranger_leaves_everything_as_it_is(account):
    ana(account)
    before = account.text()
    assert set(account.erase("nobody@customer.example").values()) == {0}
    assert account.text() == before
    assert account.erase("customer.example")["links"] == 0
    assert ANA in account.text()


def test_somebody_whose_address_is_longer_is_somebody_else(account):
    for email in (f"jo{ANA}", f"{ANA}.org", f"jo.{ANA}"):
        made = account.helpdesk.create({"subject": "Other", "customer_email": email})
        account.hint("helpdesk", made["id"])
    account.settle()
    before = account.text()
    with account.ledger.read() as tx:
        assert erasure.find(tx, ANA) == erasure.PersonalData()
    assert set(account.erase().values()) == {0}
    assert account.text() == before


def test_forgetting_twice_finds_nothing_more(account):
    ana(account)
    account.erase()
    assert set(account.erase().values()) == {0}
