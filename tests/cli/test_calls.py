"""`bridge calls`: the last calls to vendors, for people and for programs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bridge.ledger import vendor_calls
from tests.cli.test_operator import Home
from tests.ledger.test_vendor_calls import a_call


@pytest.fixture
def home(run, tmp_path):
    made = Home(run, tmp_path / "home")
    yield made
    made.ledger.close()


def test_calls_are_listed_filtered_and_shown(home):
    with home.ledger.transaction() as tx:
        now = datetime.now(UTC)
        failed = {"status": 500, "code": "BRG-CONN-FAILING", "error": "answered 500"}
        calls = [a_call(now, 1, connection="helpdesk"), a_call(now, 2, connection="product")]
        vendor_calls.add_all(tx, [*calls, a_call(now, 3, connection="helpdesk", **failed)])
    assert "helpdesk  GET /tickets/3  500 in 13 ms  observe  [BRG-CONN-FAILING]" in home("calls")
    assert [row["id"] for row in home.json("calls", "--connection", "helpdesk")] == [3, 1]
    assert [row["id"] for row in home.json("calls", "--outcome", "failed")] == [3]
    assert "no call fits" in home("calls", "--slower-than", "500")
    assert home.json("calls", "1")[0]["call"]["path"] == "/tickets/1"
    home("calls", "99", code=2)
    home("calls", "--ticket", "nobody", code=2)
