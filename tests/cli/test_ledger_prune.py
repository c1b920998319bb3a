import json
import time
from pathlib import Path

import pytest
import sqlalchemy
from typer.testing import CliRunner, Result

from consentkit.cli.policy import app
from consentkit.ledger import Ledger
from tests.support.policies import TEXT
from tests.support.records import a_record, another_process_holds

YEARS = 3 * 366 * 86_400


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "consent.toml"
    path.write_text(TEXT, "utf-8")
    return path


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A ledger with three old records, one of them of a site that is closed, and a young one."""
    url = f"sqlite:///{tmp_path / 'consent.db'}"
    now = int(time.time())
    old = {"at": now - YEARS, "expires_at": now - YEARS + 86_400}
    ledger = Ledger(url)
    ledger.append(a_record(subject="a", **old), a_record(subject="b", **old))
    ledger.append(
        a_record(subject="c", site="closed", **old), a_record(subject="d", at=now, expires_at=now + 86_400)
    )
    ledger.close()
    return url


def run(policy: Path, url: str, *options: str) -> Result:
    return CliRunner().invoke(app, ["ledger", "prune", "--ledger", url, "--policy", str(policy), *options])


def left(url: str) -> list[str | None]:
    ledger = Ledger(url)
    records = [record.subject for record in ledger.records()]
    ledger.close()
    return records


def test_old_records_go_and_what_would_go_can_be_seen_first(policy: Path, url: str) -> None:  # RC-09
    dry = run(policy, url, "--dry-run")
    assert dry.exit_code == 0 and "Would remove 2 records, 0 links and 0 counts." in dry.output
    assert "1 record of sites that are not in" in dry.output
    assert left(url) == ["a", "b", "c", "d"]
    done = run(policy, url, "--json", "--batch", "1")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["records"], told["elsewhere"], told["done"], told["dry_run"]) == (2, 1, True, False)
    assert left(url) == ["c", "d"]
    assert "Removed 1 record, 0 links" in run(policy, url, "--site", "closed").output
    assert left(url) == ["d"]


def test_a_file_that_cannot_shrink_says_so_and_is_rewritten_on_request(policy: Path, tmp_path: Path) -> None:
    path = tmp_path / "older.db"
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE older (id INTEGER)")
    engine.dispose()
    url = f"sqlite:///{path}"
    Ledger(url).counts()
    assert "--vacuum gives it back" in run(policy, url).output
    assert run(policy, url, "--json").stdout.startswith("{")
    assert "--vacuum" not in run(policy, url, "--vacuum").output
    assert "--vacuum" not in run(policy, url).output


def test_a_faulty_policy_and_a_ledger_that_is_busy_are_reported(policy: Path, url: str) -> None:
    with another_process_holds(url, "IMMEDIATE"):
        busy = run(policy, url)
    assert busy.exit_code == 2 and "Run it again" in busy.stderr
    policy.write_text(TEXT.replace('records_kept = "P24M"', 'records_kept = "long"'), "utf-8")
    assert run(policy, url).exit_code == 1
    assert left(url) == ["a", "b", "c", "d"]


def test_rows_that_another_program_wrote_stay_and_stop_nothing(policy: Path, url: str) -> None:
    ledger = Ledger(url)
    ledger.link("d", "e", 0)
    ledger.link("x", "y", 0)
    ledger.link("b", "z", 0)
    ledger.close()
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        for statement in (
            "INSERT INTO consentkit_links (at, handle_from, handle_to) VALUES ('once', 'p', x'ff')",
            "INSERT INTO consentkit_links (at, handle_from, handle_to) VALUES (0, x'ff', 'q')",
            "INSERT INTO consentkit_links (at, handle_from, handle_to) VALUES (0, 'b', x'ff')",
            "UPDATE consentkit_records SET at = 'once', expires_at = 'never' WHERE subject = 'a'",
            "UPDATE consentkit_records SET subject = x'ff' WHERE subject = 'd'",
        ):
            connection.exec_driver_sql(statement)
    done = run(policy, url, "--site", "closed")
    assert done.exit_code == 0 and "Removed 2 records" in done.output
    with engine.connect() as connection:
        left = (
            connection.exec_driver_sql("SELECT subject FROM consentkit_records ORDER BY seq").scalars().all()
        )
    engine.dispose()
    assert left == ["a", b"\xff"]
    erased = CliRunner().invoke(app, ["ledger", "erase", "--ledger", url, "a", "--yes"])
    assert erased.exit_code == 0 and "Erased 1 record" in erased.output
