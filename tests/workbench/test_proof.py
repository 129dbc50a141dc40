"""The proof: what it takes in, what it says of what was seen, and how much work it is at most."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.core.mapping.agent_table import AgentTable
from bridge.core.mapping.compiler import compile_entity
from bridge.core.model.capabilities import EntityCapabilities, Support, Verb, Writable
from bridge.core.model.syncs import FieldPolicy, Member, Sync
from bridge.home_configuration import proof_of
from bridge.operations.mapping_proof import proved
from bridge.supervisor.account_file import placeholder_accounts
from bridge.workbench.proof import MAX_FINDINGS, prove
from bridge.workbench.proof_findings import ProofSubject, SeenValue
from tests.cli.conftest import KEYS
from tests.workbench.shipped import edited, proof_of_edits

ROWS, SYNCS, MEMBERS = 10_000, 20, 50
TEAM = "ticket.fields.team.read"
WAITS = "and that has no reading: they wait"


@pytest.fixture
def shipped(tmp_path):
    config = proof_of_edits(tmp_path).config
    assert config is not None
    return config


def test_a_value_that_was_seen_and_has_no_reading_is_a_warning_with_a_row(shipped):
    seen = {
        ("helpdesk", "ticket", "status"): [SeenValue("Pending", 12), SeenValue("open", 3)],
        ("desk", "ticket", "status"): [SeenValue(7, 1)],
    }
    found = proof_of(shipped, seen).warnings
    assert {finding.path for finding in found} == {"ticket.fields.status.read"}
    assert [(finding.what, finding.proposed) for finding in found] == [
        (f"helpdesk shows 'Pending' on 12 tickets, {WAITS}", "Pending: pending"),
        (f"desk shows 7 on 1 ticket, {WAITS}", "7: …"),
    ]


def test_null_is_missed_where_a_field_that_nobody_set_would_wait(tmp_path, shipped):
    edits = (("infra, null: null}", "infra}"), ("tags: [], team: null}", "tags: []}"))
    of_switch = [("mappings/switch.yaml", *edit) for edit in edits]
    without = proof_of_edits(tmp_path / "without", *of_switch)
    assert without.config is not None
    (found,) = without.proof.warnings
    assert (found.law, found.path, found.proposed) == ("null", TEAM, "null: null")
    assert "each of them would wait" in found.what
    seen = {("helpdesk", "ticket", "team"): [SeenValue(None, 3)]}
    (found,) = proof_of(without.config, seen).warnings
    assert (found.law, found.proposed) == ("seen", "null: null")
    assert "helpdesk shows null on 3 tickets" in found.what
    assert not [each for each in proof_of(shipped).findings if each.law == "null"]


def test_people_without_a_name_at_a_member_are_a_note_with_whose_row_it_is(tmp_path):
    row = ', helpdesk: usr_3, product: "user:13"'
    notes = proof_of_edits(tmp_path, ("mappings/agents.yaml", row, ", helpdesk: usr_3")).proof.notes
    (finding,) = [each for each in notes if each.law == "people"]
    assert finding.connections == ("product",)
    assert "the rows of priya@support.example have no name for product" in finding.what
    assert finding.proposed == "product: … in the row of priya@support.example"


def test_the_table_says_what_travels_where(shipped):
    rows = {(row.sync, row.field): row for row in proof_of(shipped).matrix}

    def cells(field, sync="support-tickets"):
        return [cell.words for cell in rows[sync, field].cells]

    assert cells("status") == ["both ways (lossy)"] * 3 + ["-"]
    assert cells("subject") == ["both ways (tried)", "create only", "in at first", "-"]
    assert cells("tags")[-1] == "in"
    assert cells("team") == ["both ways (tried)", "both ways (tried)", "-", "-"]
    assert cells("tags", "customers") == ["both ways (tried)", "in"]
    assert [row.field for row in rows.values() if row.custom] == ["team"]
    assert rows["support-tickets", "status"].cells[2].key == "status"


def test_an_owner_elsewhere_makes_a_side_one_that_only_takes(tmp_path):
    file, old = "mappings/syncs.yaml", "    customer: first"
    edit = (file, old, f"{old}\n    priority: {{owner: helpdesk}}")
    proof = proof_of_edits(tmp_path, edit).proof
    (row,) = [row for row in proof.matrix if row.field == "priority"]
    assert [cell.words for cell in row.cells] == ["both ways", "out", "-", "-"]


SECOND = """  helpdesk2:
    system: switch
    base_url: {url}
    credentials: {{api_key: "{key}"}}
    {more}

  product:
"""
MORE = """more:
  entity: ticket
  members: {helpdesk2: {create: true}, product2: {}}
  match: [[customer]]

customers:
"""
ITS_PRODUCT = """  product2:
    system: posthog
    base_url: https://eu.posthog.com
    project_id: "7"
    credentials: {api_key: "k"}

  desk:
"""
OWN = "https://support.example.com/api/v1"


@pytest.mark.parametrize(
    ("url", "key", "more", "one_account"),
    [
        (OWN, "another", "poll: 5m", False),
        ("https://other.example.com/api/v1", "a-key", "poll: 5m", False),
        (OWN, "a-key", "same_account_as: helpdesk", True),
        ("https://support.example.com/api/v1/", "a-key", "same_account_as: helpdesk", True),
    ],
)
@pytest.mark.parametrize("sandbox", [True, False])
def test_two_accounts_of_one_vendor_are_two_also_where_a_sandbox_stands_for_both(
    tmp_path, monkeypatch, sandbox, url, key, more, one_account
):
    for name in KEYS:
        monkeypatch.setenv(name, KEYS[name])
    config = "config/bridge.yaml"
    home = edited(
        tmp_path,
        (config, "${HELPDESK_URL:-https://support.example.com/api/v1}", OWN),
        (config, "${HELPDESK_API_KEY}", "a-key"),
        (config, "  product:\n", SECOND.format(url=url, key=key, more=more)),
        (config, "  desk:\n", ITS_PRODUCT),
        ("mappings/syncs.yaml", "customers:\n", MORE),
    )
    findings = proved(home, placeholder_accounts() if sandbox else None).proof.findings
    laws = {each.law for each in findings}
    assert "files" not in laws
    assert ("two-syncs" in laws) is one_account
    assert "circle" not in laws or one_account


class Nowhere:
    """Places of files that are not there."""

    def in_mapping(self, connection, *where):
        return f"{connection}.yaml:1", ".".join(map(str, where))

    def in_syncs(self, *where):
        return "syncs.yaml:1", ".".join(map(str, where))

    def in_agents(self, *where):
        return "agents.yaml:1", ".".join(map(str, where))

    def says(self, *_where):
        return False


def hostile(rows, own_files, *, spoilt=False):
    """Many syncs of many members, each with a value table of as many rows, and the reads of it."""
    reads = [0]
    able = {
        "ticket": EntityCapabilities(
            readable=frozenset(("id", "reason")),
            writable={"reason": Writable()},
            verbs=(Verb("patch", ("reason",)),),
            creates=Support.YES,
        )
    }

    def compiled(number):
        table = {f"v{number} {row}": f"o{row % (rows // 2)}" for row in range(rows)}
        write = {f"o{row}": f"v{number} {0 if spoilt else row}" for row in range(rows // 2)}
        field = {"path": "reason", "read": table, "write": write}
        declared = {"id": "id", "fields": {"escalation_reason": field}}
        made = compile_entity("ticket", declared, AgentTable())
        of_field = made.fields["escalation_reason"]
        read = of_field.map.read

        def counted(raw):
            reads[0] += 1
            return read(raw)

        counting = replace(of_field, map=replace(of_field.map, read=counted))
        return {"ticket": replace(made, fields={"escalation_reason": counting})}

    shared = compiled(0)
    mappings, syncs = {}, {}
    for number in range(SYNCS):
        names = [f"c{number}-{member}" for member in range(MEMBERS)]
        for place, name in enumerate(names):
            mappings[name] = compiled(place) if own_files else shared
        policies = {"escalation_reason": FieldPolicy()}
        syncs[f"s{number}"] = Sync(
            f"s{number}",
            "ticket",
            {name: Member(name, create=Support.YES) for name in names},
            policies,
            tuple(names),
        )
    subject = ProofSubject({}, syncs, mappings, dict.fromkeys(mappings, able), Nowhere())
    return subject, reads


def test_a_long_table_that_many_members_share_is_followed_once_a_sync():
    subject, reads = hostile(ROWS, own_files=False)
    proof = prove(subject)
    assert len(proof.matrix) == SYNCS
    assert reads[0] <= SYNCS * (4 * ROWS + 10 * MEMBERS)


def test_tables_of_their_own_cost_what_they_are_long():
    rows = 100
    subject, reads = hostile(rows, own_files=True)
    prove(subject)
    assert reads[0] <= SYNCS * MEMBERS * rows * (MEMBERS + 4)
    few, less = hostile(rows // 2, own_files=True)
    prove(few)
    assert reads[0] <= 4.5 * less[0]


def test_no_more_is_listed_than_anybody_reads():
    subject, _reads = hostile(ROWS, own_files=False, spoilt=True)
    proof = prove(subject)
    assert len(proof.findings) == MAX_FINDINGS
    assert proof.left_out > MAX_FINDINGS
    assert {finding.severity for finding in proof.findings} == {"refused"}
    assert "o1 is written as 'v0 0', though 'v0 1' there reads as o1" in proof.findings[0].what
