"""One account has one place, however its address is spelt."""

import pytest

from bridge.config import check
from bridge.connectors.account_place import comparable
from tests.settings.builders import BRIDGE, CONNECTORS, ENVIRON, home

ONE = "http://127.0.0.1:9400/api/v1"
SAME = [
    "http://127.0.0.1:9400/api/v1/",
    "http://127.0.0.1:9400//api//v1",
    "http://127.0.0.1:9400/./api/v1/.",
    "http://127.0.0.1:9400/x/../api/v1",
    "http://127.0.0.1:9400/%2e/%61pi/%76%31",
    "http://localhost:9400/api/v1",
    "http://LocalHost.:9400/api/v1",
    "http://[::1]:9400/api/v1",
    "http://[0:0:0:0:0:0:0:1]:9400/api/v1",
    "http://[::ffff:127.0.0.1]:9400/api/v1",
    "HTTP://127.0.0.1:9400/api/v1",
]
OTHERS = [
    "https://127.0.0.1:9400/api/v1",
    "http://127.0.0.2:9400/api/v1",
    "http://127.0.0.1:9401/api/v1",
    "http://127.0.0.1:9400/API/v1",
    "http://127.0.0.1:9400/api%2Fv1",
    "http://127.0.0.1:9400/api/v1 project_id 7",
]


@pytest.mark.parametrize("spelt", SAME)
def test_spellings_of_one_place(spelt):
    assert comparable(spelt) == comparable(ONE)
    assert comparable(f"{spelt} project_id 7") == comparable(f"{ONE} project_id 7")


@pytest.mark.parametrize("other", OTHERS)
def test_other_places(other):
    assert comparable(other) != comparable(ONE)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("https://one.example", "https://ONE.example.:443/"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://one.example/a%2fb", "https://one.example/a%2Fb"),
        ("https://one.example", "https://one.example/.."),
    ],
)
def test_hosts_ports_and_escapes(one, two):
    assert comparable(one) == comparable(two)


@pytest.mark.parametrize(
    "spelt",
    ["https://one.example//api", "https://one.example./api", "https://ONE.example/x/../%61pi/"],
)
def test_a_second_connection_with_the_same_account_is_refused_however_it_is_spelt(tmp_path, spelt):
    rows = BRIDGE.removeprefix("connections:\n")
    twin = rows[: rows.index("  two:")].replace("  one:", "  twin:")
    twin = twin.replace("https://one.example/api", spelt)
    found = check(home(tmp_path, bridge=BRIDGE + twin), environ=ENVIRON, connectors=CONNECTORS)
    assert any("leads to the same account as one" in problem for problem in found)
