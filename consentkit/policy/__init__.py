"""The policy: what the owner declares in `consent.toml`, as frozen models, with checks that the policy is lawful."""

from consentkit.policy.duration import Duration
from consentkit.policy.field_types import Texts, escaped
from consentkit.policy.findings import Finding, KeyPath
from consentkit.policy.json_schema import json_schema
from consentkit.policy.models import Category, Controller, Right, Site, Tracker, Vendor
from consentkit.policy.own_cookies import (
    LARGEST_COOKIE,
    CookieNames,
    CookiePrefix,
    cookie_names,
    cookie_sizes,
)
from consentkit.policy.own_storage import (
    CONFIRMATION_LIFETIME,
    STEP_LIFETIME,
    TRANSACTION_LIFETIME,
    OwnCookies,
    OwnItem,
    own_storage,
)
from consentkit.policy.policy import Policy, PolicyData
from consentkit.policy.regime_policies import RegimePolicies
from consentkit.policy.regimes import FAMILIES, STRICTEST, Law, Mode, Place, Regime, RegimeData
from consentkit.policy.transfers import SAFEGUARDS, TransferData, normalize_country
from consentkit.policy.url_types import SiteOrigin, is_local

__all__ = [
    "CONFIRMATION_LIFETIME",
    "FAMILIES",
    "LARGEST_COOKIE",
    "SAFEGUARDS",
    "STEP_LIFETIME",
    "STRICTEST",
    "TRANSACTION_LIFETIME",
    "Category",
    "Controller",
    "CookieNames",
    "CookiePrefix",
    "Duration",
    "Finding",
    "KeyPath",
    "Law",
    "Mode",
    "OwnCookies",
    "OwnItem",
    "Place",
    "Policy",
    "PolicyData",
    "Regime",
    "RegimeData",
    "RegimePolicies",
    "Right",
    "Site",
    "SiteOrigin",
    "Texts",
    "Tracker",
    "TransferData",
    "Vendor",
    "cookie_names",
    "cookie_sizes",
    "escaped",
    "is_local",
    "json_schema",
    "normalize_country",
    "own_storage",
]
