"""Whatever a vendor makes of a key of ours, nobody can read it from what the scrubber lets pass."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest

from bridge.core.model.syncs import Secret
from bridge.scrubber import HIDDEN, Scrubber

KEY = "k+Ab/cd9=Ef&gH12%jKlm"
PHRASE = "correct horse battery staple"
FOREIGN = "clé-très-sûre-42"
WRAPPED = "whsec_" + base64.b64encode(b"said in base64, and read by all").decode()
SHORT = "h/nter2"


def every(escape):
    return lambda text: "".join(map(escape, text))


def lower_percent(text):
    return every(lambda char: f"%{ord(char):02x}")(text)


def odd_ones(escape):
    """Escape every other character."""
    return lambda text: "".join(
        escape(char) if number % 2 else char for number, char in enumerate(text)
    )


def basic(text):
    return base64.b64encode(f"clerk:{text}".encode()).decode()


SPELLINGS = {
    "plain": str,
    "percent": lambda text: quote(text, safe=""),
    "percent of a form": quote_plus,
    "percent, some": quote,
    "percent, all": lower_percent,
    "percent, twice": lambda text: quote(quote(text, safe=""), safe=""),
    "JSON, slashes": lambda text: json.dumps(text).replace("/", "\\/"),
    "JSON, all": every(lambda char: f"\\u{ord(char):04x}"),
    "JSON, some": odd_ones(lambda char: f"\\u{ord(char):04X}"),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text).replace("/", "\\/")),
    "JSON, escaped, in JSON": lambda text: json.dumps(odd_ones(lambda c: f"\\u{ord(c):04x}")(text)),
    "HTML, named": html.escape,
    "HTML, more names": lambda text: text.replace("/", "&sol;").replace("+", "&plus;"),
    "HTML, decimal": every(lambda char: f"&#{ord(char)};"),
    "HTML, hex": odd_ones(lambda char: f"&#x{ord(char):X};"),
    "HTML in JSON": lambda text: json.dumps(html.escape(text)).replace("/", "\\/"),
    "two kinds": lambda text: text.replace("/", "%2F").replace("+", "\\u002b"),
    "repr": lambda text: repr(text.encode()),
    "other case": str.upper,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of user and key": basic,
    "base64 of key and nothing": lambda text: base64.b64encode(f"{text}:".encode()).decode(),
    "base64 of a longer user": lambda text: base64.b64encode(f"clerks:{text}:x".encode()).decode(),
    "base64 of another": lambda text: base64.b64encode(f"clerk1x:{text}".encode()).decode(),
    "base64 for addresses": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64 in an address": lambda text: quote(basic(text), safe=""),
    "UTF-16": lambda text: text.encode("utf-16-le").decode("latin-1"),
    "UTF-16, as shown": "·".join,
    "bytes as Latin-1": lambda text: text.encode().decode("latin-1"),
}


def undone(text):
    """Return all that a patient reader makes of a text."""
    read = [text]
    for _ in range(3):
        last = read[-1]
        read.append(html.unescape(last.replace("\\/", "/").replace("\\u002b", "+")))
    return "".join(read)


@pytest.mark.parametrize("secret", [KEY, PHRASE, FOREIGN, SHORT, WRAPPED])
@pytest.mark.parametrize("spelling", sorted(SPELLINGS))
def test_a_secret_is_hidden_in_every_spelling(spelling, secret):
    spelled = SPELLINGS[spelling](secret)
    scrubber = Scrubber([Secret(secret), Secret("another-0815")])
    for before, after in (
        ("", ""),
        ("no such key: ", " (asked by you)"),
        ("<", ">"),
        ('{"a":"', '"'),
    ):
        shown = scrubber.text(f"{before}{spelled}{after}")
        left = shown.removeprefix(before).removesuffix(after)
        # Of base64, the letters may stay that hold another's bits; of others, quotes and escapes.
        assert HIDDEN in left
        assert len(left.replace(HIDDEN, "")) <= 16 + len("clerks:")
        assert not pieces(secret, 6) & pieces(undone(left), 6)
    assert scrubber.holds(spelled)


def pieces(text, length):
    text = text.lower()
    return {text[at : at + length] for at in range(len(text) - length + 1)}


def test_what_a_webhook_secret_says_in_base64_is_one_too():
    assert Scrubber([Secret(WRAPPED)]).text("said in base64, and read by all") == HIDDEN


@pytest.mark.parametrize("secret", [KEY, PHRASE, "sk_live_0123456789abcdef", "0123456789abcdef"])
def test_a_shortened_secret_is_hidden_and_what_is_left_of_it_harmless(secret):
    scrubber = Scrubber([Secret(secret)])
    for shown in (
        secret[:-3] + "...",
        "..." + secret[3:],
        secret[2:-2],
        secret[: len(secret) * 2 // 3],
    ):
        assert scrubber.text(shown).strip(".") == HIDDEN
    assert scrubber.text(f"...{secret[-4:]}") == f"...{secret[-4:]}"
    broken = f"{secret[:10]}-{secret[10:]}"
    assert len(scrubber.text(broken).replace(HIDDEN, "")) < 8 or secret == PHRASE


def test_words_that_secrets_are_made_of_stay_and_whole_secrets_do_not():
    scrubber = Scrubber(
        [Secret("sandbox-helpdesk-key"), Secret("tickets-8f3a"), Secret("postgres-on-desk")]
    )
    usual = "helpdesk: tickets of sandbox, postgresql://desk.example/bridge&x=1 100% \\d &c"
    assert scrubber.text(usual) == usual
    assert not scrubber.holds(usual)
    assert scrubber.text("sandbox-helpdesk-key tickets-8f3a") == f"{HIDDEN} {HIDDEN}"


@pytest.mark.parametrize("spelling", ["plain", "JSON, all", "HTML, decimal", "percent, twice"])
def test_no_cut_leaves_a_piece_of_a_secret_in_any_spelling(spelling):
    for secret in (KEY, PHRASE, SHORT):
        spelled = SPELLINGS[spelling](secret)
        scrubber = Scrubber([Secret(secret)])
        for shift in range(len(spelled) + 1):
            text = "." * (2 * 300 + 192 - shift) + spelled + "." * 900
            assert set(scrubber.beginning(text, 2 * 300)) <= {".", HIDDEN[0]}
        # Secrets make the text shorter, and so bring what stands at the cut into what is shown.
        for shift in range(0, len(spelled), 9):
            text = "." * shift + spelled * 200
            assert set(scrubber.beginning(text, 300)) <= {".", HIDDEN[0]}


def test_secrets_that_overlap_or_touch_are_hidden_in_one():
    scrubber = Scrubber([Secret("abcdefgh1234"), Secret("1234ijklmnop"), Secret("1234")])
    assert scrubber.text("x abcdefgh1234ijklmnop abcdefgh1234,1234ijklmnop") == (
        f"x {HIDDEN} {HIDDEN},{HIDDEN}"
    )
