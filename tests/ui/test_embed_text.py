import pytest

from consentkit.ui.embed_text import EMBED_KINDS, embed_text
from consentkit.ui.i18n import Translator


@pytest.mark.parametrize(
    ("kind", "about", "once", "elsewhere"),
    [
        ("video", "This video comes from Tube. If you play it, Tube may", "Play this video", "Watch on Tube"),
        ("audio", "This recording comes from Tube. If you play it,", "Play this recording", "Listen on Tube"),
        ("map", "This map comes from Tube. If you show it, Tube may", "Show this map", "Open in Tube"),
        ("post", "This post comes from Tube. If you show it, Tube may", "Show this post", "View on Tube"),
        (
            "comments",
            "These comments come from Tube. If you show them,",
            "Show these comments",
            "Read on Tube",
        ),
        ("content", "This content comes from Tube. If you show it,", "Show this content", "Open on Tube"),
        ("unknown", "This content comes from Tube. If you show it,", "Show this content", "Open on Tube"),
    ],
)
def test_a_placeholder_has_words_for_its_kind_of_content(
    kind: str, about: str, once: str, elsewhere: str
) -> None:  # LB-10
    text = embed_text(kind, "Tube", Translator("en"), profiling=True)
    assert text.about.startswith(about)
    assert (text.once, text.elsewhere) == (once, elsewhere)


@pytest.mark.parametrize("language", ["en", "nl"])
@pytest.mark.parametrize("kind", EMBED_KINDS)
def test_a_placeholder_mentions_a_profile_only_if_one_may_be_built(kind: str, language: str) -> None:  # IN-04
    profiling, other = (
        embed_text(kind, "Tube", Translator(language), profiling=value).about for value in (True, False)
    )
    word = "profile" if language == "en" else "profiel"
    assert word in profiling and word not in other
    assert profiling.endswith(".") and other.endswith(".")
