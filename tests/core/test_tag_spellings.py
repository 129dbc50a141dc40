"""Laws of tags as the shipped mappings read them, each side in a spelling of its own."""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.core.mapping.transforms import TRANSFORMS
from bridge.core.model.values import Unreadable
from tests.core.planning import FIRST, MAPS, Scene, given_rules

TAGS = TRANSFORMS["tags"]
WORDS = ("vip", "needs reply", "strasse", "événement", "σας", "データ", "ﬁn", "a#b", "i\u0307")
CASES = (str, str.upper, str.title, str.swapcase, str.casefold)
FORMS = ("NFC", "NFD")
FEW = settings(max_examples=40, deadline=None)


def real(name):
    """A small system whose tags are read as those of the shipped mappings."""
    tags = replace(MAPS[name].fields["tags"], read=TAGS.read, write=TAGS.write)
    return replace(MAPS[name], fields={**MAPS[name].fields, "tags": tags})


RULES = given_rules(maps={name: real(name) for name in "LH"})


@st.composite
def spelled(draw, word):
    text = unicodedata.normalize(draw(st.sampled_from(FORMS)), draw(st.sampled_from(CASES))(word))
    around = st.sampled_from(["", " ", "\t", "\u00a0"])
    return draw(around) + draw(st.sampled_from(["", "#", "##", "# "])) + text + draw(around)


@st.composite
def sides(draw, least=0):
    """Return the same tags as L and as H spell them, some words twice."""
    words = draw(st.lists(st.sampled_from(WORDS), min_size=least, max_size=4, unique=True))
    return words, *(
        list(
            dict.fromkeys(
                draw(spelled(word)) for word in [*words, *draw(st.permutations(words))[:1]]
            )
        )
        for _ in "LH"
    )


def folded(*texts):
    return {TAGS.read(text) for text in texts}


def level(left, right):
    scene = Scene("LH", rules=RULES, L={"tags": left}, H={"tags": right})
    scene.bring = lambda name, tags, **more: scene.show(
        name, **{**FIRST[name], "tags": tags}, **more
    )
    return scene


def written(scene, name):
    """What a replacing write sends, or what stands there where none is needed."""
    calls = scene.plan(name).calls
    assert len(calls) < 2
    return calls[0].body["tags"] if calls else scene.entry(name, "tags").shadow


@FEW
@given(
    st.text(max_size=12),
    st.sampled_from([*FORMS, "case"]),
    st.sampled_from(["", "#", " # "]),
    st.sampled_from(["", " "]),
)
def test_folding_forgets_form_case_marks_and_blanks_of_any_text(text, form, before, after):
    other = text.casefold() if form == "case" else unicodedata.normalize(form, text)
    one, two = TAGS.read(text), TAGS.read(before + other + after)
    assert one == two or (isinstance(one, Unreadable) and isinstance(two, Unreadable))


@FEW
@given(st.data(), sides(), st.sampled_from("LH"))
def test_respelling_alone_is_never_an_edit(data, tags, name):
    words, left, right = tags
    scene = level(left, right)
    before = scene.link.state["tags"].rev
    respelled = [data.draw(spelled(word)) for word in data.draw(st.permutations(words))]
    assert [
        note.kind for note in scene.bring(name, respelled) if note.kind in {"changed", "conflict"}
    ] == []
    assert scene.link.state["tags"].rev == before
    assert [scene.calls(each) for each in "LH"] == [[], []]


@FEW
@given(st.data(), sides(), st.sampled_from(["once", "twice"]))
def test_what_one_side_adds_in_any_spelling_appears_once_on_the_other(data, tags, times):
    words, left, right = tags
    new = data.draw(st.sampled_from([word for word in WORDS if word not in words]))
    scene = level(left, right)
    scene.bring(
        "L", [*left, *(data.draw(spelled(new)) for _ in range(2 if times == "twice" else 1))]
    )
    assert written(scene, "H") == [*right, *folded(new)]
    assert written(scene, "L") == scene.entry("L", "tags").shadow


@FEW
@given(st.data(), sides())
def test_what_both_add_each_in_a_spelling_of_its_own_is_one_tag_and_stays_as_each_has_it(
    data, tags
):
    words, left, right = tags
    new = data.draw(st.sampled_from([word for word in WORDS if word not in words]))
    scene = level(left, right)
    for name, old in (("L", left), ("H", right)):
        scene.bring(name, [*old, data.draw(spelled(new))])
    assert set(scene.link.state["tags"].value) == folded(*words, new)
    assert [scene.calls(name) for name in "LH"] == [[], []]


@FEW
@given(st.data(), sides(least=1))
def test_what_one_side_removes_goes_on_the_other_in_whatever_spelling_it_stands_there(data, tags):
    words, left, right = tags
    gone = folded(data.draw(st.sampled_from(words)))
    scene = level(left, right)
    scene.bring("L", [tag for tag in left if TAGS.read(tag) not in gone])
    assert written(scene, "H") == [tag for tag in right if TAGS.read(tag) not in gone]


@FEW
@given(st.data(), sides(), st.booleans())
def test_edits_of_both_sides_meet_element_by_element_and_then_nothing_is_left(data, tags, swap):
    words, left, right = tags
    shown, wanted = {}, folded(*words)
    for name, old in (("L", left), ("H", right)):
        gone = folded(*data.draw(st.sets(st.sampled_from(words)) if words else st.just(())))
        new = data.draw(st.sets(st.sampled_from(sorted(set(WORDS) - set(words)))))
        kept = [tag for tag in old if TAGS.read(tag) not in gone]
        shown[name] = [*kept, *(data.draw(spelled(word)) for word in sorted(new))]
        wanted = (wanted - gone) | folded(*new)
    scene = level(left, right)
    for name in "HL" if swap else "LH":
        scene.bring(name, shown[name])
    for name in "LH":
        sent = written(scene, name)
        # Nobody's own spelling is touched: what is kept is kept as it was, what is new there comes
        # in ours, once.
        assert [tag for tag in sent if tag in shown[name]] == [
            tag for tag in shown[name] if TAGS.read(tag) in wanted
        ]
        foreign = Counter(tag for tag in sent if tag not in shown[name])
        assert set(foreign) == wanted - folded(*shown[name])
        assert set(foreign.values()) <= {1}
        scene.bring(name, sent, own=True)
    assert set(scene.link.state["tags"].value or ()) == wanted
    assert [scene.calls(name) for name in "LH"] == [[], []]
