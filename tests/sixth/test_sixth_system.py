"""A sixth system, added by what docs/adding-a-system.md names, at the places that it names.

Nothing of the bridge is changed or knows it: a ticket of a system that did not exist is mirrored
both ways.
"""

from pathlib import Path

import pytest

from bridge import config as configuration
from bridge.operations.evidence import facts
from bridge.sandbox import population
from bridge.sandbox.human_edits import edits
from bridge.sandbox.rows_for_judge import gather
from bridge.sandbox.switch import SwitchSandbox
from bridge.verify.report import VerifyInput, verify
from tests.flow.estate import Estate
from tests.sixth import tables
from tests.sixth.bridge.sandbox.tinydesk import TinydeskSandbox

HERE = Path(__file__).parent
SETTINGS = """
connections:
  helpdesk:
    system: switch
    base_url: https://support.example.com/api/v1
    credentials: {api_key: x}
    webhook:
      {scheme: hmac-sha256, header: X-Webhook-Signature, secrets: [xxxxxxxxxxxxxxxx],
       event: event, id: data.id}
  tiny:
    system: tinydesk
    base_url: https://tiny.example.com
    credentials: {api_key: y}
    webhook: {scheme: hmac-sha256, secrets: [xxxxxxxxxxxxxxxx]}
    poll: 5m
"""
SYNCS = """
tickets:
  entity: ticket
  members: {helpdesk: {create: true}, tiny: {create: true}}
  match: [[customer, subject]]
  precedence: [helpdesk, tiny]
"""
AGENTS = "agents:\n" + "".join(
    f"  - {{email: {agent.email}, helpdesk: {SwitchSandbox.agent_id(agent)},"
    f" tiny: {TinydeskSandbox.agent_id(agent)}}}\n"
    for agent in population.AGENTS
)


@pytest.fixture
def estate(tmp_path, monkeypatch):
    tables.register(monkeypatch)
    files = {
        "config/bridge.yaml": SETTINGS,
        "mappings/syncs.yaml": SYNCS,
        "mappings/agents.yaml": AGENTS,
        "mappings/tinydesk.yaml": (HERE / "mappings" / "tinydesk.yaml").read_text(),
    }
    return Estate(tmp_path / "home", files=files)


def test_its_mapping_is_proved_and_its_examples_hold(estate):
    assert configuration.check(estate.config.home, environ={}, connectors=estate.classes) == []


def test_a_ticket_is_mirrored_both_ways(estate):
    desk, tiny = estate.apps["helpdesk"], estate.apps["tiny"]
    began = desk.create({"subject": "Help", "customer_email": "ana@example.com", "tags": ["VIP"]})
    estate.hint("helpdesk", began["id"])
    number = estate.refs("helpdesk", began["id"])["tiny"]
    assert tiny.store.get(number)["tags"] == ["vip"]
    tiny.edit(number, {"status": "doing", "subject": "Help, please"})
    estate.hint("tiny", number)
    shown = desk.store.get(began["id"])
    assert (shown["status"], shown["subject"]) == ("open", "Help, please")


def test_histories_meet_by_the_declared_keys(estate):
    desk, tiny = estate.apps["helpdesk"], estate.apps["tiny"]
    for number in range(12):
        desk.create({"subject": f"Ticket {number}", "customer_email": f"c{number}@example.com"})
        tiny.create({"title": f"Ticket {number}", "asker": f"c{number}@example.com"})
    estate.reconcile()
    assert len(estate.links()) == len(desk.tickets()) == len(tiny.tickets()) == 12


def test_what_humans_do_on_either_side_is_judged_as_in_the_demo(estate):
    apps = {app.SYSTEM: app for app in estate.apps.values()}
    began = [
        (name, app.populate(6, seed)[number])
        for seed, (name, app) in enumerate(apps.items())
        for number in [0]
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
    assert (report.tickets, report.edits_applied, report.forbidden_calls) == (
        12,
        report.edits_applied,
        0,
    )
    tiny = report.systems["tiny"]
    assert (tiny["mirrored"], tiny["tickets"], tiny["create"]) == (12, 12, 12)
    assert min(tiny["read"], tiny["write"], tiny["edit"]) > 0


@pytest.mark.parametrize("fault", ["error-after", "reset-after", "timeout-after"])
def test_a_create_of_unknown_outcome_is_found_again(estate, fault):
    desk, tiny = estate.apps["helpdesk"], estate.apps["tiny"]
    began = desk.create({"subject": "Help", "customer_email": "ana@example.com"})
    tiny.faults.set({fault: 1.0})
    estate.hint("helpdesk", began["id"])
    tiny.faults.set({})
    estate.settle()
    estate.reconcile()
    assert len(tiny.tickets()) == 1
    assert set(estate.refs("helpdesk", began["id"])) == {"helpdesk", "tiny"}
