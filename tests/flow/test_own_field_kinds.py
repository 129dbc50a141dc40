"""Fields of one's own of every kind, and of rich text, between Switch and PostHog."""

from __future__ import annotations

from tests.flow.test_own_fields import ANN, SHIPPED, begun, edit, lines, make, product_traits

__all__ = ["make"]  # the fixture

RICH = {
    "mappings/fields.yaml": SHIPPED["mappings/fields.yaml"] + "  notes: {kind: text}\n",
    "mappings/switch.yaml": SHIPPED["mappings/switch.yaml"].replace(
        "    team:", "    notes: {path: custom_fields.notes, as: html}\n    team:", 1
    ),
    "mappings/posthog.yaml": SHIPPED["mappings/posthog.yaml"].replace(
        "    team:",
        "    notes: {path: anonymous_traits.notes, as: [markdown, quiet-mentions]}\n    team:",
        1,
    ),
}


def test_rich_text_is_shown_in_each_systems_own_way_and_what_is_lost_is_told(make):
    estate = make(RICH)
    html = "<p>Ask <b>@mary</b></p><ul><li>one</li></ul><img src=x>"
    refs = begun(estate, custom_fields={"notes": html})
    assert product_traits(estate, refs)["notes"] == "Ask @\u2060mary\n\n\\- one"
    told = [line.detail["why"] for line in lines(estate, "fidelity")]
    assert told == ["not mirrored: 1 image, formatting"]
    edit(estate, "product", refs, {"anonymous_traits": {"notes": "# Done\n\n<b>", "email": ANN}})
    kept = estate.apps["helpdesk"].store.get(refs["helpdesk"])["custom_fields"]["notes"]
    assert kept == "<p>Done</p><p>&lt;b&gt;</p>"
    writes = sum(len(estate.journal(name, "write")) for name in refs)
    estate.reconcile("poll", "full")
    assert sum(len(estate.journal(name, "write")) for name in refs) == writes


EVERY_KIND = {
    "size": ("number", 3, 4.5),
    "paid": ("boolean", True, False),
    "day": ("date", "2026-03-01", "2026-04-01"),
    "at": ("datetime", "2026-03-01T09:30:00.000000+00:00", "2026-03-01T10:30:00.000000+00:00"),
    "mail": ("email", "a@x.io", "b@x.io"),
    "who": ("agent", "usr_1", "usr_2"),
    "link": ("url", "https://x.io/a", "https://x.io/b"),
    "meta": ("json", {"b": [1, {"c": None}], "a": True}, {"a": 1}),
    "labels": ("set", ["New", "old"], ["New", "other"]),
    "words": ("text", "Hello", "Bye"),
}
AS_AGENT = {"usr_1": "user:11", "usr_2": "user:12"}


def mapped(name, place):
    text = SHIPPED[f"mappings/{name}.yaml"]
    lines = "".join(f"    {each}: {place}.{each}\n" for each in EVERY_KIND)
    return text.replace("    team:", f"{lines}    team:", 1)


ALL_KINDS = {
    "mappings/fields.yaml": SHIPPED["mappings/fields.yaml"]
    + "".join(f"  {name}: {{kind: {kind}}}\n" for name, (kind, *_) in EVERY_KIND.items()),
    "mappings/switch.yaml": mapped("switch", "custom_fields"),
    "mappings/posthog.yaml": mapped("posthog", "anonymous_traits"),
}


def at_product(values):
    return values | {"who": AS_AGENT[values["who"]], "labels": list(values["labels"])}


def test_every_kind_travels_both_ways_and_can_be_emptied(make):
    estate = make(ALL_KINDS)
    first = {name: one for name, (_, one, _) in EVERY_KIND.items()}
    second = {name: two for name, (_, _, two) in EVERY_KIND.items()}
    refs = begun(estate, custom_fields=first)

    def shown_at_product():
        traits = product_traits(estate, refs)
        shown = {name: traits.get(name) for name in EVERY_KIND}
        return shown | {"labels": sorted(map(str.casefold, shown["labels"] or []))}

    expected = at_product(first) | {"labels": ["new", "old"]}
    assert shown_at_product() == expected
    traits = product_traits(estate, refs)
    edit(estate, "product", refs, {"anonymous_traits": traits | at_product(second)})
    kept = estate.apps["helpdesk"].store.get(refs["helpdesk"])["custom_fields"]
    assert {name: kept[name] for name in EVERY_KIND} == second
    assert kept["meta"]["a"] is not True
    assert sorted(kept["labels"]) == ["New", "other"]
    nothing = dict.fromkeys(EVERY_KIND) | {"labels": []}
    edit(estate, "helpdesk", refs, {"custom_fields": nothing})
    assert shown_at_product() == nothing
    assert lines(estate, "conflict") == []
    assert estate.parked() == []
    writes = sum(len(estate.journal(name, "write")) for name in refs)
    estate.reconcile("poll", "full")
    assert sum(len(estate.journal(name, "write")) for name in refs) == writes


def test_sets_of_ones_own_are_merged_label_by_label(make):
    estate = make(ALL_KINDS)
    refs = begun(estate, custom_fields={"labels": ["a", "b"]})
    traits = product_traits(estate, refs)
    estate.apps["helpdesk"].edit(refs["helpdesk"], {"custom_fields": {"labels": ["a", "c"]}})
    changed = traits | {"labels": ["a", "b", "d"]}
    estate.apps["product"].edit(refs["product"], {"anonymous_traits": changed})
    estate.clock.advance(5)
    for name in refs:
        estate.hint(name, refs[name])
    kept = estate.apps["helpdesk"].store.get(refs["helpdesk"])["custom_fields"]["labels"]
    assert sorted(kept) == sorted(product_traits(estate, refs)["labels"]) == ["a", "c", "d"]


TEMPLATE = {
    "mappings/switch.yaml": SHIPPED["mappings/switch.yaml"].replace(
        "write: description, only_on: create}",
        'write: description, only_on: create, create_from: "Asked by {customer} ({team})"}',
        1,
    )
}


def test_what_a_new_record_is_given_for_want_of_a_value_stays_there(make):
    estate = make(TEMPLATE)
    asked = {"anonymous_traits": {"email": ANN, "support_team": "infra"}, "email_subject": "Help"}
    ticket = estate.apps["product"].create(asked)["id"]
    estate.hint("product", ticket)
    refs = estate.refs("product", ticket)
    made = estate.apps["helpdesk"].store.get(refs["helpdesk"])
    assert made["description"] == f"Asked by {ANN} (infra)"
    estate.clock.advance(600)
    estate.reconcile("poll", "full")
    estate.hint("helpdesk", refs["helpdesk"])
    assert "description" not in product_traits(estate, refs)
    (link,) = estate.links()
    assert link.state.get("description") is None or link.state["description"].value is None
    assert estate.journal("product", "write") == []
