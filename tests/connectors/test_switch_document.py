"""Switch's document: its own examples through the connector, and the mapping of what they show."""

from __future__ import annotations

from pathlib import Path

from bridge.config.mapping_files import compile_mapping, run_examples
from bridge.config.yaml_reader import load
from bridge.connectors import connector_class
from bridge.connectors.contract import Draft
from bridge.core.mapping.agent_table import AgentTable
from bridge.core.model.values import Ref
from tests.connectors.bench import FIXTURES
from tests.connectors.shipped import shipped_fields
from tests.connectors.switch_bench import document, saying


def test_the_documents_tickets_are_read():
    connector, sent = saying(document("tickets"))
    (row,) = connector.changed("ticket", None).records
    assert (row.ref.id, row.data["customer"]["email"], row.partial) == (
        "tkt_123",
        "user@example.com",
        True,
    )
    assert sent[0][1].startswith("/api/v1/tickets?order_by=updated_at&order_dir=asc")
    connector, _ = saying(document("ticket"))
    (whole,) = connector.read("ticket", ["tkt_123"]).values()
    assert (whole.data["description"], whole.partial, whole.people) == (
        "Full ticket description...",
        False,
        (),
    )


def test_the_documents_ticket_is_created_and_changed_as_printed():
    connector, sent = saying(document("ticket"))
    printed = document("ticket_sent")
    connector.create(Draft("ticket", printed, "m-1"))
    assert sent.pop() == ("POST", "/api/v1/tickets", {**printed, "tags": ["support", "bridge-m-1"]})
    connector.update(Ref("my-switch", "ticket", "tkt_123"), "patch", document("ticket_patched"))
    assert sent.pop() == ("PATCH", "/api/v1/tickets/tkt_123", document("ticket_patched"))


def test_the_documents_conversations_are_read_and_created_as_printed():
    connector, sent = saying(document("conversations"))
    (row,) = connector.scan("message", None).records
    assert (row.ref.id, row.data["content_text"], row.partial) == (
        "conv_123",
        "Message content",
        False,
    )
    connector, sent = saying({"data": document("conversations")["data"][0]})
    connector.create(Draft("message", document("conversation_sent"), "m-1"))
    assert sent == [("POST", "/api/v1/conversations", document("conversation_sent"))]


def test_the_documents_customer_is_read_and_created_as_printed():
    connector, sent = saying(document("customer"))
    (record,) = connector.read("customer", ["cust_456"]).values()
    assert (record.data["company"], record.data["custom_fields"]) == ("Acme Inc", {"tags": []})
    connector.create(Draft("customer", document("customer_sent"), "m-1"))
    assert sent[-1] == ("POST", "/api/v1/customers", document("customer_sent"))


def test_the_documents_error_is_the_apis_own_404():
    connector, _ = saying(document("error"), 404)
    assert connector.read("ticket", ["tkt_1"]) == {"tkt_1": None}


def test_every_fixture_is_used():
    text = Path(__file__).read_text(encoding="utf-8")
    for path in (FIXTURES / "switch").glob("api_*.json"):
        if path.stem == "api_endpoints":  # test_documented_calls looks at these
            continue
        assert f'document("{path.stem.removeprefix("api_")}")' in text


# The mapping


def test_the_mapping_compiles_is_proved_and_keeps_its_examples():
    path = Path(__file__).resolve().parents[2] / "mappings" / "switch.yaml"
    read = load(path, "mappings/switch.yaml")
    made, problems = compile_mapping(
        read, "switch", AgentTable({}), {"switch": connector_class("switch")}, shipped_fields()
    )
    assert problems == []
    assert set(made) == {"ticket", "message", "session", "customer"}
    assert (
        run_examples(read, "switch", {"switch": connector_class("switch")}, shipped_fields()) == []
    )
    assert made["message"].fields["internal"].map.write_key is None
