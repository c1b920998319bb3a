"""One attacked site in Django, for any WSGI or ASGI server: `tests.support.django_attacked:application` or `:asgi`.

The environment says where the ledger is, and which site of the policy this is.
"""

import json
import os
from dataclasses import asdict

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from consentkit import Ledger
from consentkit.django import get_consent
from tests.support.security_app import DECIDED, KEY, PAGE, POLICY, PRIVATE_KEYS, OffsetClock

LEDGER, SITE = "ATTACKED_LEDGER", "ATTACKED_SITE"

clock = OffsetClock()
ledger = Ledger(os.environ[LEDGER])


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(PAGE)


def data(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"distance": 10})


def probe(request: HttpRequest) -> JsonResponse:
    consent = get_consent(request)
    return JsonResponse({"decided": consent.status in DECIDED, "granted": sorted(consent.granted)})


def move_clock(request: HttpRequest) -> HttpResponse:
    clock.offset = float(request.GET["offset"])
    return HttpResponse("moved", content_type="text/plain")


def dump(request: HttpRequest) -> HttpResponse:
    rows = [json.dumps(asdict(record), default=str) for record in ledger.records()]
    return HttpResponse("".join(f"{row}\n" for row in rows), content_type="text/plain")


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
    CONSENTKIT={
        "policy": POLICY,
        "secret_key": KEY,
        "ledger": ledger,
        "site": os.environ[SITE],
        "clock": clock,
        "private_key": PRIVATE_KEYS[os.environ[SITE]],
    },
)
django.setup()

application = WSGIHandler()
asgi = ASGIHandler()
