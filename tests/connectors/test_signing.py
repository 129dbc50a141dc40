import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest

from bridge.connectors import signing
from bridge.core.model.syncs import Secret, Webhook
from bridge.errors import BadSignature, Expired

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BODY = b'{"event": "ticket.updated", "data": {"id": "tkt_1"}}'
KEY = base64.b64encode(b"k" * 32).decode()
OTHER = base64.b64encode(b"o" * 32).decode()


def webhook(scheme="hmac-sha256", *secrets, **fields):
    return Webhook(scheme, tuple(Secret(secret) for secret in secrets or (KEY,)), **fields)


SCHEMES = [
    pytest.param(webhook("standard-webhooks"), id="standard"),
    pytest.param(webhook("standard-webhooks", f"whsec_{KEY}"), id="standard-prefixed"),
    pytest.param(webhook("hmac-sha256"), id="hmac"),
    pytest.param(
        webhook("hmac-sha256", header="X-Other", timestamp_header="X-Time"), id="hmac-timed"
    ),
    pytest.param(webhook("static-header"), id="static"),
    pytest.param(webhook("static-header", header="Authorization"), id="static-authorization"),
]
BODY_SIGNED = [param for param in SCHEMES if "static" not in param.id]
TIME_SIGNED = [
    param for param in SCHEMES if param.id in {"standard", "standard-prefixed", "hmac-timed"}
]


def test_the_published_vector_of_standard_webhooks():
    at = datetime.fromtimestamp(1614265330, UTC)
    how = webhook("standard-webhooks", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    assert signing.sign(how, body, at, "msg_p5jXN8AQM9LWM0D4loKWxJek") == headers
    signing.verify(how, headers, body, at)


@pytest.mark.parametrize("how", SCHEMES)
def test_what_is_signed_verifies(how):
    signing.verify(how, signing.sign(how, BODY, NOW, "d1"), BODY, NOW)


@pytest.mark.parametrize("how", BODY_SIGNED)
@pytest.mark.parametrize("other", [BODY + b" ", BODY[:-1], b"", BODY.replace(b"1", b"2")])
def test_another_body_does_not(how, other):
    with pytest.raises(BadSignature):
        signing.verify(how, signing.sign(how, BODY, NOW, "d1"), other, NOW)


@pytest.mark.parametrize("how", SCHEMES)
def test_another_secret_does_not(how):
    import dataclasses

    theirs = dataclasses.replace(how, secrets=(Secret(OTHER),))
    with pytest.raises(BadSignature):
        signing.verify(how, signing.sign(theirs, BODY, NOW, "d1"), BODY, NOW)


@pytest.mark.parametrize("how", SCHEMES)
def test_any_live_secret_does(how):
    import dataclasses

    rotating = dataclasses.replace(how, secrets=(Secret(OTHER), *how.secrets))
    signing.verify(rotating, signing.sign(how, BODY, NOW, "d1"), BODY, NOW)


@pytest.mark.parametrize("how", SCHEMES)
def test_a_missing_or_empty_header_does_not(how):
    signed = signing.sign(how, BODY, NOW, "d1")
    for name in signed:
        for broken in (
            {key: value for key, value in signed.items() if key != name},
            signed | {name: ""},
        ):
            with pytest.raises(BadSignature):
                signing.verify(how, broken, BODY, NOW)


@pytest.mark.parametrize("how", SCHEMES)
def test_an_empty_secret_opens_nothing(how):
    import dataclasses

    empty = dataclasses.replace(how, secrets=(Secret(""),))
    with pytest.raises(BadSignature):
        signing.verify(empty, signing.sign(empty, BODY, NOW, "d1"), BODY, NOW)


@pytest.mark.parametrize("how", TIME_SIGNED)
@pytest.mark.parametrize("minutes", [-6, 6])
def test_an_old_or_future_signature_has_expired(how, minutes):
    headers = signing.sign(how, BODY, NOW + timedelta(minutes=minutes), "d1")
    with pytest.raises(Expired):
        signing.verify(how, headers, BODY, NOW)


@pytest.mark.parametrize("how", TIME_SIGNED)
@pytest.mark.parametrize("minutes", [-5, 0, 5])
def test_within_the_tolerance_it_has_not(how, minutes):
    signing.verify(how, signing.sign(how, BODY, NOW + timedelta(minutes=minutes), "d1"), BODY, NOW)


@pytest.mark.parametrize("how", TIME_SIGNED)
def test_the_signed_time_cannot_be_changed(how):
    old = signing.sign(how, BODY, NOW - timedelta(hours=1), "d1")
    new = signing.sign(how, BODY, NOW, "d1")
    stamp = next(name for name in old if name in {"webhook-timestamp", "x-time"})
    with pytest.raises(BadSignature):
        signing.verify(how, old | {stamp: new[stamp]}, BODY, NOW)


@pytest.mark.parametrize(
    "stamp", ["1e9", "-5", "²", "9" * 400, "NaN", "0x10", "12:00", " ", "1614265330.5"]
)
def test_a_signed_time_that_is_no_number_has_expired(stamp):
    how = webhook(timestamp_header="X-Time")
    code = hmac.digest(
        KEY.encode(), stamp.strip().encode("latin-1") + b"." + BODY, hashlib.sha256
    ).hex()
    with pytest.raises((Expired, BadSignature)):
        signing.verify(how, {"x-webhook-signature": code, "x-time": stamp}, BODY, NOW)


def test_milliseconds_are_understood():
    how = webhook(timestamp_header="X-Time")
    stamp = str(int(NOW.timestamp() * 1000))
    code = hmac.digest(KEY.encode(), stamp.encode() + b"." + BODY, hashlib.sha256).hex()
    signing.verify(how, {"x-webhook-signature": code, "x-time": stamp}, BODY, NOW)


@pytest.mark.parametrize(
    "form", ["{hex}", "sha256={hex}", "{upper}", "{base64}", "sha256={base64}", " {hex} "]
)
def test_the_usual_ways_of_writing_an_hmac(form):
    code = hmac.digest(KEY.encode(), BODY, hashlib.sha256)
    given = form.format(
        hex=code.hex(), upper=code.hex().upper(), base64=base64.b64encode(code).decode()
    )
    signing.verify(webhook(), {"x-webhook-signature": given}, BODY, NOW)


@pytest.mark.parametrize(
    "given", ["sha256=", "sha1=abc", "zz", "é", "\xff\xfe", "v1,", "=" * 5000, "ab" * 33]
)
@pytest.mark.parametrize("scheme", ["standard-webhooks", "hmac-sha256", "static-header"])
def test_garbage_is_a_bad_signature_and_nothing_worse(scheme, given):
    how = webhook(scheme)
    headers = signing.sign(how, BODY, NOW, "d1") | {signing.header_of(how): given}
    with pytest.raises(BadSignature):
        signing.verify(how, headers, BODY, NOW)


def test_one_of_several_signatures_is_enough_and_other_versions_are_skipped():
    how = webhook("standard-webhooks")
    signed = signing.sign(how, BODY, NOW, "d1")
    good = signed["webhook-signature"]
    signing.verify(how, signed | {"webhook-signature": f"v1a,AAAA v1,AAAA {good}"}, BODY, NOW)
    with pytest.raises(BadSignature):
        signing.verify(how, signed | {"webhook-signature": good.replace("v1,", "v2,")}, BODY, NOW)


def test_a_delivery_id_that_was_not_signed_is_not_believed():
    assert signing.signed_id(webhook("standard-webhooks"), {"webhook-id": "d1"}) == "d1"
    assert signing.signed_id(webhook(), {"webhook-id": "d1"}) == ""


def test_a_bearer_token_is_a_static_header():
    how = webhook("static-header", header="Authorization")
    signing.verify(how, {"authorization": f"Bearer {KEY}"}, BODY, NOW)


def test_no_error_shows_a_secret_or_the_right_signature():
    for param in SCHEMES:
        how = param.values[0]
        signed = signing.sign(how, BODY, NOW, "d1")
        with pytest.raises(BadSignature) as raised:
            signing.verify(how, signed | {signing.header_of(how): "AAAA"}, BODY, NOW)
        assert KEY not in str(raised.value)
        assert signed[signing.header_of(how)] not in str(raised.value)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (Webhook("hmac-sha256", ()), "no secret"),
        (webhook("hmac-sha256", ""), "no secret"),
        (webhook("standard-webhooks", "not base64!"), "whsec_…"),
        (webhook("standard-webhooks", base64.b64encode(b"short").decode()), "5 bytes"),
        (webhook("static-header", timestamp_header="X-Time"), "timestamp_header"),
    ],
)
def test_settings_that_cannot_work_are_named(how, said):
    assert said in " ".join(signing.webhook_problems(how))


@pytest.mark.parametrize("how", SCHEMES)
def test_settings_that_work_are_not(how):
    assert signing.webhook_problems(how) == []
