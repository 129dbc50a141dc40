"""`bridge values`, as it is typed: listed, accepted into files or published, dismissed."""

import json
from datetime import UTC, datetime

import pytest

from bridge.core.mapping.unknown_fields import FIELD, Sighting
from bridge.core.mapping.value_shapes import ValueShape
from bridge.core.model.values import Ref
from bridge.ledger import hints, unknown_parts
from bridge.ledger.database import Ledger
from tests.cli.test_mappings import unread
from tests.cli.test_revisions import admins, files, ledger_url  # noqa: F401


class AtHome:
    """What `unread` takes for a home."""

    def __init__(self, admins):  # noqa: F811
        self.ledger = Ledger(admins.url)
        self.path = admins.home


@pytest.fixture
def at(admins):  # noqa: F811
    made = AtHome(admins)
    yield made
    made.ledger.close()


def shown(at, name, *values):
    shape, now = ValueShape(), datetime.now(UTC)
    for number, value in enumerate(values):
        shape.add(name, value, f"r{number}")
    sighting = Sighting(len(values), now, now, shape)
    with at.ledger.transaction() as tx:
        place = ("helpdesk", "ticket", FIELD, name, "")
        unknown_parts.store(tx, [(place, sighting)])


def test_both_are_listed_with_what_takes_them_in(admins, at):  # noqa: F811
    unread(at)
    shown(at, "custom_fields.region", "emea", "emea", "emea", "apac")
    shown(at, "custom_fields.*", 1)
    said = admins("values", "list")
    assert "helpdesk: status 'archived', 1 ticket waiting" in said
    assert "bridge values accept helpdesk status 'archived' resolved" in said
    assert "helpdesk: custom_fields.region of tickets, text (emea), seen 4 times" in said
    assert "mappings/fields.yaml  ticket: {region: {kind: text}}" in said
    assert "    bridge values accept helpdesk custom_fields.region\n" in said
    assert "custom_fields.* of tickets" in said
    rows = [json.loads(line) for line in admins("values", "list", "--json").splitlines()]
    assert [row["what"] for row in rows] == ["value", "field", "field"]
    assert rows[1]["proposed"]["mappings/switch.yaml"].startswith("ticket: {fields: {region:")
    assert "helpdesk shows custom_fields.*, custom_fields.region" in admins("doctor", code=1)
    admins("values", "dismiss", "helpdesk", "custom_fields.region")
    assert "custom_fields.region" not in admins("values", "list")
    assert "dismissed" in admins("audit")


def test_a_value_is_published_and_its_records_are_read_again(admins, at):  # noqa: F811
    unread(at)
    own = admins.home / "mappings" / "switch.yaml"
    before = own.read_text()
    said = admins("values", "accept", "helpdesk", "status", "archived", "closed")
    assert "revision 2 is in force" in said
    assert "1 ticket will be read again" in said
    after = admins.newest().files["switch.yaml"]
    assert after.replace(", archived: closed", "") == before
    assert own.read_text() == after  # the folder was in step, and stays so
    assert "nothing to publish" in admins.publish()
    with at.ledger.read() as tx:
        assert hints.are_open(tx, [Ref("helpdesk", "ticket", "tkt_1")])
    (act,) = [row for row in admins.rows("audit") if row["action"] == "value accepted"]
    assert act["subject"] == "revision 2"
    assert admins.newest().head.note == "value accepted: helpdesk status"


def test_a_folder_with_other_edits_is_left_as_it_is(admins, at):  # noqa: F811
    shown(at, "custom_fields.region", "emea")
    own = admins.home / "mappings" / "switch.yaml"
    own.write_text(own.read_text() + "# mine\n")
    edited = own.read_bytes()
    said = admins("values", "accept", "helpdesk", "custom_fields.region", "--kind", "url")
    assert "mappings/ is still as you wrote it" in said
    assert "it does not travel to product yet: its mapping has no region" in said
    assert own.read_bytes() == edited
    files = admins.newest().files  # noqa: F811
    assert "    region: custom_fields.region\n" in files["switch.yaml"]
    assert "# mine" not in files["switch.yaml"]
    assert "  region: {kind: url}\n" in files["fields.yaml"]
    assert "# Fields of your own" in files["fields.yaml"]


def test_what_is_half_said_is_wrong_usage(admins):  # noqa: F811
    for words in (("status", "archived"), ("status", "archived", "closed", "--name", "x")):
        assert "give VALUE and OURS" in admins("values", "accept", "helpdesk", *words, code=2)
    assert "those listed: none" in admins("values", "accept", "helpdesk", "nothing", code=2)
    assert "no connection" in admins("values", "dismiss", "nobody", "nothing", code=2)


def test_what_would_be_refused_is_not_published(admins, at):  # noqa: F811
    unread(at)
    # An example of the mapping says that this word has no reading.
    said = admins("values", "accept", "helpdesk", "status", "archived", "asleep", code=2)
    assert "allowed: new, open" in said
    assert admins.newest().number == 1
