"""What a system finds a record by where its id does not serve (a ticket's number).

Kept with the record, and with the work of reading one that no link knows yet.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns: nothing is known, and the next reading of a record tells."""
    for table in ("side", "work"):
        op.add_column(table, sa.Column("handle", sa.Text(), nullable=False, server_default=""))
