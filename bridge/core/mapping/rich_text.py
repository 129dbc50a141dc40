"""HTML and Markdown as plain text, HTML as Markdown, and all of it back.

Foreign markup is hostile: it is bounded, then cleaned by an HTML5 parser, and only what that gives
is walked through, once and without recursion. What is written is made of text alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from html import escape
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, Final

from bridge.core.model.counting import counted
from bridge.core.model.outcome_codes import Code
from bridge.core.model.values import Canonical, NotCarried, Raw, Unreadable, shown

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

MAX_MARKUP_CHARS: Final = 100_000
MAX_MARKDOWN_CHARS: Final = 30_000
"""Of Markdown that is parsed, which takes far longer."""
MAX_TAGS: Final = 5_000
"""The time that a parser takes for tags within one another grows with the square of their number.
"""
CACHED: Final = 32
"""Each text is asked for again and again while it is new."""
MAX_DEPTH: Final = 50
"""Of tags within one another, where Markdown is made of them."""

_PARAGRAPH_TAGS: Final = """
p h1 h2 h3 h4 h5 h6 ul ol table blockquote pre hr article section
"""
_LINE_TAGS: Final = "div tr li dt dd header footer address"
_INLINE_TAGS: Final = "a b strong i em code br span td th"
_MARKDOWN_TAGS: Final = """
p h1 h2 h3 h4 h5 h6 ul ol li blockquote pre hr br a b strong i em code
"""
_FORMAT_TAGS: Final = "b strong i em u s strike del mark font sub sup code pre"
_PARAGRAPHS: Final = frozenset(_PARAGRAPH_TAGS.split())
_LINES: Final = frozenset(_LINE_TAGS.split())
_KEPT: Final = {*_PARAGRAPHS, *_LINES, *_INLINE_TAGS.split()}
_IN_MARKDOWN: Final = set(_MARKDOWN_TAGS.split())
_SCHEMES: Final = {"http", "https", "mailto"}
_HIDDEN: Final = {"script", "style", "title", "head"}

_SPACE: Final = re.compile(r"[^\S\u00a0]+")
_TAG: Final = re.compile(r"<([a-z][a-z0-9]{0,15})", re.IGNORECASE)
_FIXED: Final = "\N{NO-BREAK SPACE}"


def load() -> None:
    """Load the libraries for markup, before the first text comes.

    They take a tenth of a second and some megabytes, and most mappings name none of this.
    """
    _renderer()
    _renderer_of_links()
    text_of_html("")
    markdown_of_html("")


# --- what is lost ---------------------------------------------------------------------------------

_IMAGES: Final = frozenset(("img", "svg", "video", "audio", "iframe", "object", "picture"))
_FORMATS: Final = frozenset(
    [
        "b",
        "strong",
        "i",
        "em",
        "u",
        "s",
        "strike",
        "del",
        "mark",
        "font",
        "sub",
        "sup",
        "code",
        "pre",
    ]
)
_ONLY_IN_HTML: Final = frozenset(("u", "s", "strike", "del", "mark", "font", "sub", "sup"))


def lost_in_text(raw: Raw) -> str:
    """Return in words what HTML has that plain text has not; empty: nothing."""
    return _lost(raw, _FORMATS)


def lost_in_markdown(raw: Raw) -> str:
    """Return in words what HTML has that Markdown has not; empty: nothing."""
    return _lost(raw, _ONLY_IN_HTML)


def _lost(raw: Raw, formats: frozenset[str]) -> str:
    names = [name.lower() for name in _TAG.findall(raw)] if isinstance(raw, str) else []
    images = sum(name in _IMAGES for name in names)
    found = [
        counted(images, "image") if images else "",
        "a table" if "table" in names else "",
        "formatting" if formats.intersection(names) else "",
    ]
    return ", ".join(part for part in found if part)


# --- HTML -----------------------------------------------------------------------------------------


def text_of_html(raw: Raw) -> Canonical | Unreadable:
    """Return HTML as plain text: paragraphs apart, list items with a dash, links behind their text.

    None where it has no text.
    """
    problem = _why_not(raw)
    return _text_of_html(raw) if problem is None else problem


@lru_cache(maxsize=CACHED)
def _text_of_html(raw: str) -> str | None:
    return _text_of(_cleaned(raw, _KEPT))


def html_of_text(text: Canonical) -> Raw:
    """Return plain text as HTML: a paragraph for each, and line breaks within."""
    paragraphs = str(text).split("\n\n")
    return "".join(
        f"<p>{'<br>'.join(map(_html_line, each.split(chr(10))))}</p>" for each in paragraphs
    )


def _html_line(line: str) -> str:
    return escape(_with_fixed_spaces(line), quote=False)


def _with_fixed_spaces(line: str) -> str:
    """Return a line of which no space is lost where spaces count as one."""
    bare = line.lstrip(" ")
    inner = bare.replace("  ", f" {_FIXED}").replace("  ", f" {_FIXED}")
    return _FIXED * (len(line) - len(bare)) + inner


def markdown_of_html(raw: Raw) -> Canonical | Unreadable:
    """Return HTML as Markdown; None where it has no text."""
    problem = _why_not(raw)
    return _markdown_of_html(raw) if problem is None else problem


@lru_cache(maxsize=CACHED)
def _markdown_of_html(raw: str) -> str | Unreadable | None:
    clean = _cleaned(raw, _IN_MARKDOWN)
    if _depth(clean) > MAX_DEPTH:
        why = f"tags more than {MAX_DEPTH} deep within one another"
        return Unreadable(why, Code.READ_LIMIT)
    import markdownify  # noqa: PLC0415 - see `load`

    made = markdownify.markdownify(clean, heading_style="ATX", bullets="-")
    return _tidy(made.split("\n"))


def html_of_markdown(text: Canonical) -> Raw | NotCarried:
    """Return Markdown as HTML, of which nothing but its own marks makes tags.

    An image is written as a link to it: who gets the text has its words and its address.
    """
    problem = _why_not(text, MAX_MARKDOWN_CHARS)
    if problem is not None:
        return NotCarried(f"as HTML it cannot be written: {problem.why}")
    import nh3  # noqa: PLC0415 - see `load`

    made = _renderer_of_links().render(_encodable(text))
    return nh3.clean(made, tags=_IN_MARKDOWN, url_schemes=_SCHEMES, link_rel=None).strip()


# --- Markdown -------------------------------------------------------------------------------------

_MARKS: Final = re.compile(r"[\\`*_\[\]<>#&~|!]")
_LINE_STARTS: Final = re.compile(r"[-+=]|[0-9]{1,9}(?=[.)])")


def text_of_markdown(raw: Raw) -> Canonical | Unreadable:
    """Return Markdown as plain text, in the form that HTML has as text."""
    problem = _why_not(raw, MAX_MARKDOWN_CHARS)
    return _rendered_text(raw) if problem is None else problem


@lru_cache(maxsize=CACHED)
def _rendered_text(raw: str) -> str | None:
    return _text_of(_renderer().render(_encodable(raw)))


def markdown_of_text(text: Canonical) -> Raw:
    """Return plain text as Markdown that shows just that."""
    paragraphs = str(text).split("\n\n")
    return "\n\n".join("\\\n".join(map(_markdown_line, each.split("\n"))) for each in paragraphs)


def _markdown_line(line: str) -> str:
    marked = _MARKS.sub(lambda mark: f"\\{mark[0]}", _with_fixed_spaces(line))
    bare = marked.lstrip(_FIXED)
    if bare != marked:  # as they are they would be taken for the line's indentation
        return "&nbsp;" * (len(marked) - len(bare)) + bare
    start = _LINE_STARTS.match(marked)
    if start is None:
        return marked
    if start[0].isdigit():
        return f"{start[0]}\\{marked[start.end() :]}"
    return f"\\{marked}"


def lost_from_markdown(raw: Raw) -> str:
    """Return in words what Markdown has that plain text has not; empty: nothing."""
    if _why_not(raw, MAX_MARKDOWN_CHARS) is not None:
        return ""
    return lost_in_text(_renderer().render(_encodable(raw)))


@cache
def _renderer() -> MarkdownIt:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - see `load`

    return MarkdownIt("commonmark", {"html": False, "maxNesting": 20})


@cache
def _renderer_of_links() -> MarkdownIt:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - see `load`

    made = MarkdownIt("commonmark", {"html": False, "maxNesting": 20})
    made.add_render_rule("image", _link_to_image)
    return made


def _link_to_image(
    renderer: Any, tokens: Sequence[Any], number: int, options: Any, env: Any
) -> str:
    token = tokens[number]
    address = str(token.attrs["src"])
    words = renderer.renderInlineAsText(token.children or [], options, env) or address
    return f'<a href="{escape(address)}">{escape(words)}</a>'


# --- both -----------------------------------------------------------------------------------------


def _why_not(raw: Raw, most: int = MAX_MARKUP_CHARS) -> Unreadable | None:
    """Return why a value cannot be taken for markup; None if it can."""
    if not isinstance(raw, str):
        return Unreadable(f"{shown(raw)} is no text")
    if len(raw) > most:
        why = f"markup of {len(raw):,} characters, at most {most:,} are allowed"
        return Unreadable(why, Code.READ_LIMIT)
    if (tags := raw.count("<")) > MAX_TAGS:
        why = f"markup with {tags:,} tags, at most {MAX_TAGS:,} are allowed"
        return Unreadable(why, Code.READ_LIMIT)
    return None


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _cleaned(raw: str, tags: set[str]) -> str:
    """Return HTML that is well-formed and has only these tags."""
    import nh3  # noqa: PLC0415 - see `load`

    return nh3.clean(
        _encodable(raw),
        tags=tags,
        clean_content_tags=_HIDDEN,
        attributes={"a": {"href"}},
        url_schemes=_SCHEMES,
        link_rel=None,
    )


def _text_of(clean: str) -> str | None:
    """Return well-formed HTML as plain text; None where it has none."""
    writer = _TextWriter()
    writer.feed(clean)
    writer.close()
    return _tidy("".join(writer.parts).split("\n"))


def _tidy(lines: list[str]) -> str | None:
    """Return lines without space at their ends, and at most one blank line at a time."""
    kept: list[str] = []
    for line in lines:
        bare = line.replace(_FIXED, " ").rstrip()
        if bare or (kept and kept[-1]):
            kept.append(bare)
    return "\n".join(kept).strip("\n") or None


class _TextWriter(HTMLParser):
    """Writes the text of well-formed HTML."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._breaks = 0
        """Line breaks that come before the next text."""
        self._at_start = True
        """Nothing stands in the line yet, or a space does."""
        self._links: list[tuple[str, int]] = []
        """Of the links that are open, the address, and where their text begins."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a line or a paragraph."""
        if tag == "br":
            self._breaks = min(self._breaks + 1, 2)
            self._at_start = True
        elif tag == "a":
            self._links.append((dict(attrs).get("href") or "", len(self.parts)))
        else:
            self._break(tag)
        if tag == "li":
            self._write("- ")
            self._at_start = True

    def handle_endtag(self, tag: str) -> None:
        """End a line or a paragraph; put a link's address behind its text."""
        if tag == "a" and self._links:
            address, start = self._links.pop()
            text = "".join(self.parts[start:]).strip()
            if address and address not in (text, f"mailto:{text}"):
                self._write(f" ({address})" if text else address)
        elif tag in ("td", "th"):
            self.handle_data(" ")
        elif tag != "br":
            self._break(tag)

    def handle_data(self, data: str) -> None:
        """Write text, in which all space counts as one."""
        text = _SPACE.sub(" ", data)
        if self._at_start:
            text = text.lstrip(" ")
        if text:
            self._write(text)
            self._at_start = text.endswith(" ")

    def _break(self, tag: str) -> None:
        wanted = 2 if tag in _PARAGRAPHS else 1 if tag in _LINES else 0
        if wanted:
            self._breaks = max(self._breaks, wanted)
            self._at_start = True

    def _write(self, text: str) -> None:
        self.parts.append("\n" * self._breaks + text)
        self._breaks = 0


def _depth(clean: str) -> int:
    """Return how deep the tags of well-formed HTML are within one another."""
    depth = deepest = 0
    for end in _ANY_TAG.findall(clean):
        depth += -1 if end else 1
        deepest = max(deepest, depth)
    return deepest


_ANY_TAG: Final = re.compile(r"<(/?)(?!br\b|hr\b)[a-z]")
