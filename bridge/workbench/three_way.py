"""Brings together what two admins made of the same mappings, by YAML path.

What each has changed counts from the revision that both began with. What does not overlap is in
the result, comments included; what does is a clash, named with both values, and nothing is merged.
Where the lines alone can be brought together, every other byte stays as it is; else the file is
written anew from its parts, with its comments.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.representer import RoundTripRepresenter

from bridge.core.model.values import same_json

MAX_BYTES: Final = 64 * 1024
"""Of a file that both have changed; a larger one is a clash as a whole."""
MAX_LINES: Final = 2000
"""Lines that are compared one by one; a longer file is brought together by its parts alone."""
NOT_THERE: Final = "(not there)"
"""What a clash says of a side that has no such value or file."""
_COMMENT: Final = re.compile(r"(?:^|(?<=\s))#.*")
_LIST_BELOW_KEY: Final = re.compile(r"^( *)[^\s#-][^\n]*:[ \t]*\n( *)- ", re.MULTILINE)

Parse = Callable[[str, str], Any]
"""Returns the plain data of a text; the second argument is the file's name, for its error."""


@dataclass(frozen=True, slots=True)
class Clash:
    """A place that both have changed, each in another way."""

    file: str
    path: tuple[Any, ...]
    """Where in the file; empty: it is about the file as a whole."""
    base: Any
    """What both began with; NOT_THERE, also for the next two."""
    ours: Any
    theirs: Any
    why: str = ""
    """Why the file cannot be brought together, where no value of it clashes."""


@dataclass(frozen=True, slots=True)
class MergedFiles:
    """What came of it."""

    files: dict[str, str]
    clashes: list[Clash] = field(default_factory=list)
    """If there is any, the files are worth nothing."""


class _Absent:
    """Stands for what is not there: None is a value."""


_ABSENT: Final = _Absent()


def merge(
    base: Mapping[str, str], ours: Mapping[str, str], theirs: Mapping[str, str], parse: Parse
) -> MergedFiles:
    """Bring two sets of files together that were both made from `base`: name -> text.

    Raises what `parse` raises for a file that both have changed.
    """
    merged = MergedFiles({})
    for name in sorted(base.keys() | ours.keys() | theirs.keys()):
        was, mine, other = base.get(name), ours.get(name), theirs.get(name)
        if other in (mine, was):
            taken = mine
        elif was == mine:
            taken = other
        elif mine is None or other is None:
            gone = {True: NOT_THERE, False: "(changed)"}
            clash = Clash(name, (), "(a file)", gone[mine is None], gone[other is None])
            merged.clashes.append(clash)
            continue
        else:
            taken, clashes = merge_file(name, was or "", mine, other, parse)
            merged.clashes.extend(clashes)
        if taken is not None:
            merged.files[name] = taken
    return merged


def merge_file(
    name: str, base: str, ours: str, theirs: str, parse: Parse
) -> tuple[str, list[Clash]]:
    """Return the text with both changes, or some text and the clashes."""
    size = max(len(text.encode("utf-8", "surrogatepass")) for text in (base, ours, theirs))
    if size > MAX_BYTES:
        why = f"it has {size} bytes; up to {MAX_BYTES >> 10} KiB are brought together"
        return ours, [Clash(name, (), "", "", "", why)]
    line_end = "\r\n" if "\r\n" in ours else "\n"
    # A byte order mark and the ends of lines belong to no value and to no comment.
    base, mine, other = (_plain_lines(text) for text in (base, ours, theirs))
    was, our_data, their_data = (_or_empty(parse(text, name)) for text in (base, mine, other))
    clashes: list[Clash] = []
    wanted = _merge_data(name, (), was, our_data, their_data, clashes)
    if clashes:
        return ours, clashes
    sides = _Sides(name, base, mine, other, our_data, their_data, wanted, parse)
    for attempt in (_by_lines, _by_path):
        text = attempt(sides)
        if text is not None:
            return text.replace("\n", line_end), []
    why = "the changes are too close to one another to keep all comments"
    return ours, [Clash(name, (), "", "", "", why)]


def _plain_lines(text: str) -> str:
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    return text if not text or text.endswith("\n") else f"{text}\n"


def _or_empty(data: Any) -> Any:
    return {} if data is None else data


def _merge_data(
    file: str, path: tuple[Any, ...], base: Any, ours: Any, theirs: Any, clashes: list[Clash]
) -> Any:
    """Return the value with both changes; add to the clashes what has none."""
    if _same(ours, theirs) or _same(base, theirs):
        return ours
    if _same(base, ours):
        return theirs
    if not (isinstance(ours, dict) and isinstance(theirs, dict)):
        clashes.append(Clash(file, path, *map(_shown, (base, ours, theirs))))
        return ours
    was = _by_key(base if isinstance(base, dict) else {})
    mine, other = _by_key(ours), _by_key(theirs)
    made: dict[Any, Any] = {}
    for key in [*mine, *(key for key in other if key not in mine)]:
        here, at, there = (each.get(key, _ABSENT) for each in (was, mine, other))
        value = _merge_data(file, (*path, key[1]), here, at, there, clashes)
        if value is not _ABSENT:
            made[key[1]] = value
    return made


def _by_key(data: Mapping[Any, Any]) -> dict[tuple[type, Any], Any]:
    """Return the values by key and its type: 1 and true are two keys, unlike in Python."""
    return {(type(key), key): value for key, value in data.items()}


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, _Absent) or isinstance(other, _Absent):
        return one is other
    return same_json(one, other)


def _shown(value: Any) -> Any:
    return NOT_THERE if isinstance(value, _Absent) else value


@dataclass(frozen=True, slots=True)
class _Sides:
    """A file's three texts, and the data that the result has to have."""

    name: str
    base: str
    ours: str
    theirs: str
    our_data: Any
    their_data: Any
    wanted: Any
    parse: Parse

    def accepted(self, text: str) -> str | None:
        """Return a text if it reads as wanted and has all comments, none twice; None otherwise."""
        try:
            data = self.parse(text, self.name)
        except Exception:  # noqa: BLE001 - a text that cannot be read is no result
            return None
        if not _same(_or_empty(data), self.wanted):
            return None
        texts = (self.ours, self.theirs, self.base, text)
        ours, theirs, base, made = (Counter(_COMMENT.findall(each)) for each in texts)
        for each in {*ours, *theirs, *base, *made}:
            due = max(0, ours[each] + theirs[each] - base[each])
            # What both have added in the same words may stand there once.
            least = min(due, max(ours[each], theirs[each]))
            if not least <= made[each] <= due:
                return None
        return text


def _by_lines(sides: _Sides) -> str | None:
    """Put both changes into the lines of the base; None where they meet."""
    base, ours, theirs = (
        text.splitlines(keepends=True) for text in (sides.base, sides.ours, sides.theirs)
    )
    if max(map(len, (base, ours, theirs))) > MAX_LINES:
        return None
    made: list[str] = []
    at = 0
    last: _Hunk | None = None
    for hunk in sorted([*_hunks(base, ours), *_hunks(base, theirs)], key=lambda each: each[:2]):
        begin, end, lines = hunk
        if hunk == last:
            continue  # both have done the same
        if begin < at:
            return None
        made += [*base[at:begin], *lines]
        at, last = end, hunk
    return sides.accepted("".join([*made, *base[at:]]))


_Hunk = tuple[int, int, list[str]]
"""The first line of the base that is replaced, the line after the last, and what by."""


def _hunks(base: Sequence[str], other: Sequence[str]) -> list[_Hunk]:
    changes = SequenceMatcher(None, base, other).get_opcodes()
    return [(a, b, list(other[c:d])) for tag, a, b, c, d in changes if tag != "equal"]


def _by_path(sides: _Sides) -> str | None:
    """Put their changes into our tree, and write that down; None where it does not hold."""
    try:
        ours, theirs = _tree(sides.ours), _tree(sides.theirs)
        texts = _Comments(sides.theirs, frozenset(map(str.strip, _COMMENT.findall(sides.base))))
        _take_over(ours, theirs, sides.our_data, sides.their_data, sides.wanted, texts)
        out = io.StringIO()
        _round_trip(sides.ours).dump(ours, out)
    except Exception:  # noqa: BLE001 - whatever this library cannot do is left to the admins
        return None
    return sides.accepted(out.getvalue())


class _WithNull(RoundTripRepresenter):
    """Writes null as the word: nobody reads an empty place as one."""


_WithNull.add_representer(
    type(None), lambda writer, _: writer.represent_scalar("tag:yaml.org,2002:null", "null")
)


def _round_trip(like: str) -> YAML:
    """Return a reader and writer that keeps comments and quotes, and indents lists as a text."""
    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.Representer = _WithNull
    found = _LIST_BELOW_KEY.search(like)
    offset = len(found[2]) - len(found[1]) if found else 2
    yaml.indent(mapping=2, sequence=offset + 2, offset=offset)
    return yaml


def _tree(text: str) -> Any:
    return _round_trip(text).load(text)


def _take_over(
    ours: CommentedMap,
    theirs: CommentedMap,
    our_data: Mapping[Any, Any],
    their_data: Mapping[Any, Any],
    wanted: Mapping[Any, Any],
    comments: _Comments,
) -> None:
    """Bring our tree to what is wanted, with nodes and comments of theirs."""
    # A tree's keys may be of other types than the data's; they stand in the same order.
    before, after, goal = _by_key(our_data), _by_key(their_data), _by_key(wanted)
    mine = dict(zip(before, list(ours), strict=True))
    others = dict(zip(after, list(theirs), strict=True))
    for key in mine.keys() - goal.keys():
        del ours[mine[key]]
    for key, value in goal.items():
        now, taken = before.get(key, _ABSENT), after.get(key, _ABSENT)
        if _same(now, value):
            continue
        node = others[key]
        if isinstance(now, dict) and isinstance(taken, dict) and isinstance(value, dict):
            _take_over(ours[mine[key]], theirs[node], now, taken, value, comments)
            if node in theirs.ca.items:
                ours.ca.items.setdefault(mine[key], theirs.ca.items[node])
            continue
        at = mine.get(key, node)
        ours[at] = theirs[node]
        if key in mine:
            comments.join(ours, at, theirs, node)
            continue
        comments.end_with(theirs, node)
        if (comment := theirs.ca.items.get(node)) is not None:
            ours.ca.items[at] = comment
        if above := comments.above(theirs, node):
            column = theirs.lc.key(node)[1]
            ours.yaml_set_comment_before_after_key(node, before=above, indent=column)


_BESIDE: Final = 2
"""Where the library keeps the comment behind a value, and with it all lines down to the next."""


@dataclass(frozen=True, slots=True)
class _Comments:
    """Their comments, and which of them are not theirs alone, for the base has them."""

    text: str
    known: frozenset[str]

    def above(self, node: CommentedMap, key: Any) -> str:
        """Return the lines of comment right above a row of theirs that are new."""
        lines = self.text.splitlines()
        at: int = node.lc.key(key)[0]
        found: list[str] = []
        while at > 0 and (line := lines[at - 1].strip()).startswith("#"):
            if line not in self.known:
                found.insert(0, line.removeprefix("#").removeprefix(" "))
            at -= 1
        return "\n".join(found)

    def join(self, ours: CommentedMap, at: Any, theirs: CommentedMap, node: Any) -> None:
        """Give a row of ours the comment beside theirs, if they changed it; ours stays below."""
        taken, mine = _behind(theirs, node), _behind(ours, at)
        if taken is None:
            return
        if mine is None:
            ours.ca.items[at] = theirs.ca.items[node]
            return
        beside, _below = _split(taken.value)
        our_beside, our_below = _split(mine.value)
        new = beside.strip() and beside.strip() not in self.known
        mine.value = (beside if new else our_beside) + our_below

    def end_with(self, theirs: CommentedMap, node: Any) -> None:
        """Take from the end of a new row of theirs the lines that belong to what comes after it."""
        around, key = theirs, node
        while isinstance(around[key], CommentedMap | CommentedSeq) and around[key]:
            around = around[key]
            key = list(around)[-1] if isinstance(around, CommentedMap) else len(around) - 1
        token = _behind(around, key)
        if token is not None:
            beside, below = _split(token.value)
            kept = [line for line in below.splitlines(True) if line.strip() not in self.known]
            token.value = beside + "".join(kept)


def _behind(node: CommentedMap | CommentedSeq, key: Any) -> Any:
    """Return the comment behind a value; None: there is none."""
    comment = node.ca.items.get(key)
    if comment is None:
        return None
    place = _BESIDE if isinstance(node, CommentedMap) else 0
    return comment[place] if len(comment) > place else None


def _split(comment: str) -> tuple[str, str]:
    """Return what stands beside a value, with its line's end, and the lines below that."""
    beside, end, below = comment.partition("\n")
    return beside + end, below
