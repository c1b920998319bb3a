"""The ledger in one of the site's `DATABASES`: Django's settings of a database as SQLAlchemy's address of it."""

from typing import Any

from django.db import connections
from django.utils.connection import ConnectionDoesNotExist
from sqlalchemy import URL

from consentkit.errors import ConfigurationError

__all__ = ["ledger_address"]

_POSTGRESQL = frozenset({"django.db.backends.postgresql", "django.contrib.gis.db.backends.postgis"})
_SQLITE = frozenset({"django.db.backends.sqlite3", "django.contrib.gis.db.backends.spatialite"})


def ledger_address(alias: str) -> URL:
    """Return the address of the database with this alias. Nothing connects.

    Raises:
        ConfigurationError: there is no such database, or it is neither PostgreSQL nor SQLite.
    """
    try:
        database: dict[str, Any] = connections[alias].settings_dict
    except ConnectionDoesNotExist:
        known = ", ".join(repr(name) for name in connections.settings)
        raise ConfigurationError(
            f"CONSENTKIT['ledger'] names the database {alias!r}, but DATABASES has {known}: use one of them, or a URL."
        ) from None
    engine, name = database["ENGINE"], str(database["NAME"])
    if engine in _SQLITE:
        in_memory = name == ":memory:" or "mode=memory" in name
        return URL.create("sqlite", database=None if in_memory else name)
    if engine not in _POSTGRESQL:
        raise ConfigurationError(
            f"CONSENTKIT['ledger'] names the database {alias!r}, whose engine is {engine}: the ledger needs PostgreSQL or "
            "SQLite. Give it a URL of its own, such as 'sqlite:///consent.db'."
        )
    options = database.get("OPTIONS", {})
    return URL.create(
        "postgresql+psycopg",
        username=database["USER"] or None,
        password=database["PASSWORD"] or None,
        host=database["HOST"] or None,
        port=int(database["PORT"]) if database["PORT"] else None,
        database=name,
        query={key: value for key, value in options.items() if isinstance(value, str)},
    )
