"""Extract the messages for visitors from the sources, and update the catalogue of every language.

    python tools/catalogues.py              run by `make catalogues`
    python tools/catalogues.py --take FILE  also take translations from another catalogue of the same language

A message without a translation, or with a fuzzy one, is listed, and the exit code is 1.
"""

import argparse
import sys
from copy import deepcopy
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

from consentkit.cli.own_catalogues import is_translated, write_below

ROOT = Path(__file__).parents[1]
LOCALES = ROOT / "consentkit/ui/locales"
# What the functions of `consentkit.ui.i18n` take, in Babel's notation: (position, "c") is the context.
KEYWORDS = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "N_": None,
    "gettext_html": None,
    "ngettext_html": (1, 2),
    "pgettext_html": ((1, "c"), 2),
    "NP_": ((1, "c"), 2),
    "NN_": (1, 2),
}


def extract() -> Catalog:
    """Return all messages of the sources, sorted by their text."""
    found = Catalog(fuzzy=False)
    with (ROOT / "babel.cfg").open(encoding="utf-8") as lines:
        methods, options = parse_mapping_cfg(lines)
    for _, _, text, comments, context in extract_from_dir(
        ROOT, methods, options, keywords=KEYWORDS, comment_tags=("Translators:",)
    ):
        found.add(text, None, auto_comments=comments, context=context)
    return found


def take(catalogue: Catalog, other: Catalog) -> None:
    """Take the translations that a catalogue lacks from another one."""
    for message in catalogue:
        if not message.id or is_translated(message):
            continue
        theirs = other.get(message.id, message.context) or other.get(message.id)
        if theirs is not None and is_translated(theirs):
            message.string = theirs.string
            message.flags.discard("fuzzy")


def write(catalogue: Catalog, path: Path) -> None:
    """Write a catalogue below the heading that its file has."""
    heading, _, _ = path.read_text("utf-8").partition("\n\n")
    write_below(heading, catalogue, path)


def main() -> int:
    """Update the template and all catalogues, and return 1 if a translation is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--take", type=Path, action="append", default=[], metavar="FILE")
    others = [read_po(BytesIO(path.read_bytes())) for path in parser.parse_args().take]
    template = extract()
    write(template, LOCALES / "consentkit.pot")
    missing = 0
    for path in sorted(LOCALES.glob("*/LC_MESSAGES/*.po")):
        language = path.parts[-3]
        catalogue = read_po(BytesIO(path.read_bytes()), locale=language)
        # Babel adds new messages as they are, and two languages must not share one.
        catalogue.update(deepcopy(template), no_fuzzy_matching=True)
        for other in others:
            if str(other.locale) == language:
                take(catalogue, other)
        write(catalogue, path)
        for message in catalogue:
            if message.id and not is_translated(message):
                print(f"{language}: no translation of {message.id!r}", file=sys.stderr)
                missing += 1
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
