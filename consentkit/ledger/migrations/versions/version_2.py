"""Order answers by time, and give the database an id."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"

_LAST_SECOND = 2**38
_ENDED = 2**61


def upgrade() -> None:
    """Work out which record of a pseudonym counts, as the library of version 2 does when it stores one."""
    op.add_column("consentkit_records", sa.Column("revision", sa.Integer, nullable=False, server_default="0"))
    op.add_column(
        "consentkit_records", sa.Column("precedence", sa.BigInteger, nullable=False, server_default="0")
    )
    records = sa.table(
        "consentkit_records", *(sa.column(name) for name in ("changed_at", "status", "precedence"))
    )
    changed_at, status = records.c.changed_at, records.c.status
    seconds = sa.case(
        (changed_at < 0, 0),
        (changed_at > _LAST_SECOND, sa.literal(_LAST_SECOND, sa.BigInteger)),
        else_=changed_at,
    )
    ended = sa.case((status.in_(["refused", "withdrawn"]), sa.literal(_ENDED, sa.BigInteger)), else_=0)
    factor = sa.literal(2**20, sa.BigInteger)
    op.execute(records.update().values(precedence=seconds * factor + ended))
    op.drop_index("consentkit_records_subject", "consentkit_records")
    op.create_index("consentkit_records_subject", "consentkit_records", ["subject", "precedence"])
    store = op.create_table("consentkit_store", sa.Column("id", sa.Text, primary_key=True))
    op.bulk_insert(store, [{"id": secrets.token_hex(16)}])
    op.create_table(
        "consentkit_counts",
        sa.Column("hour", sa.BigInteger, primary_key=True, autoincrement=False),
        *(
            sa.Column(name, sa.Text, primary_key=True)
            for name in ("event", "site", "notice", "language", "surface", "choice")
        ),
        sa.Column("count", sa.BigInteger, nullable=False),
    )
