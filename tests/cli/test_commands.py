from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import pytest
from click import Context

from bridge.cli import main
from bridge.cli.command_table import COMMANDS, LINES
from tests.cli.conftest import KEYS


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_there_and_says_what_it_does(run, name):
    result = run(name, "--help")
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"Usage: bridge {name}")


def test_help_lists_every_command(run):
    output = run("--help").output
    assert all(f"\n  {name}" in output for name in COMMANDS)


def test_the_list_says_what_each_command_says_of_itself():
    said = {name: main.get_command(Context(main), name) for name in COMMANDS}
    assert {name: each.get_short_help_str(200) for name, each in said.items()} == LINES


@pytest.mark.parametrize(
    ("words", "unneeded"),
    [
        (["--help"], ["sqlalchemy", "yaml", "requests", "redis", "alembic", "bridge.config"]),
        (
            ["check"],
            ["requests", "redis", "rq", "alembic", "werkzeug", "bridge.wiring", "bridge.sandbox"],
        ),
        (["status"], ["alembic", "flask", "werkzeug", "waitress", "bridge.sandbox"]),
    ],
    ids=" ".join,
)
def test_a_command_loads_no_library_that_it_does_not_need(run, tmp_path, words, unneeded):
    run("init", str(tmp_path))
    run("--home", str(tmp_path), "db", "upgrade", environ=KEYS)
    script = (
        "import sys; from bridge.cli import main; main(sys.argv[1:], standalone_mode=False)\n"
        "print('all modules:', *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "--home", str(tmp_path), *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **KEYS},
    )
    loaded = done.stdout.rpartition("all modules: ")[2].split()
    assert "bridge.cli" in loaded, done.stderr
    assert sorted(set(unneeded) & set(loaded)) == []


def test_an_unknown_command_is_wrong_usage(run):
    assert run("frobnicate").exit_code == 2


def test_init_makes_a_home_that_passes_the_check(run, tmp_path):
    home = tmp_path / "a b" / "home"
    made = run("init", str(home))
    assert made.exit_code == 0, made.output
    assert str(home / "config" / "bridge.yaml") in made.output
    assert stat.S_IMODE((home / "var").stat().st_mode) == 0o700
    checked = run("--home", str(home), "check", environ=KEYS)
    assert checked.exit_code == 0, checked.output
    assert checked.output.splitlines()[0] == f"home: {home}"


def test_init_leaves_what_is_there(run, tmp_path):
    run("init", str(tmp_path))
    (tmp_path / "config" / "bridge.yaml").write_text("mine")
    again = run("init", str(tmp_path))
    assert again.exit_code == 0
    assert "nothing was changed" in again.output
    assert (tmp_path / "config" / "bridge.yaml").read_text() == "mine"


def test_init_without_a_folder_goes_to_the_users_home(run, tmp_path):
    (tmp_path / "user").mkdir()
    assert run("init").exit_code == 0
    assert (tmp_path / "user" / ".bridge" / "mappings" / "syncs.yaml").exists()


def test_init_where_nothing_can_be_made_says_so(run, tmp_path):
    (tmp_path / "file").write_text("")
    result = run("init", str(tmp_path / "file" / "home"))
    assert result.exit_code == 2
    assert "name another folder" in result.output


def test_the_shipped_files_pass_the_check_without_any_key(run):
    result = run("check", "--sandbox", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.output) == {
        "ok": True,
        "problems": [],
        "warnings": [],
        "sign_in": "",
        "live": {},
        "changes": [],
        "retired": {},
    }


def test_missing_keys_are_all_named_at_once_and_it_is_no_crash(run):
    result = run("check", "--json")
    assert result.exit_code == 1
    problems = "\n".join(json.loads(result.stdout)["problems"])
    assert all(name in problems for name in KEYS)


def test_any_other_command_ends_with_2_when_the_configuration_is_bad(run, tmp_path):
    run("init", str(tmp_path))
    (tmp_path / "config" / "bridge.yaml").write_text("connections: [")
    for command in (
        ["status"],
        ["db", "upgrade"],
        ["web", "--port", "18999"],
        ["worker"],
        ["clock"],
    ):
        result = run("--home", str(tmp_path), *command)
        assert result.exit_code == 2, command
        assert "bridge.yaml" in result.output


@pytest.mark.parametrize("command", ["web", "worker", "clock", "admin"])
def test_without_a_redis_it_is_said_which_variable_to_set(run, tmp_path, command):
    run("init", str(tmp_path))
    run("--home", str(tmp_path), "db", "upgrade", environ=KEYS)
    result = run("--home", str(tmp_path), command, environ=KEYS)
    assert result.exit_code == 2, result.output
    assert "BRIDGE_REDIS_URL" in result.output


def test_the_ledger_is_made_and_reports_its_revision(run, tmp_path):
    run("init", str(tmp_path))
    before = run("--home", str(tmp_path), "db", "status", environ=KEYS)
    assert before.exit_code == 1
    assert "bridge db upgrade" in before.output
    assert not (tmp_path / "var" / "bridge.db").exists()
    assert run("--home", str(tmp_path), "db", "upgrade", environ=KEYS).exit_code == 0
    after = run("--home", str(tmp_path), "db", "status", "--json", environ=KEYS)
    assert after.exit_code == 0
    shown = json.loads(after.stdout)
    assert shown["revision"] == shown["needed"] != ""


def test_status_of_an_empty_ledger(run, tmp_path):
    run("init", str(tmp_path))
    missing = run("--home", str(tmp_path), "status", environ=KEYS)
    assert missing.exit_code == 2
    assert "bridge db upgrade" in missing.output
    run("--home", str(tmp_path), "db", "upgrade", environ=KEYS)
    shown = json.loads(run("--home", str(tmp_path), "status", "--json", environ=KEYS).stdout)
    assert shown["links"] == 0
    assert {row["connection"] for row in shown["connections"]} == {
        "helpdesk",
        "product",
        "desk",
        "feedback",
        "screens",
    }
    assert "helpdesk" in run("--home", str(tmp_path), "status", environ=KEYS).output


def test_an_unknown_ticket_is_wrong_usage(run, tmp_path):
    run("init", str(tmp_path))
    run("--home", str(tmp_path), "db", "upgrade", environ=KEYS)
    result = run("--home", str(tmp_path), "ticket", "helpdesk:nope", environ=KEYS)
    assert result.exit_code == 2
    assert "no ticket is called helpdesk:nope" in result.output


def test_no_secret_is_ever_shown(run, tmp_path):
    run("init", str(tmp_path))
    run("--home", str(tmp_path), "db", "upgrade", environ=KEYS)
    for command in (["check"], ["status"], ["status", "--json"], ["db", "status"]):
        output = run("--home", str(tmp_path), *command, environ=KEYS).output
        assert not any(
            value in output for name, value in KEYS.items() if "KEY" in name or "SECRET" in name
        )


@pytest.mark.parametrize("faults", ["no-such=0.1", "throttle=7", "throttle"])
def test_wrong_faults_are_named(run, faults):
    result = run("demo", f"--faults={faults}")
    assert result.exit_code == 2
    assert "--faults" in result.output


def test_a_check_that_lacks_keys_names_the_one_that_needs_none(run, tmp_path):
    run("init", str(tmp_path / "home"))
    lacking = run("--home", str(tmp_path / "home"), "check")
    assert "HELPDESK_API_KEY is " in lacking.output
    assert "note: `bridge check --sandbox` needs no keys" in lacking.output
    assert "note:" not in run("--home", str(tmp_path / "home"), "check", "--sandbox").output
