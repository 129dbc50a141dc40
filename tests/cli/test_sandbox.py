"""`bridge sandbox` says all that somebody else's client needs to work with it."""

import json
import shlex
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests

pytestmark = [pytest.mark.processes, pytest.mark.timeout(120)]


@contextmanager
def sandbox(*words):
    command = [sys.executable, "-m", "bridge", "sandbox", "--port-base", "0", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout
        finally:
            process.terminate()


@pytest.fixture
def listener():
    came, arrived = [], threading.Event()

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self):
            came.append(dict(self.headers))
            self.send_response(200)
            self.end_headers()
            arrived.set()

        def log_message(self, *_arguments):
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook", came, arrived
    server.shutdown()
    server.server_close()


def test_a_client_works_with_what_it_says_and_webhooks_go_where_they_are_told(listener):
    url, came, arrived = listener
    with sandbox("--json", "--webhook", f"switch={url}") as said:
        told = json.loads(said.readline())
        switch = told["switch"]
        assert switch["users"]["mary@support.example"] == "usr_1"
        assert switch["webhooks"] == {"scheme": "hmac-sha256", "url": url}
        assert told["posthog"]["options"]["project_id"] == "12345"
        assert told["posthog"]["webhooks"]["url"] == ""
        made = requests.post(
            f"{switch['base_url']}/tickets",
            headers={"Authorization": f"Bearer {switch['api_key']}"},
            json={
                "subject": "Help",
                "description": "It is stuck.",
                "customer_email": "ana@customer.example",
            },
            timeout=20,
        )
        assert made.status_code == 201, made.text
        assert arrived.wait(30)
        assert "x-webhook-signature" in {name.lower() for name in came[0]}


def test_on_a_screen_each_system_has_its_address_key_project_users_and_secret():
    with sandbox() as said:
        lines = []
        for line in said:
            lines.append(line.rstrip())
            if line.startswith("Ctrl-C"):
                break
        # What it offers for playing people works as it is printed.
        play = [shlex.split(line) for line in lines if line.startswith("  curl ")]
        answers = [
            subprocess.run(words, check=False, capture_output=True, text=True) for words in play
        ]
        assert [answer.returncode for answer in answers] == [0, 0, 0]
        opened = json.loads(answers[0].stdout)["data"]
        assert all(ticket in answers[1].stdout for ticket in opened)
        assert "ID" in json.loads(answers[2].stdout)["error"]
    text = "\n".join(lines)
    assert text.count("key ") == 5
    for told in (
        "project_id   12345",
        "user         mary@support.example   usr_1",
        "secret       whsec_",
        "webhooks     nowhere: --webhook switch=URL says where to",
    ):
        assert told in text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("zaia=http://x", "zaia sends no webhooks; those that do: switch, posthog"),
        ("switch=there", "the URL begins with http:// or https://"),
    ],
)
def test_a_webhook_address_that_cannot_work_is_refused(run, given, said):
    done = run("sandbox", "--port-base", "0", "--webhook", given)
    assert done.exit_code == 2
    assert said in done.output
