"""The example in two languages: nothing untranslated, and a page that agrees with its banner about the language."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import Environment
from starlette.testclient import TestClient

from consentkit import ConsentManager, load_policy
from examples.running_magazine import comments, dressing, forms, handlers, sisters
from examples.running_magazine.app import create_app
from examples.running_magazine.content import Piece, read_shelf
from examples.running_magazine.languages import read_words
from examples.running_magazine.magazine import HERE
from examples.running_magazine.sisters import create_sister

SITES = ("stride", "trailhead", "shoelab")
WORDS = read_words(HERE / "words", "nl")
PLACEHOLDER = re.compile(r"%\(\w+\)s")
TAG = re.compile(r"<(\w+)|\{\{.*?\}\}")
PAIRS = [
    (ours, theirs)
    for site in SITES
    for ours, theirs in zip(
        *(read_shelf(HERE / "content" / site, language).all for language in ("en", "nl")), strict=True
    )
]


def said_in_templates() -> set[str]:
    source = Environment(extensions=["jinja2.ext.i18n"])  # noqa: S701 - nothing is rendered
    source.policies["ext.i18n.trimmed"] = True
    found: set[str] = set()
    for path in (HERE / "templates").rglob("*.html"):
        for _, _, said in source.extract_translations(path.read_text("utf-8")):  # type: ignore[attr-defined]
            found.update([said] if isinstance(said, str) else [form for form in said if form])
    return found


def said_in_code() -> set[str]:
    """Find what handlers hand to templates: sentences, and the sisters' lines and headings."""
    found = {f"A name has at most {comments.NAME_LIMIT} characters, a comment at most {comments.TEXT_LIMIT}."}
    for module in (comments, forms, handlers):
        found.update(
            re.findall(r'(?<!")"([A-Z][^"{}]* [^"{}]*\.)"(?!")', Path(module.__file__).read_text("utf-8"))
        )
    found.update(dressing.LINES.values())
    return found | {text for sister in sisters.SISTERS for text in (sister.line, sister.heading)}


def test_every_text_of_the_templates_and_handlers_is_said_in_dutch() -> None:
    said = said_in_templates() | said_in_code()
    assert len(said) > 120
    assert sorted(said - WORDS.keys()) == []
    assert sorted(WORDS.keys() - said) == []


@pytest.mark.parametrize("text", WORDS)
def test_a_translation_keeps_placeholders_and_markup(text: str) -> None:
    assert Counter(PLACEHOLDER.findall(WORDS[text])) == Counter(PLACEHOLDER.findall(text))
    assert re.findall(r"<[^>]*>", WORDS[text]) == re.findall(r"<[^>]*>", text)
    assert WORDS[text].strip() == WORDS[text] != ""


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=[f"{ours.slug}" for ours, _ in PAIRS])
def test_a_piece_is_the_same_in_both_languages(ours: Piece, theirs: Piece) -> None:
    for same in ("slug", "section", "published", "art"):
        assert getattr(ours, same) == getattr(theirs, same)
    assert [match[0] for match in TAG.finditer(ours.body)] == [
        match[0] for match in TAG.finditer(theirs.body)
    ]
    assert 0.8 < len(theirs.body.split()) / len(ours.body.split()) < 1.25
    assert {film.id: film.key for film in ours.videos.values()} == {
        film.id: film.key for film in theirs.videos.values()
    }
    assert len(ours.points) == len(theirs.points)
    if ours.test and theirs.test:
        for same in ("score", "price", "weight", "drop", "stack", "distance", "brand", "model"):
            assert getattr(ours.test, same) == getattr(theirs.test, same)
        assert list(ours.test.ratings.values()) == list(theirs.test.ratings.values())
    if ours.offer and theirs.offer:
        for same in ("partner", "url", "code", "price", "reduced"):
            assert getattr(ours.offer, same) == getattr(theirs.offer, same)
        assert len(ours.offer.facts) == len(theirs.offer.facts)


@pytest.fixture(params=SITES)
def client(request: pytest.FixtureRequest) -> Iterator[TestClient]:
    site = request.param
    policy = load_policy(HERE / "consent.toml")
    manager = ConsentManager(
        policy, secret_key="a key that the tests of languages sign with", ledger="sqlite://", site=site
    )
    app = create_app(manager) if site == "stride" else create_sister(manager)
    origin = policy.site(site).origin
    with TestClient(app, base_url=origin, headers={"Origin": origin}, follow_redirects=False) as opened:
        yield opened
    manager.close()


# IN-07
@pytest.mark.parametrize(
    ("asked", "language"), [("nl-BE,nl;q=0.9,en;q=0.5", "nl"), ("en-GB", "en"), ("fr", "en"), ("", "en")]
)
def test_page_and_banner_speak_the_language_that_the_browser_asks_for(
    client: TestClient, asked: str, language: str
) -> None:
    page = client.get("/", headers={"Accept-Language": asked})
    assert (
        re.findall(r'<(?:html|section id="cookie-consent"[^>]*?)[^>]* lang="(\w+)"', page.text)
        == [language] * 2
    )
    assert page.headers["content-language"] == language
    assert {"accept-language", "cookie"} <= {name.strip().lower() for name in page.headers["vary"].split(",")}


# IN-07, LB-06
def test_a_reader_who_chose_a_language_gets_it_on_every_page(client: TestClient) -> None:
    if client.base_url.host != "stride.example":
        client.cookies.set("language", "nl")
    else:
        answer = client.post("/language", data={"language": "nl", "next": "/shoes"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/shoes")
        assert answer.headers["set-cookie"].startswith("language=nl; ")
    for path in ("/", "/nowhere", "/consent", "/consent/policy", "/consent/sites"):
        page = client.get(path, headers={"Accept-Language": "en"})
        assert '<html lang="nl"' in page.text, path


@pytest.mark.parametrize("client", ["stride"], indirect=True)
def test_a_language_that_is_not_there_is_refused_and_nobody_is_sent_elsewhere(client: TestClient) -> None:
    assert client.post("/language", data={"language": "xx"}).status_code == 400
    answer = client.post("/language", data={"language": "en", "next": "//elsewhere.example"})
    assert answer.headers["location"] == "/"
    client.cookies.set("language", "<script>")
    assert '<html lang="en"' in client.get("/").text


@pytest.mark.parametrize("client", ["stride"], indirect=True)
def test_numbers_prices_days_and_countries_are_written_as_the_language_writes_them(
    client: TestClient,
) -> None:
    dutch = {"Accept-Language": "nl"}
    shoes, course = (client.get(path, headers=dutch).text for path in ("/shoes", "/courses/easy-speed"))
    article = client.get("/articles/hamstrings", headers=dutch).text
    assert "8,6" in shoes
    assert "8.6" in client.get("/shoes").text
    assert "€\N{NO-BREAK SPACE}139" in shoes
    assert "€\N{NO-BREAK SPACE}68" in course
    assert "€68" in client.get("/courses/easy-speed").text
    assert "16 november 2026" in article
    assert "(Verenigde Staten)" in article
