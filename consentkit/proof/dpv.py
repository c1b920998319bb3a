"""Terms of the W3C Data Privacy Vocabulary (DPV 2.3), in which receipts are written.

The mapping follows the guide of the vocabulary's group for ISO/IEC TS 27560:2023. A policy's own terms are looked up in
`data/dpv.toml`, a dated list of the vocabulary's purposes and kinds of personal data.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

__all__ = [
    "CONTEXT",
    "DEVICE_TECHNOLOGIES",
    "RECEIPT_PROFILES",
    "RECORD_PROFILES",
    "RIGHTS",
    "ROLES",
    "STATES",
    "country",
    "personal_data",
    "purpose",
]

_PROFILE = "https://w3id.org/dpv/schema/dpv-27560"
RECORD_PROFILES: Final = (f"{_PROFILE}#record", f"{_PROFILE}#record-eu-gdpr")
RECEIPT_PROFILES: Final = (f"{_PROFILE}#receipt", f"{_PROFILE}#receipt-eu-gdpr")

NAMESPACES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "dpv": "https://w3id.org/dpv#",
        "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
        "loc": "https://w3id.org/dpv/loc#",
        "pd": "https://w3id.org/dpv/pd#",
        "tech": "https://w3id.org/dpv/tech#",
        "dct": "http://purl.org/dc/terms/",
        "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
        "skos": "http://www.w3.org/2004/02/skos/core#",
        "xsd": "http://www.w3.org/2001/XMLSchema#",
    }
)
_IRIS = (
    "dct:conformsTo",
    "dpv:hasJurisdiction",
    "dpv:hasLegalBasis",
    "dpv:hasLocation",
    "dpv:hasPersonalData",
    "dpv:hasProcessing",
    "dpv:hasThirdCountry",
    "dpv:isExercisedAt",
    "dpv:isImplementedUsingTechnology",
    "skos:broader",
)
_TIMES = ("dct:created", "dpv:isIndicatedAtTime")

CONTEXT: Final[Mapping[str, Any]] = MappingProxyType(
    {
        **NAMESPACES,
        **{term: {"@type": "@id"} for term in _IRIS},
        **{term: {"@type": "xsd:dateTime"} for term in _TIMES},
    }
)
"""The context of a receipt. It is embedded, so that nobody needs the network to read one."""

STATES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "given": "dpv:ConsentGiven",
        "renewed": "dpv:RenewedConsentGiven",
        "refused": "dpv:ConsentRefused",
        "withdrawn": "dpv:ConsentWithdrawn",
        "invalidated": "dpv:ConsentInvalidated",
    }
)
"""The state of a part of a consent, by its GrantState."""

ROLES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "controller": ("dpv:ThirdParty", "dpv:DataController"),
        "joint_controller": ("dpv:ThirdParty", "dpv:DataController"),
        "processor": ("dpv:DataProcessor",),
    }
)
"""The types of a vendor, by its role in the policy."""

RIGHTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "access": "eu-gdpr:A15",
        "rectification": "eu-gdpr:A16",
        "erasure": "eu-gdpr:A17",
        "restriction": "eu-gdpr:A18",
        "portability": "eu-gdpr:A20",
        "objection": "eu-gdpr:A21",
    }
)
"""The articles of the GDPR, by the policy's names of rights."""

DEVICE_TECHNOLOGIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "cookie": "tech:Cookie",
        "local_storage": "tech:LocalStorage",
        "session_storage": "tech:DataStorage",
        "indexed_db": "tech:DataStorage",
        "cache_storage": "tech:DataStorage",
    }
)
"""How an item is stored on the device, by the kind of tracker. Other kinds store nothing there."""


def purpose(term: str) -> str | None:
    """Return the IRI of a purpose in compact form; None if the vocabulary has no such purpose."""
    return f"dpv:{term}" if term in _listed()["purposes"] else None


def personal_data(term: str) -> str | None:
    """Return the IRI of a kind of personal data in compact form; None if the vocabulary has no such kind."""
    return f"pd:{term}" if term in _listed()["personal_data"] else None


def country(code: str) -> str:
    """Return the IRI of a country (ISO 3166-1 alpha-2) in compact form."""
    return f"loc:{code}"


@cache
def _listed() -> Mapping[str, frozenset[str]]:
    data = tomllib.loads(files("consentkit.proof").joinpath("data/dpv.toml").read_text("utf-8"))
    return {name: frozenset(data[name]) for name in ("purposes", "personal_data")}
