"""The ledger behind a real PgBouncer in transaction mode, which gives each transaction another connection to the server."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import psycopg
import pytest

from consentkit import ConsentManager, Policy
from consentkit.consent.model import Choice, Consent
from consentkit.errors import LedgerUnavailableError
from consentkit.ledger import ChainRows, Entries, Ledger, Message, Plan, snapshot
from consentkit.manager.choice import ChoiceContext
from consentkit.policy import Duration
from consentkit.proof import Retention, erase, verify
from tests.conftest import Clock
from tests.support.pgbouncer import SERVER_CONNECTIONS, Pooler, pooling
from tests.support.postgres import Server
from tests.support.records import NOON, a_record, another_process_holds, eventually, nobody_reads
from tests.support.sites import managing

PATIENT = 30
DECIDERS = 8
CHOICE = Choice(categories={"analytical": True, "tracking": True, "social": True}, vendors={})
KEPT = Duration.parse("P24M")


@pytest.fixture(scope="module")
def pooler(postgres: Server) -> Iterator[Pooler]:
    with pooling(postgres) as pooler:
        yield pooler


@pytest.fixture
def urls(pooler: Pooler) -> tuple[str, str]:
    """Addresses of an empty database: through the pooler, and directly."""
    return pooler.database()


def is_unchanged(url: str) -> bool:
    with snapshot(url) as connection:
        return verify(ChainRows(connection)).is_unchanged


def test_decisions_of_two_processes_are_stored_polled_and_chained(
    urls: tuple[str, str], policy: Policy, clock: Clock
) -> None:
    url, direct = urls
    with ExitStack() as managers, ThreadPoolExecutor(2 * DECIDERS) as threads:
        here, there = (
            managers.enter_context(managing(policy, ledger=Ledger(url, lock_timeout=PATIENT), clock=clock))
            for _ in range(2)
        )

        def visit(number: int) -> list[str]:
            first, second = (here, there) if number % 2 else (there, here)
            given = first.decide(first.evaluator.undecided(), CHOICE, ChoiceContext())
            ended = second.withdraw(given.consent, None, ChoiceContext())
            assert given.record is not None and ended.record is not None and given.stored and ended.stored
            assert given.record.subject is not None
            newest = second.newest(given.record.subject)
            assert newest is not None and newest.event == "withdrawn"
            return [given.record.id, ended.record.id]

        answered = [id for ids in threads.map(visit, range(20 * DECIDERS)) for id in ids]
        assert here.ledger is not None
        changed, cursor = here.ledger.changes(0)
        assert sorted(record.id for record in changed) == sorted(answered)
        assert here.ledger.changes(cursor)[1] == cursor == len(answered)
    assert is_unchanged(url) and is_unchanged(direct)


def test_nothing_is_left_on_the_connections_of_other_applications(urls: tuple[str, str]) -> None:
    url, direct = urls
    ledger = Ledger(url, lock_timeout=PATIENT)
    with ThreadPoolExecutor(DECIDERS) as threads:
        list(
            threads.map(lambda n: (ledger.append(a_record(subject=f"{n}")), ledger.newest(f"{n}")), range(64))
        )
    with psycopg.connect(direct, autocommit=True) as fresh, ExitStack() as others:
        usual = settings(fresh)
        for _ in range(SERVER_CONNECTIONS):
            other = others.enter_context(psycopg.connect(url, prepare_threshold=None))
            # In a transaction each, so that they have all of the pooler's connections.
            assert settings(other) == usual
            assert other.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)
        locks = fresh.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone()
        assert locks == (0,)
    ledger.close()


def settings(connection: "psycopg.Connection[tuple[str, ...]]") -> list[tuple[str, ...]]:
    return connection.execute(
        "SELECT name, setting FROM pg_settings WHERE name IN ('statement_timeout', 'lock_timeout', "
        "'idle_in_transaction_session_timeout', 'synchronous_commit', 'search_path') ORDER BY name"
    ).fetchall()


def test_a_query_that_takes_too_long_is_ended_by_the_server(urls: tuple[str, str]) -> None:
    url, direct = urls
    patient, hasty = Ledger(url, lock_timeout=PATIENT), Ledger(url, lock_timeout=0.5)
    patient.append(a_record())
    assert eventually(hasty.notices) == []
    with nobody_reads(direct), pytest.raises(LedgerUnavailableError, match=r"lock timeout|statement timeout"):
        hasty.newest("A" * 22)
    assert eventually(lambda: hasty.newest("A" * 22)) is not None
    patient.close()
    hasty.close()


def test_a_pooler_without_a_free_connection_holds_nobody_up(urls: tuple[str, str]) -> None:
    url, _ = urls
    used, fresh = Ledger(url, lock_timeout=0.5), Ledger(url, lock_timeout=0.5)
    eventually(lambda: used.append(a_record()))
    with ExitStack() as others:
        for _ in range(SERVER_CONNECTIONS):
            others.enter_context(psycopg.connect(url, prepare_threshold=None)).execute("SELECT 1")
        # Its own limit is off, so only ours ends these.
        for ledger in (used, fresh):
            with pytest.raises(LedgerUnavailableError):
                ledger.notices()
            with pytest.raises(LedgerUnavailableError):
                ledger.append(a_record())
    for ledger in (used, fresh):
        eventually(partial(ledger.append, a_record(subject="later")))
        ledger.close()


def test_a_connection_that_the_ledger_does_not_open_itself_is_left_alone(urls: tuple[str, str]) -> None:
    ledger = Ledger(urls[0], lock_timeout=PATIENT)
    with ledger._database._engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    ledger.append(a_record())
    ledger.close()


def test_a_withdrawal_that_waits_in_the_spool_is_delivered(
    urls: tuple[str, str], policy: Policy, clock: Clock, tmp_path: Path
) -> None:
    url, direct = urls
    ledger = Ledger(url, lock_timeout=0.5)
    with managing(policy, ledger=ledger, clock=clock, spool=tmp_path / "spool") as manager:
        given = eventually(lambda: accept(manager))
        with another_process_holds(direct):
            ended = manager.withdraw(given, None, ChoiceContext())
            assert ended.record is not None and not ended.stored
            assert list((tmp_path / "spool").glob("*.json"))
    # Closing delivers.
    assert not list((tmp_path / "spool").glob("*.json"))
    other = Ledger(direct, lock_timeout=PATIENT)
    assert [record.event for record in other.records()] == ["given", "withdrawn"]
    other.close()


def accept(manager: ConsentManager) -> Consent:
    outcome = manager.decide(manager.evaluator.undecided(), CHOICE, ChoiceContext())
    return outcome.consent


def test_messages_are_claimed_once(urls: tuple[str, str]) -> None:
    ledgers = [Ledger(urls[0], lock_timeout=PATIENT) for _ in range(2)]
    messages = tuple(
        Message(
            id=f"msg_{number}",
            record="r",
            site="stride",
            endpoint="crm",
            type="consent.withdrawn",
            body="{}",
            created_at=NOON,
            gives_up_at=NOON + 60,
        )
        for number in range(40)
    )
    ledgers[0].carry_out(Plan(work_out=lambda view: Entries(messages=messages)))

    def send(number: int) -> list[str]:
        outbox, sent = ledgers[number % 2].outbox, []
        while (row := outbox.claim("stride", ["crm"], NOON, 60)) is not None:
            outbox.delivered(row.id)
            sent.append(row.id)
        return sent

    with ThreadPoolExecutor(DECIDERS) as threads:
        sent = [each for sent in threads.map(send, range(DECIDERS)) for each in sent]
    assert sorted(sent) == sorted(message.id for message in messages)
    assert ledgers[1].outbox.rows(1) == []
    for ledger in ledgers:
        ledger.close()


def test_records_are_pruned_and_erased(urls: tuple[str, str]) -> None:
    ledger = Ledger(urls[0], lock_timeout=PATIENT)
    ledger.append(*(a_record(subject=f"old {n}", expires_at=NOON) for n in range(50)))
    young = KEPT.seconds_from(NOON) + 1
    ledger.append(*(a_record(subject=f"young {n}", expires_at=young + 1) for n in range(3)))
    *_, pruned = Retention(ledger, KEPT, ["stride"]).prune(young)
    assert pruned.records == 50
    erased = erase(ledger, "young 1", now=young)
    assert (erased.records, len(erased.withdrawn)) == (2, 1)
    assert [record.subject for record in ledger.records()] == ["young 0", "young 2"]
    ledger.close()
    assert is_unchanged(urls[0])
