"""What Upscope refuses, what an operator may do there by hand, and how one person is erased."""

from __future__ import annotations

import pytest

from bridge.core.model.capabilities import Support
from bridge.core.model.values import Ref
from bridge.errors import Malformed, Refused, Unauthorised, UnknownOutcome, Unsupported
from tests.connectors.upscope_bench import ROOT, UpscopeBench, document, saying


@pytest.fixture
def bench():
    made = UpscopeBench()
    yield made
    made.http.close()


# Refusals


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("invalid_api_key", "copy a new one"),
        ("subscription_expired", "renew it"),
        ("no_subscription", "take one out"),
        ("api_not_enabled", "Enterprise"),
        ("please_contact_team", "support"),
        ("on_the_moon", "not a documented one"),
    ],
)
def test_each_401_says_what_to_do(bench, code, words):
    visitor = bench.visit()
    bench.box.configure({"refusal": code})
    for call in (
        bench.connector.ping,
        lambda: bench.connector.read("customer", [visitor]),
        lambda: bench.connector.perform_action(
            "watch_url", {"visitor": visitor, "agent.id": "1", "agent.name": "Mary"}
        ),
    ):
        with pytest.raises(Unauthorised, match=words) as error:
            call()
        assert error.value.status == 401


def test_no_text_of_an_error_is_kept():
    for status in (400, 403, 404, 409, 422, 429, 500):
        connector, _ = saying("joe was here, https://o.upscope.io?xyz", status)
        with pytest.raises(Exception, match=r"answered|check base_url") as error:
            connector.read("customer", ["ABCD1234"])
        assert "joe" not in str(error.value)
        assert getattr(error.value, "detail", "") == ""


# The operator's action

WISH = {"agent.id": "12", "agent.name": "Mary Bishop"}


def test_a_link_is_asked_for_once_and_counts(bench):
    visitor = bench.visit()
    link = bench.connector.perform_action("watch_url", {"visitor": visitor, **WISH})
    assert link.startswith("https://o.upscope.io?")
    assert bench.calls() == [("POST", f"/v1.1/visitors/{visitor}/watch_url.json")]


def test_limits_and_strangers_are_refusals_that_opened_nothing(bench):
    with pytest.raises(Refused, match="no such visitor; nothing was opened"):
        bench.connector.perform_action("watch_url", {"visitor": "NOBODY", **WISH})
    visitor = bench.visit()
    bench.box.configure({"over_limits": True})
    with pytest.raises(Refused, match="beyond the plan's limits; nothing was opened") as error:
        bench.connector.perform_action("watch_url", {"visitor": visitor, **WISH})
    assert error.value.status == 402
    assert len(bench.calls()) == 2


@pytest.mark.parametrize("fault", ["timeout-after", "reset-after", "502-after", "html-after"])
def test_an_unknown_outcome_is_said_plainly_and_never_repeated(bench, fault):
    visitor = bench.visit()
    bench.faulty.next = [fault]
    with pytest.raises(
        UnknownOutcome, match="may have been opened; look in Upscope before you ask again"
    ):
        bench.connector.perform_action("watch_url", {"visitor": visitor, **WISH})
    assert len(bench.faulty.calls) == 1


@pytest.mark.parametrize(
    "answer",
    [
        "https://o.upscope.io?xyz",
        {},
        {"watch_url": None},
        {"watch_url": "javascript:https://o.upscope.io?xyz"},
        [],
    ],
)
def test_an_answer_without_a_link_shows_nothing_of_itself(answer):
    connector, _ = saying(answer)
    with pytest.raises(UnknownOutcome, match="may have been opened") as error:
        connector.perform_action("watch_url", {"visitor": "ABCD1234", **WISH})
    assert "xyz" not in f"{error.value}{error.value!r}{error.value.detail}"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"visitor": "ABCD1234", "agent.id": "1"},
        {"visitor": "ABCD1234", "agent.id": "1", "agent.name": " "},
        {"visitor": "../list", **WISH},
        {"visitor": "ABCD1234", **WISH, "metadata.note": "x"},
        {"visitor": "ABCD1234", **WISH, "branding.naked": "yes"},
        {"visitor": "ABCD1234", **WISH, "branding.retry_url": "javascript:alert(1)"},
    ],
)
def test_a_wish_that_cannot_be_meant_is_not_sent(given):
    connector, sent = saying(document("watch_url"))
    with pytest.raises(Refused, match="watch_url: "):
        connector.perform_action("watch_url", given)
    with pytest.raises(Unsupported, match="allowed: watch_url"):
        connector.perform_action("dance", {})
    assert sent == []


# Erasure


@pytest.mark.provokes
@pytest.mark.parametrize("status", [200, 202, 204])
def test_one_visitor_is_erased_and_again_is_done(bench, status):
    bench.box.configure({"delete_status": status})
    one, other = bench.add(2)
    bench.connector.delete(bench.ref(one))
    bench.connector.delete(bench.ref(one))
    assert [row["id"] for row in bench.box.visitors()] == [other]
    with pytest.raises(Unsupported):
        bench.connector.delete(Ref("my-upscope", "session", f"{other}/1"))


def test_nothing_deletes_by_a_plan_and_nothing_deletes_everybody(bench):
    able = bench.connector.CAPABILITIES.values()
    assert not any(can.deletes is not Support.NO or can.verbs for can in able)
    folder = ROOT / "bridge" / "connectors"
    for path in folder.glob("upscope*.py"):
        assert "all=" not in path.read_text()
        assert "visitors.json" not in path.read_text()


def test_only_the_person_meant_is_found_whatever_the_search_finds(bench):
    wanted = bench.visit("Jo", "JO@example.com")
    bench.visit("jo@example.com.evil.example")
    bench.visit("banjo@example.com")
    both = bench.visit("jo@example.com", "ann@example.com")
    found = [record.ref.id for record in bench.connector.find_person("customer", "Jo@Example.com")]
    assert found == [wanted]
    assert both not in found
    assert bench.connector.find_person("customer", "example.com") == []
    with pytest.raises(Unsupported):
        bench.connector.find_person("session", "jo@example.com")


def test_there_are_no_webhooks_but_the_generic_hint(bench):
    assert bench.connector.SIGNING is None
    parsed = bench.connector.parse({}, {"entity": "session", "id": "ABCD1234/1"})
    assert parsed.hints[0].entity == "session"
    assert bench.connector.parse({}, {"event": "sessionEnd"}).ignored == "unknown event sessionEnd"
    with pytest.raises(Malformed):
        bench.connector.parse({}, {"entity": "ticket", "id": "1"})
