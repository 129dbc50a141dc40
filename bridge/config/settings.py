"""config/bridge.yaml: where the bridge keeps its memory, and which accounts it connects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import time, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from bridge.config.schemas import BridgeSchema, ConnectionSchema, load
from bridge.config.substitution import fill
from bridge.config.yaml_reader import Document, Problem, Where
from bridge.connectors.contract import Connector
from bridge.connectors.signing import webhook_problems
from bridge.core.mapping.transforms import shown
from bridge.core.model.syncs import Connection, Secret, Webhook

Classes = Mapping[str, type[Connector]]

POLL = timedelta(minutes=5)
FULL = time(3, 30)
_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
_POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")


@dataclass(frozen=True, slots=True)
class Settings:
    """What is not about one connection."""

    database: str = field(repr=False)
    """SQLAlchemy's URL; it may hold a password."""
    redis: str = field(repr=False)
    """`embedded`, or a URL."""
    http_timeout: float = 10.0
    """Seconds for the whole of one HTTP call, unless the connection says otherwise."""
    body_limit: int = 1 << 20
    """Bytes of a webhook."""
    keep_history: timedelta = timedelta(days=730)
    """How long timelines, and writes, creates and conflicts that are over, are kept."""


@dataclass(frozen=True, slots=True)
class SandboxAccount:
    """What replaces a connection's address and secrets, for every connection of one system."""

    base_url: str
    credentials: Mapping[str, str] = field(repr=False)
    webhook_secret: str = field(repr=False)
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class CompiledSettings:
    """What config/bridge.yaml gave."""

    settings: Settings
    connections: dict[str, Connection]
    names: tuple[str, ...] | None
    """Every connection that the file names, also those with problems; None where that cannot be told."""
    problems: list[Problem]
    warnings: list[Problem]


def compile_settings(
    document: Document,
    home: Path,
    environ: Mapping[str, str],
    sandbox: Mapping[str, SandboxAccount] | None,
    connectors: Classes,
) -> CompiledSettings:
    """Fill in references, check, and build the settings and connections."""
    given = document.data.get("connections") if isinstance(document.data, dict) else None
    names = (
        tuple(name for name in given if isinstance(name, str))
        if isinstance(given, dict) and given
        else None
    )
    if sandbox:
        document.data = _in_sandbox(document.data, sandbox, connectors)
    data, problems = fill(document, environ, home)
    loaded, wrong = load(BridgeSchema(), data, document)
    loaded = {name: each.load_default for name, each in BridgeSchema().fields.items()} | loaded
    read = CompiledSettings(Settings("", "embedded"), {}, names, problems, [])
    unfilled = list(problems)
    broken = {line for _file, line, _what in unfilled}
    problems += wrong
    read.settings = _settings(loaded, document, home, problems)
    for name, row in (
        loaded["connections"].items() if isinstance(loaded["connections"], dict) else ()
    ):
        made = _ConnectionCompiler(document, name, row, connectors, read).connection(
            read.settings.http_timeout
        )
        if made is not None:
            read.connections[name] = made
    # Where a reference could not be filled in, nothing more has to be said about the line.
    read.problems = unfilled + [
        problem for problem in read.problems[len(unfilled) :] if problem[1] not in broken
    ]
    return read


def _in_sandbox(data: Any, sandbox: Mapping[str, SandboxAccount], connectors: Classes) -> Any:
    """Put the sandbox's address and secrets in place of the file's, before references are looked up."""
    connections = data.get("connections") if isinstance(data, dict) else None
    if not isinstance(connections, dict):
        return data
    replaced = dict(connections)
    for name, row in connections.items():
        system = row.get("system") if isinstance(row, dict) else None
        account = sandbox.get(system) if isinstance(system, str) else None
        if account is None or system is None:
            continue
        webhook = row.get("webhook")
        hooks = (
            {"webhook": {**webhook, "secrets": [account.webhook_secret]}}
            if isinstance(webhook, dict)
            else {}
        )
        known = connectors[system].OPTIONS if system in connectors else {}
        options = row.get("options")
        if isinstance(options, dict):
            hooks["options"] = {
                key: value for key, value in options.items() if key not in account.options
            }
        replaced[name] = {
            **{key: value for key, value in row.items() if key not in account.options},
            "base_url": account.base_url,
            "credentials": dict(account.credentials),
            **hooks,
            **{key: value for key, value in account.options.items() if key in known},
        }
    return {**data, "connections": replaced}


def _settings(
    loaded: Mapping[str, Any], document: Document, home: Path, problems: list[Problem]
) -> Settings:
    database, redis = loaded["database"], loaded["redis"]
    scheme, separator, rest = database.partition("://")
    if database == "sqlite":
        database = f"sqlite:///{home / 'var' / 'bridge.db'}"
        if "?" in str(home):
            problems.append(
                document.problem(
                    ("database",), "the home's path holds a ?; name another home with --home"
                )
            )
    elif scheme in _POSTGRES and separator and rest:
        database = f"postgresql+psycopg://{rest}"
    elif scheme != "sqlite" or not rest.startswith("/"):
        problems.append(
            document.problem(
                ("database",), "is no such address; allowed sqlite, sqlite:///…, postgresql://…"
            )
        )
    if redis != "embedded" and not redis.startswith(("redis://", "rediss://", "unix://")):
        problems.append(
            document.problem(
                ("redis",), "is no such address; allowed embedded, redis://, rediss://, unix://"
            )
        )
    return Settings(
        database=database,
        redis=redis,
        http_timeout=float(loaded["http_timeout"]),
        body_limit=loaded["body_limit"],
        keep_history=timedelta(days=loaded["keep_history"]),
    )


class _ConnectionCompiler:
    """One connection in the making."""

    def __init__(
        self,
        document: Document,
        name: str,
        row: dict[str, Any],
        connectors: Classes,
        read: CompiledSettings,
    ) -> None:
        self.document, self.name, self.row, self.read = document, name, row, read
        self.connectors = connectors
        self.at: Where = ("connections", name)

    def wrong(self, where: Where, what: str) -> None:
        self.read.problems.append(self.document.problem((*self.at, *where), what))

    def connection(self, timeout: float) -> Connection | None:
        row, system = self.row, self.row["system"]
        known = self.connectors.get(system)
        if known is None:
            allowed = ", ".join(sorted(self.connectors))
            self.wrong(
                ("system",),
                f"{shown(system)} is no system that this bridge knows; allowed {allowed}",
            )
            return None
        before = len(self.read.problems)
        self.address(row["base_url"])
        for key in sorted(known.CREDENTIALS - row["credentials"].keys()):
            self.wrong(
                ("credentials",),
                f"{key} is missing; allowed {', '.join(sorted(known.CREDENTIALS))}",
            )
        for key in sorted(row["credentials"].keys() - known.CREDENTIALS):
            self.wrong(
                ("credentials", key), f"unknown key; allowed {', '.join(sorted(known.CREDENTIALS))}"
            )
        options, webhook = self.options(known), self.webhook(known)
        if len(self.read.problems) > before:
            return None
        return Connection(
            name=self.name,
            system=system,
            mapping=row.get("mapping", system),
            base_url=row["base_url"].rstrip("/"),
            credentials={key: Secret(value) for key, value in row["credentials"].items()},
            webhook=webhook,
            rates=row.get("rate_limit", ()),
            concurrency=row.get("concurrency", 4),
            timeout=float(row.get("timeout", timeout)),
            poll=row.get("poll", POLL),
            full=row.get("full", FULL),
            keep_bodies=row.get("keep_bodies", False),
            options=options,
        )

    def address(self, given: str) -> None:
        found = _split(given)
        if found is None:
            self.wrong(
                ("base_url",),
                "is no address; allowed https://host/path, without user, password or query",
            )
        elif found.scheme == "http" and found.hostname not in _LOOPBACK:
            what = "http sends the credentials in clear text; use https unless the way is private"
            self.read.warnings.append(self.document.problem((*self.at, "base_url"), what))

    def options(self, known: type[Connector]) -> dict[str, Any]:
        plain = set(ConnectionSchema().fields)
        extra = {key: value for key, value in self.row.items() if key not in plain}
        given = self.row.get("options", {})
        if not isinstance(given, Mapping):
            self.wrong(
                ("options",),
                f"must be a mapping; allowed keys {', '.join(sorted(known.OPTIONS)) or 'none'}",
            )
            given = {}
        for where, keys in (((), extra), (("options",), given)):
            for key in keys:
                if key not in known.OPTIONS:
                    allowed = sorted([*known.OPTIONS, *(() if where else plain)])
                    self.wrong(
                        (*where, key), f"unknown key; allowed {', '.join(allowed) or 'none'}"
                    )
        both = {**extra, **given}
        for key in sorted(known.REQUIRED_OPTIONS - both.keys()):
            self.wrong((key,), f"is missing: {known.OPTIONS.get(key, 'an option of this system')}")
        return both

    def webhook(self, known: type[Connector]) -> Webhook | None:
        row = self.row.get("webhook")
        if row is None:
            return None
        usual = known.SIGNING
        if usual is None and "scheme" not in row:
            self.wrong(
                ("webhook", "scheme"),
                "is missing; allowed standard-webhooks, hmac-sha256, static-header",
            )
            return None
        same = usual is not None and row.get("scheme", usual.scheme) == usual.scheme
        base = usual if usual is not None and same else Webhook(scheme=row["scheme"], secrets=())
        if usual is not None and not same:
            # Where the hint stands in the body does not depend on how the body is signed.
            base = replace(base, event=usual.event, id=usual.id)
        rest = {key: value for key, value in row.items() if key not in ("scheme", "secrets")}
        made = replace(base, secrets=tuple(Secret(each) for each in row["secrets"]), **rest)
        filled = not any("${" in secret for secret in row["secrets"])
        for what in webhook_problems(made) if filled else ():
            self.wrong(
                ("webhook", "secrets")
                if what.startswith(("secret", "no secret"))
                else ("webhook",),
                what,
            )
        return made


def _split(given: str) -> SplitResult | None:
    """Take an address apart; None when it is none that the bridge would call."""
    try:
        found = urlsplit(given)
        fits = found.scheme in ("http", "https") and found.hostname and found.port != 0
    except ValueError:
        return None
    clean = (
        found.username is None and found.password is None and not found.query and not found.fragment
    )
    return found if fits and clean and given.isprintable() and " " not in given else None
