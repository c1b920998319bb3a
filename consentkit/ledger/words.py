"""The words that were sent: one notice as it was rendered in one language, on one site and surface, by one version."""

import base64
import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Self

from consentkit.ledger.record import check_text

__all__ = ["SentWords"]

_LENGTH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class SentWords:
    """A rendering: the very words that visitors saw when they decided.

    Attributes:
        id: 16 base64url characters of the SHA-256 of all the other attributes. Equal ids mean equal words.
        notice: whole digest of the notice.
        site: id of the site.
        language: BCP 47 tag of the language.
        surface: banner, preferences, policy, sites, footer, embed, confirmation or error.
        version: version of the library.
        html: what was sent. Parts that differ between visitors and requests are placeholders, such as `{next}`.
    """

    id: str
    notice: str
    site: str
    language: str
    surface: str
    version: str
    html: str

    @classmethod
    def of(cls, *, notice: str, site: str, language: str, surface: str, version: str, html: str) -> Self:
        """Return words with their id."""
        values = {
            "notice": notice,
            "site": site,
            "language": language,
            "surface": surface,
            "version": version,
            "html": html,
        }
        canonical = json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        digest = hashlib.sha256(canonical.encode()).digest()
        return cls(id=base64.urlsafe_b64encode(digest).decode()[:_LENGTH], **values)

    def to_row(self) -> dict[str, Any]:
        """Return the row of the table of renderings.

        Raises:
            InvalidDecisionError: a text other than the HTML is too long, or holds what no database stores.
        """
        row = asdict(self)
        for name, value in row.items():
            if name != "html":
                check_text(name, value)
        return row
