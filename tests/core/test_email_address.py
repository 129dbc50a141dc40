"""One e-mail address in several spellings, and what is none."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.mapping import email_address
from bridge.core.mapping.email_address import address_of, same_address
from bridge.core.mapping.transforms import TRANSFORMS
from bridge.core.model.values import NotCarried, Unreadable


@pytest.mark.parametrize(
    ("spelling", "address"),
    [
        ("Ana@Example.com", "ana@example.com"),
        (" ana@example.com ", "ana@example.com"),
        ("ana@example.com\N{NO-BREAK SPACE}", "ana@example.com"),
        ("jose\N{COMBINING ACUTE ACCENT}@example.com", "josé@example.com"),
        ("josé@example.com", "josé@example.com"),
        ("Ana <ana@example.com>", "ana@example.com"),
        ('"Doe, Ana" <Ana@example.com>', "ana@example.com"),
        ("ana@example.com <ana@example.com>", "ana@example.com"),
        ("<ana@example.com>", "ana@example.com"),
        ("< ana@example.com >", "ana@example.com"),
        ("mailto:ana@example.com", "ana@example.com"),
        ("MAILTO:Ana@example.com?subject=Help", "ana@example.com"),
        ("<mailto:ana@example.com>", "ana@example.com"),
        ("ana@example.com.", "ana@example.com"),
        ("ana@example.com\N{ZERO WIDTH SPACE}", "ana@example.com"),
        ("\N{ZERO WIDTH NO-BREAK SPACE}ana@example.com", "ana@example.com"),
        ("\N{RIGHT-TO-LEFT MARK}an\N{SOFT HYPHEN}a@example.com", "ana@example.com"),
        ("ana+x@example.com", "ana+x@example.com"),
        ("o'hara_1@mail-1.example.co.uk", "o'hara_1@mail-1.example.co.uk"),
        ("अना@उदाहरण.भारत", "अना@उदाहरण.भारत"),
        ("root@localhost", "root@localhost"),
        ("", None),
        (" \N{ZERO WIDTH SPACE} ", None),
    ],
)
def test_every_spelling_reads_as_the_one_address(spelling, address):
    assert address_of(spelling) == address


@pytest.mark.parametrize(
    "text",
    [
        "ana",
        "ana@",
        "@example.com",
        "ana@example..com",
        ".@example.com",
        ".ana@example.com",
        "ana.@example.com",
        "ana..x@example.com",
        "ana@example.com..",
        "ana@-example.com",
        "ana b@example.com",
        "ana@example.com;",
        "ana@exa mple.com",
        "ana@[10.0.0.1]",
        "Ana <ana@example.com",
        "ana@example.com>",
        "a\x00na@example.com",
        "ana@exam\x07ple.com",
        "a" * 65 + "@example.com",
        "ana@" + "a" * 64 + ".com",
        "ana@" + ".".join(["abcdefgh"] * 30),
        7,
        None,
        ["ana@example.com"],
    ],
)
def test_what_cannot_be_an_address_is_none(text):
    assert isinstance(address_of(text), Unreadable)


@pytest.mark.parametrize(
    "text",
    [
        "ana@example.com, bob@example.com",
        "ana@example.com bob@example.com",
        "<ana@example.com>, <bob@example.com>",
        "Ana <ana@example.com>, Bob <bob@example.com>",
        "bob@example.com <ana@example.com>",
    ],
)
def test_two_addresses_in_one_field_are_nobodys(text):
    found = address_of(text)
    assert isinstance(found, Unreadable)
    assert "more than one" in found.why


def test_who_is_the_same():
    assert same_address("Ana <ANA@example.com>", "ana@example.com.")
    assert not same_address("ana+x@example.com", "ana@example.com")
    assert not same_address("nobody", "nobody")
    assert not same_address("", "")


def test_nothing_is_written_that_an_older_version_took_for_an_address():
    write = TRANSFORMS["email"].write
    assert write("ana@example.com") == "ana@example.com"
    assert write("mailto:ana@example.com") == "ana@example.com"
    assert write("<ana") == NotCarried("'<ana' is no e-mail address")


@given(st.text(alphabet="aA<>@.,: \"'\u200b\u0301\u0130éß-", max_size=30))
def test_the_one_form_is_its_own_form(text):
    address = address_of(text)
    if isinstance(address, str):
        assert address_of(address) == address
        assert address == unicodedata.normalize("NFC", address)


@given(st.text(alphabet="aZ0._+-@", max_size=70) | st.emails())
def test_the_short_way_of_ordinary_addresses_leads_to_the_same_form(text):
    assert address_of(text) == email_address._address_of(text)


@pytest.mark.parametrize("worst", ["<", "a@", "\u200b", "<a@b> ", "mailto:", ".", "\u0301"])
def test_the_work_is_bounded_however_long_the_text(worst, monkeypatch):
    asked = 0
    category = unicodedata.category

    def counted(char):
        nonlocal asked
        asked += 1
        return category(char)

    monkeypatch.setattr(email_address.unicodedata, "category", counted)
    address_of(worst * 1_000_000)
    assert asked == 0  # refused by its length alone
    address_of((worst * 1000)[: email_address.MAX_SPELLING_CHARS])
    assert asked <= 2 * email_address.MAX_SPELLING_CHARS
