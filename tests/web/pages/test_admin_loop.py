"""How the process of the pages is set up from the environment and the home."""

from __future__ import annotations

import stat

import pytest

from bridge import admin_loop
from bridge.errors import ConfigError


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("BRIDGE_HOME", str(tmp_path))
    for name in (
        admin_loop.KEY,
        admin_loop.PROXIES,
        admin_loop.PATH,
        admin_loop.DEVELOPMENT,
    ):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_the_key_is_made_once_and_for_its_owner_alone(home):
    key = admin_loop.signing_key()
    assert len(key) >= admin_loop.SHORTEST_KEY
    assert admin_loop.signing_key() == key
    file = home / "var" / admin_loop.KEY_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_text("cut off")
    assert len(admin_loop.signing_key()) >= admin_loop.SHORTEST_KEY


def test_machines_may_share_a_key_that_is_long_enough(home, monkeypatch):
    monkeypatch.setenv(admin_loop.KEY, "k" * 32)
    assert admin_loop.signing_key() == "k" * 32
    assert not (home / "var").exists()
    monkeypatch.setenv(admin_loop.KEY, "short")
    with pytest.raises(ConfigError, match="at least 32 random characters"):
        admin_loop.signing_key()


@pytest.mark.usefixtures("home")
def test_what_the_environment_says_is_how_pages_are_served(monkeypatch):
    usual = admin_loop.settings()
    assert (usual.proxies, usual.path, usual.development) == (0, "", False)
    assert usual.key not in repr(usual)
    monkeypatch.setenv(admin_loop.PROXIES, "2")
    monkeypatch.setenv(admin_loop.PATH, "/bridge")
    monkeypatch.setenv(admin_loop.DEVELOPMENT, "1")
    told = admin_loop.settings()
    assert (told.proxies, told.path, told.development) == (2, "/bridge", True)
    monkeypatch.setenv(admin_loop.PROXIES, "one")
    with pytest.raises(ConfigError, match="the number of proxies"):
        admin_loop.settings()
