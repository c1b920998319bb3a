from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from tests.support.front import DOCUMENT, Front
from tests.support.told import tree

STRICT = "default-src 'self'"


def test_script_is_told_which_vendors_the_policy_of_the_page_blocks(make_front: Callable[..., Front]) -> None:
    def blocked(own: str | None = None, **categories: bool) -> str | None:
        async def page(request: Request) -> Response:
            return HTMLResponse(DOCUMENT, headers={"Content-Security-Policy": own} if own else {})

        front = make_front(csp=STRICT)
        client = front.client(page)
        if categories:
            front.cookie(client, **categories)
        (script,) = tree(client.get("/page").text).iter("script")
        return dict(script.items()).get("data-reload")

    assert blocked() == "analytical:google-analytics social:youtube tracking:adhub"
    assert blocked(analytical=True) == "social:youtube tracking:adhub"
    assert blocked(analytical=True, social=True, tracking=True) is None
    # What counts is the policy that the page is sent with, and what it blocks of a vendor's origins.
    assert blocked("default-src 'self' https:") is None
    assert blocked("frame-src 'self'") == "social:youtube tracking:adhub"
    assert blocked("frame-src 'self', default-src *") == "social:youtube tracking:adhub"
    assert blocked("base-uri 'none'") is None


def test_policies_of_responses_are_opened_without_one_of_the_site(make_front: Callable[..., Front]) -> None:
    async def page(request: Request) -> Response:
        return HTMLResponse(DOCUMENT, headers={"Content-Security-Policy": STRICT})

    async def plain(request: Request) -> Response:
        return HTMLResponse(DOCUMENT)

    async def fragment(request: Request) -> Response:
        return HTMLResponse("<p>a part")

    front = make_front(csp="")
    client = front.client(page, plain, fragment)
    (script,) = tree(client.get("/plain").text).iter("script")
    assert "data-reload" not in dict(script.items())
    assert "youtube" not in client.get("/page").headers["content-security-policy"]
    front.cookie(client, social=True)
    opened = client.get("/page").headers["content-security-policy"]
    assert opened.startswith(STRICT) and "https://www.youtube-nocookie.com" in opened
    assert "content-security-policy" not in client.get("/plain").headers
    assert "vary" not in client.get("/fragment").headers
