import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentkit.consent.evaluation import Evaluator
from consentkit.consent.model import Consent, ConsentStatus, Decision
from consentkit.errors import UnknownSiteError
from consentkit.notices.notice import Notice
from consentkit.policy.policy import Policy
from tests.support.drawn import MOMENT, decisions_under, policies
from tests.support.policies import GROUP, SECOND_SITE, add, drop, policy, put

DAY = 86_400
SOCIAL = add("categories", id="social")
VIDEO = add("vendors", id="video", category="social")
EXEMPT = put("categories", 1, exempt=True)
GREW = add("vendors", id="newcomer")


def evaluator_of(*changes: Any, earlier: tuple[Policy, ...] = (), site: str = "stride") -> Evaluator:
    return Evaluator(policy(*changes), site, [Notice.of(one) for one in earlier])


def decision(
    under: Policy,
    granted: set[str] | frozenset[str] = frozenset(),
    vendors: Mapping[str, bool] | None = None,
    **more: Any,
) -> Decision:
    values: dict[str, Any] = {
        "granted": frozenset(granted),
        "vendors": vendors or {},
        "decided_at": MOMENT,
        "changed_at": MOMENT,
        "notice": Notice.of(under).digest,
    }
    return Decision(**values | more)


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def test_site_missing_from_the_policy_raises() -> None:
    with pytest.raises(UnknownSiteError, match="stride"):
        evaluator_of(site="pace")


def test_without_an_answer_everything_that_needs_consent_is_off_and_asked_about() -> None:  # LB-03, LB-04
    evaluator = evaluator_of(SOCIAL, VIDEO, add("vendors", id="login", category="functional"))
    for now in (0, MOMENT, MOMENT + 10_000 * DAY):
        consent = evaluator.evaluate(None, now)
        assert consent.status is ConsentStatus.UNKNOWN
        assert consent.categories == {"functional": True, "analytical": False, "social": False}
        assert consent.vendors == {"counter": False, "video": False, "login": True}
        assert (consent.granted, consent.asking) == (frozenset(), ("analytical", "social"))
        assert (consent.decision, consent.notice, consent.expires_at) == (None, None, None)


def test_consent_expires_to_the_second() -> None:  # VA-01, VA-02
    evaluator = evaluator_of()
    made = decision(evaluator.policy, {"analytical"})
    ends = seconds("2027-05-22T10:00:00")
    assert evaluator.expires(made) == ends
    before, after = evaluator.evaluate(made, ends - 0.001), evaluator.evaluate(made, ends)
    assert (before.status, before.granted, before.asking) == ("given", {"analytical"}, ())
    assert (after.status, after.granted, after.asking) == ("expired", frozenset(), ("analytical",))
    assert not after.allows("analytical") and not after.allows("analytical", "counter")
    assert before.expires_at == after.expires_at == datetime.fromtimestamp(ends, UTC)
    assert after.notice == made.notice


@pytest.mark.parametrize("kind", ["decided", "withdrawn"])
def test_refusal_is_valid_as_long_as_a_grant(kind: str) -> None:  # VA-03, UI-08
    evaluator = evaluator_of()
    yes, no = decision(evaluator.policy, {"analytical"}), decision(evaluator.policy, kind=kind)
    ends = evaluator.expires(yes)
    assert ends is not None and evaluator.expires(no) == ends
    assert evaluator.evaluate(no, ends - 1).asking == ()
    assert evaluator.evaluate(no, ends).asking == ("analytical",)


@pytest.mark.parametrize("granted", [set(), {"analytical"}])
def test_visits_neither_prolong_consent_nor_ask_again(granted: set[str]) -> None:  # VA-04, UI-08
    evaluator = evaluator_of()
    made = decision(evaluator.policy, granted)
    for after in (0, 1, DAY, 100 * DAY, 180 * DAY):
        consent = evaluator.evaluate(made, MOMENT + after)
        assert consent.expires == evaluator.expires(made)
        assert not consent.needs_asking


def test_change_does_not_prolong_consent() -> None:  # VA-04
    evaluator = evaluator_of()
    made = decision(evaluator.policy, {"analytical"}, changed_at=MOMENT + 150 * DAY)
    assert evaluator.expires(made) == evaluator.expires(decision(evaluator.policy))


@pytest.mark.parametrize("decided_at", [seconds("9999-08-01T00:00:00"), 10**15, -(10**15)])
def test_decision_beyond_the_calendar_has_expired(decided_at: int) -> None:  # VA-02
    evaluator = evaluator_of()
    made = decision(evaluator.policy, {"analytical"}, decided_at=decided_at, changed_at=decided_at)
    assert evaluator.expires(made) is None
    consent = evaluator.evaluate(made, MOMENT)
    assert (consent.status, consent.expires, consent.asking) == ("expired", None, ("analytical",))


# Decisions under the current notice of a site with analytical and social, one vendor each.
STATES = [
    ("unknown", None, ("analytical", "social")),
    ("given", {"granted": {"analytical"}}, ()),
    ("given", {"granted": {"analytical", "social"}}, ()),
    ("given", {"granted": {"social"}, "vendors": {"video": False}}, ()),
    ("given", {"vendors": {"video": True}}, ()),
    ("given", {"vendors": {"video": True}, "kind": "partial"}, ("analytical", "social")),
    ("given", {"granted": {"social"}, "kind": "partial"}, ("analytical",)),
    ("refused", {}, ()),
    ("refused", {"kind": "partial"}, ("analytical", "social")),
    ("refused", {"kind": "partial", "vendors": {}}, ("analytical", "social")),
    ("withdrawn", {"kind": "withdrawn"}, ()),
]


@pytest.mark.parametrize(("status", "answer", "asking"), STATES)
@pytest.mark.parametrize("honoured", [None, "social", "both"])
@pytest.mark.parametrize("gpc", [False, True])
def test_status_and_questions_follow_from_the_decision_with_and_without_gpc(
    status: str, answer: Any, asking: tuple[str, ...], honoured: str | None, gpc: bool
) -> None:
    honours = [
        put("categories", place, honours_gpc=honoured == "both" or (honoured == "social" and place == 2))
        for place in (1, 2)
    ]
    evaluator = evaluator_of(SOCIAL, VIDEO, *honours)
    made = None if answer is None else decision(evaluator.policy, **answer)
    consent = evaluator.evaluate(made, MOMENT + DAY, gpc=gpc)
    assert (consent.status, consent.gpc) == (status, gpc)
    # SG-05: the signal grants nothing, and any answer outweighs it; without one it is an answer where all honour it.
    if made is None and gpc and honoured == "both":
        assert consent.asking == ()
    else:
        assert consent.asking == asking
    assert consent.granted == (made.granted if made else frozenset())
    assert consent.changes == ()


def test_gpc_refuses_again_once_the_decision_has_expired() -> None:  # SG-05
    evaluator = evaluator_of(put("categories", 1, honours_gpc=True))
    made = decision(evaluator.policy, {"analytical"})
    assert evaluator.evaluate(made, MOMENT + 400 * DAY, gpc=True).asking == ()
    assert evaluator.evaluate(made, MOMENT + 400 * DAY).asking == ("analytical",)


def test_category_whose_notice_grew_is_off_and_asked_again() -> None:  # VA-05
    old = policy(SOCIAL, VIDEO)
    evaluator = evaluator_of(SOCIAL, VIDEO, GREW, earlier=(old,))
    consent = evaluator.evaluate(decision(old, {"analytical", "social"}), MOMENT)
    assert (consent.status, consent.granted, consent.asking) == ("given", {"social"}, ("analytical",))
    assert [(one.vendor, one.verb) for one in consent.changes] == [("newcomer", "added")]
    assert consent.vendors == {"counter": False, "newcomer": False, "video": True}


def test_vendor_allowed_by_itself_counts_until_its_disclosure_grows() -> None:  # VA-05
    old = policy(SOCIAL, VIDEO)
    made = decision(old, {"analytical"}, {"video": True})
    consent = evaluator_of(
        SOCIAL, VIDEO, add("vendors", id="other", category="social"), earlier=(old,)
    ).evaluate(made, MOMENT)
    assert consent.vendors == {"counter": True, "video": True, "other": False}
    assert consent.asking == ()
    consent = evaluator_of(SOCIAL, VIDEO, put("vendors", 1, profiling=True), earlier=(old,)).evaluate(
        made, MOMENT
    )
    assert consent.vendors == {"counter": True, "video": False}
    assert consent.asking == ("social",)


def test_refused_vendor_stays_refused_when_its_category_grows() -> None:
    old = policy(SOCIAL, VIDEO)
    made = decision(old, {"analytical"}, {"counter": False})
    for changes in ((SOCIAL, VIDEO), (SOCIAL, VIDEO, GREW), (SOCIAL, put("vendors", 0, category="social"))):
        assert not evaluator_of(*changes, earlier=(old,)).evaluate(made, MOMENT).vendors["counter"]


def test_category_that_became_required_is_on_with_all_its_vendors() -> None:
    old = policy(SOCIAL)
    evaluator = evaluator_of(SOCIAL, put("categories", 1, required=True), earlier=(old,))
    for made in (
        decision(old),
        decision(old, {"analytical"}, {"counter": False}),
        decision(old, kind="withdrawn"),
    ):
        for consent in (evaluator.evaluate(made, MOMENT), evaluator.unverifiable(made)):
            assert consent.allows("analytical") and consent.allows("analytical", "counter")


# XS-02, XS-03
@pytest.mark.parametrize("granted", [set(), {"analytical"}])
@pytest.mark.parametrize(
    ("changes", "site", "covered"),
    [
        ((GROUP,), "stride", True),
        ((GROUP, SECOND_SITE), "stride", True),
        ((GROUP, SECOND_SITE), "trailhead", False),
        ((GROUP, put("sites", 0, origin="https://www.stride.example")), "stride", False),
        ((GROUP, put("sites", 0, id="pace")), "pace", False),
    ],
)
def test_decision_counts_on_the_sites_that_its_notice_listed(
    changes: tuple[Any, ...], site: str, covered: bool, granted: set[str]
) -> None:
    old = policy(GROUP)
    consent = evaluator_of(*changes, earlier=(old,), site=site).evaluate(decision(old, granted), MOMENT)
    if not granted:
        assert (consent.status, consent.asking) == ("refused", ())
    elif covered:
        assert (consent.status, consent.granted, consent.asking) == ("given", granted, ())
    else:
        assert (consent.status, consent.granted, consent.asking) == (
            "invalidated",
            frozenset(),
            ("analytical",),
        )


def test_site_missing_from_the_notice_asks_about_everything() -> None:  # XS-02
    old = policy(GROUP, SOCIAL, VIDEO)
    evaluator = evaluator_of(GROUP, SECOND_SITE, SOCIAL, VIDEO, earlier=(old,), site="trailhead")
    consent = evaluator.evaluate(decision(old, {"analytical"}, {"video": True}), MOMENT)
    assert consent.asking == ("analytical", "social")
    assert not any((*consent.vendors.values(), consent.allows("analytical")))
    refused = evaluator.evaluate(decision(old, {"social"}, {"video": False}), MOMENT)
    assert not refused.vendors["video"]


# LB-05
@pytest.mark.parametrize(
    ("answer", "gpc", "on"),
    [
        (None, False, True),
        (None, True, True),
        ({"granted": {"analytical"}}, False, True),
        ({}, False, False),
        ({"kind": "withdrawn"}, False, False),
        ({"granted": {"social"}}, True, False),
        ({"granted": {"analytical", "social"}}, True, True),
    ],
)
def test_exempt_category_is_on_unless_the_visitor_objects(answer: Any, gpc: bool, on: bool) -> None:
    evaluator = evaluator_of(EXEMPT, SOCIAL)
    made = None if answer is None else decision(evaluator.policy, **answer)
    consent = evaluator.evaluate(made, MOMENT, gpc=gpc)
    assert consent.allows("analytical") is consent.allows("analytical", "counter") is on
    assert "analytical" not in consent.granted and "analytical" not in consent.asking


def test_gpc_objects_to_an_exempt_category_that_honours_it() -> None:  # LB-05, SG-05
    evaluator = evaluator_of(put("categories", 1, exempt=True, honours_gpc=True))
    assert evaluator.evaluate(None, MOMENT).allows("analytical")
    assert not evaluator.evaluate(None, MOMENT, gpc=True).allows("analytical")
    kept = decision(evaluator.policy, {"analytical"})
    assert evaluator.evaluate(kept, MOMENT, gpc=True).allows("analytical")
    assert not evaluator.evaluate(kept, MOMENT + 400 * DAY, gpc=True).allows("analytical")


def test_exempt_category_without_objection_is_not_a_grant() -> None:  # LB-05, LB-09
    evaluator = evaluator_of(EXEMPT, SOCIAL, VIDEO)
    for vendors, grants in (({}, False), ({"counter": False}, False), ({"video": True}, True)):
        assert evaluator.grants(decision(evaluator.policy, {"analytical"}, vendors)) is grants
    objected = decision(evaluator.policy, set(), {"counter": True})
    assert not evaluator.grants(objected)
    consent = evaluator.evaluate(objected, MOMENT)
    assert (consent.status, consent.allows("analytical"), consent.vendors["counter"]) == (
        "refused",
        False,
        True,
    )


# An objection is valid as long as any decision, whatever the notice becomes.
@pytest.mark.parametrize(
    "changes", [(), (GREW,), (put("controller", name="Other BV"),), (put("vendors", 0, profiling=True),)]
)
def test_objection_outlives_a_change_of_notice(changes: tuple[Any, ...]) -> None:  # LB-05
    old = policy(EXEMPT, SOCIAL)
    evaluator = evaluator_of(EXEMPT, SOCIAL, *changes, earlier=(old,))
    for made in (decision(old), decision(old, {"social"}), decision(old, kind="withdrawn")):
        assert not evaluator.evaluate(made, MOMENT).allows("analytical")
        assert not evaluator.unverifiable(made).allows("analytical")
    excepted = decision(old, {"analytical", "social"}, {"counter": False})
    for consent in (evaluator.evaluate(excepted, MOMENT), evaluator.unverifiable(excepted)):
        assert consent.allows("analytical") and not consent.allows("analytical", "counter")
    assert evaluator.evaluate(decision(old), MOMENT + 400 * DAY).allows("analytical")


def test_refusal_counts_as_objection_once_the_category_is_exempt() -> None:  # LB-05
    asked, exempt = policy(), policy(EXEMPT)
    for granted in (set(), {"analytical"}):
        consent = evaluator_of(EXEMPT, earlier=(asked,)).evaluate(decision(asked, granted), MOMENT)
        assert consent.allows("analytical") is bool(granted)
        # What was a consent stays one, so that it can be withdrawn.
        assert (consent.status, consent.granted) == ("given" if granted else "refused", granted)
    # A category that was exempt was never granted, so it is off once it needs consent.
    consent = evaluator_of(earlier=(exempt,)).evaluate(decision(exempt, {"analytical"}), MOMENT)
    assert (consent.allows("analytical"), consent.asking) == (False, ("analytical",))


def test_allowed_exempt_vendor_alone_is_not_consent_given() -> None:
    old = policy(EXEMPT, SOCIAL)
    evaluator = evaluator_of(EXEMPT, SOCIAL, add("vendors", id="other", category="social"), earlier=(old,))
    consent = evaluator.evaluate(decision(old, {"social"}, {"counter": True}), MOMENT)
    assert (consent.status, consent.asking, consent.vendors["counter"]) == ("invalidated", ("social",), True)


def test_unverifiable_grant_allows_nothing_and_asks_nothing() -> None:
    evaluator = evaluator_of(SOCIAL, VIDEO)
    made = decision(evaluator.policy, {"analytical"}, {"video": True}, subject="s" * 22)
    consent = evaluator.unverifiable(made, gpc=True)
    assert (consent.status, consent.granted, consent.asking, consent.gpc) == (
        "unknown",
        frozenset(),
        (),
        True,
    )
    assert consent.decision == made
    assert consent.categories == {"functional": True, "analytical": False, "social": False}
    assert not any(consent.vendors.values())


# The adequacy decision about the United Kingdom ends with 27 December 2031.
BRITISH = put("vendors", 0, country="GB", safeguard="adequacy")
LAPSE = seconds("2031-12-28T00:00:00")
BEFORE = LAPSE - 30 * DAY


def made_at(moment: int, under: Policy, *args: Any, **more: Any) -> Decision:
    return decision(under, *args, **{"decided_at": moment, "changed_at": moment} | more)


@pytest.mark.parametrize(
    ("granted", "vendors", "then", "status", "asking"),
    [
        ({"analytical", "social"}, {}, {"social"}, "given", ("analytical",)),
        ({"analytical"}, {}, set(), "invalidated", ("analytical",)),
        ({"social"}, {}, {"social"}, "given", ()),
        ({"social"}, {"counter": True}, {"social"}, "given", ("analytical",)),
        (set(), {"counter": True}, set(), "invalidated", ("analytical",)),
        (set(), {}, set(), "refused", ()),
    ],
)
def test_grants_made_before_an_adequacy_decision_lapsed_are_asked_again(  # TR-03
    granted: set[str], vendors: dict[str, bool], then: set[str], status: str, asking: tuple[str, ...]
) -> None:
    evaluator = evaluator_of(BRITISH, SOCIAL, VIDEO)
    made = made_at(BEFORE, evaluator.policy, granted, vendors)
    before, after = evaluator.evaluate(made, LAPSE - 1), evaluator.evaluate(made, LAPSE)
    assert (before.granted, before.asking) == (granted, ())
    assert before.until == LAPSE
    assert (after.granted, after.status, after.asking) == (then, status, asking)
    assert not after.vendors["counter"]
    assert after.until == after.expires


def test_vendor_without_adequacy_is_off_whatever_is_granted() -> None:  # TR-03
    evaluator = evaluator_of(BRITISH, GREW)
    consent = evaluator.evaluate(made_at(LAPSE, evaluator.policy, {"analytical"}), LAPSE + DAY)
    assert (consent.granted, consent.asking) == ({"analytical"}, ())
    assert consent.vendors == {"counter": False, "newcomer": True}
    alone = evaluator.evaluate(made_at(LAPSE, evaluator.policy, set(), {"counter": True}), LAPSE + DAY)
    assert not alone.vendors["counter"]


@pytest.mark.parametrize("kind", ["exempt", "required"])
def test_vendor_without_adequacy_is_off_in_categories_that_need_no_consent(kind: str) -> None:  # TR-03
    evaluator = evaluator_of(BRITISH, put("categories", 1, **{kind: True}))
    expired = made_at(LAPSE - 400 * DAY, evaluator.policy)
    for answer in (None, expired):
        for now, on in ((BEFORE, True), (LAPSE, False)):
            consent = evaluator.evaluate(answer, now)
            assert (consent.allows("analytical"), consent.vendors["counter"]) == (True, on)
    assert not evaluator.unverifiable(expired, now=LAPSE).vendors["counter"]
    assert not evaluator.undecided(now=LAPSE).vendors["counter"]


@pytest.mark.parametrize("safeguard", ["adequacy", "scc"])
def test_safeguard_without_an_end_does_not_lapse(safeguard: str) -> None:  # TR-03
    evaluator = evaluator_of(put("vendors", 0, country="JP", safeguard=safeguard))
    consent = evaluator.evaluate(made_at(BEFORE, evaluator.policy, {"analytical"}), LAPSE + DAY)
    assert consent.granted == {"analytical"} and consent.until == consent.expires


def test_current_and_locked_notices_are_found_by_whole_and_short_digest() -> None:
    old = Notice.of(policy())
    evaluator = evaluator_of(GREW, earlier=(policy(),))
    assert evaluator.known(old.digest) is evaluator.known(old.short) is evaluator.notices[old.digest]
    assert (
        evaluator.known(evaluator.notice.short)
        is evaluator.notice
        is evaluator.notices[evaluator.notice.digest]
    )
    assert evaluator.known("") is evaluator.known("x" * 11) is None


def test_current_notice_continues_the_wording_of_the_lock() -> None:  # VA-05
    old, plain = (
        Notice.of(policy()),
        Notice.of(policy(put("categories", 1, description={"en": "Count all visits."}))),
    )
    facts = {**plain.facts, "categories": old.facts["categories"]}
    locked = [old, Notice(plain.digest, facts, published="2026-11-22")]
    evaluator = Evaluator(
        policy(put("categories", 1, description={"en": "Count all visits."})), "stride", locked
    )
    assert (evaluator.notice.digest, evaluator.notice.published) == (plain.digest, "2026-11-22")
    assert evaluator.notice.content == plain.content
    assert evaluator.evaluate(decision(policy(), {"analytical"}), MOMENT).granted == {"analytical"}


def test_notice_published_by_another_process_can_be_added() -> None:
    evaluator, newer = evaluator_of(), Notice.of(policy(SOCIAL))
    made = decision(policy(SOCIAL), {"analytical", "social"})
    evaluator.add_notice(newer)
    assert evaluator.known(newer.short) is evaluator.notices[newer.digest]
    assert evaluator.evaluate(made, MOMENT).granted == {"analytical"}


def test_known_notice_only_gains_its_full_text() -> None:
    old = Notice.of(policy())
    locked = Notice(old.digest, {**old.facts, "mark": "the lock's"}, published="2026-01-01")
    evaluator = Evaluator(policy(SOCIAL), "stride", [locked])
    evaluator.add_notice(Notice(old.digest, {**old.facts, "mark": "another"}))
    assert evaluator.notices[old.digest] is locked
    evaluator.add_notice(
        Notice(old.digest, {**old.facts, "mark": "another"}, old.content, published="2026-02-02")
    )
    gained = evaluator.notices[old.digest]
    assert (gained.content, gained.published, gained.facts["mark"]) == (
        old.content,
        "2026-01-01",
        "the lock's",
    )
    evaluator.add_notice(Notice(old.digest, {**old.facts, "mark": "a third"}, {"other": "text"}))
    assert evaluator.notices[old.digest] is gained
    assert evaluator.known(old.short) is gained


@pytest.mark.parametrize(
    "spoilt",
    [
        {"categories": None},
        {"categories": [{}]},
        {"vendors": 1},
        {"sites": [{"id": "stride"}]},
        {"controller": []},
        {"validity": "six months"},
        {"validity": None},
    ],
)
def test_notice_that_cannot_be_compared_is_ignored_and_logged(
    spoilt: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    evaluator, other = evaluator_of(), Notice.of(policy(SOCIAL, GREW))
    with caplog.at_level(logging.WARNING, "consentkit"):
        evaluator.add_notice(Notice(other.digest, {**other.facts, **spoilt}, other.content))
    assert evaluator.known(other.digest) is evaluator.known(other.short) is None
    assert other.digest in caplog.text


def test_each_notice_is_compared_once() -> None:
    evaluator = evaluator_of(SOCIAL, earlier=(policy(),))
    digest = Notice.of(policy()).digest
    assert evaluator.covers(digest) is evaluator.covers(digest)


def test_vendor_removed_from_the_policy_is_ignored() -> None:
    old = policy(GREW)
    evaluator = evaluator_of(earlier=(old,))
    consent = evaluator.evaluate(decision(old, {"analytical"}, {"newcomer": False}), MOMENT)
    assert (consent.vendors, consent.asking, consent.status) == ({"counter": True}, (), "given")
    without = evaluator_of(drop("vendors"), drop("trackers", 1), earlier=(old,))
    assert without.evaluate(decision(old, set(), {"counter": True}), MOMENT).status == "refused"


@settings(max_examples=40)
@given(policies, st.data(), st.integers(-1000 * DAY, 1000 * DAY), st.booleans())
def test_every_decision_evaluates_at_any_time(
    policy: Policy, more: st.DataObject, after: int, gpc: bool
) -> None:
    evaluator = Evaluator(policy, "stride")
    made = more.draw(decisions_under(evaluator.notice) | st.none())
    consent: Consent = evaluator.evaluate(made, MOMENT + after, gpc=gpc)
    assert set(consent.asking) <= set(evaluator.needing)
    assert consent.granted <= set(evaluator.needing)
    assert set(consent.categories) == {one.id for one in policy.categories}
    assert set(consent.vendors) == {one.id for one in policy.vendors}
    assert all(consent.allows(one.id) for one in policy.categories if one.required)
    if not consent.status.decided:
        assert not consent.granted
    if made is not None and not evaluator.grants(made):
        assert not any(consent.categories[one] for one in evaluator.needing)
