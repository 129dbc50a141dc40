"""`bridge notices`, as an operator gives it."""

import json

import pytest

from bridge.clock import SystemClock
from bridge.ledger.database import Ledger
from tests.cli.conftest import KEYS
from tests.notices.desk import SECRET, Receiver, Teller, endpoint, park, scope, sender

URL = "https://hooks.example.com/a-token-of-ours"
SECTION = f"notices:\n  ops: {{url: '{URL}', secrets: ['${{NOTICE}}']}}\n"


@pytest.fixture
def bridge(run, tmp_path):
    home = tmp_path / "home"
    environ = KEYS | {"NOTICE": SECRET}
    run("init", str(home), environ=environ)
    file = home / "config" / "bridge.yaml"
    file.write_text(file.read_text().replace("connections:\n", f"{SECTION}connections:\n", 1))

    def call(*arguments):
        done = run("--home", str(home), *arguments, environ=environ)
        assert "a-token-of-ours" not in done.output
        assert SECRET.removeprefix("whsec_") not in done.output
        return done

    assert call("db", "upgrade").exit_code == 0
    ledger = Ledger(f"sqlite:///{home / 'var' / 'bridge.db'}")
    call.teller = Teller(ledger, SystemClock(), scope(endpoint(url=URL)))
    yield call
    ledger.close()


def rows(done):
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.output.splitlines()]


def test_a_test_and_sending_again(bridge):
    assert "ops  hooks.example.com  new  0 waiting" in bridge("notices", "list").output
    assert bridge("notices", "test", "gone").exit_code == 2
    early = bridge("notices", "test", "ops")
    assert early.exit_code == 1
    assert "no clock has run since ops was declared" in early.output
    bridge.teller.tell()
    (made,) = rows(bridge("notices", "test", "ops", "--json"))
    assert sender(bridge.teller, Receiver([410])).send_next()
    (shown,) = rows(bridge("notices", "show", "ops", "--json"))
    assert (shown["notice"], shown["state"], shown["status"]) == (made["notice"], "failed", 410)
    assert "answered 410" in bridge("notices", "show", "ops", "--state", "failed").output
    assert bridge("notices", "show", "ops", "--state", "waiting").output == "nothing\n"
    (listed,) = rows(bridge("notices", "list", "--json"))
    assert (listed["health"], listed["given_up"]) == ("gone", 1)
    dry = bridge("notices", "send-again", "ops", "--dry-run")
    assert dry.output == "1 notice would be sent\n"
    none = bridge("notices", "send-again", "ops", "--since", "2999-01-01")
    assert none.output == "0 notices to be sent again\n"
    (again,) = rows(bridge("notices", "send-again", "ops", "--json"))
    assert again == {"endpoint": "ops", "numbers": [shown["id"]], "more": False, "sent": 1}
    assert sender(bridge.teller, Receiver()).send_next()
    assert "ops  hooks.example.com  well  0 waiting, 0 given up" in bridge("notices", "list").output


def test_the_doctor_says_what_was_given_up(bridge):
    bridge.teller.tell()
    with bridge.teller.ledger.transaction() as tx:
        park(tx, bridge.teller.clock.now(), 1)
    bridge.teller.tell()
    sender(bridge.teller, Receiver([410])).send_next()
    said = bridge("doctor").output
    assert "BRG-NOTICE-GONE" in said
    assert "1 notice was not delivered to ops, and given up" in said
