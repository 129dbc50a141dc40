"""What the server process builds is what the configuration says."""

import pytest

from bridge import wiring
from bridge.home import fill_home, var_folder
from bridge.ledger.database import Ledger
from bridge.sandbox import server
from bridge.supervisor.sandbox_accounts import FILE, write_accounts
from bridge.web.serve import application


@pytest.fixture
def built(tmp_path, monkeypatch):
    fill_home(tmp_path)
    config = tmp_path / "config" / "bridge.yaml"
    config.write_text(f"body_limit: 2048\n{config.read_text()}")
    write_accounts(var_folder(tmp_path) / FILE, server.accounts())
    monkeypatch.setenv("BRIDGE_HOME", str(tmp_path))
    monkeypatch.setenv("BRIDGE_SANDBOX", "1")
    monkeypatch.delenv("BRIDGE_DATABASE_URL", raising=False)
    Ledger(f"sqlite:///{tmp_path / 'var' / 'bridge.db'}").upgrade()
    wiring.current.cache_clear()
    yield application()
    wiring.current().close()
    wiring.current.cache_clear()


@pytest.mark.parametrize(("size", "status"), [(2048, 401), (2049, 413)])
def test_the_declared_size_of_a_body_is_the_limit(built, size, status):
    asked = built._app.test_client().post(
        "/webhooks/helpdesk", data=b"x" * size, content_type="application/json"
    )
    assert asked.status_code == status
    assert built._limit == 2048
