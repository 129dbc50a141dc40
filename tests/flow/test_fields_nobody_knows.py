"""Fields that a vendor shows and no file knows: collected, listed, and taken in by one command."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

import pytest

from bridge.cli.unknown_lines import print_unknown
from bridge.core.model.outcome_codes import Code
from bridge.errors import NotPossible, UnknownName
from bridge.home import shipped_folder
from bridge.ledger import unknown_parts
from bridge.ledger.tables import unknown_part
from bridge.operations import accepted_parts, doctor, unknown_values, vendor_fields
from bridge.runs import upkeep
from tests.flow.estate import SWITCH_AND_POSTHOG, Estate
from tests.operations.desks import desk_of

ANN = "ann.secretive@customer.example"


@pytest.fixture
def make(tmp_path):
    def made(files=None, **more):
        files = {"mappings/syncs.yaml": SWITCH_AND_POSTHOG} | (files or {})
        return Estate(tmp_path, files=files, **more)

    return made


def begun(estate, **fields):
    given = {"subject": "Help", "customer_email": ANN, **fields}
    made = estate.apps["helpdesk"].create(given)
    estate.hint("helpdesk", made["id"])
    return estate.refs("helpdesk", made["id"])


def later(estate):
    """Half a minute passes, and the process says that it is at work."""
    estate.clock.advance(30)
    now = estate.clock.now()
    assert upkeep.note_seen(estate.ledger, ["w"], estate.context.unknown, now)


def noted(estate):
    with estate.ledger.read() as tx:
        return {(part.connection, part.field): part for part in unknown_parts.all_parts(tx)}


def listed(estate):
    return {each.field: each for each in vendor_fields.unknown_fields(desk_of(estate))}


def test_what_a_ticket_shows_that_no_file_knows_is_collected_and_nothing_else(make):
    estate = make()
    begun(estate, custom_fields={"team": "Billing", "region": "emea", "Contact": "Mary Bishop"})
    found = noted(estate)
    assert {field for name, field in found if name == "helpdesk"} == {
        "custom_fields.region",
        "custom_fields.Contact",
    }
    region = found["helpdesk", "custom_fields.region"]
    assert region.seen >= 1
    assert region.shape["kinds"] == ["text"]
    assert region.first_seen <= region.last_seen <= estate.clock.now()
    (proposed,) = [each for each in listed(estate).values() if each.field.endswith("region")]
    assert proposed.proposed == {
        "mappings/fields.yaml": "ticket: {region: {kind: text}}",
        "mappings/switch.yaml": "ticket: {fields: {region: custom_fields.region}}",
    }


def test_no_value_that_may_tell_of_somebody_is_kept(make):
    estate = make()
    for _ in range(4):
        begun(
            estate,
            custom_fields={
                "backup": ANN,
                "hotline": "+49 151 2345678",
                "Contact": "mary",
                "nick": "Mary",
                ANN: "x",
                "stage": "archived",
            },
        )
    later(estate)
    with estate.ledger.read() as tx:
        kept = json.dumps(
            [dict(row) for row in tx.execute(unknown_part.select()).mappings()], default=str
        )
    for secret in (ANN, "customer.example", "2345678", "mary", "Mary"):
        assert secret not in kept
    assert listed(estate)["custom_fields.stage"].shape["words"] == ["archived"]
    assert "custom_fields.*" in listed(estate)  # the name that is an address
    assert listed(estate)["custom_fields.*"].proposed == {}


def test_records_that_are_read_again_count_and_a_listing_notes_what_only_it_shows(make):
    estate = make()
    refs = begun(estate, custom_fields={"region": "emea"})
    before = noted(estate)["helpdesk", "custom_fields.region"].seen
    for priority in ("high", "low"):
        estate.apps["helpdesk"].edit(refs["helpdesk"], {"priority": priority})
        estate.clock.advance(40)
        estate.hint("helpdesk", refs["helpdesk"])
    estate.clock.advance(40)
    estate.hint("helpdesk", refs["helpdesk"])
    assert noted(estate)["helpdesk", "custom_fields.region"].seen >= before + 2
    # Nobody tells of this one: the daily listing does.
    estate.apps["product"].store.get(refs["product"])["sentiment"] = "angry"
    estate.reconcile("full")
    later(estate)
    found = listed(estate)["sentiment"]
    assert found.proposed["mappings/posthog.yaml"] == (
        "ticket: {also_sends: [sentiment], fields: {sentiment: {read: sentiment}}}"
    )


def test_a_home_whose_files_know_all_fields_has_none_listed(make):
    estate = make()
    begun(estate, custom_fields={"team": "Billing"})
    estate.reconcile("poll", "full")
    assert listed(estate) == {}
    with estate.ledger.read() as tx:
        assert unknown_parts.all_parts(tx) == []


def test_a_field_is_told_of_as_news_and_can_be_left_out(make):
    estate = make()
    begun(estate, custom_fields={"region": "emea"})
    desk = desk_of(estate)

    def told():
        return [each for each in doctor.check_ledger(desk) if each.code is Code.READ_FIELD]

    (news,) = told()
    assert news.what == "helpdesk shows custom_fields.region, which no file knows"
    assert news.note  # nothing is wrong: no exit code 1
    vendor_fields.dismiss(desk, ("helpdesk", "ticket", "custom_fields.region"))
    assert told() == []
    assert listed(estate) == {}
    begun(estate, custom_fields={"region": "emea"})
    assert listed(estate) == {}
    with pytest.raises(UnknownName, match="those listed: none"):
        vendor_fields.dismiss(desk, ("helpdesk", "ticket", "custom_fields.region"))


def test_a_week_later_it_is_no_news_and_is_listed_all_the_same(make):
    estate = make()
    begun(estate, custom_fields={"region": "emea"})
    estate.clock.advance(8 * 24 * 3600)
    found = [each.code for each in doctor.check_ledger(desk_of(estate))]
    assert Code.READ_FIELD not in found
    assert "custom_fields.region" in listed(estate)


def test_a_field_that_was_seen_is_mirrored_by_two_commands(make, tmp_path):
    estate = make()
    refs = begun(estate, custom_fields={"team": "Billing", "Region-Code": "EMEA 2"})
    estate.apps["product"].edit(
        refs["product"],
        {
            "anonymous_traits": {
                **estate.apps["product"].store.get(refs["product"])["anonymous_traits"],
                "region_code": None,
            }
        },
    )
    estate.clock.advance(10)
    estate.hint("product", refs["product"])
    before = (tmp_path / "mappings/switch.yaml").read_text()
    place = ("helpdesk", "ticket", "custom_fields.Region-Code")
    made = accepted_parts.accept_field(desk_of(estate), estate._accounts, place)
    assert (made.name, made.others) == ("region_code", ["product"])
    after = (tmp_path / "mappings/switch.yaml").read_text()
    row = "    region_code: custom_fields.Region-Code\n"
    assert after.replace(row, "") == before  # every other byte is as it was, comments too
    estate.start()
    assert "custom_fields.Region-Code" not in listed(estate)
    place = ("product", "ticket", "anonymous_traits.region_code")
    made = accepted_parts.accept_field(desk_of(estate), estate._accounts, place)
    assert (made.name, made.others) == ("region_code", [])
    assert list(made.files) == ["mappings/posthog.yaml"]  # it is declared already
    estate.start()
    estate.apps["helpdesk"].edit(refs["helpdesk"], {"priority": "high"})
    estate.clock.advance(10)
    estate.hint("helpdesk", refs["helpdesk"])
    traits = estate.apps["product"].store.get(refs["product"])["anonymous_traits"]
    assert traits["region_code"] == "EMEA 2"


def test_a_name_at_the_top_that_the_document_leaves_out_is_read(make, tmp_path):
    estate = make()
    refs = begun(estate)
    estate.apps["product"].store.get(refs["product"])["sentiment"] = "angry"
    estate.apps["product"].edit(refs["product"], {"priority": "high"})
    estate.clock.advance(10)
    estate.hint("product", refs["product"])
    place = ("product", "ticket", "sentiment")
    made = accepted_parts.accept_field(desk_of(estate), estate._accounts, place, "mood")
    assert made.name == "mood"
    assert "also_sends: [sentiment]" in (tmp_path / "mappings/posthog.yaml").read_text()
    estate.start()
    assert "sentiment" not in listed(estate)
    estate.hint("product", refs["product"])
    (link,) = estate.links()
    assert link.state["mood"].value == "angry"


@pytest.mark.parametrize(
    ("field", "name", "error", "said"),
    [
        ("custom_fields.colour", "", UnknownName, "those listed: custom_fields.region"),
        ("custom_fields.region", "status", UnknownName, "has a field status already"),
        ("custom_fields.region", "due date", UnknownName, "is no name of a field"),
        ("custom_fields.region", "email", UnknownName, "is a built-in field of a customer"),
        ("custom_fields.region", "match", UnknownName, "means something else"),
    ],
)
def test_what_cannot_be_taken_in_leaves_the_files_alone(make, tmp_path, field, name, error, said):
    estate = make()
    begun(estate, custom_fields={"region": "emea"})
    before = {path: path.read_bytes() for path in (tmp_path / "mappings").iterdir()}
    with pytest.raises(error, match=said):
        accepted_parts.accept_field(
            desk_of(estate), estate._accounts, ("helpdesk", "ticket", field), name
        )
    assert {path: path.read_bytes() for path in (tmp_path / "mappings").iterdir()} == before


def test_files_that_would_not_hold_with_it_stay_as_they_were(make, tmp_path):
    estate = make()
    begun(estate, custom_fields={"region": "emea"})
    broken = tmp_path / "mappings/posthog.yaml"
    broken.write_text(broken.read_text() + "oops: 1\n")
    (tmp_path / "mappings/fields.yaml").write_text("customer: {vip: {kind: boolean}}\n")
    before = {path: path.read_bytes() for path in (tmp_path / "mappings").iterdir()}
    place = ("helpdesk", "ticket", "custom_fields.region")
    with pytest.raises(NotPossible, match="oops"):
        accepted_parts.accept_field(desk_of(estate), estate._accounts, place)
    assert {path: path.read_bytes() for path in (tmp_path / "mappings").iterdir()} == before


def test_a_home_without_own_fields_gets_the_file(make, tmp_path):
    estate = make()
    begun(estate, custom_fields={"region": "emea"})
    for name in ("switch", "posthog"):
        file = tmp_path / f"mappings/{name}.yaml"
        kept = file.read_text().partition("  examples:")[0].splitlines(keepends=True)
        of_team = ("team:", "custom_fields.team", "{Billing: billing")
        file.write_text("".join(x for x in kept if not any(word in x for word in of_team)))
    (tmp_path / "mappings/fields.yaml").unlink()
    estate.start()
    place = ("helpdesk", "ticket", "custom_fields.region")
    accepted_parts.accept_field(desk_of(estate), estate._accounts, place)
    assert (tmp_path / "mappings/fields.yaml").read_text() == "ticket:\n  region: {kind: text}\n"


def test_an_ignored_value_is_counted(make):
    text = (shipped_folder("config") / "bridge.yaml").read_text()
    policy = "  helpdesk:\n    unknown_values: {status: ignore, assignee: ignore}\n"
    settings = {"config/bridge.yaml": text.replace("  helpdesk:\n", policy)}
    estate = make(settings)
    refs = begun(estate)
    estate.apps["helpdesk"].store.get(refs["helpdesk"])["status"] = "archived"
    for priority in ("high", "low"):
        estate.apps["helpdesk"].edit(refs["helpdesk"], {"priority": priority})
        estate.clock.advance(40)
        estate.hint("helpdesk", refs["helpdesk"])
    estate.clock.advance(40)
    estate.hint("helpdesk", refs["helpdesk"])
    (found,) = vendor_fields.ignored_values(desk_of(estate))
    assert (found.connection, found.field, found.value) == ("helpdesk", "status", "'archived'")
    assert found.seen >= 2
    codes = [each.code for each in doctor.check_ledger(desk_of(estate))]
    assert Code.READ_VALUE not in codes


def unread(estate, status):
    made = estate.apps["helpdesk"].create({"subject": "Help", "customer_email": ANN})
    estate.apps["helpdesk"].store.get(made["id"])["status"] = status
    estate.hint("helpdesk", made["id"])
    return unknown_values.unknown(desk_of(estate))


STATUS = ("helpdesk", "ticket", "status")


def test_what_may_be_said_of_a_value_is_no_value_that_a_table_could_have(make, tmp_path, capsys):
    estate = make()
    (listed,) = values = unread(estate, "@ann")
    assert (listed.value, listed.given) == ("text of 4 characters", "")
    print_unknown(values, [], [])
    assert "values accept helpdesk status VALUE OURS" in capsys.readouterr().out
    file = tmp_path / "mappings/switch.yaml"
    before = file.read_text()
    with pytest.raises(NotPossible, match="give the value itself, as helpdesk:"):
        accepted_parts.accept_value(
            desk_of(estate), estate._accounts, STATUS, listed.value, "closed"
        )
    assert file.read_text() == before
    accepted_parts.accept_value(desk_of(estate), estate._accounts, STATUS, "@ann", "closed")
    assert file.read_text().replace(', "@ann": closed', "") == before


def test_a_command_that_is_proposed_runs_nothing_that_a_vendor_wrote(make, capsys):
    hostile = "it's $(reboot) `reboot`"
    (listed,) = unread(make(), hostile)
    print_unknown([replace(listed, value=hostile, given=hostile)], [], [])
    (line,) = [x for x in capsys.readouterr().out.splitlines() if "values accept" in x]
    command = line.partition("    (OURS")[0]
    quoted = command.partition(" status ")[2].rpartition(" ")[0]
    assert quoted == "'it'\"'\"'s $(reboot) `reboot`'"
    assert shlex.split(command)[5] == hostile
