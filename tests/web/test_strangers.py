"""Who sends nothing of a signature is a stranger; a wrong one tells of a wrong secret."""

import pytest

from bridge.ledger import refused_webhooks


def reasons(receiver):
    with receiver.ledger.read() as tx:
        rows = refused_webhooks.current(tx, receiver.clock.now())
    return {(row.connection, row.reason) for row in rows}


@pytest.mark.parametrize("name", ["helpdesk", "product", "desk", "timed"])
@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
def test_who_sends_nothing_of_a_signature_is_counted_as_a_stranger(receiver, name, kind):
    receiver.client.post(f"/webhooks/{name}", data="{}", headers={"content-type": kind})
    assert reasons(receiver) == {(name, "unsigned")}


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("helpdesk", "X-Webhook-Signature"),
        ("product", "webhook-signature"),
        ("product", "svix-id"),
        ("desk", "X-Secret"),
    ],
)
def test_who_sends_a_signature_that_does_not_fit_has_a_wrong_secret(receiver, name, header):
    receiver.client.post(
        f"/webhooks/{name}", data="{}", headers={"content-type": "application/json", header: "abc"}
    )
    assert reasons(receiver) == {(name, "BadSignature")}
