"""`bridge why` and the head of `bridge ticket`: who set a value, and what keeps it from a side."""

import pytest

from bridge import config as configuration
from bridge.connectors import CONNECTORS, connector_class
from bridge.core.model.state import FieldState, Link, Side, SideField
from bridge.core.model.values import NO_BASE
from bridge.ledger import links
from tests.cli.conftest import KEYS
from tests.cli.test_operator import NOW, Home


@pytest.fixture
def home(run, tmp_path):
    made = Home(run, tmp_path)
    yield made
    made.ledger.close()


def test_why_tells_who_set_a_field_by_which_policy_and_what_each_side_shows(home):
    home.ticket(helpdesk="open", product="open")
    shown = home("why", "l1", "status")
    assert 'status is "open", set by helpdesk' in shown
    assert "policy: " in shown
    assert "changed  helpdesk  open  before new" in shown
    assert 'product:r-product shows "open": as agreed' in shown
    (given,) = home.json("why", "product:r-product", "status")
    assert given["sides"]["helpdesk"]["because"] == "as agreed"
    assert "allowed: status" in home("why", "l1", "colour", code=2)


def test_why_names_the_lines_of_the_files_that_decide(home):
    home.ticket(helpdesk="in_progress", product="open")

    def line(file, begins, after=""):
        lines = (home.path / file).read_text().splitlines()
        start = next(number for number, text in enumerate(lines) if after in text)
        found = next(n for n, text in enumerate(lines[start:]) if text.strip().startswith(begins))
        return f"{file}:{start + found + 1}"

    (given,) = home.json("why", "l1", "status")
    # Neither a row of its own: the policy of all other fields decides.
    assert given["policy_at"] == line("mappings/syncs.yaml", '"*": latest')
    assert given["sides"]["helpdesk"]["at"] == line("mappings/switch.yaml", "read:", "status:")
    assert given["sides"]["product"]["at"] == line("mappings/posthog.yaml", "read:", "status:")
    shown = home("why", "l1", "status")
    policy_at = line("mappings/syncs.yaml", '"*": latest')
    assert f"policy: latest  ({policy_at})" in shown
    read_at = line("mappings/posthog.yaml", "read:", "status:")
    assert f"in conflict  [BRG-CONFLICT]  ({read_at})" in shown


def test_a_field_that_no_file_maps_has_no_line(home):
    link = Link("l1", "support-tickets", "ticket", {"priority": FieldState("high", 1, "helpdesk")})
    link.sides = {name: Side(name, f"r-{name}") for name in ("helpdesk", "feedback")}
    with home.ledger.transaction() as tx:
        assert links.create(tx, link, NOW)
    (given,) = home.json("why", "l1", "priority")
    assert given["sides"]["feedback"]["at"] == ""
    assert given["sides"]["helpdesk"]["at"].startswith("mappings/switch.yaml:")


@pytest.mark.parametrize(
    ("level", "paused", "detached", "because"),
    [
        (2, False, False, "behind by 1 change; a write is owed"),
        (1, False, False, "behind by 2 changes; a write is owed"),
        (
            2,
            True,
            False,
            (
                "behind by 1 change; the ticket is paused: "
                "`bridge link resume l1` lets it be written  [BRG-PAUSED]"
            ),
        ),
        (
            2,
            False,
            True,
            ("the record is detached; `bridge link relink product:{0}` puts it back  [BRG-SCOPE]"),
        ),
    ],
)
def test_why_names_what_keeps_a_value_from_a_side(home, level, paused, detached, because):
    link = Link("l1", "support-tickets", "ticket", {"status": FieldState("open", 3, "helpdesk")})
    link.paused = paused
    classes = {system: connector_class(system) for system in CONNECTORS}
    config = configuration.load(home.path, environ=KEYS, connectors=classes)
    mapped = config.maps["product"]["ticket"].fields["status"]
    field = {"status": SideField(shadow="new", map_rev=mapped.revision, level=level)}
    link.sides["product"] = Side(
        "product", "p" * 36, field, detached=detached, in_scope=not detached
    )
    link.sides |= {name: Side(name, name * 4) for name in ("helpdesk", "desk", "feedback")}
    with home.ledger.transaction() as tx:
        assert links.create(tx, link, NOW)
    ref = f"product:{'p' * 36}"
    said = f'{ref} shows "new": {because.format("p" * 36)}  (mappings/posthog.yaml:'
    assert said in home("why", "l1", "status")
    heads = home("ticket", "l1").splitlines()
    assert f"  {ref}{' (detached)' if detached else ''}" in heads  # whole, to be copied


def test_a_value_that_nobody_set_is_shown_without_a_name(home):
    link = Link(
        "l1",
        "support-tickets",
        "ticket",
        {"status": FieldState("open", 3, "desk"), "priority": FieldState()},
    )
    link.sides["product"] = Side("product", "p")
    with home.ledger.transaction() as tx:
        assert links.create(tx, link, NOW)
    lines = [" ".join(line.split()) for line in home("ticket", "l1").splitlines()]
    assert {"status open (desk)", "priority —"} <= set(lines)


def test_why_says_that_a_mapping_has_no_such_field(home):
    link = Link("l1", "support-tickets", "ticket", {"priority": FieldState("high", 1, "helpdesk")})
    link.sides = {name: Side(name, f"r-{name}") for name in ("helpdesk", "feedback")}
    with home.ledger.transaction() as tx:
        assert links.create(tx, link, NOW)
    shown = home("why", "l1", "priority").splitlines()
    no_field = "the mapping of feedback has no such field  [BRG-MAP-ONLY-READ]"
    assert f"feedback:r-feedback shows nothing: {no_field}" in shown
    assert any("helpdesk:r-helpdesk shows nothing: it was never read there" in x for x in shown)


@pytest.mark.parametrize(
    ("before", "also"), [("Product", "; before, it showed 'Product'"), (NO_BASE, "")]
)
def test_a_value_that_the_mapping_does_not_know_is_shown_and_said_so(home, before, also):
    why = "the table `read` of team has no row for 'Legal'; add one"
    field = SideField(shadow=before, unreadable=why, shown="Legal", seen_at=NOW)
    link = Link("l1", "support-tickets", "ticket", {"team": FieldState("product", 1, "helpdesk")})
    link.sides = {"helpdesk": Side("helpdesk", "h", {"team": field})}
    with home.ledger.transaction() as tx:
        assert links.create(tx, link, NOW)
    said = f'helpdesk:h shows "Legal": the mapping does not say what that means: {why}{also}  ['
    assert said in home("why", "l1", "team")
