"""What a page leaves with besides its text: the site's Content-Security-Policy, and what the script is told."""

from collections.abc import Callable

import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from consentkit.errors import ConfigurationError
from consentkit.ui import inline_style
from tests.support.front import DOCUMENT, ORIGIN, Front
from tests.support.told import tree

STRICT = "default-src 'none'; script-src 'self'; frame-src 'self'"
WITH_NONCE = "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'"
CSP = "content-security-policy"
HUB = "https://cdn.adhub.example"
TAG = "https://www.googletagmanager.com"
Make = Callable[..., Front]


def page(**headers: str) -> Callable[[Request], object]:
    async def page(request: Request) -> Response:
        return HTMLResponse(
            DOCUMENT, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )

    return page


def script(response: "Response") -> dict[str, str]:
    return dict(next(tree(response.text).iter("script")).items())


def test_a_policy_that_browsers_would_read_otherwise_is_refused_at_the_start(make_front: Make) -> None:
    with pytest.raises(ConfigurationError, match="csp"):
        _ = make_front(csp="script-src self").shared


def test_the_sites_policy_is_opened_for_whom_the_visitor_grants_and_nobody_else(make_front: Make) -> None:
    client = make_front(csp=STRICT).client(page())
    before = client.get("/page").headers[CSP]
    assert before.startswith("default-src 'none'; script-src 'self'; frame-src 'self'")
    assert not [origin for origin in before.split() if origin.startswith("https:") and ORIGIN not in origin]
    client.post("/consent/decision", json={"categories": {"tracking": True}})
    after = client.get("/page").headers[CSP]
    assert HUB in after and "https://frames.adhub.example" in after and TAG not in after
    client.delete("/consent/decision")
    assert client.get("/page").headers[CSP] == before


@pytest.mark.parametrize(
    ("root", "written"), [("", ""), ("/shop", "/shop"), ("/a; script-src *,", "/a%3B%20script-src%20%2A%2C")]
)
def test_policy_gains_the_addresses_of_our_own_parts_alone(make_front: Make, root: str, written: str) -> None:
    front = make_front(csp="default-src 'none'; script-src 'sha256-AAAA='; form-action https://shop.example")
    answer = front.client(page(), root_path=root).get(f"{root}/page")
    pages = f"{ORIGIN}{written}/consent"
    asset = {
        name: f"{ORIGIN}{written}{front.shared.pages.asset_url(name)}"
        for name in ("consent.js", "consent.css")
    }
    assert answer.headers[CSP].split("; ") == [
        "default-src 'none'",
        f"script-src 'sha256-AAAA=' {asset['consent.js']}",
        f"form-action https://shop.example {pages}/",
        f"style-src {asset['consent.css']} {inline_style()[1]}",
        f"connect-src {pages} {pages}/",
        f"frame-src {pages}/embed/",
    ]


# Browsers load what all policies allow, so our tags need the nonce or a source in each of them
def test_each_policy_of_a_response_allows_our_tags(make_front: Make) -> None:
    async def two(request: Request) -> Response:
        answer = HTMLResponse(DOCUMENT)
        for nonce in ("abc", "xyz"):
            answer.headers.append(CSP, f"script-src 'nonce-{nonce}'")
        return answer

    front = make_front(csp=STRICT)
    answer = front.client(two).get("/two")
    assert script(answer)["nonce"] == "abc"
    source = f"{ORIGIN}{front.shared.pages.asset_url('consent.js')}"
    assert answer.headers.get_list(CSP) == ["script-src 'nonce-abc'", f"script-src 'nonce-xyz' {source}"]


def test_responses_own_policy_replaces_the_sites_and_is_extended_too(make_front: Make) -> None:
    own = "script-src 'self' 'sha256-abc='; report-uri /reports"
    client = make_front(csp=STRICT).client(
        page(content_security_policy=own, content_security_policy_report_only="script-src 'self'")
    )
    client.post("/consent/decision", json={"categories": {"tracking": True}})
    headers = client.get("/page").headers
    assert headers[CSP] == f"script-src 'self' 'sha256-abc=' {HUB}; report-uri /reports"
    assert headers[f"{CSP}-report-only"] == f"script-src 'self' {HUB}"
    reported = make_front(csp=STRICT).client(page(content_security_policy_report_only="script-src 'self'"))
    assert reported.get("/page").headers[CSP].startswith(STRICT)


def test_without_the_csp_setting_a_responses_own_policy_is_unchanged(make_front: Make) -> None:
    client = make_front().client(page(content_security_policy="script-src 'self'"))
    client.post("/consent/decision", json={"categories": {"tracking": True}})
    assert client.get("/page").headers[CSP] == "script-src 'self'"


def test_html_alone_carries_the_content_security_policy(make_front: Make) -> None:
    async def data(request: Request) -> Response:
        return JSONResponse({})

    async def gone(request: Request) -> Response:
        return HTMLResponse(DOCUMENT, 404)

    async def elsewhere(request: Request) -> Response:
        return RedirectResponse("/")

    client = make_front(csp=STRICT).client(data, gone, elsewhere, page())
    assert CSP not in client.get("/data").headers and CSP not in client.get("/elsewhere").headers
    assert client.get("/gone").headers[CSP].startswith(STRICT)
    assert client.head("/page").headers[CSP] == client.get("/page").headers[CSP]
    assert "googletagmanager" not in client.get("/consent").headers[CSP]


def test_each_answer_has_a_nonce_of_its_own_which_handlers_and_our_tags_share(make_front: Make) -> None:
    async def mine(request: Request) -> Response:
        nonce = request.state.consent.nonce
        return HTMLResponse(DOCUMENT.replace("</head>", f'<script nonce="{nonce}"></script></head>'))

    client = make_front(csp=WITH_NONCE).client(mine, page())
    first, second = client.get("/mine"), client.get("/mine")
    for answer in (first, second):
        nonces = {element.get("nonce") for element in tree(answer.text).iter() if element.get("nonce")}
        (nonce,) = nonces
        assert answer.headers[CSP].count(f"'nonce-{nonce}'") == 2
    assert first.headers[CSP] != second.headers[CSP]
    tags = [element for element in tree(client.get("/page").text).iter() if element.get("nonce")]
    assert [element.tag for element in tags] == ["script", "style"]


# Public pages: the same for everybody, so the script alone holds there
def test_a_public_page_is_opened_for_all_that_are_declared(make_front: Make) -> None:
    client = make_front(csp=STRICT).client(page(cache_control="public, max-age=60"))
    undecided = client.get("/page")
    client.post("/consent/decision", json={"categories": {"social": True}})
    decided = client.get("/page")
    assert HUB in decided.headers[CSP] and TAG in decided.headers[CSP]
    assert (undecided.text, undecided.headers[CSP]) == (decided.text, decided.headers[CSP])
    assert decided.headers["cache-control"] == "public, max-age=60"
    assert "data-state" not in script(decided) and "data-reload" not in script(decided)


def test_public_page_with_a_nonce_from_its_handler_is_private(make_front: Make) -> None:
    async def mine(request: Request) -> Response:
        html = DOCUMENT.replace("<title>", f'<script nonce="{request.state.consent.nonce}"></script><title>')
        return HTMLResponse(html, headers={"cache-control": "public"})

    answer = make_front(csp=WITH_NONCE).client(mine).get("/mine")
    assert answer.headers["cache-control"] == "private, no-cache"


def test_a_shared_policy_has_no_nonce(make_front: Make) -> None:
    answer = make_front(csp=WITH_NONCE).client(page(cache_control="public")).get("/page")
    assert "nonce" not in answer.headers[CSP] and "nonce" not in script(answer)


# A browser applies the policy of a 304 to the page that it kept, which has the old nonce
def test_not_modified_response_carries_no_content_security_policy(make_front: Make) -> None:
    async def kept(request: Request) -> Response:
        if request.headers.get("if-none-match") == '"one"':
            return HTMLResponse("", 304, headers={"etag": '"one"'})
        return HTMLResponse(DOCUMENT, headers={"etag": '"one"'})

    client = make_front(csp=WITH_NONCE).client(kept)
    first = client.get("/kept")
    again = client.get("/kept", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304 and CSP not in again.headers


def test_the_script_is_told_when_only_the_server_can_follow(make_front: Make) -> None:
    async def reads(request: Request) -> Response:
        request.state.consent.allows("social")
        return HTMLResponse(DOCUMENT)

    plain = make_front().client(reads, page())
    assert "data-reload" not in script(plain.get("/page"))
    assert script(plain.get("/reads"))["data-reload"] == ""


def test_pages_for_developers_have_a_script_that_the_policy_allows(make_front: Make) -> None:
    client = make_front(debug=True, csp="default-src 'none'; script-src 'none'").client(page())
    answer = client.get("/page")
    sources = [element.get("src") for element in tree(answer.text).iter("script")]
    assert len(sources) == 2 and all(source in answer.headers[CSP] for source in sources)
    assert client.get(sources[1]).status_code == 200


def test_the_settings_can_be_fetched_alone(make_front: Make) -> None:
    client = make_front().client()
    assert "site-privacy-withdraw" not in client.get("/consent/settings").text
    client.post("/consent/decision", json={"choice": "accept_all"})
    answer = client.get("/consent/settings?next=/here")
    assert 'value="/here"' in answer.text and "site-privacy-withdraw" in answer.text
    assert answer.headers["cache-control"] == "private, no-store"
    assert client.get("/consent/decision").headers["consent-state"].startswith("analytical.tracking.social._")
