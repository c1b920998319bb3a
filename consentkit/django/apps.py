"""The Django application `consentkit.django`."""

from importlib import import_module

from django.apps import AppConfig

__all__ = ["ConsentConfig"]


class ConsentConfig(AppConfig):
    """System checks, template tags, the command `manage.py consent` and the page in the admin."""

    name = "consentkit.django"
    label = "consentkit"
    verbose_name = "Cookie consent"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks."""
        import_module("consentkit.django.checks")
