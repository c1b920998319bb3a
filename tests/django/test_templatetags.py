from pathlib import Path
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import Context, RequestContext, Template, TemplateSyntaxError
from django.urls import path

from consentkit.django import get_manager
from consentkit.errors import MissingMiddlewareError, UnknownCategoryError
from consentkit.testing import grant
from tests.support.django_site import TEMPLATES, DjangoSite

PAGE = "<!doctype html><html><body>{{% load consent %}}{}</body></html>"
BLOCK = '{% consent "social" vendor=vendor %}a video{% else %}no video{% endconsent %}'
VIDEO = "https://www.youtube-nocookie.com/embed/x"


def show(template: str, **context: Any) -> Any:
    def view(request: HttpRequest) -> HttpResponse:
        text = Template(PAGE.format(template)).render(RequestContext(request, context))
        return HttpResponse(text)

    return path("page", view)


def test_block_is_shown_with_the_consent_that_it_needs(site: DjangoSite) -> None:
    client = site.client(show(BLOCK, vendor="youtube"))
    before = client.get("/page")
    assert b"no video" in before.content
    assert before["Vary"].startswith("Cookie")
    grant(client, get_manager(), "social")
    assert b">a video<" in client.get("/page").content


def test_block_without_else_and_vendor_shows_nothing(site: DjangoSite) -> None:
    client = site.client(show('{% consent "social" %}a video{% endconsent %}'))
    assert b"a video" not in client.get("/page").content


def test_embed_is_a_placeholder_in_a_page_for_everyone(site: DjangoSite) -> None:
    template = '{% consent_embed "youtube" url title="A stretch" kind="video" %}'
    response = site.client(show(template, url=VIDEO)).get("/page")
    assert b"A stretch" in response.content
    assert b'src="/consent/embed/youtube?' in response.content


def test_settings_link_stands_where_the_site_puts_it(site: DjangoSite) -> None:
    client = site.client(show("{% consent_settings text %}", text="Your <choice>"))
    content = client.get("/page", SCRIPT_NAME="/shop").content
    assert content.count(b'class="site-privacy-settings"') == 1
    assert b'<a class="site-privacy-settings" href="/shop/consent">Your &lt;choice&gt;</a>' in content


def test_loader_is_added_to_a_page_that_is_left_alone(site: DjangoSite) -> None:
    content = site.client(show("{% consent_scripts %}")).get("/page", SCRIPT_NAME="/shop").content
    assert b'<script src="/shop/consent/loader.js" defer></script>' in content


def test_link_to_another_address_stays_as_it_is(site: DjangoSite) -> None:
    client = site.client(show("<a href=\"{% consent_link 'https://other.example/?a=1' %}\">"))
    assert b'<a href="https://other.example/?a=1">' in client.get("/page").content


@pytest.mark.parametrize(
    "tag",
    ["{% consent %}", '{% consent "a" "b" %}', '{% consent "a" vendr="b" %}', '{% consent vendor="b" "a" %}'],
)
def test_block_that_is_written_wrongly_shows_what_was_expected(tag: str) -> None:
    with pytest.raises(TemplateSyntaxError, match=r'Expected \{% consent "category" %\}'):
        Template("{% load consent %}" + tag + "{% endconsent %}")


def test_unknown_category_is_an_error(site: DjangoSite) -> None:
    with pytest.raises(UnknownCategoryError):
        site.client(show('{% consent "socail" %}{% endconsent %}')).get("/page")


def test_context_needs_the_request_or_the_consent(site: DjangoSite) -> None:
    with pytest.raises(MissingMiddlewareError, match="context has neither `request` nor `consent`"):
        Template("{% load consent %}" + BLOCK).render(Context())


def test_jinja2_of_django_has_the_block_and_embeds_too(site: DjangoSite, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(
        '<!doctype html><html><body>{% consent "social" %}a video{% else %}no video{% endconsent %}'
        '{{ consent_embed("youtube", url, title="A stretch") }}</body></html>'
    )
    jinja2 = {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [tmp_path],
        "OPTIONS": {"extensions": ["consentkit.jinja.ConsentExtension"]},
    }
    site.changes.TEMPLATES = [jinja2]

    def view(request: HttpRequest) -> HttpResponse:
        return render(request, "page.html", {"url": VIDEO})

    content = site.client(path("page", view)).get("/page").content
    assert b"no video" in content and b'src="/consent/embed/youtube?' in content


def test_context_processor_adds_the_consent_alone(site: DjangoSite) -> None:
    processors = {"context_processors": ["consentkit.django.context_processors.consent"]}
    site.changes.TEMPLATES = [TEMPLATES | {"OPTIONS": processors}]
    response = site.client(show("{{ consent.status }} " + BLOCK, vendor="youtube")).get("/page")
    assert b"unknown no video" in response.content
    plain = site.client(show("a page")).get("/page")
    assert plain.status_code == 200
