"""Every way to answer wrongly, played by the systems that the real processes' kit does not play.

Their connectors' own code over real sockets, in a whole bridge of one process and virtual time: the
other systems go on, each is heard again within a poll or two when it is well, no key is shown, no
run is parked, and rows that are no records are set aside by what they are.
"""

import contextlib
import logging

import pytest

from tests.hostile.in_process import HostileEstate
from tests.hostile.ways import WAYS

ROWS_WITHOUT_RECORDS = "rows: that are no records"


@pytest.fixture
def hostile(tmp_path):
    """Makes the bridge in which the vendor behind a name is hostile, and ends it."""
    with contextlib.ExitStack() as exits:
        yield lambda name: exits.enter_context(
            contextlib.closing(HostileEstate(tmp_path / "home", name))
        )


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", ["desk", "feedback", "screens"])
def test_no_answer_of_a_vendor_harms_anybody(hostile, caplog, name):
    caplog.set_level(logging.INFO)
    estate = hostile(name)
    met = {way: estate.ail(way) for way in WAYS}
    assert {way: each.harm for way, each in met.items() if each.harm} == {}
    assert met[ROWS_WITHOUT_RECORDS].left_out > 0
    estate.live(120)
    assert estate.troubles() == []
    assert estate.canary.calls == []
    assert "answered" in caplog.text, "nothing of all this was logged"
    assert estate.leaks(caplog.text) == []


@pytest.mark.parametrize("way", ["rows: without ids", "body: a bare value"])
def test_what_may_be_there_and_is_not_shown_is_not_made_again(hostile, way):
    """Of a create whose answer could not be read: the look-up could not be read either."""
    estate = hostile("feedback")
    before = len(estate.apps["feedback"].tickets())
    assert estate.ail(way).harm == ""
    estate.live(600)
    assert len(estate.apps["feedback"].tickets()) == before + 1
    assert estate.parked() == []
