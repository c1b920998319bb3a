"""Responses to views whose consent is missing, or that decided while too many decisions wait."""

from django.http import HttpRequest, HttpResponse
from django.template import TemplateDoesNotExist
from django.template.loader import get_template

from consentkit.django.request_head import exchange_of
from consentkit.django.response_headers import http_response
from consentkit.errors import ConsentRequiredError
from consentkit.headers import own_path
from consentkit.web import Endpoints, refusal

__all__ = ["TEMPLATE", "busy_response", "refusal_response"]

TEMPLATE = "consentkit/consent_required.html"
"""A template of the site that replaces the library's page."""


def refusal_response(request: HttpRequest, missing: ConsentRequiredError) -> HttpResponse:
    """Return the 403 response for a view: the site's own template or the library's page, or a problem document for a program.

    The template gets `category`, `vendor` (or None) and `preferences`, the address of the settings.
    """
    exchange = exchange_of(request)
    refused = refusal(exchange, missing.category, missing.vendor)
    if dict(refused.headers)[b"content-type"].startswith(b"text/html"):
        try:
            template = get_template(TEMPLATE)
        except TemplateDoesNotExist:
            pass
        else:
            preferences = own_path(exchange.head.root_path, exchange.site.manager.prefix)
            context = {"category": missing.category, "vendor": missing.vendor, "preferences": preferences}
            return HttpResponse(template.render(context, request), status=refused.status)
    return http_response(refused, refused.headers)


def busy_response(request: HttpRequest, endpoints: Endpoints) -> HttpResponse:
    """Return the 503 response for a view that decided while too many decisions wait for the ledger."""
    busy = endpoints.busy(exchange_of(request))
    return http_response(busy, busy.headers)
