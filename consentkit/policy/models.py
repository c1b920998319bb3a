"""The tables of `consent.toml`, each a frozen and strict model that refuses unknown keys. Field names are the keys."""

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from consentkit.policy.duration import Duration
from consentkit.policy.field_types import (
    CookiePath,
    DpvTerm,
    Id,
    Lifetime,
    Line,
    Many,
    Pattern,
    Prose,
    PublicKey,
    Texts,
)
from consentkit.policy.regimes import FAMILIES, Family, Mode
from consentkit.policy.transfers import Country, SafeguardName
from consentkit.policy.url_types import (
    Domain,
    Email,
    Essence,
    LocalizedUrl,
    Reference,
    SiteOrigin,
    Url,
    VendorConnection,
    VendorOrigin,
)

__all__ = [
    "Authority",
    "Category",
    "Controller",
    "Evidence",
    "GdprBasis",
    "Group",
    "Necessity",
    "Origins",
    "ProofBasis",
    "Regimes",
    "Right",
    "Role",
    "Site",
    "Table",
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
GdprBasis = Literal["contract", "legal_obligation", "legitimate_interests"]
ProofBasis = Literal["legal_obligation", "legitimate_interests"]
Right = Literal["access", "rectification", "erasure", "restriction", "portability", "objection"]


class Table(BaseModel):
    """The configuration of all tables."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class Authority(Table):
    """The supervisory authority that visitors can complain to (GDPR 13(2)(d))."""

    name: Line
    """Name of the authority."""
    url: Url
    """Address of its web site."""


class Controller(Table):
    """The company or person who is responsible for the processing (GDPR 13(1)(a))."""

    name: Line
    """Legal name, with which the banner begins."""
    address: Prose
    """Postal address."""
    country: Country
    """Country where the controller is established."""
    email: Email
    """Address to which visitors write about their data."""
    dpo: Reference | None = None
    """Contact of the data protection officer, if there is one (GDPR 13(1)(b))."""
    privacy_policy: LocalizedUrl | None = None
    """Address of the privacy statement, or a table of addresses by language (GDPR 13)."""
    rights_url: Url | None = None
    """Page about the rights of visitors and how to exercise them."""
    authority: Authority
    """Authority that visitors can complain to."""


class Group(Table):
    """Several sites that one decision covers."""

    id: Id
    """Signed into every cookie and token of the group."""
    name: Texts
    """Name of the group, as visitors know it."""
    joint_controllers: bool = False
    """Whether the different controllers of the sites have an arrangement under GDPR 26."""
    joint_control: Essence | None = None
    """The essence of that arrangement by language, or the address where visitors can read it (GDPR 26(2))."""


class Site(Table):
    """A web site that the decision covers."""

    id: Id
    """Signed into the site's cookie."""
    name: Line
    """Name of the site, as visitors know it."""
    origin: SiteOrigin
    """Scheme, host and port, as browsers send them in the Origin header."""
    public_key: PublicKey | None = None
    """Ed25519 public key for the hand-off: the 32 raw bytes as base64url without padding (RFC 8032)."""
    controller: Controller | None = None
    """The controller of the site, if it differs from the policy's."""


class Evidence(Table):
    """An assessment that the owner can show, such as that of an exemption."""

    url: Url | None = None
    """Address where it can be read."""
    file: Line | None = None
    """Name of the document in the owner's files."""
    on: Annotated[date, Field(alias="date", strict=False)]
    """Day of the assessment."""


class Regimes(Table):
    """Which rules apply where. A family that is left out is treated as before: like the rest of the world.

    `true` applies the rules of the place, and a mode applies stricter ones; `us = "opt_out"` covers states without a law too.
    """

    eea: bool | Mode = False
    """The member states of the European Economic Area, each with its own exemption."""
    gb: bool | Mode = False
    """The United Kingdom."""
    ch: bool | Mode = False
    """Switzerland."""
    us: bool | Mode = False
    """The states of the United States that have a law."""
    ca: bool | Mode = False
    """The provinces of Canada that have a law of their own."""
    br: bool | Mode = False
    """Brazil."""

    @property
    def chosen(self) -> dict[Family, Literal[True] | Mode]:
        """The families that are turned on, each with its mode, or True for the mode of the place."""
        return {family: value for family in FAMILIES if (value := getattr(self, family))}


class Category(Table):
    """A purpose that visitors decide about."""

    id: Id
    """Name of the category in code: allows("analytical")."""
    required: bool = False
    """Strictly necessary: always on, without asking for consent."""
    exempt: bool = False
    """Analytics exempt from consent: disclosed, and on until a visitor objects (Tw 11.7a(3)(b), CNIL)."""
    title: Texts
    """Name of the category, on the buttons."""
    description: Texts
    """What the category is for, as an item of a list: "To count visits."."""
    exemption_evidence: Evidence | None = None
    """The assessment that the exemption holds, where the law asks for one (CNIL, July 2025)."""
    statistics: bool | None = None
    """Statistics about the use of the site, for us alone: on until a visitor objects where the law says so (GB)."""
    appearance: bool | None = None
    """Adapts how the site looks or works to the visitor: on until a visitor objects where the law says so (GB)."""
    sale_or_share: bool | None = None
    """Sells or shares personal data in the sense of US law; by default if a vendor uses it for purposes of its own."""
    sensitive: bool | None = None
    """Uses sensitive personal data in the sense of US law, whose use visitors there can limit."""
    combines_across_sites: bool = False
    """Whether data of this category from all sites is combined."""
    honours_gpc: bool | None = None
    """Whether Sec-GPC refuses the category; by default if one of its vendors builds profiles."""
    dpv_purposes: Many[DpvTerm] = ()
    """Purposes as terms of the Data Privacy Vocabulary, for the records."""
    retention: Duration | None = None
    """How long we keep the data of this category (GDPR 13(2)(a)); at most 25 months if exempt."""
    gdpr_basis: GdprBasis | None = None
    """Ground in GDPR 6(1) without consent, in required and exempt categories only; by default `"legitimate_interests"`."""


class Origins(Table):
    """The origins of a vendor's content, for the directives of the Content-Security-Policy.

    A path limits an origin: to one address, or to all below it if the path ends in a slash.
    """

    script: Many[VendorOrigin] = ()
    """For script-src."""
    connect: Many[VendorConnection] = ()
    """For connect-src; a WebSocket is `wss://`."""
    img: Many[VendorOrigin] = ()
    """For img-src."""
    frame: Many[VendorOrigin] = ()
    """For frame-src; embeds are shown from these origins only."""
    style: Many[VendorOrigin] = ()
    """For style-src."""
    font: Many[VendorOrigin] = ()
    """For font-src."""
    media: Many[VendorOrigin] = ()
    """For media-src."""
    form: Many[VendorOrigin] = ()
    """For form-action."""


class Vendor(Table):
    """A third party that stores or reads something."""

    id: Id
    """Name of the vendor in code: allows("social", vendor="youtube")."""
    name: Line
    """Name of the vendor, as visitors know it."""
    legal_entity: Line | None = None
    """Legal name of the company."""
    country: Country
    """Country to which the data goes."""
    safeguard: SafeguardName | None = None
    """Legal ground of the transfer; required outside the EEA (GDPR 44 to 49)."""
    safeguard_copy: Reference | None = None
    """URL or address where visitors get a copy of the safeguard (GDPR 13(1)(f))."""
    dpf_certified: bool | None = None
    """Whether it is on the Data Privacy Framework list: the condition of the adequacy decision for the US."""
    commercial_org: bool | None = None
    """Whether it is subject to PIPEDA: the condition of the adequacy decision for Canada."""
    profiling: bool
    """Whether the vendor may build a profile of visitors (GDPR 13(2)(f), 22)."""
    policy_url: Url
    """URL of its privacy policy."""
    category: Id
    """Category of the vendor."""
    origins: Origins = Origins()
    """Origins of its content."""
    signal: Literal["google-consent-mode"] | None = None
    """Protocol that passes the consent to its script."""
    role: Role = "controller"
    """Role of the vendor in the processing."""
    joint_control: Essence | None = None
    """With a joint controller: the essence of the arrangement by language, or its address (GDPR 26(2))."""
    data: Many[DpvTerm] = ()
    """Kinds of personal data, as terms of the Data Privacy Vocabulary."""
    retention: Duration | None = None
    """How long the vendor keeps the data, if known."""


class Tracker(Table):
    """An item that is stored on the visitor's device or read from it."""

    name: Pattern
    """Name of the item; a * at the end stands for any ending."""
    kind: TrackerKind
    """How the item is stored or read (EDPB 2/2023)."""
    category: Id
    """Category of the tracker."""
    vendor: Id | None = None
    """Third party with access to the item; without it, only we have access."""
    lifetime: Lifetime
    """How long the item is kept: a duration, or "session"."""
    purpose: Texts
    """What the item is for."""
    necessity: Necessity | None = None
    """Why the item is strictly necessary for what the visitor asked for; in required categories only."""
    third_party: bool = False
    """Whether the item is on the vendor's own domain, where we disclose it but cannot delete it."""
    domain: Domain | None = None
    """Domain of the cookie, unless it is host-only."""
    path: CookiePath = "/"
    """Path of the cookie."""
    partitioned: bool = False
    """Whether the cookie is Partitioned (CHIPS)."""
    personal_data: bool | None = None
    """Whether the item holds personal data, for the records; consent is needed either way (Planet49)."""

    def matches(self, name: str) -> bool:
        """Return whether an item of this name belongs to the tracker; names are case-sensitive."""
        if self.name.endswith("*"):
            return name.startswith(self.name[:-1])
        return name == self.name
