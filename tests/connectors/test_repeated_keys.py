"""Whatever of ours a vendor repeats in its answer, no error says it."""

from __future__ import annotations

import base64
import html
import json
from dataclasses import replace
from urllib.parse import quote

import pytest
import responses

from bridge.clock import SystemClock
from bridge.core.model.syncs import Secret
from bridge.errors import RemoteError
from bridge.http.client import Http
from tests.connectors.bench import KEY, connection

BASE = "https://desk.example/api/v1"
SIGNS = "k+Ab/cd9=Ef&gH12"
PIECES = ("k+ab", "cd9", "ef&gh12", "u002b", "bdm5cz")
"""In lower case; the last one in base64."""


def error_after(*, key=KEY, write=False, **answer):
    """Return the error of a call that is answered so."""
    where = replace(connection("switch"), base_url=BASE, credentials={"api_key": Secret(key)})
    http = Http(where, clock=SystemClock())
    method = "POST" if write else "GET"
    with responses.RequestsMock() as vendor:
        vendor.add(method, f"{BASE}/x", **answer)
        with pytest.raises(RemoteError) as error:
            http.request(method, "/x", write=write, auth=None)
    http.close()
    return error.value


@pytest.mark.parametrize(
    "spelled",
    [
        SIGNS,
        SIGNS[:-3] + "...",
        SIGNS.upper(),
        "\x00".join(SIGNS),
        quote(SIGNS),
        quote(SIGNS, safe="").lower(),
        json.dumps(SIGNS).replace("/", "\\/"),
        SIGNS.replace("+", "\\u002b"),
        html.escape(SIGNS).replace("/", "&#x2F;"),
        base64.b64encode(f"me:{SIGNS}".encode()).decode(),
    ],
)
@pytest.mark.parametrize("status", [200, 302, 401, 422, 429, 500])
@pytest.mark.parametrize("write", [False, True])
def test_whatever_a_vendor_says_of_our_key_nobody_reads_it(status, spelled, write):
    error = error_after(
        key=SIGNS,
        write=write,
        status=status,
        body=f"<p>no such key: {spelled}</p>",
        headers={
            "X-Request-Id": spelled.replace("\x00", ""),
            "Location": f"https://elsewhere.example/{SIGNS}",
            "WWW-Authenticate": f"Bearer {SIGNS}",
            "Retry-After": SIGNS,
            "Content-Type": f"text/html; charset={SIGNS}",
        },
    )
    assert "•••" in error.detail
    shown = f"{error} {error.request_id} {error.detail} {error!r}".lower()
    assert not {piece for piece in PIECES if piece in shown}


@pytest.mark.parametrize("header", ["Location", "X-Request-Id", "CF-Ray"])
@pytest.mark.parametrize("status", [301, 500])
def test_no_header_of_an_answer_carries_our_key_into_an_error(header, status):
    said = f"https://{KEY.upper()}.example/" if header == "Location" else KEY
    error = error_after(status=status, headers={header: said})
    assert KEY not in f"{error} {error.request_id}".lower()


@pytest.mark.parametrize("before", [0, 70, 95, 200])
def test_a_request_id_that_says_our_key_or_part_of_it_is_none(before):
    error = error_after(status=500, body="no", headers={"X-Request-Id": "r" * before + KEY})
    assert error.request_id == ""
    assert KEY[:4] not in str(error)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("req_7-a.b:c/d", "req_7-a.b:c/d"),
        ("a" * 5000, "a" * 100),
        ("req\x1b[31m", ""),
        ("7): all is well (", ""),
        ("<b>7</b>", ""),
        ("r\u00e9q", "rq"),
    ],
)
def test_a_request_id_is_short_and_of_few_signs(given, kept):
    assert error_after(status=500, headers={"X-Request-Id": given}).request_id == kept
