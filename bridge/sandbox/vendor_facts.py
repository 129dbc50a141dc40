"""The facts about a vendor that a sandbox declares: for the demo, the simulation and the judge.

A class attribute each, so that a new vendor is one file and no shared table has a row for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from bridge.connectors import CONNECTORS, connector_class
from bridge.core.model import markers
from bridge.core.model.syncs import Webhook
from bridge.sandbox.population import Agent
from bridge.sandbox.store import Record

MARKER_TAG = re.compile(rf"bridge-{markers.FORM}")
"""A tag that is a marker, where a vendor has no better place for one."""


class VendorFacts:
    """The declared facts about a vendor. A sandbox overrides those that differ."""

    SYSTEM: ClassVar[str]
    PREFIX: ClassVar[str] = ""
    """The path of a connection's base URL."""
    OPTIONS: ClassVar[Mapping[str, Any]] = {}
    """Behaviour where the documents are silent or contradict each other: name -> usual value."""
    DEPLOYMENTS: ClassVar[Mapping[str, tuple[Any, ...]]] = {}
    """The values by which deployments differ, of the options that may be drawn.

    What stops a connection, or changes what its mapping means, is not drawn, and played by its
    name. Of a word that is always refused one parked row tells: the judges allow that.
    """
    VOLATILE: ClassVar[frozenset[str]] = frozenset({"updated_at"})
    """Fields that move by themselves: a change of them is nobody's edit."""
    ENTITIES: ClassVar[tuple[str, ...]] = ()
    """Other entities than tickets that it keeps, each in a store of its own (`others`)."""
    SIGNING: ClassVar[Webhook | None] = None
    """Its way of signing webhooks (no secrets); None: it sends none."""
    RESTRICTS: ClassVar[bool] = False
    """Whether its admins can take single tickets out of reach of the bridge's key."""
    ACCOUNT_OPTIONS: ClassVar[Mapping[str, Any]] = {}
    """Options of a connection that uses it. Those of the same name in OPTIONS go with those."""

    # The people at work there.

    CHOICES: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    """`status`, `priority`, `team` -> canonical value -> the word that somebody chooses for it.

    Without a `status` no ticket begins there.
    """
    PLACES: ClassVar[Mapping[str, tuple[str, str]]] = {}
    """Field of one's own -> the object in a record that has it, and its name there."""
    ASSIGNEE_FIELD: ClassVar[str] = ""
    """The field of an edit that names who is to work on a ticket."""
    SUBJECT_FIELD: ClassVar[str] = ""
    """The field of an edit by which somebody names a ticket anew; empty: nobody does."""
    TAKES_REPLIES: ClassVar[bool] = False
    """Whether somebody writes to a ticket."""
    PLAYED: ClassVar[str] = "ticket"
    """The entity that people work on."""
    CUSTOMERS_OF: ClassVar[str] = ""
    """The system whose tickets' customers are the people here; empty: it has tickets of its own."""

    UNREAD: ClassVar[tuple[Mapping[str, Any], ...]] = ()
    """Fields that somebody opens a ticket with, of which the shipped mapping has no reading: a word
    of the deployment's own, a group, somebody whom nobody knows."""

    # How the judge reads its records.

    CARRIES: ClassVar[tuple[str, ...]] = ()
    """Canonical fields of a ticket that this system holds, by these names or in PLACES."""
    ALSO_READS: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    """Field -> word -> canonical value, for words that are not in CHOICES."""
    LOSSY: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    """Field -> canonical value -> the lesser word that is all this system can hold of it."""
    NEVER_EMPTY: ClassVar[Mapping[str, str]] = {}
    """Field -> canonical value that it shows where nobody has decided: it has no empty one."""
    BRIDGE_ACCOUNT: ClassVar[str] = ""
    """E-mail address under which the bridge takes tickets, where none may be without an owner."""

    @classmethod
    def account_options(cls, deployed: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of a connection that uses such a deployment."""
        return {name: deployed.get(name, usual) for name, usual in cls.ACCOUNT_OPTIONS.items()}

    @classmethod
    def agent_id(cls, agent: Agent) -> str:
        """Return the id of somebody of the support team; empty: nobody of it is known here."""
        del agent
        return ""

    @classmethod
    def choice(cls, field: str, word: str | None) -> dict[str, Any]:
        """Return the fields of an edit that chooses a word; None: it takes the choice back."""
        if field not in cls.PLACES:
            return {field: word}
        around, name = cls.PLACES[field]
        return {around: {name: word}}

    @classmethod
    def assignment(cls, agent: Agent) -> dict[str, Any]:
        """Return the fields of an edit that gives a ticket to somebody."""
        return {cls.ASSIGNEE_FIELD: cls.agent_id(agent)}

    @classmethod
    def tagging(cls, record: Record, name: str) -> dict[str, Any]:
        """Return the fields of an edit that gives a record one more tag."""
        del record
        return {"add_tags": [name]}

    @classmethod
    def title(cls, record: Record) -> str:
        """Return by what people there tell a record from others; empty: it has nothing."""
        return str(record.get(cls.SUBJECT_FIELD) or "").partition("\n")[0]

    @classmethod
    def planted_marker(cls, record: Record) -> str:
        """Return the marker that the bridge planted in a record; empty: it made it not."""
        tags = record.get("tags") or ()
        return next((tag for tag in tags if MARKER_TAG.fullmatch(tag)), "")

    @classmethod
    def customer_email(cls, record: Record) -> str:
        """Return the e-mail address of who asked, in lower case."""
        return str((record.get("customer") or {}).get("email") or "").casefold()

    @classmethod
    def customer_id(cls, record: Record) -> str:
        """Return the id of the record of who asked, by which a search finds their tickets."""
        return str((record.get("customer") or {}).get("id") or "")

    @classmethod
    def probes(cls) -> frozenset[str]:
        """Return the undocumented calls that the system's connector declares to try."""
        if cls.SYSTEM not in CONNECTORS:
            return frozenset()
        return frozenset(probe.call for probe in connector_class(cls.SYSTEM).PROBES)

    @classmethod
    def description(cls) -> dict[str, Any]:
        """Return the row by which the judge reads the system's records: bridge/verify/report.py."""
        reads = {
            field: {word: value for value, word in words.items()}
            for field, words in cls.CHOICES.items()
        }
        for field, words in cls.ALSO_READS.items():
            reads[field] = {**reads.get(field, {}), **words}
        return {
            "kind": "system",
            "system": cls.SYSTEM,
            "fields": list(cls.CARRIES),
            "places": {field: list(place) for field, place in cls.PLACES.items()},
            "reads": reads,
            "lossy": {field: dict(words) for field, words in cls.LOSSY.items()},
            "never_empty": dict(cls.NEVER_EMPTY),
            "bridge_account": cls.BRIDGE_ACCOUNT,
            "marker_tag": MARKER_TAG.pattern,
            "probes": sorted(cls.probes()),
        }
