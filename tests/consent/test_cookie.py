import re
from collections.abc import Callable
from dataclasses import replace
from http.cookies import SimpleCookie
from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from consentkit.consent.cookie import SKEW, ConsentCookie
from consentkit.consent.evaluation import Evaluator
from consentkit.consent.model import ConsentStatus, Decision
from consentkit.errors import ConfigurationError
from consentkit.headers.request import RawHeaders
from consentkit.notices.notice import Notice
from consentkit.policy.policy import Policy
from tests.conftest import Clock
from tests.consent.test_evaluation import seconds
from tests.support.drawn import MOMENT, decisions_under, policies
from tests.support.policies import GROUP, SECOND_SITE, add, policy, put

KEY = "a key of at least 32 random characters"
DAY = 86_400
SUBJECT = "AZaz09-_AZaz09-_AZaz09"
OTHERS = tuple(add("categories", id=one) for one in ("tracking", "social", "comfort"))
VENDORS = (add("vendors", id="video", category="social"), add("vendors", id="adhub", category="tracking"))
POLICY = policy(*OTHERS, *VENDORS)
NOTICE = Notice.of(POLICY)
GRANT = Decision(
    granted=frozenset({"analytical", "social"}),
    vendors={"video": False},
    decided_at=MOMENT,
    changed_at=MOMENT,
    notice=NOTICE.digest,
    subject=SUBJECT,
)
REFUSAL = replace(GRANT, granted=frozenset(), vendors={}, subject="")
DRAWN = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def cookie(
    declared: Policy = POLICY, *, site: str = "stride", keys: Any = KEY, now: float = MOMENT, **more: Any
) -> ConsentCookie:
    return ConsentCookie(Evaluator(declared, site), keys, clock=lambda: now, **more)


def sent(*values: str | bytes, name: str = "__Host-consent") -> RawHeaders:
    pairs = [name.encode() + b"=" + (value.encode() if isinstance(value, str) else value) for value in values]
    return [(b"cookie", b"; ".join(pairs))]


def attributes(line: str) -> dict[str, str]:
    """Return the attributes of a Set-Cookie value, names in lower case."""
    return {
        name.strip().lower(): value
        for name, _, value in (part.partition("=") for part in line.split(";")[1:])
    }


# Names and attributes. CK-03 to CK-06


@pytest.mark.parametrize(
    ("secure", "domain", "name"),
    [
        (True, None, "__Host-consent"),
        (True, "stride.example", "__Secure-consent"),
        (False, None, "consent"),
        (False, "stride.localhost", "consent"),
    ],
)
def test_name_and_attributes_follow_from_scheme_and_domain(
    secure: bool, domain: str | None, name: str
) -> None:
    made = cookie(secure=secure, domain=domain)
    assert (made.name, made.companion) == (name, f"{name}-state")
    brief = "__Host-consent" if secure else "consent"
    assert (made.transaction, made.confirmation) == (f"{brief}-tx", f"{brief}-from")
    assert {name, f"{name}-state", made.transaction, made.confirmation} <= made.names
    ours, companion = made.set_cookie(GRANT)
    assert ours.startswith(f"{name}={made.dumps(GRANT)};") and companion.startswith(f"{name}-state=")
    for line in (ours, companion):
        found = attributes(line)
        assert (found.pop("path"), found.pop("samesite"), found.pop("domain", None)) == ("/", "Lax", domain)
        assert ("secure" in found) is secure
        assert ("httponly" in found) is (line is ours)
        assert set(found) - {"secure", "httponly"} == {"max-age"}
    assert made.read(sent(made.dumps(GRANT), name=name)).granted == GRANT.granted


def test_cookie_of_another_name_is_ignored() -> None:  # CK-05
    made = cookie()
    token = made.dumps(GRANT)
    assert made.read(sent(token)).status == "given"
    for name in (
        "__host-consent",
        "consent",
        "__Secure-consent",
        "__Host-consent-state",
        " \xa0__Host-consent",
    ):
        assert made.read(sent(token, name=name)).status == "unknown"


@pytest.mark.parametrize(
    ("now", "age"),
    [
        (0.0, 181 * DAY),
        (0.999, 181 * DAY),
        (1, 181 * DAY - 1),
        (100.5 * DAY, 80.5 * DAY),
        (181 * DAY - 1, 1),
        (181 * DAY - 0.5, 1),
        (181 * DAY, 0),
        (500 * DAY, 0),
    ],
)
def test_max_age_is_whole_seconds_to_the_end_of_validity(now: float, age: int) -> None:  # CK-02
    for line in cookie(now=MOMENT + now).set_cookie(GRANT):
        assert line.endswith(f"; Max-Age={int(age)}")


@DRAWN
@given(st.integers(0, 4_000_000_000))
def test_six_months_are_at_most_184_days(moment: int) -> None:  # CK-02
    made = cookie(now=moment)
    ours, _ = made.set_cookie(replace(GRANT, decided_at=moment, changed_at=moment))
    assert 181 * DAY <= int(attributes(ours)["max-age"]) <= 15_897_600


def test_cookie_of_a_decision_beyond_the_calendar_is_deleted() -> None:
    far = replace(GRANT, decided_at=10**15, changed_at=10**15)
    assert all(line.endswith("Max-Age=0") for line in cookie().set_cookie(far))


@DRAWN
@given(policies, st.data())
def test_cookie_that_is_set_reads_back_as_the_same_decision(policy: Policy, more: st.DataObject) -> None:
    made = cookie(policy)
    decision = more.draw(decisions_under(Notice.of(policy)))
    made.clock = lambda: decision.changed_at
    ours, companion = made.set_cookie(decision)
    for line in (ours, companion):
        assert re.fullmatch(r"[A-Za-z0-9_.~!-]+", line.split(";")[0].partition("=")[2])  # CK-01
        (value,) = SimpleCookie(line).values()
        assert value["path"] == "/"
    consent = made.read(sent(ours.split(";")[0].partition("=")[2]))
    assert consent.decision == decision
    assert consent.status == made.evaluator.evaluate(decision, decision.changed_at).status


# CK-01
def test_500_vendors_with_short_ids_fit_the_cookie() -> None:
    rows = [add("vendors", id=f"v{number:03}") for number in range(500)]
    made = cookie(policy(*rows))
    notice = made.evaluator.notice
    decision = replace(
        REFUSAL, vendors=dict.fromkeys(notice.vendor_ids, True), notice=notice.digest, subject=SUBJECT
    )
    ours, companion = made.set_cookie(replace(decision, vendors={**decision.vendors, "counter": False}))
    for line in (ours, companion):
        name, _, value = line.split(";")[0].partition("=")
        assert len(name) + len(value) <= 4096
    token = ours.split(";")[0].partition("=")[2]
    assert made.read(sent(token)).vendors == {"counter": False} | {
        f"v{number:03}": True for number in range(500)
    }


def test_policy_whose_decisions_do_not_fit_a_cookie_is_a_configuration_error() -> None:
    rows = [add("vendors", id=f"a-vendor-with-a-long-id-{number}") for number in range(500)]
    with pytest.raises(ConfigurationError, match=r"501 vendors takes 1[0-9]{4} octets"):
        cookie(policy(*rows))


def test_largest_policy_that_is_accepted_fits_the_cookie() -> None:
    made = None
    for vendors in range(330, 420):
        try:
            made = cookie(policy(*(add("vendors", id=f"vendor-{number:03}") for number in range(vendors))))
        except ConfigurationError:
            break
    assert made is not None and vendors < 419
    everything = dict.fromkeys(made.evaluator.notice.vendor_ids, False)
    widest = replace(
        GRANT,
        kind="partial",
        granted=frozenset({"analytical"}),
        vendors=everything,
        notice=made.evaluator.notice.digest,
    )
    _, companion = made.set_cookie(widest)
    name, _, value = companion.split(";")[0].partition("=")
    assert 4080 <= len(name) + len(value) <= 4096


# The companion


@pytest.mark.parametrize(
    ("granted", "vendors", "more", "written"),
    [
        ({"analytical", "social"}, {}, {}, "analytical.social._{notice}"),
        (
            {"analytical", "tracking", "social", "comfort"},
            {},
            {},
            "analytical.tracking.social.comfort._{notice}",
        ),
        ({"social"}, {"video": False}, {}, "social.~video._{notice}"),
        (set(), {"video": True, "adhub": True}, {}, "~video.~adhub._{notice}"),
        (set(), {"video": True}, {"kind": "partial"}, "~video._{notice}.~"),
        ({"social"}, {}, {"kind": "partial"}, "social._{notice}.~"),
        (set(), {}, {}, "-"),
        (set(), {}, {"kind": "withdrawn"}, "-"),
        (set(), {}, {"kind": "partial"}, "-.~"),
        ({"social"}, {}, {"decided_at": MOMENT - 400 * DAY}, "-.~"),
    ],
)
def test_companion_lists_what_is_on(
    granted: set[str], vendors: dict[str, bool], more: Any, written: str
) -> None:  # CK-06
    made = cookie()
    decision = replace(REFUSAL, granted=frozenset(granted), vendors=vendors, **more)
    _, companion = made.set_cookie(decision)
    assert companion.split(";")[0] == f"__Host-consent-state={written.format(notice=NOTICE.short)}"
    assert SUBJECT not in companion


@pytest.mark.parametrize(
    ("granted", "vendors", "written"),
    [
        ({"analytical"}, {}, "analytical._{notice}"),
        ({"analytical"}, {"counter": False}, "analytical.~counter._{notice}"),
        (set(), {}, "-"),
        (set(), {"counter": True}, "~counter._{notice}"),
    ],
)
def test_companion_lists_exempt_categories_without_an_objection(  # LB-05
    granted: set[str], vendors: dict[str, bool], written: str
) -> None:
    made = cookie(policy(put("categories", 1, exempt=True)))
    notice = made.evaluator.notice
    decision = replace(REFUSAL, granted=frozenset(granted), vendors=vendors, notice=notice.digest)
    assert made.companion_value(made.evaluator.evaluate(decision, MOMENT)) == written.format(
        notice=notice.short
    )


def test_companion_is_not_read_as_consent() -> None:
    made = cookie()
    _, companion = made.set_cookie(GRANT)
    value = companion.split(";")[0].partition("=")[2]
    assert made.read(sent(value, name="__Host-consent-state")).status == "unknown"
    assert made.read(sent(value)).status == "unknown"


# Reading. CK-07, CK-08


@given(
    st.lists(st.tuples(st.sampled_from([b"cookie", b"sec-gpc", b"x"]), st.binary(max_size=120)), max_size=6)
)
@example([(b"cookie", b"__Host-consent=" + b"." * 20_000)])
@example([(b"cookie", b"__Host-consent=\xff\xfe; __Host-consent")])
def test_arbitrary_headers_read_as_no_consent(headers: list[tuple[bytes, bytes]]) -> None:
    consent = cookie().read(headers)
    assert (consent.status, consent.granted, consent.decision) == ("unknown", frozenset(), None)
    assert consent.asking == ("analytical", "tracking", "social", "comfort")


@given(st.data())
def test_valid_cookie_is_found_among_arbitrary_bytes_and_no_altered_one_is(more: st.DataObject) -> None:
    made = cookie()
    token = made.dumps(GRANT).encode()
    before, after = (more.draw(st.binary(max_size=60)) for _ in range(2))
    consent = made.read([(b"cookie", before + b";__Host-consent=" + token + b";" + after)])
    assert (consent.status, consent.decision) == ("given", GRANT)
    place = more.draw(st.integers(0, len(token) - 1))
    spoilt = token[:place] + more.draw(st.binary(max_size=3)) + token[place + 1 :]
    if spoilt.strip(b" \t") != token and b";" not in spoilt:
        assert made.read([(b"cookie", b"__Host-consent=" + spoilt)]).status == "unknown"


def test_cookie_is_read_without_middleware() -> None:
    consent = cookie().read(sent(cookie().dumps(GRANT)))
    assert (consent.status, consent.granted) == (ConsentStatus.GIVEN, {"analytical", "social"})
    assert consent.allows("social") and not consent.allows("social", "video")
    assert cookie().read([]).status == "unknown"


def test_gpc_is_read_from_the_headers() -> None:  # SG-05
    made = cookie(policy(put("categories", 1, honours_gpc=True)))
    assert made.read([(b"sec-gpc", b"1")]).gpc
    assert made.read([(b"sec-gpc", b"1")]).asking == ()
    granted = replace(
        GRANT, granted=frozenset({"analytical"}), vendors={}, notice=made.evaluator.notice.digest
    )
    consent = made.read([*sent(made.dumps(granted)), (b"sec-gpc", b"1")])
    assert (consent.gpc, consent.allows("analytical")) == (True, True)
    assert not made.read(sent(made.dumps(granted))).gpc


# CP-01, CP-02, CP-10
def test_newest_of_several_valid_cookies_counts_in_any_order() -> None:
    made = cookie(now=MOMENT + 100)
    values = [
        made.dumps(GRANT),
        made.dumps(replace(REFUSAL, changed_at=MOMENT + 3)),
        made.dumps(replace(GRANT, changed_at=MOMENT + 2)),
        "garbage",
        made.dumps(replace(GRANT, changed_at=MOMENT + 100 + SKEW + 1)),
    ]
    for order in permutations(values):
        assert made.read(sent(*order)).status == "refused"


def test_narrower_of_cookies_changed_in_one_second_counts() -> None:  # XS-05
    made = cookie()
    wider = replace(GRANT, granted=frozenset({"analytical", "tracking", "social"}), vendors={})
    ordered = [
        REFUSAL,
        replace(REFUSAL, vendors={"video": True}, subject=SUBJECT),
        replace(GRANT, granted=frozenset({"social"})),
        GRANT,
        replace(GRANT, vendors={}),
        wider,
    ]
    for number, narrowest in enumerate(ordered):
        rest = [made.dumps(one) for one in ordered[number:]]
        for order in (rest, rest[::-1], rest[1:] + rest[:1]):
            assert made.read(sent(*order)).decision == narrowest


@given(st.permutations([{"tracking"}, {"social"}, {"analytical"}, {"comfort"}]))
def test_equally_broad_cookies_count_the_same_in_any_order(order: list[set[str]]) -> None:
    made = cookie()
    tokens = [made.dumps(replace(GRANT, granted=frozenset(one), vendors={})) for one in order]
    assert made.read(sent(*tokens)).decision == made.read(sent(*sorted(tokens))).decision


def test_first_eight_cookies_of_the_name_are_read() -> None:
    made = cookie()
    token = made.dumps(GRANT)
    assert made.read(sent(*["x"] * 7, token)).status == "given"
    assert made.read(sent(*["x"] * 8, token)).status == "unknown"


# VA-02, LC-07
@pytest.mark.parametrize(
    ("ahead", "status"),
    [
        (-1, "given"),
        (0, "given"),
        (30, "given"),
        (60, "given"),
        (61, "unknown"),
        (600, "unknown"),
        (DAY, "unknown"),
    ],
)
def test_cookie_dated_more_than_60_seconds_ahead_is_ignored(ahead: int, status: str) -> None:
    made = cookie()
    for decision in (
        replace(GRANT, decided_at=MOMENT + ahead, changed_at=MOMENT + ahead),
        replace(GRANT, decided_at=MOMENT - DAY, changed_at=MOMENT + ahead),
    ):
        assert made.read(sent(made.dumps(decision))).status == status


def test_cookie_expires_on_the_server_to_the_second(clock: Clock) -> None:  # VA-01, VA-02
    made = cookie()
    made.clock = clock
    now = int(clock())
    token = made.dumps(replace(GRANT, decided_at=now, changed_at=now))
    clock.seconds = seconds("2027-02-28T12:00:00") - 1
    assert made.read(sent(token)).status == "given"
    clock.advance(1)
    assert made.read(sent(token)).status == "expired"
    clock.advance(days=4000)
    assert made.read(sent(token)).status == "expired"
    # A clock that was wrong and is corrected finds the consent as before.
    clock.seconds = float(now)
    assert made.read(sent(token)).status == "given"


# CK-07
@pytest.mark.parametrize(
    ("writer", "reader", "counts"),
    [
        ({}, {}, True),
        ({}, {"site": "trailhead"}, False),
        ({"domain": "media.example"}, {"domain": "media.example"}, True),
        ({"domain": "media.example"}, {"domain": "media.example", "site": "trailhead"}, True),
        ({"domain": "media.example"}, {"domain": "other.example"}, False),
        ({"domain": "media.example"}, {}, False),
        ({"secure": False}, {}, True),
        ({}, {"keys": "another key of at least 32 characters"}, False),
        ({}, {"keys": ["another key of at least 32 characters", KEY]}, True),
    ],
)
def test_cookie_counts_for_the_site_or_domain_and_the_keys_it_was_signed_for(
    writer: Any, reader: Any, counts: bool
) -> None:
    shared = policy(*OTHERS, *VENDORS, GROUP, SECOND_SITE)
    decision = replace(GRANT, notice=Notice.of(shared).digest)
    one, other = cookie(shared, **writer), cookie(shared, **reader)
    assert (other.read(sent(one.dumps(decision), name=other.name)).decision == decision) is counts


def test_cookie_of_another_group_is_ignored() -> None:  # CK-07
    alone, grouped = policy(), policy(GROUP)
    decision = replace(GRANT, granted=frozenset({"analytical"}), vendors={}, notice=Notice.of(alone).digest)
    evaluator = Evaluator(grouped, "stride", [Notice.of(alone)])
    reader = ConsentCookie(evaluator, KEY, clock=lambda: MOMENT)
    assert reader.read(sent(cookie(alone).dumps(decision))).status == "unknown"
    assert (cookie(alone).salt, reader.salt) == (
        "consentkit.cookie.v1||stride",
        "consentkit.cookie.v1|media|stride",
    )
    shared = ConsentCookie(evaluator, KEY, domain="stride.example")
    assert shared.salt == "consentkit.cookie.v1|media|stride.example"


# XS-02, XS-03: with a cookie that sub-domains share, each site asks for itself whether it was listed.
def test_shared_cookie_counts_on_the_sites_that_its_notice_listed() -> None:
    before, after = policy(GROUP), policy(GROUP, SECOND_SITE)
    written = replace(GRANT, granted=frozenset({"analytical"}), vendors={}, notice=Notice.of(before).digest)
    notices = [Notice.of(before)]
    for decision, there, here in (
        (written, "given", "invalidated"),
        (replace(written, granted=frozenset(), subject=""), "refused", "refused"),
    ):
        for site, status in (("stride", there), ("trailhead", here)):
            read = ConsentCookie(Evaluator(after, site, notices), KEY, domain="example", clock=lambda: MOMENT)
            assert read.read(sent(read.dumps(decision), name=read.name)).status == status


# LC-06
@pytest.mark.parametrize(
    ("later", "status"),
    [
        (add("vendors", id="newcomer"), "invalidated"),
        (put("sites", 0, name="Strides"), "given"),
        (put("controller", address="Elsewhere 1"), "given"),
        (put("controller", name="Other BV"), "invalidated"),
        (put("categories", 1, description={"en": "Sell.", "nl": "Verkopen."}), "invalidated"),
    ],
)
def test_material_change_of_the_notice_invalidates_consent(
    later: Callable[[Any], object], status: str
) -> None:
    old = policy()
    decision = replace(GRANT, granted=frozenset({"analytical"}), vendors={}, notice=Notice.of(old).digest)
    read = ConsentCookie(Evaluator(policy(later), "stride", [Notice.of(old)]), KEY, clock=lambda: MOMENT)
    token = cookie(old).dumps(decision)
    assert read.read(sent(token)).status == status
    # A decision under a notice of a later policy cannot be read yet.
    newer = ConsentCookie(Evaluator(policy(later), "stride"), KEY)
    ahead = newer.dumps(replace(decision, notice=newer.evaluator.notice.digest))
    assert cookie(old).read(sent(ahead)).status == "unknown"
    assert cookie(old).unknown_notice(ahead.encode()) == newer.evaluator.notice.short


# The caches


def test_forged_cookies_are_not_cached() -> None:  # LG-08
    made = cookie()
    token = made.dumps(GRANT)
    for number in range(50):
        made.verify(f"{token}{number}".encode())
        made.verify(token.replace(SUBJECT, f"{number:022}").encode())
    assert not made.verified
    found = made.verify(token.encode())
    assert found is not None and found is made.verify(token.encode())
    assert list(made.verified) == [token.encode()]


def test_cache_of_tokens_is_bounded_and_drops_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:  # LG-08
    monkeypatch.setattr("consentkit.consent.cookie._TOKENS_KEPT", 8)
    made = cookie(now=MOMENT + 20)
    values = [made.dumps(replace(REFUSAL, changed_at=MOMENT + second)).encode() for second in range(9)]
    tokens = [made.verify(value) for value in values]
    assert len(made.verified) == 8 // 2 + 1
    assert made.verify(values[-1]) is tokens[-1]
    again = made.verify(values[0])
    assert tokens[0] is not None and again is not None
    assert again is not tokens[0] and again.decision == tokens[0].decision


def test_evaluated_consent_is_cached_until_it_may_change(clock: Clock) -> None:
    made = cookie()
    made.clock = clock
    token = made.verify(made.dumps(GRANT).encode())
    assert token is not None
    clock.seconds = float(MOMENT)
    consent = made.evaluate(token, clock())
    assert made.evaluate(token, clock() + 5) is consent
    assert made.evaluate(token, clock(), gpc=True) is not consent
    assert made.evaluate(token, clock(), gpc=True) is made.evaluate(token, clock() + 5, gpc=True)
    assert made.evaluate(token, clock()) is consent
    assert made.evaluate(token, consent.until) is not consent
    assert made.evaluate(token, consent.until).status == "expired"
    assert made.evaluate(None, clock()).status == "unknown"
