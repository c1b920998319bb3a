import re

import pytest

from consentkit.policy.policy import Policy
from consentkit.ui.assets import inline_style
from tests.support.told import (
    POLICY,
    decided,
    every_page,
    pages,
    policy_of,
    rows,
    skeleton,
    tree,
    undecided,
    view,
    words,
)

PAGES = pages(POLICY)
HOSTILE = (
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "\"' onmouseover=alert(1) x=",
    "javascript:alert(1)",
    "a\u2028b\u2029c",
    "{{ 7 * 7 }} {% raw %} %(num)s %s %",
    "</title></textarea></style><svg onload=alert(1)>",
)
OUR_SCRIPT = PAGES.asset_url("policy.js")
INERT = re.compile(r"^(on|style$|srcdoc$|formaction$)")


def hostile_policy(text: str) -> Policy:
    """Put a text wherever the policy has one, around the models, which refuse most of it."""
    policy = policy_of()
    texts = type(policy.categories[0].title)({"en": text, "nl": text})
    authority = policy.controller.authority.model_copy(update={"name": text, "url": text})
    controller = policy.controller.model_copy(
        update={key: text for key in ("name", "address", "email", "dpo", "rights_url")}
        | {"authority": authority}
    )
    vendor = {"name": text, "legal_entity": text, "safeguard_copy": text, "policy_url": text, "data": (text,)}
    changed = policy.model_copy(
        update={
            "controller": controller,
            "group": policy.group.model_copy(update={"name": texts}) if policy.group else None,
            "sites": tuple(
                s.model_copy(update={"name": text, "origin": text, "controller": controller})
                for s in policy.sites
            ),
            "categories": tuple(
                c.model_copy(update={"title": texts, "description": texts}) for c in policy.categories
            ),
            "vendors": tuple(v.model_copy(update=vendor) for v in policy.vendors),
            "trackers": tuple(
                t.model_copy(update={"name": text, "purpose": texts, "domain": text}) for t in policy.trackers
            ),
        }
    )
    changed.model_post_init(None)
    return changed


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_add_no_elements_or_attributes(text: str) -> None:  # HT-04, HT-05
    hostile = hostile_policy(text)
    harmless = hostile_policy("harmless")
    for language in ("en", "nl"):
        plain = every_page(pages(harmless), view(undecided(harmless), language))
        for name, html in every_page(pages(hostile), view(undecided(hostile), language)).items():
            assert skeleton(html) == skeleton(plain[name]), name
            for element in tree(html).iter():
                assert element.tag not in ("iframe", "svg", "img")
                assert element.tag != "style" or element.text == inline_style()[0]
                assert element.tag != "script" or element.get("src") == OUR_SCRIPT
                assert not [attribute for attribute in element.attrib if INERT.match(attribute)]
                for attribute in ("href", "src", "action"):
                    assert re.match(r"(/|#|https?:|mailto:|data:,$|$)", element.get(attribute, ""))


def test_a_safeguard_copy_is_a_link_only_for_urls_and_email_addresses() -> None:  # HT-05
    policy = policy_of(vendors=rows("vendors", adhub={"safeguard_copy": "Singapore, 1 Raffles Place"}))
    html = pages(policy).policy(view(undecided(policy)))
    assert "Copy: Singapore, 1 Raffles Place" in words(html)
    policy = policy_of(vendors=rows("vendors", adhub={"safeguard_copy": "legal@adhub.example"}))
    assert '<a href="mailto:legal@adhub.example">' in pages(policy).policy(view(undecided(policy)))


def test_pages_have_no_inline_script_or_style() -> None:  # HT-04, AX-09, UI-10
    for name, html in every_page(PAGES, view(decided())).items():
        if name == "head":
            html = html.replace(f'<style nonce="n0nce">{inline_style()[0]}</style>', "")
        assert not re.search(
            r"<script(?! src=)|<style|\sstyle=|\son\w+=|javascript:|http-equiv|autofocus", html
        )
