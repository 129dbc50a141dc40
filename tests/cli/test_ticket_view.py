"""A ticket is shown whole, in words, and fits the screen on which it is shown."""

import os
import subprocess
import sys

import pytest

from bridge.cli.ticket import READABLE
from tests.cli.conftest import KEYS
from tests.flow.estate import Estate

SUBJECT = "A subject of forty-six letters, which is whole"
CUSTOMER = "margarete.von-oldenburg-lastname@customer.example"


@pytest.fixture
def estate(tmp_path):
    found = Estate.on_disk(tmp_path / "home")
    found.apps["helpdesk"].create(
        {"subject": SUBJECT, "description": "Stuck.", "customer_email": CUSTOMER[-40:]}
    )
    found.reconcile("poll")
    found.settle()
    return found


def test_in_a_pipe_no_value_is_cut_and_the_timeline_has_no_json(estate):
    (link,) = estate.links()
    product = link.sides["product"].remote_id
    estate.apps["product"].edit(product, {"priority": "high"})
    estate.hint("product", product)
    estate.settle()
    shown = estate.command("ticket", link.id)
    fields = shown.split("\n\n")[1]
    assert fields.count(SUBJECT) == 3  # what is agreed, and what two systems show
    assert max(map(len, fields.splitlines())) <= READABLE
    assert f"\nsubject  {SUBJECT}  (helpdesk)\n  helpdesk  {SUBJECT}\n  product  {SUBJECT}" in shown
    assert "\n  product  false\n" in shown  # ai_resolved
    assert CUSTOMER[-40:] in shown
    assert "{" not in shown
    (changed,) = (line for line in shown.splitlines() if "  changed " in line)
    assert changed.split()[2:6] == ["changed", "product", "priority", "high"]
    not_carried = (line for line in shown.splitlines() if "  not carried " in line)
    kept = next(line for line in not_carried if " created_at " in line)
    assert kept.endswith("the mapping of product only reads it  [BRG-MAP-ONLY-READ]")


def test_on_a_narrow_terminal_fields_stand_below_one_another(estate):
    (link,) = estate.links()
    ours, theirs = os.openpty()
    words = [sys.executable, "-m", "bridge", "--home", str(estate.folder), "ticket", link.id]
    environ = os.environ | KEYS | {"COLUMNS": "60", "TERM": "dumb"}
    with subprocess.Popen(words, stdout=theirs, stderr=theirs, env=environ) as showing:
        os.close(theirs)
        text = b""
        while True:
            try:
                text += os.read(ours, 65536)
            except OSError:
                break
    os.close(ours)
    assert showing.returncode == 0, text
    words = " ".join(text.decode().split())
    assert f"subject {SUBJECT} (helpdesk) helpdesk {SUBJECT} product {SUBJECT}" in words
    assert "  product  " in text.decode()
