"""Logging: lines for people or JSON for programs, with secrets taken out of both."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import IO, Any, Final

from structlog import processors
from structlog.typing import EventDict, Processor

from bridge.core.model.syncs import Secret
from bridge.errors import ConfigError
from bridge.observability.visible_text import visible, visible_json
from bridge.scrubber import Scrubber

LEVELS: Final = ("debug", "info", "warning", "error")
FORMS: Final = ("text", "json")

NOISY: Final = frozenset({"urllib3", "alembic", "rq", "granian", "_granian"})
"""Libraries of which only warnings are logged."""
_OF_EVERY_RECORD: Final = frozenset(
    {*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName"}
)
"""What is known of each record; the rest of it was given with what is logged."""


class _Lines(logging.Formatter):
    """Makes one line of each record, and of a traceback those after it, with secrets taken out."""

    def __init__(self, process: str, form: str, scrubber: Scrubber) -> None:
        super().__init__()
        self._process = process
        self._scrubber = scrubber
        self._logger_is_named = form == "json"
        self._steps = self._json() if form == "json" else self._text()

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields: Any = {"message": record.getMessage()}
        for name, value in record.__dict__.items():
            if name not in _OF_EVERY_RECORD:
                fields[name] = value
        fields["level"], fields["process"] = record.levelname.lower(), self._process
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        if self._logger_is_named:
            fields["logger"] = record.name
        for step in self._steps:
            fields = step(None, "", fields)
        return str(fields)

    def _json(self) -> tuple[Processor, ...]:
        return (
            processors.TimeStamper(fmt="iso", key="at"),
            self._scrub_values,
            processors.JSONRenderer(ensure_ascii=False),
            lambda _logger, _method, line: visible_json(line),
        )

    def _text(self) -> tuple[Processor, ...]:
        return (
            self._keep_on_one_line,
            _line,
            lambda _logger, _method, line: self._scrubber.text(line),
        )

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


class _Held(threading.local):
    """The lines that a thread holds back; None: it holds none."""

    lines: list[str] | None = None


_held: Final = _Held()


@contextmanager
def together() -> Iterator[None]:
    """Write what this thread logs in the block at its end, all at once."""
    _held.lines = []
    try:
        yield
    finally:
        lines, _held.lines = _held.lines, None
        for handler in logging.getLogger().handlers:
            if lines and isinstance(handler, _Handler):
                handler.write("".join(lines))


class _Handler(logging.StreamHandler[Any]):
    """Writes each line at once, or with others."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, or hold it back."""
        try:
            line = self.format(record) + self.terminator
            if _held.lines is None:
                self.write(line)
            else:
                _held.lines.append(line)
        except Exception:  # noqa: BLE001 - no log may take down what it tells of
            self.handleError(record)

    def write(self, text: str) -> None:
        """Write lines."""
        self.acquire()
        try:
            self.stream.write(text)
            self.flush()
        finally:
            self.release()


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
    # No line tells of these, and to find them out costs more than to write it.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(_Lines(process, form, Scrubber(secrets)))
    handler.addFilter(_wanted)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def _wanted(record: logging.LogRecord) -> bool:
    """Leave out what noisy libraries log below a warning."""
    # A filter and no level, since some libraries set the levels of their loggers themselves.
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] not in NOISY
