"""`bridge values`, as it is typed: listed, accepted into files or published, dismissed."""

import json
import shlex
from datetime import UTC, datetime

import pytest

from bridge.core.mapping.unknown_fields import FIELD, Sighting
from bridge.core.mapping.value_shapes import ValueShape
from bridge.core.model.values import Ref
from bridge.ledger import hints, unknown_parts
from bridge.ledger.database import Ledger
from bridge.operations import unknown_values
from bridge.operations.desk import opened
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


def shown(at, name, *values, connection="helpdesk"):
    shape, now = ValueShape(), datetime.now(UTC)
    for number, value in enumerate(values):
        shape.add(name, value, f"r{number}")
    sighting = Sighting(len(values), now, now, shape)
    with at.ledger.transaction() as tx:
        place = (connection, "ticket", FIELD, name, "")
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


def commands(admins):  # noqa: F811
    """The commands that `bridge values list` proposes, as a shell takes them."""
    lines = [line.strip() for line in admins("values", "list").splitlines()]
    told = [line.partition("    (OURS")[0] for line in lines if line.startswith("bridge values")]
    return [shlex.split(line)[1:] for line in told]


def test_a_word_that_means_the_same_as_another_is_taken_in_with_what_is_sent(admins, at):  # noqa: F811
    unread(at, "Products", "team")
    (command,) = commands(admins)
    said = admins(*command)
    assert "its table `write` says which word is sent: {billing: Billing, product: Product" in said
    after = admins.newest().files["switch.yaml"]
    assert "infra, null: null, Products: product}\n      write: {billing: Billing," in after


def test_each_proposed_command_takes_in_the_value_that_was_seen(admins, at):  # noqa: F811
    odd = [None, "null", 1, "1", '"1"', "-1", "two\nlines", "it's \u2028 $(x)"]
    for number, value in enumerate(odd):
        unread(at, value, "status", number)
    listed = commands(admins)
    assert len(listed) == len(odd)
    place = ("helpdesk", "ticket", "status")
    with opened(admins.home, "test") as desk:
        meant = [unknown_values.seen(desk, place, words[-2])[1] for words in listed]
    assert sorted(map(repr, meant)) == sorted(map(repr, odd))
    for value in ("two\nlines", "-1"):
        admins(*listed[meant.index(value)][:-1], "new")
    assert '"two\\nlines": new, "-1": new}' in admins.newest().files["switch.yaml"]


def test_null_is_called_null(admins, at):  # noqa: F811
    unread(at, None)
    said = admins("values", "list")
    assert "status null, 1 ticket waiting" in said
    assert "accept helpdesk status 'null' null " in said
    assert "None" not in said


def test_the_line_is_the_one_that_is_told_of_elsewhere(admins, at):  # noqa: F811
    unread(at)
    (row,) = admins.rows("values", "list")
    why = admins.json("why", "helpdesk:tkt_1", "status")
    assert row["at"] == why["sides"]["helpdesk"]["at"]


def test_what_can_have_no_row_is_proposed_none(admins, at):  # noqa: F811
    unread(at, "usr_99", "assignee")
    unread(at, ["a"], "status", 2)
    assert commands(admins) == []
    said = admins("values", "list")
    assert "`bridge agents` lists all such" in said
    assert "a list or an object can be in no table" in said


def test_what_was_there_before_a_field_was_taken_in_at_both_ends_is_read_by_a_command(admins, at):  # noqa: F811
    unread(at)
    shown(at, "custom_fields.region", "emea")
    shown(at, "anonymous_traits.region", "emea", connection="product")
    said = admins("values", "accept", "helpdesk", "custom_fields.region")
    assert "it does not travel to product yet" in said
    assert "mappings apply" not in said
    said = admins("values", "accept", "product", "anonymous_traits.region")
    assert "`bridge mappings apply --read --since 1` carries what the records show" in said
    why = admins("why", "helpdesk:tkt_1", "region", code=2)
    assert "only since revision 2, and `bridge mappings apply --read --since 1` reads" in why
    assert "allowed: status" in admins("why", "helpdesk:tkt_1", "subject", code=2)
    admins("mappings", "apply", "--since", "1", "--yes")


def test_in_a_home_of_files_the_command_waits_for_the_restart(files):  # noqa: F811
    files.start()
    made = AtHome(files)
    shown(made, "custom_fields.region", "emea")
    shown(made, "anonymous_traits.region", "emea", connection="product")
    made.ledger.close()
    files("values", "accept", "helpdesk", "custom_fields.region")
    said = files("values", "accept", "product", "anonymous_traits.region")
    assert "restart the bridge" in said
    assert "then `bridge mappings apply --read --since 1` carries" in said
