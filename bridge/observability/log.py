"""Logging: lines for people or JSON for programs, with secrets taken out of both."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import IO, Any, Final

from bridge.core.model.syncs import Secret
from bridge.errors import ConfigError
from bridge.observability.visible_text import visible, visible_json

HIDDEN: Final = "•••"
LEVELS: Final = ("debug", "info", "warning", "error")
FORMS: Final = ("text", "json")

NOISY: Final = frozenset({"urllib3", "alembic", "rq", "granian", "_granian"})
"""Libraries of which only warnings are logged."""
MAX_CHARS: Final = 64 * 1024
"""Characters of one text that are scrubbed and logged."""
_MIN_SECRET_LENGTH: Final = 4
"""Shorter secrets are not replaced: they occur within ordinary words."""
_PATTERNS: Final = (
    # Each is tried once at every letter and never goes back (`++`, `*+`): a vendor's text must not
    # be able to make it slow.
    re.compile(r"(?i)\b(bearer|basic|token)(\s++)([a-z0-9._~+/=-]{8,})"),
    re.compile(
        r"(?i)(?<![a-z0-9])(api[_-]?key|secret|passw(?:or)?d|token|authorization|cookie|signature)"
        r"(\s*+['\"]?+\s*+[:=]\s*+['\"]?+)(?!bearer\b|basic\b|token\b)([^\s'\",;&}]++)"
    ),
    re.compile(r"\b(whsec_|phx_|phc_|sk_)()([A-Za-z0-9+/=_-]{6,})"),
    re.compile(r"(://[^/\s:@]*+)(:)([^/\s@]++)(?=@)"),
)
_STANDARD_ATTRIBUTES: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
}


class Scrubber:
    """Takes secrets out of text: the given ones, and whatever looks like one."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        values = {secret.reveal() for secret in secrets}
        # Longest first: of a secret that contains another one, no part may be left over.
        self._known = sorted(
            (value for value in values if len(value) >= _MIN_SECRET_LENGTH), key=len, reverse=True
        )

    def text(self, text: str) -> str:
        """Return the text without secrets. What is too long to be read is cut before that."""
        if len(text) > MAX_CHARS:
            return f"{self.beginning(text, MAX_CHARS)}… (cut)"
        return self._scrubbed(text)

    def beginning(self, text: str, length: int) -> str:
        """Return the beginning of a text without secrets, nor half of one at its end."""
        longest = max(map(len, self._known), default=0)
        part = text[: 2 * length + longest]
        clean = self._scrubbed(part)
        if len(part) < len(text):
            clean = clean[: max(0, len(clean) - longest)]  # the cut may have gone through a secret
        return clean[:length]

    def _scrubbed(self, text: str) -> str:
        for value in self._known:
            text = text.replace(value, HIDDEN)
        for pattern in _PATTERNS:
            text = pattern.sub(rf"\1\2{HIDDEN}", text)
        return text


class _Formatter(logging.Formatter):
    """Formats a record and scrubs the whole line, traceback included."""

    def __init__(self, process: str, scrubber: Scrubber, form: str) -> None:
        super().__init__()
        self._process = process
        self._scrubber = scrubber
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        extra = {
            name: value
            for name, value in vars(record).items()
            if name not in _STANDARD_ATTRIBUTES and name[0] != "_"
        }
        error = self.formatException(record.exc_info) if record.exc_info else ""
        at = datetime.fromtimestamp(record.created, UTC)
        return (
            self._json(record, at, extra, error)
            if self._form == "json"
            else self._text(record, at, extra, error)
        )

    def _json(
        self, record: logging.LogRecord, at: datetime, extra: dict[str, Any], error: str
    ) -> str:
        scrubbed = self._scrubber.text
        row: dict[str, Any] = {
            "at": at.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": scrubbed(record.getMessage()),
        }
        row |= {
            name: scrubbed(value if isinstance(value, str) else repr(value))
            for name, value in extra.items()
        }
        if error:
            row["error"] = scrubbed(error)
        return visible_json(json.dumps(row, ensure_ascii=False))

    def _text(
        self, record: logging.LogRecord, at: datetime, extra: dict[str, Any], error: str
    ) -> str:
        # One record is one line: a vendor's text must not be able to forge another one.
        message = visible(" ".join(record.getMessage().splitlines()))
        fields = visible(" ".join(f"{name}={value}" for name, value in extra.items()))
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        line = f"{at:%H:%M:%S}Z {self._process:<8} {level}{message}{' ' if fields else ''}{fields}"
        shown = "".join(f"\n{visible(part)}" for part in error.splitlines())
        return self._scrubber.text(line + shown)


def configure(
    process: str,
    *,
    form: str = "text",
    level: str = "info",
    secrets: Iterable[Secret] = (),
    stream: IO[str] | None = None,
) -> None:
    """Set up logging for this process; all other code just asks for a logger."""
    if form not in FORMS or level not in LEVELS:
        allowed = f"{' or '.join(FORMS)}, and a level: {', '.join(LEVELS)}"
        raise ConfigError([f"BRIDGE_LOG: {form}, {level}; allowed {allowed}"])
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Formatter(process, Scrubber(secrets), form))
    handler.addFilter(_wanted)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def _wanted(record: logging.LogRecord) -> bool:
    """Leave out what noisy libraries log below a warning."""
    # A filter and no level, since some libraries set the levels of their loggers themselves.
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] not in NOISY
