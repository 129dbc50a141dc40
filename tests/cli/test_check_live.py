"""`bridge check --live`: every connection is called, reading only; silent ones are named."""

import json
import socket
import ssl
import threading
from contextlib import suppress

import pytest
import trustme

from bridge.home import fill_home, var_folder
from bridge.sandbox import access, server
from bridge.supervisor.account_file import write_accounts
from bridge.supervisor.sandbox_accounts import FILE
from tests.cli.conftest import KEYS

SEED = 9


@pytest.fixture
def served():
    running = server.serve(seed=SEED, port_base=0)
    yield running
    running.stop()


SYSTEMS = {
    "HELPDESK": "switch",
    "PRODUCT": "posthog",
    "DESK": "zaia",
    "FEEDBACK": "scopeai",
    "SCREENS": "upscope",
}


def urls(served):
    accounts = access.accounts(served.urls, SEED)
    return {f"{name}_URL": accounts[system].base_url for name, system in SYSTEMS.items()}


@pytest.fixture
def check(run, tmp_path, served):
    fill_home(tmp_path / "home")
    write_accounts(var_folder(tmp_path / "home") / FILE, access.accounts(served.urls, SEED))

    def call(*arguments):
        return run(
            "--home",
            str(tmp_path / "home"),
            "check",
            "--live",
            *arguments,
            environ={"BRIDGE_SANDBOX": "1"},
        )

    return call


def test_all_that_answer_are_probed_and_nothing_is_written(check, served):
    served.apps["posthog"].populate(2, 1)
    result = json.loads(check("--json").output)
    assert (result["ok"], result["problems"]) == (True, [])
    assert set(result["live"]) == {"helpdesk", "product", "desk", "feedback", "screens"}
    assert result["live"]["product"]["probe"]["ids"] is False
    rows = [
        row for app in served.apps.values() for row in app.journal.since() if row.actor == "bridge"
    ]
    assert {row.kind for row in rows} == {"read"}
    assert not [row for row in rows if row.note.startswith("forbidden")]


def test_a_refused_key_and_a_vendor_that_is_down_are_both_named(check, served):
    served.apps["zaia"].api_key = "another"
    served.apps["upscope"].faults.set({"error-before": 1})
    result = check()
    assert result.exit_code == 1
    problems = [line for line in result.stderr.splitlines() if line.startswith("connections.")]
    assert [line.split(":")[0] for line in problems] == ["connections.desk", "connections.screens"]
    assert "401" in problems[0]
    assert "credentials" not in problems[0]  # a sandbox's key stands in no file of the operator
    marks = {
        line.split()[1]: line.split()[0]
        for line in result.stdout.splitlines()
        if line[:4] in {"ok  ", "no  "}
    }
    assert [marks[name] for name in ("helpdesk", "product", "desk", "screens")] == [
        "ok",
        "ok",
        "no",
        "no",
    ]
    assert result.stderr.rstrip().endswith("2 problems")


def test_of_a_refused_key_the_variable_and_the_place_are_named_and_not_the_key(
    run, tmp_path, served
):
    fill_home(tmp_path)
    file = tmp_path / "config" / "bridge.yaml"
    file.write_text(file.read_text().replace('"${SCREENS_API_KEY}"', "plain-key"))
    result = run("--home", str(tmp_path), "check", "--live", environ=KEYS | urls(served))
    assert result.exit_code == 1
    problem_of = {line.split(":")[0]: line for line in result.stderr.splitlines()}
    lines = file.read_text().splitlines()
    desk, screens = (
        1 + next(n for n, line in enumerate(lines) if word in line)
        for word in ("{DESK_API", "plain-key")
    )
    assert problem_of["connections.desk"].endswith(
        f"; its credentials: DESK_API_KEY (config/bridge.yaml:{desk})"
    )
    assert problem_of["connections.screens"].endswith(
        f"; its credentials: config/bridge.yaml:{screens}"
    )
    assert not any(key in result.output for key in ("plain-key", KEYS["DESK_API_KEY"]))


def test_a_first_plan_and_import_need_no_bridge_that_runs(run, tmp_path, served):
    fill_home(tmp_path)
    accounts = access.accounts(served.urls, SEED)
    keys = {f"{name}_API_KEY": accounts[system].api_key for name, system in SYSTEMS.items()}
    environ = KEYS | urls(served) | keys
    run("--home", str(tmp_path), "db", "upgrade", environ=environ)
    shown = run("--home", str(tmp_path), "check", "--live", environ=environ).output
    assert "    seen: ids: cannot be told; tags: cannot be told" in shown
    assert "{" not in shown
    planned = run("--home", str(tmp_path), "plan", "customers", "--live", environ=environ)
    assert planned.exit_code == 0, planned.output
    assert "calls: helpdesk" in planned.output
    imported = run("--home", str(tmp_path), "backfill", "customers", environ=environ)
    assert imported.exit_code == 0, imported.output


def test_a_certificate_that_is_not_trusted_is_called_that(run, tmp_path, served):
    home, company = tmp_path / "home", trustme.CA()
    fill_home(home)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    company.issue_cert("127.0.0.1").configure_cert(context)
    company.cert_pem.write_to_path(home / "company.pem")
    settings = home / "config" / "bridge.yaml"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        greeter = threading.Thread(target=greet, args=(listener, context))
        greeter.start()
        address = f"https://127.0.0.1:{listener.getsockname()[1]}/api/v1"
        environ = KEYS | urls(served) | {"HELPDESK_URL": address}
        untrusted = run("--home", str(home), "check", "--live", environ=environ).output
        settings.write_text(
            settings.read_text().replace(
                "system: switch\n", "system: switch\n    ca: company.pem\n"
            )
        )
        trusted = run("--home", str(home), "check", "--live", environ=environ).output
        listener.shutdown(socket.SHUT_RDWR)
        greeter.join()
    assert "connections.helpdesk: helpdesk: certificate not trusted: it comes from" in untrusted
    assert "`ca` of the connection" in untrusted
    assert "certificate not trusted" not in trusted
    assert "connections.helpdesk: helpdesk: the connection failed" in trusted


def greet(listener, context):
    """Greet everybody by TLS, and say nothing more."""
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        with suppress(OSError), context.wrap_socket(peer, server_side=True):
            pass
