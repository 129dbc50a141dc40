"""Tags with options.

Some only shape what is read, and such tags are never written: `prefix` and `min_salience`, for tags
that another system has found by itself, and `separator`, for tags in one text. The others work both
ways: `under`, `table`, `allow` and `case`. What they leave out is left alone where it is: it has no
reading, and a write keeps it. A sync's member may have options for its connection, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from bridge.core.mapping.transforms import TRANSFORMS, Transform
from bridge.core.model.outcome_codes import Code
from bridge.core.model.values import Canonical, NotCarried, Raw, Unreadable, shown

ONLY_READ: Final = ("prefix", "min_salience", "separator")
BOTH_WAYS: Final = ("under", "table", "allow", "case")
OPTIONS: Final = (*ONLY_READ, *BOTH_WAYS)
MAX_ROWS: Final = 1_000
MAX_SEPARATOR_CHARS: Final = 5
CASES: Final[Mapping[str, Callable[[str], str]]] = {"upper": str.upper, "title": str.title}
_PLAIN: Final = TRANSFORMS["tags"]

TagProblem = tuple[tuple[str, ...], str]


def tag_problems(given: Any) -> list[TagProblem]:
    """Return what is wrong with the options of tags, each with its key; empty: they can be used."""
    if not isinstance(given, Mapping) or not given:
        return [((), f"is {shown(given)}; allowed rows of {', '.join(OPTIONS)}")]
    problems: list[TagProblem] = [
        ((str(key),), f"unknown key; allowed {', '.join(OPTIONS)}")
        for key in given
        if key not in OPTIONS
    ]
    mixed = [key for key in BOTH_WAYS if key in given] if set(given) & set(ONLY_READ) else []
    problems += [
        ((key,), f"works both ways, and {', '.join(ONLY_READ)} are for what is only read")
        for key in mixed
    ]
    for key, (fits, allowed) in _ALLOWED.items():
        if key in given and not fits(given[key]):
            problems.append(((key,), f"is {shown(given[key])}; allowed {allowed}"))
    return problems or list(_contradictions(given))


def _is_prefix(given: Any) -> bool:
    # One that the plain transform would change does not read back as itself.
    return isinstance(given, str) and bool(given) and _PLAIN.read(f"{given}x") == f"{given}x"


def _is_salience(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given <= 1


def _is_separator(given: Any) -> bool:
    return isinstance(given, str) and 0 < len(given) <= MAX_SEPARATOR_CHARS


def _is_tag(given: Any) -> bool:
    return isinstance(given, str) and _PLAIN.read(given) == given


def _is_start(given: Any) -> bool:
    return isinstance(given, str) and isinstance(_PLAIN.read(given), str)


def _is_table(given: Any) -> bool:
    return (
        isinstance(given, Mapping)
        and 0 < len(given) <= MAX_ROWS
        and all(_is_start(theirs) and _is_tag(ours) for theirs, ours in given.items())
    )


def _is_list(given: Any) -> bool:
    return isinstance(given, list) and 0 < len(given) <= MAX_ROWS and all(map(_is_tag, given))


_ALLOWED: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "prefix": (_is_prefix, "text in lower case, without # or space in front"),
    "min_salience": (_is_salience, "a number from 0 to 1, such as 0.3"),
    "separator": (_is_separator, f"1 to {MAX_SEPARATOR_CHARS} characters, such as a comma"),
    "under": (_is_start, "what the tags begin with there, such as crm/"),
    "table": (_is_table, f"a table of theirs: ours, at most {MAX_ROWS}, ours in lower case"),
    "allow": (_is_list, f"a list of tags of ours in lower case, at most {MAX_ROWS}"),
    "case": (lambda given: given in CASES, ", ".join(CASES)),
}


def _contradictions(given: Mapping[str, Any]) -> Iterator[TagProblem]:
    """Yield the rows of a table of which it is not clear what they mean."""
    seen: dict[Any, Any] = {}
    for theirs, ours in given.get("table", {}).items():
        spelled = _PLAIN.read(theirs)
        if seen.setdefault(spelled, ours) != ours:
            yield ("table", str(theirs)), f"stands for {seen[spelled]} already, in another spelling"


def tags_with_options(given: Mapping[str, Any]) -> Transform:
    """Return the transform of tags with these options, which have no problems (`tag_problems`)."""
    return _only_read(given) if set(given) & set(ONLY_READ) else _both_ways(given)


# --- only read ------------------------------------------------------------------------------------


def _only_read(given: Mapping[str, Any]) -> Transform:
    prefix = str(given.get("prefix", ""))

    def read(raw: Raw) -> Canonical | Unreadable:
        plain = _PLAIN.read(raw)
        return f"{prefix}{plain}" if isinstance(plain, str) else plain

    def write(value: Canonical) -> Raw | NotCarried:
        why = f"the tag {shown(value)} is not written: tags with options are only read"
        return NotCarried(why, Code.MAP_ONLY_READ)

    separator, names = given.get("separator", ""), _names_above(given.get("min_salience"))

    def elements(raw: Any) -> Any:
        if isinstance(raw, list):
            return names(raw)
        if not isinstance(raw, str) or not separator:
            return raw
        return [part for part in raw.split(separator) if part.strip()]

    return replace(_PLAIN, read=read, write=write, elements=elements)


def _names_above(least: float | None) -> Callable[[list[Any]], list[Any]]:
    """Return the function that takes the names out of scored tags, those that score enough.

    Plain text has no score and stays. A score that is not shown is not known to be enough.
    """

    def scores_enough(tag: Mapping[str, Any]) -> bool:
        score = tag.get("salience")
        if least is None:
            return True
        return isinstance(score, int | float) and not isinstance(score, bool) and score >= least

    def names(tags: list[Any]) -> list[Any]:
        kept: list[Any] = []
        for tag in tags:
            if not isinstance(tag, Mapping) or "name" not in tag:
                kept.append(tag)
            elif scores_enough(tag):
                kept.append(tag["name"])
        return kept

    return names


# --- both ways ------------------------------------------------------------------------------------


def _both_ways(given: Mapping[str, Any]) -> Transform:
    under, allow = str(given.get("under", "")), given.get("allow")
    begin = str(_PLAIN.read(under)) if under else ""
    ours_of = {_PLAIN.read(theirs): ours for theirs, ours in given.get("table", {}).items()}
    theirs_of: dict[str, str] = {}
    for theirs, ours in given.get("table", {}).items():
        theirs_of.setdefault(ours, theirs)
    in_case = CASES.get(given.get("case", ""), str)

    def read(raw: Raw) -> Canonical | Unreadable:
        plain = _PLAIN.read(raw)
        if not isinstance(plain, str):
            return plain
        if not plain.startswith(begin):
            return Unreadable(f"the tag {shown(raw)} does not begin with {under}: it is left alone")
        rest = plain.removeprefix(begin)
        ours = ours_of.get(rest, rest)
        if not ours or (allow is not None and ours not in allow):
            return Unreadable(f"the tag {shown(raw)} is none of those allowed: it is left alone")
        return ours

    def write(value: Canonical) -> Raw | NotCarried:
        plain = str(value)
        for form in (theirs_of.get(plain, in_case(plain)), plain):
            if read(f"{under}{form}") == value:
                return f"{under}{form}"
        why = f"the tag {shown(value)} is none of those that are exchanged here"
        return NotCarried(why, Code.MAP_DECLARED)

    return replace(_PLAIN, read=read, write=write)
