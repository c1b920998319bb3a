"""Rows for what plans add to the ledger, and the notices that the rows refer to."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, select

from consentkit.ledger import tables
from consentkit.ledger.tables import InsertIgnore, to_row
from consentkit.ledger.view import Document, Entries

__all__ = ["Statements", "insert_documents", "rows_of"]

Statements = Mapping[Table, InsertIgnore]
"""The statement that inserts into each table."""


def rows_of(entries: Entries, statements: Statements) -> list[tuple[InsertIgnore, Sequence[dict[str, Any]]]]:
    """Return the rows of records, links and messages, each with its statement."""
    links = [
        {"at": at, "handle_from": from_subject, "handle_to": to_subject}
        for from_subject, to_subject, at in entries.links
    ]
    records = [to_row(record) for record in entries.records]
    messages = [message.to_row() for message in entries.messages]
    by_table = ((tables.links, links), (tables.records, records), (tables.outbox, messages))
    return [(statements[table], rows) for table, rows in by_table if rows]


def insert_documents(connection: Connection, documents: Sequence[Document], statements: Statements) -> None:
    """Insert notices and renderings, so that no record refers to words that the ledger does not have."""
    notices = {document.notice["digest"]: document.notice for document in documents}
    renderings = {
        document.rendering["id"]: document.rendering
        for document in documents
        if document.rendering is not None
    }
    # In the order of their keys, so that two transactions that insert the same ones never wait for one another.
    for key, missing in ((tables.notices.c.digest, notices), (tables.renderings.c.id, renderings)):
        for (stored,) in connection.execute(select(key).where(key.in_(missing))) if missing else ():
            del missing[stored]
    for table, missing in ((tables.notices, notices), (tables.renderings, renderings)):
        if missing:
            statements[table].run(connection, [row for _, row in sorted(missing.items())])
