"""Every address of the pages and of the API that answers a GET, with names that are there.

They are taken from the applications themselves, so that none is forgotten; an argument or a needed
query of which nothing stands here ends the run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import Client

from bridge.ledger import tables
from bridge.operations import sign_in, tokens, users
from bridge.operations.desk import Desk
from bridge.operations.permissions import Role
from bridge.web.api.service import PREFIX, create_service
from bridge.web.pages import visitor
from bridge.web.pages.site import SiteSettings, create_site

ASKER: Final = "bench"
KEY: Final = "k" * 32
LEFT_OUT: Final = frozenset(
    {"static", "styleguide.page", "sign_in.form", "sign_in.by_link", "api runs.look_at_run_act"}
    | {"provider.begin", "provider.back"}
)
"""What asks the ledger nothing, or has no answer for who is signed in."""
WORD: Final = "unread"
QUERIES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "tickets.listing": (
            *("", "text={word}", "text=nothing-has-this", "text={record}"),
            *("email=@example", "tag=billing", "state=conflict", "state=parked", "sync=tickets"),
            *("after={ref}", "text={word}&after={ref}"),
        ),
        "api tickets.list_tickets": (
            *("", "text={word}", "text=nothing-has-this", "connection=left", "limit=200"),
            *("state=in+step", "email=@example"),
        ),
        "events.listing": ("", "verdict=applied", "verdict=parked", "remote_id={record}"),
        "events.preview": ("verdict=applied",),
        "api troubles.webhooks": ("", "verdict=applied", "verdict=parked", "connection=right"),
        "api troubles.parked_rows": ("", "cause=BRG-WRITE-REFUSED", "limit=200"),
        "api troubles.open_conflicts": ("", "limit=200"),
        "calls.listing": ("", "connection=left", "ticket={ref}&outcome=failed", "slower_than=50"),
        "api calls.list_calls": ("", "connection=left&outcome=4xx", "ticket={ref}", "method=GET"),
        "runs.listing": ("", "kind=imports"),
        "runs.one": ("", "show=made", "show=found", "show=left", "show=wrote&state=not+done"),
        "drift.listing": ("", "connection=left", "missed=1"),
        "api connections.recent_drift": ("", "connection=left"),
        "audit.listing": ("", "actor=local:nobody", "action=parked"),
        "api access.audit": ("", "actor=local:nobody"),
        "people.listing": ("", "text=person-1"),
        "people.one": ("connection=left&who=somebody-1",),
        "values.listing": ("", "connection=left"),
        "values.preview": ("connection=left&entity=ticket&field=status&value=odd-1&ours=open",),
        "mappings.compare": ("a=1&b=1",),
        "drafts.preview": ("connection=left&ref=left:{record}",),
    }
)
"""Endpoint -> the queries to ask with, where it is more than none at all."""


@dataclass(frozen=True, slots=True)
class Question:
    """An address to be asked for."""

    endpoint: str
    address: str


class AskedSite:
    """The pages with the API below them, and a browser of an admin."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.service = create_service(lambda: desk, lambda _name: 0.0)
        self.pages = create_site(lambda: desk, SiteSettings(KEY), {PREFIX: self.service})
        users.add(desk, ASKER, Role.ADMIN)
        entry = sign_in.by_link(desk, users.make_link(desk, ASKER), "127.0.0.1")
        self.browser = self.pages.test_client()
        with self.browser.session_transaction() as session:
            session[visitor.TOKEN] = entry.token
        self._secret = tokens.create(desk, ASKER, Role.ADMIN).secret

    def get(self, question: Question) -> Any:
        """Return the answer to a question."""
        if not question.address.startswith(PREFIX):
            return self.browser.get(question.address)
        client: Client = self.pages.test_client()
        return client.get(question.address, headers={"Authorization": f"Bearer {self._secret}"})

    def questions(self) -> Iterator[Question]:
        """Yield every question, each rule with each of its queries."""
        for prefix, kind, app in (("", "", self.pages), (PREFIX, "api ", self.service)):
            for rule in app.url_map.iter_rules():
                endpoint = kind + rule.endpoint
                if "GET" in (rule.methods or ()) and endpoint not in LEFT_OUT:
                    for query in QUERIES.get(endpoint, ("",)):
                        path = self._path(app, rule.endpoint, endpoint, rule.arguments)
                        yield Question(endpoint, _address(prefix + path, query, self.names))

    def _path(self, app: Flask, rule: str, endpoint: str, arguments: Collection[str]) -> str:
        kind, blueprint = endpoint.partition(".")[0], rule.partition(".")[0]
        given = {
            name: self.names.get(f"{kind} {name}")
            or self.names.get(f"{blueprint} {name}")
            or self.names[name]
            for name in arguments
        }
        with app.test_request_context():
            return app.url_for(rule, **given)

    @cached_property
    def names(self) -> Mapping[str, str]:
        """What there is in the ledger, by argument; with its endpoint or blueprint, where it is."""
        with self.desk.ledger.read() as tx:
            link = tx.execute(select(func.max(tables.link.c.id))).scalar_one()
            side = select(tables.side.c.remote_id).where(tables.side.c.link_id == link)
            numbers = {
                name: str(tx.execute(select(func.max(column))).scalar_one())
                for name, column in {
                    "events number": tables.inbox.c.id,
                    "troubles number": tables.inbox.c.id,
                    "calls number": tables.vendor_call.c.id,
                    "runs number": tables.run.c.id,
                    "mappings number": tables.mapping_revision.c.number,
                    "rollback number": tables.mapping_revision.c.number,
                    "drafts number": tables.mapping_draft.c.id,
                }.items()
            }
            record = str(tx.execute(side.limit(1)).scalar_one())
        return numbers | {
            "ref": link,
            "record": record,
            "word": WORD,
            "field": "status",
            "connections name": "left",
            "mappings name": "switch.yaml",
            "drafts name": "switch.yaml",
            "runs name": "left",
            "code": "BRG-WRITE-REFUSED",
            "problems act": "retry",
            "connections act": "pause",
            "runs act": "undo",
            "tickets act": "pause",
            "user": ASKER,
            "token": ASKER,
        }


def _address(path: str, query: str, names: Mapping[str, str]) -> str:
    return f"{path}?{query.format_map(names)}" if query else path
