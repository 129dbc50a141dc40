"""Homes to load: the shipped one as a start, changed by replacing text."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from bridge.config import SandboxAccount, check, load
from bridge.connectors.contract import Connector
from bridge.core.model.capabilities import EntityCapabilities, Support, Verb, Writable
from bridge.core.model.syncs import Webhook
from bridge.errors import ConfigError


class Desk(Connector):
    """A system with a bit of everything; only its declarations are looked at."""

    NAME: ClassVar = "desk"
    CAPABILITIES: ClassVar = {
        "ticket": EntityCapabilities(
            readable=frozenset(
                (
                    "id",
                    "title",
                    "state",
                    "level",
                    "owner",
                    "labels",
                    "mail",
                    "made",
                    "changed",
                    "bot",
                )
            ),
            writable={
                "title": Writable(required=True, max_length=100),
                "state": Writable(on_create=False),
                "level": Writable(on_update=Support.NO),
                "owner": Writable(),
                "labels": Writable(),
                "bot": Writable(),
            },
            verbs=(Verb("patch", ("title", "state", "owner", "labels", "bot")),),
            creates=Support.YES,
            deletes=Support.YES,
            values={"state": ("todo", "doing", "done"), "level": (1, 2, 3, None)},
        )
    }
    SIGNING: ClassVar = Webhook("hmac-sha256", (), header="X-Sig", event="kind", id="ticket")
    OPTIONS: ClassVar = {"team": "the team whose tickets these are", "colour": "of new labels"}
    REQUIRED_OPTIONS: ClassVar = frozenset(("team",))


class Listing(Connector):
    """A system that can only be read."""

    NAME: ClassVar = "listing"
    CAPABILITIES: ClassVar = {
        "ticket": EntityCapabilities(readable=frozenset(("id", "title", "state")))
    }


CONNECTORS: dict[str, Any] = {"desk": Desk, "listing": Listing}
KEY = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="

BRIDGE = """\
connections:
  one:
    system: desk
    base_url: https://one.example/api
    credentials: {api_key: "${KEY}"}
    webhook: {secrets: ["${SECRET}"]}
    team: blue
  two:
    system: listing
    base_url: https://two.example
    credentials: {api_key: abc}
"""
DESK = """\
system: desk
ticket:
  id: id
  version: changed
  fields:
    subject: title
    status:
      path: state
      read: {todo: new, doing: open, done: closed}
      write: {new: todo, open: doing, pending: doing, on_hold: doing, resolved: done, closed: done}
    assignee: {path: owner, as: agent}
    tags: labels
"""
LISTING = """\
system: listing
ticket:
  id: id
  fields:
    subject: {read: title}
"""
SYNCS = """\
both:
  entity: ticket
  members:
    one: {create: true}
    two: {}
"""
AGENTS = """\
agents:
  - {email: Mary@Example.com, one: u1}
"""
ENVIRON = {"KEY": "k-1", "SECRET": "s-1"}
SANDBOX = {
    "desk": SandboxAccount("http://127.0.0.1:1/d", {"api_key": "box"}, "s-box", {"team": "red"})
}


def home(
    path: Path,
    *,
    bridge: str | bytes = BRIDGE,
    desk: str | bytes = DESK,
    listing: str | bytes = LISTING,
    syncs: str | bytes = SYNCS,
    agents: str | bytes = AGENTS,
) -> Path:
    files = {
        "config/bridge.yaml": bridge,
        "mappings/desk.yaml": desk,
        "mappings/listing.yaml": listing,
        "mappings/syncs.yaml": syncs,
        "mappings/agents.yaml": agents,
    }
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def loaded(path, environ=ENVIRON, sandbox=None, **files):
    return load(home(path, **files), environ=environ, sandbox=sandbox, connectors=CONNECTORS)


def problems(path, environ=ENVIRON, **files):
    with pytest.raises(ConfigError) as caught:
        loaded(path, environ, **files)
    return caught.value.problems


def checked(path, **files):
    return check(home(path, **files), environ=ENVIRON, connectors=CONNECTORS)
