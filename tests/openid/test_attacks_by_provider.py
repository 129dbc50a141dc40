"""Whoever tries to come in by the provider without being let in there."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from urllib.parse import urlencode

import pytest

from bridge.openid import id_tokens
from bridge.operations import sign_in
from bridge.operations.openid_sign_in import ATTEMPT_LASTS
from tests.openid.conftest import asked_for, code_of, nobody_is_in
from tests.openid.id_provider import CLIENT, key_of, public, signed
from tests.web.pages.conftest import Elements


def changed(address, **changes):
    where, _, _ = address.partition("?")
    given = asked_for(address) | changes
    return f"{where}?{urlencode({name: value for name, value in given.items() if value})}"


# The way back.


def test_a_state_that_this_browser_did_not_begin_is_refused_and_nobody_is_asked(site):
    browser = site.nobody()
    back = site.there(site.begin(browser))
    asked = list(site.provider.asked)
    for state in ("", "made-up", "ü", "x" * 5000):
        nobody_is_in(site, site.back(browser, changed(back, state=state)), "BRG-OPENID-STATE")
    nobody_is_in(site, site.back(site.nobody(), back), "BRG-OPENID-STATE", status=400)
    assert site.provider.asked == asked


def test_a_victim_cannot_be_signed_in_as_the_attacker(site):
    attacker, victim = site.nobody(), site.nobody()
    back = site.there(site.begin(attacker))
    site.begin(victim)
    nobody_is_in(site, site.back(victim, back), "BRG-OPENID-STATE")


def test_what_came_back_once_is_good_for_nothing(site):
    browser, thief = site.nobody(), site.nobody()
    back = site.there(site.begin(browser))
    before = browser.get_cookie("bridge").value
    assert site.back(browser, back).status_code == 303
    assert code_of(site.back(browser, back)) == "BRG-OPENID-STATE"
    thief.set_cookie("bridge", before)
    assert code_of(site.back(thief, back)) == "BRG-OPENID-STATE"
    assert thief.get("/").status_code == 303


def test_not_even_where_the_provider_takes_a_code_twice(on_both):
    site = on_both
    site.provider.codes_last = True
    browser, thief = site.nobody(), site.nobody()
    back = site.there(site.begin(browser))
    thief.set_cookie("bridge", browser.get_cookie("bridge").value)
    assert site.back(browser, back).status_code == 303
    answer = site.back(thief, back)
    assert code_of(answer) == "BRG-OPENID-STATE"
    assert "this sign-in is done already" in Elements(answer.text).text
    assert thief.get("/").status_code == 303


def test_who_is_away_for_long_begins_anew(site):
    browser = site.nobody()
    back = site.there(site.begin(browser))
    site.clock.advance(ATTEMPT_LASTS.total_seconds())
    nobody_is_in(site, site.back(browser, back), "BRG-OPENID-STATE")


@pytest.mark.parametrize("code", ["", "x" * 5000, "made-up", "<script>"])
def test_a_code_that_is_none_is_refused_and_counts(site, code):
    browser = site.nobody()
    back = site.there(site.begin(browser))
    nobody_is_in(site, site.back(browser, changed(back, code=code)), "BRG-OPENID-STATE")


def test_the_code_of_somebody_else_is_none_without_what_this_browser_began_with(site):
    attacker, victim = site.nobody(), site.nobody()
    code = asked_for(site.there(site.begin(victim)))["code"]
    back = site.there(site.begin(attacker))
    nobody_is_in(site, site.back(attacker, changed(back, code=code)), "BRG-OPENID-STATE")


def test_whoever_tries_codes_has_to_wait_and_keeps_nobody_from_a_password(site):
    browser = site.nobody()
    for _ in range(sign_in.FREE["provider"]):
        back = changed(site.there(site.begin(browser)), code="made-up")
        assert code_of(site.back(browser, back)) == "BRG-OPENID-STATE"
    back = site.there(site.begin(browser))
    answer = site.back(browser, back)
    assert (answer.status_code, code_of(answer)) == (429, "BRG-PAGE-WAIT")
    assert answer.headers["Retry-After"] == "2"
    with site.desk.ledger.read() as tx:
        from bridge.ledger import sign_ins

        assert sign_ins.failures(tx, ["address 127.0.0.1"]) == {}


def test_an_answer_of_another_provider_is_refused(site):
    browser = site.nobody()
    back = site.there(site.begin(browser))
    mixed = changed(back, iss="https://another.example")
    nobody_is_in(site, site.back(browser, mixed), "BRG-OPENID-STATE")


@pytest.mark.parametrize("named", [True, False])
def test_a_provider_that_names_itself_has_to(site, named):
    site.provider.document["authorization_response_iss_parameter_supported"] = True
    browser = site.nobody()
    back = changed(site.there(site.begin(browser)), iss=site.provider.url if named else "")
    assert site.back(browser, back).status_code == (303 if named else 400)


# The id_token.


def unsigned(claims):
    head = encoded({"alg": "none", "typ": "JWT"})
    return f"{head}.{encoded(claims)}."


def by_the_public_key(claims):
    """An HMAC, whose secret everybody has."""
    head = encoded({"alg": "HS256", "kid": "rsa-1"})
    secret = key_of("RSA").as_pem(private=False)
    text = f"{head}.{encoded(claims)}"
    made = hmac.new(secret, text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(made).decode().rstrip('=')}"


def encoded(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def by_a_key_of_its_own(claims):
    from joserfc import jwk, jwt

    own = jwk.generate_key("RSA", 2048)
    head = {"alg": "RS256", "jwk": own.as_dict(private=False)}
    return jwt.encode(head, claims, own, registry=id_tokens._Registry(strict_check_header=False))


def tampered(claims):
    head, _, signature = signed(claims).split(".")
    return f"{head}.{encoded(claims | {'groups': ['owners']})}.{signature}"


def with_a_head_that_must_be_understood(claims):
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    head = encoded({"alg": "RS256", "kid": "rsa-1", "crit": ["new"], "new": 1})
    text = f"{head}.{encoded(claims)}"
    made = key_of("RSA").get_op_key("sign").sign(text.encode(), PKCS1v15(), SHA256())
    return f"{text}.{base64.urlsafe_b64encode(made).decode().rstrip('=')}"


def of_the_other_kind(claims):
    return signed(claims, "RSA", kid="ec-1")


@pytest.mark.parametrize(
    "forge",
    [
        unsigned,
        by_the_public_key,
        by_a_key_of_its_own,
        tampered,
        of_the_other_kind,
        lambda claims: signed(claims, kid="unheard-of"),
        with_a_head_that_must_be_understood,
        lambda claims: f"{signed(claims)}.a.b",
        lambda _claims: signed({}),
        lambda _claims: f"{'e' * 20_000}.e30.e30",
        lambda _claims: "\u00fc.e30.e30",
        lambda _claims: ["a.b.c"],
        lambda _claims: None,
        lambda _claims: f"{encoded({'alg': 'RS256', 'kid': 7})}.e30.e30",
        lambda _claims: f"{encoded([])}.e30.e30",
    ],
)
def test_a_token_that_is_not_signed_by_a_key_of_the_providers_is_not_believed(site, forge):
    site.provider.forge = forge
    nobody_is_in(site, site.sign_in(), "BRG-OPENID-TOKEN", status=401)


@pytest.mark.parametrize(
    "twist",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": 7},
        {"aud": "another"},
        {"aud": None},
        {"aud": "another", "azp": CLIENT},
        {"aud": ["another", "third"]},
        {"aud": [CLIENT, "another"]},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"aud": {"a": CLIENT}},
        {"azp": "another"},
        {"iss": "https://another.example"},
        {"iss": None},
        {"iss": ["http://127.0.0.1"]},
        {"exp": None},
        {"exp": "soon"},
        {"iat": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
        {"sub": "a\nb"},
        {"at_hash": "another"},
        {"at_hash": 7},
    ],
    ids=str,
)
def test_a_token_that_is_made_out_to_somebody_else_is_not_believed(site, twist):
    site.provider.twist = twist
    nobody_is_in(site, site.sign_in(), "BRG-OPENID-TOKEN", status=401)


def test_several_audiences_are_right_where_it_is_made_out_to_the_bridge(site):
    site.provider.twist = {"aud": [CLIENT, "another"], "azp": CLIENT}
    site.signed_in()


@pytest.mark.parametrize(
    ("claim", "off", "fine"),
    [
        ("exp", -id_tokens.LEEWAY, False),
        ("exp", -id_tokens.LEEWAY + 5, True),
        ("iat", id_tokens.LEEWAY + 5, False),
        ("iat", id_tokens.LEEWAY - 5, True),
        ("nbf", id_tokens.LEEWAY + 5, False),
    ],
)
def test_clocks_may_be_a_minute_apart_and_no_more(site, claim, off, fine):
    site.provider.twist = {claim: int(site.provider.now()) + off}
    answer = site.sign_in()
    if fine:
        assert answer.status_code == 303
    else:
        nobody_is_in(site, answer, "BRG-OPENID-CLOCK")


def modulus_of(size):
    return base64.urlsafe_b64encode(b"\xff" * size).decode().rstrip("=")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kty": "oct", "k": "c2VjcmV0"}, 0),
        ({"use": "enc"}, 0),
        ({"alg": "RS512"}, 1),
        ({"alg": "HS256"}, 0),
        ({"n": "AQAB"}, 0),
        ({"n": 7}, 0),
        ({"n": modulus_of(128)}, 0),
        ({"n": modulus_of(1026)}, 0),
        ({"n": modulus_of(256)}, 1),
        ({"n": "A" * 1_000_000}, 0),
        ({"e": "A" * 5000}, 0),
        ({"kid": 7}, 0),
        ({}, 1),
    ],
    ids=lambda value: str(value)[:40],
)
def test_keys_that_may_not_sign_or_are_none_are_left_out(change, said):
    row = public("RSA")["keys"][0] | change
    assert len(id_tokens.read_keys({"keys": [row, "no key", None]})) == said


def test_a_key_that_the_provider_has_renewed_is_asked_for_once_a_minute(site):
    site.provider.keys = public("EC")
    for _ in range(3):
        nobody_is_in(site, site.sign_in(), "BRG-OPENID-TOKEN")
    assert site.provider.asked.count("/keys") == 2
    site.provider.keys = public("RSA")
    site.clock.advance(61)
    site.signed_in()
    assert site.provider.asked.count("/keys") == 3
