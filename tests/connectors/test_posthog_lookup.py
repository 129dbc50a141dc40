"""A ticket of a large project is found in a call or two, and what no listing shows is explained."""

from __future__ import annotations

import json
import uuid
from collections import Counter

import pytest

from bridge.core.model.values import Ref
from bridge.errors import NotFound, Refused, Unauthorised, Withheld
from bridge.sandbox.exchange import Problem, answer
from bridge.sandbox.posthog import PostHogSandbox
from tests.connectors.test_posthog import PostHogBench

MANY = 10_000


class Restricted(PostHogSandbox):
    """Some tickets are kept from the key's user; deleting is not for personal keys."""

    hidden = frozenset()
    unlisted = frozenset()

    def list_tickets(self, call, project_id):
        shown = json.loads(super().list_tickets(call, project_id).get_data())
        away = self.hidden | self.unlisted
        shown["results"] = [row for row in shown["results"] if row["id"] not in away]
        return answer(shown)

    def _found(self, ticket_id):
        record = super()._found(ticket_id)
        if ticket_id in self.hidden:
            said = "You do not have editor access to this resource."
            raise Problem(403, "permission_denied", said)
        return record

    def delete_ticket(self, call, project_id, ticket_id):  # noqa: ARG002
        said = "This action does not support Personal API Key access"
        raise Problem(403, "permission_denied", said)


class Moody(PostHogSandbox):
    """The list of some tickets' messages is refused, whether there is such a ticket or not."""

    moody = frozenset()
    status = 422

    def list_messages(self, call, project_id, ticket_id):
        if ticket_id in self.moody:
            raise Problem(self.status, "invalid", "Something about this call is not right.")
        return super().list_messages(call, project_id, ticket_id)


def made(sandbox=PostHogSandbox, **options):
    bench = PostHogBench(sandbox=sandbox, **options)
    bench.knows = {}
    bench.connector.handles = lambda _entity, ids: {
        each: bench.knows[each] for each in ids if each in bench.knows
    }
    return bench


def numbers(bench):
    return {row["id"]: str(row["ticket_number"]) for row in bench.box.store}


@pytest.fixture(scope="module")
def project():
    """Ten thousand tickets, as on a deployment that does not know `ids`."""
    bench = made(ids_supported=False)
    bench.ids = bench.add(MANY)
    bench.box.edit(bench.ids[3], {"tags": ["billing"]})
    bench.knows = numbers(bench)
    yield bench
    bench.http.close()


def calls_of(bench, ids):
    bench.faulty.calls.clear()
    found = bench.connector.read("ticket", ids)
    assert [each for each in ids if found[each] is None] == []
    return len(bench.faulty.calls)


def test_any_ticket_of_ten_thousand_costs_two_calls_at_most(project):
    asked = [*project.ids[::997], project.ids[3], project.ids[-1]]
    costs = Counter(calls_of(project, [ticket]) for ticket in asked)
    assert max(costs) <= 2
    # The first found out that `ids` is not known, and the tags of a ticket without any are looked
    # into beside one that has some.
    assert {row["unread_team_count"] for row in project.box.store} == {1}
    assert not any(
        url.endswith(f"{ticket}/") for _, url in project.faulty.calls for ticket in asked
    )


def test_the_tags_of_a_ticket_without_any_are_believed_at_that_price(project):
    calls_of(project, [project.ids[3]])
    (ticket,) = project.connector.read("ticket", [project.ids[5000]]).values()
    assert (ticket.data["tags"], ticket.unreadable) == ([], {})


def test_what_has_just_changed_costs_one_call_though_nothing_is_known_of_it(project):
    calls_of(project, [project.ids[0]])
    number = project.knows.pop(project.ids[7000])
    project.touch(project.ids[7000])
    assert calls_of(project, [project.ids[7000]]) <= 2
    project.knows[project.ids[7000]] = number


def test_many_at_once_cost_a_walk_through_the_listing_at_most(project):
    calls_of(project, [project.ids[0]])
    batch = project.ids[100:197]
    assert calls_of(project, batch) <= 25
    assert calls_of(project, project.ids[2000:2003]) <= 5


def test_a_ticket_whose_number_nobody_knows_is_found_all_the_same(project):
    known, project.knows = project.knows, {}
    calls_of(project, [project.ids[0]])
    (ticket,) = project.connector.read("ticket", [project.ids[40]]).values()
    assert ticket.handle == known[project.ids[40]]
    project.knows = known


def test_an_id_that_nobody_has_ends_after_a_few_calls(project):
    calls_of(project, [project.ids[0]])
    stranger = str(uuid.UUID(int=5))
    project.faulty.calls.clear()
    assert project.connector.read("ticket", [stranger]) == {stranger: None}
    assert len(project.faulty.calls) <= 3


def test_a_number_that_lies_finds_nothing_else(project):
    calls_of(project, [project.ids[0]])
    known = project.knows
    project.knows = {**known, project.ids[50]: known[project.ids[51]]}
    found = project.connector.read("ticket", [project.ids[50]])
    assert found[project.ids[50]].ref.id == project.ids[50]
    for odd in ("-1", "1 OR 1", "٣", "9" * 400, ""):
        project.knows = {**known, project.ids[-1]: odd}
        project.touch(project.ids[-1])
        assert project.connector.read("ticket", [project.ids[-1]])[project.ids[-1]]
    project.knows = known


def test_the_number_comes_with_the_hint_and_with_every_record():
    bench = made()
    (one,) = bench.add(1)
    record = bench.connector.read("ticket", [one])[one]
    assert record.handle == "1"
    body = {
        "event": {
            "event": "$conversation_ticket_created",
            "properties": {"ticket_id": one, "ticket_number": 311},
        }
    }
    (hint,) = bench.connector.parse({}, body).hints
    assert (hint.id, hint.handle) == (one, "311")
    for odd in (None, "x", -1, 1.5, [], True):
        body["event"]["properties"]["ticket_number"] = odd
        assert bench.connector.parse({}, body).hints[0].handle == ""


# Not listed


@pytest.fixture(params=[True, False], ids=["ids", "no-ids"])
def restricted(request):
    bench = made(Restricted, ids_supported=request.param)
    bench.ids = bench.add(5)
    bench.knows = numbers(bench)
    yield bench
    bench.http.close()


def test_a_hidden_ticket_is_not_a_deleted_one(restricted):
    hidden, gone = restricted.ids[1:3]
    restricted.remove(gone)
    restricted.box.hidden = {hidden}
    assert restricted.connector.read("ticket", [gone]) == {gone: None}
    with pytest.raises(Withheld, match="let that user edit it"):
        restricted.connector.read("ticket", [hidden])
    assert {row["unread_team_count"] for row in restricted.box.store} == {1}


def test_many_that_are_gone_cost_a_call_each_and_few_more(restricted):
    gone = restricted.ids[:4]
    for ticket in gone:
        restricted.remove(ticket)
    restricted.faulty.calls.clear()
    assert restricted.connector.read("ticket", gone) == dict.fromkeys(gone)
    assert len(restricted.faulty.calls) <= len(gone) + 3


def test_a_ticket_that_is_not_listed_yet_is_read_again(restricted):
    restricted.box.unlisted = {restricted.ids[4]}
    with pytest.raises(NotFound, match="not listed yet"):
        restricted.connector.read("ticket", [restricted.ids[4]])


@pytest.mark.parametrize("left", [4, 0])
def test_where_messages_are_not_listed_nothing_is_concluded(left):
    bench = made(messages_listed=False)
    first, *others = bench.add(5)
    for ticket in [first, *others[left:]]:
        bench.remove(ticket)
    with pytest.raises(Withheld, match="cannot be told here"):
        bench.connector.read("ticket", [first])


@pytest.mark.parametrize("refused", ["first", "other"])
@pytest.mark.parametrize("status", [400, 422])
def test_a_bad_moment_of_the_list_of_messages_is_no_answer(refused, status):
    bench = made(Moody)
    bench.box.status = status
    gone, other = bench.add(2)
    bench.remove(gone)
    bench.box.moody = {gone} if refused == "first" else {other}
    with pytest.raises(NotFound, match="read it again"):
        bench.connector.read("ticket", [gone])
    bench.box.moody = set()
    assert bench.connector.read("ticket", [gone]) == {gone: None}


# What a 403 is about


def ref(ticket):
    return Ref("my-posthog", "ticket", ticket)


def test_a_403_is_of_the_ticket_of_the_action_or_of_the_key(restricted):
    restricted.box.hidden = {restricted.ids[0]}
    with pytest.raises(Withheld, match="editor access"):
        restricted.connector.update(ref(restricted.ids[0]), "patch", {"status": "open"})
    with pytest.raises(Refused, match="does not support Personal API Key") as refused:
        restricted.connector.delete(ref(restricted.ids[1]))
    assert refused.value.status == 403
    restricted.box.options["scopes"] = ["ticket:read"]
    with pytest.raises(Unauthorised, match="ticket:write"):
        restricted.connector.update(ref(restricted.ids[1]), "patch", {"status": "open"})
    with pytest.raises(Unauthorised, match="ticket:write"):
        restricted.connector.create(restricted.draft("m-1"))
    restricted.box.options["project_id"] = "9"
    with pytest.raises(Unauthorised, match="requested project"):
        restricted.connector.update(ref(restricted.ids[1]), "patch", {"status": "open"})
    with pytest.raises(Unauthorised, match="requested project"):
        restricted.connector.ping()
