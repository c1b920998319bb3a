"""What a test does before a statement runs, whether SQLAlchemy or the driver itself was asked to run it."""

import sqlite3
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
import sqlalchemy
from sqlalchemy import Engine

__all__ = ["before_statements", "watchable_engine"]

Watcher = Callable[[Any, str], None]
"""Takes the driver's connection and the statement."""

_watchers: "WeakKeyDictionary[Engine, list[Watcher]]" = WeakKeyDictionary()


def watchable_engine(url: str, **options: Any) -> Engine:
    """Return an engine whose statements `before_statements` sees."""
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"), **options)
    watchers = _watchers.setdefault(engine, [])
    option = _sqlite(watchers) if engine.dialect.name == "sqlite" else _postgresql(watchers)

    @sqlalchemy.event.listens_for(engine, "do_connect")
    def watch(_dialect: object, _entry: object, _arguments: object, given: dict[str, Any]) -> None:
        given |= option

    return engine


def before_statements(engine: Engine, watcher: Watcher) -> None:
    """Call a function before each statement of an engine."""
    _watchers[engine].append(watcher)


def _sqlite(watchers: list[Watcher]) -> dict[str, Any]:
    class Cursor(sqlite3.Cursor):
        def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
            for watch in watchers:
                watch(self.connection, statement)
            return super().execute(statement, *values)

        def executemany(self, statement: str, rows: Any) -> sqlite3.Cursor:
            for watch in watchers:
                watch(self.connection, statement)
            return super().executemany(statement, rows)

    class Connection(sqlite3.Connection):
        def cursor(self, _factory: Any = None) -> Any:
            return super().cursor(Cursor)

    return {"factory": Connection}


def _postgresql(watchers: list[Watcher]) -> dict[str, Any]:
    class Cursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, *values: Any, **options: Any) -> Any:
            for watch in watchers:
                watch(self.connection, str(query))
            return super().execute(query, *values, **options)

    return {"cursor_factory": Cursor}
