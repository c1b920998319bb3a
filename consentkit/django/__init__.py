"""For Django: the application `consentkit.django`, its middleware, and what views need.

The settings of a site::

    INSTALLED_APPS = ["consentkit.django", ...]
    MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "consentkit.django.ConsentMiddleware", ...]
    CONSENTKIT = {"policy": "consent.toml", "ledger": {"database": "default"}}

In a view, `request.consent` is the visitor's consent.
"""

from consentkit.django.middleware import ConsentMiddleware
from consentkit.django.request_head import get_consent
from consentkit.django.signals import consent_changed
from consentkit.django.site import get_manager
from consentkit.django.views import ConsentRequiredMixin, requires_consent

__all__ = [
    "ConsentMiddleware",
    "ConsentRequiredMixin",
    "consent_changed",
    "get_consent",
    "get_manager",
    "requires_consent",
]
