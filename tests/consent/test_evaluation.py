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


def evaluator(*changes: Any, earlier: tuple[Policy, ...] = (), site: str = "stride") -> Evaluator:
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


def test_a_site_that_the_policy_lacks_is_the_developers_mistake() -> None:
    with pytest.raises(UnknownSiteError, match="stride"):
        evaluator(site="pace")


def test_without_an_answer_all_that_needs_consent_is_off_and_asked_about() -> None:  # LB-03, LB-04
    stands = evaluator(SOCIAL, VIDEO, add("vendors", id="login", category="functional"))
    for now in (0, MOMENT, MOMENT + 10_000 * DAY):
        told = stands.evaluate(None, now)
        assert told.status is ConsentStatus.UNKNOWN
        assert told.categories == {"functional": True, "analytical": False, "social": False}
        assert told.vendors == {"counter": False, "video": False, "login": True}
        assert (told.granted, told.asking) == (frozenset(), ("analytical", "social"))
        assert (told.decision, told.notice, told.expires_at) == (None, None, None)


def test_consent_expires_to_the_second() -> None:  # VA-01, VA-02
    stands = evaluator()
    made = decision(stands.policy, {"analytical"})
    ends = seconds("2027-05-22T10:00:00")
    assert stands.expires(made) == ends
    before, after = stands.evaluate(made, ends - 0.001), stands.evaluate(made, ends)
    assert (before.status, before.granted, before.asking) == ("given", {"analytical"}, ())
    assert (after.status, after.granted, after.asking) == ("expired", frozenset(), ("analytical",))
    assert not after.allows("analytical") and not after.allows("analytical", "counter")
    assert before.expires_at == after.expires_at == datetime.fromtimestamp(ends, UTC)
    assert after.notice == made.notice


@pytest.mark.parametrize("kind", ["decided", "withdrawn"])
def test_a_no_is_remembered_as_long_as_a_yes(kind: str) -> None:  # VA-03, UI-08
    stands = evaluator()
    yes, no = decision(stands.policy, {"analytical"}), decision(stands.policy, kind=kind)
    ends = stands.expires(yes)
    assert ends is not None and stands.expires(no) == ends
    assert stands.evaluate(no, ends - 1).asking == ()
    assert stands.evaluate(no, ends).asking == ("analytical",)


@given(st.lists(st.integers(0, 150 * DAY), max_size=20), st.booleans())
def test_visits_neither_prolong_an_answer_nor_ask_again(
    visits: list[int], granted: bool
) -> None:  # VA-04, UI-08
    stands = evaluator()
    made = decision(stands.policy, {"analytical"} if granted else set())
    for after in visits:
        told = stands.evaluate(made, MOMENT + after)
        assert told.expires == stands.expires(made)
        assert not told.needs_asking


def test_a_partial_change_prolongs_nothing() -> None:  # VA-04
    stands = evaluator()
    made = decision(stands.policy, {"analytical"}, changed_at=MOMENT + 150 * DAY)
    assert stands.expires(made) == stands.expires(decision(stands.policy))


@pytest.mark.parametrize("decided_at", [seconds("9999-08-01T00:00:00"), 10**15, -(10**15)])
def test_a_time_that_no_calendar_holds_has_expired(decided_at: int) -> None:  # VA-02
    stands = evaluator()
    made = decision(stands.policy, {"analytical"}, decided_at=decided_at, changed_at=decided_at)
    assert stands.expires(made) is None
    told = stands.evaluate(made, MOMENT)
    assert (told.status, told.expires, told.asking) == ("expired", None, ("analytical",))


# A visitor of a site with analytical and social (one vendor each), who was asked under the notice of today.
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
def test_where_a_visitor_stands(
    status: str, answer: Any, asking: tuple[str, ...], honoured: str | None, gpc: bool
) -> None:
    honours = [
        put("categories", place, honours_gpc=honoured == "both" or (honoured == "social" and place == 2))
        for place in (1, 2)
    ]
    stands = evaluator(SOCIAL, VIDEO, *honours)
    made = None if answer is None else decision(stands.policy, **answer)
    told = stands.evaluate(made, MOMENT + DAY, gpc=gpc)
    assert (told.status, told.gpc) == (status, gpc)
    # SG-05: the signal grants nothing, and any answer outweighs it; without one it is an answer where all honour it.
    if made is None and gpc and honoured == "both":
        assert told.asking == ()
    else:
        assert told.asking == asking
    assert told.granted == (made.granted if made else frozenset())
    assert told.changes == ()


def test_the_signal_answers_again_once_an_answer_has_expired() -> None:  # SG-05
    stands = evaluator(put("categories", 1, honours_gpc=True))
    made = decision(stands.policy, {"analytical"})
    assert stands.evaluate(made, MOMENT + 400 * DAY, gpc=True).asking == ()
    assert stands.evaluate(made, MOMENT + 400 * DAY).asking == ("analytical",)


def test_what_grew_is_off_asked_again_and_told() -> None:  # VA-05
    old = policy(SOCIAL, VIDEO)
    stands = evaluator(SOCIAL, VIDEO, GREW, earlier=(old,))
    told = stands.evaluate(decision(old, {"analytical", "social"}), MOMENT)
    assert (told.status, told.granted, told.asking) == ("given", {"social"}, ("analytical",))
    assert [(one.vendor, one.verb) for one in told.changes] == [("newcomer", "added")]
    assert told.vendors == {"counter": False, "newcomer": False, "video": True}


def test_a_vendor_that_was_allowed_alone_counts_until_it_grows() -> None:  # VA-05
    old = policy(SOCIAL, VIDEO)
    made = decision(old, {"analytical"}, {"video": True})
    told = evaluator(SOCIAL, VIDEO, add("vendors", id="other", category="social"), earlier=(old,)).evaluate(
        made, MOMENT
    )
    assert told.vendors == {"counter": True, "video": True, "other": False}
    assert told.asking == ()
    told = evaluator(SOCIAL, VIDEO, put("vendors", 1, profiling=True), earlier=(old,)).evaluate(made, MOMENT)
    assert told.vendors == {"counter": True, "video": False}
    assert told.asking == ("social",)


def test_an_exception_outlives_what_its_category_grew_by() -> None:
    old = policy(SOCIAL, VIDEO)
    made = decision(old, {"analytical"}, {"counter": False})
    for changes in ((SOCIAL, VIDEO), (SOCIAL, VIDEO, GREW), (SOCIAL, put("vendors", 0, category="social"))):
        assert not evaluator(*changes, earlier=(old,)).evaluate(made, MOMENT).vendors["counter"]


def test_what_has_become_required_is_on_with_all_its_vendors() -> None:
    old = policy(SOCIAL)
    stands = evaluator(SOCIAL, put("categories", 1, required=True), earlier=(old,))
    for made in (
        decision(old),
        decision(old, {"analytical"}, {"counter": False}),
        decision(old, kind="withdrawn"),
    ):
        for told in (stands.evaluate(made, MOMENT), stands.unverifiable(made)):
            assert told.allows("analytical") and told.allows("analytical", "counter")


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
def test_an_answer_counts_on_the_sites_that_were_listed_when_it_was_given(
    changes: tuple[Any, ...], site: str, covered: bool, granted: set[str]
) -> None:
    old = policy(GROUP)
    told = evaluator(*changes, earlier=(old,), site=site).evaluate(decision(old, granted), MOMENT)
    if not granted:
        assert (told.status, told.asking) == ("refused", ())
    elif covered:
        assert (told.status, told.granted, told.asking) == ("given", granted, ())
    else:
        assert (told.status, told.granted, told.asking) == ("invalidated", frozenset(), ("analytical",))


def test_on_a_site_that_was_not_listed_everything_is_asked() -> None:  # XS-02
    old = policy(GROUP, SOCIAL, VIDEO)
    stands = evaluator(GROUP, SECOND_SITE, SOCIAL, VIDEO, earlier=(old,), site="trailhead")
    told = stands.evaluate(decision(old, {"analytical"}, {"video": True}), MOMENT)
    assert told.asking == ("analytical", "social")
    assert not any((*told.vendors.values(), told.allows("analytical")))
    refused = stands.evaluate(decision(old, {"social"}, {"video": False}), MOMENT)
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
def test_what_is_exempt_is_on_unless_the_visitor_objects(answer: Any, gpc: bool, on: bool) -> None:
    stands = evaluator(EXEMPT, SOCIAL)
    made = None if answer is None else decision(stands.policy, **answer)
    told = stands.evaluate(made, MOMENT, gpc=gpc)
    assert told.allows("analytical") is told.allows("analytical", "counter") is on
    assert "analytical" not in told.granted and "analytical" not in told.asking


def test_the_signal_objects_where_the_owner_honours_it() -> None:  # LB-05, SG-05
    stands = evaluator(put("categories", 1, exempt=True, honours_gpc=True))
    assert stands.evaluate(None, MOMENT).allows("analytical")
    assert not stands.evaluate(None, MOMENT, gpc=True).allows("analytical")
    kept = decision(stands.policy, {"analytical"})
    assert stands.evaluate(kept, MOMENT, gpc=True).allows("analytical")
    assert not stands.evaluate(kept, MOMENT + 400 * DAY, gpc=True).allows("analytical")


def test_not_objecting_is_no_grant() -> None:  # LB-05, LB-09
    stands = evaluator(EXEMPT, SOCIAL, VIDEO)
    for vendors, grants in (({}, False), ({"counter": False}, False), ({"video": True}, True)):
        assert stands.grants(decision(stands.policy, {"analytical"}, vendors)) is grants
    objected = decision(stands.policy, set(), {"counter": True})
    assert not stands.grants(objected)
    told = stands.evaluate(objected, MOMENT)
    assert (told.status, told.allows("analytical"), told.vendors["counter"]) == ("refused", False, True)


# An objection lasts as long as an answer does, over whatever the notice becomes.
@pytest.mark.parametrize(
    "changes", [(), (GREW,), (put("controller", name="Other BV"),), (put("vendors", 0, profiling=True),)]
)
def test_an_objection_outlives_a_change_of_notice(changes: tuple[Any, ...]) -> None:  # LB-05
    old = policy(EXEMPT, SOCIAL)
    stands = evaluator(EXEMPT, SOCIAL, *changes, earlier=(old,))
    for made in (decision(old), decision(old, {"social"}), decision(old, kind="withdrawn")):
        assert not stands.evaluate(made, MOMENT).allows("analytical")
        assert not stands.unverifiable(made).allows("analytical")
    excepted = decision(old, {"analytical", "social"}, {"counter": False})
    for told in (stands.evaluate(excepted, MOMENT), stands.unverifiable(excepted)):
        assert told.allows("analytical") and not told.allows("analytical", "counter")
    assert stands.evaluate(decision(old), MOMENT + 400 * DAY).allows("analytical")


def test_who_refused_it_while_it_was_asked_has_objected() -> None:  # LB-05
    asked, exempt = policy(), policy(EXEMPT)
    for granted in (set(), {"analytical"}):
        told = evaluator(EXEMPT, earlier=(asked,)).evaluate(decision(asked, granted), MOMENT)
        assert told.allows("analytical") is bool(granted)
        assert told.status == "refused"
    # And what was exempt was never granted, once consent is needed for it.
    told = evaluator(earlier=(exempt,)).evaluate(decision(exempt, {"analytical"}), MOMENT)
    assert (told.allows("analytical"), told.asking) == (False, ("analytical",))


def test_an_exempt_vendor_alone_is_nothing_given() -> None:
    old = policy(EXEMPT, SOCIAL)
    stands = evaluator(EXEMPT, SOCIAL, add("vendors", id="other", category="social"), earlier=(old,))
    told = stands.evaluate(decision(old, {"social"}, {"counter": True}), MOMENT)
    assert (told.status, told.asking, told.vendors["counter"]) == ("invalidated", ("social",), True)


def test_a_grant_that_cannot_be_checked_allows_nothing_and_asks_nothing() -> None:
    stands = evaluator(SOCIAL, VIDEO)
    made = decision(stands.policy, {"analytical"}, {"video": True}, subject="s" * 22)
    told = stands.unverifiable(made, gpc=True)
    assert (told.status, told.granted, told.asking, told.gpc) == ("unknown", frozenset(), (), True)
    assert told.decision == made
    assert told.categories == {"functional": True, "analytical": False, "social": False}
    assert not any(told.vendors.values())


# The decision about the United Kingdom ends with 27 December 2031.
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
def test_when_an_adequacy_decision_lapses_grants_before_it_are_asked_again(  # TR-03
    granted: set[str], vendors: dict[str, bool], then: set[str], status: str, asking: tuple[str, ...]
) -> None:
    stands = evaluator(BRITISH, SOCIAL, VIDEO)
    made = made_at(BEFORE, stands.policy, granted, vendors)
    before, after = stands.evaluate(made, LAPSE - 1), stands.evaluate(made, LAPSE)
    assert (before.granted, before.asking) == (granted, ())
    assert before.until == LAPSE
    assert (after.granted, after.status, after.asking) == (then, status, asking)
    assert not after.vendors["counter"]
    assert after.until == after.expires


def test_after_it_the_vendor_stays_off_whatever_is_granted() -> None:  # TR-03
    stands = evaluator(BRITISH, GREW)
    told = stands.evaluate(made_at(LAPSE, stands.policy, {"analytical"}), LAPSE + DAY)
    assert (told.granted, told.asking) == ({"analytical"}, ())
    assert told.vendors == {"counter": False, "newcomer": True}
    alone = stands.evaluate(made_at(LAPSE, stands.policy, set(), {"counter": True}), LAPSE + DAY)
    assert not alone.vendors["counter"]


@pytest.mark.parametrize("kind", ["exempt", "required"])
def test_nor_is_it_on_where_no_consent_is_needed(kind: str) -> None:  # TR-03
    stands = evaluator(BRITISH, put("categories", 1, **{kind: True}))
    expired = made_at(LAPSE - 400 * DAY, stands.policy)
    for answer in (None, expired):
        for now, on in ((BEFORE, True), (LAPSE, False)):
            told = stands.evaluate(answer, now)
            assert (told.allows("analytical"), told.vendors["counter"]) == (True, on)
    assert not stands.unverifiable(expired, now=LAPSE).vendors["counter"]
    assert not stands.undecided(now=LAPSE).vendors["counter"]


@pytest.mark.parametrize("safeguard", ["adequacy", "scc"])
def test_a_safeguard_without_an_end_does_not_lapse(safeguard: str) -> None:  # TR-03
    stands = evaluator(put("vendors", 0, country="JP", safeguard=safeguard))
    told = stands.evaluate(made_at(BEFORE, stands.policy, {"analytical"}), LAPSE + DAY)
    assert told.granted == {"analytical"} and told.until == told.expires


def test_the_present_notice_and_those_of_the_lock_are_known() -> None:
    old = Notice.of(policy())
    stands = evaluator(GREW, earlier=(policy(),))
    assert stands.known(old.digest) is stands.known(old.short) is stands.notices[old.digest]
    assert stands.known(stands.notice.short) is stands.notice is stands.notices[stands.notice.digest]
    assert stands.known("") is stands.known("x" * 11) is None


def test_the_present_notice_has_the_wording_that_the_lock_says_it_continues() -> None:  # VA-05
    old, plain = (
        Notice.of(policy()),
        Notice.of(policy(put("categories", 1, description={"en": "Count all visits."}))),
    )
    facts = {**plain.facts, "categories": old.facts["categories"]}
    locked = [old, Notice(plain.digest, facts, published="2026-11-22")]
    stands = Evaluator(
        policy(put("categories", 1, description={"en": "Count all visits."})), "stride", locked
    )
    assert (stands.notice.digest, stands.notice.published) == (plain.digest, "2026-11-22")
    assert stands.notice.content == plain.content
    assert stands.evaluate(decision(policy(), {"analytical"}), MOMENT).granted == {"analytical"}


def test_a_notice_that_others_published_can_be_learnt() -> None:
    stands, newer = evaluator(), Notice.of(policy(SOCIAL))
    made = decision(policy(SOCIAL), {"analytical", "social"})
    stands.add_notice(newer)
    assert stands.known(newer.short) is stands.notices[newer.digest]
    assert stands.evaluate(made, MOMENT).granted == {"analytical"}


def test_what_is_known_stays_as_it_is_but_gains_its_text() -> None:
    old = Notice.of(policy())
    locked = Notice(old.digest, {**old.facts, "mark": "the lock's"}, published="2026-01-01")
    stands = Evaluator(policy(SOCIAL), "stride", [locked])
    stands.add_notice(Notice(old.digest, {**old.facts, "mark": "another"}))
    assert stands.notices[old.digest] is locked
    stands.add_notice(
        Notice(old.digest, {**old.facts, "mark": "another"}, old.content, published="2026-02-02")
    )
    gained = stands.notices[old.digest]
    assert (gained.content, gained.published, gained.facts["mark"]) == (
        old.content,
        "2026-01-01",
        "the lock's",
    )
    stands.add_notice(Notice(old.digest, {**old.facts, "mark": "a third"}, {"other": "text"}))
    assert stands.notices[old.digest] is gained
    assert stands.known(old.short) is gained


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
def test_a_notice_that_cannot_be_compared_is_not_learnt(
    spoilt: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    stands, other = evaluator(), Notice.of(policy(SOCIAL, GREW))
    with caplog.at_level(logging.WARNING, "consentkit"):
        stands.add_notice(Notice(other.digest, {**other.facts, **spoilt}, other.content))
    assert stands.known(other.digest) is stands.known(other.short) is None
    assert other.digest in caplog.text


def test_what_an_answer_covers_is_worked_out_once() -> None:
    stands = evaluator(SOCIAL, earlier=(policy(),))
    digest = Notice.of(policy()).digest
    assert stands.covers(digest) is stands.covers(digest)


def test_a_vendor_that_is_gone_leaves_no_trace() -> None:
    old = policy(GREW)
    stands = evaluator(earlier=(old,))
    told = stands.evaluate(decision(old, {"analytical"}, {"newcomer": False}), MOMENT)
    assert (told.vendors, told.asking, told.status) == ({"counter": True}, (), "given")
    without = evaluator(drop("vendors"), drop("trackers", 1), earlier=(old,))
    assert without.evaluate(decision(old, set(), {"counter": True}), MOMENT).status == "refused"


@settings(max_examples=40)
@given(policies, st.data(), st.integers(-1000 * DAY, 1000 * DAY), st.booleans())
def test_every_decision_can_be_judged_at_any_time(
    policy: Policy, more: st.DataObject, after: int, gpc: bool
) -> None:
    stands = Evaluator(policy, "stride")
    made = more.draw(decisions_under(stands.notice) | st.none())
    told: Consent = stands.evaluate(made, MOMENT + after, gpc=gpc)
    assert set(told.asking) <= set(stands.needing)
    assert told.granted <= set(stands.needing)
    assert set(told.categories) == {one.id for one in policy.categories}
    assert set(told.vendors) == {one.id for one in policy.vendors}
    assert all(told.allows(one.id) for one in policy.categories if one.required)
    if not told.status.decided:
        assert not told.granted
    if made is not None and not stands.grants(made):
        assert not any(told.categories[one] for one in stands.needing)
