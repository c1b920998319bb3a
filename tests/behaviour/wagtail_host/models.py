from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from wagtail.embeds.blocks import EmbedBlock
from wagtail.fields import StreamField
from wagtail.models import Page
from wagtail.url_routing import RouteResult

from consentkit.django import get_consent
from tests.behaviour.pages import Asked, Stream, reply_to

STREAM = Stream()


class SitePage(Page):
    """The page for every address. It shows the film by Wagtail's own block for embeds."""

    body = StreamField([("film", EmbedBlock())], blank=True)
    template = "wagtail_host/film.html"

    def route(self, request: HttpRequest, path_components: list[str]) -> RouteResult:
        return RouteResult(self)

    def serve(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.path == "/film":
            return super().serve(request, *args, **kwargs)
        fields = {name.lower(): value for name, value in request.headers.items()}
        asked = Asked(request.path, request.COOKIES, fields, lambda: get_consent(request))
        reply = reply_to(asked, STREAM)
        if isinstance(reply.body, Stream):
            return StreamingHttpResponse(reply.body, content_type=reply.type)
        made = HttpResponse(reply.body, reply.type, reply.status, headers=reply.headers)
        for name, value in reply.cookies.items():
            made.set_cookie(name, value, max_age=3600)
        return made
