import logging
import threading
from dataclasses import replace
from typing import Any

import jwt
import pytest
import sqlalchemy

from consentkit import ConsentManager, Ledger
from consentkit.consent.model import Choice, Consent, ConsentStatus
from consentkit.errors import ConfigurationError
from consentkit.handoff.handoff import Handoff
from consentkit.handoff.keys import PrivateKey, PublicKey, sign_token
from consentkit.handoff.token import HandoffRefusal
from consentkit.handoff.transaction import Transaction
from consentkit.manager.choice import ChoiceContext, Outcome
from consentkit.notices.notice import Notice
from tests.conftest import Clock
from tests.support.family import KEY, PAIRS, Family, a_family, a_policy
from tests.support.records import another_process_holds
from tests.support.sites import managing

OPTIONAL = ("analytical", "tracking", "social")
EVERYTHING = dict.fromkeys(OPTIONAL, True)
NOTHING = dict.fromkeys(OPTIONAL, False)
ARRIVING = ChoiceContext(choice="handoff")


def there(family: Family, site: str = "trailhead") -> tuple[Handoff, Transaction]:
    """Begin a transaction on a site with the first one."""
    handoff = Handoff(family[site].manager)
    address, transaction = handoff.begin("stride", "/shoes")
    assert address.startswith("https://stride.example/consent/handoff/issue?aud=")
    return handoff, transaction


def claims_for(family: Family, transaction: Transaction, **changes: Any) -> dict[str, Any]:
    """Write the claims of a grant of everything, as the contract has them and no more."""
    now = int(family.clock())
    claims = {
        "typ": "consent-handoff",
        "iss": "stride",
        "aud": "trailhead",
        "grp": "hardlopen",
        "st": transaction.state,
        "jti": "j" * 22,
        "iat": now,
        "exp": now + 60,
        "decided_at": now - 10,
        "changed_at": now - 10,
        "notice": family["stride"].manager.notice.digest,
        "categories": EVERYTHING,
        "vendors": {},
        "sub": "A" * 22,
    } | changes
    return {name: value for name, value in claims.items() if value is not None}


def minted(claims: dict[str, Any], site: str = "stride") -> str:
    return sign_token(claims, PrivateKey.read(PAIRS[site][0], PublicKey.read(PAIRS[site][1])))


def arrive(family: Family, before: Consent | None = None, **changes: Any) -> Outcome:
    """Bring a minted token to the second site."""
    handoff, transaction = there(family)
    claims = handoff.accept(minted(claims_for(family, transaction, **changes)), transaction)
    manager = family["trailhead"].manager
    return handoff.take_over(before or manager.evaluator.undecided(), claims, ARRIVING)


def refused(family: Family, before: Consent | None = None, **changes: Any) -> str:
    with pytest.raises(HandoffRefusal) as refusal:
        arrive(family, before, **changes)
    return refusal.value.reason


def decide(manager: ConsentManager, answers: dict[str, bool], before: Consent | None = None) -> Consent:
    choice = Choice(categories=answers, vendors={})
    return manager.decide(before or manager.evaluator.undecided(), choice, ChoiceContext()).consent


# XS-06
def test_a_grant_is_taken_over_as_it_was_made(family: Family, clock: Clock) -> None:
    outcome = arrive(family)
    assert outcome.consent.granted == set(OPTIONAL) and outcome.consent.status is ConsentStatus.GIVEN
    record = outcome.record
    assert record is not None and (record.event, record.choice, record.site) == (
        "imported",
        "handoff",
        "trailhead",
    )
    assert record.decided_at == int(clock()) - 10 and record.subject is not None
    assert outcome.cookies and record.subject in outcome.cookies[0]


# The address with the token is written to access logs, next to the visitor's IP address.
def test_the_pseudonym_in_the_address_is_linked_and_not_taken_over(family: Family, ledger: Ledger) -> None:
    record = arrive(family).record
    assert record is not None and record.subject not in (None, "A" * 22)
    assert ledger.linked("A" * 22) == {"A" * 22, record.subject}


def test_a_visitor_whose_cookie_is_lost_gets_the_same_pseudonym_again(family: Family, ledger: Ledger) -> None:
    first, second = arrive(family).record, arrive(family, jti="2")
    assert first is not None and second.consent.decision is not None
    assert second.consent.decision.subject == first.subject and second.cookies
    assert len(list(ledger.links())) == 1


def test_a_refusal_and_a_withdrawal_are_taken_over_without_any_identifier(family: Family) -> None:
    for status, expected in ((None, "refused"), ("refused", "refused"), ("withdrawn", "withdrawn")):
        outcome = arrive(family, categories=NOTHING, sub=None, status=status, jti=f"j-{status}")
        assert outcome.consent.status == expected
        assert outcome.record is not None and outcome.record.subject is None


def test_withdrawn_status_does_not_hide_granted_categories_in_a_token(
    family: Family,
) -> None:
    assert arrive(family, status="withdrawn").consent.granted == set(OPTIONAL)


# XS-06
def test_a_token_works_once_on_whichever_process_it_comes_to(family: Family, ledger: Ledger) -> None:
    handoff, transaction = there(family)
    claims = handoff.accept(minted(claims_for(family, transaction)), transaction)
    other = Handoff(family["trailhead"].manager)
    undecided = family["trailhead"].manager.evaluator.undecided()
    won: list[Outcome] = []
    lost: list[str] = []

    def take(which: Handoff) -> None:
        try:
            won.append(which.take_over(undecided, claims, ARRIVING))
        except HandoffRefusal as refusal:
            lost.append(refusal.reason)

    threads = [threading.Thread(target=take, args=(which,)) for which in (handoff, other, handoff, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1 and lost == ["used before"] * 3


# HO-17
def test_a_token_of_a_third_site_is_refused_though_it_is_validly_signed_for_this_one(family: Family) -> None:
    handoff, transaction = there(family)
    for issuer in ("shoelab", "stride"):
        token = minted(claims_for(family, transaction, iss=issuer), "shoelab")
        with pytest.raises(HandoffRefusal, match="signature"):
            handoff.accept(token, transaction)


def test_a_token_counts_for_the_transaction_it_was_asked_in(family: Family) -> None:
    handoff, transaction = there(family)
    _, another = there(family)
    assert handoff.accept(minted(claims_for(family, transaction)), transaction)
    with pytest.raises(HandoffRefusal, match="st"):
        handoff.accept(minted(claims_for(family, another)), transaction)
    with pytest.raises(HandoffRefusal, match="no choice there"):
        handoff.accept("", transaction)


def test_of_several_transactions_a_token_answers_the_one_whose_site_signed_its_state(family: Family) -> None:
    handoff = Handoff(family["trailhead"].manager)
    under_way: tuple[Transaction, ...] = ()
    for issuer in ("stride", "shoelab", "stride", "nowhere"):
        under_way = (handoff.transactions.begin(issuer, "/"), *under_way)
    newest, later, other, first = under_way
    for transaction in (later, first):
        token = minted(claims_for(family, transaction))
        assert handoff.transaction_of(token, under_way) is transaction and handoff.accept(token, transaction)
    forged = minted(claims_for(family, other))
    assert handoff.transaction_of(forged, under_way) is newest, "the other site's key did not sign it"
    assert handoff.transaction_of("", under_way) is handoff.transaction_of("a.b.c", (newest,)) is newest


@pytest.mark.parametrize("issuer", ["", "trailhead", "nowhere", "https://stride.example", "stride "])
def test_only_another_site_of_the_group_can_be_asked(family: Family, issuer: str) -> None:
    with pytest.raises(HandoffRefusal, match="issuer"):
        Handoff(family["trailhead"].manager).begin(issuer, "/")


def test_token_of_a_site_without_a_key_in_the_policy_is_refused(family: Family) -> None:
    handoff, transaction = there(family)
    gone = replace(transaction, issuer="nowhere")
    with pytest.raises(HandoffRefusal, match="key"):
        handoff.accept(minted(claims_for(family, transaction)), gone)


# The merge rules: XS-03, XS-05. Each answer was given there at 10, here at one of 5, 10 and 15.

GIVEN, NARROW, REFUSE, WITHDRAW = "given", "narrow", "refused", "withdrawn"
GRANTS = {GIVEN: set(OPTIONAL), NARROW: {"social"}, REFUSE: set(), WITHDRAW: set()}
ANSWERS = (GIVEN, NARROW, REFUSE, WITHDRAW)


def answer_here(manager: ConsentManager, answer: str | None) -> Consent:
    if answer is None:
        return manager.evaluator.undecided()
    if answer == WITHDRAW:
        return manager.withdraw(decide(manager, EVERYTHING), None, ChoiceContext()).consent
    return decide(manager, {category: category in GRANTS[answer] for category in OPTIONAL})


@pytest.mark.parametrize("group", ANSWERS)
@pytest.mark.parametrize("local", [None, *ANSWERS])
@pytest.mark.parametrize("order", [-5, 0, 5])
def test_the_newest_explicit_choice_wins_and_of_one_second_the_narrower(
    family: Family, clock: Clock, local: str | None, group: str, order: int
) -> None:
    moment = int(clock()) + 10
    clock.advance(10 + order)
    before = answer_here(family["trailhead"].manager, local)
    clock.seconds = moment + 20
    outcome = arrive(
        family,
        before,
        categories={category: category in GRANTS[group] for category in OPTIONAL},
        decided_at=moment,
        changed_at=moment,
        status=WITHDRAW if group == WITHDRAW else None,
        sub="A" * 22 if GRANTS[group] else None,
    )
    imported = local is None or order < 0 or (order == 0 and len(GRANTS[group]) < len(GRANTS[local]))
    winner = group if imported else local
    assert outcome.consent.granted == GRANTS[str(winner)]
    assert (outcome.record is not None) == bool(outcome.cookies) == imported
    if imported:
        assert outcome.consent.decided_at is not None
        assert outcome.consent.decided_at.timestamp() == moment, "a hand-off never moves it"
        assert outcome.consent.status == (GIVEN if GRANTS[group] else group)


def test_a_grant_that_loses_against_a_newer_one_is_joined_to_it_nevertheless(
    family: Family, ledger: Ledger
) -> None:
    manager = family["trailhead"].manager
    own = decide(manager, EVERYTHING)
    assert own.decision is not None
    assert arrive(family, own).record is None
    assert ledger.linked("A" * 22) == {"A" * 22, own.decision.subject}
    count = ledger._database.read(sqlalchemy.text("SELECT count(*) FROM consentkit_links"))[0][0]
    ledger.link("A" * 22, "B" * 21 + "A", 1)
    assert arrive(family, own, sub="B" * 21 + "A", jti="again").record is None
    after = ledger._database.read(sqlalchemy.text("SELECT count(*) FROM consentkit_links"))[0][0]
    assert after == count + 1, "what is joined already is not joined again"


# XS-05
def test_withdrawal_on_another_server_of_this_site_beats_an_older_import(
    family: Family, clock: Clock
) -> None:
    manager = family["trailhead"].manager
    own = decide(manager, EVERYTHING)
    assert own.decision is not None
    clock.advance(100)
    with managing(
        manager.policy, ledger=family.ledger, clock=clock, secret_key=KEY, site="trailhead"
    ) as elsewhere:
        assert elsewhere.withdraw_subject(own.decision.subject)
    moment = int(clock()) - 50
    outcome = arrive(family, own, decided_at=moment, changed_at=moment)
    assert outcome.record is None and outcome.consent.status == "withdrawn"


# WD-05
@pytest.mark.parametrize("left", [{}, {"social": True}])
def test_token_does_not_restore_a_grant_withdrawn_while_it_was_under_way(
    family: Family, clock: Clock, ledger: Ledger, left: dict[str, bool]
) -> None:
    stride = family["stride"].manager
    given = decide(stride, EVERYTHING)
    assert given.decision is not None
    ledger.link(given.decision.subject, "A" * 22, int(clock()))
    moment = int(clock())
    assert arrive(family, decided_at=moment, changed_at=moment, jti="in-time").record is not None
    ledger.link(given.decision.subject, "B" * 21 + "A", int(clock()))
    clock.advance(5)
    decide(stride, left or NOTHING, given)
    late = {"decided_at": moment, "changed_at": moment, "sub": "B" * 21 + "A", "jti": "late"}
    assert refused(family, **late) == "taken back since"


# XS-03
def test_a_grant_that_wins_over_what_no_longer_stands_is_joined_to_the_pseudonym_that_it_keeps(
    family: Family, ledger: Ledger, clock: Clock
) -> None:
    manager = family["trailhead"].manager
    own = decide(manager, EVERYTHING)
    assert own.decision is not None
    unverifiable = manager.evaluator.unverifiable(own.decision)
    clock.advance(60)
    outcome = arrive(family, unverifiable)
    assert outcome.record is not None and outcome.record.subject == own.decision.subject
    assert "A" * 22 in ledger.linked(own.decision.subject)


@pytest.mark.parametrize("sub", ["short", "A" * 21 + "B", "a.b;c" + "x" * 17, "A" * 64])
def test_malformed_pseudonym_is_linked_to_a_fresh_one(family: Family, ledger: Ledger, sub: str) -> None:
    outcome = arrive(family, sub=sub)
    assert outcome.record is not None and outcome.record.subject is not None
    assert len(outcome.record.subject) == 22 and outcome.record.subject in ledger.linked(sub)
    assert family["trailhead"].manager.cookie.verify(outcome.cookies[0].split(";")[0].split("=")[1].encode())


def test_a_grant_without_a_handle_could_never_be_withdrawn_and_does_not_count(family: Family) -> None:
    assert refused(family, sub=None) == "sub"


# XS-02, HO-12
def test_a_grant_does_not_count_on_a_site_that_was_added_after_it(ledger: Ledger, clock: Clock) -> None:
    old = Notice.of(a_policy("stride", "trailhead"))
    ledger.store_notice(old.digest, dict(old.content or {}))
    with a_family(ledger, clock) as family:
        handoff, transaction = there(family, "shoelab")
        claims = claims_for(family, transaction, aud="shoelab", notice=old.digest)
        undecided = family["shoelab"].manager.evaluator.undecided()
        with pytest.raises(HandoffRefusal, match="site not covered"):
            handoff.take_over(undecided, handoff.accept(minted(claims), transaction), ARRIVING)
        assert arrive(family, notice=old.digest, jti="here").consent.granted, "it does where it was told"
        claims |= {"categories": NOTHING, "jti": "no", "sub": "unused"}
        refusal = handoff.take_over(undecided, handoff.accept(minted(claims), transaction), ARRIVING)
        assert refusal.consent.status == "refused"


def test_a_grant_under_a_notice_that_nobody_here_published_does_not_count_and_a_refusal_does(
    family: Family,
) -> None:
    assert refused(family, notice="n" * 43) == "notice"
    assert refused(family, notice="n" * 43, categories={"new": True}, jti="2") == "notice"
    assert refused(family, notice="n" * 43, categories={}, vendors={"youtube": True}, jti="3") == "notice"
    outcome = arrive(
        family, notice="n" * 43, categories={"functional": True, "new": False}, jti="4", sub=None
    )
    assert outcome.consent.status == "refused"


def test_categories_and_vendors_that_the_notice_does_not_tell_grant_nothing(family: Family) -> None:
    outcome = arrive(family, categories={"social": True, "astrology": True}, vendors={"witch": True})
    decision = outcome.consent.decision
    assert decision is not None and outcome.consent.granted == {"social"} and not decision.vendors


# VA-01
def test_a_choice_ends_where_it_ended_there(family: Family, clock: Clock) -> None:
    now = int(clock())
    old = now - 184 * 86_400
    assert refused(family, decided_at=old, changed_at=now) == "expired"
    late = arrive(family, decided_at=old + 5 * 86_400, changed_at=now, jti="2").consent
    assert late.expires is not None and late.expires < now + 6 * 86_400


def test_an_answer_about_a_part_leaves_the_rest_to_be_asked(family: Family) -> None:
    outcome = arrive(family, categories={}, vendors={"youtube": True}, partial=True)
    assert outcome.consent.allows("social", "youtube") and outcome.consent.needs_asking
    assert outcome.consent.decision is not None and outcome.consent.decision.kind == "partial"


# The site that knows


def test_a_token_says_what_the_contract_says(family: Family, clock: Clock, ledger: Ledger) -> None:
    manager = family["stride"].manager
    consent = decide(manager, {"analytical": True, "tracking": False, "social": True})
    assert consent.decision is not None
    clock.advance(5)
    claims = issued(family, consent)
    subject = claims.pop("sub")
    assert len(claims.pop("jti")) == 22 and len(subject) == 22 != consent.decision.subject
    assert ledger.linked(subject) == {subject, consent.decision.subject}
    now = int(clock())
    assert claims == {
        "typ": "consent-handoff",
        "iss": "stride",
        "aud": "trailhead",
        "grp": "hardlopen",
        "st": "s" * 43,
        "iat": now,
        "exp": now + 60,
        "decided_at": now - 5,
        "changed_at": now - 5,
        "notice": manager.notice.digest,
        "status": "given",
        "categories": {"analytical": True, "tracking": False, "social": True},
        "vendors": {},
    }


def issued(family: Family, consent: Consent) -> dict[str, Any]:
    address = Handoff(family["stride"].manager).issue(consent, "trailhead", "s" * 43)
    prefix, _, token = address.partition("?t=")
    assert prefix == "https://trailhead.example/consent/handoff/return"
    return jwt.decode(token, options={"verify_signature": False}) if token else {}


# XS-06, LB-09
def test_two_tokens_of_a_refusal_share_nothing_but_the_choice(family: Family, ledger: Ledger) -> None:
    consent = decide(family["stride"].manager, NOTHING)
    first, second = issued(family, consent), issued(family, consent)
    assert first.pop("jti") != second.pop("jti")
    assert first == second and "sub" not in first
    links = ledger._database.read(sqlalchemy.text("SELECT count(*) FROM consentkit_links"))
    assert links[0][0] == 0


def test_tokens_of_a_grant_add_one_link_for_each_site(family: Family, ledger: Ledger) -> None:
    consent = decide(family["stride"].manager, EVERYTHING)
    handles = {issued(family, consent)["sub"] for _ in range(3)}
    assert len(handles) == len(list(ledger.links())) == 1
    other = Handoff(family["stride"].manager).issue(consent, "shoelab", "s" * 43).partition("?t=")[2]
    assert jwt.decode(other, options={"verify_signature": False})["sub"] not in handles
    assert len(list(ledger.links())) == 2


# WD-05
def test_what_was_taken_back_elsewhere_is_not_carried_on_though_this_process_has_not_heard(
    family: Family, clock: Clock
) -> None:
    manager = family["stride"].manager
    consent = decide(manager, EVERYTHING)
    assert consent.decision is not None
    clock.advance(5)
    with another_manager(family) as elsewhere:
        partly = Choice(categories={"tracking": False}, vendors={})
        elsewhere.decide(consent, partly, ChoiceContext(), merge=True)
        assert issued(family, consent)["categories"]["tracking"] is False
        elsewhere.withdraw(consent, None, ChoiceContext())
    claims = issued(family, consent)
    assert claims["status"] == "withdrawn" and "sub" not in claims
    assert not any(claims["categories"].values()) and claims["changed_at"] == int(clock())


def another_manager(family: Family) -> Any:
    return managing(family["stride"].manager.policy, ledger=family.ledger, clock=family.clock, secret_key=KEY)


def test_a_narrowing_whose_record_still_waits_is_carried_as_it_stands_here(
    family: Family, clock: Clock
) -> None:
    manager = family["stride"].manager
    consent = decide(manager, EVERYTHING)
    assert consent.decision is not None
    newer = replace(consent.decision, granted=frozenset({"social"}), changed_at=int(clock()) + 5)
    assert issued(family, manager.evaluator.evaluate(newer, clock()))["categories"] == {
        "analytical": False,
        "tracking": False,
        "social": True,
    }
    nothing_in_common = manager.decide(
        consent, Choice(categories={"analytical": True}, vendors={}), ChoiceContext()
    )
    assert nothing_in_common.record is not None
    later = replace(newer, changed_at=newer.changed_at + 5)
    claims = issued(family, manager.evaluator.evaluate(later, clock()))
    assert not any(claims["categories"].values()) and "sub" not in claims


def test_an_answer_about_a_part_is_carried_as_one(family: Family) -> None:
    manager = family["stride"].manager
    choice = Choice(categories={}, vendors={"youtube": True})
    consent = manager.decide(manager.evaluator.undecided(), choice, ChoiceContext(), merge=True).consent
    claims = issued(family, consent)
    assert claims["partial"] is True and claims["vendors"] == {"youtube": True}


def test_a_site_without_an_answer_a_record_or_a_key_gives_none(
    family: Family, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "consentkit.handoff")
    manager = family["stride"].manager
    consent = decide(manager, EVERYTHING)
    assert consent.decision is not None
    unproved = manager.evaluator.evaluate(replace(consent.decision, subject="U" * 22), clock())
    assert issued(family, manager.evaluator.undecided()) == issued(family, unproved) == {}
    assert issued(family, manager.evaluator.unverifiable(consent.decision)) == {}
    manager.private_key = None
    assert issued(family, consent) == {}
    told = [record.getMessage() for record in caplog.records if record.name == "consentkit.handoff"]
    assert [line.split("choice: ")[1].split(" (")[0] for line in told] == [
        "no choice",
        "no choice",
        "no choice",
        "no private key",
    ]


# RC-10, HO-14
def test_while_the_ledger_is_away_nothing_is_issued_and_nothing_taken_over(
    family: Family, ledger: Ledger, ledger_url: str
) -> None:
    consent = decide(family["stride"].manager, EVERYTHING)
    handoff, transaction = there(family)
    first = handoff.accept(minted(claims_for(family, transaction)), transaction)
    undecided = family["trailhead"].manager.evaluator.undecided()
    with another_process_holds(ledger_url):
        assert issued(family, consent) == {}
        with pytest.raises(HandoffRefusal, match="ledger"):
            handoff.take_over(undecided, first, ARRIVING)
    assert handoff.take_over(undecided, first, ARRIVING).record is not None, "it was not used up"


@pytest.mark.filterwarnings("ignore:ConsentManager has no ledger")
def test_without_a_ledger_no_token_can_be_used_once(family: Family, clock: Clock) -> None:
    policy = family["stride"].manager.policy
    options: dict[str, Any] = {"secret_key": KEY, "clock": clock, "ledger": None}
    here = ConsentManager(policy, site="trailhead", private_key=PAIRS["trailhead"][0], **options)
    handoff = Handoff(here)
    _, transaction = handoff.begin("stride", "/")
    claims = handoff.accept(minted(claims_for(family, transaction)), transaction)
    with pytest.raises(HandoffRefusal, match="no ledger"):
        handoff.take_over(here.evaluator.undecided(), claims, ARRIVING)
    there = ConsentManager(policy, site="stride", private_key=PAIRS["stride"][0], **options)
    answered = decide(there, EVERYTHING)
    assert Handoff(there).issue(answered, "trailhead", "s" * 43).endswith("?t=")


def test_a_key_that_is_not_this_sites_own_is_refused_at_start(family: Family) -> None:
    manager = family["stride"].manager
    manager.private_key = PAIRS["shoelab"][0]
    with pytest.raises(ConfigurationError, match="private_key belongs to"):
        Handoff(manager)
