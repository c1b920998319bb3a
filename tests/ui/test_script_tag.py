from typing import Any

import pytest

from consentkit.consent.cookie import ConsentCookie
from consentkit.consent.evaluation import Evaluator
from consentkit.consent.model import Consent
from consentkit.policy.policy import Policy
from consentkit.ui.script_tag import ScriptTag, extra_tag
from tests.support.told import EXAMPLE, OPTIONAL, consent, decision, policy_of, rows, tree

KEY = "a key that the tests of the script tag sign with"


def script_tag(policy: Policy, **options: Any) -> ScriptTag:
    cookie = ConsentCookie(Evaluator(policy, "stride", ()), KEY)
    return ScriptTag(policy, cookie, **({"src": "/consent/assets/consent.js", "asks": True} | options))


def attributes(policy: Policy, seen: Consent | None = None, **options: Any) -> dict[str, str]:
    (script,) = tree(script_tag(policy).tag("en", consent=seen, **options)).iter("script")
    return {name: value for name, value in script.items() if name.startswith("data-")}


def test_a_private_page_has_the_visitors_state() -> None:
    policy = policy_of()
    known = attributes(policy, consent(policy, decision(policy, vendors={"youtube": False})))
    assert known["data-state"].startswith("analytical.tracking.social.~youtube._")
    assert known["data-cookie"] == "__Host-consent-state" and known["data-required"] == "functional"
    assert known["data-policy"] == (
        "functional analytical tracking social analytical:google-analytics social:youtube tracking:adhub"
    )
    assert known["data-google"] == "analytical:google-analytics,tracking"
    assert not known.keys() & {"data-banner", "data-reload"}
    public = attributes(policy)
    assert (known["data-default"], known["data-gpc"]) == (public["data-default"], public["data-gpc"])
    assert len(known["data-notice"]) == 43


def test_a_public_page_has_the_default_states_only() -> None:
    known = attributes(policy_of())
    assert known["data-default"] == "-.~" and "data-state" not in known
    assert known.keys() >= {"data-banner", "data-clear"}
    assert known["data-gpc"] == "-", "the signal refuses all of it, so that nobody has to ask"
    heedless = [row | {"honours_gpc": False} for row in EXAMPLE["categories"] if not row.get("required")]
    assert "data-gpc" not in attributes(policy_of(categories=[EXAMPLE["categories"][0], *heedless]))


# SG-05
def test_gpc_has_its_own_default_state_where_it_refuses_an_exempt_category() -> None:
    exempt = rows("categories", analytical={"exempt": True, "honours_gpc": True})
    known = attributes(policy_of(categories=exempt))
    assert known["data-default"].startswith("analytical._") and known["data-gpc"] == "-"


@pytest.mark.parametrize(
    ("granted", "clears"), [(frozenset[str](), True), (frozenset({"analytical"}), True), (OPTIONAL, False)]
)
def test_the_script_clears_storage_only_where_a_declared_item_is_not_permitted(
    granted: frozenset[str], clears: bool
) -> None:
    policy = policy_of()
    seen = consent(policy, decision(policy, granted))
    assert ("data-clear" in attributes(policy, seen)) is clears
    bare = policy_of(trackers=[row for row in EXAMPLE["trackers"] if row["kind"] == "cookie"])
    assert "data-clear" not in attributes(bare, consent(bare)) and "data-clear" not in attributes(bare)


def test_language_root_path_nonce_and_reload_are_attributes() -> None:
    policy = policy_of()
    made = script_tag(policy, asks=False)
    tag = made.tag(
        "nl",
        root_path="/app",
        nonce="abc",
        consent=consent(policy),
        reload="social:youtube",
    )
    (script,) = tree(tag).iter("script")
    assert script.get("src") == "/app/consent/assets/consent.js" and script.get("nonce") == "abc"
    assert script.get("data-reload") == "social:youtube" and script.get("data-language") == "nl"
    assert "data-banner" not in made.tag("en")


def test_tag_of_another_script_has_its_values() -> None:
    (script,) = tree(extra_tag("/d.js", "abc", dropped='_ga: "refused", x', group=None)).iter("script")
    assert (script.get("src"), script.get("nonce"), script.get("defer")) == ("/d.js", "abc", "")
    assert script.get("data-dropped") == '_ga: "refused", x'
    assert extra_tag("/d.js", None) == '<script src="/d.js" defer></script>'


def test_the_cache_of_states_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentkit.ui.script_tag._CACHED_STATES", 1)
    policy = policy_of()
    made = script_tag(policy)
    tags = [
        made.tag("en", consent=consent(policy, decision(policy, one))) for one in (OPTIONAL, frozenset[str]())
    ]
    assert tags[0] != tags[1] == made.tag("en", consent=consent(policy, decision(policy, frozenset())))
