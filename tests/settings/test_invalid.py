from __future__ import annotations

import pytest

from bridge.config import load
from bridge.errors import ConfigError
from tests.settings.builders import (
    AGENTS,
    BRIDGE,
    CONNECTORS,
    DESK,
    LISTING,
    SYNCS,
    problems,
)

FIELDS = (
    "subject, description, status, priority, assignee, tags, customer, created_at, "
    "ai_resolved, escalation_reason"
)
CONNECTION_KEYS = (
    "base_url, ca, calls, concurrency, credentials, full, keep_bodies, mapping, options, poll, "
    "proxy, rate_limit, same_account_as, system, ticket_url, timeout, unknown_values, "
    "webhook"
)


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        # config/bridge.yaml
        ("bridge", BRIDGE, "", [("config/bridge.yaml:1: must have rows such as key: "
                                 "value; allowed keys "
                                 "body_limit, calls, connections, "
                                "database, http_timeout, keep_history, mappings, "
                                "marker_keys, mask_personal, notices, openid, pages_url, redis")]),
        ("bridge", BRIDGE, "connections: {}", [
            "config/bridge.yaml:1: connections: must name at least one connection"]),
        ("bridge", "connections:", "conections: 1\nconnections:", [
            ("config/bridge.yaml:1: conections: unknown key; allowed body_limit, calls, "
             "connections, database, http_timeout, "
            "keep_history, mappings, marker_keys, mask_personal, notices, openid, "
            "pages_url, redis")]),
        ("bridge", "system: desk", "system: desc", [
            ("config/bridge.yaml:3: connections.one.system: 'desc' is no system that this bridge "
             "knows; allowed desk, "
            "listing")]),
        ("bridge", "system: desk", "sistem: desk", [
            "config/bridge.yaml:2: connections.one.system: is missing"]),
        ("bridge", "https://one.example/api", "one.example", [
            ("config/bridge.yaml:4: connections.one.base_url: is no address; allowed "
             "https://host/path, without user, "
            "password or query")]),
        ("bridge", "https://one.example/api", "https://one.example:99999", [
            ("config/bridge.yaml:4: connections.one.base_url: is no address; allowed "
             "https://host/path, without user, "
            "password or query")]),
        ("bridge", "    team: blue", "    ca: gone.pem\n    team: blue", [
            ("config/bridge.yaml:7: connections.one.ca: the file gone.pem cannot be read: No such "
             "file or directory")]),
        ("bridge", "    team: blue", "    ca: config/bridge.yaml\n    team: blue", [
            ("config/bridge.yaml:7: connections.one.ca: the file config/bridge.yaml has no "
             "certificate; allowed the path of a file in PEM form")]),
        ("bridge", "    team: blue", "    ca: ${file:gone.pem}\n    team: blue", [
            ("config/bridge.yaml:7: connections.one.ca: the file gone.pem cannot be read: No such "
             "file or directory")]),
        ("bridge", "    team: blue", "    proxy: http://u:s3cr3t@proxy\n    team: blue", [
            ("config/bridge.yaml:7: connections.one.proxy: is no address of a proxy; allowed "
             "http://host:port, http://user:password@host:port")]),
        ("bridge", "${KEY}", "${NOPE}", [
            ("config/bridge.yaml:5: connections.one.credentials.api_key: NOPE is not set; allowed "
             "a line NOPE=… in .env, or in the environment")]),
        ("bridge", "${KEY}", "${file:gone}", [
            ("config/bridge.yaml:5: connections.one.credentials.api_key: the file gone cannot be "
             "read: No such file or "
            "directory")]),
        ("bridge", "${KEY}", "${KEY", [
            ("config/bridge.yaml:5: connections.one.credentials.api_key: a reference that begins "
             "with ${ has no "
            "closing }")]),
        ("bridge", "{api_key: abc}", "{key: abc}", [
            "config/bridge.yaml:11: connections.two.credentials.key: unknown key; allowed api_key",
            ("config/bridge.yaml:11: connections.two.credentials: api_key is missing; allowed "
             "api_key")]),
        ("bridge", "{api_key: abc}", "{api_key: 123}", [
            ("config/bridge.yaml:11: connections.two.credentials.api_key: must be a text; use "
             "${NAME} or ${file:PATH}")]),
        ("bridge", "    team: blue\n", "", [
            ("config/bridge.yaml:2: connections.one.team: is missing: the team whose tickets "
             "these are")]),
        ("bridge", "team: blue", "team: blue\n    teem: red", [
            (f"config/bridge.yaml:8: connections.one.teem: unknown key; allowed "
            f"{', '.join(sorted([*CONNECTION_KEYS.split(', '), 'colour', 'team']))}")]),
        ("bridge", "team: blue", "options: {teem: red, team: x}", [
            ("config/bridge.yaml:7: connections.one.options.teem: unknown key; "
             "allowed colour, team")]),
        ("bridge", "team: blue", "team: blue\n    rate_limit: 10 per second", [
            ("config/bridge.yaml:8: connections.one.rate_limit: is '10 per second'; allowed calls "
             "per time such as "
            "10/second, 480/minute, 4800/hour, or a list of these")]),
        ("bridge", "team: blue", "team: blue\n    poll: 5", [
            ("config/bridge.yaml:8: connections.one.poll: is 5; allowed a duration such as 30s, "
             "5m, 2h, 1d")]),
        ("bridge", "team: blue", "team: blue\n    full: 3:30", [
            ("config/bridge.yaml:8: connections.one.full: is '3:30'; allowed a time of day in "
             "quotes, such as "
            '"03:30" (UTC)')]),
        ("bridge", "team: blue", "team: blue\n    concurrency: 0", [
            ("config/bridge.yaml:8: connections.one.concurrency: is 0; allowed a whole number "
             "from 1 to 64")]),
        *(
            ("bridge", "team: blue", f"team: blue\n    ticket_url: '{address}'", [
                ("config/bridge.yaml:8: connections.one.ticket_url: is no address of a ticket's "
                 "page; allowed https://host/path with {id} once behind the host, and no user or "
                 "password")])
            for address in (
                "http://x.example/{id}", "https://x.example/", "https://x.example/{id}/{id}",
                "https://u:pw@x.example/{id}", "https://{id}.example/", "https://x.example/{no}",
                "javascript:alert({id})", "https://x.example/{id} b", "//x.example/{id}",
            )
        ),
        ("bridge", "team: blue", "team: blue\n    keep_bodies: yes", [
            "config/bridge.yaml:8: connections.one.keep_bodies: is 'yes'; allowed true, false"]),
        ("bridge", "{secrets", "{scheme: md5, secrets", [
            ("config/bridge.yaml:6: connections.one.webhook.scheme: is 'md5'; allowed "
             "standard-webhooks, hmac-sha256, hmac-sha512, hmac-sha1, "
            "static-header")]),
        ("bridge", '{secrets: ["${SECRET}"]}', "{secrets: []}", [
            ("config/bridge.yaml:6: connections.one.webhook.secrets: must be a list of texts, at "
             "least one; use "
            "${NAME} or ${file:PATH}")]),
        ("bridge", "{secrets", "{scheme: standard-webhooks, secrets", [
            ("config/bridge.yaml:6: connections.one.webhook.secrets: secret 1 is not as this "
             "scheme has them (whsec_…): copy it anew")]),
        ("bridge", "  one:", "  One:", [
            ("config/bridge.yaml:2: connections.One: is no name; allowed lower-case letters, "
             "digits, - and _, "
            "beginning with a letter"),
            ("mappings/agents.yaml:2: agents[0].one: is no connection of config/bridge.yaml; "
             "allowed email, One, two"),
            ("mappings/syncs.yaml:4: both.members.one: is no connection of config/bridge.yaml; "
             "allowed One, two")]),
        ("bridge", "connections:", "database: mysql://x\nconnections:", [
            ("config/bridge.yaml:1: database: is no address of a database; allowed sqlite, "
             "sqlite:///…, "
             "postgresql://…")]),
        ("bridge", "connections:", "redis: localhost\nconnections:", [
            ("config/bridge.yaml:1: redis: is no address of a Redis; allowed embedded, redis://, "
             "rediss://, unix://")]),
        ("bridge", "system: desk", "system: desk\n    mapping: listing", [
            ("config/bridge.yaml:4: connections.one.mapping: listing.yaml is for listing, and "
             "this connection is desk")]),
        ("bridge", "system: desk", "system: desk\n    mapping: ../x", [
            ("config/bridge.yaml:4: connections.one.mapping: is '../x'; allowed the name of a "
            "file in mappings/, without .yaml")]),
        ("bridge", "${KEY}", "${file:empty}", [
            "config/bridge.yaml:5: connections.one.credentials.api_key: the file empty is empty"]),
        ("bridge", "{api_key: abc}", "abc", [
            ("config/bridge.yaml:11: connections.two.credentials: must have rows such as "
             "api_key: ${NAME}")]),
        ("bridge", "team: blue", "team: blue\n    options: 3", [
            ("config/bridge.yaml:8: connections.one.options: must have rows such as "
             "key: value; allowed keys "
             "colour, team")]),
        ("bridge", "{api_key: abc}", "{api_key: abc}\n    webhook: {secrets: [x]}", [
            ("config/bridge.yaml:12: connections.two.webhook.scheme: is missing; allowed "
             "standard-webhooks, "
            "hmac-sha256, hmac-sha512, hmac-sha1, static-header")]),
        ("agents", "- {email: Mary@Example.com, one: u1}", "- mary", [
            ("mappings/agents.yaml:2: agents[0]: must be a row such as "
             "{email: …, <connection>: …}")]),
        ("agents", AGENTS, "agents: 3", [
            ("mappings/agents.yaml:1: agents: must be a list of rows such as {email: …, "
             "<connection>: …}")]),
        ("syncs", "both:", "Both:", [
            ("mappings/syncs.yaml:1: Both: is no name; allowed lower-case letters, digits, - and "
             "_, beginning with a "
            "letter")]),
        ("syncs", "two: {}", "two: {}\n  fields: [subject]", [
            (f"mappings/syncs.yaml:6: both.fields: must have rows such as "
             f"key: value; allowed keys '*', {FIELDS}")]),
        ("syncs", "two: {}", "two: {}\n  fields: {subject: {onwer: one}}", [
            ("mappings/syncs.yaml:6: both.fields.subject.onwer: unknown key; allowed owner, "
             "policy, revert, to")]),
        ("desk", "  id: id\n", "", [
            ("mappings/desk.yaml:2: ticket.id: is missing; allowed the plain path of the record's "
             "id")]),
        ("desk", DESK, "system: desk\nticket: 3\n", [
            ("mappings/desk.yaml:2: ticket: must have rows such as "
             "key: value; allowed keys id, version, also_sends, fields, "
             "examples")]),
        ("desk", "path: state", "path: state\n      as: {text: 3}", [
            ("mappings/desk.yaml:9: ticket.fields.status.as: text does not work on status; "
             "allowed value tables under "
            "read and write, first-non-empty, template, first-line, cut")]),
        ("bridge", "system: desk", "system: desk\n    mapping: mine", [
            ("config/bridge.yaml:4: connections.one.mapping: there is no mappings/mine.yaml; "
            "make it, or name another file")]),
        # mappings
        ("desk", DESK, "[]", [
            ("mappings/desk.yaml:1: must have rows such as "
             "key: value; allowed keys system, ticket, customer, "
             "message, session")]),
        ("desk", "system: desk", "system: dsk", [("mappings/desk.yaml:1: system: is 'dsk'; "
                                                  "allowed desk, listing")]),
        ("desk", "ticket:", "tickets:", [
            "mappings/desk.yaml:1: maps nothing; allowed ticket, customer, message, session",
            ("mappings/desk.yaml:2: tickets: unknown key; allowed system, ticket, customer, "
             "message, session"),
            ("mappings/syncs.yaml:4: both.members.one: mappings/desk.yaml has no ticket; add it "
             "there, or leave the member out")]),
        ("desk", "subject: title", "sbject: title", [
            (f"mappings/desk.yaml:6: ticket.fields.sbject: no ticket has this field; allowed "
             f"{FIELDS}, or one that mappings/fields.yaml declares")]),
        ("desk", "subject: title", "subject: headline", [
            ("mappings/desk.yaml:5: ticket.fields: desk creates nothing without 'title'; map a "
             "field that writes it"),
            ("mappings/desk.yaml:6: ticket.fields.subject: desk cannot write 'headline'; allowed "
             "bot, labels, level, "
            "owner, state, title (or `read` alone, for what is only read)"),
            ("mappings/desk.yaml:6: ticket.fields.subject: desk sends no 'headline'; allowed bot, "
             "changed, id, labels, "
            "level, made, mail, owner, state, title")]),
        ("desk", "doing: open, ", "", [
            ("mappings/desk.yaml:9: ticket.fields.status.read: desk can send 'doing', which has "
             "no row; add 'doing': … to `read`"),
            ("mappings/desk.yaml:10: ticket.fields.status.write: 'on_hold' is written as "
             "'doing', for which `read` has no row; add it there"),
            ("mappings/desk.yaml:10: ticket.fields.status.write: 'open' is written as 'doing', "
             "for which `read` has no row; add it there"),
            ("mappings/desk.yaml:10: ticket.fields.status.write: 'pending' is written as "
             "'doing', for which `read` has no row; add it there")]),
        ("desk", "on_hold: doing, ", "", [
            ("mappings/desk.yaml:10: ticket.fields.status.write: 'on_hold' has no row; add "
             "on_hold: …, or list it under "
            "not_carried")]),
        ("desk", "open: doing", "open: todo", [
            ("mappings/desk.yaml:10: ticket.fields.status.write: 'doing' reads as 'open', is "
             "written as 'todo', which reads as 'new': a ticket would lose its status; write "
             "'open' as 'doing'"),
            ("mappings/desk.yaml:10: ticket.fields.status.write: 'on_hold' is written as "
             "'doing', which reads as 'open', and that is written as 'todo'; write 'open' as "
             "'doing', too"),
            ("mappings/desk.yaml:10: ticket.fields.status.write: 'pending' is written as "
             "'doing', which reads as 'open', and that is written as 'todo'; write 'open' as "
             "'doing', too")]),
        ("desk", "closed: done}\n    assignee", "closed: shut}\n    assignee", [
            ("mappings/desk.yaml:10: ticket.fields.status.write: 'closed' is written as 'shut'; "
             "allowed todo, doing, "
            "done"),
            ("mappings/desk.yaml:10: ticket.fields.status.write: 'done' reads as 'closed', is "
             "written as 'shut', which has no row: a ticket would lose its status; write "
             "'closed' as 'done'"),
            ("mappings/desk.yaml:10: ticket.fields.status.write: 'resolved' is written as "
             "'done', which reads as 'closed', and that is written as 'shut'; write 'closed' "
             "as 'done', too")]),
        ("desk", "path: state", "path: state\n      only_on: create", [
            ("mappings/desk.yaml:9: ticket.fields.status.only_on: desk does not take 'state' when "
             "it creates; allowed "
            "update")]),
        ("desk", "subject: title", "subject: {path: title, max_length: 200}", [
            ("mappings/desk.yaml:6: ticket.fields.subject.max_length: desk takes 100 characters; "
             "allowed at most that")]),
        ("desk", "version: changed", "version: touched", [
            ("mappings/desk.yaml:4: ticket.version: desk sends no 'touched'; allowed bot, "
             "changed, id, labels, level, "
            "made, mail, owner, state, title")]),
        ("listing", "{read: title}", "title", [
            ("mappings/listing.yaml:5: ticket.fields.subject: listing cannot write 'title'; "
             "allowed nothing (or `read` "
            "alone, for what is only read)")]),
        # mappings/syncs.yaml
        ("syncs", SYNCS, "", [("mappings/syncs.yaml:1: must have at least one sync, its rows "
                               "below its name")]),
        ("syncs", "entity: ticket", "entity: sessions", [
            ("mappings/syncs.yaml:2: both.entity: is 'sessions'; allowed ticket, customer, "
             "message, session")]),
        ("syncs", "two: {}", "three: {}", [
            ("mappings/syncs.yaml:5: both.members.three: is no connection of config/bridge.yaml; "
             "allowed one, two")]),
        ("syncs", "    two: {}\n", "", [
            "mappings/syncs.yaml:3: both.members: names one connection; allowed two or more"]),
        ("syncs", "two: {}", "two: {create: true}", [
            ("mappings/syncs.yaml:5: both.members.two.create: listing cannot create a ticket; "
             "allowed false, "
            "when-supported")]),
        ("syncs", "two: {}", "two: {create: maybe}", [
            ("mappings/syncs.yaml:5: both.members.two.create: is 'maybe'; allowed true, false, "
             "when-supported")]),
        ("syncs", "two: {}", "two: {only: \"stat != 'done' && contains(keys(@), 'id')\"}", [
            ("mappings/syncs.yaml:5: both.members.two.only: listing sends no 'stat'; allowed id, "
             "state, title; text to compare with stands in single quotes")]),
        ("syncs", "two: {}", "two: {only: 'a =='}", [
            ("mappings/syncs.yaml:5: both.members.two.only: is no JMESPath expression: it ends "
             "too early; is a bracket not closed, or is a value missing?")]),
        ("syncs", "two: {}", ("tow: {}\n  precedence: [two]\n  fields: {subject: {owner: two}, "
                              "tags: {to: [two]}}"), [
            ("mappings/syncs.yaml:5: both.members.tow: is no connection of config/bridge.yaml; "
             "allowed one, two")]),
        ("syncs", "two: {}", "two: {labels: {}}", [
            ("mappings/syncs.yaml:5: both.members.two.labels: unknown key; allowed allow_delete, "
             "create, only, tags")]),
        ("syncs", "two: {}", "two: {}\n  precedence: [two, three, two]", [
            "mappings/syncs.yaml:6: both.precedence[1]: 'three' is no member; allowed one, two",
            "mappings/syncs.yaml:6: both.precedence[2]: 'two' stands here twice"]),
        ("syncs", "two: {}", "two: {}\n  fields: {sbject: latest}", [
            f"mappings/syncs.yaml:6: both.fields.sbject: no such field; allowed '*', {FIELDS}"]),
        ("syncs", "two: {}", "two: {}\n  fields: {priority: latest}", [
            ("mappings/syncs.yaml:6: both.fields.priority: no member maps this field; allowed "
             "assignee, status, "
            "subject, tags")]),
        ("syncs", "two: {}", "two: {}\n  fields: {subject: newest}", [
            ("mappings/syncs.yaml:6: both.fields.subject: is 'newest'; allowed latest, merge, "
             "manual, first, "
            "{owner: <connection>}")]),
        ("syncs", "two: {}", "two: {}\n  fields: {subject: merge}", [
            ("mappings/syncs.yaml:6: both.fields.subject: merge is for sets, element by element; "
             "allowed latest, "
            "manual, first, {owner: <connection>}")]),
        ("syncs", "two: {}", "two: {}\n  fields: {subject: {owner: three, to: [four]}}", [
            ("mappings/syncs.yaml:6: both.fields.subject.owner: 'three' is no member; allowed "
             "one, two"),
            ("mappings/syncs.yaml:6: both.fields.subject.to: 'four' is no member; "
             "allowed one, two")]),
        ("syncs", "two: {}", "two: {}\n  fields: {status: {owner: two}, '*': {owner: two}}", [
            ("mappings/syncs.yaml:6: both.fields.status.owner: the mapping of two has no status; "
             "allowed one")]),
        ("syncs", "two: {}", "two: {}\n  fields: {subject: {policy: owner}}", [
            ("mappings/syncs.yaml:6: both.fields.subject.policy: needs an owner; allowed latest, "
             "merge, manual, first, "
            "{owner: <connection>}")]),
        ("syncs", "two: {}", "two: {}\n  on_link: {subject: union}", [
            "mappings/syncs.yaml:6: both.on_link.subject: is 'union'; allowed one, two, manual"]),
        ("syncs", "two: {}", "two: {}\n  match: [[tags], [created_at ± 2m], [subject ± 2m]]", [
            ("mappings/syncs.yaml:6: both.match[0][0]: is 'tags'; allowed subject, description, "
             "status, priority, "
            "assignee, customer, created_at, ai_resolved, escalation_reason, or created_at ± 2m"),
            ("mappings/syncs.yaml:6: both.match[1]: has only a window of time; allowed with a "
             "field that must be equal"),
            ("mappings/syncs.yaml:6: both.match[2][0]: is 'subject ± 2m'; allowed a time with a "
             "duration, such as "
            "created_at ± 2m")]),
        ("syncs", "two: {}", "two: {}\n  match: subject", [
            ("mappings/syncs.yaml:6: both.match: must be a list of lists of fields, such as "
             "[[customer, subject]]")]),
        ("syncs", "two: {}", "two: {}\n  delete: delete", [
            ("mappings/syncs.yaml:6: both.delete: is 'delete', and no member has `allow_delete: "
             "true`; allowed ignore, "
            "close")]),
        ("syncs", "two: {}", "two: {}\n  delete: remove", [
            "mappings/syncs.yaml:6: both.delete: is 'remove'; allowed ignore, close, delete"]),
        ("syncs", "two: {}", "two: {allow_delete: true}", [
            ("mappings/syncs.yaml:5: both.members.two.allow_delete: listing cannot delete a "
             "ticket; allowed false")]),
        ("syncs", "two: {}", "two: {}\n  guard: {destructive: 30}", [
            "mappings/syncs.yaml:6: both.guard.destructive: is 30; allowed a share such as 30%"]),
        ("syncs", "two: {}", "two: {}\nmore:\n  entity: ticket\n  members: {one: {}, two: {}}", [
            ("mappings/syncs.yaml:8: more.members.one: is in the sync both already; allowed one "
             "sync for a "
             "connection's tickets"),
            ("mappings/syncs.yaml:8: more.members.two: is in the sync both already; allowed one "
             "sync for a "
             "connection's "
            "tickets")]),
        # mappings/agents.yaml
        ("agents", AGENTS, "[]", [("mappings/agents.yaml:1: must have rows such as "
         "key: value; allowed keys "
                                   "agents, unmapped")]),
        ("agents", "agents:", "people: []\nagents:", [
            "mappings/agents.yaml:1: people: unknown key; allowed agents, unmapped"]),
        ("agents", "one: u1", "ten: u1", [
            ("mappings/agents.yaml:2: agents[0].ten: is no connection of config/bridge.yaml; "
             "allowed email, one, two")]),
        ("agents", "Mary@Example.com", "mary", [
            "mappings/agents.yaml:2: agents[0].email: is 'mary'; allowed an e-mail address"]),
        ("agents", "one: u1}", ("one: u1}\n  - {email: mary@example.com}\n  - {email: b@x.io, "
                                "one: u1}"), [
            ("mappings/agents.yaml:3: agents[1].email: mary@example.com has a row already; put "
            "both into one"),
            "mappings/agents.yaml:4: agents[2].one: 'u1' stands for mary@example.com already"]),
        ("agents", "one: u1", "one: [u1]", [
            "mappings/agents.yaml:2: agents[0].one: is ['u1']; allowed text or a number"]),
        ("agents", "agents:", "unmapped: {assign: b@x.io}\nagents:", [
            ("mappings/agents.yaml:1: unmapped: assigns to 'b@x.io'; allowed an e-mail address "
             "that has a row under "
            "agents")]),
        ("agents", "agents:", "unmapped: drop\nagents:", [
            ("mappings/agents.yaml:1: unmapped: is 'drop'; allowed leave, unassign, {assign: "
             "<e-mail>}")]),
    ],
)  # fmt: skip
def test_invalid_homes(tmp_path, file, old, new, expected):
    text = {"bridge": BRIDGE, "desk": DESK, "listing": LISTING, "syncs": SYNCS, "agents": AGENTS}[
        file
    ]
    assert old in text
    (tmp_path / "empty").write_text(" \n")
    assert problems(tmp_path, **{file: text.replace(old, new)}) == expected


def test_problems_of_all_files_come_at_once(tmp_path):
    found = problems(
        tmp_path,
        {},
        bridge=BRIDGE + "nonsense: 1\n",
        desk=DESK.replace("title", "nope"),
        listing="a: 1\na: 2",
        syncs=SYNCS.replace("two: {}", "two: {create: 1}"),
        agents="- x",
    )
    assert {problem.partition(":")[0] for problem in found} == {
        "config/bridge.yaml",
        "mappings/desk.yaml",
        "mappings/listing.yaml",
        "mappings/syncs.yaml",
        "mappings/agents.yaml",
    }
    assert all(problem.split(":")[1].isdigit() for problem in found)


def test_an_empty_home(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, environ={}, connectors=CONNECTORS)
    assert caught.value.problems == [
        (
            f"config/bridge.yaml:1: {tmp_path}/config/bridge.yaml is not there; make a home with "
            f"`bridge init DIR`, "
            "or name yours with --home"
        ),
        "mappings/syncs.yaml:1: cannot be read: No such file or directory",
    ]
