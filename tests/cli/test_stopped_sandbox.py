"""A home in which only a sandbox ran: its commands say that it is stopped, not only what lacks."""

import pytest


@pytest.mark.parametrize("words", ["status", "doctor", "tickets", "plan"])
@pytest.mark.parametrize("ran", [True, False])
def test_where_keys_are_missing_the_stopped_sandbox_is_named(run, tmp_path, words, ran):
    run("init", str(tmp_path))
    (tmp_path / "var").mkdir(exist_ok=True)
    if ran:
        (tmp_path / "var" / "sandbox.db").touch()
    done = run("--home", str(tmp_path), words)
    assert done.exit_code in {1, 2}
    assert "HELPDESK_API_KEY is empty" in done.output
    assert ("the sandbox that ran in this home is stopped" in done.output) is ran
    assert ("`bridge up --sandbox` starts a new one" in done.output) is ran
    assert done.output.startswith("note: the sandbox") is ran  # before all that follows from it
    assert done.output.count("`bridge check` names every problem") == (words == "doctor")
