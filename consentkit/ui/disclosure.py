"""A notice as rows, from which the pages are rendered, and of which the JSON documents consist."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from consentkit.notices import Notice
from consentkit.policy import (
    SAFEGUARDS,
    Category,
    Controller,
    Duration,
    OwnCookies,
    OwnItem,
    Policy,
    Right,
    Site,
    Texts,
    Tracker,
    Vendor,
    cookie_names,
    own_storage,
)
from consentkit.ui.i18n import NP_, Translator
from consentkit.ui.legal_words import (
    EXEMPT_INTEREST,
    GDPR_BASES,
    OWN_ITEMS,
    PROOF_BASES,
    RIGHTS,
    legal_basis_words,
)

__all__ = ["KINDS", "SAFEGUARD_WORDS", "Disclosure", "Row", "web_address"]

Row = dict[str, Any]

KINDS = {
    "cookie": NP_("kind of item", "Cookie"),
    "local_storage": NP_("kind of item", "Local storage"),
    "session_storage": NP_("kind of item", "Session storage"),
    "indexed_db": NP_("kind of item", "Database in the browser"),
    "cache_storage": NP_("kind of item", "Cache storage"),
    "pixel": NP_("kind of item", "Tracking pixel"),
    "url_decoration": NP_("kind of item", "Link parameter"),
    "fingerprint": NP_("kind of item", "Device fingerprint"),
    "script": NP_("kind of item", "Script that reads information from the device"),
}
_NECESSITIES = {
    "session": NP_("why an item is needed", "recognises you during your visit"),
    "auth": NP_("why an item is needed", "keeps you logged in"),
    "basket": NP_("why an item is needed", "remembers what is in your basket"),
    "load_balancing": NP_("why an item is needed", "spreads the load across our servers"),
    "security": NP_("why an item is needed", "keeps the service secure"),
    "consent_choice": NP_("why an item is needed", "remembers your choice about cookies"),
    "ui_preference_requested": NP_("why an item is needed", "remembers a setting you chose"),
    "media_playback": NP_("why an item is needed", "plays what you asked for"),
}
_ROLES = {
    "controller": NP_("role of a third party", "Decides itself how the data is used (controller)"),
    "joint_controller": NP_(
        "role of a third party", "Decides with us how the data is used (joint controller)"
    ),
    "processor": NP_("role of a third party", "Processes the data only on our behalf (processor)"),
}
SAFEGUARD_WORDS = {
    "none_required": NP_("transfer safeguard", "Not needed within the European Economic Area"),
    "adequacy": NP_("transfer safeguard", "Adequacy decision of the European Commission"),
    "scc": NP_("transfer safeguard", "Standard contractual clauses of the European Commission"),
    "scc_authority": NP_("transfer safeguard", "Standard contractual clauses of a supervisory authority"),
    "bcr": NP_("transfer safeguard", "Binding corporate rules"),
    "code_of_conduct": NP_("transfer safeguard", "Approved code of conduct"),
    "certification": NP_("transfer safeguard", "Approved certification"),
    "ad_hoc_clauses": NP_("transfer safeguard", "Contract approved by a supervisory authority"),
}
_CONDITIONS = {
    "dpf_certified": NP_(
        "condition of a transfer safeguard", "certified under the EU-US Data Privacy Framework"
    ),
    "commercial_org": NP_(
        "condition of a transfer safeguard", "a commercial organisation under the Canadian PIPEDA"
    ),
}
_ARTICLES = (
    # Translators: Reference to a law, as lawyers write it in your language.
    NP_("reference", "article %(article)s GDPR"),
    # Translators: Reference to a law, as lawyers write it in your language.
    NP_("reference", "article %(article)s(%(paragraph)s) GDPR"),
    # Translators: Reference to a law, as lawyers write it in your language.
    NP_("reference", "article %(article)s(%(paragraph)s)(%(point)s) GDPR"),
)
_POINTS: Mapping[str, tuple[str, ...]] = {
    "bg": ("\u0430", "\u0431", "\u0432", "\u0433", "\u0434", "\u0435"),
    "el": ("\u03b1", "\u03b2", "\u03b3", "\u03b4", "\u03b5", "\u03c3\u03c4"),
}
"""The points of an article, from a to f, in languages whose text of the GDPR has letters of their own."""
_DATA_KINDS = {
    "Age": NP_("kind of data", "age"),
    "BrowserFingerprint": NP_("kind of data", "browser fingerprint"),
    "BrowsingBehaviour": NP_("kind of data", "browsing behaviour"),
    "BrowsingReferral": NP_("kind of data", "the page you came from"),
    "Country": NP_("kind of data", "country"),
    "DeviceBased": NP_("kind of data", "information about the device"),
    "DeviceOperatingSystem": NP_("kind of data", "operating system"),
    "DeviceSoftware": NP_("kind of data", "software on the device"),
    "EmailAddress": NP_("kind of data", "e-mail address"),
    "Gender": NP_("kind of data", "gender"),
    "Identifier": NP_("kind of data", "identifiers"),
    "Interest": NP_("kind of data", "interests"),
    "IPAddress": NP_("kind of data", "IP address"),
    "Language": NP_("kind of data", "language"),
    "Location": NP_("kind of data", "location"),
    "Name": NP_("kind of data", "name"),
    "Preference": NP_("kind of data", "preferences"),
    "Profile": NP_("kind of data", "profile"),
    "Purchase": NP_("kind of data", "purchases"),
    "SocialMediaCommunication": NP_("kind of data", "what you write on social media"),
    "SocialMediaData": NP_("kind of data", "data from social media"),
    "UserAgent": NP_("kind of data", "browser type"),
}
"""Terms of the Data Privacy Vocabulary in words. Any other term is split at its capitals."""


def web_address(text: str | None) -> str | None:
    """Return an address if a link to it cannot run a script (http or https, with a host), otherwise None."""
    if text is None or re.search(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]", text):
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return text if parts.scheme in ("http", "https") and parts.netloc else None


class Disclosure:
    """One notice in one language.

    `origins` replaces, by site id, the policy's origins where a site runs elsewhere, as in development. `own_cookies` has
    the names and the domain of the library's cookies on this site.
    """

    def __init__(
        self,
        policy: Policy,
        notice: Notice,
        language: str,
        translator: Translator,
        origins: Mapping[str, str] | None = None,
        own_cookies: OwnCookies | None = None,
    ) -> None:
        self._policy = policy
        self._notice = notice
        self._language = language
        self._translator = translator
        self._origins = origins or {}
        self._own_cookies = own_cookies or OwnCookies(cookie_names("__Host-"))

    def policy(self) -> Row:
        """Return the cookie policy.

        The keys are `schema`, `language`, `languages`, `notice` (digest), `published` (ISO date or null), `regime` (id),
        `jurisdiction`,
        `controller`, `group`, `rights`, `proof`, `validity` and `records_kept` (ISO 8601), `categories`, `trackers`,
        `vendors`, `sites` (lists of tables, in the order of the page) and `combined` (ids). Ids, codes and durations are the
        policy file's. `…_words`, `…_name`, titles and purposes are for people, in `language` where there is a catalogue,
        otherwise in English. The library's own items come first among the trackers; `holds` is what each of them holds, and
        null for others. Keys may be added.
        """
        policy = self._policy
        return self._heading() | {
            "jurisdiction": policy.jurisdiction,
            "jurisdiction_name": self._translator.country_name(policy.jurisdiction),
            "controller": self._controller(policy.controller),
            "rights": [self._right(right) for right in policy.effective_rights],
            "proof": self._proof(),
            "records_kept": _as_written(policy.records_kept),
            "categories": [self._category(category) for category in policy.categories],
            "trackers": [
                *(self._own_item(item) for item in own_storage(policy)),
                *(
                    self._tracker(tracker)
                    for category in policy.categories
                    for tracker in policy.trackers_of(category.id)
                ),
            ],
            "vendors": [
                self._vendor(vendor)
                for category in policy.categories
                for vendor in policy.vendors_of(category.id)
            ],
        }

    def sites(self) -> Row:
        """Return the sites that one answer covers: some keys of the cookie policy, with the same values.

        The keys are `schema`, `language`, `languages`, `notice`, `published`, `regime`, `group`, `validity`,
        `validity_words`, `sites` and `combined`.
        """
        return self._heading()

    def _heading(self) -> Row:
        policy, group = self._policy, self._policy.group
        return {
            "schema": policy.schema_version,
            "language": self._language,
            "languages": list(policy.languages),
            "notice": self._notice.digest,
            "published": self._notice.published,
            "regime": policy.regime.id,
            "group": group
            and {
                "id": group.id,
                "name": self._text(group.name),
                "joint_controllers": group.joint_controllers,
                "joint_control": self._localized(group.joint_control),
            },
            "validity": _as_written(policy.validity),
            "validity_words": self._translator.format_lifetime(policy.validity),
            "sites": [self._site(site) for site in policy.sites],
            "combined": [category.id for category in policy.categories if category.combines_across_sites],
        }

    def _text(self, texts: Mapping[str, str]) -> str:
        return self._policy.text(texts, self._language)  # type: ignore[arg-type]  # Texts is a mapping to whoever reads

    def _controller(self, controller: Controller) -> Row:
        return {
            "name": controller.name,
            "address": controller.address,
            "country": controller.country,
            "country_name": self._translator.country_name(controller.country),
            "email": controller.email,
            "dpo": controller.dpo,
            "privacy_policy": self._localized(controller.privacy_policy),
            "rights_url": controller.rights_url,
            "authority": {"name": controller.authority.name, "url": controller.authority.url},
        }

    def _localized(self, value: str | Texts | None) -> str | None:
        return self._text(value) if isinstance(value, Texts) else value

    def _right(self, right: Right) -> Row:
        article, words = RIGHTS[right]
        return {"id": right, "words": self._translator.gettext(words), "article": article}

    def _proof(self) -> Row:
        basis = self._policy.effective_proof_basis
        return {
            "gdpr_basis": basis,
            "gdpr_basis_words": self._translator.gettext(PROOF_BASES[basis]),
        }

    def _site(self, site: Site) -> Row:
        return {
            "id": site.id,
            "name": site.name,
            "origin": self._origins.get(site.id, site.origin),
            "controller": site.controller and self._controller(site.controller),
        }

    def _category(self, category: Category) -> Row:
        policy = self._policy
        basis = "strictly_necessary" if category.required else "exempt" if category.exempt else "consent"
        gdpr_basis = policy.gdpr_basis(category)
        is_exempt_interest = category.exempt and gdpr_basis == "legitimate_interests"
        gdpr_words = EXEMPT_INTEREST if is_exempt_interest else GDPR_BASES[gdpr_basis]
        return {
            "id": category.id,
            "title": self._text(category.title),
            "description": self._text(category.description),
            "legal_basis": basis,
            "legal_basis_words": self._translator.gettext(legal_basis_words(basis, policy.regime)),
            "gdpr_basis": gdpr_basis,
            "gdpr_basis_words": self._translator.gettext(gdpr_words),
            "retention": category.retention and _as_written(category.retention),
            "retention_words": category.retention and self._translator.format_lifetime(category.retention),
            "required": category.required,
            "exempt": category.exempt,
            "combines_across_sites": category.combines_across_sites,
            "honours_gpc": policy.honours_gpc(category.id),
            "dpv_purposes": list(category.dpv_purposes),
        }

    def _tracker(self, tracker: Tracker) -> Row:
        vendor = tracker.vendor and self._policy.vendor(tracker.vendor)
        return {
            "name": tracker.name,
            "kind": tracker.kind,
            "kind_words": self._translator.pgettext("kind of item", KINDS[tracker.kind]),
            "category": tracker.category,
            "vendor": tracker.vendor,
            "owner": vendor.name if vendor else self._policy.controller.name,
            "purpose": self._text(tracker.purpose),
            "lifetime": _as_written(tracker.lifetime),
            "lifetime_words": self._translator.format_lifetime(tracker.lifetime),
            "third_party": tracker.third_party,
            "third_party_access": tracker.third_party or vendor is not None,
            "domain": tracker.domain,
            "path": tracker.path,
            "partitioned": tracker.partitioned,
            "necessity": tracker.necessity,
            "necessity_words": tracker.necessity
            and self._translator.pgettext("why an item is needed", _NECESSITIES[tracker.necessity]),
            "personal_data": tracker.personal_data,
            "holds": None,
        }

    def _own_item(self, item: OwnItem) -> Row:
        purpose, holds = OWN_ITEMS[item.use]
        return {
            "name": getattr(self._own_cookies.names, item.use),
            "kind": item.kind,
            "kind_words": self._translator.pgettext("kind of item", KINDS[item.kind]),
            "category": item.category,
            "vendor": None,
            "owner": self._policy.controller.name,
            "purpose": self._translator.gettext(purpose),
            "lifetime": _as_written(item.lifetime),
            "lifetime_words": self._translator.format_lifetime(item.lifetime),
            "third_party": False,
            "third_party_access": False,
            "domain": self._own_cookies.domain_of(item),
            "path": "/",
            "partitioned": False,
            "necessity": item.necessity,
            "necessity_words": self._translator.pgettext(
                "why an item is needed", _NECESSITIES[item.necessity]
            ),
            "personal_data": None,
            "holds": self._translator.gettext(holds),
        }

    def _vendor(self, vendor: Vendor) -> Row:
        return {
            "id": vendor.id,
            "name": vendor.name,
            "legal_entity": vendor.legal_entity,
            "role": vendor.role,
            "role_words": self._translator.pgettext("role of a third party", _ROLES[vendor.role]),
            "joint_control": self._localized(vendor.joint_control),
            "category": vendor.category,
            "country": vendor.country,
            "country_name": self._translator.country_name(vendor.country),
            "outside_eea": self._policy.outside_eea(vendor),
            "safeguard": self._safeguard(vendor),
            "profiling": vendor.profiling,
            "data": list(vendor.data),
            "data_words": [self._data_words(term) for term in vendor.data],
            "retention": vendor.retention and _as_written(vendor.retention),
            "retention_words": vendor.retention and self._translator.format_lifetime(vendor.retention),
            "policy_url": vendor.policy_url,
        }

    def _safeguard(self, vendor: Vendor) -> Row | None:
        """Return the safeguard of a transfer, or None if no data leaves the EEA (article 13(1)(f) GDPR)."""
        if vendor.safeguard is None or not self._policy.outside_eea(vendor):
            return None
        safeguard = SAFEGUARDS[vendor.safeguard]
        conditions = [
            name for name in _CONDITIONS if vendor.safeguard == "adequacy" and getattr(vendor, name)
        ]
        return {
            "id": vendor.safeguard,
            "words": self._translator.pgettext(
                "transfer safeguard", SAFEGUARD_WORDS.get(vendor.safeguard, safeguard.label)
            ),
            "articles": list(safeguard.articles),
            "articles_words": [self._article_words(article) for article in safeguard.articles],
            "iri": safeguard.iri,
            "conditions": conditions,
            "conditions_words": [
                self._translator.pgettext("condition of a transfer safeguard", _CONDITIONS[name])
                for name in conditions
            ],
            "copy": vendor.safeguard_copy,
        }

    def _article_words(self, article: str) -> str:
        """Return a reference to an article of the GDPR, such as `46(2)(c)`, in words."""
        number, *parts = re.findall(r"\w+", article)
        values = {"article": number, **dict(zip(("paragraph", "point"), parts, strict=False))}
        letters = _POINTS.get(self._translator.language, ())
        if letters and "point" in values:
            values["point"] = letters["abcdef".index(values["point"])]
        return self._translator.pgettext("reference", _ARTICLES[len(parts)]) % values

    def _data_words(self, term: str) -> str:
        if term in _DATA_KINDS:
            return self._translator.pgettext("kind of data", _DATA_KINDS[term])
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", term).lower()


def _as_written(lifetime: Duration | str) -> str:
    """Return a duration as the policy file writes it, so that readers can compare the two."""
    return (lifetime.written or str(lifetime)) if isinstance(lifetime, Duration) else lifetime
