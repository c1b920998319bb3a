"""The sentences and buttons of a placeholder, by the kind of content that it stands for."""

from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from consentkit.ui.i18n import N_, NP_, Translator

__all__ = ["EMBED_KINDS", "EmbedText", "embed_text"]


@dataclass(frozen=True, slots=True)
class EmbedText:
    """The words of a placeholder.

    Attributes:
        about: where the content comes from, and what the third party may do once it is loaded.
        once: the button that loads the content once.
        elsewhere: the link to the content on the third party's own site.
    """

    about: Markup
    once: str
    elsewhere: Markup


# For each kind: the sentences for a third party that builds profiles, those for any other, the button and the link.
_TEXTS = {
    "video": (
        N_(
            "This video comes from %(vendor)s. If you play it, %(vendor)s may store cookies on your device, "
            "read information from it and build a profile of you."
        ),
        N_(
            "This video comes from %(vendor)s. If you play it, %(vendor)s may store cookies on your device "
            "and read information from it."
        ),
        NP_("button of a placeholder", "Play this video"),
        NP_("link of a placeholder", "Watch on %(vendor)s"),
    ),
    "audio": (
        N_(
            "This recording comes from %(vendor)s. If you play it, %(vendor)s may store cookies on your device, "
            "read information from it and build a profile of you."
        ),
        N_(
            "This recording comes from %(vendor)s. If you play it, %(vendor)s may store cookies on your device "
            "and read information from it."
        ),
        NP_("button of a placeholder", "Play this recording"),
        NP_("link of a placeholder", "Listen on %(vendor)s"),
    ),
    "map": (
        N_(
            "This map comes from %(vendor)s. If you show it, %(vendor)s may store cookies on your device, "
            "read information from it and build a profile of you."
        ),
        N_(
            "This map comes from %(vendor)s. If you show it, %(vendor)s may store cookies on your device "
            "and read information from it."
        ),
        NP_("button of a placeholder", "Show this map"),
        NP_("link of a placeholder", "Open in %(vendor)s"),
    ),
    "post": (
        N_(
            "This post comes from %(vendor)s. If you show it, %(vendor)s may store cookies on your device, "
            "read information from it and build a profile of you."
        ),
        N_(
            "This post comes from %(vendor)s. If you show it, %(vendor)s may store cookies on your device "
            "and read information from it."
        ),
        NP_("button of a placeholder", "Show this post"),
        NP_("link of a placeholder", "View on %(vendor)s"),
    ),
    "comments": (
        N_(
            "These comments come from %(vendor)s. If you show them, %(vendor)s may store cookies on your device, "
            "read information from it and build a profile of you."
        ),
        N_(
            "These comments come from %(vendor)s. If you show them, %(vendor)s may store cookies on your device "
            "and read information from it."
        ),
        NP_("button of a placeholder", "Show these comments"),
        NP_("link of a placeholder", "Read on %(vendor)s"),
    ),
    "content": (
        N_(
            "This content comes from %(vendor)s. If you show it, %(vendor)s may store cookies on your device, "
            "read information from it and build a profile of you."
        ),
        N_(
            "This content comes from %(vendor)s. If you show it, %(vendor)s may store cookies on your device "
            "and read information from it."
        ),
        NP_("button of a placeholder", "Show this content"),
        NP_("link of a placeholder", "Open on %(vendor)s"),
    ),
}
EMBED_KINDS: Final = tuple(_TEXTS)
"""What can be embedded; `content` stands for everything else."""


def embed_text(kind: str, vendor: str, translator: Translator, *, profiling: bool) -> EmbedText:
    """Return the words of a placeholder; an unknown kind reads as `content`.

    Args:
        kind: what is embedded.
        vendor: the name of the third party.
        translator: of the visitor's language.
        profiling: whether the third party may build a profile of the visitor.
    """
    with_profile, without_profile, once, elsewhere = _TEXTS.get(kind, _TEXTS["content"])
    return EmbedText(
        about=translator.gettext_html(with_profile if profiling else without_profile, vendor=vendor),
        once=translator.pgettext("button of a placeholder", once),
        elsewhere=translator.pgettext_html("link of a placeholder", elsewhere, vendor=vendor),
    )
