from __future__ import annotations

import re
from datetime import time, timedelta
from pathlib import Path

import pytest
import trustme

from bridge.config import SandboxAccount, check, load
from bridge.connectors import CONNECTORS as REAL
from bridge.connectors import connector_class
from bridge.core.model.capabilities import Support
from bridge.core.model.syncs import FieldPolicy, Guard, MatchTerm, Rate, Secret
from bridge.core.model.values import NotCarried, Unreadable
from bridge.errors import ConfigError
from tests.settings.builders import (
    AGENTS,
    BRIDGE,
    CONNECTORS,
    DESK,
    ENVIRON,
    KEY,
    SANDBOX,
    SYNCS,
    home,
    loaded,
    problems,
)

SHIPPED = Path(__file__).resolve().parents[2]
CLASSES = {system: connector_class(system) for system in REAL}
ACCOUNTS = {
    "switch": SandboxAccount("http://127.0.0.1:1/api/v1", {"api_key": "a"}, KEY),
    "posthog": SandboxAccount("http://127.0.0.1:2", {"api_key": "b"}, KEY, {"project_id": "7"}),
    "zaia": SandboxAccount("http://127.0.0.1:3", {"api_key": "c"}, KEY, {"service_user": "4f0c"}),
    "scopeai": SandboxAccount("http://127.0.0.1:4/v1", {"api_key": "d"}, KEY),
    "upscope": SandboxAccount("http://127.0.0.1:5/v1.1", {"api_key": "e"}, KEY),
}


def test_a_private_authority_and_a_proxy_are_read_and_a_sandbox_needs_neither(tmp_path):
    pem = trustme.CA().cert_pem.bytes().decode()
    more = {
        "ca": "    ca: ${file:company.pem}\n",
        "proxy": "    proxy: http://clerk:${PROXY}@proxy.example:3128\n",
    }
    text = BRIDGE.replace("    team: blue\n", "    team: blue\n" + "".join(more.values()))
    (tmp_path / "company.pem").write_text(pem)
    environ = {**ENVIRON, "PROXY": "pr0xy%2Fpass"}
    found = loaded(tmp_path, environ=environ, bridge=text).connections["one"]
    assert found.authorities == pem.strip()
    assert found.proxy.address == Secret("http://clerk:pr0xy%2Fpass@proxy.example:3128")
    assert Secret("pr0xy/pass") in found.secrets
    assert "pr0xy" not in repr(found)
    boxed = loaded(tmp_path, sandbox=SANDBOX, bridge=text).connections["one"]
    assert (boxed.authorities, boxed.proxy) == ("", None)


# --- what a good home gives
# ----------------------------------------------------------------------------------------


def test_the_shipped_home_loads_with_the_sandbox_and_no_environment():
    config = load(SHIPPED, environ={}, sandbox=ACCOUNTS, connectors=CLASSES)
    assert sorted(config.connections) == ["desk", "feedback", "helpdesk", "product", "screens"]
    assert config.connections["helpdesk"].base_url == "http://127.0.0.1:1/api/v1"
    assert config.connections["product"].credentials == {"api_key": Secret("b")}
    assert config.connections["product"].options == {"project_id": "7"}
    assert config.warnings == ()


def test_the_shipped_mappings_hold_what_they_promise():
    assert check(SHIPPED, environ={}, sandbox=ACCOUNTS, connectors=CLASSES) == []


def test_the_shipped_home_names_every_variable_that_it_needs():
    with pytest.raises(ConfigError) as caught:
        load(SHIPPED, environ={}, connectors=CLASSES)
    assert re.findall(r"\w+ is not set", "\n".join(caught.value.problems)) == [
        "HELPDESK_API_KEY is not set",
        "HELPDESK_WEBHOOK_SECRET is not set",
        "PRODUCT_PROJECT_ID is not set",
        "PRODUCT_API_KEY is not set",
        "PRODUCT_WEBHOOK_SECRET is not set",
        "DESK_API_KEY is not set",
        "DESK_SERVICE_USER is not set",
        "FEEDBACK_API_KEY is not set",
        "SCREENS_API_KEY is not set",
    ]


def test_lossy_statuses_of_the_shipped_mappings():
    maps = load(SHIPPED, environ={}, sandbox=ACCOUNTS, connectors=CLASSES).maps
    switch, posthog = (maps[name]["ticket"].fields["status"] for name in ("helpdesk", "product"))
    assert (switch.read("in_progress"), switch.write("open"), switch.write("on_hold")) == (
        "open",
        "open",
        "pending",
    )
    assert (posthog.write("closed"), posthog.read("resolved")) == ("resolved", "resolved")
    assert isinstance(posthog.read("archived"), Unreadable)


def test_shipped_agents_are_those_of_all_connections_with_agents():
    maps = load(SHIPPED, environ={}, sandbox=ACCOUNTS, connectors=CLASSES).maps
    switch, posthog, zaia = (
        maps[name]["ticket"].fields["assignee"] for name in ("helpdesk", "product", "desk")
    )
    assert zaia.write(switch.read("usr_2")).endswith("2")
    assert posthog.write(switch.read("usr_2")) == "user:12"
    assert isinstance(posthog.read("role:0b"), Unreadable)
    assert switch.write("who@x.io") == NotCarried(
        "who@x.io has no name here; add it to agents.yaml"
    )


def test_a_home_with_every_default(tmp_path):
    config = loaded(tmp_path)
    assert config.settings.database == f"sqlite:///{tmp_path}/var/bridge.db"
    assert (config.settings.redis, config.settings.http_timeout) == ("embedded", 10.0)
    assert (config.settings.body_limit, config.settings.keep_history) == (
        1 << 20,
        timedelta(days=730),
    )
    one = config.connections["one"]
    assert (one.poll, one.full, one.timeout, one.mapping) == (
        timedelta(minutes=5),
        time(3, 30),
        10.0,
        "desk",
    )
    assert (one.webhook.scheme, one.webhook.header, one.webhook.id) == (
        "hmac-sha256",
        "X-Sig",
        "ticket",
    )
    assert config.connections["two"].webhook is None
    sync = config.syncs["both"]
    assert sync.members["one"].create is Support.YES
    assert sync.members["two"].create is Support.NO
    assert sync.precedence == ("one", "two")
    assert sync.policies["status"] == FieldPolicy()
    assert sync.policies["tags"] == FieldPolicy("merge", on_link="union")
    assert config.maps["one"]["ticket"].fields["assignee"].read("u1") == "mary@example.com"


def test_everything_that_can_be_said(tmp_path):
    bridge = BRIDGE.replace("    team: blue\n", """\
    options: {team: green}
    rate_limit: [5/second, 100/hour]
    concurrency: 2
    timeout: 20
    poll: null
    full: "23:59"
    keep_bodies: true
""") + """\
database: postgresql://u:p@h/db
redis: rediss://h/1
http_timeout: 7
body_limit: 2048
keep_history: 30
"""  # fmt: skip
    syncs = """\
both:
  entity: ticket
  members:
    one: {create: when-supported, only: "bot != `true`", allow_delete: true}
    two: {create: when-supported}
  match: [[customer, subject], [customer, created_at ± 2m]]
  on_link: {"*": two, status: manual}
  precedence: [two]
  fields:
    "*": manual
    status: {owner: one, revert: false, to: [two]}
    subject: first
  leave_scope: keep
  delete: close
  guard: {destructive: 12.5%, min: 3, flips: 4, flip_window: 1h}
"""
    config = loaded(tmp_path, bridge=bridge, syncs=syncs)
    settings_ = config.settings
    assert settings_.database == "postgresql+psycopg://u:p@h/db"
    assert (settings_.redis, settings_.http_timeout) == ("rediss://h/1", 7.0)
    assert settings_.keep_history == timedelta(days=30)
    one, two = config.connections["one"], config.connections["two"]
    assert one.rates == (Rate(5, 1.0), Rate(100, 3600.0))
    assert (one.concurrency, one.timeout, one.poll, one.full) == (2, 20.0, None, time(23, 59))
    assert (two.timeout, one.keep_bodies, one.options) == (7.0, True, {"team": "green"})
    sync = config.syncs["both"]
    assert sync.match == (
        (MatchTerm("customer"), MatchTerm("subject")),
        (MatchTerm("customer"), MatchTerm("created_at", timedelta(minutes=2))),
    )
    assert sync.policies["status"] == FieldPolicy(
        "owner", "one", revert=False, to=("two",), on_link="manual"
    )
    assert sync.policies["subject"] == FieldPolicy("first", on_link="two")
    assert sync.policies["priority"] == FieldPolicy("manual", on_link="two")
    assert sync.guard == Guard(0.125, 3, 4, timedelta(hours=1))
    assert (sync.precedence, sync.leave_scope, sync.delete) == (("two", "one"), "keep", "close")
    member = sync.members["one"]
    assert (member.create, sync.members["two"].create, member.allow_delete) == (
        Support.YES,
        Support.NO,
        True,
    )
    assert [member.only({"bot": bot}) for bot in (True, False)] == [False, True]


def test_a_predicate_that_cannot_be_evaluated_is_no_yes(tmp_path):
    syncs = SYNCS.replace("{create: true}", '{only: "length(bot) > `1`"}')
    assert loaded(tmp_path, syncs=syncs).syncs["both"].members["one"].only({"bot": 5}) is False


def test_the_sandbox_replaces_addresses_and_secrets_of_its_systems_alone(tmp_path):
    config = loaded(tmp_path, {}, SANDBOX)
    one = config.connections["one"]
    assert (one.base_url, one.credentials["api_key"].reveal()) == ("http://127.0.0.1:1/d", "box")
    assert (one.webhook.secrets, one.webhook.header, one.options) == (
        (Secret("s-box"),),
        "X-Sig",
        {"team": "red"},
    )
    assert config.connections["two"].base_url == "https://two.example"


def test_references(tmp_path):
    (tmp_path / "secret").write_text("from a file\n")
    bridge = BRIDGE.replace("${KEY}", "${file:secret}").replace(
        "abc", '"${NONE:-a:b}$$x${EMPTY:-}"'
    )
    config = loaded(tmp_path, {"SECRET": "true", "EMPTY": ""}, bridge=bridge)
    assert config.connections["one"].credentials["api_key"].reveal() == "from a file"
    assert config.connections["one"].webhook.secrets[0].reveal() == "true"
    assert config.connections["two"].credentials["api_key"].reveal() == "a:b$x"


def test_an_expression_that_costs_too_much_is_named_with_its_line(tmp_path):
    doubling = "|".join(["[owner,owner][]", *["[@,@][]"] * 40])
    desk = DESK.replace("path: owner", f"read: '{doubling}'")
    syncs = SYNCS.replace("two: {}", f"two: {{only: '{doubling}'}}")
    assert problems(tmp_path, desk=desk)[0].startswith(
        "mappings/desk.yaml:11: ticket.fields.assignee.read: is too costly: it takes more than "
    )
    assert any(
        line.startswith("mappings/syncs.yaml:5: both.members.two.only: is too costly: ")
        for line in problems(tmp_path, syncs=syncs)
    )


def test_references_are_for_the_deployment_alone(tmp_path):
    assert problems(tmp_path, desk=DESK.replace("path: owner", 'path: "${KEY}"')) == [
        (
            "mappings/desk.yaml:11: ticket.fields.assignee.path: is '${KEY}'; allowed a plain "
            "path such as status or custom_fields.team (use read for an expression)"
        )
    ]


def test_secrets_that_are_written_out_are_warned_of_with_the_way_out(tmp_path):
    bridge = BRIDGE + (
        "  three:\n    system: desk\n    base_url: 'https://x.io'\n    team: red\n"
        "    credentials: {api_key: '${file:key}'}\n"
        "    webhook: {secrets: [whsec-literal, '${SECRET}']}\n"
    )
    (tmp_path / "key").write_text("from-a-file")
    warnings = [line for line in loaded(tmp_path, bridge=bridge).warnings if "written out" in line]
    assert not any("literal" in line for line in warnings)
    places = [line.partition(": a secret is written out here")[0] for line in warnings]
    assert "connections.three.webhook.secrets[0]" in places[-1]
    assert places[-1].startswith("config/bridge.yaml:")
    assert "write ${THREE_WEBHOOK_SECRET}, or into a file and write ${file:PATH}" in warnings[-1]
    assert not any("secrets[1]" in place or "three.credentials" in place for place in places)


def test_each_credential_that_is_written_out_has_its_line(tmp_path):
    warnings = [line for line in loaded(tmp_path).warnings if ".credentials" in line]
    assert BRIDGE.count("{api_key: abc}") == len(warnings) == 1
    assert warnings[0].partition(": a secret")[0] == (
        "config/bridge.yaml:11: connections.two.credentials.api_key"
    )
    assert "${TWO_API_KEY}" in warnings[0]
    assert "abc" not in warnings[0]


def test_a_proxys_password_is_warned_of(tmp_path):
    bridge = BRIDGE + "    proxy: http://user:literal@proxy:3128\n"
    (warning,) = [line for line in loaded(tmp_path, bridge=bridge).warnings if "two.proxy" in line]
    assert warning.startswith("config/bridge.yaml:12: connections.two.proxy: a secret is written")
    assert "${TWO_PROXY}" in warning
    assert "literal" not in warning


def test_a_database_address_with_a_password_is_warned_of(tmp_path):
    bridge = "database: postgresql://bridge:literal@db/bridge\n" + BRIDGE
    warnings = loaded(tmp_path, bridge=bridge).warnings
    assert any(
        line.startswith("config/bridge.yaml:1: database: a secret is written out here")
        and "${BRIDGE_DATABASE_URL}" in line
        and "literal" not in line
        for line in warnings
    )


def test_warnings(tmp_path):
    bridge = BRIDGE.replace("https://two.example", "http://two.example") + "    poll: null\n"
    bridge = bridge.replace("{api_key: abc}", "{api_key: '${KEY}'}")
    bridge += "  three: {system: desk, base_url: 'https://x.io', team: red,\n"
    bridge += "          credentials: {api_key: '${KEY}'}}\n"
    assert loaded(tmp_path, bridge=bridge).warnings == (
        (
            "config/bridge.yaml:8: connections.two: has neither a webhook nor a poll; changes show "
            "once a day"
        ),
        (
            "config/bridge.yaml:10: connections.two.base_url: http sends the credentials in clear "
            "text; use https "
            "unless the way is private"
        ),
        "config/bridge.yaml:13: connections.three: is in no sync of mappings/syncs.yaml",
    )


def test_nothing_shows_a_secret(tmp_path):
    bridge = BRIDGE + "database: postgresql://u:hunter2@h/db\nredis: redis://:hunter2@h\n"
    config = loaded(tmp_path, {"KEY": "hunter2", "SECRET": "hunter2"}, bridge=bridge)
    assert "hunter2" not in repr(config)
    assert "hunter2" not in repr(SandboxAccount("http://x", {"api_key": "hunter2"}, "hunter2"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{api_key: abc}", "hunter2"),
        ("{api_key: abc}", "{api_key: [hunter2]}"),
        ('["${SECRET}"]', "hunter2"),
        ('["${SECRET}"]', "[{a: hunter2}]"),
        ("connections:", "database: mysql://u:hunter2@h\nconnections:"),
        ("connections:", "redis: http://hunter2\nconnections:"),
        ("https://two.example", "https://u:hunter2@two.example"),
        ("${SECRET}", "${hunter2!}"),
        ("{secrets", "{scheme: standard-webhooks, secrets"),
    ],
)
def test_no_problem_shows_a_secret(tmp_path, old, new):
    found = problems(tmp_path, {"KEY": "k", "SECRET": "hunter2"}, bridge=BRIDGE.replace(old, new))
    assert "hunter2" not in "\n".join(found)


def test_a_webhook_signed_in_another_way_still_knows_where_the_hint_stands(tmp_path):
    bridge = BRIDGE.replace(
        "{secrets", "{scheme: static-header, header: X-Key, tolerance: 1m, secrets"
    )
    webhook = loaded(tmp_path, bridge=bridge).connections["one"].webhook
    assert (webhook.scheme, webhook.header, webhook.event, webhook.id) == (
        "static-header",
        "X-Key",
        "kind",
        "ticket",
    )
    assert webhook.tolerance == timedelta(minutes=1)


def test_somebody_outside_the_directory_may_be_somebody(tmp_path):
    config = loaded(tmp_path, agents=AGENTS + "unmapped: {assign: mary@example.com}\n")
    assignee = config.maps["one"]["ticket"].fields["assignee"]
    assert (assignee.read("u9"), assignee.write("who@x.io")) == ("mary@example.com", "u1")


def test_a_home_without_agents_knows_nobody(tmp_path):
    (home(tmp_path) / "mappings" / "agents.yaml").unlink()
    config = load(tmp_path, environ=ENVIRON, connectors=CONNECTORS)
    assert isinstance(config.maps["one"]["ticket"].fields["assignee"].read("u1"), Unreadable)
