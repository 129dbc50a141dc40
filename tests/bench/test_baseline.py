"""The comparison application does what it is compared for."""

import json

import requests

from bench.baseline.mirror import Mirror
from bench.baseline.receiver import create_app, sign
from bench.estate import vendor


def test_it_makes_a_counterpart_once_and_changes_only_what_differs(tmp_path):
    with vendor(3) as source, vendor(0) as target:
        environ = {
            "MIRROR_DATABASE": str(tmp_path / "mirror.db"),
            "MIRROR_SOURCE": source, "MIRROR_SOURCE_KEY": "a-key",
            "MIRROR_TARGET": target, "MIRROR_TARGET_KEY": "another",
        }  # fmt: skip
        app = Mirror(environ)
        for _ in range(2):
            app.mirror("tkt_2")
        assert told(target, "asked") == 2  # the create, and a read that shows nothing to change
        app.source.change("tkt_2", {"subject": "Another"})
        app.mirror("tkt_2")
        app.mirror("tkt_9")  # deleted at the source
        counterpart = app.target.read("new_1")
        assert (told(target, "posted"), list(told(target, "changed"))) == (1, ["new_1"])
    assert counterpart["subject"] == "Another"
    assert counterpart["tags"] == ["billing", "area-2"]


def test_its_receiver_queues_nothing_for_a_bad_signature_or_without_a_ticket(tmp_path):
    door = create_app(
        {"MIRROR_REDIS": f"unix://{tmp_path}/none", "MIRROR_SECRET": "a-secret"}
    ).test_client()
    body = json.dumps({"event": "ticket.updated"}).encode()
    headers = {"Content-Type": "application/json", "X-Webhook-Signature": sign("a-secret", body)}
    assert door.post("/webhooks/tickets", data=body, headers=headers).status_code == 400
    forged = headers | {"X-Webhook-Signature": sign("another", body)}
    assert door.post("/webhooks/tickets", data=body, headers=forged).status_code == 401


def told(url, what):
    return requests.get(f"{url}/{what}", timeout=10).json()[what]
