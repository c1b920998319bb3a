"""A hash chain over records and links."""

import sqlalchemy as sa
from alembic import op

from consentkit.ledger.chain import make_streams, open_chain
from consentkit.ledger.migrations.versions import version_3
from consentkit.ledger.tables import METADATA

revision = "4"
down_revision = "3"


def upgrade() -> None:
    """Create what is new, and begin the chain."""
    version_3.upgrade()
    op.add_column("consentkit_schema", sa.Column("compatible_from", sa.Integer))
    for table in ("consentkit_records", "consentkit_links"):
        op.add_column(table, sa.Column("salt", sa.Text))
    bind = op.get_bind()
    METADATA.create_all(bind)
    make_streams(bind)
    open_chain(bind)
