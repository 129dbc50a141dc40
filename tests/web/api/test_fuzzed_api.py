"""Whatever is asked, the answer is one of those that are described, and none is a failure."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.operations.permissions import Role

ODD = ["0", "-1", "1", "99999999999999999999", "1e3", "\0", "%00", "a/b", "..", "*", "'", "\u202e"]
KNOWN = ["H", "L", "status", "in step", "BRG-CONFLICT", "2026-01-01T00:00:00+00:00~1", "null"]
WORDS = st.text(max_size=20) | st.sampled_from([*ODD, *KNOWN])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | WORDS
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3)
)


@pytest.fixture
def operations(service, ticket):
    """Method, path and names of what may be given, of each operation but those about tokens."""
    found = []
    for path, methods in service.description["paths"].items():
        for method, operation in methods.items():
            if method in {"get", "post"} and not path.startswith("/tokens"):
                given = [each["name"] for each in operation.get("parameters", ()) if "in" in each]
                body = operation.get("requestBody", {}).get("content", {}).get("application/json")
                name = body["schema"]["$ref"].rpartition("/")[2] if body else None
                schemas = service.description["components"]["schemas"]
                parts = list(schemas[name]["properties"]) if name else []
                found.append((method.upper(), path.replace("{ref}", ticket), given, parts))
    return sorted(found)


def filled(path, words):
    """The path with a word in each of its places."""
    while "{" in path:
        before, _, rest = path.partition("{")
        path = before + next(words) + rest.partition("}")[2]
    return path


def test_no_request_makes_it_fail(service, operations):
    program = service.program(Role.ADMIN)

    @settings(
        max_examples=60,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def ask(data):
        method, path, given_names, parts = data.draw(st.sampled_from(operations))
        words = iter(lambda: data.draw(WORDS.filter(lambda word: "?" not in word)), None)
        names = [name for name in given_names if name != "Idempotency-Key"]
        query = data.draw(st.dictionaries(st.sampled_from([*names, "x"]), WORDS, max_size=2))
        options = {}
        if parts:
            body = st.dictionaries(st.sampled_from(parts), JSON, max_size=4) | JSON
            options["json"] = data.draw(body)
        elif method == "POST":
            options["data"] = b""
        answer = program.client.open(
            filled(path, words),
            method=method,
            query_string=query,
            headers=program.headers,
            **options,
        )
        assert answer.status_code < 500, (method, path, query, options, answer.text)
        assert answer.status_code in {200, 304, 308, 400, 404, 405, 409, 422}

    ask()
