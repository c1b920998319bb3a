import re
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from consentkit.config import load_policy
from consentkit.consent.model import Consent
from consentkit.ui.assets import inline_style
from consentkit.ui.confirmation import Confirmation
from consentkit.ui.fragments import NEXT, NEXT_QUERY, NEXT_QUOTED, SUBMISSION, fill_in, next_query
from tests.support.told import (
    POLICY,
    consent,
    decided,
    decision,
    every_page,
    fields,
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


# The banner


def test_the_banner_has_accept_and_reject_in_one_form_and_a_settings_link() -> None:  # UI-01, UI-04, UI-10
    section = tree(PAGES.banner(view(undecided()))).find("body/section")
    assert (section.get("id"), section.get("class")) == (
        "cookie-consent",
        "cookie-consent cookie-consent-bar cookie-consent-bottom",
    )
    assert section.get("aria-label") == "Cookie consent"
    assert section.get("aria-modal") is section.get("role") is None  # AX-01
    (form,) = section.iter("form")
    assert (form.get("method"), form.get("action")) == ("post", "/consent/decision")
    accept, reject = form.iter("button")
    assert [accept.get("id"), reject.get("id")] == ["cookie-consent-accept-all", "cookie-consent-reject-all"]
    assert [accept.get("value"), reject.get("value")] == ["accept_all", "reject_all"]
    assert ["".join(button.itertext()) for button in (accept, reject)] == ["Accept all", "Reject all"]
    (manage,) = (link for link in section.iter("a") if "cookie-consent-manage" in link.get("class", ""))
    assert manage.get("href") == "/consent?next=/articles/stretching%3Fpage%3D2"


def test_accept_and_reject_differ_in_name_only() -> None:  # UI-02
    buttons = [dict(button.attrib) for button in tree(PAGES.banner(view(undecided()))).iter("button")]
    plain = [
        {name: value.replace("accept", "x").replace("reject", "x") for name, value in button.items()}
        for button in buttons
    ]
    assert plain[0] == plain[1]


def test_the_banner_posts_choice_notice_language_surface_and_return_path() -> None:  # UI-04, LB-09
    (form,) = tree(PAGES.banner(view(undecided(), "nl"))).iter("form")
    sent = fields(form)
    (submission,), (rendering,) = sent.pop("submission"), sent.pop("rendering")
    assert len(submission) == len(rendering) == 16
    assert sent == {
        "next": ["/articles/stretching?page=2"],
        "notice": [PAGES.notice.digest],
        "language": ["nl"],
        "surface": ["banner"],
        "choice": ["accept_all", "reject_all"],
    }


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "en",
            (
                "We use cookies",
                "Hardlopen Media BV",
                "Reject all",
                "Cookie settings",
                "6 months",
                "Our 2 sites",
            ),
        ),
        (
            "nl",
            (
                "We gebruiken cookies",
                "Hardlopen",
                "Alles weigeren",
                "Cookie-instellingen",
                "6 maanden",
                "Onze 2 sites",
            ),
        ),
    ],
)
def test_the_first_layer_names_controller_purposes_and_withdrawal(
    language: str, said: tuple[str, ...]
) -> None:  # UI-04, UI-05, IN-07
    html = PAGES.banner(view(undecided(), language))
    text = words(html)
    assert text.startswith(said[0])
    assert [part for part in said if part not in text] == []
    for category in POLICY.consent_needed:
        assert (
            f"{POLICY.text(category.title, language)}: {POLICY.text(category.description, language)}" in text
        )
    assert tree(html).find("body/section").get("lang") == language


@pytest.mark.parametrize(
    ("language", "most", "privacy"),
    [("en", 115, "This may affect your privacy."), ("nl", 122, "Dit kan je privacy raken.")],
)
def test_the_banner_of_the_example_is_short(language: str, most: int, privacy: str) -> None:  # UI-05
    policy = load_policy("examples/running_magazine/consent.toml")
    html = pages(policy, handoff=["trailhead", "shoelab"]).banner(view(undecided(policy), language))
    text = next(part for part in tree(html).iter("div") if part.get("class") == "cookie-consent-text")
    said = "".join(text.itertext()).split()
    # What is always on, and the owner's own sentence, come on top.
    title = policy.text(policy.category("functional").title, language)
    always_on = {"en": f"Always on: {title}.", "nl": f"Altijd aan: {title}."}[language].split()
    assert " ".join(always_on) in " ".join(said)
    assert privacy in " ".join(said)
    assert len(said) - len(always_on) - len(privacy.split()) <= most


def test_the_first_layer_links_to_the_policy_and_the_sites() -> None:  # IN-03, XS-01
    links = [link.get("href").split("?")[0] for link in tree(PAGES.banner(view(undecided()))).iter("a")]
    assert links == ["/consent", "/consent/policy", "/consent/sites"]


def test_a_single_site_has_no_link_to_a_site_list() -> None:
    policy = policy_of(sites=rows("sites")[:1])
    seen = view(undecided(policy))
    assert "/consent/sites" not in pages(policy).banner(seen) + pages(policy).preferences(seen)


@pytest.mark.parametrize(
    "seen",
    [decided(), decided(set()), decided(set(), kind="withdrawn")],
    ids=["granted", "refused", "withdrawn"],
)
def test_a_visitor_who_has_answered_gets_no_banner(seen: Consent) -> None:  # UI-08
    assert PAGES.banner(view(seen)) == ""


def test_asking_again_covers_only_the_changed_purposes_and_names_the_changes() -> None:  # UI-08, VA-05
    old = policy_of(vendors=rows("vendors", adhub={"profiling": False}))
    seen = consent(POLICY, decision(old), earlier=(old,))
    html = PAGES.banner(view(seen))
    text = words(html)
    assert (
        "We’re asking again because this has changed since your last choice: AdHub Exchange may now build a profile"
        in text
    )
    assert "Tracking:" in text
    assert "Social:" not in text
    assert "Your other choices stay as they are until 22 May 2027." in text
    accept, reject = tree(html).iter("form")
    assert [fields(form)["choice"] for form in (accept, reject)] == [["change"], ["change"]]
    assert [fields(form)["category.tracking"] for form in (accept, reject)] == [["on"], ["off"]]
    assert [name for name in fields(accept) if name.startswith("category.")] == ["category.tracking"]
    assert ["".join(button.itertext()) for button in tree(html).iter("button")] == ["Accept", "Reject"]


def test_cached_banners_do_not_leak_return_paths_or_gpc_between_visitors() -> None:
    first, second = (PAGES.banner(view(undecided(), next=path)) for path in ("/one", "/two?a=b&c=%22"))
    assert "/two" not in first
    assert "/one" not in second
    assert fields(next(tree(second).iter("form")))["next"] == ["/two?a=b&c=%22"]
    assert PAGES.banner(view(undecided(gpc=True), next="/one")) != first


def test_the_banner_is_rendered_once_for_all_return_paths() -> None:
    made = pages(POLICY)
    for number in range(20):
        made.banner(view(undecided(), next=f"/{number}"))
    assert made._fragments._cached_banner.cache_info().misses == 1


@given(st.text(max_size=40) | st.text("/\\\"'<>&%?#:;@a ", max_size=40).map("/".__add__))
def test_no_return_path_leaves_the_site_or_its_attribute(path: str) -> None:  # HT-06, HT-05
    html = PAGES.banner(view(undecided(), next=path))
    (form,) = tree(html).iter("form")
    (back,) = fields(form)["next"]
    assert back in ("/", path)
    assert re.match(r"/(?![/\\])", back)
    assert skeleton(html) == skeleton(PAGES.banner(view(undecided(), next="/")))


def test_the_librarys_own_pages_are_no_return_paths() -> None:  # HT-06
    assert 'value="/"' in PAGES.banner(view(undecided(), next="/consent/policy"))
    assert 'href="/consent"' in PAGES.banner(view(undecided(), next="/"))


def test_the_banner_links_to_the_handoff_of_every_partner_site() -> None:
    made = pages(POLICY, handoff=["trailhead"])
    links = {
        "".join(link.itertext()): link.get("href") for link in tree(made.banner(view(undecided()))).iter("a")
    }
    address = urlsplit(links["Use my choice from Trailhead"])
    assert address.path == "/consent/handoff/start"
    assert parse_qs(address.query) == {"iss": ["trailhead"], "next": ["/articles/stretching?page=2"]}
    assert "follow links between our sites" in words(made.sites(view(undecided())))
    assert "follow links between our sites" not in words(PAGES.sites(view(undecided())))


def test_the_confirmation_of_a_hand_off_names_the_other_site_and_can_be_closed() -> None:  # XS-08, AX-08
    html = PAGES.confirmation(view(decided()), Confirmation(event="brought", about="trailhead"))
    assert words(html) == (
        "You accepted everything on Trailhead; we’ve applied that here. Cookie settings Close"
    )
    (form,) = tree(html).iter("form")
    assert form.get("method") == "dialog"
    assert [element.get("role") for element in tree(html).iter("div")] == ["status"]


# Settings link and head


def test_the_settings_link_comes_with_a_withdrawal_form_while_anything_is_granted() -> None:  # WD-01, WD-02
    link = '<a class="site-privacy-settings" href="/consent">Cookie settings</a>'
    for seen, forms in (
        (undecided(), 0),
        (decided(set()), 0),
        (decided(), 1),
        (decided(set(), vendors={"youtube": True}), 1),
    ):
        html = PAGES.settings(view(seen))
        assert link in html
        found = list(tree(html).iter("form"))
        assert len(found) == forms
        for form in found:
            assert (form.get("method"), form.get("action")) == ("post", "/consent/withdraw")
            assert fields(form).keys() == {"next", "notice", "language", "surface", "rendering", "submission"}


# Lists of content blockers hide much that has one of these words in its name, and so did `.cookie-consent-footer`.
def test_the_way_to_withdraw_has_no_name_that_says_cookie_or_consent() -> None:  # WD-01, WD-02
    for html in (
        PAGES.settings(view(decided())),
        PAGES.confirmation(view(decided()), Confirmation(event="saved")),
    ):
        named = [element for element in tree(html).iter() if element.get("class") or element.get("id")]
        assert named
        for element in named:
            names = f"{element.get('class', '')} {element.get('id', '')}"
            assert not re.search("cookie|consent|gdpr|ccpa|cmp|banner", names), names


def test_the_head_has_the_rules_inline_or_links_them_with_the_nonce() -> None:  # HT-04
    (name,) = (name for name in PAGES.assets if name.startswith("consent.") and name.endswith(".css"))
    rules, _ = inline_style()
    assert PAGES.head(view(undecided())) == f"<style>{rules}</style>"
    assert PAGES.head(view(undecided()), 'a"b') == f'<style nonce="a&#34;b">{rules}</style>'
    linked = PAGES.head(view(undecided()), 'a"b', is_linked=True)
    assert linked == f'<link rel="stylesheet" href="/consent/assets/{name}" nonce="a&#34;b">'
    assert PAGES.asset_url("consent.css", "/app") == f"/app/consent/assets/{name}"
    assert PAGES.assets[name][0] == "text/css; charset=utf-8"


@pytest.mark.parametrize("language", ["en", "nl"])
def test_every_address_starts_with_the_root_path(language: str) -> None:
    made = pages(POLICY, prefix="/c")
    for html in every_page(made, view(decided(), language, root_path="/app", next="/app/x")).values():
        for address in re.findall(r'(?:href|action)="(/[^"]*)"', html):
            assert address.startswith(("/app/c", "/app/x"))


# The return path


# HT-05
def test_the_return_path_is_escaped_for_the_place_of_each_placeholder() -> None:
    html = Markup('<a href="/consent{}">{}</a><a href="/start?next={}"><input value="{}">').format(
        NEXT_QUERY, NEXT, NEXT_QUOTED, SUBMISSION
    )
    assert fill_in(html, '/a b?c=d&e="<', "s3nt") == (
        '<a href="/consent?next=/a%20b%3Fc%3Dd%26e%3D%22%3C">/a b?c=d&amp;e=&#34;&lt;</a>'
        '<a href="/start?next=/a%20b%3Fc%3Dd%26e%3D%22%3C"><input value="s3nt">'
    )


def test_the_front_page_needs_no_return_path() -> None:
    assert next_query("/") == "" and next_query("/shoes") == "?next=/shoes"
    assert fill_in(str(NEXT_QUERY), "/", "") == ""
