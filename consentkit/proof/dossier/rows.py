"""Words for the rows of a notice: what an item is, what it holds, how long it is kept, and why it is needed."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from markupsafe import Markup

from consentkit.proof.dossier.page import texts

__all__ = ["access", "duration", "kind", "necessity", "purpose", "safeguard"]

_DURATION: Final = re.compile(
    r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.ASCII
)
_UNITS: Final = ("year", "month", "week", "day", "hour", "minute", "second")
_NECESSITIES: Final[Mapping[str, str]] = {
    "session": "recognises the visitor during the visit",
    "auth": "keeps the visitor logged in",
    "basket": "remembers what is in the basket",
    "load_balancing": "spreads the load across servers",
    "security": "keeps the service secure",
    "consent_choice": "remembers the visitor’s choice about cookies",
    "ui_preference_requested": "remembers a setting that the visitor chose",
    "media_playback": "plays what the visitor asked for",
}
_SAFEGUARDS: Final[Mapping[str, str]] = {
    "none_required": "none needed, within the European Economic Area",
    "adequacy": "adequacy decision of the European Commission",
    "scc": "standard contractual clauses of the European Commission",
    "scc_authority": "standard contractual clauses of a supervisory authority",
    "bcr": "binding corporate rules",
    "code_of_conduct": "approved code of conduct",
    "certification": "approved certification",
    "ad_hoc_clauses": "contract approved by a supervisory authority",
    "art49_explicit_consent": "explicit consent, article 49 GDPR",
}
_HOLDS: Final[Mapping[str, str]] = {
    "choice": "the choice",
    "time": "when it was made",
    "notice": "the version of the notice",
    "pseudonym": "a random number while something is allowed",
    "signature": "a signature against changes",
    "random_number": "a random number",
    "site": "the other site",
    "path": "the page to return to",
    "event": "what the visitor just did",
}


def duration(text: object) -> str:
    """Return an ISO 8601 duration in words; any other text stays as it is."""
    if text == "session":
        return "the visit"
    found = _DURATION.fullmatch(str(text))
    amounts = [] if found is None else [each or "" for each in found.groups()]
    words = [
        f"{amount} {unit}{'' if amount == '1' else 's'}"
        for amount, unit in zip(amounts, _UNITS, strict=False)
        if amount
    ]
    return ", ".join(words) or str(text)


def kind(row: Mapping[str, Any]) -> str:
    """Return how an item is stored or read."""
    return str(row["kind"]).replace("_", " ")


def access(row: Mapping[str, Any], vendors: Iterable[Mapping[str, Any]]) -> str:
    """Return who has access to an item."""
    found = row.get("vendor")
    names = [str(vendor["name"]) for vendor in vendors if found is not None and vendor["id"] == found]
    return names[0] if names else str(found or "the site alone")


def purpose(row: Mapping[str, Any]) -> Markup | str:
    """Return what an item is for; an item of the library tells what it holds."""
    if "purpose" in row:
        return texts(row["purpose"])
    return f"consentkit’s own; holds {', '.join(_HOLDS.get(each, each) for each in row['holds'])}"


def safeguard(row: Mapping[str, Any]) -> str:
    """Return the ground on which data goes to a third party's country."""
    found = str(row.get("safeguard", "none_required"))
    return _SAFEGUARDS.get(found, found)


def necessity(row: Mapping[str, Any]) -> str:
    """Return why an item needs no consent."""
    found = row.get("necessity")
    return _NECESSITIES.get(found, str(found)) if found else "the site’s own measurement"
