"""The schemas for editors refuse what they can know is wrong, and nothing that the loader takes."""

import copy
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from bridge.config import json_schemas, yaml_reader
from bridge.config.agents_file import compile_agents
from bridge.config.fields_file import compile_fields
from bridge.config.json_schemas import FILES, HomeNames
from bridge.config.mapping_files import check_shape, compile_mapping, run_examples
from bridge.config.settings import compile_settings
from bridge.config.syncs_file import KnownNames, compile_syncs
from bridge.config.yaml_reader import Document
from bridge.connectors import CONNECTORS, connector_class
from bridge.core.mapping.agent_table import AgentTable
from bridge.core.model.entities import ENTITIES, with_own
from bridge.home import shipped_files, shipped_folder
from tests.settings import builders
from tests.settings.test_broken_files import BROKEN
from tests.settings.test_invalid import test_invalid_homes as INVALID  # noqa: N812

CLASSES = {system: connector_class(system) for system in CONNECTORS}
SHIPPED = {
    name: yaml_reader.parse(text, name).data
    for name, text in shipped_files().items()
    if name.endswith(".yaml")
}
OWN, _PROBLEMS = compile_fields(Document("f", SHIPPED["mappings/fields.yaml"]))
FIELDS = with_own(OWN)


def named(value):
    """A file's data as an editor sees it: every key is text."""
    if isinstance(value, dict):
        return {
            json.dumps(key) if type(key) is not str else key: named(item)
            for key, item in value.items()
        }
    return [named(item) for item in value] if isinstance(value, list) else value


def kind_of(file):
    return {path: name for name, path in FILES.items()}.get(file, "mapping")


def validators(classes, names=None):
    made = json_schemas.schemas(classes, names)
    for schema in made.values():
        Draft7Validator.check_schema(schema)
    return {name: Draft7Validator(schema) for name, schema in made.items()}


ANY_HOME = validators(CLASSES)
THIS_HOME = validators(CLASSES, json_schemas.names_of(shipped_folder("mappings").parent))


def refused(validator, data):
    return [error.message for error in validator.iter_errors(named(data))]


@pytest.mark.parametrize("file", SHIPPED)
def test_every_shipped_file_is_taken_and_names_its_schema(file):
    assert refused(ANY_HOME[kind_of(file)], SHIPPED[file]) == []
    assert refused(THIS_HOME[kind_of(file)], SHIPPED[file]) == []
    first = shipped_files()[file].split("\n")[0]
    (relative,) = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first).groups()
    schema = (shipped_folder("mappings").parent / file).parent / relative
    assert schema.read_text() == json_schemas.as_text(ANY_HOME[kind_of(file)].schema)


def loader_takes(file, data):
    """Whether the loader finds nothing wrong with a file's data."""
    document = Document(file, data)
    kind = kind_of(file)
    if kind == "fields":
        return not compile_fields(document)[1]
    if kind == "agents":
        return not compile_agents(document, list(SHIPPED["config/bridge.yaml"]["connections"]))[1]
    if kind == "bridge":
        environ = dict.fromkeys(re.findall(r"\{([A-Z_]+)", str(data)), "whsec_" + "QUJD" * 12)
        return not compile_settings(
            document, shipped_folder("config").parent, environ, None, CLASSES
        ).problems
    if kind == "syncs":
        names = tuple(SHIPPED["config/bridge.yaml"]["connections"])
        return not compile_syncs(document, KnownNames({}, names, CLASSES, {}, FIELDS))[1]
    system, problems = check_shape(document, CLASSES)
    if problems:
        return False
    _maps, problems = compile_mapping(document, system, AgentTable(), CLASSES, FIELDS)
    return not problems and not [
        what
        for _file, _line, what in run_examples(document, system, CLASSES, FIELDS)
        if not re.search("expected|is not what the mapping writes|cannot be tried", what)
    ]


def places(data, at=()):
    """Every place in a file's data."""
    yield at
    rows = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    for key, item in rows:
        yield from places(item, (*at, key))


VALUES = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        1,
        7,
        1.5,
        -3,
        "",
        "x",
        "open",
        "create",
        "first",
        "merge",
        "5m",
        "30%",
        "12",
        "true",
        "10/second",
        "${X}",
        "custom_fields.x",
        "a || b",
        [],
        ["x"],
        [["status"]],
        ["open", None],
        {},
    ]
) | st.sampled_from(
    [
        {"path": "status"},
        {"read": "subject"},
        {"x": "open"},
        {"open": ["x", "y"]},
        {"kind": "text"},
        {"kind": "choice", "values": ["a"]},
        {"owner": "helpdesk"},
        {"policy": "first", "to": ["desk"]},
        {"prefix": "a:"},
        {"tags": {"under": "a/"}},
        {"cut": 3},
        ["first-line", {"cut": 9}],
        "email",
        "html",
    ]
)
NAMES = st.sampled_from(
    ["x", "path", "read", "write", "as", "values", "status", "subject", "team", "*", None, 1, True]
)


@st.composite
def changed(draw, file):
    data = copy.deepcopy(SHIPPED[file])
    for _ in range(draw(st.integers(1, 2))):
        found = [each for each in places(data) if each]
        if not found:
            break
        at = draw(st.sampled_from(found))
        around = data
        for step in at[:-1]:
            around = around[step]
        way = draw(st.sampled_from(["value", "value", "gone", "name", "more"]))
        if way == "gone":
            del around[at[-1]]
        elif way == "name" and isinstance(around, dict):
            around[draw(NAMES)] = around.pop(at[-1])
        elif way == "more" and isinstance(around, dict):
            around[draw(NAMES)] = copy.deepcopy(draw(VALUES))
        else:
            around[at[-1]] = copy.deepcopy(draw(VALUES))
    return data


@pytest.mark.parametrize("file", SHIPPED)
@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_what_the_loader_takes_no_schema_refuses(file, data):
    changed_data = data.draw(changed(file))
    if loader_takes(file, copy.deepcopy(changed_data)):
        assert refused(ANY_HOME[kind_of(file)], changed_data) == []


FILE_OF = {"bridge": builders.BRIDGE, "desk": builders.DESK, "listing": builders.LISTING}
FILE_OF |= {"syncs": builders.SYNCS, "agents": builders.AGENTS}
KIND_OF = {"desk": "mapping", "listing": "mapping"}
IN_OTHER_FILES = re.compile(
    "is no connection of|no such field|no ticket has this field|is no member|assigns to"
)
NOT_KNOWN = re.compile(
    "address|certificate|cannot be read|is not set|no closing|this scheme has|is for listing|"
    "is empty|name of a file|there is no mappings|scheme: is missing|creates nothing without|"
    "has no (row|status)|calls lower|switch takes|names titel|agents.0..email|"
    "is written as|does not take|desk takes|sends no|cannot|is no JMESPath|no member (maps|has)|"
    r"merge is for sets|needs an owner|'union'|match\[0\]\[0\]|already"
)
"""Problems that are about other files, about the system, or about two places of a file at once."""
BUILT = validators(builders.CONNECTORS)
NAMED = validators(
    builders.CONNECTORS,
    HomeNames(
        ("one", "two"), ("desk", "listing"), ("Mary@Example.com",), with_own({}), own_fields=True
    ),
)


@pytest.mark.parametrize(("file", "old", "new", "expected"), INVALID.pytestmark[0].args[1])
def test_a_broken_file_is_refused_where_it_can_be_known_to_be(file, old, new, expected):
    kind = KIND_OF.get(file, file)
    assert refused(BUILT[kind], yaml_reader.parse(FILE_OF[file], file).data) == []
    text = FILE_OF[file].replace(old, new, 1)
    try:
        data = yaml_reader.parse(text, file).data
    except yaml_reader.ConfigError:
        return  # it is no YAML, which an editor sees by itself
    if IN_OTHER_FILES.search(expected[0]):
        assert refused(NAMED[kind], data)
    elif not NOT_KNOWN.search(expected[0]):
        assert refused(BUILT[kind], data)


@pytest.mark.parametrize("row", BROKEN, ids=lambda row: row["said"][0][-60:])
def test_what_an_editor_can_know_of_a_broken_file_of_the_shipped_home(row):
    try:
        data = yaml_reader.parse(
            shipped_files()[row["file"]].replace(row["old"], row["new"], 1), ""
        )
    except yaml_reader.ConfigError:
        return
    home = THIS_HOME[kind_of(row["file"])]
    if not NOT_KNOWN.search(row["said"][0].split("allowed")[0]):
        assert refused(home, data.data)


def test_every_entity_and_key_has_its_place():
    mapping = ANY_HOME["mapping"].schema
    assert list(mapping["properties"]) == ["system", *ENTITIES]
    assert list(ANY_HOME["syncs"].schema["additionalProperties"]["properties"]) == [
        "entity",
        "members",
        "match",
        "match_age",
        "on_link",
        "precedence",
        "fields",
        "leave_scope",
        "delete",
        "guard",
    ]
