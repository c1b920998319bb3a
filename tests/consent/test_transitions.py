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
    evaluator_of,
)
from tests.support.drawn import MOMENT, Data, decisions_under, policies, policy_pairs
from tests.support.policies import add, policy, put

NOW = MOMENT + DAY
DRAWN = settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
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


def allowed(consent: Consent) -> dict[str, bool]:
    return {**consent.categories, **{f"~{vendor}": on for vendor, on in consent.vendors.items()}}


def deviates_only(made: Decision, notice: Notice) -> bool:
    return all(on != (notice.vendor_category[one] in made.granted) for one, on in made.vendors.items())


# Choices


@pytest.mark.parametrize("answer", [True, False])
def test_button_answers_every_category_that_was_shown(answer: bool) -> None:  # UI-04
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
def test_choice_that_the_policy_cannot_express_raises(asked: Choice, error: type[Exception]) -> None:  # HT-06
    evaluator = evaluator_of(add("vendors", id="login", category="functional"))
    for shown in (None, evaluator.notice):
        with pytest.raises(error):
            transitions.check(evaluator, asked, shown)


@pytest.mark.parametrize("answer", [None, 0, 1, "true", "off", "", [], float("nan")])
def test_answer_other_than_true_or_false_raises(answer: Any) -> None:  # SG-11
    for asked in (choice({"analytical": answer}), choice(vendors={"counter": answer})):
        with pytest.raises(InvalidDecisionError, match="True or False"):
            transitions.check(evaluator_of(), asked)


def test_required_category_and_vendor_may_be_accepted() -> None:
    evaluator = evaluator_of(add("vendors", id="login", category="functional"))
    transitions.check(
        evaluator, choice({"functional": True, "analytical": False}, {"login": True, "counter": False})
    )


def test_choice_made_on_an_older_page_is_accepted() -> None:
    old = policy(SOCIAL, VIDEO, add("vendors", id="login"))
    evaluator = evaluator_of(add("vendors", id="login", category="functional"), earlier=(old,))
    shown = Notice.of(old)
    offered = transitions.everything(shown, allowed=False)
    transitions.check(evaluator, copy(offered, vendors={"video": True, "login": False}), shown)
    with pytest.raises(UnknownCategoryError):
        transitions.check(evaluator, offered)


# New decisions


def test_new_decision_refuses_what_the_choice_leaves_out() -> None:  # UI-09
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


@DRAWN
@given(policies.map(Notice.of), st.data())
def test_every_subset_of_categories_and_vendors_can_be_chosen(
    shown: Notice, more: st.DataObject
) -> None:  # UI-04
    asked = drawn_choice(more, shown)
    made = transitions.replace(asked, shown, NOW)
    assert made.granted == {one for one, on in asked.categories.items() if on}
    assert all(allows(made, one, shown) is on for one, on in asked.vendors.items())
    assert (made.kind, made.subject, made.decided_at, made.changed_at) == ("decided", "", NOW, NOW)
    assert deviates_only(made, shown)


def test_decision_grants_only_what_the_notice_has() -> None:
    shown = Notice.of(policy())
    made = transitions.replace(choice({"social": True, "functional": True}, {"video": True}), shown, NOW)
    assert (made.granted, made.vendors) == (frozenset(), {})


# Changes


@DRAWN
@given(policies, st.data())
def test_change_leaves_everything_else_and_the_end_as_they_were(
    policy: Policy, more: st.DataObject
) -> None:  # VA-04
    evaluator = Evaluator(policy, "stride")
    base = more.draw(decisions_under(evaluator.notice))
    before = evaluator.evaluate(base, MOMENT)
    asked, now = drawn_choice(more, evaluator.notice), MOMENT + more.draw(st.integers(-DAY, 20 * DAY))
    made = transitions.merge(evaluator, before, asked, evaluator.notice, now)
    for category in evaluator.notice.category_ids:
        assert (category in made.granted) is asked.categories.get(category, category in base.granted)
    for vendor, of in evaluator.notice.vendor_category.items():
        if vendor in evaluator.notice.vendor_ids:
            unnamed = base.vendors.get(vendor, of in made.granted)
            assert allows(made, vendor, evaluator.notice) is asked.vendors.get(vendor, unnamed)
    assert made.decided_at == base.decided_at
    assert evaluator.expires(made) == evaluator.expires(base)
    assert made.changed_at == max(now, base.changed_at)
    assert deviates_only(made, evaluator.notice)
    assert made.subject == ""


@DRAWN
@given(policy_pairs(), st.data())
def test_change_under_a_later_notice_neither_widens_nor_loses_anything_else(  # VA-05, LB-05
    pair: tuple[Data, Data], more: st.DataObject
) -> None:
    old, new = (Policy.model_validate(one) for one in pair)
    evaluator, notice = Evaluator(new, "stride", [Notice.of(old)]), Notice.of(old)
    base = more.draw(decisions_under(notice))
    before = evaluator.evaluate(base, NOW)
    made = transitions.merge(evaluator, before, choice(), evaluator.notice, NOW)
    after = evaluator.evaluate(made, NOW)
    assert allowed(after) == allowed(before)
    if base.kind != "withdrawn":
        assert set(before.asking) <= set(after.asking)
    if before.status is not ConsentStatus.INVALIDATED:
        assert evaluator.evaluate(made, MOMENT + 400 * DAY).status == "expired"
        assert after.expires == before.expires or after.expires == evaluator.expires(made)
    asked = drawn_choice(more, evaluator.notice)
    after = evaluator.evaluate(transitions.merge(evaluator, before, asked, evaluator.notice, NOW), NOW)
    for category, on in after.categories.items():
        assert on is asked.categories.get(category, before.categories[category])
    for vendor, of in after.vendor_category.items():
        if of not in asked.categories and vendor not in asked.vendors:
            assert after.vendors[vendor] is before.vendors[vendor]


@given(policy_pairs(), st.data())
@DRAWN
def test_change_on_an_older_page_grants_no_more_than_its_notice_disclosed(  # VA-05
    pair: tuple[Data, Data], more: st.DataObject
) -> None:
    old, new = (Policy.model_validate(one) for one in pair)
    shown = Notice.of(old)
    evaluator = Evaluator(new, "stride", [shown])
    base = more.draw(decisions_under(evaluator.notice))
    asked = drawn_choice(more, shown)
    made = transitions.merge(evaluator, evaluator.evaluate(base, NOW), asked, shown, NOW)
    assert made.notice == shown.digest
    for category in made.granted - shown.exempt_ids:
        assert asked.categories.get(category, category in base.granted)
    for vendor in shown.vendor_ids:
        category = shown.vendor_category[vendor]
        if allows(made, vendor, shown) and category not in shown.exempt_ids:
            named = asked.vendors.get(vendor) or asked.categories.get(category)
            assert named or allows(base, vendor, evaluator.notice)


@pytest.mark.parametrize(
    ("asked", "kind", "granted"),
    [
        (choice(vendors={"video": True}), "partial", set()),
        (choice({"social": True}), "partial", {"social"}),
        (choice({"social": False}), "partial", set()),
        (choice({"social": True, "analytical": False}), "decided", {"social"}),
    ],
)
def test_first_answer_is_partial_until_everything_is_answered(
    asked: Choice, kind: str, granted: set[str]
) -> None:
    evaluator = evaluator_of(SOCIAL, VIDEO)
    made = transitions.merge(evaluator, evaluator.undecided(), asked, evaluator.notice, NOW)
    assert (made.kind, made.granted) == (kind, granted)
    assert (made.decided_at, made.changed_at) == (NOW, NOW)
    asking = evaluator.evaluate(made, NOW).asking
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
def test_partial_decision_stays_partial_until_the_rest_is_answered(asked: Choice, kind: str) -> None:
    evaluator = evaluator_of(SOCIAL, VIDEO)
    before = evaluator.evaluate(decision(evaluator.policy, kind="partial"), NOW)
    assert transitions.merge(evaluator, before, asked, evaluator.notice, NOW).kind == kind


@pytest.mark.parametrize(
    ("asked", "kind", "granted", "asking"),
    [
        (choice({"analytical": True}), "decided", {"analytical", "social"}, ()),
        (choice({"analytical": False}), "decided", {"social"}, ()),
        (choice(vendors={"video": False}), "partial", {"social"}, ("analytical",)),
        (choice({"analytical": True}, {"newcomer": False}), "decided", {"analytical", "social"}, ()),
    ],
)
def test_answer_about_what_the_notice_added_joins_the_earlier_answers(
    asked: Choice, kind: str, granted: set[str], asking: tuple[str, ...]
) -> None:
    old = policy(SOCIAL, VIDEO)
    evaluator = evaluator_of(SOCIAL, VIDEO, GREW, earlier=(old,))
    before = evaluator.evaluate(decision(old, {"analytical", "social"}), NOW)
    made = transitions.merge(evaluator, before, asked, evaluator.notice, NOW)
    assert (made.kind, made.granted, made.notice) == (kind, granted, evaluator.notice.digest)
    assert (made.decided_at, made.changed_at) == (MOMENT, NOW)
    assert evaluator.evaluate(made, NOW).asking == asking


def test_answer_about_everything_that_grew_leaves_refusals_alone() -> None:  # UI-08
    old = policy(SOCIAL, VIDEO)
    evaluator = evaluator_of(SOCIAL, VIDEO, GREW, earlier=(old,))
    before = evaluator.evaluate(decision(old, {"analytical"}), NOW)
    assert (before.status, before.asking) == ("invalidated", ("analytical",))
    for answer in (True, False):
        made = transitions.merge(evaluator, before, choice({"analytical": answer}), evaluator.notice, NOW)
        after = evaluator.evaluate(made, NOW)
        assert (after.asking, after.allows("analytical"), after.allows("social")) == ((), answer, False)
        assert after.expires == before.expires


def test_change_on_a_site_missing_from_the_notice_makes_a_new_decision() -> None:  # XS-02
    second = add("sites", id="trailhead")
    old = policy(SOCIAL)
    evaluator = evaluator_of(SOCIAL, second, earlier=(old,), site="trailhead")
    before = evaluator.evaluate(decision(old, {"analytical"}), NOW)
    made = transitions.merge(evaluator, before, choice({"social": True}), evaluator.notice, NOW)
    assert (made.granted, made.kind, made.decided_at) == ({"social"}, "partial", NOW)


def test_change_of_an_expired_decision_makes_a_new_decision() -> None:  # VA-04
    evaluator = evaluator_of(SOCIAL)
    now = MOMENT + 400 * DAY
    before = evaluator.evaluate(decision(evaluator.policy, {"analytical"}), now)
    made = transitions.merge(evaluator, before, choice({"social": True}), evaluator.notice, now)
    assert (made.granted, made.kind, made.decided_at) == ({"social"}, "partial", now)


def test_later_change_does_not_bring_back_a_lapsed_grant() -> None:  # TR-03
    evaluator = evaluator_of(BRITISH, SOCIAL, VIDEO)
    made = decision(evaluator.policy, {"analytical", "social"}, decided_at=BEFORE, changed_at=BEFORE)
    before = evaluator.evaluate(made, LAPSE + DAY)
    changed = transitions.merge(
        evaluator, before, choice(vendors={"video": False}), evaluator.notice, LAPSE + DAY
    )
    after = evaluator.evaluate(changed, LAPSE + DAY)
    assert (after.granted, after.asking, changed.kind) == ({"social"}, ("analytical",), "partial")
    answered = transitions.merge(
        evaluator, after, choice({"analytical": True}), evaluator.notice, LAPSE + DAY
    )
    result = evaluator.evaluate(answered, LAPSE + DAY)
    assert (result.granted, result.asking, result.vendors["counter"]) == ({"analytical", "social"}, (), False)


def test_change_keeps_exempt_categories_and_vendors_as_they_are() -> None:  # LB-05
    old = policy(EXEMPT, SOCIAL, VIDEO)
    evaluator = evaluator_of(EXEMPT, SOCIAL, VIDEO, GREW, put("controller", name="Other BV"), earlier=(old,))
    for granted, vendors in (({"analytical"}, {"counter": False}), (set(), {}), (set(), {"counter": True})):
        for more in ({"social"}, set()):
            before = evaluator.evaluate(decision(old, granted | more, vendors), NOW)
            made = transitions.merge(evaluator, before, choice({"social": True}), evaluator.notice, NOW)
            after = evaluator.evaluate(made, NOW)
            assert after.allows("analytical") is bool(granted)
            assert after.vendors["counter"] is before.vendors["counter"] is (bool(granted) and not vendors)


def test_objection_to_a_vendor_outlives_a_decision_that_no_longer_counts() -> None:  # LB-05
    second = add("sites", id="trailhead")
    old = policy(EXEMPT, SOCIAL)
    evaluator = evaluator_of(EXEMPT, SOCIAL, second, earlier=(old,), site="trailhead")
    elsewhere = decision(old, {"analytical", "social"}, {"counter": False}, subject=SUBJECT)
    for before in (evaluator.evaluate(elsewhere, NOW), evaluator.unverifiable(elsewhere)):
        made = transitions.merge(evaluator, before, choice({"social": False}), evaluator.notice, NOW)
        assert (made.granted, made.vendors) == ({"analytical"}, {"counter": False})
    expired = evaluator.evaluate(elsewhere, MOMENT + 400 * DAY)
    assert transitions.merge(evaluator, expired, choice(), evaluator.notice, NOW).vendors == {}


def test_grant_on_an_older_page_is_kept_in_a_category_that_became_exempt() -> None:
    old = policy(SOCIAL, VIDEO)
    evaluator = evaluator_of(EXEMPT, SOCIAL, VIDEO, earlier=(old,))
    before = evaluator.evaluate(decision(old, {"analytical"}), NOW)
    made = transitions.merge(evaluator, before, choice({"social": True}), Notice.of(old), NOW)
    assert made.granted == {"analytical", "social"}
    fresh = transitions.merge(evaluator, evaluator.undecided(), choice({"social": True}), Notice.of(old), NOW)
    assert fresh.granted == {"social"}


def test_withdrawal_stays_a_withdrawal_until_something_is_granted() -> None:
    evaluator = evaluator_of(EXEMPT, SOCIAL, VIDEO)
    before = evaluator.evaluate(decision(evaluator.policy, kind="withdrawn"), NOW)
    for asked, kind in (
        (choice({"social": False}), "withdrawn"),
        (choice({"analytical": True}), "withdrawn"),
        (choice(vendors={"video": True}), "decided"),
        (choice({"social": True}), "decided"),
    ):
        made = transitions.merge(evaluator, before, asked, evaluator.notice, NOW)
        assert (made.kind, evaluator.evaluate(made, NOW).asking) == (kind, ())


# Withdrawals


@DRAWN
@given(policies, st.data())
def test_withdrawing_turns_off_everything_but_required_categories(
    policy: Policy, more: st.DataObject
) -> None:  # WD-01
    evaluator = Evaluator(policy, "stride")
    before = evaluator.evaluate(more.draw(decisions_under(evaluator.notice) | st.none()), NOW)
    made = transitions.withdraw(evaluator, before, None, NOW)
    after = evaluator.evaluate(made, NOW)
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
    evaluator, notice = Evaluator(new, "stride", [Notice.of(old)]), Notice.of(old)
    before = evaluator.evaluate(more.draw(decisions_under(notice)), NOW)
    category = more.draw(st.sampled_from([one.id for one in new.optional]))
    after = evaluator.evaluate(transitions.withdraw(evaluator, before, category, NOW), NOW)
    assert not after.categories[category]
    for name, on in allowed(after).items():
        of = after.vendor_category[name[1:]] if name.startswith("~") else name
        if of == category:
            assert not on
        elif after.status is not ConsentStatus.WITHDRAWN or of not in evaluator.needing:
            assert on is allowed(before)[name]
    # Withdrawing the last grant withdraws everything.
    assert (after.status is ConsentStatus.GIVEN) is bool(
        after.granted
        or any(on for one, on in after.vendors.items() if after.vendor_category[one] in evaluator.needing)
    )


def test_withdrawing_the_last_grant_leaves_exempt_categories_on() -> None:  # LB-05
    evaluator = evaluator_of(EXEMPT, SOCIAL, GREW)
    made = decision(evaluator.policy, {"analytical", "social"}, {"counter": False}, subject=SUBJECT)
    gone = transitions.withdraw(evaluator, evaluator.evaluate(made, NOW), "social", NOW)
    assert (gone.kind, gone.granted, gone.vendors) == ("withdrawn", {"analytical"}, {"counter": False})
    assert (gone.decided_at, gone.subject) == (NOW, "")
    assert evaluator.evaluate(gone, NOW).status == "withdrawn"


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
def test_can_withdraw_what_was_granted(
    answer: Any, days: int, all_of_it: bool, analytical: bool, social: bool
) -> None:
    evaluator = evaluator_of(SOCIAL, VIDEO)
    made = None if answer is None else decision(evaluator.policy, **answer)
    before = evaluator.evaluate(made, MOMENT + days * DAY)
    found = [transitions.can_withdraw(before, category) for category in (None, "analytical", "social")]
    assert found == [all_of_it, analytical, social]


def test_grant_that_does_not_count_at_the_moment_can_be_withdrawn() -> None:  # WD-01
    old = policy(SOCIAL, VIDEO)
    evaluator = evaluator_of(SOCIAL, VIDEO, GREW, earlier=(old,))
    made = decision(old, {"analytical"}, subject=SUBJECT)
    for before in (evaluator.evaluate(made, NOW), evaluator.unverifiable(made)):
        assert not before.allows("analytical")
        assert transitions.can_withdraw(before, None) and transitions.can_withdraw(before, "analytical")
        assert not transitions.can_withdraw(before, "social")
        for category in (None, "analytical"):
            gone = transitions.withdraw(evaluator, before, category, NOW)
            assert gone.kind == "withdrawn"
            assert transitions.with_subject(evaluator, before, gone) == (gone, SUBJECT)


# Subjects


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
def test_grant_carries_a_subject_and_a_refusal_ends_it(  # LB-09
    before: Any, granted: set[str], ends: bool, keeps: bool
) -> None:
    evaluator = evaluator_of(SOCIAL, VIDEO)
    made = None if before is None else decision(evaluator.policy, **before, subject=SUBJECT)
    after, ended = transitions.with_subject(
        evaluator, evaluator.evaluate(made, NOW), decision(evaluator.policy, granted)
    )
    assert ended == (SUBJECT if ends else "")
    assert (after.subject == SUBJECT) is keeps
    if granted:
        assert re.fullmatch(r"[A-Za-z0-9_-]{22}", after.subject)
    else:
        assert after.subject == ""


def test_subjects_are_random() -> None:
    evaluator = evaluator_of()
    made = decision(evaluator.policy, {"analytical"})
    assert (
        len({transitions.with_subject(evaluator, evaluator.undecided(), made)[0].subject for _ in range(50)})
        == 50
    )


def test_exempt_category_without_objection_gets_no_subject() -> None:  # LB-05, LB-09
    evaluator = evaluator_of(EXEMPT, SOCIAL)
    made = decision(evaluator.policy, {"analytical"}, {"counter": False}, subject=SUBJECT)
    assert transitions.with_subject(evaluator, evaluator.undecided(), made)[0].subject == ""


def test_subject_brought_by_a_handoff_is_kept_unless_the_visitor_has_one() -> None:
    evaluator = evaluator_of()
    brought = decision(evaluator.policy, {"analytical"}, subject="b" * 22)
    assert transitions.with_subject(evaluator, evaluator.undecided(), brought) == (brought, "")
    own = evaluator.evaluate(copy(brought, subject=SUBJECT), NOW)
    assert transitions.with_subject(evaluator, own, brought)[0].subject == SUBJECT


# Two decisions of one visitor


@DRAWN
@given(policy_pairs(), st.data())
def test_narrower_of_two_decisions_is_what_both_allow(pair: tuple[Data, Data], more: st.DataObject) -> None:
    old, new = (Notice.of(Policy.model_validate(one)) for one in pair)
    evaluator = Evaluator(Policy.model_validate(pair[1]), "stride", [old])
    one = more.draw(decisions_under(new, decided_at=MOMENT + more.draw(st.integers(0, 9))))
    other = more.draw(decisions_under(more.draw(st.sampled_from([old, new]))))
    left = transitions.narrower(evaluator, one, other)
    assert left.granted == one.granted & other.granted
    for vendor in new.vendor_ids:
        both = allows(one, vendor, new) and allows(other, vendor, evaluator.notices[other.notice])
        assert allows(left, vendor, new) is both
    assert left.decided_at == min(one.decided_at, other.decided_at)
    assert (left.changed_at, left.notice, left.subject, left.kind) == (
        max(one.changed_at, other.changed_at),
        one.notice,
        one.subject,
        one.kind,
    )
    assert deviates_only(left, new)
    assert transitions.narrower(evaluator, left, other).granted == left.granted
