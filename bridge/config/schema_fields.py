"""Fields of the files' schemas; each parses one value, and says what is allowed if it cannot.

No message repeats a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import time, timedelta
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError, fields, validate

from bridge.core.model.notice_types import PATTERNS
from bridge.core.model.roles import Role
from bridge.core.model.syncs import ALL_FIELDS, AS_IT_IS, IGNORE, QUARANTINE, Rate, UnknownPolicy
from bridge.core.model.values import shown

NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
"""Names of connections and syncs; they are used in URLs and stored in the ledger."""
NAME_RULE = "lower-case letters, digits, - and _, beginning with a letter"
_DURATION = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)(s|m|h|d)")
_SECONDS = {
    "s": 1,
    "m": 60,
    "h": 3600,
    "d": 86400,
    "second": 1,
    "minute": 60,
    "hour": 3600,
    "day": 86400,
}
_RATE = re.compile(r"(\d{1,7})/(second|minute|hour|day)")
_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_TICKET_ADDRESS = re.compile(
    r"https://[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?/"
    r"[^\s{}<>\"'\\^`|\x00-\x1f]{0,400}\{id\}[^\s{}<>\"'\\^`|\x00-\x1f]{0,400}"
)
LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
_PAGES_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?")
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)%")


def is_value(value: Any, allowed: str) -> str:
    """Return the message that names the value and what is allowed."""
    return f"is {shown(value)}; allowed {allowed}"


def _form(**keys: Any) -> Mapping[str, Any]:
    """Return a piece of JSON Schema."""
    return keys


def _written_as(pattern: re.Pattern[str]) -> Mapping[str, Any]:
    return _form(type="string", pattern=f"^(?:{pattern.pattern})$")


def _list_of(item: Mapping[str, Any]) -> Mapping[str, Any]:
    return _form(type="array", minItems=1, items=item)


class ParsedField(fields.Field[Any]):
    """The base of fields that parse one value."""

    allowed = ""
    form: Mapping[str, Any] = MappingProxyType({})
    """What is allowed as JSON Schema, as exactly as that can say it."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_more: Any
    ) -> Any:
        del attr, data
        parsed = self.parse(value)
        if parsed is None:
            raise ValidationError(is_value(value, self.allowed))
        return parsed

    def parse(self, value: Any) -> Any:
        """Return the parsed value; None if it is not allowed."""
        raise NotImplementedError


class Text(ParsedField):
    """A text that is not empty."""

    allowed = "text"
    form = _form(type="string", minLength=1)

    def parse(self, value: Any) -> str | None:
        """Parse the value."""
        return value if isinstance(value, str) and value else None


class SecretText(Text):
    """A secret; no message repeats it."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_more: Any
    ) -> Any:
        del attr, data
        secret = self.parse(value)
        if secret is None:
            raise ValidationError("must be a text; use ${NAME} or ${file:PATH}")
        return secret


class Flag(ParsedField):
    """True or false, also as a text (from an environment variable)."""

    allowed = "true, false"
    form = _form(enum=[True, False, "true", "false"])

    def parse(self, value: Any) -> bool | None:
        """Parse the value."""
        return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value))


class Number(ParsedField):
    """A whole number between two bounds, both included."""

    def __init__(self, least: int, most: int, **options: Any) -> None:
        super().__init__(**options)
        self.least, self.most, self.allowed = least, most, f"a whole number from {least} to {most}"
        number = {"type": "integer", "minimum": least, "maximum": most}
        self.form = {"anyOf": [number, {"type": "string", "pattern": "^[0-9]{1,9}$"}]}

    def parse(self, value: Any) -> int | None:
        """Parse the value."""
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
            value = int(value)
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return value if is_number and self.least <= value <= self.most else None


class Duration(ParsedField):
    """A length of time, above zero."""

    allowed = "a duration such as 30s, 5m, 2h, 1d"
    form = _written_as(_DURATION)

    def parse(self, value: Any) -> timedelta | None:
        """Parse the value."""
        return duration(value)


def duration(value: Any) -> timedelta | None:
    """Parse `30s`, `5m`, `2h`, `1d`; None for anything else and for zero."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    return (timedelta(seconds=float(match[1]) * _SECONDS[match[2]]) or None) if match else None


class TimeOfDay(ParsedField):
    """A time of day, in UTC."""

    allowed = 'a time of day in quotes, such as "03:30" (UTC)'
    form = _written_as(_TIME_OF_DAY)

    def parse(self, value: Any) -> time | None:
        """Parse the value."""
        match = _TIME_OF_DAY.fullmatch(value) if isinstance(value, str) else None
        return time(int(match[1]), int(match[2])) if match else None


class TicketAddress(ParsedField):
    """The address of a ticket's page at the vendor, with a place for the ticket's id."""

    allowed = "https://host/path with {id} once behind the host, and no user or password"
    form = _written_as(_TICKET_ADDRESS)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_more: Any
    ) -> Any:
        del attr, data
        if not isinstance(value, str) or not _TICKET_ADDRESS.fullmatch(value):
            raise ValidationError(f"is no address of a ticket's page; allowed {self.allowed}")
        return value  # not repeated where it is wrong: somebody may have put a password in it


class PagesAddress(ParsedField):
    """Where people reach the pages."""

    allowed = "https://host/path, without user, password or query"
    form = _written_as(_PAGES_ADDRESS)

    def parse(self, value: Any) -> str | None:
        """Parse the value."""
        return value if isinstance(value, str) and _PAGES_ADDRESS.fullmatch(value) else None


class NoticeAddress(ParsedField):
    """An address that notices are sent to. It may hold a token, so no message repeats it."""

    allowed = "https://host/path, http:// on this machine alone, without user, password or fragment"
    form = _form(type="string", pattern="^https?://")

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_more: Any
    ) -> Any:
        del attr, data
        if not isinstance(value, str) or not _is_notice_address(value):
            raise ValidationError(f"is no address that notices go to; allowed {self.allowed}")
        return value


def _is_notice_address(given: str) -> bool:
    try:
        url = urlsplit(given)
        known = bool(url.hostname) and url.port != 0
    except ValueError:
        return False
    more = url.username is not None or url.password is not None or "#" in given
    safe = url.scheme == "https" or (url.scheme == "http" and url.hostname in LOOPBACK)
    return known and safe and not more and given.isprintable() and " " not in given


class NoticeKinds(ParsedField):
    """Kinds of notices, or all that begin alike."""

    allowed = f"one or a list of {', '.join(PATTERNS)}"
    form = _form(anyOf=[_form(enum=list(PATTERNS)), _list_of(_form(enum=list(PATTERNS)))])

    def parse(self, value: Any) -> tuple[str, ...] | None:
        """Parse the value."""
        named = listed(value)
        fits = named and all(isinstance(each, str) and each in PATTERNS for each in named)
        return tuple(named) if fits else None


class Rates(ParsedField):
    """One rate, or a list of rates that all hold."""

    allowed = "calls per time such as 10/second, 480/minute, 4800/hour, or a list of these"
    form = _form(anyOf=[_written_as(_RATE), _list_of(_written_as(_RATE))])

    def parse(self, value: Any) -> tuple[Rate, ...] | None:
        """Parse the value."""
        texts = listed(value)
        matches = [_RATE.fullmatch(text) if isinstance(text, str) else None for text in texts]
        if not matches or any(match is None or not int(match[1]) for match in matches):
            return None
        return tuple(Rate(int(match[1]), float(_SECONDS[match[2]])) for match in matches if match)


class Share(ParsedField):
    """A share in per cent."""

    allowed = "a share such as 30%"
    form = _written_as(_SHARE)

    def parse(self, value: Any) -> float | None:
        """Parse the value."""
        match = _SHARE.fullmatch(value) if isinstance(value, str) else None
        return float(match[1]) / 100 if match and 0 < float(match[1]) <= 100 else None


class Texts(ParsedField):
    """A list of texts."""

    allowed = "a list of texts, at least one"
    form = _list_of(_form(type="string", minLength=1))

    def parse(self, value: Any) -> tuple[str, ...] | None:
        """Parse the value."""
        fits = (
            isinstance(value, list)
            and value
            and all(isinstance(each, str) and each for each in value)
        )
        return tuple(value) if fits else None


class UnknownValues(ParsedField):
    """One policy for all fields, or a policy for each field that is named."""

    words = (QUARANTINE, IGNORE, AS_IT_IS)
    allowed = f"{', '.join(words)}, or a mapping of our fields (`*`: all others) to one of these"
    form = _form(
        anyOf=[
            _form(enum=list(words)),
            _form(type="object", minProperties=1, additionalProperties=_form(enum=list(words))),
        ]
    )

    def parse(self, value: Any) -> dict[str, UnknownPolicy] | None:
        """Parse the value."""
        rows = value if isinstance(value, Mapping) else {ALL_FIELDS: value}
        fits = all(isinstance(each, str) and each in self.words for each in rows.values())
        named = all(isinstance(name, str) for name in rows)
        return dict(rows) if rows and fits and named else None


class Secrets(Texts):
    """A list of secrets; no message repeats a value."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_more: Any
    ) -> Any:
        del attr, data
        secrets = self.parse(value)
        if secrets is None:
            raise ValidationError(
                "must be a list of texts, at least one; use ${NAME} or ${file:PATH}"
            )
        return secrets


class Credentials(ParsedField):
    """A mapping from names of credentials to their values; no message repeats a value."""

    form = _form(type="object", minProperties=1, additionalProperties=_form(type="string"))

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_more: Any
    ) -> Any:
        del attr, data
        if not isinstance(value, Mapping) or not value:
            raise ValidationError("must have rows such as api_key: ${NAME}")
        wrong = {
            name: ["must be a text; use ${NAME} or ${file:PATH}"]
            for name, each in value.items()
            if not isinstance(name, str) or not isinstance(each, str)
        }
        if wrong:
            raise ValidationError(wrong)
        return dict(value)


class GroupRoles(ParsedField):
    """A mapping from the groups of a provider to roles."""

    form = _form(
        type="object",
        minProperties=1,
        propertyNames=_form(minLength=1),
        additionalProperties=_form(enum=[role.value for role in Role]),
    )

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_more: Any
    ) -> Any:
        del attr, data
        if not isinstance(value, Mapping) or not value:
            raise ValidationError("must have rows such as support-leads: operator")
        roles, wrong = [role.value for role in Role], dict[Any, list[str]]()
        for group, role in value.items():
            if not isinstance(group, str) or not group:
                wrong[group] = ["a group is a text: put it in quotes"]
            elif role not in roles:
                wrong[group] = [is_value(role, ", ".join(roles))]
        if wrong:
            raise ValidationError(wrong)
        return {group: Role(role) for group, role in value.items()}


def one_of(*allowed: str, **options: Any) -> fields.Field[Any]:
    """Return a field that allows only these values."""
    return fields.Raw(validate=_OneOf(allowed), **options)


class _OneOf(validate.OneOf):
    def __call__(self, value: Any) -> Any:
        if not isinstance(value, str) or value not in self.choices:
            raise ValidationError(is_value(value, ", ".join(self.choices)))
        return value


def listed(value: Any) -> list[Any]:
    """Return a list as it is, anything else as the only item of a list."""
    return value if isinstance(value, list) else [value]
