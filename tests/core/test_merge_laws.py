"""Laws that hold for whatever the sides show."""

import copy

from hypothesis import example, settings
from hypothesis import given as drawn
from hypothesis import strategies as st

from bridge.core.model.values import ABSENT, Unreadable
from tests.core.builders import attempt, kinds, level, link, look, rules, value

STATUSES = {
    "L": ["new", "open", "pending", "on_hold", "resolved", "closed"],
    "H": ["new", "open", "in_progress", "pending", "resolved", "closed", "snoozed"],
    "P": ["new", "open", "pending", "on_hold", "resolved"],
    "Z": ["waiting", "ongoing", "done"],
}
TAGS = st.lists(st.sampled_from(["a", "b", "c", "VIP", "vip", 7]), max_size=4)
POLICIES = st.sampled_from(
    [
        rules(),
        rules("manual"),
        rules("first"),
        rules("owner", owner="L"),
        rules("owner", owner="P", revert=False),
    ]
)


@st.composite
def reads(draw):
    name = draw(st.sampled_from("LHPZ"))
    odd = st.sampled_from([None, ABSENT, Unreadable("withheld")])
    return name, {
        "status": draw(st.sampled_from(STATUSES[name]) | odd),
        "priority": draw(st.sampled_from(["low", "normal", "high"]) | odd),
        "tags": draw(TAGS | odd),
        "version": draw(st.sampled_from([None, "1", "2"])),
        "before": draw(st.none() | st.integers(0, 40)),
    }


@settings(deadline=None)
@drawn(st.lists(reads(), min_size=1, max_size=8), POLICIES)
@example([("Z", {"status": "ongoing"}), ("L", {"status": "pending"})], rules("manual"))
def test_absorbing_the_same_read_twice_changes_nothing_the_second_time(history, under):
    mirrored = link("L", "H", "P", "Z")
    for number, (name, values) in enumerate(history):
        look(mirrored, name, number, under=under, **values)
        before = copy.deepcopy(mirrored)
        assert look(mirrored, name, number, under=under, **values) == []
        assert mirrored == before


@settings(deadline=None)
@drawn(st.lists(reads(), min_size=1, max_size=8), POLICIES)
def test_a_revision_never_falls_and_no_side_is_ahead_of_the_state(history, under):
    mirrored = link("L", "H", "P", "Z")
    revs: dict[str, int] = {}
    for number, (name, values) in enumerate(history):
        look(mirrored, name, number, under=under, **values)
        for field, state in mirrored.state.items():
            assert state.rev >= revs.get(field, 0)
            revs[field] = state.rev
            assert all(
                side.fields[field].level <= state.rev
                for side in mirrored.sides.values()
                if field in side.fields
            )


@settings(deadline=None)
@drawn(st.lists(reads(), min_size=1, max_size=8), POLICIES)
def test_a_losing_edit_is_always_on_record(history, under):
    """An edit becomes the state, agrees with it, waits, or is on a line that shows its value."""
    mirrored = level("L", "H", "P", "Z", under=under, priority=None)
    for number, (name, values) in enumerate(history, start=1):
        old = mirrored.sides[name].fields["priority"].shadow
        notes = look(mirrored, name, number, under=under, priority=values["priority"])
        new = mirrored.sides[name].fields["priority"].shadow
        if new == old:
            continue
        state = mirrored.state["priority"]
        recorded = any(note.detail.get("mine", {}).get("value") == new for note in notes)
        assert state.value == new or recorded or name in (state.candidates or {})


@settings(deadline=None)
@drawn(st.sampled_from(STATUSES["L"]), st.sampled_from(["low", "high", None]), TAGS, st.booleans())
def test_edits_of_different_fields_commute(status, priority, tags, swap):
    results = []
    for order in (("L", "H"), ("H", "L")):
        mirrored = level("L", "H", status="new", priority="normal", tags=["a"])
        shown = {"L": {"status": status}, "H": {"priority": priority}}
        shown["H" if swap else "L"]["tags"] = tags
        for name in order:
            look(mirrored, name, 5, **shown[name])
        results.append([value(mirrored, field) for field in ("status", "priority", "tags")])
    assert results[0] == results[1]


@settings(deadline=None)
@drawn(
    st.sets(st.sampled_from("abcd")),
    st.sets(st.sampled_from("abcd")),
    st.sets(st.sampled_from("abcd")),
    st.booleans(),
)
def test_a_set_keeps_one_sided_additions_and_one_sided_removals(base, left, right, swap):
    mirrored = level("L", "H", tags=sorted(base))
    edits = {"L": left, "H": right}
    for name in "HL" if swap else "LH":
        look(mirrored, name, 5, tags=sorted(edits[name]))
    added, kept = (left | right) - base, left & right & base
    assert set(value(mirrored, "tags") or ()) == added | kept


@settings(deadline=None)
@drawn(TAGS)
def test_an_untrusted_empty_set_never_changes_the_state(tags):
    mirrored = level("L", "P", tags=["a"])
    look(mirrored, "P", 1, tags=tags)
    before = copy.deepcopy(mirrored.state)
    assert set(kinds(look(mirrored, "P", 2, tags=[]))) <= {"ambiguous empty", "unreadable"}
    assert mirrored.state == before


@settings(deadline=None)
@drawn(
    st.lists(reads(), min_size=1, max_size=5),
    reads(),
    TAGS,
    st.booleans(),
    st.sampled_from(["1", None]),
)
def test_what_closes_an_attempt_is_news_once_only(history, answer, sent_tags, own, version):
    mirrored = level("L", "H", "P", "Z", priority="low", tags=["a"])
    for number, (name, values) in enumerate(history, start=1):
        look(mirrored, name, number, **values)
    name, values = answer
    attempt(
        mirrored,
        name,
        at_seconds=10,
        version=version,
        priority=value(mirrored, "priority"),
        tags=sent_tags,
    )
    look(mirrored, name, 20, own=own, **values)
    left = mirrored.sides[name].attempt
    assert set(left.sent if left else ()) == {
        field
        for field in ("priority", "tags")
        if values[field] is ABSENT or mirrored.sides[name].fields[field].unreadable
    }
    before = copy.deepcopy(mirrored)
    mirrored.sides[name].attempt = None
    if left is None:
        look(mirrored, name, 20, own=own, **values)
        assert mirrored == before
