import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from consentkit import load_policy
from consentkit.notices.notice import SHORT, Notice
from consentkit.policy.duration import Duration
from consentkit.policy.policy import Policy
from tests.support.drawn import policies, policy_pairs
from tests.support.policies import GROUP, SECOND_SITE, add, data, drop, policy, put

PINNED = "3Bce6PUzlXcO4KKhtrpE-LtnlXzXYQvsCN070iOvpjk"
HASHES = re.compile(r"[0-9a-f]{16}")


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for part in value.values() for text in strings(part)]
    if isinstance(value, list):
        return [text for part in value for text in strings(part)]
    return [value] if isinstance(value, str) else []


def test_a_digest_is_base64url_and_cookies_carry_its_first_characters() -> None:  # IN-06
    notice = Notice.of(policy())
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", notice.digest)
    assert notice.short == notice.digest[:SHORT] and SHORT == 11


# A new key or default must not change the digest, or every decision made so far would be lost.
def test_the_digest_of_a_policy_is_the_same_in_every_version(policy: Policy) -> None:
    assert Notice.of(policy).digest == PINNED


@pytest.mark.parametrize(
    "change",
    [
        put("categories", 1, title={"en": "Analytical.", "nl": "Analytisch"}),
        put("categories", 1, description={"en": "To count visits!", "nl": "Om bezoeken te tellen."}),
        put("trackers", 0, purpose={"en": "Keeps you logged in", "nl": "Houdt je ingelogd."}),
        put("vendors", 0, name="Counter "),
        put("vendors", 0, retention="P1D"),
        put("trackers", 1, domain="stride.example"),
        put("controller", dpo="officer@media.example"),
        put("controller", privacy_policy={"en": "https://media.example/p", "nl": "https://media.example/p"}),
        put(rights=["access"]),
        put(proof_basis="legal_obligation"),
        put("categories", 0, gdpr_basis="contract"),
        put("vendors", 0, joint_control={"en": "Ask either.", "nl": "Vraag het wie je wilt."}),
        put("categories", 1, retention="P1D"),
        put("sites", 0, name="Strides"),
        put(validity="P5M"),
        add("vendors", id="other"),
        drop("trackers", 1),
        add("categories", id="social"),
        SECOND_SITE,
        GROUP,
    ],
)
def test_any_change_for_visitors_changes_the_digest(change: Any) -> None:  # IN-06, XS-01
    assert Notice.of(policy(change)).digest != Notice.of(policy()).digest


@pytest.mark.parametrize(
    "change",
    [
        put("sites", 0, public_key="A" * 43),
        put("vendors", 0, origins={"script": ["https://cdn.counter.example"]}),
        put("vendors", 0, signal="google-consent-mode"),
        put("trackers", 1, path="/shoes"),
        put("trackers", 1, partitioned=True),
        put(adequacy_file="adequacy.toml"),
    ],
)
def test_a_technical_change_keeps_the_digest(change: Any) -> None:
    assert Notice.of(policy(change)).digest == Notice.of(policy()).digest


def test_a_default_or_the_order_of_languages_keeps_the_digest() -> None:
    defaults = put("vendors", 0, role="controller", data=[])
    turned = put("categories", 1, title={"nl": "Analytisch", "en": "Analytical"})
    assert Notice.of(policy(defaults, turned)).digest == Notice.of(policy()).digest


def test_the_order_of_categories_is_part_of_the_notice() -> None:
    first, second, *rest = data(add("categories", id="social"))["categories"]
    turned = policy(put(categories=[second, *rest, first]))
    straight = policy(put(categories=[first, second, *rest]))
    assert Notice.of(turned).digest != Notice.of(straight).digest
    assert Notice.of(turned).category_ids == ("analytical", "social")


@settings(max_examples=40)
@given(policies)
def test_a_notice_survives_storage_as_json(policy: Policy) -> None:
    notice = Notice.of(policy)
    assert notice.content is not None
    again = Notice.from_content(json.loads(json.dumps(notice.content)))
    assert (again.digest, again.facts, again.content) == (notice.digest, notice.facts, notice.content)
    assert again.category_ids == notice.category_ids == tuple(category.id for category in policy.optional)


@settings(max_examples=40)
@given(policy_pairs())
def test_two_notices_have_the_same_digest_only_with_the_same_content(pair: Any) -> None:
    old, new = (Notice.of(Policy.model_validate(policy_data)) for policy_data in pair)
    assert (old.digest == new.digest) is (old.content == new.content)


def test_facts_have_hashes_by_language_instead_of_texts() -> None:
    whole = data(put("vendors", 0, legal_entity="Counter BV"))
    notice = Notice.of(Policy.model_validate(whole))
    (_, category), (vendor,) = notice.facts["categories"], notice.facts["vendors"]
    assert set(category["title"]) == set(category["description"]) == {"en", "nl"}
    assert set(vendor["name"]) == {""}
    assert all(map(HASHES.fullmatch, strings([category["title"], category["description"], vendor["name"]])))
    assert vendor["legal_entity"] == "Counter BV"
    facts = strings(notice.facts)
    for text in (
        "Analytical",
        "To count visits.",
        "Counter",
        "Tells visits apart.",
        "Onderscheidt bezoeken.",
    ):
        assert text not in facts
        assert text in strings(notice.content)


def test_the_content_has_the_full_disclosure() -> None:  # IN-06
    content = Notice.of(policy(GROUP, SECOND_SITE)).content
    assert content is not None
    assert content["controller"]["authority"]["name"] == "Autoriteit Persoonsgegevens"
    assert [site["origin"] for site in content["sites"]] == [
        "https://stride.example",
        "https://trailhead.example",
    ]
    assert content["trackers"][0]["lifetime"] == "session"
    assert content["validity"] == "P6M"


def test_absent_keys_are_not_part_of_the_content() -> None:
    content = Notice.of(policy()).content
    assert content is not None
    assert not {"group", "rights", "proof_basis"} & set(content)
    assert "gdpr_basis" not in content["categories"][0]
    assert not {"safeguard", "retention", "origins", "signal", "joint_control"} & set(content["vendors"][0])
    assert None not in [value for row in content["trackers"] for value in row.values()]


def test_the_ids_are_those_that_visitors_can_decide_about() -> None:
    free = put("categories", 1, exempt=True)
    session = add("vendors", id="login", category="functional")
    notice = Notice.of(policy(free, add("categories", id="social"), session, add("vendors", id="other")))
    assert notice.category_ids == ("analytical", "social")
    assert notice.exempt_ids == {"analytical"}
    assert notice.vendor_ids == ("counter", "other")
    assert notice.vendor_category == {
        "counter": "analytical",
        "login": "functional",
        "other": "analytical",
    }
    assert notice.validity == Duration(months=6)


def test_a_locked_notice_has_facts_and_a_date_but_no_content() -> None:
    whole = Notice.of(policy())
    locked = Notice(whole.digest, copy.deepcopy(dict(whole.facts)), published="2026-11-22")
    assert (locked.content, locked.published) == (None, "2026-11-22")
    assert locked.vendor_ids == whole.vendor_ids
    assert whole.published is None


def test_a_notice_covers_the_listed_sites_at_their_origins() -> None:  # XS-02
    notice = Notice.of(policy())
    assert notice.covers_site("stride", "https://stride.example")
    assert not notice.covers_site("stride", "https://stride.example:8443")
    assert not notice.covers_site("trailhead", "https://stride.example")


def test_a_policy_file_has_the_notice_of_its_data(policy: Policy) -> None:
    path = Path(__file__).parents[1] / "consent.example.toml"
    assert Notice.of(load_policy(path)).digest == Notice.of(policy).digest
