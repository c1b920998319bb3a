"""Words for the rows of a notice: what an item is, what it holds, how long it is kept, and why it is needed."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from markupsafe import Markup

from consentkit.proof.dossier.page import facts, table, texts

__all__ = [
    "access",
    "basis",
    "data_kept",
    "duration",
    "joint_controllers",
    "kind",
    "necessity",
    "purpose",
    "safeguard",
    "vendor_table",
]

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
_BASES: Final[Mapping[str, str]] = {
    "consent": "consent, article 6(1)(a)",
    "contract": "contract, article 6(1)(b)",
    "legal_obligation": "legal obligation, article 6(1)(c)",
    "legitimate_interests": "legitimate interests, article 6(1)(f)",
}
_CONDITIONS: Final[Mapping[str, str]] = {
    "dpf_certified": "on the Data Privacy Framework list",
    "commercial_org": "subject to PIPEDA",
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


def basis(category: Mapping[str, Any]) -> str:
    """Return the ground in the GDPR for what a category does."""
    is_asked = not category["required"] and not category["exempt"]
    found = "consent" if is_asked else str(category.get("gdpr_basis", "legitimate_interests"))
    return _BASES.get(found, found)


def data_kept(
    row: Mapping[str, Any], category: Mapping[str, Any], vendors: Iterable[Mapping[str, Any]]
) -> str:
    """Return how long the data that an item leads to is kept: by its third party, else by the site."""
    found = row.get("vendor")
    owner = category if found is None else next((each for each in vendors if each["id"] == found), {})
    return duration(owner["retention"]) if "retention" in owner else "not stated"


def safeguard(row: Mapping[str, Any]) -> str:
    """Return the ground on which data goes to a third party's country, its conditions, and where a copy is."""
    found = str(row.get("safeguard", "none_required"))
    conditions = [
        words if row[name] else f"not {words}"
        for name, words in _CONDITIONS.items()
        if row.get(name) is not None
    ]
    copy = [f"copy: {row['safeguard_copy']}"] if row.get("safeguard_copy") else []
    return "; ".join([_SAFEGUARDS.get(found, found), *conditions, *copy])


def vendor_table(vendors: Iterable[Mapping[str, Any]]) -> Markup:
    """Return the third parties of a category."""
    rows = [
        (
            f"{row['name']} ({row['legal_entity']})" if row.get("legal_entity") else str(row["name"]),
            row["country"],
            safeguard(row),
            str(row.get("role", "controller")).replace("_", " "),
            ", ".join(row.get("data", ())) or "not stated",
            duration(row["retention"]) if "retention" in row else "not stated",
            "yes" if row["profiling"] else "no",
            row["policy_url"],
        )
        for row in vendors
    ]
    columns = ("Name", "Country", "Ground of the transfer", "Role", "Kinds of data", "Keeps the data for")
    return table("Third parties", (*columns, "Profiles", "Privacy policy"), rows)


def joint_controllers(vendors: Iterable[Mapping[str, Any]]) -> list[Markup]:
    """Return the essence of the arrangement with each third party that is a joint controller."""
    joint = [row for row in vendors if row.get("role") == "joint_controller"]
    if not joint:
        return []
    return [
        Markup("<p>Essence of the arrangement with joint controllers (article 26(2) GDPR):</p>"),
        facts((str(row["name"]), texts(row.get("joint_control", "not stated"))) for row in joint),
    ]


def necessity(row: Mapping[str, Any]) -> str:
    """Return why an item needs no consent."""
    found = row.get("necessity")
    return _NECESSITIES.get(found, str(found)) if found else "the site’s own measurement"
