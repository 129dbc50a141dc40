"""The commands: where each is and what its help begins with, so that `--help` need import none."""

from __future__ import annotations

from typing import Final

COMMANDS: Final = {
    "init": "bridge.cli.init:command",
    "check": "bridge.cli.check:command",
    "up": "bridge.cli.up:command",
    "demo": "bridge.cli.demo:command",
    "simulate": "bridge.cli.simulate:command",
    "sandbox": "bridge.cli.sandbox:command",
    "web": "bridge.cli.daemons:web",
    "admin": "bridge.cli.admin:command",
    "worker": "bridge.cli.daemons:worker",
    "clock": "bridge.cli.daemons:clock",
    "db": "bridge.cli.db:group",
    "backup": "bridge.cli.backup:command",
    "restore": "bridge.cli.backup:restore",
    "status": "bridge.cli.status:command",
    "tickets": "bridge.cli.tickets:command",
    "ticket": "bridge.cli.ticket:command",
    "mappings": "bridge.cli.mappings:group",
    "values": "bridge.cli.values:group",
    "agents": "bridge.cli.agents:command",
    "plan": "bridge.cli.plan:command",
    "apply": "bridge.cli.apply:command",
    "backfill": "bridge.cli.backfill:command",
    "runs": "bridge.cli.runs:group",
    "undo": "bridge.cli.undo:command",
    "link": "bridge.cli.link:group",
    "reconcile": "bridge.cli.reconcile:command",
    "drift": "bridge.cli.drift:command",
    "doctor": "bridge.cli.doctor:command",
    "why": "bridge.cli.why:command",
    "inbox": "bridge.cli.inbox:group",
    "calls": "bridge.cli.calls:command",
    "parked": "bridge.cli.parked:group",
    "conflicts": "bridge.cli.conflicts:group",
    "connection": "bridge.cli.connection:group",
    "sync": "bridge.cli.sync:group",
    "notices": "bridge.cli.notices:group",
    "action": "bridge.cli.action:command",
    "forget": "bridge.cli.forget:command",
    "user": "bridge.cli.user:group",
    "token": "bridge.cli.token:group",
    "audit": "bridge.cli.audit:command",
}
"""Name -> where it is, in the order in which a newcomer meets them. A call imports it alone."""

LINES: Final = {
    "init": "Make a home: commented configuration and mappings to edit.",
    "check": "Check the configuration and the mappings, and run the mappings' own examples.",
    "up": "Run everything in this terminal: receiver, pages, workers, clock, and a Valkey if need "
    "be.",
    "demo": "Load sandboxes with tickets, let humans edit them everywhere at once, and check the "
    "outcome.",
    "simulate": "Play small worlds with people, failing vendors and dying workers, and judge each.",
    "sandbox": "Serve the vendors' documented APIs on this machine, with records in memory, until "
    "Ctrl-C.",
    "web": "Take webhooks in, and answer /healthz, /readyz and /metrics.",
    "admin": "Serve the pages: what needs a human, the tickets, and why they are as they are.",
    "worker": "Work: observe, merge, deliver, reconcile.",
    "clock": "Announce what is due and start scheduled reconciliations.",
    "db": "Look after the ledger.",
    "backup": "Write the whole ledger into FILE, also while the bridge runs, whichever database it "
    "is in.",
    "restore": "Put the backup FILE in place of the ledger, while nothing of the bridge runs.",
    "status": "Show connections, backlog, what is parked, open conflicts, the latest runs and the "
    "next.",
    "tickets": "List tickets, the newest first.",
    "ticket": "Show one ticket: its agreed state, what each side shows, and its timeline.",
    "mappings": "See what the mappings make of records, publish them, and go back.",
    "values": "List vendors' values that no mapping can read and fields that none knows; take "
    "them in.",
    "agents": "List the people that the bridge knows, and those who need a row in "
    "mappings/agents.yaml.",
    "plan": "Say what would be written to each system for SYNC (default: all), and leave no trace.",
    "apply": "Write what `bridge plan --live` shows for SYNC (default: all), and nothing else.",
    "backfill": "Import everything that SYNC mirrors: match first, then link, then make what is "
    "missing.",
    "runs": "List the runs and how far each is, show one, pause one, or let it go on.",
    "undo": "Take back what RUN (see `bridge runs`) wrote.",
    "link": "Change by hand which records are one ticket.",
    "reconcile": "Compare CONNECTION (default: all) with the ledger, heal what differs, print what "
    "was found.",
    "drift": "Show what drifted lately at CONNECTION (default: all), why, and each day's miss "
    "rate.",
    "doctor": "Say what is wrong, since when, and what to do; 1 when something is.",
    "why": "Say why FIELD of ticket REF has its value, and why each side does or does not show it.",
    "inbox": "List webhooks, show one, or have its record looked at again.",
    "calls": "List the last calls to vendors, the newest first; or show call NUMBER.",
    "parked": "List work that was set aside, and free it or throw it away.",
    "conflicts": "List fields that were edited on several sides and wait for a human, and decide "
    "one.",
    "connection": "Show a connection, pause one, resume one that was paused or refused, or rename "
    "one.",
    "sync": "Rename a sync.",
    "notices": "Show who is told what happens and how that goes, send again, or send a test.",
    "action": "Do something by hand at a system, such as opening a screen share.",
    "forget": "Erase a person's values from the ledger: state, history, conflicts, writes and "
    "webhooks.",
    "user": "Say who may use the pages, and as what.",
    "token": "Say which programs may use the API, and as what.",
    "audit": "List what was done through the bridge and by whom, the newest first.",
}
"""Name -> the first line of its help."""
