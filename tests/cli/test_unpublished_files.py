"""What commands say where the files of a home and what is published are two things."""

import pytest

from bridge.core.model.state import Link
from bridge.ledger import directory, links
from bridge.supervisor.stack import Stack, StackSettings
from tests.cli.admins import change, ledger_url  # noqa: F401
from tests.cli.test_revisions import WORDS, admins, files, reading  # noqa: F401


@pytest.mark.processes
def test_a_start_goes_by_what_is_published_and_names_the_files_that_are_not_so(admins):  # noqa: F811
    change(admins.home / "mappings", WORDS)
    said = []
    with Stack(StackSettings(admins.home, said.append, port=18140)) as stack:
        assert stack.bridge.config.number == 1
        assert reading(stack.bridge) == "normal"
    (line,) = [line for line in said if "published" in line]
    assert line == (
        "mappings/ is not as published in revision 1, which is in force (switch.yaml): `bridge "
        "mappings diff` shows how, `bridge mappings publish` puts it in force, `bridge mappings "
        "export mappings --overwrite` gives it up"
    )


@pytest.mark.parametrize(
    ("place", "then"), [("files", "restart"), ("ledger", "`bridge mappings publish`")]
)
def test_a_stranger_becomes_known_by_what_puts_files_in_force(files, place, then):  # noqa: F811
    files.keep_in(place)
    bridge = files.start()
    with bridge.ledger.transaction() as tx:
        links.create(tx, Link("one", "support-tickets", "ticket"), bridge.clock.now())
        directory.store_strangers(
            tx, "one", [("helpdesk", "assignee", "usr_77")], bridge.clock.now()
        )
    assert f"1 unmapped: add a row to mappings/agents.yaml, then {then}\n" in files("agents")
