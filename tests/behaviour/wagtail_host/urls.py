from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from wagtail import urls as wagtail_urls
from wagtail.admin import urls as wagtailadmin_urls

from consentkit.django import requires_consent


@requires_consent("social", vendor="youtube")
def comments(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Nice run.", content_type="text/plain")


urlpatterns = [
    path("admin/", include(wagtailadmin_urls)),
    path("comments", comments),
    path("", include(wagtail_urls)),
]
