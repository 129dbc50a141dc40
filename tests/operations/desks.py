"""Desks over the bridges that other tests run in memory, to call operations as functions."""

from pathlib import Path

from bridge.config import Agents, Config, Settings
from bridge.engine.call_log import CallLog
from bridge.operations.desk import Desk
from bridge.queue.bell import NullDoorbell
from bridge.queue.redis_budget import MemoryBudget
from bridge.wiring import Bridge


def desk_of(bridge, *, people=None):
    """Return the desk of a World or an Estate, at which `local:me` sits."""
    config = getattr(bridge, "config", None) or Config(
        home=Path("nowhere"),
        settings=Settings(database="sqlite://", redis="redis://127.0.0.1:1/0"),
        connections=bridge.context.connections,
        syncs=bridge.context.syncs,
        maps=bridge.context.maps,
        agents=Agents(people or {}),
    )
    return Desk(
        config=config,
        context=bridge.context,
        ledger=bridge.ledger,
        connectors=bridge.connectors,
        bell=NullDoorbell(),
        actor="local:me",
        budget=MemoryBudget(),
    )


def bridge_of(estate) -> Bridge:
    """Return the bridge of an Estate, for operations that do the work where they are called."""
    return Bridge(
        config=estate.config,
        context=estate.context,
        ledger=estate.ledger,
        doorbell=NullDoorbell(),
        connectors=estate.connectors,
        clock=estate.clock,
        worker=estate.drain,
        calls=CallLog(estate.ledger),
    )
