"""Runs of every kind: how far each is, pausing one, and letting it go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from bridge.operations import run_acts, run_states
from bridge.operations.desk import Desk
from bridge.operations.permissions import Permission
from bridge.operations.run_acts import RunActPreview
from bridge.operations.run_states import RunState
from bridge.web.api.api_schemas import (
    LARGEST,
    Words,
    given,
    paging,
    row_number,
    rows_of,
    schema_of,
)
from bridge.web.api.asker import Asker
from bridge.web.api.routes import ListPart, Routes, act, question

routes: Final = Routes("runs", "Runs of every kind, and how far each is")
RUN: Final = f"<int(min=1, max={LARGEST}):number>"
ACT: Final = "<any(pause,resume):act>"
RunQuery: Final = given(
    "RunQuery",
    kind=Words(100, load_default="", metadata={"description": "`mapping`, `backfill`, `full` …"}),
    **paging(row_number(load_default=None)),
)
_LOOKS: Final[dict[str, Callable[[Desk, int], RunActPreview]]] = {
    "pause": run_acts.preview_pause,
    "resume": run_acts.preview_resume,
}


@question(routes, "/runs", Permission.SEE, rows_of(RunState), query=RunQuery)
def list_runs(asker: Asker, query: dict[str, Any]) -> Any:
    """List the runs, the newest first.

    For a token that is for some connections a part may have fewer rows than `limit`, or none.
    """
    kinds = (query["kind"],) if query["kind"] else ()
    limit, own = query["limit"], asker.connections
    found = run_states.newest(asker.desk, limit, before=query["cursor"], kinds=kinds)
    shown = [run for run in found if not own or run.connection in own]
    return ListPart(shown, found[-1].id if len(found) == limit else None)


@question(routes, f"/runs/{RUN}", Permission.SEE, schema_of(RunState))
def one_run(asker: Asker, number: int) -> Any:
    """Return one run: its phases, how far each is, what it wrote, whether it can be paused."""
    return _named(asker, number)


@question(routes, f"/runs/{RUN}/acts/{ACT}", Permission.TEND_CONNECTIONS, schema_of(RunActPreview))
def look_at_run_act(asker: Asker, number: int, act: str) -> Any:
    """Say what pausing a run, or letting it go on, would mean, and do nothing."""
    _named(asker, number)
    return _LOOKS[act](asker.desk, number)


@act(routes, f"/runs/{RUN}/pause", Permission.TEND_CONNECTIONS, schema_of(RunState))
def pause_run(asker: Asker, number: int) -> Any:
    """Pause a run: it writes nothing more until it is resumed."""
    _named(asker, number)
    return run_acts.pause(asker.desk, number)


@act(routes, f"/runs/{RUN}/resume", Permission.TEND_CONNECTIONS, schema_of(RunState))
def resume_run(asker: Asker, number: int) -> Any:
    """Let a paused run go on where it was."""
    _named(asker, number)
    return run_acts.resume(asker.desk, number)


def _named(asker: Asker, number: int) -> RunState:
    run = run_states.get(asker.desk, number)
    asker.need_one([run.connection])
    return run
