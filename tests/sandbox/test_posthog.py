import pytest

from tests.sandbox.conftest import session_for
from tests.sandbox.played import POSTHOG, SWITCH, marker_tag


def human_ticket(posthog, **fields):
    return posthog.create(
        {"anonymous_traits": {"email": "ann@example.com"}, "unread_team_count": 2, **fields}
    )["id"]


def one(to_posthog, ticket_id):
    rows = to_posthog.get(f"{POSTHOG}/").json()["results"]
    return next(row for row in rows if row["id"] == ticket_id)


def test_no_key_wrong_key_wrong_project_and_missing_scope_are_told_apart(posthog, to_posthog):
    session = session_for(posthog)
    del session.headers["Authorization"]
    answer = session.get(POSTHOG)
    assert answer.status_code == 401
    assert answer.json() == {
        "type": "authentication_error",
        "code": "not_authenticated",
        "detail": "Authentication credentials were not provided.",
        "attr": None,
    }
    session.headers["Authorization"] = "Bearer other"
    assert session.get(POSTHOG).json()["code"] == "authentication_failed"
    assert to_posthog.get(POSTHOG.replace("12345", "1")).json()["code"] == "permission_denied"
    posthog.configure({"scopes": ["ticket:read"]})
    assert (
        to_posthog.post(POSTHOG, json={}).json()["detail"]
        == "API key missing required scope 'ticket:write'"
    )


@pytest.mark.provokes
def test_reading_one_ticket_marks_it_as_read_and_listing_does_not(posthog, to_posthog):
    ticket = human_ticket(posthog)
    before = one(to_posthog, ticket)
    assert to_posthog.get(f"{POSTHOG}/unread_count/").json() == {"count": 2}
    assert to_posthog.get(f"{POSTHOG}/{ticket}/").json()["unread_team_count"] == 0
    assert to_posthog.get(f"{POSTHOG}/unread_count/").json() == {"count": 0}
    assert one(to_posthog, ticket)["updated_at"] == before["updated_at"]
    notes = [entry.note for entry in posthog.journal.since() if entry.note]
    assert notes == ["forbidden: marks the ticket as read by the team"]


def test_unsupported_ids_and_bad_filters_return_everything(posthog, to_posthog):
    first, _ = human_ticket(posthog), human_ticket(posthog, status="pending")
    posthog.configure({"ids_supported": True})
    assert to_posthog.get(POSTHOG, params={"ids": first}).json()["count"] == 1
    assert to_posthog.get(POSTHOG, params={"status": "pending"}).json()["count"] == 1
    assert (
        to_posthog.get(POSTHOG, params={"status": "penidng", "date_from": "never"}).json()["count"]
        == 2
    )
    posthog.configure({"ids_supported": False})
    assert to_posthog.get(POSTHOG, params={"ids": first}).json()["count"] == 2


def test_the_list_is_paged_and_sorted(posthog, to_posthog, clock):
    ids = []
    for _ in range(3):
        ids.append(human_ticket(posthog))
        clock.sleep(1)
    page = to_posthog.get(POSTHOG, params={"limit": 2, "order_by": "updated_at"}).json()
    assert [row["id"] for row in page["results"]] == ids[:2]
    assert (page["count"], page["previous"]) == (3, None)
    assert [row["id"] for row in to_posthog.get(page["next"]).json()["results"]] == ids[:1]
    assert [row["id"] for row in to_posthog.get(POSTHOG).json()["results"]] == ids[::-1]
    edge = one(to_posthog, ids[1])["updated_at"]
    assert to_posthog.get(POSTHOG, params={"date_from": edge}).json()["count"] == 2
    assert to_posthog.get(POSTHOG, params={"date_to": edge}).json()["count"] == 2


def test_every_patch_moves_updated_at_and_a_message_can_move_it_back(posthog, to_posthog, clock):
    ticket = human_ticket(posthog)
    start = one(to_posthog, ticket)["updated_at"]
    clock.sleep(0.000007)
    to_posthog.patch(f"{POSTHOG}/{ticket}/", json={})
    moved = one(to_posthog, ticket)["updated_at"]
    assert moved > start
    assert posthog.journal.since()[-2].after == {}
    posthog.message(ticket, "one more thing", seconds_ago=60)
    assert one(to_posthog, ticket)["updated_at"] < start


def test_tags_are_cleaned_and_need_a_licence(posthog, to_posthog):
    ticket = human_ticket(posthog)
    url = f"{POSTHOG}/{ticket}/"
    assert to_posthog.patch(url, json={"tags": [" VIP ", "vip", "Zoo"]}).json()["tags"] == [
        "vip",
        "zoo",
    ]
    posthog.configure({"tags_licensed": False})
    answer = to_posthog.patch(url, json={"tags": ["other"]})
    assert (answer.status_code, answer.json()["tags"]) == (200, [])
    assert posthog.journal.since()[-1].ignored == ("tags",)
    posthog.edit(ticket, {"add_tags": ["by hand"]})  # people have no box for them either
    assert posthog.journal.since()[-1].after == {}
    posthog.configure({"tags_licensed": True})
    assert one(to_posthog, ticket)["tags"] == ["vip", "zoo"]


def test_bulk_tags_add_and_remove_without_replacing(posthog, to_posthog):
    ticket = human_ticket(posthog, tags=["a", "b"])
    for action, tags in (("add", ["C"]), ("remove", ["a"])):
        body = {"ids": [ticket], "action": action, "tags": tags}
        assert to_posthog.post(f"{POSTHOG}/bulk_update_tags/", json=body).json() == {"updated": 1}
    assert one(to_posthog, ticket)["tags"] == ["b", "c"]


@pytest.mark.parametrize("status", [201, 405, 500])
def test_a_create_is_answered_as_documented_or_as_seen(posthog, to_posthog, status):
    posthog.configure({"post": status})
    body = {
        "status": "open",
        "anonymous_traits": {"email": "ann@example.com", "bridge_marker": "m1"},
        "title": "x",
    }
    answer = to_posthog.post(f"{POSTHOG}/", json=body)
    assert answer.status_code == status
    assert len(posthog.store) == (1 if status == 201 else 0)
    if status == 201:
        assert answer.json()["anonymous_traits"]["bridge_marker"] == "m1"
        assert "subject" not in answer.json()
        assert posthog.journal.since()[-1].ignored == ("title",)


def test_a_tag_of_a_humans_that_begins_like_a_marker_may_stand_on_many_copies(switch, to_switch):
    for _ in range(2):
        body = {"subject": "x", "tags": ["bridge-outage", "bridge-2"]}
        to_switch.post(f"{SWITCH}/tickets", json=body)
    assert [entry.note for entry in switch.journal.since()] == ["", ""]


@pytest.mark.provokes
def test_one_marker_made_twice_is_on_record(posthog, to_posthog, switch, to_switch):
    for marker in ("m1", "m2", "m1"):
        to_posthog.post(f"{POSTHOG}/", json={"anonymous_traits": {"bridge_marker": marker}})
        to_switch.post(
            f"{SWITCH}/tickets", json={"subject": "x", "tags": ["vip", marker_tag(marker)]}
        )
    for _ in range(2):
        to_posthog.post(f"{POSTHOG}/", json={"anonymous_traits": {}})
        to_switch.post(f"{SWITCH}/tickets", json={"subject": "x", "tags": ["vip"]})
    for app in (posthog, switch):
        assert [entry.note for entry in app.journal.since()] == [
            "",
            "",
            "forbidden: one thing made twice",
            "",
            "",
        ]


def test_an_assignee_must_be_a_member_and_can_be_cleared(posthog, to_posthog):
    url = f"{POSTHOG}/{human_ticket(posthog)}/"
    bad = to_posthog.patch(url, json={"assignee": {"type": "user", "id": 999}})
    assert (bad.status_code, bad.json()["attr"]) == (400, "assignee")
    good = to_posthog.patch(url, json={"assignee": {"type": "user", "id": 11}}).json()
    assert good["assignee"]["user"]["email"] == "mary@support.example"
    assert to_posthog.patch(url, json={"assignee": None}).json()["assignee"] is None


@pytest.mark.parametrize(
    "body", [{"status": "closed"}, {"priority": "urgent"}, {"anonymous_traits": 1}]
)
def test_bad_values_are_validation_errors(posthog, to_posthog, body):
    answer = to_posthog.patch(f"{POSTHOG}/{human_ticket(posthog)}/", json=body)
    assert (answer.status_code, answer.json()["type"]) == (400, "validation_error")


def test_a_snooze_moves_the_status(posthog, to_posthog):
    url = f"{POSTHOG}/{human_ticket(posthog, status='pending')}/"
    assert (
        to_posthog.patch(url, json={"snoozed_until": "2026-04-01T00:00:00Z"}).json()["status"]
        == "on_hold"
    )
    assert to_posthog.patch(url, json={"snoozed_until": None}).json()["status"] == "open"


def test_a_delete_is_final(posthog, to_posthog):
    ticket = human_ticket(posthog)
    answer = to_posthog.delete(f"{POSTHOG}/{ticket}/")
    assert (answer.status_code, answer.content) == (204, b"")
    assert to_posthog.delete(f"{POSTHOG}/{ticket}/").json()["code"] == "not_found"
    assert len(posthog.store) == 0


@pytest.mark.provokes
def test_composing_is_journalled_as_forbidden(posthog, to_posthog):
    assert to_posthog.post(f"{POSTHOG}/compose/", json={"message": "hi"}).status_code == 400
    assert posthog.journal.since()[-1].note == "forbidden: would e-mail the customer"
