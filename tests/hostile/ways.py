"""The ways in which a vendor answers wrongly: each a function that is handed one call.

Most let the account do what was asked, and spoil the answer. So a write may have landed of which
the bridge learns nothing, and once the vendor is well its account is as whole as ever.
"""

from __future__ import annotations

from tests.hostile import broken_answers, odd_records, refusals
from tests.hostile.refusals import REFUSALS
from tests.hostile.register import LATE, LIES, WAYS

__all__ = ["LATE", "LIES", "PARTS", "REFUSALS", "WAYS"]

PARTS = (broken_answers, odd_records, refusals)
"""Each enters its own as it is imported, so the table is whole where it is had from here."""
