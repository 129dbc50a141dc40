"""JMESPath has a budget: whatever is written, and whatever record it meets, it comes to an end."""

import pytest

from bridge.core.mapping.expressions import MAX_COST, Expression, TooCostly
from bridge.core.mapping.paths import MAX_EXPRESSION_CHARS, BadPath, compile_path
from bridge.core.model.values import Unreadable

DOUBLING = {
    "lists that are laid end to end": "|".join(["[@,@][]"] * 60),
    "lists within lists": "|".join(["[@,@]"] * 70),
    "objects within objects": "|".join(["{a:@,b:@}"] * 45),
    "lists within lists, written as text": "|".join(["[@,@]"] * 70) + "|to_string(@)",
    "objects within objects, compared": "|".join(["{a:@,b:@}"] * 45) + "|[@==@]",
    "text": "'x'|" + "|".join(["join('',[@,@])"] * 30),
}


@pytest.mark.parametrize("source", DOUBLING.values(), ids=DOUBLING.keys())
def test_what_doubles_itself_is_refused_when_it_is_loaded(source):
    assert len(source) <= MAX_EXPRESSION_CHARS
    with pytest.raises(BadPath, match="is too costly: it takes more than 100,000 steps; write a"):
        compile_path(source)


def compiled(source):
    return compile_path(source).get


@pytest.mark.parametrize(
    ("source", "record"),
    [
        ("tags[*].[@,@][]|[@,@][]|[@,@][]|[@,@][]|[@,@][]", {"tags": ["t"] * 100_000}),
        ("join(glue, tags)", {"glue": "g" * 100_000, "tags": ["t"] * 10_000}),
        ("sort_by(tags, &length(@))", {"tags": ["t"] * 200_000}),
        ("tags[?contains(@, 'x')].[@, length(@)]", {"tags": ["t"] * 200_000}),
    ],
)
def test_at_a_record_that_is_too_much_for_it_the_field_is_unreadable_with_the_reason(
    source, record
):
    value = compiled(source)(record)
    assert isinstance(value, Unreadable)
    assert "it takes more than 100,000 steps" in value.why


def test_a_budget_lasts_for_one_record_only_and_for_ordinary_ones():
    get = compiled("tags[?starts_with(@, 'a')] | join(',', @)")
    record = {"tags": [f"a{number}" for number in range(5_000)]}
    for _ in range(5):
        assert get(record) == ",".join(record["tags"])


def test_each_step_counts():
    steps = MAX_COST // 10
    nested = {"type": "not_expression", "children": [{"type": "current", "children": []}]}
    row = {"type": "multi_select_list", "children": [nested] * (steps // 2)}
    with pytest.raises(TooCostly):
        Expression(row).search(1)
    row["children"] = row["children"][: steps // 4]
    assert len(Expression(row).search(1)) == steps // 4
