"""Options of tags that are only read: of a mapping, and of a sync's member in their place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.settings.builders import LISTING, SYNCS, Listing, loaded, problems

TAGGED = LISTING + '    tags: {read: labels, as: {tags: {prefix: "a:", min_salience: 0.5}}}\n'
ROW = {"labels": [{"name": "One", "salience": 0.9}, {"name": "two", "salience": 0.4}]}
OPTIONS = "prefix, min_salience, separator, under, table, allow, case"
AT = "mappings/syncs.yaml:5: both.members.two.tags"


@pytest.fixture(autouse=True)
def _labels(monkeypatch):
    able = Listing.CAPABILITIES["ticket"]
    monkeypatch.setattr(
        Listing, "CAPABILITIES", {"ticket": replace(able, readable=able.readable | {"labels"})}
    )


def tags(home_path, **files):
    return loaded(home_path, **files).maps["two"]["ticket"].canonical(ROW)["tags"]


def with_tags(options):
    return SYNCS.replace("two: {}", f"two: {{tags: {options}}}")


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (None, ("a:one",)),
        ('{prefix: "b:", min_salience: 0.4}', ("b:one", "b:two")),
        (
            '{prefix: "b:"}',
            ("b:one", "b:two"),
        ),  # all of the mapping's options give way, the threshold too
        ("{min_salience: 0.95}", ()),
    ],
)
def test_a_members_options_take_the_place_of_the_mappings(tmp_path, options, shown):
    syncs = with_tags(options) if options else SYNCS
    assert tags(tmp_path, listing=TAGGED, syncs=syncs) == shown


def test_a_members_options_do_for_tags_without_any_in_the_mapping(tmp_path):
    plain = LISTING + "    tags: {read: labels}\n"
    assert tags(tmp_path, listing=plain, syncs=with_tags('{prefix: "b:"}')) == ("b:one", "b:two")


def test_other_connections_keep_theirs_and_the_revision_is_new(tmp_path):
    before = loaded(tmp_path, listing=TAGGED)
    after = loaded(tmp_path, listing=TAGGED, syncs=with_tags('{prefix: "b:"}'))
    revisions = [
        {n: m["ticket"].fields["tags"].revision for n, m in c.maps.items()} for c in (before, after)
    ]
    assert revisions[0]["one"] == revisions[1]["one"]
    assert revisions[0]["two"] != revisions[1]["two"]
    assert after.syncs["both"].members["two"].options == {"tags": {"prefix": "b:"}}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("{}", [f"{AT}: is {{}}; allowed rows of {OPTIONS}"]),
        ("scope", [f"{AT}: is 'scope'; allowed rows of {OPTIONS}"]),
        (
            "{prefix: A}",
            [f"{AT}.prefix: is 'A'; allowed text in lower case, without # or space in front"],
        ),
        (
            "{min_salience: 2}",
            [f"{AT}.min_salience: is 2; allowed a number from 0 to 1, such as 0.3"],
        ),
        ("{least: 2}", [f"{AT}.least: unknown key; allowed {OPTIONS}"]),
    ],
)
def test_bad_options_of_a_member_have_their_line(tmp_path, options, expected):
    assert problems(tmp_path, listing=TAGGED, syncs=with_tags(options)) == expected


def test_a_member_without_tags_has_no_use_for_options(tmp_path):
    (found,) = problems(tmp_path, syncs=with_tags('{prefix: "b:"}'))
    assert (
        found
        == f"{AT}: means nothing here: the mapping of two reads no tags of a ticket; leave it out"
    )


def test_tags_that_are_written_take_no_options(tmp_path):
    syncs = SYNCS.replace("one: {create: true}", 'one: {create: true, tags: {prefix: "b:"}}')
    assert problems(tmp_path, syncs=syncs) == [
        (
            "mappings/syncs.yaml:4: both.members.one.tags: tags with options are only read; "
            "allowed read in place of path"
        )
    ]


def test_bad_options_of_a_mapping_have_their_line(tmp_path):
    (found,) = problems(tmp_path, listing=TAGGED.replace("0.5", "-1"))
    assert found.startswith(
        "mappings/listing.yaml:6: ticket.fields.tags.as: tags.min_salience: is -1; allowed a number"
    )
