"""Questions: the same as the command line's, in parts, and not sent again to who has them."""

from __future__ import annotations

import json

import pytest

from bridge.cli.screen import say_rows
from bridge.core.model.vendor_call import KeptBodies
from bridge.errors import LedgerError
from bridge.ledger import vendor_calls
from bridge.operations import audit_trail, tickets, users
from bridge.operations.permissions import Role
from bridge.operations.tickets import Wanted
from tests.flow.world import World, born
from tests.ledger.test_vendor_calls import a_call
from tests.operations.desks import desk_of
from tests.web.api.conftest import Service


def whole(program, path, **query):
    """All rows of a list, and of how many rows each part was."""
    rows, sizes, cursor = [], [], None
    while cursor is not None or not sizes:
        asked = query | ({"cursor": cursor} if cursor else {})
        answer = program.get(path, query_string=asked)
        assert answer.status_code == 200, answer.text
        rows += answer.json["rows"]
        sizes.append(len(answer.json["rows"]))
        cursor = answer.json["next"]
        assert ('rel="next"' in answer.headers.get("Link", "")) is (cursor is not None)
    return rows, sizes


def test_tickets_are_as_the_command_line_prints_them(service, ticket, capsys):
    say_rows(tickets.listed(service.desk, Wanted(), limit=9).rows)
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    program = service.program(Role.VIEWER)
    assert program.get("/tickets").json == {"rows": printed, "next": None}
    one = program.get(f"/tickets/{ticket}").json
    assert (one["id"], sorted(one["sides"])) == (ticket, ["H", "L"])
    reason = program.get(f"/tickets/{ticket}/why/status").json
    assert (reason["link"], sorted(reason["sides"])) == (ticket, ["H", "L"])


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ({"text": "print"}, True),
        ({"text": "nothing like it"}, False),
        ({"state": "in step"}, True),
        ({"state": "paused"}, False),
        ({"connection": "H"}, True),
        ({"sync": "tickets"}, True),
    ],
)
def test_tickets_are_found_by_what_they_have(service, ticket, query, fits):
    rows = service.program().get("/tickets", query_string=query).json["rows"]
    assert [row["id"] for row in rows] == ([ticket] if fits else [])


def test_lists_are_given_in_parts_without_a_gap(set_aside):
    program = set_aside.program()
    rows, sizes = whole(program, "/parked/rows", limit=2)
    assert sizes == [2, 2, 1]
    assert sorted(row["key"] for row in rows) == [f"deliver:{number}" for number in range(5)]
    rows, sizes = whole(program, "/parked/rows", limit=2, connection="H")
    assert (sizes, {row["connection"] for row in rows}) == ([2, 1], {"H"})
    for number in range(4):
        users.add(set_aside.desk, f"user-{number}", Role.VIEWER)
    rows, sizes = whole(program, "/audit", limit=2, action="user")
    assert (sizes, [row["subject"][-1] for row in rows]) == ([2, 2], list("3210"))
    acts = audit_trail.acts(set_aside.desk, limit=4, action="user")
    assert [row["id"] for row in rows] == [act.id for act in acts]


def test_tickets_go_on_where_the_last_part_ended(sqlite_ledger):
    world = World(ledger=sqlite_ledger, names="LH")
    for number in range(3):
        remote_id = world.systems["L"].add(subject=f"Ticket {number}", status="open", tags=[])
        world.hint("L", remote_id)
        world.settle()
    service = Service(desk_of(world))
    rows, sizes = whole(service.program(), "/tickets", limit=1)
    assert sum(sizes) == 3
    assert sorted(row["subject"] for row in rows) == [f"Ticket {number}" for number in range(3)]


def test_who_has_the_answer_is_not_sent_it_again(service, ticket):
    program = service.program()
    tag = program.get(f"/tickets/{ticket}").headers["ETag"]
    again = program.get(f"/tickets/{ticket}", headers={"If-None-Match": tag})
    assert (again.status_code, again.headers["ETag"]) == (304, tag)
    program.post(f"/tickets/{ticket}/acts", {"act": "pause"})
    assert program.get(f"/tickets/{ticket}", headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/tickets", {"limit": "0"}, 422),
        ("/tickets", {"limit": "201"}, 422),
        ("/tickets", {"limit": "many"}, 422),
        ("/tickets", {"state": "asleep"}, 422),
        ("/tickets", {"txet": "misspelled"}, 422),
        ("/tickets", {"text": "a\0b"}, 422),
        ("/tickets", {"sync": "none"}, 404),
        ("/tickets", {"cursor": "nowhere"}, 404),
        ("/tickets/nobody", {}, 404),
        ("/tickets/a%00b", {}, 404),
        (f"/tickets/{'x' * 301}", {}, 404),
        ("/parked/rows", {"cursor": "never"}, 422),
        ("/parked/rows", {"cursor": "2026-01-01T00:00:00~1"}, 422),
        ("/parked/rows", {"cause": "none"}, 404),
        ("/audit", {"cursor": "99999999999999999999"}, 422),
        ("/inbox", {"verdict": "guilty"}, 422),
        ("/inbox/99999999999999999999", {}, 404),
        ("/inbox/7", {}, 404),
        ("/calls", {"outcome": "odd"}, 422),
        ("/calls", {"slower_than": "-1"}, 422),
        ("/calls", {"connection": "nowhere"}, 404),
        ("/calls", {"ticket": "nobody"}, 404),
        ("/calls/7", {}, 404),
        ("/connections/nowhere", {}, 404),
        ("/drift", {"connection": "nowhere"}, 404),
        ("/mappings/7", {}, 404),
        ("/outcomes/BRG-NONE", {}, 404),
        ("/nowhere", {}, 404),
    ],
)
def test_what_cannot_be_answered_is_a_problem_with_its_code(service, path, query, status):
    answer = service.program().get(path, query_string=query)
    assert (answer.status_code, answer.json["status"]) == (status, status)
    meaning = service.program().get(answer.json["type"])
    assert meaning.json["code"] == answer.json["code"]
    assert ("errors" in answer.json) is (status == 422)


def test_a_method_that_an_address_does_not_take_is_named(service):
    answer = service.program().ask("DELETE", "/tickets")
    assert (answer.status_code, answer.json["code"]) == (405, "BRG-API-REQUEST")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"


def test_without_a_ledger_it_says_so_and_when_to_come_again(service, monkeypatch):
    program = service.program()

    def away(_self):
        raise LedgerError("the ledger does not answer")

    monkeypatch.setattr(type(service.desk.ledger), "read", away)
    answer = program.get("/tickets")
    assert (answer.status_code, answer.json["code"]) == (503, "BRG-LEDGER")
    assert answer.headers["Retry-After"] == "5"


def test_a_failure_shows_nothing_of_the_inside(service, monkeypatch):
    program = service.program()

    def fail(*_arguments, **_options):
        raise RuntimeError("secret inside")

    monkeypatch.setattr(tickets, "listed", fail)
    answer = program.client.get("/tickets", headers=program.headers)
    assert (answer.status_code, answer.json["code"]) == (500, "BRG-DEFECT")
    assert "secret" not in answer.text


def test_a_token_for_a_connection_sees_what_is_of_it(set_aside, ticket):
    program = set_aside.program(Role.VIEWER, "H")
    assert [row["connection"] for row in program.get("/connections").json["rows"]] == ["H"]
    assert program.get("/connections/L").status_code == 403
    assert {row["connection"] for row in program.get("/parked").json["rows"]} == {"H"}
    assert len(program.get("/parked/rows").json["rows"]) == 3
    refused = program.get("/parked/rows", query_string={"connection": "L"})
    assert (refused.status_code, refused.json["code"]) == (403, "BRG-API-ROLE")
    assert program.get(f"/tickets/{ticket}").status_code == 200
    both = set_aside.program(Role.VIEWER, "H", "L")
    assert both.get("/parked/rows").status_code == 403  # which of the two?
    assert len(both.get("/parked/rows?connection=L").json["rows"]) == 2


def test_what_a_vendor_wrote_is_text(sqlite_ledger):
    world = World(ledger=sqlite_ledger, names="LH")
    born(world, subject="<script>\u202e\x07</script>")
    answer = Service(desk_of(world)).program().get("/tickets")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.text.isprintable()
    (row,) = answer.json["rows"]
    assert row["subject"].startswith("<script>\u202e")


def test_the_description_names_every_address_and_needs_no_token(service):
    document = service.description
    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": "/api/v1"}]
    operations = [each for path in document["paths"].values() for each in path.values()]
    described = [each for each in operations if isinstance(each, dict)]
    assert all(each["summary"] for each in described)
    assert {"token": []} in document["security"]


def test_calls_are_listed_with_their_bodies_for_those_who_may_see_them_alone(service):
    kept = KeptBodies("/x?email=ana@example.com", "ana@example.com", "")
    now = service.desk.now()
    with service.desk.ledger.transaction() as tx:
        calls = [a_call(now, n, connection="HL"[n % 2], kept=kept) for n in range(3)]
        vendor_calls.add_all(tx, calls)
    program = service.program()
    first = program.get("/calls?limit=2").json
    assert [row["id"] for row in first["rows"]] == [3, 2]
    rest = program.get(f"/calls?limit=2&cursor={first['next']}").json
    assert ([row["id"] for row in rest["rows"]], rest["next"]) == ([1], None)
    assert program.get("/calls/1").json["sent_body"] == "ana@example.com"
    seen = service.program(Role.VIEWER).get("/calls/1")
    assert "ana@" not in seen.text
    assert seen.json["hidden"] is True
    of_one = service.program(Role.VIEWER, "L")
    assert [row["id"] for row in of_one.get("/calls").json["rows"]] == [2]
    assert of_one.get("/calls/1").status_code == 403
