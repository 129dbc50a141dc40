"""`bridge connection show`: all that is known of a connection, in lines and for programs."""

import json

from tests.cli.conftest import KEYS


def test_a_connection_is_shown_with_all_that_is_known_and_no_secret(run, tmp_path):
    def bridge(*words, code=0):
        done = run("--home", str(tmp_path), *words, environ=KEYS)
        assert done.exit_code == code, done.output
        return done.output

    run("init", str(tmp_path))
    bridge("db", "upgrade")
    bridge("connection", "pause", "helpdesk", "--why", "they move house")
    text = bridge("connection", "show", "helpdesk")
    assert "helpdesk (switch): " in text
    assert "breaker stopped: paused until `bridge connection resume helpdesk`" in text
    assert "Credentials: api_key •••" in text
    assert "webhooks at /webhooks/helpdesk, hmac-sha256: none came lately" in text
    assert "status yes on update alone" in text
    row = json.loads(bridge("connection", "show", "helpdesk", "--json").splitlines()[-1])
    assert row["breaker"]["state"] == "stopped"
    whole = text + json.dumps(row)
    assert [value for value in KEYS.values() if value in whole] == []
    bridge("connection", "show", "nope", code=2)
