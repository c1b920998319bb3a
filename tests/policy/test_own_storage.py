import re
from pathlib import Path
from typing import Any

import pytest

from consentkit.handoff import CHAIN_SECONDS, TRANSACTION_SECONDS
from consentkit.notices.changes import compare
from consentkit.notices.notice import Notice
from consentkit.policy.duration import Duration
from consentkit.policy.own_cookies import CookieNames
from consentkit.policy.own_storage import (
    CONFIRMATION_LIFETIME,
    STEP_LIFETIME,
    TRANSACTION_LIFETIME,
    own_storage,
)
from consentkit.web.endpoints.handoff import CHAIN_CONFIRMATION_SECONDS
from consentkit.web.services import CONFIRMATION_SECONDS
from tests.conftest import Clock
from tests.support import family
from tests.support.front import Front, fronting, set_cookies
from tests.support.policies import GROUP, SECOND_SITE, Change, drop, policy, put

SCRIPT = Path(__file__).parents[2] / "consentkit" / "ui" / "script"
KEY = put("sites", 0, public_key="A" * 43)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ([], ["consent", "consent-state", "consent-from"]),
        ([KEY], ["consent", "consent-state", "consent-from"]),
        ([GROUP, SECOND_SITE], ["consent", "consent-state", "consent-from"]),
        ([GROUP, SECOND_SITE, KEY], ["consent", "consent-state", "consent-tx", "consent-from"]),
    ],
    ids=["one site", "one site with a key", "no keys", "hand-off"],
)
def test_the_library_lists_what_it_stores_itself(changes: list[Change], names: list[str]) -> None:  # LB-09
    items = own_storage(policy(*changes))
    assert [item.name for item in items] == names
    assert {(item.kind, item.necessity, item.category) for item in items} == {
        ("cookie", "consent_choice", "functional")
    }


def test_every_cookie_of_the_library_is_listed_where_a_hand_off_is_possible() -> None:  # LB-09, IN-01
    items = own_storage(policy(GROUP, SECOND_SITE, KEY, put(validity="P5M")))
    assert [item.use for item in items] == list(CookieNames._fields)
    assert [item.lifetime for item in items] == [
        *[Duration(months=5)] * 2,
        TRANSACTION_LIFETIME,
        STEP_LIFETIME,
    ]
    assert TRANSACTION_LIFETIME.seconds == max(CHAIN_SECONDS, TRANSACTION_SECONDS)
    assert STEP_LIFETIME.days * 86_400 == CHAIN_CONFIRMATION_SECONDS
    assert own_storage(policy())[-1].lifetime == CONFIRMATION_LIFETIME
    assert CONFIRMATION_LIFETIME.seconds == CONFIRMATION_SECONDS
    assert all(item.holds for item in items)


def test_the_script_stores_nothing_but_what_the_next_page_confirms() -> None:  # LB-09
    source = "".join(path.read_text("utf-8") for path in sorted(SCRIPT.glob("*.js")))
    assert not re.search(
        r"setItem|indexedDB\.open|caches\.open|cookieStore\??\.set|Storage\[|Storage\.\w+ =[^=]", source
    )
    written = [text for text in re.findall(r"document\.cookie = (`.*)", source) if "Max-Age=0" not in text]
    assert len(written) == 1 and written[0].startswith("`${COOKIE}=${outcome};")
    assert 'COOKIE = tag.cookie.replace("Secure", "Host").replace("state", "from")' in source


def test_a_policy_without_a_required_category_is_still_listed_in_the_notice() -> None:
    content = Notice.of(policy(put("categories", 0, required=False))).content
    assert content is not None and "category" not in content["own_storage"][0]


def test_the_notice_and_the_lock_have_what_the_library_stores() -> None:  # LB-09, IN-06, IN-08
    notice = Notice.of(policy())
    assert notice.content is not None
    assert (
        notice.content["own_storage"]
        == notice.facts["own_storage"]
        == [
            {
                "name": name,
                "kind": "cookie",
                "category": "functional",
                "lifetime": lifetime,
                "necessity": "consent_choice",
                "holds": holds,
            }
            for name, lifetime, holds in (
                ("consent", "P6M", ["choice", "time", "notice", "pseudonym", "signature"]),
                ("consent-state", "P6M", ["choice", "notice"]),
                ("consent-from", "PT2M", ["event"]),
            )
        ]
    )


def _without(*path: str | int) -> Notice:
    notice = Notice.of(policy())
    assert notice.content is not None
    content = dict(notice.content) | {"own_storage": [dict(row) for row in notice.content["own_storage"]]}
    drop(*path)(content)
    return Notice.from_content(content)


@pytest.mark.parametrize(
    "other",
    [
        _without("own_storage"),
        _without("own_storage", 0),
        _without("own_storage", 0, "category"),
        _without("own_storage", 1, "lifetime"),
        Notice.from_content(
            dict(_without("own_storage").content or {})
            | {"own_storage": [{"name": "consent", "kind": "cookie", "of_a_later_version": True}]}
        ),
    ],
    ids=["all", "an item", "its category", "its lifetime", "a later version"],
)
def test_a_change_of_what_the_library_stores_asks_nobody_again(other: Notice) -> None:  # VA-05, UI-08
    notice = Notice.of(policy())
    for old, new in ((notice, other), (other, notice)):
        changes = compare(old, new)
        assert changes and {change.thing for change in changes} == {"own_storage"}
        assert not any(change.asks for change in changes)


def test_every_cookie_that_a_site_sets_itself_is_in_its_policy(front: Front) -> None:  # LB-09, IN-08
    client = front.client()
    set_names = {
        line.split("=")[0]
        for line in set_cookies(
            client.post("/consent/decision", data={"choice": "accept_all"}, follow_redirects=False)
        )
    }
    listed = {
        row["name"]: row for row in client.get("/consent/policy.json").json()["trackers"] if row["holds"]
    }
    assert set_names == set(listed) == {"__Host-consent", "__Host-consent-state", "__Host-consent-from"}
    row = listed["__Host-consent"]
    assert (row["category"], row["owner"]) == ("functional", "Hardlopen Media BV")
    assert (row["lifetime"], row["lifetime_words"], row["necessity"]) == ("P6M", "6 months", "consent_choice")
    assert not row["third_party_access"] and "random number" in row["holds"]
    page = client.get("/consent/policy").text
    for row in listed.values():
        assert row["name"] in page and row["purpose"] in page and row["holds"] in page


@pytest.mark.parametrize(
    ("options", "listed"),
    [
        (
            {},
            [
                ("__Host-consent", None),
                ("__Host-consent-state", None),
                ("__Host-consent-tx", None),
                ("__Host-consent-from", None),
            ],
        ),
        (
            {"cookie_domain": "stride.example"},
            [
                ("__Secure-consent", "stride.example"),
                ("__Secure-consent-state", "stride.example"),
                ("__Host-consent-tx", None),
                ("__Host-consent-from", None),
            ],
        ),
        (
            {"origins": {"stride": "http://localhost:8000"}},
            [("consent", None), ("consent-state", None), ("consent-tx", None), ("consent-from", None)],
        ),
    ],
    ids=["a host", "a domain", "development"],
)
def test_the_names_and_domains_are_those_of_the_site(
    options: dict[str, Any], listed: list[tuple[str, str | None]], clock: Clock
) -> None:  # IN-08
    with fronting(clock, family.a_policy(), **options) as front:
        rows = [row for row in front.client().get("/consent/policy.json").json()["trackers"] if row["holds"]]
    assert [(row["name"], row["domain"]) for row in rows] == listed
    assert all(row["purpose"] and row["holds"] for row in rows)
