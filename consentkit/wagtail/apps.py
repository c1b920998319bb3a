"""The Django application `consentkit.wagtail`."""

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Warning, register

__all__ = ["WagtailConsentConfig", "check_order"]


class WagtailConsentConfig(AppConfig):
    """The template that shows embeds as placeholders."""

    name = "consentkit.wagtail"
    label = "consentkit_wagtail"
    verbose_name = "Cookie consent in Wagtail"


@register("consentkit")
def check_order(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """Check that the template for embeds is found before Wagtail's own."""
    apps = list(settings.INSTALLED_APPS)
    if "wagtail.embeds" in apps and apps.index("wagtail.embeds") < apps.index("consentkit.wagtail"):
        message = "wagtail.embeds comes before consentkit.wagtail, so embeds in pages load without consent."
        hint = "Move 'consentkit.wagtail' in front of it in INSTALLED_APPS."
        return [Warning(message, hint=hint, id="consentkit.W030")]
    return []
