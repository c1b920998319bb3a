"""The notice: what the policy discloses to visitors, identified by a digest.

A notice is the policy's disclosure with the owner's texts in all languages. Its *facts* are the same disclosure with a short
hash in the place of every text. They are enough to compare notices, and small enough to keep all of them in `consent.lock`.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

from consentkit.policy import Duration, Policy, own_storage

__all__ = ["Facts", "Notice"]

Facts = Mapping[str, Any]

SHORT = 11
"""Number of characters of a digest that a cookie carries: 66 bits."""

# Keys that only steer the software, and are not disclosed to visitors.
_TECHNICAL = {
    "policy": ("schema", "adequacy_file", "regimes", "regimes_file"),
    "sites": ("public_key",),
    "vendors": ("origins", "signal"),
    "trackers": ("path", "partitioned"),
}
_TEXTS = {
    "categories": ("title", "description"),
    "vendors": ("name", "joint_control"),
    "trackers": ("purpose",),
}


class Notice:
    """A disclosure, identified by the SHA-256 digest of its canonical JSON: 43 characters of base64url."""

    def __init__(
        self, digest: str, facts: Facts, content: Facts | None = None, *, published: str | None = None
    ) -> None:
        """Make a notice whose digest and facts are known; `of` and `from_content` compute them.

        Args:
            digest: of the content.
            facts: as `consent.lock` holds them.
            content: the disclosure with its texts, if known.
            published: the day of publication as an ISO date, if known.
        """
        self.digest = digest
        self.short = digest[:SHORT]
        self.facts = facts
        self.content = content
        self.published = published

    @classmethod
    def of(cls, policy: Policy) -> Self:
        """Make the notice of a policy."""
        return cls.from_content(_dump_content(policy))

    @classmethod
    def from_content(cls, content: Facts) -> Self:
        """Make a notice from the disclosure with its texts, as the ledger stores it."""
        return cls(_hash_content(content), _facts_of(content), content)

    @property
    def regime(self) -> str:
        """Id of the regime that the notice is for; empty for the policy as it was declared."""
        return str(self.facts.get("regime", ""))

    @cached_property
    def category_ids(self) -> tuple[str, ...]:
        """The categories that visitors can decide about, in the notice's order: the bits of a cookie's mask."""
        return tuple(category["id"] for category in self.facts["categories"] if not category["required"])

    @cached_property
    def exempt_ids(self) -> frozenset[str]:
        """The categories that are on until a visitor objects."""
        return frozenset(category["id"] for category in self.facts["categories"] if category["exempt"])

    @cached_property
    def vendor_ids(self) -> tuple[str, ...]:
        """The vendors of the categories that visitors can decide about, in the notice's order."""
        optional = set(self.category_ids)
        return tuple(vendor["id"] for vendor in self.facts["vendors"] if vendor["category"] in optional)

    @cached_property
    def vendor_category(self) -> dict[str, str]:
        """The category of each vendor in this notice."""
        return {vendor["id"]: vendor["category"] for vendor in self.facts["vendors"]}

    @cached_property
    def validity(self) -> Duration:
        """How long decisions under this notice are valid."""
        return Duration.parse(self.facts["validity"])

    def covers_site(self, site_id: str, origin: str) -> bool:
        """Return whether the notice lists a site at an origin (REQUIREMENTS XS-02)."""
        return any(site["id"] == site_id and site["origin"] == origin for site in self.facts["sites"])


def _dump_content(policy: Policy) -> dict[str, Any]:
    """Dump what is disclosed, without absent keys, so that an optional key of a later version changes no digest.

    `own_storage` is what the library stores itself, in codes: its words are the library's, and not part of the notice.
    """
    content = policy.model_dump(mode="json", by_alias=True, exclude_none=True)
    for part, keys in _TECHNICAL.items():
        for row in [content] if part == "policy" else content[part]:
            for key in keys:
                row.pop(key, None)
    if not policy.is_home:
        content["regime"] = policy.regime.id
    content["own_storage"] = [
        {
            "name": item.name,
            "kind": item.kind,
            **({"category": item.category} if item.category else {}),
            "lifetime": str(item.lifetime),
            "necessity": item.necessity,
            "holds": list(item.holds),
        }
        for item in own_storage(policy)
    ]
    return content


def _hash_content(content: Facts) -> str:
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).rstrip(b"=").decode()


def _facts_of(content: Facts) -> dict[str, Any]:
    """Replace every text with its hashes by language; a vendor's name, which has no language, gets the language ""."""
    facts = dict(content)
    for part, keys in _TEXTS.items():
        facts[part] = [
            row | {key: _hash_texts(row[key]) for key in keys if key in row} for row in content[part]
        ]
    return facts


def _hash_texts(text: str | Mapping[str, str]) -> dict[str, str]:
    texts = {"": text} if isinstance(text, str) else text
    return {language: hashlib.sha256(words.encode()).hexdigest()[:16] for language, words in texts.items()}
