"""The user interface for visitors: banner, settings page, policy pages, script."""

from consentkit.ui.assets import inline_style, shipped_assets
from consentkit.ui.carry_text import CarriedChoice
from consentkit.ui.confirmation import Confirmation
from consentkit.ui.embed import figure
from consentkit.ui.embed_page import EmbeddedContent
from consentkit.ui.embed_text import EMBED_KINDS
from consentkit.ui.error_text import ErrorTopic
from consentkit.ui.fragments import View
from consentkit.ui.i18n import Translator
from consentkit.ui.loader import Loader
from consentkit.ui.pages import Pages
from consentkit.ui.script_tag import ScriptTag, extra_tag

__all__ = [
    "EMBED_KINDS",
    "CarriedChoice",
    "Confirmation",
    "EmbeddedContent",
    "ErrorTopic",
    "Loader",
    "Pages",
    "ScriptTag",
    "Translator",
    "View",
    "extra_tag",
    "figure",
    "inline_style",
    "shipped_assets",
]
