"""The simulation itself: it repeats, it finds what is broken, it makes failures small."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.connectors.contract import Page
from bridge.errors import ConfigError
from bridge.flow import match
from bridge.ledger import refused_webhooks
from bridge.simulate.crash_points import crash_points, place_of, places
from bridge.simulate.play import Player
from bridge.simulate.poison import NO_RECORD, POISONS
from bridge.simulate.quiet import PromiseBroken, run_drain
from bridge.simulate.script import DAY_SECONDS, RARE, Script, ScriptStep, draw
from bridge.simulate.seeds import SimulationTotals, play, play_seed, run, shrink
from bridge.simulate.stage import Stage, load_home
from bridge.simulate.verdicts import calls_beyond_trials, judge

FIXED = (*range(1000, 1016), 900_221, 20_021, 976_963_300, 1_026_086_322, 888_000_251)
"""The last ones once found faults that have tests of their own: a seed's meaning does not last."""
HASHED = (5013, 5015)
"""Both have gone another way in a process that hashed strings otherwise."""
KNOWN_MEANWHILE = 900_586
"""Somebody becomes known between two choices of a person."""
FRESH = 75
PARTS = 4
"""Each day has 300 seeds of its own, played in so many tests, which may run side by side."""


def test_a_fixed_set_of_seeds_keeps_every_promise():
    total = played(FIXED)
    assert how_to_replay(total.failed) == ""
    figures = total.as_dict()
    assert figures["fault_share"] >= 0.3
    assert figures["crashes"] > len(FIXED)
    assert figures["writes"] > len(FIXED)
    assert figures["edits"] > len(FIXED)


@pytest.mark.parametrize("part", range(PARTS))
def test_the_seeds_of_the_day_keep_every_promise(record_property, part):
    """No day plays what an earlier one has, and all runs of a day play the same."""
    first = int(f"{datetime.now(UTC):%Y%m%d}") * 1000 + part * FRESH
    record_property("first_fresh_seed", first)
    assert how_to_replay(played(range(first, first + FRESH)).failed) == ""


def played(seeds):
    total = SimulationTotals()
    for result in run(seeds, processes=1):
        total.add(result)
    return total


def how_to_replay(failed):
    """What broke, and the command that plays each failing seed again and makes it small."""
    return "\n".join(
        f"bridge simulate --seed {each.seed} --shrink: {'; '.join(each.broken)}" for each in failed
    )


def test_somebody_who_becomes_known_meanwhile_in_a_world_without_rare_steps():
    script = draw(KNOWN_MEANWHILE, load_home().drawn_connections())
    plain = tuple(step for step in script.steps if step.kind not in rare())
    assert play(replace(script, steps=plain)).broken == []


def test_the_same_seed_is_the_same_world_in_every_process():
    """Sets and dicts must not decide anything: the processes below hash strings differently."""
    code = (
        "from bridge.simulate.seeds import play_seed\n"
        f"for seed in {HASHED!r}: print(play_seed(seed).digest)"
    )
    digests = set()
    for salt in ("2", "3"):
        environ = os.environ | {"PYTHONHASHSEED": salt}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environ,
            capture_output=True,
            text=True,
            check=True,
            timeout=400,
        )
        digests.add(done.stdout)
    assert len(digests) == 1
    (told,) = digests
    assert told.split() == [play_seed(seed).digest for seed in HASHED]


def test_a_ticket_out_of_reach_for_a_while_is_neither_taken_for_deleted_nor_given_up():
    steps = (
        ScriptStep("ticket", "helpdesk", (1, False)),
        ScriptStep("fair"),
        ScriptStep("restrict", "product", (0, True)),
        ScriptStep("edit", "helpdesk", (0, {"status": "pending"})),
        ScriptStep("mail", "helpdesk", (4,)),
        ScriptStep("drain"),
        ScriptStep("wait", "", (86400.0,)),
        ScriptStep("clock"),
        ScriptStep("drain"),
    )
    script = Script(3, {"product": {}}, steps)
    player = Player(Stage(load_home(""), script))
    player.play()
    product = player.stage.apps["product"]
    (hidden,) = product.restricted
    before = product.store.get(hidden)
    verdict = judge(player)
    assert (verdict.broken, product.restricted) == ([], set())
    after = product.store.get(hidden)
    assert (before["status"] == "pending", after["status"]) == (False, "pending")


def test_a_connection_is_renamed_taken_out_of_the_files_and_put_back():
    steps = (
        ScriptStep("ticket", "helpdesk", (1, False)),
        ScriptStep("fair"),
        ScriptStep("rename", "helpdesk"),
        ScriptStep("unname", "product"),
        ScriptStep("edit", "product", (0, {"priority": "low"})),
        ScriptStep("edit", "helpdesk", (0, {"status": "pending"})),
        ScriptStep("mail", "helpdesk", (4,)),
        ScriptStep("mail", "product", (4,)),
        ScriptStep("drain"),
    )
    player = Player(Stage(load_home(""), Script(3, {}, steps)))
    player.play()
    stage = player.stage
    assert stage.called["helpdesk"] == "helpdesk-2"
    assert "product" not in stage.called
    assert stage.mails["helpdesk"].waiting == 0, "it is taken in under the new name"
    assert stage.mails["product"].waiting == 1, "nobody takes it in: the vendor sends it again"
    (ticket,) = stage.apps["product"].tickets()
    assert ticket["status"] != "pending"
    assert judge(player).broken == []
    assert stage.called == {name: name for name in stage.apps}
    (ticket,) = stage.apps["product"].tickets()
    assert (ticket["status"], ticket["priority"]) == ("pending", "low")


def test_workers_that_die_anywhere_try_a_refused_key_no_oftener_than_any_other_worker():
    """Three tickets wait for the product when the rest after its refusal is over."""
    hour = (ScriptStep("wait", "", (3600.0,)), ScriptStep("work", "", ("012" * 8,)))
    steps = (
        *(ScriptStep("ticket", "helpdesk", (number, False)) for number in (1, 2, 3)),
        ScriptStep("fair"),
        ScriptStep("revoke", "product"),
        *(ScriptStep("edit", "helpdesk", (n, {"priority": "low"})) for n in range(3)),
        ScriptStep("mail", "helpdesk", (4,)),
        ScriptStep("work", "", ("0" * 30,)),
        *(step for _ in range(3) for step in hour),
    )
    player = Player(Stage(load_home(""), Script(3, {}, steps)))
    player.play()
    (heard,) = player.stage.lines["product"].refusals
    trials = len(heard) - 1
    assert 1 <= trials <= 3
    assert calls_beyond_trials(heard, timedelta(minutes=1)) == 1
    assert judge(player).broken == []


def test_of_calls_with_a_refused_key_only_those_are_trials_that_rested_long_enough():
    def beyond(*seconds, poll=60):
        at = [datetime(2026, 1, 5, tzinfo=UTC) + timedelta(seconds=each) for each in seconds]
        return calls_beyond_trials(at, timedelta(seconds=poll) if poll else None)

    assert beyond(0) == 1
    assert beyond(0, 1, 59) == 3
    assert beyond(0, 60, 180, 420) == 1
    assert beyond(0, 60, 179) == 2
    assert beyond(0, 3600, 7200, 10800, poll=7200) == 1, "once an hour at least"
    assert beyond(0, 90000, 90001, 90002) == 3, "a long rest saves up nothing"
    assert beyond(0, 60, poll=None) == 1


@pytest.mark.parametrize("kept", [True, False], ids=["put back", "lost"])
@pytest.mark.parametrize("ended", [True, False], ids=["original deleted", "subject edited"])
def test_a_ledger_that_is_put_back_or_lost_makes_nothing_twice(kept, ended):
    """In between a ticket is mirrored, and its original ends or a copy of it is edited."""
    meanwhile = (
        ScriptStep("remove", "desk", (0,))
        if ended
        else ScriptStep("edit", "product", (0, {"priority": "low"}))
    )
    steps = (
        *([ScriptStep("keep")] if kept else ()),
        ScriptStep("ticket", "desk", (1, False)),
        ScriptStep("fair"),
        meanwhile,
        ScriptStep("putback"),
    )
    player = Player(Stage(load_home(""), Script(5, {}, steps)))
    player.play()
    assert judge(player).broken == []
    apps = player.stage.apps
    assert [len(apps[name].tickets()) for name in ("helpdesk", "product", "feedback")] == [1, 1, 1]


@pytest.mark.parametrize("marked", [True, False], ids=["marked", "mark taken off"])
def test_a_lost_ledger_makes_again_what_was_deleted_where_no_mark_tells_of_a_copy(marked):
    """The mark of a copy at Switch goes when its tags are next written."""
    tags = (ScriptStep("edit", "product", (0, {"add_tags": ["VIP"]})), ScriptStep("fair"))
    steps = (
        ScriptStep("ticket", "product", (1, False)),
        ScriptStep("mail", "product", (4,)),
        *(ScriptStep("drain") for _ in range(3)),
        *(() if marked else tags),
        ScriptStep("remove", "product", (0,)),
        ScriptStep("putback"),
    )
    player = Player(Stage(load_home(""), Script(5, {}, steps)))
    player.play()
    assert judge(player).broken == []
    apps = player.stage.apps
    there = [len(apps[name].tickets()) for name in ("helpdesk", "product", "feedback")]
    assert there == [1, 0 if marked else 1, 1]


@pytest.mark.parametrize("poison", POISONS)
def test_a_ticket_that_is_shown_oddly_for_a_while_holds_up_no_other_and_loses_nothing(poison):
    steps = (
        ScriptStep("ticket", "helpdesk", (1, False)),
        ScriptStep("ticket", "helpdesk", (2, False)),
        ScriptStep("fair"),
        ScriptStep("poison", "product", (0, poison)),
        ScriptStep("edit", "product", (0, {"priority": "low"})),
        ScriptStep("edit", "product", (1, {"priority": "low"})),
        ScriptStep("mail", "product", (4,)),
        ScriptStep("wait", "", (DAY_SECONDS,)),
        ScriptStep("clock"),
        ScriptStep("drain"),
    )
    player = Player(Stage(load_home(""), Script(3, {}, steps)))
    player.play()
    stage = player.stage
    assert stage.lines["product"].struck["shown oddly"] > 0
    _odd, well = (by_customer(stage.apps["helpdesk"], draft) for draft in player.drafts[:2])
    assert well["priority"] == "low", "the other one of the listing goes on"
    assert judge(player).broken == []
    odd = by_customer(stage.apps["helpdesk"], player.drafts[0])
    assert odd["priority"] == "low"


@pytest.mark.parametrize("where", ["helpdesk", "product"])
def test_a_twin_that_is_shown_as_no_record_holds_up_no_other_and_is_none_that_was_made_twice(where):
    steps = (
        ScriptStep("ticket", where, (2, True)),
        ScriptStep("poison", where, (1, NO_RECORD)),
        ScriptStep("ticket", "desk", (1, False)),
        *(ScriptStep("mail", name, (4,)) for name in ("helpdesk", "product")),
        ScriptStep("wait", "", (DAY_SECONDS,)),
        ScriptStep("clock"),
        ScriptStep("drain"),
    )
    player = Player(Stage(load_home(""), Script(3, {}, steps)))
    player.play()
    assert by_customer(player.stage.apps[where], player.drafts[0]), "the other one is made there"
    verdict = judge(player)
    assert verdict.broken == []
    assert [row["ref"][0] for row in verdict.report.details["unlisted_twins"]] == [where]


def by_customer(app, draft):
    (ticket,) = (each for each in app.tickets() if app.customer_email(each) == draft.customer)
    return ticket


def test_most_seeds_have_no_rare_step_and_all_steps_of_it_are_faults():
    connections = load_home().drawn_connections()
    scripts = [draw(seed, connections) for seed in range(300)]
    for _share, kinds in RARE.values():
        having = [script for script in scripts if {step.kind for step in script.steps} & {*kinds}]
        assert 0 < len(having) < len(scripts) / 3
    assert all(step.fault for script in scripts for step in script.steps if step.kind in rare())


def rare():
    return {kind for _share, kinds in RARE.values() for kind in kinds}


def test_a_seed_does_not_depend_on_those_before_it():
    alone = play_seed(21).digest
    assert play_seed(22).digest != alone
    assert play_seed(21).digest == alone


def never_match(monkeypatch):
    """Break a rule: whatever is new is a ticket of its own."""
    monkeypatch.setattr(match, "eligible", lambda *_: (set(), {}, False))


def test_a_broken_rule_is_found_and_the_failure_made_small(monkeypatch):
    never_match(monkeypatch)
    failed = next((result for result in map(play_seed, range(20, 60)) if not result.ok), None)
    assert failed is not None
    assert f"bridge simulate --seed {failed.seed} --shrink" in how_to_replay([failed])
    small = shrink(failed.seed, tries=8)
    assert not small.ok
    assert len(small.steps) < len(failed.steps)
    assert any("human" in line for line in small.story)


def test_a_drain_that_never_ends_is_a_failure_of_its_seed():
    drain = Stage(load_home(""), Script(3, {}, ())).drain()
    drain._running = -1  # as after one answer too many
    with pytest.raises(PromiseBroken, match="a drain never ends"):
        run_drain(drain)


def test_the_places_at_which_a_worker_can_die_are_read_from_the_source():
    names = {str(place) for place in places()}
    assert {
        "deliver/send_attempt.Call1",
        "create/make.Call1",
        "create/make.Transact1",
        "reconcile/walk_listing.Call1",
    } <= names
    assert ("deliver/send_attempt.Call1", "unanswered") in crash_points()
    assert ("create/make.Transact1", "unanswered") not in crash_points()


def test_a_place_that_the_source_does_not_show_is_no_place():
    def elsewhere():
        yield Page([], None)

    started = elsewhere()
    next(started)
    with pytest.raises(RuntimeError, match="yields no effect"):
        place_of("observe", started)


def test_a_script_is_data_and_a_step_can_be_left_out():
    script = draw(5, load_home().drawn_connections())
    assert script == draw(5, load_home().drawn_connections())
    assert sum(step.fault for step in script.steps) / len(script.steps) > 0.15
    assert play(replace(script, steps=script.steps[:5])).ok


def test_a_connection_without_a_sandbox_is_an_error_that_says_so(tmp_path):
    home = tmp_path / "home"
    (home / "config").mkdir(parents=True)
    (home / "mappings").mkdir()
    (home / "config" / "bridge.yaml").write_text("connections: {}\n")
    with pytest.raises(ConfigError) as caught:
        load_home(str(home))
    assert caught.value.problems
    with pytest.raises(ConfigError, match="there is no such folder"):
        load_home(str(tmp_path / "nowhere"))


def test_the_command_says_what_it_did_and_takes_a_home(tmp_path):
    command = [sys.executable, "-m", "bridge", "simulate", "--seeds", "2", "--seed", "31"]
    done = subprocess.run(
        [*command, "--json"], capture_output=True, text=True, check=False, timeout=400
    )
    told = json.loads(done.stdout)
    assert (done.returncode, told["seeds"], told["failed"], told["first"]) == (0, 2, [], 31)
    subprocess.run(
        [sys.executable, "-m", "bridge", "--home", str(tmp_path), "init"],
        check=True,
        capture_output=True,
    )
    spoken = subprocess.run(
        [*command, "--home", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert spoken.returncode == 0, spoken.stdout + spoken.stderr
    assert "every promise held" in spoken.stdout
    assert "crash points" in spoken.stdout


def test_what_a_receiver_puts_off_happens_in_the_time_of_its_seed():
    """On a thread of its own it would meet the ledger of whichever seed is played by then."""
    stage = Stage(load_home(""), Script(3, {}, ()))
    for _ in range(2):
        stage.post("http://bridge.invalid/webhooks/helpdesk", {}, b"{}")
    stage.clock.sleep(60)
    with stage.ledger.read() as tx:
        assert [row.count for row in refused_webhooks.current(tx, stage.clock.now())] == [2]
