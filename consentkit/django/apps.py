"""The Django application `consentkit.django`."""

from django.apps import AppConfig

__all__ = ["ConsentConfig"]


class ConsentConfig(AppConfig):
    """The application of the middleware and the signal."""

    name = "consentkit.django"
    label = "consentkit"
    verbose_name = "Cookie consent"
