"""What the processes say: lines for people on a terminal, JSON for programs; secrets are taken out of both."""

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

HIDDEN: Final = "•••"
LEVELS: Final = ("debug", "info", "warning", "error")
FORMS: Final = ("text", "json")

NOISY: Final = frozenset({"urllib3", "alembic", "rq", "granian", "_granian"})
_SHORTEST: Final = 4
"""A shorter secret is not replaced: it would eat ordinary words."""
_PATTERNS: Final = (
    re.compile(r"(?i)\b(bearer|basic|token)(\s+)([a-z0-9._~+/=-]{8,})"),
    re.compile(
        r"(?i)\b((?:[a-z0-9]+[_-])*(?:api[_-]?key|secret|passw(?:or)?d|token|authorization|cookie|signature))"
        r"(\s*['\"]?\s*[:=]\s*['\"]?)(?!bearer\b|basic\b|token\b)([^\s'\",;&}]+)"
    ),
    re.compile(r"\b(whsec_|phx_|phc_|sk_)()([A-Za-z0-9+/=_-]{6,})"),
    re.compile(r"(://[^/\s:@]*)(:)([^/\s@]+)(?=@)"),
)
_USUAL: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Scrubber:
    """Takes secrets out of text: those that it was told, and whatever looks like one."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        known = {secret.reveal() for secret in secrets}
        # The longest first: a secret that contains another must not leave its rest behind.
        self._known = sorted(
            (value for value in known if len(value) >= _SHORTEST), key=len, reverse=True
        )

    def text(self, text: str) -> str:
        """Give the text without secrets."""
        for value in self._known:
            text = text.replace(value, HIDDEN)
        for pattern in _PATTERNS:
            text = pattern.sub(rf"\1\2{HIDDEN}", text)
        return text


class _Formatter(logging.Formatter):
    """Builds the whole line, traceback included, and scrubs that: nothing can be added behind its back."""

    def __init__(self, process: str, scrubber: Scrubber, form: str) -> None:
        super().__init__()
        self._process = process
        self._scrubber = scrubber
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        extra = {
            name: value
            for name, value in vars(record).items()
            if name not in _USUAL and name[0] != "_"
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
        clean = self._scrubber.text
        row: dict[str, Any] = {
            "at": at.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": clean(record.getMessage()),
        }
        row |= {
            name: clean(value if isinstance(value, str) else repr(value))
            for name, value in extra.items()
        }
        if error:
            row["error"] = clean(error)
        return json.dumps(row, ensure_ascii=False)

    def _text(
        self, record: logging.LogRecord, at: datetime, extra: dict[str, Any], error: str
    ) -> str:
        # One record is one line: what a vendor sent must not be able to forge another.
        message = " ".join(record.getMessage().splitlines())
        shown = " ".join(f"{name}={value}" for name, value in extra.items())
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        line = f"{at:%H:%M:%S}Z {self._process:<8} {level}{message}{' ' if shown else ''}{shown}"
        return self._scrubber.text(line + (f"\n{error}" if error else ""))


def configure(
    process: str,
    *,
    form: str = "text",
    level: str = "info",
    secrets: Iterable[Secret] = (),
    stream: IO[str] | None = None,
) -> None:
    """Set up logging for this process; everything else just asks for a logger."""
    if form not in FORMS or level not in LEVELS:
        raise ConfigError(
            [
                f"BRIDGE_LOG: {form}, {level}; allowed {' or '.join(FORMS)}, and a level: {', '.join(LEVELS)}"
            ]
        )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Formatter(process, Scrubber(secrets), form))
    handler.addFilter(_wanted)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def _wanted(record: logging.LogRecord) -> bool:
    """Leave out the small talk of libraries. A filter, since some of them set their loggers' levels themselves."""
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] not in NOISY
