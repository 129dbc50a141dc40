import pytest

from tests.sandbox.conftest import session_for
from tests.sandbox.played import SWITCH


def create(to_switch, **fields):
    answer = to_switch.post(f"{SWITCH}/tickets", json={"subject": "Help", **fields})
    assert answer.status_code == 201
    return answer.json()["data"]


def test_a_wrong_key_is_refused_in_the_documented_envelope(switch):
    session = session_for(switch)
    session.headers["Authorization"] = "Bearer wrong"
    answer = session.get(f"{SWITCH}/tickets")
    assert answer.status_code == 401
    assert answer.json() == {
        "error": {"code": "UNAUTHORIZED", "message": "Invalid or missing API key", "details": {}}
    }


def test_a_new_ticket_is_medium_and_its_row_is_partial(to_switch):
    made = create(
        to_switch,
        description="Long story",
        customer_email="ann@example.com",
        tags=["VIP", "bridge-m1"],
    )
    assert (made["priority"], made["status"], made["assignee"]) == ("medium", "new", None)
    assert made["description"] == "Long story"
    row = to_switch.get(f"{SWITCH}/tickets").json()["data"][0]
    assert row["tags"] == ["VIP", "bridge-m1"]
    assert "description" not in row
    assert "custom_fields" not in row
    assert row["customer"]["email"] == "ann@example.com"


@pytest.mark.parametrize(
    ("word", "shown"), [("medium", "medium"), ("normal", "medium"), ("high", "high")]
)
def test_medium_and_normal_are_the_same_priority(to_switch, word, shown):
    made = create(to_switch, priority="low")
    to_switch.patch(f"{SWITCH}/tickets/{made['id']}", json={"priority": word})
    assert to_switch.get(f"{SWITCH}/tickets/{made['id']}").json()["data"]["priority"] == shown


def test_the_same_customer_is_not_created_twice(to_switch):
    first, second = (
        create(to_switch, customer_email="ann@example.com")["customer"] for _ in range(2)
    )
    assert first["id"] == second["id"]
    found = to_switch.get(f"{SWITCH}/customers", params={"email": "ann@example.com"}).json()["data"]
    assert [row["id"] for row in found] == [first["id"]]


def test_rows_that_share_the_boundary_second_are_skipped_by_the_cursor(to_switch, clock):
    ids = [create(to_switch)["id"] for _ in range(3)]
    clock.sleep(5)
    ids.append(create(to_switch)["id"])
    params = {"limit": 2, "order_by": "updated_at", "order_dir": "asc"}
    first = to_switch.get(f"{SWITCH}/tickets", params=params).json()
    second = to_switch.get(
        f"{SWITCH}/tickets", params=params | {"cursor": first["meta"]["next_cursor"]}
    ).json()
    assert [row["id"] for row in first["data"]] == ids[:2]
    assert [row["id"] for row in second["data"]] == ids[3:]
    assert (first["meta"]["total"], second["meta"]["next_cursor"]) == (4, None)


def test_tags_filter_takes_a_comma_separated_list(switch, to_switch):
    one, two = create(to_switch, tags=["a"])["id"], create(to_switch, tags=["a", "b"])["id"]
    create(to_switch, tags=["c"])

    def listed():
        return {
            row["id"]
            for row in to_switch.get(f"{SWITCH}/tickets", params={"tags": "a,b"}).json()["data"]
        }

    assert listed() == {one, two}
    switch.configure({"tags_match": "all"})
    assert listed() == {two}


@pytest.mark.parametrize(
    ("option", "body", "name", "honoured", "kept"),
    [
        ("patch_tags", {"tags": ["new"]}, "tags", ["new"], ["old"]),
        ("patch_subject", {"subject": "Other"}, "subject", "Other", "Help"),
        ("null_assignee", {"assignee_id": None}, "assignee", None, "usr_1"),
    ],
)
def test_undocumented_changes_are_honoured_or_ignored_as_the_option_says(
    switch, to_switch, option, body, name, honoured, kept
):
    made = create(to_switch, tags=["old"])
    url = f"{SWITCH}/tickets/{made['id']}"
    to_switch.patch(url, json={"assignee_id": "usr_1"})
    switch.configure({option: False})
    after = to_switch.patch(url, json=body).json()["data"][name]
    assert (after["id"] if name == "assignee" else after) == kept
    assert switch.journal.since()[-1].ignored == tuple(body)
    switch.configure({option: True})
    assert to_switch.patch(url, json=body).json()["data"][name] == honoured


def test_a_delete_is_soft_and_looks_final(switch, to_switch):
    url = f"{SWITCH}/tickets/{create(to_switch)['id']}"
    assert to_switch.delete(url).status_code == 204
    assert to_switch.get(url).status_code == 404
    assert to_switch.delete(url).json()["error"]["code"] == "NOT_FOUND"
    assert to_switch.get(f"{SWITCH}/tickets").json()["data"] == []
    assert len(switch.store) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"status": "on_hold"},
        {"priority": "critical"},
        {"assignee_id": "nobody"},
        {"tags": "a"},
        {"subject": ""},
    ],
)
def test_bad_values_are_bad_requests(to_switch, body):
    answer = to_switch.patch(f"{SWITCH}/tickets/{create(to_switch)['id']}", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BAD_REQUEST")


def test_too_many_calls_are_told_when_to_come_back(switch, to_switch, clock):
    switch.configure({"rate": [2, 10]})
    statuses = [to_switch.get(f"{SWITCH}/users").status_code for _ in range(3)]
    answer = to_switch.get(f"{SWITCH}/users")
    assert statuses == [200, 200, 429]
    assert (answer.json()["error"]["code"], answer.headers["Retry-After"]) == (
        "TOO_MANY_REQUESTS",
        "2",
    )
    clock.sleep(10)
    assert to_switch.get(f"{SWITCH}/users").status_code == 200


def test_agents_can_be_read_and_not_written(to_switch):
    users = to_switch.get(f"{SWITCH}/users").json()["data"]
    assert {"usr_1", "usr_2"} <= {user["id"] for user in users}
    assert to_switch.post(f"{SWITCH}/users", json={"name": "x"}).status_code == 405


def test_conversations_are_sent_as_content_and_read_as_content_text(to_switch):
    ticket = create(to_switch)["id"]
    body = {"ticket_id": ticket, "content": "Hello", "type": "note", "internal": True}
    made = to_switch.post(f"{SWITCH}/conversations", json=body).json()["data"]
    assert made["content_text"] == "Hello"
    listed = to_switch.get(
        f"{SWITCH}/conversations", params={"ticket_id": ticket, "internal": "true"}
    ).json()["data"]
    assert [row["id"] for row in listed] == [made["id"]]
