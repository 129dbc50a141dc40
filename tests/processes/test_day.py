"""The day that docs/operations.md tells, typed again: the page says nothing that is not so."""

from pathlib import Path

import pytest

from bridge import wiring
from tests.processes.transcript import Terminals, steps, users

pytestmark = [pytest.mark.processes, pytest.mark.timeout(400)]
ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "operations.md"


@pytest.fixture
def terminals(tmp_path, monkeypatch):
    environ = users(tmp_path, ROOT)
    for name in ("BRIDGE_DATABASE_URL", "BRIDGE_REDIS_URL", "BRIDGE_SANDBOX"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    made = Terminals(tmp_path, environ)
    yield made
    made.close()
    wiring.current.cache_clear()


def test_an_admins_day_goes_as_the_page_says(terminals):
    typed = steps(PAGE.read_text(), "A day with Bridge")
    assert {step.terminal for step in typed} == {"", "vendors", "bridge"}
    for step in typed:
        terminals.play(step)
    assert not terminals.open
