"""Mappings over the API: checked, published, compared, merged with others' changes, taken back."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace

import pytest

from bridge import wiring
from bridge.home import shipped_folder
from bridge.ledger.database import Ledger
from bridge.operations import desk
from bridge.operations.permissions import Role
from tests.cli.conftest import KEYS
from tests.cli.test_files_differ import NOWHERE
from tests.flow.estate import SWITCH_AND_POSTHOG
from tests.web.api.conftest import Service

MEDIUM = ("medium: normal, normal: normal", "medium: normal, normal: high")
SUBJECT = ("subject: {path: subject, max_length: 500}", "subject: {path: subject, max_length: 400}")


@pytest.fixture(scope="module")
def made_home(tmp_path_factory):
    """A home whose mappings are published, to be copied: what it costs is paid once."""
    home = tmp_path_factory.mktemp("published") / "home"
    for part in ("config", "mappings"):
        shutil.copytree(shipped_folder(part), home / part)
    (home / "mappings" / "syncs.yaml").write_text(SWITCH_AND_POSTHOG)
    settings = home / "config" / "bridge.yaml"
    settings.write_text(f"mappings: ledger\n{settings.read_text()}")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**KEYS, **NOWHERE}.items():
            patch.setenv(name, value)
        Ledger(wiring.load_config(home).settings.database).upgrade()
        bridge = wiring.build_bridge(home)
        bridge.enter("worker")
        bridge.leave()
        bridge.close()
    return home


@pytest.fixture
def opened(made_home, tmp_path, monkeypatch):
    """The API over such a home."""
    for name, value in {**KEYS, **NOWHERE}.items():
        monkeypatch.setenv(name, value)
    home = tmp_path / "home"
    shutil.copytree(made_home, home)
    bridge = wiring.build_bridge(home)
    yield Service(desk.of(bridge, "api"))
    bridge.close()


def changed(program, *changes):
    """The files in force with some words of Switch's mapping exchanged."""
    files = program.get("/mappings/1").json["files"]
    for old, new in changes:
        assert old in files["switch.yaml"]
        files["switch.yaml"] = files["switch.yaml"].replace(old, new)
    return files


def test_files_are_checked_published_compared_and_taken_back(opened):
    program = opened.program(Role.MAPPER)
    files = changed(program, SUBJECT)
    looked = program.post("/mappings/check", {"files": files}).json
    assert (looked["revision"], [each["file"] for each in looked["differences"]]) == (
        None,
        ["switch.yaml"],
    )
    assert len(program.get("/mappings").json["rows"]) == 1
    body = {"files": files, "parent": 1, "note": "shorter"}
    done = program.post("/mappings", body, headers={"Idempotency-Key": "a"})
    again = program.post("/mappings", body, headers={"Idempotency-Key": "a"})
    assert (done.json["revision"], again.json) == (2, done.json)
    head = program.get("/mappings").json["rows"][0]
    assert (head["number"], head["author"], head["note"]) == (2, "token:mapper", "shorter")
    (difference,) = program.get("/mappings/2/diff").json["rows"]
    assert any(line.startswith("+") and "400" in line for line in difference["lines"])
    assert program.post("/mappings/1/rollback", {}).json["revision"] == 3
    assert program.get("/mappings/3").json["files"] == program.get("/mappings/1").json["files"]
    assert program.get("/mappings", query_string={"limit": 2}).json["next"] == "2"


def test_two_programs_lose_nothing_of_one_another(opened):
    first, second = opened.program(Role.MAPPER), opened.program(Role.ADMIN)
    assert first.post("/mappings", {"files": changed(first, SUBJECT), "parent": 1}).json
    theirs = {"files": changed(second, MEDIUM), "parent": 1, "accept": True}
    assert second.post("/mappings", theirs).json["merged"] == [2]
    text = second.get("/mappings/3").json["files"]["switch.yaml"]
    assert SUBJECT[1] in text
    assert MEDIUM[1] in text


def test_files_that_cannot_be_used_are_refused_line_by_line(opened):
    program = opened.program(Role.MAPPER)
    files = changed(program, ("subject: {path: subject", "subject: {path: sub ject"))
    for address in ("/mappings/check", "/mappings"):
        answer = program.post(address, {"files": files})
        assert answer.status_code == 422, answer.text
        assert any(line.startswith("mappings/switch.yaml:") for line in answer.json["problems"])
    assert program.post("/mappings", {"files": {"switch.yaml": 5}}).status_code == 422
    assert len(program.get("/mappings").json["rows"]) == 1


def test_a_viewer_is_shown_files_without_the_addresses_in_them(opened):
    settings = replace(opened.desk.config.settings, mask_personal=True)
    opened.desk = replace(opened.desk, config=replace(opened.desk.config, settings=settings))
    program, viewer = opened.program(Role.MAPPER), opened.program(Role.VIEWER)
    for address in ("/mappings/1", "/mappings/1/diff"):
        assert re.search(r"\w@\w", program.get(address).text)
        assert not re.search(r"\w@\w", viewer.get(address).text)


def test_what_travels_where_is_told_with_the_proof(opened):
    told = opened.program(Role.VIEWER).get("/mappings/proof").json
    assert told["ok"]
    assert {row["field"] for row in told["matrix"]} >= {"subject", "status"}
