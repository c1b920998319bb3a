import re
from pathlib import Path
from typing import Any

import pytest

from consentkit.consent.model import Consent
from consentkit.errors import ConfigurationError, UnknownSiteError, UnknownVendorError
from consentkit.handoff.keys import new_pair
from consentkit.notices.notice import Notice
from consentkit.policy.policy import Policy
from consentkit.ui.pages import Pages
from tests.support.told import (
    DOCUMENTS,
    OPTIONAL,
    POLICY,
    consent,
    decided,
    decision,
    every_page,
    fields,
    pages,
    policy_of,
    rows,
    tree,
    undecided,
    view,
    words,
)

PAGES = pages(POLICY)


@pytest.mark.parametrize("language", ["en", "nl"])
@pytest.mark.parametrize("name", [*DOCUMENTS, "error", "needs", "receipt"])
def test_a_document_has_doctype_language_title_and_one_main(name: str, language: str) -> None:  # IN-07
    html = every_page(PAGES, view(decided(), language))[name]
    assert html.startswith("<!DOCTYPE html>")
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
def test_preferences_show_the_recorded_answers(
    granted: set[str], vendors: dict[str, bool], ticked: dict[str, str]
) -> None:
    html = PAGES.preferences(view(decided(granted, vendors=vendors)))  # UI-04
    assert {name.split(".")[1]: value for name, value in controls(html).items() if value} == ticked
    opened = [details for details in tree(html).iter("details") if "open" in details.attrib]
    assert len(opened) == len(vendors)


def test_a_category_asked_again_is_not_ticked() -> None:  # UI-03, VA-05
    old = policy_of(vendors=rows("vendors", adhub={"profiling": False}))
    html = PAGES.preferences(view(consent(POLICY, decision(old), earlier=(old,))))
    ticked = controls(html)
    assert (ticked["category.tracking"], ticked["category.social"]) == (None, "on")
    assert "AdHub Exchange may now build a profile of you." in words(html)


def test_exempt_analytics_are_on_and_can_be_objected_to() -> None:  # LB-05
    policy = policy_of(categories=rows("categories", analytical={"exempt": True}))
    html = pages(policy).preferences(view(undecided(policy)))
    assert controls(html)["category.analytical"] == "on"
    assert "You can object" in words(html)
    assert "Analytical:" not in words(pages(policy).banner(view(undecided(policy))))


def test_a_required_category_has_no_controls() -> None:
    policy = policy_of(
        vendors=[*rows("vendors"), rows("vendors")[0] | {"id": "host", "category": "functional"}]
    )
    html = pages(policy).preferences(view(decided(policy=policy)))
    assert "Always on" in words(html)
    assert {name for name in controls(html) if "functional" in name or "host" in name} == set()


@pytest.mark.parametrize(("seen", "forms"), [(undecided(), 2), (decided(), 3), (decided(set()), 2)])
def test_preferences_have_forms_for_all_for_each_purpose_and_for_withdrawal(
    seen: Consent, forms: int
) -> None:  # UI-09, WD-01
    close, *found = tree(PAGES.preferences(view(seen))).iter("form")
    assert (close.get("method"), "hidden" in close.attrib) == ("dialog", True)
    assert len(found) == forms
    assert fields(found[0])["choice"] == ["accept_all", "reject_all"]
    accept, reject = found[0].iter("button")
    assert accept.get("class") == reject.get("class")  # UI-02
    assert fields(found[-1])["choice"] == ["save"]
    assert {tuple(fields(form)["surface"]) for form in found} == {("preferences",)}
    if forms == 3:
        assert found[1].get("action") == "/consent/withdraw"
        assert "choice" not in fields(found[1])


def test_the_visitors_status_is_a_status_message() -> None:  # AX-08
    (status,) = (e for e in tree(PAGES.preferences(view(decided()))).iter("div") if e.get("role") == "status")
    assert "You made your choice on 22 November 2026" in "".join(status.itertext())


def table(root: Any) -> list[list[str]]:
    return [
        [" ".join("".join(cell.itertext()).split()) for cell in row]
        for body in root.iter("tbody")
        for row in body.iter("tr")
    ]


@pytest.mark.parametrize("language", ["en", "nl"])
def test_the_cookie_policy_has_the_trackers_of_its_json(language: str) -> None:  # IN-01, IN-02, IN-08
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
def test_the_cookie_policy_has_all_details_of_every_vendor(
    language: str,
) -> None:  # IN-03, IN-04, IN-05, TR-05
    told = PAGES.policy_json(language)
    root = tree(PAGES.policy(view(undecided(), language)))
    sections = [part for part in root.iter("details") if part.get("class") == "consent-row"]
    # A link to a third party unfolds it, because its address is that of something within.
    assert [section.find("dl").get("id") for section in sections] == [
        f"vendor-{vendor['id']}" for vendor in told["vendors"]
    ]
    for section, vendor in zip(sections, told["vendors"], strict=True):
        text = " ".join("".join(section.itertext()).split())
        for key in ("name", "legal_entity", "role_words", "country_name", "policy_url"):
            assert vendor[key] in text
        assert vendor["retention_words"] is None or vendor["retention_words"] in text
        assert all(words in text for words in vendor["data_words"])
        assert vendor["safeguard"]["words"] in text
        assert vendor["safeguard"]["articles_words"][0] in text
        assert vendor["safeguard"]["copy"] is None or vendor["safeguard"]["copy"] in text
        outside = "buiten de Europese" if language == "nl" else "outside the European"
        assert outside in text
        links = [link.get("href") for link in section.iter("a")]
        assert vendor["policy_url"] in links


def test_the_cookie_policy_has_the_information_of_article_13() -> None:  # IN-05, WD-01, RC-01
    text = words(PAGES.policy(view(undecided())))
    for part in (
        "Hardlopen Media BV",
        "Voorbeeldkade 1, 1011 AB Amsterdam, Netherlands",
        "privacy@hardlopen-media.example",
        "dpo@hardlopen-media.example",
        "article 6(1)(a) GDPR",
        "article 5(3) of the ePrivacy Directive",
        "Your choice lasts 6 months.",
        "change your choice or withdraw your consent at any time under Cookie settings",
        "get a copy of it (article 15 GDPR)",
        "Object to what we do because of our legitimate interest (article 21 GDPR)",
        "complain to Autoriteit Persoonsgegevens",
        PAGES.notice.digest,
        "Why it is needed: recognises you during your visit",
    ):
        assert part in text, part


# IN-07
@pytest.mark.parametrize(
    ("language", "day"),
    [("en", "of this notice: {}, 23 November 2026."), ("nl", "verklaring: {}, 23 november 2026.")],
)
def test_the_cookie_policy_has_a_localized_publication_date(language: str, day: str) -> None:
    notice = Notice(PAGES.notice.digest, PAGES.notice.facts, published="2026-11-23")
    dated = Pages(POLICY, notice, site=POLICY.sites[0].id)
    html = dated.policy(view(undecided(), language))
    assert day.format(notice.digest) in words(html)
    assert 'datetime="2026-11-23"' in html
    assert dated.policy_json(language)["published"] == "2026-11-23"


def test_the_cookie_policy_omits_empty_sections() -> None:
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
    assert "No cookies or other items are listed for this purpose." in text
    assert "Combined" not in text


def test_a_vendor_within_the_eea_shows_no_safeguard() -> None:  # TR-01
    policy = policy_of(
        vendors=rows("vendors", adhub={"country": "FR", "profiling": False, "legal_entity": None})
    )
    (section,) = (
        s
        for s in tree(pages(policy).policy(view(undecided(policy)))).iter("dl")
        if s.get("id") == "vendor-adhub"
    )
    text = "".join(section.itertext())
    assert "France (in the European Economic Area)" in text
    assert "Transfer safeguard" not in text
    assert "Doesn’t build a profile of you." in text


@pytest.mark.parametrize("language", ["en", "nl"])
def test_the_site_list_has_every_origin_and_the_combined_purposes(language: str) -> None:  # XS-01
    told = PAGES.sites_json(language)
    root = tree(PAGES.sites(view(undecided(), language)))
    items = [" ".join("".join(item.itertext()).split()) for item in root.iter("li")]
    assert [item.split("http")[1] for item in items] == [
        site["origin"].removeprefix("http") for site in told["sites"]
    ]
    text = words(PAGES.sites(view(undecided(), language)))
    titles = [POLICY.text(POLICY.category(category).title, language) for category in told["combined"]]
    assert all(title in text for title in titles)


# XS-03
@pytest.mark.parametrize(
    ("seen", "address"),
    [(undecided(), "https://trailhead.example"), (decided(), "https://trailhead.example/stride/consent")],
    ids=["undecided", "decided"],
)
def test_links_to_other_sites_take_a_recorded_choice_along(seen: Consent, address: str) -> None:
    def with_choice(origin: str, *, site: str, origins: object, prefix: str) -> str:
        return origin if site in origin else f"{origin}/{site}{prefix}"

    policy = policy_of(sites=rows("sites", stride={"public_key": new_pair()[1]}))
    made = pages(policy, handoff=["trailhead"], handoff_address=with_choice)
    links = [link.get("href") for link in tree(made.sites(view(seen))).iter("a")]
    assert links[1:3] == ["https://stride.example", address]


def test_joint_controllers_are_named_with_their_sites() -> None:  # XS-04
    other = POLICY.controller.model_dump(mode="json", exclude_none=True) | {"name": "Trail BV"}
    group = {"id": "g", "name": {"en": "G", "nl": "G"}, "joint_controllers": True}
    policy = policy_of(group=group, sites=rows("sites", trailhead={"controller": other}))
    text = words(pages(policy).sites(view(undecided(policy))))
    assert "The controllers of these sites are jointly responsible." in text
    assert "Controller: Trail BV, Voorbeeldkade 1" in text


def test_an_error_page_has_the_given_text_or_that_of_the_status() -> None:
    assert "We couldn’t save your choice" in words(PAGES.error(view(undecided()), 503))
    text = words(PAGES.error(view(undecided(), "nl"), 400, "Oops <b>", "Because"))
    assert text.startswith("Terug naar Stride Oops <b> Because")
    reasoned = PAGES.error(view(undecided(), "nl"), 400, reason="`choice` <b>")
    assert "We konden je keuze niet opslaan" in words(reasoned)
    assert '<span lang="en" dir="ltr">`choice` &lt;b&gt;</span>' in reasoned


def test_a_blocked_page_names_the_purpose_and_links_to_the_preferences() -> None:
    html = PAGES.needs_consent(view(undecided()), "social", "youtube")
    assert "To see this, allow YouTube or the purpose “Social”." in words(html)
    assert 'href="/consent?next=/articles/stretching%3Fpage%3D2"' in html
    assert "To see this, allow the purpose “Social”." in words(
        PAGES.needs_consent(view(undecided()), "social")
    )
    with pytest.raises(UnknownVendorError):
        PAGES.needs_consent(view(undecided()), "social", "nobody")


def test_every_document_offers_withdrawal_once() -> None:  # WD-02
    seen = view(decided())
    for name in ("policy", "sites"):
        html = getattr(PAGES, name)(seen)
        assert 'class="site-privacy-settings"' in html
        assert html.count("/consent/withdraw") == 1
        assert '"policy"' in html
    assert PAGES.preferences(seen).count("/consent/withdraw") == 1


# Languages


@pytest.mark.parametrize(
    ("wanted", "used"),
    [("nl", "nl"), ("NL-be", "nl"), ("en-GB", "en"), ("fr", "en"), ("", "en"), ("\u2028", "en")],
)
def test_a_language_is_matched_by_tag_then_primary_language_then_first(wanted: str, used: str) -> None:
    assert PAGES.language(wanted) == used
    assert PAGES.policy_json(wanted)["language"] == used


def translated(texts: dict[str, str]) -> dict[str, str]:
    return {"ar": f"نص {texts['en']}"}


@pytest.fixture
def arabic() -> Policy:
    """A policy in Arabic alone."""
    return policy_of(
        languages=["ar"],
        group={"id": "g", "name": {"ar": "مجموعة"}},
        categories=[
            row | {"title": translated(row["title"]), "description": translated(row["description"])}
            for row in rows("categories")
        ],
        trackers=[row | {"purpose": translated(row["purpose"])} for row in rows("trackers")],
    )


def test_pages_in_arabic_have_no_text_in_another_language(arabic: Policy) -> None:  # IN-07
    for name, html in every_page(pages(arabic), view(undecided(arabic), "ar")).items():
        marked = {(one.get("lang"), one.get("dir")) for one in tree(html).iter() if one.get("lang")}
        assert marked <= {("ar", "rtl")}, name
    root = tree(pages(arabic).policy(view(undecided(arabic), "ar")))
    assert (root.get("lang"), root.get("dir")) == ("ar", "rtl")
    banner = tree(pages(arabic).banner(view(undecided(arabic))))
    assert fields(next(banner.iter("form")))["language"] == ["ar"]


def test_a_site_can_add_catalogues_templates_and_style_sheets(arabic: Policy, tmp_path: Path) -> None:
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
    sheets = [link.get("href") for link in root.iter("link") if link.get("rel") == "stylesheet"]
    assert sheets == [made.asset_url("consent.css"), "/static/site.css"]


def test_an_unknown_site_or_faulty_catalogue_raises_at_construction(tmp_path: Path) -> None:
    with pytest.raises(UnknownSiteError):
        Pages(POLICY, PAGES.notice, site="nowhere")
    catalogue = tmp_path / "en/LC_MESSAGES/consentkit.po"
    catalogue.parent.mkdir(parents=True)
    catalogue.write_text('msgid "Yes"\nmsgstr "%(no)s"\n', "utf-8")
    with pytest.raises(ConfigurationError, match="placeholder"):
        pages(POLICY, locales=tmp_path)


# Proof


def test_fingerprint_has_the_banner_and_hashes_of_templates_and_assets() -> None:
    kept = PAGES.fingerprint("nl")
    assert (kept["language"], kept["words"]) == ("nl", "nl")
    banner = PAGES.banner(view(undecided(), "nl", next="/"))
    assert kept["banner"] == re.sub(r'(name="submission" value=")[^"]+', r"\1", banner)
    assert set(kept["templates"]) >= {"banner.html", "preferences.html", "policy.html"}
    assert {len(digest) for part in ("templates", "assets") for digest in kept[part].values()} == {64}


def test_a_policy_without_optional_categories_has_no_banner() -> None:
    policy = policy_of(categories=rows("categories")[:1], vendors=[], trackers=rows("trackers")[:1])
    assert pages(policy).fingerprint("en")["banner"] == ""
    assert pages(policy).banner(view(undecided(policy))) == ""
