"""The receipt of a grant: a record and a receipt of ISO/IEC TS 27560:2023 as JSON-LD, with terms of DPV 2.3.

Everything in a receipt comes from the record and from the notice that the ledger has of it. What the notice does not say is
left out. Where the standard requires a value all the same, a receipt has the term for "not said": `dpv:PersonalData`
without a kind, `dpv:IndeterminateDuration` for a retention.
"""

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, get_args

from consentkit.ledger import Record
from consentkit.policy import SAFEGUARDS, Right
from consentkit.proof import dpv
from consentkit.proof.grant import Grant, Part

__all__ = ["receipt_id", "receipt_of", "receipt_schema"]

Row = Mapping[str, Any]
Node = dict[str, Any]

_VISITOR = "_:visitor"
_GDPR = "https://w3id.org/dpv/legal/eu/gdpr#"


def receipt_id(record_id: str) -> str:
    """Return the id of the receipt of a record, a version 4 UUID.

    The id follows from the record's, so that the page, the file and every later copy have the same one.
    """
    digest = hashlib.sha256(f"consentkit receipt of {record_id}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def receipt_schema() -> dict[str, Any]:
    """Return the JSON Schema of receipts (draft 2020-12)."""
    schema: dict[str, Any] = json.loads(
        files("consentkit.proof").joinpath("data/receipt.schema.json").read_text("utf-8")
    )
    return schema


def receipt_of(grant: Grant, *, address: str, at: datetime) -> Node:
    """Return the receipt of a grant as JSON-LD, with its context embedded.

    Args:
        grant: as the ledger proves it.
        address: where the library answers on the site, such as `https://example.org/consent`.
        at: when the receipt is made.

    Raises:
        ValueError: the time has no time zone.
    """
    number = receipt_id(grant.record.id)
    return {
        "@context": dict(dpv.CONTEXT),
        "@id": f"urn:uuid:{number}",
        "@type": "dpv:ConsentReceipt",
        "dct:conformsTo": list(dpv.RECEIPT_PROFILES),
        "dct:identifier": number,
        "dct:created": _utc(at),
        "dpv:hasRecordOfActivity": _record(grant, address, at),
    }


def _record(grant: Grant, address: str, at: datetime) -> Node:
    record = grant.record
    notice = f"{address}/notices/{record.notice}"
    return {
        "@id": f"urn:uuid:{record.id}",
        "@type": "dpv:ConsentRecord",
        "dct:conformsTo": list(dpv.RECORD_PROFILES),
        "dct:identifier": record.id,
        "dpv:hasIdentifier": record.id,
        "dpv:hasDataSubject": {
            "@id": _VISITOR,
            "@type": "dpv:DataSubject",
            "dct:identifier": record.subject,
        },
        "dpv:hasNotice": {
            "@id": notice,
            "@type": "dpv:ConsentNotice",
            "dct:identifier": record.notice,
            "dct:language": record.language,
        },
        "dpv:hasJurisdiction": _jurisdiction(grant),
        "dpv:hasDataController": [_controller(site, row, notice) for site, row in grant.controllers],
        "dpv:hasAuthority": [
            _authority(site, row["authority"], notice)
            for site, row in grant.controllers
            if row.get("authority")
        ],
        "dpv:hasConsentControl": {"@type": "dpv:WithdrawConsent", "dpv:isExercisedAt": address},
        "dpv:hasRight": _rights(grant, address),
        "dpv:hasProcess": [_process(part, grant, notice, at) for part in grant.parts],
    }


def _jurisdiction(grant: Grant) -> str:
    """Return the country whose rules applied: that of a regime's id, else the policy's own, as for the strictest rules."""
    place = grant.record.jurisdiction.partition("-")[0]
    return dpv.country(place.upper() if len(place) == len("NL") else grant.notice["jurisdiction"])


# Parties


def _controller(site: str, row: Row, notice: str) -> Node:
    iri = f"{notice}#controller-{site}" if site else f"{notice}#controller"
    node: Node = {
        "@id": iri,
        "@type": "dpv:DataController",
        "dpv:hasIdentifier": iri,
        "dpv:hasName": row["name"],
        "dpv:hasAddress": row["address"],
        "dpv:hasLocation": dpv.country(row["country"]),
        "dpv:hasContact": row["email"],
    }
    if row.get("dpo"):
        node["dpv:hasDataProtectionOfficer"] = {
            "@type": "dpv:DataProtectionOfficer",
            "dpv:hasContact": row["dpo"],
        }
    return node


def _authority(site: str, row: Row, notice: str) -> Node:
    iri = f"{notice}#authority-{site}" if site else f"{notice}#authority"
    return {
        "@id": iri,
        "@type": "dpv:DataProtectionAuthority",
        "dpv:hasIdentifier": iri,
        "dpv:hasName": row["name"],
        "dpv:hasContact": row["url"],
    }


def _vendor(row: Row, notice: str) -> Node:
    """Return a third party. The policy has its country and its privacy policy, but no postal address."""
    iri, country = f"{notice}#vendor-{row['id']}", dpv.country(row["country"])
    node: Node = {
        "@id": iri,
        "@type": list(dpv.ROLES.get(row.get("role", ""), dpv.ROLES["controller"])),
        "dct:title": row["name"],
        "dpv:hasIdentifier": iri,
        "dpv:hasName": row.get("legal_entity", row["name"]),
        "dpv:hasLocation": country,
        "dpv:hasContact": row["policy_url"],
    }
    data = _kinds_of_data([row])
    if data:
        node["dpv:hasPersonalData"] = data
    if row.get("profiling"):
        node["dpv:hasProcessing"] = ["dpv:Profiling"]
    basis = _transfer_basis(row)
    if basis is not None:
        node |= {"dpv:hasThirdCountry": country, "dpv:hasLegalBasis": basis}
    return node


def _transfer_basis(row: Row) -> Node | None:
    """Return on what a transfer out of the EEA rests; None for a vendor within it, whose policy names no safeguard."""
    safeguard = SAFEGUARDS.get(row.get("safeguard", "none_required"))
    if safeguard is None or safeguard.iri is None:
        return None
    node: Node = {"@id": safeguard.iri.replace(_GDPR, "eu-gdpr:"), "@type": "dpv:DataTransferLegalBasis"}
    if row.get("safeguard_copy"):
        node["dct:source"] = row["safeguard_copy"]
    return node


def _rights(grant: Grant, address: str) -> list[Node]:
    controller = grant.notice["controller"]
    place = controller.get("rights_url") or f"mailto:{controller['email']}"
    rights = [_right("eu-gdpr:A7-3", address)]
    listed = grant.notice.get("rights", get_args(Right))
    rights += [_right(article, place) for right, article in dpv.RIGHTS.items() if right in listed]
    authority = controller.get("authority")
    return [*rights, _right("eu-gdpr:A77", authority["url"])] if authority else rights


def _right(article: str, place: str) -> Node:
    return {"@type": ["dpv:DataSubjectRight", article], "dpv:isExercisedAt": place}


# Processing


def _process(part: Part, grant: Grant, notice: str, at: datetime) -> Node:
    node: Node = {
        "@type": "dpv:Process",
        "dpv:hasPurpose": _purpose(part.category, grant.record.language, notice),
        "dpv:hasLegalBasis": ["eu-gdpr:A6-1-a", "dpv:ExpressedConsent"],
        "dpv:hasPersonalData": _kinds_of_data(part.vendors) or ["dpv:PersonalData"],
        "dpv:hasStorageCondition": _storage(part, grant),
        "dpv:hasConsentStatus": _status(part, grant, notice, at),
    }
    processing = [
        term
        for term, applies in (
            ("dpv:Profiling", any(row.get("profiling") for row in part.vendors)),
            ("dpv:Combine", part.has_own and part.category.get("combines_across_sites", False)),
            ("dpv:CrossBorderTransfer", any(_transfer_basis(row) for row in part.vendors)),
        )
        if applies
    ]
    if processing:
        node["dpv:hasProcessing"] = processing
    if part.vendors:
        node["dpv:hasRecipientThirdParty"] = [_vendor(row, notice) for row in part.vendors]
    return node


def _purpose(category: Row, language: str, notice: str) -> Node:
    node: Node = {
        "@id": f"{notice}#category-{category['id']}",
        "@type": "dpv:Purpose",
        "dct:identifier": category["id"],
        "dct:title": _text(category["title"], language),
        "dct:description": _text(category["description"], language),
    }
    types = [iri for iri in map(dpv.purpose, category.get("dpv_purposes", ())) if iri]
    if types:
        node["skos:broader"] = types
    return node


def _text(texts: Mapping[str, str], language: str) -> Node:
    """Return a text in the language in which the notice was shown, or in its first language."""
    found = language if language in texts else next(iter(texts))
    return {"@value": texts[found], "@language": found}


def _kinds_of_data(vendors: Sequence[Row]) -> list[str]:
    terms = dict.fromkeys(term for row in vendors for term in row.get("data", ()))
    return [iri for iri in map(dpv.personal_data, terms) if iri]


def _storage(part: Part, grant: Grant) -> list[Node]:
    """Return where data is stored, and how long: on the device, with us, and with each third party."""
    conditions = [
        {
            "@type": ["dpv:StorageLocation", "dpv:StorageDuration"],
            "dct:title": row["name"],
            "dpv:hasLocation": "dpv:WithinDevice",
            "dpv:isImplementedUsingTechnology": dpv.DEVICE_TECHNOLOGIES[row["kind"]],
            "dpv:hasDuration": _lifetime(row["lifetime"]),
        }
        for row in part.trackers
        if row["kind"] in dpv.DEVICE_TECHNOLOGIES
    ]
    if part.has_own and part.category.get("retention"):
        controller = grant.notice["controller"]
        conditions.append(_kept(controller["name"], controller["country"], part.category["retention"]))
    conditions += [_kept(row["name"], row["country"], row.get("retention")) for row in part.vendors]
    return conditions or [
        {"@type": ["dpv:StorageDuration"], "dpv:hasDuration": {"@type": "dpv:IndeterminateDuration"}}
    ]


def _kept(name: str, country: str, retention: str | None) -> Node:
    unknown = {"@type": "dpv:IndeterminateDuration"}
    return {
        "@type": ["dpv:StorageLocation", "dpv:StorageDuration"],
        "dct:title": name,
        "dpv:hasLocation": dpv.country(country),
        "dpv:hasDuration": _lasting(retention) if retention else unknown,
    }


def _lifetime(lifetime: str) -> Node:
    if lifetime == "session":
        return {"@type": "dpv:UntilEventDuration", "rdf:value": "session"}
    return _lasting(lifetime)


def _lasting(duration: str) -> Node:
    """Return a length of time (ISO 8601)."""
    return {"@type": "dpv:TemporalDuration", "rdf:value": duration}


# The consent


def _status(part: Part, grant: Grant, notice: str, at: datetime) -> Node:
    node: Node = {"@type": dpv.STATES[part.state]}
    if part.state == "invalidated":
        # By the controller, whose notice has grown. That it did is certain only now.
        node |= {"dpv:isIndicatedAtTime": _utc(at), "dpv:isIndicatedBy": {"@id": f"{notice}#controller"}}
    else:
        node |= {
            "dpv:isIndicatedAtTime": _utc(datetime.fromtimestamp(part.at, UTC)),
            "dpv:isIndicatedBy": {"@id": _VISITOR},
            "dpv:hasIndicationMethod": _method(part.event),
        }
    return node | {"dpv:hasDuration": _lasting(grant.notice["validity"])}


def _method(record: Record) -> str:
    signal = ", with Sec-GPC: 1" if record.gpc else ""
    return f"{record.choice} on {record.surface}{signal}"


def _utc(moment: datetime) -> str:
    """Return a time in UTC (ISO 8601), to the second.

    Raises:
        ValueError: the time has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("A receipt's time has no time zone: give one in UTC.")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
