"""The procedure for each kind of work: a table that the engine is handed."""

from __future__ import annotations

from bridge.engine.context import Context
from bridge.engine.worker import Procedures
from bridge.flow import people, target_survey
from bridge.flow.create import create
from bridge.flow.delete import remove
from bridge.flow.deliver import deliver, mirror
from bridge.ledger import news, unknown_parts
from bridge.ledger.database import Tx
from bridge.runs import (
    account_metrics,
    adoption,
    backfill,
    listing_walk,
    reconcile,
    remapping,
    undo,
)


def catch_up(tx: Tx, context: Context) -> bool:
    """Take in what others have done: what works, who is who, and which runs are paused.

    And leave for others what this one has seen of the vendors' records that no file knows.

    False, and nothing is taken in, when other files than the context's are in force by now.
    """
    known = news.look(tx)
    if adoption.is_older(context, known.files):
        return False
    findings = {name: dict(known.findings.get(name, {})) for name in context.connections}
    context.probes.update(findings)
    people.refresh(tx, context, known.people)
    context.paused_runs.clear()
    context.paused_runs.update(known.paused_runs)
    unknown_parts.store_due(tx, context.unknown, context.clock.now())
    return True


PROCEDURES = Procedures(
    by_kind={
        "observe": mirror,
        "deliver": deliver,
        "create": create,
        "remove": remove,
        "reconcile": reconcile.list_and_compare,
        "figures": account_metrics.fetch_account_metrics,
        "backfill": backfill.list_and_queue,
        "undo": undo.take_back,
        "survey": target_survey.refresh,
        remapping.KIND: remapping.go_through,
    },
    catch_up=catch_up,
    run_failures={
        "reconcile": reconcile.failed,
        "backfill": listing_walk.run_failed,
        "figures": account_metrics.fetch_failed,
        "survey": target_survey.refresh_failed,
        remapping.KIND: remapping.failed,
    },
)
