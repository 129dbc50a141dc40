"""Every procedure gets one answer to each effect, however the ledger fails."""

from dataclasses import replace

from bridge.engine.effects import transact
from bridge.errors import LedgerError
from bridge.ledger import work
from tests.flow.world import World

MANY_ROUNDS = 1000
"""A drain with one piece of work in hand needs a few."""


def test_an_effect_whose_savepoint_is_gone_is_answered_by_the_error_alone():
    world, answers, rounds = World(names="LH"), [], iter(range(MANY_ROUNDS))

    def observe(context, task):
        try:
            answers.append((yield from transact(lose_savepoint)))
        except LedgerError as error:
            answers.append(type(error))
        yield from transact(lambda tx: work.finish(tx, task.row, task.owner, context.clock.now()))

    def lose_savepoint(tx):
        tx.exec_driver_sql("RELEASE SAVEPOINT part")

    drain = world.drain()
    drain.procedures = replace(drain.procedures, by_kind={"observe": observe})
    drain.beat = lambda: next(rounds)
    world.hint("L", "1")
    drain.run()
    assert [issubclass(each, LedgerError) for each in answers] == [True]
    assert world.outstanding() == []
