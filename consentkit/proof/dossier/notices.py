"""The pages about notices: what was disclosed, what was sent, what changed, and who was asked again."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from markupsafe import Markup
from pydantic import ValidationError

from consentkit.notices import Change, Lock, compare
from consentkit.policy import Policy
from consentkit.proof.dossier.page import code, day, facts, items, link, moment, page, para, table, texts
from consentkit.proof.dossier.period import Version
from consentkit.proof.dossier.rows import (
    access,
    basis,
    data_kept,
    duration,
    joint_controllers,
    kind,
    purpose,
    vendor_table,
)
from consentkit.proof.dossier.words import SURFACES, Words, pictures_of

__all__ = ["Describe", "changes_page", "folder_of", "notice_page"]

Describe = Callable[[Iterable[Change], Policy], list[str]]
"""Returns a sentence for each change, with its consequence under the new policy."""

_ORDER: Final = list(SURFACES)


def folder_of(version: Version) -> str:
    """Return the folder of a version in the dossier."""
    return f"notices/{version.number:02d}"


def notice_page(version: Version, words: Sequence[Words], hexadecimal: str) -> str:
    """Return the page of a version of the notice.

    Args:
        version: the version.
        words: its renderings in the dossier.
        hexadecimal: SHA-256 of `notice.canonical.json`; empty without that file.
    """
    parts = [_about(version, hexadecimal), Markup("<h2>The words that were sent</h2>"), *_words(words)]
    if version.content is not None:
        parts.append(Markup("<h2>What it discloses</h2>"))
        try:
            parts += _disclosed(version.content)
        except (KeyError, TypeError, AttributeError, ValueError):
            parts += [
                para("What is stored does not have the form of a notice.", "bad"),
                Markup("<pre>{}</pre>").format(json.dumps(version.content, indent=2, ensure_ascii=False)),
            ]
    return page(f"Notice {version.number}", parts, depth=2)


def _about(version: Version, hexadecimal: str) -> Markup:
    use = version.use
    rows: list[tuple[str, object]] = [
        ("Digest", code(version.digest)),
        ("Published", _published(version)),
        ("Replaced", day(version.replaced) or "not by a later notice of the lock file"),
        (
            "Decisions",
            "none in the period"
            if use is None
            else Markup("{:,} records in the period; first {}, last {}").format(
                use.records, moment(use.first), moment(use.last)
            ),
        ),
    ]
    if version.stored is not None:
        rows.append(("As stored", link("notice.json", "notice.json")))
    if hexadecimal:
        rows += [
            ("For checking", link("notice.canonical.json", "notice.canonical.json")),
            ("SHA-256", code(hexadecimal)),
        ]
    return facts(rows) + _remark(version)


def _published(version: Version) -> str:
    found = day(version.published)
    return (
        f"{found}, by the controller’s lock file"
        if found
        else "not in the lock file, so its day is not known"
    )


def _remark(version: Version) -> Markup:
    if not version.is_intact:
        return para(
            "The stored notice does not have the digest under which it is stored. It was changed.", "bad"
        )
    if version.stored is not None:
        return para(
            "The digest is the SHA-256 of notice.canonical.json, written in base64url: the same content as notice.json, with "
            "sorted keys and without white space. Each record has the digest of its notice, so an exchange of the notice shows "
            "as long as the records are as they were: those that a checkpoint covers, from the time of the checkpoint on."
        )
    if version.content is not None:
        return para("No visitor decided under this notice yet. Its text is that of the policy file.", "note")
    return para(
        "The ledger does not hold this notice, because nobody decided under it. The lock file has its facts, with a short hash "
        "in place of each text.",
        "note",
    )


def _words(words: Sequence[Words]) -> list[Markup]:
    if not words:
        return [para("The ledger holds no words of this notice."), _unsent(words)]
    ordered = sorted(words, key=lambda each: (_rank(each.sent.surface), each.sent.language, each.name))
    rows = [
        (
            link(f"words/{each.name}.html", each.heading),
            code(each.sent.surface),
            each.sent.language,
            each.sent.site,
            code(each.sent.id),
            Markup(", ").join(link(f"words/{name}", caption) for caption, name in each.pictures.items()),
            each.decisions,
        )
        for each in ordered
    ]
    parts = [
        para(
            "These are the pages and parts of pages that the server sent, in all languages that visitors used. Each is named "
            "by its own heading. It has several rows where its words depended on earlier answers or on a signal of the browser. "
            "The last column counts the records of the period that have the identifier as rendering."
        ),
        table(
            "Words that were sent",
            ("Page or part", "Surface", "Language", "Site", "Identifier", "Pictures", "Decisions"),
            rows,
        ),
        _unsent(words),
    ]
    seen = set()
    for each in sorted(ordered, key=lambda each: -each.decisions):
        first = (each.sent.language, each.sent.site)
        if each.sent.surface == "banner" and each.pictures and first not in seen:
            seen.add(first)
            parts += [
                Markup("<h3>The banner in “{}” on {}</h3>").format(*first),
                pictures_of(each.pictures, "words/"),
            ]
    return parts


def _unsent(words: Sequence[Words]) -> Markup:
    found = {each.sent.surface for each in words}
    missing = [name for surface, name in SURFACES.items() if surface not in found]
    none = f"No words are stored for: {', '.join(missing)}. " if missing else ""
    return para(
        f"{none}The ledger stores words when they are first sent. Of a page that the table does not name, no sending is "
        "recorded, and nothing here proves what it said. The page with the cookie policy holds the facts of “What it discloses”."
    )


def _rank(surface: str) -> int:
    return _ORDER.index(surface) if surface in _ORDER else len(_ORDER)


def _disclosed(content: Mapping[str, Any]) -> list[Markup]:
    vendors, trackers = content["vendors"], [*content["trackers"], *content.get("own_storage", [])]
    parts = [
        facts(
            [
                ("Controller", _controller(content["controller"])),
                ("Sites", items(f"{site['name']}, {site['origin']}" for site in content["sites"])),
                ("Languages", ", ".join(content["languages"])),
                ("A decision is valid for", duration(content["validity"])),
                (
                    "Records are kept for",
                    f"{duration(content['records_kept'])} after the end of the validity",
                ),
            ]
        )
    ]
    for category in content["categories"]:
        of_category = [vendor for vendor in vendors if vendor["category"] == category["id"]]
        stored = [tracker for tracker in trackers if tracker.get("category") == category["id"]]
        parts += [
            Markup("<h3>{}</h3>").format(texts(category["title"])),
            facts(
                [
                    ("Consent", _consent(category)),
                    ("Ground in the GDPR", basis(category)),
                    ("Purpose", texts(category["description"])),
                    ("Identifier", code(category["id"])),
                    (
                        "Data of all sites is combined",
                        "yes" if category.get("combines_across_sites") else "no",
                    ),
                    ("We keep the data for", category.get("retention") and duration(category["retention"])),
                ]
            ),
        ]
        if of_category:
            parts += [vendor_table(of_category), *joint_controllers(of_category)]
        if stored:
            parts.append(_items(stored, category, vendors))
    return parts


def _items(
    stored: Sequence[Mapping[str, Any]], category: Mapping[str, Any], vendors: Sequence[Mapping[str, Any]]
) -> Markup:
    rows = [
        (
            code(row["name"]),
            kind(row),
            duration(row["lifetime"]),
            data_kept(row, category, vendors),
            access(row, vendors),
            purpose(row),
        )
        for row in stored
    ]
    return table(
        "Stored or read on the device",
        ("Name", "Kind", "On the device for", "Data kept for", "Access", "Purpose"),
        rows,
    )


def _controller(row: Mapping[str, Any]) -> str:
    return f"{row['name']}, {row['address']}, {row['country']}"


def _consent(category: Mapping[str, Any]) -> str:
    if category["required"]:
        return "not needed: strictly necessary, always on"
    return "not needed: exempt, on until the visitor objects" if category["exempt"] else "needed"


def changes_page(versions: Sequence[Version], policy: Policy, lock: Lock, describe: Describe) -> str:
    """Return the page with the differences between consecutive versions, and who had to be asked again."""
    parts = [
        para(
            "A decision covers what its notice disclosed. Visitors are asked again about a purpose whose disclosure grew, and "
            "not about one whose disclosure shrank."
        )
    ]
    for old, new in pairwise(versions):
        title = f"From {name_of(old)} to {name_of(new)}"
        parts += [Markup("<h2>{}</h2>").format(title), _changes(old, new, policy, describe)]
    if len(versions) < 2:
        parts.append(para("There was one version of the notice, and none before it."))
    if lock.editorial:
        rows = [(change.published, change.reason, len(change.texts)) for change in lock.editorial]
        parts += [
            Markup("<h2>Changes of wording alone</h2>"),
            para(
                "The controller declared that these changes left the meaning as it was. Nobody was asked again for them."
            ),
            table("Declared changes of wording", ("Day", "Reason that was given", "Texts"), rows),
        ]
    return page("What changed, and who had to be asked again", parts)


def name_of(version: Version, *, is_first: bool = False) -> str:
    """Return a version as sentences name it, or as the first words of a heading."""
    name = (
        f"{'N' if is_first else 'n'}otice {version.number}"
        if version.number
        else "the version before the period"
    )
    return f"{name} ({day(version.published)})" if version.published else name


def _changes(old: Version, new: Version, policy: Policy, describe: Describe) -> Markup:
    if old.notice is None or new.notice is None:
        return para("They cannot be compared, because one of them is not stored.", "note")
    changes = compare(old.notice, new.notice)
    lines = describe(changes, _policy_of(new, policy))
    if not lines:
        return para(
            "Nothing that visitors are told changed, apart from wording that was declared to mean the same."
        )
    asked = any(change.asks for change in changes)
    return items(lines) + para(
        "Visitors had to be asked again." if asked else "Nobody had to be asked again."
    )


def _policy_of(version: Version, policy: Policy) -> Policy:
    """Return the policy that a notice was made of, as far as the notice tells it, else the policy as it is now."""
    if version.content is None:
        return policy
    data = {key: value for key, value in version.content.items() if key not in ("own_storage", "regime")}
    try:
        return Policy.from_data({"schema": policy.schema_version, **data}, transfer_data=policy.transfer_data)
    except ValidationError:
        return policy
