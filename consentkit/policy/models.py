"""The tables of `consent.toml`, one model each: frozen, strict, unknown keys refused. Field names are the keys."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

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
from consentkit.policy.transfers import Country, SafeguardName
from consentkit.policy.url_types import Domain, Email, Reference, SiteOrigin, Url, VendorOrigin

__all__ = [
    "Authority",
    "Category",
    "Controller",
    "Group",
    "Necessity",
    "Origins",
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


class Table(BaseModel):
    """What all tables share."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class Authority(Table):
    """The supervisory authority that visitors may complain to (GDPR 13(2)(d))."""

    name: Line
    """Its name."""
    url: Url
    """Its address on the web."""


class Controller(Table):
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


class Group(Table):
    """What holds several sites together that one answer covers."""

    id: Id
    """Signed into every cookie and token of the group."""
    name: Texts
    """What visitors know the group as."""
    joint_controllers: bool = False
    """Whether the sites' different controllers have an arrangement under GDPR 26."""


class Site(Table):
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


class Category(Table):
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


class Origins(Table):
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


class Vendor(Table):
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


class Tracker(Table):
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
