"""What the proof says of values that nobody knows, where a connection says what becomes of them."""

import pytest

from bridge.config.yaml_reader import parse
from bridge.home_configuration import proof_of
from bridge.workbench.carriers import as_yaml
from bridge.workbench.proof_findings import SeenValue
from tests.workbench.shipped import proof_of_edits

REGION = "  fields:\n    region: {path: custom_fields.region, read: {EMEA: emea, null: null}}\n"
OTHER = "  fields:\n    region: {path: anonymous_traits.region, read: {E: emea, null: null}}\n"


def edits(policy="", other=""):
    def said(name, words):
        line = f"  {name}:\n    system"
        rows = f"    unknown_values: {words}\n" if words else ""
        return ("config/bridge.yaml", line, line.replace("\n", f"\n{rows}", 1))

    return (
        said("helpdesk", policy),
        said("product", other),
        ("mappings/fields.yaml", "ticket:\n", "ticket:\n  region: {kind: text}\n"),
        ("mappings/switch.yaml", "  fields:\n", REGION),
        ("mappings/posthog.yaml", "  fields:\n", OTHER),
    )


@pytest.mark.parametrize(
    ("policy", "severity", "words"),
    [
        ("", "warning", "has no reading: they wait"),
        ("{status: ignore}", "note", "the field is left alone, as `unknown_values` says"),
    ],
)
def test_a_value_that_was_seen_is_judged_by_what_becomes_of_it(tmp_path, policy, severity, words):
    config = proof_of_edits(tmp_path, *edits(policy)).config
    seen = {("helpdesk", "ticket", "status"): [SeenValue("archived", 12)]}
    found = [each for each in proof_of(config, seen).findings if each.law == "seen"]
    (finding,) = found
    assert (finding.severity, finding.proposed) == (severity, "archived: resolved")
    assert words in finding.what
    assert "'archived' on 12 tickets" in finding.what


@pytest.mark.parametrize(
    ("policy", "other", "warned"),
    [
        ("", "", []),
        ("{region: ignore}", "", []),
        ("{region: pass}", "{region: pass}", []),
        ("{region: pass}", "", ["product"]),
        ("", "{region: pass}", ["helpdesk"]),
    ],
)
def test_what_passes_on_one_side_and_has_no_writing_on_another_is_named(
    tmp_path, policy, other, warned
):
    proof = proof_of_edits(tmp_path, *edits(policy, other)).proof
    found = [each for each in proof.findings if "that nobody knows yet" in each.what]
    assert [each.what.partition("as it is at ")[2].split()[0] for each in found] == warned
    assert {(each.law, each.severity) for each in found} <= {("no-writing", "warning")}
    assert proof.refused == []


@pytest.mark.parametrize(
    "value",
    [
        'x": closed, "open',
        "a\\nb",
        "a\nb: c",
        "Null",
        "True",
        "~",
        "- a",
        "\u2028",
        "on hold",
        "1",
        "",
    ],
)
def test_a_row_that_is_proposed_has_one_key_whatever_the_vendor_sends(value):
    assert parse(f"{as_yaml(value)}: open", "f").data == {value: "open"}
