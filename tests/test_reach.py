from collections.abc import Iterator

import pytest

from consentkit import ConsentManager, Ledger, Policy
from consentkit.consent import Choice, ConsentStatus
from consentkit.occasion import Occasion, Outcome
from consentkit.reach import Reach
from tests.conftest import Clock
from tests.records import a_record
from tests.sites import managing

EVERYTHING = Choice(categories={"analytical": True, "tracking": True, "social": True}, vendors={})


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    ledger = Ledger(ledger_url)
    yield ledger
    ledger.close()


@pytest.fixture
def here(policy: Policy, ledger: Ledger, clock: Clock) -> Iterator[ConsentManager]:
    with managing(policy, ledger=ledger, clock=clock) as manager:
        yield manager


@pytest.fixture
def there(policy: Policy, ledger: Ledger, clock: Clock) -> Iterator[ConsentManager]:
    with managing(policy, ledger=ledger, clock=clock, site="trailhead") as manager:
        yield manager


def accept(manager: ConsentManager) -> Outcome:
    return manager.decide(manager.terms.undecided(), EVERYTHING, Occasion())


def subject(outcome: Outcome) -> str:
    assert outcome.record is not None and outcome.record.subject is not None
    return outcome.record.subject


# XS-03
def test_a_withdrawal_reaches_every_linked_pseudonym_in_one_go(
    here: ConsentManager, there: ConsentManager, ledger: Ledger, clock: Clock
) -> None:
    mine, theirs, stranger = accept(here), accept(there), accept(there)
    ledger.link(subject(mine), subject(theirs), int(clock()))
    clock.advance(5)
    here.withdraw(mine.consent, None, Occasion())
    echo = ledger.newest(subject(theirs))
    assert echo is not None and (echo.event, echo.status, echo.site) == ("withdrawn", "withdrawn", "stride")
    assert echo.choice == "handoff" and not any(echo.categories.values())
    untouched = ledger.newest(subject(stranger))
    assert untouched is not None and untouched.status == ConsentStatus.GIVEN


@pytest.mark.parametrize(
    ("categories", "vendors", "left_categories", "left_vendors", "status"),
    [
        ({"tracking": False}, {}, {"analytical": True, "tracking": False, "social": True}, {}, "given"),
        (
            {},
            {"youtube": False},
            {"analytical": True, "tracking": True, "social": True},
            {"youtube": False},
            "given",
        ),
        (
            {"analytical": False, "tracking": False, "social": False},
            {"youtube": True},
            {"analytical": False, "tracking": False, "social": False},
            {"youtube": True},
            "given",
        ),
        (
            {"analytical": False, "tracking": False, "social": False},
            {},
            {"analytical": False, "tracking": False, "social": False},
            {},
            "refused",
        ),
    ],
)
def test_a_narrowing_leaves_what_both_grant(
    here: ConsentManager,
    there: ConsentManager,
    ledger: Ledger,
    clock: Clock,
    categories: dict[str, bool],
    vendors: dict[str, bool],
    left_categories: dict[str, bool],
    left_vendors: dict[str, bool],
    status: str,
) -> None:
    mine, theirs = accept(here), accept(there)
    ledger.link(subject(theirs), subject(mine), int(clock()))
    clock.advance(5)
    here.decide(mine.consent, Choice(categories=categories, vendors=vendors), Occasion(), merge=True)
    echo = ledger.newest(subject(theirs))
    assert echo is not None
    assert (echo.categories, echo.vendors, echo.status) == (left_categories, left_vendors, status)
    assert echo.decided_at == (theirs.record or echo).decided_at or status == "refused"


def test_what_widens_reaches_nobody_else(
    here: ConsentManager, there: ConsentManager, ledger: Ledger, clock: Clock
) -> None:
    mine = here.decide(here.terms.undecided(), Choice(categories={"social": True}, vendors={}), Occasion())
    theirs = there.decide(
        there.terms.undecided(), Choice(categories={"social": True}, vendors={}), Occasion()
    )
    ledger.link(subject(mine), subject(theirs), int(clock()))
    clock.advance(5)
    here.decide(mine.consent, EVERYTHING, Occasion())
    newest = ledger.newest(subject(theirs))
    assert newest is not None and newest.id == (theirs.record or newest).id


def test_a_record_delivered_twice_has_the_same_echoes(
    here: ConsentManager, ledger: Ledger, clock: Clock
) -> None:
    mine, theirs = accept(here), accept(here)
    ledger.link(subject(mine), subject(theirs), int(clock()))
    reach = Reach(ledger, here.terms)
    gone = a_record(
        subject=subject(mine), status="withdrawn", event="withdrawn", categories={}, notice=here.notice.digest
    )
    reach.append(gone)
    count = len(list(ledger.records()))
    reach.append(gone)
    assert len(list(ledger.records())) == count


def test_a_linked_grant_under_a_notice_that_is_not_known_here_is_ended(
    here: ConsentManager, ledger: Ledger
) -> None:
    mine = accept(here)
    foreign = a_record(
        subject="f" * 22, notice="u" * 43, categories={"other": True}, vendors={"somebody": True}
    )
    ledger.append(foreign)
    ledger.link(subject(mine), "f" * 22, 1)
    here.withdraw(mine.consent, None, Occasion())
    echo = ledger.newest("f" * 22)
    assert echo is not None and echo.status == "withdrawn" and echo.vendors == {}
