"""A notice as rows, from which the pages are rendered, and of which the JSON documents consist."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from consentkit.notices import Notice
from consentkit.policy import SAFEGUARDS, Category, Controller, Duration, Policy, Site, Tracker, Vendor
from consentkit.ui.i18n import N_, Translator

__all__ = ["Disclosure", "Row", "web_address"]

Row = dict[str, Any]

_LEGAL_BASES = {
    "strictly_necessary": N_(
        "Needed for the service that you ask for; no consent is asked (article 5(3) of the ePrivacy Directive)"
    ),
    "exempt": N_(
        "Exempt from consent; you can object (article 5(3) of the ePrivacy Directive and its national law)"
    ),
    "consent": N_("Your consent (article 6(1)(a) GDPR and article 5(3) of the ePrivacy Directive)"),
}
_KINDS = {
    "cookie": N_("Cookie"),
    "local_storage": N_("Local storage"),
    "session_storage": N_("Session storage"),
    "indexed_db": N_("Database in the browser"),
    "cache_storage": N_("Cache storage"),
    "pixel": N_("Tracking pixel"),
    "url_decoration": N_("Mark in links"),
    "fingerprint": N_("Fingerprint of the device"),
    "script": N_("Script that reads the device"),
}
_NECESSITIES = {
    "session": N_("keeps your visit together"),
    "auth": N_("keeps you logged in"),
    "basket": N_("keeps your basket"),
    "load_balancing": N_("spreads visitors over our servers"),
    "security": N_("keeps the service safe"),
    "consent_choice": N_("remembers your choice about cookies"),
    "ui_preference_requested": N_("remembers a setting that you asked for"),
    "media_playback": N_("plays what you asked for"),
}
_ROLES = {
    "controller": N_("Decides for itself what it does with the data (controller)"),
    "joint_controller": N_("Decides together with us what happens with the data (joint controller)"),
    "processor": N_("Works with the data for us alone (processor)"),
}
_SAFEGUARDS = {
    "none_required": N_("None needed within the European Economic Area"),
    "adequacy": N_("Adequacy decision of the European Commission"),
    "scc": N_("Standard contractual clauses of the European Commission"),
    "scc_authority": N_("Standard contractual clauses of a supervisory authority"),
    "bcr": N_("Binding corporate rules"),
    "code_of_conduct": N_("Approved code of conduct"),
    "certification": N_("Approved certification"),
    "ad_hoc_clauses": N_("Contract that a supervisory authority approved"),
}
_CONDITIONS = {
    "dpf_certified": N_("certified under the EU-US Data Privacy Framework"),
    "commercial_org": N_("a commercial organisation under the Canadian PIPEDA"),
}
_DATA_KINDS = {
    "Age": N_("age"),
    "BrowserFingerprint": N_("fingerprint of the browser"),
    "BrowsingBehaviour": N_("browsing behaviour"),
    "BrowsingReferral": N_("the page that you came from"),
    "Country": N_("country"),
    "DeviceBased": N_("data about the device"),
    "DeviceOperatingSystem": N_("operating system"),
    "DeviceSoftware": N_("software of the device"),
    "EmailAddress": N_("e-mail address"),
    "Gender": N_("gender"),
    "Identifier": N_("identifiers"),
    "Interest": N_("interests"),
    "IPAddress": N_("IP address"),
    "Language": N_("language"),
    "Location": N_("location"),
    "Name": N_("name"),
    "Preference": N_("preferences"),
    "Profile": N_("profile"),
    "Purchase": N_("purchases"),
    "SocialMediaCommunication": N_("what you write on social media"),
    "SocialMediaData": N_("data on social media"),
    "UserAgent": N_("kind of browser"),
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

    `origins` replaces, by site id, the policy's origins where a site runs elsewhere, as in development.
    """

    def __init__(
        self,
        policy: Policy,
        notice: Notice,
        language: str,
        translator: Translator,
        origins: Mapping[str, str] | None = None,
    ) -> None:
        self._policy = policy
        self._notice = notice
        self._language = language
        self._translator = translator
        self._origins = origins or {}

    def policy(self) -> Row:
        """Return the cookie policy.

        The keys are `schema`, `language`, `languages`, `notice` (digest), `published` (ISO date or null),
        `jurisdiction`, `controller`, `group`, `validity`, `records_kept` (ISO 8601, each with its words in
        `…_words`), `categories`, `trackers`, `vendors`, `sites` (lists of tables, in the order of the page) and
        `combined` (ids). Ids, codes and durations are the policy file's. `…_words`, `…_name`, titles and purposes
        are for people, in `language` where there is a catalogue, otherwise in English. Keys may be added.
        """
        policy = self._policy
        return self._heading() | {
            "jurisdiction": policy.jurisdiction,
            "jurisdiction_name": self._translator.country_name(policy.jurisdiction),
            "controller": self._controller(policy.controller),
            "records_kept": _as_written(policy.records_kept),
            "records_kept_words": self._translator.format_lifetime(policy.records_kept),
            "categories": [self._category(category) for category in policy.categories],
            "trackers": [
                self._tracker(tracker)
                for category in policy.categories
                for tracker in policy.trackers_of(category.id)
            ],
            "vendors": [
                self._vendor(vendor)
                for category in policy.categories
                for vendor in policy.vendors_of(category.id)
            ],
        }

    def sites(self) -> Row:
        """Return the sites that one answer covers: some keys of the cookie policy, with the same values.

        The keys are `schema`, `language`, `languages`, `notice`, `published`, `group`, `validity`, `validity_words`,
        `sites` and `combined`.
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
            "group": group
            and {
                "id": group.id,
                "name": self._text(group.name),
                "joint_controllers": group.joint_controllers,
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
            "rights_url": controller.rights_url,
            "authority": {"name": controller.authority.name, "url": controller.authority.url},
        }

    def _site(self, site: Site) -> Row:
        return {
            "id": site.id,
            "name": site.name,
            "origin": self._origins.get(site.id, site.origin),
            "controller": site.controller and self._controller(site.controller),
        }

    def _category(self, category: Category) -> Row:
        basis = "strictly_necessary" if category.required else "exempt" if category.exempt else "consent"
        return {
            "id": category.id,
            "title": self._text(category.title),
            "description": self._text(category.description),
            "legal_basis": basis,
            "legal_basis_words": self._translator.gettext(_LEGAL_BASES[basis]),
            "required": category.required,
            "exempt": category.exempt,
            "combines_across_sites": category.combines_across_sites,
            "honours_gpc": self._policy.honours_gpc(category.id),
            "dpv_purposes": list(category.dpv_purposes),
        }

    def _tracker(self, tracker: Tracker) -> Row:
        vendor = tracker.vendor and self._policy.vendor(tracker.vendor)
        return {
            "name": tracker.name,
            "kind": tracker.kind,
            "kind_words": self._translator.gettext(_KINDS[tracker.kind]),
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
            and self._translator.gettext(_NECESSITIES[tracker.necessity]),
            "personal_data": tracker.personal_data,
        }

    def _vendor(self, vendor: Vendor) -> Row:
        return {
            "id": vendor.id,
            "name": vendor.name,
            "legal_entity": vendor.legal_entity,
            "role": vendor.role,
            "role_words": self._translator.gettext(_ROLES[vendor.role]),
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
            "words": self._translator.gettext(_SAFEGUARDS.get(vendor.safeguard, safeguard.label)),
            "articles": list(safeguard.articles),
            "iri": safeguard.iri,
            "conditions": conditions,
            "conditions_words": [self._translator.gettext(_CONDITIONS[name]) for name in conditions],
            "copy": vendor.safeguard_copy,
        }

    def _data_words(self, term: str) -> str:
        if term in _DATA_KINDS:
            return self._translator.gettext(_DATA_KINDS[term])
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", term).lower()


def _as_written(lifetime: Duration | str) -> str:
    """Return a duration as the policy file writes it, so that readers can compare the two."""
    return (lifetime.written or str(lifetime)) if isinstance(lifetime, Duration) else lifetime
