"""The calls that a vendor's documents list, and what the vendor's page says of those never made."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.connectors.bench import FIXTURES

PAGES = Path(__file__).resolve().parents[2] / "docs" / "systems"


def documented(system):
    """Return the calls to be made; the system's page must say why the others never are."""
    rows = json.loads((FIXTURES / system / "api_endpoints.json").read_text())
    text = re.sub(r"\s+", " ", (PAGES / f"{system}.md").read_text())
    for row in rows:
        if row["never"]:
            assert f"`{row['endpoint']}`" in text, row["endpoint"]
    return {row["endpoint"] for row in rows if not row["never"]}


def below(url, prefix):
    return url.split("?")[0].split(prefix, 1)[1]
