"""Whether ids are unique, references lead somewhere, and texts are written in every language."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from consentkit.policy.checks.context import CheckContext
from consentkit.policy.field_types import Texts
from consentkit.policy.findings import Finding, KeyPath

__all__ = ["CHECKS", "repeated"]

_LISTED = 20
"""Ids that a message lists at most."""


def repeated(values: Iterable[tuple[KeyPath, object]]) -> Iterator[tuple[KeyPath, KeyPath]]:
    """Yield the path of each value that occurred before, with the path of its first occurrence."""
    first_paths: dict[object, KeyPath] = {}
    for path, value in values:
        if value in first_paths:
            yield path, first_paths[value]
        else:
            first_paths[value] = path


def ids_are_unique(context: CheckContext) -> Iterator[Finding]:
    """An id belongs to a single site, category or vendor."""
    for rows in (context.sites("id"), context.categories("id"), context.vendors("id")):
        for path, first in repeated((path, row.id) for path, row in rows):
            yield Finding(
                (*path, "id"), f"The id is already used by {first[0]}[{first[1]}].", "Choose another id."
            )


def references_lead_somewhere(context: CheckContext) -> Iterator[Finding]:
    """The categories and vendors that rows refer to are declared."""
    known_ids = {
        "category": [category.id for _, category in context.categories("id")],
        "vendor": [vendor.id for _, vendor in context.vendors("id")],
    }
    references: list[tuple[KeyPath, str, str]] = []
    references += ((path, "category", vendor.category) for path, vendor in context.vendors("category"))
    references += ((path, "category", tracker.category) for path, tracker in context.trackers("category"))
    references += (
        (path, "vendor", tracker.vendor) for path, tracker in context.trackers("vendor") if tracker.vendor
    )
    complete = {"category": context.is_valid("categories"), "vendor": context.is_valid("vendors")}
    for path, kind, row_id in references:
        if row_id in known_ids[kind] or not complete[kind]:
            continue
        close = get_close_matches(row_id, known_ids[kind], 1)
        listed_ids = ", ".join(known_ids[kind][:_LISTED]) or "none"
        remedy = f'Did you mean "{close[0]}"?' if close else f"The policy declares: {listed_ids}."
        yield Finding((*path, kind), f"No {kind} has this id.", remedy)


def languages_are_listed_once(context: CheckContext) -> Iterator[Finding]:
    """Every language of the policy is listed once."""
    if context.is_valid("languages"):
        tags = ((("languages", index), tag) for index, tag in enumerate(context.policy.languages))
        for path, _ in repeated(tags):
            yield Finding(path, "The language is listed twice.", "Remove it.")


def _texts(context: CheckContext) -> Iterator[tuple[KeyPath, Texts]]:
    for path, value in _localized(context):
        if isinstance(value, Texts):
            yield path, value
    if context.policy.group and context.is_valid("group"):
        yield ("group", "name"), context.policy.group.name
    for path, category in context.categories("title"):
        yield (*path, "title"), category.title
    for path, category in context.categories("description"):
        yield (*path, "description"), category.description
    for path, tracker in context.trackers("purpose"):
        yield (*path, "purpose"), tracker.purpose


def _localized(context: CheckContext) -> Iterator[tuple[KeyPath, str | Texts | None]]:
    """Yield the values that are a URL or a table by language, and absent ones."""
    if context.is_valid("controller", "privacy_policy"):
        yield ("controller", "privacy_policy"), context.policy.controller.privacy_policy
    for path, site in context.sites("controller"):
        if site.controller is not None:
            yield (*path, "controller", "privacy_policy"), site.controller.privacy_policy
    if context.policy.group and context.is_valid("group", "joint_control"):
        yield ("group", "joint_control"), context.policy.group.joint_control
    for path, vendor in context.vendors("joint_control"):
        yield (*path, "joint_control"), vendor.joint_control


def texts_have_every_language(context: CheckContext) -> Iterator[Finding]:
    """Every text is written in every language of the policy, and in no other."""
    if not context.is_valid("languages"):
        return
    languages = context.policy.languages
    for path, texts in _texts(context):
        missing = [tag for tag in languages if tag not in texts]
        if missing:
            yield Finding(path, f"The text is missing in: {', '.join(missing)}.", "Add the translation.")
        for tag in texts:
            if tag not in languages:
                message = f"The text is written in {tag}, which `languages` does not list."
                yield Finding((*path, tag), message, "Add the language to the list, or remove the text.")


CHECKS = (ids_are_unique, references_lead_somewhere, languages_are_listed_once, texts_have_every_language)
