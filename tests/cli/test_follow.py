"""While a sandbox runs in a home, commands look at that one, without its keys in the environment"""

import os

import pytest

from bridge.home import fill_home, var_folder
from bridge.ledger import connection_health
from bridge.ledger.database import Ledger
from bridge.queue.embedded_valkey import Embedded, socket_for
from bridge.sandbox import access, server
from bridge.supervisor.account_file import write_accounts
from bridge.supervisor.sandbox_accounts import FILE, sandbox_database

SEED = 9


@pytest.fixture
def without_redis(run, tmp_path):
    path = tmp_path / "home"
    fill_home(path)
    served = server.serve(seed=SEED, port_base=0)
    write_accounts(var_folder(path) / FILE, access.accounts(served.urls, SEED))
    ledger = Ledger(sandbox_database(path))
    ledger.upgrade()

    def call(*words):
        done = run("--home", str(path), *words)
        assert done.exit_code == 0, done.output
        return done.output

    call.ledger, call.path = ledger, path
    yield call
    ledger.close()
    served.stop()


@pytest.fixture
def home(without_redis):
    with Embedded(socket_for(without_redis.path).parent):
        yield without_redis


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["plan", "--sandbox"], "the ledger knows no tickets yet"),
        (["apply", "--held", "helpdesk", "--sandbox"], "nothing is held on helpdesk"),
        (["connection", "pause", "helpdesk"], "helpdesk is paused"),
        (["connection", "resume", "helpdesk"], "helpdesk is in use again"),
        (["db", "status"], "sandbox.db: at "),
        (["check", "--live"], "ping: "),
    ],
)
def test_a_command_finds_the_running_sandbox(home, words, message):
    shown = home(*words)
    assert message in shown
    assert "(of the running sandbox)" in shown
    with home.ledger.read() as tx:
        assert connection_health.get(tx, "helpdesk").halted == ("pause" in words)
    assert not (home.path / "var" / "bridge.db").exists()


def test_one_with_a_redis_of_its_own_is_found_by_that(without_redis, monkeypatch):
    monkeypatch.setenv("BRIDGE_SANDBOX_REDIS_URL", "redis://127.0.0.1:1/0")
    assert "(of the running sandbox)" in without_redis("plan", "--sandbox")
    assert os.environ["BRIDGE_REDIS_URL"] == "redis://127.0.0.1:1/0"


def test_where_none_runs_any_more_the_flag_says_so(run, tmp_path):
    fill_home(tmp_path)
    write_accounts(var_folder(tmp_path) / FILE, access.accounts())  # left by a killed one
    done = run("--home", str(tmp_path), "plan", "--sandbox")
    assert done.exit_code == 2
    assert "no sandbox runs in this home" in done.output
