from urllib.parse import parse_qs, urlsplit

import pytest
from jinja2 import Environment, TemplateSyntaxError
from starlette.requests import Request
from starlette.responses import Response
from starlette.templating import Jinja2Templates

import consentkit.jinja
from consentkit.asgi import get_consent
from consentkit.errors import (
    ConfigurationError,
    MissingMiddlewareError,
    UnknownCategoryError,
    UnknownVendorError,
)
from consentkit.web import EmbedSigner
from tests.support.front import ORIGIN, Front, set_cookies
from tests.support.told import tree

VIDEO = "https://www.youtube-nocookie.com/embed/abc"
BLOCK = '{% consent "social" vendor="youtube" %}video{% else %}link{% endconsent %}'


def environment() -> Environment:
    made = Environment(autoescape=True)
    consentkit.jinja.install(made)
    return made


def answer(
    front: Front, template: str, *, category: str = "", root_path: str = "", **context: object
) -> Response:
    templates = Jinja2Templates(env=environment())

    async def page(request: Request) -> Response:
        return templates.TemplateResponse(request, templates.env.from_string(template), dict(context))

    client = front.client(page, root_path=root_path)
    if category:
        set_cookies(client.post(f"{root_path}/consent/decision", json={"categories": {category: True}}))
    return client.get(f"{root_path}/page?part=2")


# LB-10
@pytest.mark.parametrize(("category", "shown"), [("", "link"), ("analytical", "link"), ("social", "video")])
def test_a_block_is_there_when_it_is_allowed(front: Front, category: str, shown: str) -> None:
    found = answer(front, BLOCK, category=category)
    assert found.text == shown
    assert found.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize(
    ("template", "shown"),
    [
        ('{% consent "social" %}yes{% endconsent %}', ""),
        ('{% consent "functional" %}yes{% else %}no{% endconsent %}', "yes"),
        (
            '{% set which = "social" %}{% consent which, vendor="you" ~ "tube" %}{% else %}no{% endconsent %}',
            "no",
        ),
        (
            '{% for one in [1, 2] %}{% consent "social" %}{% else %}{{ one }}{% endconsent %}{% endfor %}',
            "12",
        ),
    ],
)
def test_consent_block_supports_else_and_nesting_like_an_if(front: Front, template: str, shown: str) -> None:
    assert answer(front, template).text == shown


def test_consent_block_works_with_consent_instead_of_request(front: Front) -> None:
    async def page(request: Request) -> Response:
        text = environment().from_string(BLOCK).render(consent=request.state.consent)
        return Response(text, media_type="text/plain")

    assert front.client(page).get("/page").text == "link"


@pytest.mark.parametrize(
    "template",
    ["{% consent %}{% endconsent %}", '{% consent "social" %}', '{% consent "a" b %}{% endconsent %}'],
)
def test_malformed_consent_block_is_a_template_syntax_error(template: str) -> None:
    with pytest.raises(TemplateSyntaxError):
        environment().from_string(template)


def test_ids_and_addresses_outside_the_policy_raise_in_templates(front: Front) -> None:
    with pytest.raises(UnknownCategoryError):
        answer(front, '{% consent "nothing" %}{% endconsent %}')
    with pytest.raises(UnknownVendorError):
        answer(front, '{% consent "social" vendor="nobody" %}{% endconsent %}')
    with pytest.raises(UnknownVendorError):
        answer(front, f'{{{{ consent_embed("nobody", "{VIDEO}", title="x") }}}}')
    with pytest.raises(ConfigurationError, match="frame origins"):
        answer(front, '{{ consent_embed("youtube", "https://evil.example/", title="x") }}')
    with pytest.raises(MissingMiddlewareError, match="with context"):
        environment().from_string(BLOCK).render()


def test_an_embed_is_the_same_for_everybody_and_may_be_cached(front: Front) -> None:
    template = f'{{{{ consent_embed("youtube", "{VIDEO}", title="Stretch") }}}}'
    texts = [answer(front, template, category=category) for category in ("", "social")]
    assert texts[0].text == texts[1].text and "cache-control" not in texts[0].headers
    frame = next(tree(texts[0].text).iter("iframe"))
    assert frame.get("src").startswith("/consent/embed/youtube?u=https%3A%2F%2Fwww.youtube-nocookie.com")
    assert "next=%2Fpage%3Fpart%3D2%23consent-embed-" in frame.get("src")
    (signature,) = parse_qs(urlsplit(frame.get("src")).query)["s"]
    signer = EmbedSigner(front.manager)
    assert signer.is_signed("youtube", VIDEO, signature, title="Stretch")
    # Nobody can make a link that shows another title or picture under the site's address.
    assert not signer.is_signed("youtube", VIDEO, signature, title="Stretched")
    assert not signer.is_signed("youtube", VIDEO, signature, title="Stretch", poster="/x.jpg")


def test_a_poster_is_a_path_on_the_site(front: Front) -> None:
    template = f'{{{{ consent_embed("youtube", "{VIDEO}", title="Stretch", poster="%s") }}}}'
    frame = next(tree(answer(front, template % "/static/a.jpg").text).iter("iframe"))
    page = front.client().get(str(frame.get("src"))).text
    assert [image.get("src") for image in tree(page).iter("img")] == ["/static/a.jpg"]
    for poster in ("https://elsewhere.example/a.jpg", "//elsewhere.example/a.jpg", "a.jpg"):
        with pytest.raises(ConfigurationError, match=r"like '/static/stretch\.jpg'"):
            answer(front, template % poster)


def test_the_address_that_an_embed_writes_loads_and_no_other_of_that_vendor(front: Front) -> None:
    template = f'{{{{ consent_embed("youtube", "{VIDEO}", title="Stretch") }}}}'
    address = str(next(tree(answer(front, template).text).iter("iframe")).get("src"))
    client = front.client()
    assert client.get(address).status_code == 200
    assert client.get(address.replace("embed%2Fabc", "embed%2Fabd")).status_code == 400


def test_an_embed_may_tell_what_it_is_and_no_kind_that_the_placeholder_has_no_words_for(front: Front) -> None:
    template = f'{{{{ consent_embed("youtube", "{VIDEO}", title="Stretch", kind="%s") }}}}'
    assert "&amp;kind=video" in answer(front, template % "video").text
    with pytest.raises(ConfigurationError, match=r"no kind 'film': use one of video, audio, map"):
        answer(front, template % "film")


def test_an_embed_in_a_page_without_jinja_is_the_same_and_may_be_cached(front: Front) -> None:
    async def page(request: Request) -> Response:
        return Response(consentkit.jinja.embed(get_consent(request), "youtube", VIDEO, title="Stretch"))

    template = f'{{{{ consent_embed("youtube", "{VIDEO}", title="Stretch") }}}}'
    written = front.client(page).get("/page?part=2")
    assert written.text == answer(front, template).text and "cache-control" not in written.headers


def test_an_embed_knows_where_the_application_is_mounted(front: Front) -> None:
    template = f'{{{{ consent_embed("youtube", "{VIDEO}", title="Stretch") }}}}'
    frame = next(tree(answer(front, template, root_path="/app").text).iter("iframe"))
    assert frame.get("src").startswith("/app/consent/embed/youtube?")


def test_an_embed_knows_where_the_application_is_mounted_from_the_consent_alone(front: Front) -> None:
    template = environment().from_string(f'{{{{ consent_embed("youtube", "{VIDEO}", title="Stretch") }}}}')

    async def page(request: Request) -> Response:
        return Response(template.render(consent=get_consent(request)))

    found = front.client(page, root_path="/app").get("/app/page").text
    assert next(tree(found).iter("iframe")).get("src").startswith("/app/consent/embed/youtube?")


def test_an_embed_for_a_page_of_another_origin_has_the_address_of_this_site(front: Front) -> None:
    template = f'{{{{ consent_embed("youtube", "{VIDEO}", title="Stretch", absolute=true) }}}}'
    (frame,) = tree(answer(front, template).text).iter("iframe")
    assert frame.get("src").startswith(f"{ORIGIN}/consent/embed/youtube?u=")
    assert "next=" not in frame.get("src")
