"""JSON for programs: the one form in which the command line and the API hand values out."""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any

from bridge.operations.times import for_programs


def json_text(value: Any) -> str:
    """Return a value as one line of JSON: a dataclass as an object of its fields, times in UTC."""
    return json.dumps(value, default=_plain, ensure_ascii=False)


def _plain(value: Any) -> Any:
    """Return a value that JSON has no form for as one that it has."""
    if isinstance(value, datetime):
        return for_programs(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)
