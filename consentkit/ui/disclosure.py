"""What visitors are told, as rows: the pages are rendered from them, and the JSON documents are them."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from consentkit.notices import Notice
from consentkit.policy import SAFEGUARDS, Category, Controller, Duration, Policy, Site, Tracker, Vendor
from consentkit.ui.i18n import Translator, mark

__all__ = ["Disclosure", "Row", "web_address"]

Row = dict[str, Any]

_BASES = {
    "strictly_necessary": mark(
        "Needed for the service that you ask for; no consent is asked (article 5(3) of the ePrivacy Directive)"
    ),
    "exempt": mark(
        "Exempt from consent; you can object (article 5(3) of the ePrivacy Directive and its national law)"
    ),
    "consent": mark("Your consent (article 6(1)(a) GDPR and article 5(3) of the ePrivacy Directive)"),
}
_KINDS = {
    "cookie": mark("Cookie"),
    "local_storage": mark("Local storage"),
    "session_storage": mark("Session storage"),
    "indexed_db": mark("Database in the browser"),
    "cache_storage": mark("Cache storage"),
    "pixel": mark("Tracking pixel"),
    "url_decoration": mark("Mark in links"),
    "fingerprint": mark("Fingerprint of the device"),
    "script": mark("Script that reads the device"),
}
_NECESSITIES = {
    "session": mark("keeps your visit together"),
    "auth": mark("keeps you logged in"),
    "basket": mark("keeps your basket"),
    "load_balancing": mark("spreads visitors over our servers"),
    "security": mark("keeps the service safe"),
    "consent_choice": mark("remembers your choice about cookies"),
    "ui_preference_requested": mark("remembers a setting that you asked for"),
    "media_playback": mark("plays what you asked for"),
}
_ROLES = {
    "controller": mark("Decides for itself what it does with the data (controller)"),
    "joint_controller": mark("Decides together with us what happens with the data (joint controller)"),
    "processor": mark("Works with the data for us alone (processor)"),
}
_SAFEGUARDS = {
    "none_required": mark("None needed within the European Economic Area"),
    "adequacy": mark("Adequacy decision of the European Commission"),
    "scc": mark("Standard contractual clauses of the European Commission"),
    "scc_authority": mark("Standard contractual clauses of a supervisory authority"),
    "bcr": mark("Binding corporate rules"),
    "code_of_conduct": mark("Approved code of conduct"),
    "certification": mark("Approved certification"),
    "ad_hoc_clauses": mark("Contract that a supervisory authority approved"),
}
_CONDITIONS = {
    "dpf_certified": mark("certified under the EU-US Data Privacy Framework"),
    "commercial_org": mark("a commercial organisation under the Canadian PIPEDA"),
}
_DATA = {
    "Age": mark("age"),
    "BrowserFingerprint": mark("fingerprint of the browser"),
    "BrowsingBehaviour": mark("browsing behaviour"),
    "BrowsingReferral": mark("the page that you came from"),
    "Country": mark("country"),
    "DeviceBased": mark("data about the device"),
    "DeviceOperatingSystem": mark("operating system"),
    "DeviceSoftware": mark("software of the device"),
    "EmailAddress": mark("e-mail address"),
    "Gender": mark("gender"),
    "Identifier": mark("identifiers"),
    "Interest": mark("interests"),
    "IPAddress": mark("IP address"),
    "Language": mark("language"),
    "Location": mark("location"),
    "Name": mark("name"),
    "Preference": mark("preferences"),
    "Profile": mark("profile"),
    "Purchase": mark("purchases"),
    "SocialMediaCommunication": mark("what you write on social media"),
    "SocialMediaData": mark("data on social media"),
    "UserAgent": mark("kind of browser"),
}
"""Terms of the Data Privacy Vocabulary in words; any other term is split at its capitals."""


def web_address(text: str | None) -> str | None:
    """Return an address only if following it cannot run anything: http or https, with a host."""
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
        wording: Translator,
        origins: Mapping[str, str] | None = None,
    ) -> None:
        self._policy = policy
        self._notice = notice
        self._language = language
        self._words = wording
        self._origins = origins or {}

    def policy(self) -> Row:
        """Give the cookie policy.

        A table with the keys `schema`, `language`, `languages`, `notice` (digest), `published` (ISO date or null),
        `jurisdiction`, `controller`, `group`, `validity`, `records_kept` (ISO 8601, each with its words in
        `…_words`), `categories`, `trackers`, `vendors`, `sites` (lists of tables, in the order of the page) and
        `combined` (ids). Ids, codes and durations are the policy file's; `…_words`, `…_name`, titles and purposes
        are for people, in `language` where there is a catalogue and else in English. Keys may be added.
        """
        policy = self._policy
        return self._heading() | {
            "jurisdiction": policy.jurisdiction,
            "jurisdiction_name": self._words.country(policy.jurisdiction),
            "controller": self._controller(policy.controller),
            "records_kept": as_written(policy.records_kept),
            "records_kept_words": self._words.lifetime(policy.records_kept),
            "categories": [self._category(one) for one in policy.categories],
            "trackers": [
                self._tracker(one)
                for category in policy.categories
                for one in policy.trackers_of(category.id)
            ],
            "vendors": [
                self._vendor(one) for category in policy.categories for one in policy.vendors_of(category.id)
            ],
        }

    def sites(self) -> Row:
        """Give the overview of sites that one answer covers: a part of the cookie policy's keys, with the same values.

        `schema`, `language`, `languages`, `notice`, `published`, `group`, `validity`, `validity_words`, `sites` and
        `combined`.
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
            "validity": as_written(policy.validity),
            "validity_words": self._words.lifetime(policy.validity),
            "sites": [self._site(one) for one in policy.sites],
            "combined": [one.id for one in policy.categories if one.combines_across_sites],
        }

    def _text(self, texts: Mapping[str, str]) -> str:
        return self._policy.text(texts, self._language)  # type: ignore[arg-type]  # Texts is a mapping to whoever reads

    def _controller(self, controller: Controller) -> Row:
        return {
            "name": controller.name,
            "address": controller.address,
            "country": controller.country,
            "country_name": self._words.country(controller.country),
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
            "legal_basis_words": self._words.say(_BASES[basis]),
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
            "kind_words": self._words.say(_KINDS[tracker.kind]),
            "category": tracker.category,
            "vendor": tracker.vendor,
            "owner": vendor.name if vendor else self._policy.controller.name,
            "purpose": self._text(tracker.purpose),
            "lifetime": as_written(tracker.lifetime),
            "lifetime_words": self._words.lifetime(tracker.lifetime),
            "third_party": tracker.third_party,
            "third_party_access": tracker.third_party or vendor is not None,
            "domain": tracker.domain,
            "path": tracker.path,
            "partitioned": tracker.partitioned,
            "necessity": tracker.necessity,
            "necessity_words": tracker.necessity and self._words.say(_NECESSITIES[tracker.necessity]),
            "personal_data": tracker.personal_data,
        }

    def _vendor(self, vendor: Vendor) -> Row:
        return {
            "id": vendor.id,
            "name": vendor.name,
            "legal_entity": vendor.legal_entity,
            "role": vendor.role,
            "role_words": self._words.say(_ROLES[vendor.role]),
            "category": vendor.category,
            "country": vendor.country,
            "country_name": self._words.country(vendor.country),
            "outside_eea": self._policy.outside_eea(vendor),
            "safeguard": self._safeguard(vendor),
            "profiling": vendor.profiling,
            "data": list(vendor.data),
            "data_words": [self._data(term) for term in vendor.data],
            "retention": vendor.retention and as_written(vendor.retention),
            "retention_words": vendor.retention and self._words.lifetime(vendor.retention),
            "policy_url": vendor.policy_url,
        }

    def _safeguard(self, vendor: Vendor) -> Row | None:
        """Say what makes the transfer lawful; None where nothing leaves the EEA (GDPR 13(1)(f))."""
        if vendor.safeguard is None or not self._policy.outside_eea(vendor):
            return None
        safeguard = SAFEGUARDS[vendor.safeguard]
        conditions = [
            name for name in _CONDITIONS if vendor.safeguard == "adequacy" and getattr(vendor, name)
        ]
        return {
            "id": vendor.safeguard,
            "words": self._words.say(_SAFEGUARDS.get(vendor.safeguard, safeguard.label)),
            "articles": list(safeguard.articles),
            "iri": safeguard.iri,
            "conditions": conditions,
            "conditions_words": [self._words.say(_CONDITIONS[name]) for name in conditions],
            "copy": vendor.safeguard_copy,
        }

    def _data(self, term: str) -> str:
        if term in _DATA:
            return self._words.say(_DATA[term])
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", term).lower()


def as_written(lifetime: Duration | str) -> str:
    """Give a duration as the policy file has it, so that the two can be compared."""
    return (lifetime.written or str(lifetime)) if isinstance(lifetime, Duration) else lifetime
