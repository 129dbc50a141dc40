"""A provider of identities: browsers are sent there, and come back with a code."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from bridge.clock import Clock, TimeLimit
from bridge.core.model.counting import counted
from bridge.core.model.outcome_codes import Code
from bridge.core.model.sign_in_provider import AttemptSecrets, OpenIdRefused, OpenIdSettings
from bridge.http.provider_calls import NoAnswer, ProviderAnswer, ProviderCalls
from bridge.openid import id_tokens, identities, provider_document
from bridge.openid.id_tokens import Expected, SigningKey, UnknownKey
from bridge.openid.identities import Identity
from bridge.openid.provider_document import ProviderDocument

KEPT_SECONDS: Final = 3600.0
"""How long document and keys are believed."""
KEYS_AGAIN_SECONDS: Final = 60.0
"""A key that nobody knows has the keys asked for again, no oftener than that."""
FAILED_SECONDS: Final = 10.0
"""So long after it has not answered it is not asked again: strangers may press the button."""
PATIENCE_SECONDS: Final = 2.0
"""So long one waits for somebody else who asks the provider just now."""
LONGEST_ACCESS_TOKEN: Final = 64 * 1024
_CLIENT_REFUSED: Final = frozenset({"invalid_client", "unauthorized_client"})


@dataclass(frozen=True, slots=True)
class _Known:
    document: ProviderDocument
    keys: list[SigningKey]


class Provider:
    """One provider, with what it said of itself lately. Safe to share between threads."""

    def __init__(self, settings: OpenIdSettings, clock: Clock) -> None:
        self.settings = settings
        self._clock = clock
        self._calls = ProviderCalls(settings)
        self._asking = threading.Lock()
        self._known: _Known | None = None
        self._known_for: TimeLimit | None = None
        self._keys_again: TimeLimit | None = None
        self._failed: tuple[TimeLimit, OpenIdRefused] | None = None

    def address_for(self, secrets: AttemptSecrets) -> str:
        """Return where to send a browser that wants to sign in. Raises OpenIdRefused."""
        document = self._now_known().document
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": self.settings.redirect_uri,
            "scope": " ".join(self.settings.scopes),
            "state": secrets.state,
            "nonce": secrets.nonce,
            "code_challenge": create_s256_code_challenge(secrets.verifier),
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in document.authorization else "?"
        return f"{document.authorization}{joint}{urlencode(query)}"

    def check_sender(self, issuer: str | None) -> None:
        """Refuse what another provider has a browser bring back. Raises OpenIdRefused.

        `issuer`: who says to have sent it; None: nobody says, which is wrong where this one does.
        """
        unnamed = issuer is None and not self._now_known().document.names_itself
        if not unnamed and issuer != self.settings.issuer:
            raise OpenIdRefused(
                Code.OPENID_STATE, "what came back is not from the provider that was asked"
            )

    def identity_by(self, code: str, secrets: AttemptSecrets) -> Identity:
        """Return who comes back with a code. Raises OpenIdRefused."""
        known = self._now_known()
        given = self._exchanged(known.document, code, secrets.verifier)
        access = given.get("access_token")
        access = access if isinstance(access, str) and len(access) <= LONGEST_ACCESS_TOKEN else ""
        expected = Expected(
            issuer=self.settings.issuer,
            client_id=self.settings.client_id,
            nonce=secrets.nonce,
            access_token=access,
            now=self._clock.now(),
        )
        token, claim = given.get("id_token"), self.settings.groups_claim
        try:
            claims = id_tokens.claims_of(token, known.keys, expected)
        except UnknownKey:
            try:
                claims = id_tokens.claims_of(token, self._keys_anew(), expected)
            except UnknownKey:
                raise OpenIdRefused(
                    Code.OPENID_TOKEN, "what the provider says is signed by a key of nobody's"
                ) from None
        identity = identities.identity_of(claims, claim)
        if identity.groups is not None or not known.document.userinfo or not access.isascii():
            return identity
        more = self._asked(known.document.userinfo, {"Authorization": f"Bearer {access}"})
        return identities.with_userinfo(identity, more, claim)

    def check(self) -> str:
        """Ask the provider for all that it says of itself, and return in words that it answers.

        Raises OpenIdRefused.
        """
        known = self._fetched()
        return f"answers, with {counted(len(known.keys), 'key')} that may sign"

    def _exchanged(self, document: ProviderDocument, code: str, verifier: str) -> dict[str, Any]:
        """Return what the provider gives for a code."""
        secret, client = self.settings.client_secret.reveal(), self.settings.client_id
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.settings.redirect_uri,
            "code_verifier": verifier,
        }
        headers = {}
        if document.secret_in_form:
            form |= {"client_id": client, "client_secret": secret}
        else:
            both = f"{quote_plus(client)}:{quote_plus(secret)}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(both).decode()}"
        with _words():
            answer = self._calls.post(document.token, form, headers)
        if answer.status == 200 and isinstance(answer.body, dict):
            return answer.body
        raise _refusal(answer)

    def _now_known(self) -> _Known:
        """Return what the provider says of itself, asked for at most now and then."""
        known, until = self._known, self._known_for
        if known is not None and until is not None and not until.is_over():
            return known
        with self._alone():
            if self._known is not None and self._known_for and not self._known_for.is_over():
                return self._known  # somebody else has asked meanwhile
            if self._failed is not None and not self._failed[0].is_over():
                raise self._failed[1]
            try:
                self._known = self._fetched()
            except OpenIdRefused as error:
                self._failed = TimeLimit(self._clock, FAILED_SECONDS), error
                raise
            self._known_for = TimeLimit(self._clock, KEPT_SECONDS)
            return self._known

    def _keys_anew(self) -> list[SigningKey]:
        """Return the keys, asked for again where that was not done lately."""
        with self._alone():
            known = self._known
            if known is None:
                return []
            if self._keys_again is None or self._keys_again.is_over():
                self._keys_again = TimeLimit(self._clock, KEYS_AGAIN_SECONDS)
                keys = id_tokens.read_keys(self._asked(known.document.keys))
                self._known = known = _Known(known.document, keys)
            return known.keys

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._asking.acquire(timeout=PATIENCE_SECONDS):
            raise OpenIdRefused(Code.OPENID_DOWN, "the provider takes long to answer")
        try:
            yield
        finally:
            self._asking.release()

    def _fetched(self) -> _Known:
        issuer = self.settings.issuer
        document = provider_document.read(self._asked(provider_document.address_of(issuer)), issuer)
        keys = id_tokens.read_keys(self._asked(document.keys))
        if not keys:
            raise OpenIdRefused(Code.OPENID_DOWN, "the provider has no key that may sign")
        return _Known(document, keys)

    def _asked(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
        with _words():
            answer = self._calls.get(url, headers)
        if answer.status != 200:
            raise _down(f"it answered {answer.status}")
        return answer.body


@contextmanager
def _words() -> Iterator[None]:
    try:
        yield
    except NoAnswer as error:
        raise _down(str(error)) from None


def _down(hint: str) -> OpenIdRefused:
    return OpenIdRefused(Code.OPENID_DOWN, "the provider does not answer as it must", hint)


def _refusal(answer: ProviderAnswer) -> OpenIdRefused:
    """Return why the provider gives nothing for a code, from the few words that are defined."""
    why = answer.body.get("error") if isinstance(answer.body, dict) else None
    if answer.status == 401 or why in _CLIENT_REFUSED:
        return OpenIdRefused(
            Code.OPENID_SETUP,
            "the provider does not know the bridge, or takes another secret",
            "it refuses `openid.client_id` with `openid.client_secret`",
        )
    if why == "invalid_grant":
        return OpenIdRefused(
            Code.OPENID_STATE,
            "the provider does not take the code that came back: it was used, or is too old",
            "or it was made for another redirect URI",
        )
    if answer.status >= 500 or answer.status == 429:
        return _down(f"it answered {answer.status}")
    return OpenIdRefused(
        Code.OPENID_SETUP,
        "the provider refuses what the bridge asks for",
        f"it answered {answer.status}",
    )
