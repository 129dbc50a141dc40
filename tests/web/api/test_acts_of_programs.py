"""Acts over the API: done once, in the token's name, at the connections that it is for."""

from __future__ import annotations

import pytest

from bridge.core.model.syncs import FieldPolicy
from bridge.errors import Busy
from bridge.ledger import kept_answers, unknown_parts
from bridge.operations import acts_once, audit_trail, conflicts, parked
from bridge.operations.acts_once import KeyTaken
from bridge.operations.permissions import Role
from tests.flow.world import World, born
from tests.ledger.test_unknown_parts import place, seen
from tests.operations.desks import desk_of
from tests.web.api.conftest import Service

KEY = {"Idempotency-Key": "once"}


def acts(service, action=""):
    found = audit_trail.acts(service.desk, limit=99, action=action)
    return [(act.actor, act.action, act.subject) for act in found]


def test_parked_work_is_freed_and_thrown_away_by_name_cause_or_connection(set_aside):
    program = set_aside.program(Role.OPERATOR)
    first = parked.rows(set_aside.desk)[0]
    assert program.post("/parked/retry", {"names": [str(first.id)]}).json == {"pieces": 1}
    own = set_aside.program(Role.OPERATOR, "L")
    assert own.post("/parked/discard", {"all": True}).json == {"pieces": 2}
    assert {row.connection for row in parked.rows(set_aside.desk)} == {"H"}
    gone = own.post("/parked/retry", {"cause": "BRG-WRITE-REFUSED"})
    assert (gone.status_code, gone.json["code"]) == (409, "BRG-API-NOT-POSSIBLE")
    assert program.post("/parked/retry", {}).status_code == 422
    assert program.post("/parked/retry", {"all": "yes"}).status_code == 422
    assert program.post("/parked/retry", {"all": True, "al": 1}).status_code == 422
    assert acts(set_aside, "parked") == [
        ("token:operator-l", "parked discard", "all of L"),
        ("token:operator", "parked retry", str(first.id)),
    ]


def test_a_key_does_an_act_once_and_gives_the_same_answer_again(set_aside):
    program = set_aside.program(Role.OPERATOR)
    done = program.post("/parked/retry", {"all": True}, headers=KEY)
    again = program.post("/parked/retry", {"all": True}, headers=KEY)
    assert (done.json, again.json) == ({"pieces": 5}, {"pieces": 5})
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(acts(set_aside, "parked")) == 1
    other = program.post("/parked/discard", {"all": True}, headers=KEY)
    assert (other.status_code, other.json["code"]) == (409, "BRG-API-KEY")
    # Another token's key is another key.
    assert set_aside.program().post("/parked/retry", {"all": True}, headers=KEY).json["pieces"] == 0
    set_aside.desk.context.clock.advance(acts_once.KEPT_FOR.total_seconds() + 1)
    assert program.post("/parked/discard", {"all": True}, headers=KEY).json == {"pieces": 0}


def test_an_act_that_was_refused_may_be_asked_for_again_with_its_key(set_aside):
    program = set_aside.program(Role.OPERATOR)
    assert program.post("/parked/retry", {"names": ["x"]}, headers=KEY).status_code == 409
    assert program.post("/parked/retry", {"all": True}, headers=KEY).json == {"pieces": 5}


def test_an_act_of_which_the_end_is_not_known_is_not_begun_again(set_aside):
    desk, named = set_aside.desk, acts_once.named("ci", "key", ["/parked/retry", b"{}"])
    assert acts_once.begin(desk, named) is None
    with pytest.raises(KeyTaken, match="its end is not known yet"):
        acts_once.begin(desk, named)
    acts_once.end(desk, named, acts_once.GivenAnswer(200, "{}"))
    assert acts_once.begin(desk, named).body == "{}"
    with desk.ledger.transaction() as tx:
        kept_answers.erase(tx)
    with pytest.raises(KeyTaken, match="a person was forgotten"):
        acts_once.begin(desk, named)


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
def test_a_key_that_is_none_is_refused(set_aside, key):
    answer = set_aside.program().post(
        "/parked/retry", {"all": True}, headers={"Idempotency-Key": key}
    )
    assert answer.status_code == 400
    assert len(parked.rows(set_aside.desk)) == 5


def test_a_ticket_is_paused_after_a_look_and_goes_on(service, ticket):
    program = service.program(Role.OPERATOR)
    look = program.get(f"/tickets/{ticket}/acts/pause")
    assert "nothing is written" in look.json["consequences"][0]
    assert not look.json["paused"]
    done = program.post(f"/tickets/{ticket}/acts", {"act": "pause"})
    assert done.json == {"ticket": ticket}
    again = program.post(f"/tickets/{ticket}/acts", {"act": "pause"})
    assert (again.status_code, "paused already" in again.json["detail"]) == (409, True)
    assert program.post(f"/tickets/{ticket}/acts", {"act": "resume"}).status_code == 200
    wrong = program.post(f"/tickets/{ticket}/acts", {"act": "pause", "to": "x"})
    assert wrong.status_code == 409


def test_a_record_is_detached_and_put_back(service, ticket):
    program = service.program(Role.OPERATOR)
    remote_id = program.get(f"/tickets/{ticket}").json["sides"]["H"]["id"]
    ref = f"H:{remote_id}"
    assert program.post(f"/tickets/{ref}/acts", {"act": "detach"}).json == {"ticket": ticket}
    assert program.get(f"/tickets/{ticket}").json["sides"]["H"]["detached"]
    assert program.get(f"/tickets/{ref}/acts/relink").status_code == 200
    assert program.post(f"/tickets/{ref}/acts", {"act": "relink"}).json == {"ticket": ticket}
    assert [act[1] for act in acts(service, "link")] == ["link relink", "link detach"]


def test_a_token_acts_on_tickets_of_which_all_records_are_its_own(service, ticket):
    of_one, of_both = (service.program(Role.OPERATOR, *names) for names in ("H", "HL"))
    assert of_one.post(f"/tickets/{ticket}/acts", {"act": "pause"}).status_code == 403
    assert not service.program().get("/tickets?state=paused").json["rows"]
    assert of_both.post(f"/tickets/{ticket}/acts", {"act": "pause"}).status_code == 200


def test_a_ticket_that_somebody_has_in_hand_is_asked_for_again(service, ticket, monkeypatch):
    from bridge.operations import link

    def busy(*_arguments):
        raise Busy("a worker has it")

    monkeypatch.setattr(link, "when_free", busy)
    answer = service.program().post(f"/tickets/{ticket}/acts", {"act": "pause"}, headers=KEY)
    assert (answer.status_code, answer.headers["Retry-After"]) == (409, "1")
    monkeypatch.undo()
    again = service.program().post(f"/tickets/{ticket}/acts", {"act": "pause"}, headers=KEY)
    assert again.status_code == 200


@pytest.fixture
def in_conflict(sqlite_ledger):
    world = World(ledger=sqlite_ledger, names="LH", priority=FieldPolicy("manual"))
    born(world)
    (link,) = world.links()
    world.systems["L"].edit(link.sides["L"].remote_id, priority="low")
    world.systems["H"].edit(link.sides["H"].remote_id, priority="urgent")
    for name, side in link.sides.items():
        world.hint(name, side.remote_id)
    world.settle()
    return Service(desk_of(world))


def test_a_conflict_is_decided_for_a_side_or_by_a_value(in_conflict):
    program = in_conflict.program(Role.OPERATOR)
    (row,) = program.get("/conflicts").json["rows"]
    address = f"/tickets/{row['link']}/conflicts"
    assert program.post(address, {"field": "priority"}).status_code == 422
    assert program.post(address, {"field": "status", "take": "H"}).status_code == 409
    assert in_conflict.program(Role.OPERATOR, "H").post(
        address, {"field": "priority", "take": "H"}
    ).status_code == 403  # fmt: skip
    done = program.post(address, {"field": "priority", "value": "high"})
    assert done.json == {"link": row["link"], "field": "priority", "value": "high"}
    assert conflicts.list_open(in_conflict.desk) == []
    assert program.get("/conflicts").json == {"rows": [], "next": None}


def test_a_connection_is_paused_and_resumed_in_the_tokens_name(service, ticket):
    del ticket
    own = service.program(Role.OPERATOR, "H")
    assert own.post("/connections/L/pause").status_code == 403
    done = own.post("/connections/H/pause", {"why": "repairs"})
    assert done.json == {"connection": "H", "paused": True}
    service.desk.context.clock.advance(3)
    shown = own.get("/connections/H").json
    assert shown["health"] == "paused"
    assert "token:operator-h paused it: repairs" in shown["why"]
    assert own.post("/connections/H/resume").json == {"connection": "H", "paused": False}
    assert [act[0] for act in acts(service, "connection")] == ["token:operator-h"] * 2


def test_a_webhook_that_is_gone_changes_nothing(service):
    answer = service.program().post("/inbox/reprocess", {"webhooks": [7]})
    assert (answer.status_code, answer.json["code"]) == (409, "BRG-API-NOT-POSSIBLE")
    assert service.program().post("/inbox/reprocess", {"webhooks": ["7"]}).status_code == 422


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff", 400),
        (b"[" * 100_000, 400),
        (b'{"names": [' + b"9" * 5_000 + b"]}", 400),
        (b"[]", 422),
        (b"null", 422),
        (b'{"names": ["\\ud800"]}', 422),
        (b'{"names": ["a\\u0000"]}', 422),
        (b'{"names": 5}', 422),
        (b"", 422),
    ],
)
def test_a_body_that_is_none_is_refused(set_aside, body, status):
    answer = set_aside.program().ask(
        "POST", "/parked/retry", data=body, content_type="application/json"
    )
    assert answer.status_code == status, answer.text
    assert len(parked.rows(set_aside.desk)) == 5


def test_a_body_that_is_too_large_is_refused(set_aside):
    answer = set_aside.program().ask(
        "POST", "/parked/retry", data=b" " * (9 << 20), content_type="application/json"
    )
    assert (answer.status_code, answer.json["code"]) == (413, "BRG-API-REQUEST")


def test_a_field_that_no_file_knows_is_dismissed_by_who_may(service):
    now = service.desk.now()
    with service.desk.ledger.transaction() as tx:
        unknown_parts.store(tx, [(place("stage", connection="H"), seen(now, "Mary Bishop"))])
    body = {"connection": "H", "field": "stage"}
    assert service.program(Role.OPERATOR).post("/values/dismiss", body).status_code == 403
    mapper = service.program(Role.MAPPER)
    assert mapper.post("/values/dismiss", body | {"field": "none"}).status_code == 404
    done = mapper.post("/values/dismiss", body)
    assert done.json == {"connection": "H", "entity": "ticket", "field": "stage"}
    assert acts(service, "dismissed") == [("token:mapper", "dismissed", "H stage")]
