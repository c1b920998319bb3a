import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.handoff.keys import PrivateKey, PublicKey, new_pair
from consentkit.handoff.token import HandoffRefusal, Step, read_claims, read_step, step_claims

PRIVATE, PUBLIC = new_pair()
KEY = PublicKey.read(PUBLIC)
SIGN = PrivateKey.read(PRIVATE, KEY)
NOW = 1_788_177_600
NAMES = {"iss": "stride", "aud": "trailhead", "grp": "hardlopen", "st": "s" * 43}
GOOD: dict[str, Any] = {
    "typ": "consent-handoff",
    **NAMES,
    "jti": "j" * 22,
    "iat": NOW,
    "exp": NOW + 60,
    "decided_at": NOW - 100,
    "changed_at": NOW - 50,
    "notice": "n" * 43,
    "categories": {"analytical": True},
    "vendors": {"youtube": False},
    "sub": "A" * 22,
}
GONE = object()


def read(now: float = NOW, **changes: Any) -> dict[str, Any]:
    claims = {name: value for name, value in (GOOD | changes).items() if value is not GONE}
    token = jwt.PyJWS().encode(json.dumps(claims).encode(), SIGN.key, algorithm="EdDSA")
    return read_claims(token, KEY, NAMES, now)


def reason(now: float = NOW, **changes: Any) -> str:
    with pytest.raises(HandoffRefusal) as refused:
        read(now, **changes)
    return refused.value.reason


def test_a_token_as_the_contract_has_it_is_read() -> None:
    assert read() == GOOD


# XS-06
@pytest.mark.parametrize(
    ("claim", "values"),
    [
        ("typ", [GONE, "JWT", "", None, ["consent-handoff"]]),
        ("iss", [GONE, "shoelab", "", None, ["stride"], "https://stride.example"]),
        ("aud", [GONE, "shoelab", "", None, ["trailhead", "shoelab"], ["trailhead"]]),
        ("grp", [GONE, "other", "", None]),
        ("st", [GONE, "t" * 43, "", None, True]),
    ],
)
def test_every_name_has_to_be_the_expected_one(claim: str, values: list[object]) -> None:
    for value in values:
        assert reason(**{claim: value}) == claim


TEXTS: list[object] = [GONE, "", None, 1, "x" * 65, ["x"], "é", "\0", "a\0b", "a b", "a\n", "\x7f"]
TIMES: list[object] = [GONE, None, str(NOW), float(NOW), True, 0, -1, 10**11, 10**400]
ANSWERS: list[object] = [GONE, None, [], {"analytical": 1}, {"analytical": "true"}, {"analytical": None}]


@pytest.mark.parametrize(
    ("claim", "values"),
    [
        ("jti", TEXTS),
        ("notice", TEXTS),
        ("sub", TEXTS[1:]),
        ("iat", TIMES),
        ("exp", TIMES),
        ("decided_at", TIMES),
        ("changed_at", TIMES),
        ("categories", ANSWERS),
        ("vendors", ANSWERS),
    ],
)
def test_every_other_claim_has_to_have_its_shape(claim: str, values: list[object]) -> None:
    for value in values:
        assert reason(**{claim: value}) == "claims", value


@pytest.mark.parametrize("partial", [True, False, GONE])
@pytest.mark.parametrize("status", ["given", "withdrawn", GONE, 5])
def test_the_claims_that_are_ours_alone_may_be_missing(status: object, partial: object) -> None:
    assert read(status=status, partial=partial)["iss"] == "stride"


@pytest.mark.parametrize(
    ("changes", "now", "believed"),
    [
        ({}, NOW - 30, True),
        ({}, NOW - 31, False),
        ({}, NOW + 90, True),
        ({}, NOW + 90.5, False),
        ({"exp": NOW + 61}, NOW, False),
        ({"exp": NOW + 120, "iat": NOW + 60}, NOW, False),
        ({"exp": NOW - 29}, NOW, True),
        ({"decided_at": NOW + 60}, NOW, True),
        ({"decided_at": NOW + 61}, NOW, False),
        ({"changed_at": NOW + 61}, NOW, False),
    ],
)
def test_a_token_counts_for_a_minute_give_or_take_half_a_minute(
    changes: dict[str, int], now: float, believed: bool
) -> None:
    if believed:
        assert read(now, **changes)
    else:
        assert reason(now, **changes) == "time"


@given(st.text(max_size=200))
def test_unsigned_text_is_refused(text: str) -> None:
    with pytest.raises(HandoffRefusal, match="signature"):
        read_claims(text, KEY, NAMES, NOW)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(GOOD)), ANYTHING)
def test_whatever_a_claim_holds_it_is_read_or_refused(claim: str, value: object) -> None:
    try:
        claims = read(**{claim: value})
    except HandoffRefusal:
        return
    assert claims[claim] == value


# Steps of a chain

SITES = {name: NAMES[name] for name in ("iss", "aud", "grp")}
STEP = step_claims(SITES, "n" * 22, NOW)


def a_step(now: float = NOW, key: PrivateKey = SIGN, **changes: Any) -> Step:
    claims = {name: value for name, value in (STEP | changes).items() if value is not GONE}
    token = jwt.PyJWS().encode(json.dumps(claims).encode(), key.key, algorithm="EdDSA")
    return read_step(token, KEY, SITES, now)


@pytest.mark.parametrize(
    ("changes", "now", "in_time"),
    [
        ({}, NOW, True),
        ({}, NOW + 90, True),
        ({}, NOW + 91, False),
        ({}, NOW - 31, False),
        ({"exp": NOW + 61}, NOW, False),
        ({"exp": NOW + 10**9}, NOW + 600, False),
    ],
)
def test_a_step_counts_for_a_minute_and_is_known_afterwards(
    changes: dict[str, int], now: float, in_time: bool
) -> None:
    assert a_step(now, **changes) == Step("n" * 22, in_time)


@pytest.mark.parametrize(
    ("claim", "values"),
    [
        ("typ", [GONE, "consent-handoff", "", None]),
        ("iss", [GONE, "shoelab", "trailhead", None]),
        ("aud", [GONE, "shoelab", "stride", ["trailhead", "shoelab"]]),
        ("grp", [GONE, "other", ""]),
    ],
)
def test_a_step_is_for_one_site_of_one_group(claim: str, values: list[object]) -> None:
    for value in values:
        with pytest.raises(HandoffRefusal, match=rf"{claim}\Z"):
            a_step(**{claim: value})


@pytest.mark.parametrize(
    ("claim", "values"),
    [("nonce", TEXTS), ("iat", [GONE, None, "1", 1.5, True]), ("exp", [GONE, None, True])],
)
def test_claims_of_a_step_have_their_shape(claim: str, values: list[object]) -> None:
    for value in values:
        with pytest.raises(HandoffRefusal, match=r"claims\Z"):
            a_step(**{claim: value})


def test_a_token_of_one_kind_is_not_taken_for_the_other() -> None:
    with pytest.raises(HandoffRefusal, match="signature"):
        a_step(key=PrivateKey.read(*(lambda pair: (pair[0], PublicKey.read(pair[1])))(new_pair())))
    with pytest.raises(HandoffRefusal, match="typ"):
        read(typ="consent-step")
