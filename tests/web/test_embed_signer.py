from urllib.parse import parse_qs, urlsplit

from consentkit.web import EmbedSigner
from tests.conftest import Clock
from tests.support.embeds import embed_path, embed_signature
from tests.support.front import KEY, Front

VIDEO = "https://www.youtube-nocookie.com/embed/abc?start=3"


def test_signature_of_an_address_is_that_of_itsdangerous_and_the_same_at_any_time(
    front: Front, clock: Clock
) -> None:
    signer = EmbedSigner(front.manager)
    signature = signer.sign("youtube", VIDEO)
    assert signature == embed_signature("youtube", VIDEO, key=KEY)
    assert signature == parse_qs(urlsplit(embed_path("youtube", VIDEO, key=KEY)).query)["s"][0]
    clock.advance(10_000_000)
    assert signer.sign("youtube", VIDEO) == signature and signer.is_signed("youtube", VIDEO, signature)
    for vendor, url in (("youtube", VIDEO + "4"), ("adhub", VIDEO), ("youtube|https", VIDEO[8:])):
        assert not signer.is_signed(vendor, url, signature)


def test_signature_of_an_address_is_no_token_and_a_token_no_signature(front: Front, clock: Clock) -> None:
    signer = EmbedSigner(front.manager)
    token = signer.token("youtube", VIDEO)
    until, signature = token.split(".")
    assert int(until) == int(clock()) + 60 and signer.is_valid(token, "youtube", VIDEO)
    assert not signer.is_valid(f"{until}.{signer.sign('youtube', VIDEO)}", "youtube", VIDEO)
    assert not signer.is_valid(f"{until}.{signer.sign(f'{until}|youtube', VIDEO)}", "youtube", VIDEO)
    assert not signer.is_signed("youtube", VIDEO, signature)
    assert not signer.is_signed(f"{until}|youtube", VIDEO, signature)


def test_signature_holds_for_one_title_and_one_poster(front: Front) -> None:
    signer = EmbedSigner(front.manager)
    shown = {"title": "Hips", "poster": "/hips.jpg"}
    signature = signer.sign("youtube", VIDEO, **shown)
    assert signer.is_signed("youtube", VIDEO, signature, **shown)
    for others in (
        {},
        shown | {"title": "Knees"},
        shown | {"poster": ""},
        {"title": "Hips&poster=/hips.jpg"},
    ):
        assert not signer.is_signed("youtube", VIDEO, signature, **others)
