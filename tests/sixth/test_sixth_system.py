"""A sixth system, added by what docs/adding-a-system.md names, at the places that it names.

Nothing of the bridge is changed or knows it: a ticket of a system that did not exist is mirrored
both ways.
"""

from __future__ import annotations

from tests.made_up import TINYDESK
from tests.mirroring import MirroringContract


class TestTinydeskBesideSwitch(MirroringContract):
    system = TINYDESK

    def asked(self, subject, email):
        return {"title": subject, "asker": email}

    def edited(self):
        return {"status": "doing", "subject": "Help, please"}
