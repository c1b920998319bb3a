"""Ids that are unique, references that lead somewhere, texts in every language."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from consentkit.policy.checks.context import CheckContext, Path
from consentkit.policy.field_types import Texts
from consentkit.policy.findings import Finding

__all__ = ["CHECKS"]


def repeated(values: Iterable[tuple[Path, object]]) -> Iterator[tuple[Path, Path]]:
    """Pair each path whose value was seen before with the path of the first."""
    first: dict[object, Path] = {}
    for path, value in values:
        if value in first:
            yield path, first[value]
        else:
            first[value] = path


def named(path: Path) -> str:
    """Name a row in a message: `vendors[2]`."""
    return f"{path[0]}[{path[1]}]"


def ids_are_unique(context: CheckContext) -> Iterator[Finding]:
    """Within each section."""
    for rows in (context.sites("id"), context.categories("id"), context.vendors("id")):
        for path, first in repeated((path, row.id) for path, row in rows):
            yield Finding((*path, "id"), f"The id is taken by {named(first)}.", "Choose another one.")


def references_lead_somewhere(context: CheckContext) -> Iterator[Finding]:
    """From vendors and trackers to categories, from trackers to vendors."""
    known = {
        "category": [row.id for _, row in context.categories("id")],
        "vendor": [row.id for _, row in context.vendors("id")],
    }
    references: list[tuple[Path, str, str]] = []
    references += ((path, "category", row.category) for path, row in context.vendors("category"))
    references += ((path, "category", row.category) for path, row in context.trackers("category"))
    references += ((path, "vendor", row.vendor) for path, row in context.trackers("vendor") if row.vendor)
    sound = {"category": context.sound("categories"), "vendor": context.sound("vendors")}
    for path, kind, wanted in references:
        if wanted in known[kind] or not sound[kind]:
            continue
        close = get_close_matches(wanted, known[kind], 1)
        listed = ", ".join(known[kind][:20]) or "none"
        remedy = f'Did you mean "{close[0]}"?' if close else f"Declared here: {listed}."
        yield Finding((*path, kind), f"No {kind} has this id.", remedy)


def languages_are_named_once(context: CheckContext) -> Iterator[Finding]:
    """In the list of languages."""
    if context.sound("languages"):
        tags = ((("languages", index), tag) for index, tag in enumerate(context.policy.languages))
        for path, _ in repeated(tags):
            yield Finding(path, "The language is named twice.", "Leave one out.")


def _texts(context: CheckContext) -> Iterator[tuple[Path, Texts]]:
    if context.policy.group and context.sound("group"):
        yield ("group", "name"), context.policy.group.name
    for path, category in context.categories("title"):
        yield (*path, "title"), category.title
    for path, category in context.categories("description"):
        yield (*path, "description"), category.description
    for path, tracker in context.trackers("purpose"):
        yield (*path, "purpose"), tracker.purpose


def texts_have_every_language(context: CheckContext) -> Iterator[Finding]:
    """And no other one."""
    if not context.sound("languages"):
        return
    languages = context.policy.languages
    for path, texts in _texts(context):
        missing = [tag for tag in languages if tag not in texts]
        if missing:
            yield Finding(
                path, f"The text is missing in: {', '.join(missing)}.", "Write it in every language."
            )
        for tag in texts:
            if tag not in languages:
                message = f"The text is in {tag}, which `languages` does not list."
                yield Finding((*path, tag), message, "Add the language to the list, or leave the text out.")


CHECKS = (ids_are_unique, references_lead_somewhere, languages_are_named_once, texts_have_every_language)
