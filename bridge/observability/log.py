"""Logging: lines for people or JSON for programs, with secrets taken out of both."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import IO, Final

from structlog import processors, stdlib
from structlog.typing import EventDict, Processor

from bridge.core.model.syncs import Secret
from bridge.errors import ConfigError
from bridge.observability.visible_text import visible, visible_json
from bridge.scrubber import Scrubber

LEVELS: Final = ("debug", "info", "warning", "error")
FORMS: Final = ("text", "json")

NOISY: Final = frozenset({"urllib3", "alembic", "rq", "granian", "_granian"})
"""Libraries of which only warnings are logged."""


class _Lines:
    """Puts records into lines: what is logged of each, with secrets taken out."""

    def __init__(self, process: str, scrubber: Scrubber) -> None:
        self._process = process
        self._scrubber = scrubber

    def formatter(self, form: str) -> logging.Formatter:
        """Return what makes one line of each record, and of a traceback those after it."""
        return stdlib.ProcessorFormatter(
            processors=(
                # Renamed before what is added: a webhook has a field `event`, too.
                processors.EventRenamer("message"),
                stdlib.ExtraAdder(),
                stdlib.add_log_level,
                self._name_process,
                processors.format_exc_info,
                *(self._json() if form == "json" else self._text()),
            )
        )

    def _json(self) -> tuple[Processor, ...]:
        return (
            stdlib.add_logger_name,
            processors.TimeStamper(fmt="iso", key="at"),
            stdlib.ProcessorFormatter.remove_processors_meta,
            self._scrub_values,
            processors.JSONRenderer(ensure_ascii=False),
            lambda _logger, _method, line: visible_json(line),
        )

    def _text(self) -> tuple[Processor, ...]:
        return (
            stdlib.ProcessorFormatter.remove_processors_meta,
            self._keep_on_one_line,
            _line,
            lambda _logger, _method, line: self._scrubber.text(line),
        )

    def _name_process(self, _logger: object, _method: str, fields: EventDict) -> EventDict:
        fields["process"] = self._process
        return fields

    def _scrub_values(self, _logger: object, _method: str, fields: EventDict) -> EventDict:
        # Before they are JSON, which may spell a secret differently.
        if "exception" in fields:
            fields["error"] = fields.pop("exception")
        return {
            name: self._scrubber.text(value if isinstance(value, str) else repr(value))
            for name, value in fields.items()
        }

    def _keep_on_one_line(self, _logger: object, _method: str, fields: EventDict) -> EventDict:
        # A vendor's text must not be able to forge another line.
        level, traceback = fields.pop("level"), fields.pop("exception", "")
        message = " ".join(fields["message"].splitlines())
        fields["message"] = message if level in {"debug", "info"} else f"{level}: {message}"
        shown = {name: visible(str(value)) for name, value in fields.items()}
        if traceback:
            shown["exception"] = "\n".join(map(visible, traceback.splitlines()))
        return shown


def _line(_logger: object, _method: str, fields: EventDict) -> str:
    """Write what is logged as a line, and its traceback below it."""
    head = f"{_time_of_day(int(time.time()))} {fields.pop('process'):8} {fields.pop('message')}"
    traceback = fields.pop("exception", "")
    parts = [head, *(f"{name}={value}" for name, value in fields.items())]
    return " ".join(parts) + (f"\n{traceback}" if traceback else "")


@lru_cache(maxsize=1)
def _time_of_day(second: int) -> str:
    return time.strftime("%H:%M:%SZ", time.gmtime(second))


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
    handler.setFormatter(_Lines(process, Scrubber(secrets)).formatter(form))
    handler.addFilter(_wanted)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def _wanted(record: logging.LogRecord) -> bool:
    """Leave out what noisy libraries log below a warning."""
    # A filter and no level, since some libraries set the levels of their loggers themselves.
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] not in NOISY
