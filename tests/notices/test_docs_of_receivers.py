"""The receiver that the documents show takes what the bridge sends, and nothing else."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path

from bridge.connectors.signing import standard_headers
from bridge.core.model.notice_types import NoticeType
from bridge.core.model.syncs import Secret
from bridge.notices.sender import body_of
from tests.notices.desk import SECRET

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text()
SECTION = PAGE.partition("## Being told when something happens")[2].partition("\n## ")[0]


def test_the_receiver_of_the_documents_verifies_a_notice():
    names = {}
    exec(re.search(r"<!-- tested: receiver -->\n\n```python\n(.*?)```", PAGE, re.DOTALL)[1], names)
    now = datetime.now(UTC)
    body = body_of("notice.test", now, {"endpoint": "ops", "said": "ä"})
    other = "whsec_" + "b3RoZXIgc2VjcmV0IG9mIGF0IGxlYXN0IDI0"
    headers = standard_headers([Secret(other), Secret(SECRET)], body, now, "msg_1")
    assert names["is_genuine"](SECRET, headers, body)
    assert not names["is_genuine"](SECRET, headers, body + b" ")
    assert not names["is_genuine"](SECRET, headers | {"webhook-id": "msg_2"}, body)
    late = headers | {"webhook-timestamp": str(int(time.time()) - 301)}
    assert not names["is_genuine"](SECRET, late, body)


def test_every_kind_is_explained():
    assert set(re.findall(r"`([a-z]+\.[a-z_]+)`", SECTION)) >= set(NoticeType)
