"""Compiles config/bridge.yaml: the database, Redis, and the connections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import time, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from bridge.config import openid_file, way_out, yaml_reader
from bridge.config.literal_secrets import literal_secrets
from bridge.config.mapping_texts import FILES
from bridge.config.notice_section import compile_notices, with_placeholders
from bridge.config.one_account import Classes, accounts_of, same_accounts, written_accounts
from bridge.config.schema_fields import LOOPBACK
from bridge.config.schemas import BridgeSchema, ConnectionSchema, load
from bridge.config.store_urls import url_problem, url_secrets
from bridge.config.substitution import fill, references
from bridge.config.yaml_reader import Document, Problem, Where
from bridge.connectors.contract import Connector
from bridge.connectors.signing import SCHEMES, webhook_problems
from bridge.core.mapping import unknown_policy
from bridge.core.mapping.compiler import CompiledEntity
from bridge.core.model.notice_types import NoticeEndpoint
from bridge.core.model.sign_in_provider import OpenIdSettings
from bridge.core.model.syncs import Connection, Proxy, Secret, Webhook
from bridge.core.model.values import shown

SETTINGS = "config/bridge.yaml"
DEFAULT_POLL = timedelta(minutes=5)
DEFAULT_FULL = time(3, 30)
MIN_MARKER_KEY_CHARS = 16
_POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings that are not about one connection."""

    database: str = field(repr=False)
    """A SQLAlchemy URL; it may contain a password."""
    redis: str = field(repr=False)
    """`embedded`, or a URL."""
    http_timeout: float = 10.0
    """Seconds for one whole HTTP call, unless the connection has its own timeout."""
    body_limit: int = 1 << 20
    """The largest body of a webhook, in bytes."""
    keep_history: timedelta = timedelta(days=730)
    """The time for which timelines and finished writes, creates and conflicts are kept."""
    calls: bool = True
    """Whether the last calls to vendors are kept, unless the connection has its own."""
    mask_personal: bool = False
    """Whether values that tell of people are hidden from users who do not need them."""
    mappings: str = FILES
    """Where the mappings are taken from: `files` (the home's folder) or `ledger` (published)."""
    openid: OpenIdSettings | None = None
    """How users of the pages sign in by a provider; None: by passwords and links alone."""
    notices: Mapping[str, NoticeEndpoint] = field(default_factory=dict)
    """The endpoints that are told what happens, by name."""
    pages_url: str = ""
    """Where people reach the pages; empty: nobody has said it."""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Return what in the addresses must never be shown, and what signs notices."""
        addresses = (self.database, self.redis)
        return (
            *(Secret(value) for url in addresses for value in url_secrets(url)),
            *(secret for each in self.notices.values() for secret in (each.url, *each.secrets)),
        )


@dataclass(frozen=True, slots=True)
class SandboxAccount:
    """The address and secrets that replace those of all connections of one system."""

    base_url: str
    credentials: Mapping[str, str] = field(repr=False)
    webhook_secret: str = field(repr=False)
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class CompiledSettings:
    """The result of compiling config/bridge.yaml."""

    settings: Settings
    connections: dict[str, Connection]
    names: tuple[str, ...] | None
    """Every connection that the file names, also those with problems; None: not known."""
    problems: list[Problem]
    warnings: list[Problem]
    marker_keys: tuple[Secret, ...] = ()
    document: Document = field(default_factory=lambda: Document("config/bridge.yaml"), repr=False)
    """The file, for the lines of its parts."""
    accounts: dict[str, str] = field(default_factory=dict, repr=False)
    """By connection: what tells its account from others, as a digest."""


def compile_settings(
    document: Document,
    home: Path,
    environ: Mapping[str, str],
    sandbox: Mapping[str, SandboxAccount] | None,
    connectors: Classes,
) -> CompiledSettings:
    """Fill in references, check the data, and build settings and connections."""
    given = document.data.get("connections") if isinstance(document.data, dict) else None
    names = (
        tuple(name for name in given if isinstance(name, str))
        if isinstance(given, dict) and given
        else None
    )
    written_out = literal_secrets(document)
    if sandbox:
        openid_file.leave_out_if_lacking(document, environ, home)
        document.data = with_placeholders(_in_sandbox(document.data, sandbox, connectors))
    data, problems = fill(document, environ, home)
    loaded, wrong = load(BridgeSchema(), data, document)
    loaded = {name: field.load_default for name, field in BridgeSchema().fields.items()} | loaded
    compiled = CompiledSettings(Settings("", "embedded"), {}, names, problems, written_out)
    compiled.document = document
    unresolved = list(problems)
    problems += wrong
    compiled.settings = replace(
        _settings(loaded, document, home, problems),
        notices=compile_notices(
            loaded["notices"], document, names, problems, only_local=sandbox is not None
        ),
    )
    compiled.marker_keys = _marker_keys(loaded["marker_keys"], document, problems)
    rows = loaded["connections"] if isinstance(loaded["connections"], dict) else {}
    for name, row in rows.items():
        compiler = _ConnectionCompiler(document, home, name, row, connectors, compiled)
        connection = compiler.connection(compiled.settings.http_timeout)
        if connection is not None:
            compiled.connections[name] = connection
    if sandbox:  # whose connections of one system have one account: what is meant, the file says
        compiled.accounts = written_accounts(given, compiled.connections, connectors)
    else:
        compiled.accounts = accounts_of(compiled.connections, connectors)
        problems += same_accounts(compiled.accounts, rows, document)
    # A line with an unresolved reference needs no second message.
    lines = {line for _file, line, _what in unresolved}
    others = compiled.problems[len(unresolved) :]
    compiled.problems = unresolved + [problem for problem in others if problem[1] not in lines]
    return compiled


def compile_stores(
    document: Document, home: Path, environ: Mapping[str, str]
) -> tuple[Settings, list[Problem]]:
    """Read where the ledger and Redis are, and nothing that connections would need."""
    rows = document.data if isinstance(document.data, dict) else {}
    document.data = {key: value for key, value in rows.items() if key in ("database", "redis")}
    data, problems = fill(document, environ, home)
    fields = BridgeSchema().fields
    loaded = {name: field.load_default for name, field in fields.items()} | data
    for key in data:
        if not isinstance(data[key], str):
            problems.append(document.problem((key,), "must be text"))
            loaded[key] = fields[key].load_default
    return _settings(loaded, document, home, problems), problems


def credentials_at(home: Path, connection: str) -> str:
    """Return where the credentials of a connection are defined; never the credentials."""
    document = yaml_reader.load(home / SETTINGS, SETTINGS)
    row = document.data["connections"][connection]
    file, line, _ = document.problem(("connections", connection, "credentials"), "")
    variables = references(row.get("credentials"))
    return f"{', '.join(variables)} ({file}:{line})" if variables else f"{file}:{line}"


def unknown_problems(
    settings: CompiledSettings, connection: Connection, mapped: Mapping[str, CompiledEntity]
) -> list[Problem]:
    """Return what is wrong with a connection's `unknown_values`, given its compiled mapping."""
    fields = [each.field for made in mapped.values() for each in made.fields.values()]
    at = ("connections", connection.name, "unknown_values")
    return [
        settings.document.problem((*at, name), what)
        for name, what in unknown_policy.problems(connection.unknown_values, fields)
    ]


def _place(base_url: str, options: Mapping[str, Any], known: type[Connector]) -> str:
    """Return where an account is: the normalised address and the options that name it there."""
    url = urlsplit(base_url)
    port = (
        f":{url.port}" if url.port not in (None, {"http": 80, "https": 443}.get(url.scheme)) else ""
    )
    named = [f" {key} {options[key]}" for key in sorted(known.ACCOUNT_OPTIONS & options.keys())]
    return f"{url.scheme}://{url.hostname}{port}{url.path.rstrip('/')}{''.join(named)}"


def _in_sandbox(data: Any, sandbox: Mapping[str, SandboxAccount], connectors: Classes) -> Any:
    """Replace addresses and secrets by the sandbox's, before references are looked up."""
    connections = data.get("connections") if isinstance(data, dict) else None
    if not isinstance(connections, dict):
        return data
    replaced = dict(connections)
    for name, row in connections.items():
        system = row.get("system") if isinstance(row, dict) else None
        if isinstance(system, str) and (account := sandbox.get(system)) is not None:
            known = connectors[system].OPTIONS if system in connectors else {}
            replaced[name] = _with_account(row, account, known)
    return {**data, "connections": replaced}


def _with_account(
    row: Mapping[str, Any], account: SandboxAccount, known_options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a connection's row with a sandbox account in place of its address and secrets."""
    own = _without(_without(row, account.options), dict.fromkeys(("ca", "proxy", "ticket_url")))
    own |= {"base_url": account.base_url, "credentials": dict(account.credentials)}
    webhook, options = row.get("webhook"), row.get("options")
    if isinstance(webhook, dict):
        own["webhook"] = {**webhook, "secrets": [account.webhook_secret]}
    if isinstance(options, dict):
        own["options"] = _without(options, account.options)
    return own | {key: value for key, value in account.options.items() if key in known_options}


def _without(row: Mapping[str, Any], keys: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in keys}


def _settings(
    loaded: Mapping[str, Any], document: Document, home: Path, problems: list[Problem]
) -> Settings:
    database, redis = loaded["database"], loaded["redis"]

    def wrong(key: str, what: str) -> None:
        problems.append(document.problem((key,), what))

    scheme, separator, rest = database.partition("://")
    if database == "sqlite":
        database = f"sqlite:///{home / 'var' / 'bridge.db'}"
        if "?" in str(home):
            wrong("database", "the home's path contains a ?; name another home with --home")
    elif scheme in _POSTGRES and separator and rest:
        if what := url_problem(database):
            wrong("database", what)
        database = f"postgresql+psycopg://{rest}"
    elif scheme != "sqlite" or not rest.startswith("/"):
        wrong(
            "database", "is no address of a database; allowed sqlite, sqlite:///…, postgresql://…"
        )
    if redis != "embedded" and not redis.startswith(("redis://", "rediss://", "unix://")):
        wrong("redis", "is no address of a Redis; allowed embedded, redis://, rediss://, unix://")
    elif redis != "embedded" and (what := url_problem(redis)):
        wrong("redis", what)
    return Settings(
        database=database,
        redis=redis,
        http_timeout=float(loaded["http_timeout"]),
        keep_history=timedelta(days=loaded["keep_history"]),
        **{name: loaded[name] for name in ("body_limit", "calls", "mask_personal", "mappings")},
        openid=openid_file.compile_openid(loaded["openid"], document, home, problems),
        pages_url=loaded["pages_url"].rstrip("/"),
    )


def _marker_keys(
    given: Iterable[str], document: Document, problems: list[Problem]
) -> tuple[Secret, ...]:
    if any(len(key) < MIN_MARKER_KEY_CHARS and "${" not in key for key in given):
        what = f"one is shorter than {MIN_MARKER_KEY_CHARS} characters: try `openssl rand -hex 32`"
        problems.append(document.problem(("marker_keys",), what))
    return tuple(Secret(key) for key in given)


class _ConnectionCompiler:
    """Compiles one connection; its problems and warnings are added to `compiled`."""

    def __init__(
        self,
        document: Document,
        home: Path,
        name: str,
        row: dict[str, Any],
        connectors: Classes,
        compiled: CompiledSettings,
    ) -> None:
        self.home = home
        self.document, self.name, self.row, self.compiled = document, name, row, compiled
        self.connectors = connectors
        self.at: Where = ("connections", name)

    def wrong(self, where: Where, what: str) -> None:
        self.compiled.problems.append(self.document.problem((*self.at, *where), what))

    def connection(self, timeout: float) -> Connection | None:
        row, system = self.row, self.row["system"]
        known = self.connectors.get(system)
        if known is None:
            allowed = ", ".join(sorted(self.connectors))
            what = f"{shown(system)} is no system that this bridge knows; allowed {allowed}"
            self.wrong(("system",), what)
            return None
        before = len(self.compiled.problems)
        self.address(row["base_url"])
        trusted, proxy = self.authorities(), self.proxy()
        self.credentials(known)
        options, webhook = self.options(known), self.webhook(known)
        if len(self.compiled.problems) > before:
            return None
        return Connection(
            name=self.name,
            system=system,
            mapping=row.get("mapping", system),
            base_url=row["base_url"].rstrip("/"),
            credentials={key: Secret(value) for key, value in row["credentials"].items()},
            place=_place(row["base_url"], options, known),
            webhook=webhook,
            rates=row.get("rate_limit", ()),
            concurrency=row.get("concurrency", 4),
            timeout=float(row.get("timeout", timeout)),
            poll=row.get("poll", DEFAULT_POLL),
            full=row.get("full", DEFAULT_FULL),
            ticket_url=row.get("ticket_url", ""),
            keep_bodies=row.get("keep_bodies", False),
            calls=row.get("calls", self.compiled.settings.calls),
            unknown_values=row.get("unknown_values", {}),
            authorities=trusted,
            proxy=proxy,
            options=options,
            marker_keys=self.compiled.marker_keys,
        )

    def credentials(self, known: type[Connector]) -> None:
        given, allowed = self.row["credentials"].keys(), ", ".join(sorted(known.CREDENTIALS))
        for key in sorted(known.CREDENTIALS - given):
            self.wrong(("credentials",), f"{key} is missing; allowed {allowed}")
        for key in sorted(given - known.CREDENTIALS):
            self.wrong(("credentials", key), f"unknown key; allowed {allowed}")

    def address(self, given: str) -> None:
        url = _split(given)
        if url is None:
            what = "is no address; allowed https://host/path, without user, password or query"
            self.wrong(("base_url",), what)
        elif url.scheme == "http" and url.hostname not in LOOPBACK:
            what = "http sends the credentials in clear text; use https unless the way is private"
            self.compiled.warnings.append(self.document.problem((*self.at, "base_url"), what))

    def authorities(self) -> str:
        given = self.row.get("ca", "")
        try:
            return way_out.authorities(given, self.home) if given else ""
        except ValueError as error:
            self.wrong(("ca",), str(error))
            return ""

    def proxy(self) -> Proxy | None:
        given = self.row.get("proxy", "")
        proxy = way_out.proxy(given)
        if given and proxy is None:
            self.wrong(("proxy",), f"is no address of a proxy; {way_out.PROXY_ALLOWED}")
        return proxy

    def options(self, known: type[Connector]) -> dict[str, Any]:
        """Return the connector's options, which stand beside the other keys or under `options`."""
        own_keys = set(ConnectionSchema().fields)
        beside = {key: value for key, value in self.row.items() if key not in own_keys}
        under = self.row.get("options", {})
        if not isinstance(under, Mapping):
            allowed = ", ".join(sorted(known.OPTIONS)) or "none"
            self.wrong(("options",), f"must have rows such as key: value; allowed keys {allowed}")
            under = {}
        for key in beside.keys() - known.OPTIONS.keys():
            allowed = ", ".join(sorted([*known.OPTIONS, *own_keys]))
            self.wrong((key,), f"unknown key; allowed {allowed}")
        for key in under.keys() - known.OPTIONS.keys():
            allowed = ", ".join(sorted(known.OPTIONS)) or "none"
            self.wrong(("options", key), f"unknown key; allowed {allowed}")
        both = {**beside, **under}
        for key in sorted(known.REQUIRED_OPTIONS - both.keys()):
            self.wrong((key,), f"is missing: {known.OPTIONS.get(key, 'an option of this system')}")
        return both

    def webhook(self, known: type[Connector]) -> Webhook | None:
        row = self.row.get("webhook")
        if row is None:
            return None
        if known.SIGNING is None and "scheme" not in row:
            what = f"is missing; allowed {', '.join(SCHEMES)}"
            self.wrong(("webhook", "scheme"), what)
            return None
        given = {key: value for key, value in row.items() if key not in ("scheme", "secrets")}
        secrets = tuple(Secret(secret) for secret in row["secrets"])
        webhook = replace(_signing(row, known.SIGNING), secrets=secrets, **given)
        if not any("${" in secret for secret in row["secrets"]):
            for what in webhook_problems(webhook):
                of_secrets = what.startswith(("secret", "no secret"))
                self.wrong(("webhook", "secrets") if of_secrets else ("webhook",), what)
        return webhook


def _signing(row: Mapping[str, Any], declared: Webhook | None) -> Webhook:
    """Return the system's declared signing, or that of the scheme in the row if it is another."""
    scheme = row.get("scheme")
    if declared is None:
        return Webhook(scheme=row["scheme"], secrets=())
    if scheme is None or scheme == declared.scheme:
        return declared
    # Where the hint stands in the body does not depend on how the body is signed.
    return Webhook(scheme=row["scheme"], secrets=(), event=declared.event, id=declared.id)


def _split(given: str) -> SplitResult | None:
    """Parse an address; None when the bridge would not call it."""
    try:
        url = urlsplit(given)
        is_http = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        return None
    has_user = url.username is not None or url.password is not None
    has_more = has_user or bool(url.query) or bool(url.fragment)
    return url if is_http and not has_more and given.isprintable() and " " not in given else None
