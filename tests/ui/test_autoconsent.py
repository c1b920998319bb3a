"""What automatic clients read: the text heuristics of DuckDuckGo's autoconsent, over our banner in every language."""

import json
import subprocess
from typing import Any

import pytest

from consentkit.policy import Policy
from consentkit.ui.i18n import Translator
from tests.support.languages import LANGUAGES, in_every_language
from tests.support.npm import node_modules
from tests.support.told import EXAMPLE, pages, undecided, view, words

# Its functions are not exported, so that the bundle is run with a line at its end that returns them.
PROGRAM = """
const fs = require("fs"), source = fs.readFileSync(process.argv[1], "utf8"), all = JSON.parse(fs.readFileSync(0, "utf8"));
const functions = "[classifyButtonTextRegex, checkHeuristicPatterns, isExcludedPopup]";
const [classify, detect, isExcluded] = new Function("module", "require", `${source}; return ${functions}`)({}, require);
console.log(JSON.stringify(all.map(([text, labels]) => [detect(text).patterns, isExcluded(text), labels.map(classify)])));
"""
ITS_BANNERS = {"ca", "de", "en", "es", "fr", "it", "nl", "pl", "pt"}
"""Languages in which one of its patterns finds our banner. It has none for most of the others."""
ITS_BUTTONS = {"ca", "de", "en", "es", "fr", "it", "nl", "pl", "pt", "sv"}
"""Languages for which it has patterns of buttons that reject; for Czech it knows one label that accepts something."""
LABELS = ("Accept all", "Accept", "Reject all", "Reject")


@pytest.fixture(scope="module")
def read() -> dict[str, Any]:
    """What autoconsent makes of the banner and of its buttons, by language."""
    policy = Policy.model_validate(in_every_language(EXAMPLE) | {"languages": LANGUAGES})
    made, seen = pages(policy), undecided(policy)
    texts = [
        (
            words(made.banner(view(seen, language))),
            [Translator(language).pgettext("button", one) for one in LABELS],
        )
        for language in LANGUAGES
    ]
    bundle = node_modules() / "@duckduckgo/autoconsent/dist/autoconsent.cjs.js"
    done = subprocess.run(
        ["node", "-e", PROGRAM, bundle], input=json.dumps(texts), capture_output=True, text=True, check=True
    )
    return dict(zip(LANGUAGES, json.loads(done.stdout), strict=True))


def test_the_banner_is_recognised_where_there_are_patterns_for_its_language(read: dict[str, Any]) -> None:
    assert {language for language, (patterns, _, _) in read.items() if patterns} >= ITS_BANNERS
    assert not any(is_excluded for _, is_excluded, _ in read.values())


def test_the_button_that_rejects_is_recognised_and_the_other_is_not_taken_for_it(
    read: dict[str, Any],
) -> None:
    for language, (_, _, buttons) in read.items():
        accept, reject = buttons[:2], buttons[2:]
        assert set(accept) <= {"accept", "other"}, language
        assert set(reject) <= ({"reject"} if language in ITS_BUTTONS else {"reject", "other"}), language
