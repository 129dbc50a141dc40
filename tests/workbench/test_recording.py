"""An example made of a record is met as it is, and shows nothing of anybody."""

import json
import re
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import foreign_json
from bridge.config import yaml_text
from bridge.config.fields_file import compile_fields
from bridge.config.yaml_reader import load, parse
from bridge.connectors import CONNECTORS, connector_class
from bridge.core.mapping.examples import differences, mapped_with
from bridge.core.model.entities import ENTITIES, with_own
from bridge.errors import NotPossible
from bridge.home import shipped_folder
from bridge.workbench import looked_at
from bridge.workbench import made_up as making
from bridge.workbench.recording import recorded

OWN, _PROBLEMS = compile_fields(load(shipped_folder("mappings") / "fields.yaml", "fields.yaml"))
FIELDS = with_own(OWN)
FILES = {
    system: load(shipped_folder("mappings") / f"{system}.yaml", system).data
    for system in CONNECTORS
}
SHIPPED = [
    pytest.param(system, entity, example, id=f"{system}-{entity}-{number}")
    for system, file in FILES.items()
    for entity in ENTITIES
    for number, example in enumerate(file.get(entity, {}).get("examples", ()), 1)
]
WORD = re.compile(r"[^\W\d_]{3,}|\d{3,}")


def made(record, system="switch", entity="ticket", agents=None, **fields):
    declared = FILES[system][entity]
    declared = {**declared, "fields": {**declared["fields"], **fields}}
    able, known = connector_class(system).CAPABILITIES[entity], FIELDS[entity]
    mapped = mapped_with(entity, declared, agents or {}, known, able.doors)
    example = recorded(record, declared, mapped, able, known)
    assert list(differences(entity, declared, example, known, able.doors)) == []
    return example


def words(value):
    """All words and numbers of three characters or more that stand in values, and in names."""
    return {word.casefold() for word in WORD.findall(json.dumps(value, ensure_ascii=False))}


def as_read(example):
    """The example as it is read from the YAML that is written of it."""
    lines = yaml_text.list_item(yaml_text.block(example, 2))
    (read,) = parse("\n".join(lines), "example").data
    return read


@pytest.mark.parametrize(("system", "entity", "example"), SHIPPED)
def test_of_every_shipped_record_comes_an_example_that_is_met(system, entity, example):
    agents = example.get("agents", {})
    once = made(example["given"], system, entity, agents)
    assert as_read(once) == once
    assert set(once.get("unreadable", ())) == set(example.get("unreadable", ()))
    read = {name for name, value in example.get("canonical", {}).items() if value not in (None, [])}
    known = once.get("canonical", {})
    assert read - {"tags"} <= {name for name, value in known.items() if value is not None}


GONE = "ana lima mary bishop acme complaint billing invoice call before support iban"


def test_everybody_in_a_ticket_is_somebody_else_and_the_rules_still_find_their_values():
    ana, mary = "Ana.Lima@Acme.example", "mary@support.example"
    record = {
        "id": "tkt_8f2c77",
        "subject": "Invoice 4711 of Lima & Co",
        "description": "Call +49 170 7654321, or ana.lima@acme.example, before 2026-03-09.",
        "status": "in_progress",
        "priority": "medium",
        "type": "complaint",
        "assignee": {"id": "usr_77", "name": "Mary Bishop", "email": mary},
        "customer": {"id": "cus_912", "email": ana, "name": "Ana Lima"},
        "tags": ["Billing", "#billing", "BILLING", "Lima"],
        "custom_fields": {"team": "Infrastructure", "Ana Lima": True, "iban": "DE89370400440532"},
        "created_at": "2026-03-01T09:30:00Z",
        "updated_at": "2026-03-02T11:31:12.345+05:30",
    }
    example = made(record, agents={"usr_77": mary})
    given = example["given"]
    left = json.dumps(example).casefold()
    for word in re.findall(r"[a-z]+", GONE):
        assert word not in left
    for word in ("4711", "7654321", "8f2c", "usr_", "912", "893704", "2026", "05:30", "tkt"):
        assert word not in left
    assert (given["status"], given["priority"]) == ("in_progress", "medium")
    assert given["custom_fields"]["team"] == "Infrastructure"
    assert len({tag.casefold() for tag in given["tags"]}) == 3
    assert len(example["canonical"]["tags"]) == 2
    assert example["canonical"]["customer"] in given["description"]
    assert example["canonical"]["assignee"] == given["assignee"]["email"]
    assert given["customer"]["name"].split()[1].casefold() == given["tags"][3].casefold()
    assert len(given["subject"]) == len(record["subject"])
    assert re.search(r"\+\d\d \d{3} \d{7}, ", given["description"])
    made_at, changed_at = (
        datetime.fromisoformat(given[key]) for key in ("created_at", "updated_at")
    )
    assert made_at < changed_at
    assert re.fullmatch(r"[\d-]{10}T[\d:]{8}\.\d{3}\+01:00", given["updated_at"])


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30)
    | st.sampled_from(["2026-02-30", "31.12.2026", "<p>Ana &amp; Bo</p>", "https://a.b/c?d=12#e"])
    | st.emails(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
RECORDS = st.dictionaries(
    st.sampled_from([*FILES["switch"]["ticket"]["fields"], "type", "surname", "custom_fields"]),
    JSON,
)


def shape(value):
    """What stays: which values are of which kind, and how many there are."""
    if isinstance(value, dict):
        return [shape(item) for item in value.values()]
    if isinstance(value, list):
        return [shape(item) for item in value]
    return type(value)


@settings(max_examples=150, deadline=None)
@given(record=RECORDS)
def test_whatever_a_record_holds_no_word_of_it_is_left_and_its_form_stays(record):
    record = foreign_json.loads(foreign_json.dumps(record))
    example = made(record)
    assert shape(example["given"]) == shape(record)
    assert as_read(example) == example
    kept = words([FILES["switch"], sorted(making._OF_HTML), sorted(making._IN_ELEMENTS), "name"])
    kept |= {"https", "http", "amp", "quot", "apos", "nbsp", "person", "example", "com", "site"}
    kept |= {"0000", "000000000", "2001", "000", "4000", "8000", "000000000001"}
    left = {word for word in words(record) & words(example["given"]) if not word.isdecimal()}
    assert {word for word in left if word.isalpha()} <= kept | looked_at._USUAL_NAMES
    assert made(record) == example


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.text(max_size=60), min_size=1, max_size=6))
def test_the_same_value_gives_the_same_and_another_another(texts):
    record = {"tags": [*texts, *texts], "type": texts[0]}
    given = made(record)["given"]
    assert given["tags"][: len(texts)] == given["tags"][len(texts) :]
    assert given["type"] == given["tags"][0]


LONG = "Please tell Ana Lima that her parcel is late. " * 9


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Ana <Ana@Acme.example>", r"[A-Z][a-z]{2} <Person1@example\.com>"),
        ("ana+shop@acme.example", r"person1\+[a-z]{4}@example\.com"),
        ("mailto:ana@acme.example", r"[a-z]{6}:person1@example\.com"),
        ("https://acme.example/o/17?key=s3cr3t", r"https://site1\.example\.com/[a-z]/\d\d\?.+"),
        ("31.12.1969", r"(\d\d)\.\1\.2001"),
        ("1969-12-31", r"2001-\d\d-\d\d"),
        ("1969-12-31 23:59", r"2001-\d\d-\d\d \d\d:\d\d"),
        ("2026-02-31T25:00:00Z", r"\d{4}-\d\d-\d\d[a-zA-Z]\d\d:\d\d:\d\d[A-Z]"),
        ("6ba7b810-9dad-11d1-80b4-00c04fd430c8", r"00000000-0000-4000-8000-000000000001"),
        ("\u202eAna\u2066\x85", "\u200b[A-Z][a-z]{2}\u200b\u200b"),
        ("Ⓐⓝⓐ \U0001d49c", "\u25c7{3} [A-Za-z]"),
        ("<td hidden>Ana</td>&nbsp;&Lima;", r"<td hidden>[A-Z][a-z]{2}</td>&nbsp;&amp;"),
        ("<ana>", r"<[a-z]{3}>"),
        ("Straße STRASSE", r"[A-Z][a-z]{5} [A-Z]{7}"),
        (LONG, r"([A-Z][a-z]{5} [a-z]{4} [A-Z]..? [^.]*\. ){9}"),
    ],
)
def test_each_form_stays_what_it_is(text, form):
    found = made({"description": text, "type": text})["given"]
    assert re.fullmatch(form, found["description"], re.DOTALL), found["description"]
    assert found["type"] == found["description"]
    assert not words(text) & words(found) - {"hidden", "nbsp", "com", "example", "https", "8000"}


def test_of_a_long_text_nobody_can_count_the_words():
    found = made({"description": LONG})["given"]["description"].split()
    assert len(set(found)) > 60 > len(set(LONG.split()))


@pytest.mark.parametrize(
    ("number", "form"),
    [
        (4, "4"),
        (True, "True"),
        (0.734, "0.7"),
        (17, r"\d\d"),
        (-3051, r"-\d{4}"),
        (1_700_000_000, r"98\d{7}"),
        (1_700_000_000_000, r"98\d{10}"),
        (49_170_7654_321, r"1\d{11}"),
        (52.520008, r"\d\d\.5"),
        (10**18, r"1\d{14}"),
        (1e300, r"1\d{14}\.5"),
    ],
)
def test_numbers_are_others_of_the_same_size(number, form):
    found = made({"type": number})["given"]["type"]
    assert type(found) is type(number)
    assert re.fullmatch(form, str(found)), found
    assert found != number or abs(number) < 10


def test_a_value_of_the_rules_stays_only_where_the_rule_looks():
    given = made({"subject": "urgent", "type": "Billing", "priority": "urgent", "status": "urgent"})
    record = given["given"]
    assert record["priority"] == "urgent"
    assert "urgent" not in (record["subject"], record["status"])
    assert record["type"] != "Billing"


def test_what_a_transform_or_an_expression_looks_for_stays_within_a_text():
    declared = {
        "tags": {"path": "tags", "as": {"tags": {"under": "crm/", "table": {"Lima": "vip"}}}},
        "subject": {"read": "subject", "as": [{"prefix": "[shop] "}]},
        "escalation_reason": {"read": "contains(type, 'refund') && type || `null`"},
    }
    record = {
        "tags": ["crm/Lima", "crm/Bishop", "Lima"],
        "subject": "[shop] Bishop",
        "type": "a refund for Bishop",
    }
    example = made(record, **declared)
    assert example["canonical"]["tags"][-1] == "vip"
    assert example["given"]["subject"].startswith("[shop] ")
    assert "refund" in example["canonical"]["escalation_reason"]
    assert "bishop" not in json.dumps(example).casefold()


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"description": "x" * 10_000_000}, "more than 20,000 characters"),
        ({"custom_fields": {f"k{n}": n for n in range(100_000)}}, "more than 20,000 characters"),
        ({"tags": [1] * 10_000}, "more than 500 values"),
        ({"custom_fields": json.loads("[" * 200 + "]" * 200)}, "more than 20 levels"),
    ],
)
def test_a_record_that_is_too_large_for_a_file_is_refused_with_what_to_do(record, said):
    with pytest.raises(NotPossible, match=said) as refused:
        made(record)
    assert "take a smaller one" in str(refused.value)
