import json
from collections.abc import Iterator
from datetime import date
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient

from consentkit import ConsentManager, trusted_header
from consentkit.policy import Policy
from consentkit.signals import consent_json
from tests.support.policies import GROUP, SECOND_SITE, data, put
from tests.support.regimes import policy_with_regimes
from tests.support.sites import managing, site

ADDRESS = "/.well-known/consent.json"
SCHEMA = json.loads(files("consentkit.signals").joinpath("data/consent.schema.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
CALIFORNIA = {"x-country": "US", "x-region": "CA", "sec-gpc": "1", "accept-language": "nl"}


def document(policy: Policy, site_id: str = "stride") -> dict[str, Any]:
    return consent_json(
        policy,
        site=site_id,
        address="https://stride.example/consent",
        notice="n" * 43,
        last_update=date(2026, 11, 30),
    )


@pytest.fixture
def manager() -> Iterator[ConsentManager]:
    policy = policy_with_regimes(put("vendors", 0, profiling=True), us=True, gb=True)
    location = trusted_header(country="X-Country", region="X-Region", peers=["10.0.0.1"])
    with managing(policy, ledger="sqlite://", location=location) as made:
        yield made


@pytest.fixture
def client(manager: ConsentManager) -> TestClient:
    return TestClient(site(manager), base_url="https://stride.example", client=("10.0.0.1", 1))


@pytest.mark.parametrize(
    "policy",
    [
        policy_with_regimes(),
        policy_with_regimes(eea=True, gb=True, us="opt_out", br=True),
        policy_with_regimes(put("vendors", 0, profiling=True), us=True),
    ],
)
def test_the_document_follows_its_schema(policy: Policy) -> None:
    VALIDATOR.validate(document(policy))


def test_regimes_and_signals_are_named(policy: Policy) -> None:
    told = document(policy_with_regimes(put("vendors", 0, profiling=True), us=True))
    assert [(row["id"], row["mode"], row["on_without_consent"]) for row in told["regimes"]] == [
        ("nl", "opt_in", []),
        ("us-ca", "opt_out", ["analytical"]),
        ("us-signal", "opt_out", ["analytical"]),
        ("strictest", "opt_in", []),
    ]
    assert told["regimes"][1]["validity"] == "P1Y" and told["gpc"] is True
    (signal,) = told["signals"]
    assert signal["effects"]["us-ca"] == {
        "effect": "opt_out",
        "categories": ["analytical"],
        "over_choice": ["analytical"],
    }
    assert VALIDATOR.is_valid(document(policy)) and document(policy)["regimes"][0]["id"] == "nl"


def test_a_site_has_its_own_controller() -> None:
    other = data()["controller"] | {"name": "Other BV"}
    policy = policy_with_regimes(GROUP, SECOND_SITE, put("sites", 1, controller=other))
    assert document(policy)["controller"] == "Example Media BV"
    assert document(policy, "trailhead")["controller"] == "Other BV"


# SG-02: of gpc.json, too, also where another regime honours the signal for other categories.
@pytest.mark.parametrize("address", [ADDRESS, "/.well-known/gpc.json"])
def test_documents_are_the_same_for_everybody(client: TestClient, address: str) -> None:
    here = client.get(address)
    client.post("/consent/decision", json={"choice": "accept_all"})
    there = client.get(address, headers=CALIFORNIA)
    assert here.content == there.content and here.json()["gpc"] is True
    for response in (here, there):
        assert response.headers["cache-control"] == "public, max-age=3600"
        assert response.headers["content-type"] == "application/json"
        assert "set-cookie" not in response.headers and "vary" not in response.headers
    assert client.head(address).content == b"" and client.post(address).status_code == 405


def test_an_agent_reads_the_notice_and_answers_by_the_document_alone(
    client: TestClient, manager: ConsentManager
) -> None:
    told = client.get(ADDRESS).json()
    VALIDATOR.validate(told)
    assert told["notice"] == manager.notice.digest
    policy = client.get(told["policy"]).json()
    assert [row["id"] for row in policy["categories"] if not row["required"]] == told["decision"][
        "categories"
    ]
    assert client.get(told["policy_page"]).status_code == client.get(told["preferences"]).status_code == 200
    api = told["decision"]
    answer = {
        "categories": dict.fromkeys(api["categories"], True),
        "vendors": dict.fromkeys(api["vendors"], False),
    }
    headers = {"content-type": api["content_type"]}
    replaced = client.request(api["replace"], api["url"], content=json.dumps(answer), headers=headers)
    assert replaced.status_code == 200 and replaced.json()["categories"]["analytical"]
    assert client.request(api["read"], api["url"]).json()["status"] == "given"
    change = json.dumps({"vendors": dict.fromkeys(api["vendors"], True)})
    changed = client.request(api["change"], api["url"], content=change, headers=headers)
    assert all(changed.json()["vendors"].values())
    assert client.request(api["withdraw"], api["url"]).json()["status"] == "withdrawn"
    for choice in api["choices"]:
        assert client.post(api["url"], json={"choice": choice}).status_code == 200


def test_addresses_are_below_the_place_where_the_application_is_mounted(manager: ConsentManager) -> None:
    mounted = TestClient(site(manager), base_url="https://stride.example", root_path="/app")
    told = mounted.get("/app/.well-known/consent.json").json()
    assert told["preferences"] == "https://stride.example/app/consent"
