"""What is configured, each with the line that says so; of a secret only whether there is one."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from bridge.config.substitution import references
from bridge.config.yaml_reader import Document, Where
from bridge.core.model.counting import counted
from bridge.core.model.syncs import Connection
from bridge.operations.desk import Desk
from bridge.runs.retention import KEEP_SETTLED, KEEP_SURVEYS

SET: Final = "set"
MISSING: Final = "missing"
METRICS_TOKEN: Final = "BRIDGE_METRICS_TOKEN"  # noqa: S105 - the name of it
ADMIN_KEY: Final = "BRIDGE_ADMIN_KEY"


@dataclass(frozen=True, slots=True)
class SettingLine:
    """One setting."""

    name: str
    value: str
    at: str = ""
    """The line that decides, `config/bridge.yaml:12`; empty: none does, and it is as usual."""
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class ConfiguredConnection:
    """A connection, as the files have it."""

    name: str
    system: str
    address: str
    keys: str
    """`set`, and by what."""
    webhooks: str
    """How they are signed, and whether there is a secret."""
    at: str


@dataclass(frozen=True, slots=True)
class ConfiguredConnections:
    """A part of the list of connections."""

    rows: list[ConfiguredConnection]
    after: str | None
    """Behind which the next part begins; None: this is the end."""


def general(desk: Desk) -> list[SettingLine]:
    """Return the settings that are not about one connection."""
    settings, document = desk.config.settings, _document(desk)

    def line(key: str, value: str, meaning: str = "") -> SettingLine:
        return SettingLine(key, value, _at(document, (key,)), meaning)

    return [
        line("database", desk.ledger.shown),
        line("redis", without_secrets(settings.redis)),
        line("mappings", settings.mappings, "where mappings are taken from"),
        line("http_timeout", f"{settings.http_timeout:g} s", "for one whole call to a system"),
        line("body_limit", f"{settings.body_limit:,} bytes", "of a webhook"),
        line(
            "mask_personal",
            "yes" if settings.mask_personal else "no",
            "personal values are hidden from viewers",
        ),
        line("calls", "yes" if settings.calls else "no", "the last calls to systems are kept"),
        line("marker_keys", _keys(desk, document)),
        line("pages_url", settings.pages_url or "not told", "where notices lead to"),
        line("notices", ", ".join(settings.notices) or "none", "who is told what happens"),
    ]


def retention(desk: Desk) -> list[SettingLine]:
    """Return how long what is kept."""
    kept, document = desk.config.settings.keep_history, _document(desk)
    at = _at(document, ("keep_history",))
    return [
        SettingLine("keep_history", counted(kept.days, "day"), at, "timelines, writes, conflicts"),
        SettingLine("settled webhooks, runs and notices", counted(KEEP_SETTLED.days, "day")),
        SettingLine("surveys of imports", counted(KEEP_SURVEYS.days, "day")),
        SettingLine("audit", "for ever", "", "its acts hang together, so none is taken out"),
    ]


def sign_in(desk: Desk) -> list[SettingLine]:
    """Return how users sign in by a provider; nothing where the files name none."""
    known, document = desk.config.settings.openid, _document(desk)
    if known is None:
        return []

    def line(key: str, value: str, meaning: str = "") -> SettingLine:
        return SettingLine(f"openid.{key}", value, _at(document, ("openid", key)), meaning)

    secret = _by(_given(document, ("openid", "client_secret")))
    groups = ", ".join(f"{group}: {role}" for group, role in known.roles.items())
    return [
        line("issuer", without_secrets(known.issuer)),
        line("client_id", known.client_id),
        line("client_secret", f"{SET} {secret}".strip()),
        line("pages", known.redirect_uri, "the redirect URI to register with the provider"),
        line("scopes", " ".join(known.scopes)),
        line("groups_claim", known.groups_claim),
        line("roles", groups or "none", "of groups at the provider"),
        line("default_role", known.default_role or "none", "of who is in none of these"),
    ]


def of_environment(environ: Mapping[str, str] = os.environ) -> list[SettingLine]:
    """Return which secrets of the processes are set where the pages run."""
    return [
        SettingLine(METRICS_TOKEN, _is_set(environ, METRICS_TOKEN), "", "opens /metrics to others"),
        SettingLine(
            ADMIN_KEY,
            _is_set(environ, ADMIN_KEY, otherwise="as made at the first start, in var/admin.key"),
            "",
            "signs the cookies of the pages",
        ),
    ]


def connections(desk: Desk, limit: int, after: str = "") -> ConfiguredConnections:
    """Return so many connections by name, those behind one."""
    document, names = _document(desk), sorted(desk.config.connections)
    begin = bisect_right(names, after)
    shown = names[begin : begin + limit]
    rows = [_connection(desk.config.connections[name], document) for name in shown]
    return ConfiguredConnections(rows, shown[-1] if begin + limit < len(names) else None)


def without_secrets(address: str) -> str:
    """Return of an address what may be shown: neither user, password nor query."""
    try:
        url = urlsplit(address)
        port = f":{url.port}" if url.port else ""
    except ValueError:
        return "an address that cannot be read"
    if not url.scheme:
        return address
    return f"{url.scheme}://{url.hostname or ''}{port}{url.path}"


def _connection(connection: Connection, document: Document) -> ConfiguredConnection:
    where = ("connections", connection.name)
    keys = SET if connection.credentials else MISSING
    webhook = connection.webhook
    signed = "none: it takes no webhooks"
    if webhook is not None:
        many = counted(len(webhook.secrets), "secret")
        signed = f"{webhook.scheme}, {many} {_by(_given(document, (*where, 'webhook', 'secrets')))}"
    return ConfiguredConnection(
        name=connection.name,
        system=connection.system,
        address=without_secrets(connection.base_url),
        keys=f"{keys} {_by(_given(document, (*where, 'credentials')))}".strip(),
        webhooks=signed.strip(),
        at=_at(document, where),
    )


def _by(given: Any) -> str:
    """Return from where secrets are taken, in brackets; empty: they stand in the file."""
    items: Iterable[Any] = given if isinstance(given, list) else [given]
    named = [name for item in items for name in references(item)]
    return f"({', '.join(named)})" if named else ""


def _keys(desk: Desk, document: Document) -> str:
    keys = desk.config.compiled.marker_keys if desk.config.compiled is not None else ()
    if not keys:
        return "made of each connection's own key"
    return f"{SET}: {counted(len(keys), 'key')} {_by(_given(document, ('marker_keys',)))}".strip()


def _is_set(environ: Mapping[str, str], name: str, otherwise: str = MISSING) -> str:
    return SET if environ.get(name) else otherwise


def _document(desk: Desk) -> Document:
    compiled = desk.config.compiled
    return compiled.document if compiled is not None else Document("config/bridge.yaml")


def _given(document: Document, where: Where) -> Any:
    """Return what stands at a place of the file, references as they are written."""
    found = document.data
    for step in where:
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _at(document: Document, where: Where) -> str:
    return document.place(where) if where in document.lines else ""
