"""A worker that is told to stop does not wait for what a rate may allow much later."""

from datetime import timedelta

from bridge.preview.rehearsal import FreeBudget
from tests.flow.world import World

FAR = timedelta(seconds=1)


class SpentBudget(FreeBudget):
    """A rate that allows nothing for a long time; whoever asks first has the worker stopped."""

    asked = False

    def acquire(self, *_asked, **_named):
        self.asked = True
        return 600.0


def test_what_waits_for_its_rate_is_given_back_when_the_worker_is_told_to_stop():
    world = World(names="LH")
    for number in range(3):
        world.hint("L", world.systems["L"].add(subject=f"Number {number}", status="open"))
    budget = SpentBudget()
    drain = world.drain(budget=budget)
    drain.stopping = drain._calls.stopping = lambda: budget.asked
    began = world.clock.now()
    drain.run()
    assert budget.asked
    assert world.clock.now() - began < FAR
    drain = world.drain(owner="the next start")
    world.clock.advance(60)
    drain.run()
    world.settle()
    assert len(world.links()) == 3
