import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from consentkit import ConsentManager, Ledger, Policy
from consentkit.consent.model import Choice, ConsentStatus
from consentkit.errors import (
    ConfigurationError,
    InvalidDecisionError,
    LedgerUnavailableError,
    SecretKeyError,
    UnknownCategoryError,
    UnknownNoticeError,
    UnknownSiteError,
    UnknownVendorError,
)
from consentkit.ledger import Record
from consentkit.manager.choice import ChoiceContext, Outcome
from tests.conftest import HERE, Clock
from tests.support.records import another_process_holds
from tests.support.sites import KEY, managing

EVERYTHING = {"analytical": True, "tracking": True, "social": True}
API = ChoiceContext()


@pytest.fixture
def manager(policy: Policy, ledger_url: str, clock: Clock) -> Iterator[ConsentManager]:
    with managing(policy, ledger=ledger_url, clock=clock) as made:
        yield made


def choose(manager: ConsentManager, *outcomes: Outcome, merge: bool = False, **answers: bool) -> Outcome:
    """Decide over what the last outcome left; names with `v_` are vendors'."""
    vendors = {name[2:]: answer for name, answer in answers.items() if name.startswith("v_")}
    categories = {name: answer for name, answer in answers.items() if not name.startswith("v_")}
    before = outcomes[-1].consent if outcomes else manager.evaluator.undecided()
    return manager.decide(before, Choice(categories=categories, vendors=vendors), API, merge=merge)


def cookie_header(outcome: Outcome) -> list[tuple[bytes, bytes]]:
    """What the browser sends after an outcome."""
    return [(b"cookie", "; ".join(cookie.split(";")[0] for cookie in outcome.cookies).encode())]


def records(manager: ConsentManager) -> list[Record]:
    assert manager.ledger is not None
    return list(manager.ledger.records())


# RC-01, RC-08
def test_record_holds_everything_that_proves_the_decision(manager: ConsentManager, clock: Clock) -> None:
    outcome = manager.decide(
        manager.evaluator.undecided(),
        Choice(categories={"analytical": True}, vendors={"youtube": True}),
        ChoiceContext(surface="banner", choice="save", language="nl", gpc=True),
    )
    (record,) = records(manager)
    assert record.to_json() == (outcome.record or record).to_json()
    assert record.event == record.status == "given"
    assert record.subject and len(record.subject) == 22
    assert (record.site, record.group, record.jurisdiction) == ("stride", "hardlopen", "NL")
    assert (record.surface, record.choice, record.language, record.gpc) == ("banner", "save", "nl", True)
    assert record.notice == manager.notice.digest
    assert record.categories == {"analytical": True, "tracking": False, "social": False}
    assert record.vendors == {"youtube": True}
    assert record.at == record.decided_at == record.changed_at == int(clock())
    assert record.expires_at == int(outcome.consent.expires or 0)
    assert manager.ledger is not None
    assert manager.ledger.notice(manager.notice.digest) == manager.notice.content


# WD-03, WD-07, LB-09, RC-04
def test_history_of_a_subject_has_every_event_until_the_withdrawal(
    manager: ConsentManager, clock: Clock
) -> None:
    given = choose(manager, **EVERYTHING)
    clock.advance(10)
    narrowed = choose(manager, given, merge=True, tracking=False)
    clock.advance(10)
    gone = manager.withdraw(narrowed.consent, None, API)
    assert gone.reference is not None and manager.ledger is not None
    history = manager.ledger.history(gone.reference)
    assert [record.event for record in history] == ["given", "withdrawn", "withdrawn"]
    assert history[0].categories == EVERYTHING
    assert gone.consent.status is ConsentStatus.WITHDRAWN and not gone.consent.granted
    assert gone.reference not in "".join(gone.cookies)
    assert given.consent.decision is not None and given.consent.decision.subject == gone.reference


def test_withdrawing_without_a_grant_changes_nothing(manager: ConsentManager) -> None:
    undecided = manager.evaluator.undecided()
    for before in (
        undecided,
        choose(manager, analytical=False).consent,
        choose(manager, social=True).consent,
    ):
        outcome = manager.withdraw(before, "tracking", API)
        assert outcome == Outcome(consent=before)
    assert len(records(manager)) == 2


# WD-03
def test_withdrawing_one_category_leaves_the_others_and_the_end(
    manager: ConsentManager, clock: Clock
) -> None:
    given = choose(manager, **EVERYTHING)
    clock.advance(days=30)
    outcome = manager.withdraw(given.consent, "social", API)
    assert outcome.consent.granted == {"analytical", "tracking"}
    assert outcome.consent.vendors["youtube"] is False
    assert outcome.consent.expires_at == given.consent.expires_at
    last = manager.withdraw(manager.withdraw(outcome.consent, "tracking", API).consent, "analytical", API)
    assert last.consent.status is ConsentStatus.WITHDRAWN


# WD-03: a vendor's exception is withdrawn with its category
def test_vendor_allowed_by_itself_is_withdrawn_with_its_category(manager: ConsentManager) -> None:
    alone = choose(manager, merge=True, v_youtube=True)
    assert alone.consent.allows("social", "youtube") and not alone.consent.allows("social")
    assert alone.consent.needs_asking
    assert manager.withdraw(alone.consent, "social", API).consent.status is ConsentStatus.WITHDRAWN


# VA-04: "the decision in force repeated within an hour adds no record and no cookie; later it is a renewal"
def test_repeated_decision_is_recorded_only_after_an_hour(manager: ConsentManager, clock: Clock) -> None:
    given = choose(manager, **EVERYTHING)
    clock.advance(3599)
    again = choose(manager, given, **EVERYTHING)
    assert again.record is None and again.cookies == ()
    clock.advance(1)
    renewed = choose(manager, given, **EVERYTHING)
    assert renewed.record is not None and renewed.record.event == "renewed"
    assert renewed.record.subject == (given.record or renewed.record).subject
    assert (renewed.consent.expires or 0) > (given.consent.expires or 0)
    clock.advance(days=2)
    assert choose(manager, renewed, merge=True, tracking=True).record is None, (
        "a change that changes nothing is no news"
    )


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"elsewhere": True}, UnknownCategoryError),
        ({"v_elsewhere": True}, UnknownVendorError),
        ({"functional": False}, InvalidDecisionError),
        ({"tracking": "off"}, InvalidDecisionError),
        ({"tracking": 1}, InvalidDecisionError),
        ({"v_youtube": "on"}, InvalidDecisionError),
    ],
)
def test_choice_that_the_policy_cannot_express_is_not_recorded(
    manager: ConsentManager, answers: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        choose(manager, **answers)
    assert records(manager) == []


def test_required_category_can_be_accepted_and_not_withdrawn(manager: ConsentManager) -> None:
    given = choose(manager, functional=True, social=True)
    assert given.consent.granted == {"social"}
    with pytest.raises(InvalidDecisionError):
        manager.withdraw(given.consent, "functional", API)
    with pytest.raises(UnknownCategoryError):
        manager.withdraw(given.consent, "elsewhere", API)


def test_choice_under_an_unpublished_notice_raises(manager: ConsentManager) -> None:
    with pytest.raises(UnknownNoticeError):
        manager.decide(
            manager.evaluator.undecided(), Choice(categories={}, vendors={}), ChoiceContext(notice="x" * 43)
        )
    with pytest.raises(UnknownNoticeError):
        manager.recorder.shown("y" * 43)


def test_notice_published_by_another_process_is_read_from_the_ledger(
    policy: Policy, manager: ConsentManager, ledger_url: str, clock: Clock
) -> None:
    other = policy.model_copy(update={"vendors": policy.vendors[:2], "trackers": policy.trackers[:2]})
    other.model_post_init(None)
    with managing(other, ledger=ledger_url, clock=clock) as elsewhere:
        outcome = choose(elsewhere, analytical=True)
    assert manager.recorder.shown(elsewhere.notice.digest).digest == elsewhere.notice.digest
    token = manager.cookie.newest([outcome.cookies[0].split(";")[0].partition("=")[2].encode()], clock())
    assert token is not None


# SG-08
def test_manager_raises_for_a_short_key(policy: Policy) -> None:
    with pytest.raises(SecretKeyError):
        ConsentManager(policy, secret_key="k" * 31, ledger=None, site="stride")


def test_site_must_be_one_of_the_policy(policy: Policy) -> None:
    with pytest.raises(ConfigurationError, match="site is missing"):
        ConsentManager(policy, secret_key=KEY, ledger=None)
    with pytest.raises(UnknownSiteError):
        ConsentManager(policy, secret_key=KEY, ledger=None, site="elsewhere")


# RC-10
def test_manager_without_a_ledger_works_and_warns_that_nothing_can_be_proved(
    policy: Policy, clock: Clock
) -> None:
    with pytest.warns(UserWarning, match="no consent can be proved"):
        manager = ConsentManager(policy, secret_key=KEY, ledger=None, site="stride", clock=clock)
    outcome = choose(manager, analytical=True)
    assert manager.cookie.read(cookie_header(outcome)).granted == {"analytical"}
    token = manager.cookie.newest([outcome.cookies[0].split(";")[0].partition("=")[2].encode()], clock())
    assert token is not None and not manager.resolver.needs_lookup(token, clock())
    assert manager.resolver.resolve(token, clock())[0].granted == {"analytical"}
    assert manager.group == "hardlopen"
    assert manager.withdraw_subject("x") is None
    assert manager.withdraw(outcome.consent, None, API).consent.status is ConsentStatus.WITHDRAWN
    manager.close()


def test_withdraw_subject_withdraws_without_the_browser(manager: ConsentManager, clock: Clock) -> None:
    notified: list[Record] = []
    manager.on_change(notified.append)
    given = choose(manager, **EVERYTHING)
    assert given.record is not None and given.record.subject is not None
    clock.advance(5)
    record = manager.withdraw_subject(given.record.subject)
    assert record is not None and (record.event, record.status) == ("withdrawn", "withdrawn")
    assert notified == [record]
    token = manager.cookie.newest([given.cookies[0].split(";")[0].partition("=")[2].encode()], clock())
    assert token is not None
    if manager.resolver.needs_lookup(token, clock()):
        manager.revocations.refresh(token.decision.subject, clock())
    consent, outdated = manager.resolver.resolve(token, clock())
    assert consent.status is ConsentStatus.WITHDRAWN and outdated
    assert manager.withdraw_subject(given.record.subject) is None, "nothing is granted any more"
    assert manager.withdraw_subject("nobody") is None


# RC-10, LG-09: the ledger is written first
def test_locked_ledger_refuses_what_widens_and_accepts_what_narrows(
    policy: Policy, tmp_path: Path, clock: Clock
) -> None:
    database = tmp_path / "locked.db"
    notified = threading.Event()
    with managing(
        policy,
        ledger=Ledger(f"sqlite:///{database}", lock_timeout=0.2),
        clock=clock,
        spool=tmp_path / "spool",
    ) as manager:
        given = choose(manager, **EVERYTHING)
        clock.advance(10)
        manager.on_change(lambda record: notified.set())
        with another_process_holds(f"sqlite:///{database}"):
            with pytest.raises(LedgerUnavailableError):
                choose(manager, analytical=True)
            narrowed = choose(manager, given, merge=True, tracking=False)
            assert not narrowed.consent.allows("tracking") and not narrowed.stored
            with pytest.raises(LedgerUnavailableError):
                choose(manager, narrowed, merge=True, tracking=True)
            refused = choose(manager, analytical=False)
            assert refused.consent.status is ConsentStatus.REFUSED and refused.cookies and not refused.stored
            gone = manager.withdraw(given.consent, None, API)
            assert gone.consent.status is ConsentStatus.WITHDRAWN and not gone.stored
            assert list((tmp_path / "spool").glob("*.json"))
            token = manager.cookie.newest(
                [given.cookies[0].split(";")[0].partition("=")[2].encode()], clock()
            )
            assert manager.resolver.resolve(token, clock())[0].status is ConsentStatus.WITHDRAWN, (
                "at once, in this process"
            )
        assert notified.wait(30), "listeners are called once the record is durable"
        assert gone.record is not None and gone.reference is not None and manager.ledger is not None
    with managing(policy, ledger=Ledger(f"sqlite:///{database}"), clock=clock) as again:
        assert gone.record.id in {record.id for record in records(again)}


@pytest.mark.parametrize("place", [None, "spool"])
def test_withdrawal_in_the_spool_counts_after_a_restart(
    policy: Policy, tmp_path: Path, clock: Clock, place: str | None
) -> None:
    database = tmp_path / "locked.db"
    options = {"clock": clock, "spool": tmp_path / place if place else None}
    first = ConsentManager(
        policy,
        secret_key=KEY,
        site="stride",
        ledger=Ledger(f"sqlite:///{database}", lock_timeout=0.2),
        **options,  # type: ignore[arg-type]
    )
    given = choose(first, **EVERYTHING)
    token_text = given.cookies[0].split(";")[0].partition("=")[2].encode()
    with another_process_holds(f"sqlite:///{database}"):
        first.withdraw(given.consent, None, API)
        first.close()
        ledger = Ledger(f"sqlite:///{database}", lock_timeout=0.2)
        second = ConsentManager(policy, secret_key=KEY, site="stride", ledger=ledger, **options)  # type: ignore[arg-type]
        token = second.cookie.newest([token_text], clock())
        assert second.resolver.resolve(token, clock())[0].status is ConsentStatus.WITHDRAWN
    second.close()
    ledger.close()


@pytest.mark.parametrize(
    ("ledger", "spool", "is_lost"),
    [
        ("postgresql://nobody@127.0.0.1:1/none", None, True),
        ("postgresql://nobody@127.0.0.1:1/none", "spool", False),
        ("sqlite:///consent.db", None, False),
    ],
)
def test_process_whose_records_an_outage_may_lose_warns_at_the_start(
    policy: Policy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    ledger: str,
    spool: str | None,
    is_lost: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    with managing(policy, ledger=ledger, spool=spool):
        assert ("Set spool= to a directory." in caplog.text) == is_lost


ENDING_WITHOUT_CLOSING = """
import sqlite3, sys
from consentkit import ConsentManager, Ledger, load_policy
from consentkit.consent import Choice
from consentkit.manager import ChoiceContext
class WithoutSpool(Ledger):
    default_spool = None
path, choice = sys.argv[3], Choice(categories={"social": True}, vendors={})
ledger = WithoutSpool(f"sqlite:///{path}", lock_timeout=0.1)
manager = ConsentManager(load_policy(sys.argv[1]), secret_key=sys.argv[2], site="stride", ledger=ledger)
given = manager.decide(manager.evaluator.undecided(), choice, ChoiceContext())
other = sqlite3.connect(path, isolation_level=None)
other.execute("BEGIN IMMEDIATE")
assert not manager.withdraw(given.consent, None, ChoiceContext()).stored
other.execute("ROLLBACK")
"""


def test_process_that_ends_without_closing_its_manager_delivers_what_waits(tmp_path: Path) -> None:
    path = tmp_path / "consent.db"
    command = [
        sys.executable,
        "-c",
        ENDING_WITHOUT_CLOSING,
        str(HERE / "consent.example.toml"),
        KEY,
        str(path),
    ]
    assert subprocess.run(command, cwd=tmp_path).returncode == 0
    ledger = Ledger(f"sqlite:///{path}")
    assert [record.event for record in ledger.records()] == ["given", "withdrawn"]
    ledger.close()


def test_grant_ends_after_max_stale_on_a_ledger_that_can_be_read_and_not_written(
    policy: Policy, tmp_path: Path, clock: Clock
) -> None:
    path = tmp_path / "consent.db"
    read_only = f"sqlite:///file:{path}?mode=ro&uri=true"
    with (
        managing(policy, ledger=f"sqlite:///{path}", clock=clock) as writer,
        managing(policy, ledger=read_only, clock=clock, max_stale=300) as reader,
    ):
        given = choose(writer, **EVERYTHING)
        token = reader.cookie.newest([cookie_header(given)[0][1].split(b";")[0].partition(b"=")[2]], clock())
        assert token is not None
        reader.revocations.refresh(token.subject, clock(), wait=30)
        assert reader.resolver.resolve(token, clock())[0].granted == EVERYTHING.keys()
        clock.advance(301)
        reader.revocations.refresh(token.subject, clock(), wait=30)
        assert reader.health()["lookups"] == "ok"
        assert reader.resolver.resolve(token, clock())[0].granted == set()


def test_poll_finds_damage_that_no_query_meets(policy: Policy, tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "consent.db"
    with managing(policy, ledger=f"sqlite:///{path}", clock=clock) as manager:
        given = choose(manager, **EVERYTHING)
        assert given.record is not None and given.record.subject is not None
        with closing(sqlite3.connect(path, isolation_level=None)) as another_program:
            another_program.execute("CREATE TABLE last_in_the_file AS SELECT zeroblob(100000)")
            another_program.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        manager.revocations.refresh(given.record.subject, clock())
        assert manager.health()["ledger"] == "ok"
        os.truncate(path, path.stat().st_size - 50_000)
        clock.advance(60)
        manager.revocations.refresh(given.record.subject, clock(), wait=30)
        assert manager.health()["ledger"] == "damaged"


# LG-09: no withdrawal is refused, by whomever
def test_withdraw_subject_counts_while_the_ledger_is_locked(
    policy: Policy, tmp_path: Path, clock: Clock
) -> None:
    database = f"sqlite:///{tmp_path / 'locked.db'}"
    with managing(policy, ledger=Ledger(database, lock_timeout=2), clock=clock) as manager:
        given = choose(manager, **EVERYTHING)
        clock.advance(5)
        notified = threading.Event()
        manager.on_change(lambda record: notified.set())
        assert given.record is not None and given.record.subject is not None
        with another_process_holds(database):
            record = manager.withdraw_subject(given.record.subject)
            assert record is not None and not notified.is_set()
            token = manager.cookie.newest(
                [given.cookies[0].split(";")[0].partition("=")[2].encode()], clock()
            )
            assert manager.resolver.resolve(token, clock())[0].status is ConsentStatus.WITHDRAWN
        assert notified.wait(30)


def test_listeners_are_called_from_threads_and_event_loops(manager: ConsentManager) -> None:
    notified: list[str] = []

    @manager.on_change
    async def listen(record: Record) -> None:
        notified.append(record.event)

    outcome = choose(manager, analytical=True)
    assert outcome.record is not None
    asyncio.run(manager.anotify(outcome.record))
    manager.notify(outcome.record)
    assert notified == ["given", "given"]
