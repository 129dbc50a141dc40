import pytest

from bridge.sandbox import population
from bridge.sandbox.zaia import ZaiaSandbox
from bridge.sandbox.zaia_rows import SERVICE_USER
from tests.sandbox.conftest import session_for

BASE = "http://zaia.test/api/v1"
MARY = ZaiaSandbox.agent_id(population.AGENTS[0])
NOBODY = "00000000-0000-4000-8000-0000000000ee"


@pytest.fixture
def zaia(clock, sequence):
    return ZaiaSandbox(clock, 4, sequence=sequence)


@pytest.fixture
def to_zaia(zaia, clock):
    session = session_for(zaia, clock)
    session.headers["Authorization"] = zaia.api_key
    return session


def made(zaia, **fields):
    return zaia.create({"summary": "x", "ownerEmail": "c@customer.example", **fields})["id"]


def listed(to_zaia, status="pending", **params):
    return to_zaia.get(f"{BASE}/tickets/details", params={"status": status, **params})


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()]


def forbidden(zaia):
    return [entry.note for entry in zaia.journal.since() if entry.note.startswith("forbidden")]


@pytest.mark.parametrize("header", ["Bearer {}", "Token {}", "x{}", ""])
def test_the_key_goes_bare(zaia, to_zaia, header):
    to_zaia.headers["Authorization"] = header.format(zaia.api_key)
    assert listed(to_zaia).status_code == 401


@pytest.mark.parametrize("status", [None, "", "open", "pending,ongoing", "PENDING"])
def test_a_listing_wants_one_status_that_there_is(to_zaia, status):
    assert listed(to_zaia, status=status).status_code == 400


@pytest.mark.parametrize(
    ("name", "value"), [("pageSize", 0), ("pageSize", 101), ("pageNumber", 0), ("pageSize", "x")]
)
def test_pages_keep_their_bounds(to_zaia, name, value):
    assert listed(to_zaia, **{name: value}).status_code == 400


def test_a_listing_is_a_bare_array_of_its_status_that_ends_without_saying_so(zaia, to_zaia):
    assert listed(to_zaia).json() == []
    pending, done = {made(zaia) for _ in range(11)}, made(zaia, status="completed")
    first, second, third = (listed(to_zaia, pageNumber=number) for number in (1, 2, 3))
    assert [len(first.json()), len(second.json()), third.json()] == [10, 1, []]
    assert {*ids(first), *ids(second)} == pending
    assert "Link" not in first.headers
    assert ids(listed(to_zaia, status="completed")) == [done]


def test_rows_move_to_the_front_when_they_change_so_that_pages_drift(zaia, to_zaia, clock):
    made_here = []
    for _ in range(4):
        clock.sleep(1)
        made_here.append(made(zaia))
    first = ids(listed(to_zaia, pageSize=2))
    clock.sleep(1)
    zaia.edit(made_here[0], {"summary": "changed"})
    second = ids(listed(to_zaia, pageSize=2, pageNumber=2))
    assert first == [made_here[3], made_here[2]]
    assert second == [made_here[2], made_here[1]]
    assert made_here[0] not in first + second


def test_tags_are_shown_nowhere_and_only_filter_a_listing(zaia, to_zaia):
    one, other = made(zaia, tags=["VIP"]), made(zaia, tags=["billing"])
    vip, billing = zaia.tags["VIP"], zaia.tags["billing"]
    shown = to_zaia.get(f"{BASE}/tickets/{one}/details").json()
    assert (listed(to_zaia).text + str(shown)).count("VIP") == 0
    assert not {"tags", "updatedAt"} & shown.keys()
    assert ids(listed(to_zaia, tagIds=vip)) == [one]
    assert set(ids(listed(to_zaia, tagIds=[vip, billing]))) == {one, other}
    assert ids(listed(to_zaia, tagIds=NOBODY)) == []
    zaia.configure({"tag_filter": False})
    assert set(ids(listed(to_zaia, tagIds=NOBODY))) == {one, other}


def test_tickets_of_removed_chats_are_hidden_unless_asked_for(zaia, to_zaia):
    one = made(zaia)
    zaia.edit(one, {"chatIsRemoved": True})
    assert ids(listed(to_zaia)) == []
    assert ids(listed(to_zaia, includeRemoved="true")) == [one]


def test_a_write_answers_with_the_other_shape(zaia, to_zaia):
    one = made(zaia)
    row = to_zaia.patch(f"{BASE}/tickets/{one}/takeover", json={"assigneeId": MARY}).json()
    assert (row["status"], row["assigneeId"], row["circumstance"]) == ("ongoing", MARY, "takeover")
    assert row["ongoingAt"] == row["updatedAt"]
    assert not {"assigneeEmail", "ownerEmail", "tags"} & row.keys()


@pytest.mark.provokes
@pytest.mark.parametrize(("again", "status"), [("refused", 400), ("restamped", 200)])
def test_what_is_complete_stays_so_and_touching_it_is_on_record(
    zaia, to_zaia, clock, again, status
):
    zaia.configure({"complete_again": again})
    one = made(zaia, status="ongoing", assigneeId=MARY)
    done = to_zaia.patch(f"{BASE}/tickets/{one}/complete", json={"userId": MARY}).json()
    assert (done["status"], forbidden(zaia)) == ("completed", [])
    clock.sleep(60)
    assert (
        to_zaia.patch(f"{BASE}/tickets/{one}/complete", json={"userId": MARY}).status_code == status
    )
    assert (
        to_zaia.patch(f"{BASE}/tickets/{one}/takeover", json={"assigneeId": MARY}).status_code
        == 400
    )
    row = to_zaia.get(f"{BASE}/tickets/{one}/details").json()
    assert row["status"] == "completed"
    assert (row["completedAt"] == done["completedAt"]) is (again == "refused")
    assert forbidden(zaia) == [
        "forbidden in this state: complete of a completed ticket",
        "forbidden in this state: takeover of a completed ticket",
    ]


@pytest.mark.parametrize("who", [None, "", "mary", NOBODY])
def test_nobody_can_be_assigned(zaia, to_zaia, who):
    one = made(zaia, assigneeId=MARY)
    for verb, name in (
        ("assignee", "assigneeId"),
        ("takeover", "assigneeId"),
        ("complete", "userId"),
    ):
        assert to_zaia.patch(f"{BASE}/tickets/{one}/{verb}", json={name: who}).status_code in {
            400,
            404,
        }
    row = to_zaia.get(f"{BASE}/tickets/{one}/details").json()
    assert (row["status"], row["assigneeId"]) == ("pending", MARY)


@pytest.mark.provokes
def test_a_ticket_needs_a_chat_that_there_is_and_a_second_one_is_on_record(zaia, to_zaia):
    chat = zaia.open_chat("c@customer.example", "About something")
    body = {
        "chatId": chat,
        "ticketingTeamId": None,
        "assigneeId": SERVICE_USER,
        "status": "pending",
    }
    assert to_zaia.post(f"{BASE}/tickets", json={**body, "chatId": NOBODY}).status_code == 404
    assert to_zaia.post(f"{BASE}/tickets", json={**body, "assigneeId": None}).status_code == 400
    assert to_zaia.post(f"{BASE}/tickets", json={**body, "status": "new"}).status_code == 400
    assert zaia.tickets() == []
    first = to_zaia.post(f"{BASE}/tickets", json=body).json()
    assert (first["chatId"], forbidden(zaia)) == (chat, [])
    assert to_zaia.post(f"{BASE}/tickets", json=body).json()["id"] != first["id"]
    assert forbidden(zaia) == ["forbidden: a second create on a chat"]


def test_attaching_twice_and_detaching_what_is_not_there_is_as_configured(zaia, to_zaia):
    one = made(zaia, tags=["VIP"])
    made(zaia, tags=["billing"])
    vip, billing = zaia.tags["VIP"], zaia.tags["billing"]
    url = f"{BASE}/tickets/{one}/tags"
    assert to_zaia.post(url, json={"tagId": vip}).status_code == 409
    assert to_zaia.delete(f"{url}/{billing}").status_code == 404
    assert to_zaia.post(url, json={"tagId": NOBODY}).status_code == 404
    zaia.configure({"attach_again": 200, "detach_missing": 200})
    assert to_zaia.post(url, json={"tagId": vip}).json()["ticketId"] == one
    assert to_zaia.delete(f"{url}/{billing}").json().keys() == {"message"}
    assert zaia.store.get(one)["tags"] == ["VIP"]


def test_a_ticket_cannot_be_deleted(zaia, to_zaia):
    one = made(zaia)
    assert to_zaia.delete(f"{BASE}/tickets/{one}").status_code in {404, 405}
    assert zaia.store.get(one)["id"] == one
