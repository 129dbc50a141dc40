from __future__ import annotations

import stat
from pathlib import Path

import pytest

from bridge.errors import ConfigError
from bridge.home import fill_home, find_home, var_folder, write_private
from bridge.ledger.database import Ledger

ROOT = Path(__file__).resolve().parents[2]


def test_the_order_of_places(tmp_path, monkeypatch):
    named = tmp_path / "named"
    assert find_home(tmp_path, {"BRIDGE_HOME": str(named)}) == tmp_path.resolve()
    assert find_home(None, {"BRIDGE_HOME": str(named)}) == named.resolve()
    assert find_home(None, {}) == ROOT
    monkeypatch.setattr("bridge.home._PACKAGE", tmp_path / "site-packages" / "bridge")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_home(None, {}) == tmp_path / ".bridge"


def test_the_working_directory_does_not_matter(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_home(None, {}) == ROOT


def test_a_new_home_has_everything_and_is_private(tmp_path):
    home = tmp_path / "a b" / "home"
    made = fill_home(home)
    names = {str(path.relative_to(home)) for path in made}
    assert {"config/bridge.yaml", "mappings/syncs.yaml"} <= names
    assert stat.S_IMODE((home / "var").stat().st_mode) == 0o700


def test_what_is_there_stays(tmp_path):
    (tmp_path / "config").mkdir()
    mine = tmp_path / "config" / "bridge.yaml"
    mine.write_text("mine")
    assert mine not in fill_home(tmp_path)
    assert mine.read_text() == "mine"
    assert fill_home(tmp_path) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file/var"):
        var_folder(tmp_path / "file")


def test_what_was_there_before_is_made_readable_by_its_owner_only(tmp_path):
    var = tmp_path / "var"
    plans = var / "plans"
    plans.mkdir(parents=True)
    old = plans / "all.json"
    old.write_text("old and long")
    database = var / "bridge.db"
    ledger = Ledger(f"sqlite:///{database}")
    ledger.upgrade()
    for path in (var, plans, old, database):
        path.chmod(0o755 if path.is_dir() else 0o644)
    var_folder(tmp_path)
    write_private(old, "new")
    ledger.check()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (var, plans, old, database)}
    assert modes == {"var": 0o700, "plans": 0o700, "all.json": 0o600, "bridge.db": 0o600}
    assert old.read_text() == "new"
    database.chmod(0o644)
    ledger.upgrade()
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    ledger.close()
