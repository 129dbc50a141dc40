"""Fields of the files' schemas: each reads one text or value, and says what is allowed. Secrets are never repeated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import time, timedelta
from typing import Any

from marshmallow import ValidationError, fields, validate

from bridge.core.mapping.transforms import shown
from bridge.core.model.syncs import Rate

NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
"""Names of connections and syncs: they stand in addresses and in the ledger."""
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
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)%")


def is_value(value: Any, allowed: str) -> str:
    """Say what stands there and what might."""
    return f"is {shown(value)}; allowed {allowed}"


class ParsedField(fields.Field[Any]):
    """Base of the fields that read one text."""

    allowed = ""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_more: Any
    ) -> Any:
        del attr, data
        found = self.parse(value)
        if found is None:
            raise ValidationError(is_value(value, self.allowed))
        return found

    def parse(self, value: Any) -> Any:
        """Give the value read, None if it cannot be."""
        raise NotImplementedError


class Text(ParsedField):
    """Text that is not empty."""

    allowed = "text"

    def parse(self, value: Any) -> str | None:
        """Read it."""
        return value if isinstance(value, str) and value else None


class Flag(ParsedField):
    """True or false; text that was filled in may say it too."""

    allowed = "true, false"

    def parse(self, value: Any) -> bool | None:
        """Read it."""
        return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value))


class Number(ParsedField):
    """A whole number between two bounds, both included."""

    def __init__(self, least: int, most: int, **options: Any) -> None:
        super().__init__(**options)
        self.least, self.most, self.allowed = least, most, f"a whole number from {least} to {most}"

    def parse(self, value: Any) -> int | None:
        """Read it."""
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
            value = int(value)
        fits = (
            isinstance(value, int)
            and not isinstance(value, bool)
            and self.least <= value <= self.most
        )
        return value if fits else None


class Duration(ParsedField):
    """A length of time, above zero."""

    allowed = "a duration such as 30s, 5m, 2h, 1d"

    def parse(self, value: Any) -> timedelta | None:
        """Read it."""
        return duration(value)


def duration(value: Any) -> timedelta | None:
    """Read `30s`, `5m`, `2h`, `1d`; None for anything else, and for nothing at all."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    return (timedelta(seconds=float(found[1]) * _SECONDS[found[2]]) or None) if found else None


class TimeOfDay(ParsedField):
    """A time of day, in UTC."""

    allowed = 'a time of day in quotes, such as "03:30" (UTC)'

    def parse(self, value: Any) -> time | None:
        """Read it."""
        found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
        return time(int(found[1]), int(found[2])) if found else None


class Rates(ParsedField):
    """One rate or a list of them, all of which hold."""

    allowed = "calls per time such as 10/second, 480/minute, 4800/hour, or a list of these"

    def parse(self, value: Any) -> tuple[Rate, ...] | None:
        """Read it."""
        found = [_RATE.fullmatch(each) if isinstance(each, str) else None for each in listed(value)]
        if not found or any(each is None or not int(each[1]) for each in found):
            return None
        return tuple(Rate(int(each[1]), float(_SECONDS[each[2]])) for each in found if each)


class Share(ParsedField):
    """A share in per cent."""

    allowed = "a share such as 30%"

    def parse(self, value: Any) -> float | None:
        """Read it."""
        found = _SHARE.fullmatch(value) if isinstance(value, str) else None
        return float(found[1]) / 100 if found and 0 < float(found[1]) <= 100 else None


class Texts(ParsedField):
    """A list of texts."""

    allowed = "a list of texts, at least one"

    def parse(self, value: Any) -> tuple[str, ...] | None:
        """Read it."""
        fits = (
            isinstance(value, list)
            and value
            and all(isinstance(each, str) and each for each in value)
        )
        return tuple(value) if fits else None


class Secrets(Texts):
    """A list of secrets; no message repeats a value."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_more: Any
    ) -> Any:
        del attr, data
        found = self.parse(value)
        if found is None:
            raise ValidationError(
                "must be a list of texts, at least one; use ${NAME} or ${file:PATH}"
            )
        return found


class Credentials(ParsedField):
    """Names of credentials to their values; no message repeats a value."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_more: Any
    ) -> Any:
        del attr, data
        if not isinstance(value, Mapping) or not value:
            raise ValidationError("must be a mapping of names to secrets")
        wrong = {
            name: ["must be a text; use ${NAME} or ${file:PATH}"]
            for name, each in value.items()
            if not isinstance(name, str) or not isinstance(each, str)
        }
        if wrong:
            raise ValidationError(wrong)
        return dict(value)


def one_of(*allowed: str) -> fields.Field[Any]:
    """Make a field with a closed list of values."""
    return fields.Raw(validate=_OneOf(allowed))


class _OneOf(validate.Validator):
    def __init__(self, allowed: tuple[str, ...]) -> None:
        self.allowed = allowed

    def __call__(self, value: Any) -> Any:
        if not isinstance(value, str) or value not in self.allowed:
            raise ValidationError(is_value(value, ", ".join(self.allowed)))
        return value


def listed(value: Any) -> list[Any]:
    """Give a list as it is, anything else as the only item of one."""
    return value if isinstance(value, list) else [value]
