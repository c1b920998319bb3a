"""The policies of the examples keep the rules that their owner would have to keep."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from consentkit import load_policy
from consentkit.config.policy_file import PolicyFile
from examples.running_magazine.development import build

EXAMPLES = Path(__file__).parents[2] / "examples"
EXPLAINED = {
    "en": ("your choice has ended, we delete it", "longer than your choice lasts"),
    "nl": ("je keuze verlopen, dan verwijderen we hem", "langer dan je keuze geldt"),
}


@pytest.fixture(
    scope="module", params=["", "running_magazine", "wagtail_site"], ids=["quickstart", "magazine", "wagtail"]
)
def policy(request: pytest.FixtureRequest) -> PolicyFile:
    return load_policy(EXAMPLES / request.param / "consent.toml")


@pytest.fixture(scope="module")
def stride(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The running magazine as `make demo` serves it."""
    with TestClient(
        build(tmp_path_factory.mktemp("demo"), 8000)["stride"], base_url="http://localhost:8000"
    ) as client:
        yield client


def test_the_only_warnings_are_about_law_in_dispute_and_long_lifetimes(policy: PolicyFile) -> None:
    others = [
        warning.message
        for warning in policy.warnings
        if "may be struck down" not in warning.message and "outlives the consent" not in warning.message
    ]
    assert others == []
    assert policy.locked and len(policy.lock.notices) == 1


def test_what_outlives_the_choice_is_explained_in_every_language(policy: PolicyFile) -> None:  # VA-07
    asked = {category.id for category in policy.consent_needed}
    long_lived = [
        tracker
        for tracker in policy.trackers
        if tracker.category in asked
        and tracker.lifetime != "session"
        and tracker.lifetime.longer_than(policy.validity)
    ]
    for tracker in long_lived:
        assert tracker.vendor is not None, f"{tracker.name} is ours to shorten"
        for language, text in tracker.purpose.items():
            assert any(phrase in text for phrase in EXPLAINED[language]), (tracker.name, language)


def test_no_processor_builds_profiles(policy: PolicyFile) -> None:
    assert [vendor.id for vendor in policy.vendors if vendor.role == "processor" and vendor.profiling] == []


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        ("en", ("This may affect your privacy.", "Always on:", "Functional")),
        ("nl", ("Dit kan je privacy raken.", "Altijd aan:", "Functioneel")),
    ],
)
def test_the_magazines_first_layer_has_its_owners_words(
    stride: TestClient, language: str, sentences: tuple[str, ...]
) -> None:  # UI-04
    banner = stride.get("/consent/banner", headers={"accept-language": language}).text
    for sentence in sentences:
        assert sentence in banner


@pytest.mark.parametrize(
    ("language", "server", "statement"),
    [
        ("en", "On our server we keep the comments", "is responsible for what happens with your data"),
        (
            "nl",
            "Op onze server bewaren we de reacties",
            "is verantwoordelijk voor wat er met je gegevens gebeurt",
        ),
    ],
)
def test_the_pages_about_data_say_what_lies_on_the_server(
    stride: TestClient, language: str, server: str, statement: str
) -> None:
    headers = {"accept-language": language}
    assert server in stride.get("/your-data", headers=headers).text
    page = stride.get("/privacy", headers=headers)
    assert page.status_code == 200 and statement in page.text


def test_the_demo_lists_the_cookies_of_its_hand_off_under_a_locked_notice(
    stride: TestClient,
) -> None:  # LB-09
    told = stride.get("/consent/policy.json").json()
    assert [row["name"] for row in told["trackers"] if row["holds"]] == [
        "consent",
        "consent-state",
        "consent-tx",
        "consent-from",
    ]
    assert told["published"] is not None
