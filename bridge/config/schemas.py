"""The shapes of bridge.yaml and syncs.yaml, and of a mapping's examples, as marshmallow schemas.

Every message says what is allowed. A mapping's fields are checked elsewhere:
core/mapping/field_declaration.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import INCLUDE, RAISE, Schema, ValidationError, fields

from bridge.config.mapping_texts import FILES, LEDGER
from bridge.config.schema_fields import (
    NAME,
    NAME_RULE,
    Credentials,
    Duration,
    Flag,
    GroupRoles,
    NoticeAddress,
    NoticeKinds,
    Number,
    PagesAddress,
    Rates,
    Secrets,
    SecretText,
    Share,
    Text,
    Texts,
    TicketAddress,
    TimeOfDay,
    UnknownValues,
    listed,
    one_of,
)
from bridge.config.yaml_reader import Document, Problem, Where
from bridge.connectors.signing import SCHEMES
from bridge.core.model.roles import Role

NO_ROLE = "none"
"""What the files say of those who are not let in."""
_WORDS = {
    "required": "is missing",
    "null": "must not be empty",
    "invalid": "has the wrong type",
    "validator_failed": "is not allowed",
}


class Strict(Schema):
    """A schema that refuses unknown keys, and names the allowed ones."""

    class Meta:
        """Unknown keys are refused, also in the JSON Schema that is made of this."""

        unknown = RAISE

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        keys = ", ".join(sorted(each.data_key or name for name, each in self.fields.items()))
        self.error_messages = {
            **self.error_messages,
            "unknown": f"unknown key; allowed {keys}",
            "type": f"must have rows such as key: value; allowed keys {keys}",
        }
        for each in self.fields.values():
            each.error_messages = {**each.error_messages, **_WORDS}


class Named(fields.Field[dict[str, Any]]):
    """A mapping from names to rows of one schema; each problem has the name in its path."""

    def __init__(self, inner: type[Schema], *, empty: str, **options: Any) -> None:
        super().__init__(**options)
        self.inner, self.empty = inner, empty

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_more: Any
    ) -> Any:
        del attr, data
        if not isinstance(value, Mapping) or not value:
            raise ValidationError(self.empty)
        made: dict[str, Any] = {}
        wrong: dict[Any, Any] = {}
        schema = self.inner()
        for name, item in value.items():
            if not isinstance(name, str) or not NAME.fullmatch(name):
                wrong[name] = [f"is no name; allowed {NAME_RULE}"]
                continue
            try:
                made[name] = schema.load(item)
            except ValidationError as error:
                wrong[name] = error.messages
        if wrong:
            raise ValidationError(wrong, valid_data=made)
        return made


class WebhookSchema(Strict):
    """The signing of a connection's webhooks, and the place of the hint in their bodies."""

    scheme = one_of(*SCHEMES)
    secrets = Secrets(required=True)
    header = Text()
    signature = Text()
    signed = Text()
    timestamp_header = Text()
    timestamp_path = Text()
    tolerance = Duration()
    rate_limit = Rates()
    event = Text()
    id = Text()
    delivery = Text()


class ConnectionSchema(Strict):
    """One account of a system. Unknown keys may be options of its connector."""

    class Meta:
        """Unknown keys are kept."""

        unknown = INCLUDE

    system = Text(required=True)
    mapping = Text()
    base_url = Text(required=True)
    credentials = Credentials(required=True)
    webhook = fields.Nested(WebhookSchema)
    rate_limit = Rates()
    concurrency = Number(1, 64)
    timeout = Number(1, 120)
    ca = Text()
    proxy = Text()
    poll = Duration(allow_none=True)
    full = TimeOfDay(allow_none=True)
    ticket_url = TicketAddress()
    keep_bodies = Flag()
    calls = Flag()
    unknown_values = UnknownValues()
    same_account_as = Text()
    options = fields.Raw()


class OpenIdSchema(Strict):
    """The provider by which users of the pages sign in."""

    issuer = Text(required=True)
    client_id = Text(required=True)
    client_secret = SecretText(required=True)
    pages = Text(required=True)
    label = Text(load_default="Sign in with your organisation")
    scopes = Texts(load_default=("openid", "profile", "email"))
    groups_claim = Text(load_default="groups")
    roles = GroupRoles()
    default_role = one_of(NO_ROLE, *(role.value for role in Role), load_default=NO_ROLE)
    ca = Text()
    proxy = Text()


class NoticeSchema(Strict):
    """An endpoint that is told what happens."""

    url = NoticeAddress(required=True)
    secrets = Secrets(required=True)
    events = NoticeKinds()
    connections = Texts()
    syncs = Texts()


class BridgeSchema(Strict):
    """config/bridge.yaml."""

    database = Text(load_default="sqlite")
    redis = Text(load_default="embedded")
    mappings = one_of(FILES, LEDGER, load_default=FILES)
    http_timeout = Number(1, 120, load_default=10)
    body_limit = Number(1024, 64 << 20, load_default=1 << 20)
    keep_history = Number(30, 36_500, load_default=730)
    mask_personal = Flag(load_default=False)
    calls = Flag(load_default=True)
    marker_keys = Secrets(load_default=())
    openid = fields.Nested(OpenIdSchema, load_default=None)
    pages_url = PagesAddress(load_default="")
    notices = Named(NoticeSchema, empty="must name at least one endpoint", load_default=dict)
    connections = Named(ConnectionSchema, empty="must name at least one connection", required=True)


class MemberSchema(Strict):
    """One connection's part in a sync."""

    create = fields.Raw()
    only_ = Text(data_key="only")
    allow_delete = Flag()
    tags = fields.Raw()


class GuardSchema(Strict):
    """When destructive changes are held for an operator."""

    destructive = Share()
    min = Number(0, 1_000_000)
    flips = Number(1, 1000)
    flip_window = Duration()


class PolicySchema(Strict):
    """The policy of one field, in the long form."""

    policy = one_of("latest", "owner", "merge", "manual", "first")
    owner = Text()
    revert = Flag()
    to = Texts()


class SyncSchema(Strict):
    """One sync of mappings/syncs.yaml; `syncs_file` checks what depends on other files."""

    entity = Text(required=True)
    members = Named(MemberSchema, empty="must name at least two connections", required=True)
    match = fields.Raw()
    match_age = Duration()
    on_link = fields.Raw()
    precedence = Texts()
    fields_ = fields.Raw(data_key="fields")
    leave_scope = one_of("keep", "close", "detach")
    delete = one_of("ignore", "close", "delete")
    guard = fields.Nested(GuardSchema)


class ExampleSchema(Strict):
    """One example of a mapping."""

    given = fields.Raw(required=True)
    agents = fields.Raw()
    canonical = fields.Raw()
    written = fields.Raw()
    unreadable = Texts()


def load(
    schema: Schema, data: Any, document: Document, at: Where = ()
) -> tuple[Any, list[Problem]]:
    """Load data by a schema; return what was understood, and the problems with their lines."""
    try:
        return schema.load(data), []
    except ValidationError as error:
        understood = error.valid_data if isinstance(error.valid_data, dict) else {}
        return understood, [
            document.problem((*at, *where), what) for where, what in _flat(error.messages, ())
        ]


def _flat(messages: Any, where: Where) -> Iterator[tuple[Where, str]]:
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            yield from _flat(inner, where if key == "_schema" else (*where, key))
    else:
        for message in listed(messages):
            yield where, str(message)
