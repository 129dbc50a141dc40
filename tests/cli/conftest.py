import pytest
from click.testing import CliRunner

from bridge.cli import main


@pytest.fixture
def run(monkeypatch, tmp_path):
    for name in ("BRIDGE_HOME", "BRIDGE_DATABASE_URL", "BRIDGE_REDIS_URL", "BRIDGE_SANDBOX"):
        monkeypatch.setenv(name, "")  # so that it is put back afterwards, whatever a command sets
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))

    def call(*arguments: str, environ: dict[str, str] | None = None, keys: str = ""):
        return CliRunner().invoke(
            main, list(arguments), input=keys, env=environ, prog_name="bridge"
        )

    return call


KEYS = {
    "HELPDESK_API_KEY": "k" * 8,
    "HELPDESK_WEBHOOK_SECRET": "s" * 16,
    "PRODUCT_PROJECT_ID": "12345",
    "PRODUCT_API_KEY": "p" * 8,
    "PRODUCT_WEBHOOK_SECRET": "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0",
    "DESK_API_KEY": "d" * 8,
    "DESK_SERVICE_USER": "4f0c0000-0000-4000-8000-000000000001",
    "FEEDBACK_API_KEY": "f" * 8,
    "SCREENS_API_KEY": "u" * 8,
}
