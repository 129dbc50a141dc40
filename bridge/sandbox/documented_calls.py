"""The table of the calls that a vendor documents, and what it finds in a request that is not there.

Each vendor has its table in a file of its own, `<system>_calls.py`, written from the vendor's pages
alone and never from what a connector sends: a sandbox that takes whatever our connectors send
proves nothing. A row is a call: its query parameters, the fields of its body, their values and the
answers. Whatever is marked says by whom (`Source`), and where deployments differ, which option of
the sandbox plays it.

What a request has beyond the table is *undocumented*. It is always journalled. The vendor refuses
it or takes no notice, as the option `strict` says, or the option that the table names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from bridge.sandbox.exchange import Problem, ReceivedCall

STRICT: Final = "strict"
"""The option that says what becomes of anything undocumented: REFUSE or IGNORE.

An option of the vendor's that names one thing has these values as well; True: it is taken.
"""
REFUSE: Final = "refuse"
IGNORE: Final = "ignore"
MAX_DIGITS: Final = 18


class Source(StrEnum):
    """Who says that a call, a parameter or a value is there."""

    PAGE = "the vendor's page on its API"
    LATER = "a later document of the vendor's"
    CODE = "the vendor's source"
    NOBODY = "nobody"
    """Undocumented in any case; some deployments take it all the same."""


@dataclass(frozen=True, slots=True)
class Value:
    """What may be sent as a parameter, or as a field of a body."""

    words: str
    fits: Callable[[Any], bool] = field(repr=False)
    """Of a JSON value. What a query says of numbers and truth is read as such first."""
    source: Source = Source.PAGE
    option: str = ""
    """The option that says whether a deployment has it; empty: each has."""

    def __or__(self, other: Value) -> Value:
        """Return the values of both."""
        return Value(
            f"{self.words} or {other.words}", lambda given: self.fits(given) or other.fits(given)
        )


UNKNOWN: Final = Value("unknown", lambda _: True, Source.NOBODY)
"""What no table has."""
Values = Value | tuple[Value, ...]
"""Several, where the sources or options of values differ; the first that fits counts."""


def later(value: Value, option: str = "") -> Value:
    """Return a value of which only a later document tells."""
    return replace(value, source=Source.LATER, option=option)


def found(value: Value, option: str = "") -> Value:
    """Return a value that was found in the vendor's source."""
    return replace(value, source=Source.CODE, option=option)


def perhaps(value: Value, option: str) -> Value:
    """Return a value of which nobody tells: the option says what becomes of it."""
    return replace(value, source=Source.NOBODY, option=option)


def whole(least: int = 0, most: int | None = None) -> Value:
    """Return a whole number within bounds."""

    def fits(given: Any) -> bool:
        number = isinstance(given, int) and not isinstance(given, bool)
        return number and least <= given and (most is None or given <= most)

    return Value(f"integer from {least}" + (f" to {most}" if most is not None else ""), fits)


def one_of(*allowed: str) -> Value:
    """Return one of some words."""
    return Value(", ".join(allowed), lambda given: given in allowed)


def list_of(value: Value) -> Value:
    """Return a list; in a query, a parameter that is repeated."""

    def fits(given: Any) -> bool:
        return isinstance(given, list) and all(value.fits(element) for element in given)

    return Value(f"list of {value.words}", fits)


def commas(value: Value) -> Value:
    """Return values with commas between them."""

    def fits(given: Any) -> bool:
        return isinstance(given, str) and all(value.fits(part) for part in given.split(","))

    return Value(f"{value.words}, comma-separated", fits)


def matching(words: str, pattern: str) -> Value:
    """Return text of a form."""
    form = re.compile(pattern)
    return Value(words, lambda given: isinstance(given, str) and form.fullmatch(given) is not None)


def fields(**known: Value) -> Value:
    """Return an object that has these fields at most."""

    def fits(given: Any) -> bool:
        return isinstance(given, dict) and all(
            name in known and known[name].fits(value) for name, value in given.items()
        )

    words = ", ".join(f"{name}: {value.words}" for name, value in known.items())
    return Value(f"{{{words}}}", fits)


def _is_moment(given: Any) -> bool:
    try:
        return isinstance(given, str) and bool(datetime.fromisoformat(given))
    except ValueError:
        return False


text: Final = Value("string", lambda given: isinstance(given, str))
flag: Final = Value("boolean", lambda given: isinstance(given, bool))
moment: Final = Value("ISO timestamp", _is_moment)
nothing: Final = Value("null", lambda given: given is None)
anything: Final = Value("object", lambda given: isinstance(given, dict))
uuid: Final = matching("UUID", r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
uuid4: Final = matching(
    "UUID v4", r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
)


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer that is documented."""

    place: str = ""
    """Where the record is: `data`, `data[]` (a list under that name), `[]`, or empty: the body."""
    shows: tuple[str, ...] = ()
    """The record's fields; empty: there is no body, or nobody has described it."""


@dataclass(frozen=True, slots=True, eq=False)
class DocumentedCall:
    """A row of the table."""

    method: str
    path: str
    """Below the sandbox's PREFIX, in werkzeug's spelling."""
    does: str
    """The sandbox's method that answers. The parts of the path are its arguments."""
    query: Mapping[str, Values] = field(default_factory=dict)
    body: Mapping[str, Values] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    """Parameters or fields that may not be left out."""
    answers: Mapping[int, Shown] = field(default_factory=dict)
    source: Source = Source.PAGE
    option: str = ""
    """The option that says whether a deployment has this call, and how it refuses it if not."""

    @property
    def name(self) -> str:
        """Return how journals and probes name the call."""
        return f"{self.method} {self.path}"


@dataclass(slots=True)
class CallReading:
    """What the table makes of one request."""

    call: DocumentedCall | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    undocumented: list[str] = field(default_factory=list)
    """`PATCH /tickets/<ticket_id>: tags`, and the like."""
    hidden: set[str] = field(default_factory=set)
    """Parameters and fields of which the vendor takes no notice."""
    refusal: Problem | HTTPException | None = None

    def note(self, part: str) -> None:
        """Note that a part of the call is undocumented."""
        assert self.call is not None  # noqa: S101 - of an unknown call there are no parts
        self.undocumented.append(f"{self.call.name}: {part}")


class CallTable:
    """The documented calls of one vendor."""

    def __init__(self, calls: Sequence[DocumentedCall]) -> None:
        self.calls = tuple(calls)
        self._maps: dict[str, Map] = {}

    def read(self, request: ReceivedCall, prefix: str, options: Mapping[str, Any]) -> CallReading:
        """Look a request up. Never raises: a refusal is for whoever admits calls to speak."""
        reading = CallReading()
        environ = request.request.environ
        try:
            row, reading.arguments = self._map(prefix).bind_to_environ(environ).match()
        except HTTPException as unknown:
            path = request.request.path.removeprefix(prefix).rstrip("/")
            reading.undocumented.append(f"{request.request.method} {path}")
            reading.refusal = unknown
            return reading
        reading.call = row
        if row.source is Source.NOBODY or not _has(options, row.option):
            reading.undocumented.append(row.name)
        missing = set(row.required)
        for name, readings in _queried(request):
            missing.discard(name)
            _look_up(reading, name, row.query.get(name), readings, options)
        for name, value in _fields_of(request):
            missing.discard(name)
            _look_up(reading, name, row.body.get(name), (value,), options)
        for name in sorted(missing):
            reading.note(f"without {name}")
        return reading

    def _map(self, prefix: str) -> Map:
        if prefix not in self._maps:
            self._maps[prefix] = Map(
                [Rule(prefix + row.path, endpoint=row, methods=[row.method]) for row in self.calls],
                strict_slashes=False,
            )
        return self._maps[prefix]


def _queried(request: ReceivedCall) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield each parameter with all that its text may stand for."""
    for name, given in request.request.args.items(multi=True):
        if given in {"true", "false"}:
            yield name, (given, given == "true")
        elif given.isascii() and given.isdigit() and len(given) <= MAX_DIGITS:
            yield name, (given, int(given))
        else:
            yield name, (given,)


def _fields_of(request: ReceivedCall) -> Iterator[tuple[str, Any]]:
    try:
        yield from request.body().items()
    except ValueError:
        return  # whoever answers the call refuses the body


def _look_up(
    reading: CallReading,
    name: str,
    values: Values | None,
    given: tuple[Any, ...],
    options: Mapping[str, Any],
) -> None:
    """Note what is undocumented about one parameter or field, and what becomes of it."""
    known = (values,) if isinstance(values, Value) else values or (UNKNOWN,)
    value = next((one for one in known if any(map(one.fits, given))), None)
    if value is None:
        # What becomes of a wrong value differs with each parameter: whoever answers knows.
        reading.note(f"{name}=null" if given == (None,) else f"value of {name}")
        return
    if value.source is Source.NOBODY or not _has(options, value.option):
        # Of a field with several values it matters which.
        reading.note(f"{name}={value.words}" if isinstance(values, tuple) else name)
    fate = _fate(value, options, several=isinstance(values, tuple))
    if fate == IGNORE:
        reading.hidden.add(name)
    elif fate == REFUSE and reading.refusal is None:
        reading.refusal = Problem(400, "BAD_REQUEST", f"{name} is not supported", name)


def _fate(value: Value, options: Mapping[str, Any], *, several: bool) -> Any:
    """Return what becomes of a value: IGNORE, REFUSE, or anything else where it is taken."""
    if several and value.source is not Source.NOBODY:
        return True  # the field is there; whoever answers knows which of its values are
    taken = options[value.option] if value.option else value is not UNKNOWN
    return taken or options[STRICT]


def _has(options: Mapping[str, Any], option: str) -> bool:
    """Return whether a deployment has what an option is about."""
    return not option or options[option] not in (False, REFUSE, IGNORE)
