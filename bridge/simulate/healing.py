"""After the storm: everything heals, and the workers finish their work, some of them dying."""

from __future__ import annotations

from typing import Final

from bridge.ledger import work
from bridge.simulate.crash_points import NEW, REMOTE_POSITIONS, crash_points
from bridge.simulate.play import Player
from bridge.simulate.quiet import heal
from bridge.simulate.stage import Stage
from bridge.simulate.vendor_line import KINDS, Fault

MAX_TURNS: Final = 150
MAX_TURNS_WITH_DELETES: Final = 400
"""A deletion travels through more steps: the record is looked for twice, on all sides."""
IDLE_TURNS: Final = 6
"""Turns in which nobody had anything to do, after which time passes until something is due."""
CRASHES_AT_NEW_PLACES: Final = 6
CRASHES_ANYWHERE: Final = 2
MAX_FAULTS_PER_VENDOR: Final = 3
LEASE_EXPIRES_SHARE: Final = 0.7
"""How often a dead worker's lease expires before anybody asks for it."""
LEASE_SECONDS: Final = 40.0


def end_storm(player: Player) -> None:
    """Heal everything, and deliver or lose the webhooks that are still on their way."""
    stage = player.stage
    stage.tell("-- the storm is over")
    heal(stage)
    for name in stage.lines:
        if "tags_licensed" in stage.apps[name].options:
            stage.apps[name].options["tags_licensed"] = True
        mail = stage.mails[name]
        while mail.waiting:
            if stage.rng.random() < 0.5:
                mail.deliver(0)
            else:
                mail.lose(0)
    stage.clock.sleep(400)


def finish_work(player: Player) -> None:
    """Let the workers go on effect by effect until nothing is due; some die, some calls fail."""
    stage = player.stage
    _arm(player)
    turns = MAX_TURNS_WITH_DELETES if stage.script.deletes else MAX_TURNS
    idle, crashes_left = 0, CRASHES_AT_NEW_PLACES
    for _ in range(turns):
        if crashes_left and not any(place == NEW for place, _ in player.turns.armed):
            player.turns.armed.add((NEW, stage.rng.choice(REMOTE_POSITIONS)))
            crashes_left -= 1
        _take_turn(player)
        idle = 0 if _has_work(stage) else idle + 1
        if idle > IDLE_TURNS:
            if not _wait_until_due(stage):
                break
            idle = 0
    heal(stage)
    stage.clock.sleep(60)


def _arm(player: Player) -> None:
    """Draw the crashes and faults to come."""
    stage, rng = player.stage, player.stage.rng
    player.turns.armed.update(rng.choices(crash_points(), k=CRASHES_ANYWHERE))
    for connection in stage.home.drawn_connections():
        for _ in range(rng.randint(0, MAX_FAULTS_PER_VENDOR)):
            on = rng.choice(("read", "write", "write"))
            fault = Fault(rng.choice(KINDS), on, 1.0, rng.randint(0, 1))
            stage.lines[connection.name].faults.append(fault)
        if stage.script.deletes:
            player.look(connection.name)


def _take_turn(player: Player) -> None:
    """Give one worker its turn; if it dies, its lease may expire at once."""
    stage = player.stage
    crashes = stage.counts["crashes"]
    player.turns.take(stage.rng.choice(stage.workers))
    if stage.counts["crashes"] > crashes and stage.rng.random() < LEASE_EXPIRES_SHARE:
        stage.clock.sleep(LEASE_SECONDS)
    player.notice()


def _has_work(stage: Stage) -> bool:
    return stage.bell.rung or any(worker.busy for worker in stage.workers)


def _wait_until_due(stage: Stage) -> bool:
    """Let time pass until something is due; False when nothing will be."""
    with stage.ledger.read() as tx:
        due = work.next_due(tx, stage.clock.now())
    if due is None:
        return False
    stage.clock.sleep(max(1.0, (due - stage.clock.now()).total_seconds()))
    return True
