from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.config import check, load
from tests.settings.builders import (
    AGENTS,
    BRIDGE,
    CONNECTORS,
    DESK,
    ENVIRON,
    LISTING,
    SYNCS,
    checked,
    home,
)

EXAMPLE = """\
  examples:
    - given: {id: 1, title: Hi, state: doing, owner: u9}
      agents: {u9: sam@x.io}
      canonical: {subject: Hi, status: open, assignee: sam@x.io}
      written: {title: Hi, state: doing, owner: u9}
"""


def test_examples_that_hold(tmp_path):
    assert checked(tmp_path, desk=DESK + EXAMPLE) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("status: open", "status: new", ("12: ticket.examples[0].canonical.status: expected "
                                         "'new', the mapping reads "
         "'open'")),
        ("subject: Hi,", "subject: Hi, tags: [],", ("12: ticket.examples[0].canonical.tags: "
                                                    "expected [], the mapping "
         "reads nothing: the record does not show it")),
        ("subject: Hi,", "customer: x,", ("12: ticket.examples[0].canonical.customer: is not "
                                          "mapped; allowed subject, "
         "status, assignee, tags")),
        ("state: doing, owner: u9}\n", "state: odd, owner: u9}\n",
         ("12: ticket.examples[0].canonical.status: expected "
         "'open', the mapping reads nothing: the table `read` of status has no row "
         "for 'odd'; add one")),
        ("{title: Hi, state: doing", "{title: Hi, state: todo",
         ("13: ticket.examples[0].written.state: expected "
         "'todo', the mapping writes 'doing'")),
        ("{title: Hi, state: doing", "{mail: x, state: doing",
         ("13: ticket.examples[0].written.mail: is not what "
         "the mapping writes; allowed owner, state, title")),
        ("agents:", "unreadable: [status]\n      agents:", ("11: ticket.examples[0].unreadable: "
                                                            "expected status to "
         "have no reading, the mapping reads 'open'")),
        ("given", "gven", "10: ticket.examples[0].given: is missing"),
        ("{u9: sam@x.io}", "7", "11: ticket.examples[0].agents: must have rows such as key: value"),
    ],
)  # fmt: skip
def test_examples_that_do_not_hold(tmp_path, old, new, expected):
    found = checked(
        tmp_path, desk=DESK.replace("  version: changed\n", "") + EXAMPLE.replace(old, new, 1)
    )
    line, _, rest = expected.partition(":")
    assert f"mappings/desk.yaml:{int(line) + 3}:{rest}" in found


def test_mappings_that_no_connection_uses_are_checked_too(tmp_path):
    home(tmp_path)
    (tmp_path / "mappings" / "spare.yaml").write_text(DESK.replace("title", "nope") + EXAMPLE)
    found = check(tmp_path, environ=ENVIRON, connectors=CONNECTORS)
    assert found
    assert {problem.partition(":")[0] for problem in found} == {"mappings/spare.yaml"}
    load(tmp_path, environ=ENVIRON, connectors=CONNECTORS)


# --- anything else
# -------------------------------------------------------------------------------------------------

SCALAR = st.sampled_from(
    ["a", "1", "~", "true", "${KEY}", "'x y'", "5m", "10/second", "open", "latest", "one", "±", "*"]
)
TREE = st.recursive(
    SCALAR,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(
            st.sampled_from(["path", "read", "one", "fields", "a", "~", "1"]), inner, max_size=3
        ).map(lambda row: "{" + ", ".join(f"{key}: {value}" for key, value in row.items()) + "}")
    ),
    max_leaves=5,
)
FILES = {
    "bridge": BRIDGE,
    "desk": DESK + EXAMPLE,
    "listing": LISTING,
    "syncs": SYNCS,
    "agents": AGENTS,
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_the_loader_says_why_or_loads(tmp_path, data):
    """Some value of some file becomes something else: there is an answer, and it is not a crash."""
    file = data.draw(st.sampled_from(sorted(FILES)))
    lines = FILES[file].splitlines()
    number = data.draw(st.integers(0, len(lines) - 1))
    key, colon, _rest = lines[number].partition(":")
    lines[number] = f"{key}{colon} {data.draw(TREE)}" if colon else data.draw(st.text(max_size=10))
    text = data.draw(st.sampled_from(["\n".join(lines), data.draw(TREE)]))
    for found in checked(tmp_path, **{file: text.encode("utf-8", "surrogatepass")}):
        assert found.split(":")[1].isdigit()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(sorted(FILES)), st.binary(max_size=60))
def test_the_loader_survives_any_bytes(tmp_path, file, raw):
    for found in checked(tmp_path, **{file: raw}):
        assert found.split(":")[1].isdigit()
