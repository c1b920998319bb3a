"""The sheet of what needs no consent, and why, as each notice disclosed it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup

from consentkit.proof.dossier.notices import name_of
from consentkit.proof.dossier.page import code, facts, page, para, table, texts
from consentkit.proof.dossier.period import Version
from consentkit.proof.dossier.rows import access, basis, duration, kind, necessity, purpose

__all__ = ["exemptions_page"]

_REQUIRED: Final = (
    "Strictly necessary for a service that the visitor explicitly asks for (article 5(3) of the ePrivacy Directive, last "
    "sentence, second case). Visitors are told of it, and cannot turn it off."
)
_EXEMPT: Final = (
    "The site’s own measurement of its audience, exempt from consent by national law (in the Netherlands article 11.7a(3)(b) "
    "Telecommunicatiewet; in France the conditions of the CNIL). The policy is refused unless the figures are the site’s own, "
    "nothing builds profiles, items live at most 13 months and data is kept at most 25 months. Visitors are told of it, "
    "and can object."
)


def exemptions_page(versions: Sequence[Version]) -> str:
    """Return the page, with a section for each version in force whose content is known."""
    parts = [
        para(
            "Consent is needed to store or read anything on a visitor’s device, unless an exemption applies. These are the "
            "exemptions that the controller relies on, with the reason that was given for each item."
        )
    ]
    for version in versions:
        parts.append(Markup("<h2>{}</h2>").format(name_of(version, is_first=True)))
        if version.content is None:
            parts.append(
                para("The content of this notice is not stored, so its exemptions are not listed.", "note")
            )
            continue
        try:
            parts += _sheets(version.content)
        except (KeyError, TypeError, AttributeError, ValueError):
            parts.append(para("What is stored does not have the form of a notice.", "bad"))
    return page("What needs no consent, and why", parts)


def _sheets(content: Mapping[str, Any]) -> list[Markup]:
    free = [row for row in content["categories"] if row["required"] or row["exempt"]]
    if not free:
        return [para("Every purpose needs consent.")]
    parts = []
    for category in free:
        rows = [
            _row(row, content["vendors"])
            for row in (*content["trackers"], *content.get("own_storage", []))
            if row.get("category") == category["id"]
        ]
        vendors = [row["name"] for row in content["vendors"] if row["category"] == category["id"]]
        parts += [
            Markup("<h3>{}</h3>").format(texts(category["title"])),
            facts(
                [
                    ("Purpose", texts(category["description"])),
                    ("Exemption", _REQUIRED if category["required"] else _EXEMPT),
                    ("Ground in the GDPR", basis(category)),
                    ("Third parties", ", ".join(vendors) or "none"),
                ]
            ),
            table(
                "Items without consent",
                ("Name", "Kind", "Kept for", "Access", "What for", "Why it is needed"),
                rows,
            ),
        ]
    return parts


def _row(row: Mapping[str, Any], vendors: Sequence[Mapping[str, Any]]) -> Sequence[object]:
    return (
        code(row["name"]),
        kind(row),
        duration(row["lifetime"]),
        access(row, vendors),
        purpose(row),
        necessity(row),
    )
