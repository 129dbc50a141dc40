"""Every documented call of a vendor is made by the connector, or its page says why not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bridge.connectors import CONNECTORS
from bridge.connectors.contract import Draft, Intent
from bridge.core.model.values import Ref
from tests.connectors.bench import FIXTURES
from tests.connectors.scopeai_bench import ScopeaiBench
from tests.connectors.switch_bench import CustomerBench, document
from tests.connectors.test_posthog import PostHogBench
from tests.connectors.upscope_bench import UpscopeBench
from tests.connectors.zaia_bench import JONAS, MARY, ZaiaBench

PAGES = Path(__file__).resolve().parents[2] / "docs" / "systems"


def listed(system):
    return json.loads((FIXTURES / system / "api_endpoints.json").read_text())


def made(bench, prefix, placeholder):
    """The calls that were made, in the words of the document."""
    found = set()
    for method, url in bench.faulty.calls:
        path = url.split("?")[0].split(prefix, 1)[1].rstrip("/")
        parts = path.split("/")
        found.add(
            f"{method} "
            + "/".join(
                [*parts[:-1], placeholder] if "_" in parts[-1] or "-" in parts[-1] else parts
            )
        )
    return found


def explained(system, rows):
    text = re.sub(r"\s+", " ", (PAGES / f"{system}.md").read_text())
    for row in rows:
        if row["never"]:
            assert f"`{row['endpoint']}`" in text, row["endpoint"]


def test_switch():
    bench = CustomerBench()
    connector = bench.connector
    bench.box.catalogues["tag"].put({"id": "tag_1", "name": "billing"})
    bench.box.catalogues["article"].put({"id": "art_1", "title": "How to"})
    customer = connector.create(bench.draft("m-1"))
    connector.update(customer.ref, "patch", {"name": "Ann"})
    note = connector.create(Draft("message", {"ticket_id": bench.ticket, "content": "x"}, "m-2"))
    ticket = connector.create(Draft("ticket", document("ticket_sent"), "m-3"))
    connector.update(ticket.ref, "patch", {"status": "open"})
    connector.delete(ticket.ref)
    for entity in ("ticket", "message", "customer", "agent", "tag", "article"):
        connector.scan(entity, None)
    one = {
        "ticket": bench.ticket,
        "message": note.ref.id,
        "customer": customer.ref.id,
        "agent": "usr_1",
        "tag": "tag_1",
        "article": "art_1",
    }
    for entity, remote_id in one.items():
        assert connector.read(entity, [remote_id])[remote_id] is not None
    rows = listed("switch")
    assert made(bench, "/api/v1", "{id}") == {row["endpoint"] for row in rows if not row["never"]}
    explained("switch", rows)
    assert not [entry.note for entry in bench.box.journal.since() if entry.note]
    bench.http.close()


def test_posthog():
    bench = PostHogBench()
    connector = bench.connector
    made_ = connector.create(bench.draft("m-1"))
    connector.read("ticket", [made_.ref.id])
    connector.changed("ticket", None)
    connector.find(Intent(bench.draft("m-1"), bench.clock.now()))
    connector.update(Ref("my-posthog", "ticket", made_.ref.id), "patch", {"status": "open"})
    connector.account_metrics()
    connector.delete(made_.ref)
    rows = listed("posthog")
    base = "/conversations/tickets"
    short = {row["endpoint"].replace(f"/api/projects/:project_id{base}", ""): row for row in rows}
    assert set(_posthog(bench, base)) == {each for each, row in short.items() if not row["never"]}
    explained("posthog", rows)
    assert not [entry.note for entry in bench.box.journal.since() if entry.note]
    bench.http.close()


def _posthog(bench, base):
    for method, url in bench.faulty.calls:
        rest = url.split("?")[0].split(base, 1)[1].strip("/")
        yield f"{method} " + (f"/{rest}" if rest == "unread_count" else "/:id" if rest else "")


def test_zaia():
    bench = ZaiaBench()
    connector = bench.connector
    ref = connector.create(bench.draft("m-1")).ref
    bench.box.edit(ref.id, {"tags": ["old"]})
    bench.box.edit(bench.make(), {"tags": ["VIP"]})
    bench.update(ref.id, "attach", tags="VIP")
    bench.update(ref.id, "detach", tags="old")
    bench.update(ref.id, "takeover", status="ongoing", assigneeId=MARY)
    bench.update(ref.id, "assign", assigneeId=JONAS)
    bench.update(ref.id, "complete", status="completed")
    assert connector.read("ticket", [ref.id])[ref.id].data["status"] == "completed"
    connector.scan("ticket", None)
    rows = listed("zaia")
    assert {f"{method} {_zaia(url)}" for method, url in bench.faulty.calls} == {
        # The listing of tags is no part of the reference of tickets; it is asked where
        # `tag_listing` says so.
        "GET /api/v1/tags",
        *(re.sub(r"{\w+}", "{id}", row["endpoint"]) for row in rows if not row["never"]),
    }
    explained("zaia", rows)
    assert bench.notes() == []
    bench.http.close()


def _zaia(url):
    return re.sub(
        r"[0-9a-f]{8}-[0-9a-f-]{27}", "{id}", url.split("?")[0].removeprefix("https://zaia.example")
    )


def test_scopeai():
    bench = ScopeaiBench()
    connector = bench.connector
    ref = connector.create(bench.draft("m-1")).ref
    bench.box.edit(ref.id, {"add_tag": {"name": "export", "salience": 0.9}})
    bench.box.edit(ref.id, {"add_tag": {"name": "hidden", "relevant": False, "salience": 0.9}})
    assert set(bench.tags(ref.id)) == {"export", "hidden"}
    connector.scan("ticket", None)
    rows = listed("scopeai")
    called = {
        f"{method} {re.sub(r'/[0-9]+', '/{id}', _below(url, '/v1'))}"
        for method, url in bench.faulty.calls
    }
    assert called == {row["endpoint"] for row in rows if not row["never"]}
    explained("scopeai", rows)
    assert bench.forbidden() == []
    bench.http.close()


@pytest.mark.provokes
def test_upscope():
    bench = UpscopeBench()
    connector = bench.connector
    visitor = bench.visit("ana@example.com")
    assert connector.account_metrics()
    connector.scan("customer", None)
    assert connector.read("customer", [visitor])[visitor] is not None
    connector.perform_action(
        "watch_url", {"visitor": visitor, "agent.id": "12", "agent.name": "Mary"}
    )
    connector.delete(bench.ref(visitor))
    rows = listed("upscope")
    called = {
        f"{method} {_below(url, '/v1.1').replace(visitor, '{id}')}"
        for method, url in bench.faulty.calls
    }
    assert called == {row["endpoint"] for row in rows if not row["never"]}
    explained("upscope", rows)
    assert bench.notes() == ["forbidden: a visitor deleted"]
    bench.http.close()


def _below(url, prefix):
    return url.split("?")[0].split(prefix, 1)[1]


def test_every_system_is_looked_at():
    assert {name.removeprefix("test_") for name in globals() if name.startswith("test_")} >= set(
        CONNECTORS
    )
