"""Sign-in by OpenID Connect: the code flow with PKCE, as its client."""
