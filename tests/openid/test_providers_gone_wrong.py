"""Providers that are down, slow, wrong, or set up in another way than the files say."""

from __future__ import annotations

import threading
import time

import pytest
from flask import Response

from bridge.core.model.outcome_codes import Code
from bridge.http import provider_calls
from bridge.openid import provider_document
from bridge.operations import users
from tests.openid.conftest import asked_for, code_of, nobody_is_in
from tests.openid.id_provider import SECRET

DOCUMENT = "/.well-known/openid-configuration"


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://another.example"},
        {"issuer": None},
    ],
    ids=str,
)
def test_a_document_of_another_issuer_is_refused(site, document):
    site.provider.document = document
    nobody_is_in(site, site.nobody().get("/sign-in/openid"), "BRG-OPENID-SETUP", status=502)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://login.example/token",
        "javascript:alert(1)",
        "https://user:password@login.example/",
        "https://login.example/#a",
        "https://login.example/ a",
        "file:///etc/passwd",
        "https://",
        "https://login.example:99999/",
        "https://login.example/" + "x" * 3000,
        7,
        None,
    ],
)
@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_nobody_is_sent_to_an_address_that_is_none(name, endpoint):
    right = "https://login.example/right"
    names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    body = {"issuer": "https://login.example", **dict.fromkeys(names, right), name: endpoint}
    with pytest.raises(provider_document.OpenIdRefused) as caught:
        provider_document.read(body, "https://login.example")
    assert caught.value.code is Code.OPENID_DOWN


def huge():
    return Response((b"x" * 65536 for _ in range(10_000)), content_type="application/json")


def leads_on():
    return Response(status=302, headers={"Location": "http://127.0.0.1:1/"})


@pytest.mark.parametrize("path", [DOCUMENT, "/keys", "/token"])
@pytest.mark.parametrize(
    "answer",
    [
        huge,
        leads_on,
        lambda: ("[" * 500_000, 200),
        lambda: ("<html>", 200),
        lambda: ("", 200),
        lambda: ("[]", 200),
        lambda: ("{}", 503),
        lambda: ("{}", 429),
    ],
    ids=["huge", "redirect", "deep", "html", "empty", "list", "503", "429"],
)
def test_whatever_the_provider_answers_harms_nobody(site, path, answer):
    site.provider.answers[path] = answer
    browser = site.nobody()
    last = site.sign_in(browser) if path == "/token" else browser.get("/sign-in/openid")
    assert code_of(last) in {"BRG-OPENID-DOWN", "BRG-OPENID-SETUP"}
    assert users.every(site.desk) == []


def test_a_provider_that_never_ends_its_answer_is_left_after_a_while(site, monkeypatch):
    monkeypatch.setattr(provider_calls, "SECONDS", 0.3)
    over = threading.Event()

    def drips():
        while not over.wait(0.05):
            yield b" "

    site.provider.answers[DOCUMENT] = lambda: Response(drips(), content_type="application/json")
    nobody_is_in(site, site.nobody().get("/sign-in/openid"), "BRG-OPENID-DOWN", status=503)
    over.set()


def test_a_provider_that_is_down_is_not_asked_for_each_press_of_the_button(site):
    site.provider.answers[DOCUMENT] = lambda: ("down", 503)
    for _ in range(5):
        nobody_is_in(site, site.nobody().get("/sign-in/openid"), "BRG-OPENID-DOWN")
    assert site.provider.asked.count(DOCUMENT) == 1
    del site.provider.answers[DOCUMENT]
    site.clock.advance(11)
    site.signed_in()
    assert site.provider.asked.count(DOCUMENT) == 2
    site.signed_in()
    assert site.provider.asked.count(DOCUMENT) == 2
    site.clock.advance(3601)
    site.signed_in()
    assert site.provider.asked.count(DOCUMENT) == 3


def test_a_wrong_secret_is_said_and_shown_to_nobody(site, caplog):
    site.provider.client.secret = "another"
    answer = site.sign_in()
    nobody_is_in(site, answer, "BRG-OPENID-SETUP", status=502)
    assert SECRET not in answer.text
    assert SECRET not in caplog.text
    assert "client_secret" in caplog.text


def test_no_code_token_or_state_comes_into_a_log(site, caplog):
    caplog.set_level("DEBUG", logger="bridge")
    browser = site.nobody()
    back = site.there(site.begin(browser))
    site.back(browser, back)
    site.provider.twist = {"nonce": "another"}
    site.sign_in()
    told = repr([line.__dict__ for line in caplog.records if line.name.startswith("bridge")])
    for secret in (*asked_for(back).values(), SECRET):
        assert secret not in told
    assert "BRG-OPENID-TOKEN" in told


def test_another_redirect_uri_than_the_registered_one_is_refused_there(signing):
    site = signing()
    site.provider.client.redirect_uris = ["http://localhost/another"]
    address = site.begin(site.nobody())
    with pytest.raises(
        AssertionError, match="Redirect URI http://localhost/sign-in/openid/back is not"
    ):
        site.there(address)


def test_of_many_who_press_the_button_at_once_one_asks(site):
    begun, go_on = threading.Barrier(4), threading.Event()

    def slow():
        go_on.wait(20)

    site.provider.answers[DOCUMENT] = slow
    found = []

    def press():
        begun.wait()
        found.append(site.nobody().get("/sign-in/openid").status_code)

    threads = [threading.Thread(target=press) for _ in range(3)]
    for thread in threads:
        thread.start()
    begun.wait()
    while site.provider.asked.count(DOCUMENT) == 0:
        time.sleep(0.01)
    go_on.set()
    for thread in threads:
        thread.join()
    assert set(found) <= {303, 503}
    assert 303 in found
    assert site.provider.asked.count(DOCUMENT) == 1
