"""No text makes a pattern of ours slow: each is fed what patterns choke on, in a process apart.

Every pattern in `bridge/` is found in the source, and tried in the ways in which it is used. Texts
are so long that a pattern which goes over them once for each of their letters would not be done for
minutes; the child that tries is then ended, and says which pattern it was at.
"""

from __future__ import annotations

import ast
import itertools
import re
import resource
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS_ALONE = {"sandbox", "simulate", "supervisor", "verify"}
"""Rooms that no vendor's text reaches."""
LENGTH = 40_000
HANGS = 90
"""Seconds of CPU after which a child is ended that is still at the same; most takes far below one.
A pattern that goes over a text once for each of its letters would take that for a few texts."""
METHODS = ("search", "match", "fullmatch", "sub", "findall", "finditer", "split")
UNITS = (
    "a",
    "0",
    "-",
    " ",
    "a-",
    "a_",
    "a.",
    "a@",
    "@",
    "a@a.",
    ";a",
    ";",
    "=",
    "{",
    "<",
    "\\",
    "\\u002",
    "%2",
    "%25",
    "&a",
    "&#0",
    "://a:",
)
PREFIXES = (
    "",
    "token",
    "secret",
    "api_key=",
    "://a:",
    '"error":"',
    "<a>;a=",
    "application/",
    "a@a",
    ": {",
)


def patterns_of(path):
    """Yield each call of `re` in a file that names a pattern."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        of = node.func.value
        if not (isinstance(of, ast.Name) and of.id == "re"):
            continue
        if node.func.attr == "compile" or node.func.attr in METHODS:
            yield node


def named(path):
    names = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            for call in ast.walk(node.value):
                if isinstance(call, ast.Call):
                    names[call.lineno, call.col_offset] = getattr(target, "id", "")
    return names


def evaluated(node):
    """Return a pattern's text; what is put in at run time is taken as a letter."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.BinOp):
        return evaluated(node.left) + evaluated(node.right)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            evaluated(part) if isinstance(part, ast.Constant) else "x" for part in node.values
        )
    return "x"


def found():
    """Return each pattern with the ways in which it is used: (where, pattern, flags, methods)."""
    sources = {
        path: path.read_text(encoding="utf-8")
        for path in sorted((ROOT / "bridge").rglob("*.py"))
        if path.relative_to(ROOT / "bridge").parts[0] not in OURS_ALONE
    }
    uses = defaultdict(set)
    for name, method in re.findall(
        rf"\b(\w+)\.({'|'.join(METHODS)})\(", "\n".join(sources.values())
    ):
        uses[name].add(method)
    rows = []
    for path in sources:
        names = named(path)
        for node in patterns_of(path):
            used = uses[names.get((node.lineno, node.col_offset), "")]
            if node.func.attr != "compile":
                used = {node.func.attr}
            ignores_case = any("IGNORECASE" in ast.dump(given) for given in node.args[1:])
            where = f"{path.relative_to(ROOT)}:{node.lineno}"
            # A row of patterns, gone through in a loop: taken as used in the way that costs most.
            rows.append((where, evaluated(node.args[0]), ignores_case, sorted(used or {"sub"})))
    return rows


def tried(pattern, methods, length=LENGTH):
    """Apply a pattern to everything that could make it slow."""
    for prefix, unit in itertools.product(PREFIXES, UNITS):
        text = prefix + unit * (length // len(unit)) + "\0"
        for method in methods:
            if method == "sub":
                pattern.sub("", text)
            elif method == "finditer":
                list(pattern.finditer(text))
            else:
                getattr(pattern, method)(text)


def next_one():
    """Give this process so much time for what comes next, and no more."""
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    resource.setrlimit(resource.RLIMIT_CPU, (int(used) + HANGS, resource.RLIM_INFINITY))


def in_a_child(program):
    """Run a program and return the lines that it printed; fail with the last one if it hangs."""
    begin = "from tests.project.test_patterns import next_one\nnext_one()\n"
    child = subprocess.run(
        [sys.executable, "-u", "-c", begin + program],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        check=False,
    )
    said = child.stdout.splitlines()
    assert child.returncode == 0, f"hangs at {said[-1:]}"
    return said


def test_every_pattern_is_linear():
    lines = in_a_child(
        "import re\n"
        "from tests.project.test_patterns import found, tried\n"
        "for where, pattern, ignores_case, methods in found():\n"
        "    print(where, methods, pattern)\n"
        "    next_one()\n"
        "    tried(re.compile(pattern, re.IGNORECASE if ignores_case else 0), methods)\n"
    )
    assert len(lines) > 25, "patterns were not found"


def test_a_pattern_that_is_not_linear_would_be_noticed():
    slow = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
    quick = re.compile(r"(?<![\w.+%-])[\w.+%-]++@[\w-]++(?:\.[\w-]++)++")
    addresses = "mail a.b@c.de, <x+y@z.example.org>; @no, no@no, one@two.three@four.five."
    assert slow.findall(addresses) == quick.findall(addresses)
    program = (
        "import re, resource\n"
        "from tests.project.test_patterns import tried\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (3, 3))\n"
        "tried(re.compile({!r}), ['sub'])\n"
    )
    for pattern, ends in ((quick, 0), (slow, -9)):
        child = subprocess.run(
            [sys.executable, "-c", program.format(pattern.pattern)], cwd=ROOT, check=False
        )
        assert child.returncode in {ends, -24 if ends else 0}


WORST = {
    "a log line": "Scrubber().text({})",
    "a log line where there are secrets": "Scrubber([Secret('a@a@a@a'), Secret('%%25')]).text({})",
    "the beginning of a body": "Scrubber([Secret('abcdefgh')]).beginning({}, 8192)",
    "a webhook's body that is kept": "body.scrub(({}).encode(), Scrubber())",
    "a reason in words": "status.in_words({})",
    "a tag": "TRANSFORMS['tags'].read({})",
    "an e-mail address": "TRANSFORMS['email'].read({})",
    "a time": "parsing.parse_time({})",
    "an HTTP date": "http_date({})",
    "an event's name": "body.clean({})",
}
TEXTS = (
    '"a-" * {n}', '"a_" * {n}', '"token" + " " * {n}', '"secret" + " " * {n}', '"a" * {n}',
    '"a" + " " * {n} + "a"', '"a@" * {n}', '": {{" * {n}', '"\\u0315\\u0300" * {n}', '"9" * {n}',
    '"(" * {n}', '"://a:" * {n}', '"#" * {n}', '"Mon, " * {n}', '": [" * {n}',
    '"%25" * {n}', '"%" + "25" * {n}', '"\\\\" * {n}', '"\\\\u005c" * {n}', '"&amp;" * {n}',
    '"&a" * {n}', '"&#38;" * {n}', '"\\0" * {n}',
)  # fmt: skip


def test_what_is_done_with_a_text_of_a_vendors_is_linear():
    lines = in_a_child(
        "from bridge.connectors import parsing\n"
        "from bridge.core.mapping.transforms import TRANSFORMS\n"
        "from bridge.core.model.syncs import Secret\n"
        "from bridge.http.clock_skew import http_date\n"
        "from bridge.scrubber import Scrubber\n"
        "from bridge.operations import status\n"
        "from bridge.web.receiver import body\n"
        + "".join(
            f"print({name!r}, {text!r})\n{call.format(text.format(n=LENGTH))}\n"
            for name, call in WORST.items()
            for text in TEXTS
        )
    )
    assert len(lines) == len(WORST) * len(TEXTS)


def test_a_body_that_is_long_in_an_odd_way_is_read_or_refused_at_once():
    lines = in_a_child(
        "from bridge.errors import Malformed\n"
        "from bridge.web.receiver import body\n"
        "keys = ','.join(f'\"k{number}\":1' for number in range(80_000))\n"
        "for raw in ('{' + keys + ',' + keys + '}', '{\"a\":' + '9' * 900_000 + '}',\n"
        "            '[' * 500_000, '{\"a\":' * 100_000,\n"
        "            '{\"a\":' + '[' * 900 + ']' * 900 + '}'):\n"
        "    try:\n"
        "        print(len(body.parse(raw.encode())))\n"
        "    except Malformed as error:\n"
        "        print(error)\n"
    )
    assert lines == ["80000", "1", "not JSON", "not JSON", "nested deeper than 64 levels"]
