"""What the owner declares in `consent.toml`, as one frozen object."""

from consentkit.policy.duration import Duration
from consentkit.policy.field_types import Texts, escaped
from consentkit.policy.findings import Finding, KeyPath
from consentkit.policy.models import Authority, Category, Controller, Group, Origins, Site, Tracker, Vendor
from consentkit.policy.policy import Policy, json_schema
from consentkit.policy.transfers import SAFEGUARDS, TransferData
from consentkit.policy.url_types import SiteOrigin, is_local

__all__ = [
    "SAFEGUARDS",
    "Authority",
    "Category",
    "Controller",
    "Duration",
    "Finding",
    "Group",
    "KeyPath",
    "Origins",
    "Policy",
    "Site",
    "SiteOrigin",
    "Texts",
    "Tracker",
    "TransferData",
    "Vendor",
    "escaped",
    "is_local",
    "json_schema",
]
