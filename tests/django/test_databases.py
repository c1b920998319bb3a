from pathlib import Path
from typing import Any

import pytest
from django.db.utils import ConnectionHandler

from consentkit.django.databases import ledger_address
from consentkit.errors import ConfigurationError

POSTGRESQL = {
    "ENGINE": "django.db.backends.postgresql",
    "NAME": "shop",
    "USER": "shop",
    "PASSWORD": "a:b@c",
    "HOST": "db.example",
    "PORT": "5433",
    "OPTIONS": {"sslmode": "require", "pool": True},
}


@pytest.mark.parametrize(
    ("database", "address"),
    [
        (POSTGRESQL, "postgresql+psycopg://shop:a%3Ab%40c@db.example:5433/shop?sslmode=require"),
        ({"ENGINE": "django.db.backends.postgresql", "NAME": "shop"}, "postgresql+psycopg:///shop"),
        ({"ENGINE": "django.db.backends.sqlite3", "NAME": Path("/srv/db.sqlite3")}, "sqlite:////srv/db.sqlite3"),
        ({"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}, "sqlite://"),
        ({"ENGINE": "django.db.backends.sqlite3", "NAME": "file:x?mode=memory&cache=shared"}, "sqlite://"),
    ],
)  # fmt: skip
def test_database_of_django_has_an_address(
    monkeypatch: pytest.MonkeyPatch, database: dict[str, Any], address: str
) -> None:
    monkeypatch.setattr("consentkit.django.databases.connections", ConnectionHandler({"default": database}))
    assert ledger_address("default").render_as_string(hide_password=False) == address


def test_database_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    databases = {"default": {"ENGINE": "django.db.backends.dummy", "NAME": "x"}}
    monkeypatch.setattr("consentkit.django.databases.connections", ConnectionHandler(databases))
    with pytest.raises(ConfigurationError, match=r"engine is django.db.backends.dummy: the ledger needs"):
        ledger_address("default")
