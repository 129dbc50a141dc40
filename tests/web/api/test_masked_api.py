"""Programs that need not see personal values get a mark instead, at every address."""

from __future__ import annotations

import pytest

from bridge.operations.permissions import Role
from tests.web.api.conftest import Service
from tests.web.api.test_access_to_api import GIVEN, routes
from tests.web.pages.test_masking import SECRET, desk, estate

__all__ = ["desk", "estate"]


@pytest.fixture
def masked(desk):
    return Service(desk)


def addresses(service, link):
    for rule, method in routes(service):
        if method == "GET" and rule.endpoint != "api-docs.openapi_json":
            for field in sorted(link.state) if "field" in rule.arguments else [""]:
                given = GIVEN | {"ref": link.id, "field": field, "name": "helpdesk"}
                with service.app.test_request_context():
                    yield service.app.url_for(
                        rule.endpoint, **{name: given.get(name, 1) for name in rule.arguments}
                    )


def test_no_address_tells_a_viewer_what_is_personal(estate, masked):
    (link,) = estate.links()
    viewer, operator = masked.program(Role.VIEWER), masked.program(Role.OPERATOR)
    told, told_operator = {}, 0
    for address in addresses(masked, link):
        # First as somebody who sees all: nothing that is kept of that may reach the viewer.
        told_operator += bool(SECRET.search(operator.get(address).text))
        text = viewer.get(address).text
        if found := SECRET.search(text):
            told[address] = text[max(0, found.start() - 80) : found.end() + 40]
    assert told == {}
    assert told_operator >= 5  # that there is something to hide
    refused = viewer.get("/tickets", query_string={"email": "zq-customer"})
    assert refused.status_code == 409
