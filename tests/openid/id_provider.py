"""A provider of identities for tests: Authlib's server side behind a real socket, with real keys.

What it says can be twisted: each attribute that a test sets is a provider that is wrong in one way.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Self

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin, OAuth2Error, grants
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core.grants import OpenIDCode
from authlib.oidc.core.grants.util import create_half_hash
from flask import Flask, Response, jsonify, redirect, request
from joserfc import jwk, jwt
from werkzeug.serving import make_server

from bridge.core.model.roles import Role
from bridge.core.model.sign_in_provider import OpenIdSettings
from bridge.core.model.syncs import Secret

CLIENT, SECRET = "the-bridge", "s3cret/of+the:bridge"
ROLES = {"leads": Role.OPERATOR, "owners": Role.ADMIN, "staff": Role.VIEWER}
ANA = {"sub": "subject-of-ana", "preferred_username": "ana", "groups": ["leads", "others"]}
LOGIN = """<!doctype html><html lang="en"><title>Provider</title><h1>Who are you?</h1>
<form method="post"><button name="answer" value="yes">I am {name}</button>
<button name="answer" value="no">Cancel</button></form></html>"""


@cache
def key_of(kind: str) -> Any:
    if kind == "RSA":
        return jwk.generate_key("RSA", 2048, {"kid": "rsa-1", "use": "sig"})
    return jwk.generate_key("EC", "P-256", {"kid": "ec-1", "use": "sig"})


@dataclass
class Client(ClientMixin):
    """The bridge, as it is registered."""

    redirect_uris: list[str]
    methods: tuple[str, ...] = ("client_secret_basic",)
    secret: str = SECRET

    def get_client_id(self):
        return CLIENT

    def get_default_redirect_uri(self):
        return self.redirect_uris[0]

    def get_allowed_scope(self, scope):
        return scope

    def check_redirect_uri(self, redirect_uri):
        return redirect_uri in self.redirect_uris

    def check_client_secret(self, client_secret):
        return client_secret == self.secret

    def check_endpoint_auth_method(self, method, endpoint):  # noqa: ARG002 - Authlib's signature
        return method in self.methods

    def check_response_type(self, response_type):
        return response_type == "code"

    def check_grant_type(self, grant_type):
        return grant_type == "authorization_code"


@dataclass
class Person:
    claims: dict[str, Any]

    def get_user_id(self):
        return self.claims["sub"]


@dataclass
class Code(AuthorizationCodeMixin):
    code: str
    redirect_uri: str
    scope: str
    nonce: str
    code_challenge: str
    code_challenge_method: str
    person: Person

    def get_redirect_uri(self):
        return self.redirect_uri

    def get_scope(self):
        return self.scope

    def get_nonce(self):
        return self.nonce

    def get_auth_time(self):
        return None

    def get_acr(self):
        return None

    def get_amr(self):
        return None


@dataclass
class IdProvider:
    """`with IdProvider() as provider:` one that answers on a port of its own."""

    claims: dict[str, Any] = field(default_factory=lambda: dict(ANA))
    """Of whoever signs in."""
    twist: dict[str, Any] = field(default_factory=dict)
    """Claims that the id_token has in place of the right ones; None: left out."""
    forge: Any = None
    """Makes the id_token of its right claims, in place of a signature by the right key."""
    kind: str = "RSA"
    document: dict[str, Any] = field(default_factory=dict)
    """What the document has in place of what is right."""
    keys: Any = None
    """What is published in place of the right keys."""
    answers: dict[str, Any] = field(default_factory=dict)
    """By path: what makes the answer in place of the right one."""
    asks: bool = False
    """It asks people in a form who they are, as a browser shows it."""
    codes_last: bool = False
    """A code is taken as often as somebody comes with it."""
    userinfo: dict[str, Any] | None = None
    now: Any = time.time
    asked: list[str] = field(default_factory=list)
    """The paths that were asked for."""

    def __enter__(self) -> Self:
        os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
        self.client = Client([])
        self.codes: dict[str, Code] = {}
        self.server = make_server("127.0.0.1", 0, _app_of(self), threaded=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        del os.environ["AUTHLIB_INSECURE_TRANSPORT"]
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def settings(self, pages: str, **changes: Any) -> OpenIdSettings:
        """Return what the bridge's files say of it; the bridge is registered here by that."""
        given = {
            "issuer": self.url,
            "client_id": CLIENT,
            "client_secret": Secret(SECRET),
            "pages": pages,
            "label": "Sign in with Example",
            "scopes": ("openid", "profile"),
            "groups_claim": "groups",
            "roles": ROLES,
            "default_role": None,
        }
        made = OpenIdSettings(**(given | changes))
        self.client.redirect_uris.append(made.redirect_uri)
        return made

    def id_token(self, code: Code, access_token: str) -> str:
        now = int(self.now())
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": code.nonce,
            "at_hash": create_half_hash(access_token, "RS256").decode(),
            **code.person.claims,
            **self.twist,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.forge is not None:
            return self.forge(claims)
        return signed(claims, self.kind)


def signed(claims, kind="RSA", **header):
    from bridge.openid.id_tokens import _Registry

    key = key_of(kind)
    head = {"alg": {"RSA": "RS256", "EC": "ES256"}[kind], "kid": key.kid} | header
    head = {name: value for name, value in head.items() if value is not None}
    registry = _Registry(algorithms=[head["alg"]], strict_check_header=False)
    return jwt.encode(head, claims, key, registry=registry)


def public(*kinds):
    return {"keys": [key_of(kind).as_dict(private=False) for kind in kinds]}


def _server_of(provider: IdProvider, app: Flask) -> AuthorizationServer:
    server = AuthorizationServer(app, lambda name: provider.client if name == CLIENT else None)
    server._save_token = lambda _token, _request: None

    class CodeGrant(grants.AuthorizationCodeGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")

        def save_authorization_code(self, code, request):
            asked = request.payload.data
            provider.codes[code] = Code(
                code,
                asked["redirect_uri"],
                asked["scope"],
                asked["nonce"],
                asked["code_challenge"],
                asked["code_challenge_method"],
                request.user,
            )

        def query_authorization_code(self, code, client):  # noqa: ARG002
            return provider.codes.get(code)

        def delete_authorization_code(self, authorization_code):
            if not provider.codes_last:
                del provider.codes[authorization_code.code]

        def authenticate_user(self, authorization_code):
            return authorization_code.person

    class IdToken(OpenIDCode):
        def exists_nonce(self, nonce, request):  # noqa: ARG002
            return any(code.nonce == nonce for code in provider.codes.values())

        def encode_id_token(self, token, request):
            return provider.id_token(request.authorization_code, token["access_token"])

    server.register_grant(CodeGrant, [CodeChallenge(required=True), IdToken(require_nonce=True)])
    return server


def _app_of(provider: IdProvider) -> Flask:
    app = Flask(__name__)
    server = _server_of(provider, app)
    app.add_url_rule("/favicon.ico", "icon", lambda: ("", 204))

    @app.before_request
    def twisted():
        provider.asked.append(request.path)
        made = provider.answers.get(request.path)
        return made() if callable(made) else made

    @app.get("/.well-known/openid-configuration")
    def document():
        url = provider.url
        right = {
            "issuer": url,
            "authorization_endpoint": f"{url}/authorize",
            "token_endpoint": f"{url}/token",
            "jwks_uri": f"{url}/keys",
            "userinfo_endpoint": f"{url}/userinfo",
            "token_endpoint_auth_methods_supported": list(provider.client.methods),
        }
        return jsonify(right | provider.document)

    @app.get("/keys")
    def keys():
        return jsonify(public("RSA", "EC") if provider.keys is None else provider.keys)

    @app.route("/authorize", methods=["GET", "POST"])
    def authorize():
        person = Person(dict(provider.claims))
        if provider.asks and request.method == "GET":
            return LOGIN.format(name=person.claims["preferred_username"])
        try:
            grant = server.get_consent_grant(end_user=person)
        except OAuth2Error as error:
            return error.get_error_description(), 400
        if request.form.get("answer") == "no":
            person = None
        return server.create_authorization_response(grant=grant, grant_user=person)

    @app.post("/token")
    def token():
        return server.create_token_response()

    @app.get("/userinfo")
    def userinfo():
        return jsonify(provider.userinfo or {})

    return app


def refused(word: str) -> Response:
    """Send a browser back with a word in place of a code."""
    back = f"{request.args['redirect_uri']}?error={word}&state={request.args['state']}"
    return redirect(back, 303)
