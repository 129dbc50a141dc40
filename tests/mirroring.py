"""What every made-up system must show beside Switch: see `MirroringContract`."""

from __future__ import annotations

import pytest

from bridge import config as configuration
from bridge.operations.evidence import facts
from bridge.sandbox import population
from bridge.sandbox.human_edits import edits
from bridge.sandbox.registry import sandbox_class
from bridge.sandbox.rows_for_judge import gather
from bridge.sandbox.switch import SwitchSandbox
from bridge.simulate.seeds import play_seed
from bridge.verify.report import VerifyInput, verify
from tests.flow.estate import Estate
from tests.made_up import MadeUpSystem

SETTINGS = """
connections:
  helpdesk:
    system: switch
    base_url: https://support.example.com/api/v1
    credentials: {{api_key: x}}
    webhook:
      {{scheme: hmac-sha256, header: X-Webhook-Signature, secrets: [xxxxxxxxxxxxxxxx],
       event: event, id: data.id}}
  other:
    system: {system}
    base_url: https://{system}.example.com
    credentials: {{api_key: y}}
    webhook: {{scheme: hmac-sha256, secrets: [xxxxxxxxxxxxxxxx]}}
    poll: 5m
"""
SYNCS = """
tickets:
  entity: ticket
  members: {helpdesk: {create: true}, other: {create: true}}
  match: [[customer, subject]]
  precedence: [helpdesk, other]
"""


def mirrored_with_switch(folder, monkeypatch, system: MadeUpSystem) -> Estate:
    """A bridge between Switch (`helpdesk`) and a made-up system (`other`)."""
    system.register(monkeypatch)
    sandbox = sandbox_class(system.name)
    agents = "".join(
        f"  - {{email: {agent.email}, helpdesk: {SwitchSandbox.agent_id(agent)},"
        f" other: {sandbox.agent_id(agent)}}}\n"
        for agent in population.AGENTS
    )
    mapping = f"mappings/{system.name}.yaml"
    files = {
        "config/bridge.yaml": SETTINGS.format(system=system.name),
        "mappings/syncs.yaml": SYNCS,
        "mappings/agents.yaml": f"agents:\n{agents}",
        mapping: (system.folder / mapping).read_text(),
    }
    return Estate(folder / "home", files=files)


class MirroringContract:
    """Subclass it, name it Test…, and give `system`, `asked` and `edited`."""

    system: MadeUpSystem

    def asked(self, subject: str, email: str):
        """Return the fields of a ticket that a customer opens there."""
        raise NotImplementedError

    def edited(self):
        """Return the fields of an edit that opens a ticket and calls it `Help, please`."""
        raise NotImplementedError

    @pytest.fixture
    def estate(self, tmp_path, monkeypatch):
        return mirrored_with_switch(tmp_path, monkeypatch, self.system)

    def test_its_mapping_is_proved_and_its_examples_hold(self, estate):
        problems = configuration.check(estate.config.home, environ={}, connectors=estate.classes)
        assert problems == []

    def test_a_ticket_is_mirrored_both_ways(self, estate):
        desk, other = estate.apps["helpdesk"], estate.apps["other"]
        asked = {"subject": "Help", "customer_email": "ana@example.com", "tags": ["VIP"]}
        began = desk.create(asked)
        estate.hint("helpdesk", began["id"])
        number = estate.refs("helpdesk", began["id"])["other"]
        assert other.store.get(number)["tags"] == ["vip"]
        other.edit(number, self.edited())
        estate.hint("other", number)
        shown = desk.store.get(began["id"])
        assert (shown["status"], shown["subject"]) == ("open", "Help, please")

    def test_histories_meet_by_the_declared_keys(self, estate):
        desk, other = estate.apps["helpdesk"], estate.apps["other"]
        for number in range(12):
            subject, email = f"Ticket {number}", f"c{number}@example.com"
            desk.create({"subject": subject, "customer_email": email})
            other.create(self.asked(subject, email))
        estate.reconcile()
        assert len(estate.links()) == len(desk.tickets()) == len(other.tickets()) == 12

    def test_what_humans_do_on_either_side_is_judged_as_in_the_demo(self, estate):
        apps = {app.SYSTEM: app for app in estate.apps.values()}
        began = [
            (name, app.populate(6, seed)[0])
            for seed, (name, app) in enumerate(sorted(apps.items(), reverse=True))
        ]
        estate.reconcile()
        held = [estate.refs(apps[name].name, remote_id) for name, remote_id in began]
        for edit in edits(30, 1, [sorted(apps)] * len(held)):
            name = apps[edit.system].name
            estate.apps[name].edit(held[edit.ticket][name], edit.fields)
            estate.clock.advance(5)
            estate.hint(name, held[edit.ticket][name])
        with estate.ledger.read() as tx:
            report = verify(VerifyInput(*gather(apps.values(), facts(estate.context, tx))))
        assert report.ok, report.details
        assert (report.tickets, report.forbidden_calls) == (12, 0)
        other = report.systems["other"]
        assert (other["mirrored"], other["tickets"], other["create"]) == (12, 12, 12)
        assert min(other["read"], other["write"], other["edit"]) > 0

    @pytest.mark.parametrize("seed", range(1, 7))
    def test_a_simulated_world_keeps_every_promise(self, estate, seed):
        assert play_seed(seed, str(estate.config.home)).broken == []

    @pytest.mark.parametrize("fault", ["error-after", "reset-after", "timeout-after"])
    def test_a_create_of_unknown_outcome_is_found_again(self, estate, fault):
        desk, other = estate.apps["helpdesk"], estate.apps["other"]
        began = desk.create({"subject": "Help", "customer_email": "ana@example.com"})
        other.faults.set({fault: 1.0})
        estate.hint("helpdesk", began["id"])
        other.faults.set({})
        estate.settle()
        estate.reconcile()
        assert len(other.tickets()) == 1
        assert set(estate.refs("helpdesk", began["id"])) == {"helpdesk", "other"}
