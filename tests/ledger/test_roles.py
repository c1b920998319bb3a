"""A site that runs with a role of PostgreSQL that may add records, but neither change nor remove them."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, delete, text, update
from sqlalchemy.exc import ProgrammingError
from typer.testing import CliRunner

from consentkit import Ledger, Webhook
from consentkit.cli.policy import app
from consentkit.errors import LedgerUnavailableError
from consentkit.ledger import tables
from tests.support.front import EVERYTHING, Front
from tests.support.postgres import Server
from tests.support.records import a_record

DOCS = Path(__file__).parents[2] / "docs/how-to/postgresql.md"


@pytest.fixture
def addresses(postgres: Server) -> tuple[str, str]:
    """The address of the role that owns the tables, and that of the site's, with what the documentation grants it."""
    owner = postgres.address()
    ledger = Ledger(owner)
    ledger.append(a_record())
    ledger.close()
    (statements,) = re.findall(r"```sql\n(.*?)```", DOCS.read_text("utf-8"), flags=re.DOTALL)
    engine = create_engine(owner)
    with engine.begin() as connection:
        schema = connection.execute(text("SELECT current_schema()")).scalar()
        name = f"site_of_{schema}"
        connection.execute(text(f"CREATE ROLE {name} LOGIN"))
        # As everybody may use the schema "public".
        connection.execute(text(f"GRANT USAGE ON SCHEMA {schema} TO {name}"))
        connection.execute(
            text(statements.replace(" public ", f" {schema} ").replace(" TO site;", f" TO {name};"))
        )
    engine.dispose()
    return owner, re.sub(r"//[^@]*@", f"//{name}@", owner)


def test_a_role_that_cannot_change_records_is_enough_for_the_site(
    addresses: tuple[str, str], make_front: Callable[..., Front]
) -> None:
    _, site = addresses
    hooks = [Webhook("http://127.0.0.1:9/", "whsec_" + "A" * 32)]
    front = make_front(ledger=site, webhooks=hooks)
    client = front.client()
    front.cookie(client, **EVERYTHING)
    assert client.delete("/consent/decision").json()["status"] == "withdrawn"
    assert (
        front.client().post("/consent/decision", json={"choice": "reject_all"}).json()["status"] == "refused"
    )
    assert [record.event for record in front.records()][1:] == ["given", "withdrawn", "refused"]
    ledger = front.ledger
    counted = {
        "hour": 1788177600,
        "event": "refused",
        "site": "stride",
        "notice": "n",
        "language": "en",
        "surface": "banner",
    }
    for _ in range(2):
        ledger.add_counts([counted | {"choice": "reject_all", "count": 1}])
    assert ledger.use_once("token", 1788177660)
    assert not ledger.use_once("token", 1788177660)
    ledger._delete_tokens(1788177661)
    assert ledger.use_once("token", 1788177660), "used tokens are deleted once they have expired"
    messages = ledger.outbox.rows(10)
    assert len(messages) >= 1 and all(ledger.outbox.drop(message.id) for message in messages)


def test_it_can_neither_change_nor_remove_a_record(addresses: tuple[str, str]) -> None:
    _, site = addresses
    engine = create_engine(site)
    for table in (
        tables.records,
        tables.links,
        tables.chain,
        tables.notices,
        tables.renderings,
        tables.removals,
    ):
        for statement in (delete(table), update(table).values({list(table.columns)[-1]: None})):
            with pytest.raises(ProgrammingError, match="permission denied"), engine.begin() as connection:
                connection.execute(statement)
    engine.dispose()
    ledger = Ledger(site)
    with pytest.raises(LedgerUnavailableError, match="permission denied"):
        ledger.remove([next(iter(ledger.records())).id], reason="pruning", at=0)
    ledger.close()


def test_whoever_may_only_read_can_report_and_verify(
    postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a standby of the server."""
    address = postgres.address()
    ledger = Ledger(address)
    ledger.append(a_record(subject="a"))
    ledger.close()
    monkeypatch.setenv("CONSENTKIT_LEDGER", f"{address}%20-cdefault_transaction_read_only%3Don")
    policy = ["--policy", str(DOCS.parents[2] / "examples/consent.toml")]
    period = ["--from", "2026-08-01", "--to", "2026-08-31"]
    dossier = ["dossier", *policy, *period, "--no-pictures", "-o", str(tmp_path / "dossier.zip")]
    for command in (
        ["report", *policy, *period, "--format", "csv"],
        dossier,
        ["ledger", "verify"],
        ["ledger", "history", "a"],
    ):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
    result = CliRunner().invoke(app, ["ledger", "erase", "a", "--yes"])
    assert result.exit_code == 2 and "read-only" in result.output
