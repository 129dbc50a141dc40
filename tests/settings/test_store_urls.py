"""Addresses of the ledger and of Redis: no part of a password is ever shown, whatever it is."""

import itertools

import pytest

from bridge.config.store_urls import url_problem, url_secrets
from bridge.errors import BridgeError, ConfigError, LedgerError
from bridge.ledger.database import Ledger
from bridge.queue.doorbell import Doorbell
from tests.cli.conftest import KEYS, run

__all__ = ["run"]

PARTS = ("S3cr", "Tail", "W0rd")
AT = "127.0.0.1:1"
CLEAR = (
    f"postgresql://{AT}/db?user=u&password=S3crTailW0rd",
    f"postgresql://u:S3cr:Tail:W0rd@{AT}/db",
    f"postgresql://u:S3cr%40Tail%2FW0rd@{AT}/db",
    f"postgresql://u:S3cr%23Tail%3FW0rd%25%20@{AT}/db",
    f"postgresql://u:S3cr!Tail$&'()*+,;=W0rd@{AT}/db",
)
UNCLEAR = (
    *(
        f"postgresql://u:S3cr{mark}Tail{other}W0rd@{AT}/db"
        for mark, other in itertools.product("@/#? ", "@/#? \t:")
    ),
    f"postgresql://u:S3cr%zzTail@{AT}/db",
    f"postgresql://u:S3cr[Tail@{AT}/db",
    f"postgresql://{AT}/db?user=u&password=S3cr@Tail",
    f"postgresql://{AT}/db?user=u&password=S3crTail#W0rd",
    f"postgresql://{AT}/db#S3crTail",
    "postgresql://u:S3crTail",
    "postgresql://u:S3cr:Tail",
)
COMMANDS = (
    ("check",),
    ("db", "status"),
    ("db", "upgrade"),
    ("doctor",),
    ("status",),
    ("plan",),
    ("web",),
    ("worker",),
    ("clock",),
)


def shows(text):
    return [part for part in PARTS if part in text]


@pytest.mark.parametrize("url", CLEAR)
def test_a_clear_address_is_no_problem_and_gives_its_password_to_nobody(url):
    assert url_problem(url) == ""
    ledger = Ledger(url.replace("postgresql://", "postgresql+psycopg://"))
    assert not shows(ledger.shown)
    assert "127.0.0.1:1/db" in ledger.shown
    assert list(url_secrets(url))
    with pytest.raises(LedgerError) as refused, ledger.read():
        pass
    assert not shows(str(refused.value))
    ledger.close()


@pytest.mark.parametrize("url", UNCLEAR)
def test_an_address_that_two_readers_read_differently_is_refused_without_a_word_of_it(url):
    problem = url_problem(url)
    assert problem
    assert not shows(problem)
    assert "%" in problem, "the way out is named"


@pytest.mark.parametrize("url", [*CLEAR[:2], UNCLEAR[1], UNCLEAR[-1], *UNCLEAR[-5:-3]])
@pytest.mark.parametrize("name", ["BRIDGE_DATABASE_URL", "BRIDGE_REDIS_URL"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_shows_a_part_of_it_or_ends_in_a_traceback(run, tmp_path, command, name, url):
    url = url.replace("postgresql://", "redis://") if name == "BRIDGE_REDIS_URL" else url
    run("init", str(tmp_path))  # without a ledger: no process begins to run
    result = run("--home", str(tmp_path), *command, environ=KEYS | {name: url})
    assert not shows(result.output)
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_check_names_key_line_and_the_way_out(run, tmp_path):
    run("init", str(tmp_path))
    given = {"BRIDGE_DATABASE_URL": UNCLEAR[0], "BRIDGE_REDIS_URL": "redis://h:70000/0"}
    result = run("--home", str(tmp_path), "check", environ=KEYS | given)
    assert result.exit_code == 1
    assert "config/bridge.yaml:7: database: cannot be read in one way only" in result.output
    assert "%40" in result.output
    assert "config/bridge.yaml:8: redis: has no port from 1 to 65535" in result.output


@pytest.mark.parametrize("port", ["0", "65536", "99999999", "x", "-1"])
def test_a_port_that_there_is_not_is_a_problem(port):
    assert "port" in url_problem(f"redis://127.0.0.1:{port}/0")


def test_an_option_that_nobody_knows_is_said_in_words():
    with pytest.raises(ConfigError, match="redis: is no address"):
        Doorbell("redis://127.0.0.1/0?db=S3cr")
    ledger = Ledger(f"postgresql://{AT}/db?S3crTail=W0rd")
    with pytest.raises(BridgeError) as refused, ledger.read():
        pass
    assert "W0rd" not in str(refused.value)
