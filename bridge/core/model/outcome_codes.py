"""Outcome codes: a stable name for every way in which something is refused, parked or left out.

`outcome_meanings` says what each means. The ledger keeps the words that it always kept (causes of
parked work, kinds of timeline entries); `of_cause`, `of_refusal` and `of_entry` translate them, so
that rows of older versions have a code, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final


class Code(StrEnum):
    """A stable code. It may be looked for in logs and dashboards, so none ever changes."""

    KEY = "BRG-401-KEY"
    RECORD_FORBIDDEN = "BRG-403-RECORD"
    RECORD_WITHHELD = "BRG-403-WITHHELD"
    CONNECTION_FAILING = "BRG-CONN-FAILING"
    CONNECTION_PAUSED = "BRG-CONN-PAUSED"
    CONNECTION_HELD = "BRG-CONN-HELD"
    CONNECTION_RETIRED = "BRG-CONN-RETIRED"

    HOOK_SIGNATURE = "BRG-HOOK-SIGNATURE"
    HOOK_UNSIGNED = "BRG-HOOK-UNSIGNED"
    HOOK_EXPIRED = "BRG-HOOK-EXPIRED"
    HOOK_UNKNOWN = "BRG-HOOK-UNKNOWN"
    HOOK_RATE = "BRG-HOOK-RATE"
    HOOK_SIZE = "BRG-HOOK-SIZE"
    HOOK_TYPE = "BRG-HOOK-TYPE"
    HOOK_LEDGER = "BRG-HOOK-LEDGER"
    HOOK_MALFORMED = "BRG-HOOK-MALFORMED"
    HOOK_IGNORED = "BRG-HOOK-IGNORED"

    WRITE_REFUSED = "BRG-WRITE-REFUSED"
    WRITE_MISSING = "BRG-WRITE-MISSING"
    WRITE_EXISTS = "BRG-WRITE-EXISTS"
    WRITE_VAIN = "BRG-WRITE-VAIN"
    WRITE_UNKNOWN = "BRG-WRITE-UNKNOWN"
    WRITE_UNSAFE = "BRG-WRITE-UNSAFE"
    CREATE_REFUSED = "BRG-CREATE-REFUSED"
    CREATE_BUDGET = "BRG-CREATE-BUDGET"
    MATCH_AMBIGUOUS = "BRG-MATCH-AMBIGUOUS"
    UNAVAILABLE = "BRG-SYS-UNAVAILABLE"
    UNSUPPORTED = "BRG-SYS-UNSUPPORTED"
    DEFECT = "BRG-DEFECT"
    OTHER = "BRG-OTHER"

    RUN_FAILS = "BRG-RUN-FAILS"
    RUN_LATE = "BRG-RUN-LATE"
    RUN_PAUSED = "BRG-RUN-PAUSED"
    ROWS = "BRG-ROW-QUARANTINED"
    WORK_IDLE = "BRG-WORK-IDLE"
    PROCESS_STILL = "BRG-PROCESS-STILL"
    PROCESS_DOWN = "BRG-PROCESS-DOWN"
    REDIS_DOWN = "BRG-REDIS-DOWN"
    REDIS_READ_ONLY = "BRG-REDIS-READONLY"
    REDIS_FULL = "BRG-REDIS-FULL"
    REDIS_KEYS = "BRG-REDIS-KEYS"
    REDIS_REFUSES = "BRG-REDIS-REFUSES"
    DISK = "BRG-DISK"
    LEDGER = "BRG-LEDGER"
    CATCHING_UP = "BRG-LEDGER-BEHIND"
    ACCOUNT = "BRG-ACCOUNT"
    FILES = "BRG-FILES"
    FILES_DIFFER = "BRG-FILES-DIFFER"
    NOTICE_FAILING = "BRG-NOTICE-FAILING"
    NOTICE_GONE = "BRG-NOTICE-GONE"
    NOTICE_UNSENT = "BRG-NOTICE-UNSENT"

    MAP_VALUE = "BRG-MAP-VALUE"
    MAP_DECLARED = "BRG-MAP-DECLARED"
    MAP_PERSON = "BRG-MAP-PERSON"
    MAP_ONLY_READ = "BRG-MAP-ONLY-READ"
    SYNC_NOT_SENT = "BRG-SYNC-NOT-SENT"
    SYSTEM_FIXED = "BRG-SYS-FIXED"
    SYSTEM_IGNORES = "BRG-SYS-IGNORES"
    SYSTEM_VALUE = "BRG-SYS-VALUE"
    SYSTEM_NEEDS = "BRG-SYS-NEEDS"
    FIELD_REFUSED = "BRG-FIELD-REFUSED"
    KEPT = "BRG-KEPT"

    READ_VALUE = "BRG-READ-VALUE"
    READ_IGNORED = "BRG-READ-IGNORED"
    READ_FIELD = "BRG-READ-FIELD"
    READ_PERSON = "BRG-READ-PERSON"
    READ_GROUP = "BRG-READ-GROUP"
    READ_ABSENT = "BRG-READ-ABSENT"
    READ_LIMIT = "BRG-READ-LIMIT"
    READ_PATH = "BRG-READ-PATH"
    READ_PARENT = "BRG-READ-PARENT"
    READ_EMPTY = "BRG-READ-EMPTY"

    CONFLICT = "BRG-CONFLICT"
    DOUBTFUL = "BRG-DOUBTFUL"
    PAUSED = "BRG-PAUSED"
    SCOPE = "BRG-SCOPE"
    GONE = "BRG-GONE"

    PAGE_SIGN_IN = "BRG-PAGE-SIGN-IN"
    PAGE_ROLE = "BRG-PAGE-ROLE"
    PAGE_FORM = "BRG-PAGE-FORM"
    PAGE_WAIT = "BRG-PAGE-WAIT"
    PAGE_ABSENT = "BRG-PAGE-ABSENT"
    PAGE_NOT_POSSIBLE = "BRG-PAGE-NOT-POSSIBLE"
    PAGE_REQUEST = "BRG-PAGE-REQUEST"

    OPENID_DOWN = "BRG-OPENID-DOWN"
    OPENID_SETUP = "BRG-OPENID-SETUP"
    OPENID_CANCELLED = "BRG-OPENID-CANCELLED"
    OPENID_STATE = "BRG-OPENID-STATE"
    OPENID_TOKEN = "BRG-OPENID-TOKEN"  # noqa: S105 - the code, not a token
    OPENID_CLOCK = "BRG-OPENID-CLOCK"
    OPENID_ROLE = "BRG-OPENID-ROLE"
    OPENID_OUT = "BRG-OPENID-OUT"

    API_TOKEN = "BRG-API-TOKEN"  # noqa: S105 - the code, not a token
    API_ROLE = "BRG-API-ROLE"
    API_ABSENT = "BRG-API-ABSENT"
    API_REQUEST = "BRG-API-REQUEST"
    API_NOT_POSSIBLE = "BRG-API-NOT-POSSIBLE"
    API_KEY = "BRG-API-KEY"
    API_RATE = "BRG-API-RATE"


CAUSES: Final[Mapping[str, Code]] = {
    "retired": Code.CONNECTION_RETIRED,
    "unsafe": Code.WRITE_UNSAFE,
    "ambiguous match": Code.MATCH_AMBIGUOUS,
    "create refused": Code.CREATE_REFUSED,
    "creation budget": Code.CREATE_BUDGET,
    "in vain": Code.WRITE_VAIN,
    "defect": Code.DEFECT,
    "Refused": Code.WRITE_REFUSED,
    "Lacking": Code.WRITE_REFUSED,
    "NotFound": Code.WRITE_MISSING,
    "AlreadyExists": Code.WRITE_EXISTS,
    "Unauthorised": Code.RECORD_FORBIDDEN,
    "Withheld": Code.RECORD_WITHHELD,
    "Unsupported": Code.UNSUPPORTED,
    "UnknownOutcome": Code.WRITE_UNKNOWN,
    **dict.fromkeys(("Unavailable", "RateLimited", "NotSent", "Resting"), Code.UNAVAILABLE),
}
"""Cause of parked work, as the ledger keeps it -> code."""

CALLS: Final[Mapping[str, Code]] = {
    "Unauthorised": Code.KEY,
    "RateLimited": Code.CONNECTION_PAUSED,
    **dict.fromkeys(("Unavailable", "NotSent"), Code.CONNECTION_FAILING),
}
"""Error that one call ended in -> code, where it is not that of the work which is parked for it."""

UNSIGNED: Final = "unsigned"
"""Why a webhook was refused that carries nothing of a signature, whatever else is wrong with it."""

REFUSALS: Final[Mapping[str, Code]] = {
    UNSIGNED: Code.HOOK_UNSIGNED,
    "BadSignature": Code.HOOK_SIGNATURE,
    "Expired": Code.HOOK_EXPIRED,
    "UnknownConnection": Code.HOOK_UNKNOWN,
    "TooMany": Code.HOOK_RATE,
    "TooLarge": Code.HOOK_SIZE,
    "UnsupportedMedia": Code.HOOK_TYPE,
    "LedgerDown": Code.HOOK_LEDGER,
    "Malformed": Code.HOOK_MALFORMED,
    "quarantined": Code.HOOK_MALFORMED,
    "ignored": Code.HOOK_IGNORED,
}
"""Why a webhook was refused, or the verdict by which it came to nothing -> code."""

ENTRIES: Final[Mapping[str, Code]] = {
    "not carried": Code.OTHER,
    "refused": Code.WRITE_REFUSED,
    "unsafe": Code.WRITE_UNSAFE,
    "ambiguous": Code.MATCH_AMBIGUOUS,
    "unknown outcome": Code.WRITE_UNKNOWN,
    "unreadable": Code.READ_VALUE,
    "ambiguous empty": Code.READ_EMPTY,
    "ambiguous removal": Code.READ_EMPTY,
    "conflict": Code.CONFLICT,
    "uncertain": Code.CONFLICT,
    "waiting": Code.CONFLICT,
    "ignored": Code.KEPT,
    "reverted": Code.KEPT,
    "suspect": Code.DOUBTFUL,
    "fused": Code.DOUBTFUL,
    "missing": Code.GONE,
    "deleted": Code.GONE,
    "left scope": Code.SCOPE,
    "paused": Code.PAUSED,
}
"""Kind of timeline entry -> code, unless the entry names one itself. Others need none."""


DECLARED: Final = frozenset({Code.MAP_ONLY_READ, Code.SYNC_NOT_SENT})
"""A field is never written somewhere because the mapping or the sync says so: it is meant so."""


def of_cause(cause: str) -> Code:
    """Return the code of parked work by its cause; OTHER for one that only older versions knew."""
    return CAUSES.get(cause, Code.OTHER)


def of_call(error: str, *, write: bool) -> Code:
    """Return the code of a call that ended in an error, by the name of its class."""
    reads = {} if write else {"NotFound": Code.GONE, "Refused": Code.CONNECTION_FAILING}
    return reads.get(error) or CALLS.get(error) or of_cause(error)


def code_named(name: str) -> Code | None:
    """Return the code of this name, in capitals or not; None: there is none."""
    return next((code for code in Code if code == name.upper()), None)


def causes_of(code: Code) -> frozenset[str]:
    """Return the causes of parked work that have this code; OTHER has also what is not listed."""
    return frozenset(cause for cause, its_code in CAUSES.items() if its_code is code)


def of_refusal(reason: str) -> Code:
    """Return the code of a webhook that was refused or came to nothing."""
    return REFUSALS.get(reason, Code.OTHER)


def of_entry(kind: str, detail: Mapping[str, Any]) -> str:
    """Return the code of a timeline entry; empty when it tells of nothing that was left out."""
    return str(detail.get("code") or ENTRIES.get(kind, ""))
