"""What the owner of the sites declares, as one object.

The models hold what one value alone can get wrong; `checks` holds what several values get wrong together. `load_policy`
runs both. A policy is made once and read on every request, so that look-ups are dictionaries.
"""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pydantic import Field, PrivateAttr

from consentkit.errors import UnknownCategoryError, UnknownSiteError, UnknownVendorError
from consentkit.policy.duration import Duration
from consentkit.policy.field_types import Language, Line, Many, SchemaVersion, Texts, normal_language
from consentkit.policy.models import (
    Authority,
    Category,
    Controller,
    Group,
    Necessity,
    Origins,
    Role,
    Site,
    Table,
    Tracker,
    TrackerKind,
    Vendor,
)
from consentkit.policy.transfers import Country, TransferData, shipped_transfer_data

__all__ = [
    "Authority",
    "Category",
    "Controller",
    "Group",
    "Necessity",
    "Origins",
    "Policy",
    "Role",
    "Site",
    "Texts",
    "Tracker",
    "TrackerKind",
    "Vendor",
    "json_schema",
]


@dataclass(frozen=True, slots=True)
class _Index:
    """What the look-ups read."""

    categories: dict[str, Category]
    vendors: dict[str, Vendor]
    sites: dict[str, Site]
    optional: tuple[Category, ...]
    consent_needed: tuple[Category, ...]
    vendors_of: dict[str, tuple[Vendor, ...]]
    trackers_of: dict[str, tuple[Tracker, ...]]
    trackers_of_vendor: dict[str, tuple[Tracker, ...]]
    honours_gpc: dict[str, bool]


class Policy(Table):
    """Everything that the owner declares. Ids are unique and references exist where `load_policy` made it."""

    schema_version: Annotated[SchemaVersion, Field(alias="schema")]
    """Version of this format."""
    languages: Annotated[Many[Language], Field(min_length=1)]
    """Languages that every text has, as BCP 47 tags; the first is the fallback."""
    validity: Duration
    """How long a decision holds, granted or refused."""
    jurisdiction: Country
    """Whose rules apply; rules of the EEA for all so far."""
    records_kept: Duration
    """How long records are kept as proof after a decision has ended."""
    adequacy_file: Line | None = None
    """A file beside this one that replaces the shipped list of the EEA and of adequacy decisions."""
    controller: Controller
    """Who answers for the processing."""
    group: Group | None = None
    """Required with more than one site."""
    sites: Annotated[Many[Site], Field(min_length=1)]
    """The sites that one answer covers."""
    categories: Annotated[Many[Category], Field(min_length=1)]
    """The purposes, in the order of the page."""
    vendors: Many[Vendor] = ()
    """The third parties."""
    trackers: Many[Tracker] = ()
    """Everything that is stored or read."""

    _index: _Index = PrivateAttr()
    _transfer_data: TransferData | None = PrivateAttr(default=None)

    def model_post_init(self, context: Any) -> None:
        """Build the look-ups once."""
        vendors_of = {
            one.id: tuple(v for v in self.vendors if v.category == one.id) for one in self.categories
        }
        profiled = {category for category, vendors in vendors_of.items() if any(v.profiling for v in vendors)}
        optional = tuple(one for one in self.categories if not one.required)
        self._index = _Index(
            categories={one.id: one for one in self.categories},
            vendors={one.id: one for one in self.vendors},
            sites={one.id: one for one in self.sites},
            optional=optional,
            consent_needed=tuple(one for one in optional if not one.exempt),
            vendors_of=vendors_of,
            trackers_of={
                one.id: tuple(t for t in self.trackers if t.category == one.id) for one in self.categories
            },
            trackers_of_vendor={
                one.id: tuple(t for t in self.trackers if t.vendor == one.id) for one in self.vendors
            },
            honours_gpc={
                one.id: not one.required
                and (one.id in profiled if one.honours_gpc is None else one.honours_gpc)
                for one in self.categories
            },
        )

    def category(self, category_id: str) -> Category:
        """Look a category up.

        Raises:
            UnknownCategoryError: the policy declares none of that id.
        """
        try:
            return self._index.categories[category_id]
        except KeyError:
            raise UnknownCategoryError(category_id, tuple(self._index.categories)) from None

    def vendor(self, vendor_id: str) -> Vendor:
        """Look a vendor up.

        Raises:
            UnknownVendorError: the policy declares none of that id.
        """
        try:
            return self._index.vendors[vendor_id]
        except KeyError:
            raise UnknownVendorError(vendor_id, tuple(self._index.vendors)) from None

    def site(self, site_id: str) -> Site:
        """Look a site up.

        Raises:
            UnknownSiteError: the policy declares none of that id.
        """
        try:
            return self._index.sites[site_id]
        except KeyError:
            raise UnknownSiteError(site_id, tuple(self._index.sites)) from None

    @property
    def optional(self) -> tuple[Category, ...]:
        """The categories that visitors can refuse or object to, in the policy's order."""
        return self._index.optional

    @property
    def consent_needed(self) -> tuple[Category, ...]:
        """The categories that are off until a visitor agrees: optional and not exempt."""
        return self._index.consent_needed

    def vendors_of(self, category_id: str) -> tuple[Vendor, ...]:
        """Give a category's vendors, in the policy's order; raises UnknownCategoryError."""
        return self._index.vendors_of[self.category(category_id).id]

    def trackers_of(self, category_id: str) -> tuple[Tracker, ...]:
        """Give a category's trackers, in the policy's order; raises UnknownCategoryError."""
        return self._index.trackers_of[self.category(category_id).id]

    def trackers_of_vendor(self, vendor_id: str) -> tuple[Tracker, ...]:
        """Give a vendor's trackers, in the policy's order; raises UnknownVendorError."""
        return self._index.trackers_of_vendor[self.vendor(vendor_id).id]

    def honours_gpc(self, category_id: str) -> bool:
        """Say whether Sec-GPC refuses a category while nothing was answered; raises UnknownCategoryError."""
        return self._index.honours_gpc[self.category(category_id).id]

    @property
    def transfer_data(self) -> TransferData:
        """The list of the EEA and of adequacy decisions that this policy goes by."""
        return self._transfer_data or shipped_transfer_data()

    def outside_eea(self, vendor: Vendor) -> bool:
        """Say whether data that goes to a vendor leaves the EEA (GDPR 44)."""
        return not self.transfer_data.in_eea(vendor.country)

    def transfer_covered(self, vendor: Vendor, on: date) -> bool:
        """Say whether data may go to a vendor on that day: within the EEA, or under a safeguard that stands (TR-03)."""
        if not self.outside_eea(vendor):
            return True
        if vendor.safeguard == "adequacy":
            decision = self.transfer_data.decision(vendor.country, on)
            return decision is not None and (
                decision.condition is None or getattr(vendor, decision.condition) is True
            )
        return vendor.safeguard not in (None, "none_required", "art49_explicit_consent")

    def adequacy_lapses(self, vendor: Vendor) -> date | None:
        """Give the last day on which a vendor's adequacy decision holds; that day still counts.

        None where the vendor does not rely on a decision, or where no end of it is set.
        """
        if vendor.safeguard != "adequacy" or not self.outside_eea(vendor):
            return None
        ends = [decision.ends for decision in self.transfer_data.decisions_for(vendor.country)]
        return None if not ends or None in ends else max(end for end in ends if end is not None)

    def text(self, texts: Texts, language: str) -> str:
        """Pick a text by language tag, then by its primary language, then in the policy's first language."""
        tag = normal_language(language) or ""
        for candidate in (tag, tag.split("-")[0], self.languages[0]):
            if candidate in texts:
                return texts[candidate]
        return next(iter(texts.values()))


def json_schema() -> dict[str, Any]:
    """Describe `consent.toml` for editors, as JSON Schema 2020-12; `data/policy.schema.json` is a copy."""
    schema = Policy.model_json_schema(by_alias=True)
    definitions = {name: _for_editors(definition) for name, definition in schema.pop("$defs").items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "consent.toml",
        **_for_editors(schema),
        "$defs": definitions,
    }


def _for_editors(model: dict[str, Any]) -> dict[str, Any]:
    """Leave out what TOML has no word for, null, and what says nothing, titles made of the keys."""
    properties = {}
    for key, schema in model["properties"].items():
        kept = {
            name: value
            for name, value in schema.items()
            if name != "title" and (name, value) != ("default", None)
        }
        choices = [one for one in kept.pop("anyOf", ()) if one != {"type": "null"}]
        properties[key] = (choices[0] if len(choices) == 1 else {"anyOf": choices} if choices else {}) | kept
    return {name: value for name, value in model.items() if name != "title"} | {"properties": properties}
