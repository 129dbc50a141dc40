"""Each accepted and each refused webhook is in the log: names, ids and codes, nobody's values."""

import json

import pytest
from sqlalchemy import text

BODY = json.dumps({"event": "ticket.updated", "data": {"id": "tkt_1", "subject": "private"}})


@pytest.fixture
def lines(caplog):
    """What the log says of webhooks: the message with what was logged beside it."""
    caplog.set_level("INFO", "bridge.web")
    names = ("connection", "event", "status", "records", "code", "number")

    def said():
        found = [
            (
                record.getMessage(),
                {name: what for name, what in vars(record).items() if name in names},
            )
            for record in caplog.records
            if "webhook" in record.getMessage()
        ]
        assert "private" not in str([vars(record) for record in caplog.records])
        caplog.clear()
        return found

    return said


def test_an_accepted_one_is_told_with_its_records_and_a_repetition_as_such(receiver, lines):
    receiver.post("helpdesk", BODY)
    receiver.post("helpdesk", BODY)
    about = {"connection": "helpdesk", "event": "ticket.updated", "records": "tkt_1"}
    assert lines() == [
        ("took a webhook", about | {"status": "accepted"}),
        ("took a webhook", about | {"status": "duplicate"}),
    ]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"event": "invoice.paid", "data": {"id": "private"}}, "ignored", "BRG-HOOK-IGNORED"),
        ({"event": "ticket.updated", "data": {}}, "quarantined", "BRG-HOOK-MALFORMED"),
    ],
)
def test_one_that_came_to_nothing_is_told_with_its_code(receiver, lines, body, status, code):
    receiver.post("helpdesk", json.dumps(body))
    [(message, about)] = lines()
    assert (message, about["status"], about["code"]) == ("took a webhook", status, code)
    assert "records" not in about


@pytest.mark.parametrize(
    ("name", "headers", "code"),
    [
        ("helpdesk", {"x-webhook-signature": "0" * 64}, "BRG-HOOK-SIGNATURE"),
        ("helpdesk", {}, "BRG-HOOK-UNSIGNED"),
        ("helpdesk", {"content-type": "text/plain", "x-webhook-signature": "0"}, "BRG-HOOK-TYPE"),
        ("nobody", {}, "BRG-HOOK-UNKNOWN"),
    ],
)
def test_a_refused_one_is_told_with_its_code(receiver, lines, name, headers, code):
    given = {"content-type": "application/json"} | headers
    receiver.client.post(f"/webhooks/{name}", data=BODY, headers=given)
    connection = name if name == "helpdesk" else ""
    [(message, about)] = lines()
    assert message.startswith("refused webhooks: ")
    assert about == {"connection": connection, "code": code, "number": 1}


def test_a_flood_of_refusals_is_one_line_with_their_number(receiver, lines):
    for _ in range(7):
        given = {"content-type": "application/json", "x-webhook-signature": "0" * 64}
        receiver.client.post("/webhooks/helpdesk", data=BODY, headers=given)
    [(_seconds, write)] = receiver.clock.put_off
    write()
    assert [about["number"] for _message, about in lines()] == [1, 6]


def test_one_that_the_ledger_cannot_take_is_told_with_its_code(receiver, lines):
    with receiver.ledger.transaction() as tx:
        tx.execute(text("alter table work rename to gone"))
    assert receiver.post("helpdesk", BODY).status_code == 503
    assert lines()[-1] == (
        "refused a webhook: the ledger could not take it",
        {"connection": "helpdesk", "code": "BRG-HOOK-LEDGER"},
    )
