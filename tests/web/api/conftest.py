"""The API over a bridge in memory. Every answer is compared with what the description says."""

from __future__ import annotations

import re
from functools import cached_property

import pytest
from flask import request
from jsonschema import Draft202012Validator
from werkzeug.exceptions import HTTPException

from bridge.ledger import parking
from bridge.operations import tokens
from bridge.operations.permissions import Role
from bridge.web.api.service import create_service
from tests.flow.world import World, born
from tests.operations.desks import desk_of


class Service:
    """The application, and programs that ask it."""

    def __init__(self, desk, meter=lambda _name: 0.0, signed_in=None):
        self.desk = desk
        self.app = create_service(lambda: self.desk, meter, signed_in)
        self._secrets = {}

    @cached_property
    def description(self):
        return self.app.test_client().get("/openapi.json").json

    def program(self, role=Role.ADMIN, *connections):
        name = "-".join([role.value, *connections]).lower()
        if name not in self._secrets:
            made = tokens.create(self.desk, name, role, connections=connections)
            self._secrets[name] = made.secret
        return Program(self, {"Authorization": f"Bearer {self._secrets[name]}"})

    def nobody(self):
        return Program(self, {})


class Program:
    """Asks, and sees that each answer is one of those that are described."""

    def __init__(self, service, headers):
        self.service, self.headers = service, headers
        self.client = service.app.test_client()

    def get(self, path, **options):
        return self.ask("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.ask("POST", path, json={} if body is None else body, **options)

    def ask(self, method, path, headers=None, **options):
        answer = self.client.open(
            path, method=method, headers=self.headers | (headers or {}), **options
        )
        with self.service.app.test_request_context(path, method=method):
            self._compare(method, answer)
        return answer

    def _compare(self, method, answer):
        document, rule = self.service.description, request.url_rule
        if rule is None or isinstance(request.routing_exception, HTTPException):
            described = {"$ref": "#/components/responses/NOT_FOUND"}
            assert answer.status_code in {401, 404, 405, 429, 503}
        else:
            path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)
            if path not in document["paths"]:
                return  # the description itself
            described = document["paths"][path][method.lower()]["responses"].get(
                str(answer.status_code)
            )
            assert described, f"{method} {path} answered {answer.status_code}: {answer.text}"
        if "$ref" in described:
            described = document["components"]["responses"][described["$ref"].rpartition("/")[2]]
        if answer.status_code == 304:
            assert answer.data == b""
            return
        ((kind, content),) = described["content"].items()
        assert answer.content_type == kind
        schema = content["schema"] | {"components": document["components"]}
        Draft202012Validator(schema).validate(answer.json)


@pytest.fixture
def world(sqlite_ledger):
    return World(ledger=sqlite_ledger, names="LH")


@pytest.fixture
def ticket(world):
    """The id of a ticket that both sides have."""
    born(world)
    return world.links()[0].id


@pytest.fixture
def service(world):
    return Service(desk_of(world))


@pytest.fixture
def set_aside(service):
    """Five pieces of work that were refused, the first three of them at H."""
    with service.desk.ledger.transaction() as tx:
        for number in range(5):
            parking.set_aside(
                tx,
                kind="deliver",
                key=f"deliver:{number}",
                connection="H" if number < 3 else "L",
                entity="ticket",
                link_id=f"link-{number}",
                payload={},
                why="refused",
                cause="Refused",
                now=service.desk.now(),
            )
    return service
