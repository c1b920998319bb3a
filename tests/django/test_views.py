import asyncio
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View

from consentkit.django import ConsentRequiredMixin, get_manager, requires_consent
from consentkit.errors import MissingMiddlewareError, UsageError
from consentkit.testing import grant
from tests.support.django_site import DjangoSite


@requires_consent("social", vendor="youtube")
def video(request: HttpRequest) -> HttpResponse:
    return HttpResponse("a video")


@requires_consent("social")
async def avideo(request: HttpRequest) -> HttpResponse:
    return HttpResponse("a video")


class Videos(ConsentRequiredMixin, View):
    consent_category = "social"

    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("a video")


class AsyncVideos(ConsentRequiredMixin, View):
    consent_category, consent_vendor = "social", "youtube"

    async def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("a video")


class Methods(View):
    @requires_consent("social")
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("a video")


@method_decorator(requires_consent("social"), name="dispatch")
class Decorated(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("a video")


VIEWS = [video, avideo, Videos.as_view(), AsyncVideos.as_view(), Methods.as_view(), Decorated.as_view()]


@pytest.mark.parametrize("view", VIEWS, ids=["sync", "async", "class", "async class", "method", "decorated"])
def test_view_runs_only_with_the_consent_that_it_needs(site: DjangoSite, view: Any) -> None:
    route = path("video", view)
    client, aclient = site.client(route), site.aclient(route)
    assert client.get("/video").status_code == 403
    assert asyncio.run(aclient.get("/video")).status_code == 403
    grant(client, get_manager(), "social")
    grant(aclient, get_manager(), "social")
    assert client.get("/video").content == b"a video"
    assert asyncio.run(aclient.get("/video")).content == b"a video"


def test_decorator_and_mixin_used_wrongly_say_how(site: DjangoSite) -> None:
    with pytest.raises(UsageError, match="Videos can have ConsentRequiredMixin"):
        requires_consent("social")(Videos)

    class Empty(ConsentRequiredMixin, View):
        pass

    with pytest.raises(UsageError, match="Empty has ConsentRequiredMixin, but no consent_category"):
        Empty.as_view()(RequestFactory().get("/"))
    with pytest.raises(MissingMiddlewareError, match="was called without a request"):
        video("no request")
