"""Two sandboxes of the shipped configuration, Switch and PostHog, with the bridge between them."""

from dataclasses import replace

from tests.flow.estate import Estate

NAMES = ("helpdesk", "product")
SYNC = "support-tickets"


def pair(folder):
    estate = Estate(folder)
    sync = estate.context.syncs[SYNC]
    members = {name: sync.members[name] for name in NAMES}
    estate.context.syncs[SYNC] = replace(sync, members=members, precedence=NAMES)
    return estate
