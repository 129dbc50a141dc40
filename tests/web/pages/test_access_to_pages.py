"""Every route, as each role and as nobody; what is not declared is shown to nobody."""

from __future__ import annotations

import pytest

from bridge.operations import users
from bridge.operations.permissions import Role
from bridge.web.pages import visitor
from bridge.web.pages.site import SiteSettings, create_site

LEAST = {
    "overview.page": Role.VIEWER,
    "overview.end_tour": Role.VIEWER,
    "play.listing": Role.OPERATOR,
    "play.one": Role.OPERATOR,
    "play.do": Role.OPERATOR,
    "tickets.listing": Role.VIEWER,
    "tickets.one": Role.VIEWER,
    "tickets.reason": Role.VIEWER,
    "problems.listing": Role.VIEWER,
    "problems.preview": Role.OPERATOR,
    "problems.do": Role.OPERATOR,
    "conflicts.listing": Role.VIEWER,
    "conflicts.decide": Role.OPERATOR,
    "conflicts.decide_several": Role.OPERATOR,
    "connections.listing": Role.VIEWER,
    "connections.one": Role.VIEWER,
    "connections.preview": Role.OPERATOR,
    "connections.do": Role.OPERATOR,
    "calls.listing": Role.VIEWER,
    "calls.one": Role.VIEWER,
    "events.listing": Role.VIEWER,
    "events.one": Role.VIEWER,
    "events.reprocess": Role.OPERATOR,
    "events.preview": Role.OPERATOR,
    "events.do": Role.OPERATOR,
    "drift.listing": Role.VIEWER,
    "runs.listing": Role.VIEWER,
    "runs.one": Role.VIEWER,
    "runs.preview": Role.MAPPER,
    "runs.do": Role.MAPPER,
    "runs.held": Role.VIEWER,
    "runs.approve": Role.MAPPER,
    "mappings.listing": Role.VIEWER,
    "mappings.matrix": Role.VIEWER,
    "mappings.file": Role.VIEWER,
    "mappings.history": Role.VIEWER,
    "mappings.revision": Role.VIEWER,
    "mappings.compare": Role.VIEWER,
    "drafts.listing": Role.MAPPER,
    "drafts.edit": Role.MAPPER,
    "drafts.store": Role.MAPPER,
    "drafts.problems": Role.MAPPER,
    "drafts.one": Role.MAPPER,
    "drafts.look": Role.MAPPER,
    "drafts.publish": Role.MAPPER,
    "drafts.bring_in": Role.MAPPER,
    "drafts.discard": Role.MAPPER,
    "drafts.preview": Role.MAPPER,
    "drafts.download": Role.MAPPER,
    "rollback.preview": Role.MAPPER,
    "rollback.begin": Role.MAPPER,
    "new_field.form": Role.MAPPER,
    "new_field.make": Role.MAPPER,
    "values.listing": Role.VIEWER,
    "values.preview": Role.MAPPER,
    "values.accept": Role.MAPPER,
    "values.dismiss": Role.MAPPER,
    "people.listing": Role.VIEWER,
    "people.one": Role.OPERATOR,
    "people.add": Role.MAPPER,
    "settings.page": Role.VIEWER,
    "users.listing": Role.ADMIN,
    "users.add": Role.ADMIN,
    "users.one": Role.ADMIN,
    "users.do": Role.ADMIN,
    "tokens.listing": Role.ADMIN,
    "tokens.create": Role.ADMIN,
    "tokens.one": Role.ADMIN,
    "tokens.revoke": Role.ADMIN,
    "audit.listing": Role.OPERATOR,
    "account.page": Role.VIEWER,
    "account.change_password": Role.VIEWER,
    "account.sign_out": Role.VIEWER,
    "styleguide.page": Role.VIEWER,
    "sign_in.form": None,
    "sign_in.enter": None,
    "sign_in.by_link": None,
    "sign_in.accept": None,
    "sign_in.sign_out": None,
    "provider.begin": None,
    "provider.back": None,
    "static": None,
}
"""Endpoint -> the role from which on it is shown; None: to everybody. Written down once more here,
so that a new page is looked at by somebody."""
RANKS = list(Role)
GIVEN = {
    "ref": None,
    "name": "H",
    "number": 1,
    "field": "status",
    "token": "t" * 43,
    "user": "the-admin",
    "code": "BRG-X",
    "act": "retry",
    "connection": "L",
    "record_id": "1",
    "filename": "bridge.css",
}


def routes(site):
    for rule in site.app.url_map.iter_rules():
        for method in sorted(rule.methods - {"OPTIONS", "HEAD"}):
            yield rule, method


def ask(site, browser, rule, method, ticket):
    given = {name: GIVEN[name] or ticket for name in rule.arguments}
    with site.app.test_request_context():
        address = site.app.url_for(rule.endpoint, **given)
    return browser.open(address, method=method, buffered=True)


def test_each_route_is_shown_from_its_role_on_and_to_nobody_else(site, ticket):
    assert {rule.endpoint for rule, _ in routes(site)} == set(LEAST)
    browsers = {role: site.browser(role) for role in Role}
    wrong = []
    for rule, method in routes(site):
        least = LEAST[rule.endpoint]
        for role in [None, *Role]:
            browser = site.nobody() if role is None else browsers[role]
            status = ask(site, browser, rule, method, ticket).status_code
            allowed = least is None or (role and RANKS.index(role) >= RANKS.index(least))
            # A form without its token is refused, whoever sends it; a link that is none, too.
            fine = {200, 303, 400, 401} if least is None else {200, 400, 404}
            refused = {303, 401} if role is None else {403}
            if status not in (fine if allowed else refused):
                wrong.append((rule.rule, method, role, status))
    assert wrong == []


def test_who_is_refused_is_in_the_log_and_no_link_is(site, caplog):
    viewer, link = site.browser(Role.VIEWER), users.make_link(site.desk, "the-viewer")
    viewer.get("/users")
    viewer.post("/sign-out")
    elsewhere = {"REMOTE_ADDR": "192.0.2.1"}
    site.nobody().get(f"/sign-in/link/{link}", environ_overrides=elsewhere)
    lines = [line for line in caplog.records if line.getMessage().startswith("refused")]
    assert [(line.code, line.at, line.address) for line in lines] == [
        ("BRG-PAGE-ROLE", "users.listing", "127.0.0.1"),
        ("BRG-PAGE-FORM", "sign_in.sign_out", "127.0.0.1"),
        ("BRG-PAGE-SIGN-IN", "sign_in.by_link", "192.0.2.1"),
    ]
    assert "the-viewer is viewer" in lines[0].getMessage()
    assert link not in repr([line.__dict__ for line in caplog.records])


def test_a_view_that_declares_nothing_is_shut(site):
    site.app.add_url_rule("/forgotten", "forgotten", lambda: "shown")
    answer = site.browser(Role.ADMIN).get("/forgotten")
    assert answer.status_code == 403
    assert answer.headers["X-Outcome-Code"] == "BRG-PAGE-ROLE"
    assert site.nobody().get("/forgotten").status_code == 303


def test_each_view_declares_what_it_needs(site):
    views = site.app.view_functions
    assert [
        name for name in views if name != "static" and visitor.needed(views[name]) is None
    ] == []


@pytest.mark.parametrize("development", [True, False])
def test_the_style_guide_is_there_in_development_alone(site, development):
    app = create_site(lambda: site.desk, SiteSettings("k" * 32, development=development))
    assert ("styleguide.page" in app.view_functions) is development
