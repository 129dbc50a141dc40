"""Whether the provider of the sign-in answers, as `bridge check --live` and `bridge doctor` say."""

import json

import pytest

from bridge.http import provider_calls
from bridge.operations import live_check
from tests.cli.conftest import KEYS
from tests.openid.id_provider import CLIENT, SECRET, IdProvider

URI = "redirect URI to register: https://bridge.example.com/sign-in/openid/back"
FILE = """
openid:
  issuer: {issuer}
  client_id: {client}
  client_secret: "${{OPENID_CLIENT_SECRET}}"
  pages: https://bridge.example.com/
  roles: {{owners: admin}}

connections:
"""


@pytest.fixture
def provider():
    with IdProvider() as running:
        yield running


@pytest.fixture
def bridge(run, tmp_path, monkeypatch, provider):
    """A home whose vendors are left out of what is called."""
    monkeypatch.setattr(live_check, "_call_all", lambda *_, **__: ({}, []))
    monkeypatch.setattr("bridge.operations.symptoms.redis", lambda _desk: [])
    run("init", str(tmp_path), environ=KEYS)
    settings = tmp_path / "config" / "bridge.yaml"
    written = FILE.format(issuer=provider.url, client=CLIENT)
    settings.write_text(settings.read_text().replace("\nconnections:\n", written, 1))
    environ = KEYS | {"OPENID_CLIENT_SECRET": SECRET}

    def call(*arguments):
        done = run("--home", str(tmp_path), *arguments, environ=environ)
        assert SECRET not in done.output
        return done

    assert call("db", "upgrade").exit_code == 0
    return call


def test_it_answers_and_the_redirect_uri_is_printed(bridge, provider):
    done = bridge("check", "--live")
    assert done.exit_code == 0
    assert f"sign-in: {provider.url} answers, with 2 keys that may sign; {URI}" in done.output
    assert "sign-in" not in bridge("check").output
    assert json.loads(bridge("check", "--live", "--json").output)["sign_in"].endswith(URI)
    assert "OPENID" not in bridge("doctor", "--json").output


def test_one_that_is_another_or_down_is_said_with_what_to_do(bridge, provider, monkeypatch):
    provider.document["issuer"] = "https://another.example"
    done = bridge("check", "--live")
    assert done.exit_code == 1
    assert "openid: the provider says that it is another issuer" in done.output
    assert "it names 'https://another.example'" in done.output
    assert f"[BRG-OPENID-SETUP]; {URI}" in done.output
    monkeypatch.setattr(provider_calls, "SECONDS", 0.2)
    provider.answers["/.well-known/openid-configuration"] = lambda: ("down", 503)
    rows = [json.loads(line) for line in bridge("doctor", "--json").output.splitlines()]
    (row,) = [row for row in rows if row["code"] == "BRG-OPENID-DOWN"]
    assert "it answered 503" in row["what"]
    assert URI in row["do"]


def test_in_a_sandbox_its_variables_need_no_value(run, tmp_path, bridge):
    assert bridge("check").exit_code == 0
    done = run("--home", str(tmp_path), "check", "--sandbox", environ={})
    assert done.exit_code == 0, done.output
    refused = run("--home", str(tmp_path), "check", environ=KEYS)
    assert "OPENID_CLIENT_SECRET is not set" in refused.output
