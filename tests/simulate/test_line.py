"""The line to a vendor, on its own."""

import random
from datetime import timedelta

import requests

from bridge.sandbox.switch import SwitchSandbox
from bridge.simulate.poison import NO_RECORD
from bridge.simulate.vendor_line import VendorLine
from bridge.simulate.virtual_time import Skewed, VirtualClock


def line_to_switch():
    clock = VirtualClock()
    app = SwitchSandbox(clock, random.Random(1))
    line = VendorLine(app, clock, Skewed(clock), lambda _: None)
    session = requests.Session()
    session.mount("http://", line)
    session.headers["Authorization"] = f"Bearer {app.api_key}"
    return clock, app, line, session


def test_a_lagging_index_leaves_out_what_is_new_and_the_line_knows_when():
    clock, app, line, session = line_to_switch()
    old = app.create({"subject": "Old"})["id"]
    clock.sleep(60)
    new = app.create({"subject": "New"})["id"]
    line.lag = 30.0

    def listed():
        return {
            row["id"] for row in session.get("http://switch.test/api/v1/tickets").json()["data"]
        }

    began = clock.now()
    assert listed() == {old}
    assert (set(line.left_out), set(line.listed)) == ({new}, {old})
    assert began < line.left_out[new] < began + timedelta(seconds=1)
    clock.sleep(60)
    assert listed() == {old, new}
    assert line.listed[new] > line.left_out[new] + timedelta(seconds=30)
    assert line.listed[old] < began + timedelta(seconds=1)


def test_the_line_knows_while_which_time_it_showed_no_record_in_the_place_of_one():
    clock, app, line, session = line_to_switch()
    odd = app.create({"subject": "Odd"})["id"]

    def shown():
        clock.sleep(60)
        return session.get("http://switch.test/api/v1/tickets").json()["data"]

    began = clock.now()
    line.spoil(odd, NO_RECORD)
    assert (shown(), line.listed) == ([[None]], {})
    line.spoil(odd, "no time")
    ended = clock.now()
    assert [row["id"] for row in shown()] == [odd]
    assert (set(line.listed), line.left_out) == ({odd}, {})
    clock.sleep(60)
    line.spoil(odd, NO_RECORD)
    line.heal()
    assert [row["updated_at"] is None for row in shown()] == [False]
    (first, second) = line.illegible
    assert (first.id, first.since, first.until) == (odd, began, ended)
    assert second.since == second.until
