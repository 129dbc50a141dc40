"""A webhook is answered alike by the gateway, which knows the way, and by Flask, whatever it is."""

import asyncio
import json

import pytest
from sqlalchemy import text

from bridge.core.model.syncs import Rate
from bridge.web.receiver.gateway import Gateway
from bridge.web.receiver.rates import REFUSED
from tests.web.receiver import EVENT, signed

OF_THE_SERVER = {"server", "content-length"}


class Asked:
    """A request as granian hands it over, and what is answered."""

    proto, http_version, scheme = "http", "1.1", "http"
    server, client, query_string = "127.0.0.1:80", "127.0.0.1:5000", ""

    def __init__(self, path, body, headers, method="POST"):
        self.path, self.body, self.method = path, body, method
        self.headers = {name.lower(): value for name, value in headers.items()}

    async def __call__(self):
        return self.body

    async def __aiter__(self):
        yield self.body

    def response_bytes(self, status, headers, payload):
        self.answer = status, {name.lower(): value for name, value in headers}, payload


def by_gateway(receiver, path, body, headers, method="POST"):
    asked = Asked(path, body, headers, method)
    gateway = Gateway(receiver.app, receiver.app.extensions["bridge"]["receiver"], limit=2048)
    asyncio.run(gateway.__rsgi__(asked, asked))
    return asked.answer


def by_flask(receiver, path, body, headers, method="POST"):
    answer = receiver.client.open(path, method=method, data=body, headers=headers)
    found = {name.lower(): value for name, value in answer.headers.items()}
    return answer.status_code, found, answer.data


def told(answer):
    """What is answered, but for the number of the row, which is another each time."""
    status, headers, payload = answer
    said = json.loads(payload)
    said.pop("id", None)
    return status, {name: headers[name] for name in headers.keys() - OF_THE_SERVER}, said


def given(receiver, name="helpdesk", body=EVENT, number=0, **more):
    raw = body.replace("tkt_1", f"tkt_{number}").encode()
    headers = signed(receiver.config.connections, name, raw, receiver.clock.now(), f"d{number}")
    return f"/webhooks/{name}", raw, headers | more


def unsigned(name="helpdesk", **more):
    return f"/webhooks/{name}", b"{}", {"content-type": "application/json", **more}


CASES = {
    "taken": lambda receiver, number: given(receiver, number=number),
    "standard": lambda receiver, number: given(receiver, "product", number=number),
    "ignored": lambda receiver, number: given(
        receiver, body='{"event": "invoice.paid", "data": {"id": "tkt_1"}}', number=number
    ),
    "quarantined": lambda receiver, number: given(receiver, body='[1, "tkt_1"]', number=number),
    "large": lambda receiver, number: given(
        receiver, body=EVENT + " " * (2048 - len(EVENT)), number=number
    ),
    "too large": lambda receiver, number: given(receiver, body=EVENT + " " * 2048, number=number),
    "unsigned": lambda *_: unsigned(),
    "wrong": lambda *_: unsigned(**{"x-webhook-signature": "0" * 64}),
    "unknown": lambda *_: unsigned("nobody"),
    "silent": lambda *_: unsigned("silent"),
    "type": lambda receiver, number: given(receiver, number=number, **{"content-type": "text/xml"}),
    "encoded": lambda receiver, number: given(
        receiver, number=number, **{"content-encoding": "gzip"}
    ),
    "longer name": lambda *_: unsigned("helpdesk/"),
}


@pytest.mark.parametrize("case", CASES)
def test_both_ways_answer_alike(receiver, case):
    one, other = (CASES[case](receiver, number) for number in (1, 2))
    first, second = told(by_gateway(receiver, *one)), told(by_flask(receiver, *other))
    assert first == second
    assert first[1]["x-content-type-options"] == "nosniff"
    assert first[1]["cache-control"] == "no-store"


@pytest.mark.parametrize("way", [by_gateway, by_flask])
def test_both_ways_share_one_rate(receiver, way):
    webhook = receiver.config.connections["helpdesk"].webhook
    object.__setattr__(webhook, "rate_limit", (Rate(2, 60.0),))
    assert by_gateway(receiver, *given(receiver, number=1))[0] == 202
    assert by_flask(receiver, *given(receiver, number=1))[0] == 200
    status, headers, payload = way(receiver, *given(receiver, number=2))
    assert (status, headers["retry-after"]) == (429, "30")
    assert json.loads(payload) == {"error": "too many webhooks at once; send this again later"}


def test_a_flood_of_refusals_by_one_way_is_a_flood_by_the_other(receiver):
    for _ in range(REFUSED[0].calls):
        assert by_gateway(receiver, *unsigned())[0] == 401
    assert told(by_flask(receiver, *unsigned())) == told(by_gateway(receiver, *unsigned()))
    assert by_flask(receiver, *unsigned())[0] == 429


def test_both_ways_say_alike_that_the_ledger_is_away(receiver):
    with receiver.ledger.transaction() as tx:
        tx.execute(text("alter table work rename to gone"))
    first = told(by_gateway(receiver, *given(receiver, number=1)))
    assert first == told(by_flask(receiver, *given(receiver, number=2)))
    assert (first[0], first[1]["retry-after"]) == (503, "5")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_both_ways_refuse_other_methods_alike(receiver, method):
    path, body, headers = given(receiver)
    first = told(by_gateway(receiver, path, body, headers, method))
    assert first == told(by_flask(receiver, path, body, headers, method))
    assert first[0] == 405
