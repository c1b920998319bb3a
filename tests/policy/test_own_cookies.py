import pytest

from consentkit.consent.cookie import ConsentCookie
from consentkit.consent.evaluation import Evaluator
from consentkit.consent.model import Decision
from consentkit.notices.notice import Notice
from consentkit.policy.own_cookies import ALL_COOKIE_NAMES, cookie_names, cookie_sizes
from tests.support.policies import add, policy

NOW = 9_999_999_999
NAMES = cookie_names("__Host-")


@pytest.mark.parametrize(
    ("secure", "domain"),
    [(True, None), (True, "stride.example"), (False, None)],
    ids=["host", "secure", "plain"],
)
def test_the_sizes_are_those_of_the_largest_cookies_that_are_set(secure: bool, domain: str | None) -> None:
    # CK-01
    declared = policy(
        *(add("categories", id=f"purpose{number}") for number in range(6)),
        *(add("vendors", id=f"vendor{number}", category=f"purpose{number % 6}") for number in range(31)),
    )
    notice = Notice.of(declared)
    cookie = ConsentCookie(
        Evaluator(declared, "stride"),
        "k" * 16 + "0123456789abcdef",
        secure=secure,
        domain=domain,
        clock=lambda: NOW,
    )
    decision = Decision(
        granted=frozenset(notice.category_ids),
        vendors=dict.fromkeys(notice.vendor_ids, False),
        decided_at=NOW - 10_000_000,
        changed_at=NOW,
        notice=notice.digest,
        subject="s" * 22,
        revision=999_999,
    )
    written = [line.split(";")[0].replace("=", "", 1) for line in cookie.set_cookie(decision)]
    signed, companion = cookie_sizes(cookie._names, notice.category_ids, notice.vendor_ids)
    # The largest companion ends in `.~` too, because a purpose is still to be asked about.
    assert [len(written[0]), len(written[1]) + 2] == [signed, companion]
    assert cookie.names <= set(ALL_COOKIE_NAMES)


def test_a_decision_about_four_categories_takes_at_most_150_octets() -> None:
    # CK-01
    signed, _ = cookie_sizes(NAMES, ["analytical", "tracking", "social"], ["youtube"])
    assert signed - len(NAMES.consent) <= 150
