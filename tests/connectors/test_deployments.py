"""What deployments of one vendor differ in is found out, and then known."""

from __future__ import annotations

import pytest

from bridge.connectors.contract import Draft, Intent
from bridge.connectors.switch.connector import SwitchConnector
from bridge.connectors.upscope.records import sessions
from bridge.core.model.values import Ref
from bridge.errors import Lacking, Refused
from bridge.sandbox.exchange import Problem
from bridge.sandbox.scopeai import ScopeaiSandbox
from bridge.sandbox.switch import SwitchSandbox
from tests.connectors.scopeai_bench import ScopeaiBench
from tests.connectors.test_switch import SwitchBench
from tests.connectors.zaia_bench import ZaiaBench


def writes(bench):
    return [call for call in bench.faulty.calls if call[0] != "GET"]


# Switch: `normal` for `medium`


@pytest.fixture(params=["medium", "normal"])
def word(request):
    bench = SwitchBench(priority_word=request.param, other_word=False)
    bench.word = request.param
    yield bench
    bench.http.close()


def made(bench, **fields):
    base = {"subject": "Help", "customer_email": "ann@customer.example", "priority": "high"}
    return bench.box.create({**base, **fields})["id"]


@pytest.mark.parametrize("sent", ["medium", "normal"])
def test_the_priority_in_the_middle_is_written_in_the_deployments_word(word, sent):
    first, second = made(word), made(word)
    for ticket, calls in ((first, 1 + (sent != word.word)), (second, 1)):
        word.faulty.calls.clear()
        ref = Ref("my-switch", "ticket", ticket)
        shown = word.connector.update(ref, "patch", {"priority": sent, "status": "open"})
        assert (shown.data["priority"], shown.data["status"]) == (word.word, "open")
        assert len(writes(word)) == calls


def test_a_ticket_that_shows_the_word_spares_the_refusal(word):
    shows, other = made(word, priority=word.word), made(word)
    word.connector.read("ticket", [shows])
    word.faulty.calls.clear()
    for sent in ("medium", "normal"):
        word.connector.update(Ref("my-switch", "ticket", other), "patch", {"priority": sent})
    assert len(writes(word)) == 2


def test_the_word_that_a_refusal_has_told_is_known_to_every_worker(word):
    word.connector.update(Ref("my-switch", "ticket", made(word)), "patch", {"priority": "medium"})
    refused = len(writes(word)) - 1
    other = SwitchConnector(word.settings, word.http)
    other.remember_in(other.handles, word.connector.findings)
    other.update(Ref("my-switch", "ticket", made(word)), "patch", {"priority": "medium"})
    assert (refused, len(writes(word))) == (word.word != "medium", 2 + refused)


class ClosedFindings:
    """A ledger that nobody may look into."""

    def known(self):
        raise AssertionError("it was looked into")


def test_the_word_that_a_write_has_shown_needs_no_look_into_the_ledger(word):
    values = {"subject": "Help", "customer_email": "ann@customer.example"}
    word.connector.create(Draft("ticket", {**values, "priority": word.word}, "m-1"))
    word.connector.remember_in(word.connector.handles, ClosedFindings())
    for number, sent in enumerate(("medium", "normal"), 2):
        draft = Draft("ticket", {**values, "priority": sent}, f"m-{number}")
        assert word.connector.create(draft).data["priority"] == word.word


def test_another_refusal_is_no_matter_of_words(word):
    word.faulty.next = ["422"]
    with pytest.raises(Refused):
        word.connector.update(
            Ref("my-switch", "ticket", made(word)), "patch", {"priority": "medium"}
        )
    assert len(writes(word)) == 1


def test_a_ticket_is_made_with_the_deployments_word(word):
    for number in range(3):
        values = {"subject": f"Help {number}", "customer_email": "ann@customer.example"}
        draft = Draft("ticket", {**values, "priority": "medium"}, f"m-{number}")
        assert word.connector.create(draft).data["priority"] == word.word
    assert len(writes(word)) == 3 + (word.word != "medium")


def test_a_refusal_of_another_status_that_names_the_priority_is_about_the_word():
    bench = SwitchBench(sandbox=Unprocessable, priority_word="normal", other_word=False)
    ref = Ref("my-switch", "ticket", made(bench))
    for _ in range(2):
        assert bench.connector.update(ref, "patch", {"priority": "medium"})
    assert len(writes(bench)) == 3


class Unprocessable(SwitchSandbox):
    """Refuses a word with 422."""

    def _priority(self, value):
        try:
            return super()._priority(value)
        except Problem as problem:
            raise Problem(422, "UNPROCESSABLE", str(problem), "priority") from None


# ScopeAI: external ids as a number or as a text


class SilentAboutIds(ScopeaiSandbox):
    """Refuses an external id of the wrong form, and does not say that it is about that."""

    def create_ticket(self, call):
        try:
            return super().create_ticket(call)
        except Problem as problem:
            raise Problem(problem.status, "UNPROCESSABLE_ENTITY", "Invalid parameters") from None


@pytest.mark.parametrize("sandbox", [ScopeaiSandbox, SilentAboutIds])
@pytest.mark.parametrize(
    ("configured", "takes"), [("int", "text"), ("int", "number"), ("string", "number")]
)
def test_the_form_of_external_ids_is_learned_by_one_refusal(sandbox, configured, takes):
    bench = ScopeaiBench({"external_id": takes}, sandbox=sandbox, external_id=configured)
    for number in (1, 2, 3):
        draft = bench.draft(f"m-{number}")
        ticket = bench.connector.create(draft)
        (found,) = bench.connector.find(Intent(draft, bench.clock.now()))
        assert (found.ref, found.marker) == (ticket.ref, f"m-{number}")
    refusals = (configured, takes) != ("int", "number")
    assert len(writes(bench)) == 3 + refusals


def test_a_ticket_that_shows_a_text_spares_the_refusal():
    bench = ScopeaiBench({"external_id": "text"})
    bench.make(external_id="ours-7")
    bench.connector.scan("ticket", None)
    bench.connector.create(bench.draft("m-1"))
    assert len(writes(bench)) == 1


def test_a_create_that_is_refused_for_something_else_is_sent_once():
    bench = ScopeaiBench()
    bench.connector.create(bench.draft("m-1"))
    for detail in ("422", "422"):
        bench.faulty.calls.clear()
        bench.faulty.next = [detail]
        with pytest.raises(Refused):
            bench.connector.create(bench.draft("m-2"))
        assert len(writes(bench)) == 1


def test_refusals_that_name_nothing_are_tried_in_the_other_form_once():
    bench = ScopeaiBench()
    for tries in (2, 1, 1):
        bench.faulty.calls.clear()
        bench.faulty.next = ["422"] * tries
        with pytest.raises(Refused):
            bench.connector.create(bench.draft("m-1"))
        assert len(writes(bench)) == tries


# Zaia: no catalogue of tags, though the shipped configuration says that there is one


def test_a_workspace_that_lists_no_tags_is_read_all_the_same():
    bench = ZaiaBench({"tag_listing": False})
    one = bench.make(tags=["VIP"])
    assert "no tags are known" in bench.tags()[one]
    assert bench.connector.probe()["tags"] == 0
    with pytest.raises(Lacking, match="no tag 'VIP' is known"):
        bench.update(one, "attach", tags="VIP")


def test_tags_of_the_configuration_serve_where_none_are_listed():
    known = "5f0e7a52-31c4-4d0b-9a54-0c2f7b1d8e01"
    bench = ZaiaBench({"tag_listing": False}, tags={"VIP": known})
    bench.box.tags["VIP"] = known
    one, two = bench.make(tags=["VIP"]), bench.make()
    bench.wait(60)
    assert bench.tags() == {one: ["VIP"], two: []}


# Upscope: sessions that are not shown


@pytest.mark.parametrize("shown", [None, {}, {"id": 1}, 5, "none"])
def test_a_visitor_without_a_list_of_sessions_has_none(shown):
    assert list(sessions({"short_id": "ABCD1234", "sessions": shown})) == []
    assert list(sessions({"short_id": "ABCD1234"})) == []
