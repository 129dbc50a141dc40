from __future__ import annotations

import io
import json
import logging
import threading

import pytest

from bridge.core.model.syncs import Secret
from bridge.errors import ConfigError
from bridge.observability.log import configure, together
from bridge.scrubber import HIDDEN, MAX_CHARS, Scrubber


@pytest.fixture
def logged():
    stream = io.StringIO()

    def start(**options):
        configure("worker", stream=stream, **options)
        return stream

    return start


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer s3cr3t-value-1",
        "{'api_key': 's3cr3t-value-1'}",
        '{"HELPDESK_API_KEY": "s3cr3t-value-1"}',
        "password=s3cr3t-value-1&x=1",
        "redis://user:s3cr3t-value-1@host/0",
        "postgresql://:s3cr3t-value-1@host/0",
        "whsec_s3cr3t-value-1",
        "webhook-signature: v1,s3cr3t-value-1".replace("v1,", ""),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text):
    shown = Scrubber().text(text)
    assert "s3cr3t-value-1" not in shown
    assert HIDDEN in shown


def test_a_known_secret_is_hidden_anywhere_the_longest_first():
    scrub = Scrubber([Secret("hunter"), Secret("hunter-two")])
    assert scrub.text("got hunter-two and hunter") == f"got {HIDDEN} and {HIDDEN}"


@pytest.mark.parametrize(
    "text", ["ticket tkt_1: status open -> closed", "GET https://host:8080/x", "authorised"]
)
def test_ordinary_text_stays(text):
    assert Scrubber([Secret("abc")]).text(text) == text


def test_a_json_line_has_its_fields_and_no_secret_not_even_in_the_traceback(logged):
    stream = logged(form="json", secrets=[Secret("tell-nobody")])
    try:
        int("tell-nobody")
    except ValueError:
        logging.getLogger("bridge.x").exception(
            "sent %s", "tell-nobody", extra={"connection": "desk", "n": 3}
        )
    row = json.loads(stream.getvalue())
    assert row["level"] == "error"
    assert (row["process"], row["logger"], row["connection"], row["n"]) == (
        "worker",
        "bridge.x",
        "desk",
        "3",
    )
    assert row["message"] == f"sent {HIDDEN}"
    assert "ValueError" in row["error"]
    assert "tell-nobody" not in stream.getvalue()


def test_a_message_cannot_forge_a_second_line(logged):
    stream = logged()
    logging.getLogger("bridge.x").warning("first\n12:00:00 worker   all is well")
    assert len(stream.getvalue().splitlines()) == 1
    assert "warning: first" in stream.getvalue()


@pytest.mark.parametrize("form", ["text", "json"])
def test_fields_follow_the_message_whatever_their_names(logged, form):
    stream = logged(form=form)
    logging.getLogger("bridge.x").warning(
        "took a webhook", extra={"event": "ticket.updated", "records": "tkt_1\n2\u202e"}
    )
    (line,) = stream.getvalue().splitlines()
    if form == "json":
        row = json.loads(line)
        assert (row["message"], row["level"]) == ("took a webhook", "warning")
        assert (row["event"], row["records"]) == ("ticket.updated", "tkt_1\n2\u202e")
        assert "\u202e" not in line
        assert row["at"].endswith("Z")
    else:
        shown = "worker   warning: took a webhook event=ticket.updated records=tkt_1·2·"
        assert line.partition("Z ")[2] == shown


def test_a_traceback_in_text_shows_no_variables_and_nothing_that_a_terminal_obeys(logged):
    stream = logged(secrets=[Secret("tell-nobody")])
    password = "only a variable".replace(" ", "-")
    try:
        int(f"\x1b[31m{len(password)} tell-nobody")
    except ValueError:
        logging.getLogger("bridge.x").exception("met a defect")
    assert f"'·[31m15 {HIDDEN}'" in stream.getvalue().replace("\\x1b", "·")
    assert password not in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_the_level_is_kept(logged):
    stream = logged(level="warning")
    logging.getLogger("bridge.x").info("quiet")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("options", [{"form": "xml"}, {"level": "loud"}])
def test_a_wrong_setting_names_what_is_allowed(logged, options):
    with pytest.raises(ConfigError, match="allowed text or json"):
        logged(**options)


@pytest.mark.parametrize("length", [100, 8192, MAX_CHARS])
def test_where_a_long_text_is_cut_no_half_of_a_secret_stays(length):
    secret = "abcdefghijklmnopqrstuvwxyz0123456789"
    scrubber = Scrubber([Secret(secret)])
    # Secrets make the text shorter, and so bring what stands at the cut into what is shown.
    for shift in range(len(secret)):
        text = "." * shift + secret * (4 * length // len(secret))
        shown = scrubber.beginning(text, length)
        assert set(shown) <= {".", HIDDEN[0]}
    assert set(scrubber.text("." * 10 + secret * 10_000)) <= set(f".{HIDDEN}… (cut)")


def test_a_text_of_any_length_is_cut_before_it_is_looked_through():
    for scrubber in (Scrubber(), Scrubber([Secret("abcdefghijklmnop")])):
        shown = scrubber.text("x " * MAX_CHARS)
        assert shown.endswith("… (cut)")
        assert len(shown) <= MAX_CHARS + len("… (cut)")
        assert scrubber.text("x" * MAX_CHARS) == "x" * MAX_CHARS


def test_lines_held_together_are_written_at_the_end_also_when_it_fails(logged):
    stream, log = logged(), logging.getLogger("bridge.x")

    @together()
    def fail():
        log.info("first")
        log.info("second")
        other = threading.Thread(target=log.info, args=("of another thread",))
        other.start()
        other.join()
        raise KeyError

    with pytest.raises(KeyError):
        fail()
    log.info("after")
    said = [line.partition("   ")[2] for line in stream.getvalue().splitlines()]
    assert said == ["of another thread", "first", "second", "after"]


def test_eight_characters_of_a_secret_are_hidden_wherever_they_begin():
    secret = "Zq3vT9xK1mB7"
    scrubber = Scrubber([Secret(secret)])
    for first in range(len(secret) - 7):
        for before in range(9):
            for after in range(9):
                text = "." * before + secret[first : first + 8] + "." * after
                assert scrubber.text(text) == "." * before + HIDDEN + "." * after
                assert scrubber.holds(text)
