"""The middleware in Django, in sync and async form: what is asked, remembered, hidden, refused, and answered by the library."""

import asyncio
import json
from gzip import decompress
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import AsyncClient, Client, RequestFactory
from django.urls import path
from django.views.decorators.gzip import gzip_page
from starlette.testclient import TestClient

from consentkit.asgi import ConsentMiddleware as AsgiMiddleware
from consentkit.django import ConsentMiddleware, get_consent
from consentkit.errors import ConsentRequiredError, LedgerBusyError, MissingMiddlewareError
from consentkit.web import Exchange
from consentkit.wsgi import ConsentMiddleware as WsgiMiddleware
from tests.support.django_site import CONSENT, EVERY_MIDDLEWARE, TEMPLATES, DjangoSite, page
from tests.support.front import COMPANION, COOKIE, EVERYTHING

BANNER = b'id="cookie-consent"'
FORM = "application/x-www-form-urlencoded"
HTML = {"accept": "text/html"}


def probe(request: HttpRequest) -> JsonResponse:
    consent = get_consent(request)
    return JsonResponse({"status": consent.status, "granted": sorted(consent.granted)})


async def aprobe(request: HttpRequest) -> JsonResponse:
    return probe(request)


def sets(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("set", content_type="text/plain")
    response.set_cookie("lang", "en")
    response.set_cookie("_ga", "1")
    return response


def shows(request: HttpRequest) -> JsonResponse:
    raw = getattr(request, "scope", {}).get("headers", ())
    return JsonResponse(
        {
            "cookies": sorted(request.COOKIES),
            "field": request.META.get("HTTP_COOKIE", ""),
            "header": request.headers.get("cookie", ""),
            "tags": request.headers.get("if-none-match", ""),
            "raw": [value.decode() for name, value in raw if name == b"cookie" and value],
        }
    )


def needs(request: HttpRequest) -> HttpResponse:
    raise ConsentRequiredError("social", "youtube")


async def aneeds(request: HttpRequest) -> HttpResponse:
    raise ConsentRequiredError("social")


def busy(request: HttpRequest) -> HttpResponse:
    raise LedgerBusyError("Too many decisions wait.")


def fails(request: HttpRequest) -> HttpResponse:
    raise ValueError("a mistake of the view")


def decide(client: Client, **categories: bool) -> Any:
    document = {"categories": categories or EVERYTHING}
    return client.post("/consent/decision", document, content_type="application/json")


async def adecide(client: AsyncClient) -> Any:
    return await client.post("/consent/decision", {"categories": EVERYTHING}, content_type="application/json")


def test_page_gets_the_banner_and_its_length(site: DjangoSite) -> None:
    response = site.client().get("/")
    assert BANNER in response.content
    assert response["Content-Length"] == str(len(response.content))
    assert response["Cache-Control"] == "private, no-cache"
    assert response["Content-Type"] == "text/html; charset=utf-8"


def test_decision_is_remembered_obeyed_and_withdrawn(site: DjangoSite) -> None:
    client = site.client(sets, probe)
    assert list(client.get("/sets").cookies) == ["lang"]
    given = decide(client)
    assert (given.status_code, given.json()["status"]) == (200, "given")
    assert given.cookies[COOKIE]["httponly"] and given.cookies[COOKIE]["samesite"] == "Lax"
    assert given.cookies[COMPANION]["path"] == "/"
    assert client.get("/probe").json() == {"status": "given", "granted": sorted(EVERYTHING)}
    assert BANNER not in client.get("/").content
    assert list(client.get("/sets").cookies) == ["lang", "_ga"]
    assert client.delete("/consent/decision").json()["status"] == "withdrawn"
    assert client.get("/probe").json() == {"status": "withdrawn", "granted": []}
    assert list(client.get("/sets").cookies) == ["lang"]
    assert [record.event for record in site.records()] == ["given", "withdrawn"]


def test_async_site_does_the_same_on_the_event_loop(site: DjangoSite) -> None:
    async def visit() -> None:
        client = site.aclient(sets, aprobe)
        assert BANNER in (await client.get("/")).content
        assert list((await client.get("/sets")).cookies) == ["lang"]
        assert (await adecide(client)).json()["status"] == "given"
        assert (await client.get("/aprobe")).json()["granted"] == sorted(EVERYTHING)
        assert list((await client.get("/sets")).cookies) == ["lang", "_ga"]
        assert (await client.get("/consent")).status_code == 200

    asyncio.run(visit())
    assert [record.event for record in site.records()] == ["given"]


def test_token_of_another_process_is_looked_up_before_the_view(site: DjangoSite) -> None:
    client = site.client(probe)
    decide(client)
    token = client.cookies[COOKIE].value
    ledger = site.manager.ledger
    site.configure(ledger=ledger)
    assert site.manager.revocations is not None

    async def avisit() -> Any:
        aclient = site.aclient(probe)
        aclient.cookies[COOKIE] = token
        return await aclient.get("/probe")

    assert asyncio.run(avisit()).json()["status"] == "given"
    site.configure(ledger=ledger)
    again = site.client(probe)
    again.cookies[COOKIE] = token
    assert again.get("/probe").json()["status"] == "given"


def test_cookies_and_tags_without_consent_are_hidden_from_the_view(site: DjangoSite) -> None:
    headers = {"cookie": "lang=en; _ga=1", "if-none-match": 'W/"a~ck.other"'}
    seen = site.client(shows).get("/shows", headers=headers).json()
    assert seen == {"cookies": ["lang"], "field": "lang=en", "header": "lang=en", "tags": "", "raw": []}
    aseen = asyncio.run(site.aclient(shows).get("/shows", headers=headers)).json()
    assert aseen == seen | {"raw": ["lang=en"]}


def test_cookies_are_hidden_though_middleware_around_has_read_them(site: DjangoSite) -> None:
    site.changes.MIDDLEWARE = [f"{__name__}.reads_cookies", CONSENT]
    seen = site.client(shows).get("/shows", headers={"cookie": "_ga=1", "if-none-match": '"a~ck.other"'})
    assert seen.json()["cookies"] == []
    # The middleware around may still compare the tag of the response with what the browser sent.
    assert seen["Tag-Sent"] == '"a~ck.other"'


def reads_cookies(get_response: Any) -> Any:
    def middleware(request: HttpRequest) -> Any:
        assert request.COOKIES
        response = get_response(request)
        response["Tag-Sent"] = request.META["HTTP_IF_NONE_MATCH"]
        return response

    return middleware


@pytest.mark.parametrize("view", [needs, aneeds])
def test_view_whose_consent_is_missing_is_refused(site: DjangoSite, view: Any) -> None:
    for headers, content_type in ((HTML, "text/html; charset=utf-8"), ({}, "application/problem+json")):
        address = f"/{view.__name__}"
        response = site.client(view).get(address, headers=headers)
        aresponse = asyncio.run(site.aclient(view).get(address, headers=headers))
        for refused in (response, aresponse):
            assert (refused.status_code, refused["Content-Type"]) == (403, content_type)
            assert refused["Content-Length"] == str(len(refused.content))
    assert response.json()["category"] == "social"


def test_site_has_a_template_of_its_own_for_refusals(site: DjangoSite, tmp_path: Any) -> None:
    (tmp_path / "consentkit").mkdir()
    text = "<!doctype html><html><body>{{ category }} {{ vendor }} {{ preferences }}</body></html>"
    (tmp_path / "consentkit/consent_required.html").write_text(text)
    site.changes.TEMPLATES = [TEMPLATES | {"DIRS": [tmp_path]}]
    refused = site.client(needs).get("/needs", headers=HTML)
    assert refused.status_code == 403
    assert b"social youtube /consent" in refused.content and BANNER in refused.content
    assert site.client(needs).get("/needs").json()["vendor"] == "youtube"


def test_decision_of_a_view_while_too_many_wait_is_503(site: DjangoSite) -> None:
    response = site.client(busy).get("/busy")
    assert (response.status_code, response["Retry-After"]) == (503, "5")


def test_other_errors_of_a_view_are_djangos(site: DjangoSite) -> None:
    client = site.client(fails, raise_request_exception=False)
    assert client.get("/fails").status_code == 500


def test_too_many_decisions_are_refused_without_a_thread(
    site: DjangoSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consentkit.web.threads.MOST_WAITING", 0)
    assert asyncio.run(adecide(site.aclient())).status_code == 503
    assert site.records() == []


def test_head_has_the_headers_of_the_page(site: DjangoSite) -> None:
    client = site.client()
    own = client.head("/consent")
    assert (own.status_code, own.content) == (200, b"")
    assert int(own["Content-Length"]) > 1000
    assert "Content-Length" not in client.head("/")


def test_redirect_of_a_form_sets_its_cookies(site: DjangoSite) -> None:
    form = {"choice": "accept_all", "notice": site.manager.notice.digest, "next": "/probe"}
    answer = site.client(probe).post("/consent/decision", urlencode(form), content_type=FORM, follow=True)
    assert answer.redirect_chain == [("/probe", 303)]
    assert answer.json()["status"] == "given"


@pytest.mark.parametrize(("length", "status"), [("2", 400), ("400", 400), ("20000", 413), ("", 400)], ids=str)
def test_body_that_is_cut_off_or_too_large_decides_nothing(
    site: DjangoSite, length: str, status: int
) -> None:
    environ = {"wsgi.input": BytesIO(b"{}"), "CONTENT_LENGTH": length, "CONTENT_TYPE": "application/json"}
    response = site.client().generic("POST", "/consent/decision", **environ)
    assert response.status_code == status
    assert site.records() == []


def test_decision_counts_though_middleware_around_has_read_the_body(site: DjangoSite) -> None:
    site.changes.MIDDLEWARE = [f"{__name__}.reads_body", CONSENT]
    assert decide(site.client()).status_code == 200


def reads_body(get_response: Any) -> Any:
    def middleware(request: HttpRequest) -> Any:
        assert request.POST is not None and len(request.body) >= 0
        return get_response(request)

    return middleware


def test_every_middleware_of_a_new_project_goes_along(site: DjangoSite, db: None) -> None:
    site.changes.MIDDLEWARE = EVERY_MIDDLEWARE
    client = site.client(sets, probe, enforce_csrf_checks=True)
    assert decide(client).status_code == 200
    assert client.get("/probe").json()["status"] == "given"
    assert client.get("/sets")["X-Content-Type-Options"] == "nosniff"


def test_paths_are_decoded_once_and_lead_back(site: DjangoSite) -> None:
    client = site.client(path("café/", page))
    response = client.get("/caf%C3%A9/?a=1", SCRIPT_NAME="/shop")
    assert b'value="/shop/caf%C3%A9/?a=1"' in response.content
    assert b'src="/shop/consent/assets/' in response.content
    assert client.get("/consent", SCRIPT_NAME="/shop").status_code == 200


def test_address_below_a_root_path_under_asgi(site: DjangoSite, db: None) -> None:
    site.client()
    response = TestClient(ASGIHandler(), root_path="/shop").get("/")
    assert 'src="/shop/consent/assets/' in response.text


def test_middleware_twice_does_its_work_once(site: DjangoSite) -> None:
    site.changes.MIDDLEWARE = [CONSENT, CONSENT]
    assert site.client().get("/").content.count(BANNER) == 1
    assert asyncio.run(site.aclient().get("/")).content.count(BANNER) == 1


def test_wsgi_middleware_around_django_does_the_work(site: DjangoSite, db: None) -> None:
    site.client(probe)
    environ = RequestFactory().get("/probe").environ
    started: list[Any] = []
    body = b"".join(
        WsgiMiddleware(WSGIHandler(), site.manager)(environ, lambda *status: started.append(status))
    )
    assert json.loads(body)["status"] == "unknown"
    assert started[0][0] == "200 OK"


def test_asgi_middleware_around_django_does_the_work(site: DjangoSite, db: None) -> None:
    site.client(probe)
    response = TestClient(AsgiMiddleware(ASGIHandler(), site.manager)).get("/probe")
    assert response.json()["status"] == "unknown"


def test_request_that_did_not_pass_has_no_consent() -> None:
    with pytest.raises(MissingMiddlewareError, match=r"add 'consentkit\.django\.ConsentMiddleware'"):
        get_consent(RequestFactory().get("/"))


def test_exchange_is_over_when_the_response_is_made(site: DjangoSite) -> None:
    request = RequestFactory().get("/")
    ConsentMiddleware(lambda request: HttpResponse())(request)
    exchange = request.META["consentkit.exchange"]
    assert isinstance(exchange, Exchange) and exchange.is_over
    assert request.consent is exchange.consent


def test_page_is_compressed_around_the_consent_alone(site: DjangoSite) -> None:
    gzip = "django.middleware.gzip.GZipMiddleware"
    for order in ([CONSENT, gzip], [gzip, CONSENT]):
        site.changes.MIDDLEWARE = order
        headers = {"accept-encoding": "gzip"}
        for response in (
            site.client().get("/", headers=headers),
            asyncio.run(site.aclient().get("/", headers=headers)),
        ):
            is_compressed = response.headers.get("Content-Encoding") == "gzip"
            assert is_compressed == (order[0] == gzip)
            assert BANNER in (decompress(response.content) if is_compressed else response.content)


def test_page_that_a_view_compresses_gets_the_banner(site: DjangoSite) -> None:
    headers = {"accept-encoding": "gzip"}
    compressed = path("page", gzip_page(page))
    data = path("data", gzip_page(lambda request: HttpResponse("x" * 500, content_type="text/plain")))
    client = site.client(compressed, data)
    response = client.get("/page", headers=headers | HTML)
    assert BANNER in response.content and "Content-Encoding" not in response
    assert client.get("/data", headers=headers)["Content-Encoding"] == "gzip"


def sets_policy(get_response: Any) -> Any:
    """Set a Content-Security-Policy, as Django 6 and django-csp do."""

    def middleware(request: HttpRequest) -> Any:
        response = get_response(request)
        response["Content-Security-Policy"] = "default-src 'self'"
        return response

    return middleware


def test_policy_of_other_middleware_is_opened_and_stays_the_only_one(site: DjangoSite) -> None:
    site.changes.MIDDLEWARE = [CONSENT, f"{__name__}.sets_policy"]
    client = site.client()
    before = client.get("/")["Content-Security-Policy"]
    decide(client, social=True)
    after = client.get("/")["Content-Security-Policy"]
    assert before.count("default-src") == after.count("default-src") == 1
    assert "youtube" not in before and "https://www.youtube-nocookie.com" in after
    site.configure(csp=None)
    assert site.client().get("/")["Content-Security-Policy"] == "default-src 'self'"
    site.configure(csp="default-src 'none'")
    assert site.client().get("/")["Content-Security-Policy"].startswith("default-src 'self'")


def test_site_without_a_policy_gets_none(site: DjangoSite) -> None:
    assert "Content-Security-Policy" not in site.client().get("/")
