"""Pages for what goes wrong: what happened, its outcome code, and what to do."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from flask import Flask, g, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from bridge.core.model.outcome_codes import Code
from bridge.core.model.outcome_meanings import MEANINGS
from bridge.errors import Busy, ConfigError, LedgerError, NotPossible, UnknownName
from bridge.web.pages import typed_text

log = logging.getLogger(__name__)


class PageRefused(Exception):
    """A page is not shown, or an act not done: an HTTP status, an outcome code, and the facts."""

    def __init__(
        self, status: int, code: Code, facts: str, *, retry_after: int | None = None
    ) -> None:
        super().__init__(facts)
        self.status, self.code, self.facts, self.retry_after = status, code, facts, retry_after


@dataclass(frozen=True, slots=True)
class ShownProblem:
    """What a problem box shows."""

    code: Code
    title: str
    what: str
    tickets: str
    """What it means for tickets."""
    do: str


BY_STATUS: Final = {401: Code.PAGE_SIGN_IN, 403: Code.PAGE_ROLE, 404: Code.PAGE_ABSENT}


def problem(code: Code, what: str = "") -> ShownProblem:
    """Return a problem in the words of its code; `what`: the facts of this one."""
    meaning = MEANINGS[code]
    return ShownProblem(code, meaning.title, what or meaning.happened, meaning.tickets, meaning.do)


def answer(
    status: int, code: Code, facts: str = "", *, retry_after: int | None = None
) -> tuple[str, int, dict[str, str]]:
    """Return the page for what went wrong."""
    headers = {"X-Outcome-Code": str(code)}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return render_template("refused.html", problem=problem(code, facts)), status, headers


def _tell(code: Code, facts: str) -> None:
    """Log that a request is refused. Its address is left out: a link that signs in is one."""
    about = {"code": str(code), "at": request.endpoint, "address": request.remote_addr}
    log.warning("refused: %s: %s", MEANINGS[code].title, facts, extra=about)


Answer = tuple[str, int, dict[str, str]]


def handle(app: Flask) -> None:
    """Have every error end in a page of its own; none shows the inside."""

    @app.errorhandler(PageRefused)
    def refused(error: PageRefused) -> Answer:
        if error.status == 403:
            _tell(error.code, error.facts)
        return answer(error.status, error.code, error.facts, retry_after=error.retry_after)

    @app.errorhandler(UnknownName)
    def absent(error: UnknownName) -> Answer:
        return answer(404, Code.PAGE_ABSENT, str(error))

    @app.errorhandler(NotPossible)
    @app.errorhandler(Busy)
    @app.errorhandler(ConfigError)
    def not_possible(error: Exception) -> Answer:
        return answer(409, Code.PAGE_NOT_POSSIBLE, str(error))

    @app.errorhandler(LedgerError)
    def no_ledger(error: LedgerError) -> Answer:
        return answer(503, Code.LEDGER, str(error))

    @app.errorhandler(CSRFError)
    def old_form(_error: CSRFError) -> Answer:
        if again := typed_text.of_session_before():
            return *again, {}
        _tell(Code.PAGE_FORM, g.user.name if g.user else "nobody")
        return answer(400, Code.PAGE_FORM)

    @app.errorhandler(HTTPException)
    def other(error: HTTPException) -> Answer:
        status = error.code or 500
        return answer(status, BY_STATUS.get(status, Code.PAGE_REQUEST))

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Answer:
        log.error("a page failed; it was answered with 500", exc_info=error)
        return answer(500, Code.DEFECT)
