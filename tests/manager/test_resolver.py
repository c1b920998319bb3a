import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consentkit import ConsentManager, Ledger, Policy
from consentkit.consent import VerifiedToken, transitions
from consentkit.consent.cookie import ConsentCookie
from consentkit.consent.evaluation import Evaluator
from consentkit.consent.model import Choice, Consent, ConsentStatus
from consentkit.manager.choice import ChoiceContext, Outcome
from consentkit.manager.no_revocations import NoRevocations
from consentkit.manager.resolver import ConsentResolver
from consentkit.notices.notice import Notice
from tests.conftest import Clock
from tests.support.drawn import decisions_under, policies
from tests.support.records import a_record
from tests.support.sites import managing

BOTH = Choice(categories={"analytical": True, "tracking": True}, vendors={})


@pytest.fixture
def manager(policy: Policy, ledger: Ledger, clock: Clock) -> Iterator[ConsentManager]:
    with managing(policy, ledger=ledger, clock=clock) as made:
        yield made


def accept(manager: ConsentManager) -> Outcome:
    return manager.decide(manager.evaluator.undecided(), BOTH, ChoiceContext())


def token_of(manager: ConsentManager, outcome: Outcome) -> VerifiedToken:
    token = manager.cookie.verify(outcome.cookies[0].split(";")[0].partition("=")[2].encode())
    assert token is not None
    return token


def seen(manager: ConsentManager, token: VerifiedToken) -> tuple[ConsentStatus, set[str], bool]:
    """Resolve a token as a request does: ask the ledger if needed, and compare the permissions."""
    now = manager.clock()
    if manager.resolver.needs_lookup(token, now):
        manager.revocations.refresh(token.decision.subject, now)
    consent, outdated = manager.resolver.resolve(token, now)
    permissions = manager.resolver.permissions(token, now)
    assert permissions is None or (allowed(permissions) == allowed(consent) and not outdated)
    return consent.status, set(consent.granted), outdated


def allowed(consent: Consent) -> tuple[dict[str, bool], dict[str, bool]]:
    return dict(consent.categories), dict(consent.vendors)


# The fast path must not allow anything else
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(policies, policies, st.data())
def test_permissions_are_those_of_the_resolved_consent(
    before: Policy, after: Policy, more: st.DataObject
) -> None:
    notice = Notice.of(before)
    evaluator = Evaluator(after, "stride", [notice, Notice.of(after)])
    cookie = ConsentCookie(evaluator, "a key that the tests of the resolver use")
    resolver = ConsentResolver(evaluator, cookie, None, NoRevocations(), recheck=60)
    decisions = [more.draw(decisions_under(notice)) for _ in range(3)]
    for decision in decisions * 2:
        token = cookie.verify(cookie.dumps(decision).encode())
        assert token is not None
        ends = evaluator.expires(decision) or 0
        for now in (decision.decided_at, ends - 1, ends, ends + 1):
            for gpc in (False, True):
                consent, _ = resolver.resolve(token, now, gpc=gpc)
                permissions = resolver.permissions(token, now)
                assert (permissions is None) is (now >= ends)
                assert permissions is None or allowed(permissions) == allowed(consent)
                assert permissions is None or (now < token.until and token.ends == ends)


def test_cached_permissions_count_until_something_newer_may_be_known(
    manager: ConsentManager, clock: Clock
) -> None:
    outcome = accept(manager)
    token = token_of(manager, outcome)
    resolver = manager.resolver
    assert outcome.record is not None
    assert resolver.permissions(token, clock()) is None, "never looked up"
    manager.revocations.refresh(token.subject, clock())
    shared = resolver.permissions(token, clock())
    assert shared is not None and shared is resolver.permissions(token, clock() + 1)
    assert resolver.permissions(token, clock() + 60) is None, "a poll is due"
    assert token.ends == outcome.consent.expires
    later = a_record(
        subject=token.subject, changed_at=token.changed_at + 1, categories=outcome.record.categories
    )
    manager.revocations.hold(later, clock(), stored=False)
    assert resolver.permissions(token, clock()) is None, "a decision waits for the ledger"
    clock.advance(5)
    manager.withdraw(outcome.consent, None, ChoiceContext())
    assert resolver.permissions(token, clock()) is None, "withdrawn"


def test_recorded_grant_counts(manager: ConsentManager) -> None:
    token = token_of(manager, accept(manager))
    assert seen(manager, token) == (ConsentStatus.GIVEN, {"analytical", "tracking"}, False)
    assert not manager.resolver.needs_lookup(token, manager.clock())
    assert not manager.resolver.needs_lookup(None, manager.clock())


# GDPR article 7(1): what cannot be demonstrated is no consent
def test_grant_without_a_record_does_not_count(
    policy: Policy, manager: ConsentManager, tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with managing(policy, ledger=f"sqlite:///{tmp_path / 'lost.db'}", clock=clock) as other:
        outcome = accept(other)
    assert seen(manager, token_of(manager, outcome)) == (ConsentStatus.UNKNOWN, set(), False)
    assert "has no record" in caplog.text


# A grant that leads to no record could be neither proved nor withdrawn.
def test_grant_without_a_subject_does_not_count_and_a_refusal_does(
    manager: ConsentManager,
) -> None:
    for choice, status in (
        (BOTH, ConsentStatus.UNKNOWN),
        (Choice(categories={}, vendors={}), ConsentStatus.REFUSED),
    ):
        decision = transitions.replace(choice, manager.notice, int(manager.clock()))
        outcome = Outcome(
            consent=manager.evaluator.undecided(), cookies=tuple(manager.cookie.set_cookie(decision))
        )
        assert seen(manager, token_of(manager, outcome)) == (status, set(), False)


# DESIGN: a broader cookie after a narrowing is worth nothing.
def test_broader_cookie_replayed_after_a_narrowing_grants_what_is_left(
    manager: ConsentManager, clock: Clock
) -> None:
    broad = accept(manager)
    clock.advance(5)
    narrow = manager.decide(
        broad.consent, Choice(categories={"tracking": False}, vendors={}), ChoiceContext(), merge=True
    )
    assert seen(manager, token_of(manager, broad)) == (ConsentStatus.GIVEN, {"analytical"}, True)
    assert seen(manager, token_of(manager, narrow)) == (ConsentStatus.GIVEN, {"analytical"}, False)


# A narrowing whose record waits in another process
def test_cookie_newer_than_its_record_grants_what_both_do(manager: ConsentManager, clock: Clock) -> None:
    broad = accept(manager)
    clock.advance(5)
    change = Choice(categories={"tracking": False, "social": True}, vendors={})
    decision = transitions.merge(manager.evaluator, broad.consent, change, manager.notice, int(clock()))
    decision, _ = transitions.with_subject(manager.evaluator, broad.consent, decision)
    unrecorded = Outcome(consent=broad.consent, cookies=tuple(manager.cookie.set_cookie(decision)))
    assert seen(manager, token_of(manager, unrecorded)) == (ConsentStatus.GIVEN, {"analytical"}, False)


def test_record_under_an_unknown_notice_grants_nothing(
    manager: ConsentManager, ledger: Ledger, clock: Clock
) -> None:
    outcome = accept(manager)
    assert outcome.record is not None
    ledger.append(a_record(subject=outcome.record.subject, notice="u" * 43, changed_at=int(clock()) + 5))
    assert seen(manager, token_of(manager, outcome)) == (ConsentStatus.UNKNOWN, set(), False)


# HO-14: afterwards nothing is granted, and no banner for a fault of ours
def test_grant_ends_max_stale_after_the_last_check_without_a_banner(
    manager: ConsentManager, ledger: Ledger, clock: Clock
) -> None:
    token = token_of(manager, accept(manager))
    assert seen(manager, token)[0] is ConsentStatus.GIVEN
    ledger.close()
    clock.advance(3600)
    assert seen(manager, token)[0] is ConsentStatus.GIVEN
    clock.advance(1)
    consent, outdated = manager.resolver.resolve(token, clock())
    assert (consent.status, set(consent.granted), outdated) == (ConsentStatus.UNKNOWN, set(), False)
    assert not consent.needs_asking


def test_unchecked_grant_counts_while_the_ledger_is_out_of_reach(
    policy: Policy, manager: ConsentManager, ledger: Ledger, clock: Clock
) -> None:
    outcome = accept(manager)
    ledger.close()
    with managing(policy, ledger=ledger, clock=clock) as restarted:
        assert seen(restarted, token_of(restarted, outcome))[0] is ConsentStatus.GIVEN


def test_notices_are_loaded_once_per_recheck_period(
    manager: ConsentManager, ledger: Ledger, clock: Clock
) -> None:
    other = dict(manager.notice.content or {}, records_kept="P1Y")
    resolver = manager.resolver
    resolver.load_notices(clock())
    digest = Notice.from_content(other).digest
    ledger.store_notice(digest, other)
    ledger.store_notice("x" * 43, other)
    resolver.load_notices_unless_known(digest, clock())
    assert digest not in manager.evaluator.notices
    clock.advance(60)
    resolver.load_notices_unless_known(digest, clock())
    assert digest in manager.evaluator.notices
    assert "x" * 43 not in manager.evaluator.notices, "its digest is not that of its content"
    resolver.load_notices(clock())


@pytest.mark.parametrize("content", ["[]", "{}", '{"categories": 1}', '"text"'])
def test_damaged_notice_in_the_ledger_is_logged_and_the_others_are_loaded(
    manager: ConsentManager,
    ledger: Ledger,
    ledger_url: str,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    content: str,
) -> None:
    ledger.store_notice("d" * 43, {})
    with sqlite3.connect(ledger_url.removeprefix("sqlite:///")) as database:
        database.execute("UPDATE consentkit_notices SET content = ?", (content,))
    database.close()
    other = dict(manager.notice.content or {}, records_kept="P1Y")
    ledger.store_notice(Notice.from_content(other).digest, other)
    manager.resolver.load_notices(clock())
    assert "could not be read" in caplog.text
    assert Notice.from_content(other).digest in manager.evaluator.notices
    assert manager.resolver.may_load_notices(clock() + 60) and not manager.resolver.may_load_notices(clock())


def test_notices_are_loaded_later_if_the_ledger_is_out_of_reach(
    manager: ConsentManager, ledger: Ledger, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    ledger.close()
    manager.resolver.load_notices_unless_known("u" * 43, clock())
    assert "notices could not be read" in caplog.text
    assert manager.resolver.may_load_notices(clock() + 60)
