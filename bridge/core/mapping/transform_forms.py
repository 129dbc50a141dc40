"""The closed table of what a mapping may name under `as`, with what each may be given.

A form makes a `Transform` of what it is given. Text may have several, which work one after the
other, from left to right when it is read and back when it is written; all else has one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from bridge.core.mapping import rich_text, scalar_forms, time_forms
from bridge.core.mapping.email_address import address_of
from bridge.core.mapping.tag_options import tag_problems, tags_with_options
from bridge.core.mapping.transforms import CUSTOMERS_TICKET, TICKET_OF, TRANSFORMS, Transform
from bridge.core.model.values import Canonical, NotCarried, Raw, Unreadable, shown

MAX_AFFIX_CHARS: Final = 100


class BadArgument(ValueError):
    """What a form is given cannot be used; the message says why, and what is allowed."""


@dataclass(frozen=True, slots=True)
class Form:
    """One row of the table."""

    name: str
    kinds: tuple[str, ...]
    make: Callable[[Any], Transform]
    """Takes what it is given in the mapping (None: nothing). Raises BadArgument."""
    does: str
    """What it does, for people."""
    given: str = ""
    """What it may be given, for people; empty: nothing."""


def chained(steps: Sequence[Transform]) -> Transform:
    """Return transforms of text as one: read from left to right, written back."""
    if len(steps) == 1:
        return steps[0]

    def read(raw: Raw) -> Canonical | Unreadable:
        value = raw
        for step in steps:
            if value is None or isinstance(value, Unreadable):
                break
            value = step.read(value)
        return value

    def write(value: Canonical) -> Raw | NotCarried:
        raw = value
        for step in reversed(steps):
            if isinstance(raw, NotCarried):
                break
            raw = step.write(raw)
        return raw

    return replace(
        steps[0],
        name=" ".join(step.name for step in steps),
        read=read,
        write=write,
        edition=sum(step.edition for step in steps),
    )


# --- what is given --------------------------------------------------------------------------------


def _nothing(name: str) -> Callable[[Any], Transform]:
    def make(given: Any) -> Transform:
        if given is not None:
            raise BadArgument("takes no argument")
        return TRANSFORMS[name]

    return make


def _one_of(given: Any, allowed: Mapping[str, Transform], usual: str = "") -> Transform:
    if given is None and usual:
        return allowed[usual]
    if isinstance(given, str) and given in allowed:
        return allowed[given]
    raise BadArgument(f"is given {shown(given)}; allowed {', '.join(allowed)}")


def _tags(given: Any) -> Transform:
    if given is None:
        return TRANSFORMS["tags"]
    problems = [
        f"tags.{'.'.join(where)}: {what}" if where else f"tags {what}"
        for where, what in tag_problems(given)
    ]
    if problems:
        raise BadArgument("; ".join(problems).removeprefix("tags").lstrip(" "))
    return tags_with_options(given)


# --- text -----------------------------------------------------------------------------------------

_TEXT: Final = TRANSFORMS["text"]
_JOINER: Final = "\N{WORD JOINER}"
_MENTION: Final = re.compile(r"@(?=\w)")


def _as_text(read: Callable[[str], str]) -> Callable[[Raw], Canonical | Unreadable]:
    """Return a reading of text alone; what comes out empty reads as null."""

    def read_text(raw: Raw) -> Canonical | Unreadable:
        text = _TEXT.read(raw)
        return (read(text) or None) if isinstance(text, str) else text

    return read_text


def _folded(text: str) -> str:
    lines = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    seen = "".join(char for char in lines if char == "\n" or unicodedata.category(char) != "Cf")
    bare = "\n".join(line.rstrip() for line in seen.split("\n")).strip()
    return unicodedata.normalize("NFC", bare)


def _affix(name: str, given: Any) -> Transform:
    is_line = isinstance(given, str) and given.isprintable()
    if not is_line or not 0 < len(given) <= MAX_AFFIX_CHARS:
        allowed = f"one line of text, at most {MAX_AFFIX_CHARS} characters"
        raise BadArgument(f"is given {shown(given)}; allowed {allowed}")
    if name == "prefix":
        read, write = _as_text(lambda text: text.removeprefix(given)), lambda text: f"{given}{text}"
    else:
        read, write = _as_text(lambda text: text.removesuffix(given)), lambda text: f"{text}{given}"
    return replace(_TEXT, name=name, read=read, write=write)


_QUIET: Final = replace(
    _TEXT,
    name="quiet-mentions",
    read=_as_text(lambda text: text.replace(f"@{_JOINER}", "@")),
    write=lambda text: _MENTION.sub(f"@{_JOINER}", text),
)
_HTML: Final = {
    "text": replace(
        _TEXT,
        name="html",
        read=rich_text.text_of_html,
        write=rich_text.html_of_text,
        loses=rich_text.lost_in_text,
    ),
    "markdown": replace(
        _TEXT,
        name="html",
        read=rich_text.markdown_of_html,
        write=rich_text.html_of_markdown,
        loses=rich_text.lost_in_markdown,
    ),
}
_MARKDOWN: Final = replace(
    _TEXT,
    name="markdown",
    read=rich_text.text_of_markdown,
    write=rich_text.markdown_of_text,
    loses=rich_text.lost_from_markdown,
)


def _markdown(given: Any) -> Transform:
    made = _given_nothing(_MARKDOWN, given)
    rich_text.load()
    return made


def _markup(given: Any, allowed: Mapping[str, Transform]) -> Transform:
    made = _one_of(given, allowed, "text")
    rich_text.load()
    return made


# --- times, days and numbers ----------------------------------------------------------------------


def _moment(given: Any) -> Transform:
    usual = TRANSFORMS["datetime"]
    if given is None:
        return usual
    only = isinstance(given, Mapping) and set(given) == {"assume"}
    offset = time_forms.offset_of(given["assume"]) if only else None
    if offset is None:
        raise BadArgument(f'is given {shown(given)}; allowed {{assume: "+01:00"}}')
    return replace(usual, read=lambda raw: time_forms.moment_of(raw, offset))


def _unix(name: str, per_second: int) -> Transform:
    return replace(
        TRANSFORMS["datetime"],
        name=name,
        read=lambda raw: time_forms.moment_of_unix(raw, per_second),
        write=lambda value: time_forms.unix_of_moment(value, per_second),
        sends=("number",),
    )


_UNIX: Final = {
    "unix-seconds": _unix("unix-seconds", 1),
    "unix-milliseconds": _unix("unix-milliseconds", 1_000),
}
_DAYS: Final = {
    form: replace(
        TRANSFORMS["date"],
        read=partial(time_forms.day_of, form=form),
        write=partial(time_forms.written_day, form=form),
    )
    for form in time_forms.DATE_FORMS
} | {"YYYY-MM-DD": TRANSFORMS["date"]}
_NUMBERS: Final = {
    "number": TRANSFORMS["number"],
    **{
        name: replace(
            TRANSFORMS["number"],
            read=partial(scalar_forms.number_of_text, point=point),
            write=partial(scalar_forms.text_of_number, point=point),
            sends=("text",),
        )
        for name, point in (("text", "."), ("comma-text", ","))
    },
}


def _given_nothing(transform: Transform, given: Any) -> Transform:
    if given is not None:
        raise BadArgument("takes no argument")
    return transform


# --- e-mail ---------------------------------------------------------------------------------------

FOLDS: Final = ("plus", "dots")
_DOTLESS: Final = frozenset(("gmail.com", "googlemail.com"))


def _email(given: Any) -> Transform:
    usual = TRANSFORMS["email"]
    if given is None:
        return usual
    only = isinstance(given, Mapping) and set(given) == {"fold"}
    folds = given["fold"] if only else None
    if not isinstance(folds, list) or not folds or not all(fold in FOLDS for fold in folds):
        raise BadArgument(f"is given {shown(given)}; allowed {{fold: [{', '.join(FOLDS)}]}}")

    def read(raw: Raw) -> Canonical | Unreadable:
        address = address_of(raw)
        return _folded_address(address, folds) if isinstance(address, str) else address

    return replace(usual, read=read)


def _folded_address(address: str, folds: Sequence[str]) -> str:
    local, _, domain = address.rpartition("@")
    if "plus" in folds:
        local = local.partition("+")[0] or local
    if "dots" in folds and domain in _DOTLESS:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"


# --- the table ------------------------------------------------------------------------------------

_ROWS: Final = (
    Form(
        "text",
        ("text",),
        _nothing("text"),
        "text as it is; empty text reads as null",
    ),
    Form(
        "folded",
        ("text",),
        partial(_given_nothing, replace(_TEXT, name="folded", read=_as_text(_folded))),
        "text in one form: composed characters, `\\n` between lines, no space at their ends or at "
        "either end of the text, no invisible characters; blank text reads as null",
    ),
    Form(
        "html",
        ("text",),
        partial(_markup, allowed=_HTML),
        "HTML there, plain text here (`markdown`: Markdown here)",
        "`text` (usual) or `markdown`",
    ),
    Form(
        "markdown",
        ("text",),
        _markdown,
        "Markdown there, plain text here",
    ),
    Form(
        "prefix",
        ("text",),
        partial(_affix, "prefix"),
        "text put before what is written, and taken away where it is read",
        'the text: `"[Bridge] "`',
    ),
    Form(
        "suffix",
        ("text",),
        partial(_affix, "suffix"),
        "the same, behind it",
        "the text",
    ),
    Form(
        "quiet-mentions",
        ("text",),
        partial(_given_nothing, _QUIET),
        "`@name` is written so that nobody is notified: an invisible sign stands behind the `@`",
    ),
    Form(
        "email",
        ("email",),
        _email,
        "one form: `Ana <Ana@example.com>`, `mailto:`, a dot at the end, invisible characters and "
        "other Unicode forms read as `ana@example.com`; two addresses, or none, are unreadable "
        "and never sent; empty reads as null",
        "`{fold: [plus, dots]}`: what stands behind a `+`, and at Gmail the dots, are left out",
    ),
    Form(
        "datetime",
        ("datetime",),
        _moment,
        "ISO 8601 with an offset; kept in UTC. A time without an offset is unreadable",
        '`{assume: "+01:00"}`: the offset of times that show none',
    ),
    *(
        Form(
            name,
            ("datetime",),
            partial(_given_nothing, transform),
            f"a number of {name.partition('-')[2]} since 1970, written as a whole one",
        )
        for name, transform in _UNIX.items()
    ),
    Form(
        "date",
        ("date",),
        partial(_one_of, allowed=_DAYS, usual="YYYY-MM-DD"),
        "a day, kept as `2026-03-01`",
        f"how it is written there: {', '.join(f'`{form}`' for form in _DAYS)}",
    ),
    Form(
        "number",
        ("number",),
        partial(_one_of, allowed=_NUMBERS, usual="number"),
        "a number up to 2⁵³",
        "`text`: it is text there, such as `12.5`; `comma-text`: such as `12,5`",
    ),
    Form("boolean", ("boolean",), _nothing("boolean"), "true or false"),
    Form(
        "url",
        ("url",),
        _nothing("url"),
        "scheme and host in lower case; one with a password in it is unreadable; "
        "blank text reads as null",
    ),
    Form(
        "json",
        ("json",),
        _nothing("json"),
        "anything; names in any order, `1.0` is `1`, `true` is not",
    ),
    Form(
        "tags",
        ("set",),
        _tags,
        "each tag case-folded, trimmed, without leading `#`; every side keeps its own spelling",
        "[options](#tags)",
    ),
    Form(
        TICKET_OF,
        ("parent",),
        _nothing(TICKET_OF),
        "the id that the ticket has on the same connection; ours is the mirrored ticket",
    ),
    Form(
        CUSTOMERS_TICKET,
        ("parent",),
        _nothing(CUSTOMERS_TICKET),
        "an e-mail address; the newest open ticket of that customer is meant. Only read",
    ),
)
FORMS: Final[Mapping[str, Form]] = {form.name: form for form in _ROWS}
"""By name; `agent`, which takes the directory of people besides, is made in as_chain.py."""
