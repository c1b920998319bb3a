"""One attacked site in Django, for any WSGI or ASGI server: `tests.support.django_attacked:application` or `:asgi`.

The environment says where the ledger is, and which site of the policy this is.
"""

import os

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from consentkit import Ledger
from consentkit.django import get_consent
from tests.support.attacked import LEDGER, PAGE, Attacked

SITE = "ATTACKED_SITE"

site = Attacked(os.environ[SITE], Ledger(os.environ[LEDGER]))


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(PAGE)


def data(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"distance": 10})


def probe(request: HttpRequest) -> JsonResponse:
    return JsonResponse(site.answers(get_consent(request)))


def move_clock(request: HttpRequest) -> HttpResponse:
    site.clock.offset = float(request.GET["offset"])
    return HttpResponse("moved", content_type="text/plain")


def dump(request: HttpRequest) -> HttpResponse:
    return HttpResponse(site.records(), content_type="text/plain")


def sets(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("set", content_type="text/plain")
    response.set_cookie("lang", "en")
    response.set_cookie("_ga", "1")
    return response


settings.configure(
    SECRET_KEY="a key of an attacked site, which signs nothing",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=(
        path("", page),
        path("api/data", data),
        path("_probe", probe),
        path("_clock", move_clock),
        path("_ledger", dump),
        path("sets", sets),
    ),
    INSTALLED_APPS=["consentkit.django"],
    MIDDLEWARE=["consentkit.django.ConsentMiddleware", "django.middleware.common.CommonMiddleware"],
    CONSENTKIT=site.manager,
)
django.setup()

application = WSGIHandler()
asgi = ASGIHandler()
