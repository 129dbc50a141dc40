"""What is written behind a door: all else that stands there has to stay as it is."""

from __future__ import annotations

import json

import pytest

from bridge.core.model.values import NO_NUMBER, Ref
from bridge.errors import NotFound, Refused, Unsupported
from tests.connectors.switch_bench import CustomerBench
from tests.connectors.test_posthog import PostHogBench
from tests.connectors.test_switch import SwitchBench

DEEP = json.loads("[" * 60 + "]" * 60)


class Place:
    """A bench, the object behind its door, and how a person changes that object."""

    def __init__(self, bench, entity, door):
        self.bench, self.entity, self.door = bench, entity, door
        (self.id,) = bench.add(1)
        self.ref = Ref(bench.connector.connection.name, entity, self.id)

    @property
    def store(self):
        box = self.bench.box
        return box.others["customer"] if self.entity == "customer" else box.store

    def put(self, value):
        """Put an object there, whatever it is."""
        self.store.put({**self.store.get(self.id), self.door: value})

    def write(self, **names):
        values = {f"{self.door}.{name}": value for name, value in names.items()}
        return self.bench.connector.update(self.ref, "patch", values)

    @property
    def there(self):
        return self.store.get(self.id)[self.door]


PLACES = {
    "switch ticket": lambda **options: Place(SwitchBench(**options), "ticket", "custom_fields"),
    "switch customer": lambda **options: Place(
        CustomerBench(**options), "customer", "custom_fields"
    ),
    "posthog ticket": lambda **options: Place(
        PostHogBench(**options), "ticket", "anonymous_traits"
    ),
}


@pytest.fixture(params=PLACES)
def place(request):
    return PLACES[request.param]()


MERGING = [("switch ticket", "merge"), ("switch customer", True), ("switch ticket", True)]


@pytest.mark.parametrize("value", ["a", "", 0, 1.5, False, None, ["a"], {"b": [1]}])
def test_a_name_is_set_and_the_others_stay(place, value):
    place.put({"plan": "gold", "old": [1, {"x": None}]})
    shown = place.write(own=value)
    assert place.there == {"plan": "gold", "old": [1, {"x": None}], "own": value}
    assert shown.data[place.door]["own"] == value


@pytest.mark.parametrize(("name", "patched"), MERGING)
def test_it_is_the_same_where_a_write_keeps_what_it_leaves_out(name, patched):
    place = PLACES[name](patch_custom_fields=patched)
    place.put({"plan": "gold"})
    place.write(own="a", other=2)
    assert place.there == {"plan": "gold", "own": "a", "other": 2}
    place.write(own=None)
    assert place.there == {"plan": "gold", "own": None, "other": 2}


def test_where_nothing_is_there_yet_it_begins(place):
    for nothing in ({}, None):
        place.put(nothing)
        place.write(own="a")
        assert place.there == {"own": "a"}


@pytest.mark.parametrize(
    ("there", "why"),
    [
        ("text", "has something else in"),
        ([1], "has something else in"),
        ({"deep": DEEP}, "nested too deeply"),
        ({"long": "x" * 300_000}, "too large"),
        ({f"n{number}": number for number in range(30_000)}, "too large"),
        ({"score": float("nan")}, "that JSON does not have"),
        ({"scores": [1, {"x": float("inf")}]}, "that JSON does not have"),
        (NO_NUMBER, "that JSON does not have"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_what_cannot_be_sent_back_as_it_is_is_left_alone(place, there, why):
    place.put(there)
    with pytest.raises(Refused, match=why) as refused:
        place.write(own="a")
    assert len(str(refused.value)) < 300
    assert place.bench.box.journal.since()[-1].kind == "read"


def test_beside_a_field_of_its_own_both_are_written_by_one_call():
    place = PLACES["switch ticket"]()
    place.put({"plan": "gold"})
    values = {"status": "pending", "custom_fields.own": "a"}
    shown = place.bench.connector.update(place.ref, "patch", values)
    assert (shown.data["status"], place.there) == ("pending", {"plan": "gold", "own": "a"})
    assert [row.kind for row in place.bench.box.journal.since()[-2:]] == ["read", "write"]


@pytest.mark.parametrize(
    "key",
    [
        "anonymous_traits.bridge_marker",
        "anonymous_traits.email",
        "anonymous_traits.subject",
        "anonymous_traits.own.deeper",
        "anonymous_traits",
        "anonymous_traits.",
        f"anonymous_traits.{'x' * 61}",
        "session_context.own",
    ],
)
def test_what_is_behind_no_door_is_not_sent(key):
    place = PLACES["posthog ticket"]()
    with pytest.raises(Unsupported):
        place.bench.connector.update(place.ref, "patch", {key: "a"})


def test_our_marker_stays_and_is_still_hidden():
    bench = PostHogBench()
    made = bench.connector.create(bench.draft("m-0042"))
    before = bench.box.store.get(made.ref.id)["anonymous_traits"]
    assert before["bridge_marker"] == "m-0042"
    bench.connector.update(made.ref, "patch", {"anonymous_traits.own": "a"})
    assert bench.box.store.get(made.ref.id)["anonymous_traits"] == {**before, "own": "a"}


def test_a_listing_that_is_behind_takes_back_nothing_that_was_just_written():
    place = PLACES["posthog ticket"](list_lag=5.0)
    place.put({"email": "a@x.io"})
    place.bench.clock.sleep(60)
    for number in range(4):
        place.bench.clock.sleep(0.2)
        place.write(**{f"own{number}": number})
    ours = {"own0": 0, "own1": 1, "own2": 2, "own3": 3}
    assert place.there == {"email": "a@x.io", **ours}
    # What a person has changed since is not taken back either, once it is listed.
    place.bench.box.edit(place.id, {"anonymous_traits": {"email": "b@x.io"}})
    place.bench.clock.sleep(60)
    place.write(own="a")
    assert place.there == {"email": "b@x.io", **ours, "own": "a"}


def test_the_read_by_which_a_write_is_decided_is_not_made_twice():
    place = PLACES["posthog ticket"]()
    place.put({"email": "a@x.io"})

    def calls_of(act):
        before = len(place.bench.box.journal.since())
        act()
        return [row.kind for row in place.bench.box.journal.since()[before:]]

    def read():
        place.bench.connector.read("ticket", [place.id])

    alone = calls_of(read)
    read()
    assert calls_of(lambda: place.write(own="a")) == ["write"]
    assert set(alone) == {"read"}
    # Once, for one write, and a moment after: else it is read anew.
    assert calls_of(lambda: place.write(own="b")) == ["read", "write"]
    place.bench.connector.read("ticket", [place.id])
    place.bench.box.edit(place.id, {"anonymous_traits": {"email": "b@x.io"}})
    place.bench.clock.sleep(3)
    place.write(own="c")
    assert place.there == {"email": "b@x.io", "own": "c"}


def test_nothing_is_written_to_what_is_gone(place):
    place.put({})
    if place.entity == "customer":
        place.store.drop(place.id)
    else:
        place.bench.box.delete(place.id)
    with pytest.raises(NotFound):
        place.write(own="a")
