"""The user interface for visitors: banner, preference centre, policy pages, script."""

from consentkit.ui.embed import figure
from consentkit.ui.fragments import View
from consentkit.ui.pages import Pages
from consentkit.ui.script_tag import ScriptTag

__all__ = ["Pages", "ScriptTag", "View", "figure"]
