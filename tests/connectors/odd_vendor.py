"""A transport whose answers show chosen rows in odd ways, byte by byte where JSON has no word."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import requests
import urllib3
from requests.adapters import BaseAdapter

ODD = "@odd@"
"""Stands in a row for the raw bytes that are sent in its place, quotes included."""

Change = Callable[[dict[str, Any]], Any]


class OddVendor(BaseAdapter):
    """Changes what another transport answers: chosen rows, and bytes that no parser likes."""

    def __init__(self, inner: BaseAdapter) -> None:
        super().__init__()
        self._inner = inner
        self.rows: dict[str, Change] = {}
        """Id -> what is shown in place of the row; `*`: what is shown of every object."""
        self.raw = b'""'
        """JSON, or nearly, that is sent in place of `ODD`."""
        self.before = b""
        """Bytes in front of every answer."""
        self.sent: list[bytes] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        """Send a request, and change the answer."""
        body = request.body or b""
        self.sent.append(body.encode() if isinstance(body, str) else body)
        response = self._inner.send(request, *args, **kwargs)
        content = response.content
        if content:
            shown = json.dumps(self._changed(json.loads(content)))
            content = self.before + shown.encode().replace(json.dumps(ODD).encode(), self.raw)
        headers = {
            name: value
            for name, value in response.headers.items()
            if name.lower() not in {"content-length", "content-encoding"}
        }
        changed = requests.Response()
        changed.status_code, changed.url, changed.request = response.status_code, "", request
        changed.headers.update(headers)
        changed.raw = urllib3.HTTPResponse(BytesIO(content), headers=headers, preload_content=False)
        return changed

    def _changed(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._changed(each) for each in value]
        if not isinstance(value, dict):
            return value
        row = {name: self._changed(each) for name, each in value.items()}
        change = self.rows.get(str(row.get("short_id", row.get("id"))))
        return change(row) if change is not None else row
