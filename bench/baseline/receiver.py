"""The receiver: checks a webhook's signature and queues a job for the ticket that it names."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue
from redis import Redis
from rq import Queue, Retry

QUEUE = "mirror"
JOB = "bench.baseline.mirror.mirror"
LIMIT = 1_000_000
TRIES = Retry(max=5, interval=[1, 5, 30, 120, 600])


def create_app(environ: Mapping[str, str]) -> Flask:
    """Give the application; it needs MIRROR_REDIS and MIRROR_SECRET."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = LIMIT
    queue = Queue(QUEUE, connection=Redis.from_url(environ["MIRROR_REDIS"]))
    secret = environ["MIRROR_SECRET"]

    @app.post("/webhooks/tickets")
    def receive() -> ResponseReturnValue:
        raw = request.get_data()
        if not hmac.compare_digest(
            request.headers.get("X-Webhook-Signature", "").encode(), sign(secret, raw).encode()
        ):
            return jsonify(error="bad signature"), 401
        body = request.get_json(silent=True)
        name = body.get("id") if isinstance(body, dict) else None
        if not isinstance(name, str):
            return jsonify(error="no ticket is named"), 400
        job = queue.enqueue(JOB, name, retry=TRIES, result_ttl=0)
        return jsonify(job=job.id), 202

    return app


def sign(secret: str, body: bytes) -> str:
    """Give the signature that a body must come with."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
