"""What a record says about what began and ended, and the event that follows from it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from consentkit import ConsentManager, Ledger, Policy
from consentkit.consent import Choice, Consent, Decision, transitions
from consentkit.ledger import Record
from consentkit.manager import ImportedGrant
from consentkit.manager.choice import ChoiceContext
from consentkit.manager.difference import allowed_by
from consentkit.manager.propagation import LinkedLedger
from consentkit.notices import Notice
from tests.conftest import Clock
from tests.support.records import another_process_holds
from tests.support.sites import managing
from tests.support.told import policy_of, rows

ALL = "analytical tracking social ~adhub ~google-analytics ~youtube"


@pytest.fixture
def manager(policy: Policy, ledger: Ledger, clock: Clock) -> Iterator[ConsentManager]:
    with managing(policy, ledger=ledger, clock=clock) as made:
        yield made


class Visitor:
    """One browser at a site: `accept`, `reject`, `withdraw`, or answers such as `-social +~youtube`."""

    def __init__(self, manager: ConsentManager, consent: Consent | None = None) -> None:
        self.manager, self.consent = manager, consent or manager.evaluator.undecided()

    def do(self, what: str) -> Record | None:
        manager, context = (
            self.manager,
            ChoiceContext(choice="api" if what in ("accept", "reject") else "change"),
        )
        if what in ("accept", "reject"):
            everything = transitions.everything(manager.notice, allowed=what == "accept")
            outcome = manager.decide(self.consent, everything, context)
        elif what.startswith("withdraw"):
            outcome = manager.withdraw(self.consent, what.partition(" ")[2] or None, context)
        else:
            answers = {word[1:]: word[0] == "+" for word in what.split()}
            choice = Choice(
                categories={item: answer for item, answer in answers.items() if item[0] != "~"},
                vendors={item[1:]: answer for item, answer in answers.items() if item[0] == "~"},
            )
            outcome = manager.decide(self.consent, choice, context, merge=True)
        self.consent = outcome.consent
        return outcome.record


def listed(changed: dict[str, list[str]]) -> set[str]:
    return {*changed["categories"], *(f"~{vendor}" for vendor in changed["vendors"])}


# WD-04
@pytest.mark.parametrize(
    ("before", "what", "event", "status", "began", "ended"),
    [
        ("", "accept", "given", "given", ALL, ""),
        ("", "+social", "given", "given", "social ~youtube", ""),
        ("", "+~youtube", "given", "given", "~youtube", ""),
        ("", "+social -~youtube", "given", "given", "social", ""),
        ("", "reject", "refused", "refused", "", ""),
        ("reject", "accept", "given", "given", ALL, ""),
        ("accept", "reject", "withdrawn", "refused", "", ALL),
        ("accept", "withdraw", "withdrawn", "withdrawn", "", ALL),
        ("accept", "withdraw social", "withdrawn", "given", "", "social ~youtube"),
        ("+social", "withdraw social", "withdrawn", "withdrawn", "", "social ~youtube"),
        ("+social", "-social", "withdrawn", "refused", "", "social ~youtube"),
        ("accept", "-social", "withdrawn", "given", "", "social ~youtube"),
        ("accept", "-~youtube", "withdrawn", "given", "", "~youtube"),
        ("accept", "-social +~youtube", "withdrawn", "given", "", "social"),
        (
            "accept|-social",
            "+social -analytical",
            "changed",
            "given",
            "social ~youtube",
            "analytical ~google-analytics",
        ),
        ("+social", "+analytical", "changed", "given", "analytical ~google-analytics", ""),
        ("accept|-~youtube", "+~youtube", "changed", "given", "~youtube", ""),
        ("accept|-~youtube", "-social", "withdrawn", "given", "", "social"),
        ("accept|withdraw", "+social", "given", "given", "social ~youtube", ""),
    ],
)
def test_record_lists_what_began_and_what_ended(
    manager: ConsentManager,
    clock: Clock,
    before: str,
    what: str,
    event: str,
    status: str,
    began: str,
    ended: str,
) -> None:
    visitor = Visitor(manager)
    for earlier in filter(None, before.split("|")):
        visitor.do(earlier)
        clock.advance(1)
    record = visitor.do(what)
    assert record is not None and (record.event, record.status) == (event, status)
    assert (listed(record.began), listed(record.ended)) == (set(began.split()), set(ended.split()))
    assert manager.ledger is not None
    assert list(manager.ledger.records())[-1].to_json() == record.to_json()


def test_renewal_begins_and_ends_nothing(manager: ConsentManager, clock: Clock) -> None:
    visitor = Visitor(manager)
    visitor.do("accept")
    clock.advance(days=30)
    record = visitor.do("accept")
    assert record is not None and record.event == "renewed"
    assert record.began == record.ended == {"categories": [], "vendors": []}


def test_grant_that_has_expired_does_not_end_again(manager: ConsentManager, clock: Clock) -> None:
    visitor = Visitor(manager)
    visitor.do("accept")
    clock.advance(days=200)
    expired = manager.evaluator.evaluate(visitor.consent.decision, clock())
    record = Visitor(manager, expired).do("reject")
    assert record is not None and (record.event, listed(record.ended)) == ("refused", set())
    record = Visitor(manager, expired).do("accept")
    assert record is not None and (record.event, listed(record.began)) == ("given", set(ALL.split()))


# The cookie still grants everything: what another process recorded counts.
def test_difference_is_that_to_the_newest_record_and_not_to_the_cookie(
    policy: Policy, manager: ConsentManager, ledger: Ledger, clock: Clock
) -> None:
    visitor = Visitor(manager)
    visitor.do("accept")
    clock.advance(1)
    with managing(policy, ledger=ledger, clock=clock) as other:
        Visitor(other, visitor.consent).do("-social")
    clock.advance(1)
    record = visitor.do("reject")
    assert record is not None
    assert listed(record.ended) == set(ALL.split()) - {"social", "~youtube"}


def test_grant_without_a_record_ends_by_what_the_cookie_granted(
    policy: Policy, tmp_path: Path, manager: ConsentManager, clock: Clock
) -> None:
    visitor = Visitor(manager)
    visitor.do("+social")
    with managing(policy, ledger=f"sqlite:///{tmp_path / 'empty.db'}", clock=clock) as restored:
        record = Visitor(restored, visitor.consent).do("reject")
    assert record is not None and (record.event, listed(record.ended)) == (
        "withdrawn",
        {"social", "~youtube"},
    )


def test_refusal_that_waits_for_the_ledger_lists_what_it_ends(
    policy: Policy, tmp_path: Path, clock: Clock
) -> None:
    url = f"sqlite:///{tmp_path / 'consent.db'}"
    with managing(policy, ledger=url, clock=clock) as manager:
        visitor = Visitor(manager)
        visitor.do("+social")
        with another_process_holds(url):
            record = visitor.do("reject")
        assert record is not None and (record.event, listed(record.ended)) == (
            "withdrawn",
            {"social", "~youtube"},
        )


def test_answer_under_an_unknown_notice_allows_what_it_lists() -> None:
    vendors = {"youtube": True, "adhub": False}
    answer = Decision(
        granted=frozenset({"social"}), vendors=vendors, decided_at=0, changed_at=0, notice="unknown"
    )
    assert allowed_by(answer, None) == {"social", "~youtube"}


def test_content_loaded_once_begins_nothing(manager: ConsentManager) -> None:
    record = manager.recorder.loaded_once("youtube", ChoiceContext(surface="embed", choice="load_once"))
    assert (record.vendors, listed(record.began), listed(record.ended)) == ({"youtube": True}, set(), set())


def test_imported_answer_lists_what_it_begins_and_ends_here(manager: ConsentManager, clock: Clock) -> None:
    visitor = Visitor(manager)
    visitor.do("+social")
    clock.advance(5)
    tracking = Choice(categories={"tracking": True}, vendors={})
    imported = transitions.replace(tracking, manager.notice, int(clock()))
    grant = ImportedGrant(handle="h" * 22, check=lambda newest, erased: None)
    context = ChoiceContext(choice="handoff")
    record = manager.recorder.take_over(visitor.consent, lambda current: imported, context, grant).record
    assert record is not None and record.event == "imported"
    assert (listed(record.began), listed(record.ended)) == ({"tracking", "~adhub"}, {"social", "~youtube"})


@pytest.mark.parametrize(
    ("what", "ended"),
    [("reject", ALL), ("-social", "social ~youtube"), ("-social +~youtube", "social"), ("withdraw", ALL)],
)
def test_echo_lists_what_ends_on_the_linked_site(
    manager: ConsentManager, policy: Policy, ledger: Ledger, clock: Clock, what: str, ended: str
) -> None:
    with managing(policy, ledger=ledger, clock=clock, site="trailhead") as other:
        here, there = Visitor(manager), Visitor(other)
        mine, theirs = here.do("accept"), there.do("accept")
        assert mine is not None and theirs is not None and mine.subject and theirs.subject
        ledger.link(mine.subject, theirs.subject, int(clock()))
        clock.advance(1)
        here.do(what)
        echo = ledger.newest(theirs.subject)
    assert echo is not None and (echo.event, echo.choice) == ("withdrawn", "handoff")
    assert (listed(echo.began), listed(echo.ended)) == (set(), set(ended.split()))


def test_joint_record_of_a_late_delivery_lists_what_it_ends(
    manager: ConsentManager, ledger: Ledger, clock: Clock
) -> None:
    visitor = Visitor(manager)
    given = visitor.do("accept")
    assert given is not None
    late = replace(
        given,
        id="12345678-1234-4234-8234-123456789012",
        choice="change",
        changed_at=given.changed_at + 1,
        categories=given.categories | {"social": False},
    )
    clock.advance(2)
    visitor.do("-tracking")
    joint = LinkedLedger(ledger, manager.evaluator).append(late).stored[-1]
    assert (joint.event, listed(joint.began), listed(joint.ended)) == (
        "withdrawn",
        set(),
        {"social", "~youtube"},
    )


GREW = policy_of(
    categories=rows(
        "categories", social={"description": {"en": "Play all films.", "nl": "Alle films tonen."}}
    )
)


@pytest.mark.parametrize(
    ("what", "event", "began", "ended"),
    [
        ("-social", "withdrawn", "", "social ~youtube"),
        ("+social", "changed", "social ~youtube", ""),
        ("reject", "withdrawn", "", ALL),
        # The banner still asks about it.
        ("-~adhub", "withdrawn", "", "social ~adhub ~youtube"),
        ("+~adhub", "changed", "", "social ~youtube"),
    ],
)
def test_category_that_is_asked_about_again_ends_when_it_is_rejected(
    policy: Policy, ledger: Ledger, clock: Clock, what: str, event: str, began: str, ended: str
) -> None:
    with managing(policy, ledger=ledger, clock=clock) as old:
        visitor = Visitor(old)
        visitor.do("accept")
        decision = visitor.consent.decision
    clock.advance(1)
    with managing(GREW, ledger=ledger, clock=clock) as manager:
        manager.evaluator.add_notice(Notice.of(policy))
        before = manager.evaluator.evaluate(decision, clock())
        assert before.asking == ("social",)
        record = Visitor(manager, before).do(what)
    assert record is not None and record.event == event
    assert (listed(record.began), listed(record.ended)) == (set(began.split()), set(ended.split()))


EXEMPT = policy_of(categories=rows("categories", analytical={"exempt": True, "combines_across_sites": False}))


@pytest.mark.parametrize(
    ("before", "what", "event", "began", "ended"),
    [
        ("", "reject", "refused", "", "analytical ~google-analytics"),
        ("", "+social", "given", "social ~youtube", ""),
        ("+social", "-analytical", "changed", "", "analytical ~google-analytics"),
        ("+social|-analytical", "+analytical", "changed", "analytical ~google-analytics", ""),
        ("+social", "withdraw social", "withdrawn", "", "social ~youtube"),
        ("+social", "-social +~google-analytics", "withdrawn", "", "social ~youtube"),
    ],
)
def test_objection_is_listed_and_is_no_withdrawal(
    ledger: Ledger, clock: Clock, before: str, what: str, event: str, began: str, ended: str
) -> None:
    with managing(EXEMPT, ledger=ledger, clock=clock) as manager:
        visitor = Visitor(manager)
        for earlier in filter(None, before.split("|")):
            visitor.do(earlier)
            clock.advance(1)
        record = visitor.do(what)
    assert record is not None and record.event == event
    assert (listed(record.began), listed(record.ended)) == (set(began.split()), set(ended.split()))


# GDPR 19: a third party that the policy no longer has may still hold data.
def test_vendor_that_was_removed_from_the_policy_is_listed_when_its_grant_ends(
    policy: Policy, ledger: Ledger, clock: Clock
) -> None:
    with managing(policy, ledger=ledger, clock=clock) as old:
        visitor = Visitor(old)
        visitor.do("accept")
        decision = visitor.consent.decision
    clock.advance(1)
    kept = policy_of(vendors=[row for row in rows("vendors") if row["id"] != "youtube"], trackers=[])
    with managing(kept, ledger=ledger, clock=clock) as manager:
        manager.evaluator.add_notice(Notice.of(policy))
        before = manager.evaluator.evaluate(decision, clock())
        record = Visitor(manager, before).do("reject")
    assert record is not None and "~youtube" in listed(record.ended)
