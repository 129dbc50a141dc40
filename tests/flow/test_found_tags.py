"""Texts go to ScopeAI, and the subjects that it finds come back onto the ticket."""

import pytest

from bridge.ledger import parking
from tests.flow.estate import Estate

BRIDGE = """\
connections:
  helpdesk: {system: switch, base_url: "${HELPDESK}", credentials: {api_key: x}}
  feedback: {system: scopeai, base_url: "${FEEDBACK}", credentials: {api_key: x}}
"""
SYNCS = """\
support-tickets:
  entity: ticket
  members:
    helpdesk: {create: true}
    feedback: {create: true, tags: {prefix: "topic:", min_salience: 0.35}}
  fields:
    description: {owner: helpdesk, revert: false}
    tags: merge
"""
FILES = {
    "config/bridge.yaml": BRIDGE,
    "mappings/syncs.yaml": SYNCS,
    "mappings/agents.yaml": "agents: []\n",
}
TEXT = "The file is cut off in the middle of a line."


@pytest.fixture
def estate(tmp_path):
    made = Estate(tmp_path, files=FILES, options={"feedback": {"analysis_delay": 60}})
    yield made
    assert [row.note for row in made.journal("feedback", "read", "create") if row.note] == []
    with made.ledger.read() as tx:
        assert parking.parked(tx) == []


def ticket(estate, **fields):
    made = estate.apps["helpdesk"].create(
        {"subject": "Export", "description": TEXT, "tags": ["VIP"], **fields}
    )["id"]
    estate.hint("helpdesk", made)
    return made


def tags(estate, remote_id):
    shown = estate.apps["helpdesk"].store.get(remote_id)["tags"]
    return {tag for tag in shown if not tag.startswith("bridge-")}


def test_subjects_come_back_once_they_are_found_and_stay(estate):
    made = ticket(estate)
    (there,) = estate.apps["feedback"].tickets()
    assert there["original_text"] == TEXT
    assert tags(estate, made) == {"VIP"}
    estate.clock.advance(61)
    estate.reconcile("poll")
    assert tags(estate, made) == {"VIP", "topic:export"}
    estate.apps["feedback"].edit(str(there["id"]), {"tag_relationships": []})
    for kind in ("poll", "full"):
        estate.clock.advance(600)
        estate.reconcile(kind)
        assert tags(estate, made) == {"VIP", "topic:export"}
    assert len(estate.apps["feedback"].tickets()) == 1


def test_below_the_members_threshold_nothing_comes(estate):
    made = ticket(estate)
    (there,) = estate.apps["feedback"].tickets()
    for name, salience in (("faint", 0.34), ("clear", 0.36)):
        estate.apps["feedback"].edit(
            str(there["id"]), {"add_tag": {"name": name, "salience": salience}}
        )
    estate.reconcile("poll")
    assert tags(estate, made) == {"VIP", "topic:clear"}


def test_a_subject_that_a_person_takes_off_stays_off(estate):
    made = ticket(estate)
    estate.clock.advance(61)
    estate.reconcile("poll")
    estate.apps["helpdesk"].edit(made, {"remove_tags": ["topic:export"]})
    estate.hint("helpdesk", made)
    for _ in range(3):
        estate.clock.advance(600)
        estate.reconcile("poll")
    assert tags(estate, made) == {"VIP"}


def test_later_edits_are_not_carried_and_make_no_second_ticket(estate):
    made = ticket(estate)
    estate.apps["helpdesk"].edit(
        made, {"subject": "Another", "status": "open", "add_tags": ["new"]}
    )
    estate.hint("helpdesk", made)
    estate.reconcile("poll", "full")
    assert [row["original_text"] for row in estate.apps["feedback"].tickets()] == [TEXT]
    assert estate.journal("feedback", "write", "delete") == []


def test_what_was_imported_from_elsewhere_is_left_alone(estate):
    estate.apps["feedback"].populate(5, 1)
    estate.clock.advance(61)
    estate.reconcile("poll", "full")
    assert estate.links() == []
    assert estate.apps["helpdesk"].tickets() == []


@pytest.mark.parametrize("answer", ["ticket", "empty"])
@pytest.mark.parametrize("fault", ["", "error-after"])
def test_each_text_goes_in_once_whatever_becomes_of_the_answer(tmp_path, answer, fault):
    estate = Estate(tmp_path, files=FILES, options={"feedback": {"create_answer": answer}})
    if fault:
        estate.apps["feedback"].faults.set({fault: 1.0})
    made = ticket(estate)
    (there,) = estate.apps["feedback"].tickets()
    assert estate.refs("helpdesk", made) == {"helpdesk": made, "feedback": str(there["id"])}
    assert [row.note for row in estate.journal("feedback", "read", "create") if row.note] == []


def test_a_ticket_that_is_lost_there_is_no_deletion(estate):
    made = ticket(estate)
    (there,) = estate.apps["feedback"].tickets()
    estate.apps["feedback"].remove(there)
    estate.reconcile("poll", "full")
    assert estate.refs("helpdesk", made) == {"helpdesk": made, "feedback": str(there["id"])}
    assert estate.apps["helpdesk"].store.get(made)["deleted_at"] is None
    assert estate.apps["helpdesk"].store.get(made)["status"] == "new"
