"""A Wagtail site: embeds wherever editors put them, and pages of visitors and editors. It runs in a process of its own."""

from typing import Any

BANNER = 'id="cookie-consent"'
PLACEHOLDER = 'src="/consent/embed/youtube?'


def test_embeds_of_rich_text_and_of_blocks_are_placeholders(seen: dict[str, Any]) -> None:
    assert seen["page"].count(PLACEHOLDER) == 3
    assert "<iframe width" not in seen["page"]
    assert "title=A+stretch" in seen["page"] and "title=A+clip" in seen["page"]


def test_embed_that_no_vendor_declares_is_a_link(seen: dict[str, Any]) -> None:
    assert '<a href="https://elsewhere.example/clip" rel="noopener noreferrer">A clip</a>' in seen["page"]
    assert '<a href="https://missing.example/" rel="noopener noreferrer">A stretch</a>' in seen["page"]
    assert "elsewhere.example/f" not in seen["page"]


def test_page_with_embeds_is_the_same_for_who_has_accepted_but_for_the_banner(seen: dict[str, Any]) -> None:
    assert seen["granted"].count(PLACEHOLDER) == 3
    assert BANNER in seen["page"] and BANNER not in seen["granted"]


def test_site_below_a_path_embeds_from_there(seen: dict[str, Any]) -> None:
    assert seen["below"].count('src="/shop/consent/embed/youtube?') == 3


def test_settings_page_is_ours_though_a_pattern_matches_everything(seen: dict[str, Any]) -> None:
    assert (seen["status"], seen["asked"]) == (200, 200)


def test_editing_and_preview_have_no_banner(seen: dict[str, Any]) -> None:
    for status, page in (seen["admin"], seen["draft"]):
        assert status == 200
        assert "<html" in page and BANNER not in page and "/consent/assets/" not in page


def test_finder_holds_back_what_the_embed_tag_shows(seen: dict[str, Any]) -> None:
    assert seen["held"].startswith('<template data-category="social" data-vendor="youtube"><iframe')
    assert seen["finder"] == seen["held"]
    assert seen["link"].startswith('<a href="https://elsewhere.example/clip"')


def test_order_of_apps_is_checked(seen: dict[str, Any]) -> None:
    assert "consentkit.W030" not in seen["checks"]
    assert "consentkit.W030" in seen["turned"]
