from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit import Policy
from consentkit.enforcement.cookie_gate import (
    DELETION_BYTES,
    Action,
    Allows,
    CookieGate,
    Reason,
    Verdict,
    permitted,
)
from consentkit.policy.models import Tracker, TrackerKind
from tests.support.calls import calls_during

if TYPE_CHECKING:
    from playwright.sync_api import Page

NOW = 1_800_000_000
ENDS = NOW + 100
OWN = frozenset({"__Host-consent", "__Host-consent-state"})


def tracker(name: str, category: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "kind": "cookie",
        "category": category,
        "lifetime": "P1M",
        "purpose": {"en": "Is tested."},
    } | more


TRACKERS = [
    tracker("session", "functional", necessity="session"),
    tracker("_ga*", "analytical", vendor="google-analytics", domain=".stride.example"),
    tracker("_ga_own", "functional", necessity="session"),
    tracker("_gat*", "analytical"),
    tracker("_gat_narrow*", "tracking"),
    tracker("_gat*", "social", path="/video", partitioned=True),
    tracker("adhub_uid", "tracking", vendor="adhub", third_party=True),
    tracker("Visits", "exempted"),
    tracker("__Secure-ad", "tracking"),
    tracker("reading-list", "social", kind="local_storage"),
]


@pytest.fixture(scope="module")
def many(policy: Policy) -> Policy:
    """The example's policy with more cookies, and with analytics that need no consent."""
    table = policy.model_dump(mode="json", by_alias=True, exclude_none=True)
    text = {"en": "Is tested."}
    table["languages"] = ["en"]
    table["categories"].append({"id": "exempted", "exempt": True, "title": text, "description": text})
    table["trackers"] = TRACKERS
    return Policy.model_validate(table)


@pytest.fixture(scope="module")
def gate(many: Policy) -> CookieGate:
    return CookieGate(many, own_names=OWN)


@pytest.fixture(scope="module")
def strict(many: Policy) -> CookieGate:
    return CookieGate(many, own_names=OWN, strict=True)


def granting(*granted: str) -> Allows:
    """Allow categories, and vendors as `category/vendor`; required ones always."""

    def allows(category: str, vendor: str | None = None) -> bool:
        return category == "functional" or category in granted or f"{category}/{vendor}" in granted

    return allows


NOTHING = granting()
EVERYTHING = granting("analytical", "tracking", "social", "exempted")


def verdict_on(gate: CookieGate, line: str | bytes, allows: Allows, ends: int | None = None) -> Verdict:
    value = line if isinstance(line, bytes) else line.encode("latin-1")
    return gate.set_cookie(value, allows, NOW, ends)


# LC-09, LC-10, HT-03
@pytest.mark.parametrize(
    "line",
    [
        "_ga=1",
        "_ga=1; Path=/; Secure; HttpOnly",
        "_ga_ABC=1",
        "_GA=1",
        "_Ga_x=1",
        " _ga=1",
        "_ga\t=1",
        "\t_ga =1",
        "\x01_ga=1",
        "_\x07g\x7fa=1",
        "\xa0_ga\x85=1",
        "_ga",
        "_ga; Path=/",
        "=_ga=1",
        "= _ga=1",
        "==_ga=1; Path=/",
        "_ga=" + "x" * 10_000,
        "_ga" + "x" * 10_000 + "=1",
        "_ga=1; Path=/a, b; Expires=Thu, 01 Jan 2099 00:00:00 GMT",
        "_ga=$Version; Max-Age=1",
        "_ga=;;;=;Secure=;=HttpOnly;max-age=1;=",
        "VISITS=1",
        "adhub_uid=1",
        "__secure-AD=1",
        "_gat=1",
    ],
)
def test_a_declared_cookie_without_consent_is_dropped_however_it_is_written(
    gate: CookieGate, line: str
) -> None:
    verdict = verdict_on(gate, line, NOTHING)
    assert (verdict.action, verdict.reason) == (Action.DROP, Reason.REFUSED)
    assert verdict.depends
    assert verdict.tracker is not None
    assert verdict_on(gate, line, NOTHING) == verdict


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("session=1; HttpOnly", Reason.REQUIRED),
        ("session=1, 2; Expires=Thu, 01 Jan 2099 00:00:00 GMT", Reason.REQUIRED),
        ("_ga_own=1", Reason.REQUIRED),
        ("__Host-consent=1; Secure; Path=/", Reason.OWN),
        ("__Host-consent-state=-", Reason.OWN),
        ("SESSION=1", Reason.UNDECLARED),
        ("__Secure-_ga=1", Reason.UNDECLARED),
        ("__Host-CONSENT=1", Reason.UNDECLARED),
        ("x_ga=1", Reason.UNDECLARED),
        ("_g=1; _ga=2", Reason.UNDECLARED),
        ("$Version=1; _ga=2", Reason.UNDECLARED),
        ("reading-list=1", Reason.UNDECLARED),
        ("", Reason.UNDECLARED),
        ("=", Reason.UNDECLARED),
        (";", Reason.UNDECLARED),
        ("a=_ga=1", Reason.UNDECLARED),
    ],
)
def test_own_required_and_undeclared_cookies_pass_whatever_the_consent(
    gate: CookieGate, line: str, reason: Reason
) -> None:
    for allows in (NOTHING, EVERYTHING):
        verdict = verdict_on(gate, line, allows, ENDS)
        assert (verdict.action, verdict.reason) == (Action.PASS, reason)
        assert not verdict.depends


# LC-10, HT-03
def test_strict_mode_drops_undeclared_cookies_and_no_others(strict: CookieGate) -> None:
    for line in ("x=1", "SESSION=1", "__Secure-_ga=1", "__Host-CONSENT=1", "=", ""):
        verdict = verdict_on(strict, line, EVERYTHING)
        assert (verdict.action, verdict.reason, verdict.depends) == (Action.DROP, Reason.UNDECLARED, False)
    for line in ("session=1", "__Host-consent=1", "_ga=1", "x=; Max-Age=0"):
        assert verdict_on(strict, line, EVERYTHING).action is Action.PASS


@pytest.mark.parametrize(
    ("line", "granted", "passes"),
    [
        ("_ga=1", "analytical", True),
        ("_ga=1", "analytical/google-analytics", True),
        ("_ga=1", "tracking", False),
        ("_gat_narrow_x=1", "tracking", True),
        ("_gat_narrow_x=1", "analytical", False),
        ("Visits=1", "exempted", True),
        ("VISITS=1", "exempted", True),
        # Declared twice, in two places: both have to be granted.
        ("_gat_x=1", "analytical", False),
        ("_gat_x=1", "social", False),
    ],
)
def test_the_most_specific_declaration_and_its_vendor_decide(
    gate: CookieGate, line: str, granted: str, passes: bool
) -> None:
    verdict = verdict_on(gate, line, granting(granted))
    assert verdict.action is (Action.PASS if passes else Action.DROP)
    assert verdict.reason is (Reason.GRANTED if passes else Reason.REFUSED)
    assert verdict.depends
    assert verdict_on(gate, "_gat_x=1", granting("analytical", "social")).action is Action.PASS


# LB-02
@pytest.mark.parametrize("kind", get_args(TrackerKind))
def test_items_of_every_kind_need_consent_with_personal_data_or_without(kind: str) -> None:
    for personal in (None, True, False):
        row = tracker("x", "social", kind=kind, personal_data=personal, vendor="youtube")
        item = Tracker.model_validate(row)
        assert not permitted(item, NOTHING)
        assert permitted(item, granting("social/youtube"))
        assert not permitted(item, granting("social/other"))


def test_classify_returns_the_most_specific_declaration(gate: CookieGate) -> None:
    names = {"_ga_x": "_ga*", "_GA": "_ga*", "_ga_own": "_ga_own", "visits": "Visits", "session": "session"}
    for name, declared in names.items():
        found = gate.classify(name)
        assert found is not None
        assert found.name == declared
    for name in ("", "x", "SESSION", "reading-list", "\u4e2d", "__Host-consent"):
        assert gate.classify(name) is None


@pytest.mark.parametrize(
    "line",
    [
        "_ga=; Max-Age=0",
        "_ga=x; max-age = -1 ;Path=/",
        "_ga=; Max-Age=-999999999999999999999",
        "_ga=; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "_ga=; expires=Thu, 01-Jan-70 00:00:00 GMT; Domain=x",
        "_ga=; Max-Age=0; Expires=Thu, 01 Jan 2099 00:00:00 GMT",
        "_ga=; Max-Age=5; Max-Age=0",
        "_ga=; Expires=Thu, 01 Jan 2099 00:00:00 GMT; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "_ga=; Max-Age=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
    ],
)
def test_a_line_that_deletes_the_cookie_in_every_browser_passes(gate: CookieGate, line: str) -> None:
    verdict = verdict_on(gate, line, NOTHING)
    assert (verdict.action, verdict.reason, verdict.depends) == (Action.PASS, Reason.DELETION, False)


@pytest.mark.parametrize(
    "line",
    [
        "_ga=Max-Age=0",
        "_ga=1; Max-Age=0; Max-Age=5",
        "_ga=1; Max-Age=5; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "_ga=1; Max-Age=0; Max-Age=x",
        "_ga=1; Max-Age=0; Max-Age",
        "_ga=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; expires; Path=/",
        "_ga=1; Max-Age=+0",
        "_ga=1; Max-Age=",
        "_ga=1; Max-Age",
        "_ga=1; Max-Age=00000000000000000005",
        "_ga=1; X-Max-Age=0",
        '_ga=1; Max-Age="0"',
        "_ga=1; Expires=yesterday",
        "_ga=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Expires=Thu, 01 Jan 2099 00:00:00 GMT",
        "_ga=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Expires=never",
    ],
)
def test_a_line_that_some_browser_keeps_is_no_deletion(gate: CookieGate, line: str) -> None:
    assert verdict_on(gate, line, NOTHING).action is Action.DROP


# VA-07
@pytest.mark.parametrize(
    ("line", "clamped"),
    [
        ("_ga=1; Max-Age=101; Path=/", "_ga=1; Max-Age=100; Path=/"),
        ("_ga=1; max-age = 99999999999999999999 ; Path=/", "_ga=1; max-age = 100; Path=/"),
        ("_ga=1; Max-Age=5; Max-Age=500", "_ga=1; Max-Age=100; Max-Age=100"),
        ("_ga=1; Max-Age=500; Max-Age=x", "_ga=1; Max-Age=100; Max-Age=100"),
        ("_ga=1; Max-Age=500; Max-Age; Path=/", "_ga=1; Max-Age=100; Max-Age=100; Path=/"),
        (
            "_ga=1; Expires=Thu, 01 Jan 2099 00:00:00 GMT; Path=/",
            "_ga=1; Expires=Fri, 15 Jan 2027 08:01:40 GMT; Path=/; Max-Age=100",
        ),
        (
            "_ga=1; Expires=Thu, 01 Jan 2099 00:00:00 GMT; Max-Age=9999",
            "_ga=1; Expires=Fri, 15 Jan 2027 08:01:40 GMT; Max-Age=100",
        ),
    ],
)
def test_a_granted_cookie_is_shortened_to_the_end_of_the_consent(
    gate: CookieGate, line: str, clamped: str
) -> None:
    verdict = verdict_on(gate, line, EVERYTHING, ENDS)
    assert (verdict.action, verdict.reason, verdict.depends) == (Action.REWRITE, Reason.CLAMPED, True)
    assert verdict.value == clamped.encode()
    assert parsedate_to_datetime("Fri, 15 Jan 2027 08:01:40 GMT").timestamp() == ENDS
    again = gate.set_cookie(clamped.encode(), EVERYTHING, NOW, ENDS)
    assert again.reason is Reason.GRANTED


@pytest.mark.parametrize(
    ("line", "ends"),
    [
        ("_ga=1", ENDS),
        ("_ga=1; Max-Age=100", ENDS),
        ("_ga=1; Max-Age=50; Expires=Thu, 01 Jan 2099 00:00:00 GMT", ENDS),
        ("_ga=1; Max-Age=x; Expires=never", ENDS),
        ("_ga=1; Max-Age=9999", None),
        # Nobody consented to what needs no consent: it has no end to keep.
        ("Visits=1; Max-Age=9999", ENDS),
    ],
)
def test_a_cookie_that_ends_before_the_consent_is_unchanged(
    gate: CookieGate, line: str, ends: int | None
) -> None:
    verdict = verdict_on(gate, line, EVERYTHING, ends)
    assert (verdict.action, verdict.reason) == (Action.PASS, Reason.GRANTED)


def test_a_cookie_is_dropped_if_the_consent_has_ended(gate: CookieGate) -> None:
    assert verdict_on(gate, "_ga=1; Max-Age=9", EVERYTHING, NOW).action is Action.DROP


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("session=1, _ga=2; HttpOnly", "session=1; HttpOnly"),
        ("session=1; Path=/, _ga=2; Path=/", "session=1; Path=/; Path=/"),
        ("session=1,_GA=2,adhub_uid=3", "session=1"),
        ("x=1; Expires=Thu, 01 Jan 2099 00:00:00 GMT, _ga=2", "x=1; Expires=Thu, 01 Jan 2099 00:00:00 GMT"),
        ("session=1, =_ga=2", "session=1"),
        ("_ga_own=; Max-Age=0, _ga=; Max-Age=0", "_ga_own=; Max-Age=0; Max-Age=0"),
    ],
)
def test_a_refused_cookie_behind_a_comma_is_cut_out(gate: CookieGate, line: str, left: str) -> None:
    verdict = verdict_on(gate, line, NOTHING)
    assert (verdict.action, verdict.reason, verdict.value) == (Action.REWRITE, Reason.JOINED, left.encode())
    assert verdict.tracker is not None
    assert verdict.tracker.name in ("_ga*", "adhub_uid")
    assert verdict.depends
    assert verdict_on(gate, line, EVERYTHING).action is Action.PASS


def test_a_refused_line_is_dropped_with_the_cookies_behind_its_commas(gate: CookieGate) -> None:
    assert verdict_on(gate, "_ga=1, session=2", NOTHING).action is Action.DROP
    assert verdict_on(gate, "_ga=1, _ga=2", NOTHING).action is Action.DROP


def test_a_line_may_be_both_cut_and_shortened(gate: CookieGate) -> None:
    allows = granting("analytical")
    verdict = verdict_on(gate, "_ga=1, adhub_uid=2; Max-Age=500", allows, ENDS)
    assert (verdict.reason, verdict.value) == (Reason.JOINED, b"_ga=1; Max-Age=100")


@pytest.mark.parametrize(
    "line", ["a=1\r\nSet-Cookie: _ga=1", "session=\n", "x\0=1", "_ga=1\r", "__Host-consent=\n"]
)
def test_a_line_that_would_end_the_header_is_dropped(gate: CookieGate, line: str) -> None:
    verdict = verdict_on(gate, line, EVERYTHING)
    assert (verdict.action, verdict.reason) == (Action.DROP, Reason.BROKEN)


@pytest.mark.parametrize(
    ("header", "left"),
    [
        ("a=1; _ga=2; session=3", "a=1; session=3"),
        ("_ga=2; session=3;  x", "session=3;  x"),
        ("session=3;_GA=4", "session=3"),
        ("_ga=1", ""),
        ("_ga=1; _gat=2", ""),
        ("_ga", ""),
        ("a=1;=_ga=2", "a=1"),
        ("a = b ;; _ga =2;; c", "a = b ;;; c"),
        ("a=_ga=1", "a=_ga=1"),
        ("a=1; b_ga=2", "a=1; b_ga=2"),
        ("a=1; _ga_own=2", "a=1; _ga_own=2"),
        ("", ""),
        (" a=1; _ga=2", " a=1"),
        ("a=\xff; \xa0_ga=1; \xfe=b", "a=\xff; \xfe=b"),
        ("x=1; __Host-consent=_ga", "x=1; __Host-consent=_ga"),
        ("visits=1; a=1", "a=1"),
        ("adhub_uid=1; reading-list=1", "reading-list=1"),
    ],
)
def test_refused_cookies_are_hidden_from_the_application(gate: CookieGate, header: str, left: str) -> None:
    sent = header.encode("latin-1")
    visible = gate.strip(sent, NOTHING)
    assert visible == left.encode("latin-1")
    assert visible is sent or header != left
    assert gate.strip(sent, EVERYTHING) is sent


# LB-01, LB-02
@pytest.mark.parametrize(
    ("header", "left"),
    [
        ("session=1; x=2; _ga_own=3", "session=1; _ga_own=3"),
        ("x=1; session=2", "session=2"),
        ("x=1", ""),
        ("x", ""),
        ("x; session=1; y", "session=1"),
        ("=x=1; session=1", "session=1"),
        ("SESSION=1; session=1", "session=1"),
        ("sessions=1; session =2", "session =2"),
        ("session\xa0=1; \x01session=1;\tsession=2", "session=2"),
        ('"session"=1; \xff=2; \x01; \xa0', ""),
        ("session=1;; = ; ", "session=1;; = ; "),
        ("__Host-consent=1; __Host-consent-state=2; __Host-consent-x=3; __host-consent=4", None),
        ("=__Host-consent=1; session=x=1", "=__Host-consent=1; session=x=1"),
        ("visits_1=1; Visits=1; VISITS=1", "Visits=1; VISITS=1"),
        ("reading-list=1; adhub_uid=2", "adhub_uid=2"),
        ("", ""),
    ],
)
def test_strict_mode_hides_undeclared_cookies_and_no_others(
    strict: CookieGate, header: str, left: str | None
) -> None:
    sent = header.encode("latin-1")
    kept = (left if left is not None else header[: header.index("; __Host-consent-x")]).encode("latin-1")
    visible = strict.strip(sent, EVERYTHING)
    assert visible.strip(b" ") == kept.strip(b" ")
    assert (visible is sent) == (kept == sent)
    assert strict.strip(sent, NOTHING) == b";".join(
        pair for pair in visible.split(b";") if not pair.strip().lower().startswith((b"visits", b"adhub"))
    ).lstrip(b" ")


def test_strict_mode_expires_no_undeclared_cookies(strict: CookieGate) -> None:
    names = ["x", "visits_1", "SESSION", "_ga_own"]
    assert strict.leftovers([*names, "_ga"], NOTHING, NOW) == strict.leftovers(["_ga"], NOTHING, NOW)
    assert strict.leftovers(names, NOTHING, NOW) == []


# WD-05, LC-03 of the attack cases
def test_leftovers_are_expired_in_each_place_of_storage(gate: CookieGate) -> None:
    gone = "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
    assert gate.leftovers(["_ga", "_GA_x", "session", "x", "_ga_own"], NOTHING, NOW) == [
        f"_ga=; {gone}; Path=/; Domain=.stride.example; SameSite=Lax",
        f"_GA_x=; {gone}; Path=/; Domain=.stride.example; SameSite=Lax",
    ]
    assert gate.leftovers(["_gat"], granting("analytical"), NOW) == [
        f"_gat=; {gone}; Path=/video; Secure; SameSite=Lax; Partitioned"
    ]
    assert gate.leftovers(["_gat"], granting("social"), NOW) == [
        f"_gat=; {gone}; Path=/; Domain=.stride.example; SameSite=Lax",
        f"_gat=; {gone}; Path=/; SameSite=Lax",
    ]
    assert gate.leftovers(["__Secure-ad"], NOTHING, NOW) == [
        f"__Secure-ad=; {gone}; Path=/; Secure; SameSite=Lax"
    ]


@pytest.mark.parametrize(
    "name",
    [
        "_ga\r\nSet-Cookie: x",
        "_ga x",
        "_ga;",
        "_ga=",
        "_ga,",
        "_ga\x7f",
        "_ga\xe9",
        '_ga"',
        "",
        "adhub_uid",
        "__Host-consent",
    ],
)
def test_leftovers_skip_odd_names_and_cookies_out_of_reach(gate: CookieGate, name: str) -> None:
    assert gate.leftovers([name], NOTHING, NOW) == []


def test_leftovers_are_unique_and_not_granted(gate: CookieGate) -> None:
    assert len(gate.leftovers(["_ga", "_ga"], NOTHING, NOW)) == 1
    assert gate.leftovers(["_ga", "_gat", "adhub_uid"], EVERYTHING, NOW) == []


def as_sent(lines: list[str]) -> int:
    return sum(len(f"set-cookie: {line}\r\n") for line in lines)


def expired(lines: list[str]) -> set[str]:
    return {line.partition("=")[0] for line in lines}


# nginx answers 502 if the headers of a response are larger than its buffer of 4 KiB.
@pytest.mark.parametrize("length", [1, 100, 1000])
def test_each_response_expires_at_most_two_kibibytes_and_repeated_ones_all(
    gate: CookieGate, length: int
) -> None:
    left = {f"_ga{number}{'x' * length}": None for number in range(200)}
    responses = 0
    while left:
        lines = gate.leftovers(left, NOTHING, NOW)
        assert as_sent(lines) <= DELETION_BYTES
        assert len(expired(lines)) == len(lines)
        assert len(left) <= len(lines) or as_sent(lines) > DELETION_BYTES - 120 - length
        for name in expired(lines):
            del left[name]
        responses += 1
    assert responses <= 200


def test_a_leftover_that_no_response_can_expire_keeps_no_other_from_it(gate: CookieGate) -> None:
    too_long = "_ga" + "x" * DELETION_BYTES
    assert expired(gate.leftovers([too_long, "_gat"], granting("social"), NOW)) == {"_gat"}
    # These stay, as if they were stored at a path that the policy does not declare.
    stuck = [f"_ga{number}" for number in range(150)]
    seen: set[str] = set()
    for visit in range(20):
        seen |= expired(gate.leftovers([*stuck, "_ga_last"], NOTHING, NOW + 37 * visit))
    assert "_ga_last" in seen


def test_a_policy_without_cookies_passes_and_shows_every_cookie(many: Policy) -> None:
    empty = CookieGate(many.model_copy(update={"trackers": ()}), own_names=frozenset())
    assert verdict_on(empty, "_ga=1", NOTHING).reason is Reason.UNDECLARED
    assert empty.strip(b"_ga=1", NOTHING) == b"_ga=1"
    assert empty.leftovers(["_ga"], NOTHING, NOW) == []


def test_the_cache_of_names_is_bounded(many: Policy) -> None:
    gate = CookieGate(many, own_names=OWN)
    for number in range(5000):
        gate.set_cookie(b"name%d=1" % number, NOTHING, NOW, None)
        gate.strip(b"a=%d" % number, NOTHING)
    gate.set_cookie(b"x" * 100_000, NOTHING, NOW, None)
    remembered: dict[bytes, object] = gate._rules
    assert len(remembered) < 2500
    assert max(map(len, remembered)) < 300
    assert verdict_on(gate, "_ga=1", NOTHING).action is Action.DROP


lines = st.binary(max_size=80) | st.lists(
    st.sampled_from(
        [
            b"_ga",
            b"_GA",
            b"session",
            b"=",
            b";",
            b",",
            b" ",
            b"\t",
            b"\0",
            b"\r\n",
            b"Max-Age=0",
            b"Max-Age=9999",
            b"x",
            b"\xa0",
            b"; expires=Thu, 01 Jan 2099 00:00:00 GMT",
            b"; Path=/",
            b"adhub_uid=1",
        ]
    ),
    max_size=12,
).map(b"".join)


def named_by_browsers(line: bytes) -> str:
    """Read a cookie's name as RFC 6265bis, section 5.7, does; of a nameless one, as it will be sent."""
    pair = line.partition(b";")[0]
    name, equals, value = pair.partition(b"=")
    if not equals or not name.strip(b" \t"):
        name = (value if equals else pair).strip(b" \t").partition(b"=")[0]
    return name.strip(b" \t").decode("latin-1")


@given(lines)
def test_no_line_sets_a_declared_cookie_without_consent(gate: CookieGate, line: bytes) -> None:
    verdict = gate.set_cookie(line, NOTHING, NOW, ENDS)
    sent = None if verdict.action is Action.DROP else verdict.value or line
    if sent is None:
        return
    assert not set(sent) & set(b"\r\n\0")
    name = named_by_browsers(sent).lower()
    declared = name.startswith("_ga") and name != "_ga_own"
    assert not declared or verdict.reason is Reason.DELETION
    assert verdict.action is Action.PASS or verdict.value != line


@given(lines)
def test_strip_cuts_whole_pairs_and_changes_nothing_else(gate: CookieGate, header: bytes) -> None:
    left = gate.strip(header, NOTHING)
    pairs = header.split(b";")
    for pair in left.split(b";") if left else []:
        assert pair in pairs or any(other.lstrip(b" \t") == pair for other in pairs)
    assert gate.strip(left, NOTHING) == left
    for pair in left.split(b";"):
        name = named_by_browsers(pair).lower()
        assert not name.startswith("_ga") or name == "_ga_own"


# A visitor's browser sends a few names, and a stranger's program as many as fit.
def test_names_that_no_tracker_declares_cost_no_work_each(many: Policy) -> None:
    gate = CookieGate(many, own_names=OWN)
    names = b"; ".join(b"%x=1" % number for number in range(2000))
    assert calls_during(lambda: gate.strip(names, NOTHING)) < 10
    sent = [f"{number:x}" for number in range(2000)]
    assert calls_during(lambda: gate.leftovers(sent, NOTHING, NOW)) < 20
    assert not gate._rules


def test_strict_mode_hides_many_names_with_little_work_each(many: Policy) -> None:
    gate = CookieGate(many, own_names=OWN, strict=True)
    names = b"; ".join(b"%x=1" % number for number in range(2000))
    assert calls_during(lambda: gate.strip(names, NOTHING)) < 10
    assert not gate._rules and gate.strip(names, NOTHING) == b""


@pytest.mark.parametrize(
    "name", ["_ga{}", "_Ga{}", "_g\x01a{}", "\xa0_ga{}", "adhub_uid{}", "visits{}", "_ga_own{}"]
)
@pytest.mark.parametrize("strict", [False, True])
def test_the_work_on_names_like_declared_ones_is_linear_and_leaves_the_cache_alone(
    many: Policy, name: str, strict: bool
) -> None:
    gate = CookieGate(many, own_names=OWN, strict=strict)

    def work(count: int) -> tuple[int, int]:
        sent = [name.format(number) for number in range(count)]
        header = "; ".join(sent).encode("latin-1")
        return (
            calls_during(lambda: gate.strip(header, NOTHING)),
            calls_during(lambda: gate.leftovers(sent, NOTHING, NOW)),
        )

    gate.strip(b"_ga=1", NOTHING)
    remembered = dict(gate._rules)
    once, twice = work(1000), work(2000)
    assert twice[0] < 2.1 * once[0] and twice[1] < 2.1 * once[1] + 100
    assert gate._rules == remembered


@pytest.mark.parametrize("allows", [NOTHING, EVERYTHING, granting("analytical"), granting("social")])
@given(lines)
def test_exactly_the_refused_cookies_of_any_header_are_hidden(
    gate: CookieGate, strict: CookieGate, allows: Callable[[str, str | None], bool], header: bytes
) -> None:
    names = {pair: pair.lstrip(b"= \t").partition(b"=")[0] for pair in header.split(b";")}
    for each in (gate, strict):
        refused = {
            pair
            for pair, name in names.items()
            if each.verdict_for_name(name, allows).action is Action.DROP and pair.strip(b"= \t")
        }
        left = b";".join(pair for pair in header.split(b";") if pair not in refused)
        assert each.strip(header, allows).lstrip(b" \t") == left.lstrip(b" \t")
        assert any(each.may_hide(name) for name in names.values()) or not refused


def test_cookies_without_a_choice_do_not_ask_the_consent(gate: CookieGate) -> None:
    asked: list[str] = []
    spy: Callable[[str, str | None], bool] = lambda category, vendor: bool(asked.append(category))  # noqa: E731 - typed as what the gate asks
    gate.set_cookie(b"session=1", spy, NOW, None)
    gate.set_cookie(b"x=1", spy, NOW, None)
    gate.strip(b"session=1; x=2", spy)
    assert asked == []


# WD-05: shown in a real browser, which keeps a cookie under its name, domain, path and partition
def test_chromium_forgets_the_leftovers_and_keeps_the_rest(
    many: Policy, serve: Callable[..., str], page: "Page"
) -> None:
    places: list[dict[str, Any]] = [
        {"name": "_ga*", "domain": "stride.localhost"},
        {"name": "_gat*", "path": "/video"},
        {"name": "_gac*", "partitioned": True},
        {"name": "__Secure-ad"},
    ]
    trackers = tuple(Tracker.model_validate(tracker(place["name"], "tracking") | place) for place in places)
    gate = CookieGate(many.model_copy(update={"trackers": trackers}), own_names=OWN)
    setting = [
        "_ga_1=1; Domain=stride.localhost; Path=/; Max-Age=999",
        "_GAT=1; Path=/video; Max-Age=999; HttpOnly",
        "_gac_x=1; Secure; Path=/; SameSite=None; Partitioned; Max-Age=999",
        "__Secure-ad=1; Secure; Path=/; Max-Age=999",
        "session=1; Path=/",
    ]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        sent = [name.strip() for name in dict(scope["headers"]).get(b"cookie", b"").decode().split(";")]
        names = [pair.partition("=")[0] for pair in sent]
        lines = {"/video/set": setting, "/video/clear": gate.leftovers(names, NOTHING, NOW)}.get(
            scope["path"], []
        )
        headers = [(b"content-type", b"text/html"), *((b"set-cookie", line.encode()) for line in lines)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"<!doctype html>"})

    base = serve(app).replace("127.0.0.1", "a.stride.localhost")
    page.goto(f"{base}/video/set")
    assert len(page.context.cookies()) == len(setting)
    page.goto(f"{base}/video/clear")
    assert [cookie.get("name") for cookie in page.context.cookies()] == ["session"]
