"""The receipt as a document: its fields, its terms, and what it says about each purpose."""

import json
import re
from datetime import datetime
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consentkit import Policy
from consentkit.notices import Notice
from consentkit.policy import SAFEGUARDS
from consentkit.proof import grant_of, receipt_id, receipt_of, receipt_schema
from tests.support.drawn import decisions_under, policies
from tests.support.receipts import ADDRESS, NOON, PUBLISHED, a_receipt, processes, terms
from tests.support.records import a_record

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
SCHEMA = jsonschema.Draft202012Validator(receipt_schema())


@pytest.fixture(scope="module")
def notice(policy: Policy) -> Notice:
    return Notice.of(policy)


# RC-02
def test_100_000_receipts_and_records_have_ids_of_their_own() -> None:
    records = [a_record().id for _ in range(1_000)]
    records += [f"{number:08x}-0000-4000-8000-{number:012x}" for number in range(99_000)]
    receipts = [receipt_id(record) for record in records]
    assert len({*receipts, *records}) == 200_000
    assert all(map(UUID4.fullmatch, receipts)) and all(map(UUID4.fullmatch, records))
    assert receipts == [receipt_id(record) for record in records]


# RC-02
def test_times_are_in_utc_and_one_without_a_zone_raises(notice: Notice) -> None:
    receipt = a_receipt(notice)
    written = json.dumps(receipt["dpv:hasRecordOfActivity"])
    times = [receipt["dct:created"], *re.findall(r'"dpv:isIndicatedAtTime": "([^"]+)"', written)]
    assert len(times) > 3 and all(map(UTC_TIME.fullmatch, times))
    grant = grant_of(a_record(notice=notice.digest), dict(notice.content or {}))
    with pytest.raises(ValueError, match="no time zone"):
        receipt_of(grant, address=ADDRESS, at=datetime(2026, 8, 31))


# RC-03
def test_the_validity_is_a_duration(notice: Notice) -> None:
    durations = [each["dpv:hasConsentStatus"]["dpv:hasDuration"] for each in processes(a_receipt(notice))]
    assert durations == [{"@type": "dpv:TemporalDuration", "rdf:value": "P6M"}] * 4


# RC-01, RC-05, RC-06
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(policies, st.data())
def test_a_receipt_of_any_decision_is_valid_and_has_each_recipient_once(
    policy: Policy, more: st.DataObject
) -> None:
    notice = Notice.of(policy)
    decision = more.draw(decisions_under(notice))
    receipt = a_receipt(
        notice,
        categories={one: one in decision.granted for one in notice.category_ids},
        vendors=dict(decision.vendors),
        decided_at=decision.decided_at,
        at=decision.changed_at,
    )
    found = processes(receipt)
    if found:
        SCHEMA.validate(receipt)
    assert set(terms(receipt)) <= PUBLISHED
    # Only what visitors are asked about has a process, and rests on consent.
    purposes = [process["dpv:hasPurpose"]["dct:identifier"] for process in found]
    assert set(purposes) == {category.id for category in policy.consent_needed}
    assert json.dumps(receipt["dpv:hasRecordOfActivity"]).count("eu-gdpr:A6-1-a") == len(found)
    recipients = [
        (purpose, vendor["@id"].rpartition("#vendor-")[2])
        for purpose, process in zip(purposes, found, strict=True)
        for vendor in process.get("dpv:hasRecipientThirdParty", ())
    ]
    told = [
        (category.id, vendor.id)
        for category in policy.consent_needed
        for vendor in policy.vendors_of(category.id)
    ]
    assert sorted(recipients) == sorted(told)


# RC-06
def test_withdrawal_jurisdiction_storage_and_retention_are_in_the_receipt(notice: Notice) -> None:
    receipt = a_receipt(notice, jurisdiction="BE")
    record = receipt["dpv:hasRecordOfActivity"]
    assert record["dpv:hasJurisdiction"] == "loc:BE"
    assert record["dpv:hasConsentControl"] == {"@type": "dpv:WithdrawConsent", "dpv:isExercisedAt": ADDRESS}
    analytical = processes(receipt)[0]
    kept = {
        row["dct:title"]: (row["dpv:hasLocation"], row["dpv:hasDuration"].get("rdf:value"))
        for row in analytical["dpv:hasStorageCondition"]
    }
    assert kept == {"_ga*": ("dpv:WithinDevice", "P13M"), "Google Analytics": ("loc:US", "P14M")}
    (recipient,) = analytical["dpv:hasRecipientThirdParty"]
    assert recipient["@type"] == ["dpv:DataProcessor"]
    assert recipient["dpv:hasThirdCountry"] == "loc:US"
    assert recipient["dpv:hasLegalBasis"] == {"@id": "eu-gdpr:A45-3", "@type": "dpv:DataTransferLegalBasis"}
    assert analytical["dpv:hasProcessing"] == ["dpv:Profiling", "dpv:Combine", "dpv:CrossBorderTransfer"]


@pytest.mark.parametrize(
    ("rules", "country"), [("gb", "GB"), ("us-ca", "US"), ("eea", "NL"), ("strictest", "NL")]
)
def test_a_regime_is_a_country_in_the_receipt(notice: Notice, rules: str, country: str) -> None:
    receipt = a_receipt(notice, jurisdiction=rules)
    assert receipt["dpv:hasRecordOfActivity"]["dpv:hasJurisdiction"] == f"loc:{country}"
    SCHEMA.validate(receipt)


def test_a_transfer_rests_on_the_safeguard_of_the_notice(policy: Policy) -> None:
    for name, safeguard in SAFEGUARDS.items():
        row = {"safeguard": name, "safeguard_copy": "https://adhub.example/copy"}
        vendors = [vendor.model_dump() | row for vendor in policy.vendors if vendor.id == "adhub"]
        content = dict(Notice.of(policy).content or {}) | {"vendors": vendors}
        receipt = receipt_of(grant_of(a_record(), content), address=ADDRESS, at=NOON)
        (found,) = [row for each in processes(receipt) for row in each.get("dpv:hasRecipientThirdParty", ())]
        basis = found.get("dpv:hasLegalBasis")
        if safeguard.iri is None:
            assert basis is None and "dpv:hasThirdCountry" not in found
        else:
            assert safeguard.iri.endswith(f"#{basis['@id'].removeprefix('eu-gdpr:')}")
            assert basis["dct:source"] == "https://adhub.example/copy"


def test_what_a_policy_may_leave_out_is_left_out(policy: Policy) -> None:
    content = dict(Notice.of(policy).content or {})
    controller = {key: value for key, value in content["controller"].items() if key != "dpo"}
    site = content["sites"][0] | {"controller": controller | {"name": "Stride BV"}}
    content |= {
        "controller": controller,
        "sites": [site],
        "vendors": [],
        "trackers": [],
        "rights": ["access"],
    }
    content["categories"] = [
        {key: value for key, value in row.items() if key != "dpv_purposes"} | {"retention": "P14M"}
        for row in content["categories"]
    ]
    receipt = receipt_of(grant_of(a_record(gpc=True), content), address=ADDRESS, at=NOON)
    SCHEMA.validate(receipt)
    record = receipt["dpv:hasRecordOfActivity"]
    assert [row["dpv:hasName"] for row in record["dpv:hasDataController"]] == [
        controller["name"],
        "Stride BV",
    ]
    assert len({row["@id"] for row in record["dpv:hasAuthority"]}) == 2
    assert [row["@type"][1] for row in record["dpv:hasRight"]] == [
        "eu-gdpr:A7-3",
        "eu-gdpr:A15",
        "eu-gdpr:A77",
    ]
    process = processes(receipt)[0]
    assert process["dpv:hasPersonalData"] == ["dpv:PersonalData"]
    assert "dpv:hasRecipientThirdParty" not in process and "skos:broader" not in process["dpv:hasPurpose"]
    assert process["dpv:hasStorageCondition"][0]["dpv:hasLocation"] == "loc:NL"
    assert (
        process["dpv:hasConsentStatus"]["dpv:hasIndicationMethod"] == "accept_all on banner, with Sec-GPC: 1"
    )


def test_words_are_in_the_language_in_which_they_were_shown(notice: Notice) -> None:
    for language, title in (("nl", "Analytisch"), ("fr", "Analytical")):
        purpose = processes(a_receipt(notice, language=language))[0]["dpv:hasPurpose"]
        assert purpose["dct:title"]["@value"] == title


# RC-07
def test_a_json_ld_processor_reads_every_field_without_the_network(notice: Notice) -> None:
    from pyld import jsonld

    def refuse(url: str, options: object = None) -> None:
        raise AssertionError(f"{url} was asked for.")

    receipt = a_receipt(notice, vendors={"youtube": False})
    (expanded,) = jsonld.expand(receipt, {"documentLoader": refuse})
    text = json.dumps(expanded)
    prefixes = {value: f"{name}:" for name, value in receipt["@context"].items() if isinstance(value, str)}
    iris = re.findall(r'"(https://w3id\.org/dpv[^"]*#[^"]+)"', text)
    found = {
        prefixes.get(space + "#", space + "#") + term
        for space, _, term in (iri.partition("#") for iri in iris)
    }
    profiles = {found_iri for found_iri in found if "/schema/dpv-27560#" in found_iri}
    assert found - profiles == set(terms(receipt))
    assert len(profiles) == 4 and found - profiles <= PUBLISHED
    # Expansion drops what the context does not define. So nothing may be missing when it is written compactly again.
    compacted = jsonld.compact(expanded, receipt["@context"], {"documentLoader": refuse})
    assert members(compacted) == members(receipt)
    triples = jsonld.to_rdf(receipt, {"documentLoader": refuse})["@default"]
    statuses = [t for t in triples if t["predicate"]["value"].endswith("#hasConsentStatus")]
    assert len(statuses) == len(processes(receipt))
    times = [
        t["object"]["datatype"] for t in triples if t["predicate"]["value"].endswith("#isIndicatedAtTime")
    ]
    assert times == ["http://www.w3.org/2001/XMLSchema#dateTime"] * len(statuses)


def members(value: Any) -> int:
    """Count the members of a document, its context aside."""
    if isinstance(value, dict):
        return sum(1 + members(member) for key, member in value.items() if key != "@context")
    return sum(map(members, value)) if isinstance(value, list) else 0
