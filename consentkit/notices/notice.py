"""What visitors are told, known by one digest.

A notice is the policy's disclosure with the owner's texts in all languages. Its *facts* are the same with every text
replaced by short hashes by language: enough to compare, small enough to be kept in `consent.lock` for every notice
that ever was. `changes` compares them.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

from consentkit.policy import Duration, Policy

__all__ = ["Facts", "Notice"]

Facts = Mapping[str, Any]

SHORT = 11
"""Characters of a digest that a cookie carries: 66 bits."""

# What steers the software and says nothing to a visitor.
_TECHNICAL = {
    "policy": ("schema", "adequacy_file"),
    "sites": ("public_key",),
    "vendors": ("origins", "signal"),
    "trackers": ("path", "partitioned"),
}
_TEXTS = {"categories": ("title", "description"), "vendors": ("name",), "trackers": ("purpose",)}


class Notice:
    """A disclosure under its digest: base64url SHA-256 over canonical JSON, 43 characters."""

    def __init__(
        self, digest: str, facts: Facts, content: Facts | None = None, *, published: str | None = None
    ) -> None:
        """Take facts as `consent.lock` keeps them; `content` is the full text where it is known; `published` an ISO date."""
        self.digest = digest
        self.short = digest[:SHORT]
        self.facts = facts
        self.content = content
        self.published = published

    @classmethod
    def of(cls, policy: Policy) -> Self:
        """Make the notice that a policy gives."""
        return cls.from_content(_content(policy))

    @classmethod
    def from_content(cls, content: Facts) -> Self:
        """Make a notice from its full text, as the ledger keeps it."""
        return cls(_digest(content), _facts(content), content)

    @cached_property
    def category_ids(self) -> tuple[str, ...]:
        """The categories that a visitor can answer about, in the notice's order: the bits of a cookie's mask."""
        return tuple(category["id"] for category in self.facts["categories"] if not category["required"])

    @cached_property
    def exempt_ids(self) -> frozenset[str]:
        """Those of them that are on unless the visitor objects."""
        return frozenset(category["id"] for category in self.facts["categories"] if category["exempt"])

    @cached_property
    def vendor_ids(self) -> tuple[str, ...]:
        """The vendors of those categories, in the notice's order."""
        optional = set(self.category_ids)
        return tuple(vendor["id"] for vendor in self.facts["vendors"] if vendor["category"] in optional)

    @cached_property
    def vendor_category(self) -> dict[str, str]:
        """The category that each vendor belonged to under this notice."""
        return {vendor["id"]: vendor["category"] for vendor in self.facts["vendors"]}

    @cached_property
    def validity(self) -> Duration:
        """How long an answer to this notice was said to stand."""
        return Duration.parse(self.facts["validity"])

    def covers_site(self, site_id: str, origin: str) -> bool:
        """Say whether the notice listed that site at that origin (REQUIREMENTS XS-02)."""
        return any(site["id"] == site_id and site["origin"] == origin for site in self.facts["sites"])


def _content(policy: Policy) -> dict[str, Any]:
    """Dump what visitors are told. Absent keys stay absent, so that a key that a later version adds changes no digest."""
    whole = policy.model_dump(mode="json", by_alias=True, exclude_none=True)
    for part, keys in _TECHNICAL.items():
        for row in [whole] if part == "policy" else whole[part]:
            for key in keys:
                row.pop(key, None)
    return whole


def _digest(content: Facts) -> str:
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).rstrip(b"=").decode()


def _facts(content: Facts) -> dict[str, Any]:
    """Replace every text by hashes by language; a vendor's name, which has no language, stands under the empty one."""
    facts = dict(content)
    for part, keys in _TEXTS.items():
        facts[part] = [row | {key: _hashed(row[key]) for key in keys} for row in content[part]]
    return facts


def _hashed(text: str | Mapping[str, str]) -> dict[str, str]:
    texts = {"": text} if isinstance(text, str) else text
    return {language: hashlib.sha256(words.encode()).hexdigest()[:16] for language, words in texts.items()}
