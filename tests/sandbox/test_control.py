import pytest

from bridge.sandbox.human_edits import edits
from bridge.sandbox.population import tickets

CONTROL = "http://switch.test/_control"


def post(to_switch, route, **body):
    answer = to_switch.post(f"{CONTROL}/{route}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_a_human_creates_edits_and_deletes_and_all_of_it_is_journalled(to_switch):
    made = post(to_switch, "tickets", subject="Help", tags=["Old", "keep"])
    edited = post(
        to_switch,
        "edit",
        id=made["id"],
        fields={"status": "open", "add_tags": ["x"], "remove_tags": ["old"]},
    )
    assert (edited["status"], edited["tags"]) == ("open", ["keep", "x"])
    assert [row["id"] for row in to_switch.get(f"{CONTROL}/tickets").json()["data"]] == [made["id"]]
    post(to_switch, "delete", id=made["id"])
    rows = to_switch.get(f"{CONTROL}/journal", params={"since": 1}).json()["data"]
    assert [(row["seq"], row["kind"], row["actor"]) for row in rows] == [
        (2, "edit", "human"),
        (3, "delete", "human"),
    ]
    assert (rows[0]["before"], rows[0]["after"]) == (
        {"status": "new", "tags": ["Old", "keep"]},
        {"status": "open", "tags": ["keep", "x"]},
    )
    assert rows[0]["record"]["subject"] == "Help"


def test_a_list_has_a_line_for_each_record_so_that_people_can_read_it(to_switch):
    ids = post(to_switch, "populate", n=3)
    lines = to_switch.get(f"{CONTROL}/tickets").text.splitlines()
    assert [next((name for name in ids if name in line), "") for line in lines] == ["", *ids, ""]


def test_faults_and_options_are_set_and_shown(switch, to_switch):
    assert post(to_switch, "faults", throttle=0.5)["shares"] == {"throttle": 0.5}
    assert post(to_switch, "options", patch_tags=False)["patch_tags"] is False
    assert switch.options["patch_tags"] is False
    switch.faults.set({})


@pytest.mark.parametrize(
    ("route", "body", "status", "text"),
    [
        ("faults", {"fire": 1}, 400, "unknown fault 'fire'"),
        ("options", {"colour": 1}, 400, "unknown option colour"),
        ("edit", {"id": "tkt_0", "fields": {}}, 404, "not found"),
        ("edit", {}, 400, "'id' is missing"),
        ("nothing", {}, 404, "allowed: GET tickets"),
    ],
)
def test_mistakes_are_named(to_switch, route, body, status, text):
    answer = to_switch.post(f"{CONTROL}/{route}", json=body)
    assert (answer.status_code, text in answer.json()["error"]) == (status, True)


def test_a_population_is_the_same_for_the_same_seed(switch, posthog, to_switch):
    ids = post(to_switch, "populate", n=30, seed=5)
    assert len(ids) == len(set(ids)) == len(switch.store) == 30
    posthog.populate(30, 6)
    here = {record["customer"]["email"] for record in switch.tickets()}
    there = {record["anonymous_traits"]["email"] for record in posthog.tickets()}
    assert (len(here), len(there), here & there) == (30, 30, set())
    assert tickets(30, 5) == tickets(30, 5)
    shared = [record["updated_at"] for record in switch.tickets()]
    assert len(set(shared)) < len(shared)


def test_edits_contain_conflicts_and_can_be_made(switch, posthog):
    apps = {"switch": switch, "posthog": posthog}
    ids = {name: app.populate(8, 1) for name, app in apps.items()}
    where = [("switch", "posthog")] * 6 + [("switch",), ("posthog",)]
    stream = edits(200, 4, where)
    assert len(stream) == 200
    assert edits(200, 4, where) == stream
    assert all(edit.system in where[edit.ticket] for edit in stream)
    against = [edit for edit in stream if edit.conflicting]
    assert len(against) >= 20
    for burst in {edit.burst for edit in against}:
        one, other = (edit for edit in against if edit.burst == burst)
        assert (one.ticket, one.field) == (other.ticket, other.field)
        assert one.system != other.system
        assert one.fields != other.fields
    for edit in stream:
        apps[edit.system].edit(ids[edit.system][edit.ticket], edit.fields)
