"""`bridge mappings schema`, as it is typed."""

import json

import pytest

from bridge.home import shipped_files


@pytest.fixture
def home(run, tmp_path):
    assert (
        run("init", str(tmp_path), "--system", "switch=berlin", "--system", "posthog=app").exit_code
        == 0
    )
    return tmp_path


def asked(run, home, *words):
    done = run("--home", str(home), "mappings", "schema", *words)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_schemas_are_listed_with_their_files(run, home):
    assert asked(run, home).splitlines()[1] == "mapping   mappings/<system>.yaml"


def test_a_home_has_its_own_names_in_it(run, home):
    fields = home / "mappings" / "fields.yaml"
    fields.write_text(fields.read_text() + "  due_at: {kind: datetime}\n")
    syncs = json.loads(asked(run, home, "syncs"))["additionalProperties"]["properties"]
    assert syncs["members"]["propertyNames"] == {"enum": ["berlin", "app"]}
    mapping = json.loads(asked(run, home, "mapping"))
    assert "due_at" in mapping["properties"]["ticket"]["properties"]["fields"]["properties"]
    assert "billing" in json.dumps(mapping["definitions"]["ticket.team"])
    people = json.loads(asked(run, home, "agents"))["properties"]["unmapped"]
    assert "mary@support.example" in json.dumps(people)


def test_it_is_written_to_where_the_files_look_for_it(run, home):
    shipped = shipped_files()["config/schemas/syncs.json"]
    file = home / "config" / "schemas" / "syncs.json"
    assert file.read_text() == shipped
    asked(run, home, "--write")
    assert json.loads(file.read_text()) == json.loads(asked(run, home, "syncs"))
    assert json.loads(shipped) == json.loads(asked(run, home, "syncs", "--shipped"))


def test_files_that_cannot_be_read_leave_their_names_open(run, home):
    (home / "mappings" / "agents.yaml").write_text("agents: [")
    (home / "config" / "bridge.yaml").write_text("- nothing\n")
    assert '"enum": ["berlin"' not in asked(run, home, "syncs")
    assert json.loads(asked(run, home, "agents"))


def test_a_schema_that_there_is_not_is_wrong_usage(run, home):
    done = run("--home", str(home), "mappings", "schema", "people")
    assert (done.exit_code, "allowed: bridge, mapping" in done.output) == (2, True)
