"""`bridge user` and `bridge audit verify`, as an admin gives them."""

import json

import pytest
from sqlalchemy import update

from bridge.ledger import tables
from bridge.ledger.database import Ledger
from tests.cli.conftest import KEYS

PASSWORD = "correct horse battery"


@pytest.fixture
def bridge(run, tmp_path):
    home = tmp_path / "home"
    run("init", str(home), environ=KEYS)

    def call(*arguments, keys=""):
        done = run("--home", str(home), *arguments, environ=KEYS, keys=keys)
        assert PASSWORD not in done.output
        return done

    assert call("db", "upgrade").exit_code == 0
    call.ledger = Ledger(f"sqlite:///{home / 'var' / 'bridge.db'}")
    yield call
    call.ledger.close()


def test_users_from_the_first_command_to_the_last(bridge):
    assert "bridge user add" in bridge("user", "list").output
    refused = bridge("user", "add", "ana", keys="short\n")
    assert (refused.exit_code, "15 to 256 characters" in refused.output) == (1, True)
    added = bridge("user", "add", "ana", "--role", "admin", keys=f"{PASSWORD}\n")
    assert (added.exit_code, added.output) == (0, "ana may use the pages as admin\n")
    assert bridge("user", "disable", "bo").exit_code == 2  # there is no bo
    link = bridge("user", "link", "ana", "--url", "http://127.0.0.1:8099/").output
    assert link.startswith("http://127.0.0.1:8099/sign-in/link/")
    assert link.strip().rpartition("/")[2] not in bridge("audit", "--json").output
    last = bridge("user", "disable", "ana")
    assert (last.exit_code, "ana is the last admin" in last.output) == (1, True)
    bridge("user", "add", "bo", "--role", "admin", "--no-password")
    bridge("user", "disable", "ana")
    row, _bo = [json.loads(line) for line in bridge("user", "list", "--json").output.splitlines()]
    assert (row["name"], row["role"], row["has_password"]) == ("ana", "admin", True)
    assert row["disabled_at"] is not None
    assert "4 acts hang together; newest digest " in bridge("audit", "verify").output
    with bridge.ledger.transaction() as tx:
        tx.execute(update(tables.audit).values(actor="local:somebody"))
    refused = bridge("audit", "verify")
    assert refused.exit_code == 1
    assert "act 1 does not fit the 0 acts before it" in refused.output


def test_tokens_from_the_first_command_to_the_last(bridge):
    assert "bridge token create" in bridge("token", "list").output
    made = bridge("token", "create", "ci", "--role", "operator", "--connection", "helpdesk")
    assert made.exit_code == 0
    secret = made.stdout.strip()
    assert secret.startswith("brg_")
    assert "ci may use the API as operator until " in made.stderr
    assert "helpdesk" in bridge("token", "list").output
    assert bridge("token", "create", "ci").exit_code == 1
    assert bridge("token", "create", "other", "--connection", "nowhere").exit_code == 2
    assert bridge("token", "revoke", "nobody").exit_code == 2
    assert bridge("token", "revoke", "ci").exit_code == 0
    listed = bridge("token", "list", "--json").output
    row = json.loads(listed)
    assert (row["name"], row["role"], row["connections"]) == ("ci", "operator", ["helpdesk"])
    assert row["revoked_at"] is not None
    assert secret not in listed + bridge("audit", "--json").output
    new = json.loads(bridge("token", "create", "new", "--json").output)
    assert (new["token"]["role"], new["secret"][:4]) == ("viewer", "brg_")
