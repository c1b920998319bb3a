"""What the owner of the sites declares: frozen models with the keys of `consent.toml` as field names.

The models hold what one value alone can get wrong; `checks` holds what several values get wrong together. `load_policy`
runs both. A policy is made once and read on every request, so that look-ups are dictionaries.
"""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from consentkit.addresses import Domain, Email, Reference, SiteOrigin, Url, VendorOrigin
from consentkit.duration import Duration
from consentkit.errors import UnknownCategoryError, UnknownSiteError, UnknownVendorError
from consentkit.fields import (
    CookiePath,
    DpvTerm,
    Id,
    Language,
    Lifetime,
    Line,
    Many,
    Pattern,
    Prose,
    PublicKey,
    SchemaVersion,
    Texts,
    normal_language,
)
from consentkit.transfers import Country, SafeguardName, TransferData, shipped_transfer_data

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
]

TrackerKind = Literal[
    "cookie",
    "local_storage",
    "session_storage",
    "indexed_db",
    "cache_storage",
    "pixel",
    "url_decoration",
    "fingerprint",
    "script",
]
Necessity = Literal[
    "session",
    "auth",
    "basket",
    "load_balancing",
    "security",
    "consent_choice",
    "ui_preference_requested",
    "media_playback",
]
Role = Literal["controller", "joint_controller", "processor"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class Authority(_Model):
    """The supervisory authority that visitors may complain to (GDPR 13(2)(d))."""

    name: Line
    """Its name."""
    url: Url
    """Its address on the web."""


class Controller(_Model):
    """Who answers for the processing (GDPR 13(1)(a))."""

    name: Line
    """Legal name; the first words that visitors read."""
    address: Prose
    """Postal address."""
    country: Country
    """Where it is established."""
    email: Email
    """Where visitors write about their data."""
    dpo: Reference | None = None
    """How to reach the data protection officer, where there is one (GDPR 13(1)(b))."""
    rights_url: Url | None = None
    """A page about the visitor's rights and how to use them."""
    authority: Authority
    """Where visitors may complain."""


class Group(_Model):
    """What holds several sites together that one answer covers."""

    id: Id
    """Signed into every cookie and token of the group."""
    name: Texts
    """What visitors know the group as."""
    joint_controllers: bool = False
    """Whether the sites' different controllers have an arrangement under GDPR 26."""


class Site(_Model):
    """One origin that the answer covers."""

    id: Id
    """Signed into the site's cookie."""
    name: Line
    """What visitors know the site as."""
    origin: SiteOrigin
    """Scheme, host and port, as a browser sends them in Origin."""
    public_key: PublicKey | None = None
    """Ed25519 key of the hand-off: base64url without padding of the 32 raw bytes (RFC 8032)."""
    controller: Controller | None = None
    """The site's own controller, where it differs from the policy's."""


class Category(_Model):
    """One purpose as visitors see it."""

    id: Id
    """The word that code asks for: allows("analytical")."""
    required: bool = False
    """Strictly necessary: always on, no consent asked."""
    exempt: bool = False
    """Analytics that need no consent: on by default, disclosed, and off for who objects (Tw 11.7a(3)(b), CNIL)."""
    title: Texts
    """The name on the buttons."""
    description: Texts
    """What it is for, in a sentence that begins with a verb."""
    combines_across_sites: bool = False
    """Whether data of this category from all sites is put together."""
    honours_gpc: bool | None = None
    """Whether Sec-GPC refuses it; default: where one of its vendors profiles."""
    dpv_purposes: Many[DpvTerm] = ()
    """Purposes of the Data Privacy Vocabulary, for records."""
    retention: Duration | None = None
    """How long we keep what was collected for it (GDPR 13(2)(a)); at most 25 months where exempt."""


class Origins(_Model):
    """Where a vendor's content comes from, by what the Content-Security-Policy calls it."""

    script: Many[VendorOrigin] = ()
    """For script-src."""
    connect: Many[VendorOrigin] = ()
    """For connect-src."""
    img: Many[VendorOrigin] = ()
    """For img-src."""
    frame: Many[VendorOrigin] = ()
    """For frame-src; embeds are shown from these alone."""
    style: Many[VendorOrigin] = ()
    """For style-src."""
    font: Many[VendorOrigin] = ()
    """For font-src."""
    media: Many[VendorOrigin] = ()
    """For media-src."""
    form: Many[VendorOrigin] = ()
    """For form-action."""


class Vendor(_Model):
    """A third party that stores or reads something, in one role."""

    id: Id
    """The word that code asks for: allows("social", vendor="youtube")."""
    name: Line
    """What visitors know it as."""
    legal_entity: Line | None = None
    """The company behind the name."""
    country: Country
    """Where the data goes."""
    safeguard: SafeguardName | None = None
    """What makes the transfer lawful; required outside the EEA (GDPR 44 to 49)."""
    safeguard_copy: Reference | None = None
    """Where visitors get a copy of the safeguard: a URL or an address (GDPR 13(1)(f))."""
    dpf_certified: bool | None = None
    """On the Data Privacy Framework list: the condition of the adequacy decision for the US."""
    commercial_org: bool | None = None
    """Subject to PIPEDA: the condition of the adequacy decision for Canada."""
    profiling: bool
    """Whether it may build a profile of the visitor (GDPR 13(2)(f), 22)."""
    policy_url: Url
    """Its privacy policy."""
    category: Id
    """The category that it belongs to."""
    origins: Origins = Origins()
    """Where its content comes from."""
    signal: Literal["google-consent-mode"] | None = None
    """What its script is told about the consent."""
    role: Role = "controller"
    """Its role towards the data."""
    data: Many[DpvTerm] = ()
    """Kinds of personal data, as terms of the Data Privacy Vocabulary."""
    retention: Duration | None = None
    """How long it keeps the data, where known."""


class Tracker(_Model):
    """One item that is stored on the device or read from it."""

    name: Pattern
    """Its name; a trailing * matches the rest."""
    kind: TrackerKind
    """How it is stored or read (EDPB 2/2023)."""
    category: Id
    """The category that it belongs to."""
    vendor: Id | None = None
    """The third party with access to it; absent: ours alone."""
    lifetime: Lifetime
    """How long it stays: a duration, or "session"."""
    purpose: Texts
    """What it is for."""
    necessity: Necessity | None = None
    """Why the service that the visitor asked for cannot do without it; for required categories alone."""
    third_party: bool = False
    """Set on the vendor's own domain: disclosed, not for us to delete."""
    domain: Domain | None = None
    """The cookie's Domain, when it is not host-only."""
    path: CookiePath = "/"
    """The cookie's Path."""
    partitioned: bool = False
    """Whether the cookie is Partitioned (CHIPS)."""
    personal_data: bool | None = None
    """Whether it holds personal data: for the records; consent is needed either way (Planet49)."""

    def matches(self, name: str) -> bool:
        """Say whether an item of this name is this tracker; letters in capitals differ from small ones."""
        if self.name.endswith("*"):
            return name.startswith(self.name[:-1])
        return name == self.name


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


class Policy(_Model):
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
