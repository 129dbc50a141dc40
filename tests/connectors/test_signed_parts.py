"""Other vendors' signatures, as configuration declares them: what is signed, and where it is."""

import contextlib
import hashlib
import hmac
import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest

from bridge.connectors import signing
from bridge.core.model.syncs import Secret, Webhook
from bridge.errors import BadSignature, Expired

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
BODY = b'{"event": "ticket.updated"}'
KEY = "a secret of some length"


def webhook(scheme="hmac-sha256", **fields):
    return Webhook(scheme, (Secret(KEY),), **fields)


def code(material, digest=hashlib.sha256):
    return hmac.digest(KEY.encode(), material, digest)


STRIPE = webhook(header="Stripe-Signature", signature="t={timestamp},v1={signature}")
SLACK = webhook(
    header="X-Slack-Signature",
    signature="v0={signature}",
    timestamp_header="X-Slack-Request-Timestamp",
    signed="v0:{timestamp}:{body}",
)
INTERCOM = webhook("hmac-sha1", header="X-Hub-Signature", signature="sha1={signature}")
ZENDESK = webhook(
    header="X-Zendesk-Webhook-Signature",
    timestamp_header="X-Zendesk-Webhook-Signature-Timestamp",
    signed="{timestamp}{body}",
)
PADDLE = webhook(
    header="Paddle-Signature",
    signature="ts={timestamp};h1={signature}",
    signed="{timestamp}:{body}",
)
SHOPIFY = webhook(header="X-Shopify-Hmac-Sha256")
WITH_ID = webhook(header="X-Sig", delivery="X-Id", signed="{id}|{body}")
VENDORS = {
    "t=, v1= in one header": (
        STRIPE,
        {"stripe-signature": f"t={STAMP},v1={code(f'{STAMP}.'.encode() + BODY).hex()}"},
    ),
    "several signatures, others unknown": (
        STRIPE,
        {
            "stripe-signature": f"t={STAMP}, v1={'0' * 64}, v0=x, "
            f"v1={code(f'{STAMP}.'.encode() + BODY).hex()}"
        },
    ),
    "between semicolons": (
        PADDLE,
        {"paddle-signature": f"ts={STAMP};h1={code(f'{STAMP}:'.encode() + BODY).hex()}"},
    ),
    "text around": (
        SLACK,
        {
            "x-slack-signature": f"v0={code(f'v0:{STAMP}:'.encode() + BODY).hex()}",
            "x-slack-request-timestamp": STAMP,
        },
    ),
    "SHA-1": (INTERCOM, {"x-hub-signature": f"sha1={code(BODY, hashlib.sha1).hex()}"}),
    "nothing between": (
        ZENDESK,
        {
            "x-zendesk-webhook-signature": b64encode(code(STAMP.encode() + BODY)).decode(),
            "x-zendesk-webhook-signature-timestamp": STAMP,
        },
    ),
    "base64": (SHOPIFY, {"x-shopify-hmac-sha256": b64encode(code(BODY)).decode()}),
    "SHA-512": (
        webhook("hmac-sha512", header="X-Sig"),
        {"x-sig": code(BODY, hashlib.sha512).hex()},
    ),
    "with the id": (WITH_ID, {"x-sig": code(b"d7|" + BODY).hex(), "x-id": "d7"}),
}


@pytest.mark.parametrize(("how", "headers"), VENDORS.values(), ids=VENDORS.keys())
def test_a_vendors_way_to_sign_can_be_declared(how, headers):
    assert signing.webhook_problems(how) == []
    signing.verify(how, headers, BODY, NOW)
    with pytest.raises(BadSignature):
        signing.verify(how, headers, BODY + b" ", NOW)
    signing.verify(how, signing.sign(how, BODY, NOW, "d1"), BODY, NOW)


@pytest.mark.parametrize("how", [STRIPE, SLACK, ZENDESK])
def test_its_signed_time_is_checked_and_cannot_be_left_out(how):
    headers = signing.sign(how, BODY, NOW - timedelta(minutes=6), "d1")
    assert signing.signs_time(how)
    with pytest.raises(Expired):
        signing.verify(how, headers, BODY, NOW)
    bare = {name: value.replace("t=", "u=") for name, value in headers.items()}
    bare.pop(how.timestamp_header.lower(), None)
    with pytest.raises(BadSignature):
        signing.verify(how, bare, BODY, NOW)


@pytest.mark.parametrize(
    "time", ["2026-11-22T12:00:00Z", "2026-11-22T13:00:00+01:00", STAMP + ".250", STAMP + "000"]
)
def test_a_headers_time_is_taken_in_each_form_of_a_bodys_time(time):
    headers = {
        "x-zendesk-webhook-signature": code(time.encode() + BODY).hex(),
        "x-zendesk-webhook-signature-timestamp": time,
    }
    signing.verify(ZENDESK, headers, BODY, NOW + timedelta(minutes=4))
    with pytest.raises(Expired, match="allowed 300 s"):
        signing.verify(ZENDESK, headers, BODY, NOW + timedelta(minutes=6))


@pytest.mark.parametrize("time", ["soon", "1e9", "-1", STAMP + ".", "\u0661" * 10, "9" * 16, "NaN"])
def test_what_is_no_time_in_a_header_has_expired(time):
    headers = {
        "x-zendesk-webhook-signature": code(time.encode("latin-1", "replace") + BODY).hex(),
        "x-zendesk-webhook-signature-timestamp": time,
    }
    with pytest.raises(Expired, match="neither a number of seconds"):
        signing.verify(ZENDESK, headers, BODY, NOW)


@pytest.mark.parametrize(("others", "taken"), [(7, True), (8, False)])
def test_so_many_signatures_of_a_header_are_tried(others, taken):
    good = code(f"{STAMP}.".encode() + BODY).hex()
    signatures = ["ab" * 32] * others + [good]
    given = {"stripe-signature": ",".join([f"t={STAMP}", *(f"v1={each}" for each in signatures)])}
    with contextlib.nullcontext() if taken else pytest.raises(BadSignature):
        signing.verify(STRIPE, given, BODY, NOW)


def test_a_secret_that_is_empty_while_it_is_rotated_is_no_problem():
    how = Webhook("hmac-sha256", (Secret(""), Secret(KEY)), timestamp_path="at")
    assert signing.webhook_problems(how) == []


def test_a_signed_id_is_known_as_one():
    assert signing.signed_id(WITH_ID, {"x-id": "d7"}) == "d7"
    assert signing.signed_id(webhook(delivery="X-Id"), {"x-id": "d7"}) == ""


def test_sha1_is_not_taken_for_another_scheme():
    how = webhook(header="X-Hub-Signature")
    with pytest.raises(BadSignature):
        signing.verify(how, {"x-hub-signature": code(BODY, hashlib.sha1).hex()}, BODY, NOW)


def test_the_older_names_of_the_standard_headers_are_taken_all_together_or_not_at_all():
    how = Webhook("standard-webhooks", (Secret(b64encode(b"k" * 32).decode()),))
    signed = signing.sign(how, BODY, NOW, "d1")
    older = {name.replace("webhook-", "svix-"): value for name, value in signed.items()}
    signing.verify(how, older, BODY, NOW)
    assert signing.signed_id(how, older) == "d1"
    with pytest.raises(BadSignature):
        signing.verify(how, older | {"webhook-signature": "v1,x"}, BODY, NOW)
    # An id beside the signed one is nobody's word.
    assert signing.signed_id(how, older | {"webhook-id": "forged"}) == "d1"


@pytest.mark.parametrize(
    "time",
    [STAMP, int(STAMP), float(STAMP), STAMP + "000", NOW.isoformat(), "2026-11-22T12:00:00Z"],
)
def test_a_bodys_own_time_is_checked_where_it_is_declared(time):
    how = webhook(timestamp_path="data.at")
    body = json.dumps({"data": {"at": time}}).encode()
    signing.verify(how, signing.sign(how, body, NOW, ""), body, NOW + timedelta(minutes=5))
    with pytest.raises(Expired):
        signing.verify(how, signing.sign(how, body, NOW, ""), body, NOW + timedelta(minutes=6))


def test_a_bodys_own_time_and_that_of_a_header_are_both_checked():
    how = webhook(timestamp_path="at", timestamp_header="X-Time")
    body = json.dumps({"at": STAMP}).encode()
    headers = signing.sign(how, body, NOW, "")
    signing.verify(how, headers, body, NOW)
    late = signing.sign(how, body, NOW + timedelta(minutes=9), "")
    for given, now in ((headers, NOW + timedelta(minutes=6)), (late, NOW)):
        with pytest.raises(Expired):
            signing.verify(how, given, body, now)


@pytest.mark.parametrize(
    "body", [b"{}", b'{"data":{"at":null}}', b'{"data":{"at":true}}', b'{"data":1}', b"no", b"[]"]
)
def test_a_body_without_its_time_has_expired(body):
    how = webhook(timestamp_path="data.at")
    with pytest.raises(Expired, match=r"no time at 'data\.at'"):
        signing.verify(how, signing.sign(how, body, NOW, ""), body, NOW)


@pytest.mark.parametrize(
    ("how", "problem"),
    [
        (webhook(signed="{timestamp}"), "must hold {body} once"),
        (webhook(signed="{body}{body}"), "must hold {body} once"),
        (webhook(signed="{body}{secret}"), "unknown placeholder"),
        (webhook(signed="{body"), "brace"),
        (webhook(signed="{body!r}"), "a placeholder is a name alone"),
        (webhook(signed="{timestamp}.{body}"), "give timestamp_header"),
        (webhook(signed="{body}", timestamp_header="X-Time"), "the time is not signed"),
        (webhook(signed="{id}{body}"), "give its header as delivery"),
        (webhook(signature="t={timestamp}"), "must hold {signature} once"),
        (webhook(signature="{signature},{timestamp}"), "must name its parts differently"),
        (webhook(signature="t={timestamp}{signature}"), "cannot be read back"),
        (webhook(signature="{{{signature}}}"), "cannot be read back"),
        (webhook(signature="v0:{signature}"), "cannot be read back"),
        (webhook(signature="v1={signature}|"), "cannot be read back"),
        (webhook(header="X-S", timestamp_header="X-s"), "must name different headers"),
        (webhook(header="X-S", delivery="X-s", signed="{id}{body}"), "must name different headers"),
        (Webhook("static-header", (Secret(KEY),), signed="{body}"), "means nothing"),
        (Webhook("static-header", (Secret(KEY),), timestamp_path="at"), "signs no body"),
    ],
)
def test_what_cannot_work_is_said_beforehand(how, problem):
    assert any(problem in what for what in signing.webhook_problems(how)), signing.webhook_problems(
        how
    )
