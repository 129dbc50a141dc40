"""After the storm: everything heals, the workers see their work through, and all comes to rest."""

from __future__ import annotations

from typing import Final

from bridge.ledger import work
from bridge.simulate.crash_points import NEW, REMOTE_POSITIONS, crash_points
from bridge.simulate.play import Player
from bridge.simulate.quiet import heal
from bridge.simulate.vendor_line import KINDS, Fault

TURNS: Final = 150
TURNS_TO_DELETE: Final = 400
"""An end travels through more steps: it is looked for twice, on all sides."""
IDLE: Final = 6
"""Turns in which nobody had anything to do, after which time passes until something is due."""
ANEW, ANYWHERE, TROUBLES = 6, 2, 3
"""Crashes at places that were not passed yet, crashes anywhere, faults of each vendor's at most."""
PATIENT, LEASE = 0.7, 40.0
"""How often what a dead worker had leased is free again before anybody asks for it, and after how many seconds."""


def end_storm(player: Player) -> None:
    """End the storm: heal everything, bring or drop the webhooks that are still on their way."""
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
    """Let the workers go on effect by effect, until nothing is due or for long; some die, some calls fail."""
    stage, rng, idle, left = player.stage, player.stage.rng, 0, ANEW
    player.turns.armed.update(rng.choices(crash_points(), k=ANYWHERE))
    for account in stage.home.drawn_connections():
        for _ in range(rng.randint(0, TROUBLES)):
            on = rng.choice(("read", "write", "write"))
            stage.lines[account.name].faults.append(
                Fault(rng.choice(KINDS), on, 1.0, rng.randint(0, 1))
            )
        if stage.script.deletes:
            player.look(account.name)
    for _ in range(TURNS_TO_DELETE if stage.script.deletes else TURNS):
        if left and not any(aim == NEW for aim, _ in player.turns.armed):
            player.turns.armed.add((NEW, rng.choice(REMOTE_POSITIONS)))
            left -= 1
        died = stage.counts["crashes"]
        player.turns.take(rng.choice(stage.workers))
        if stage.counts["crashes"] > died and rng.random() < PATIENT:
            stage.clock.sleep(LEASE)
        player.notice()
        idle = 0 if stage.bell.rung or any(worker.busy for worker in stage.workers) else idle + 1
        if idle > IDLE:
            with stage.ledger.read() as tx:
                due = work.next_due(tx, stage.clock.now())
            if due is None:
                break
            stage.clock.sleep(max(1.0, (due - stage.clock.now()).total_seconds()))
            idle = 0
    heal(stage)
    stage.clock.sleep(60)
