import re
from dataclasses import replace as copy
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from consentkit.consent import transitions
from consentkit.consent.evaluation import Evaluator
from consentkit.consent.model import Choice, Consent, ConsentStatus, Decision
from consentkit.errors import InvalidDecisionError, UnknownCategoryError, UnknownVendorError
from consentkit.notices.notice import Notice
from consentkit.policy.policy import Policy
from tests.consent.test_evaluation import (
    BEFORE,
    BRITISH,
    DAY,
    EXEMPT,
    GREW,
    LAPSE,
    SOCIAL,
    VIDEO,
    decision,
    evaluator,
)
from tests.support.drawn import MOMENT, Data, decisions_under, policies, policy_pairs
from tests.support.policies import add, policy, put

NOW = MOMENT + DAY
DRAWN = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
SUBJECT = "s" * 22


def choice(categories: dict[str, bool] | None = None, vendors: dict[str, bool] | None = None) -> Choice:
    return Choice(categories=categories or {}, vendors=vendors or {})


def drawn_choice(more: st.DataObject, notice: Notice) -> Choice:
    def answers(ids: tuple[str, ...]) -> dict[str, bool]:
        return more.draw(st.dictionaries(st.sampled_from(ids), st.booleans())) if ids else {}

    return choice(answers(notice.category_ids), answers(notice.vendor_ids))


def allows(made: Decision, vendor: str, notice: Notice) -> bool:
    category = notice.vendor_category.get(vendor)
    return made.vendors.get(vendor, category in made.granted)


def allowed(told: Consent) -> dict[str, bool]:
    return {**told.categories, **{f"~{vendor}": on for vendor, on in told.vendors.items()}}


def deviates_only(made: Decision, notice: Notice) -> bool:
    return all(on != (notice.vendor_category[one] in made.granted) for one, on in made.vendors.items())


# The two buttons, and what cannot be asked for


@pytest.mark.parametrize("answer", [True, False])
def test_a_button_answers_everything_that_was_shown(answer: bool) -> None:  # UI-04
    shown = Notice.of(policy(SOCIAL, EXEMPT))
    assert transitions.everything(shown, allowed=answer) == choice({"analytical": answer, "social": answer})


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (choice({"marketing": True}), UnknownCategoryError),
        (choice({"marketing": False}), UnknownCategoryError),
        (choice({"": True}), UnknownCategoryError),
        (choice({"functional": False}), InvalidDecisionError),
        (choice(vendors={"tiktok": True}), UnknownVendorError),
        (choice(vendors={"analytical": True}), UnknownVendorError),
        (choice(vendors={"login": False}), InvalidDecisionError),
    ],
)
def test_what_the_policy_cannot_express_is_refused(asked: Choice, error: type[Exception]) -> None:  # HT-06
    stands = evaluator(add("vendors", id="login", category="functional"))
    for shown in (None, stands.notice):
        with pytest.raises(error):
            transitions.check(stands, asked, shown)


@pytest.mark.parametrize("answer", [None, 0, 1, "true", "off", "", [], float("nan")])
def test_an_answer_is_yes_or_no_and_nothing_like_it(answer: Any) -> None:  # SG-11
    for asked in (choice({"analytical": answer}), choice(vendors={"counter": answer})):
        with pytest.raises(InvalidDecisionError, match="True or False"):
            transitions.check(evaluator(), asked)


def test_what_is_required_may_be_agreed_to() -> None:
    stands = evaluator(add("vendors", id="login", category="functional"))
    transitions.check(
        stands, choice({"functional": True, "analytical": False}, {"login": True, "counter": False})
    )


def test_what_an_older_page_offered_is_no_mistake_of_the_visitors() -> None:
    old = policy(SOCIAL, VIDEO, add("vendors", id="login"))
    stands = evaluator(add("vendors", id="login", category="functional"), earlier=(old,))
    shown = Notice.of(old)
    offered = transitions.everything(shown, allowed=False)
    transitions.check(stands, copy(offered, vendors={"video": True, "login": False}), shown)
    with pytest.raises(UnknownCategoryError):
        transitions.check(stands, offered)


# Replacing


def test_what_a_new_answer_does_not_name_is_refused() -> None:  # UI-09
    shown = Notice.of(policy(SOCIAL, VIDEO))
    made = transitions.replace(choice({"social": True}, {"video": False, "counter": False}), shown, NOW)
    assert made == Decision(
        granted=frozenset({"social"}),
        vendors={"video": False},
        decided_at=NOW,
        changed_at=NOW,
        notice=shown.digest,
    )
    assert transitions.replace(choice(), shown, NOW).granted == frozenset()


@given(policies.map(Notice.of), st.data())
def test_every_subset_can_be_chosen(shown: Notice, more: st.DataObject) -> None:  # UI-04
    asked = drawn_choice(more, shown)
    made = transitions.replace(asked, shown, NOW)
    assert made.granted == {one for one, on in asked.categories.items() if on}
    assert all(allows(made, one, shown) is on for one, on in asked.vendors.items())
    assert (made.kind, made.subject, made.decided_at, made.changed_at) == ("decided", "", NOW, NOW)
    assert deviates_only(made, shown)


def test_an_answer_grants_no_more_than_the_notice_that_was_shown_has() -> None:
    shown = Notice.of(policy())
    made = transitions.replace(choice({"social": True, "functional": True}, {"video": True}), shown, NOW)
    assert (made.granted, made.vendors) == (frozenset(), {})


# Merging


@DRAWN
@given(policies, st.data())
def test_a_change_moves_nothing_that_it_does_not_name(policy: Policy, more: st.DataObject) -> None:  # VA-04
    stands = Evaluator(policy, "stride")
    base = more.draw(decisions_under(stands.notice))
    before = stands.evaluate(base, MOMENT)
    asked, now = drawn_choice(more, stands.notice), MOMENT + more.draw(st.integers(-DAY, 20 * DAY))
    made = transitions.merge(stands, before, asked, stands.notice, now)
    for category in stands.notice.category_ids:
        assert (category in made.granted) is asked.categories.get(category, category in base.granted)
    for vendor, of in stands.notice.vendor_category.items():
        if vendor in stands.notice.vendor_ids:
            unnamed = base.vendors.get(vendor, of in made.granted)
            assert allows(made, vendor, stands.notice) is asked.vendors.get(vendor, unnamed)
    assert made.decided_at == base.decided_at
    assert stands.expires(made) == stands.expires(base)
    assert made.changed_at == max(now, base.changed_at)
    assert deviates_only(made, stands.notice)
    assert made.subject == ""


@DRAWN
@given(policy_pairs(), st.data())
def test_a_change_under_a_later_notice_neither_widens_nor_loses_anything_else(  # VA-05, LB-05
    pair: tuple[Data, Data], more: st.DataObject
) -> None:
    old, new = (Policy.model_validate(one) for one in pair)
    stands, told = Evaluator(new, "stride", [Notice.of(old)]), Notice.of(old)
    base = more.draw(decisions_under(told))
    before = stands.evaluate(base, NOW)
    made = transitions.merge(stands, before, choice(), stands.notice, NOW)
    after = stands.evaluate(made, NOW)
    assert allowed(after) == allowed(before)
    if base.kind != "withdrawn":
        assert set(before.asking) <= set(after.asking)
    if before.status is not ConsentStatus.INVALIDATED:
        assert stands.evaluate(made, MOMENT + 400 * DAY).status == "expired"
        assert after.expires == before.expires or after.expires == stands.expires(made)
    asked = drawn_choice(more, stands.notice)
    after = stands.evaluate(transitions.merge(stands, before, asked, stands.notice, NOW), NOW)
    for category, on in after.categories.items():
        assert on is asked.categories.get(category, before.categories[category])
    for vendor, of in after.vendor_category.items():
        if of not in asked.categories and vendor not in asked.vendors:
            assert after.vendors[vendor] is before.vendors[vendor]


@given(policy_pairs(), st.data())
@DRAWN
def test_a_change_on_an_old_page_grants_no_more_than_that_page_told(  # VA-05
    pair: tuple[Data, Data], more: st.DataObject
) -> None:
    old, new = (Policy.model_validate(one) for one in pair)
    shown = Notice.of(old)
    stands = Evaluator(new, "stride", [shown])
    base = more.draw(decisions_under(stands.notice))
    asked = drawn_choice(more, shown)
    made = transitions.merge(stands, stands.evaluate(base, NOW), asked, shown, NOW)
    assert made.notice == shown.digest
    for category in made.granted - shown.exempt_ids:
        assert asked.categories.get(category, category in base.granted)
    for vendor in shown.vendor_ids:
        category = shown.vendor_category[vendor]
        if allows(made, vendor, shown) and category not in shown.exempt_ids:
            named = asked.vendors.get(vendor) or asked.categories.get(category)
            assert named or allows(base, vendor, stands.notice)


@pytest.mark.parametrize(
    ("asked", "kind", "granted"),
    [
        (choice(vendors={"video": True}), "partial", set()),
        (choice({"social": True}), "partial", {"social"}),
        (choice({"social": False}), "partial", set()),
        (choice({"social": True, "analytical": False}), "decided", {"social"}),
    ],
)
def test_the_first_answer_is_a_partial_one_until_all_is_answered(
    asked: Choice, kind: str, granted: set[str]
) -> None:
    stands = evaluator(SOCIAL, VIDEO)
    made = transitions.merge(stands, stands.undecided(), asked, stands.notice, NOW)
    assert (made.kind, made.granted) == (kind, granted)
    assert (made.decided_at, made.changed_at) == (NOW, NOW)
    asking = stands.evaluate(made, NOW).asking
    assert asking == (
        () if kind == "decided" else tuple(c for c in ("analytical", "social") if c not in granted)
    )


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        (choice(vendors={"video": True}), "partial"),
        (choice({"social": True}), "partial"),
        (choice({"analytical": False}), "partial"),
        (choice({"analytical": False, "social": True}), "decided"),
    ],
)
def test_a_partial_answer_stays_one_until_the_rest_is_answered(asked: Choice, kind: str) -> None:
    stands = evaluator(SOCIAL, VIDEO)
    before = stands.evaluate(decision(stands.policy, kind="partial"), NOW)
    assert transitions.merge(stands, before, asked, stands.notice, NOW).kind == kind


@pytest.mark.parametrize(
    ("asked", "kind", "granted", "asking"),
    [
        (choice({"analytical": True}), "decided", {"analytical", "social"}, ()),
        (choice({"analytical": False}), "decided", {"social"}, ()),
        (choice(vendors={"video": False}), "partial", {"social"}, ("analytical",)),
        (choice({"analytical": True}, {"newcomer": False}), "decided", {"analytical", "social"}, ()),
    ],
)
def test_an_answer_about_what_grew_joins_the_earlier_ones(
    asked: Choice, kind: str, granted: set[str], asking: tuple[str, ...]
) -> None:
    old = policy(SOCIAL, VIDEO)
    stands = evaluator(SOCIAL, VIDEO, GREW, earlier=(old,))
    before = stands.evaluate(decision(old, {"analytical", "social"}), NOW)
    made = transitions.merge(stands, before, asked, stands.notice, NOW)
    assert (made.kind, made.granted, made.notice) == (kind, granted, stands.notice.digest)
    assert (made.decided_at, made.changed_at) == (MOMENT, NOW)
    assert stands.evaluate(made, NOW).asking == asking


def test_an_answer_about_all_that_grew_leaves_the_refusals_alone() -> None:  # UI-08
    old = policy(SOCIAL, VIDEO)
    stands = evaluator(SOCIAL, VIDEO, GREW, earlier=(old,))
    before = stands.evaluate(decision(old, {"analytical"}), NOW)
    assert (before.status, before.asking) == ("invalidated", ("analytical",))
    for answer in (True, False):
        made = transitions.merge(stands, before, choice({"analytical": answer}), stands.notice, NOW)
        after = stands.evaluate(made, NOW)
        assert (after.asking, after.allows("analytical"), after.allows("social")) == ((), answer, False)
        assert after.expires == before.expires


def test_on_a_site_that_was_not_listed_an_answer_begins_anew() -> None:  # XS-02
    second = add("sites", id="trailhead")
    old = policy(SOCIAL)
    stands = evaluator(SOCIAL, second, earlier=(old,), site="trailhead")
    before = stands.evaluate(decision(old, {"analytical"}), NOW)
    made = transitions.merge(stands, before, choice({"social": True}), stands.notice, NOW)
    assert (made.granted, made.kind, made.decided_at) == ({"social"}, "partial", NOW)


@pytest.mark.parametrize("days", [400])
def test_an_expired_answer_is_no_base_for_a_change(days: int) -> None:  # VA-04
    stands = evaluator(SOCIAL)
    now = MOMENT + days * DAY
    before = stands.evaluate(decision(stands.policy, {"analytical"}), now)
    made = transitions.merge(stands, before, choice({"social": True}), stands.notice, now)
    assert (made.granted, made.kind, made.decided_at) == ({"social"}, "partial", now)


def test_no_later_change_brings_back_what_lapsed() -> None:  # TR-03
    stands = evaluator(BRITISH, SOCIAL, VIDEO)
    made = decision(stands.policy, {"analytical", "social"}, decided_at=BEFORE, changed_at=BEFORE)
    before = stands.evaluate(made, LAPSE + DAY)
    changed = transitions.merge(stands, before, choice(vendors={"video": False}), stands.notice, LAPSE + DAY)
    after = stands.evaluate(changed, LAPSE + DAY)
    assert (after.granted, after.asking, changed.kind) == ({"social"}, ("analytical",), "partial")
    answered = transitions.merge(stands, after, choice({"analytical": True}), stands.notice, LAPSE + DAY)
    told = stands.evaluate(answered, LAPSE + DAY)
    assert (told.granted, told.asking, told.vendors["counter"]) == ({"analytical", "social"}, (), False)


def test_what_is_exempt_stays_as_it_is_over_changes_of_notice() -> None:  # LB-05
    old = policy(EXEMPT, SOCIAL, VIDEO)
    stands = evaluator(EXEMPT, SOCIAL, VIDEO, GREW, put("controller", name="Other BV"), earlier=(old,))
    for granted, vendors in (({"analytical"}, {"counter": False}), (set(), {}), (set(), {"counter": True})):
        for more in ({"social"}, set()):
            before = stands.evaluate(decision(old, granted | more, vendors), NOW)
            made = transitions.merge(stands, before, choice({"social": True}), stands.notice, NOW)
            after = stands.evaluate(made, NOW)
            assert after.allows("analytical") is bool(granted)
            assert after.vendors["counter"] is before.vendors["counter"] is (bool(granted) and not vendors)


def test_an_objection_to_a_vendor_outlives_an_answer_that_counts_no_more() -> None:  # LB-05
    second = add("sites", id="trailhead")
    old = policy(EXEMPT, SOCIAL)
    stands = evaluator(EXEMPT, SOCIAL, second, earlier=(old,), site="trailhead")
    elsewhere = decision(old, {"analytical", "social"}, {"counter": False}, subject=SUBJECT)
    for before in (stands.evaluate(elsewhere, NOW), stands.unverifiable(elsewhere)):
        made = transitions.merge(stands, before, choice({"social": False}), stands.notice, NOW)
        assert (made.granted, made.vendors) == ({"analytical"}, {"counter": False})
    expired = stands.evaluate(elsewhere, MOMENT + 400 * DAY)
    assert transitions.merge(stands, expired, choice(), stands.notice, NOW).vendors == {}


def test_what_is_exempt_now_was_granted_on_an_older_page() -> None:
    old = policy(SOCIAL, VIDEO)
    stands = evaluator(EXEMPT, SOCIAL, VIDEO, earlier=(old,))
    before = stands.evaluate(decision(old, {"analytical"}), NOW)
    made = transitions.merge(stands, before, choice({"social": True}), Notice.of(old), NOW)
    assert made.granted == {"analytical", "social"}
    fresh = transitions.merge(stands, stands.undecided(), choice({"social": True}), Notice.of(old), NOW)
    assert fresh.granted == {"social"}


def test_a_withdrawal_stays_one_while_nothing_is_granted() -> None:
    stands = evaluator(EXEMPT, SOCIAL, VIDEO)
    before = stands.evaluate(decision(stands.policy, kind="withdrawn"), NOW)
    for asked, kind in (
        (choice({"social": False}), "withdrawn"),
        (choice({"analytical": True}), "withdrawn"),
        (choice(vendors={"video": True}), "decided"),
        (choice({"social": True}), "decided"),
    ):
        made = transitions.merge(stands, before, asked, stands.notice, NOW)
        assert (made.kind, stands.evaluate(made, NOW).asking) == (kind, ())


# Withdrawing


@DRAWN
@given(policies, st.data())
def test_withdrawing_takes_everything_back(policy: Policy, more: st.DataObject) -> None:  # WD-01
    stands = Evaluator(policy, "stride")
    before = stands.evaluate(more.draw(decisions_under(stands.notice) | st.none()), NOW)
    made = transitions.withdraw(stands, before, None, NOW)
    after = stands.evaluate(made, NOW)
    assert (after.status, after.asking, after.granted) == ("withdrawn", (), frozenset())
    assert made.decided_at == made.changed_at >= NOW
    assert {one for one, on in after.categories.items() if on} == {
        one.id for one in policy.categories if one.required
    }


@DRAWN
@given(policy_pairs(), st.data())
def test_withdrawing_one_category_leaves_the_others(
    pair: tuple[Data, Data], more: st.DataObject
) -> None:  # WD-01
    old, new = (Policy.model_validate(one) for one in pair)
    assume(new.optional)
    stands, told = Evaluator(new, "stride", [Notice.of(old)]), Notice.of(old)
    before = stands.evaluate(more.draw(decisions_under(told)), NOW)
    category = more.draw(st.sampled_from([one.id for one in new.optional]))
    after = stands.evaluate(transitions.withdraw(stands, before, category, NOW), NOW)
    assert not after.categories[category]
    for name, on in allowed(after).items():
        of = after.vendor_category[name[1:]] if name.startswith("~") else name
        if of == category:
            assert not on
        elif after.status is not ConsentStatus.WITHDRAWN or of not in stands.needing:
            assert on is allowed(before)[name]
    # What leaves nothing granted is a withdrawal of all.
    assert (after.status is ConsentStatus.GIVEN) is bool(
        after.granted
        or any(on for one, on in after.vendors.items() if after.vendor_category[one] in stands.needing)
    )


def test_withdrawing_the_last_category_is_a_withdrawal_that_leaves_what_is_exempt() -> None:  # LB-05
    stands = evaluator(EXEMPT, SOCIAL, GREW)
    made = decision(stands.policy, {"analytical", "social"}, {"counter": False}, subject=SUBJECT)
    gone = transitions.withdraw(stands, stands.evaluate(made, NOW), "social", NOW)
    assert (gone.kind, gone.granted, gone.vendors) == ("withdrawn", {"analytical"}, {"counter": False})
    assert (gone.decided_at, gone.subject) == (NOW, "")
    assert stands.evaluate(gone, NOW).status == "withdrawn"


@pytest.mark.parametrize(
    ("answer", "days", "all_of_it", "analytical", "social"),
    [
        (None, 1, False, False, False),
        ({}, 1, False, False, False),
        ({"kind": "withdrawn"}, 1, False, False, False),
        ({"granted": {"analytical"}}, 1, True, True, False),
        ({"granted": {"analytical", "social"}}, 1, True, True, True),
        ({"granted": {"analytical"}, "vendors": {"counter": False}}, 1, True, True, False),
        ({"vendors": {"video": True}}, 1, True, False, True),
        ({"vendors": {"video": True}, "kind": "partial"}, 1, True, False, True),
        ({"granted": {"analytical"}}, 400, False, False, False),
    ],
)
def test_there_is_something_to_withdraw_where_something_was_granted(
    answer: Any, days: int, all_of_it: bool, analytical: bool, social: bool
) -> None:
    stands = evaluator(SOCIAL, VIDEO)
    made = None if answer is None else decision(stands.policy, **answer)
    before = stands.evaluate(made, MOMENT + days * DAY)
    found = [transitions.can_withdraw(before, category) for category in (None, "analytical", "social")]
    assert found == [all_of_it, analytical, social]


def test_a_grant_that_does_not_count_just_now_can_be_withdrawn() -> None:  # WD-01
    old = policy(SOCIAL, VIDEO)
    stands = evaluator(SOCIAL, VIDEO, GREW, earlier=(old,))
    made = decision(old, {"analytical"}, subject=SUBJECT)
    for before in (stands.evaluate(made, NOW), stands.unverifiable(made)):
        assert not before.allows("analytical")
        assert transitions.can_withdraw(before, None) and transitions.can_withdraw(before, "analytical")
        assert not transitions.can_withdraw(before, "social")
        for category in (None, "analytical"):
            gone = transitions.withdraw(stands, before, category, NOW)
            assert gone.kind == "withdrawn"
            assert transitions.with_subject(stands, before, gone) == (gone, SUBJECT)


# The pseudonym


@pytest.mark.parametrize(
    ("before", "granted", "ends", "keeps"),
    [
        (None, set(), False, False),
        (None, {"analytical"}, False, False),
        ({"granted": {"social"}}, {"analytical"}, False, True),
        ({"granted": {"social"}}, set(), True, False),
        ({"vendors": {"video": True}}, set(), True, False),
        ({"granted": {"social"}, "decided_at": MOMENT - 400 * DAY}, {"analytical"}, False, False),
        ({"granted": {"social"}, "decided_at": MOMENT - 400 * DAY}, set(), False, False),
    ],
)
def test_what_grants_has_a_pseudonym_and_what_grants_nothing_ends_it(  # LB-09
    before: Any, granted: set[str], ends: bool, keeps: bool
) -> None:
    stands = evaluator(SOCIAL, VIDEO)
    made = None if before is None else decision(stands.policy, **before, subject=SUBJECT)
    after, ended = transitions.with_subject(
        stands, stands.evaluate(made, NOW), decision(stands.policy, granted)
    )
    assert ended == (SUBJECT if ends else "")
    assert (after.subject == SUBJECT) is keeps
    if granted:
        assert re.fullmatch(r"[A-Za-z0-9_-]{22}", after.subject)
    else:
        assert after.subject == ""


def test_pseudonyms_are_random() -> None:
    stands = evaluator()
    made = decision(stands.policy, {"analytical"})
    assert (
        len({transitions.with_subject(stands, stands.undecided(), made)[0].subject for _ in range(50)}) == 50
    )


def test_not_objecting_to_what_is_exempt_gives_no_pseudonym() -> None:  # LB-05, LB-09
    stands = evaluator(EXEMPT, SOCIAL)
    made = decision(stands.policy, {"analytical"}, {"counter": False}, subject=SUBJECT)
    assert transitions.with_subject(stands, stands.undecided(), made)[0].subject == ""


def test_a_pseudonym_that_was_brought_is_kept() -> None:
    stands = evaluator()
    brought = decision(stands.policy, {"analytical"}, subject="b" * 22)
    assert transitions.with_subject(stands, stands.undecided(), brought) == (brought, "")
    own = stands.evaluate(copy(brought, subject=SUBJECT), NOW)
    assert transitions.with_subject(stands, own, brought)[0].subject == SUBJECT


# Two decisions of one visitor


@DRAWN
@given(policy_pairs(), st.data())
def test_what_is_left_of_two_decisions_is_what_both_allow(
    pair: tuple[Data, Data], more: st.DataObject
) -> None:
    old, new = (Notice.of(Policy.model_validate(one)) for one in pair)
    stands = Evaluator(Policy.model_validate(pair[1]), "stride", [old])
    one = more.draw(decisions_under(new, decided_at=MOMENT + more.draw(st.integers(0, 9))))
    other = more.draw(decisions_under(more.draw(st.sampled_from([old, new]))))
    left = transitions.narrower(stands, one, other)
    assert left.granted == one.granted & other.granted
    for vendor in new.vendor_ids:
        both = allows(one, vendor, new) and allows(other, vendor, stands.notices[other.notice])
        assert allows(left, vendor, new) is both
    assert left.decided_at == min(one.decided_at, other.decided_at)
    assert (left.changed_at, left.notice, left.subject, left.kind) == (
        one.changed_at,
        one.notice,
        one.subject,
        one.kind,
    )
    assert deviates_only(left, new)
    assert transitions.narrower(stands, left, other).granted == left.granted
