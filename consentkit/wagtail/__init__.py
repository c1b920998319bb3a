"""For Wagtail: a middleware that leaves editing and preview alone, and embeds of editors as placeholders.

The settings of a site::

    INSTALLED_APPS = ["consentkit.django", "consentkit.wagtail", "wagtail.embeds", ...]
    MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "consentkit.wagtail.ConsentMiddleware", ...]

`consentkit.wagtail.blocks` has a block for StreamFields. What templates need is in `{% load consent %}`.
"""

from consentkit.wagtail.middleware import ConsentMiddleware

__all__ = ["ConsentMiddleware"]
