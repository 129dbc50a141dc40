"""A tiny bridge, played by hand over the real sandboxes."""

import itertools

from bridge.sandbox.rows_for_judge import gather
from bridge.verify.report import VerifyInput, verify

SWITCH = "http://switch.test/api/v1"
POSTHOG = "http://posthog.test/api/projects/12345/conversations/tickets"


def marker_tag(unique):
    """Return a tag that looks as if the bridge had planted it."""
    return f"bridge-{unique:a>28}"


class Run:
    """Two mirrored tickets: one that began on each system."""

    def __init__(self, switch, posthog, to_switch, to_posthog, clock):
        self.switch, self.posthog, self.clock = switch, posthog, clock
        self.to_switch, self.to_posthog = to_switch, to_posthog
        self.facts = []
        self.markers = itertools.count(1)
        self.here = switch.create({"subject": "One", "customer_email": "ann@example.com"})["id"]
        there = posthog.create(
            {"anonymous_traits": {"email": "bob@example.com"}, "priority": "medium"}
        )["id"]
        self.there = self.counterpart_at_posthog("ann@example.com")
        self.back = self.counterpart_at_switch("bob@example.com")
        self.link({"switch": self.here, "posthog": self.there})
        self.link({"switch": self.back, "posthog": there})

    def link(self, refs):
        self.facts.append({"kind": "link", "refs": refs})

    def counterpart_at_posthog(self, email, marker=None):
        traits = {"email": email, "bridge_marker": marker or f"m{next(self.markers)}"}
        body = {"status": "new", "priority": "medium", "anonymous_traits": traits}
        return self.to_posthog.post(f"{POSTHOG}/", json=body).json()["id"]

    def counterpart_at_switch(self, email, marker=None):
        tags = [marker_tag(marker or next(self.markers))]
        body = {"subject": "Copy", "customer_email": email, "tags": tags}
        return self.to_switch.post(f"{SWITCH}/tickets", json=body).json()["data"]["id"]

    def patch_posthog(self, **fields):
        self.clock.sleep(1)
        return self.to_posthog.patch(f"{POSTHOG}/{self.there}/", json=fields)

    def patch_switch(self, **fields):
        self.clock.sleep(1)
        return self.to_switch.patch(f"{SWITCH}/tickets/{self.here}", json=fields)

    def fact(self, kind, **fields):
        self.facts.append({"kind": kind, **fields})

    def input(self):
        return VerifyInput(*gather([self.switch, self.posthog], self.facts))

    def report(self):
        return verify(self.input())
