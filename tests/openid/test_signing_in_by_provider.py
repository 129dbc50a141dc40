"""Stories of people who sign in by the provider of their organisation."""

from __future__ import annotations

import pytest

from bridge.core.model.roles import Role
from bridge.errors import NotPossible
from bridge.openid.identities import Identity
from bridge.operations import audit_trail, sign_in, tokens, users
from bridge.operations.openid_sign_in import readable_name
from tests.openid.conftest import asked_for, code_of
from tests.openid.id_provider import ANA, ROLES, refused
from tests.web.pages.conftest import Elements, csrf_of

HTTPS = {
    "base_url": "https://bridge.example",
    "headers": {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "bridge.example"},
}


def did(site, action):
    return [(act.actor, act.subject, act.detail) for act in acts(site, action)]


def acts(site, action):
    return audit_trail.acts(site.desk, limit=99, action=action)


def the_user(site, name="ana"):
    return {user.name: user for user in users.every(site.desk)}[name]


def test_whoever_has_a_group_with_a_role_is_in_and_goes_on_where_they_wanted_to(site):
    browser = site.nobody()
    assert "Sign in with Example" in Elements(browser.get("/sign-in").text).text
    assert site.sign_in(browser, "/tickets?text=a").headers["Location"] == "/tickets?text=a"
    assert "ana" in Elements(browser.get("/").text).text
    ana = the_user(site)
    assert (ana.role, ana.signs_in_by, ana.provider) == (
        Role.OPERATOR,
        "provider",
        site.provider.url,
    )
    assert did(site, "user added") == [("provider", "ana", {"role": "operator", "by": "provider"})]
    assert did(site, "signed in") == [("user:ana", "ana", {"by": "provider"})]


def test_the_way_there_has_pkce_state_and_nonce_and_no_secret(site):
    first, second = (asked_for(site.begin(site.nobody())) for _ in range(2))
    assert first["code_challenge_method"] == "S256"
    assert first["redirect_uri"] == "http://localhost/sign-in/openid/back"
    assert (first["response_type"], first["scope"]) == ("code", "openid profile")
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) == 43
        assert first[name] != second[name]
    assert "secret" not in first


def test_without_a_provider_in_the_files_there_is_no_button_and_no_way(world_site):
    browser = world_site.nobody()
    assert "/sign-in/openid" not in browser.get("/sign-in").text
    assert browser.get("/sign-in/openid").headers["Location"] == "/sign-in"
    assert code_of(browser.get("/sign-in/openid/back?code=a&state=b")) == "BRG-OPENID-STATE"


def test_by_https_and_below_a_path_one_comes_back_with_the_cookie_of_the_host(signing):
    site = signing(pages="https://bridge.example/bridge", path="/bridge")
    browser = site.nobody()
    answer = browser.get("/bridge/sign-in/openid?next=/tickets", **HTTPS)
    (cookie,) = [line for line in answer.headers.getlist("Set-Cookie") if "bridge=" in line]
    assert cookie.startswith("__Host-bridge=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    back = site.there(answer.headers["Location"])
    assert back.startswith("https://bridge.example/bridge/sign-in/openid/back?")
    assert site.back(browser, back, **HTTPS).headers["Location"] == "/bridge/tickets"


def test_from_another_address_of_the_pages_one_is_led_to_the_one_in_the_files(signing):
    site = signing(pages="https://bridge.example")
    led = site.nobody().get("/sign-in/openid?next=/tickets").headers["Location"]
    assert led == "https://bridge.example/sign-in/openid?moved=1&next=%2Ftickets"
    again = site.nobody().get("/sign-in/openid?moved=1")
    assert (again.status_code, code_of(again)) == (502, "BRG-OPENID-SETUP")
    assert "https://bridge.example/sign-in/openid/back" in Elements(again.text).text


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_the_way_back_leads_nowhere_else(site, back):
    assert site.sign_in(back=back).headers["Location"] == "/"


def test_two_tabs_may_be_at_the_provider_at_once(site):
    browser = site.nobody()
    first, second = (site.there(site.begin(browser)) for _ in range(2))
    assert site.back(browser, first).status_code == 303
    assert code_of(site.back(browser, second)) == "BRG-OPENID-STATE"  # a session of its own began


def test_signing_in_begins_a_session_of_its_own(site):
    browser = site.nobody()
    before = csrf_of(browser.get("/sign-in").text)
    site.sign_in(browser)
    assert csrf_of(browser.get("/").text) != before
    with browser.session_transaction() as session:
        assert "openid" not in session


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["leads"], Role.OPERATOR),
        (["staff", "owners", "leads"], Role.ADMIN),
        ("staff", Role.VIEWER),
        (["LEADS", "leads ", 7, None, "staff"], Role.VIEWER),
    ],
)
def test_the_highest_role_of_the_groups_counts(site, groups, role):
    site.provider.claims["groups"] = groups
    site.signed_in()
    assert the_user(site).role == role


def test_groups_may_stand_within_a_claim_or_in_one_whose_name_has_dots(signing):
    site = signing(groups_claim="realm_access.roles")
    site.provider.claims |= {"groups": [], "realm_access": {"roles": ["owners"]}}
    site.signed_in()
    assert the_user(site).role == Role.ADMIN
    site.provider.claims["realm_access.roles"] = ["staff"]
    site.signed_in()
    assert the_user(site).role == Role.VIEWER


def test_each_sign_in_brings_the_role_up_to_date_also_where_one_is_signed_in_already(site):
    site.provider.claims["groups"] = ["owners"]
    before = site.signed_in()
    assert before.get("/users").status_code == 200
    site.provider.claims["groups"] = ["staff"]
    site.signed_in()
    assert before.get("/users").status_code == 403
    assert did(site, "user role") == [("provider", "ana", {"role": "viewer", "by": "provider"})]


def test_who_has_no_group_with_a_role_any_more_is_out_everywhere_and_it_is_written_down(on_both):
    site = on_both
    site.provider.claims["groups"] = ["owners"]
    before = site.signed_in()
    made = tokens.create(site.desk.seen_by("user:ana", personal=True), "tool", Role.VIEWER)
    site.provider.claims["groups"] = ["others"]
    answer = site.sign_in()
    assert (answer.status_code, code_of(answer)) == (403, "BRG-OPENID-ROLE")
    assert "openid.roles" in Elements(answer.text).text
    assert before.get("/").status_code == 303
    assert tokens.of_secret(site.desk, made.secret) is None
    ana = the_user(site)
    assert ana.left_at == site.clock.now()
    assert not any(ana.may(permission) for permission in openid_sign_in_permissions())
    detail = {"by": "provider", "code": "BRG-OPENID-ROLE"}
    assert did(site, "sign-in refused") == [("provider", "ana", detail)]
    site.provider.claims["groups"] = ["owners"]
    site.signed_in()
    assert the_user(site).left_at is None
    assert before.get("/").status_code == 303
    assert tokens.of_secret(site.desk, made.secret) is not None


def openid_sign_in_permissions():
    from bridge.operations.permissions import Permission

    return tuple(Permission)


def test_a_stranger_to_all_groups_becomes_no_user(site):
    site.provider.claims["groups"] = []
    assert code_of(site.sign_in()) == "BRG-OPENID-ROLE"
    assert users.every(site.desk) == []
    detail = {"by": "provider", "code": "BRG-OPENID-ROLE", "called": "ana"}
    assert did(site, "sign-in refused") == [("provider", "unknown", detail)]


def test_a_role_for_everybody_lets_in_who_has_no_group(signing):
    site = signing(default_role=Role.VIEWER)
    site.provider.claims["groups"] = []
    site.signed_in()
    assert the_user(site).role == Role.VIEWER


def test_groups_that_the_token_lacks_are_asked_for_and_only_then(site):
    site.signed_in()
    assert "/userinfo" not in site.provider.asked
    del site.provider.claims["groups"]
    site.provider.userinfo = {"sub": ANA["sub"], "groups": ["owners"]}
    site.signed_in()
    assert the_user(site).role == Role.ADMIN
    site.provider.userinfo = {"sub": "another", "groups": ["owners"]}
    assert code_of(site.sign_in()) == "BRG-OPENID-ROLE"


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({}, "there is no claim groups"),
        ({"_claim_names": {"groups": "src1"}}, "in so many groups that the provider has sent none"),
        ({"hasgroups": True}, "in so many groups that the provider has sent none"),
    ],
)
def test_why_there_are_no_groups_is_said(site, claims, said):
    del site.provider.claims["groups"]
    site.provider.claims |= claims
    assert said in Elements(site.sign_in().text).text


def test_ten_thousand_groups_are_read(site):
    many = [f"{number:032x}-group" for number in range(10_000)]
    site.provider.claims["groups"] = [*many, "owners"]
    site.signed_in()
    assert the_user(site).role == Role.ADMIN


def test_a_user_is_known_by_issuer_and_subject_and_by_no_name(site):
    site.signed_in()
    site.provider.claims |= {"preferred_username": "bea", "email": "bea@example.com"}
    site.signed_in()
    assert [user.name for user in users.every(site.desk)] == ["ana"]
    site.provider.claims |= {"sub": "another", "preferred_username": "ana"}
    site.signed_in()
    assert [user.name for user in users.every(site.desk)] == ["ana", "ana-2"]


def test_nobody_takes_over_the_name_of_a_local_user(on_both):
    site = on_both
    users.add(site.desk, "ana", Role.ADMIN, password="quite another sentence")
    browser = site.signed_in()
    assert "you are called ana-2 here: somebody else is ana" in Elements(browser.get("/").text).text
    assert the_user(site).signs_in_by == "password"
    assert (the_user(site, "ana-2").role, did(site, "signed in")[0][0]) == (
        Role.OPERATOR,
        "user:ana-2",
    )


@pytest.mark.parametrize(
    ("names", "name"),
    [
        (("ana", "ana@example.com"), "ana"),
        (("Ána García",), "ana-garcia"),
        (("ana@EXAMPLE.com",), "ana@example.com"),
        (("<script>alert(1)</script>",), "script-alert-1-script"),
        (("\u202eroot\x00\n",), "root"),
        (("../../etc",), "etc"),
        (("田中", "tanaka"), "tanaka"),
        (("x" * 5000,), "x" * 56),
    ],
)
def test_a_name_is_readable_and_nothing_else(names, name):
    assert readable_name(Identity("https://i.example", "s", names, None)) == name


def test_without_any_name_one_is_called_by_a_digest():
    name = readable_name(Identity("https://i.example", "s", ("田中",), None))
    assert name.startswith("user-")
    assert name == readable_name(Identity("https://i.example", "s", (), None))
    assert name != readable_name(Identity("https://i.example", "t", (), None))


def test_a_disabled_user_stays_out_whatever_the_groups_say(site):
    browser = site.signed_in()
    users.disable(site.desk, "ana")
    assert browser.get("/").status_code == 303
    site.provider.claims["groups"] = ["owners"]
    answer = site.sign_in()
    assert (answer.status_code, code_of(answer)) == (403, "BRG-OPENID-OUT")
    assert the_user(site).role == Role.OPERATOR
    users.enable(site.desk, "ana")
    site.signed_in()


def test_the_provider_decides_and_nobody_else(site):
    site.signed_in()
    for act in (
        lambda: users.set_role(site.desk, "ana", Role.ADMIN),
        lambda: users.set_password(site.desk, "ana", "quite another sentence"),
        lambda: users.make_link(site.desk, "ana"),
    ):
        with pytest.raises(NotPossible, match="signs in by the provider http"):
            act()
    assert users.first_link(site.desk, "ana") == ""


def test_an_admin_of_the_providers_is_no_reason_to_lose_the_last_of_our_own(on_both):
    site = on_both
    users.add(site.desk, "bo", Role.ADMIN, password="quite another sentence")
    site.provider.claims["groups"] = ["owners"]
    site.signed_in()
    with pytest.raises(NotPossible, match="last admin"):
        users.disable(site.desk, "bo")
    assert users.file_of(site.desk, "bo").is_last_admin
    users.disable(site.desk, "ana")


def test_the_last_admin_of_all_stays_where_there_is_none_of_our_own(site):
    site.provider.claims["groups"] = ["owners"]
    site.signed_in()
    with pytest.raises(NotPossible, match="last admin"):
        users.disable(site.desk, "ana")


def test_a_session_ends_after_twelve_hours_as_every_session_does(site):
    browser = site.signed_in()
    site.clock.advance(sign_in.SESSION_LASTS.total_seconds() - 1)
    assert browser.get("/").status_code == 200
    site.clock.advance(1)
    assert browser.get("/").status_code == 303


def test_who_signed_in_by_another_provider_is_out(site, signing):
    browser = site.signed_in()
    cookie = browser.get_cookie("bridge").value
    other = signing(issuer="https://another.example").nobody()
    other.set_cookie("bridge", cookie)
    assert other.get("/").status_code == 303


def test_signing_out_ends_the_session_and_begins_none(site):
    browser = site.signed_in()
    browser.post("/sign-out", data={"csrf_token": csrf_of(browser.get("/").text)})
    assert browser.get("/").status_code == 303


def test_a_password_lets_in_while_the_provider_is_down(site):
    users.add(site.desk, "bo", Role.ADMIN, password="quite another sentence")
    site.provider.answers["/.well-known/openid-configuration"] = lambda: ("down", 503)
    browser = site.nobody()
    for _ in range(sign_in.FREE["address"] + 1):
        assert code_of(browser.get("/sign-in/openid")) == "BRG-OPENID-DOWN"
    form = csrf_of(browser.get("/sign-in").text)
    data = {"name": "bo", "password": "quite another sentence", "csrf_token": form}
    assert browser.post("/sign-in", data=data).headers["Location"] == "/"


def test_what_was_typed_is_not_lost_when_one_signs_in_by_the_provider(site):
    site.provider.claims["groups"] = ["owners"]
    browser = site.signed_in()
    form = {"csrf_token": csrf_of(browser.get("/mappings/edit/H.yaml").text), "text": "typed: 1"}
    browser.delete_cookie("bridge")
    page = browser.post("/mappings/edit/H.yaml", data=form)
    assert "I have signed in there: go on" in page.text
    fields = {
        attrs["name"]: attrs.get("value", "")
        for tag, attrs in Elements(page.text).found
        if tag == "input" and "name" in attrs
    }
    site.sign_in(browser)
    again = browser.post("/sign-in", data=fields)
    assert "Here is what you typed" in again.text
    assert "typed: 1" in again.text
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    assert browser.post("/sign-in", data=fields, headers=elsewhere).status_code == 400


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("access_denied", "BRG-OPENID-CANCELLED"),
        ("login_required", "BRG-OPENID-CANCELLED"),
        ("temporarily_unavailable", "BRG-OPENID-DOWN"),
        ("invalid_scope", "BRG-OPENID-SETUP"),
        ("<b>made-up</b>", "BRG-OPENID-SETUP"),
    ],
)
def test_what_the_provider_answers_in_place_of_a_code_is_said_in_our_words(
    site, caplog, word, code
):
    site.provider.answers["/authorize"] = lambda: refused(word)
    browser = site.nobody()
    back = site.there(site.begin(browser))
    answer = site.back(browser, back)
    assert code_of(answer) == code
    assert code_of(site.back(browser, back)) == "BRG-OPENID-STATE"  # each attempt ends once
    assert "made-up" not in answer.text
    assert "made-up" not in caplog.text


def test_a_secret_may_go_in_the_form_where_no_header_is_taken(site):
    site.provider.client.methods = ("client_secret_post",)
    site.signed_in()
    site.provider.client.methods = ("private_key_jwt",)
    site.clock.advance(4000)
    assert code_of(site.nobody().get("/sign-in/openid")) == "BRG-OPENID-DOWN"


def test_keys_of_elliptic_curves_sign_too(site):
    site.provider.kind = "EC"
    site.provider.twist["at_hash"] = None
    site.signed_in()
    assert set(ROLES.values()) > {the_user(site).role}
