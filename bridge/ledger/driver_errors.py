"""Errors of the databases' drivers: which are the ledger's state and which are defects of ours.

And their words without what was to be stored: a log is read by many, and a driver names the row.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from sqlalchemy import Engine, event
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    NotSupportedError,
    PendingRollbackError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as NoConnection

from bridge.core.model.syncs import Secret
from bridge.errors import LedgerError, Outcome
from bridge.scrubber import Scrubber

_ABORTED: Final = "25P02"
"""PostgreSQL: an earlier statement of the transaction failed, and somebody went on with it."""
_BAD_DATA: Final = "22"
"""How the codes begin whose very first words show the value."""
_DEFECTS: Final = (
    IntegrityError,
    ProgrammingError,
    DataError,
    NotSupportedError,
    InterfaceError,
)
"""The database works, and was asked for something wrong."""


class Contended(LedgerError):
    """Another transaction held what this one needed; nothing was stored, and it may be repeated."""

    outcome: ClassVar[Outcome] = Outcome.RETRY


class Unreachable(LedgerError):
    """The ledger does not answer, or not as it should."""

    outcome: ClassVar[Outcome] = Outcome.RETRY


class TakesNoWrites(Unreachable):
    """The ledger can be read, and nothing can be stored in it."""


class DiskFull(TakesNoWrites):
    """The ledger's disk has no room left."""


class TransactionLost(Unreachable):
    """The database has rolled a whole transaction back by itself: nothing of it is stored.

    No error of one part: whoever catches errors within a transaction lets it through.
    """


_STATES: Final = (
    # deadlock, serialisation failure, lock not available, statement cancelled
    (Contended, {"40P01", "40001", "55P03", "57014"}, "database is locked", "was busy"),
    (DiskFull, {"53100"}, "disk is full", "takes no writes"),
    (TakesNoWrites, {"25006"}, "readonly database", "takes no writes"),
    (Unreachable, {"42501"}, "permission denied", "cannot be used"),
)
"""Error -> codes of PostgreSQL's, words of either database, and what it means."""


DriverError = DBAPIError | NoConnection | PendingRollbackError


def ledger_error(error: DriverError, shown: str, url: URL) -> LedgerError | None:
    """Return the LedgerError for a driver's error; None when it is a defect of ours.

    `shown` is the ledger's address as people may see it.
    """
    if isinstance(error, NoConnection):
        return Unreachable(f"the ledger at {shown} has no connection left: it answers too slowly")
    if isinstance(error, PendingRollbackError):
        return Unreachable(f"the ledger at {shown} was gone in the midst of a transaction")
    said = _without_secrets(str(error.orig), url)
    kind, what = _kind(error, said, has_options=bool(url.query))
    return kind(f"the ledger at {shown} {what}: {said}") if kind is not None else None


def transaction_lost(error: Exception | None, shown: str, url: URL) -> TransactionLost:
    """Return the error for a transaction that is gone, with the words of what ended it, if known.

    Of other errors than the driver's no word is shown: they may tell values of tickets.
    """
    said = f": {_without_secrets(str(error.orig), url)}" if isinstance(error, DBAPIError) else ""
    return TransactionLost(
        f"the ledger at {shown} gave a whole transaction up{said}; nothing of that is stored, and "
        "it is done again: see whether the disk is full or fails"
    )


def _kind(
    error: DBAPIError, said: str, *, has_options: bool
) -> tuple[type[LedgerError] | None, str]:
    """Return what an error means for the ledger, in words too; None: it is a defect of ours."""
    state = getattr(error.orig, "sqlstate", None)
    for kind, states, words, what in _STATES:
        if state in states or words in said:
            return kind, what
    if isinstance(error, ProgrammingError) and error.statement is None and has_options:
        return Unreachable, "has an option in its address that is not understood"
    is_defect = isinstance(error, _DEFECTS) or state == _ABORTED
    if is_defect and not error.connection_invalidated:
        return None, ""
    return Unreachable, "cannot be used"


def hide_values(engine: Engine) -> None:
    """Take from the errors of PostgreSQL's driver what would show a value of a row.

    Those are the details below the first line, and all words about a value that does not fit.
    """

    @event.listens_for(engine, "handle_error")
    def hide(context: ExceptionContext) -> None:
        original: Any = context.original_exception
        primary = getattr(getattr(original, "diag", None), "message_primary", None)
        if primary is None:
            return
        state = original.sqlstate or ""
        text = f"a value does not fit ({state})" if state.startswith(_BAD_DATA) else primary
        original.args = (text,)
        if context.sqlalchemy_exception is not None:
            kind = type(original)
            context.sqlalchemy_exception.args = (f"({kind.__module__}.{kind.__name__}) {text}",)


def _without_secrets(text: str, url: URL) -> str:
    """Take an address's password, and everything of its query, out of a driver's words."""
    values = [each for value in url.query.values() for each in _each(value)]
    return Scrubber(Secret(str(each)) for each in (url.password, *values) if each).text(text)


def _each(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value
