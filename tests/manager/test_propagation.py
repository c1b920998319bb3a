from collections.abc import Iterator

import pytest

from consentkit import ConsentManager, Ledger, Policy
from consentkit.consent.model import Choice, ConsentStatus
from consentkit.ledger import Record
from consentkit.manager.choice import ChoiceContext, Outcome
from consentkit.manager.propagation import LinkedLedger
from tests.conftest import Clock
from tests.support.records import a_record
from tests.support.sites import managing
from tests.support.told import policy_of, rows

EVERYTHING = Choice(categories={"analytical": True, "tracking": True, "social": True}, vendors={})


@pytest.fixture
def here(policy: Policy, ledger: Ledger, clock: Clock) -> Iterator[ConsentManager]:
    with managing(policy, ledger=ledger, clock=clock) as manager:
        yield manager


@pytest.fixture
def there(policy: Policy, ledger: Ledger, clock: Clock) -> Iterator[ConsentManager]:
    with managing(policy, ledger=ledger, clock=clock, site="trailhead") as manager:
        yield manager


def accept(manager: ConsentManager) -> Outcome:
    return manager.decide(manager.evaluator.undecided(), EVERYTHING, ChoiceContext())


def subject(outcome: Outcome) -> str:
    assert outcome.record is not None and outcome.record.subject is not None
    return outcome.record.subject


# XS-03
def test_withdrawal_is_echoed_to_every_linked_pseudonym(
    here: ConsentManager, there: ConsentManager, ledger: Ledger, clock: Clock
) -> None:
    mine, theirs, stranger = accept(here), accept(there), accept(there)
    ledger.link(subject(mine), subject(theirs), int(clock()))
    clock.advance(5)
    here.withdraw(mine.consent, None, ChoiceContext())
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
def test_narrowing_is_echoed_as_what_both_grant(
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
    here.decide(mine.consent, Choice(categories=categories, vendors=vendors), ChoiceContext(), merge=True)
    echo = ledger.newest(subject(theirs))
    assert echo is not None
    assert (echo.categories, echo.vendors, echo.status) == (left_categories, left_vendors, status)
    assert echo.decided_at == (theirs.record or echo).decided_at or status == "refused"


def test_widening_is_not_echoed(
    here: ConsentManager, there: ConsentManager, ledger: Ledger, clock: Clock
) -> None:
    mine = here.decide(
        here.evaluator.undecided(), Choice(categories={"social": True}, vendors={}), ChoiceContext()
    )
    theirs = there.decide(
        there.evaluator.undecided(), Choice(categories={"social": True}, vendors={}), ChoiceContext()
    )
    ledger.link(subject(mine), subject(theirs), int(clock()))
    clock.advance(5)
    here.decide(mine.consent, EVERYTHING, ChoiceContext())
    newest = ledger.newest(subject(theirs))
    assert newest is not None and newest.id == (theirs.record or newest).id


def test_record_delivered_twice_has_the_same_echoes(
    here: ConsentManager, ledger: Ledger, clock: Clock
) -> None:
    mine, theirs = accept(here), accept(here)
    ledger.link(subject(mine), subject(theirs), int(clock()))
    linked = LinkedLedger(ledger, here.evaluator)
    gone = a_record(
        subject=subject(mine), status="withdrawn", event="withdrawn", categories={}, notice=here.notice.digest
    )
    linked.append(gone)
    count = len(list(ledger.records()))
    linked.append(gone)
    assert len(list(ledger.records())) == count


def test_linked_grant_under_an_unknown_notice_is_withdrawn_too(here: ConsentManager, ledger: Ledger) -> None:
    mine = accept(here)
    foreign = a_record(
        subject="f" * 22, notice="u" * 43, categories={"other": True}, vendors={"somebody": True}
    )
    ledger.append(foreign)
    ledger.link(subject(mine), "f" * 22, 1)
    here.withdraw(mine.consent, None, ChoiceContext())
    echo = ledger.newest("f" * 22)
    assert echo is not None and echo.status == "withdrawn" and echo.vendors == {}


def imported(manager: ConsentManager, subject: str, at: int, **changes: object) -> Record:
    return a_record(
        event="imported",
        choice="handoff",
        subject=subject,
        notice=manager.notice.digest,
        decided_at=at,
        changed_at=at,
        vendors={},
        **changes,
    )


def test_imported_choice_takes_back_nothing_granted_after_it(
    here: ConsentManager, ledger: Ledger, clock: Clock
) -> None:
    earlier = int(clock())
    clock.advance(5)
    mine = accept(here)
    ledger.link(subject(mine), "H" * 22, int(clock()))
    nothing = {"analytical": False, "tracking": False, "social": False}
    for kept, record in (
        ({}, imported(here, "H" * 22, earlier, categories={**nothing, "social": True})),
        (nothing, imported(here, "H" * 22, int(clock()) + 5, categories={**nothing, "tracking": True})),
    ):
        LinkedLedger(ledger, here.evaluator).append(record)
        newest = ledger.newest(subject(mine))
        assert newest is not None
        assert newest.categories == ({**kept, "tracking": True} if kept else dict.fromkeys(nothing, True))


# Echoes go by time


def late_withdrawal(manager: ConsentManager, outcome: Outcome, at: int) -> Record:
    return a_record(
        subject=subject(outcome),
        status="withdrawn",
        event="withdrawn",
        choice="withdraw",
        categories=dict.fromkeys(EVERYTHING.categories, False),
        vendors={},
        notice=manager.notice.digest,
        decided_at=at,
        changed_at=at,
    )


def test_late_withdrawal_takes_back_nothing_that_a_linked_site_was_answered_later(
    here: ConsentManager, there: ConsentManager, ledger: Ledger, clock: Clock
) -> None:
    mine, theirs = accept(here), accept(there)
    ledger.link(subject(mine), subject(theirs), int(clock()))
    withdrawn_at = int(clock()) + 5
    clock.advance(3700)
    there.decide(theirs.consent, EVERYTHING, ChoiceContext(choice="accept_all"))
    LinkedLedger(ledger, here.evaluator).append(late_withdrawal(here, mine, withdrawn_at))
    newest, own = ledger.newest(subject(theirs)), ledger.newest(subject(mine))
    assert newest is not None and newest.status == "given" and all(newest.categories.values())
    assert own is not None and own.status == "withdrawn"


def test_late_withdrawal_leaves_of_a_linked_grant_what_was_turned_on_later(
    here: ConsentManager, there: ConsentManager, ledger: Ledger, clock: Clock
) -> None:
    some = Choice(categories={"analytical": True, "social": True}, vendors={"youtube": False})
    mine = accept(here)
    theirs = there.decide(there.evaluator.undecided(), some, ChoiceContext())
    ledger.link(subject(mine), subject(theirs), int(clock()))
    withdrawn_at = int(clock()) + 5
    clock.advance(60)
    more = Choice(categories={"tracking": True}, vendors={"youtube": True})
    there.decide(theirs.consent, more, ChoiceContext(choice="change"), merge=True)
    LinkedLedger(ledger, here.evaluator).append(late_withdrawal(here, mine, withdrawn_at))
    newest = ledger.newest(subject(theirs))
    assert newest is not None and newest.status == "given"
    assert newest.categories == {"analytical": False, "tracking": True, "social": False}
    assert newest.vendors == {"youtube": True}


def test_echo_that_leaves_only_exempt_categories_is_a_refusal(ledger: Ledger, clock: Clock) -> None:
    policy = policy_of(categories=rows("categories", analytical={"exempt": True}))
    with (
        managing(policy, ledger=ledger, clock=clock) as here,
        managing(policy, ledger=ledger, clock=clock, site="trailhead") as there,
    ):
        mine, theirs = accept(here), accept(there)
        ledger.link(subject(mine), subject(theirs), int(clock()))
        clock.advance(5)
        here.decide(mine.consent, Choice(categories={"analytical": True}, vendors={}), ChoiceContext())
        echo = ledger.newest(subject(theirs))
        assert echo is not None and (echo.status, echo.categories["analytical"]) == ("refused", True)


def test_imported_choice_newer_than_linked_grants_is_not_narrowed(
    here: ConsentManager, ledger: Ledger, clock: Clock
) -> None:
    mine = here.decide(
        here.evaluator.undecided(), Choice(categories={"social": True}, vendors={}), ChoiceContext()
    )
    ledger.link(subject(mine), "H" * 22, int(clock()))
    LinkedLedger(ledger, here.evaluator).append(imported(here, "H" * 22, int(clock()) + 5))
    newest = ledger.newest("H" * 22)
    assert newest is not None and all(newest.categories.values())


# XS-05
def test_imported_choice_is_not_narrowed_by_its_own_echo(
    here: ConsentManager, ledger: Ledger, clock: Clock
) -> None:
    mine = here.decide(
        here.evaluator.undecided(), Choice(categories={"analytical": True}, vendors={}), ChoiceContext()
    )
    ledger.link(subject(mine), "H" * 22, int(clock()))
    social = {"analytical": False, "tracking": False, "social": True}
    LinkedLedger(ledger, here.evaluator).append(imported(here, "H" * 22, int(clock()) + 5, categories=social))
    newest, echo = ledger.newest("H" * 22), ledger.newest(subject(mine))
    assert newest is not None and newest.categories == social
    assert echo is not None and echo.status == "refused"
