"""What a change comes to, as a revision keeps it for good: nobody's values are in it."""

import json

import pytest

from bridge.core.model.entities import Field
from bridge.core.planning.planned_write import PlannedWrite
from bridge.workbench.effect import LinkEffect, LossyCell, MovedState
from bridge.workbench.effect_summary import EffectSummary


def kept(field: Field, before: str, after: str) -> str:
    summary = EffectSummary({"ticket": {field.name: field}})
    write = PlannedWrite(
        "update", "L", "ticket", "r1", sent={field.name: after}, before={field.name: before},
        subject="Subject of Ann",
    )  # fmt: skip
    effect = LinkEffect(
        "l1",
        "Subject of Ann",
        writes=[write],
        moved=[MovedState(field.name, before, after)],
        lossy=[LossyCell("L", field.name, "not carried", f"{after} has no writing")],
    )
    summary.add(effect, "ticket")
    return json.dumps(summary.as_data(samples=False))


@pytest.mark.parametrize(
    "field",
    [
        Field("diet", "choice", ("ann-eats-this", "ann-eats-that"), personal=True),
        Field("pregnant", "boolean", personal=True),
        Field("email", "email", personal=True),
        Field("note", "text", personal=False),
    ],
)
def test_values_of_personal_fields_and_of_free_text_are_counted_and_not_kept(field):
    said = kept(field, "ann-eats-this", "ann-eats-that")
    assert "ann" not in said.casefold()
    assert field.name in said


def test_words_of_a_closed_list_that_is_nobodys_are_counted_one_by_one():
    field = Field("status", "choice", ("new", "open"))
    assert '"before": "new", "after": "open", "count": 1' in kept(field, "new", "open")
