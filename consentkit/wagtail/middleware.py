"""The middleware for Wagtail."""

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from consentkit.django import ConsentMiddleware as DjangoMiddleware

__all__ = ["ConsentMiddleware"]


class ConsentMiddleware(DjangoMiddleware):
    """Does what Django's middleware does, but leaves the pages of editors without a banner: Wagtail's admin and previews."""

    def shows_banner(self, request: HttpRequest) -> bool:
        """Return whether a page is for visitors."""
        if getattr(request, "is_preview", False):
            return False
        try:
            return not request.path.startswith(reverse("wagtailadmin_home"))
        except NoReverseMatch:
            return True
