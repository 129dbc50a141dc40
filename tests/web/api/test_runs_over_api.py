"""Runs over the API: listed in parts, looked at, paused and resumed by who may."""

from __future__ import annotations

import pytest

from bridge.ledger import run_records
from bridge.operations.permissions import Role


@pytest.fixture
def runs(service):
    """The ids of three runs: two polls at H and L, and an import at H that is under way."""
    now, ids = service.desk.now(), []
    with service.desk.ledger.transaction() as tx:
        for kind, connection in (("poll", "H"), ("poll", "L"), ("backfill", "H")):
            of = {"kind": kind, "connection": connection, "entity": "ticket"}
            ids.append(run_records.begin(tx, **of, due=now, now=now))
    return ids


def test_runs_are_listed_in_parts_the_newest_first(service, runs):
    program = service.program(Role.VIEWER)
    first = program.get("/runs", query_string={"limit": 2}).json
    assert [row["id"] for row in first["rows"]] == [str(runs[2]), str(runs[1])]
    rest = program.get("/runs", query_string={"limit": 2, "cursor": first["next"]}).json
    assert ([row["id"] for row in rest["rows"]], rest["next"]) == ([str(runs[0])], None)
    imports = program.get("/runs", query_string={"kind": "backfill"}).json["rows"]
    assert [row["what"] for row in imports] == ["import of H tickets"]
    assert program.get("/runs/99").status_code == 404


def test_a_run_is_paused_after_a_look_and_goes_on(service, runs):
    program = service.program(Role.OPERATOR)
    address = f"/runs/{runs[2]}"
    assert program.get(f"{address}/acts/pause").json["consequences"]
    assert program.get(f"{address}/acts/resume").status_code == 409
    assert program.post(f"{address}/pause").json["state"] == "paused"
    assert program.post(f"{address}/pause").status_code == 409
    assert program.post(f"{address}/resume").json["paused_at"] is None
    assert program.post(f"/runs/{runs[0]}/pause").status_code == 409  # a poll cannot be


def test_a_token_for_a_connection_has_its_runs_alone(service, runs):
    program = service.program(Role.OPERATOR, "L")
    assert [row["id"] for row in program.get("/runs").json["rows"]] == [str(runs[1])]
    assert program.get(f"/runs/{runs[1]}").status_code == 200
    assert program.get(f"/runs/{runs[2]}").status_code == 403
    assert program.post(f"/runs/{runs[2]}/pause").status_code == 403
