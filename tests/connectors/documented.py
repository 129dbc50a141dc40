"""The calls that a vendor's documents list, and what the vendor's page says of those never made."""

from __future__ import annotations

import json
import re

from tests.connectors.bench import ROOT


def documented(system, root=ROOT):
    """Return the calls to be made; the system's page must say why the others never are."""
    fixtures = root / "tests" / "fixtures" / system
    rows = json.loads((fixtures / "api_endpoints.json").read_text())
    text = re.sub(r"\s+", " ", (root / "docs" / "systems" / f"{system}.md").read_text())
    for row in rows:
        if row["never"]:
            assert f"`{row['endpoint']}`" in text, row["endpoint"]
    return {row["endpoint"] for row in rows if not row["never"]}


def below(url, prefix):
    return url.split("?")[0].split(prefix, 1)[1]
