"""What the pages show of users who sign in by a provider, and of the provider."""

from __future__ import annotations

from bridge.core.model.roles import Role
from bridge.operations import users
from tests.openid.id_provider import SECRET
from tests.web.pages.conftest import Elements, csrf_of


def test_the_pages_say_how_one_signs_in_and_offer_nothing_that_the_provider_decides(site):
    site.signed_in()
    admin = site.browser(Role.ADMIN)
    page = admin.get("/users/ana").text
    assert f"the provider {site.provider.url}" in Elements(page).text
    assert "The provider decides the role of ana" in Elements(page).text
    assert "Change the role" not in page
    assert "Make a link" not in page
    assert "Disable ana" in page
    listed = Elements(admin.get("/users").text).text
    assert "provider" in listed
    for act in ("role", "invite"):
        data = {"csrf_token": csrf_of(page), "role": "admin"}
        refused = admin.post(f"/users/ana/{act}", data=data)
        assert refused.status_code == 409
        assert "signs in by the provider" in Elements(refused.text).text


def test_whoever_has_no_role_any_more_is_shown_so(site):
    site.signed_in()
    site.provider.claims["groups"] = []
    site.sign_in()
    assert "no role at the provider" in Elements(site.browser().get("/users").text).text


def test_ones_own_account_has_no_password_to_change(site):
    browser = site.signed_in()
    page = browser.get("/account").text
    assert "New password" not in page
    assert site.provider.url in page
    data = {"csrf_token": csrf_of(page), "new": "quite another sentence"}
    data["again"] = data["new"]
    refused = browser.post("/account/password", data=data)
    assert refused.status_code == 400
    assert not {user.name: user for user in users.every(site.desk)}["ana"].has_password


def test_the_settings_show_the_redirect_uri_and_no_secret(site):
    page = site.browser(Role.VIEWER).get("/settings").text
    assert "http://localhost/sign-in/openid/back" in page
    assert "leads: operator, owners: admin, staff: viewer" in Elements(page).text
    assert SECRET not in page
