"""What each event began and ended, and the words of every surface."""

import sqlalchemy as sa
from alembic import op

revision = "3"
down_revision = "2"

_NOTHING = '{"categories":[],"vendors":[]}'


def upgrade() -> None:
    """Add what is missing. Tables of version 2 and 3 do not all have the same columns, as they grew during development."""
    bind = op.get_bind()
    add_missing_columns()
    if "parts" not in {column["name"] for column in sa.inspect(bind).get_columns("consentkit_renderings")}:
        return
    # The words of that time have another form. They stay where somebody can read them.
    op.rename_table("consentkit_renderings", "consentkit_renderings_of_version_1")
    op.create_table(
        "consentkit_renderings",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(),
            primary_key=True,
        ),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("notice", "site", "language", "surface", "version", "html")
        ),
        sqlite_autoincrement=True,
    )


def add_missing_columns() -> None:
    """Add the columns of version 3. What older records began and ended is not known: their lists are empty."""
    found = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("consentkit_records")}
    for name, default in (("rendering", ""), ("began", _NOTHING), ("ended", _NOTHING)):
        if name not in found:
            column = sa.Column(name, sa.Text, nullable=False, server_default=default)
            op.add_column("consentkit_records", column)
