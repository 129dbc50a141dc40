"""What a preview says is what the flow does: on shipped mappings, and in a world of its own."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.core.model.syncs import FieldPolicy
from bridge.workbench.record_preview import preview
from tests.flow.world import World

VALUES = st.fixed_dictionaries(
    {
        "subject": st.sampled_from(["Export stops", "", "  two words "]),
        "status": st.sampled_from(["open", "pending", "solved", "closed", "new", "strange"]),
        "priority": st.sampled_from(["low", "high", "urgent", None]),
        "tags": st.lists(st.sampled_from(["A", "b", "#C", "d e"]), max_size=3, unique=True),
    }
)


def made(world, name, **values):
    remote_id = world.systems[name].add(**values)
    record = world.systems[name].peek(remote_id)
    return remote_id, preview(world.context, {}, name, "ticket", record)


def written(previewed, name, when):
    return {
        each.field: getattr(each, f"on_{when}")
        for each in previewed.writings[name]
        if not getattr(each, f"{'create' if when == 'create' else 'update'}_why")
    }


@settings(max_examples=12)
@given(values=VALUES, source=st.sampled_from("LHP"))
def test_a_record_is_made_with_what_the_preview_said(values, source):
    world = World(names="LHPZ")
    remote_id, previewed = made(world, source, **values)
    world.hint(source, remote_id)
    world.settle()
    for link in world.links():
        for name, side in link.sides.items():
            if name == source:
                continue
            shown = world.systems[name].peek(side.remote_id)
            fields = world.context.maps[name]["ticket"].fields
            for field, value in written(previewed, name, "create").items():
                if value in (None, "", []):
                    continue
                stored = shown[fields[field].write_key]
                assert sorted(stored) == sorted(value) if field == "tags" else stored == value


@settings(max_examples=30)
@given(values=VALUES)
def test_what_has_no_reading_is_sent_to_nobody(values):
    world = World(names="LH")
    _remote_id, previewed = made(world, "L", **values)
    unread = {each.field for each in previewed.readings if each.why}
    assert not unread & {each.field for each in previewed.writings["H"]}


def test_an_edit_of_a_field_that_somebody_else_owns_is_said_not_to_count():
    world = World(names="LH", status=FieldPolicy(policy="owner", owner="H"))
    _remote_id, previewed = made(world, "L", subject="Export stops", status="open")
    (status,) = [each for each in previewed.writings["H"] if each.field == "status"]
    assert status.update_why == "only edits at H, its owner, count"
    assert status.create_why == "H takes no status on create"
