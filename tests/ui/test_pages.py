import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentkit.consent.model import Consent
from consentkit.errors import ConfigurationError, UnknownSiteError, UnknownVendorError
from consentkit.notices.notice import Notice
from consentkit.policy.policy import Policy
from consentkit.ui.pages import Pages, View
from tests.support.told import OPTIONAL, consent, decision, pages, policy_of, rows, tree, view, words

POLICY = policy_of()
PAGES = pages(POLICY)
DOCUMENTS = ("preferences", "policy", "sites")
HOSTILE = (
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "\"' onmouseover=alert(1) x=",
    "javascript:alert(1)",
    "a\u2028b\u2029c",
    "{{ 7 * 7 }} {% raw %} %(num)s %s %",
    "</title></textarea></style><svg onload=alert(1)>",
)
INERT = re.compile(r"^(on|style$|srcdoc$|formaction$)")


def undecided(policy: Policy = POLICY, **more: Any) -> Consent:
    return consent(policy, **more)


def decided(granted: frozenset[str] | set[str] = OPTIONAL, policy: Policy = POLICY, **more: Any) -> Consent:
    return consent(policy, decision(policy, frozenset(granted), **more))


def everything(made: Pages, seen: View) -> dict[str, str]:
    return {
        "banner": made.banner(seen),
        "settings": made.settings(seen),
        "arrival": made.arrival(seen, "trailhead"),
        "head": made.head(seen, "n0nce"),
        "error": made.error(seen, 409),
        "needs": made.needs_consent(seen, "social", "youtube"),
        **{name: getattr(made, name)(seen) for name in DOCUMENTS},
    }


def fields(form: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for control in form.iter():
        if control.tag in ("input", "button") and control.get("name"):
            found.setdefault(control.get("name"), []).append(control.get("value"))
    return found


# The banner


def test_the_banner_offers_accept_and_reject_in_one_form_and_the_settings_beside_it() -> (
    None
):  # UI-01, UI-04, UI-10
    section = tree(PAGES.banner(view(undecided()))).find("body/section")
    assert (section.get("id"), section.get("class")) == ("cookie-consent", "cookie-consent")
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


def test_accept_and_reject_are_the_same_element_but_for_what_tells_them_apart() -> None:  # UI-02
    buttons = [dict(button.attrib) for button in tree(PAGES.banner(view(undecided()))).iter("button")]
    plain = [
        {name: value.replace("accept", "x").replace("reject", "x") for name, value in button.items()}
        for button in buttons
    ]
    assert plain[0] == plain[1]


def test_the_banner_posts_nothing_but_the_choice_and_what_it_was_made_on() -> None:  # UI-04, LB-09
    (form,) = tree(PAGES.banner(view(undecided(), "nl"))).iter("form")
    assert fields(form) == {
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
def test_the_first_layer_names_who_why_and_how_to_withdraw(
    language: str, said: tuple[str, ...]
) -> None:  # UI-05, IN-07
    html = PAGES.banner(view(undecided(), language))
    text = words(html)
    assert text.startswith(said[0])
    assert [part for part in said if part not in text] == []
    for category in POLICY.consent_needed:
        assert (
            f"{POLICY.text(category.title, language)}: {POLICY.text(category.description, language)}" in text
        )
    assert tree(html).find("body/section").get("lang") == language


def test_the_first_layer_links_to_the_third_parties_and_the_sites() -> None:  # IN-03, XS-01
    links = [link.get("href").split("?")[0] for link in tree(PAGES.banner(view(undecided()))).iter("a")]
    assert links == ["/consent", "/consent/policy", "/consent/sites"]


def test_a_single_site_has_no_overview_to_link_to() -> None:
    policy = policy_of(sites=rows("sites")[:1])
    seen = view(undecided(policy))
    assert "/consent/sites" not in pages(policy).banner(seen) + pages(policy).preferences(seen)


@pytest.mark.parametrize("seen", [decided(), decided(set())], ids=["granted", "refused"])
def test_who_has_answered_sees_no_banner(seen: Consent) -> None:  # UI-08
    assert PAGES.banner(view(seen)) == ""


def test_asking_again_asks_only_for_what_grew_and_says_what_that_is() -> None:  # VA-05
    old = policy_of(vendors=rows("vendors", adhub={"profiling": False}))
    seen = consent(POLICY, decision(old), earlier=(old,))
    html = PAGES.banner(view(seen))
    text = words(html)
    assert (
        "We ask you again, because this changed since your answer: AdHub Exchange may now build a profile"
        in text
    )
    assert "Tracking:" in text
    assert "Social:" not in text
    assert "Your other answers stay; all of them end on 22 May 2027." in text
    accept, reject = tree(html).iter("form")
    assert [fields(form)["choice"] for form in (accept, reject)] == [["change"], ["change"]]
    assert [fields(form)["category.tracking"] for form in (accept, reject)] == [["on"], ["off"]]
    assert [name for name in fields(accept) if name.startswith("category.")] == ["category.tracking"]
    assert ["".join(button.itertext()) for button in tree(html).iter("button")] == ["Accept", "Reject"]


def test_what_a_visitor_gets_never_comes_from_another_visitors_page() -> None:
    first, second = (PAGES.banner(view(undecided(), next=path)) for path in ("/one", "/two?a=b&c=%22"))
    assert "/two" not in first
    assert "/one" not in second
    assert fields(next(tree(second).iter("form")))["next"] == ["/two?a=b&c=%22"]
    assert PAGES.banner(view(undecided(gpc=True), next="/one")) != first


def test_a_banner_is_rendered_once_for_all_pages_that_show_the_same() -> None:
    made = pages(POLICY)
    for number in range(20):
        made.banner(view(undecided(), next=f"/{number}"))
    assert made._cached_banner.cache_info().misses == 1


@given(st.text(max_size=40) | st.text("/\\\"'<>&%?#:;@a ", max_size=40).map("/".__add__))
def test_no_return_path_leaves_the_site_or_breaks_out_of_its_attribute(path: str) -> None:  # HT-06, HT-05
    html = PAGES.banner(view(undecided(), next=path))
    (form,) = tree(html).iter("form")
    (back,) = fields(form)["next"]
    assert back in ("/", path)
    assert re.match(r"/(?![/\\])", back)
    assert skeleton(html) == skeleton(PAGES.banner(view(undecided(), next="/")))


def test_a_page_of_our_own_is_no_place_to_return_to() -> None:  # HT-06
    assert 'value="/"' in PAGES.banner(view(undecided(), next="/consent/policy"))
    assert 'href="/consent"' in PAGES.banner(view(undecided(), next="/"))


def test_a_site_that_knows_the_visitors_choice_can_be_named() -> None:
    made = pages(POLICY, handoff=["trailhead"])
    links = {
        "".join(link.itertext()): link.get("href") for link in tree(made.banner(view(undecided()))).iter("a")
    }
    address = urlsplit(links["I already chose on Trailhead"])
    assert address.path == "/consent/handoff/start"
    assert parse_qs(address.query) == {"iss": ["trailhead"], "next": ["/articles/stretching?page=2"]}
    assert "through our links" in words(made.sites(view(undecided())))
    assert "through our links" not in words(PAGES.sites(view(undecided())))


def test_a_choice_that_came_from_another_site_is_told_once_and_can_be_closed() -> None:  # XS-08, AX-08
    html = PAGES.arrival(view(decided(), "nl"), "trailhead")
    assert words(html) == "Je keuze op Trailhead geldt hier ook. Cookie-instellingen Sluiten"
    (form,) = tree(html).iter("form")
    assert form.get("method") == "dialog"
    assert [element.get("role") for element in tree(html).iter("p")] == ["status"]
    with pytest.raises(UnknownSiteError):
        PAGES.arrival(view(decided()), "nowhere")


# Settings link and head


def test_every_page_has_the_settings_link_and_withdrawal_is_one_click_while_anything_is_granted() -> (
    None
):  # WD-01, WD-02
    link = '<a class="cookie-consent-settings" href="/consent">Cookie settings</a>'
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
            assert fields(form).keys() == {"next", "notice", "language", "surface"}


def test_the_head_links_the_style_sheet_under_its_hashed_name_with_the_pages_nonce() -> None:  # HT-04
    (name,) = (name for name in PAGES.assets if name.endswith(".css"))
    assert PAGES.head(view(undecided())) == f'<link rel="stylesheet" href="/consent/assets/{name}">'
    assert PAGES.head(view(undecided()), 'a"b').endswith(' nonce="a&#34;b">')
    assert PAGES.asset_url("consent.css", "/app") == f"/app/consent/assets/{name}"
    assert PAGES.assets[name][0] == "text/css; charset=utf-8"


@pytest.mark.parametrize("language", ["en", "nl"])
def test_where_the_application_is_mounted_goes_before_every_address(language: str) -> None:
    made = pages(POLICY, prefix="/c")
    for html in everything(made, view(decided(), language, root_path="/app", next="/app/x")).values():
        for address in re.findall(r'(?:href|action)="(/[^"]*)"', html):
            assert address.startswith(("/app/c", "/app/x"))


# Documents


@pytest.mark.parametrize("language", ["en", "nl"])
@pytest.mark.parametrize("name", [*DOCUMENTS, "error", "needs"])
def test_documents_are_whole_and_say_their_language(name: str, language: str) -> None:  # IN-07
    html = everything(PAGES, view(decided(), language))[name]
    assert html.startswith("<!doctype html>")
    root = tree(html)
    assert (root.get("lang"), root.get("dir")) == (language, "ltr")
    assert root.find("head/title").text.endswith("\N{EN DASH} Stride")
    assert len(list(root.iter("h1"))) == len(list(root.iter("main"))) == 1
    back = next(root.iter("a"))
    assert back.get("href") == "/articles/stretching?page=2"
    identifiers = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(identifiers) == len(set(identifiers))


def controls(html: str) -> dict[str, str | None]:
    """Say for each radio group what is ticked."""
    found: dict[str, str | None] = {}
    for control in tree(html).iter("input"):
        if control.get("type") == "radio":
            found.setdefault(control.get("name"), None)
            if "checked" in control.attrib:
                assert found[control.get("name")] is None
                found[control.get("name")] = control.get("value")
    return found


def test_nothing_is_ticked_before_the_visitor_answers() -> None:  # UI-03
    ticked = controls(PAGES.preferences(view(undecided())))
    assert ticked == dict.fromkeys(
        [
            *("category.analytical", "vendor.google-analytics", "category.tracking", "vendor.adhub"),
            *("category.social", "vendor.youtube"),
        ]
    )


@pytest.mark.parametrize(
    ("granted", "vendors", "ticked"),
    [
        (OPTIONAL, {}, {"analytical": "on", "tracking": "on", "social": "on"}),
        (set(), {}, {"analytical": "off", "tracking": "off", "social": "off"}),
        (
            {"social"},
            {"youtube": False},
            {"analytical": "off", "tracking": "off", "social": "on", "youtube": "off"},
        ),
        (
            set(),
            {"youtube": True},
            {"analytical": "off", "tracking": "off", "social": "off", "youtube": "on"},
        ),
    ],
)
def test_an_answer_is_shown_as_it_was_given(
    granted: set[str], vendors: dict[str, bool], ticked: dict[str, str]
) -> None:
    html = PAGES.preferences(view(decided(granted, vendors=vendors)))  # UI-04
    assert {name.split(".")[1]: value for name, value in controls(html).items() if value} == ticked
    opened = [details for details in tree(html).iter("details") if "open" in details.attrib]
    assert len(opened) == len(vendors)


def test_what_is_asked_again_is_not_ticked() -> None:  # UI-03, VA-05
    old = policy_of(vendors=rows("vendors", adhub={"profiling": False}))
    html = PAGES.preferences(view(consent(POLICY, decision(old), earlier=(old,))))
    ticked = controls(html)
    assert (ticked["category.tracking"], ticked["category.social"]) == (None, "on")
    assert "AdHub Exchange may now build a profile of you." in words(html)


def test_exempt_analytics_are_shown_as_on_and_can_be_objected_to() -> None:  # LB-05
    policy = policy_of(categories=rows("categories", analytical={"exempt": True}))
    html = pages(policy).preferences(view(undecided(policy)))
    assert controls(html)["category.analytical"] == "on"
    assert "You can object" in words(html)
    assert "Analytical:" not in words(pages(policy).banner(view(undecided(policy))))


def test_what_is_required_has_no_control() -> None:
    policy = policy_of(
        vendors=[*rows("vendors"), rows("vendors")[0] | {"id": "host", "category": "functional"}]
    )
    html = pages(policy).preferences(view(decided(policy=policy)))
    assert "Always on" in words(html)
    assert {name for name in controls(html) if "functional" in name or "host" in name} == set()


@pytest.mark.parametrize(("seen", "forms"), [(undecided(), 2), (decided(), 3), (decided(set()), 2)])
def test_the_preferences_offer_all_nothing_and_each_and_withdrawal(
    seen: Consent, forms: int
) -> None:  # UI-09, WD-01
    found = list(tree(PAGES.preferences(view(seen))).iter("form"))
    assert len(found) == forms
    assert fields(found[0])["choice"] == ["accept_all", "reject_all"]
    accept, reject = found[0].iter("button")
    assert accept.get("class") == reject.get("class")  # UI-02
    assert fields(found[-1])["choice"] == ["save"]
    assert {tuple(fields(form)["surface"]) for form in found} == {("preferences",)}
    if forms == 3:
        assert found[1].get("action") == "/consent/withdraw"
        assert "choice" not in fields(found[1])


def test_the_state_is_a_status_message() -> None:  # AX-08
    (status,) = (e for e in tree(PAGES.preferences(view(decided()))).iter("div") if e.get("role") == "status")
    assert "You accepted on 22 November 2026" in "".join(status.itertext())


def table(root: Any) -> list[list[str]]:
    return [
        [" ".join("".join(cell.itertext()).split()) for cell in row]
        for body in root.iter("tbody")
        for row in body.iter("tr")
    ]


@pytest.mark.parametrize("language", ["en", "nl"])
def test_the_cookie_policy_shows_the_same_rows_as_its_json(language: str) -> None:  # IN-01, IN-02, IN-08
    told = PAGES.policy_json(language)
    root = tree(PAGES.policy(view(undecided(), language)))
    yes, no = ("Ja", "Nee") if language == "nl" else ("Yes", "No")
    shown = table(root)
    assert [row[0].split()[0] for row in shown] == [tracker["name"] for tracker in told["trackers"]]
    for row, tracker in zip(shown, told["trackers"], strict=True):
        assert row[0] == f"{tracker['name']} {tracker['kind_words']}"
        assert row[1].startswith(tracker["purpose"])
        assert (row[2], row[3]) == (tracker["owner"], tracker["lifetime_words"])
        assert row[4] == (yes if tracker["third_party_access"] else no)


@pytest.mark.parametrize("language", ["en", "nl"])
def test_the_cookie_policy_shows_every_vendor_whole(language: str) -> None:  # IN-03, IN-04, TR-05
    told = PAGES.policy_json(language)
    root = tree(PAGES.policy(view(undecided(), language)))
    sections = [section for section in root.iter("section") if section.get("id", "").startswith("vendor-")]
    assert [section.get("id") for section in sections] == [
        f"vendor-{vendor['id']}" for vendor in told["vendors"]
    ]
    for section, vendor in zip(sections, told["vendors"], strict=True):
        text = " ".join("".join(section.itertext()).split())
        for key in ("name", "legal_entity", "role_words", "country_name", "policy_url"):
            assert vendor[key] in text
        assert vendor["retention_words"] is None or vendor["retention_words"] in text
        assert all(words in text for words in vendor["data_words"])
        assert vendor["safeguard"]["words"] in text
        assert vendor["safeguard"]["articles"][0] in text
        assert vendor["safeguard"]["copy"] is None or vendor["safeguard"]["copy"] in text
        outside = "buiten de Europese" if language == "nl" else "outside the European"
        assert outside in text
        links = [link.get("href") for link in section.iter("a")]
        assert vendor["policy_url"] in links


def test_the_cookie_policy_has_what_article_13_asks_for() -> None:  # IN-05, WD-01, RC-01
    text = words(PAGES.policy(view(undecided())))
    for part in (
        "Hardlopen Media BV",
        "Voorbeeldkade 1, 1011 AB Amsterdam, Netherlands",
        "privacy@hardlopen-media.example",
        "dpo@hardlopen-media.example",
        "article 6(1)(a) GDPR",
        "article 5(3) of the ePrivacy Directive",
        "valid for 6 months",
        "for 2 years after it ended",
        "withdraw or change it at any time under Cookie settings",
        "access to your data",
        "complain to Autoriteit Persoonsgegevens",
        PAGES.notice.digest,
        "Why it is needed: keeps your visit together",
    ):
        assert part in text, part


# IN-07
@pytest.mark.parametrize(
    ("language", "day"),
    [("en", "of this notice: {}, 23 November 2026."), ("nl", "verklaring: {}, 23 november 2026.")],
)
def test_the_cookie_policy_is_dated_as_its_language_writes_dates(language: str, day: str) -> None:
    notice = Notice(PAGES.notice.digest, PAGES.notice.facts, published="2026-11-23")
    dated = Pages(POLICY, notice, site=POLICY.sites[0].id)
    html = dated.policy(view(undecided(), language))
    assert day.format(notice.digest) in words(html)
    assert 'datetime="2026-11-23"' in html
    assert dated.policy_json(language)["published"] == "2026-11-23"


def test_the_cookie_policy_leaves_out_what_there_is_not() -> None:
    controller = POLICY.controller.model_dump(mode="json", exclude_none=True) | {
        "rights_url": "https://a.example/rights"
    }
    del controller["dpo"]
    policy = policy_of(
        controller=controller, vendors=[], trackers=rows("trackers")[:1], sites=rows("sites")[:1]
    )
    text = words(pages(policy).policy(view(undecided(policy))))
    assert "Data protection officer" not in text
    assert "Third parties" not in text
    assert "More about your rights" in text
    assert "Nothing is stored or read on your device by name." in text
    assert "Combined" not in text


def test_a_vendor_within_the_eea_needs_no_safeguard() -> None:  # TR-01
    policy = policy_of(
        vendors=rows("vendors", adhub={"country": "FR", "profiling": False, "legal_entity": None})
    )
    (section,) = (
        s
        for s in tree(pages(policy).policy(view(undecided(policy)))).iter("section")
        if s.get("id") == "vendor-adhub"
    )
    text = "".join(section.itertext())
    assert "France, within the European Economic Area" in text
    assert "Safeguard" not in text
    assert "Builds no profile of you" in text


@pytest.mark.parametrize("language", ["en", "nl"])
def test_the_overview_lists_every_origin_and_what_is_combined(language: str) -> None:  # XS-01
    told = PAGES.sites_json(language)
    root = tree(PAGES.sites(view(undecided(), language)))
    items = [" ".join("".join(item.itertext()).split()) for item in root.iter("li")]
    assert [item.split("http")[1] for item in items] == [
        site["origin"].removeprefix("http") for site in told["sites"]
    ]
    text = words(PAGES.sites(view(undecided(), language)))
    titles = [POLICY.text(POLICY.category(category).title, language) for category in told["combined"]]
    assert all(title in text for title in titles)


def test_sites_with_controllers_of_their_own_are_told_as_joint() -> None:  # XS-04
    other = POLICY.controller.model_dump(mode="json", exclude_none=True) | {"name": "Trail BV"}
    group = {"id": "g", "name": {"en": "G", "nl": "G"}, "joint_controllers": True}
    policy = policy_of(group=group, sites=rows("sites", trailhead={"controller": other}))
    text = words(pages(policy).sites(view(undecided(policy))))
    assert "Their controllers are responsible together." in text
    assert "Controller: Trail BV, Voorbeeldkade 1" in text


def test_an_error_says_what_happened_or_what_it_is_told() -> None:
    assert "Your choice could not be saved" in words(PAGES.error(view(undecided()), 503))
    text = words(PAGES.error(view(undecided(), "nl"), 400, "Oops <b>", "Because"))
    assert text.startswith("Terug naar Stride Oops <b> Because")


def test_a_page_that_needs_consent_names_what_to_accept_and_where() -> None:
    html = PAGES.needs_consent(view(undecided()), "social", "youtube")
    assert (
        "It comes from YouTube. You see it once you accept that third party, or the purpose “Social”."
        in words(html)
    )
    assert 'href="/consent?next=/articles/stretching%3Fpage%3D2"' in html
    assert "once you accept the purpose “Social”." in words(PAGES.needs_consent(view(undecided()), "social"))
    with pytest.raises(UnknownVendorError):
        PAGES.needs_consent(view(undecided()), "social", "nobody")


def test_footers_offer_withdrawal_but_the_preferences_have_their_own() -> None:  # WD-02
    seen = view(decided())
    for name in ("policy", "sites"):
        html = getattr(PAGES, name)(seen)
        assert 'class="cookie-consent-settings"' in html
        assert html.count("/consent/withdraw") == 1
        assert '"policy"' in html
    assert PAGES.preferences(seen).count("/consent/withdraw") == 1


# Languages


@pytest.mark.parametrize(
    ("wanted", "used"),
    [("nl", "nl"), ("NL-be", "nl"), ("en-GB", "en"), ("fr", "en"), ("", "en"), ("\u2028", "en")],
)
def test_a_language_is_matched_whole_then_by_its_primary_part_then_the_first(wanted: str, used: str) -> None:
    assert PAGES.language(wanted) == used
    assert PAGES.policy_json(wanted)["language"] == used


def translated(texts: dict[str, str]) -> dict[str, str]:
    return {"ar": f"نص {texts['en']}"}


@pytest.fixture
def arabic() -> Policy:
    """A policy in a language that the library has no words in."""
    return policy_of(
        languages=["ar"],
        group={"id": "g", "name": {"ar": "مجموعة"}},
        categories=[
            row | {"title": translated(row["title"]), "description": translated(row["description"])}
            for row in rows("categories")
        ],
        trackers=[row | {"purpose": translated(row["purpose"])} for row in rows("trackers")],
    )


def test_texts_in_another_language_than_the_librarys_words_say_so(arabic: Policy) -> None:  # IN-07
    for name, html in everything(pages(arabic), view(undecided(arabic), "ar")).items():
        for element in tree(html).iter():
            own = (element.text or "").startswith("نص")
            assert not own or (element.get("lang"), element.get("dir")) == ("ar", "rtl"), name
    root = tree(pages(arabic).policy(view(undecided(arabic), "ar")))
    assert (root.get("lang"), root.get("dir")) == ("en", "ltr")
    banner = tree(pages(arabic).banner(view(undecided(arabic))))
    assert fields(next(banner.iter("form")))["language"] == ["ar"]


def test_a_site_brings_a_catalogue_templates_and_style_sheets_of_its_own(
    arabic: Policy, tmp_path: Path
) -> None:
    catalogue = tmp_path / "locales/ar/LC_MESSAGES/consentkit.po"
    catalogue.parent.mkdir(parents=True)
    header = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'
    catalogue.write_text(f'{header}msgid "Reject all"\nmsgstr "رفض الكل"\n', "utf-8")
    (tmp_path / "settings.html").write_text("<p>{{ _('Reject all') }} {{ base }}</p>", "utf-8")
    made = pages(arabic, templates=tmp_path, locales=tmp_path / "locales", stylesheets=["/static/site.css"])
    seen = view(undecided(arabic), "ar")
    assert made.settings(seen) == "<p>رفض الكل /consent</p>"
    root = tree(made.policy(seen))
    assert (root.get("lang"), root.get("dir")) == ("ar", "rtl")
    assert "<span" not in made.banner(seen)
    sheets = [link.get("href") for link in root.iter("link")]
    assert sheets == [made.asset_url("consent.css"), "/static/site.css"]


def test_what_is_wrong_with_the_set_up_raises_at_start(tmp_path: Path) -> None:
    with pytest.raises(UnknownSiteError):
        Pages(POLICY, PAGES.notice, site="nowhere")
    catalogue = tmp_path / "en/LC_MESSAGES/consentkit.po"
    catalogue.parent.mkdir(parents=True)
    catalogue.write_text('msgid "Yes"\nmsgstr "%(no)s"\n', "utf-8")
    with pytest.raises(ConfigurationError, match="placeholder"):
        pages(POLICY, locales=tmp_path)


# Proof


def test_what_was_on_the_screen_can_be_kept() -> None:  # IN-06
    kept = PAGES.rendering("nl")
    assert (kept["language"], kept["words"]) == ("nl", "nl")
    assert kept["banner"] == PAGES.banner(view(undecided(), "nl", next="/"))
    assert set(kept["templates"]) >= {"banner.html", "preferences.html", "policy.html"}
    assert {len(digest) for part in ("templates", "assets") for digest in kept[part].values()} == {64}


def test_a_site_that_asks_for_nothing_has_no_banner_to_keep() -> None:
    policy = policy_of(categories=rows("categories")[:1], vendors=[], trackers=rows("trackers")[:1])
    assert pages(policy).rendering("en")["banner"] == ""
    assert pages(policy).banner(view(undecided(policy))) == ""


# Hostile texts


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


def skeleton(html: str) -> list[tuple[str, tuple[str, ...]]]:
    """List elements and the names of their attributes; links, which hostile addresses lose, count as their text."""
    return [
        (str(element.tag), tuple(sorted(element.attrib)))
        for element in tree(html).iter()
        if element.tag != "a"
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_texts(text: str) -> None:  # HT-04, HT-05
    hostile = hostile_policy(text)
    harmless = hostile_policy("harmless")
    for language in ("en", "nl"):
        plain = everything(pages(harmless), view(undecided(harmless), language))
        for name, html in everything(pages(hostile), view(undecided(hostile), language)).items():
            assert skeleton(html) == skeleton(plain[name]), name
            for element in tree(html).iter():
                assert element.tag not in ("script", "style", "iframe", "svg", "img")
                assert not [attribute for attribute in element.attrib if INERT.match(attribute)]
                for attribute in ("href", "src", "action"):
                    assert re.match(r"(/|https?:|mailto:|$)", element.get(attribute, ""))


def test_an_address_that_is_no_mailbox_and_no_page_is_text() -> None:  # HT-05
    policy = policy_of(vendors=rows("vendors", adhub={"safeguard_copy": "Singapore, 1 Raffles Place"}))
    html = pages(policy).policy(view(undecided(policy)))
    assert "Copy: Singapore, 1 Raffles Place" in words(html)
    policy = policy_of(vendors=rows("vendors", adhub={"safeguard_copy": "legal@adhub.example"}))
    assert '<a href="mailto:legal@adhub.example">' in pages(policy).policy(view(undecided(policy)))


def test_pages_need_no_script_and_no_style_of_their_own() -> None:  # HT-04, AX-09, UI-10
    for html in everything(PAGES, view(decided())).values():
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=|javascript:|http-equiv|autofocus", html)
