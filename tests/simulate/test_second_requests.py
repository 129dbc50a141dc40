"""A customer writes again after an end, to a system whose clock is wrong."""

import pytest

from bridge.simulate.play import Player
from bridge.simulate.script import Script, ScriptStep, draw
from bridge.simulate.second_requests import SecondRequest, joined_to_an_end
from bridge.simulate.stage import Stage, load_home
from bridge.simulate.verdicts import judge

STEPS = (
    ScriptStep("ticket", "helpdesk", (1, False)),
    ScriptStep("fair"),
    ScriptStep("again", "desk", (0,)),
    ScriptStep("work", "", ("0" * 12,)),
)


@pytest.mark.parametrize("clocks", [{"desk": -14400.0}, {"helpdesk": 14400.0}, {}])
def test_the_second_request_is_a_ticket_of_its_own(clocks):
    player = Player(Stage(load_home(""), Script(3, {}, STEPS, clocks=clocks)))
    player.play()
    (request,) = player.second_requests
    assert {ref.connection for ref in request.ended} >= {"helpdesk", "product"}
    assert judge(player).broken == []


def test_a_request_is_not_one_with_what_is_opened_just_after_it():
    """The customer's first ticket is opened once more by hand, ended and as old as it was."""
    old, again = ScriptStep("ticket", "product", (4, False)), ScriptStep("again", "desk", (3,))
    rest = (ScriptStep("drain"), ScriptStep("wait", "", (400.0,)), ScriptStep("drain"))
    player = Player(Stage(load_home(""), Script(1204001744, {}, (old, *rest, again, old))))
    player.play()
    assert len(player.second_requests) == 1
    assert judge(player).broken == []


def test_one_that_joins_what_had_ended_is_told():
    player = Player(Stage(load_home(""), Script(3, {}, STEPS)))
    player.play()
    judge(player)
    (request,) = player.second_requests
    own = next(iter(request.ended))
    claimed = SecondRequest(own, request.ended, request.seq)
    assert "joined what had ended" in next(joined_to_an_end(player.stage, [claimed]))


def test_scripts_have_second_requests_and_wrong_clocks():
    drawn = load_home("").drawn_connections()
    scripts = [draw(seed, drawn) for seed in range(200)]
    again = [each for each in scripts if any(step.kind == "again" for step in each.steps)]
    assert 20 < len(again) < 120
    assert any(set(each.clocks.values()) & {-14400.0, 14400.0} for each in again)
