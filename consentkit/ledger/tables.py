"""The ledger's tables, the same in every database, and the conversion of records to rows and back."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    cast,
    func,
    select,
)
from sqlalchemy import column as column_of
from sqlalchemy.schema import SchemaItem

from consentkit.ledger.driver import run, run_many
from consentkit.ledger.record import Record

__all__ = [
    "COMPATIBLE_FROM",
    "METADATA",
    "SCHEMA_VERSION",
    "AddCounts",
    "chain",
    "counts",
    "from_row",
    "links",
    "notices",
    "outbox",
    "prunings",
    "records",
    "removals",
    "renderings",
    "schema",
    "shown",
    "store",
    "streams",
    "to_row",
    "tokens",
]

SCHEMA_VERSION: Final = 4
# The oldest version of the tables whose library may still write into these.
COMPATIBLE_FROM: Final = 4
METADATA: Final = MetaData()

# SQLite makes a column its 64-bit row id only if the type is spelt INTEGER.
_SEQ = BigInteger().with_variant(Integer(), "sqlite")


def _table(name: str, *items: SchemaItem) -> Table:
    # AUTOINCREMENT: SQLite would use the `seq` of deleted rows again.
    return Table(f"consentkit_{name}", METADATA, *items, sqlite_autoincrement=True)


def _seq() -> Column[int]:
    return Column("seq", _SEQ, Identity(), primary_key=True)


def _text(name: str, *, optional: bool = False) -> Column[str]:
    return Column(name, Text, nullable=optional)


schema = Table(
    "consentkit_schema",
    METADATA,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("compatible_from", Integer),
)

# A single row: the random id by which this database differs from any other.
store = Table("consentkit_store", METADATA, Column("id", Text, primary_key=True))

records = _table(
    "records",
    _seq(),
    Column("id", Text, nullable=False, unique=True),
    Column("at", BigInteger, nullable=False),
    _text("event"),
    _text("status"),
    _text("subject", optional=True),
    _text("site"),
    _text("site_group"),
    _text("notice"),
    _text("language"),
    _text("surface"),
    _text("rendering"),
    _text("choice"),
    # JSON as text, because `jsonb` reorders keys, and what was stored must not change.
    _text("categories"),
    _text("vendors"),
    _text("began"),
    _text("ended"),
    Column("decided_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("expires_at", BigInteger),
    Column("gpc", Boolean, nullable=False),
    _text("jurisdiction"),
    _text("version"),
    Column("precedence", BigInteger, nullable=False),
    _text("salt", optional=True),
    Index("consentkit_records_subject", "subject", "precedence"),
)

notices = _table("notices", _seq(), Column("digest", Text, nullable=False, unique=True), _text("content"))

renderings = _table(
    "renderings",
    _seq(),
    Column("id", Text, nullable=False, unique=True),
    *(_text(name) for name in ("notice", "site", "language", "surface", "version", "html")),
)

links = _table(
    "links",
    _seq(),
    Column("at", BigInteger, nullable=False),
    _text("handle_from"),
    _text("handle_to"),
    _text("salt", optional=True),
    UniqueConstraint("handle_from", "handle_to"),
    Index("consentkit_links_back", "handle_to"),
)

tokens = Table(
    "consentkit_tokens",
    METADATA,
    Column("token_id", Text, primary_key=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
)


counts = Table(
    "consentkit_counts",
    METADATA,
    Column("hour", BigInteger, primary_key=True),
    *(
        Column(name, Text, primary_key=True)
        for name in ("event", "site", "notice", "language", "surface", "choice")
    ),
    Column("count", BigInteger, nullable=False),
)

# How often each notice was shown. Nothing in it belongs to a visitor.
shown = Table(
    "consentkit_shown",
    METADATA,
    # The first second of the day, UTC.
    Column("day", BigInteger, primary_key=True),
    *(Column(name, Text, primary_key=True) for name in ("site", "notice", "language", "surface")),
    Column("count", BigInteger, nullable=False),
)

# What is left of rows that were removed, by reason: how many, when last, and the highest `seq` among them.
removals = Table(
    "consentkit_removals",
    METADATA,
    Column("reason", Text, primary_key=True),
    Column("times", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("links", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
)

# By site, when a pruning last came to its end, and the period that it enforced.
prunings = Table(
    "consentkit_prunings",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
    _text("records_kept"),
)


streams = Table(
    "consentkit_streams",
    METADATA,
    Column("stream", Text, primary_key=True),
    Column("n", BigInteger, nullable=False),
    _text("head"),
    # Entries up to this one were cut off by pruning.
    Column("base_n", BigInteger, nullable=False),
    _text("base_head"),
)

chain = Table(
    "consentkit_chain",
    METADATA,
    Column("stream", Text, primary_key=True),
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    _text("kind"),
    # `seq` of the record or link; of other entries there is the payload itself.
    Column("ref", BigInteger),
    _text("payload", optional=True),
    _text("digest"),
    _text("head"),
    Index("consentkit_chain_ref", "ref", "kind"),
    sqlite_with_rowid=False,
)


# Messages that were not delivered yet, with what becomes of them. A row goes when its receiver has the message.
outbox = _table(
    "outbox",
    _seq(),
    Column("id", Text, nullable=False, unique=True),
    *(_text(name) for name in ("record", "site", "endpoint", "type", "body", "state")),
    Column("created_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("gives_up_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    _text("error"),
    Index("consentkit_outbox_due", "state", "due_at"),
    Index("consentkit_outbox_record", "record"),
)


class AddCounts:
    """The statement that adds to the counts in a table, and starts those that are not there yet."""

    def __init__(self, table: Table, dialect: str) -> None:
        from sqlalchemy.dialects import postgresql, sqlite

        statement = (postgresql if dialect == "postgresql" else sqlite).insert(table)
        self._statement = statement.on_conflict_do_update(
            index_elements=list(table.primary_key),
            set_={"count": table.c.count + statement.excluded.count},
        )

    def run(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> int:
        """Add rows and return how many there were."""
        connection.execute(self._statement, list(rows))
        return len(rows)


class InsertIgnore:
    """The statement that inserts rows into a table and ignores rows whose key is stored already."""

    def __init__(self, table: Table, dialect: str, *, returning: tuple[str, ...] = ()) -> None:
        self._columns = _columns_of(table)
        self._as_json = dialect == "postgresql"
        self._statement = _from_json(table, returning) if self._as_json else _from_values(table)

    def run(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> int:
        """Insert rows in their order and return how many were new."""
        inserted: int = self.execute(connection, rows).rowcount
        return inserted

    def execute(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> Any:
        """Insert rows in their order and return the driver's cursor."""
        if self._as_json:
            return self.execute_json(connection, json.dumps(rows))
        return run_many(connection, self._statement, [[row[name] for name in self._columns] for row in rows])

    def execute_json(self, connection: Connection, rows: str) -> Any:
        """Insert rows that are a JSON list, into PostgreSQL, and return the driver's cursor."""
        return run(connection, self._statement, {"rows": rows})


def _columns_of(table: Table) -> list[str]:
    return [column.name for column in table.columns if column.identity is None]


# Compiling the statements takes 5 ms for a ledger, and a process may have many, as tests do.
@cache
def _from_values(table: Table) -> str:
    from sqlalchemy.dialects import sqlite

    statement = sqlite.insert(table).on_conflict_do_nothing()
    return str(statement.compile(dialect=sqlite.dialect(), column_keys=_columns_of(table)))


@cache
def _from_json(table: Table, returning: tuple[str, ...]) -> str:
    # All rows are one JSON argument of one statement.
    from sqlalchemy.dialects import postgresql
    from sqlalchemy.dialects.postgresql.psycopg import dialect

    psycopg: Any = dialect
    columns = _columns_of(table)
    given = func.json_to_recordset(cast(bindparam("rows", type_=Text), postgresql.JSON)).table_valued(
        *(column_of(name, table.columns[name].type) for name in columns)
    )
    rows = select(*given.render_derived(name="given", with_types=True).columns)
    statement = postgresql.insert(table).from_select(columns, rows, include_defaults=False)
    statement = statement.on_conflict_do_nothing()
    if not returning:
        return str(statement.compile(dialect=psycopg()))
    return str(statement.returning(*(table.columns[name] for name in returning)).compile(dialect=psycopg()))


_COLUMNS: Final[Mapping[str, str]] = {"site_group": "group"}
_FIELDS: Final[Sequence[str]] = tuple(_COLUMNS.get(column.name, column.name) for column in records.columns)


def to_row(record: Record) -> dict[str, Any]:
    """Return the row of a record, without `seq`, which the database assigns."""
    return {
        "id": record.id,
        "at": record.at,
        "event": record.event,
        "status": record.status,
        "subject": record.subject,
        "site": record.site,
        "site_group": record.group,
        "notice": record.notice,
        "language": record.language,
        "surface": record.surface,
        "rendering": record.rendering,
        "choice": record.choice,
        "categories": json.dumps(record.categories, separators=(",", ":")),
        "vendors": json.dumps(record.vendors, separators=(",", ":")),
        "began": json.dumps(record.began, separators=(",", ":")),
        "ended": json.dumps(record.ended, separators=(",", ":")),
        "decided_at": record.decided_at,
        "changed_at": record.changed_at,
        "revision": record.revision,
        "expires_at": record.expires_at,
        "gpc": record.gpc,
        "jurisdiction": record.jurisdiction,
        "version": record.version,
        "precedence": record.precedence,
    }


def from_row(row: Sequence[Any]) -> Record:
    """Return the record of a row that begins with the columns of `records` in their order.

    Raises:
        InvalidDecisionError, TypeError, ValueError: somebody else wrote the row, or it is damaged.
    """
    values = dict(zip(_FIELDS, row, strict=False))
    del values["precedence"], values["salt"]
    for name in ("categories", "vendors", "began", "ended"):
        values[name] = json.loads(values[name])
    return Record(**values)
