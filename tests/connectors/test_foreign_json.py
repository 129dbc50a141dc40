"""Reading JSON of which one value is odd: the rest is read, the odd value always as the same."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.model.values import NO_NUMBER
from bridge.foreign_json import dumps, loads

ODD = {
    "half of an emoji": (rb'"Ticket 1 \ud83d"', "Ticket 1 \ufffd"),
    "the other half": (rb'"Ticket 1 \ude00"', "Ticket 1 \ufffd"),
    "halves in the wrong order": (rb'"\ude00\ud83d."', "\ufffd\ufffd."),
    "a half in bytes": (b'"a\xed\xa0\xbd"', "a\ufffd\ufffd\ufffd"),
    "a whole emoji": (rb'"\ud83d\ude00\ud83d"', "\U0001f600\ufffd"),
    "a raw tab": (b'"Ticket\t1"', "Ticket\t1"),
    "a raw vertical tab": (b'"Ticket\x0b1"', "Ticket\x0b1"),
    "a raw new line": (b'"Ticket\n1"', "Ticket\n1"),
    "a byte of Latin-1": (b'"caf\xe9"', "caf\ufffd"),
    "NUL": (rb'"a\u0000b"', "a\ufffdb"),
    "a raw NUL": (b'"a\0b"', "a\ufffdb"),
    "no NUL but a backslash": (rb'"a\\u0000b\u0000"', "a\\u0000b\ufffd"),
    "a backslash before half": (rb'"\\ud83d\ud83d"', "\\ud83d\ufffd"),
    "NaN": (b"NaN", NO_NUMBER),
    "infinity": (b"-Infinity", NO_NUMBER),
    "a number beyond all": (b"1e400", NO_NUMBER),
    "70 bits": (b"1180591620717411303424", "1180591620717411303424"),
    "70 bits below": (b"-1180591620717411303424", "-1180591620717411303424"),
    "64 bits": (b"18446744073709551615", 2**64 - 1),
    "63 bits below": (b"-9223372036854775808", -(2**63)),
    "a long text of digits": (b'"1180591620717411303424"', "1180591620717411303424"),
    "a long fraction": (b"0.1234567890123456789", 0.1234567890123456789),
    "as many digits as one likes": (b"9" * 100_000, "9" * 100_000),
    "one key twice": (b'{"a": 1, "a": NaN, "a": 2}', {"a": 2}),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "BOM"])
def test_what_is_odd_is_replaced_and_the_rest_is_read(odd, mark):
    raw, expected = ODD[odd]
    answer = loads(mark + b'{"data": [{"id": 1}, {"odd": ' + raw + b'}, {"id": "\xc3\xa9"}]}')
    assert answer == {"data": [{"id": 1}, {"odd": expected}, {"id": "é"}]}
    assert loads(dumps(answer)) == answer


@pytest.mark.parametrize(
    "raw",
    [b"", b"<html>", b'{"a": ', b"[" * 100_000, b"\xff\xfe{\0}\0", b"\xef\xbb\xbf", b"{a: 1}"],
)
def test_what_is_no_json_even_so_raises(raw):
    with pytest.raises(ValueError, match="not JSON"):
        loads(raw)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(json_values)
def test_good_json_reads_as_what_it_is_on_either_way(value):
    plain = orjson.loads(orjson.dumps(value).replace(rb"\u0000", rb"\ufffd"))
    assert loads(orjson.dumps(value)) == plain
    assert loads(b"\xef\xbb\xbf" + json.dumps(value).encode()) == plain


@given(st.dictionaries(st.text(st.characters(codec=None)), st.text(st.characters(codec=None))))
def test_what_is_written_never_holds_half_a_pair(value):
    written = dumps(value)
    assert not any(0xD800 <= ord(each) < 0xE000 for each in written.decode())
    assert loads(written) == loads(written.replace(rb"\u0000", rb"\ufffd"))
