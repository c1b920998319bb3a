"""What the owner declares in `consent.toml`, as one frozen object."""

from consentkit.policy.duration import Duration
from consentkit.policy.field_types import Texts
from consentkit.policy.models import Authority, Category, Controller, Group, Origins, Site, Tracker, Vendor
from consentkit.policy.policy import Policy, json_schema

__all__ = [
    "Authority",
    "Category",
    "Controller",
    "Duration",
    "Group",
    "Origins",
    "Policy",
    "Site",
    "Texts",
    "Tracker",
    "Vendor",
    "json_schema",
]
