"""Every address, as each role and as nobody; what is not declared answers nobody."""

from __future__ import annotations

import re

import pytest

from bridge.core.model.syncs import Rate
from bridge.operations import audit_trail, tokens, users
from bridge.operations.permissions import Role
from bridge.web.api import asker
from bridge.web.api.service import HEADERS
from bridge.web.pages import json_twins, visitor
from bridge.web.pages.site import SiteSettings, create_site
from bridge.web.receiver.rates import RateMeter
from tests.operations.desks import desk_of
from tests.web.api.conftest import Service

LEAST = {
    "overview.overview": Role.VIEWER,
    "overview.needs_a_human": Role.VIEWER,
    "overview.me": Role.VIEWER,
    "overview.outcomes": Role.VIEWER,
    "overview.outcome": Role.VIEWER,
    "connections.connections": Role.VIEWER,
    "connections.one_connection": Role.VIEWER,
    "connections.pause_connection": Role.OPERATOR,
    "connections.resume_connection": Role.OPERATOR,
    "connections.syncs": Role.VIEWER,
    "connections.recent_drift": Role.VIEWER,
    "tickets.list_tickets": Role.VIEWER,
    "tickets.one_ticket": Role.VIEWER,
    "tickets.why_a_field": Role.VIEWER,
    "tickets.look_at_act": Role.OPERATOR,
    "tickets.act_on_ticket": Role.OPERATOR,
    "troubles.parked_groups": Role.VIEWER,
    "troubles.parked_rows": Role.VIEWER,
    "troubles.retry_parked": Role.OPERATOR,
    "troubles.discard_parked": Role.OPERATOR,
    "troubles.open_conflicts": Role.VIEWER,
    "troubles.decide_conflict": Role.OPERATOR,
    "troubles.webhooks": Role.VIEWER,
    "troubles.one_webhook": Role.VIEWER,
    "troubles.reprocess_webhooks": Role.OPERATOR,
    "calls.list_calls": Role.VIEWER,
    "calls.one_call": Role.VIEWER,
    "runs.list_runs": Role.VIEWER,
    "runs.one_run": Role.VIEWER,
    "runs.look_at_run_act": Role.OPERATOR,
    "runs.pause_run": Role.OPERATOR,
    "runs.resume_run": Role.OPERATOR,
    "mappings.mapping_revisions": Role.VIEWER,
    "mappings.mapping_revision": Role.VIEWER,
    "mappings.mapping_diff": Role.VIEWER,
    "mappings.mapping_proof": Role.VIEWER,
    "mappings.check_mappings": Role.MAPPER,
    "mappings.publish_mappings": Role.MAPPER,
    "mappings.roll_mappings_back": Role.MAPPER,
    "mappings.unknown_parts": Role.VIEWER,
    "mappings.dismiss_field": Role.MAPPER,
    "access.list_agents": Role.OPERATOR,
    "access.list_users": Role.ADMIN,
    "access.list_tokens": Role.ADMIN,
    "access.create_token": Role.ADMIN,
    "access.revoke_token": Role.ADMIN,
    "access.audit": Role.OPERATOR,
    "api-docs.openapi_json": None,
}
"""Endpoint -> the role from which on it answers; None: anybody. Written down once more here, so
that a new address is looked at by somebody."""
WHOLE = {
    *("overview.overview", "overview.needs_a_human", "troubles.open_conflicts"),
    *("troubles.reprocess_webhooks", "access.list_agents", "access.list_users"),
    *("access.list_tokens", "access.create_token", "access.revoke_token", "access.audit"),
    *("mappings.mapping_revisions", "mappings.mapping_revision", "mappings.mapping_diff"),
    *("mappings.mapping_proof", "mappings.check_mappings", "mappings.publish_mappings"),
    "mappings.roll_mappings_back",
}
"""What is about the whole bridge, and no token's that is for some connections."""
RANKS = list(Role)
GIVEN = {"ref": None, "name": "H", "field": "status", "code": "BRG-CONFLICT", "act": "pause"}


def routes(service):
    for rule in service.app.url_map.iter_rules():
        for method in sorted(rule.methods - {"OPTIONS", "HEAD"}):
            yield rule, method


def ask(program, rule, method, ticket):
    given = {name: GIVEN.get(name, 7) or ticket for name in rule.arguments}
    with program.service.app.test_request_context():
        address = program.service.app.url_for(rule.endpoint, **given)
    # A body that no act takes: what a role may is asked before what it wants.
    options = {"json": {"nonsense": 1}} if method == "POST" else {}
    return program.ask(method, address, **options)


def test_each_address_answers_from_its_role_on_and_nobody_else(service, ticket):
    assert {rule.endpoint for rule, _ in routes(service)} == set(LEAST)
    wrong = []
    for rule, method in routes(service):
        least = LEAST[rule.endpoint]
        for role in [None, *Role]:
            program = service.nobody() if role is None else service.program(role)
            status = ask(program, rule, method, ticket).status_code
            allowed = least is None or (role and RANKS.index(role) >= RANKS.index(least))
            fine = {200, 404, 409, 422} if allowed else {401} if role is None else {403}
            if status not in fine:
                wrong.append((rule.rule, method, role, status))
    assert wrong == []


def test_a_token_for_a_connection_is_not_for_the_whole_bridge(service, ticket):
    program = service.program(Role.ADMIN, "H")
    refused = {
        rule.endpoint
        for rule, method in routes(service)
        if ask(program, rule, method, ticket).status_code == 403
    }
    assert refused == WHOLE


def test_an_address_that_declares_nothing_is_shut(service):
    service.app.add_url_rule("/forgotten", "forgotten", lambda: "shown")
    answer = service.app.test_client().get("/forgotten", headers=service.program().headers)
    assert (answer.status_code, answer.json["code"]) == (403, "BRG-API-ROLE")


def test_each_address_declares_what_it_needs(service):
    views = service.app.view_functions
    assert [name for name in views if asker.needed(views[name]) is None] == []


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer brg_no", "Basic YTpi", "brg_x", "Bearer \x7f", "Bearer é"],
)
def test_what_is_no_token_lets_nobody_in(service, header):
    answer = service.nobody().get("/me", headers={"Authorization": header})
    assert (answer.status_code, answer.json["code"]) == (401, "BRG-API-TOKEN")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="bridge"'


def test_which_program_is_refused_is_in_the_log_and_its_token_is_not(service, caplog):
    service.program(Role.VIEWER).get("/users")
    sent = {"Authorization": "Bearer brg_made-up"}
    service.nobody().get("/tickets", headers=sent)
    lines = [line for line in caplog.records if line.getMessage().startswith("refused")]
    assert [(line.code, line.at) for line in lines] == [
        ("BRG-API-ROLE", "access.list_users"),
        ("BRG-API-TOKEN", "tickets.list_tickets"),
    ]
    assert "viewer is viewer" in lines[0].getMessage()
    assert "made-up" not in repr([line.__dict__ for line in caplog.records])


def test_every_answer_is_for_nobody_elses_page_and_kept_nowhere(service):
    for program in (service.program(), service.nobody()):
        for path in ("/tickets", "/openapi.json", "/nowhere"):
            answer = program.client.get(
                path,
                headers=program.headers | {"Origin": "https://evil.example"},
                base_url="https://bridge.example",
            )
            for name, value in HEADERS:
                assert answer.headers.getlist(name) == [value]
            assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
            assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_revoked_token_is_out_with_the_next_request(service):
    program = service.program(Role.VIEWER)
    assert program.get("/me").status_code == 200
    tokens.revoke(service.desk, "viewer")
    assert program.get("/me").status_code == 401


def test_no_token_or_digest_is_in_any_answer(service, ticket):
    program = service.program()
    secret = program.headers["Authorization"].removeprefix("Bearer ")
    for rule, method in routes(service):
        if method == "GET":
            assert secret not in ask(program, rule, method, ticket).text
    made = program.post("/tokens", {"name": "new", "role": "viewer", "days": 1})
    assert made.json["secret"].startswith("brg_")
    assert made.headers["Cache-Control"] == "no-store"
    again = program.post("/tokens", {"name": "new", "role": "admin"})
    assert (again.status_code, again.json["code"]) == (409, "BRG-API-NOT-POSSIBLE")
    assert made.json["secret"] not in program.get("/audit").text
    (act,) = audit_trail.acts(service.desk, limit=1)
    assert (act.actor, act.subject) == ("token:admin", "new")


def test_each_token_is_answered_so_often_and_no_oftener(world):
    meter = RateMeter(world.clock)
    service = Service(desk_of(world), lambda name: meter.wait(name, [Rate(3, 60.0)]))
    eager, other = service.program(Role.VIEWER), service.program(Role.ADMIN)
    assert [eager.get("/me").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert eager.get("/me").headers["Retry-After"] == "20"
    assert other.get("/me").status_code == 200
    world.clock.advance(20)
    assert eager.get("/me").status_code == 200
    guessing = [service.nobody().get("/me").status_code for _ in range(4)]
    assert guessing == [401, 401, 401, 429]
    assert other.get("/me").status_code == 200


def test_who_is_signed_in_to_the_pages_may_look_and_not_act(world):
    desk, key = desk_of(world), "k" * 32
    service = Service(desk, signed_in=visitor.whose_browser(key))
    site = create_site(lambda: desk, SiteSettings(key), {"/api/v1": service.app})
    for name in ("ana", "bo"):  # of two admins one may be disabled
        users.add(desk, name, Role.ADMIN)
    browser = site.test_client()
    assert browser.get("/api/v1/me").status_code == 401
    browser.get(f"/sign-in/link/{users.make_link(desk, 'ana')}")
    me = browser.get("/api/v1/me")
    assert (me.status_code, me.json["actor"]) == (200, "user:ana")
    acted = browser.post("/api/v1/connections/H/pause", json={})
    assert (acted.status_code, acted.json["type"]) == (401, "/api/v1/outcomes/BRG-API-TOKEN")
    assert browser.get("/api/v1/openapi.json").json["servers"] == [{"url": "/api/v1"}]
    assert browser.get("/tickets").status_code == 200
    page = browser.get("/tickets?text=print&state=in+step").text
    (twin,) = re.findall(r'href="([^"]+)">As JSON', page)
    assert twin == "/api/v1/tickets?text=print&amp;state=in+step"
    users.disable(desk, "ana")
    assert browser.get("/api/v1/me").status_code == 401


def test_each_page_leads_to_its_values_where_the_api_is(world, ticket):
    desk, key = desk_of(world), "k" * 32
    service = Service(desk, signed_in=visitor.whose_browser(key))
    with_api = create_site(lambda: desk, SiteSettings(key), {"/api/v1": service.app})
    alone = create_site(lambda: desk, SiteSettings(key))
    users.add(desk, "ana", Role.ADMIN)
    browser, without = with_api.test_client(), alone.test_client()
    browser.get(f"/sign-in/link/{users.make_link(desk, 'ana')}")
    without.get(f"/sign-in/link/{users.make_link(desk, 'ana')}")
    given = {"ref": ticket, "field": "status", "name": "H"}
    for endpoint in json_twins.TWINS.keys() - {"calls.one", "events.one"}:
        rule = next(with_api.url_map.iter_rules(endpoint))
        with with_api.test_request_context():
            address = with_api.url_for(endpoint, **{name: given[name] for name in rule.arguments})
        (twin,) = re.findall(r'href="([^"]+)">As JSON', browser.get(address).text)
        assert browser.get(twin).status_code == 200, twin
        assert "As JSON" not in without.get(address).text
